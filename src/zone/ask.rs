//! What the probes of a check ask, and what comes back from who is well.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use regex::bytes::{Regex, RegexBuilder};
use zeroize::Zeroize;

use crate::wire::kind::Type;
use crate::wire::name::Name;

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
    /// The content of the request.
    pub body: Option<String>,
    /// Whether a connection is kept for the next request; not over TLS.
    pub reuse: bool,
    /// The response that is expected.
    pub expect: HttpExpect,
}

/// What a response must be. Of its body the first 16 KiB are looked at.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HttpExpect {
    /// The status must be in one of these.
    pub status: Vec<StatusRange>,
    /// Headers that must be there, the first of each name with this value.
    pub headers: Vec<(String, String)>,
    /// Text that the body must contain.
    pub body: Option<String>,
    /// What the body must match.
    pub body_regex: Option<Pattern>,
    /// Where what must stand in the body, which is then JSON.
    pub json: Vec<(Pointer, Scalar)>,
}

impl HttpExpect {
    /// A response of one of these statuses, whatever else it is.
    pub fn of_status(status: Vec<StatusRange>) -> Self {
        Self { status, headers: Vec::new(), body: None, body_regex: None, json: Vec::new() }
    }
}

/// A place in a JSON document, such as `/checks/0/state` (RFC 6901).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pointer(String);

impl Pointer {
    /// The place that `text` names; `None` unless it is empty, for the whole document, or starts
    /// with `/`, with `~` before `0` and `1` only.
    pub fn new(text: &str) -> Option<Self> {
        let is_escape = |rest: &str| rest.starts_with(['0', '1']);
        let is_one =
            (text.is_empty() || text.starts_with('/')) && text.split('~').skip(1).all(is_escape);
        is_one.then(|| Self(text.to_owned()))
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A value of JSON that holds no others.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Scalar {
    /// A string.
    Text(String),
    /// A number without a fraction; `3.0` is one.
    Integer(i64),
    /// `true` or `false`.
    Truth(bool),
}

impl fmt::Display for Scalar {
    /// As JSON has it, a string's quotes left out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Integer(number) => number.fmt(f),
            Self::Truth(truth) => truth.fmt(f),
        }
    }
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

    /// Its text.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
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

/// How a probe over TLS checks its peer. Certificates are verified unless `verify` is false.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsOptions {
    /// Whether the certificate must be valid for the server name.
    pub verify: bool,
    /// The name sent as SNI and verified; `None`: the host, else the address.
    pub server_name: Option<String>,
    /// PEM certificates of the authorities to trust; `None`: the system's.
    pub ca_pem: Option<String>,
    /// When the end of the certificate counts as near.
    pub expiry: Expiry,
    /// The certificate that the probe shows, if the peer asks for one.
    pub own: Option<ClientCertificate>,
}

/// Hashes only the lengths of the certificates: they are several kilobytes, and otherwise equal
/// checks rarely differ in them.
impl Hash for TlsOptions {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let authorities = self.ca_pem.as_ref().map(String::len);
        let own = self.own.as_ref().map(|own| own.certificate_pem.len());
        (self.verify, &self.server_name, authorities, self.expiry, own).hash(state);
    }
}

/// A certificate that a client shows, with its key.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ClientCertificate {
    /// The certificate in PEM form, those that it is signed with after it.
    pub certificate_pem: String,
    /// Its private key in PEM form.
    pub key_pem: String,
}

/// Wipes the key.
impl Drop for ClientCertificate {
    fn drop(&mut self) {
        self.key_pem.zeroize();
    }
}

/// Without the key.
impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ClientCertificate").field(&self.certificate_pem.len()).finish()
    }
}

/// When the end of a certificate counts as near.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Expiry {
    /// How long before it the operator is warned; zero: never; `None`: two weeks, or the last
    /// fifth of a shorter life.
    pub warn: Option<Duration>,
    /// How long before it the check fails; zero: once it is over, if the certificate is verified.
    pub fail: Duration,
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

/// A call of `grpc.health.v1.Health/Check`, which must be answered by SERVING.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GrpcCheck {
    /// `Some`: over TLS.
    pub tls: Option<TlsOptions>,
    /// The authority of the call (and, over TLS, the server name unless one is set); `None`: the
    /// address.
    pub host: Option<String>,
    /// The service asked about; empty: the server as a whole.
    pub service: String,
}

/// A program of this machine, and by which exit status it passes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ExecCheck {
    /// Its absolute path.
    pub program: String,
    /// What it is given, word by word: no shell reads them.
    pub arguments: Vec<String>,
    /// The statuses that pass.
    pub exit: Vec<u8>,
}

/// A page of a FastCGI server, and what its response must be.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FastcgiCheck {
    /// Its path, starting with `/`: the name of the script, which php-fpm compares with
    /// `ping.path`.
    pub path: String,
    /// The Unix socket of this machine to connect to; `None`: the endpoint's address.
    pub socket: Option<String>,
    /// The response that is expected.
    pub expect: HttpExpect,
}

/// A TCP connection or a datagram, optionally a few bytes each way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TcpCheck {
    /// What to send once connected.
    pub send: Option<Vec<u8>>,
    /// What the first 16 KiB received must contain.
    pub expect: Option<Vec<u8>>,
}
