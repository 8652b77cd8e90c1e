//! DNS over QUIC (RFC 9250): each query on its own stream.

use std::rc::Rc;

use quinn::{ConnectionError, Incoming, ReadError, RecvStream, SendStream, VarInt};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::link::{FAREWELL, Intake, Link, Overflow};
use super::quic::shake;
use crate::transport::door::Peer;
use crate::transport::{Respond, STREAM_RESPONSE};
use crate::wire::header::Header;
use crate::wire::qname::Qname;
use crate::wire::query::Query;

/// The protocols that clients may ask for in the handshake.
pub(super) const ALPN: [&[u8]; 1] = [b"doq"];

/// The longest query with its length, in octets.
const FRAMED_MAX: usize = 2 + STREAM_RESPONSE;

/// The codes with which a connection or a stream ends (RFC 9250 §8.4).
const NO_ERROR: VarInt = VarInt::from_u32(0);
const INTERNAL_ERROR: VarInt = VarInt::from_u32(1);
const PROTOCOL_ERROR: VarInt = VarInt::from_u32(2);
const EXCESSIVE_LOAD: VarInt = VarInt::from_u32(4);

/// A violation of RFC 9250 by the client, which ends the whole connection (§4.3.3).
struct ProtocolError;

/// Serves one connection, from its handshake to its close.
pub(super) async fn serve<R: Respond>(incoming: Incoming, peer: Peer<R>) {
    let Some(established) = shake(incoming, &peer).await else { return };
    let connection = established.connection();
    let link = Link::new(peer);
    let mut queries = JoinSet::new();
    let code = loop {
        tokio::select! {
            biased;
            () = link.over() => break NO_ERROR,
            Some(done) = queries.join_next() => if let Ok(Err(ProtocolError)) = done {
                break PROTOCOL_ERROR;
            },
            accepted = connection.accept_bi() => match accepted {
                Ok((send, receive)) => {
                    queries.spawn_local(query(Rc::clone(&link), send, receive));
                }
                Err(ConnectionError::LocallyClosed | _) => return,
            },
        }
    };
    if code == NO_ERROR {
        // Queries under way may end.
        let _ = timeout(FAREWELL, async { while queries.join_next().await.is_some() {} }).await;
    }
    connection.close(code, b"");
}

/// Answers the query of one stream, and waits until its client has the response.
async fn query<R: Respond>(
    link: Rc<Link<R>>,
    mut send: SendStream,
    mut receive: RecvStream,
) -> Result<(), ProtocolError> {
    let mut intake = link.intake(FRAMED_MAX);
    match read(&mut receive, &mut intake).await {
        Ok(()) => {}
        // The client no longer wants an answer, or the connection is gone.
        Err(End::Cancelled) => return Ok(()),
        Err(End::Overflow(Overflow::TooLong)) => return Err(ProtocolError),
        Err(End::Overflow(Overflow::NoRoom)) => {
            let _ = (receive.stop(EXCESSIVE_LOAD), send.reset(EXCESSIVE_LOAD));
            return Ok(());
        }
    }
    let query = unframe(intake.bytes()).ok_or(ProtocolError)?;
    let Some(response) = link.answer(query).await else {
        let _ = send.reset(INTERNAL_ERROR);
        return Ok(());
    };
    // The cast loses nothing: no response is longer than the length can say.
    let length = (response.len() as u16).to_be_bytes();
    let sent = async {
        send.write_all(&length).await?;
        send.write_chunk(response).await
    };
    if sent.await.is_ok() && send.finish().is_ok() {
        let _ = send.stopped().await;
    }
    Ok(())
}

/// The reason why a stream ends without a query.
enum End {
    Cancelled,
    Overflow(Overflow),
}

/// Reads a stream to its end.
async fn read(receive: &mut RecvStream, intake: &mut Intake) -> Result<(), End> {
    loop {
        match receive.read_chunk(FRAMED_MAX, true).await {
            Ok(Some(chunk)) => intake.take(&chunk.bytes).map_err(End::Overflow)?,
            Ok(None) => return Ok(()),
            Err(ReadError::Reset(_) | _) => return Err(End::Cancelled),
        }
    }
}

/// Returns the query after its length. `None` if the length is wrong, the id is not 0 (RFC 9250
/// §4.2.1), it is no query, or it has an option that belongs to TCP (§5.5.2).
fn unframe(framed: &[u8]) -> Option<&[u8]> {
    let (length, query) = framed.split_first_chunk::<2>()?;
    let header = Header::read(query)?;
    let is_whole = usize::from(u16::from_be_bytes(*length)) == query.len();
    let is_allowed = is_whole && header.id == 0 && !header.is_response();
    let has_keepalive = || {
        let read = Query::read(&header, query, &mut Qname::default()).ok();
        read.and_then(|query| query.edns).is_some_and(|edns| edns.keepalive)
    };
    (is_allowed && !has_keepalive()).then_some(query)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns `message` after its length.
    fn frame(message: &[u8]) -> Vec<u8> {
        [&(message.len() as u16).to_be_bytes(), message].concat()
    }

    #[test]
    fn a_stream_holds_one_query_with_id_0() {
        let query = b"\0\0\0\0\0\x01\0\0\0\0\0\0\0\0\x01\0\x01";
        assert_eq!(unframe(&frame(query)), Some(&query[..]));
        assert_eq!(unframe(&frame(query)[..10]), None, "cut short");
        assert_eq!(unframe(&[&frame(query)[..], b"x"].concat()), None, "more than one");
        assert_eq!(unframe(&frame(&query[..11])), None, "no header");
        assert_eq!(unframe(&[]), None, "nothing");
        let with = |at: usize, value: u8| {
            let mut query = *query;
            query[at] = value;
            frame(&query)
        };
        assert_eq!(unframe(&with(1, 1)), None, "an id");
        assert_eq!(unframe(&with(2, 0x80)), None, "a response");
    }

    #[test]
    fn an_option_that_belongs_to_tcp_is_not_allowed() {
        let query = |option: u8| {
            let opt = [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 4, 0, option, 0, 0];
            frame(&[&b"\0\0\0\0\0\x01\0\0\0\0\0\x01\0\0\x01\0\x01"[..], &opt].concat())
        };
        assert!(unframe(&query(12)).is_some(), "padding");
        assert!(unframe(&query(11)).is_none(), "keepalive");
    }
}
