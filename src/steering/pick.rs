//! Draws the endpoints of one answer from the chosen pools.

use std::cell::OnceCell;

use super::draw::{Draws, MEMBERS_MAX, Picks, Point, Stream};
use super::plan::{Block, Blocks, Member, PlanPool, Traits};
use super::select::{Choice, Chosen, Mode, Select, rotated};
use super::sticky::{self, Best};
use crate::zone::Answers;
use crate::zone::limits::{ADDRESSES_OF_ALL, ADDRESSES_PER_ANSWER_MAX};

/// Draws between blocks are exact as long as the sum of all weights has at most this many bits.
const TOTAL_BITS: u32 = 30;

/// One of several blocks of members that a draw takes from.
#[derive(Clone, Copy)]
pub(super) struct Part<'a> {
    pub(super) pool: &'a PlanPool,
    pub(super) block: &'a Block,
    /// The place of the first member of the block in the pool.
    pub(super) start: usize,
    point: Point,
    /// The members that the draws may name.
    pub(super) mask: u64,
}

impl Part<'_> {
    /// Returns the number of the member at `bit`.
    pub(super) fn member(&self, bit: usize) -> Member {
        self.pool.members.start + (self.start + bit) as Member
    }
}

impl Select<'_> {
    /// Draws the endpoints of one A, AAAA or CNAME answer into `picks`, which it empties first. No
    /// two of them share an address.
    ///
    /// # Cost
    /// One pass over the members for each endpoint drawn; no allocation.
    pub fn draw(&self, choice: Choice, draws: &mut Draws, stream: Stream, picks: &mut Picks) {
        let most = match self.plan.answers {
            _ if self.is_target(choice) => 1,
            Answers::Count(count) => usize::from(count).min(ADDRESSES_PER_ANSWER_MAX),
            Answers::All => ADDRESSES_OF_ALL,
        };
        self.draw_up_to(most, choice, draws, stream, picks);
    }

    pub(super) fn draw_up_to(
        &self,
        most: usize,
        choice: Choice,
        draws: &mut Draws,
        stream: Stream,
        picks: &mut Picks,
    ) {
        picks.clear();
        self.note_draw(choice);
        if let Some(key) = self.routed.sticky {
            return match most {
                ..=ADDRESSES_OF_ALL => {
                    self.stick(key, choice, Best::<ADDRESSES_OF_ALL>::new(most), picks)
                }
                _ => self.stick(key, choice, Best::<ADDRESSES_PER_ANSWER_MAX>::new(most), picks),
            };
        }
        let point = match choice.pools {
            Chosen::Several(_, at) => {
                self.plan.split(at).map_or_else(Point::default, |all| all.point)
            }
            Chosen::One(at) => match self.pool(at) {
                None => return,
                Some(pool) => match &pool.blocks {
                    Blocks::Many(_, point) => *point,
                    Blocks::One(block) => {
                        let mask = self.drawable(pool, block, choice.mode);
                        let at = (block.point, stream);
                        if most > 1 && self.plan.traits.has(Traits::TWINS) {
                            return self.draw_groups((pool, block), mask, most, (draws, at), picks);
                        }
                        let weight = |bit| self.drawn_weight(block, bit, self.weight(pool, bit));
                        let key = (mask, self.version(block));
                        let push = |bit: usize| picks.push(pool.members.start + bit as u16);
                        return draw_bits(mask, key, most, (draws, at), weight, push);
                    }
                },
            },
        };
        self.draw_among(choice, most, (point, stream), draws, picks);
    }

    /// Returns the members of a block that the draws may name. Members of weight 0 are among them
    /// only if no other member of the pool may serve.
    pub(super) fn drawable(&self, pool: &PlanPool, block: &Block, mode: Mode) -> u64 {
        let serving = self.mask(block, mode);
        let weighted = serving & self.weighted(block);
        let has_weight = |other: &Block| self.mask(other, mode) & self.weighted(other) != 0;
        match weighted {
            0 if pool.blocks.iter().any(has_weight) => 0,
            0 => serving,
            _ => weighted,
        }
    }

    /// Returns the weight that a member of a part is drawn by.
    pub(super) fn weight_in(&self, part: &Part<'_>, bit: usize) -> u32 {
        self.drawn_weight(part.block, bit, self.weight(part.pool, part.start + bit))
    }

    /// Draws a block, then one of its members, until there are enough members.
    fn draw_among(
        &self,
        choice: Choice,
        most: usize,
        top: (Point, Stream),
        draws: &mut Draws,
        picks: &mut Picks,
    ) {
        // The pools of the parts vary if a `to` stands inside `all`.
        let (mut open, mut salt, mut count) = (0u64, choice.pools.bits(), 0);
        let mut parts = [None; MEMBERS_MAX];
        for (at, (place, part)) in parts.iter_mut().zip(self.parts(choice)).enumerate() {
            *place = Some(part);
            open |= u64::from(part.mask != 0) << at;
            for word in [part.mask, self.version(part.block)] {
                salt = salt.rotate_left(9).wrapping_add(word).wrapping_mul(0xff51_afd7_ed55_8ccd);
            }
            count += part.mask.count_ones() as usize;
        }
        let part = |at: usize| parts.get(at).copied().flatten();
        let weight = |part: &Part<'_>| -> u32 {
            rotated(part.mask, 0).map(|bit| self.weight_in(part, bit)).sum()
        };
        let divisor = OnceCell::new();
        draws.prepare(top, (open, salt), 1, |at| {
            let total = || parts.iter().flatten().map(|part| u64::from(weight(part))).sum::<u64>();
            let divisor = divisor.get_or_init(|| (total() >> TOTAL_BITS) as u32 + 1);
            part(at).map_or(0, |part| (weight(&part) / divisor).max(1))
        });
        let has_twins = most > 1 && self.plan.traits.has(Traits::TWINS);
        let mut taken = [0u64; MEMBERS_MAX];
        for _ in 0..most.min(count) {
            let Some(at) = draws.next(top, !open) else { break };
            let (Some(part), Some(named)) = (part(at), taken.get_mut(at)) else { break };
            let mask = part.mask;
            let (point, key) = ((part.point, top.1), (mask, self.version(part.block)));
            draws.prepare(point, key, 1, |bit| self.weight_in(&part, bit));
            let Some(bit) = draws.next(point, *named) else { break };
            *named |= 1 << bit;
            open &= !(u64::from(*named == mask) << at);
            picks.push(part.member(bit));
            if has_twins {
                self.exclude_twins(part.member(bit), &parts, &mut taken, &mut open);
            }
        }
    }

    /// Adds the members that the client's `key` leads to: those with the best scores.
    fn stick<const MOST: usize>(
        &self,
        key: u64,
        choice: Choice,
        mut best: Best<MOST>,
        picks: &mut Picks,
    ) {
        let has_twins = self.plan.traits.has(Traits::TWINS);
        let twins = if has_twins { self.plan.twins() } else { &[] };
        for part in self.parts(choice) {
            for bit in rotated(part.mask, 0) {
                let member = part.member(bit);
                let weight = self.weight_in(&part, bit);
                let score = sticky::score(key, self.plan.identity(member), weight);
                if has_twins {
                    let twin = |member| self.twin_in(twins, member);
                    best.add_one_of(score, member, |other| twin(other) == twin(member));
                } else {
                    best.add(score, member);
                }
            }
        }
        best.pick(picks);
    }

    /// Returns all blocks of the chosen pools. Members of weight 0 may be drawn only if no other
    /// member of these pools may serve.
    pub(super) fn parts(&self, Choice { pools, mode }: Choice) -> impl Iterator<Item = Part<'_>> {
        let chosen = move || rotated(pools.bits(), 0).filter_map(|at| self.pool(at as u16));
        let weighted = move |block: &Block| self.mask(block, mode) & self.weighted(block);
        let any_weighted = chosen().any(|pool| pool.blocks.iter().any(|b| weighted(b) != 0));
        chosen().flat_map(move |pool| {
            pool.blocks.iter().enumerate().map(move |(at, block)| Part {
                pool,
                block,
                start: at * MEMBERS_MAX,
                point: block.point,
                mask: if any_weighted { weighted(block) } else { self.mask(block, mode) },
            })
        })
    }
}

/// Draws up to `most` of `members`, or all if there are no more; passes each to `push`. `key`
/// stands for all that the weights depend on.
#[inline(always)]
pub(super) fn draw_bits(
    members: u64,
    key: (u64, u64),
    most: usize,
    (draws, at): (&mut Draws, (Point, Stream)),
    weight: impl Fn(usize) -> u32,
    mut push: impl FnMut(usize),
) {
    let count = members.count_ones() as usize;
    if count <= most {
        // All are named; the draw decides which comes first.
        let first = if count > 1 {
            draws.prepare(at, key, 1, weight);
            draws.next(at, 0)
        } else {
            (members != 0).then(|| members.trailing_zeros() as usize)
        };
        rotated(members, first.unwrap_or(0)).for_each(push);
        return;
    }
    draws.prepare(at, key, most, weight);
    let mut named = if most > 1 { draws.always(at) } else { 0 };
    rotated(named, 0).for_each(&mut push);
    while (named.count_ones() as usize) < most {
        let Some(bit) = draws.next(at, named) else { break };
        named |= 1 << bit;
        push(bit);
    }
}
