//! Our own HTTP/1.1, without TLS or, after a PROXY header, over it. It is most of what a checker
//! does, and a client that is made for everything takes twice the time.

use std::net::SocketAddr;

use reqwest::Method;
use reqwest::header::{
    ACCEPT, CONNECTION, CONTENT_LENGTH, HeaderMap, HeaderValue, USER_AGENT as USER_AGENT_FIELD,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::judge::{Hearing, Judge};
use super::kept::Kept;
use super::message::{self, Body, End, Malformed};
use super::{USER_AGENT, host, method_and_fields};
use crate::checker::probe::attempt::Attempt;
use crate::checker::probe::connect::{Connection, Dialer, First};
use crate::checker::probe::parting::Parting;
use crate::checker::probe::tls::{Handshake, host_name};
use crate::checker::probe::{Outlets, Passed, Reason, WINDOW};
use crate::zone::HttpCheck;

/// The octets read at once.
const PIECE: usize = 4096;
/// The ports that URLs of http and of https leave out (RFC 9110 §4.2.1, §4.2.2).
const PORTS: (u16, u16) = (80, 443);

/// A prober that sends the same request each time.
#[derive(Debug)]
pub(super) struct Plain {
    /// The request up to the Host field's value.
    start: Vec<u8>,
    /// The Host field's value; `None` for the address.
    host: Option<String>,
    /// The request after that value.
    rest: Vec<u8>,
    is_head: bool,
    /// The connections for the next probe; `None` if each probe has its own.
    kept: Option<Kept>,
    dialer: Dialer,
    /// The handshake; `None` without TLS.
    tls: Option<Handshake>,
}

/// A response whose head has come.
struct Response<'j> {
    body: Body,
    hearing: Hearing<'j>,
    /// Whether its server lets the connection stay.
    stays: bool,
}

impl From<Malformed> for Reason {
    fn from(_: Malformed) -> Self {
        Self::NotHttp
    }
}

impl Plain {
    /// Makes a prober for `check`.
    ///
    /// # Errors
    /// [`Reason::Unusable`], which says what about the check to change.
    pub(super) fn new(
        check: &HttpCheck,
        dialer: Dialer,
        outlets: &Outlets,
    ) -> Result<Self, Reason> {
        let (method, fields) = method_and_fields(check)?;
        let start = format!("{method} {} HTTP/1.1\r\nhost: ", check.path).into_bytes();
        let (host, rest) = (check.host.clone(), rest(&method, fields, check));
        // A connection that was just closed makes a probe send its request twice. Only a safe
        // method allows that (RFC 9110 §9.2.2).
        let kept = (check.reuse && method.is_safe()).then(|| Kept::new(outlets.room.clone()));
        let name = host.as_deref().map(host_name);
        let handshake = |options| Handshake::new(options, name, outlets);
        let tls = check.tls.as_ref().map(handshake).transpose()?;
        let tls = tls.map(|tls| tls.speaking(b"http/1.1"));
        Ok(Self { start, host, rest, is_head: method == Method::HEAD, kept, dialer, tls })
    }

    pub(super) async fn probe(
        &self,
        address: SocketAddr,
        judge: &Judge,
        attempt: &Attempt,
    ) -> Result<Passed, Reason> {
        if let Some(stream) = self.kept.as_ref().and_then(|kept| kept.take(address)) {
            attempt.needs_no_connection();
            match self.exchange(stream.into(), address, judge, attempt).await {
                // A server may close an idle connection at any time: that says nothing of it.
                Err(Reason::Closed | Reason::Reset) if !attempt.has_heard() => {}
                outcome => return outcome,
            }
        }
        let connected = self.dialer.dial(address, First::Probe);
        match &self.tls {
            None => {
                let stream = attempt.connected(connected).await?;
                self.exchange(stream, address, judge, attempt).await
            }
            Some(tls) => {
                let shaken = async { tls.shake(address, connected.await?, attempt).await };
                let (mut stream, validity) = Box::pin(attempt.connected(shaken)).await?;
                let mut buffer = Vec::with_capacity(PIECE);
                let heard = self.converse(&mut stream, &mut buffer, address, judge, attempt).await;
                let outcome = heard.and_then(|(response, _)| response.hearing.end());
                attempt.leave(Parting::after_reply_over_tls(stream));
                Ok(Passed { validity, ..outcome? })
            }
        }
    }

    /// Asks once on `stream`, and keeps it or parts from it.
    async fn exchange(
        &self,
        mut stream: Connection,
        address: SocketAddr,
        judge: &Judge,
        attempt: &Attempt,
    ) -> Result<Passed, Reason> {
        let mut buffer = Vec::with_capacity(PIECE);
        let heard = self.converse(&mut stream, &mut buffer, address, judge, attempt).await;
        let (outcome, kept) = match heard {
            Err(reason) => (Err(reason), None),
            Ok((mut response, end)) => {
                let kept = self.kept.as_ref().filter(|_| response.stays);
                let kept = kept.filter(|_| {
                    let is_there = || end_if_there(&stream, &mut buffer, &mut response);
                    end.or_else(is_there) == Some(End::OfAll)
                });
                (response.hearing.end(), kept)
            }
        };
        match kept {
            Some(kept) => kept.put(address, stream.into_stream()),
            None => attempt.leave(Parting::after_reply(stream.into_stream())),
        }
        outcome
    }

