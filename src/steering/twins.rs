//! Endpoints that share an address: an answer names the address once, and adds other addresses
//! instead.
//!
//! The endpoints of one address are drawn as one member with the sum of their weights, so that each
//! address keeps its exact share. The one that the answer stands for changes in turn, by weight.

use super::draw::{Draws, MEMBERS_MAX, Picks, Point, Stream};
use super::pick::{Part, draw_bits};
use super::plan::{Block, Member, PlanPool, Twins};
use super::select::{Family, Select, rotated};

/// The members of a block grouped by address. Each group stands at the bit of its first member.
struct Groups {
    firsts: u64,
    members: [u64; MEMBERS_MAX],
    weights: [u32; MEMBERS_MAX],
}

impl Select<'_> {
    /// Draws up to `most` different addresses of the members in `mask`.
    ///
    /// # Cost
    /// One pass over the addresses for each member; no allocation.
    pub(super) fn draw_groups(
        &self,
        (pool, block): (&PlanPool, &Block),
        mask: u64,
        most: usize,
        (draws, at): (&mut Draws, (Point, Stream)),
        picks: &mut Picks,
    ) {
        let weight = |bit| self.drawn_weight(block, bit, self.weight(pool, bit));
        let groups = self.groups(pool, mask, weight);
        let of_group = |first: usize| groups.weights.get(first).copied().unwrap_or_default();
        let key = (mask, self.version(block));
        let push = |first: usize| picks.push(first as u16);
        draw_bits(groups.firsts, key, most, (&mut *draws, at), of_group, push);
        picks.replace(|first| {
            let members = groups.members.get(usize::from(first)).copied().unwrap_or_default();
            let bit = draws.take_turns(at, members, weight);
            pool.members.start + bit.map_or(first, |bit| bit as u16)
        });
    }

    fn groups(&self, pool: &PlanPool, mask: u64, weight: impl Fn(usize) -> u32) -> Groups {
        let mut groups = Groups { firsts: 0, members: [0; MEMBERS_MAX], weights: [0; MEMBERS_MAX] };
        let twins = self.plan.twins();
        let twin = |bit: usize| self.twin_in(twins, pool.members.start + bit as Member);
        for bit in rotated(mask, 0) {
            let own = twin(bit);
            let first = rotated(groups.firsts, 0).find(|&first| twin(first) == own);
            let first = first.unwrap_or(bit);
            groups.firsts |= 1 << first;
            if let Some(members) = groups.members.get_mut(first) {
                *members |= 1 << bit;
            }
            if let Some(sum) = groups.weights.get_mut(first) {
                *sum += weight(bit);
            }
        }
        groups
    }

    /// Excludes the members of `parts` that have the address of `member` from further draws. `open`
    /// holds the parts that still have a member left.
    #[cold]
    pub(super) fn exclude_twins(
        &self,
        member: Member,
        parts: &[Option<Part<'_>>],
        taken: &mut [u64],
        open: &mut u64,
    ) {
        let twins = self.plan.twins();
        let own = self.twin_in(twins, member);
        for (at, (part, taken)) in parts.iter().flatten().zip(taken).enumerate() {
            let is_twin = |&bit: &usize| self.twin_in(twins, part.member(bit)) == own;
            *taken |= rotated(part.mask & !*taken, 0)
                .filter(is_twin)
                .fold(0, |found, bit| found | 1 << bit);
            *open &= !(u64::from(*taken == part.mask) << at);
        }
    }

    /// Returns the first member with the address of `member`, or with its name if the family is
    /// any.
    pub(super) fn twin_in(&self, twins: &[Twins], member: Member) -> Member {
        twins.get(usize::from(member)).map_or(member, |twins| match self.family {
            Family::V4 => twins.v4,
            Family::V6 => twins.v6,
            Family::Any => twins.name,
        })
    }
}
