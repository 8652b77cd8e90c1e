//! The progress of a probe, which decides the reason given if it runs out of time.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::timeout;

use super::Reason;
use super::parting::Parting;

/// One probe, from its first packet to its verdict.
#[derive(Debug)]
pub(super) struct Attempt {
    connect_timeout: Option<Duration>,
    /// One of the phases below.
    phase: AtomicU8,
    /// The connection that is left once the probe is over.
    parting: Mutex<Parting>,
}

const CONNECTING: u8 = 0;
const SHAKING: u8 = 1;
const ASKING: u8 = 2;
const HEARING: u8 = 3;

impl Attempt {
    /// Makes an attempt that may take `connect_timeout` to connect; `None` if only the probe's own
    /// timeout limits it.
    pub(super) fn new(connect_timeout: Option<Duration>) -> Self {
        let phase = AtomicU8::new(CONNECTING);
        Self { connect_timeout, phase, parting: Mutex::default() }
    }

    /// Returns how long it may take to connect; `None` if there is no limit of its own.
    pub(super) fn connect_timeout(&self) -> Option<Duration> {
        self.connect_timeout
    }

    /// Waits for a connection, and for the TLS handshake if there is one, as long as both may take.
    ///
    /// # Errors
    /// The reason that `connect` gives, or that it took too long.
    pub(super) async fn connected<T>(
        &self,
        connect: impl Future<Output = Result<T, Reason>>,
    ) -> Result<T, Reason> {
        self.phase.store(CONNECTING, Ordering::Relaxed);
        let connection = match self.connect_timeout {
            None => connect.await?,
            Some(limit) => timeout(limit, connect).await.map_err(|_| self.late(limit))??,
        };
        self.phase.store(ASKING, Ordering::Relaxed);
        Ok(connection)
    }

    /// Notes that a TLS handshake begins.
    pub(super) fn shakes(&self) {
        self.phase.store(SHAKING, Ordering::Relaxed);
    }

    /// Notes that no connection is needed, or that its maker reports by itself what took too long.
    pub(super) fn needs_no_connection(&self) {
        self.phase.store(ASKING, Ordering::Relaxed);
    }

    /// Notes that a response has begun.
    pub(super) fn hears(&self) {
        self.phase.store(HEARING, Ordering::Relaxed);
    }

    /// Returns whether a response has begun.
    pub(super) fn has_heard(&self) -> bool {
        self.phase.load(Ordering::Relaxed) == HEARING
    }

    /// Leaves a connection, to be ended after the verdict.
    pub(super) fn leave(&self, parting: Parting) {
        *self.parting.lock().unwrap_or_else(PoisonError::into_inner) = parting;
    }

    /// Returns the connection that is left.
    pub(super) fn parting(self) -> Parting {
        self.parting.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the reason of a probe that was not over within `limit`.
    pub(super) fn late(&self, limit: Duration) -> Reason {
        match self.phase.load(Ordering::Relaxed) {
            CONNECTING => Reason::NoConnection(limit),
            SHAKING => Reason::NoHandshake(limit),
            ASKING => Reason::NoResponse(limit),
            _ => Reason::Unfinished(limit),
        }
    }
}
