//! One probe: connect, ask, judge, within the check's timeout.
//!
//! ```text
//! Check ─ Prober::new ─▶ Prober ─ probe(address) ─▶ Reason (ok or not)
//!             └ Outlets: what probers share (TLS configurations)
//! ```
//!
//! A probe reads 16 KiB at most, asks no name server where to go, and keeps no connection for the
//! next one.
//! Not here: when to probe (`schedule`), what a verdict does (`health`).

mod connect;
mod database;
mod dns;
mod http;
mod reason;
mod tcp;
#[cfg(test)]
mod tests;
mod tls;

use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

pub use reason::{Reason, TlsFailure};

use crate::health::Spoken;
use crate::zone::{Check, CheckKind};

/// How much of what a peer sends is looked at, in bytes.
const WINDOW: usize = 16 * 1024;

/// What all probers share.
#[derive(Debug)]
pub(super) struct Outlets {
    tls: tls::Configs,
}

impl Outlets {
    pub(super) fn new() -> Self {
        Self { tls: tls::Configs::default() }
    }
}

/// What a probe found that passed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Passed {
    /// Why it did.
    pub(super) reason: Reason,
    /// What was said where an agent may speak: [`Spoken::TEXT_MAX`] octets of it at least, where
    /// there is so much.
    pub(super) text: Vec<u8>,
}

impl Passed {
    /// Nothing was said that matters.
    fn silent(reason: Reason) -> Self {
        Self { reason, text: Vec::new() }
    }
}

/// Runs the probes of one check, whatever the address.
#[derive(Debug)]
pub(super) struct Prober(Means);

#[derive(Debug)]
enum Means {
    Http(Box<http::Http>),
    Tcp(Box<tcp::Tcp>),
    Dns(Box<dns::Dns>),
    Database(database::Database),
    /// The check cannot be carried out; every probe fails at once and says why.
    Unusable(Reason),
}

impl Prober {
    /// Prepares all that does not change from probe to probe.
    pub(super) fn new(check: &Check, outlets: &Outlets) -> Self {
        let (timeout, agent) = (check.timeout, check.agent.as_ref());
        let database = |kind| Means::Database(database::Database::new(kind, timeout));
        Self(match &check.kind {
            CheckKind::Http(check) => http::Http::new(check, timeout, outlets)
                .map(|http| http.heard_by(agent))
                .map_or_else(Means::Unusable, |http| Means::Http(Box::new(http))),
            CheckKind::Tcp(check) => {
                let tcp = tcp::Tcp::new(check.clone(), timeout);
                Means::Tcp(Box::new(tcp.heard_by(agent)))
            }
            CheckKind::Tls(options, check) => {
                tcp::Tcp::over_tls((options, check), timeout, outlets)
                    .map_or_else(Means::Unusable, |tcp| Means::Tcp(Box::new(tcp.heard_by(agent))))
            }
            CheckKind::Dns(check) => Means::Dns(Box::new(dns::Dns::new(check.clone(), timeout))),
            CheckKind::Redis => database(database::Kind::Redis),
            CheckKind::Mysql(user) => database(database::Kind::Mysql(user.clone())),
            CheckKind::Postgres(user) => database(database::Kind::Postgres(user.clone())),
        })
    }

    /// One probe of `address`: `Ok` when the check passed. Takes the check's timeout at most.
    pub(super) async fn probe(&self, address: SocketAddr) -> Result<Passed, Reason> {
        contained(async {
            match &self.0 {
                Means::Http(http) => http.probe(address).await,
                Means::Tcp(tcp) => tcp.probe(address).await,
                Means::Dns(dns) => dns.probe(address).await.map(Passed::silent),
                Means::Database(database) => database.probe(address).await.map(Passed::silent),
                Means::Unusable(reason) => Err(reason.clone()),
            }
        })
        .await
    }
}

/// Turns a panic inside `probe` into a failed probe, so that the schedule goes on.
async fn contained<T>(probe: impl Future<Output = Result<T, Reason>>) -> Result<T, Reason> {
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

    /// Whether enough has come for an agent's words.
    fn has_words(&self) -> bool {
        self.seen.len() >= Spoken::TEXT_MAX
    }

    /// Whether nothing that may still come matters.
    fn is_over(&self) -> bool {
        self.seen.len() == WINDOW
    }
}
