//! A service made ready for drawing: masks, board words, draw points, and each `to` flattened.
//!
//! With many services, each place in memory that an answer reads costs a cache miss. Most services
//! have one pool and no routes: the [`PlanPlace`] of such a service leads straight to the pool.

use std::hint::black_box;
use std::net::IpAddr;
use std::ops::{Deref, Range};
use std::sync::Arc;

use super::draw::{MEMBERS_MAX, Point};
use super::lines::Lines;
use super::routes::{Decision, RouteTable};
use super::sticky;
use crate::geo::Found;
use crate::health::Bit;
use crate::zone::{
    Answers, MinUp, OnAllDown, PoolIndex, PoolLocation, RouteFrom, Target, with_room,
};

/// The length of the prefix before an IPv4 address that is mapped into IPv6 (RFC 4291 §2.5.5.2).
const MAPPED_LEN: u8 = 96;

/// The compiled services of a zone. Their parts stand one after the other in a few large vectors,
/// however many services there are.
#[derive(Debug)]
pub struct Plans {
    /// The routes of the services that have any or are sticky.
    pub(super) routes: Vec<Routes>,
    pub(super) splits: Vec<Split>,
    pub(super) branches: Vec<Branch>,
    pub(super) pools: Vec<PlanPool>,
    pub(super) weights: Vec<u16>,
    /// The twins of the members, for each service that has any, service by service.
    pub(super) twins: Vec<Twins>,
    /// The start of the twins of each service that has any, by the number of its first member among
    /// those of all services.
    pub(super) twins_at: Vec<(u32, u32)>,
}

/// The first members of the service with the addresses and the name of one member: the member
/// itself if it is the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Twins {
    /// The first member with its IPv4 address.
    pub(super) v4: Member,
    /// The first member with its IPv6 address.
    pub(super) v6: Member,
    /// The first member with its name in SRV answers.
    pub(super) name: Member,
}

/// The place of one service's plan in its zone's [`Plans`].
#[derive(Clone, Debug)]
pub struct PlanPlace {
    /// The target of clients that no route takes.
    pub(super) otherwise: To,
    pub(super) routes: Option<u32>,
    pub(super) pools: Range<u32>,
    pub(super) members: Range<u32>,
    pub(super) answers: Answers,
    pub(super) on_all_down: OnAllDown,
    pub(super) traits: Traits,
}

/// Properties of a service, as bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Traits(u8);

impl Traits {
    /// A service some of whose answers can be CNAMEs.
    pub(super) const TARGETS: Self = Self(1);
    /// A service with members that are twins.
    pub(super) const TWINS: Self = Self(1 << 1);
    /// A service whose SRV answers carry the weights as written.
    pub(super) const SRV_AS_WRITTEN: Self = Self(1 << 2);
    /// A service whose SRV answers name only the tier in use.
    pub(super) const SRV_CURRENT: Self = Self(1 << 3);

    pub(super) fn with(self, other: Self, is_so: bool) -> Self {
        if is_so { Self(self.0 | other.0) } else { self }
    }

    pub(super) fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

/// A compiled service, as [`super::Select`] walks it.
#[derive(Clone, Copy, Debug)]
pub struct Plan<'a> {
    otherwise: To,
    routes: Option<&'a Routes>,
    /// The plans of all services of the zone.
    all: &'a Plans,
    /// The pools of this service.
    pub(super) pools: &'a [PlanPool],
    /// The weights of all members, pool by pool.
    pub(super) weights: &'a [u16],
    pub(super) answers: Answers,
    pub(super) on_all_down: OnAllDown,
    pub(super) traits: Traits,
    /// The number of its first member among those of all services.
    first_member: u32,
}

/// The number of a member: its place among all endpoints of its service, pool by pool.
pub type Member = u16;

/// A failover tier, counted from 0.
pub type Tier = u16;

/// A compiled `to`.
#[derive(Clone, Copy, Debug)]
pub(super) enum To {
    /// A pool, by its number in the service.
    Pool(u16),
    Failover(Branches),
    /// A [`Split`], by its number.
    Split(u32),
    /// A [`Split`], by its number, all of whose branches serve together.
    All(u32),
}

/// The parts of a service that depend on the client.
#[derive(Debug, Default)]
pub(super) struct Routes {
    pub(super) table: Option<Arc<RouteTable>>,
    /// The compiled target of each decision.
    pub(super) to: Box<[To]>,
    /// The target of each route as written, for explanations.
    pub(super) written: Box<[Target]>,
    /// The routes of each nested service as written.
    pub(super) nested: Box<[NestedRoutes]>,
    /// The location of each pool, for explanations.
    pub(super) locations: Box<[Option<PoolLocation>]>,
    /// The identity of each endpoint if the service is sticky.
    pub(super) identities: Option<Box<[u64]>>,
}

