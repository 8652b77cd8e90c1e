//! The `http` and `https` probes: one request over a new connection, its status and its body.
//!
//! The address is always the endpoint's own. A plain request has it in its URL; a TLS request has
//! the server name there, for SNI and verification, and a resolver that knows one answer only.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{HOST, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, ClientBuilder, Method, Request, Response, Url};
use rustls::ClientConfig;
use tokio::time::{Instant, timeout_at};

use super::{Outlets, Passed, Reason, Search};
use crate::zone::{Agent, HttpCheck, StatusRange, TlsOptions};

const UNUSABLE_URL: Reason = Reason::Unusable("the check's host or path does not make a URL");
const UNUSABLE_METHOD: Reason = Reason::Unusable("the check's method is not an HTTP method");
const UNUSABLE_HEADER: Reason = Reason::Unusable("the check has a header that HTTP does not allow");
const UNUSABLE_CLIENT: Reason = Reason::Unusable("no HTTP client could be set up for the check");
const ADDRESS_AS_NAME: Reason = Reason::Unusable(
    "the certificate cannot be verified for an address other than the endpoint's: set server_name",
);

/// Sends the same request each time.
#[derive(Debug)]
pub(super) struct Http {
    client: Client,
    request: Request,
    status: Vec<StatusRange>,
    body: Option<String>,
    words: Words,
    timeout: Duration,
    /// Held so that other probers find it in [`super::tls::Configs`].
    _trust: Option<Arc<ClientConfig>>,
}

/// Where an agent speaks.
#[derive(Debug)]
enum Words {
    /// It may not.
    Nowhere,
    Header(HeaderName),
    Body,
}

impl Http {
    /// # Errors
    /// What about the check makes it unusable.
    pub(super) fn new(
        address: SocketAddr,
        check: &HttpCheck,
        timeout: Duration,
        outlets: &Outlets,
    ) -> Result<Self, Reason> {
        let (client, url, trust) = match &check.tls {
            None => (outlets.plain.clone()?, url("http", &address.to_string(), &check.path)?, None),
            Some(options) => {
                let trust = outlets.tls.config_for(options)?;
                let (client, url) = secure(address, check, options, &trust)?;
                (client, url, Some(trust))
            }
        };
        Ok(Self {
            client,
            request: request(url, address, check)?,
            status: check.status.clone(),
            body: check.body.clone(),
            words: Words::Nowhere,
            timeout,
            _trust: trust,
        })
    }

    /// The same, with what `agent` may say.
    pub(super) fn heard_by(mut self, agent: Option<&Agent>) -> Self {
        let header = agent.map(|agent| agent.header.as_deref());
        self.words = match header.map(|name| name.map(|name| name.parse())) {
            None | Some(Some(Err(_))) => Words::Nowhere,
            Some(None) => Words::Body,
            Some(Some(Ok(name))) => Words::Header(name),
        };
        self
    }

    pub(super) async fn probe(&self) -> Result<Passed, Reason> {
        let deadline = Instant::now() + self.timeout;
        // Bodiless requests can always be cloned.
        let request = self.request.try_clone().ok_or(UNUSABLE_CLIENT)?;
        let response = timeout_at(deadline, self.client.execute(request))
            .await
            .map_err(|_| Reason::NoResponse(self.timeout))?
            .map_err(|error| Reason::of_http(&error))?;
        let status = response.status().as_u16();
        if !self.status.iter().any(|range| (range.first..=range.last).contains(&status)) {
            return Err(Reason::UnwantedStatus { found: status, wanted: self.status.clone() });
        }
        let header = match &self.words {
            Words::Header(name) => response.headers().get(name).cloned(),
            Words::Nowhere | Words::Body => None,
        };
        let body = timeout_at(deadline, self.read(response))
            .await
            .map_err(|_| Reason::Unfinished(self.timeout))??;
        let text = header.map_or(body, |value| value.as_bytes().to_vec());
        Ok(Passed { reason: Reason::Status(status), text })
    }

    /// Reads as little of the body as tells whether it contains the wanted text, and what an agent
    /// says in it; returns the latter.
    async fn read(&self, mut response: Response) -> Result<Vec<u8>, Reason> {
        let listens = matches!(self.words, Words::Body);
        let mut is_found = self.body.is_none();
        let mut search = Search::new(self.body.as_deref().unwrap_or_default().as_bytes());
        while !(is_found && (!listens || search.has_words()) || search.is_over()) {
            let piece = response.chunk().await.map_err(|error| Reason::of_http(&error))?;
            let Some(piece) = piece else { break };
            is_found |= search.found_with(&piece);
        }
        if !is_found {
            return Err(Reason::BodyLacksText);
        }
        Ok(if listens { search.seen } else { Vec::new() })
    }
}

