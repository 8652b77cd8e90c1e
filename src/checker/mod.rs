//! The active checks: probes everything the table holds, and feeds it the verdicts.
//!
//! ```text
//! Table::probed ─ sync ─▶ a task each: schedule ─▶ probe ─▶ Report ─▶ Table::apply ─▶ log line
//! ```
//!
//! One task per probed address, one probe at a time in each, a limit on probes over all. Not here:
//! rise and fall (`health`), what a check says (`zone`).

mod journal;
mod probe;
mod schedule;
mod stall;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Instant;

pub use probe::{Reason, TlsFailure};

use crate::clock::{Clock, Seldom};
use crate::health::{Probed, Spoken, State, Table, Verdict};
use probe::{Outlets, Passed, Prober};
use schedule::Grid;
use stall::Stalls;

/// A probe that fails is not believed if this machine stood still for more than such a part of its
/// timeout.
const STALL_PART: u32 = 4;

/// What one probe found.
#[derive(Clone, Debug)]
pub struct Report {
    /// What was probed.
    pub probed: Probed,
    /// Whether the check passed.
    pub verdict: Verdict,
    /// Why.
    pub reason: Reason,
    /// What the endpoint says of itself, and why, if it may.
    pub spoken: Option<(Spoken, Option<String>)>,
    /// From the probe's start to its verdict; the wait for the concurrency limit is not in it.
    pub took: Duration,
}

/// Probes everything its table holds.
///
/// ## Timing
/// As long as the concurrency limit does not bind, an endpoint that dies is down within
/// `interval × fall + timeout`, and up again within `interval × rise` of coming back.
///
/// ## Ending
/// Dropping it ends its tasks; [`Checker::stop`] also waits for their end.
#[derive(Debug)]
pub struct Checker {
    shared: Arc<Shared>,
    tasks: JoinSet<()>,
    running: HashMap<Probed, AbortHandle>,
}

/// What the tasks share.
#[derive(Debug)]
struct Shared {
    clock: Clock,
    table: Arc<Mutex<Table>>,
    outlets: Outlets,
    /// One permit per probe under way.
    permits: Semaphore,
    /// What the grids of all probed addresses count from.
    epoch: Instant,
    /// Told whenever an address gets its first verdict.
    first_verdict: Notify,
    /// Probes that this machine could not carry out.
    complaints: Mutex<Seldom>,
    stalls: Stalls,
}

impl Checker {
    /// A checker that probes nothing until [`Checker::sync`], and then at most `concurrency`
    /// addresses at a time (at least one).
    pub fn new(clock: Clock, table: Arc<Mutex<Table>>, concurrency: usize) -> Self {
        let shared = Shared {
            complaints: Mutex::new(Seldom::new(clock.clone())),
            clock,
            table,
            outlets: Outlets::new(),
            permits: Semaphore::new(concurrency.clamp(1, Semaphore::MAX_PERMITS)),
            epoch: Instant::now(),
            first_verdict: Notify::new(),
            stalls: Stalls::new(),
        };
        Self { shared: Arc::new(shared), tasks: JoinSet::new(), running: HashMap::new() }
    }

    /// Starts to probe what the table holds and is not probed yet, and stops what it no longer
    /// holds. What stays keeps its task and its phase.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn sync(&mut self) {
        while self.tasks.try_join_next().is_some() {}
        if self.tasks.is_empty() {
            let shared = Arc::clone(&self.shared);
            self.tasks.spawn(async move { shared.stalls.watch().await });
        }
        let wanted: HashSet<Probed> = self.shared.table().probed().cloned().collect();
        self.running.retain(|probed, task| {
            let stays = wanted.contains(probed);
            if !stays {
                task.abort();
            }
            stays
        });
        for probed in wanted {
            if !self.running.contains_key(&probed) {
                let task = self.tasks.spawn(watch(Arc::clone(&self.shared), probed.clone()));
                self.running.insert(probed, task);
            }
        }
    }

    /// Waits until nothing in the table is unknown any more; `false` if that takes longer than
    /// `at_most`.
    pub async fn first_verdicts(&self, at_most: Duration) -> bool {
        let all_known = async {
            loop {
                // Listens before it looks, so that no verdict falls in between.
                let told = self.shared.first_verdict.notified();
                if self.shared.table().undecided_count() == 0 {
                    return;
                }
                told.await;
            }
        };
        tokio::time::timeout(at_most, all_known).await.is_ok()
    }

    /// Ends all probes, under way or not, and waits until they have ended.
    pub async fn stop(mut self) {
        self.tasks.shutdown().await;
    }
}

