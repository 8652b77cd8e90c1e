//! From the pools that were chosen to the endpoints of one answer.

use std::cell::OnceCell;

use super::draw::{Draws, MEMBERS_MAX, Picks, Point, Stream};
use super::plan::{Block, Blocks, PlanPool};
use super::select::{Choice, Chosen, Mode, Select, rotated};
use super::sticky::{self, Best};
use crate::zone::Answers;
use crate::zone::limits::ADDRESSES_PER_ANSWER_MAX;

/// Draws are exact as long as all weights together have no more bits.
const TOTAL_BITS: u32 = 30;

/// A block of members that one draw takes from, among others.
#[derive(Clone, Copy)]
pub(super) struct Part<'a> {
    pub(super) pool: &'a PlanPool,
    pub(super) block: &'a Block,
    /// The place of its first member in the pool.
    pub(super) start: usize,
    point: Point,
    /// What the draws may name.
    pub(super) mask: u64,
}

impl Select<'_> {
    /// Draws the endpoints of one A, AAAA or CNAME answer.
    ///
    /// # Cost
    /// One pass over the members for each endpoint drawn; no allocation.
    pub fn draw(&self, choice: Choice, draws: &mut Draws, stream: Stream) -> Picks {
        let most = match self.plan.answers {
            _ if self.is_target(choice) => 1,
            Answers::Count(count) => usize::from(count).min(ADDRESSES_PER_ANSWER_MAX),
            Answers::All => ADDRESSES_PER_ANSWER_MAX,
        };
        self.draw_up_to(most, choice, draws, stream)
    }

    pub(super) fn draw_up_to(
        &self,
        most: usize,
        choice: Choice,
        draws: &mut Draws,
        stream: Stream,
    ) -> Picks {
        self.note_draw(choice);
        if let Some(key) = self.routed.sticky {
            return self.stick(key, most, choice);
        }
        let point = match choice.pools {
            Chosen::Several(_, at) => {
                self.plan.split(at).map_or_else(Point::default, |all| all.point)
            }
            Chosen::One(at) => match self.pool(at) {
                None => return Picks::default(),
                Some(pool) => match &pool.blocks {
                    Blocks::Many(_, point) => *point,
                    Blocks::One(block) => {
                        let mask = self.drawable(pool, block, choice.mode);
                        return self.draw_in_block(pool, block, mask, most, draws, stream);
                    }
                },
            },
        };
        self.draw_among(choice, most, (point, stream), draws)
    }

    /// What the draws may name of a pool: a weight of 0 only when nothing else may serve.
    pub(super) fn drawable(&self, pool: &PlanPool, block: &Block, mode: Mode) -> u64 {
        let weighted = |block: &Block| self.mask(block, mode) & self.weighted(block);
        if pool.blocks.iter().any(|block| weighted(block) != 0) {
            weighted(block)
        } else {
            self.mask(block, mode)
        }
    }

    /// The weight by which a member of a part is drawn.
    pub(super) fn weight_in(&self, part: &Part<'_>, bit: usize) -> u32 {
        self.drawn_weight(part.block, bit, self.weight(part.pool, part.start + bit))
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
        let weight = |bit| self.drawn_weight(block, bit, self.weight(pool, bit));
        let key = (mask, self.version(block));
        if everything {
            // All are named; the draw decides who comes first.
            let first = if count > 1 {
                draws.prepare(at, key, 1, weight);
                draws.next(at, 0)
            } else {
                (mask != 0).then(|| mask.trailing_zeros() as usize)
            };
            rotated(mask, first.unwrap_or(0)).for_each(push);
            return picks;
        }
        draws.prepare(at, key, most, weight);
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
    fn draw_among(
        &self,
        choice: Choice,
        most: usize,
        top: (Point, Stream),
        draws: &mut Draws,
    ) -> Picks {
        let mut picks = Picks::default();
        // Which pools the parts are of varies where a `to` stands inside `all`.
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
        let mut named = [0u64; MEMBERS_MAX];
        for _ in 0..most.min(count) {
            let Some(at) = draws.next(top, !open) else { break };
            let (Some(part), Some(named)) = (part(at), named.get_mut(at)) else { break };
            let Part { pool, start, mask, .. } = part;
            let (point, key) = ((part.point, top.1), (mask, self.version(part.block)));
            draws.prepare(point, key, 1, |bit| self.weight_in(&part, bit));
            let Some(bit) = draws.next(point, *named) else { break };
            *named |= 1 << bit;
            open &= !(u64::from(*named == mask) << at);
            picks.push(pool.members.start + (start + bit) as u16);
        }
        picks
    }

    /// The members that the client's `key` leads to: those of the best scores.
    fn stick(&self, key: u64, most: usize, choice: Choice) -> Picks {
        let mut best = Best::new(most);
        for part in self.parts(choice) {
            for bit in rotated(part.mask, 0) {
                let member = part.pool.members.start + (part.start + bit) as u16;
                let weight = self.weight_in(&part, bit);
                best.add(sticky::score(key, self.plan.identity(member), weight), member);
            }
        }
        best.picks()
    }

    /// All blocks of the chosen pools. A weight of 0 is drawn only when nothing else may be, in any
    /// of them.
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
