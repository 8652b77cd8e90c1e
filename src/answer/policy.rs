//! The operator's decisions for all zones: the identity of the server, cookies, rates.
//!
//! `server::policy` makes a [`Policy`] from the settings, and each responder takes it up with the
//! snapshot; without one, as in `waypost query` and the tests of a zone, the default holds. Queries
//! read it, so nothing in it locks or allocates then. A new field also belongs in `server::policy`.

use std::net::SocketAddr;
use std::sync::Arc;

use super::cookies::Cookies;
use super::rates::Rates;

/// The settings for every query, whatever zone it is for. The default has no identity, no cookies
/// and no limit.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// The name of this server: NSID (RFC 5001), `id.server` and `hostname.bind` (RFC 4892).
    pub name: Option<Text>,
    /// The text of `version.bind` and `version.server`.
    pub version: Option<Text>,
    /// The server cookies; without them, no cookie is sent.
    pub cookies: Option<Cookies>,
    /// The response rate limits over UDP.
    pub rates: Option<Arc<Rates>>,
    /// The longest response over UDP to a client without a cookie of ours, in octets: a longer one
    /// is truncated, with TC. `None` if such clients have no limit of their own.
    pub max_nocookie_response: Option<u16>,
    /// The sockets that we listen on ourselves: no client asks from there.
    pub own: Vec<SocketAddr>,
    /// The time that a stream may stay idle, in units of 100 ms (RFC 7828 §3.1); 0 if it is not
    /// sent.
    pub stream_idle: u16,
}

impl Policy {
    /// Returns whether `source` is one of our own sockets. For a socket on all addresses, only
    /// loopback sources are recognized: the system knows its other addresses, and lets nobody else
    /// send from them.
    #[inline]
    pub(super) fn is_own(&self, source: SocketAddr) -> bool {
        self.own.iter().any(|own| own.port() == source.port() && is_it(*own, source))
    }
}

/// Returns whether a socket at `own` can send from `source`, which has the same port.
#[cold]
fn is_it(own: SocketAddr, source: SocketAddr) -> bool {
    let is_every = own.ip().is_unspecified() && own.is_ipv4() == source.is_ipv4();
    own.ip() == source.ip() || is_every && source.ip().is_loopback()
}

/// A text of at most 255 octets, kept as the one character-string of a TXT record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text(Box<[u8]>);

impl Text {
    /// Makes a text; `None` if `text` is longer than 255 octets.
    pub fn new(text: &str) -> Option<Self> {
        let len = u8::try_from(text.len()).ok()?;
        Some(Self([&[len], text.as_bytes()].concat().into()))
    }

    /// Returns the text.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.get(1..).unwrap_or(&[])
    }

    /// Returns the text as TXT RDATA (RFC 1035 §3.3.14).
    pub fn as_txt(&self) -> &[u8] {
        &self.0
    }
}
