//! The reasons why a probe ended as it did, in words that are safe to log.

use std::error::Error;
use std::fmt;
use std::io;
use std::time::Duration;

use rustls::CertificateError;

use crate::zone::{Pointer, StatusRange};

/// The reason why a probe passed or failed. Its text holds nothing that a peer chose, except a
/// number, a `Code` or the time left of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Passed: this HTTP status (and body) was wanted.
    Status(u16),
    /// Passed: the TCP connection came about, and took what there was to send.
    Connected,
    /// Passed: the peer sent the expected bytes.
    Received,
    /// Passed: the server takes clients, or answered as wanted.
    Ready,
    /// Passed: an echo came back.
    Replied,
    /// The program ended by itself, with this status; passed if the check wants it.
    Exited(u8),
    /// The program was ended by a signal.
    Killed,
    /// The program could not be run: nothing was learnt of the endpoint.
    CannotRun(io::ErrorKind),
    /// The certificate ends too soon: its time left, in words.
    ExpiresIn(String),
    /// The server is there, but says by this code that it takes no clients now.
    NotReady(Code),
    /// The reply is not in the protocol of the check.
    NotItsProtocol,
    /// A DNS response code that was not wanted.
    UnwantedRcode {
        /// The response code that came.
        found: Code,
        /// The response code that the check wants.
        wanted: String,
    },
    /// No record of the answer has the expected data.
    LacksRecord,
    /// The peer has no listener there.
    Refused,
    /// The peer, or something on the way, cut the connection.
    Reset,
    /// The peer closed the connection before it had sent all that the check needs.
    Closed,
    /// Another error of the connection.
    Connection(io::ErrorKind),
    /// This machine or its settings do not allow the probe; the text says why.
    Barred(&'static str),
    /// This machine had no descriptor, port or memory for a connection: nothing was learnt of the
    /// peer.
    Local,
    /// This process stood still for so long during the probe: nothing was learnt of the peer.
    Stalled(Duration),
    /// No connection within this time.
    NoConnection(Duration),
    /// A connection, but no TLS handshake within this time.
    NoHandshake(Duration),
    /// A connection, but no response within this time.
    NoResponse(Duration),
    /// A response began, but neither its end nor what was expected came within this time.
    Unfinished(Duration),
    /// An HTTP status that was not wanted.
    UnwantedStatus {
        /// The status that came.
        found: u16,
        /// The statuses that the check wants.
        wanted: Vec<StatusRange>,
    },
    /// The body, or its first 16 KiB, does not contain the expected text.
    BodyLacksText,
    /// Nothing in the body, or in its first 16 KiB, matches the expected pattern.
    BodyLacksMatch,
    /// The body is not JSON, or has more than 16 KiB.
    BodyNotJson,
    /// The body has another value than the expected one at this place, or none.
    BodyHasOther(Pointer),
    /// There is no response header of this name with the expected value.
    LacksHeader(String),
    /// The first 16 KiB received do not contain the expected bytes.
    LacksBytes,
    /// The reply is no valid HTTP response. Over HTTPS it may also be one that was cut short.
    NotHttp,
    /// The TLS handshake failed.
    Tls(TlsFailure),
    /// The check itself cannot be carried out as written; the text says what to change.
    Unusable(&'static str),
    /// A fault of Waypost's own.
    Panicked,
}

/// A code that a peer sent: at most 16 letters and digits, so that it is safe to log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Code(String);

impl Code {
    /// The longest code, in octets.
    const LEN_MAX: usize = 16;

    /// Returns the code that `octets` are; `None` if they are no code.
    pub(super) fn of(octets: Option<&[u8]>) -> Option<Self> {
        let octets = octets?;
        let is_code = (1..=Self::LEN_MAX).contains(&octets.len())
            && octets.iter().all(u8::is_ascii_alphanumeric);
        is_code.then(|| Self(String::from_utf8_lossy(octets).into_owned()))
    }

    /// Returns a word of the protocol as a code.
    pub(super) fn word(word: &'static str) -> Self {
        Self(word.to_owned())
    }

    /// Returns a number as a code.
    pub(super) fn number(number: u16) -> Self {
        Self(number.to_string())
    }

    /// Returns the text of the code.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The part of a TLS handshake that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsFailure {
    /// The certificate's time is over.
    Expired,
    /// The certificate's time has not begun.
    NotYetValid,
    /// The certificate is for another name.
    WrongName,
    /// No trusted authority issued the certificate.
    UnknownIssuer,
    /// The certificate is revoked.
    Revoked,
    /// The certificate is unacceptable for another reason.
    BadCertificate,
    /// The peer refused the handshake with an alert.
    Alert,
    /// The two have no TLS version, cipher suite or protocol in common.
    Incompatible,
    /// The reply is not TLS.
    NotTls,
    /// Any other failure.
    Other,
}

impl Reason {
    /// Returns whether it tells of this machine and nothing of the endpoint.
    pub fn is_local(&self) -> bool {
        matches!(self, Self::Local | Self::Barred(_) | Self::CannotRun(_) | Self::Stalled(_))
    }

    /// Returns the reason for an error of the network.
    pub(super) fn of_io(error: &io::Error) -> Self {
        const LOCAL: [i32; 5] =
            [libc::EMFILE, libc::ENFILE, libc::ENOBUFS, libc::ENOMEM, libc::EADDRNOTAVAIL];
        if error.raw_os_error().is_some_and(|number| LOCAL.contains(&number)) {
            return Self::Local;
        }
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Self::Refused,
            io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe => Self::Reset,
            io::ErrorKind::UnexpectedEof => Self::Closed,
            kind => Self::Connection(kind),
        }
    }

    /// Returns the reason for an error of a TLS handshake.
    pub(super) fn of_tls(error: &io::Error) -> Self {
        Self::of_cause(error).unwrap_or_else(|| Self::of_io(error))
    }

    /// Returns the first cause of an HTTP client's error, from outside in, that has a name here.
    pub(super) fn of_http(error: &reqwest::Error) -> Self {
        let mut cause = error.source();
        while let Some(error) = cause {
            if let Some(reason) = Self::of_cause(error) {
                return reason;
            }
            cause = error.source();
        }
        Self::NotHttp
    }

    /// Finds the reason in an error or in what it wraps. An I/O error hides what it wraps from
    /// `source`, hence the recursion.
    fn of_cause(error: &(dyn Error + 'static)) -> Option<Self> {
        if let Some(tls) = error.downcast_ref::<rustls::Error>() {
            return Some(Self::Tls(TlsFailure::of(tls)));
        }
        let io = error.downcast_ref::<io::Error>()?;
        match io.get_ref() {
            Some(inner) => Self::of_cause(inner).or_else(|| Some(Self::of_io(io))),
            None => Some(Self::of_io(io)),
        }
    }
}

impl From<io::Error> for Reason {
    fn from(error: io::Error) -> Self {
        Self::of_io(&error)
    }
}

impl TlsFailure {
    fn of(error: &rustls::Error) -> Self {
        use CertificateError as Bad;
        match error {
            rustls::Error::InvalidCertificate(bad) => match bad {
                Bad::Expired | Bad::ExpiredContext { .. } => Self::Expired,
                Bad::NotValidYet | Bad::NotValidYetContext { .. } => Self::NotYetValid,
                Bad::NotValidForName | Bad::NotValidForNameContext { .. } => Self::WrongName,
                Bad::UnknownIssuer => Self::UnknownIssuer,
                Bad::Revoked => Self::Revoked,
                _ => Self::BadCertificate,
            },
            rustls::Error::NoCertificatesPresented => Self::BadCertificate,
            rustls::Error::AlertReceived(_) => Self::Alert,
            rustls::Error::PeerIncompatible(_) | rustls::Error::NoApplicationProtocol => {
                Self::Incompatible
            }
            rustls::Error::InvalidMessage(_)
            | rustls::Error::InappropriateMessage { .. }
            | rustls::Error::InappropriateHandshakeMessage { .. } => Self::NotTls,
            _ => Self::Other,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(f, "status {status}"),
            Self::Connected => f.write_str("connected"),
            Self::Received => f.write_str("received the expected bytes"),
            Self::Ready => f.write_str("ready"),
            Self::Replied => f.write_str("echo reply"),
            Self::Exited(status) => write!(f, "exit status {status}"),
            Self::Killed => f.write_str("the command was ended by a signal"),
            Self::CannotRun(kind) => write!(f, "the command cannot be run: {kind}"),
            Self::ExpiresIn(left) => write!(f, "TLS: certificate expires in {left}"),
            Self::NotReady(code) => write!(f, "it takes no clients: {}", code.as_str()),
            Self::NotItsProtocol => f.write_str("the reply is not in the protocol of the check"),
            Self::UnwantedRcode { found, wanted } => {
                write!(f, "{}, expected {wanted}", found.as_str())
            }
            Self::LacksRecord => f.write_str("no record of the answer has the expected data"),
            Self::Refused => f.write_str("connection refused"),
            Self::Reset => f.write_str("connection reset"),
            Self::Closed => f.write_str("connection closed too early"),
            Self::Connection(kind) => write!(f, "{kind}"),
            Self::Stalled(time) => {
                write!(f, "this process stood still for {time:.1?} during the probe")
            }
            Self::Barred(why) => f.write_str(why),
            Self::Local => f.write_str("this machine has no descriptor, port or memory left"),
            Self::NoConnection(timeout) => write!(f, "no connection within {timeout:?}"),
            Self::NoHandshake(timeout) => write!(f, "no TLS handshake within {timeout:?}"),
            Self::NoResponse(timeout) => write!(f, "no response within {timeout:?}"),
            Self::Unfinished(timeout) => write!(f, "response not complete within {timeout:?}"),
            Self::UnwantedStatus { found, wanted } => {
                write!(f, "status {found}, expected ")?;
                for (at, range) in wanted.iter().enumerate() {
                    let comma = if at == 0 { "" } else { ", " };
                    write!(f, "{comma}{}", range.first)?;
                    if range.last != range.first {
                        write!(f, "-{}", range.last)?;
                    }
                }
                Ok(())
            }
            Self::BodyLacksText => f.write_str("body lacks the expected text"),
            Self::BodyLacksMatch => f.write_str("body does not match the expected pattern"),
            Self::BodyNotJson => f.write_str("body is not JSON of 16 KiB at the most"),
            Self::BodyHasOther(at) => {
                write!(f, "body lacks the expected value at {:?}", at.as_str())
            }
            Self::LacksHeader(name) => write!(f, "header {name} is not as expected"),
            Self::LacksBytes => f.write_str("first 16 KiB received lack the expected bytes"),
            Self::NotHttp => f.write_str("no valid HTTP response"),
            Self::Tls(failure) => write!(f, "TLS: {failure}"),
            Self::Unusable(why) => f.write_str(why),
            Self::Panicked => f.write_str("the probe failed inside waypost, please report this"),
        }
    }
}

impl fmt::Display for TlsFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Expired => "certificate expired",
            Self::NotYetValid => "certificate not valid yet",
            Self::WrongName => "certificate is for another name",
            Self::UnknownIssuer => "certificate from an unknown issuer",
            Self::Revoked => "certificate revoked",
            Self::BadCertificate => "certificate unacceptable",
            Self::Alert => "the peer refused the handshake",
            Self::Incompatible => "no version or protocol in common",
            Self::NotTls => "the peer does not speak TLS",
            Self::Other => "handshake failed",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_names_what_was_expected_instead() {
        let wanted =
            vec![StatusRange { first: 200, last: 399 }, StatusRange { first: 418, last: 418 }];
        let reason = Reason::UnwantedStatus { found: 503, wanted };
        assert_eq!(reason.to_string(), "status 503, expected 200-399, 418");
    }

    #[test]
    fn a_timeout_is_written_as_people_write_it() {
        let text = |millis| Reason::NoResponse(Duration::from_millis(millis)).to_string();
        assert_eq!(text(2000), "no response within 2s");
        assert_eq!(text(1500), "no response within 1.5s");
        assert_eq!(text(250), "no response within 250ms");
    }

    #[test]
    fn an_error_inside_an_io_error_is_found() {
        let expired = rustls::Error::InvalidCertificate(CertificateError::Expired);
        let error = io::Error::other(io::Error::new(io::ErrorKind::InvalidData, expired));
        assert_eq!(Reason::of_cause(&error), Some(Reason::Tls(TlsFailure::Expired)));
        let refused = io::Error::other(io::Error::from(io::ErrorKind::ConnectionRefused));
        assert_eq!(Reason::of_cause(&refused), Some(Reason::Refused));
    }

    #[test]
    fn what_this_machine_lacks_is_not_the_peers_fault() {
        let reason = |number| Reason::of_io(&io::Error::from_raw_os_error(number));
        assert_eq!(reason(libc::EMFILE), Reason::Local);
        assert_eq!(reason(libc::EADDRNOTAVAIL), Reason::Local);
        assert_eq!(reason(libc::ECONNREFUSED), Reason::Refused);
    }
}
