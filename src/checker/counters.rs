//! The numbers of the checker's work, for metrics and measurements.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::zone::Check;

/// The number of classes of durations, with the one above all bounds.
const CLASSES: usize = 16;

/// Durations, counted by class.
#[derive(Debug, Default)]
pub(super) struct Histogram {
    counts: [AtomicU64; CLASSES],
    /// The sum of all, in nanoseconds.
    sum: AtomicU64,
}

/// A histogram of durations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// The number of durations in each class: above the bound before, and not above the one at the
    /// same index of [`Times::BOUNDS`]. The last class has no bound.
    pub counts: [u64; CLASSES],
    /// The sum of all durations.
    pub sum: Duration,
}

impl Times {
    /// The longest duration of each class but the last.
    pub const BOUNDS: [Duration; CLASSES - 1] = {
        let millis = Duration::from_millis;
        [
            Duration::from_micros(100),
            Duration::from_micros(250),
            Duration::from_micros(500),
            millis(1),
            millis(2),
            millis(5),
            millis(10),
            millis(20),
            millis(50),
            millis(100),
            millis(250),
            millis(500),
            millis(1000),
            millis(2500),
            millis(5000),
        ]
    };

    /// Returns the number of durations.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Returns the bound that this `share` of the durations, 0 to 1, does not exceed; `None` if no
    /// bound is so high, or there are no durations.
    pub fn bound_of(&self, share: f64) -> Option<Duration> {
        let enough = (self.count() as f64 * share).ceil() as u64;
        let mut seen = 0;
        let class = self.counts.iter().position(|count| {
            seen += count;
            seen >= enough && seen > 0
        });
        Self::BOUNDS.get(class?).copied()
    }
}

impl Histogram {
    pub(super) fn count(&self, time: Duration) {
        let class = Times::BOUNDS.partition_point(|bound| *bound < time);
        if let Some(count) = self.counts.get(class) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.sum.fetch_add(nanos, Ordering::Relaxed);
    }

    pub(super) fn read(&self) -> Times {
        Times {
            counts: self.counts.each_ref().map(|count| count.load(Ordering::Relaxed)),
            sum: Duration::from_nanos(self.sum.load(Ordering::Relaxed)),
        }
    }
}

/// The end of a probe, for counting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Passed,
    Failed,
    /// This machine could not carry it out, or stood still.
    Unable,
}

/// The counters of one check, over all its addresses.
#[derive(Debug, Default)]
pub(super) struct Counters {
    passed: AtomicU64,
    failed: AtomicU64,
    unable: AtomicU64,
    took: Histogram,
}

/// The counts of one check, for as long as anything is probed by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    /// The check.
    pub check: Arc<Check>,
    /// Probes that passed.
    pub passed: u64,
    /// Probes that failed.
    pub failed: u64,
    /// Probes that this machine could not carry out, or during which it stood still: they say
    /// nothing of their address.
    pub unable: u64,
    /// The durations of the probes that passed or failed.
    pub took: Times,
}

impl Counters {
    pub(super) fn count(&self, ending: Ending, took: Duration) {
        let count = match ending {
            Ending::Passed => &self.passed,
            Ending::Failed => &self.failed,
            Ending::Unable => &self.unable,
        };
        count.fetch_add(1, Ordering::Relaxed);
        if ending != Ending::Unable {
            self.took.count(took);
        }
    }

    pub(super) fn read(&self, check: &Arc<Check>) -> Counted {
        Counted {
            check: Arc::clone(check),
            passed: self.passed.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            unable: self.unable.load(Ordering::Relaxed),
            took: self.took.read(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_counts_in_the_class_whose_bound_it_does_not_exceed() {
        let histogram = Histogram::default();
        assert_eq!(histogram.read().bound_of(0.99), None, "nothing was counted");
        for millis in [1, 1, 2, 3, 6000] {
            histogram.count(Duration::from_millis(millis));
        }
        let times = histogram.read();
        assert_eq!((times.count(), times.sum), (5, Duration::from_millis(6007)));
        assert_eq!(times.bound_of(0.4), Some(Duration::from_millis(1)));
        assert_eq!(times.bound_of(0.6), Some(Duration::from_millis(2)));
        assert_eq!(times.bound_of(0.8), Some(Duration::from_millis(5)));
        assert_eq!(times.bound_of(0.99), None, "six seconds are above all bounds");
    }
}
