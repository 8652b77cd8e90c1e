//! What an operator decided for all zones: who the server says it is, cookies, rates.

use std::net::SocketAddr;
use std::sync::Arc;

use super::cookies::Cookies;
use super::rates::Rates;

/// What holds for every query, whatever zone it is for. The default asks for nothing: no identity,
/// no cookies, no limit.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// The name of this server: NSID (RFC 5001), `id.server` and `hostname.bind` (RFC 4892).
    pub name: Option<Text>,
    /// What `version.bind` and `version.server` say.
    pub version: Option<Text>,
    /// Server cookies; none are given without.
    pub cookies: Option<Cookies>,
    /// Response rate limits over UDP.
    pub rates: Option<Arc<Rates>>,
    /// The longest response over UDP to a client without a cookie of ours, in octets: what is
    /// longer is cut to nothing but TC. `None`: as to anybody else.
    pub max_nocookie_response: Option<u16>,
    /// Where we listen ourselves: no client asks from there.
    pub own: Vec<SocketAddr>,
    /// How long a stream may stay idle, in units of 100 ms (RFC 7828 §3.1); 0: not told.
    pub stream_idle: u16,
}

impl Policy {
    /// Whether `source` is one of our own sockets. Of a socket for all addresses those of loopback
    /// are known; that others are our own the system knows, and lets nobody else send from them.
    #[inline]
    pub(super) fn is_own(&self, source: SocketAddr) -> bool {
        self.own.iter().any(|own| own.port() == source.port() && is_it(*own, source))
    }
}

/// Whether a socket at `own` can send from `source`, whose port is its own.
#[cold]
fn is_it(own: SocketAddr, source: SocketAddr) -> bool {
    let is_every = own.ip().is_unspecified() && own.is_ipv4() == source.is_ipv4();
    own.ip() == source.ip() || is_every && source.ip().is_loopback()
}

/// A text of at most 255 octets, kept as the one character string of a TXT record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text(Box<[u8]>);

impl Text {
    /// `None` if `text` is longer than 255 octets.
    pub fn new(text: &str) -> Option<Self> {
        let len = u8::try_from(text.len()).ok()?;
        Some(Self([&[len], text.as_bytes()].concat().into()))
    }

    /// The text.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.get(1..).unwrap_or(&[])
    }

    /// TXT RDATA (RFC 1035 §3.3.14).
    pub fn as_txt(&self) -> &[u8] {
        &self.0
    }
}
