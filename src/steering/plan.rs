//! A service made ready for drawing: masks, words, points, each `to` flattened.
//!
//! Among many services each place in memory that an answer reads costs a miss of the cache. So a
//! service with one pool and no routes, as most are, leads from its [`PlanPlace`] to the pool at
//! once.

use std::hint::black_box;
use std::net::IpAddr;
use std::ops::{Deref, Range};

use super::draw::{MEMBERS_MAX, Point, PointCounts};
use super::lines::Lines;
use super::routes::RouteTable;
use crate::health::Bit;
use crate::zone::{Answers, MinUp, OnAllDown, Place, Pool, PoolIndex, Service, Target, with_room};

/// The compiled services of a zone, their parts one behind the other: few large pieces of memory,
/// however many services there are.
#[derive(Debug)]
pub struct Plans {
    /// Only of services that have routes.
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
    splits: &'a [Split],
    /// Those of all services.
    branches: &'a [Branch],
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
}

/// The routes of a service.
#[derive(Debug)]
struct Routes {
    table: RouteTable,
    /// By route.
    to: Box<[To]>,
}

/// A compiled split.
#[derive(Clone, Copy, Debug)]
pub(super) struct Split {
    pub(super) branches: Branches,
    pub(super) point: Point,
}

/// Which branches a failover or split consists of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Branches {
    start: u32,
    end: u32,
}

/// One child of a failover or split.
#[derive(Clone, Copy, Debug)]
pub(super) struct Branch {
    pub(super) to: To,
    pub(super) weight: u16,
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

    /// Compiles `service`; takes words of the zone's board from `words` on and draw points from
    /// `points`.
    pub fn add(
        &mut self,
        service: &Service,
        words: &mut u32,
        points: &mut PointCounts,
    ) -> PlanPlace {
        let [pools, weights] = [self.pools.len(), self.weights.len()].map(|len| len as u32);
        for pool in &service.pools {
            let first = (self.weights.len() as u32 - weights) as u16;
            self.weights.extend(pool.endpoints.iter().map(|endpoint| endpoint.weight));
            self.pools.push(compile_pool(pool, first, words, points));
        }
        let mut tree = Tree { plans: self, points };
        let to: Box<[To]> = service.routes.iter().map(|route| tree.add(&route.to)).collect();
        let in_file_order = 0..service.pools.len();
        let in_file_order = in_file_order.map(|at| Target::Pool(PoolIndex(at as u16))).collect();
        let otherwise = tree.add(&Target::Failover(in_file_order));
        let routes = (!service.routes.is_empty()).then(|| {
            let table = RouteTable::new(service.routes.iter().map(|r| r.from.as_slice()));
            self.routes.push(Routes { table, to });
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

    /// The plan at `place`, which is of these plans.
    ///
    /// # Cost
    /// A few bounds checked; no allocation.
    pub fn plan(&self, place: &PlanPlace) -> Plan<'_> {
        Plan {
            otherwise: place.otherwise,
            routes: place.routes.and_then(|at| self.routes.get(at as usize)),
            splits: &self.splits,
            branches: &self.branches,
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

    /// Its endpoints among those of all services of the zone, in the order of [`Plans::add`].
    pub fn members(&self) -> Range<u32> {
        self.members.clone()
    }
}

impl<'a> Plan<'a> {
    /// Where `client` goes.
    pub(super) fn to(&self, client: IpAddr) -> To {
        let routed = self.routes.and_then(|routes| {
            let route = routes.table.route(client);
            routes.to.get(usize::from(route)).copied()
        });
        routed.unwrap_or(self.otherwise)
    }

    /// A split by its number.
    pub(super) fn split(&self, at: u32) -> Option<Split> {
        self.splits.get(at as usize).copied()
    }

    /// The branches themselves.
    pub(super) fn branches(&self, Branches { start, end }: Branches) -> &'a [Branch] {
        self.branches.get(start as usize..end as usize).unwrap_or(&[])
    }

    /// The bits of the `at`-th endpoint of `pool`: IPv4, IPv6.
    pub fn bits(&self, pool: PoolIndex, at: usize) -> Option<[Bit; 2]> {
        let block = self.pools.get(usize::from(pool.0))?.blocks.get(at / MEMBERS_MAX)?;
        let bit = |family| Bit { word: block.word + family, at: (at % MEMBERS_MAX) as u8 };
        Some([bit(0), bit(1)])
    }
}

/// A `to` being flattened.
struct Tree<'a> {
    plans: &'a mut Plans,
    points: &'a mut PointCounts,
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
                self.plans.splits.push(Split { branches, point: self.points.add(list.len()) });
                To::Split(self.plans.splits.len() as u32 - 1)
            }
        }
    }

    fn branches<'t>(&mut self, list: impl Iterator<Item = (&'t Target, u16)>) -> Branches {
        let branches: Vec<Branch> =
            list.map(|(to, weight)| Branch { to: self.add(to), weight }).collect();
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
