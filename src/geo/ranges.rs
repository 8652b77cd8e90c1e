//! A value for every address: the address space cut into ranges.
//!
//! Routes and databases know prefixes. An answer needs two things of an address: the value of the
//! longest prefix that holds it, and how far around the address that value holds. Ranges give both
//! with one search. Neighbours with the same value become one range, so that the extent is exact.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// A value of type `T` for every IPv4 and every IPv6 address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ranges<T> {
    v4: Cuts<u32, T>,
    v6: Cuts<u128, T>,
}

/// The result of [`Ranges::find`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found<T> {
    /// The value.
    pub value: T,
    /// The length of the shortest prefix of the address on which the value is the same: the scope
    /// of RFC 7871 §7.2.1.
    pub scope: u8,
}

impl<T: Copy + PartialEq> Ranges<T> {
    /// Makes ranges with `value` at every address.
    pub fn everywhere(value: T) -> Self {
        Self { v4: Cuts::everywhere(value), v6: Cuts::everywhere(value) }
    }

    /// Makes ranges in which each address has the value of the longest network that holds it, or
    /// `otherwise` if none does. Of equal networks the first counts.
    pub fn of_networks(otherwise: T, networks: impl IntoIterator<Item = (IpNet, T)>) -> Self {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for (network, value) in networks {
            match network {
                IpNet::V4(net) => {
                    v4.push(Network::new(net.network().to_bits(), net.prefix_len(), value));
                }
                IpNet::V6(net) => {
                    v6.push(Network::new(net.network().to_bits(), net.prefix_len(), value));
                }
            }
        }
        Self { v4: Cuts::of_networks(otherwise, v4), v6: Cuts::of_networks(otherwise, v6) }
    }

    /// Finds the value at `address` and how far it holds. An IPv4-mapped IPv6 address counts as
    /// IPv6 here: callers make it canonical first.
    ///
    /// # Cost
    /// Two look-ups in the index and a binary search between them; no allocation.
    pub fn find(&self, address: IpAddr) -> Found<T> {
        match address {
            IpAddr::V4(address) => self.v4.find(address.to_bits()),
            IpAddr::V6(address) => self.v6.find(address.to_bits()),
        }
    }

    /// Applies `f` to every value; neighbours that become equal become one range.
    pub fn map<U: Copy + PartialEq>(&self, mut f: impl FnMut(T) -> U) -> Ranges<U> {
        Ranges { v4: self.v4.map(&mut f), v6: self.v6.map(&mut f) }
    }

    /// Combines each address's value here with the one in `other`, by `f`.
    ///
    /// # Cost
    /// One pass over the ranges of both.
    pub fn combine<U: Copy + PartialEq, V: Copy + PartialEq>(
        &self,
        other: &Ranges<U>,
        mut f: impl FnMut(T, U) -> V,
    ) -> Ranges<V> {
        Ranges { v4: self.v4.combine(&other.v4, &mut f), v6: self.v6.combine(&other.v6, &mut f) }
    }

    /// Returns the number of ranges of both families together; each family has at least one.
    pub fn count(&self) -> usize {
        self.v4.starts.len() + self.v6.starts.len()
    }

    /// Returns the values of all ranges, IPv4 first.
    pub fn values(&self) -> impl Iterator<Item = T> {
        self.v4.values.iter().chain(&self.v6.values).copied()
    }

    /// Returns the first address of each range and its value, IPv4 first.
    pub fn iter(&self) -> impl Iterator<Item = (IpAddr, T)> {
        let v4 = self.v4.iter().map(|(start, value)| (Ipv4Addr::from_bits(start).into(), value));
        v4.chain(self.v6.iter().map(|(start, value)| (Ipv6Addr::from_bits(start).into(), value)))
    }
}

/// A maker of [`Ranges`] from networks that come in order and do not overlap, as a database gives
/// them. It does not keep the networks.
#[derive(Debug)]
pub struct Cutter<T> {
    otherwise: T,
    v4: Growing<u32, T>,
    v6: Growing<u128, T>,
}

impl<T: Copy + PartialEq> Cutter<T> {
    /// Starts without networks; `otherwise` is the value between them.
    pub fn new(otherwise: T) -> Self {
        Self { otherwise, v4: Growing::new(otherwise), v6: Growing::new(otherwise) }
    }

    /// Adds `network` with its value. It must start after every network of its family added before.
    pub fn add(&mut self, network: IpNet, value: T) {
        match network {
            IpNet::V4(net) => {
                let net = Network::new(net.network().to_bits(), net.prefix_len(), value);
                self.v4.add(net, self.otherwise);
            }
            IpNet::V6(net) => {
                let net = Network::new(net.network().to_bits(), net.prefix_len(), value);
                self.v6.add(net, self.otherwise);
            }
        }
    }

