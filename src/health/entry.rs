//! One probed address: the state that verdicts made of it, and its own words about itself.

use std::time::Duration;

use smallvec::SmallVec;

use super::board::Showing;
use super::guard::Watched;
use super::spoken::{Readiness, Spoken};
use super::tracker::{State, Tracker, Turned, Verdict};
use crate::clock::Moment;
use crate::zone::Check;

/// The part of its weight that a slow start begins with, in percent.
const SLOW_START_FROM: u32 = 10;
/// The shortest TTL that TTLs are cut to, in seconds: some resolvers round shorter ones up.
const TTL_MIN: u64 = 5;

/// The numbers of sheets, each with one of a binding on it. Up to two pairs need no allocation.
pub(super) type Shown = SmallVec<[(u32, u32); 2]>;

/// One probed address.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) tracker: Tracker,
    pub(super) watched: Watched,
    spoken: Spoken,
    /// The beginning of its state, in which its own words count.
    pub(super) since: Moment,
    /// The words for the last turn of its state.
    pub(super) reason: Option<Box<str>>,
    /// The beginning of its slow start; `None` if there is none.
    rising: Option<Moment>,
    /// The part of its weight that the slow start allows, in percent.
    risen: u8,
    /// The bindings that show it.
    pub(super) shown: Shown,
}

/// The parts of an entry that decide what boards show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Effect {
    pub(super) state: State,
    is_drained: bool,
    percent: u8,
    ttl_max: Option<u16>,
}

/// The findings of another check on an endpoint's address.
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

impl Effect {
    /// Makes a standing in `state` with nothing adjusted.
    pub(super) fn of(state: State) -> Self {
        Self { state, is_drained: false, percent: 100, ttl_max: None }
    }

    /// Combines two standings: the state of `self`, either drain, the lower percentage and TTL.
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

    /// Makes an entry that starts from the findings of another check until its first verdict. It
    /// takes the endpoint's words over only if `check` listens to an agent.
    pub(super) fn starting_from(found: Found, check: &Check, now: Moment) -> Self {
        let Found { state, spoken } = found;
        let entry = Self::new(Tracker::starting_from(state, now), now);
        match check.agent {
            Some(_) => Self { spoken, ..entry },
            None => entry,
        }
    }

    /// Returns the findings so far.
    pub(super) fn found(&self) -> Found {
        Found { state: self.tracker.state(), spoken: self.spoken }
    }

    /// Returns the state: up, down or unknown. The endpoint's own words count as well as verdicts.
    pub(super) fn state(&self) -> State {
        match self.spoken.readiness {
            Readiness::Down | Readiness::Maintenance => State::Down,
            Readiness::Ready | Readiness::Drain => self.tracker.state(),
        }
    }

    pub(super) fn standing(&self, check: &Check) -> Effect {
        let until = self.tracker.failed().map(|failed| check.until_down(failed));
        let secs = |until: Duration| until.as_secs() + u64::from(until.subsec_nanos() > 0);
        Effect {
            state: self.state(),
            is_drained: self.spoken.readiness == Readiness::Drain,
            percent: self.risen.min(self.spoken.percent),
            ttl_max: until.and_then(|until| u16::try_from(secs(until).max(TTL_MIN)).ok()),
        }
    }

    /// Returns to the state `to`, because the verdicts that left it are not believed.
    pub(super) fn turn_back(&mut self, to: State, now: Moment) -> Turned {
        (self.rising, self.risen, self.since, self.reason) = (None, 100, now, None);
        self.tracker.turn_back(to, now)
    }

    /// Takes in one verdict and the words that came with it; returns the turn, if there is one.
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
        // Its own words may hide a turn of the tracker, or be a turn themselves.
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

    /// Sets the part of its weight that counts, which grows the longer it is up.
    fn rise(&mut self, slow_start: Duration, now: Moment) {
        let Some(since) = self.rising else { return };
        let part = now.since(since).as_secs_f64() / slow_start.as_secs_f64();
        if part >= 1.0 || self.state() == State::Down {
            (self.rising, self.risen) = (None, 100);
            return;
        }
        self.risen = ((part * 100.0) as u32).max(SLOW_START_FROM) as u8;
    }

    /// Returns its last words about itself.
    pub(super) fn spoken(&self) -> Spoken {
        self.spoken
    }
}
