//! The `fastcgi` probe: one request of FastCGI 1.0, as a web server sends it to php-fpm for its
//! ping page (<https://fastcgi-archives.github.io/FastCGI_Specification.html>).

use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::UnixStream;

use super::attempt::Attempt;
use super::connect::{Dialer, First};
use super::http::Judge;
use super::parting::Parting;
use super::reason::Code;
use super::{Passed, Reason, WINDOW};
use crate::zone::FastcgiCheck;

/// The version of the protocol.
const VERSION: u8 = 1;
/// The types of records.
const BEGIN_REQUEST: u8 = 1;
const END_REQUEST: u8 = 3;
const PARAMS: u8 = 4;
const STDIN: u8 = 5;
const STDOUT: u8 = 6;
const STDERR: u8 = 7;
/// The number of the only request of a connection.
const REQUEST_ID: u16 = 1;
/// The role of a server that answers requests, and no flags: the connection ends with the request.
const RESPONDER: [u8; 8] = [0, 1, 0, 0, 0, 0, 0, 0];
/// The statuses with which a request ends, by number; all but the first refuse it.
const REFUSALS: [&str; 4] = ["COMPLETE", "CANTMPX", "OVERLOADED", "UNKNOWNROLE"];
/// The longest head of a response, in octets.
const HEAD_MAX: usize = 8192;

/// A prober that asks for the same page each time.
#[derive(Debug)]
pub(super) struct Fastcgi {
    socket: Option<String>,
    request: Vec<u8>,
    judge: Judge,
    dialer: Dialer,
}

/// One record.
struct Record {
    kind: u8,
    content: Vec<u8>,
}

impl Fastcgi {
    pub(super) fn new(check: &FastcgiCheck, dialer: Dialer) -> Self {
        let FastcgiCheck { path, socket, expect } = check;
        let (request, judge) = (request(path), Judge::new(expect));
        Self { socket: socket.clone(), request, judge, dialer }
    }

    pub(super) async fn probe(
        &self,
        address: SocketAddr,
        attempt: &Attempt,
    ) -> Result<Passed, Reason> {
        if let Some(socket) = &self.socket {
            let connected = async { Ok(UnixStream::connect(socket).await?) };
            let mut stream = attempt.connected(connected).await?;
            let outcome = self.converse(&mut stream, attempt).await;
            attempt.leave(Parting::first(stream));
            return outcome;
        }
        let connected = self.dialer.dial(address, First::Probe);
        let mut stream = attempt.connected(connected).await?;
        let outcome = self.converse(&mut stream, attempt).await;
        attempt.leave(Parting::after_reply(stream.into_stream()));
        outcome
    }

    async fn converse(
        &self,
        stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
        attempt: &Attempt,
    ) -> Result<Passed, Reason> {
        stream.write_all(&self.request).await?;
        let (mut page, mut read) = (Vec::new(), 0);
        while read <= WINDOW {
            let Record { kind, content } = next_record(stream).await?;
            attempt.hears();
            read += content.len();
            match kind {
                STDOUT => page.extend_from_slice(&content),
                // The server's log lines are not for us.
                STDERR => {}
                END_REQUEST => {
                    ended(&content)?;
                    break;
                }
                _ => return Err(Reason::NotItsProtocol),
            }
        }
        self.judge_page(&page)
    }

    /// Judges a page in the form of CGI (RFC 3875 §6).
    fn judge_page(&self, page: &[u8]) -> Result<Passed, Reason> {
        let (head, body) = split(page).ok_or(Reason::NotItsProtocol)?;
        let fields: Vec<(&[u8], &[u8])> =
            head.split(|octet| *octet == b'\n').filter_map(field).collect();
        let value = |name: &str| {
            let is_it = |(known, _): &&(&[u8], &[u8])| known.eq_ignore_ascii_case(name.as_bytes());
            fields.iter().find(is_it).map(|(_, value)| *value)
        };
        let status = match value("status") {
            None => Some(200),
            Some(text) => {
                text.get(..3).and_then(|code| std::str::from_utf8(code).ok()?.parse().ok())
            }
        };
        let mut hearing = self.judge.hear(status.ok_or(Reason::NotItsProtocol)?, value)?;
        hearing.take(body);
        hearing.end()
    }
}

