//! The requests that probes send, and the responses that pass.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use regex::bytes::{Regex, RegexBuilder};
use zeroize::Zeroize;

use crate::wire::kind::Type;
use crate::wire::name::Name;

/// An HTTP request, and the response that passes. Redirects are not followed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HttpCheck {
    /// The TLS options; `None` for plain HTTP.
    pub tls: Option<TlsOptions>,
    /// The request method, such as `GET`.
    pub method: String,
    /// The path with its query, starting with `/`.
    pub path: String,
    /// The Host header and, over TLS, the server name unless one is set. `None` stands for the
    /// address.
    pub host: Option<String>,
    /// Further request headers.
    pub headers: Vec<(String, String)>,
    /// The content of the request.
    pub body: Option<String>,
    /// Whether the connection is kept for the next request; not over TLS.
    pub reuse: bool,
    /// The response that passes.
    pub expect: HttpExpect,
}

/// The response that passes. Only the first 16 KiB of its body are read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HttpExpect {
    /// The ranges of status codes, of which one must hold the status.
    pub status: Vec<StatusRange>,
    /// The headers that must be there: the first of each name must have this value.
    pub headers: Vec<(String, String)>,
    /// The text that the body must contain.
    pub body: Option<String>,
    /// The pattern that the body must match.
    pub body_regex: Option<Pattern>,
    /// The values that must stand at these places of the body, which is then JSON.
    pub json: Vec<(Pointer, Scalar)>,
}

impl HttpExpect {
    /// Returns the expectation of one of these statuses, and of nothing else.
    pub fn of_status(status: Vec<StatusRange>) -> Self {
        Self { status, headers: Vec::new(), body: None, body_regex: None, json: Vec::new() }
    }
}

/// A place in a JSON document, such as `/checks/0/state` (RFC 6901).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pointer(String);

impl Pointer {
    /// Parses a place. An empty `text` is the whole document; any other starts with `/`, and has
    /// `~` only before `0` and `1`. `None` otherwise.
    pub fn new(text: &str) -> Option<Self> {
        let is_escape = |rest: &str| rest.starts_with(['0', '1']);
        let is_one =
            (text.is_empty() || text.starts_with('/')) && text.split('~').skip(1).all(is_escape);
        is_one.then(|| Self(text.to_owned()))
    }

    /// Returns the text of the place.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A JSON value that holds no others.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Scalar {
    /// A string.
    Text(String),
    /// A number without a fraction; `3.0` is one too.
    Integer(i64),
    /// `true` or `false`.
    Truth(bool),
}

impl fmt::Display for Scalar {
    /// Writes the value as JSON, but a string without its quotes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Integer(number) => number.fmt(f),
            Self::Truth(truth) => truth.fmt(f),
        }
    }
}

/// A regular expression over octets. It is compiled once; two are equal if their texts are.
#[derive(Clone, Debug)]
pub struct Pattern(Arc<Regex>);

impl Pattern {
    /// The most memory that a compiled pattern may take, in octets.
    const SIZE_MAX: usize = 1 << 20;

    /// Compiles a pattern.
    ///
    /// # Errors
    /// If `text` is no regular expression, or takes more than 1 MiB once compiled.
    pub fn new(text: &str) -> Result<Self, regex::Error> {
        let mut builder = RegexBuilder::new(text);
        builder.size_limit(Self::SIZE_MAX).dfa_size_limit(Self::SIZE_MAX);
        builder.build().map(|regex| Self(Arc::new(regex)))
    }

    /// Returns the text of the pattern.
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

/// A range of HTTP status codes, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StatusRange {
    /// The first status.
    pub first: u16,
    /// The last status.
    pub last: u16,
}

/// The way in which a probe over TLS checks its peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsOptions {
    /// Whether the certificate must be valid for the server name.
    pub verify: bool,
    /// The name that is sent as SNI and verified; `None` for the host if there is one, otherwise
    /// the address.
    pub server_name: Option<String>,
    /// The PEM certificates of the authorities to trust; `None` for those of the system.
    pub ca_pem: Option<String>,
    /// The times at which the end of the certificate counts as near.
    pub expiry: Expiry,
    /// The certificate that the probe presents if the peer asks for one.
    pub own: Option<ClientCertificate>,
}

/// Hashes only the lengths of the certificates. They are several kilobytes long, and checks that
/// are equal in all else rarely differ in them.
impl Hash for TlsOptions {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let authorities = self.ca_pem.as_ref().map(String::len);
        let own = self.own.as_ref().map(|own| own.certificate_pem.len());
        (self.verify, &self.server_name, authorities, self.expiry, own).hash(state);
    }
}

/// A certificate that a client presents, with its key.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ClientCertificate {
    /// The certificate in PEM form, followed by those that sign it.
    pub certificate_pem: String,
    /// The private key in PEM form.
    pub key_pem: String,
}

/// Wipes the key.
impl Drop for ClientCertificate {
    fn drop(&mut self) {
        self.key_pem.zeroize();
    }
}

/// Leaves the key out.
impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ClientCertificate").field(&self.certificate_pem.len()).finish()
    }
}

/// The times at which the end of a certificate counts as near.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Expiry {
    /// The time before the end at which the operator is warned; zero for never. `None` for two
    /// weeks, or for the last fifth of a shorter validity.
    pub warn: Option<Duration>,
    /// The time before the end at which the check fails; zero for after the end, and then only if
    /// the certificate is verified.
    pub fail: Duration,
}

/// A DNS query, and the answer that passes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DnsCheck {
    /// The name that is asked for.
    pub name: Name,
    /// The type that is asked for.
    pub qtype: Type,
    /// The response code that passes, such as `NOERROR`; `NODATA` if the name has no such record.
    pub rcode: String,
    /// The RDATA, as dig shows it, that one record of the answer must have.
    pub data: Option<String>,
}

/// A call of `grpc.health.v1.Health/Check` that must be answered with SERVING.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GrpcCheck {
    /// The TLS options; `None` for plain text.
    pub tls: Option<TlsOptions>,
    /// The authority of the call and, over TLS, the server name unless one is set. `None` stands
    /// for the address.
    pub host: Option<String>,
    /// The service that is asked about; empty for the server as a whole.
    pub service: String,
}

/// A program of this machine, and the exit statuses that pass.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ExecCheck {
    /// The absolute path of the program.
    pub program: String,
    /// The arguments, word by word; no shell reads them.
    pub arguments: Vec<String>,
    /// The exit statuses that pass.
    pub exit: Vec<u8>,
}

/// A page of a FastCGI server, and the response that passes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FastcgiCheck {
    /// The path, starting with `/`: the name of the script, which php-fpm compares with
    /// `ping.path`.
    pub path: String,
    /// The Unix socket of this machine to connect to; `None` for the endpoint's address.
    pub socket: Option<String>,
    /// The response that passes.
    pub expect: HttpExpect,
}

/// A TCP connection or a datagram, with a few octets each way if wanted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TcpCheck {
    /// The octets to send once connected.
    pub send: Option<Vec<u8>>,
    /// The octets that the first 16 KiB received must contain.
    pub expect: Option<Vec<u8>>,
}
