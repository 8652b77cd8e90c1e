//! A service made ready for drawing: masks, words, points, each `to` flattened.
//!
//! Among many services each place in memory that an answer reads costs a miss of the cache. So a
//! service with one pool and no routes, as most are, leads from its [`PlanPlace`] to the pool at
//! once.

use std::hint::black_box;
use std::net::IpAddr;
use std::ops::{Deref, Range};
use std::sync::Arc;

use super::draw::{MEMBERS_MAX, Point, PointCounts};
use super::lines::Lines;
use super::routes::{Decision, RouteTable, RouteTables};
use super::sticky::{self, Kind};
use crate::geo::Found;
use crate::health::Bit;
use crate::zone::{
    Answers, MinUp, OnAllDown, Place, Pool, PoolIndex, PoolLocation, RouteFrom, Service, Target,
    with_room,
};

/// The prefix behind which IPv6 has IPv4 (RFC 4291 §2.5.5.2).
const MAPPED_LEN: u8 = 96;

/// The compiled services of a zone, their parts one behind the other: few large pieces of memory,
/// however many services there are.
#[derive(Debug)]
pub struct Plans {
    /// Only of services that have routes or are sticky.
    routes: Vec<Routes>,
    splits: Vec<Split>,
    branches: Vec<Branch>,
    pools: Vec<PlanPool>,
    weights: Vec<u16>,
}

/// Where the plan of one service stands in its zone's [`Plans`].
#[derive(Clone, Debug)]
pub struct PlanPlace {
    /// Where the clients go that no route takes.
    otherwise: To,
    routes: Option<u32>,
    pools: Range<u32>,
    members: Range<u32>,
    answers: Answers,
    on_all_down: OnAllDown,
    has_targets: bool,
}

/// A compiled service: what [`super::Select`] walks.
#[derive(Clone, Copy, Debug)]
pub struct Plan<'a> {
    otherwise: To,
    routes: Option<&'a Routes>,
    /// Those of all services.
    all: &'a Plans,
    /// Its own.
    pub(super) pools: &'a [PlanPool],
    /// Weights of all members, pool by pool.
    pub(super) weights: &'a [u16],
    pub(super) answers: Answers,
    pub(super) on_all_down: OnAllDown,
}

/// A member's number: its place among all endpoints of its service, pool by pool.
pub type Member = u16;

/// A failover tier, from 0.
pub type Tier = u16;

/// A compiled `to`.
#[derive(Clone, Copy, Debug)]
pub(super) enum To {
    /// The number of a pool of the service.
    Pool(u16),
    Failover(Branches),
    /// The number of a [`Split`].
    Split(u32),
    /// The number of a [`Split`] all of whose branches serve.
    All(u32),
}

/// What of a service depends on the client.
#[derive(Debug, Default)]
struct Routes {
    table: Option<Arc<RouteTable>>,
    /// By decision.
    to: Box<[To]>,
    /// What each route says, for whoever asks why.
    written: Box<[Target]>,
    /// Where its pools are, for the same.
    locations: Box<[Option<PoolLocation>]>,
    /// What stands for each of its endpoints if it is sticky.
    identities: Option<Box<[u64]>>,
}

/// Where a client goes.
#[derive(Clone, Copy, Debug)]
pub struct Routed {
    pub(super) to: To,
    /// The length of the shortest prefix of the client that all goes there (RFC 7871 §7.2.1).
    pub scope: u8,
    /// What decides instead of draws in a sticky service.
    pub(super) sticky: Option<u64>,
    /// The number of what was decided for the client; `None`: there are no routes.
    decision: Option<u32>,
}

/// A compiled split, or a union.
#[derive(Clone, Copy, Debug)]
pub(super) struct Split {
    pub(super) branches: Branches,
    pub(super) point: Point,
}

/// Which branches a failover or split consists of.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Branches {
    start: u32,
    end: u32,
}

/// One child of a failover or split.
#[derive(Clone, Copy, Debug)]
pub(super) struct Branch {
    pub(super) to: To,
    pub(super) weight: u16,
    /// What stands for it in a sticky service.
    pub(super) identity: u64,
}

/// A compiled pool; one line of the cache.
#[derive(Debug)]
#[repr(align(64))]
pub struct PlanPool {
    /// Its members' numbers.
    pub(super) members: Range<u16>,
    pub(super) min_up: MinUp,
    pub(super) is_target: bool,
    pub(super) blocks: Blocks,
}

/// The members of a pool, 64 to a block; most pools have one.
#[derive(Debug)]
pub(super) enum Blocks {
    One(Block),
    /// With what draws one of them.
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
    /// The first of its two words on the board: IPv4, then IPv6.
    pub(super) word: u32,
    /// Members that have an IPv4 address; every member of a pool of targets.
    pub(super) v4: u64,
    /// Members that have an IPv6 address; every member of a pool of targets.
    pub(super) v6: u64,
    /// Members of a weight above 0.
    pub(super) weighted: u64,
    pub(super) point: Point,
}

