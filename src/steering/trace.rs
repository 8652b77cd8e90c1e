//! What a walk saw, for whoever asks why an answer is what it is.
//!
//! The walk is the one of every query: [`Select`] notes what it does if it has a [`Trace`], and
//! queries have none.

use std::cell::RefCell;

use super::draw::MEMBERS_MAX;
use super::plan::{Branch, Member, PlanPool};
use super::select::{Choice, Family, Mode, Select, rotated};

/// Collects the steps of walks.
#[derive(Debug, Default)]
pub struct Trace(RefCell<Vec<Step>>);

/// One thing that was seen or decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A walk of the client's `to` begins, in which so much of the states counts.
    Walk(Mode),
    /// A pool was asked whether it can answer; once a walk.
    Pool(PoolSeen),
    /// A split drew, or stuck to, one of its usable branches.
    Split {
        /// The pools of the branch.
        pools: Vec<u16>,
        /// Its weight.
        weight: u32,
        /// The weight of all usable branches together.
        total: u32,
    },
    /// Endpoints are drawn, or stuck to, among these, each with the weight that counts.
    Draw(Vec<(Member, u32)>),
}

/// What was seen of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolSeen {
    /// Its number in the service.
    pub pool: u16,
    /// What its endpoints had to have.
    pub family: Family,
    /// Whether it can answer.
    pub fate: Fate,
    /// The weight that is up, or how many are where nothing has a weight.
    pub up: u32,
    /// The weight of all members of the family, or their number.
    pub total: u32,
    /// The number of members of the family that may serve.
    pub endpoints_up: u32,
    /// The number of members of the family.
    pub endpoints: u32,
}

/// Whether a pool can answer, and why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It can.
    Usable,
    /// Its endpoints are targets, and addresses are looked for.
    OnlyTargets,
    /// No endpoint has an address of the family.
    NoneOfFamily,
    /// No endpoint is up.
    NoneUp,
    /// Less of its weight is up than its `min_up`.
    BelowMinUp,
}

impl Trace {
    /// The steps so far, in order; none are left.
    pub fn take(&self) -> Vec<Step> {
        self.0.take()
    }

    #[cold]
    fn note(&self, step: Step) {
        self.0.borrow_mut().push(step);
    }

    /// Unless the present walk has seen it.
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

/// What a query pays for these is one comparison each; the rest is out of its way.
impl Select<'_> {
    /// Notes that a walk begins.
    #[inline]
    pub(super) fn note_walk(&self, mode: Mode) {
        if let Some(trace) = self.trace {
            trace.note(Step::Walk(mode));
        }
    }

    /// Notes what [`Select::is_usable`] found.
    #[inline]
    pub(super) fn note_pool(&self, pool: &PlanPool, mode: Mode, usable: bool) {
        if let Some(trace) = self.trace {
            trace.note_pool(self, pool, mode, usable);
        }
    }

    /// Notes what is drawn among.
    #[inline]
    pub(super) fn note_draw(&self, choice: Choice) {
        if let Some(trace) = self.trace {
            trace.note_draw(self, choice);
        }
    }

    /// Notes that the branch `drawn` was taken of the `usable` ones.
    #[inline]
    pub(super) fn note_split(&self, branches: &[Branch], usable: u64, drawn: Option<usize>) {
        if let Some(trace) = self.trace {
            trace.note_split(self, branches, usable, drawn);
        }
    }
}
