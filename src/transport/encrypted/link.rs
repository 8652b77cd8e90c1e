//! A connection as its requests see it: the way to the responder, and the time and the room that
//! they share.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};

use crate::clock::Moment;
use crate::transport::door::{Peer, Shared};
use crate::transport::{Respond, STREAM_RESPONSE};

/// The room of a connection for queries that are still coming in, in octets. There is as much again
/// for responses that its client has not taken.
pub(super) const ROOM: usize = 128 * 1024;

/// The most requests of a connection at one time.
pub(super) const STREAMS: u32 = 64;

/// The time for requests under way on a connection that is to end.
pub(super) const FAREWELL: Duration = Duration::from_secs(1);

/// A connection as its requests see it.
pub(super) struct Link<R> {
    peer: Peer<R>,
    /// The moment at which the connection ends unless a whole query comes before.
    deadline: Cell<Moment>,
    queries: Arc<Semaphore>,
    responses: Arc<Semaphore>,
    /// The notice that the client does not take its responses in time.
    deaf: Notify,
}

impl<R: Respond> Link<R> {
    /// Creates the link of a connection whose handshake has just ended.
    pub(super) fn new(peer: Peer<R>) -> Rc<Self> {
        let Shared { clock, limits, .. } = peer.shared();
        let deadline = Cell::new(clock.now().after(limits.first_query));
        let room = || Arc::new(Semaphore::new(ROOM));
        Rc::new(Self { peer, deadline, queries: room(), responses: room(), deaf: Notify::new() })
    }

    /// Waits until the connection must end: no whole query came in time, the client does not take
    /// its responses, or the thread is told to stop.
    pub(super) async fn over(&self) {
        tokio::select! {
            () = self.peer.shared().stopped() => {}
            () = self.expired() => self.peer.shared().counters.expired.add(1),
            () = self.deaf.notified() => self.peer.shared().counters.send_errors.add(1),
        }
    }

    async fn expired(&self) {
        loop {
            let left = self.deadline.get().since(self.peer.shared().clock.now());
            if left.is_zero() {
                return;
            }
            sleep(left).await;
        }
    }

    /// Starts to take in a query of at most `limit` octets.
    pub(super) fn intake(&self, limit: usize) -> Intake {
        Intake { bytes: Vec::new(), limit, room: Arc::clone(&self.queries), held: None }
    }

    /// Answers `query` once there is room for the response. `None` if there is nothing to send, or
    /// if the client does not take what it was sent.
    ///
    /// The room is free again when the returned octets are dropped.
    pub(super) async fn answer(&self, query: &[u8]) -> Option<Bytes> {
        let Shared { limits, responder, output, counters, clock, .. } = self.peer.shared();
        let room = Arc::clone(&self.responses).acquire_many_owned(STREAM_RESPONSE as u32);
        let Ok(Ok(mut held)) = timeout(limits.write, room).await else {
            self.deaf.notify_one();
            return None;
        };
        let (mut responder, mut output) = (responder.borrow_mut(), output.borrow_mut());
        counters.received.add(1);
        let now = clock.now();
        self.deadline.set(now.after(limits.idle));
        self.peer.stir(now);
        responder.refresh();
        let length = responder.respond(query, self.peer.source, self.peer.over(), &mut output)?;
        drop(held.split(STREAM_RESPONSE - length));
        counters.sent.add(1);
        Some(Bytes::from_owner(Response { bytes: output[..length].into(), _held: held }))
    }
}

/// A response, and the room that it takes of its connection.
struct Response {
    bytes: Box<[u8]>,
    _held: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Response {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// A query that is coming in, and the room that it takes of its connection.
pub(super) struct Intake {
    bytes: Vec<u8>,
    limit: usize,
    room: Arc<Semaphore>,
    held: Option<OwnedSemaphorePermit>,
}

/// The reason for not taking in a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Overflow {
    /// The query is longer than any query may be.
    TooLong,
    /// Other queries of the same connection have all the room.
    NoRoom,
}

impl Intake {
    /// Takes in more of the query.
    ///
    /// # Errors
    /// [`Overflow`] if the query gets too long, or no room is left.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<(), Overflow> {
        if bytes.len() > self.limit - self.bytes.len() {
            return Err(Overflow::TooLong);
        }
        let room = Arc::clone(&self.room).try_acquire_many_owned(bytes.len() as u32);
        let room = room.map_err(|_| Overflow::NoRoom)?;
        match &mut self.held {
            Some(held) => held.merge(room),
            None => self.held = Some(room),
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    /// Returns the octets that came so far.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_share_the_room_of_their_connection_and_give_it_back() {
        let room = Arc::new(Semaphore::new(10));
        let intake = || Intake { bytes: vec![], limit: 8, room: Arc::clone(&room), held: None };
        let (mut one, mut other) = (intake(), intake());
        assert_eq!(one.take(&[0; 9]), Err(Overflow::TooLong));
        one.take(&[0; 5]).unwrap();
        assert_eq!(one.take(&[0; 4]), Err(Overflow::TooLong));
        one.take(&[0; 3]).unwrap();
        other.take(&[0; 2]).unwrap();
        assert_eq!(other.take(&[0; 1]), Err(Overflow::NoRoom));
        drop(one);
        other.take(&[0; 1]).unwrap();
        assert_eq!(other.bytes(), [0; 3]);
    }
}
