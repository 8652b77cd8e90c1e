//! The steps of a walk, for explanations of an answer.
//!
//! The walk is the same as for every query: [`Select`] notes its steps if it has a [`Trace`], and
//! queries have none.

use std::cell::RefCell;

use super::draw::MEMBERS_MAX;
use super::plan::{Branch, Member, PlanPool};
use super::select::{Choice, Family, Mode, Select, rotated};

/// The steps of walks, noted one by one.
#[derive(Debug, Default)]
pub struct Trace(RefCell<Vec<Step>>);

/// One step of a walk: something seen or decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The start of a walk of the client's `to`, and the part of the states that counts in it.
    Walk(Mode),
    /// The result for a pool; noted once a walk.
    Pool(PoolSeen),
    /// The choice of one usable branch of a split, drawn or sticky.
    Split {
        /// The numbers of the pools of the branch.
        pools: Vec<u16>,
        /// The weight of the branch.
        weight: u32,
        /// The weight of all usable branches together.
        total: u32,
    },
    /// The endpoints that are drawn from, or stuck to, each with the weight that counts.
    Draw(Vec<(Member, u32)>),
}

/// The result for one pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolSeen {
    /// The number of the pool in the service.
    pub pool: u16,
    /// The address family that the endpoints needed.
    pub family: Family,
    /// The fate of the pool.
    pub fate: Fate,
    /// The weight that is up; the number of endpoints that are up if none has a weight.
    pub up: u32,
    /// The weight of all members of the family, or their number.
    pub total: u32,
    /// The number of members of the family that may serve.
    pub endpoints_up: u32,
    /// The number of members of the family.
    pub endpoints: u32,
}

/// The fate of a pool in a walk: whether it can answer, and the reason if it cannot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// A pool that can answer.
    Usable,
    /// A pool of targets, where only addresses are wanted.
    OnlyTargets,
    /// A pool without an address of the family.
    NoneOfFamily,
    /// A pool none of whose endpoints is up.
    NoneUp,
    /// A pool with less weight up than its `min_up`.
    BelowMinUp,
}

impl Trace {
    /// Takes out the steps so far, in order.
    pub fn take(&self) -> Vec<Step> {
        self.0.take()
    }

    #[cold]
    fn note(&self, step: Step) {
        self.0.borrow_mut().push(step);
    }

    /// Notes a pool, unless the present walk has noted it.
    #[cold]
    fn note_pool(&self, select: &Select<'_>, pool: &PlanPool, mode: Mode, usable: bool) {
        let mut pools = select.plan.pools.iter();
        // No two pools start with the same member.
        let Some(at) = pools.position(|other| other.members == pool.members) else { return };
        let (up, total) = select.weight_up(pool, mode);
        let (endpoints_up, endpoints) = select.count_up(pool, mode);
        let fate = match usable {
            true => Fate::Usable,
            false if select.addresses_only && pool.is_target => Fate::OnlyTargets,
            false if pool.blocks.iter().all(|block| select.members(block) == 0) => {
                Fate::NoneOfFamily
            }
            false if pool.blocks.iter().all(|block| select.mask(block, mode) == 0) => Fate::NoneUp,
            false => Fate::BelowMinUp,
        };
        let (pool, family) = (at as u16, select.family);
        let seen = PoolSeen { pool, family, fate, up, total, endpoints_up, endpoints };
        let mut steps = self.0.borrow_mut();
        let mut of_walk = steps.iter().rev().take_while(|step| !matches!(step, Step::Walk(_)));
        if !of_walk.any(|step| *step == Step::Pool(seen)) {
            steps.push(Step::Pool(seen));
        }
    }

    #[cold]
    fn note_draw(&self, select: &Select<'_>, choice: Choice) {
        let among = select.parts(choice).flat_map(|part| {
            rotated(part.mask, 0).map(move |bit| {
                let at = part.start + bit;
                (part.pool.members.start + at as Member, select.weight_in(&part, bit))
            })
        });
        self.note(Step::Draw(among.collect()));
    }

    #[cold]
    fn note_split(
        &self,
        select: &Select<'_>,
        branches: &[Branch],
        usable: u64,
        drawn: Option<usize>,
    ) {
        let weight = |at: usize| branches.get(at).map_or(0, |b| u32::from(b.weight).max(1));
        let Some((at, branch)) = drawn.and_then(|at| Some((at, branches.get(at)?))) else { return };
        let total = rotated(usable, 0).take(MEMBERS_MAX).map(weight).sum();
        let pools = select.plan.pools_of(branch.to);
        self.note(Step::Split { pools, weight: weight(at), total });
    }
}

/// The notes. A query pays one comparison for each; the rest is out of line.
impl Select<'_> {
    /// Notes that a walk begins.
    #[inline]
    pub(super) fn note_walk(&self, mode: Mode) {
        if let Some(trace) = self.trace {
            trace.note(Step::Walk(mode));
        }
    }

    /// Notes the result of [`Select::is_usable`].
    #[inline]
    pub(super) fn note_pool(&self, pool: &PlanPool, mode: Mode, usable: bool) {
        if let Some(trace) = self.trace {
            trace.note_pool(self, pool, mode, usable);
        }
    }

    /// Notes the endpoints that are drawn from.
    #[inline]
    pub(super) fn note_draw(&self, choice: Choice) {
        if let Some(trace) = self.trace {
            trace.note_draw(self, choice);
        }
    }

    /// Notes that the branch `drawn` was taken from the `usable` ones.
    #[inline]
    pub(super) fn note_split(&self, branches: &[Branch], usable: u64, drawn: Option<usize>) {
        if let Some(trace) = self.trace {
            trace.note_split(self, branches, usable, drawn);
        }
    }
}
