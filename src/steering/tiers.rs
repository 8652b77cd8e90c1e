//! The tiers of an SRV answer: every endpoint, by priority and weight.

use super::draw::{Draws, MEMBERS_MAX, Picks, Stream};
use super::plan::{Tier, To, Traits};
use super::select::{Choice, Chosen, Mode, PERCENT_ALL, Select, Share, rotated};
use crate::zone::OnAllDown;

/// The whole of a weight in percent: [`PERCENT_ALL`] as a float.
const PERCENT: f64 = PERCENT_ALL as f64;

impl Select<'_> {
    /// Puts every endpoint that may serve the client into `shares`, tier by tier, and empties
    /// `shares` first. The endpoints of each pool start at one that is drawn by weight into
    /// `picks`. Two endpoints for which `is_same` holds become one with the weight of both.
    ///
    /// # Cost
    /// Proportional to the endpoints named; to their square if endpoints share names. Allocates
    /// only while `shares` grows to its largest answer.
    pub fn tiers(
        &self,
        draws: &mut Draws,
        (shares, picks): (&mut Vec<Share>, &mut Picks),
        is_same: impl Fn(&Share, &Share) -> bool,
    ) {
        shares.clear();
        let to = self.routed.to;
        for mode in [Mode::MinUp, Mode::AnyUp, Mode::Drained, Mode::Open] {
            if mode == Mode::Drained && !self.board.is_adjusted() {
                continue;
            }
            self.note_walk(mode);
            let mut tiers =
                Tiers { select: self, mode, seen: 0, shares: &mut *shares, picks: &mut *picks };
            match self.plan.on_all_down {
                OnAllDown::None if mode == Mode::Open => {}
                OnAllDown::Pool(at) if mode == Mode::Open => tiers.add_pool(at.0, 0, None, draws),
                _ => drop(tiers.add(to, 0, None, draws)),
            }
            if !shares.is_empty() {
                break;
            }
        }
        if self.plan.traits.has(Traits::SRV_CURRENT) {
            let current = shares.iter().map(|share| share.priority).min();
            shares.retain(|share| Some(share.priority) == current);
        }
        if self.plan.traits.has(Traits::TWINS) {
            merge(shares, is_same);
        }
        match self.plan.traits.has(Traits::SRV_AS_WRITTEN) {
            true => shares.iter_mut().for_each(|share| share.weight = whole(share.part / PERCENT)),
            false => scale(shares),
        }
    }
}

/// The tiers of an SRV answer while they are collected.
struct Tiers<'s, 'a> {
    select: &'s Select<'a>,
    mode: Mode,
    /// The bits of the pools already added; a pool counts where it comes first.
    seen: u64,
    shares: &'s mut Vec<Share>,
    picks: &'s mut Picks,
}

impl Tiers<'_, '_> {
    /// Adds the endpoints that `to` leads to, from tier `tier` on; returns the next free tier.
    /// `scale` is the share of the splits above.
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
        select.draw_up_to(1, choice, draws, Stream::Srv, self.picks);
        let first =
            self.picks.as_slice().first().map_or(0, |m| usize::from(m - pool.members.start));
        let start = self.shares.len();
        let blocks = pool.blocks.len();
        // The block of the first endpoint comes twice: its rear at the start, its front at the end.
        // A block that is alone comes once and goes round.
        let last = if blocks == 1 { 0 } else { blocks };
        for turn in 0..=last {
            let at = (first / MEMBERS_MAX + turn) % blocks;
            let Some(block) = pool.blocks.get(at) else { continue };
            let rear = u64::MAX << (first % MEMBERS_MAX);
            let (part, from) = match turn {
                0 if last == 0 => (u64::MAX, first),
                0 => (rear, 0),
                _ if turn == last => (!rear, 0),
                _ => (u64::MAX, 0),
            };
            for bit in rotated(select.drawable(pool, block, mode) & part, from) {
                let in_pool = at * MEMBERS_MAX + bit;
                let weight = select.weight(pool, in_pool) * select.percent(block, bit);
                let member = pool.members.start + in_pool as u16;
                self.shares.push(Share { member, priority, weight: 0, part: f64::from(weight) });
            }
        }
        if let (Some(scale), Some(shares)) = (scale, self.shares.get_mut(start..)) {
            divide(shares, scale);
        }
    }
}

