//! The `http` and `https` probes: one request, its status and its body.
//!
//! ```text
//! Http::probe ─▶ plain: our own HTTP/1.1 (`message` reads it) ─┐
//!             └▶ secure: reqwest over TLS, HTTP/2 as well ─────┴▶ judge ─▶ Reason
//! ```
//!
//! reqwest opens its connections by itself, so no PROXY header can precede the handshake on them.
//! For a check with such a header, `plain` speaks over TLS.
//!
//! The address is always the endpoint's own.

mod judge;
mod kept;
mod message;
mod plain;
mod secure;

pub(super) use judge::Judge;
pub(super) use kept::Room;

use std::net::SocketAddr;

use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use super::attempt::Attempt;
use super::connect::Dialer;
use super::{Outlets, Passed, Reason, USER_AGENT};
use crate::zone::{Agent, HttpCheck};

const UNUSABLE_METHOD: Reason = Reason::Unusable("the check's method is not an HTTP method");
const UNUSABLE_HEADER: Reason = Reason::Unusable("the check has a header that HTTP does not allow");

/// A prober that sends the same request each time.
#[derive(Debug)]
pub(super) struct Http {
    means: Means,
    judge: Judge,
}

#[derive(Debug)]
enum Means {
    Plain(Box<plain::Plain>),
    Secure(Box<secure::Secure>),
}

impl Http {
    /// Makes a prober for `check`.
    ///
    /// # Errors
    /// [`Reason::Unusable`], which says what about the check to change.
    pub(super) fn new(
        check: &HttpCheck,
        dialer: Dialer,
        outlets: &Outlets,
    ) -> Result<Self, Reason> {
        let means = match &check.tls {
            Some(options) if !dialer.is_announced() => {
                let secure = secure::Secure::new(check, options, dialer, outlets)?;
                Means::Secure(Box::new(secure))
            }
            _ => Means::Plain(Box::new(plain::Plain::new(check, dialer, outlets)?)),
        };
        Ok(Self { means, judge: Judge::new(&check.expect) })
    }

    /// Lets it listen to `agent`, if there is one.
    pub(super) fn heard_by(self, agent: Option<&Agent>) -> Self {
        Self { judge: self.judge.heard_by(agent), ..self }
    }

    pub(super) async fn probe(
        &self,
        address: SocketAddr,
        attempt: &Attempt,
    ) -> Result<Passed, Reason> {
        match &self.means {
            Means::Plain(plain) => plain.probe(address, &self.judge, attempt).await,
            // Boxed: probes without TLS need not have the room that TLS takes.
            Means::Secure(secure) => Box::pin(secure.probe(address, &self.judge, attempt)).await,
        }
    }
}

/// Returns the method, and the fields that the check writes.
///
/// # Errors
/// [`UNUSABLE_METHOD`] or [`UNUSABLE_HEADER`] if HTTP does not allow one of them.
fn method_and_fields(check: &HttpCheck) -> Result<(Method, HeaderMap), Reason> {
    let mut fields = HeaderMap::new();
    for (name, value) in &check.headers {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| UNUSABLE_HEADER)?;
        fields.append(name, HeaderValue::from_str(value).map_err(|_| UNUSABLE_HEADER)?);
    }
    let method = Method::from_bytes(check.method.as_bytes()).map_err(|_| UNUSABLE_METHOD)?;
    if let Some(host) = &check.host {
        HeaderValue::from_str(host).map_err(|_| UNUSABLE_HEADER)?;
    }
    Ok((method, fields))
}

/// Returns the Host header's value: `wanted`, otherwise the address, without the scheme's own port.
fn host(address: SocketAddr, wanted: Option<&str>, own_port: u16) -> String {
    match (wanted, address) {
        (Some(host), _) => host.to_owned(),
        (None, SocketAddr::V4(at)) if at.port() == own_port => at.ip().to_string(),
        (None, SocketAddr::V6(at)) if at.port() == own_port => format!("[{}]", at.ip()),
        (None, address) => address.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_header_is_the_address_without_the_schemes_own_port() {
        let told = |address: &str, own_port| host(address.parse().unwrap(), None, own_port);
        assert_eq!(told("192.0.2.1:80", 80), "192.0.2.1");
        assert_eq!(told("192.0.2.1:443", 80), "192.0.2.1:443");
        assert_eq!(told("[2001:db8::1]:443", 443), "[2001:db8::1]");
        assert_eq!(told("[2001:db8::1]:80", 443), "[2001:db8::1]:80");
    }
}