    /// Returns the ranges.
    pub fn finish(self) -> Ranges<T> {
        Ranges { v4: self.v4.finish(), v6: self.v6.finish() }
    }
}

/// An address as a number.
trait Bits: Copy + Ord {
    const ZERO: Self;
    /// The most bits that the index of a family uses. IPv6 has more of them: all its addresses in
    /// use lie below a few short prefixes.
    const INDEX_BITS_MAX: u32;
    /// Returns the first `bits` bits, as a number.
    fn top(self, bits: u32) -> usize;
    /// Returns the first address whose first `bits` bits are `top`.
    fn from_top(top: usize, bits: u32) -> Self;
    /// Returns the next address; `None` after the last one.
    fn next(self) -> Option<Self>;
    /// Returns the address before this one; the first address returns itself.
    fn before(self) -> Self;
    /// Returns the last address of the network of this prefix length that starts here.
    fn last(self, len: u8) -> Self;
    /// Counts the leading bits that both addresses share.
    fn same_bits(self, other: Self) -> u8;
}

macro_rules! bits {
    ($number:ty, $index_bits_max:literal) => {
        impl Bits for $number {
            const ZERO: Self = 0;
            const INDEX_BITS_MAX: u32 = $index_bits_max;

            fn top(self, bits: u32) -> usize {
                self.checked_shr(Self::BITS - bits).unwrap_or(0) as usize
            }

            fn from_top(top: usize, bits: u32) -> Self {
                (top as Self).checked_shl(Self::BITS - bits).unwrap_or(0)
            }

            fn next(self) -> Option<Self> {
                self.checked_add(1)
            }

            fn before(self) -> Self {
                self.saturating_sub(1)
            }

            fn last(self, len: u8) -> Self {
                self | Self::MAX.checked_shr(u32::from(len)).unwrap_or(0)
            }

            fn same_bits(self, other: Self) -> u8 {
                (self ^ other).leading_zeros() as u8
            }
        }
    };
}

bits!(u32, 16);
bits!(u128, 20);

/// One network and its value.
struct Network<A, T> {
    start: A,
    last: A,
    value: T,
}

impl<A: Bits, T> Network<A, T> {
    fn new(start: A, len: u8, value: T) -> Self {
        Self { start, last: start.last(len), value }
    }
}

/// The ranges of one family.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Cuts<A, T> {
    /// The first address of each range, the first one 0; a range ends where the next one starts.
    starts: Box<[A]>,
    values: Box<[T]>,
    index_bits: u32,
    /// For each value of the first `index_bits` bits of an address, the number of the range that
    /// holds the first such address. One more entry follows them: the last range.
    index: Box<[u32]>,
}

impl<A: Bits, T: Copy + PartialEq> Cuts<A, T> {
    fn everywhere(value: T) -> Self {
        Growing::<A, T>::new(value).finish()
    }

    fn of_networks(otherwise: T, mut networks: Vec<Network<A, T>>) -> Self {
        // Wide before narrow. The sort is stable: of equal networks the first stays in front.
        networks.sort_by_key(|net| (net.start, std::cmp::Reverse(net.last)));
        networks.dedup_by_key(|net| (net.start, net.last));
        let mut growing = Growing::new(otherwise);
        let mut open: Vec<Network<A, T>> = Vec::new();
        let close = |open: &mut Vec<Network<A, T>>, growing: &mut Growing<A, T>| {
            let Some(start) = open.pop().and_then(|closed| closed.last.next()) else { return };
            growing.push(start, open.last().map_or(otherwise, |outer| outer.value));
        };
        for network in networks {
            while open.last().is_some_and(|outer| outer.last < network.start) {
                close(&mut open, &mut growing);
            }
            growing.push(network.start, network.value);
            open.push(network);
        }
        while !open.is_empty() {
            close(&mut open, &mut growing);
        }
        growing.finish()
    }

    fn find(&self, address: A) -> Found<T> {
        let top = address.top(self.index_bits);
        let bound = |at: usize| self.index.get(at).map_or(0, |&range| range as usize);
        let (first, last) = (bound(top), bound(top + 1));
        // The first range of the bucket starts at or before the address; the others may.
        let inside = self.starts.get(first + 1..=last).unwrap_or(&[]);
        let at = first + inside.partition_point(|&start| start <= address);
        let before = self.starts.get(at).filter(|_| at > 0).map(|start| start.before());
        let behind = self.starts.get(at + 1).copied();
        let scope =
            [before, behind].into_iter().flatten().map(|other| address.same_bits(other) + 1);
        Found {
            value: self.values.get(at).copied().unwrap_or(self.values[0]),
            scope: scope.max().unwrap_or(0),
        }
    }