/// Scales the weights of one pool to a sum of 65,535 times `scale`, in hundredths.
fn divide(shares: &mut [Share], scale: f64) {
    let total: f64 = shares.iter().map(|share| share.part).sum();
    let heads = shares.len() as f64;
    for share in shares {
        let part = if total == 0.0 { 1.0 / heads } else { share.part / total };
        share.part = f64::from(u16::MAX) * PERCENT * scale * part;
    }
}

/// Merges the shares of a tier that are the same.
fn merge(shares: &mut Vec<Share>, is_same: impl Fn(&Share, &Share) -> bool) {
    let mut kept = 0;
    for at in 0..shares.len() {
        let Some(&share) = shares.get(at) else { break };
        let before = shares.get_mut(..kept).unwrap_or_default();
        let same = |other: &&mut Share| other.priority == share.priority && is_same(other, &share);
        if let Some(other) = before.iter_mut().find(same) {
            other.part += share.part;
            continue;
        }
        if let Some(place) = shares.get_mut(kept) {
            *place = share;
        }
        kept += 1;
    }
    shares.truncate(kept);
}

/// Scales each tier so that its greatest weight is 65,535.
///
/// Weights are ratios, not amounts. But clients round them, HAProxy to 256 steps, and the draw that
/// RFC 2782 describes is biased where they are small.
fn scale(shares: &mut [Share]) {
    let (mut tier, mut next) = (Some(0), None);
    while let Some(current) = tier {
        let mut greatest = 0.0;
        for share in &*shares {
            if share.priority == current && share.part > greatest {
                greatest = share.part;
            } else if share.priority > current && next.is_none_or(|next| share.priority < next) {
                next = Some(share.priority);
            }
        }
        let factor = if greatest > 0.0 { f64::from(u16::MAX) / greatest } else { 0.0 };
        for share in shares.iter_mut().filter(|share| share.priority == current) {
            share.weight = whole(share.part * factor);
        }
        (tier, next) = (next, None);
    }
}

/// Returns the nearest weight that SRV can carry: 0 only if `part`, which is not negative, is 0.
fn whole(part: f64) -> u16 {
    /// A sum with 2^52 has no bits left for fractions: its last bits are the nearest whole number.
    const NO_FRACTION: f64 = (1u64 << 52) as f64;
    let nearest = (part.min(f64::from(u16::MAX)) + NO_FRACTION).to_bits() as u16;
    nearest.max(u16::from(part > 0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(parts: &[(Tier, f64)]) -> Vec<Share> {
        let share = |(&(priority, part), member)| Share { member, priority, weight: 0, part };
        parts.iter().zip(0..).map(share).collect()
    }

    fn scaled(parts: &[(Tier, f64)]) -> Vec<u16> {
        let mut shares = shares(parts);
        scale(&mut shares);
        shares.iter().map(|share| share.weight).collect()
    }

    #[test]
    fn the_greatest_of_each_tier_is_65_535_and_ratios_stay() {
        assert_eq!(scaled(&[(0, 3.0), (1, 1.0), (0, 1.0)]), [65_535, 65_535, 21_845]);
        assert_eq!(scaled(&[(0, 1.5), (0, 1.0)]), [65_535, 43_690]);
        assert_eq!(scaled(&[(0, 0.0), (0, 0.0)]), [0, 0]);
        assert_eq!(scaled(&[(0, 65_535.0), (0, 0.1), (0, 0.0)]), [65_535, 1, 0]);
    }

    #[test]
    fn those_that_are_the_same_have_the_weight_of_all() {
        let mut shares = shares(&[(0, 1.0), (0, 2.0), (1, 4.0), (0, 8.0)]);
        merge(&mut shares, |a, b| a.member % 2 == b.member % 2);
        let left: Vec<_> = shares.iter().map(|s| (s.member, s.priority, s.part)).collect();
        assert_eq!(left, [(0, 0, 1.0), (1, 0, 10.0), (2, 1, 4.0)]);
    }
}