const _: () = assert!(size_of::<PlanPool>() == 64);

impl PlanPool {
    /// Whether its endpoints are targets, answered as CNAME.
    pub fn is_target(&self) -> bool {
        self.is_target
    }

    /// Its members' numbers.
    pub fn members(&self) -> Range<Member> {
        self.members.clone()
    }

    /// The share of its weight that must be up.
    pub fn min_up(&self) -> MinUp {
        self.min_up
    }
}

impl Plans {
    /// None yet, and room for those of `services` services.
    pub fn with_room(services: usize) -> Self {
        Self {
            routes: Vec::new(),
            splits: Vec::new(),
            branches: Vec::new(),
            pools: with_room(services),
            weights: with_room(services),
        }
    }

    /// Compiles `service`, whose routes `tables` makes; takes words of the zone's board from
    /// `words` on and draw points from `points`.
    pub fn add(
        &mut self,
        service: &Service,
        tables: &mut RouteTables,
        words: &mut u32,
        points: &mut PointCounts,
    ) -> PlanPlace {
        let [pools, weights] = [self.pools.len(), self.weights.len()].map(|len| len as u32);
        for pool in &service.pools {
            let first = (self.weights.len() as u32 - weights) as u16;
            self.weights.extend(pool.endpoints.iter().map(|endpoint| endpoint.weight));
            self.pools.push(compile_pool(pool, first, words, points));
        }
        let in_file_order = 0..service.pools.len();
        let in_file_order = in_file_order.map(|at| Target::Pool(PoolIndex(at as u16))).collect();
        let otherwise = Tree { plans: self, service, points: [].iter(), orders: [].iter() }
            .add(&Target::Failover(in_file_order));
        let routes = (!service.routes.is_empty() || service.sticky).then(|| {
            let mut routes = match service.routes[..] {
                [] => Routes::default(),
                _ => self.compile_routes(service, tables.table(service), otherwise, points),
            };
            let names = service.endpoints().map(|(_, endpoint)| endpoint.name.as_bytes());
            let identities = || names.map(|name| sticky::identity(Kind::Endpoint, name)).collect();
            routes.identities = service.sticky.then(identities);
            self.routes.push(routes);
            self.routes.len() as u32 - 1
        });
        let own_pools = &self.pools[pools as usize..];
        PlanPlace {
            otherwise,
            routes,
            has_targets: own_pools.iter().any(PlanPool::is_target),
            pools: pools..self.pools.len() as u32,
            members: weights..self.weights.len() as u32,
            answers: service.answers,
            on_all_down: service.on_all_down,
        }
    }

    /// Compiles the `to` of each decision. What draws in a route is the same in all of its
    /// decisions, so that their clients share it.
    fn compile_routes(
        &mut self,
        service: &Service,
        table: Arc<RouteTable>,
        otherwise: To,
        points: &mut PointCounts,
    ) -> Routes {
        let drawing: Vec<Vec<Point>> = service
            .routes
            .iter()
            .map(|route| lens_drawn_from(&route.to).map(|len| points.add(len)).collect())
            .collect();
        let to = |Decision { route, orders }: &Decision| {
            let Some(at) = route.map(usize::from) else { return otherwise };
            let mut tree =
                Tree { plans: self, service, points: drawing[at].iter(), orders: orders.iter() };
            tree.add(&service.routes[at].to)
        };
        let to = table.decisions.iter().map(to).collect();
        let written = service.routes.iter().map(|route| route.to.clone()).collect();
        let locations = service.pools.iter().map(|pool| pool.location).collect();
        Routes { table: Some(table), to, written, locations, identities: None }
    }

    /// The plan at `place`, which is of these plans.
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
        }
    }

    /// What an answer of the service at `place` reads; `None` if its first pool is empty.
    pub fn lines(&self, place: &PlanPlace) -> Option<Lines> {
        let PlanPool { blocks, .. } = self.pools.get(place.pools.start as usize)?;
        let Block { word, point, .. } = *blocks.first()?;
        Some(Lines { pool: place.pools.start, word, point, member: place.members.start })
    }

    /// Fetches a pool, by its number among those of all services.
    pub(super) fn fetch(&self, pool: u32) {
        black_box(self.pools.get(pool as usize).map(|pool| pool.is_target));
    }

    /// Whether any route asks where clients are.
    pub fn asks_geo(&self) -> bool {
        let mut tables = self.routes.iter().filter_map(|routes| routes.table.as_ref());
        tables.any(|table| table.asks_geo)
    }

    /// Gives back the room that nothing took.
    pub fn shrink(&mut self) {
        self.routes.shrink_to_fit();
        self.splits.shrink_to_fit();
        self.branches.shrink_to_fit();
        self.pools.shrink_to_fit();
        self.weights.shrink_to_fit();
    }
}

