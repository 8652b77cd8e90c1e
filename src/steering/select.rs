//! Selects the pools of one answer for a client, by the states.

use super::draw::{Draws, MEMBERS_MAX, Point, Stream};
use super::plan::{Block, Branch, Branches, Member, Plan, PlanPool, Routed, Tier, To};
use super::sticky;
use super::trace::Trace;
use crate::health::{Bit, Board};
use crate::zone::OnAllDown;

/// The addresses that an endpoint needs to be drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// An IPv4 address.
    V4,
    /// An IPv6 address.
    V6,
    /// An address of either family.
    Any,
}

/// The part of the states that counts. Each mode is tried when the one before it finds nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A pool needs its `min_up`. Drained endpoints do not serve.
    MinUp,
    /// One endpoint that is up is enough: better a thin pool than an endpoint that is down.
    AnyUp,
    /// Drained endpoints serve too: better one of them than an endpoint that is down.
    Drained,
    /// Every endpoint counts as up.
    Open,
}

/// The whole of a weight, in percent.
pub(super) const PERCENT_ALL: u32 = 100;

/// The pools chosen to answer, and the mode in which they were found.
#[derive(Clone, Copy, Debug)]
pub struct Choice {
    pub(super) pools: Chosen,
    pub(super) mode: Mode,
}

impl Choice {
    /// Returns whether the choice was made as if every endpoint were up.
    pub fn is_open(&self) -> bool {
        self.mode == Mode::Open
    }
}

/// The chosen pools: one, or several together.
#[derive(Clone, Copy, Debug)]
pub(super) enum Chosen {
    /// A pool, by its number in the service.
    One(u16),
    /// Several pools: the bits of their numbers, and the number of the union that draws among them.
    Several(u64, u32),
}

impl Chosen {
    /// Returns the bits of the numbers of its pools.
    pub(super) fn bits(self) -> u64 {
        match self {
            Self::One(at) => 1 << (at & 63),
            Self::Several(bits, _) => bits,
        }
    }
}

/// One endpoint of an SRV answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share {
    /// The number of the endpoint.
    pub member: Member,
    /// The failover tier of the endpoint.
    pub priority: Tier,
    /// The weight of the endpoint in the SRV record.
    pub weight: u16,
    /// The weight times 100, before it is rounded to a whole number.
    pub(super) part: f64,
}

/// The selection of endpoints of one service for one query.
#[derive(Clone, Copy, Debug)]
pub struct Select<'a> {
    /// The service.
    pub plan: Plan<'a>,
    /// The states of the service's zone.
    pub board: &'a Board,
    /// The result of routing the client.
    pub routed: Routed,
    /// The addresses that the endpoints must have.
    pub family: Family,
    /// Whether pools of targets are skipped.
    pub addresses_only: bool,
    /// The trace that notes the steps; `None` for queries.
    pub trace: Option<&'a Trace>,
}

impl<'a> Select<'a> {
    /// Returns whether `choice`, made for another family, has an endpoint for this one.
    pub fn can_serve(&self, choice: Choice) -> bool {
        let is_usable = |at| self.pool(at).is_some_and(|pool| self.is_usable(pool, choice.mode));
        match choice.pools {
            Chosen::One(at) => is_usable(at),
            Chosen::Several(bits, _) => rotated(bits, 0).any(|at| is_usable(at as u16)),
        }
    }

    /// Returns whether `choice` is a pool of targets, answered as CNAME.
    pub fn is_target(&self, choice: Choice) -> bool {
        // Pools of targets are never chosen together with others.
        matches!(choice.pools, Chosen::One(at) if self.pool(at).is_some_and(|pool| pool.is_target))
    }

    /// Chooses the pools of the answer; `None` if no pool can answer.
    ///
    /// Walks the client's `to` four times at most: with the `min_up` of each pool, with any
    /// endpoint up, with drained endpoints too, and then by `on_all_down`.
    ///
    /// # Cost
    /// Proportional to the pools that the route names; no allocation.
    pub fn choose(&self, draws: &mut Draws, stream: Stream) -> Option<Choice> {
        let walk = |mode, draws: &mut Draws| {
            self.note_walk(mode);
            let pools = self.walk(self.routed.to, mode, draws, stream)?;
            Some(Choice { pools, mode })
        };
        let found = walk(Mode::MinUp, draws).or_else(|| walk(Mode::AnyUp, draws));
        let drained = || self.board.is_adjusted().then(|| walk(Mode::Drained, draws)).flatten();
        found.or_else(drained).or_else(|| match self.plan.on_all_down {
            OnAllDown::All => walk(Mode::Open, draws),
            OnAllDown::None => None,
            OnAllDown::Pool(at) => {
                let pool = self.pool(at.0)?;
                self.note_walk(Mode::Open);
                let choice = Choice { pools: Chosen::One(at.0), mode: Mode::Open };
                self.is_usable(pool, Mode::Open).then_some(choice)
            }
        })
    }