    fn iter(&self) -> impl Iterator<Item = (A, T)> {
        self.starts.iter().copied().zip(self.values.iter().copied())
    }

    fn map<U: Copy + PartialEq>(&self, f: &mut impl FnMut(T) -> U) -> Cuts<A, U> {
        let mut cuts = self.iter();
        let mut growing = Growing::new(f(self.values[0]));
        cuts.next();
        cuts.for_each(|(start, value)| growing.push(start, f(value)));
        growing.finish()
    }

    fn combine<U: Copy + PartialEq, V: Copy + PartialEq>(
        &self,
        other: &Cuts<A, U>,
        f: &mut impl FnMut(T, U) -> V,
    ) -> Cuts<A, V> {
        let (mut ours, mut theirs) = (self.iter().peekable(), other.iter().peekable());
        let (mut here, mut there) = (self.values[0], other.values[0]);
        let mut growing = Growing::new(f(here, there));
        loop {
            let start = match (ours.peek(), theirs.peek()) {
                (Some(&(a, _)), Some(&(b, _))) => a.min(b),
                (Some(&(start, _)), None) | (None, Some(&(start, _))) => start,
                (None, None) => return growing.finish(),
            };
            if let Some((_, value)) = ours.next_if(|&(at, _)| at == start) {
                here = value;
            }
            if let Some((_, value)) = theirs.next_if(|&(at, _)| at == start) {
                there = value;
            }
            growing.push(start, f(here, there));
        }
    }
}

/// Ranges under construction, which come in order.
#[derive(Debug)]
struct Growing<A, T> {
    starts: Vec<A>,
    values: Vec<T>,
}

impl<A: Bits, T: Copy + PartialEq> Growing<A, T> {
    fn new(first: T) -> Self {
        Self { starts: vec![A::ZERO], values: vec![first] }
    }

    /// Gives the addresses from `start` on `value`; `start` is not before the last one.
    fn push(&mut self, start: A, value: T) {
        if self.starts.last() == Some(&start) {
            self.starts.pop();
            self.values.pop();
        }
        if self.values.last() != Some(&value) {
            self.starts.push(start);
            self.values.push(value);
        }
    }

    fn add(&mut self, Network { start, last, value }: Network<A, T>, otherwise: T) {
        self.push(start, value);
        if let Some(behind) = last.next() {
            self.push(behind, otherwise);
        }
    }

