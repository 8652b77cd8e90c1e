//! Sticky choice: a client gets one endpoint again and again, by weighted rendezvous hashing.
//!
//! Every endpoint gets a score from the client's key and its own identity, and the best is taken
//! (Thaler and Ravishankar, "Using name-based mappings to increase hit rates", 1998; weights by
//! exponentially distributed scores). When an endpoint goes, only its own clients move. When one
//! comes, it takes its share and no other client moves. Any number of servers agree without
//! talking.

use std::net::IpAddr;

use siphasher::sip::SipHasher13;

use super::draw::Picks;

/// The leading bits of an IPv4 address that make up a sticky client: the prefix that resolvers send
/// (RFC 7871 §11.1).
pub(super) const STICKY_PREFIX_V4: u8 = 24;

/// The leading bits of an IPv6 address that make up a sticky client (RFC 7871 §11.1).
pub(super) const STICKY_PREFIX_V6: u8 = 56;

/// The kind of thing that is chosen. Each kind hashes apart: an endpoint with the name of its pool
/// must not win just because the pool has won.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Endpoint,
    Branch,
}

/// Computes the identity of an endpoint or a branch from its name, not from its place: a change of
/// the order in the file moves no client.
pub(super) fn identity(kind: Kind, name: &[u8]) -> u64 {
    SipHasher13::new_with_keys(kind as u64, 0).hash(name)
}

/// Computes a client's key, and the length of the prefix whose addresses share it.
pub(super) fn client_key(client: IpAddr) -> (u64, u8) {
    match client {
        IpAddr::V4(client) => {
            let prefix = client.to_bits() >> (32 - STICKY_PREFIX_V4);
            (mix(u64::from(prefix)), STICKY_PREFIX_V4)
        }
        IpAddr::V6(client) => {
            let prefix = client.to_bits() >> (128 - STICKY_PREFIX_V6);
            // Distinct from the keys of IPv4 clients, whose prefixes are all shorter than this bit.
            (mix(prefix as u64 | 1 << 63), STICKY_PREFIX_V6)
        }
    }
}

/// Computes the score of an identity for a client. The least score wins.
pub(super) fn score(key: u64, identity: u64, weight: u32) -> f64 {
    // 53 bits, in the middle of a step: never 0 and never 1.
    let uniform = ((mix(key ^ identity) >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
    -uniform.ln() / f64::from(weight.max(1))
}

/// Spreads every bit over all (the finalizer of splitmix64).
fn mix(bits: u64) -> u64 {
    let bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ bits >> 31
}

/// The members with the least scores, in order.
pub(super) struct Best<const MOST: usize> {
    most: usize,
    found: [(f64, u16); MOST],
    len: usize,
}

impl<const MOST: usize> Best<MOST> {
    /// Creates an empty list that keeps `most` members, at most `MOST`.
    pub(super) fn new(most: usize) -> Self {
        Self { most: most.min(MOST), found: [(f64::INFINITY, 0); MOST], len: 0 }
    }

    /// Adds a member, unless the list has a better one for which `is_same` holds. Of two such
    /// members only the better one is kept.
    pub(super) fn add_one_of(&mut self, score: f64, member: u16, is_same: impl Fn(u16) -> bool) {
        let kept = self.found.get(..self.len).unwrap_or(&[]);
        if let Some(at) = kept.iter().position(|&(_, other)| is_same(other)) {
            if kept.get(at).is_some_and(|&(other, _)| other <= score) {
                return;
            }
            let rest = self.found.get_mut(at..self.len).unwrap_or_default();
            rest.rotate_left(1);
            self.len -= 1;
        }
        self.add(score, member);
    }

    /// Adds a member if its score is among the least.
    pub(super) fn add(&mut self, score: f64, member: u16) {
        let kept = self.found.get(..self.len).unwrap_or(&[]);
        let at = kept.partition_point(|&(other, _)| other <= score);
        if at == self.most {
            return;
        }
        self.len = (self.len + 1).min(self.most);
        if let Some(behind) = self.found.get_mut(at..self.len) {
            behind.rotate_right(1);
            if let Some(place) = behind.first_mut() {
                *place = (score, member);
            }
        }
    }

    /// Adds the members to `picks`, the best first.
    pub(super) fn pick(&self, picks: &mut Picks) {
        self.found.iter().take(self.len).for_each(|&(_, member)| picks.push(member));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the endpoint that each of many clients sticks to.
    fn clients(endpoints: &[(&str, u32)]) -> Vec<usize> {
        let choose = |client: u32| {
            let (key, _) = client_key(IpAddr::V4((client << 8).into()));
            let scored = endpoints.iter().enumerate();
            let scored = scored.map(|(at, (name, weight))| {
                (score(key, identity(Kind::Endpoint, name.as_bytes()), *weight), at)
            });
            scored.min_by(|(a, _), (b, _)| a.total_cmp(b)).unwrap().1
        };
        (0..20_000).map(choose).collect()
    }

    #[test]
    fn shares_are_as_the_weights() {
        let mut counts = [0; 3];
        clients(&[("a", 3), ("b", 2), ("c", 1)]).into_iter().for_each(|at| counts[at] += 1);
        for (count, share) in counts.into_iter().zip([10_000, 6_667, 3_333]) {
            // Five standard deviations of a random choice.
            assert!(i32::abs(count - share) < 360, "{counts:?}");
        }
    }

    #[test]
    fn only_the_clients_of_the_one_that_goes_move() {
        let before = clients(&[("a", 1), ("b", 1), ("c", 1)]);
        let after = clients(&[("a", 1), ("b", 1)]);
        for (before, after) in before.into_iter().zip(after) {
            assert!(before == after || before == 2);
        }
    }

    #[test]
    fn more_weight_only_draws_clients_in() {
        let before = clients(&[("a", 1), ("b", 1), ("c", 1)]);
        let after = clients(&[("a", 1), ("b", 3), ("c", 1)]);
        for (before, after) in before.into_iter().zip(after) {
            assert!(before == after || after == 1);
        }
    }

    #[test]
    fn one_prefix_is_one_client() {
        let key = |text: &str| client_key(text.parse().unwrap());
        assert_eq!(key("192.0.2.1"), key("192.0.2.255"));
        assert_ne!(key("192.0.2.1"), key("192.0.3.1"));
        assert_eq!(key("2001:db8::1"), key("2001:db8:0:ff::"));
        assert_ne!(key("2001:db8::1"), key("2001:db8:0:100::"));
    }

    #[test]
    fn the_best_are_kept_in_order() {
        let (mut best, mut picks) = (Best::<8>::new(3), Picks::default());
        for (score, member) in [(5.0, 0), (1.0, 1), (3.0, 2), (2.0, 3), (9.0, 4), (0.5, 5)] {
            best.add(score, member);
        }
        best.pick(&mut picks);
        assert_eq!(picks.as_slice(), [5, 1, 3]);
    }

    #[test]
    fn the_best_of_those_that_are_one_stands_for_them() {
        let (mut best, mut picks) = (Best::<8>::new(3), Picks::default());
        for (score, member) in [(5.0, 0), (1.0, 1), (0.5, 11), (3.0, 2), (7.0, 12), (2.0, 10)] {
            best.add_one_of(score, member, |other| other % 10 == member % 10);
        }
        best.pick(&mut picks);
        assert_eq!(picks.as_slice(), [11, 10, 2]);
    }
}
