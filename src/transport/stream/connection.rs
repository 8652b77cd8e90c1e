//! One connection, from its first query to its close.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::timeout;

use super::WRITE;
use super::inbox::Inbox;
use super::pipe::Pipe;
use crate::clock::Moment;
use crate::transport::door::{Peer, Shared};
use crate::transport::{Respond, STREAM_RESPONSE};

/// The most pipelined queries that are answered before their responses leave.
const BATCH: usize = 64;

/// The silence after which a connection is closed once the thread is to stop, and the longest time
/// for its shutdown.
const LULL: Duration = Duration::from_millis(20);

/// The longest time for further answers once the thread is to stop.
const DRAIN: Duration = Duration::from_secs(1);

/// A client's connection.
pub(super) struct Connection<R, P> {
    stream: P,
    peer: Peer<R>,
    inbox: Inbox,
    /// The moment from which the next query is awaited, and the time for which it is.
    since: Moment,
    patience: Duration,
    stop: watch::Receiver<bool>,
}

/// The reason why there is nothing more to read.
enum End {
    /// The client or the network closed the connection.
    Closed,
    /// No whole query came in time.
    Expired,
    /// The thread is to stop.
    Stopped,
}

/// The outcome of one round of answers.
#[derive(Default)]
struct Round {
    queries: usize,
    responses: usize,
    /// The responses that the socket did not take at once; usually empty over TCP.
    unsent: Vec<u8>,
}

impl<R: Respond, P: Pipe> Connection<R, P> {
    /// Creates the connection of `peer`.
    pub(super) fn new(stream: P, peer: Peer<R>) -> Self {
        let (since, patience) = (peer.since, peer.shared().limits.first_query);
        let stop = peer.shared().stop.clone();
        Self { stream, peer, inbox: Inbox::new(), since, patience, stop }
    }

    /// Answers until the client closes, idles or reads too slowly, or the thread is to stop.
    pub(super) async fn serve(mut self) {
        loop {
            match self.read().await {
                Ok(()) => {}
                Err(End::Closed) => break,
                Err(End::Expired) => {
                    self.peer.shared().counters.expired.add(1);
                    break;
                }
                Err(End::Stopped) => {
                    self.drain().await;
                    break;
                }
            }
            if self.answer_all().await.is_err() {
                return;
            }
        }
        // TLS announces its end, so that a client can tell it from a cut connection.
        let _ = timeout(LULL, self.stream.shutdown()).await;
    }

    /// Waits for more octets, but no longer than the next query may take.
    async fn read(&mut self) -> Result<(), End> {
        let waited = self.peer.shared().clock.now().since(self.since);
        let left = self.patience.saturating_sub(waited);
        if left.is_zero() {
            return Err(End::Expired);
        }
        let Self { stream, inbox, stop, .. } = self;
        tokio::select! {
            biased;
            _ = stop.wait_for(|&stop| stop) => Err(End::Stopped),
            read = timeout(left, stream.read(inbox.room())) => match read {
                Err(_) => Err(End::Expired),
                Ok(Ok(0) | Err(_)) => Err(End::Closed),
                Ok(Ok(count)) => {
                    inbox.came(count);
                    Ok(())
                }
            },
        }
    }

    /// Answers what the client sent before it could know of the stop, until a lull.
    async fn drain(&mut self) {
        let stopped = self.peer.shared().clock.now();
        while self.peer.shared().clock.now().since(stopped) < DRAIN {
            let Ok(Ok(count @ 1..)) = timeout(LULL, self.stream.read(self.inbox.room())).await
            else {
                return;
            };
            self.inbox.came(count);
            if self.answer_all().await.is_err() {
                return;
            }
        }
    }

    /// Answers every whole query in the inbox.
    ///
    /// # Errors
    /// If the client does not take the responses.
    async fn answer_all(&mut self) -> io::Result<()> {
        while self.inbox.has_message() {
            self.writable().await?;
            let round = self.answer_some()?;
            let shared = self.peer.shared();
            self.since = shared.clock.now();
            self.patience = shared.limits.idle;
            self.peer.stir(self.since);
            if !round.unsent.is_empty() {
                let stream = &mut self.stream;
                let written = timeout(shared.limits.write, async {
                    stream.write_all(&round.unsent).await?;
                    stream.flush().await
                });
                written
                    .await
                    .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
                    .inspect_err(|_| shared.counters.send_errors.add(round.responses))?;
            }
            shared.counters.sent.add(round.responses);
            // The pipeline of one client must not hold up the others.
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    /// Waits until the socket takes more: a query is better answered late than its response kept
    /// here unread.
    ///
    /// # Errors
    /// If that takes too long.
    async fn writable(&mut self) -> io::Result<()> {
        let shared = self.peer.shared();
        timeout(shared.limits.write, self.stream.writable())
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
            .inspect_err(|_| shared.counters.send_errors.add(1))
    }

    /// Answers up to a batch of queries, and tries to send the responses at once.
    fn answer_some(&mut self) -> io::Result<Round> {
        let mut round = Round::default();
        let Shared { responder, output, counters, .. } = self.peer.shared();
        let (mut responder, mut output) = (responder.borrow_mut(), output.borrow_mut());
        let mut length = 0;
        responder.refresh();
        while round.queries < BATCH && length <= WRITE {
            let Some(query) = self.inbox.next() else { break };
            round.queries += 1;
            let (prefix, room) = output[length..][..2 + STREAM_RESPONSE].split_at_mut(2);
            let response = responder.respond(query, self.peer.source, self.peer.over(), room);
            if let Some(response) = response {
                // The cast loses nothing: the room is as long as the prefix can say.
                prefix.copy_from_slice(&(response as u16).to_be_bytes());
                length += 2 + response;
                round.responses += 1;
            }
        }
        counters.received.add(round.queries);
        let taken = self
            .stream
            .send_now(&output[..length])
            .inspect_err(|_| counters.send_errors.add(round.responses))?;
        round.unsent = output[taken..length].to_vec();
        Ok(round)
    }
}
