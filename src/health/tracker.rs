//! Rise and fall: from verdicts to a state.

use std::fmt;
use std::time::Duration;

use crate::clock::Moment;
use crate::zone::{Check, Flap};

/// The result of one probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The check's expectation was met in time.
    Pass,
    /// The check's expectation was not met in time.
    Fail,
}

/// The state of an endpoint's address, as Waypost sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// No verdict yet; counts as up.
    Unknown,
    /// Answers may name it.
    Up,
    /// Answers must not name it while something else is up.
    Down,
}

impl State {
    /// Returns whether answers may name an address in this state.
    pub fn may_serve(self) -> bool {
        self != Self::Down
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "unknown",
            Self::Up => "up",
            Self::Down => "down",
        })
    }
}

/// The state machine of one probed address.
///
/// The first verdict decides at once. After that `rise` passes in a row turn down into up, and
/// `fall` fails in a row turn up into down. An address that turns too often is held down for a
/// while.
#[derive(Clone, Copy, Debug)]
pub struct Tracker {
    state: State,
    /// Whether no verdict has come yet.
    undecided: bool,
    /// The number of verdicts in a row that contradict `state`.
    against: u8,
    /// The number of turns since `first_turn`.
    turns: u8,
    /// The beginning of `state`.
    since: Moment,
    /// The time of the first turn that is counted.
    first_turn: Moment,
    /// The end of the time that it is held down; it stays set until the next turn.
    held_until: Option<Moment>,
}

/// A turn of a state: what a verdict did to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turned {
    /// The state left.
    pub from: State,
    /// The state entered; equal to `from` if it was to turn up and is held down instead.
    pub to: State,
    /// The time that the state left had lasted.
    pub lasted: Duration,
    /// Whether it turned too often, so that it is held down.
    pub is_held: bool,
    /// Whether the endpoint's own words turned it, and not verdicts.
    pub is_spoken: bool,
}

impl Tracker {
    /// Makes a tracker that has seen no verdict: the first one decides, whatever `state` it starts
    /// from.
    pub fn starting_from(state: State, now: Moment) -> Self {
        Self {
            state,
            undecided: true,
            against: 0,
            turns: 0,
            since: now,
            first_turn: now,
            held_until: None,
        }
    }

    /// Makes a tracker of an address that is known to be in `state`.
    pub fn resumed(state: State, now: Moment) -> Self {
        Self { undecided: false, ..Self::starting_from(state, now) }
    }

    /// Returns whether no verdict has come yet.
    pub fn is_undecided(&self) -> bool {
        self.undecided
    }

    /// Returns whether verdicts contradict the state, but not yet enough of them; false from the
    /// start of a hold to the next turn.
    pub fn is_pending(&self) -> bool {
        self.against > 0 && self.held_until.is_none()
    }

    /// Returns how many times in a row an address has failed that is not down yet; `None` if it has
    /// not failed, or is down.
    pub fn failed(&self) -> Option<u8> {
        (self.is_pending() && self.state != State::Down).then_some(self.against)
    }

    /// Returns the present state.
    pub fn state(&self) -> State {
        self.state
    }

    /// Returns to the state `to`, because the verdicts that left it are not believed; returns the
    /// turn. After a return to `Unknown` the next verdict decides at once.
    pub fn turn_back(&mut self, to: State, now: Moment) -> Turned {
        let (from, lasted) = (self.state, now.since(self.since));
        *self = Self {
            state: to,
            undecided: to == State::Unknown,
            against: 0,
            since: now,
            turns: self.turns.saturating_sub(1),
            ..*self
        };
        Turned { from, to, lasted, is_held: false, is_spoken: false }
    }

    /// Takes one verdict in, by the rules of `check`; returns the turn, if there is one.
    pub fn apply(&mut self, verdict: Verdict, check: &Check, now: Moment) -> Option<Turned> {
        let is_first = std::mem::take(&mut self.undecided);
        let (to, needed) = match (self.state, verdict) {
            (State::Up, Verdict::Pass) | (State::Down, Verdict::Fail) => {
                self.against = 0;
                return None;
            }
            (_, Verdict::Pass) => (State::Up, if is_first { 1 } else { check.rise }),
            (_, Verdict::Fail) => (State::Down, if is_first { 1 } else { check.fall }),
        };
        self.against = self.against.saturating_add(1);
        let is_held = self.held_until.is_some_and(|until| now < until);
        if self.against < needed || (is_held && to == State::Up) {
            return None;
        }
        let (from, lasted) = (self.state, now.since(self.since));
        let is_held = self.counts_as_flap(from, check.flap, now);
        let to = if is_held { State::Down } else { to };
        let since = if to == from { self.since } else { now };
        *self = Self { state: to, against: 0, since, ..*self };
        Some(Turned { from, to, lasted, is_held, is_spoken: false })
    }

