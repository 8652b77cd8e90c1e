//! What a health check is.

use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use regex::bytes::{Regex, RegexBuilder};

use crate::wire::kind::Type;
use crate::wire::name::Name;

/// One health-check definition. Equal checks of equal addresses are probed once.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Check {
    /// What one probe does.
    pub kind: CheckKind,
    /// The port to probe; `None`: the endpoint's own, else [`CheckKind::default_port`].
    pub port: Option<u16>,
    /// From the start of one probe to the start of the next; at least 100 ms.
    pub interval: Duration,
    /// How long one probe may take in all; not longer than `interval`.
    pub timeout: Duration,
    /// Passes in a row that turn a down endpoint up; at least 1.
    pub rise: u8,
    /// Fails in a row that turn an up endpoint down; at least 1.
    pub fall: u8,
    /// From the start of one probe to the start of the next while verdicts contradict the state;
    /// `None`: as always.
    pub fast_interval: Option<Duration>,
    /// When an endpoint turns too often; `None`: never.
    pub flap: Option<Flap>,
    /// For how long the weight of an endpoint climbs that was down; zero: it counts at once.
    pub slow_start: Duration,
    /// How the endpoint may speak for itself; `None`: it may not.
    pub agent: Option<Agent>,
}

/// How an endpoint may speak for itself in what it replies to a check.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Agent {
    /// The header of HTTP that has its words; `None`: the first lines of what it sends.
    pub header: Option<String>,
    /// The least part of its weight that it can ask for, in percent.
    pub weight_min: u8,
    /// The largest, 100 at the most.
    pub weight_max: u8,
}

impl Check {
    /// A check of this kind at the pace that one has which writes nothing of it, and which holds
    /// down nothing that turns often.
    pub fn new(kind: CheckKind) -> Self {
        Self {
            kind,
            port: None,
            interval: Duration::from_secs(5),
            timeout: Duration::from_millis(2500),
            rise: 2,
            fall: 3,
            fast_interval: None,
            flap: None,
            slow_start: Duration::ZERO,
            agent: None,
        }
    }

    /// How long it takes at the most until what has failed `failed` times in a row is down.
    pub fn until_down(&self, failed: u8) -> Duration {
        let left = u32::from(self.fall.saturating_sub(failed));
        self.fast_interval.unwrap_or(self.interval) * left + self.timeout
    }
}

/// When an endpoint turns too often, and what then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Flap {
    /// The most turns within `window`; at least 2.
    pub turns: u8,
    /// The time in which they are counted.
    pub window: Duration,
    /// How long it is held down after one more.
    pub hold: Duration,
}

/// What one probe does.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum CheckKind {
    /// An HTTP or HTTPS request.
    Http(HttpCheck),
    /// A TCP connection.
    Tcp(TcpCheck),
    /// A TLS handshake, and then what a TCP connection is asked.
    Tls(TlsOptions, TcpCheck),
    /// A query over UDP.
    Dns(DnsCheck),
    /// A `PING` to Redis, or what speaks its protocol.
    Redis,
    /// The handshake of MySQL or MariaDB, under this user's name.
    Mysql(String),
    /// The beginning of a session of PostgreSQL, under this user's name.
    Postgres(String),
}

impl CheckKind {
    /// The word for it in zone files and logs.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Http(http) if http.tls.is_some() => "https",
            Self::Http(_) => "http",
            Self::Tcp(_) => "tcp",
            Self::Tls(..) => "tls",
            Self::Dns(_) => "dns",
            Self::Redis => "redis",
            Self::Mysql(_) => "mysql",
            Self::Postgres(_) => "postgres",
        }
    }

    /// The port to probe where neither the check nor the endpoint has one.
    pub fn default_port(&self) -> Option<u16> {
        match self {
            Self::Http(http) => Some(if http.tls.is_some() { 443 } else { 80 }),
            Self::Tcp(_) | Self::Tls(..) => None,
            Self::Dns(_) => Some(53),
            Self::Redis => Some(6379),
            Self::Mysql(_) => Some(3306),
            Self::Postgres(_) => Some(5432),
        }
    }
}

/// An HTTP request and what its response must be. Redirects are not followed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HttpCheck {
    /// `Some`: over TLS.
    pub tls: Option<TlsOptions>,
    /// The request method, such as `GET`.
    pub method: String,
    /// The path with its query, starting with `/`.
    pub path: String,
    /// The Host header (and, over TLS, the server name unless one is set); `None`: the address.
    pub host: Option<String>,
    /// Further request headers.
    pub headers: Vec<(String, String)>,
    /// The response's status must be in one of these.
    pub status: Vec<StatusRange>,
    /// Text that the first 16 KiB of the response's body must contain.
    pub body: Option<String>,
    /// What the first 16 KiB of the response's body must match.
    pub body_regex: Option<Pattern>,
}

/// A regular expression over octets. It is compiled once, and equal to another by its text.
#[derive(Clone, Debug)]
pub struct Pattern(Arc<Regex>);

impl Pattern {
    /// The most memory that a compiled pattern may take, in octets.
    const SIZE_MAX: usize = 1 << 20;

    /// # Errors
    /// `text` is no regular expression, or takes more than 1 MiB once compiled.
    pub fn new(text: &str) -> Result<Self, regex::Error> {
        let mut builder = RegexBuilder::new(text);
        builder.size_limit(Self::SIZE_MAX).dfa_size_limit(Self::SIZE_MAX);
        builder.build().map(|regex| Self(Arc::new(regex)))
    }

    /// Whether it matches somewhere in `octets`, which need not be UTF-8.
    ///
    /// # Cost
    /// Linear in `octets`, whatever the pattern.
    pub fn is_in(&self, octets: &[u8]) -> bool {
        self.0.is_match(octets)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl Eq for Pattern {}

impl Hash for Pattern {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.as_str().hash(state);
    }
}

/// A run of HTTP status codes, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StatusRange {
    /// The first status.
    pub first: u16,
    /// The last status.
    pub last: u16,
}

/// How an HTTPS probe checks its peer. Certificates are verified unless `verify` is false.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsOptions {
    /// Whether the certificate must be valid for the server name.
    pub verify: bool,
    /// The name sent as SNI and verified; `None`: the host, else the address.
    pub server_name: Option<String>,
    /// PEM certificates of the authorities to trust; `None`: the system's.
    pub ca_pem: Option<String>,
}

/// Of the certificates only how long they are: they are thousands of octets, and those of checks
/// that are alike else seldom differ.
impl Hash for TlsOptions {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.verify, &self.server_name, self.ca_pem.as_ref().map(String::len)).hash(state);
    }
}

/// A question, and what its answer must be.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DnsCheck {
    /// The name asked for.
    pub name: Name,
    /// The type asked for.
    pub qtype: Type,
    /// The response code that passes, such as `NOERROR`; `NODATA` where it has no such record.
    pub rcode: String,
    /// RDATA, as dig shows it, of which a record of the answer must be.
    pub data: Option<String>,
}

/// A TCP connection, optionally a few bytes each way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TcpCheck {
    /// What to send once connected.
    pub send: Option<Vec<u8>>,
    /// What the first 16 KiB received must contain.
    pub expect: Option<Vec<u8>>,
}
