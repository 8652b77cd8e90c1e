//! The active checks: they probe everything that the table holds, and give it the verdicts.
//!
//! ```text
//! Table::probed ─ sync ─▶ Schedule ─ a future for each probe ─▶ Report ─▶ Table::apply ─▶ log line
//!                          ▲ └ Seats                      │
//!                          └─────────── finish ───────────┘
//! ```
//!
//! One task plans, and carries out the probes that are under way. An address that only waits is a
//! line of the plan. Rise and fall are the matter of `health`; the checks themselves of `zone`.

mod counters;
mod expiry;
mod grid;
mod idle;
mod journal;
mod probe;
mod schedule;
mod seats;
mod stall;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::Instant;

pub use counters::{Counted, Times};
pub use probe::{Reason, TlsFailure};
pub use schedule::Limits;

use crate::clock::{Clock, LogThrottle};
use crate::health::{AgentReply, Probed, Spoken, State, Table, Verdict};
use crate::x509::Validity;
use crate::zone::{Agent, Reach};
use counters::{Ending, Histogram};
use expiry::DailyNotices;
use idle::IdleWords;
use probe::{Outlets, Parting, Passed, Prober};
use schedule::{Finish, Schedule, Start, Watch};
use stall::Stalls;

/// The divisor of a check's timeout: a failed probe is not believed if this machine stood still for
/// more than that part of the timeout.
const STALL_PART: u32 = 4;

/// The most connections that checks keep for later probes.
pub const KEPT_MAX: usize = probe::KEPT_MAX;

/// The pause before the checks start again after a panic.
const AGAIN_AFTER: Duration = Duration::from_millis(100);

/// The findings of one probe.
#[derive(Clone, Debug)]
pub struct Report {
    /// The address and the check.
    pub probed: Probed,
    /// The result: passed or failed.
    pub verdict: Verdict,
    /// The reason of the verdict.
    pub reason: Reason,
    /// The endpoint's words about itself, and its reason; `None` if it said none or may not speak.
    pub spoken: Option<(Spoken, Option<String>)>,
    /// The time from the probe's start to its verdict, without the wait for the concurrency limit.
    pub took: Duration,
}

/// A checker, which probes everything that its table holds.
///
/// ## Timing
/// As long as the limits do not bind, an endpoint that dies is down within `interval × fall +
/// jitter + timeout`. One that comes back is up within `interval × rise + jitter`, and the time of
/// a probe.
///
/// ## Cost
/// Some 120 octets for each address besides those of the table, and those of a probe under way.
///
/// ## Ending
/// Dropping it ends its tasks; [`Checker::stop`] also waits for their end.
#[derive(Debug)]
pub struct Checker {
    shared: Arc<Shared>,
    limits: Limits,
    tasks: JoinSet<()>,
}

/// The state that the tasks share.
#[derive(Debug)]
struct Shared {
    clock: Clock,
    table: Arc<Mutex<Table>>,
    outlets: Outlets,
    /// Notified whenever the table may hold other addresses than before.
    changed: Notify,
    /// Notified whenever a state that was unknown turns.
    first_verdict: Notify,
    /// A channel to tell when a state turns or is put back, or an endpoint says something new.
    shown: Option<SyncSender<()>>,
    /// The watches of all checks in use.
    watches: Mutex<Vec<Weak<Watch>>>,
    /// The delays between the planned and the real starts of probes.
    lateness: Histogram,
    /// The limiter of log lines on probes that this machine could not carry out.
    complaints: Mutex<LogThrottle>,
    stalls: Stalls,
    /// The certificates that end soon and that the operator was told of.
    expiring: DailyNotices,
    /// The words of agents that have no effect.
    idle: IdleWords,
}

impl Checker {
    /// Makes a checker that probes nothing until [`Checker::sync`]. From then on it probes as much
    /// at a time as `limits` allow, and nothing beyond `reach`.
    pub fn new(clock: Clock, table: Arc<Mutex<Table>>, limits: Limits, reach: Reach) -> Self {
        let shared = Shared {
            complaints: Mutex::new(LogThrottle::new(clock.clone())),
            clock,
            table,
            outlets: Outlets::new(reach),
            changed: Notify::new(),
            first_verdict: Notify::new(),
            shown: None,
            watches: Mutex::default(),
            lateness: Histogram::default(),
            stalls: Stalls::new(),
            expiring: DailyNotices::default(),
            idle: IdleWords::default(),
        };
        Self { shared: Arc::new(shared), limits, tasks: JoinSet::new() }
    }

    /// Lets the checker tell `shown`, without waiting, whenever a verdict turns a state, makes the
    /// guard put states back, or brings new words of an endpoint. Call it before [`Checker::sync`].
    pub fn telling(mut self, shown: SyncSender<()>) -> Self {
        if let Some(shared) = Arc::get_mut(&mut self.shared) {
            shared.shown = Some(shown);
        }
        self
    }

