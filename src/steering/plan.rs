//! A service made ready for drawing: masks, words, points, an arena of `to` steps.

use std::ops::Range;

use super::draw::{MEMBERS_MAX, Point, PointCounts};
use super::routes::RouteTable;
use crate::health::Bit;
use crate::zone::{Answers, MinUp, OnAllDown, Place, Pool, PoolIndex, Service, Target};

/// A compiled service: what [`super::Select`] walks.
#[derive(Debug)]
pub struct Plan {
    pub(super) routes: RouteTable,
    /// One step a route, and one for the clients that no route takes.
    pub(super) roots: Box<[u32]>,
    pub(super) steps: Box<[Step]>,
    /// What failovers and splits consist of.
    pub(super) branches: Box<[Branch]>,
    pub(super) pools: Box<[PlanPool]>,
    /// Weights of all members, pool by pool.
    pub(super) weights: Box<[u16]>,
    pub(super) answers: Answers,
    pub(super) on_all_down: OnAllDown,
    has_targets: bool,
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
    pub(super) blocks: Box<[Block]>,
    /// Draws a block, where there are several.
    pub(super) among_blocks: Option<Point>,
}

/// Up to 64 members.
#[derive(Debug)]
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

impl Plan {
    /// Compiles `service`; takes words of the zone's board from `words` on and draw points from
    /// `points`.
    pub fn compile(service: &Service, words: &mut u32, points: &mut PointCounts) -> Self {
        let mut pools = Vec::with_capacity(service.pools.len());
        let mut weights = Vec::new();
        for pool in &service.pools {
            let first = weights.len() as u16;
            weights.extend(pool.endpoints.iter().map(|endpoint| endpoint.weight));
            pools.push(compile_pool(pool, first, words, points));
        }
        let mut tree = Tree { steps: Vec::new(), branches: Vec::new(), points };
        let mut roots: Vec<u32> = service.routes.iter().map(|route| tree.add(&route.to)).collect();
        let in_file_order = (0..pools.len()).map(|at| Target::Pool(PoolIndex(at as u16))).collect();
        roots.push(tree.add(&Target::Failover(in_file_order)));
        let (steps, branches) = (tree.steps.into(), tree.branches.into());
        Self {
            routes: RouteTable::new(service.routes.iter().map(|route| route.from.as_slice())),
            roots: roots.into(),
            steps,
            branches,
            has_targets: pools.iter().any(PlanPool::is_target),
            pools: pools.into(),
            weights: weights.into(),
            answers: service.answers,
            on_all_down: service.on_all_down,
        }
    }

    /// Whether any of its answers can be a CNAME.
    pub fn has_targets(&self) -> bool {
        self.has_targets
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
    steps: Vec<Step>,
    branches: Vec<Branch>,
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
        self.steps.push(step);
        (self.steps.len() - 1) as u32
    }

    fn branches<'t>(&mut self, list: impl Iterator<Item = (&'t Target, u16)>) -> Range<u32> {
        let branches: Vec<Branch> =
            list.map(|(to, weight)| Branch { step: self.add(to), weight }).collect();
        let start = self.branches.len() as u32;
        self.branches.extend(branches);
        start..self.branches.len() as u32
    }
}

fn compile_pool(pool: &Pool, first: u16, words: &mut u32, points: &mut PointCounts) -> PlanPool {
    let is_target = pool.endpoints.iter().any(|e| matches!(e.place, Place::Target(_)));
    let blocks: Box<[Block]> = pool
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
    let members = first..first + pool.endpoints.len() as u16;
    PlanPool { members, min_up: pool.min_up, is_target, blocks, among_blocks }
}
