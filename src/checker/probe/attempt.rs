//! How far a probe has come: what is said of one that is out of time.

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
    /// The rest of its connection once it is over.
    parting: Mutex<Parting>,
}

const CONNECTING: u8 = 0;
const SHAKING: u8 = 1;
const ASKING: u8 = 2;
const HEARING: u8 = 3;

impl Attempt {
    /// One that may take `connect_timeout` until it is connected; `None`: as long as the rest.
    pub(super) fn new(connect_timeout: Option<Duration>) -> Self {
        let phase = AtomicU8::new(CONNECTING);
        Self { connect_timeout, phase, parting: Mutex::default() }
    }

    /// How long it may take until it is connected.
    pub(super) fn connect_timeout(&self) -> Option<Duration> {
        self.connect_timeout
    }

    /// Waits for a connection, with the TLS handshake where there is one, as long as that may take.
    ///
    /// # Errors
    /// What went wrong, or that it took too long.
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

    /// Notes that nobody needs to connect, or that who does will tell by itself what took too long.
    pub(super) fn needs_no_connection(&self) {
        self.phase.store(ASKING, Ordering::Relaxed);
    }

    /// Notes that a response has begun.
    pub(super) fn hears(&self) {
        self.phase.store(HEARING, Ordering::Relaxed);
    }

    /// Whether a response has begun.
    pub(super) fn has_heard(&self) -> bool {
        self.phase.load(Ordering::Relaxed) == HEARING
    }

    /// Leaves a connection, to be ended after the verdict.
    pub(super) fn leave(&self, parting: Parting) {
        *self.parting.lock().unwrap_or_else(PoisonError::into_inner) = parting;
    }

    /// Returns what is left of the connection.
    pub(super) fn parting(self) -> Parting {
        self.parting.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why a probe failed that was not over within `limit`.
    pub(super) fn late(&self, limit: Duration) -> Reason {
        match self.phase.load(Ordering::Relaxed) {
            CONNECTING => Reason::NoConnection(limit),
            SHAKING => Reason::NoHandshake(limit),
            ASKING => Reason::NoResponse(limit),
            _ => Reason::Unfinished(limit),
        }
    }
}
