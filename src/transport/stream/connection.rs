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

/// Pipelined queries answered before their responses leave, at most.
const BATCH: usize = 64;

/// How long nothing may come, once we are to stop, until the connection is closed; and how long
/// the farewell may take.
const LULL: Duration = Duration::from_millis(20);

/// How long to go on answering at most, once we are to stop.
const DRAIN: Duration = Duration::from_secs(1);

/// A client's connection.
pub(super) struct Connection<R, P> {
    stream: P,
    peer: Peer<R>,
    inbox: Inbox,
    /// Since when the next query is awaited, and for how long it may be.
    since: Moment,
    patience: Duration,
    stop: watch::Receiver<bool>,
}

/// Why there is nothing more to read.
enum End {
    /// The client or the network closed the connection.
    Closed,
    /// No whole query came in time.
    Expired,
    /// We are to stop.
    Stopped,
}

/// What a round of answering left to do.
#[derive(Default)]
struct Round {
    queries: usize,
    responses: usize,
    /// Responses that the socket did not take at once; empty as a rule.
    unsent: Vec<u8>,
}

impl<R: Respond, P: Pipe> Connection<R, P> {
    /// Creates the connection of `peer`.
    pub(super) fn new(stream: P, peer: Peer<R>) -> Self {
        let (since, patience) = (peer.since, peer.shared().limits.first_query);
        let stop = peer.shared().stop.clone();
        Self { stream, peer, inbox: Inbox::new(), since, patience, stop }
    }

    /// Answers until the client closes, idles or reads too slowly, or we are to stop.
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
        // TLS says that it ends: a client can tell it from a connection cut by someone else.
        let _ = timeout(LULL, self.stream.shutdown()).await;
    }

    /// Waits for more bytes, no longer than the next query may take.
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

    /// Answers what the client sent before it could know that we stop: what comes until a lull.
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

    /// Answers every whole query in the inbox; fails if the client does not take the responses.
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
            // One client's pipeline must not hold up the others.
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    /// Waits until the socket takes more: what its client does not read is better not answered yet
    /// than kept here. Fails if that takes too long.
    async fn writable(&mut self) -> io::Result<()> {
        let shared = self.peer.shared();
        timeout(shared.limits.write, self.stream.writable())
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
            .inspect_err(|_| shared.counters.send_errors.add(1))
    }

    /// Answers up to a batch of queries and tries to send the responses at once.
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
                // Cannot be cut short: the room is as long as the prefix can say.
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