    /// Counts one turn; returns whether it is one too many.
    fn counts_as_flap(&mut self, from: State, flap: Option<Flap>, now: Moment) -> bool {
        self.held_until = None;
        let Some(Flap { turns, window, hold }) = flap else { return false };
        if from == State::Unknown {
            return false;
        }
        if self.turns == 0 || now.since(self.first_turn) > window {
            (self.turns, self.first_turn) = (0, now);
        }
        self.turns = self.turns.saturating_add(1);
        if self.turns <= turns {
            return false;
        }
        (self.turns, self.held_until) = (0, Some(now.after(hold)));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zone::{CheckKind, TcpCheck};

    fn check(rise: u8, fall: u8, flap: Option<Flap>) -> Check {
        Check {
            interval: Duration::from_secs(1),
            timeout: Duration::from_secs(1),
            rise,
            fall,
            flap,
            ..Check::new(CheckKind::Tcp(TcpCheck { send: None, expect: None }))
        }
    }

    fn at(secs: u64) -> Moment {
        Moment::at(Duration::from_secs(secs))
    }

    /// Returns the state after each verdict; one verdict comes each second.
    fn states_by(check: &Check, verdicts: &str) -> String {
        let mut tracker = Tracker::starting_from(State::Unknown, at(0));
        (0..)
            .zip(verdicts.chars())
            .map(|(second, verdict)| {
                let verdict = if verdict == '+' { Verdict::Pass } else { Verdict::Fail };
                tracker.apply(verdict, check, at(second));
                if tracker.state() == State::Up { 'U' } else { 'd' }
            })
            .collect()
    }

    fn states(verdicts: &str) -> String {
        states_by(&check(2, 3, None), verdicts)
    }

    #[test]
    fn the_first_verdict_decides() {
        assert_eq!(states("+"), "U");
        assert_eq!(states("-"), "d");
    }

    #[test]
    fn three_fails_in_a_row_turn_it_down_and_two_passes_up() {
        assert_eq!(states("+---++"), "UUUddU");
    }

    #[test]
    fn an_opposite_verdict_starts_the_count_again() {
        assert_eq!(states("+--+--+---"), "UUUUUUUUUd");
        assert_eq!(states("-+-+-++"), "ddddddU");
    }

    #[test]
    fn a_turn_says_how_long_the_state_had_lasted() {
        let mut tracker = Tracker::starting_from(State::Unknown, at(1));
        let check = check(1, 1, None);
        let turned = |from, to, secs| {
            let lasted = Duration::from_secs(secs);
            Some(Turned { from, to, lasted, is_held: false, is_spoken: false })
        };
        let first = tracker.apply(Verdict::Pass, &check, at(3));
        assert_eq!(first, turned(State::Unknown, State::Up, 2));
        let second = tracker.apply(Verdict::Fail, &check, at(10));
        assert_eq!(second, turned(State::Up, State::Down, 7));
    }

    #[test]
    fn of_what_is_unknown_again_the_next_verdict_decides() {
        let check = check(3, 3, None);
        let mut tracker = Tracker::starting_from(State::Unknown, at(0));
        tracker.apply(Verdict::Fail, &check, at(1));
        assert_eq!(tracker.turn_back(State::Unknown, at(2)).from, State::Down);
        assert!(tracker.is_undecided());
        tracker.apply(Verdict::Pass, &check, at(3));
        assert_eq!(tracker.state(), State::Up);
    }

    #[test]
    fn one_that_turns_too_often_is_held_down_for_a_while() {
        let secs = Duration::from_secs;
        let flap = Flap { turns: 2, window: secs(60), hold: secs(5) };
        // The third turn, at second 3, is one too many.
        assert_eq!(states_by(&check(1, 1, Some(flap)), "+-+-+++++++"), "UdUdddddUUU");
        // If the turn too many is one up, the state stays down.
        let flap = Flap { turns: 1, window: secs(60), hold: secs(5) };
        assert_eq!(states_by(&check(1, 1, Some(flap)), "+-+++++++"), "UddddddUU");
        // Turns that are far apart do not count together.
        let flap = Flap { turns: 2, window: secs(3), hold: secs(5) };
        assert_eq!(states_by(&check(1, 1, Some(flap)), "+-+++-+++"), "UdUUUdUUU");
    }
}
