//! A service made ready for drawing: masks, words, points, an arena of `to` steps.

use std::ops::{Deref, Range};

use std::net::IpAddr;

use super::draw::{MEMBERS_MAX, Point, PointCounts};
use super::routes::RouteTable;
use crate::health::Bit;
use crate::zone::{Answers, MinUp, OnAllDown, Place, Pool, PoolIndex, Service, Target, with_room};

/// The compiled services of a zone, their parts one behind the other: few large pieces of memory,
/// however many services there are.
#[derive(Debug)]
pub struct Plans {
    /// Only of services whose routes name networks.
    routes: Vec<RouteTable>,
    roots: Vec<u32>,
    steps: Vec<Step>,
    branches: Vec<Branch>,
    pools: Vec<PlanPool>,
    weights: Vec<u16>,
}

/// Where the plan of one service stands in its zone's [`Plans`].
#[derive(Clone, Debug)]
pub struct PlanPlace {
    /// `None`: every client takes the first root.
    routes: Option<u32>,
    roots: Range<u32>,
    steps: Range<u32>,
    branches: Range<u32>,
    pools: Range<u32>,
    weights: Range<u32>,
    answers: Answers,
    on_all_down: OnAllDown,
    has_targets: bool,
}

/// A compiled service: what [`super::Select`] walks. Its numbers count from its own first parts.
#[derive(Clone, Copy, Debug)]
pub struct Plan<'a> {
    routes: Option<&'a RouteTable>,
    /// One step a route, and one for the clients that no route takes.
    pub(super) roots: &'a [u32],
    pub(super) steps: &'a [Step],
    /// What failovers and splits consist of.
    pub(super) branches: &'a [Branch],
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

/// One node of a compiled `to`.
#[derive(Debug)]
pub(super) enum Step {
    Pool(u16),
    Failover(Range<u32>),
    Split(Range<u32>, Point),
}

/// One child of a failover or split.
#[derive(Clone, Copy, Debug)]
pub(super) struct Branch {
    pub(super) step: u32,
    pub(super) weight: u16,
}

/// A compiled pool.
#[derive(Debug)]
pub struct PlanPool {
    /// Its members' numbers.
    pub(super) members: Range<u16>,
    pub(super) min_up: MinUp,
    pub(super) is_target: bool,
    pub(super) blocks: Blocks,
    /// Draws a block, where there are several.
    pub(super) among_blocks: Option<Point>,
}

/// The members of a pool, 64 to a block; most pools have one.
#[derive(Debug)]
pub(super) enum Blocks {
    One(Block),
    Many(Box<[Block]>),
}

impl Deref for Blocks {
    type Target = [Block];

    fn deref(&self) -> &[Block] {
        match self {
            Self::One(block) => std::slice::from_ref(block),
            Self::Many(blocks) => blocks,
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
            roots: with_room(services),
            steps: with_room(services),
            branches: with_room(services),
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
        let [roots, steps, branches] =
            [self.roots.len(), self.steps.len(), self.branches.len()].map(|len| len as u32);
        let mut tree = Tree { plans: self, steps, branches, points };
        for route in &service.routes {
            let root = tree.add(&route.to);
            tree.plans.roots.push(root);
        }
        let in_file_order = 0..service.pools.len();
        let in_file_order = in_file_order.map(|at| Target::Pool(PoolIndex(at as u16))).collect();
        let root = tree.add(&Target::Failover(in_file_order));
        self.roots.push(root);
        let routes = (!service.routes.is_empty()).then(|| {
            self.routes.push(RouteTable::new(service.routes.iter().map(|r| r.from.as_slice())));
            self.routes.len() as u32 - 1
        });
        let own_pools = &self.pools[pools as usize..];
        PlanPlace {
            routes,
            roots: roots..self.roots.len() as u32,
            steps: steps..self.steps.len() as u32,
            branches: branches..self.branches.len() as u32,
            has_targets: own_pools.iter().any(PlanPool::is_target),
            pools: pools..self.pools.len() as u32,
            weights: weights..self.weights.len() as u32,
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
            routes: place.routes.and_then(|at| self.routes.get(at as usize)),
            roots: part(&self.roots, &place.roots),
            steps: part(&self.steps, &place.steps),
            branches: part(&self.branches, &place.branches),
            pools: part(&self.pools, &place.pools),
            weights: part(&self.weights, &place.weights),
            answers: place.answers,
            on_all_down: place.on_all_down,
        }
    }

    /// Gives back the room that nothing took.
    pub fn shrink(&mut self) {
        self.routes.shrink_to_fit();
        self.roots.shrink_to_fit();
        self.steps.shrink_to_fit();
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
}

impl Plan<'_> {
    /// Which root `client` takes.
    pub(super) fn route(&self, client: IpAddr) -> u16 {
        self.routes.map_or(0, |routes| routes.route(client))
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
    /// The first steps and branches of its own.
    steps: u32,
    branches: u32,
    points: &'a mut PointCounts,
}

impl Tree<'_> {
    fn add(&mut self, target: &Target) -> u32 {
        let step = match target {
            Target::Pool(pool) => Step::Pool(pool.0),
            Target::Failover(list) => Step::Failover(self.branches(list.iter().map(|to| (to, 0)))),
            Target::Split(list) => {
                let range = self.branches(list.iter().map(|(to, weight)| (to, *weight)));
                Step::Split(range, self.points.add(list.len()))
            }
        };
        self.plans.steps.push(step);
        self.plans.steps.len() as u32 - 1 - self.steps
    }

    fn branches<'t>(&mut self, list: impl Iterator<Item = (&'t Target, u16)>) -> Range<u32> {
        let branches: Vec<Branch> =
            list.map(|(to, weight)| Branch { step: self.add(to), weight }).collect();
        let start = self.plans.branches.len() as u32 - self.branches;
        self.plans.branches.extend(branches);
        start..self.plans.branches.len() as u32 - self.branches
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
    let among_blocks = (blocks.len() > 1).then(|| points.add(blocks.len()));
    let blocks = match blocks[..] {
        [block] => Blocks::One(block),
        _ => Blocks::Many(blocks.into()),
    };
    let members = first..first + pool.endpoints.len() as u16;
    PlanPool { members, min_up: pool.min_up, is_target, blocks, among_blocks }
}
