//! From a client and the states to the endpoints of one answer.

use std::net::IpAddr;

use super::draw::{Draws, MEMBERS_MAX, Picks, Stream};
use super::plan::{Block, Blocks, Branch, Member, Plan, PlanPool, Tier, To};
use crate::health::Board;
use crate::zone::limits::ADDRESSES_PER_ANSWER_MAX;
use crate::zone::{Answers, OnAllDown};

/// Which addresses an endpoint needs to be drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// An IPv4 address.
    V4,
    /// An IPv6 address.
    V6,
    /// Either.
    Any,
}

/// How much of the states counts; each is tried when the one before leaves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// A pool needs its `min_up`.
    MinUp,
    /// One endpoint up is enough: better a thin pool than a down endpoint.
    AnyUp,
    /// Everything counts as up.
    Open,
}

/// A pool that was chosen, and what of the states counts in it.
#[derive(Clone, Copy, Debug)]
pub struct Choice<'a> {
    /// The pool.
    pub pool: &'a PlanPool,
    mode: Mode,
}

/// One endpoint of an SRV answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// The endpoint.
    pub member: Member,
    /// The failover tier it stands in.
    pub priority: Tier,
    /// Its weight, scaled where a split stands above its pool.
    pub weight: u16,
}

/// Selects endpoints of one service for one query.
#[derive(Clone, Copy, Debug)]
pub struct Select<'a> {
    /// The service.
    pub plan: Plan<'a>,
    /// The states of its zone.
    pub board: &'a Board,
    /// What the endpoints must have.
    pub family: Family,
    /// Whether pools of targets are passed over.
    pub addresses_only: bool,
}

impl<'a> Select<'a> {
    /// Whether `choice`, made for another family, has something for this one.
    pub fn can_serve(&self, choice: Choice<'a>) -> bool {
        self.is_usable(choice.pool, choice.mode)
    }

