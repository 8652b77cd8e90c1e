//! One probe: connect, ask, judge, within the check's timeout.
//!
//! ```text
//! Probed ─ Prober::new ─▶ Prober ─ probe ─▶ Reason (ok or not)
//!              └ Outlets: what probers share (the plain client, TLS configurations)
//! ```
//!
//! A probe reads 16 KiB at most, asks no name server, and keeps no connection for the next one.
//! Not here: when to probe (`schedule`), what a verdict does (`health`).

mod http;
mod reason;
mod tcp;
#[cfg(test)]
mod tests;
mod tls;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

pub use reason::{Reason, TlsFailure};

use crate::health::Probed;
use crate::zone::CheckKind;

/// How much of what a peer sends is looked at, in bytes.
const WINDOW: usize = 16 * 1024;

/// What all probers share.
#[derive(Debug)]
pub(super) struct Outlets {
    /// The client of every plain `http` probe.
    plain: Result<reqwest::Client, Reason>,
    tls: tls::Configs,
}

impl Outlets {
    pub(super) fn new() -> Self {
        Self { plain: http::plain_client(), tls: tls::Configs::default() }
    }
}

/// Runs the probes of one [`Probed`], one after the other.
#[derive(Debug)]
pub(super) struct Prober(Means);

#[derive(Debug)]
enum Means {
    Http(Box<http::Http>),
    Tcp(tcp::Tcp),
    /// The check cannot be carried out; every probe fails at once and says why.
    Unusable(Reason),
}

impl Prober {
    /// Prepares all that does not change from probe to probe.
    pub(super) fn new(probed: &Probed, outlets: &Outlets) -> Self {
        let timeout = probed.check.timeout;
        Self(match &probed.check.kind {
            CheckKind::Http(check) => http::Http::new(probed.address, check, timeout, outlets)
                .map_or_else(Means::Unusable, |http| Means::Http(Box::new(http))),
            CheckKind::Tcp(check) => {
                Means::Tcp(tcp::Tcp::new(probed.address, check.clone(), timeout))
            }
        })
    }

    /// One probe: `Ok` when the check passed. Takes the check's timeout at most.
    pub(super) async fn probe(&self) -> Result<Reason, Reason> {
        contained(async {
            match &self.0 {
                Means::Http(http) => http.probe().await,
                Means::Tcp(tcp) => tcp.probe().await,
                Means::Unusable(reason) => Err(reason.clone()),
            }
        })
        .await
    }
}

/// Turns a panic inside `probe` into a failed probe, so that the schedule goes on.
async fn contained(probe: impl Future<Output = Result<Reason, Reason>>) -> Result<Reason, Reason> {
    let mut probe = pin!(probe);
    // Unwind safety: after a panic the future is never polled again, and probers hold no state.
    std::future::poll_fn(|context| {
        catch_unwind(AssertUnwindSafe(|| probe.as_mut().poll(context)))
            .unwrap_or(Poll::Ready(Err(Reason::Panicked)))
    })
    .await
}

/// Looks for `wanted` in the first [`WINDOW`] bytes of a stream that arrives in pieces.
struct Search<'a> {
    wanted: &'a [u8],
    seen: Vec<u8>,
}

impl<'a> Search<'a> {
    fn new(wanted: &'a [u8]) -> Self {
        Self { wanted, seen: Vec::new() }
    }

    /// Whether `wanted` was seen, now that `piece` has arrived.
    ///
    /// # Cost
    /// By the piece: what was searched before is not searched again.
    fn found_with(&mut self, piece: &[u8]) -> bool {
        let from = self.seen.len().saturating_sub(self.wanted.len().saturating_sub(1));
        let room = WINDOW - self.seen.len();
        self.seen.extend_from_slice(&piece[..piece.len().min(room)]);
        let rest = &self.seen[from..];
        self.wanted.is_empty() || rest.windows(self.wanted.len()).any(|part| part == self.wanted)
    }

    /// Whether nothing that may still come matters.
    fn is_over(&self) -> bool {
        self.seen.len() == WINDOW
    }
}
