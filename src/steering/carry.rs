//! The draws of services that a reload leaves as they are: they go on where they were.

use std::ops::Range;

use super::draw::{Draws, Point, PointCounts};
use super::plan::{Branch, Branches, PlanPlace, PlanPool, Plans, To, Traits};

/// The draw points of one service among those of its zone, with the cells of their members.
#[derive(Clone, Debug)]
pub struct Extent {
    pub(super) slots: Range<u32>,
    pub(super) cells: Range<u32>,
}

impl Extent {
    /// Adds `next` to its end; returns `false` if that begins elsewhere.
    pub fn extend(&mut self, next: &Self) -> bool {
        let follows = (self.slots.end, self.cells.end) == (next.slots.start, next.cells.start);
        if follows {
            (self.slots.end, self.cells.end) = (next.slots.end, next.cells.end);
        }
        follows
    }

    /// Returns whether both have as many points and cells.
    pub fn is_as_large_as(&self, other: &Self) -> bool {
        self.slots.len() == other.slots.len() && self.cells.len() == other.cells.len()
    }
}

impl Plans {
    /// Returns the draw points of the service at `place`, which `next` follows; `next` is `None`
    /// for the last service of the zone, whose points are counted by `counts`.
    ///
    /// Returns `None` if a service has no endpoint.
    pub fn extent(
        &self,
        place: &PlanPlace,
        next: Option<&PlanPlace>,
        counts: PointCounts,
    ) -> Option<Extent> {
        let start = self.first_point(place)?;
        let (slots, cells) = match next {
            Some(next) => {
                let point = self.first_point(next)?;
                (point.slot, point.cells)
            }
            None => counts.ends(),
        };
        Some(Extent { slots: start.slot..slots, cells: start.cells..cells })
    }

    /// Returns whether the service at `place` draws as the one at `other_place` of `other` does:
    /// the same weights in the same pools, blocks and splits. Names and addresses do not matter.
    ///
    /// # Cost
    /// A pass over the endpoints, and over the decisions of the routes.
    pub fn draws_as<'p>(
        &'p self,
        place: &PlanPlace,
        other: &'p Self,
        other_place: &PlanPlace,
    ) -> bool {
        let (ours, theirs) = (self.plan(place), other.plan(other_place));
        let twins = |place: &PlanPlace| place.traits.has(Traits::TWINS);
        let starts = self.first_point(place).zip(other.first_point(other_place));
        let Some((start, other_start)) = starts else { return false };
        if ours.weights != theirs.weights
            || ours.pools.len() != theirs.pools.len()
            || twins(place) != twins(other_place)
            || !ours.pools.iter().zip(theirs.pools).all(|(one, other)| one.is_laid_out_as(other))
        {
            return false;
        }
        let alike = Alike { plans: [self, other], starts: [start, other_start] };
        let decisions = |plans: &'p Self, place: &PlanPlace| {
            let routes = place.routes.and_then(|at| plans.routes.get(at as usize));
            routes.map_or(&[][..], |routes| &routes.to)
        };
        let (one, other) = (decisions(self, place), decisions(other, other_place));
        alike.leads([place.otherwise, other_place.otherwise])
            && one.len() == other.len()
            && one.iter().zip(other).all(|(&one, &other)| alike.leads([one, other]))
    }

    /// Returns the point of the first block of the service, where its points begin.
    fn first_point(&self, place: &PlanPlace) -> Option<Point> {
        let pool =
            self.pools.get(place.pools.start as usize).filter(|_| !place.pools.is_empty())?;
        pool.blocks.first().map(|block| block.point)
    }
}

impl PlanPool {
    fn is_laid_out_as<'p>(&'p self, other: &'p Self) -> bool {
        let lens =
            |pool: &Self| pool.blocks.iter().map(|block| block.point.len).collect::<Vec<_>>();
        self.members == other.members && lens(self) == lens(other)
    }
}

/// The comparison of the targets of two services, each with the first of its draw points.
struct Alike<'a> {
    plans: [&'a Plans; 2],
    starts: [Point; 2],
}

impl Alike<'_> {
    /// Returns whether both targets lead through the same draws to the same pools.
    fn leads(&self, to: [To; 2]) -> bool {
        match to {
            [To::Pool(one), To::Pool(other)] => one == other,
            [To::Failover(one), To::Failover(other)] => self.branch([one, other]),
            [To::Split(one), To::Split(other)] | [To::All(one), To::All(other)] => {
                let [Some(one), Some(other)] = [
                    self.plans[0].splits.get(one as usize),
                    self.plans[1].splits.get(other as usize),
                ] else {
                    return false;
                };
                let place = |point: Point, start: Point| {
                    (
                        point.slot.wrapping_sub(start.slot),
                        point.cells.wrapping_sub(start.cells),
                        point.len,
                    )
                };
                place(one.point, self.starts[0]) == place(other.point, self.starts[1])
                    && self.branch([one.branches, other.branches])
            }
            _ => false,
        }
    }

    fn branch(&self, both: [Branches; 2]) -> bool {
        let of = |at: usize| {
            let Branches { start, end } = both[at];
            self.plans[at].branches.get(start as usize..end as usize).unwrap_or(&[])
        };
        let (ours, theirs) = (of(0), of(1));
        let is_same = |one: &Branch, other: &Branch| {
            one.weight == other.weight && self.leads([one.to, other.to])
        };
        ours.len() == theirs.len()
            && ours.iter().zip(theirs).all(|(one, other)| is_same(one, other))
    }
}

impl Draws {
    /// Takes over the draws at `extent` from those of an earlier form of the zone, where they are
    /// at `was`. Does nothing if their sizes differ.
    ///
    /// # Cost
    /// Copies 64 octets for each point and 8 for each cell, in each stream.
    pub fn take_over(&mut self, extent: &Extent, from: &Self, was: &Extent) {
        if !extent.is_as_large_as(was) {
            return;
        }
        for stream in 0..self.streams().min(from.streams()) {
            let [to, of] = [(&*self, extent), (from, was)].map(|(draws, extent)| {
                let (slot, cell) = draws.starts_of(stream);
                let slots = slot + extent.slots.start as usize..slot + extent.slots.end as usize;
                (slots, cell + extent.cells.start as usize..cell + extent.cells.end as usize)
            });
            self.copy(to, from, of);
        }
    }
}