    /// The pool that `client`'s answer comes from; `None` if there is nothing to give.
    ///
    /// Takes the first matching route and walks its `to` three times at most: with each pool's
    /// `min_up`, with any endpoint up, and then by `on_all_down`.
    ///
    /// # Cost
    /// By the pools that the route names; no allocation.
    pub fn pool(&self, client: IpAddr, draws: &mut Draws, stream: Stream) -> Option<Choice<'a>> {
        let to = self.plan.to(client.to_canonical());
        let walk = |mode, draws: &mut Draws| {
            self.walk(to, mode, draws, stream).map(|pool| Choice { pool, mode })
        };
        walk(Mode::MinUp, draws).or_else(|| walk(Mode::AnyUp, draws)).or_else(|| {
            match self.plan.on_all_down {
                OnAllDown::All => walk(Mode::Open, draws),
                OnAllDown::None => None,
                OnAllDown::Pool(at) => {
                    let pool = self.plan.pools.get(usize::from(at.0))?;
                    self.is_usable(pool, Mode::Open).then_some(Choice { pool, mode: Mode::Open })
                }
            }
        })
    }

    /// Draws the endpoints of one A, AAAA or CNAME answer.
    ///
    /// # Cost
    /// One pass over the pool's members for each endpoint drawn.
    pub fn draw(&self, choice: Choice<'a>, draws: &mut Draws, stream: Stream) -> Picks {
        let most = match self.plan.answers {
            _ if choice.pool.is_target => 1,
            Answers::Count(count) => usize::from(count).min(ADDRESSES_PER_ANSWER_MAX),
            Answers::All => ADDRESSES_PER_ANSWER_MAX,
        };
        self.draw_up_to(most, choice, draws, stream)
    }

    /// Every endpoint that may serve `client`, tier by tier, into `shares`, which it empties
    /// first. The endpoints of each pool start at one drawn by weight.
    ///
    /// # Cost
    /// By the endpoints named; allocates only while `shares` grows to its largest answer.
    pub fn tiers(&self, client: IpAddr, draws: &mut Draws, shares: &mut Vec<Share>) {
        shares.clear();
        let to = self.plan.to(client.to_canonical());
        for mode in [Mode::MinUp, Mode::AnyUp, Mode::Open] {
            let mut tiers = Tiers { select: self, mode, seen: 0, shares: &mut *shares };
            match self.plan.on_all_down {
                OnAllDown::None if mode == Mode::Open => {}
                OnAllDown::Pool(at) if mode == Mode::Open => tiers.add_pool(at.0, 0, None, draws),
                _ => drop(tiers.add(to, 0, None, draws)),
            }
            if !shares.is_empty() {
                return;
            }
        }
    }

    fn walk(&self, to: To, mode: Mode, draws: &mut Draws, stream: Stream) -> Option<&'a PlanPool> {
        match to {
            To::Pool(at) => {
                let pool = self.plan.pools.get(usize::from(at))?;
                self.is_usable(pool, mode).then_some(pool)
            }
            To::Failover(branches) => {
                let branches = self.plan.branches(branches);
                branches.iter().find_map(|branch| self.walk(branch.to, mode, draws, stream))
            }
            To::Split(at) => {
                let split = self.plan.split(at)?;
                let branches = self.plan.branches(split.branches);
                let mask = self.usable_branches(branches, mode);
                if mask == 0 {
                    // Preparing for nothing would start the shares anew for the next mode.
                    return None;
                }
                let at = (split.point, stream);
                draws.prepare(at, (mask, 0), 1, |i| {
                    branches.get(i).map_or(0, |branch| u32::from(branch.weight).max(1))
                });
                let drawn = draws.next(at, 0)?;
                self.walk(branches.get(drawn)?.to, mode, draws, stream)
            }
        }
    }

    /// The usable branches of a split; those of weight 0 only when no other is.
    fn usable_branches(&self, branches: &[Branch], mode: Mode) -> u64 {
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
                let pool = self.plan.pools.get(usize::from(at));
                return pool.is_some_and(|pool| self.is_usable(pool, mode));
            }
            To::Failover(branches) => self.plan.branches(branches),
            To::Split(at) => {
                self.plan.split(at).map_or(&[][..], |s| self.plan.branches(s.branches))
            }
        };
        branches.iter().any(|branch| self.leads_somewhere(branch.to, mode))
    }

    fn is_usable(&self, pool: &PlanPool, mode: Mode) -> bool {
        let passed_over = self.addresses_only && pool.is_target;
        let any_up = || pool.blocks.iter().any(|block| self.mask(block, mode) != 0);
        !passed_over && any_up() && (mode != Mode::MinUp || self.meets_min_up(pool))
    }

    fn meets_min_up(&self, pool: &PlanPool) -> bool {
        if pool.min_up == Default::default() {
            return true;
        }
        // Where nothing has a weight, heads are counted.
        let weighted = pool.blocks.iter().any(|block| self.members(block) & block.weighted != 0);
        let (mut up, mut total) = (0, 0);
        for (at, block) in pool.blocks.iter().enumerate() {
            let (mut members, serving) = (self.members(block), self.mask(block, Mode::MinUp));
            while members != 0 {
                let bit = members.trailing_zeros() as usize;
                members &= members - 1;
                let weight = if weighted { self.weight(pool, at * MEMBERS_MAX + bit) } else { 1 };
                total += weight;
                up += weight * u32::from(serving >> bit & 1 == 1);
            }
        }
        pool.min_up.is_met(up, total)
    }

    /// Members that have an address of the family.
    fn members(&self, block: &Block) -> u64 {
        match self.family {
            Family::V4 => block.v4,
            Family::V6 => block.v6,
            Family::Any => block.v4 | block.v6,
        }
    }

    /// Members that have an address of the family that may serve.
    fn mask(&self, block: &Block, mode: Mode) -> u64 {
        if mode == Mode::Open {
            return self.members(block);
        }
        let v4 = || block.v4 & self.board.word(block.word);
        let v6 = || block.v6 & self.board.word(block.word + 1);
        match self.family {
            Family::V4 => v4(),
            Family::V6 => v6(),
            Family::Any => v4() | v6(),
        }
    }

    /// What the draws may name: a weight of 0 only when nothing else may serve.
    fn drawable(&self, pool: &PlanPool, block: &Block, mode: Mode) -> u64 {
        let weighted = |block: &Block| self.mask(block, mode) & block.weighted;
        if pool.blocks.iter().any(|block| weighted(block) != 0) {
            weighted(block)
        } else {
            self.mask(block, mode)
        }
    }

    fn weight(&self, pool: &PlanPool, at: usize) -> u32 {
        let member = usize::from(pool.members.start) + at;
        self.plan.weights.get(member).map_or(0, |&weight| u32::from(weight))
    }

    fn draw_up_to(
        &self,
        most: usize,
        choice: Choice<'a>,
        draws: &mut Draws,
        stream: Stream,
    ) -> Picks {
        let pool = choice.pool;
        match &pool.blocks {
            Blocks::One(block) => {
                let mask = self.drawable(pool, block, choice.mode);
                self.draw_in_block(pool, block, mask, most, draws, stream)
            }
            Blocks::Many(blocks, point) => {
                let mut picks = Picks::default();
                let masks = |at: usize| {
                    blocks.get(at).map_or(0, |block| self.drawable(pool, block, choice.mode))
                };
                self.draw_among_blocks(pool, &masks, (*point, stream), most, draws, &mut picks);
                picks
            }
        }
    }

    fn draw_in_block(
        &self,
        pool: &PlanPool,
        block: &Block,
        mask: u64,
        most: usize,
        draws: &mut Draws,
        stream: Stream,
    ) -> Picks {
        let mut picks = Picks::default();
        let at = (block.point, stream);
        let count = mask.count_ones() as usize;
        let everything = count <= most;
        let mut push = |bit: usize| picks.push(pool.members.start + bit as u16);
        let weight = |bit| self.weight(pool, bit).max(1);
        if everything {
            // All are named; the draw decides who comes first.
            let first = if count > 1 {
                draws.prepare(at, (mask, 0), 1, weight);
                draws.next(at, 0)
            } else {
                (mask != 0).then(|| mask.trailing_zeros() as usize)
            };
            rotated(mask, first.unwrap_or(0)).for_each(push);
            return picks;
        }
        draws.prepare(at, (mask, 0), most, weight);
        let mut named = if most > 1 { draws.always(at) } else { 0 };
        rotated(named, 0).for_each(&mut push);
        while (named.count_ones() as usize) < most {
            let Some(bit) = draws.next(at, named) else { break };
            named |= 1 << bit;
            push(bit);
        }
        picks
    }

    /// Draws a block, then a member of it, until there are enough.
    fn draw_among_blocks(
        &self,
        pool: &PlanPool,
        masks: &dyn Fn(usize) -> u64,
        top: (super::Point, Stream),
        most: usize,
        draws: &mut Draws,
        picks: &mut Picks,
    ) {
        let (mut open, mut salt, mut count) = (0u64, 0u64, 0);
        for at in 0..pool.blocks.len() {
            let mask = masks(at);
            open |= u64::from(mask != 0) << at;
            salt = salt.rotate_left(9).wrapping_add(mask).wrapping_mul(0xff51_afd7_ed55_8ccd);
            count += mask.count_ones() as usize;
        }
        draws.prepare(top, (open, salt), 1, |at| {
            let bits = rotated(masks(at), 0);
            bits.map(|bit| self.weight(pool, at * MEMBERS_MAX + bit).max(1)).sum()
        });
        let mut named = [0u64; MEMBERS_MAX];
        for _ in 0..most.min(count) {
            let Some(at) = draws.next(top, !open) else { return };
            let (Some(block), Some(named)) = (pool.blocks.get(at), named.get_mut(at)) else {
                return;
            };
            let (mask, point) = (masks(at), (block.point, top.1));
            draws.prepare(point, (mask, 0), 1, |bit| {
                self.weight(pool, at * MEMBERS_MAX + bit).max(1)
            });
            let Some(bit) = draws.next(point, *named) else { return };
            *named |= 1 << bit;
            open &= !(u64::from(*named == mask) << at);
            picks.push(pool.members.start + (at * MEMBERS_MAX + bit) as u16);
        }
    }
}

