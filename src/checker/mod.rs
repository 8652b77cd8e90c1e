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
use crate::health::{Probed, State, Table, Verdict};
use probe::{Outlets, Prober};
use schedule::Grid;

/// What one probe found.
#[derive(Clone, Debug)]
pub struct Report {
    /// What was probed.
    pub probed: Probed,
    /// Whether the check passed.
    pub verdict: Verdict,
    /// Why.
    pub reason: Reason,
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
    let prober = Prober::new(&probed, &shared.outlets);
    let grid = Grid::new(&probed, shared.epoch);
    let first = shared.probe(&prober, &probed).await;
    let mut due = grid.second(first);
    loop {
        tokio::time::sleep_until(due).await;
        shared.probe(&prober, &probed).await;
        due = grid.next(due, Instant::now());
    }
}

impl Shared {
    /// One probe and all that follows from it; returns when it started.
    async fn probe(&self, prober: &Prober, probed: &Probed) -> Instant {
        // Never closed, so never an error; waiting here is not part of the probe's timeout.
        let permit = self.permits.acquire().await;
        let started = Instant::now();
        let outcome = prober.probe().await;
        drop(permit);
        let (verdict, reason) = match outcome {
            Ok(reason) => (Verdict::Pass, reason),
            // No verdict: what this machine lacks says nothing of the endpoint.
            Err(reason @ Reason::Local) => {
                self.complain(probed, &reason);
                return started;
            }
            Err(reason) => (Verdict::Fail, reason),
        };
        self.take(Report { probed: probed.clone(), verdict, reason, took: started.elapsed() });
        started
    }

    fn complain(&self, probed: &Probed, reason: &Reason) {
        let admitted = self.complaints.lock().unwrap_or_else(PoisonError::into_inner).admit();
        if let Some(unsaid) = admitted {
            journal::unable(probed, reason, unsaid);
        }
    }

    fn take(&self, report: Report) {
        journal::probed(&report);
        let turn = self.table().apply(&report.probed, report.verdict, self.clock.now());
        if let Some(turn) = turn {
            if turn.from == State::Unknown {
                self.first_verdict.notify_waiters();
            }
            journal::turned(&report, &turn);
        }
    }

    /// A panic elsewhere does not stop the checks: every change of a table is complete or not made.
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
