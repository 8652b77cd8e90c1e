//! A responder whose panics cost one query each and nothing more.

use std::any::Any;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use super::counters::Counters;
use super::{Over, Respond};
use crate::clock::{Clock, LogThrottle};

/// The interval between two calls of [`Supervised::freshen`] while no queries come.
pub(super) const FRESHEN: Duration = Duration::from_secs(1);

/// A function that makes the responder of the worker with the given number.
pub(super) type Factory<R> = Arc<dyn Fn(usize) -> R + Send + Sync>;

/// The responder of one thread, replaced by a fresh one after a panic.
pub(super) struct Supervised<R> {
    worker: usize,
    make: Factory<R>,
    /// The responder; `None` until first used, and after a panic, which may leave it half changed.
    responder: Option<R>,
    counters: Arc<Counters>,
    log: LogThrottle,
}

impl<R: Respond> Supervised<R> {
    /// Creates the supervision of worker number `worker`; its responder is made when first needed.
    pub(super) fn new(worker: usize, make: Factory<R>, counters: Arc<Counters>) -> Self {
        Self { worker, make, responder: None, counters, log: LogThrottle::new(Clock::system()) }
    }

    /// Lets the responder look for newer data.
    pub(super) fn refresh(&mut self) {
        self.attempt(|responder| responder.refresh());
    }

    /// Lets the responder look for newer data if it has been made. Otherwise one that gets no query
    /// would keep old data alive.
    pub(super) fn freshen(&mut self) {
        if self.responder.is_some() {
            self.refresh();
        }
    }

    /// Tells the responder which queries come next.
    pub(super) fn fetch(&mut self, queries: &[&[u8]]) {
        self.attempt(|responder| responder.fetch(queries));
    }

    /// Writes the response to `query` to `out`; `None` if there is none, or after a panic.
    pub(super) fn respond(
        &mut self,
        query: &[u8],
        source: SocketAddr,
        over: Over,
        out: &mut [u8],
    ) -> Option<usize> {
        let room = out.len();
        let length = self.attempt(|responder| responder.respond(query, source, over, out))??;
        Some(length.min(room))
    }

    fn attempt<T>(&mut self, act: impl FnOnce(&mut R) -> T) -> Option<T> {
        let Self { worker, make, responder, .. } = self;
        // Unwind safe: whatever a panic leaves half done in the responder is thrown away with it,
        // and half a response in the buffer is never sent.
        let attempt = AssertUnwindSafe(|| act(responder.get_or_insert_with(|| make(*worker))));
        match catch_unwind(attempt) {
            Ok(value) => Some(value),
            Err(panic) => {
                self.responder = None;
                self.report(panic.as_ref());
                None
            }
        }
    }

    #[cold]
    fn report(&mut self, panic: &(dyn Any + Send)) {
        self.counters.panics.add(1);
        if let Some(unsaid) = self.log.admit() {
            let text = panic
                .downcast_ref::<&str>()
                .copied()
                .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
                .unwrap_or("no message");
            tracing::error!(
                worker = self.worker,
                unsaid,
                "a query made the responder panic and was dropped: {text}{}",
                crate::clock::and_more(unsaid)
            );
        }
    }
}
