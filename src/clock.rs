//! The clock. Apart from `transport`, `checker`, `server` and `cli`, no other module reads the
//! time.
//!
//! All others take a [`Moment`] as an argument. Code that must read the time holds a [`Clock`];
//! tests hold a manual one.

mod day;
mod seldom;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

pub use day::date;
pub use seldom::{LogThrottle, and_more};

/// A point in time, as the time since the clock was made. Monotonic: wall-clock jumps do not move
/// it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(Duration);

impl Moment {
    /// Returns the moment `elapsed` after the clock was made.
    pub const fn at(elapsed: Duration) -> Self {
        Self(elapsed)
    }

    /// Returns the moment `later` after this one.
    pub fn after(self, later: Duration) -> Self {
        Self(self.0.saturating_add(later))
    }

    /// Returns the time from `earlier` to this moment; zero if `earlier` is later.
    pub fn since(self, earlier: Moment) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// A source of the time.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System(Instant),
    Manual(Arc<AtomicU64>),
}

impl Clock {
    /// Returns the system's monotonic clock, starting now.
    pub fn system() -> Self {
        Self(Source::System(Instant::now()))
    }

    /// Returns a clock that stands still until [`Clock::advance`].
    pub fn manual() -> Self {
        Self(Source::Manual(Arc::new(AtomicU64::new(0))))
    }

    /// Returns the time since the clock was made.
    pub fn now(&self) -> Moment {
        Moment(match &self.0 {
            Source::System(start) => start.elapsed(),
            Source::Manual(nanos) => Duration::from_nanos(nanos.load(Ordering::SeqCst)),
        })
    }

    /// Returns the wall clock: seconds since 1970, modulo 2³². For a manual clock, seconds since it
    /// was made.
    pub fn unix(&self) -> u32 {
        let since_1970 = match &self.0 {
            Source::System(_) => SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(),
            Source::Manual(_) => self.now().0,
        };
        since_1970.as_secs() as u32
    }

    /// Moves a manual clock and all its clones forward by `step`; does nothing to a system clock.
    pub fn advance(&self, step: Duration) {
        if let Source::Manual(nanos) = &self.0 {
            nanos.fetch_add(step.as_nanos() as u64, Ordering::SeqCst);
        }
    }
}
