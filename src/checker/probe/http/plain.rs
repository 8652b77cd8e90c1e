//! HTTP/1.1 without TLS, our own: it is most of what a checker does, and a client that is made for
//! everything costs it twice the time.

use std::net::SocketAddr;

use reqwest::Method;
use reqwest::header::{
    ACCEPT, CONNECTION, CONTENT_LENGTH, HeaderMap, HeaderValue, USER_AGENT as USER_AGENT_FIELD,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::judge::{Hearing, Judge};
use super::message::{self, Body, Malformed};
use super::{USER_AGENT, host, method_and_fields};
use crate::checker::probe::attempt::Attempt;
use crate::checker::probe::connect::{First, connect, end_by_reset};
use crate::checker::probe::{Passed, Reason, WINDOW};
use crate::zone::HttpCheck;

/// How much is read at once, in octets.
const PIECE: usize = 4096;
/// The port that URLs of http leave out (RFC 9110 §4.2.1).
const PORT: u16 = 80;

/// One request.
#[derive(Debug)]
pub(super) struct Plain {
    /// Up to the Host field's value.
    start: Vec<u8>,
    /// That value; `None`: the address.
    host: Option<String>,
    /// What follows it.
    rest: Vec<u8>,
    is_head: bool,
}

impl From<Malformed> for Reason {
    fn from(_: Malformed) -> Self {
        Self::NotHttp
    }
}

impl Plain {
    /// # Errors
    /// What about the check makes it unusable.
    pub(super) fn new(check: &HttpCheck) -> Result<Self, Reason> {
        let (method, fields) = method_and_fields(check)?;
        let start = format!("{method} {} HTTP/1.1\r\nhost: ", check.path).into_bytes();
        let (host, rest) = (check.host.clone(), rest(&method, fields, check.body.as_deref()));
        Ok(Self { start, host, rest, is_head: method == Method::HEAD })
    }

    pub(super) async fn probe(
        &self,
        address: SocketAddr,
        judge: &Judge,
        attempt: &Attempt,
    ) -> Result<Passed, Reason> {
        let (mut stream, mut buffer, mut body, mut hearing) =
            self.ask(address, judge, attempt).await?;
        attempt.hears();
        hear(&mut stream, &mut buffer, &mut body, &mut hearing).await?;
        hearing.end()
    }

    /// Sends the request, and reads the head of the response to it.
    async fn ask<'j>(
        &self,
        address: SocketAddr,
        judge: &'j Judge,
        attempt: &Attempt,
    ) -> Result<(TcpStream, Vec<u8>, Body, Hearing<'j>), Reason> {
        let mut stream = attempt.connected(connect(address, First::Probe)).await?;
        end_by_reset(&stream)?;
        stream.write_all(&self.request(address)).await?;
        let (mut seen, mut total) = (Vec::with_capacity(PIECE), 0);
        while total <= WINDOW {
            let fresh = stream.read_buf(&mut seen).await?;
            if fresh == 0 {
                return Err(Reason::Closed);
            }
            total += fresh;
            if let Some((body, hearing)) = self.begin(&mut seen, fresh, judge)? {
                return Ok((stream, seen, body, hearing));
            }
            seen.reserve(PIECE);
        }
        Err(Reason::NotHttp)
    }

    fn request(&self, address: SocketAddr) -> Vec<u8> {
        let host = host(address, self.host.as_deref(), PORT);
        [&self.start, host.as_bytes(), &self.rest].concat()
    }

    /// Takes the head of the final response off `seen`, of which `fresh` octets are new, and of all
    /// interim ones before it; `None`: it is not complete.
    fn begin<'j>(
        &self,
        seen: &mut Vec<u8>,
        mut fresh: usize,
        judge: &'j Judge,
    ) -> Result<Option<(Body, Hearing<'j>)>, Reason> {
        while message::may_end(seen, fresh) {
            let read = message::head(seen, self.is_head, |status, fields| {
                judge.hear(status, |name| message::field(fields, name))
            });
            let Some((head, hearing)) = read? else { break };
            seen.drain(..head.len);
            if head.status >= 200 {
                return Ok(Some((head.body, hearing?)));
            }
            fresh = seen.len();
        }
        Ok(None)
    }
}

/// Reads as much of the body as matters, what came with the head first.
async fn hear(
    stream: &mut TcpStream,
    buffer: &mut Vec<u8>,
    body: &mut Body,
    hearing: &mut Hearing<'_>,
) -> Result<(), Reason> {
    while !hearing.is_over() {
        if !buffer.is_empty() || *body == Body::Length(0) {
            let is_whole = body.read(buffer, |content| hearing.take(content))?;
            buffer.clear();
            if is_whole || hearing.is_over() {
                break;
            }
        }
        let fresh = stream.read_buf(buffer).await?;
        if fresh == 0 && !body.may_close() {
            return Err(Reason::Closed);
        }
        if fresh == 0 {
            break;
        }
    }
    Ok(())
}

/// The request behind the Host field's value.
fn rest(method: &Method, mut fields: HeaderMap, body: Option<&str>) -> Vec<u8> {
    let mut default = |name, value| {
        fields.entry(name).or_insert(value);
    };
    default(USER_AGENT_FIELD, HeaderValue::from_static(USER_AGENT));
    default(ACCEPT, HeaderValue::from_static("*/*"));
    default(CONNECTION, HeaderValue::from_static("close"));
    // Without it servers wait for the body of a method that usually has one (RFC 9110 §8.6).
    if body.is_some() || matches!(*method, Method::POST | Method::PUT | Method::PATCH) {
        default(CONTENT_LENGTH, HeaderValue::from(body.map_or(0, str::len)));
    }
    let mut octets = b"\r\n".to_vec();
    for (name, value) in &fields {
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            octets.extend_from_slice(part);
        }
    }
    octets.extend_from_slice(b"\r\n");
    octets.extend_from_slice(body.unwrap_or_default().as_bytes());
    octets
}