/// Probes one address for as long as it lives.
async fn watch(shared: Arc<Shared>, probed: Probed) {
    let prober = Prober::new(&probed.check, &shared.outlets);
    let grid = Grid::new(&probed, shared.epoch);
    if shared.table().is_known(&probed) {
        // Kept from before: no haste, so that a restart does not probe everything at once.
        tokio::time::sleep_until(grid.first(Instant::now())).await;
    }
    let mut last = shared.probe(&prober, &probed).await;
    let mut due = grid.second(last.started);
    loop {
        // While the state is about to turn it is worth a look before the next point of the grid.
        let sooner = probed.check.fast_interval.filter(|_| last.is_pending);
        let sooner = sooner.map(|fast| last.started + fast).filter(|sooner| *sooner < due);
        tokio::time::sleep_until(sooner.unwrap_or(due)).await;
        last = shared.probe(&prober, &probed).await;
        if sooner.is_none() {
            due = grid.next(due, Instant::now());
        }
    }
}

/// A probe that is over.
#[derive(Clone, Copy, Debug)]
struct Probe {
    started: Instant,
    /// Whether verdicts contradict the state, but not yet enough of them.
    is_pending: bool,
}

impl Shared {
    /// One probe and all that follows from it.
    async fn probe(&self, prober: &Prober, probed: &Probed) -> Probe {
        // Never closed, so never an error; waiting here is not part of the probe's timeout.
        let permit = self.permits.acquire().await;
        let (started, stalled) = (Instant::now(), self.stalls.total());
        let outcome = prober.probe(probed.address).await;
        drop(permit);
        let stalled = self.stalls.total().saturating_sub(stalled);
        let (verdict, reason, text) = match outcome {
            Ok(Passed { reason, text }) => (Verdict::Pass, reason, text),
            // No verdict: what this machine lacks says nothing of the endpoint.
            Err(reason @ Reason::Local) => return self.complain(probed, &reason, started),
            Err(_) if stalled > probed.check.timeout / STALL_PART => {
                return self.complain(probed, &Reason::Stalled(stalled), started);
            }
            Err(reason) => (Verdict::Fail, reason, Vec::new()),
        };
        let agent = probed.check.agent.as_ref().filter(|_| verdict == Verdict::Pass);
        let spoken = agent.map(|agent| Spoken::read(&text, agent));
        let took = started.elapsed();
        let is_pending =
            self.take(Report { probed: probed.clone(), verdict, reason, spoken, took });
        Probe { started, is_pending }
    }

    fn complain(&self, probed: &Probed, reason: &Reason, started: Instant) -> Probe {
        let admitted = self.complaints.lock().unwrap_or_else(PoisonError::into_inner).admit();
        if let Some(unsaid) = admitted {
            journal::unable(probed, reason, unsaid);
        }
        Probe { started, is_pending: false }
    }

    /// Tells the table, and the log; whether the state is about to turn.
    fn take(&self, report: Report) -> bool {
        journal::probed(&report);
        let said = report.spoken.as_ref();
        let found = (report.verdict, said.map(|(spoken, _)| *spoken));
        let applied = self.table().apply(&report.probed, found, self.clock.now());
        if let Some(guarded) = &applied.guarded {
            journal::guarded(guarded);
        }
        for turn in &applied.put_back {
            journal::put_back(turn);
        }
        if let Some((spoken, endpoints)) = &applied.spoken {
            let why = said.and_then(|(_, why)| why.as_deref());
            journal::spoken(*spoken, why, endpoints);
        }
        if let Some(turn) = &applied.turn {
            if turn.turned.from == State::Unknown {
                self.first_verdict.notify_waiters();
            }
            journal::turned(&report, turn);
        }
        applied.is_pending
    }

    /// A panic elsewhere does not stop the checks: every change of a table is complete or not made.
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