/// The routes of a nested service as written.
#[derive(Debug)]
pub(super) struct NestedRoutes {
    pub(super) label: String,
    pub(super) written: Box<[Target]>,
}

/// The routes of a service, and the one that took a client.
#[derive(Clone, Copy, Debug)]
pub struct Followed<'a> {
    /// The name of a nested service in the zone file; `None` for the service's own routes.
    pub label: Option<&'a str>,
    from: &'a [RouteFrom],
    written: &'a [Target],
    /// The number of the route that took the client. `None` if none did: the client goes to the
    /// pools in file order.
    pub taken: Option<u16>,
}

impl<'a> Followed<'a> {
    /// Returns the routes in order, each with the clients that it takes and its target.
    pub fn routes(&self) -> impl Iterator<Item = (&'a RouteFrom, &'a Target)> + use<'a> {
        self.from.iter().zip(self.written)
    }
}

/// The result of routing one client.
#[derive(Clone, Copy, Debug)]
pub struct Routed {
    pub(super) to: To,
    /// The length of the shortest prefix whose clients all get this result (RFC 7871 §7.2.1).
    pub scope: u8,
    /// The client's key in a sticky service, which replaces the draws.
    pub(super) sticky: Option<u64>,
    /// The number of the client's decision; `None` if the service has no routes.
    decision: Option<u32>,
}

/// A compiled `split` or `all`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Split {
    pub(super) branches: Branches,
    pub(super) point: Point,
}

/// The range of the branches of a failover, split or union in [`Plans`].
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Branches {
    pub(super) start: u32,
    pub(super) end: u32,
}

/// One child of a failover, split or union.
#[derive(Clone, Copy, Debug)]
pub(super) struct Branch {
    pub(super) to: To,
    pub(super) weight: u16,
    /// The identity of the branch in a sticky service, otherwise 0.
    pub(super) identity: u64,
}

/// A compiled pool; it fills one cache line.
#[derive(Debug)]
#[repr(align(64))]
pub struct PlanPool {
    /// The numbers of its members.
    pub(super) members: Range<u16>,
    pub(super) min_up: MinUp,
    pub(super) is_target: bool,
    pub(super) is_nested: bool,
    pub(super) blocks: Blocks,
}

/// The members of a pool, 64 to a block; most pools have one.
#[derive(Debug)]
pub(super) enum Blocks {
    One(Block),
    /// Several blocks, and the point that draws one of them.
    Many(Box<[Block]>, Point),
}

impl Deref for Blocks {
    type Target = [Block];

    fn deref(&self) -> &[Block] {
        match self {
            Self::One(block) => std::slice::from_ref(block),
            Self::Many(blocks, _) => blocks,
        }
    }
}

/// Up to 64 members.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block {
    /// The number of the first of its two words on the board: IPv4, then IPv6.
    pub(super) word: u32,
    /// The members with an IPv4 address; in a pool of targets, all members.
    pub(super) v4: u64,
    /// The members with an IPv6 address; in a pool of targets, all members.
    pub(super) v6: u64,
    /// The members with a weight above 0.
    pub(super) weighted: u64,
    pub(super) point: Point,
}

const _: () = assert!(size_of::<PlanPool>() == 64);

impl PlanPool {
    /// Returns whether its endpoints are targets, answered as CNAME.
    pub fn is_target(&self) -> bool {
        self.is_target
    }

    /// Returns whether it is a copy of a pool of a nested service.
    pub fn is_nested(&self) -> bool {
        self.is_nested
    }

    /// Returns the numbers of its members.
    pub fn members(&self) -> Range<Member> {
        self.members.clone()
    }

    /// Returns the share of its weight that must be up.
    pub fn min_up(&self) -> MinUp {
        self.min_up
    }
}

impl Plans {
    /// Creates an empty collection with room for `services` services of one pool and one endpoint.
    pub fn with_room(services: usize) -> Self {
        Self {
            routes: Vec::new(),
            splits: Vec::new(),
            branches: Vec::new(),
            pools: with_room(services),
            weights: with_room(services),
            twins: Vec::new(),
            twins_at: Vec::new(),
        }
    }

