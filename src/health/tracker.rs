//! Rise and fall: from verdicts to a state.

use std::fmt;
use std::time::Duration;

use crate::clock::Moment;

/// What one probe found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The check's expectation was met in time.
    Pass,
    /// It was not.
    Fail,
}

/// What Waypost holds an endpoint's address to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// No verdict yet; counts as up.
    Unknown,
    /// May be answered.
    Up,
    /// Must not be answered while something else is up.
    Down,
}

impl State {
    /// Whether answers may name it.
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
/// The first verdict decides at once; after that `rise` passes in a row turn down into up and
/// `fall` fails in a row turn up into down.
#[derive(Clone, Copy, Debug)]
pub struct Tracker {
    state: State,
    /// Whether no verdict has come yet.
    undecided: bool,
    /// Verdicts in a row that contradict `state`.
    against: u8,
    /// When `state` began.
    since: Moment,
}

impl Tracker {
    /// A tracker that has seen no verdict; its first one decides, whatever `state` it starts
    /// from.
    pub fn starting_from(state: State, now: Moment) -> Self {
        Self { state, undecided: true, against: 0, since: now }
    }

    /// Whether no verdict has come yet.
    pub fn is_undecided(&self) -> bool {
        self.undecided
    }

    /// The present state.
    pub fn state(&self) -> State {
        self.state
    }

    /// Takes one verdict in; returns the state left and how long it had lasted, if it turned.
    pub fn apply(
        &mut self,
        verdict: Verdict,
        rise: u8,
        fall: u8,
        now: Moment,
    ) -> Option<(State, Duration)> {
        let is_first = std::mem::take(&mut self.undecided);
        let (to, needed) = match (self.state, verdict) {
            (State::Up, Verdict::Pass) | (State::Down, Verdict::Fail) => {
                self.against = 0;
                return None;
            }
            (_, Verdict::Pass) => (State::Up, if is_first { 1 } else { rise }),
            (_, Verdict::Fail) => (State::Down, if is_first { 1 } else { fall }),
        };
        self.against = self.against.saturating_add(1);
        if self.against < needed {
            return None;
        }
        let left = (self.state, now.since(self.since));
        *self = Self { state: to, undecided: false, against: 0, since: now };
        Some(left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn states(verdicts: &str) -> String {
        let mut tracker = Tracker::starting_from(State::Unknown, Moment::default());
        verdicts
            .chars()
            .map(|verdict| {
                let verdict = if verdict == '+' { Verdict::Pass } else { Verdict::Fail };
                tracker.apply(verdict, 2, 3, Moment::default());
                if tracker.state() == State::Up { 'U' } else { 'd' }
            })
            .collect()
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
        let mut tracker =
            Tracker::starting_from(State::Unknown, Moment::at(Duration::from_secs(1)));
        let at = |secs| Moment::at(Duration::from_secs(secs));
        let first = tracker.apply(Verdict::Pass, 1, 1, at(3));
        assert_eq!(first, Some((State::Unknown, Duration::from_secs(2))));
        let second = tracker.apply(Verdict::Fail, 1, 1, at(10));
        assert_eq!(second, Some((State::Up, Duration::from_secs(7))));
    }
}
