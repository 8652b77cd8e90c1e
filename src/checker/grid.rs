//! The times of probes: each probed address has a grid of its own, so that probes spread out.
//!
//! ```text
//! epoch     first        half the way     grid             grid
//!   ├─ phase ─┼──────•────────◦─────────────┼────────────────┼──▶
//! ```
//!
//! The phase depends only on the address and what is asked of it. Between the starts of two probes
//! there is never more than an interval and, at first, never less than half of one. With jitter a
//! probe begins later than its point by as much.

use std::time::Duration;

use tokio::time::Instant;

use crate::health::Probed;
use crate::zone::Check;

/// The unit of phases: probes that would begin at about the same time begin together, because
/// waking up costs as much as a good part of a probe.
const BEAT: Duration = Duration::from_millis(10);
/// The fewest beats of an interval. Short intervals have shorter beats, so that probes spread.
const BEATS: u64 = 64;

/// The offset of a probed address's points in the interval, in nanoseconds; the same in every run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Phase(u64);

impl Phase {
    /// Returns the phase of `probed`.
    ///
    /// # Cost
    /// A hash over all that is asked of the address.
    pub(super) fn of(probed: &Probed) -> Self {
        let interval = u64::try_from(probed.check.interval.as_nanos()).unwrap_or(u64::MAX);
        let phase = probed.fingerprint() % interval.max(1);
        let beat = (BEAT.as_nanos() as u64).min(interval / BEATS).max(1);
        Self(phase - phase % beat)
    }
}

/// The instants `epoch + phase + n × interval`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grid {
    origin: Instant,
    phase: Phase,
    interval: Duration,
}

impl Grid {
    pub(super) fn new(epoch: Instant, phase: Phase, check: &Check) -> Self {
        let origin = epoch + Duration::from_nanos(phase.0);
        Self { origin, phase, interval: check.interval }
    }

    /// Returns the time of a probe without haste: the first one, or the next after a standstill.
    pub(super) fn first(&self, now: Instant) -> Instant {
        self.at_or_after(now)
    }

    /// Returns the time of the second probe; the first one started at `first`.
    pub(super) fn second(&self, first: Instant) -> Instant {
        let point = self.at_or_after(first + self.interval / 2);
        let wait = point - first;
        if wait > self.interval { first + wait / 2 } else { point }
    }

    /// Returns the time of the next probe; the one that was due at `due` is over by `now`.
    ///
    /// Points that have passed are skipped, except one that is late by at most half an interval.
    /// That one is made up for at once, so that a probe that took its whole interval does not halve
    /// the pace.
    pub(super) fn next(&self, due: Instant, now: Instant) -> Instant {
        let next = self.at_or_after(due + Duration::from_nanos(1));
        let made_up_for = now.checked_sub(self.interval / 2).unwrap_or(next);
        next.max(self.at_or_after(made_up_for))
    }

    /// Returns how much later than `point` to begin, less than `most`. It is as good as random, but
    /// the same for the same point.
    pub(super) fn jitter(&self, point: Instant, most: Duration) -> Duration {
        if most.is_zero() {
            return Duration::ZERO;
        }
        let place = point.saturating_duration_since(self.origin).as_nanos() as u64;
        let seed = self.phase.0.rotate_left(32) ^ place;
        Duration::from_nanos(fastrand::Rng::with_seed(seed).u64(..most.as_nanos() as u64))
    }

    fn at_or_after(&self, instant: Instant) -> Instant {
        let Some(elapsed) = instant.checked_duration_since(self.origin) else {
            return self.origin;
        };
        let over = elapsed.as_nanos() % self.interval.as_nanos().max(1);
        match u64::try_from(over) {
            Ok(0) | Err(_) => instant,
            Ok(over) => instant + (self.interval - Duration::from_nanos(over)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};
    use std::sync::Arc;

    use super::*;
    use crate::zone::{Check, CheckKind, TcpCheck};

    const INTERVAL: Duration = Duration::from_secs(5);

    fn probed(host: u8) -> Probed {
        let check = Check {
            interval: INTERVAL,
            timeout: Duration::from_secs(2),
            rise: 1,
            fall: 1,
            ..Check::new(CheckKind::Tcp(TcpCheck { send: None, expect: None }))
        };
        let address = SocketAddr::from((Ipv4Addr::new(192, 0, 2, host), 80));
        Probed { address, check: Arc::new(check) }
    }

    #[test]
    fn a_phase_is_the_same_in_every_run() {
        assert_eq!(Phase::of(&probed(1)), Phase::of(&probed(1)));
        assert_eq!(probed(1).fingerprint(), 13_521_538_560_064_064_946);
    }

    #[test]
    fn phases_spread_over_the_interval() {
        let mut tenths = [0; 10];
        for host in 0..=255 {
            let phase = Duration::from_nanos(Phase::of(&probed(host)).0);
            assert!(phase < INTERVAL);
            assert_eq!(phase.as_nanos() % BEAT.as_nanos(), 0, "with others of the same beat");
            tenths[(phase.as_nanos() * 10 / INTERVAL.as_nanos()) as usize] += 1;
        }
        assert!(tenths.iter().all(|count| (10..=45).contains(count)), "{tenths:?}");
    }

    #[test]
    fn the_second_probe_comes_after_half_an_interval_to_one_and_the_third_on_the_grid() {
        let epoch = Instant::now();
        for host in 0..=255 {
            let grid = Grid::new(epoch, Phase::of(&probed(host)), &probed(host).check);
            let first = epoch + Duration::from_millis(u64::from(host) * 77);
            let second = grid.second(first);
            assert!(second - first >= INTERVAL / 2 && second - first <= INTERVAL);
            let third = grid.next(second, second);
            assert!(third - second >= INTERVAL / 2 && third - second <= INTERVAL);
            assert_eq!((third - grid.origin).as_nanos() % INTERVAL.as_nanos(), 0);
        }
    }

    #[test]
    fn jitter_is_even_and_only_where_it_is_asked_for() {
        let grid = Grid { origin: Instant::now(), phase: Phase(7), interval: INTERVAL };
        let most = INTERVAL / 10;
        let late = |point: u32| grid.jitter(grid.origin + INTERVAL * point, most);
        assert!((0..1000).all(|point| late(point) < most && late(point) == late(point)));
        let sum: Duration = (0..1000).map(late).sum();
        assert!((sum / 1000).abs_diff(most / 2) < most / 20, "{sum:?}");
        assert_eq!(grid.jitter(grid.origin, Duration::ZERO), Duration::ZERO);
    }

    #[test]
    fn ticks_missed_are_skipped_but_one_that_is_hardly_late_is_not() {
        let grid = Grid { origin: Instant::now(), phase: Phase(0), interval: INTERVAL };
        let at = |millis| grid.origin + Duration::from_millis(millis);
        assert_eq!(grid.next(at(0), at(300)), at(5000), "in time");
        assert_eq!(grid.next(at(0), at(5001)), at(5000), "a probe that took its whole interval");
        assert_eq!(grid.next(at(0), at(9000)), at(10_000), "too late for the one at 5 s");
        assert_eq!(grid.next(at(0), at(61_000)), at(60_000), "no burst after a long standstill");
    }
}
