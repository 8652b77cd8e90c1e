//! The limit of probes under way to one address at once: a machine with a thousand services does
//! not get a thousand connections.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

/// The probes under way at each address, and those that wait for a seat.
#[derive(Debug)]
pub(super) struct Seats {
    per_address: usize,
    /// The seats taken at each address; only addresses that are being probed have an entry.
    taken: HashMap<IpAddr, Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    count: usize,
    /// The numbers of those that wait, in the order of their coming.
    waiting: VecDeque<usize>,
}

impl Seats {
    /// Makes seats: `per_address` at each address, at least one.
    pub(super) fn new(per_address: usize) -> Self {
        Self { per_address: per_address.max(1), taken: HashMap::new() }
    }

    /// Returns whether `who` gets a seat at `address` now; otherwise it waits there.
    pub(super) fn take(&mut self, address: IpAddr, who: usize) -> bool {
        let at = self.taken.entry(address).or_default();
        let is_free = at.count < self.per_address;
        match is_free {
            true => at.count += 1,
            false => at.waiting.push_back(who),
        }
        is_free
    }

    /// Gives a seat at `address` back; returns the one that has it now, if any waited for it.
    pub(super) fn leave(&mut self, address: IpAddr) -> Option<usize> {
        let at = self.taken.get_mut(&address)?;
        let next = at.waiting.pop_front();
        if next.is_none() {
            at.count -= 1;
        }
        if at.count == 0 {
            self.taken.remove(&address);
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_finds_no_seat_waits_for_the_first_that_is_given_back() {
        let (one, two) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        let mut seats = Seats::new(2);
        assert!(seats.take(one, 0) && seats.take(one, 1));
        assert!(!seats.take(one, 2) && !seats.take(one, 3));
        assert!(seats.take(two, 4), "another address has seats of its own");
        assert_eq!([seats.leave(one), seats.leave(one)], [Some(2), Some(3)]);
        assert_eq!([seats.leave(one), seats.leave(one), seats.leave(two)], [None; 3]);
        assert!(seats.taken.is_empty(), "nothing is kept of addresses that nobody probes");
    }
}
