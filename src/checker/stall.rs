//! The times when this process stood still: probes that failed then may have been fine.
//!
//! A virtual machine that is moved, a process that is stopped and goes on, a core that other
//! programs keep busy: to a probe each of them looks like a peer that does not answer.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// The interval between two readings of the clock.
const TICK: Duration = Duration::from_millis(100);
/// The longest delay that is usual, and so does not count.
const USUAL: Duration = Duration::from_millis(50);

/// A counter of the time that the process stood still.
#[derive(Debug)]
pub(super) struct Stalls {
    epoch: Instant,
    /// The time in all, in nanoseconds.
    total: AtomicU64,
    /// The time when the next reading is due, in nanoseconds from `epoch`.
    due: AtomicU64,
}

impl Stalls {
    pub(super) fn new() -> Self {
        Self { epoch: Instant::now(), total: AtomicU64::new(0), due: AtomicU64::new(u64::MAX) }
    }

    /// Returns how long the process has stood still since it began, including a standstill that has
    /// just ended and that [`Stalls::watch`] has not noticed yet.
    pub(super) fn total(&self) -> Duration {
        let total = self.total.load(Ordering::Acquire);
        Duration::from_nanos(total) + self.late(self.due.load(Ordering::Acquire))
    }

    /// Returns how much later than `due` it is; zero if no more than [`USUAL`].
    fn late(&self, due: u64) -> Duration {
        let due = Duration::from_nanos(due);
        let late = self.epoch.elapsed().saturating_sub(due);
        if late > USUAL { late } else { Duration::ZERO }
    }

    /// Reads the clock again and again; never ends.
    pub(super) async fn watch(&self) {
        loop {
            let due = self.epoch.elapsed() + TICK;
            let due_nanos = u64::try_from(due.as_nanos()).unwrap_or(u64::MAX);
            self.due.store(due_nanos, Ordering::Release);
            tokio::time::sleep_until(self.epoch + due).await;
            let late = self.late(due_nanos).as_nanos() as u64;
            // Not due again yet: otherwise a caller of `total` in between would count it twice.
            self.due.store(u64::MAX, Ordering::Release);
            self.total.fetch_add(late, Ordering::AcqRel);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn standing_still_is_noticed_at_once_and_counted_once() {
        let stalls = std::sync::Arc::new(Stalls::new());
        let watched = std::sync::Arc::clone(&stalls);
        tokio::spawn(async move { watched.watch().await });
        tokio::time::sleep(TICK).await;
        let before = stalls.total();
        let still = Duration::from_millis(700);
        std::thread::sleep(still);
        let at_once = stalls.total() - before;
        assert!(at_once >= still - 2 * TICK, "{at_once:?}");
        tokio::time::sleep(3 * TICK).await;
        let later = stalls.total() - before;
        assert!(later >= still - 2 * TICK && later <= at_once + 4 * TICK, "{later:?}");
    }
}
