//! Log lines about events that may happen a million times a second.

use std::time::Duration;

use super::{Clock, Moment};

/// The shortest time between two log lines about one trouble.
const PAUSE: Duration = Duration::from_secs(1);

/// Lets one log line a second through and counts the others.
#[derive(Debug)]
pub struct LogThrottle {
    clock: Clock,
    last: Option<Moment>,
    unsaid: u64,
}

impl LogThrottle {
    /// Creates a limit that lets the first line through.
    pub fn new(clock: Clock) -> Self {
        Self { clock, last: None, unsaid: 0 }
    }

    /// Returns the number of lines dropped since the last one if a line may be logged now; `None`
    /// if it may not.
    pub fn admit(&mut self) -> Option<u64> {
        let now = self.clock.now();
        if self.last.is_some_and(|last| now.since(last) < PAUSE) {
            self.unsaid += 1;
            return None;
        }
        self.last = Some(now);
        Some(std::mem::take(&mut self.unsaid))
    }
}

/// Returns the end of a log line that says how many lines were dropped; empty if none was.
pub fn and_more(unsaid: u64) -> String {
    match unsaid {
        0 => String::new(),
        _ => format!(" ({unsaid} more times since this was last said)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_a_second_is_let_through_and_the_others_are_counted() {
        let clock = Clock::manual();
        let mut seldom = LogThrottle::new(clock.clone());
        assert_eq!(seldom.admit(), Some(0));
        assert_eq!(seldom.admit(), None);
        assert_eq!(seldom.admit(), None);
        clock.advance(PAUSE);
        assert_eq!(seldom.admit(), Some(2));
        clock.advance(PAUSE);
        assert_eq!(seldom.admit(), Some(0));
    }
}
