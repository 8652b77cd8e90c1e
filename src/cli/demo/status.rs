//! The status line: the state of each backend, its share, and the number of queries.

use std::collections::VecDeque;
use std::net::IpAddr;

use super::backend::Backend;
use super::screen::{Colour, Piece};
use crate::health::Showing;

/// The number of answers that shares are counted over: the weights 3, 2 and 1 divide it.
const WINDOW: usize = 60;

/// The outcomes of the last queries.
#[derive(Default)]
pub(super) struct Status {
    recent: VecDeque<Option<IpAddr>>,
    asked: u64,
    lost: u64,
}

impl Status {
    /// Counts one query, and the address in its answer if there is one.
    pub(super) fn count(&mut self, address: Option<IpAddr>) {
        self.asked += 1;
        self.lost += u64::from(address.is_none());
        self.recent.push_back(address);
        if self.recent.len() > WINDOW {
            self.recent.pop_front();
        }
    }

    /// Returns the line. `chosen` is the backend that keys act on, and `others` the number of
    /// queries from other clients.
    pub(super) fn line(
        &self,
        backends: &[Backend],
        showings: &[Option<Showing>],
        chosen: Option<usize>,
        others: u64,
    ) -> Vec<Piece> {
        let mut line = Vec::new();
        for (at, (backend, showing)) in backends.iter().zip(showings).enumerate() {
            line.push(match chosen == Some(at) {
                true => (Colour::Bold, format!("▸{}", backend.name())),
                false => (Colour::Plain, format!(" {}", backend.name())),
            });
            let (colour, word) = state(*showing);
            line.push((colour, format!(" {word}")));
            line.push((Colour::Plain, format!(" {} % ", self.percent(backend.address().ip()))));
        }
        let Self { asked, lost, .. } = self;
        let colour = if *lost == 0 { Colour::Dim } else { Colour::Red };
        line.push((colour, format!("· {asked} asked, {lost} lost, {others} by you")));
        line
    }

    /// Returns the share of `address` in the last answers, in percent.
    fn percent(&self, address: IpAddr) -> usize {
        let count = self.recent.iter().flatten().filter(|recent| **recent == address).count();
        let answered = self.recent.iter().flatten().count().max(1);
        (count * 100 + answered / 2) / answered
    }
}

/// Returns the word for the state that answers follow, and its colour.
fn state(showing: Option<Showing>) -> (Colour, &'static str) {
    match showing {
        None => (Colour::Dim, "unchecked"),
        Some(Showing { is_drained: true, .. }) => (Colour::Yellow, "drained"),
        Some(Showing { may_serve: true, .. }) => (Colour::Green, "up"),
        Some(_) => (Colour::Red, "down"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_of_the_last_answers() {
        let (one, two) = (IpAddr::from([127, 0, 0, 11]), IpAddr::from([127, 0, 0, 12]));
        let mut status = Status::default();
        assert_eq!(status.percent(one), 0);
        for _ in 0..WINDOW {
            status.count(Some(one));
        }
        assert_eq!(status.percent(one), 100);
        for _ in 0..WINDOW / 3 {
            status.count(Some(two));
        }
        status.count(None);
        assert_eq!((status.percent(one), status.percent(two)), (66, 34));
        assert_eq!((status.asked, status.lost), (81, 1));
    }
}
