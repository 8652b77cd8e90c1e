//! The connections that are open, and the choice of the one that must go when there are too many.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};

use tokio::task::AbortHandle;

use super::limits::StreamLimits;
use crate::clock::Moment;

/// The open connections.
pub(super) struct Seats {
    limits: StreamLimits,
    taken: HashMap<Seat, Sitter>,
    by_source: HashMap<IpAddr, usize>,
    next: u64,
}

/// The seat of one connection; never given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Seat(u64);

struct Sitter {
    source: IpAddr,
    /// The moment of its last whole query or, before that, of the connection.
    active: Moment,
    task: Option<AbortHandle>,
}

impl Seats {
    /// Creates seats that are all free.
    pub(super) fn new(limits: StreamLimits) -> Self {
        Self { limits, taken: HashMap::new(), by_source: HashMap::new(), next: 0 }
    }

    /// Takes a seat for a connection from `source`; `None` if its source has too many.
    pub(super) fn take(&mut self, source: IpAddr, now: Moment) -> Option<Seat> {
        let source = network(source);
        let connections = self.by_source.get(&source).copied().unwrap_or(0);
        if connections >= self.limits.connections_per_source {
            return None;
        }
        self.by_source.insert(source, connections + 1);
        let seat = Seat(self.next);
        self.next += 1;
        self.taken.insert(seat, Sitter { source, active: now, task: None });
        Some(seat)
    }

    /// Notes the task that holds `seat`. If there is now one connection too many, ends the task of
    /// the idlest other seat and returns true.
    pub(super) fn fill(&mut self, seat: Seat, task: AbortHandle) -> bool {
        if let Some(sitter) = self.taken.get_mut(&seat) {
            sitter.task = Some(task);
        }
        if self.taken.len() <= self.limits.connections.max(1) {
            return false;
        }
        // This is a scan, but only when the seats are full, and over a few kilobytes.
        let others = self.taken.iter().filter(|&(&other, _)| other != seat);
        let idlest = others.min_by_key(|&(&other, sitter)| (sitter.active, other));
        let Some(idlest) = idlest.map(|(&idlest, _)| idlest) else { return false };
        if let Some(task) = self.free(idlest).and_then(|sitter| sitter.task) {
            task.abort();
        }
        true
    }

    /// Notes that a whole query came on `seat`.
    pub(super) fn stir(&mut self, seat: Seat, now: Moment) {
        if let Some(sitter) = self.taken.get_mut(&seat) {
            sitter.active = now;
        }
    }

    /// Gives `seat` back, unless that is done already.
    pub(super) fn leave(&mut self, seat: Seat) {
        self.free(seat);
    }

    fn free(&mut self, seat: Seat) -> Option<Sitter> {
        let sitter = self.taken.remove(&seat)?;
        if let Some(connections) = self.by_source.get_mut(&sitter.source) {
            *connections -= 1;
            if *connections == 0 {
                self.by_source.remove(&sitter.source);
            }
        }
        Some(sitter)
    }
}

/// Returns the network that counts as one source: an IPv6 client has a whole /64.
fn network(source: IpAddr) -> IpAddr {
    match source {
        IpAddr::V4(_) => source,
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_an_ipv4_address_or_an_ipv6_64() {
        let limits = StreamLimits { connections_per_source: 1, ..StreamLimits::default() };
        let mut seats = Seats::new(limits);
        let mut take = |source: &str| seats.take(source.parse().unwrap(), Moment::default());
        assert!(take("192.0.2.1").is_some());
        assert!(take("192.0.2.1").is_none());
        assert!(take("192.0.2.2").is_some());
        assert!(take("2001:db8::1").is_some());
        assert!(take("2001:db8::ffff:1").is_none());
        assert!(take("2001:db8:0:1::1").is_some());
    }

    #[test]
    fn a_seat_given_back_can_be_taken_again_and_nothing_is_remembered() {
        let limits = StreamLimits { connections_per_source: 1, ..StreamLimits::default() };
        let mut seats = Seats::new(limits);
        let source = "192.0.2.1".parse().unwrap();
        for _ in 0..3 {
            let seat = seats.take(source, Moment::default()).unwrap();
            seats.leave(seat);
            seats.leave(seat);
        }
        assert!(seats.taken.is_empty());
        assert!(seats.by_source.is_empty());
    }
}