    /// Starts soon to probe what the table holds and is not probed yet, and ceases to probe what it
    /// no longer holds. An address that stays keeps its phase, and the probe that it has under way.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn sync(&mut self) {
        if self.tasks.is_empty() {
            let shared = Arc::clone(&self.shared);
            self.tasks.spawn(async move { shared.stalls.watch().await });
            let (shared, limits) = (Arc::clone(&self.shared), self.limits);
            self.tasks.spawn(again_if_it_panics(move || Arc::clone(&shared).run(limits)));
        }
        self.shared.changed.notify_one();
    }

    /// Waits until no address in the table waits for its first verdict; returns `false` if that
    /// takes longer than `at_most`.
    pub async fn first_verdicts(&self, at_most: Duration) -> bool {
        let all_known = async {
            loop {
                // It listens before it looks, so that no verdict falls in between.
                let told = self.shared.first_verdict.notified();
                if self.shared.table().undecided_count() == 0 {
                    return;
                }
                told.await;
            }
        };
        tokio::time::timeout(at_most, all_known).await.is_ok()
    }

    /// Returns the counters of every check in use.
    pub fn counted(&self) -> Vec<Counted> {
        let watches = self.shared.watches.lock().unwrap_or_else(PoisonError::into_inner);
        let alive = watches.iter().filter_map(Weak::upgrade);
        alive.map(|watch| watch.counters.read(&watch.check)).collect()
    }

    /// Returns the delays between the planned and the real starts of probes.
    pub fn lateness(&self) -> Times {
        self.shared.lateness.read()
    }

    /// Ends all probes, under way or not, and waits until they have ended.
    pub async fn stop(mut self) {
        self.tasks.shutdown().await;
    }
}

impl Shared {
    /// Begins probes as planned, and carries them out, for as long as it is polled.
    async fn run(self: Arc<Self>, limits: Limits) {
        let mut plan = Schedule::new(Instant::now(), limits);
        let mut probes = FuturesUnordered::new();
        // Partings run beside the plan: a server that is slow to close holds up no probe.
        let mut partings = FuturesUnordered::new();
        let mut timer = pin!(tokio::time::sleep_until(Instant::now()));
        self.sync(&mut plan);
        loop {
            let now = Instant::now();
            while let Some(start) = plan.start(now) {
                probes.push(self.probe(start));
            }
            let due = plan.next();
            if let Some(due) = due.filter(|due| *due != timer.deadline()) {
                timer.as_mut().reset(due);
            }
            tokio::select! {
                () = self.changed.notified() => self.sync(&mut plan),
                Some((finish, parting)) = probes.next() => {
                    plan.finish(finish, Instant::now());
                    partings.extend(parting.end());
                }
                Some(()) = partings.next() => {}
                () = &mut timer, if due.is_some() => {}
            }
            while let Some(Some((finish, parting))) = probes.next().now_or_never() {
                plan.finish(finish, Instant::now());
                partings.extend(parting.end());
            }
        }
    }

    /// Plans for the addresses that the table holds now.
    fn sync(&self, plan: &mut Schedule) {
        let wanted: HashMap<Probed, bool> =
            self.table().probed().map(|(probed, is_known)| (probed.clone(), is_known)).collect();
        self.idle.keep(|probed| wanted.contains_key(probed));
        let prober = |check: &_| Prober::new(check, &self.outlets);
        let watches = plan.sync(wanted, prober, Instant::now());
        let watches = watches.iter().map(Arc::downgrade).collect();
        *self.watches.lock().unwrap_or_else(PoisonError::into_inner) = watches;
    }

    /// Runs one probe and takes its outcome in; returns its end, and its connection to part from.
    async fn probe(&self, start: Start) -> (Finish, Parting) {
        let Start { slot, address, watch, wanted } = start;
        let (started, stalled) = (Instant::now(), self.stalls.total());
        self.lateness.count(started - wanted);
        let (outcome, parting) = watch.prober.probe(address).await;
        let stalled = self.stalls.total().saturating_sub(stalled);
        let took = started.elapsed();
        let probed = Probed { address, check: Arc::clone(&watch.check) };
        let judged = catch_unwind(AssertUnwindSafe(|| self.judge(probed, outcome, stalled, took)));
        // The panic has been reported already; the address is still probed.
        let (ending, is_pending) = judged.unwrap_or((Ending::Unable, false));
        watch.counters.count(ending, took);
        (Finish { slot, started, is_pending }, parting)
    }

