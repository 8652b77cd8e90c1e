//! HTTP over TLS, by reqwest: HTTP/2 if the server wants it.
//!
//! The URL has the server name, for SNI and verification. Its resolver knows only the endpoint's
//! address.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{HOST, HeaderMap, HeaderValue};
use reqwest::tls::TlsInfo;
use reqwest::{Body, Client, ClientBuilder, Method, Request, Response, Url};
use rustls::ClientConfig;

use super::judge::Judge;
use super::{
    Attempt, Dialer, Outlets, Passed, Reason, UNUSABLE_HEADER, USER_AGENT, host, method_and_fields,
};
use crate::checker::probe::WINDOW;
use crate::checker::probe::parting::Parting;
use crate::x509::Validity;
use crate::zone::{HttpCheck, TlsOptions};

/// The port that URLs of https leave out (RFC 9110 §4.2.2).
const PORT: u16 = 443;

const UNUSABLE_URL: Reason = Reason::Unusable("the check's host or path does not make a URL");
const UNUSABLE_CLIENT: Reason = Reason::Unusable("no HTTP client could be set up for the check");
const ADDRESS_AS_NAME: Reason = Reason::Unusable(
    "the certificate cannot be verified for an address other than the endpoint's: set server_name",
);

/// A prober that sends the same request to each address.
#[derive(Debug)]
pub(super) struct Secure {
    trust: Arc<ClientConfig>,
    verify: bool,
    /// The name that the certificate must be for, as the check writes it; `None` for the address.
    name: Option<String>,
    /// The value of the Host header; `None` for the address.
    host: Option<String>,
    path: String,
    method: Method,
    fields: HeaderMap,
    body: Option<String>,
    dialer: Dialer,
}

impl Secure {
    /// Makes a prober for `check`.
    ///
    /// # Errors
    /// [`Reason::Unusable`], which says what about the check to change.
    pub(super) fn new(
        check: &HttpCheck,
        options: &TlsOptions,
        dialer: Dialer,
        outlets: &Outlets,
    ) -> Result<Self, Reason> {
        let (method, fields) = method_and_fields(check)?;
        Ok(Self {
            trust: outlets.tls.config_for(options)?,
            verify: options.verify,
            name: options.server_name.as_ref().or(check.host.as_ref()).cloned(),
            host: check.host.clone(),
            path: check.path.clone(),
            method,
            fields,
            body: check.body.clone(),
            dialer,
        })
    }

    pub(super) async fn probe(
        &self,
        address: SocketAddr,
        judge: &Judge,
        attempt: &Attempt,
    ) -> Result<Passed, Reason> {
        attempt.needs_no_connection();
        let limit = attempt.connect_timeout();
        let (client, request) = self.client_and_request(address, limit)?;
        let error = |error: reqwest::Error| match limit {
            Some(limit) if error.is_connect() && error.is_timeout() => Reason::NoConnection(limit),
            _ => Reason::of_http(&error),
        };
        let mut response = client.execute(request).await.map_err(error)?;
        attempt.hears();
        let info = response.extensions().get::<TlsInfo>();
        let validity = info.and_then(|info| Validity::read(info.peer_certificate()?));
        let outcome = hear(&mut response, judge, error).await;
        attempt.leave(Parting::by(async move {
            read_out(response).await;
            // The connection ends with its client.
            drop(client);
        }));
        Ok(Passed { validity, ..outcome? })
    }

    /// Makes the request, and a client for one probe, which knows its address. Making a client
    /// costs little beside a handshake. Keeping one for each address would take a hundred times the
    /// memory of all else that is known of it.
    fn client_and_request(
        &self,
        address: SocketAddr,
        connect_timeout: Option<Duration>,
    ) -> Result<(Client, Request), Reason> {
        let url = self.url(address)?;
        let host = host(address, self.host.as_deref(), PORT);
        let mut tls = ClientConfig::clone(&self.trust);
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        let mut fields = self.fields.clone();
        // In HTTP/2 the URL's authority is the host, and no Host header may differ from it (RFC
        // 9113 §8.3.1).
        if host == url.authority() {
            tls.alpn_protocols.insert(0, b"h2".to_vec());
        } else {
            fields.insert(HOST, HeaderValue::from_str(&host).map_err(|_| UNUSABLE_HEADER)?);
        }
        let mut request = Request::new(self.method.clone(), url);
        *request.headers_mut() = fields;
        *request.body_mut() = self.body.clone().map(Body::from);
        let mut builder = client_builder(tls).dns_resolver(Arc::new(Pinned(address)));
        builder = builder.local_address(self.dialer.source(address).map(|own| own.ip()));
        if let Some(limit) = connect_timeout {
            builder = builder.connect_timeout(limit);
        }
        Ok((builder.build().map_err(|_| UNUSABLE_CLIENT)?, request))
    }

    /// Returns the URL to ask for, whose host is the name that goes into the handshake.
    fn url(&self, address: SocketAddr) -> Result<Url, Reason> {
        let own = url(&address.to_string(), &self.path)?;
        match self.name.as_ref().map(|name| (name, literal(name))) {
            None => Ok(own),
            Some((_, Some(ip))) if self.verify && ip != address.ip() => Err(ADDRESS_AS_NAME),
            // There is no SNI for addresses (RFC 6066 §3), so the endpoint's own will do.
            Some((_, Some(_))) => Ok(own),
            Some((name, None)) => {
                // The name may carry a port, as a Host header does; the endpoint's port counts.
                let mut named = url(name, &self.path)?;
                named.set_port(Some(address.port())).map_err(|()| UNUSABLE_URL)?;
                // Other spellings of addresses, such as 0x7f.1, would be connected to.
                named.domain().is_some().then_some(named).ok_or(UNUSABLE_URL)
            }
        }
    }
}

/// Reads as much of `response` as the verdict needs.
async fn hear(
    response: &mut Response,
    judge: &Judge,
    error: impl Fn(reqwest::Error) -> Reason,
) -> Result<Passed, Reason> {
    let (status, fields) = (response.status().as_u16(), response.headers().clone());
    let mut hearing = judge.hear(status, |name| Some(fields.get(name)?.as_bytes()))?;
    while !hearing.is_over() {
        let Some(piece) = response.chunk().await.map_err(&error)? else { break };
        hearing.take(&piece);
    }
    hearing.end()
}

/// Reads the rest of the body, up to 16 KiB.
async fn read_out(mut response: Response) {
    let mut left = WINDOW;
    while let Ok(Some(piece)) = response.chunk().await {
        left = left.saturating_sub(piece.len());
        if left == 0 {
            return;
        }
    }
}

/// Returns the address in a host such as `192.0.2.1`, `2001:db8::1` or `[2001:db8::1]:8443`.
fn literal(host: &str) -> Option<IpAddr> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.parse().ok().or_else(|| host.parse().ok().map(|address: SocketAddr| address.ip()))
}

fn client_builder(tls: ClientConfig) -> ClientBuilder {
    Client::builder()
        .tls_backend_preconfigured(tls)
        .tls_info(true)
        .user_agent(USER_AGENT)
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .pool_max_idle_per_host(0)
}

fn url(authority: &str, path: &str) -> Result<Url, Reason> {
    Url::parse(&format!("https://{authority}{path}")).map_err(|_| UNUSABLE_URL)
}

/// The resolver of one probe, which gives its address for any name.
struct Pinned(SocketAddr);

impl Resolve for Pinned {
    fn resolve(&self, _: Name) -> Resolving {
        let addresses: Addrs = Box::new(std::iter::once(self.0));
        Box::pin(std::future::ready(Ok(addresses)))
    }
}
