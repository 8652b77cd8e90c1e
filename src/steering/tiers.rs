//! The tiers of an SRV answer: every endpoint, by priority and weight.

use super::draw::{Draws, MEMBERS_MAX, Stream};
use super::plan::{Block, Tier, To};
use super::select::{Choice, Chosen, Mode, PERCENT_ALL, Select, Share, rotated};
use crate::zone::OnAllDown;

impl Select<'_> {
    /// Every endpoint that may serve the client, tier by tier, into `shares`, which it empties
    /// first. The endpoints of each pool start at one drawn by weight.
    ///
    /// # Cost
    /// By the endpoints named; allocates only while `shares` grows to its largest answer.
    pub fn tiers(&self, draws: &mut Draws, shares: &mut Vec<Share>) {
        shares.clear();
        let to = self.routed.to;
        for mode in [Mode::MinUp, Mode::AnyUp, Mode::Drained, Mode::Open] {
            if mode == Mode::Drained && !self.board.is_adjusted() {
                continue;
            }
            self.note_walk(mode);
            let unit = self.srv_unit();
            let mut tiers = Tiers { select: self, mode, unit, seen: 0, shares: &mut *shares };
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
}

impl Select<'_> {
    /// What a weight of one becomes in SRV: a hundred where something counts for a part of its
    /// weight only, and there is room for it.
    fn srv_unit(&self) -> u32 {
        const MOST: u32 = u16::MAX as u32 / PERCENT_ALL;
        let all_fit = || self.plan.weights.iter().all(|weight| u32::from(*weight) <= MOST);
        if self.board.is_adjusted() && all_fit() { PERCENT_ALL } else { 1 }
    }

    /// A weight as SRV says it: never 0 unless it is written so, or counts for nothing.
    fn srv_weight(&self, block: &Block, bit: usize, unit: u32, weight: u32) -> u16 {
        let part = weight * unit * self.percent(block, bit);
        let least = u32::from(part > 0);
        (part / PERCENT_ALL).max(least).min(u32::from(u16::MAX)) as u16
    }
}

/// Collects the tiers of an SRV answer.
struct Tiers<'s, 'a> {
    select: &'s Select<'a>,
    mode: Mode,
    /// What a weight of one becomes.
    unit: u32,
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
            To::All(at) => {
                let Some(union) = select.plan.split(at) else { return tier };
                let branches = select.plan.branches(union.branches);
                let next = branches.iter().map(|b| self.add(b.to, tier, scale, draws)).max();
                next.unwrap_or(tier)
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
        let Some(pool) = select.pool(at) else { return };
        if self.seen & Chosen::One(at).bits() != 0 || !select.is_usable(pool, mode) {
            return;
        }
        self.seen |= Chosen::One(at).bits();
        let choice = Choice { pools: Chosen::One(at), mode };
        let drawn = select.draw_up_to(1, choice, draws, Stream::Srv);
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
                let weight = select.srv_weight(block, bit, self.unit, select.weight(pool, in_pool));
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