/// The bits of `mask` from `first` on, around to the one before it.
fn rotated(mask: u64, first: usize) -> impl Iterator<Item = usize> {
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

/// Collects the tiers of an SRV answer.
struct Tiers<'s, 'a> {
    select: &'s Select<'a>,
    mode: Mode,
    /// Pools that are in already; a pool counts where it comes first.
    seen: u64,
    shares: &'s mut Vec<Share>,
}

impl Tiers<'_, '_> {
    /// Adds what `to` leads to, from tier `tier` on; returns the next free tier. `scale` is
    /// the share of the splits above.
    fn add(&mut self, to: To, tier: Tier, scale: Option<f64>, draws: &mut Draws) -> Tier {
        let select = self.select;
        match to {
            To::Pool(at) => {
                let before = self.shares.len();
                self.add_pool(at, tier, scale, draws);
                tier + u16::from(self.shares.len() > before)
            }
            To::Failover(branches) => {
                let branches = select.plan.branches(branches);
                branches.iter().fold(tier, |tier, b| self.add(b.to, tier, scale, draws))
            }
            To::Split(at) => {
                let Some(split) = select.plan.split(at) else { return tier };
                let branches = select.plan.branches(split.branches);
                let usable = select.usable_branches(branches, self.mode);
                let weight = |at: usize| branches.get(at).map_or(1, |b| b.weight.max(1));
                let total: f64 = rotated(usable, 0).map(|at| f64::from(weight(at))).sum();
                let mut next = tier;
                for at in rotated(usable, 0) {
                    let Some(branch) = branches.get(at) else { continue };
                    let scale = scale.unwrap_or(1.0) * f64::from(weight(at)) / total;
                    next = next.max(self.add(branch.to, tier, Some(scale), draws));
                }
                next
            }
        }
    }

    fn add_pool(&mut self, at: u16, priority: Tier, scale: Option<f64>, draws: &mut Draws) {
        let (select, mode) = (self.select, self.mode);
        let Some(pool) = select.plan.pools.get(usize::from(at)) else { return };
        if self.seen >> (at & 63) & 1 == 1 || !select.is_usable(pool, mode) {
            return;
        }
        self.seen |= 1 << (at & 63);
        let drawn = select.draw_up_to(1, Choice { pool, mode }, draws, Stream::Srv);
        let first = drawn.as_slice().first().map_or(0, |m| usize::from(m - pool.members.start));
        let start = self.shares.len();
        let mut total = 0u32;
        let blocks = pool.blocks.len();
        for turn in 0..=blocks {
            // The block of the first one comes twice: its rear at the start, its front at the end.
            let at = (first / MEMBERS_MAX + turn) % blocks;
            let Some(block) = pool.blocks.get(at) else { continue };
            let rear = u64::MAX << (first % MEMBERS_MAX);
            let part = match turn {
                0 => rear,
                _ if turn == blocks => !rear,
                _ => u64::MAX,
            };
            for bit in rotated(select.drawable(pool, block, mode) & part, 0) {
                let in_pool = at * MEMBERS_MAX + bit;
                let weight = select.weight(pool, in_pool) as u16;
                total += u32::from(weight);
                let member = pool.members.start + in_pool as u16;
                self.shares.push(Share { member, priority, weight });
            }
        }
        if let (Some(scale), Some(shares)) = (scale, self.shares.get_mut(start..)) {
            scale_weights(shares, total, scale);
        }
    }
}

/// Turns the weights of one pool into shares of 65,535.
fn scale_weights(shares: &mut [Share], total: u32, scale: f64) {
    let heads = shares.len() as f64;
    for share in shares {
        let part =
            if total == 0 { 1.0 / heads } else { f64::from(share.weight) / f64::from(total) };
        share.weight = (f64::from(u16::MAX) * scale * part).round().max(1.0) as u16;
    }
}
