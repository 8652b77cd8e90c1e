//! HTTP over TLS, by reqwest: HTTP/2 where the server wants it.
//!
//! The URL has the server name, for SNI and verification, and its resolver knows one answer only.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{HOST, HeaderValue};
use reqwest::{Client, ClientBuilder, Request, Url};
use rustls::ClientConfig;
use tokio::time::{Instant, timeout_at};

use super::judge::Judge;
use super::{Outlets, Passed, Reason, UNUSABLE_HEADER, USER_AGENT, host, method_and_fields};
use crate::zone::{HttpCheck, TlsOptions};

const UNUSABLE_URL: Reason = Reason::Unusable("the check's host or path does not make a URL");
const UNUSABLE_CLIENT: Reason = Reason::Unusable("no HTTP client could be set up for the check");
const ADDRESS_AS_NAME: Reason = Reason::Unusable(
    "the certificate cannot be verified for an address other than the endpoint's: set server_name",
);

/// Sends the same request each time.
#[derive(Debug)]
pub(super) struct Secure {
    client: Client,
    request: Request,
    /// Held so that other probers find it in [`crate::checker::probe::tls::Configs`].
    _trust: Arc<ClientConfig>,
}

impl Secure {
    /// # Errors
    /// What about the check makes it unusable.
    pub(super) fn new(
        address: SocketAddr,
        check: &HttpCheck,
        options: &TlsOptions,
        outlets: &Outlets,
    ) -> Result<Self, Reason> {
        let trust = outlets.tls.config_for(options)?;
        let (client, url) = client_and_url(address, check, options, &trust)?;
        Ok(Self { client, request: request(url, address, check)?, _trust: trust })
    }

    pub(super) async fn probe(&self, judge: &Judge, timeout: Duration) -> Result<Passed, Reason> {
        let deadline = Instant::now() + timeout;
        // Bodiless requests can always be cloned.
        let request = self.request.try_clone().ok_or(UNUSABLE_CLIENT)?;
        let mut response = timeout_at(deadline, self.client.execute(request))
            .await
            .map_err(|_| Reason::NoResponse(timeout))?
            .map_err(|error| Reason::of_http(&error))?;
        let (status, fields) = (response.status().as_u16(), response.headers().clone());
        let mut hearing = judge.hear(status, |name| Some(fields.get(name)?.as_bytes()))?;
        let hear = async {
            while !hearing.is_over() {
                let piece = response.chunk().await.map_err(|error| Reason::of_http(&error))?;
                let Some(piece) = piece else { break };
                hearing.take(&piece);
            }
            Ok::<_, Reason>(())
        };
        timeout_at(deadline, hear).await.map_err(|_| Reason::Unfinished(timeout))??;
        hearing.end()
    }
}

/// A client for one address and server name, and the URL to ask it for.
fn client_and_url(
    address: SocketAddr,
    check: &HttpCheck,
    options: &TlsOptions,
    trust: &ClientConfig,
) -> Result<(Client, Url), Reason> {
    let own = url(&address.to_string(), &check.path)?;
    let name = options.server_name.as_ref().or(check.host.as_ref());
    let url = match name.map(|name| (name, literal(name))) {
        None => own,
        Some((_, Some(ip))) if options.verify && ip != address.ip() => return Err(ADDRESS_AS_NAME),
        // There is no SNI for addresses (RFC 6066 §3), so the endpoint's own will do.
        Some((_, Some(_))) => own,
        Some((name, None)) => {
            // The name may carry a port, as a Host header does; the endpoint's counts.
            let mut named = url(name, &check.path)?;
            named.set_port(Some(address.port())).map_err(|()| UNUSABLE_URL)?;
            // Other spellings of addresses, such as 0x7f.1, would be connected to.
            named.domain().is_some().then_some(named).ok_or(UNUSABLE_URL)?
        }
    };
    let mut tls = trust.clone();
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    // In HTTP/2 the URL's authority is the host, and no Host header may differ from it
    // (RFC 9113 §8.3.1).
    if host(address, check) == url.authority() {
        tls.alpn_protocols.insert(0, b"h2".to_vec());
    }
    let client = client_builder(tls)
        .dns_resolver(Arc::new(Pinned(address)))
        .build()
        .map_err(|_| UNUSABLE_CLIENT)?;
    Ok((client, url))
}

/// The address in a host such as `192.0.2.1`, `2001:db8::1` or `[2001:db8::1]:8443`.
fn literal(host: &str) -> Option<IpAddr> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.parse().ok().or_else(|| host.parse().ok().map(|address: SocketAddr| address.ip()))
}

fn client_builder(tls: ClientConfig) -> ClientBuilder {
    Client::builder()
        .tls_backend_preconfigured(tls)
        .user_agent(USER_AGENT)
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .pool_max_idle_per_host(0)
}

fn url(authority: &str, path: &str) -> Result<Url, Reason> {
    Url::parse(&format!("https://{authority}{path}")).map_err(|_| UNUSABLE_URL)
}

fn request(url: Url, address: SocketAddr, check: &HttpCheck) -> Result<Request, Reason> {
    let (method, mut fields) = method_and_fields(check)?;
    let host = host(address, check);
    if host != url.authority() {
        fields.insert(HOST, HeaderValue::from_str(&host).map_err(|_| UNUSABLE_HEADER)?);
    }
    let mut request = Request::new(method, url);
    *request.headers_mut() = fields;
    Ok(request)
}

/// The resolver of one endpoint: whatever the name, its address.
struct Pinned(SocketAddr);

impl Resolve for Pinned {
    fn resolve(&self, _: Name) -> Resolving {
        let addresses: Addrs = Box::new(std::iter::once(self.0));
        Box::pin(std::future::ready(Ok(addresses)))
    }
}