/// Returns a whole request for the page at `path`.
fn request(path: &str) -> Vec<u8> {
    let (script, query) = path.split_once('?').unwrap_or((path, ""));
    let mut params = Vec::new();
    for (name, value) in [
        ("GATEWAY_INTERFACE", "CGI/1.1"),
        ("SERVER_SOFTWARE", super::USER_AGENT),
        ("SERVER_PROTOCOL", "HTTP/1.1"),
        ("REQUEST_METHOD", "GET"),
        ("REQUEST_URI", path),
        ("SCRIPT_NAME", script),
        ("SCRIPT_FILENAME", script),
        ("QUERY_STRING", query),
    ] {
        for len in [name.len(), value.len()] {
            // Lengths above 127 take four octets, with the first bit set.
            match u8::try_from(len) {
                Ok(len @ ..=0x7f) => params.push(len),
                _ => params.extend_from_slice(&(len as u32 | 1 << 31).to_be_bytes()),
            }
        }
        params.extend_from_slice(name.as_bytes());
        params.extend_from_slice(value.as_bytes());
    }
    let mut octets = record(BEGIN_REQUEST, &RESPONDER);
    for part in params.chunks(usize::from(u16::MAX)).chain([&[][..]]) {
        octets.extend(record(PARAMS, part));
    }
    octets.extend(record(STDIN, &[]));
    octets
}

fn record(kind: u8, content: &[u8]) -> Vec<u8> {
    let [id_high, id_low] = REQUEST_ID.to_be_bytes();
    let [high, low] = (content.len() as u16).to_be_bytes();
    [&[VERSION, kind, id_high, id_low, high, low, 0, 0], content].concat()
}

async fn next_record(stream: &mut (impl AsyncRead + Unpin)) -> Result<Record, Reason> {
    let mut head = [0; 8];
    stream.read_exact(&mut head).await?;
    let [version, kind, _, _, high, low, padding, _] = head;
    if version != VERSION {
        return Err(Reason::NotItsProtocol);
    }
    let len = usize::from(u16::from_be_bytes([high, low]));
    let mut content = vec![0; len + usize::from(padding)];
    stream.read_exact(&mut content).await?;
    content.truncate(len);
    Ok(Record { kind, content })
}

/// Reads the end of a request: four octets of the application's status, then the protocol's.
fn ended(content: &[u8]) -> Result<(), Reason> {
    let [_, _, _, _, status, ..] = content else { return Err(Reason::NotItsProtocol) };
    match REFUSALS.get(usize::from(*status)) {
        Some(_) if *status == 0 => Ok(()),
        Some(word) => Err(Reason::NotReady(Code::word(word))),
        None => Err(Reason::NotItsProtocol),
    }
}

/// Splits a page into its head and its body; `None` if its head has no end.
fn split(page: &[u8]) -> Option<(&[u8], &[u8])> {
    let window = page.get(..HEAD_MAX.min(page.len()))?;
    let after = |end: &[u8]| {
        window.windows(end.len()).position(|part| part == end).map(|at| (at, at + end.len()))
    };
    let (end, start) = [after(b"\r\n\r\n"), after(b"\n\n")].into_iter().flatten().min()?;
    Some((page.get(..end)?, page.get(start..)?))
}

/// Splits a line of a head into its name and its value; `None` if it has no colon.
fn field(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = line.iter().position(|octet| *octet == b':')?;
    Some((line.get(..colon)?, line.get(colon + 1..)?.trim_ascii()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_begun_named_and_ended() {
        let octets = request("/ping?full");
        assert_eq!(&octets[..16], b"\x01\x01\0\x01\0\x08\0\0\0\x01\0\0\0\0\0\0");
        let script = b"\x0f\x05SCRIPT_FILENAME/ping";
        assert!(octets.windows(script.len()).any(|part| part == script));
        assert!(octets.ends_with(b"\x01\x04\0\x01\0\0\0\0\x01\x05\0\x01\0\0\0\0"));
        let long = format!("/{}", "x".repeat(199));
        let written = b"\x0b\x80\0\0\xc8SCRIPT_NAME/x";
        assert!(request(&long).windows(written.len()).any(|part| part == written));
    }

    #[test]
    fn a_page_has_a_head_however_its_lines_end() {
        for page in ["A: b\r\n\r\npong", "A: b\n\npong"] {
            let (head, body) = split(page.as_bytes()).unwrap();
            assert_eq!((field(head), body), (Some((&b"A"[..], &b"b"[..])), &b"pong"[..]));
        }
        assert_eq!(split(b"A: b\r\n"), None);
    }
}