    pub(super) fn pool(&self, at: u16) -> Option<&'a PlanPool> {
        self.plan.pools.get(usize::from(at))
    }

    fn walk(&self, to: To, mode: Mode, draws: &mut Draws, stream: Stream) -> Option<Chosen> {
        match to {
            To::Pool(at) => self.is_usable(self.pool(at)?, mode).then_some(Chosen::One(at)),
            To::Failover(branches) => {
                let branches = self.plan.branches(branches);
                branches.iter().find_map(|branch| self.walk(branch.to, mode, draws, stream))
            }
            To::Split(at) => {
                let split = self.plan.split(at)?;
                let branches = self.plan.branches(split.branches);
                let drawn = self.draw_branch(branches, split.point, mode, draws, stream)?;
                self.walk(branches.get(drawn)?.to, mode, draws, stream)
            }
            To::All(at) => {
                let union = self.plan.split(at)?;
                let branches = self.plan.branches(union.branches).iter();
                let walked = branches.filter_map(|b| self.walk(b.to, mode, draws, stream));
                let bits = walked.fold(0, |bits, chosen| bits | chosen.bits());
                (bits != 0).then_some(Chosen::Several(bits, at))
            }
        }
    }

    /// Draws one of the branches of a split that lead to a usable pool.
    fn draw_branch(
        &self,
        branches: &[Branch],
        point: Point,
        mode: Mode,
        draws: &mut Draws,
        stream: Stream,
    ) -> Option<usize> {
        let mask = self.usable_branches(branches, mode);
        if mask == 0 {
            // Preparing an empty draw would start the shares anew for the next mode.
            return None;
        }
        let weight = |at: usize| branches.get(at).map_or(0, |b| u32::from(b.weight).max(1));
        if let Some(key) = self.routed.sticky {
            let scored = rotated(mask, 0).filter_map(|at| {
                Some((sticky::score(key, branches.get(at)?.identity, weight(at)), at))
            });
            let best = scored.min_by(|(a, _), (b, _)| a.total_cmp(b)).map(|(_, at)| at);
            self.note_split(branches, mask, best);
            return best;
        }
        draws.prepare((point, stream), (mask, 0), 1, weight);
        let drawn = draws.next((point, stream), 0);
        self.note_split(branches, mask, drawn);
        drawn
    }

    /// Returns the usable branches of a split; those of weight 0 only if no other is usable.
    pub(super) fn usable_branches(&self, branches: &[Branch], mode: Mode) -> u64 {
        let (mut usable, mut weighted) = (0u64, 0u64);
        for (at, branch) in branches.iter().enumerate().take(MEMBERS_MAX) {
            if self.leads_somewhere(branch.to, mode) {
                usable |= 1 << at;
                weighted |= u64::from(branch.weight > 0) << at;
            }
        }
        if weighted == 0 { usable } else { weighted }
    }

    fn leads_somewhere(&self, to: To, mode: Mode) -> bool {
        let branches = match to {
            To::Pool(at) => {
                return self.pool(at).is_some_and(|pool| self.is_usable(pool, mode));
            }
            To::Failover(branches) => branches,
            To::Split(at) | To::All(at) => {
                self.plan.split(at).map_or(Branches::default(), |split| split.branches)
            }
        };
        let branches = self.plan.branches(branches);
        branches.iter().any(|branch| self.leads_somewhere(branch.to, mode))
    }

    pub(super) fn is_usable(&self, pool: &PlanPool, mode: Mode) -> bool {
        let passed_over = self.addresses_only && pool.is_target;
        let any_up = || pool.blocks.iter().any(|block| self.mask(block, mode) != 0);
        let usable = !passed_over && any_up() && (mode != Mode::MinUp || self.meets_min_up(pool));
        self.note_pool(pool, mode, usable);
        usable
    }

    fn meets_min_up(&self, pool: &PlanPool) -> bool {
        if pool.min_up == Default::default() {
            return true;
        }
        let (up, total) = self.weight_up(pool, Mode::MinUp);
        pool.min_up.is_met(up, total)
    }

    /// Returns the weight of a pool that may serve, and its whole weight.
    pub(super) fn weight_up(&self, pool: &PlanPool, mode: Mode) -> (u32, u32) {
        // If no member has a weight, the members are counted.
        let weighted = pool.blocks.iter().any(|block| self.members(block) & block.weighted != 0);
        let (mut up, mut total) = (0, 0);
        for (at, block) in pool.blocks.iter().enumerate() {
            let (mut members, serving) = (self.members(block), self.mask(block, mode));
            while members != 0 {
                let bit = members.trailing_zeros() as usize;
                members &= members - 1;
                let weight = if weighted { self.weight(pool, at * MEMBERS_MAX + bit) } else { 1 };
                total += weight;
                up += weight * u32::from(serving >> bit & 1 == 1);
            }
        }
        (up, total)
    }

    /// Returns the number of members of a pool that may serve, and of those with an address of the
    /// family.
    pub(super) fn count_up(&self, pool: &PlanPool, mode: Mode) -> (u32, u32) {
        pool.blocks.iter().fold((0, 0), |(up, all), block| {
            let (serving, members) = (self.mask(block, mode), self.members(block));
            (up + serving.count_ones(), all + members.count_ones())
        })
    }

    /// Returns the members with an address of the family.
    pub(super) fn members(&self, block: &Block) -> u64 {
        match self.family {
            Family::V4 => block.v4,
            Family::V6 => block.v6,
            Family::Any => block.v4 | block.v6,
        }
    }

    /// Returns the members with an address of the family that may serve.
    #[inline(always)]
    pub(super) fn mask(&self, block: &Block, mode: Mode) -> u64 {
        if mode == Mode::Open {
            return self.members(block);
        }
        let v4 = || block.v4 & self.word(block.word, mode);
        let v6 = || block.v6 & self.word(block.word + 1, mode);
        match self.family {
            Family::V4 => v4(),
            Family::V6 => v6(),
            Family::Any => v4() | v6(),
        }
    }

    fn word(&self, at: u32, mode: Mode) -> u64 {
        let word = self.board.word(at);
        match mode {
            Mode::Drained => word | self.board.adjusted(at).map_or(0, |block| block.drained(at)),
            _ => word,
        }
    }

    /// Returns the members whose weight in force is above 0.
    pub(super) fn weighted(&self, block: &Block) -> u64 {
        let Some(adjusted) = self.board.adjusted(block.word) else { return block.weighted };
        let v4 = || adjusted.idle(block.word) | !block.v4;
        let v6 = || adjusted.idle(block.word + 1) | !block.v6;
        let idle = match self.family {
            Family::V4 => v4(),
            Family::V6 => v6(),
            Family::Any => v4() & v6(),
        };
        block.weighted & !idle
    }

    /// Returns a number that changes with the adjusted weights of a block; 0 if none is adjusted.
    pub(super) fn version(&self, block: &Block) -> u64 {
        self.board.adjusted(block.word).map_or(0, |adjusted| u64::from(adjusted.version()))
    }

    /// Returns the weight that the member of a block at `bit` is drawn by, where `weight` is its
    /// weight as written: at least one. If any weight of the zone is adjusted, the result is in
    /// hundredths.
    pub(super) fn drawn_weight(&self, block: &Block, bit: usize, weight: u32) -> u32 {
        let percent = match self.board.is_adjusted() {
            true => self.percent(block, bit),
            false => 1,
        };
        (weight.max(1) * percent).max(1)
    }

    /// Returns the part of a member's weight in force, in percent; for both families, the larger
    /// one.
    #[inline]
    pub(super) fn percent(&self, block: &Block, bit: usize) -> u32 {
        let Some(adjusted) = self.board.adjusted(block.word) else { return PERCENT_ALL };
        let of = |family| adjusted.percent(Bit { word: block.word + family, at: bit as u8 });
        let has = |members: u64| members >> bit & 1 == 1;
        match self.family {
            Family::V4 => of(0),
            Family::V6 => of(1),
            Family::Any if !has(block.v6) => of(0),
            Family::Any if !has(block.v4) => of(1),
            Family::Any => of(0).max(of(1)),
        }
    }

    pub(super) fn weight(&self, pool: &PlanPool, at: usize) -> u32 {
        let member = usize::from(pool.members.start) + at;
        self.plan.weights.get(member).map_or(0, |&weight| u32::from(weight))
    }
}

/// Returns the places of the bits of `mask`, from `first` up and then from 0 up to `first`.
pub(super) fn rotated(mask: u64, first: usize) -> impl Iterator<Item = usize> {
    let ahead = mask & (u64::MAX << (first & 63));
    let (mut members, mut behind) = (ahead, mask ^ ahead);
    std::iter::from_fn(move || {
        if members == 0 {
            (members, behind) = (behind, 0);
        }
        let at = (members != 0).then(|| members.trailing_zeros() as usize)?;
        members &= members - 1;
        Some(at)
    })
}
