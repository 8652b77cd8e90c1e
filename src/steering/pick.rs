//! From the pools that were chosen to the endpoints of one answer.

use super::draw::{Draws, MEMBERS_MAX, Picks, Point, Stream};
use super::plan::{Block, Blocks, PlanPool};
use super::select::{Choice, Chosen, Mode, Select, rotated};
use super::sticky::{self, Best};
use crate::zone::Answers;
use crate::zone::limits::ADDRESSES_PER_ANSWER_MAX;

/// A block of members that one draw takes from, among others.
#[derive(Clone, Copy)]
pub(super) struct Part<'a> {
    pub(super) pool: &'a PlanPool,
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
        let weighted = |block: &Block| self.mask(block, mode) & block.weighted;
        if pool.blocks.iter().any(|block| weighted(block) != 0) {
            weighted(block)
        } else {
            self.mask(block, mode)
        }
    }

    /// The weight by which a member is drawn, which is one where all are 0.
    pub(super) fn drawn_weight(&self, pool: &PlanPool, at: usize) -> u32 {
        self.weight(pool, at).max(1)
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
        let weight = |bit| self.drawn_weight(pool, bit);
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
            salt = salt.rotate_left(9).wrapping_add(part.mask).wrapping_mul(0xff51_afd7_ed55_8ccd);
            count += part.mask.count_ones() as usize;
        }
        let part = |at: usize| parts.get(at).copied().flatten();
        draws.prepare(top, (open, salt), 1, |at| {
            let Some(Part { pool, start, mask, .. }) = part(at) else { return 0 };
            rotated(mask, 0).map(|bit| self.drawn_weight(pool, start + bit)).sum()
        });
        let mut named = [0u64; MEMBERS_MAX];
        for _ in 0..most.min(count) {
            let Some(at) = draws.next(top, !open) else { break };
            let (Some(part), Some(named)) = (part(at), named.get_mut(at)) else { break };
            let Part { pool, start, mask, .. } = part;
            let point = (part.point, top.1);
            draws.prepare(point, (mask, 0), 1, |bit| self.drawn_weight(pool, start + bit));
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
        for Part { pool, start, mask, .. } in self.parts(choice) {
            for bit in rotated(mask, 0) {
                let member = pool.members.start + (start + bit) as u16;
                let score = sticky::score(
                    key,
                    self.plan.identity(member),
                    self.drawn_weight(pool, start + bit),
                );
                best.add(score, member);
            }
        }
        best.picks()
    }

    /// All blocks of the chosen pools. A weight of 0 is drawn only when nothing else may be, in any
    /// of them.
    pub(super) fn parts(&self, Choice { pools, mode }: Choice) -> impl Iterator<Item = Part<'_>> {
        let chosen = move || rotated(pools.bits(), 0).filter_map(|at| self.pool(at as u16));
        let weighted = move |block: &Block| self.mask(block, mode) & block.weighted;
        let any_weighted = chosen().any(|pool| pool.blocks.iter().any(|b| weighted(b) != 0));
        chosen().flat_map(move |pool| {
            pool.blocks.iter().enumerate().map(move |(at, block)| Part {
                pool,
                start: at * MEMBERS_MAX,
                point: block.point,
                mask: if any_weighted { weighted(block) } else { self.mask(block, mode) },
            })
        })
    }
}