fn part<'a, T>(all: &'a [T], range: &Range<u32>) -> &'a [T] {
    all.get(range.start as usize..range.end as usize).unwrap_or(&[])
}

impl PlanPlace {
    /// Whether any of its answers can be a CNAME.
    pub fn has_targets(&self) -> bool {
        self.has_targets
    }

    /// Its pools among those of all services of the zone, in the order of [`Plans::add`].
    pub fn pools(&self) -> Range<u32> {
        self.pools.clone()
    }

    /// Its endpoints among those of all services of the zone, in the order of [`Plans::add`].
    pub fn members(&self) -> Range<u32> {
        self.members.clone()
    }
}

impl Routed {
    /// Whether the client gets the same endpoints as long as they may serve.
    pub fn is_sticky(&self) -> bool {
        self.sticky.is_some()
    }
}

impl<'a> Plan<'a> {
    /// Where `client` goes.
    ///
    /// # Cost
    /// Nothing where the service has no routes, else one search.
    pub fn route(&self, client: IpAddr) -> Routed {
        let everyone = Routed { to: self.otherwise, scope: 0, sticky: None, decision: None };
        let Some(Routes { table, to, identities, .. }) = self.routes else { return everyone };
        let (asked, client) = (client, client.to_canonical());
        // An IPv4 address inside an IPv6 one is counted as the latter by whoever hears of it.
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

    /// What stands for a member in a sticky service.
    pub(super) fn identity(&self, member: Member) -> u64 {
        let identities = self.routes.and_then(|routes| routes.identities.as_ref());
        let identity = identities.and_then(|identities| identities.get(usize::from(member)));
        identity.copied().unwrap_or_default()
    }

    /// A split by its number.
    pub(super) fn split(&self, at: u32) -> Option<Split> {
        self.all.splits.get(at as usize).copied()
    }

    /// The branches themselves.
    pub(super) fn branches(&self, Branches { start, end }: Branches) -> &'a [Branch] {
        self.all.branches.get(start as usize..end as usize).unwrap_or(&[])
    }

    /// The routes in order: whom each takes and where it leads; none if nobody is told apart.
    pub fn routes(&self) -> impl Iterator<Item = (&'a RouteFrom, &'a Target)> {
        let routes = self.routes.into_iter();
        routes.flat_map(|routes| {
            let from = routes.table.iter().flat_map(|table| table.from.iter());
            from.zip(routes.written.iter())
        })
    }

    /// The number of the route that took the client; `None`: none did, so that it goes to the
    /// pools in file order.
    pub fn taken(&self, routed: &Routed) -> Option<u16> {
        let table = self.routes?.table.as_ref()?;
        table.decisions.get(routed.decision? as usize)?.route
    }

    /// Where a pool is, if that matters to a route.
    pub fn location(&self, pool: u16) -> Option<PoolLocation> {
        *self.routes?.locations.get(usize::from(pool))?
    }

    /// How many microseconds `client` takes to a pool, if that was measured and matters to a route.
    pub fn latency(&self, client: IpAddr, pool: u16) -> Option<u32> {
        let table = self.routes?.table.as_ref()?;
        table.latencies.as_ref()?.find(client.to_canonical(), PoolIndex(pool))
    }

    /// The pools, in file order.
    pub fn pools(&self) -> &'a [PlanPool] {
        self.pools
    }

    /// The weight of a member.
    pub fn weight(&self, member: Member) -> u16 {
        self.weights.get(usize::from(member)).copied().unwrap_or_default()
    }

    /// How many endpoints an answer names.
    pub fn answers(&self) -> Answers {
        self.answers
    }

    /// What is answered where nothing may serve.
    pub fn on_all_down(&self) -> OnAllDown {
        self.on_all_down
    }

    /// The numbers of the pools that `routed` may lead to, in the order in which they are tried.
    pub fn order(&self, routed: &Routed) -> Vec<u16> {
        self.pools_of(routed.to)
    }

    /// The numbers of all pools in `to`, each once.
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

    /// The bits of the `at`-th endpoint of `pool`: IPv4, IPv6.
    pub fn bits(&self, pool: PoolIndex, at: usize) -> Option<[Bit; 2]> {
        let block = self.pools.get(usize::from(pool.0))?.blocks.get(at / MEMBERS_MAX)?;
        let bit = |family| Bit { word: block.word + family, at: (at % MEMBERS_MAX) as u8 };
        Some([bit(0), bit(1)])
    }
}