    /// Judges the `outcome` of a probe that took `took`, and during which this process stood still
    /// for `stalled`. Returns how it counts, and whether the state is about to turn.
    fn judge(
        &self,
        probed: Probed,
        outcome: Result<Passed, Reason>,
        stalled: Duration,
        took: Duration,
    ) -> (Ending, bool) {
        let (verdict, reason, text) = match outcome {
            Ok(Passed { reason, text, validity }) => match self.expires(&probed, validity) {
                None => (Verdict::Pass, reason, text),
                Some(reason) => (Verdict::Fail, reason, Vec::new()),
            },
            // No verdict: a fault of this machine says nothing of the endpoint.
            Err(reason) if reason.is_local() => return self.complain(&probed, &reason),
            Err(_) if stalled > probed.check.timeout / STALL_PART => {
                return self.complain(&probed, &Reason::Stalled(stalled));
            }
            Err(reason) => (Verdict::Fail, reason, Vec::new()),
        };
        let agent = probed.check.agent.as_ref().filter(|_| verdict == Verdict::Pass);
        let spoken = agent.and_then(|agent| self.hear(&probed, &text, agent));
        let is_pending = self.take(Report { probed, verdict, reason, spoken, took });
        match verdict {
            Verdict::Pass => (Ending::Passed, is_pending),
            Verdict::Fail => (Ending::Failed, is_pending),
        }
    }

    /// Returns the reason if the check fails because its certificate ends too soon. Tells the
    /// operator when the end is near.
    fn expires(&self, probed: &Probed, validity: Option<Validity>) -> Option<Reason> {
        let (validity, tls) = validity.zip(probed.check.kind.tls())?;
        let now = i64::from(self.clock.unix());
        if let Some(left) = self.expiring.news(probed, tls.expiry, validity, now) {
            let endpoints = self.table().endpoints(probed);
            journal::expires(probed, &left, &endpoints);
        }
        expiry::fails(tls.expiry, validity, now)
    }

    /// Reads an endpoint's words about itself; `None` if they change nothing. Tells the operator
    /// once of a word without effect.
    fn hear(
        &self,
        probed: &Probed,
        text: &[u8],
        agent: &Agent,
    ) -> Option<(Spoken, Option<String>)> {
        let AgentReply { spoken, idle } = AgentReply::read(text, agent);
        if let Some(word) = self.idle.news(probed, idle.as_ref()) {
            let endpoints = self.table().endpoints(probed);
            journal::idle_word(&word, &endpoints);
        }
        spoken
    }

    fn complain(&self, probed: &Probed, reason: &Reason) -> (Ending, bool) {
        let admitted = self.complaints.lock().unwrap_or_else(PoisonError::into_inner).admit();
        if let Some(unsaid) = admitted {
            journal::unable(probed, reason, unsaid);
        }
        (Ending::Unable, false)
    }

    /// Gives the report to the table and the log; returns whether the state is about to turn.
    fn take(&self, report: Report) -> bool {
        journal::probed(&report);
        let said = report.spoken.as_ref();
        let found = (report.verdict, said.map(|(spoken, _)| *spoken));
        let applied = self.table().apply(&report.probed, found, self.clock.now());
        let is_shown =
            applied.turn.is_some() || applied.spoken.is_some() || !applied.put_back.is_empty();
        if let Some(shown) = self.shown.as_ref().filter(|_| is_shown) {
            // If the channel is full, its reader will look anyway.
            let _ = shown.try_send(());
        }
        if let Some(guarded) = &applied.guarded {
            journal::guarded(guarded);
        }
        for turn in &applied.put_back {
            journal::put_back(turn, applied.guarded.as_ref());
        }
        if let Some((spoken, endpoints)) = &applied.spoken {
            let why = said.and_then(|(_, why)| why.as_deref());
            journal::spoken(*spoken, why, endpoints);
        }
        if let Some(turn) = &applied.turn {
            if turn.turned.from == State::Unknown {
                self.first_verdict.notify_waiters();
            }
            self.table().note_reason(&report.probed, report.reason.to_string());
            journal::turned(&report, turn);
        }
        applied.is_pending
    }

    /// Locks the table. A panic elsewhere stops no checks: a change of a table is whole or not
    /// made.
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes one line for each endpoint's address and check: the state, since when, and why.
pub fn log_states(table: &Mutex<Table>, clock: &Clock) {
    // The table is not locked while lines are written: the checks need it.
    let found = table.lock().unwrap_or_else(PoisonError::into_inner).findings();
    journal::states(&found, clock.now());
}

/// Starts the task again whenever it panics, with all that it knew lost: without checks, dead
/// endpoints would be served.
async fn again_if_it_panics<F: Future<Output = ()>>(start: impl Fn() -> F) {
    while AssertUnwindSafe(start()).catch_unwind().await.is_err() {
        journal::begun_anew();
        tokio::time::sleep(AGAIN_AFTER).await;
    }
}