    /// Returns the plan at `place`, which must come from these plans.
    ///
    /// # Cost
    /// A few bounds checked; no allocation.
    pub fn plan(&self, place: &PlanPlace) -> Plan<'_> {
        Plan {
            otherwise: place.otherwise,
            routes: place.routes.and_then(|at| self.routes.get(at as usize)),
            all: self,
            pools: part(&self.pools, &place.pools),
            weights: part(&self.weights, &place.members),
            answers: place.answers,
            on_all_down: place.on_all_down,
            traits: place.traits,
            first_member: place.members.start,
        }
    }

    /// Returns the places in memory that an answer of the service at `place` reads; `None` if its
    /// first pool is empty.
    pub fn lines(&self, place: &PlanPlace) -> Option<Lines> {
        let PlanPool { blocks, .. } = self.pools.get(place.pools.start as usize)?;
        let Block { word, point, .. } = *blocks.first()?;
        Some(Lines { pool: place.pools.start, word, point, member: place.members.start })
    }

    /// Fetches a pool into the cache, by its number among those of all services.
    pub(super) fn fetch(&self, pool: u32) {
        black_box(self.pools.get(pool as usize).map(|pool| pool.is_target));
    }

    /// Returns whether any route depends on the client's location or autonomous system.
    pub fn asks_geo(&self) -> bool {
        let mut tables = self.routes.iter().filter_map(|routes| routes.table.as_ref());
        tables.any(|table| table.asks_geo)
    }

    /// Gives back unused room.
    pub fn shrink(&mut self) {
        self.routes.shrink_to_fit();
        self.splits.shrink_to_fit();
        self.branches.shrink_to_fit();
        self.pools.shrink_to_fit();
        self.weights.shrink_to_fit();
        self.twins.shrink_to_fit();
        self.twins_at.shrink_to_fit();
    }
}

fn part<'a, T>(all: &'a [T], range: &Range<u32>) -> &'a [T] {
    all.get(range.start as usize..range.end as usize).unwrap_or(&[])
}

impl PlanPlace {
    /// Returns whether any of its answers can be a CNAME.
    pub fn has_targets(&self) -> bool {
        self.traits.has(Traits::TARGETS)
    }

    /// Returns whether any of its members share an address, or a name in SRV answers.
    pub fn has_twins(&self) -> bool {
        self.traits.has(Traits::TWINS)
    }

    /// Returns the numbers of its pools among those of all services of the zone, in the order of
    /// [`Plans::add`].
    pub fn pools(&self) -> Range<u32> {
        self.pools.clone()
    }

    /// Returns the numbers of its endpoints among those of all services of the zone, in the order
    /// of [`Plans::add`].
    pub fn members(&self) -> Range<u32> {
        self.members.clone()
    }
}

impl Routed {
    /// Returns whether the client gets the same endpoints as long as they may serve.
    pub fn is_sticky(&self) -> bool {
        self.sticky.is_some()
    }
}

impl<'a> Plan<'a> {
    /// Finds the target of `client`.
    ///
    /// # Cost
    /// Nothing if the service has no routes and is not sticky; one search if it has routes.
    pub fn route(&self, client: IpAddr) -> Routed {
        let everyone = self.routed_otherwise();
        let Some(Routes { table, to, identities, .. }) = self.routes else { return everyone };
        let (asked, client) = (client, client.to_canonical());
        // Resolvers count the scope of a mapped IPv4 address from the start of the IPv6 address.
        let mapped = if asked.is_ipv4() == client.is_ipv4() { 0 } else { MAPPED_LEN };
        let routed = table.as_ref().map_or(everyone, |table| {
            let Found { value: decision, scope } = table.find(client);
            let to = to.get(decision as usize).copied().unwrap_or(self.otherwise);
            Routed { to, scope: mapped + scope, decision: Some(decision), ..everyone }
        });
        if identities.is_none() {
            return routed;
        }
        let (key, prefix) = sticky::client_key(client);
        Routed { scope: routed.scope.max(mapped + prefix), sticky: Some(key), ..routed }
    }

    /// Returns the result for clients that no route takes.
    pub(super) fn routed_otherwise(&self) -> Routed {
        Routed { to: self.otherwise, scope: 0, sticky: None, decision: None }
    }

    /// Returns each target that clients may have: one for each decision, or the only one.
    pub(super) fn ways(&self) -> impl Iterator<Item = To> {
        let by_decision = self.routes.map_or(&[][..], |routes| &routes.to);
        let otherwise = by_decision.is_empty().then_some(self.otherwise);
        otherwise.into_iter().chain(by_decision.iter().copied())
    }

    /// Returns the identity of a member; 0 if the service is not sticky.
    pub(super) fn identity(&self, member: Member) -> u64 {
        let identities = self.routes.and_then(|routes| routes.identities.as_ref());
        let identity = identities.and_then(|identities| identities.get(usize::from(member)));
        identity.copied().unwrap_or_default()
    }