    fn finish(self) -> Cuts<A, T> {
        let (starts, values) = (self.starts, self.values);
        // About one range for each entry of the index, so that little is left to search.
        let index_bits = starts.len().ilog2().min(A::INDEX_BITS_MAX);
        let mut index = Vec::with_capacity((1 << index_bits) + 1);
        let mut at = 0;
        for top in 0..1usize << index_bits {
            let first = A::from_top(top, index_bits);
            while starts.get(at + 1).is_some_and(|&start| start <= first) {
                at += 1;
            }
            index.push(at as u32);
        }
        index.push(starts.len() as u32 - 1);
        Cuts { starts: starts.into(), values: values.into(), index_bits, index: index.into() }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn net(text: &str) -> IpNet {
        text.parse().unwrap()
    }

    fn at<T: Copy + PartialEq>(ranges: &Ranges<T>, address: &str) -> (T, u8) {
        let Found { value, scope } = ranges.find(address.parse().unwrap());
        (value, scope)
    }

    #[test]
    fn the_longest_network_counts_and_the_scope_reaches_as_far_as_its_value() {
        let ranges = Ranges::of_networks(
            0,
            [(net("10.0.0.0/8"), 1), (net("10.1.0.0/16"), 2), (net("2001:db8::/32"), 3)],
        );
        assert_eq!(at(&ranges, "10.1.2.3"), (2, 16));
        assert_eq!(at(&ranges, "10.0.0.1"), (1, 16));
        assert_eq!(at(&ranges, "10.128.0.1"), (1, 9));
        assert_eq!(at(&ranges, "192.0.2.1"), (0, 1));
        assert_eq!(at(&ranges, "2001:db8:ffff::1"), (3, 32));
        assert_eq!(at(&ranges, "2001:db7::1"), (0, 29));
        assert_eq!(at(&ranges, "::"), (0, 3));
    }

    #[test]
    fn one_value_has_scope_0_and_equal_neighbours_are_one() {
        assert_eq!(at(&Ranges::everywhere(7), "192.0.2.1"), (7, 0));
        let halves = [(net("0.0.0.0/1"), 5), (net("128.0.0.0/1"), 5)];
        let ranges = Ranges::of_networks(0, halves);
        assert_eq!(at(&ranges, "10.0.0.1"), (5, 0));
        assert_eq!(at(&ranges, "255.255.255.255"), (5, 0));
        assert_eq!(ranges.count(), 2);
    }

    #[test]
    fn of_equal_networks_the_first_counts() {
        let twice = [(net("10.0.0.0/8"), 1), (net("10.0.0.0/8"), 2)];
        assert_eq!(at(&Ranges::of_networks(0, twice), "10.1.2.3"), (1, 8));
    }

    fn networks() -> impl Strategy<Value = Vec<(IpNet, u8)>> {
        // Few addresses near each other, so that networks nest and touch.
        let v4 = (0u32..64, 24u8..=32).prop_map(|(host, len)| {
            IpNet::new_assert(Ipv4Addr::from_bits(0xffff_ffc0 | host).into(), len).trunc()
        });
        let v6 = (0u128..64, 0u8..=128).prop_map(|(host, len)| {
            IpNet::new_assert(Ipv6Addr::from_bits(host << 90 | host).into(), len).trunc()
        });
        prop::collection::vec((prop_oneof![v4, v6], 0u8..4), 0..40)
    }

    /// Finds the value of the longest network the naive way: it looks at all of them.
    fn longest(networks: &[(IpNet, u8)], address: IpAddr) -> u8 {
        let holding = networks.iter().rev().filter(|(net, _)| net.contains(&address));
        holding.max_by_key(|(net, _)| net.prefix_len()).map_or(0, |&(_, value)| value)
    }

    fn addresses() -> impl Strategy<Value = Vec<IpAddr>> {
        let v4 = (0u32..128).prop_map(|at| Ipv4Addr::from_bits(0xffff_ff80 | at).into());
        let v6 = (0u128..64, 0u128..64)
            .prop_map(|(high, low)| Ipv6Addr::from_bits(high << 90 | low).into());
        prop::collection::vec(prop_oneof![v4, v6], 1..40)
    }

    /// Returns whether the value is `value` on all of `prefix`, by the edges of `networks` in it.
    fn is_constant(networks: &[(IpNet, u8)], prefix: IpNet, value: u8) -> bool {
        let edges = networks.iter().flat_map(|(net, _)| {
            let behind = match net.broadcast() {
                IpAddr::V4(last) => last.to_bits().next().map(|at| Ipv4Addr::from_bits(at).into()),
                IpAddr::V6(last) => last.to_bits().next().map(|at| Ipv6Addr::from_bits(at).into()),
            };
            [Some(net.network()), behind]
        });
        let inside = edges.flatten().filter(|edge| prefix.contains(edge));
        inside.chain([prefix.network()]).all(|edge| longest(networks, edge) == value)
    }

    proptest! {
        #[test]
        fn values_are_those_of_the_longest_network_and_scopes_are_exact(
            networks in networks(), addresses in addresses(),
        ) {
            let ranges = Ranges::of_networks(0, networks.iter().copied());
            for address in addresses {
                let Found { value, scope } = ranges.find(address);
                prop_assert_eq!(value, longest(&networks, address));
                let prefix = |len| IpNet::new_assert(address, len).trunc();
                prop_assert!(is_constant(&networks, prefix(scope), value), "{} too wide", scope);
                if scope > 0 {
                    let wider = is_constant(&networks, prefix(scope - 1), value);
                    prop_assert!(!wider, "{address}/{scope} is narrower than it need be");
                }
            }
        }

        #[test]
        fn combining_is_asking_both(
            ours in networks(), theirs in networks(), addresses in addresses(),
        ) {
            let [a, b] = [&ours, &theirs].map(|nets| Ranges::of_networks(0, nets.iter().copied()));
            let both = a.combine(&b, |a, b| 10 * a + b);
            for address in addresses {
                let expected = 10 * longest(&ours, address) + longest(&theirs, address);
                prop_assert_eq!(both.find(address).value, expected);
                prop_assert_eq!(a.map(|v| v % 2).find(address).value, longest(&ours, address) % 2);
            }
        }

        #[test]
        fn networks_in_order_can_be_cut_one_by_one(
            networks in networks(), addresses in addresses(),
        ) {
            let mut apart: Vec<(IpNet, u8)> = Vec::new();
            let mut sorted = networks;
            sorted.sort_by_key(|&(net, _)| net);
            for (net, value) in sorted {
                if !apart.iter().any(|(other, _)| other.contains(&net) || net.contains(other)) {
                    apart.push((net, value));
                }
            }
            let mut cutter = Cutter::new(9);
            apart.iter().for_each(|&(net, value)| cutter.add(net, value));
            let ranges = cutter.finish();
            for address in addresses {
                let holding = apart.iter().find(|(net, _)| net.contains(&address));
                let expected = holding.map_or(9, |&(_, value)| value);
                prop_assert_eq!(ranges.find(address).value, expected);
            }
        }
    }
}
