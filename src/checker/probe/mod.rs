//! One probe: connect, ask, judge, within the check's timeout.
//!
//! ```text
//! Check ─ Prober::new ─▶ Prober ─ probe(address) ─▶ Reason (ok or not)
//!             └ Outlets: what probers share (TLS configurations, room for connections)
//! ```
//!
//! A probe looks at 16 KiB at most and asks no name server for an address. It keeps a connection
//! for the next probe only if its check asks for it.
//!
//! `plan` decides when to probe; `health` decides what a verdict does.

mod attempt;
mod connect;
mod database;
mod dns;
mod exec;
mod fastcgi;
mod grpc;
mod http;
mod icmp;
mod parting;
mod proxy;
mod reason;
mod tcp;
#[cfg(test)]
mod tests;
mod tls;
mod udp;
mod vouched;

use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use tokio::time::timeout;

pub(super) use parting::Parting;
pub use reason::{Reason, TlsFailure};

use crate::health::Spoken;
use crate::x509::Validity;
use crate::zone::{Check, CheckKind, Reach};
use attempt::Attempt;
use connect::Dialer;
use database::Database;

/// The part of a peer's reply that is looked at, in octets.
const WINDOW: usize = 16 * 1024;

/// The user agent that requests name, unless the check names another.
const USER_AGENT: &str = concat!("waypost/", env!("CARGO_PKG_VERSION"));

/// The most connections that are kept for later probes.
pub(super) const KEPT_MAX: usize = http::Room::MAX;

const OUT_OF_REACH: Reason = Reason::Barred(
    "probes may not go to this address: `[checks] allow` in waypost.toml lets them go there",
);

/// The parts that all probers share.
#[derive(Debug)]
pub(super) struct Outlets {
    tls: tls::Configs,
    room: http::Room,
    reach: Reach,
}

impl Outlets {
    /// Makes outlets without a connection yet, for probes of addresses within `reach`.
    pub(super) fn new(reach: Reach) -> Self {
        Self { tls: tls::Configs::default(), room: http::Room::default(), reach }
    }
}

/// The findings of a probe that passed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Passed {
    /// The reason of the verdict.
    pub(super) reason: Reason,
    /// The text in which an agent may speak, if the check listens to one: at least
    /// [`Spoken::TEXT_MAX`] octets if the endpoint sent so many.
    pub(super) text: Vec<u8>,
    /// The time in which the certificate is valid, if there was one to look at.
    pub(super) validity: Option<Validity>,
}

impl Passed {
    /// Makes the findings of a probe that heard no agent and saw no certificate.
    fn silent(reason: Reason) -> Self {
        Self { reason, text: Vec::new(), validity: None }
    }
}

/// A prober, which runs the probes of one check at any address.
#[derive(Debug)]
pub(super) struct Prober {
    means: Means,
    timeout: Duration,
    connect_timeout: Option<Duration>,
    /// The addresses that it may go to; `None` for a program, which connects by itself.
    reach: Option<Reach>,
}

#[derive(Debug)]
enum Means {
    Http(Box<http::Http>),
    Tcp(Box<tcp::Tcp>),
    Udp(Box<udp::Udp>),
    Fastcgi(Box<fastcgi::Fastcgi>),
    Dns(Box<dns::Dns>),
    Grpc(Box<grpc::Grpc>),
    Icmp(Dialer),
    Exec(Box<exec::Exec>),
    Database(Database),
    /// The check cannot be carried out; every probe fails at once with this reason.
    Unusable(Reason),
}

impl Prober {
    /// Makes a prober, and prepares all that does not change from probe to probe.
    pub(super) fn new(check: &Check, outlets: &Outlets) -> Self {
        let means = Means::new(check, outlets).unwrap_or_else(Means::Unusable);
        let is_exec = matches!(means, Means::Exec(_));
        let reach = (!is_exec).then(|| outlets.reach.clone());
        Self { means, timeout: check.timeout, connect_timeout: check.connect_timeout, reach }
    }

    /// Probes `address` once, for the check's timeout at most: `Ok` if the check passed. The
    /// connection that is left is to be ended after the verdict.
    pub(super) async fn probe(&self, address: SocketAddr) -> (Result<Passed, Reason>, Parting) {
        // Zone files are checked before; any other source of addresses is checked here.
        if self.reach.as_ref().is_some_and(|reach| reach.refuses(address.ip()).is_some()) {
            return (Err(OUT_OF_REACH), Parting::default());
        }
        let attempt = Attempt::new(self.connect_timeout);
        let outcome = {
            let probe = timeout(self.timeout, self.means.probe(address, &attempt));
            contained(async { probe.await.unwrap_or_else(|_| Err(attempt.late(self.timeout))) })
                .await
        };
        (outcome, attempt.parting())
    }
}

