//! One worker's way from query to response: what was published last, the waist, the count.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::watch;

use super::publish::Published;
use crate::answer::{Client, Outcome, Over, Responder};
use crate::clock::{Clock, Moment};
use crate::transport::Respond;

/// The largest age of a reading of the wall clock.
const WALL_AGE_MAX: Duration = Duration::from_secs(1);

/// The responder of one worker thread.
pub(super) struct Answerer {
    published: watch::Receiver<Published>,
    responder: Responder,
    clock: Clock,
    /// The wall clock in seconds since 1970, and the moment of its reading. Cookies count whole
    /// seconds.
    wall: (u32, Moment),
    outcomes: Outcomes,
    number: usize,
}

impl Answerer {
    /// Creates the worker `number`, whose outcomes are counted in `outcomes`.
    pub(super) fn new(
        mut published: watch::Receiver<Published>,
        clock: Clock,
        outcomes: Outcomes,
        number: usize,
    ) -> Self {
        let Published { snapshot, policy } = published.borrow_and_update().clone();
        // Each worker's random choices are its own.
        let mut responder = Responder::new(snapshot, fastrand::u64(..));
        responder.set_policy(policy);
        let wall = (clock.unix(), clock.now());
        // After a panic, a new worker answers the rest of a batch before it reads the time again.
        responder.tick(wall.1, wall.0);
        Self { published, responder, clock, wall, outcomes, number }
    }
}

impl Respond for Answerer {
    fn refresh(&mut self) {
        let now = self.clock.now();
        if now.since(self.wall.1) >= WALL_AGE_MAX {
            self.wall = (self.clock.unix(), now);
        }
        self.responder.tick(now, self.wall.0);
        // One atomic load where nothing is new.
        if self.published.has_changed().unwrap_or(false) {
            let Published { snapshot, policy } = self.published.borrow_and_update().clone();
            self.responder.adopt(snapshot);
            self.responder.set_policy(policy);
        }
    }

    fn fetch(&mut self, queries: &[&[u8]]) {
        self.responder.fetch(queries);
    }

    fn respond(
        &mut self,
        query: &[u8],
        source: SocketAddr,
        over: Over,
        out: &mut [u8],
    ) -> Option<usize> {
        let outcome = self.responder.respond(query, Client { source, over }, out);
        self.outcomes.count(self.number, outcome);
        outcome.len()
    }
}

/// The outcomes of all workers, each counted by its own worker alone.
#[derive(Clone, Debug)]
pub(super) struct Outcomes(Arc<[Counts]>);

/// The counts of one worker, on cache lines that no other worker writes.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Counts([AtomicU64; Outcome::COUNT]);

impl Outcomes {
    /// Creates counts for `workers` workers.
    pub(super) fn new(workers: usize) -> Self {
        Self((0..workers).map(|_| Counts::default()).collect())
    }

    fn count(&self, worker: usize, outcome: Outcome) {
        let counts = self.0.get(worker).map(|counts| &counts.0);
        if let Some(count) = counts.and_then(|counts| counts.get(outcome.index())) {
            // Only this worker writes here, so no read-modify-write is needed.
            count.store(count.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        }
    }

    /// Returns the sums over all workers, with the names of the outcomes.
    pub(super) fn totals(&self) -> Vec<(&'static str, u64)> {
        let sum = |at: usize| self.0.iter().map(|c| c.0[at].load(Ordering::Relaxed)).sum();
        Outcome::NAMES.iter().enumerate().map(|(at, &name)| (name, sum(at))).collect()
    }
}