/// How many branches each place in `to` draws from, in the order in which [`Tree::add`] comes upon
/// them.
fn lens_drawn_from(to: &Target) -> Box<dyn Iterator<Item = usize> + '_> {
    match to {
        Target::Pool(_) | Target::Nearest(_) | Target::Fastest(_) => Box::new(std::iter::empty()),
        Target::Failover(list) => Box::new(list.iter().flat_map(lens_drawn_from)),
        Target::All(list) => Box::new(list.iter().flat_map(lens_drawn_from).chain([MEMBERS_MAX])),
        Target::Split(list) => {
            let inside = list.iter().flat_map(|(to, _)| lens_drawn_from(to));
            Box::new(inside.chain([list.len()]))
        }
    }
}

/// A `to` being flattened for one decision.
struct Tree<'a> {
    plans: &'a mut Plans,
    service: &'a Service,
    /// What draws, in the order of [`lens_drawn_from`].
    points: std::slice::Iter<'a, Point>,
    /// What takes the place of each `nearest` and `fastest`, in the order in which they are come
    /// upon.
    orders: std::slice::Iter<'a, Arc<[PoolIndex]>>,
}

impl Tree<'_> {
    fn add(&mut self, target: &Target) -> To {
        match target {
            Target::Pool(pool) => To::Pool(pool.0),
            // What fails over to nothing is what it consists of.
            Target::Failover(list) if list.len() == 1 => self.add(&list[0]),
            Target::Failover(list) => To::Failover(self.branches(list.iter().map(|to| (to, 0)))),
            Target::Split(list) => {
                let branches = self.branches(list.iter().map(|(to, weight)| (to, *weight)));
                let point = self.point();
                self.plans.splits.push(Split { branches, point });
                To::Split(self.plans.splits.len() as u32 - 1)
            }
            Target::All(list) => {
                let branches = self.branches(list.iter().map(|to| (to, 0)));
                let point = self.point();
                self.plans.splits.push(Split { branches, point });
                To::All(self.plans.splits.len() as u32 - 1)
            }
            Target::Nearest(written) | Target::Fastest(written) => {
                let order: &[PoolIndex] = self.orders.next().map_or(written, |order| order);
                let order: Vec<Target> = order.iter().map(|&pool| Target::Pool(pool)).collect();
                self.add(&Target::Failover(order))
            }
        }
    }

    /// What stands for a branch: the names of its pools.
    fn identity(&self, target: &Target) -> u64 {
        if !self.service.sticky {
            return 0;
        }
        let mut found = Vec::new();
        target.pools(&mut found);
        let pools = found.iter().filter_map(|at| self.service.pools.get(usize::from(at.0)));
        let names: Vec<&str> = pools.map(|pool| pool.name.as_str()).collect();
        sticky::identity(Kind::Branch, names.join("\0").as_bytes())
    }

    fn point(&mut self) -> Point {
        self.points.next().copied().unwrap_or_default()
    }

    fn branches<'t>(&mut self, list: impl Iterator<Item = (&'t Target, u16)>) -> Branches {
        let branches: Vec<Branch> = list
            .map(|(to, weight)| Branch { to: self.add(to), weight, identity: self.identity(to) })
            .collect();
        let start = self.plans.branches.len() as u32;
        self.plans.branches.extend(branches);
        Branches { start, end: self.plans.branches.len() as u32 }
    }
}

fn compile_pool(pool: &Pool, first: u16, words: &mut u32, points: &mut PointCounts) -> PlanPool {
    let is_target = pool.endpoints.iter().any(|e| matches!(e.place, Place::Target(_)));
    let blocks: Vec<Block> = pool
        .endpoints
        .chunks(MEMBERS_MAX)
        .map(|endpoints| {
            let mask = |has: &dyn Fn(&crate::zone::Endpoint) -> bool| {
                let bits = endpoints.iter().enumerate().filter(|(_, e)| has(e));
                bits.fold(0u64, |mask, (at, _)| mask | 1 << at)
            };
            let word = *words;
            *words += 2;
            Block {
                word,
                v4: mask(&|e| !matches!(e.place, Place::Addresses { v4: None, .. })),
                v6: mask(&|e| !matches!(e.place, Place::Addresses { v6: None, .. })),
                weighted: mask(&|e| e.weight > 0),
                point: points.add(endpoints.len()),
            }
        })
        .collect();
    let blocks = match blocks[..] {
        [block] => Blocks::One(block),
        _ => {
            let point = points.add(blocks.len());
            Blocks::Many(blocks.into(), point)
        }
    };
    let members = first..first + pool.endpoints.len() as u16;
    PlanPool { members, min_up: pool.min_up, is_target, blocks }
}