impl Means {
    /// Makes the means for `check`.
    ///
    /// # Errors
    /// [`Reason::Unusable`], which says what about the check to change.
    fn new(check: &Check, outlets: &Outlets) -> Result<Self, Reason> {
        let (agent, dialer) = (check.agent.as_ref(), Dialer::of(check));
        Ok(match &check.kind {
            CheckKind::Http(check) => {
                Self::Http(Box::new(http::Http::new(check, dialer, outlets)?.heard_by(agent)))
            }
            CheckKind::Tcp(check) => {
                Self::Tcp(Box::new(tcp::Tcp::new(check.clone(), dialer).heard_by(agent)))
            }
            CheckKind::Tls(options, check) => {
                let tcp = tcp::Tcp::new(check.clone(), dialer).over_tls(options, outlets)?;
                Self::Tcp(Box::new(tcp.heard_by(agent)))
            }
            CheckKind::Udp(check) => Self::Udp(Box::new(udp::Udp::new(check.clone(), dialer))),
            CheckKind::Fastcgi(check) => {
                Self::Fastcgi(Box::new(fastcgi::Fastcgi::new(check, dialer)))
            }
            CheckKind::Dns(check) => Self::Dns(Box::new(dns::Dns::new(check.clone(), dialer))),
            CheckKind::Grpc(check) => {
                Self::Grpc(Box::new(grpc::Grpc::new(check, dialer, outlets)?))
            }
            CheckKind::Icmp => Self::Icmp(dialer),
            CheckKind::Exec(check) => Self::Exec(Box::new(exec::Exec::new(check.clone()))),
            CheckKind::Redis => Self::Database(Database::redis(dialer)),
            CheckKind::Mysql(user) => Self::Database(Database::mysql(user, dialer)),
            CheckKind::Postgres(user) => Self::Database(Database::postgres(user, dialer)),
        })
    }

    /// Probes `address` once. The futures of rare or large probes are boxed, because every probe
    /// under way has room for the largest of the others in place.
    async fn probe(&self, address: SocketAddr, attempt: &Attempt) -> Result<Passed, Reason> {
        match self {
            Self::Http(http) => http.probe(address, attempt).await,
            Self::Tcp(tcp) => tcp.probe(address, attempt).await,
            Self::Grpc(grpc) => Box::pin(grpc.probe(address, attempt)).await,
            Self::Fastcgi(fastcgi) => Box::pin(fastcgi.probe(address, attempt)).await,
            Self::Udp(udp) => Box::pin(udp.probe(address, attempt)).await.map(Passed::silent),
            Self::Dns(dns) => Box::pin(dns.probe(address, attempt)).await.map(Passed::silent),
            Self::Database(database) => {
                Box::pin(database.probe(address, attempt)).await.map(Passed::silent)
            }
            Self::Icmp(dialer) => {
                Box::pin(icmp::probe(address, dialer, attempt)).await.map(Passed::silent)
            }
            Self::Exec(exec) => Box::pin(exec.probe(address, attempt)).await.map(Passed::silent),
            Self::Unusable(reason) => Err(reason.clone()),
        }
    }
}

/// Turns a panic inside `probe` into a failed probe, so that the schedule goes on.
async fn contained<T>(probe: impl Future<Output = Result<T, Reason>>) -> Result<T, Reason> {
    let mut probe = pin!(probe);
    // Unwind safety: after a panic the future is never polled again, and the state of probers is
    // whole at any time.
    std::future::poll_fn(|context| {
        catch_unwind(AssertUnwindSafe(|| probe.as_mut().poll(context)))
            .unwrap_or(Poll::Ready(Err(Reason::Panicked)))
    })
    .await
}

/// A search for `wanted` in the first [`WINDOW`] octets of a stream that arrives in pieces.
struct Search<'a> {
    wanted: &'a [u8],
    seen: Vec<u8>,
}

impl<'a> Search<'a> {
    fn new(wanted: &'a [u8]) -> Self {
        Self { wanted, seen: Vec::new() }
    }

    /// Takes in `piece`, and returns whether `wanted` has been seen.
    ///
    /// # Cost
    /// Grows with the piece: octets that were searched before are not searched again.
    fn found_with(&mut self, piece: &[u8]) -> bool {
        let from = self.seen.len().saturating_sub(self.wanted.len().saturating_sub(1));
        let room = WINDOW - self.seen.len();
        self.seen.extend_from_slice(&piece[..piece.len().min(room)]);
        let rest = &self.seen[from..];
        self.wanted.is_empty() || rest.windows(self.wanted.len()).any(|part| part == self.wanted)
    }

    /// Returns whether enough has come for an agent's words.
    fn has_words(&self) -> bool {
        self.seen.len() >= Spoken::TEXT_MAX
    }

    /// Returns whether the window is full, so that further octets do not matter.
    fn is_over(&self) -> bool {
        self.seen.len() == WINDOW
    }
}
