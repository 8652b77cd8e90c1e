//! The only file that reads the time by which anything is answered, checked or awaited.
//!
//! Everything below the outside world takes a [`Moment`] as an argument; who needs to read one
//! holds a [`Clock`]. Tests hold a manual one.

mod day;
mod seldom;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

pub use day::date;
pub use seldom::{Seldom, and_more};

/// A point in time: how long after the clock was made. Monotonic; wall-clock jumps do not move it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(Duration);

impl Moment {
    /// The moment `elapsed` after the clock was made.
    pub const fn at(elapsed: Duration) -> Self {
        Self(elapsed)
    }

    /// The moment `later` after this one.
    pub fn after(self, later: Duration) -> Self {
        Self(self.0.saturating_add(later))
    }

    /// How long after `earlier` this is; zero if it is not.
    pub fn since(self, earlier: Moment) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// Something to read the time from.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System(Instant),
    Manual(Arc<AtomicU64>),
}

impl Clock {
    /// The system's monotonic clock, starting now.
    pub fn system() -> Self {
        Self(Source::System(Instant::now()))
    }

    /// A clock that stands still until [`Clock::advance`].
    pub fn manual() -> Self {
        Self(Source::Manual(Arc::new(AtomicU64::new(0))))
    }

    /// The time.
    pub fn now(&self) -> Moment {
        Moment(match &self.0 {
            Source::System(start) => start.elapsed(),
            Source::Manual(nanos) => Duration::from_nanos(nanos.load(Ordering::SeqCst)),
        })
    }

    /// The wall clock: seconds since 1970, modulo 2³²; of a manual clock, since it was made.
    pub fn unix(&self) -> u32 {
        let since_1970 = match &self.0 {
            Source::System(_) => SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(),
            Source::Manual(_) => self.now().0,
        };
        since_1970.as_secs() as u32
    }

    /// Moves a manual clock, and all its clones, on by `step`; a system clock moves by itself.
    pub fn advance(&self, step: Duration) {
        if let Source::Manual(nanos) = &self.0 {
            nanos.fetch_add(step.as_nanos() as u64, Ordering::SeqCst);
        }
    }
}