/// The client of every plain probe. Names cannot occur in its URLs.
pub(super) fn plain_client() -> Result<Client, Reason> {
    // Never used, but without it the builder would load the system's authorities.
    let no_tls = super::tls::config_trusting_nothing().ok_or(UNUSABLE_CLIENT)?;
    client_builder(no_tls).build().map_err(|_| UNUSABLE_CLIENT)
}

/// A client for one address and server name, and the URL to ask it for.
fn secure(
    address: SocketAddr,
    check: &HttpCheck,
    options: &TlsOptions,
    trust: &ClientConfig,
) -> Result<(Client, Url), Reason> {
    let own = url("https", &address.to_string(), &check.path)?;
    let name = options.server_name.as_ref().or(check.host.as_ref());
    let url = match name.map(|name| (name, literal(name))) {
        None => own,
        Some((_, Some(ip))) if options.verify && ip != address.ip() => return Err(ADDRESS_AS_NAME),
        // There is no SNI for addresses (RFC 6066 §3), so the endpoint's own will do.
        Some((_, Some(_))) => own,
        Some((name, None)) => {
            // The name may carry a port, as a Host header does; the endpoint's counts.
            let mut named = url("https", name, &check.path)?;
            named.set_port(Some(address.port())).map_err(|()| UNUSABLE_URL)?;
            // Other spellings of addresses, such as 0x7f.1, would be connected to.
            named.domain().is_some().then_some(named).ok_or(UNUSABLE_URL)?
        }
    };
    let mut tls = trust.clone();
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    // In HTTP/2 the URL's authority is the host, and no Host header may differ from it
    // (RFC 9113 §8.3.1).
    if host(address, check)? == url.authority() {
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
        .user_agent(concat!("waypost/", env!("CARGO_PKG_VERSION")))
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .pool_max_idle_per_host(0)
}

fn url(scheme: &str, authority: &str, path: &str) -> Result<Url, Reason> {
    Url::parse(&format!("{scheme}://{authority}{path}")).map_err(|_| UNUSABLE_URL)
}

/// What the Host header must say: the address unless the check says otherwise.
fn host(address: SocketAddr, check: &HttpCheck) -> Result<String, Reason> {
    let scheme = if check.tls.is_some() { "https" } else { "http" };
    match &check.host {
        Some(host) => Ok(host.clone()),
        // Through a URL, which leaves the scheme's own port out.
        None => Ok(url(scheme, &address.to_string(), "/")?.authority().to_owned()),
    }
}

fn request(url: Url, address: SocketAddr, check: &HttpCheck) -> Result<Request, Reason> {
    let mut headers = HeaderMap::new();
    for (name, value) in &check.headers {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| UNUSABLE_HEADER)?;
        headers.append(name, HeaderValue::from_str(value).map_err(|_| UNUSABLE_HEADER)?);
    }
    let host = host(address, check)?;
    if host != url.authority() {
        headers.insert(HOST, HeaderValue::from_str(&host).map_err(|_| UNUSABLE_HEADER)?);
    }
    let method = Method::from_bytes(check.method.as_bytes()).map_err(|_| UNUSABLE_METHOD)?;
    let mut request = Request::new(method, url);
    *request.headers_mut() = headers;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_header_is_the_address_without_the_schemes_own_port() {
        let told = |address: &str, tls: bool| {
            let tls = tls.then_some(TlsOptions { verify: true, server_name: None, ca_pem: None });
            let check = HttpCheck {
                tls,
                method: "GET".into(),
                path: "/".into(),
                host: None,
                headers: Vec::new(),
                status: Vec::new(),
                body: None,
            };
            host(address.parse().unwrap(), &check).unwrap()
        };
        assert_eq!(told("192.0.2.1:80", false), "192.0.2.1");
        assert_eq!(told("192.0.2.1:443", false), "192.0.2.1:443");
        assert_eq!(told("[2001:db8::1]:443", true), "[2001:db8::1]");
        assert_eq!(told("[2001:db8::1]:80", true), "[2001:db8::1]:80");
    }
}
