//! The `grpc` and `grpcs` probes: one call of the health service that gRPC defines for all servers,
//! `grpc.health.v1.Health/Check`, over HTTP/2.

use std::net::SocketAddr;
use std::pin::pin;

use bytes::{BufMut, Bytes, BytesMut};
use h2::client::SendRequest;
use http::{HeaderMap, Request, Uri};
use tokio::io::{AsyncRead, AsyncWrite};

use super::attempt::Attempt;
use super::connect::{Dialer, First};
use super::parting::Parting;
use super::reason::Code;
use super::tls::{Handshake, host_name};
use super::{Outlets, Passed, Reason, WINDOW};
use crate::zone::{GrpcCheck, StatusRange};

const UNUSABLE_AUTHORITY: Reason = Reason::Unusable("the check's host cannot stand in a URL");

/// The longest reply that is read, in octets; a server that works sends seven.
const REPLY_MAX: usize = 1024;
/// The tag of a reply's only field: number 1, a varint, which holds the status.
const STATUS_FIELD: u8 = 1 << 3;
/// The number of SERVING in `HealthCheckResponse.ServingStatus`, and below it the names by number.
const SERVING: u8 = 1;
const STATES: [&str; 4] = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"];
/// The status codes of gRPC, by number.
const CODES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

/// A prober that makes the same call each time.
#[derive(Debug)]
pub(super) struct Grpc {
    dialer: Dialer,
    tls: Option<Handshake>,
    /// The authority of the URL; `None` for the address.
    authority: Option<String>,
    /// The request message, in its frame.
    message: Bytes,
}

impl Grpc {
    /// Makes a prober for `check`.
    ///
    /// # Errors
    /// [`Reason::Unusable`], which says what about the check to change.
    pub(super) fn new(
        check: &GrpcCheck,
        dialer: Dialer,
        outlets: &Outlets,
    ) -> Result<Self, Reason> {
        let handshake = |options| {
            let host = check.host.as_deref().map(host_name);
            Handshake::new(options, host, outlets).map(|tls| tls.speaking(b"h2"))
        };
        let tls = check.tls.as_ref().map(handshake).transpose()?;
        let (authority, message) = (check.host.clone(), message(&check.service));
        let grpc = Self { dialer, tls, authority, message };
        if let Some(host) = &check.host {
            grpc.uri(host)?;
        }
        Ok(grpc)
    }

    pub(super) async fn probe(
        &self,
        address: SocketAddr,
        attempt: &Attempt,
    ) -> Result<Passed, Reason> {
        let connected = self.dialer.dial(address, First::Probe);
        let Some(tls) = &self.tls else {
            let stream = attempt.connected(connected).await?;
            return self.call(stream, address, attempt).await.map(Passed::silent);
        };
        let shaken = async { tls.shake(address, connected.await?, attempt).await };
        let (stream, validity) = attempt.connected(shaken).await?;
        let reason = self.call(stream, address, attempt).await?;
        Ok(Passed { validity, ..Passed::silent(reason) })
    }

    async fn call(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        address: SocketAddr,
        attempt: &Attempt,
    ) -> Result<Reason, Reason> {
        let mut builder = h2::client::Builder::new();
        let window = WINDOW as u32;
        builder.enable_push(false).max_header_list_size(window).initial_window_size(window);
        let (sender, mut connection) = builder.handshake(stream).await.map_err(of_h2)?;
        let answer = {
            let mut answer = pin!(self.ask(sender, address, attempt));
            // The connection moves only while it is polled.
            tokio::select! {
                biased;
                answer = &mut answer => answer,
                // Octets that came before the connection's end count.
                _ = &mut connection => return answer.await,
            }
        };
        // Without a sender that could ask more, the connection says so (GOAWAY) and ends.
        attempt.leave(Parting::by(async move {
            let _ = connection.await;
        }));
        answer
    }

    async fn ask(
        &self,
        sender: SendRequest<Bytes>,
        address: SocketAddr,
        attempt: &Attempt,
    ) -> Result<Reason, Reason> {
        let mut sender = sender.ready().await.map_err(of_h2)?;
        let authority = self.authority.clone().unwrap_or_else(|| address.to_string());
        let request = Request::post(self.uri(&authority)?)
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .header("user-agent", super::USER_AGENT)
            .body(())
            .map_err(|_| UNUSABLE_AUTHORITY)?;
        let (response, mut stream) = sender.send_request(request, false).map_err(of_h2)?;
        stream.send_data(self.message.clone(), true).map_err(of_h2)?;
        let (head, mut body) = response.await.map_err(of_h2)?.into_parts();
        attempt.hears();
        if head.status != 200 {
            let wanted = vec![StatusRange { first: 200, last: 200 }];
            return Err(Reason::UnwantedStatus { found: head.status.as_u16(), wanted });
        }
        let mut reply = Vec::new();
        while let Some(piece) = body.data().await {
            let piece = piece.map_err(of_h2)?;
            reply.extend_from_slice(&piece);
            if reply.len() > REPLY_MAX {
                return Err(Reason::NotItsProtocol);
            }
        }
        // A server that has nothing to say puts its status into the head.
        let trailers = body.trailers().await.map_err(of_h2)?.unwrap_or(head.headers);
        judge(&trailers, &reply)
    }

