//! One probed address: what verdicts made of it, and what it says of itself.

use std::time::Duration;

use smallvec::SmallVec;

use super::board::Showing;
use super::guard::Watched;
use super::spoken::{Readiness, Spoken};
use super::tracker::{State, Tracker, Turned, Verdict};
use crate::clock::Moment;
use crate::zone::Check;

/// The part of its weight that an endpoint starts slowly with, in percent.
const SLOW_START_FROM: u32 = 10;
/// TTLs are never cut shorter than this, in seconds: below it some resolvers round up.
const TTL_MIN: u64 = 5;

/// Numbers of sheets, and of bindings on them; mostly one, which needs no allocation.
pub(super) type Shown = SmallVec<[(u32, u32); 2]>;

/// One probed address.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) tracker: Tracker,
    pub(super) watched: Watched,
    spoken: Spoken,
    /// When its state began, what it says of itself included.
    pub(super) since: Moment,
    /// The words for what last turned its state.
    pub(super) reason: Option<Box<str>>,
    /// Since when it starts slowly.
    rising: Option<Moment>,
    /// Which part of its weight that is, in percent.
    risen: u8,
    /// What shows it.
    pub(super) shown: Shown,
}

/// What of an entry bears on what is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) state: State,
    is_drained: bool,
    percent: u8,
    ttl_max: Option<u16>,
}

/// What another check found of an endpoint's address.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    state: State,
    spoken: Spoken,
}

impl Default for Found {
    fn default() -> Self {
        Self { state: State::Unknown, spoken: Spoken::default() }
    }
}

impl Standing {
    /// That of an endpoint whose `state` nothing probes.
    pub(super) fn of(state: State) -> Self {
        Self { state, is_drained: false, percent: 100, ttl_max: None }
    }

    /// What is shown of an endpoint that all of `self` and `other` bear on.
    pub(super) fn with(self, other: Self) -> Self {
        let ttls = [self.ttl_max, other.ttl_max];
        Self {
            state: self.state,
            is_drained: self.is_drained || other.is_drained,
            percent: self.percent.min(other.percent),
            ttl_max: ttls.into_iter().flatten().min(),
        }
    }

    pub(super) fn showing(self) -> Showing {
        let (may_serve, is_drained) = (self.state.may_serve(), self.is_drained);
        Showing {
            may_serve: may_serve && !is_drained,
            is_drained: may_serve && is_drained,
            percent: self.percent,
            ttl_max: self.ttl_max.filter(|_| may_serve),
        }
    }
}

impl Entry {
    pub(super) fn new(tracker: Tracker, now: Moment) -> Self {
        Self {
            tracker,
            since: now,
            reason: None,
            watched: Watched::default(),
            spoken: Spoken::default(),
            rising: None,
            risen: 100,
            shown: Shown::new(),
        }
    }

    /// Begins with what another check found, until the first verdict.
    pub(super) fn starting_from(found: Found, check: &Check, now: Moment) -> Self {
        let Found { state, spoken } = found;
        let entry = Self::new(Tracker::starting_from(state, now), now);
        match check.agent {
            Some(_) => Self { spoken, ..entry },
            None => entry,
        }
    }

    /// What was found so far.
    pub(super) fn found(&self) -> Found {
        Found { state: self.tracker.state(), spoken: self.spoken }
    }

    /// Up, down or unknown: what it says of itself counts as well as what verdicts say.
    pub(super) fn state(&self) -> State {
        match self.spoken.readiness {
            Readiness::Down | Readiness::Maintenance => State::Down,
            Readiness::Ready | Readiness::Drain => self.tracker.state(),
        }
    }

    pub(super) fn standing(&self, check: &Check) -> Standing {
        let until = self.tracker.failed().map(|failed| check.until_down(failed));
        let secs = |until: Duration| until.as_secs() + u64::from(until.subsec_nanos() > 0);
        Standing {
            state: self.state(),
            is_drained: self.spoken.readiness == Readiness::Drain,
            percent: self.risen.min(self.spoken.percent),
            ttl_max: until.and_then(|until| u16::try_from(secs(until).max(TTL_MIN)).ok()),
        }
    }

    /// Puts a state back that verdicts had turned which are not believed.
    pub(super) fn turn_back(&mut self, to: State, now: Moment) -> Turned {
        (self.rising, self.risen, self.since, self.reason) = (None, 100, now, None);
        self.tracker.turn_back(to, now)
    }

    /// Takes one verdict in, and what came with it; what that turned, if anything.
    pub(super) fn apply(
        &mut self,
        (verdict, spoken): (Verdict, Option<Spoken>),
        check: &Check,
        now: Moment,
    ) -> Option<Turned> {
        let (before, since) = (self.state(), self.since);
        if let Some(spoken) = spoken {
            self.spoken = spoken;
        }
        let turned = self.tracker.apply(verdict, check, now);
        let after = self.state();
        if before == State::Down && after == State::Up && !check.slow_start.is_zero() {
            self.rising = Some(now);
        }
        self.rise(check.slow_start, now);
        if before != after {
            self.since = now;
        }
        // What it says of itself may hide a turn, or be one.
        match turned {
            Some(turned) if turned.is_held => Some(turned),
            _ if before == after => None,
            Some(turned) if (turned.from, turned.to) == (before, after) => Some(turned),
            _ => {
                let lasted = now.since(since);
                let (is_held, is_spoken) = (false, turned.is_none());
                Some(Turned { from: before, to: after, lasted, is_held, is_spoken })
            }
        }
    }

    /// Which part of its weight counts, the longer it is up the more.
    fn rise(&mut self, slow_start: Duration, now: Moment) {
        let Some(since) = self.rising else { return };
        let part = now.since(since).as_secs_f64() / slow_start.as_secs_f64();
        if part >= 1.0 || self.state() == State::Down {
            (self.rising, self.risen) = (None, 100);
            return;
        }
        self.risen = ((part * 100.0) as u32).max(SLOW_START_FROM) as u8;
    }

    /// What it says of itself.
    pub(super) fn spoken(&self) -> Spoken {
        self.spoken
    }
}