    /// Sends the request, and reads as much of the response as the verdict needs. Returns also how
    /// the body ends, if its end was read.
    async fn converse<'j>(
        &self,
        stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
        buffer: &mut Vec<u8>,
        address: SocketAddr,
        judge: &'j Judge,
        attempt: &Attempt,
    ) -> Result<(Response<'j>, Option<End>), Reason> {
        stream.write_all(&self.request(address)).await?;
        let mut response = self.head(stream, buffer, judge, attempt).await?;
        let end = hear(stream, buffer, &mut response).await?;
        Ok((response, end))
    }

    /// Reads the head of the response; octets of the body that came with it are left in `seen`.
    async fn head<'j>(
        &self,
        stream: &mut (impl AsyncRead + Unpin),
        seen: &mut Vec<u8>,
        judge: &'j Judge,
        attempt: &Attempt,
    ) -> Result<Response<'j>, Reason> {
        let mut total = 0;
        while total <= WINDOW {
            let fresh = stream.read_buf(seen).await?;
            if fresh == 0 {
                return Err(Reason::Closed);
            }
            attempt.hears();
            total += fresh;
            if let Some(response) = self.begin(seen, fresh, judge)? {
                return Ok(response);
            }
            seen.reserve(PIECE);
        }
        Err(Reason::NotHttp)
    }

    fn request(&self, address: SocketAddr) -> Vec<u8> {
        let port = if self.tls.is_some() { PORTS.1 } else { PORTS.0 };
        let host = host(address, self.host.as_deref(), port);
        [&self.start, host.as_bytes(), &self.rest].concat()
    }

    /// Takes the head of the final response off `seen`, whose last `fresh` octets are new, and the
    /// heads of all interim ones before it; `None` if it is not complete.
    fn begin<'j>(
        &self,
        seen: &mut Vec<u8>,
        mut fresh: usize,
        judge: &'j Judge,
    ) -> Result<Option<Response<'j>>, Reason> {
        while message::may_end(seen, fresh) {
            let read = message::head(seen, self.is_head, |status, fields| {
                judge.hear(status, |name| message::field(fields, name))
            });
            let Some((head, hearing)) = read? else { break };
            seen.drain(..head.len);
            if head.status >= 200 {
                let (body, stays) = (head.body, head.stays);
                return Ok(Some(Response { body, hearing: hearing?, stays }));
            }
            fresh = seen.len();
        }
        Ok(None)
    }
}

/// Reads as much of the body as the verdict needs, first the octets that came with the head.
/// Returns how the body ends, if its end was read.
async fn hear(
    stream: &mut (impl AsyncRead + Unpin),
    buffer: &mut Vec<u8>,
    response: &mut Response<'_>,
) -> Result<Option<End>, Reason> {
    while !response.hearing.is_over() {
        let end = response.take(buffer)?;
        if end.is_some() || response.hearing.is_over() {
            return Ok(end);
        }
        let fresh = stream.read_buf(buffer).await?;
        if fresh == 0 && !response.body.may_close() {
            return Err(Reason::Closed);
        }
        if fresh == 0 {
            break;
        }
    }
    Ok(None)
}

/// Returns how the body ends, if its end has come already. The verdict no longer depends on it, so
/// this waits for nothing.
fn end_if_there(
    stream: &Connection,
    buffer: &mut Vec<u8>,
    response: &mut Response<'_>,
) -> Option<End> {
    for _ in 0..=WINDOW / PIECE {
        if let Some(end) = response.take(buffer).ok()? {
            return Some(end);
        }
        buffer.reserve(PIECE);
        stream.try_read_buf(buffer).ok().filter(|fresh| *fresh > 0)?;
    }
    None
}

impl Response<'_> {
    /// Takes the octets of the body out of `buffer`; returns how the body ends, if it does.
    fn take(&mut self, buffer: &mut Vec<u8>) -> Result<Option<End>, Malformed> {
        if buffer.is_empty() && self.body != Body::Length(0) {
            return Ok(None);
        }
        let hearing = &mut self.hearing;
        let end = self.body.read(buffer, |content| hearing.take(content));
        buffer.clear();
        end
    }
}

/// Returns the request after the Host field's value.
fn rest(method: &Method, mut fields: HeaderMap, check: &HttpCheck) -> Vec<u8> {
    let body = check.body.as_deref();
    let mut default = |name, value| {
        fields.entry(name).or_insert(value);
    };
    default(USER_AGENT_FIELD, HeaderValue::from_static(USER_AGENT));
    default(ACCEPT, HeaderValue::from_static("*/*"));
    if !check.reuse {
        default(CONNECTION, HeaderValue::from_static("close"));
    }
    // Without it, servers wait for the body of a method that usually has one (RFC 9110 §8.6).
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