    fn uri(&self, authority: &str) -> Result<Uri, Reason> {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let uri = Uri::builder().scheme(scheme).authority(authority);
        let uri = uri.path_and_query("/grpc.health.v1.Health/Check").build();
        uri.map_err(|_| UNUSABLE_AUTHORITY)
    }
}

/// Writes a `HealthCheckRequest` about `service`, in the frame that gRPC puts around each message.
fn message(service: &str) -> Bytes {
    let mut field = Vec::new();
    // A field with its default value is left out.
    if !service.is_empty() {
        let len = service.len();
        field.push(1 << 3 | 2);
        // A varint: names are shorter than 2^14.
        match u8::try_from(len).ok().filter(|len| *len < 0x80) {
            Some(len) => field.push(len),
            None => field.extend_from_slice(&[len as u8 | 0x80, (len >> 7) as u8]),
        }
        field.extend_from_slice(service.as_bytes());
    }
    let mut frame = BytesMut::new();
    frame.put_u8(0);
    frame.put_u32(field.len() as u32);
    frame.put_slice(&field);
    frame.freeze()
}

/// Judges a call that ended with `trailers`, after `reply`.
fn judge(trailers: &HeaderMap, reply: &[u8]) -> Result<Reason, Reason> {
    let code = trailers.get("grpc-status").and_then(|code| code.to_str().ok()?.parse().ok());
    match code.and_then(|code: usize| CODES.get(code)) {
        Some(&"OK") => {}
        Some(code) => return Err(Reason::NotReady(Code::word(code))),
        None => return Err(Reason::NotItsProtocol),
    }
    let [0, a, b, c, d, message @ ..] = reply else { return Err(Reason::NotItsProtocol) };
    if u32::from_be_bytes([*a, *b, *c, *d]) as usize != message.len() {
        return Err(Reason::NotItsProtocol);
    }
    let state = match message {
        [] => 0,
        [STATUS_FIELD, state] => *state,
        _ => return Err(Reason::NotItsProtocol),
    };
    match STATES.get(usize::from(state)) {
        Some(_) if state == SERVING => Ok(Reason::Ready),
        Some(state) => Err(Reason::NotReady(Code::word(state))),
        None => Err(Reason::NotItsProtocol),
    }
}

/// Returns the reason for an error of HTTP/2.
fn of_h2(error: h2::Error) -> Reason {
    match error.get_io() {
        Some(error) => Reason::of_io(error),
        // The peer closed the stream, or the connection, in words of the protocol.
        None if error.is_remote() => Reason::Closed,
        None => Reason::NotItsProtocol,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_names_the_service_unless_it_is_the_server_as_a_whole() {
        assert_eq!(&message("")[..], [0; 5]);
        assert_eq!(&message("a.B")[..], b"\0\0\0\0\x05\x0a\x03a.B");
        let long = message(&"x".repeat(255));
        assert_eq!(&long[..8], [0, 0, 0, 1, 2, 0x0a, 0xff, 1]);
        assert_eq!(long.len(), 5 + 3 + 255);
    }

    #[test]
    fn only_a_call_that_succeeds_and_says_serving_passes() {
        let judged = |code: &str, reply: &[u8]| {
            let trailers = [("grpc-status", code)]
                .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
            judge(&HeaderMap::from_iter(trailers), reply)
                .map_or_else(|reason| reason.to_string(), |reason| reason.to_string())
        };
        let state = |state: u8| [0, 0, 0, 0, 2, STATUS_FIELD, state];
        assert_eq!(judged("0", &state(1)), "ready");
        assert_eq!(judged("0", &state(2)), "it takes no clients: NOT_SERVING");
        assert_eq!(judged("0", &[0; 5]), "it takes no clients: UNKNOWN");
        assert_eq!(judged("5", b""), "it takes no clients: NOT_FOUND");
        assert_eq!(judged("12", b""), "it takes no clients: UNIMPLEMENTED");
        let other = "the reply is not in the protocol of the check";
        for reply in [&state(4)[..], &state(1)[..6], b"", &[1, 0, 0, 0, 2, 8, 1]] {
            assert_eq!(judged("0", reply), other);
        }
        for code in ["17", "-1", "", "x"] {
            assert_eq!(judged(code, &state(1)), other);
        }
        assert_eq!(judge(&HeaderMap::new(), &state(1)), Err(Reason::NotItsProtocol));
    }
}