    /// Returns the twins of all members, by member; empty if the service has none.
    ///
    /// # Cost
    /// A search among the services of the zone that have twins.
    pub(super) fn twins(&self) -> &'a [Twins] {
        let Plans { twins, twins_at, .. } = self.all;
        let found = twins_at.binary_search_by_key(&self.first_member, |&(first, _)| first);
        let start = found.ok().and_then(|at| twins_at.get(at)).map(|&(_, start)| start as usize);
        let twins = start.and_then(|start| twins.get(start..start + self.weights.len()));
        twins.filter(|_| self.traits.has(Traits::TWINS)).unwrap_or(&[])
    }

    /// Returns the first member with the same name in SRV answers; `member` itself if it is the
    /// first.
    pub fn name_twin(&self, member: Member) -> Member {
        self.twins().get(usize::from(member)).map_or(member, |twins| twins.name)
    }

    /// Returns a split or a union by its number.
    pub(super) fn split(&self, at: u32) -> Option<Split> {
        self.all.splits.get(at as usize).copied()
    }

    /// Returns the branches in a range.
    pub(super) fn branches(&self, Branches { start, end }: Branches) -> &'a [Branch] {
        self.all.branches.get(start as usize..end as usize).unwrap_or(&[])
    }

    /// Returns the routes that were followed for a client: those of the service, then those of each
    /// nested service that the client was led to. Empty if the service has no routes.
    pub fn followed(&self, routed: &Routed) -> Vec<Followed<'a>> {
        let Some((routes, table)) = self.routes.and_then(|r| Some((r, r.table.as_ref()?))) else {
            return Vec::new();
        };
        let decision = routed.decision.and_then(|at| table.decisions.get(at as usize));
        let Some(Decision { taken, nested }) = decision else { return Vec::new() };
        let (from, written) = (&table.asked.own.from, &routes.written);
        let own = Followed { label: None, from, written, taken: taken.route };
        let nested = nested.iter().zip(&table.asked.nested).zip(&routes.nested);
        let nested = nested.filter_map(|((taken, asked), written)| {
            let (taken, label) = (taken.as_ref()?.route, Some(written.label.as_str()));
            Some(Followed { label, from: &asked.from, written: &written.written, taken })
        });
        std::iter::once(own).chain(nested).collect()
    }

    /// Returns the location of a pool, if a route depends on it.
    pub fn location(&self, pool: u16) -> Option<PoolLocation> {
        *self.routes?.locations.get(usize::from(pool))?
    }

    /// Returns the measured latency from `client` to a pool in microseconds, if it was measured and
    /// a route depends on it.
    pub fn latency(&self, client: IpAddr, pool: u16) -> Option<u32> {
        let table = self.routes?.table.as_ref()?;
        let (client, pool) = (client.to_canonical(), PoolIndex(pool));
        let mut routings = std::iter::once(&table.asked.own).chain(&table.asked.nested);
        routings.find_map(|routing| routing.latencies.as_ref()?.find(client, pool))
    }

    /// Returns the pools in file order.
    pub fn pools(&self) -> &'a [PlanPool] {
        self.pools
    }

    /// Returns the weight of a member.
    pub fn weight(&self, member: Member) -> u16 {
        self.weights.get(usize::from(member)).copied().unwrap_or_default()
    }

    /// Returns the number of endpoints that an answer names.
    pub fn answers(&self) -> Answers {
        self.answers
    }

    /// Returns the rule for answers when no endpoint may serve.
    pub fn on_all_down(&self) -> OnAllDown {
        self.on_all_down
    }

    /// Returns the numbers of the pools that `routed` may lead to, in the order in which they are
    /// tried.
    pub fn order(&self, routed: &Routed) -> Vec<u16> {
        self.pools_of(routed.to)
    }

    /// Returns the numbers of all pools in `to`, each once.
    pub(super) fn pools_of(&self, to: To) -> Vec<u16> {
        let branches = match to {
            To::Pool(at) => return vec![at],
            To::Failover(branches) => branches,
            To::Split(at) | To::All(at) => {
                self.split(at).map_or(Branches::default(), |split| split.branches)
            }
        };
        let mut pools = Vec::new();
        for at in self.branches(branches).iter().flat_map(|branch| self.pools_of(branch.to)) {
            if !pools.contains(&at) {
                pools.push(at);
            }
        }
        pools
    }

    /// Returns the two bits of the `at`-th endpoint of `pool`: IPv4, IPv6.
    pub fn bits(&self, pool: PoolIndex, at: usize) -> Option<[Bit; 2]> {
        let block = self.pools.get(usize::from(pool.0))?.blocks.get(at / MEMBERS_MAX)?;
        let bit = |family| Bit { word: block.word + family, at: (at % MEMBERS_MAX) as u8 };
        Some([bit(0), bit(1)])
    }
}
