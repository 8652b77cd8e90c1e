//! Datagrams: one blocking thread for each socket, one batch at a time.
//!
//! ```text
//! Batch::receive ─▶ Respond: a few fetched, each answered in place ─▶ Batch::send
//! ```
//!
//! Each worker has its own socket (`SO_REUSEPORT`), so that the kernel spreads clients over workers
//! without a lock. No error ends a worker. Errors other than waiting are counted, logged at most
//! once a second, and followed by a short rest.

mod batch;
mod socket;

use std::io;
use std::net::UdpSocket;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::counters::Counters;
use super::supervised::Supervised;
use super::{Over, Respond};
use crate::clock::{Clock, LogThrottle};
use batch::{Batch, Wait};

pub(super) use socket::{Share, open};

/// The longest time for which a worker that is told to stop answers what is queued.
const DRAIN: Duration = Duration::from_secs(1);

/// The number of queries for which the responder fetches data at a time.
const AHEAD: usize = crate::answer::AHEAD_MAX;

/// The rest of a worker after an error, so that it does not spin.
const REST: Duration = Duration::from_millis(10);

/// A worker: one socket and the responder for it.
pub(super) struct Worker<R> {
    socket: UdpSocket,
    batch: Batch,
    responder: Supervised<R>,
    counters: Arc<Counters>,
    stop: Arc<AtomicBool>,
    clock: Clock,
    log: LogThrottle,
}

impl<R: Respond> Worker<R> {
    /// Creates a worker on `socket`, made by [`open`], that runs until `stop` is set.
    pub(super) fn new(
        socket: UdpSocket,
        responder: Supervised<R>,
        counters: Arc<Counters>,
        stop: Arc<AtomicBool>,
    ) -> Self {
        let clock = Clock::system();
        let log = LogThrottle::new(clock.clone());
        Self { socket, batch: Batch::new(), responder, counters, stop, clock, log }
    }

    /// Answers until it is told to stop, then answers what the kernel has queued.
    pub(super) fn run(mut self) {
        while !self.stop.load(Ordering::Relaxed) {
            self.turn(Wait::ForOne);
        }
        let stopped = self.clock.now();
        while self.turn(Wait::Not) > 0 && self.clock.now().since(stopped) < DRAIN {}
    }

    /// Receives, answers and sends one batch. Returns the number of datagrams in it.
    fn turn(&mut self, wait: Wait) -> usize {
        let received = match self.batch.receive(self.socket.as_fd(), wait) {
            Ok(received) => received,
            Err(error) => {
                self.excuse(&error);
                0
            }
        };
        self.responder.refresh();
        for start in (0..received).step_by(AHEAD) {
            let slots = start..received.min(start + AHEAD);
            self.responder.fetch(&self.batch.queries::<AHEAD>(slots.clone()));
            slots.for_each(|slot| self.answer(slot));
        }
        let sent = self.batch.send(self.socket.as_fd());
        self.counters.sent.add(sent.sent);
        self.counters.send_errors.add(sent.failed);
        received
    }

    fn answer(&mut self, slot: usize) {
        let Some(exchange) = self.batch.exchange(slot) else {
            self.counters.oversize.add(1);
            return;
        };
        self.counters.received.add(1);
        let length =
            self.responder.respond(exchange.query, exchange.source, Over::Udp, exchange.response);
        if let Some(length) = length {
            self.batch.respond(slot, length);
        }
    }

    /// Counts, logs and rests after an error, unless the error only means "nothing yet".
    fn excuse(&mut self, error: &io::Error) {
        if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) {
            return;
        }
        self.counters.receive_errors.add(1);
        if let Some(unsaid) = self.log.admit() {
            let more = crate::clock::and_more(unsaid);
            tracing::warn!(unsaid, "cannot receive over UDP, trying again: {error}{more}");
        }
        std::thread::sleep(REST);
    }
}
