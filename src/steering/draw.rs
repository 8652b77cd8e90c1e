//! Draws that keep the shares exact: low-discrepancy, not random.
//!
//! Tijdeman's rule for the chairman assignment problem (Discrete Mathematics 32, 1980): after any
//! number of draws, the count of each member differs from its exact share by less than one. A run
//! of draws lies between two such moments, so over any run the difference is less than two. Where
//! the rule leaves a choice, the choice is random: neither two workers nor two record types move in
//! step.

use std::hint::black_box;
use std::ops::Range;

use fastrand::Rng;

use crate::zone::limits::ADDRESSES_PER_ANSWER_MAX;

/// The most members of a draw point: the bits of a word.
pub(super) const MEMBERS_MAX: usize = 64;

/// The kind of answer that a draw is for. Each kind draws on its own. Otherwise clients that ask
/// for A and AAAA in turn would get every second endpoint of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Draws for A answers.
    A,
    /// Draws for AAAA answers.
    Aaaa,
    /// Draws for the order of SRV answers, for other types where a service has targets, and for the
    /// other pool that A or AAAA turns to when the chosen pool lacks the family.
    Srv,
    /// Draws of the pool of HTTPS answers.
    Https,
    /// Draws of the IPv4 hints of HTTPS answers.
    Ipv4Hint,
    /// Draws of the IPv6 hints of HTTPS answers.
    Ipv6Hint,
}

/// The number of streams that every zone draws in; those of HTTPS come after them.
const STREAMS_PLAIN: usize = Stream::Https as usize;
const STREAMS: usize = Stream::Ipv6Hint as usize + 1;

/// A place to draw from: up to 64 members with weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Point {
    /// The number of the point among the points of the zone.
    pub(super) slot: u32,
    /// The number of the first of its members' cells.
    pub(super) cells: u32,
    /// The number of its members.
    pub(super) len: u16,
}

/// The number of points and cells laid out so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct PointCounts {
    slots: u32,
    cells: u32,
    https: bool,
}

impl PointCounts {
    /// Notes that HTTPS is drawn too. Without it, its streams get no memory.
    pub fn add_https(&mut self) {
        self.https = true;
    }

    /// Adds a point of `len` members, 64 at most.
    pub fn add(&mut self, len: usize) -> Point {
        let len = len.min(MEMBERS_MAX) as u16;
        let point = Point { slot: self.slots, cells: self.cells, len };
        self.slots += 1;
        self.cells += u32::from(len);
        point
    }

    /// Returns the number of all points, and of all cells.
    pub(super) fn ends(self) -> (u32, u32) {
        (self.slots, self.cells)
    }

    /// Adds a point whose members include some that are one to a client: [`Draws::take_turns`]
    /// needs a second row of cells for them.
    pub(super) fn add_grouped(&mut self, len: usize) -> Point {
        let point = self.add(len);
        self.cells += u32::from(point.len);
        point
    }
}

/// The draws of one worker in one zone: the state that it keeps from query to query.
#[derive(Debug)]
pub struct Draws {
    slots: Vec<Slot>,
    cells: Vec<Cell>,
    counts: PointCounts,
    rng: Rng,
}

/// One point in one stream; it fills one cache line.
#[derive(Clone, Copy, Debug, Default)]
#[repr(align(64))]
struct Slot {
    /// The key that the cells were filled for; `None` if they have not been filled.
    key: Option<Key>,
    /// The members that are drawn by weight.
    rest: u64,
    /// The members so heavy that every answer of several endpoints names them.
    always: u64,
    /// The sum of the weights of `rest`.
    total: i64,
    /// The number of members in `rest`.
    members: u32,
}

/// All that the shares depend on, in full: a hash of it could miss an endpoint that went down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Key {
    mask: u64,
    salt: u64,
    count: usize,
}

/// One member in one stream.
#[derive(Clone, Copy, Debug, Default)]
struct Cell {
    /// The credit of the member: draws × weight − times drawn × total.
    credit: i32,
    weight: i32,
}

/// The members drawn for one answer, in answer order. The memory is reused from answer to answer.
#[derive(Clone, Debug)]
pub struct Picks {
    items: [u16; ADDRESSES_PER_ANSWER_MAX],
    len: u8,
}

impl Default for Picks {
    fn default() -> Self {
        Self { items: [0; ADDRESSES_PER_ANSWER_MAX], len: 0 }
    }
}

impl Picks {
    /// Removes all picks.
    pub fn clear(&mut self) {
        self.len = 0;
    }

    /// Returns the picks, the first drawn first.
    pub fn as_slice(&self) -> &[u16] {
        self.items.get(..usize::from(self.len)).unwrap_or(&[])
    }

    /// Adds a pick; does nothing if there is no room.
    pub fn push(&mut self, pick: u16) {
        if let Some(place) = self.items.get_mut(usize::from(self.len)) {
            *place = pick;
            self.len += 1;
        }
    }

    /// Replaces each pick by the result of `other` for it.
    pub(super) fn replace(&mut self, mut other: impl FnMut(u16) -> u16) {
        let items = self.items.get_mut(..usize::from(self.len)).unwrap_or_default();
        items.iter_mut().for_each(|pick| *pick = other(*pick));
    }
}

impl Draws {
    /// Allocates the memory for `counts` points, for a worker whose random choices start from
    /// `seed`.
    ///
    /// # Cost
    /// Writes all of the memory once: 64 octets for each point and 8 for each cell, in each stream.
    pub fn new(counts: PointCounts, seed: u64) -> Self {
        let rng = Rng::with_seed(seed);
        let mut draws = Self { slots: Vec::new(), cells: Vec::new(), counts, rng };
        let (slots, cells) = draws.starts_of(draws.streams());
        draws.slots = vec![Slot::default(); slots];
        draws.cells = vec![Cell::default(); cells];
        draws
    }

    /// Makes `point` ready to draw `count` of the members in `mask`.
    ///
    /// `salt` stands for everything else that the weights depend on. If nothing has changed since
    /// the last time, this is one comparison. Otherwise the shares start anew, at a random phase.
    /// Members of weight 0 are not drawn.
    pub fn prepare(
        &mut self,
        (point, stream): (Point, Stream),
        (mask, salt): (u64, u64),
        count: usize,
        weight: impl Fn(usize) -> u32,
    ) {
        let key = Some(Key { mask, salt, count });
        let Some((slot, cells, rng)) = self.parts(point, stream) else { return };
        if slot.key == key {
            return;
        }
        let mut members = mask;
        while members != 0 {
            let at = members.trailing_zeros() as usize;
            members &= members - 1;
            if let Some(cell) = cells.get_mut(at) {
                *cell = Cell { credit: 0, weight: weight(at).min(i32::MAX as u32) as i32 };
            }
        }
        *slot = Slot { key, ..split_by_weight(mask, count, cells) };
        let steps = rng.u32(0..slot.members.max(1));
        for _ in 0..steps {
            step(slot, cells, rng, 0);
        }
    }

    /// Fetches the memory that a draw at `point` reads into the cache, without waiting for it.
    pub(super) fn fetch(&self, point: Point, stream: Stream) {
        let (slot, cells) = self.places(point, stream);
        black_box(self.slots.get(slot).map(|slot| slot.members));
        let cells = self.cells.get(cells).unwrap_or(&[]);
        black_box(cells.first().map(|cell| cell.weight));
        black_box(cells.last().map(|cell| cell.weight));
    }

    /// Returns the members that every answer names.
    pub fn always(&mut self, (point, stream): (Point, Stream)) -> u64 {
        self.parts(point, stream).map_or(0, |(slot, _, _)| slot.always)
    }

    /// Draws one member of a prepared point, but none of `excluded`.
    ///
    /// # Cost
    /// One pass over the members.
    pub fn next(&mut self, (point, stream): (Point, Stream), excluded: u64) -> Option<usize> {
        let (slot, cells, rng) = self.parts(point, stream)?;
        step(slot, cells, rng, excluded)
    }

    /// Returns the member of `group` whose turn it is, by weight. Each turn credits all members
    /// their weights; the member with the most credit is taken and pays the sum of the weights.
    ///
    /// `point` must come from [`PointCounts::add_grouped`].
    pub(super) fn take_turns(
        &mut self,
        (point, stream): (Point, Stream),
        group: u64,
        weight: impl Fn(usize) -> u32,
    ) -> Option<usize> {
        let (_, Range { start, end }) = self.places(point, stream);
        let cells = self.cells.get_mut(end..end + (end - start))?;
        let (mut total, mut most_owed) = (0i32, None::<(usize, i32)>);
        for at in bits(group) {
            let Some(cell) = cells.get_mut(at) else { continue };
            let weight = weight(at).min(i32::MAX as u32) as i32;
            cell.credit = cell.credit.saturating_add(weight);
            total = total.saturating_add(weight);
            if most_owed.is_none_or(|(_, credit)| cell.credit > credit) {
                most_owed = Some((at, cell.credit));
            }
        }
        let (at, _) = most_owed?;
        let cell = cells.get_mut(at)?;
        cell.credit = cell.credit.saturating_sub(total);
        Some(at)
    }

    /// Returns the number of streams that it draws in.
    pub(super) fn streams(&self) -> usize {
        if self.counts.https { STREAMS } else { STREAMS_PLAIN }
    }

    /// Returns the places of the first slot and the first cell of a stream, by its number.
    pub(super) fn starts_of(&self, stream: usize) -> (usize, usize) {
        (stream * self.counts.slots as usize, stream * self.counts.cells as usize)
    }

    /// Copies slots and cells from other draws.
    pub(super) fn copy(
        &mut self,
        (slots, cells): (Range<usize>, Range<usize>),
        from: &Self,
        (their_slots, their_cells): (Range<usize>, Range<usize>),
    ) {
        if let (Some(to), Some(of)) = (self.slots.get_mut(slots), from.slots.get(their_slots)) {
            to.copy_from_slice(of);
        }
        if let (Some(to), Some(of)) = (self.cells.get_mut(cells), from.cells.get(their_cells)) {
            to.copy_from_slice(of);
        }
    }

    fn parts(
        &mut self,
        point: Point,
        stream: Stream,
    ) -> Option<(&mut Slot, &mut [Cell], &mut Rng)> {
        let (slot, cells) = self.places(point, stream);
        Some((self.slots.get_mut(slot)?, self.cells.get_mut(cells)?, &mut self.rng))
    }

    fn places(&self, point: Point, stream: Stream) -> (usize, Range<usize>) {
        let (slot, cell) = self.starts_of(stream as usize);
        let cells = cell + point.cells as usize;
        (slot + point.slot as usize, cells..cells + usize::from(point.len))
    }
}

/// Returns the places of the bits of `mask`, in order.
fn bits(mut mask: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let at = (mask != 0).then(|| mask.trailing_zeros() as usize)?;
        mask &= mask - 1;
        Some(at)
    })
}

/// Separates the members whose share of an answer of `count` endpoints would be one or more.
fn split_by_weight(mask: u64, count: usize, cells: &[Cell]) -> Slot {
    let weight = |at: usize| cells.get(at).map_or(0, |cell| i64::from(cell.weight));
    let drawn = bits(mask).filter(|&at| weight(at) > 0);
    let (mut rest, mut always) = (drawn.fold(0, |rest, at| rest | 1 << at), 0);
    let mut total: i64 = bits(rest).map(weight).sum();
    // An answer of one endpoint has no such members: a member that is alone is simply drawn each
    // time.
    let mut left = if count > 1 { count as i64 } else { 0 };
    while left > 0 {
        let heavy = bits(rest).find(|&at| left * weight(at) >= total);
        let Some(at) = heavy else { break };
        always |= 1 << at;
        rest &= !(1 << at);
        total -= weight(at);
        left -= 1;
    }
    Slot { key: None, rest, always, total, members: rest.count_ones() }
}

/// Draws by one step of Tijdeman's rule from the members that are not `excluded`.
///
/// First, every member is credited its weight. Then, of the members that may be drawn without
/// running ahead of their share, the one that would fall behind soonest is drawn. With `n` members
/// and total `w`, a member is "ahead" if its credit is below `w/(2n−2)`, and the time until it
/// falls behind is `(w − w/(2n−2) − credit) / weight`. All is multiplied out to stay in whole
/// numbers.
fn step(slot: &Slot, cells: &mut [Cell], rng: &mut Rng, excluded: u64) -> Option<usize> {
    let open = slot.rest & !excluded;
    if open == 0 {
        return None;
    }
    let scale = 2 * i64::from(slot.members.max(2)) - 2;
    let bound = slot.total * (scale - 1);
    let mut best: Option<(usize, i64, i64)> = None;
    let mut most_owed: Option<(usize, i32)> = None;
    let most_credit = (2 * slot.total).min(i64::from(i32::MAX)) as i32;
    // Starting at a random member makes ties fall at random.
    let turn = rng.u32(0..64 - slot.rest.leading_zeros());
    let ahead = slot.rest & (u64::MAX << turn);
    let (mut members, mut behind) = (ahead, slot.rest ^ ahead);
    loop {
        if members == 0 {
            (members, behind) = (behind, 0);
            if members == 0 {
                break;
            }
        }
        let at = members.trailing_zeros() as usize;
        members &= members - 1;
        let Some(cell) = cells.get_mut(at) else { continue };
        // A member that is excluded again and again must not hoard credit that it can never spend.
        cell.credit = cell.credit.saturating_add(cell.weight).min(most_credit);
        if excluded & (1 << at) != 0 {
            continue;
        }
        let (credit, weight) = (i64::from(cell.credit) * scale, i64::from(cell.weight));
        if most_owed.is_none_or(|(_, owed)| cell.credit > owed) {
            most_owed = Some((at, cell.credit));
        }
        let slack = bound - credit;
        let sooner = |&(_, slack_best, weight_best): &(usize, i64, i64)| {
            slack * weight_best < slack_best * weight
        };
        if credit >= slot.total && best.as_ref().is_none_or(sooner) {
            best = Some((at, slack, weight));
        }
    }
    // If some members are excluded, all others can be ahead of their share.
    let at = best.map(|(at, _, _)| at).or(most_owed.map(|(at, _)| at))?;
    let cell = cells.get_mut(at)?;
    cell.credit = cell.credit.saturating_sub(slot.total.min(i64::from(i32::MAX)) as i32);
    Some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(len: usize) -> (Draws, Point) {
        let mut counts = PointCounts::default();
        let point = counts.add(len);
        (Draws::new(counts, 7), point)
    }

    /// Draws `answers` answers of `count` members. Returns the greatest distance of any member's
    /// count from its exact share, over any run of answers.
    fn worst_run(weights: &[u32], count: usize, answers: usize, seed: u64) -> f64 {
        let (mut draws, point) = point(weights.len());
        draws.rng = Rng::with_seed(seed);
        let at = (point, Stream::A);
        let mask = if weights.len() == 64 { u64::MAX } else { (1 << weights.len()) - 1 };
        draws.prepare(at, (mask, 0), count, |i| weights[i]);
        let total: u32 = weights.iter().sum();
        let always = draws.always(at);
        let drawn = count - always.count_ones() as usize;
        let rest: u32 = total
            - (0..weights.len()).filter(|i| always >> i & 1 == 1).map(|i| weights[i]).sum::<u32>();
        let (mut low, mut high) = (vec![0f64; weights.len()], vec![0f64; weights.len()]);
        let mut counts = vec![0u32; weights.len()];
        let mut worst = 0f64;
        for answer in 1..=answers {
            let mut picked = always;
            for _ in 0..drawn {
                let pick = draws.next(at, picked).unwrap();
                assert_eq!(picked >> pick & 1, 0, "drawn twice in one answer");
                picked |= 1 << pick;
                counts[pick] += 1;
            }
            for i in (0..weights.len()).filter(|i| always >> i & 1 == 0) {
                let share = f64::from(weights[i]) * drawn as f64 / f64::from(rest);
                let off = f64::from(counts[i]) - share * answer as f64;
                (low[i], high[i]) = (low[i].min(off), high[i].max(off));
                worst = worst.max(high[i] - low[i]);
            }
        }
        worst
    }

    #[test]
    fn over_any_run_each_share_is_within_two() {
        let mut rng = Rng::with_seed(1);
        for round in 0..200 {
            let len = rng.usize(1..=64);
            let top = [2, 10, 1000, 65_536][rng.usize(0..4)];
            let weights: Vec<u32> = (0..len).map(|_| rng.u32(1..top)).collect();
            let worst = worst_run(&weights, 1, 4000, round);
            assert!(worst < 2.0, "{worst} with {weights:?}");
        }
    }

    #[test]
    fn answers_of_several_keep_the_shares_too() {
        let mut rng = Rng::with_seed(2);
        for round in 0..200 {
            let len = rng.usize(2..=40);
            let count = rng.usize(2..=8.min(len));
            let weights: Vec<u32> = (0..len).map(|_| rng.u32(1..100)).collect();
            let worst = worst_run(&weights, count, 3000, round);
            assert!(worst <= 2.0, "{worst} with {count} of {weights:?}");
        }
    }

    #[test]
    fn a_member_too_heavy_for_its_share_is_in_every_answer() {
        let (mut draws, point) = point(3);
        draws.prepare((point, Stream::A), (0b111, 0), 2, |i| [8, 1, 1][i]);
        assert_eq!(draws.always((point, Stream::A)), 0b001);
        let pair = [0, 1].map(|_| draws.next((point, Stream::A), 0b001).unwrap());
        assert!(pair == [1, 2] || pair == [2, 1]);
    }

    #[test]
    fn two_streams_do_not_move_in_step() {
        let (mut draws, point) = point(4);
        let mut together = [0; 4];
        for _ in 0..4000 {
            let mut pick = |stream| {
                draws.prepare((point, stream), (0b1111, 0), 1, |_| 1);
                draws.next((point, stream), 0).unwrap()
            };
            let (a, aaaa) = (pick(Stream::A), pick(Stream::Aaaa));
            together[(4 + a - aaaa) % 4] += 1;
        }
        assert!(together.iter().all(|&n| (700..1300).contains(&n)), "{together:?}");
    }

    #[test]
    fn two_workers_do_not_move_in_step() {
        let (mut one, point) = point(4);
        let mut other = Draws::new(one.counts, 8);
        let mut together = [0; 4];
        for _ in 0..4000 {
            let [a, b] = [&mut one, &mut other].map(|draws| {
                draws.prepare((point, Stream::A), (0b1111, 0), 1, |_| 1);
                draws.next((point, Stream::A), 0).unwrap()
            });
            together[(4 + a - b) % 4] += 1;
        }
        assert!(together.iter().all(|&n| (700..1300).contains(&n)), "{together:?}");
    }

    /// Compares draws by the rule with random draws. For each number of answers, takes the error
    /// that 5 % of the cases exceed or reach: the difference between the count of a member with
    /// half of the weight and half of the answers.
    #[test]
    fn the_error_is_one_answer_where_random_draws_are_off_by_dozens() {
        const WEIGHTS: [u32; 3] = [3, 2, 1];
        let mut errors = Vec::new();
        for answers in [100usize, 1_000, 10_000] {
            let worst_of_twenty = |drawn: &dyn Fn(u64) -> usize| {
                let off = |seed| (drawn(seed) as f64 - answers as f64 / 2.0).abs();
                let mut off: Vec<f64> = (0..200).map(off).collect();
                off.sort_by(f64::total_cmp);
                off[190]
            };
            let here = worst_of_twenty(&|seed| {
                let (mut draws, point) = point(3);
                draws.rng = Rng::with_seed(seed);
                draws.prepare((point, Stream::A), (0b111, 0), 1, |i| WEIGHTS[i]);
                (0..answers).filter(|_| draws.next((point, Stream::A), 0) == Some(0)).count()
            });
            let random = worst_of_twenty(&|seed| {
                let mut rng = Rng::with_seed(seed);
                (0..answers).filter(|_| rng.u32(0..6) < 3).count()
            });
            errors.push((answers, here, random));
        }
        #[allow(clippy::print_stdout, reason = "figures, for `--nocapture`")]
        for (answers, here, random) in &errors {
            println!("after {answers} answers: off by {here}, at random by {random}");
        }
        assert!(errors.iter().all(|&(_, here, _)| here < 2.0), "{errors:?}");
        assert!(errors.iter().all(|&(answers, _, off)| off > (answers as f64).sqrt() / 2.0));
    }

    #[test]
    fn the_streams_of_https_take_memory_only_where_there_is_https() {
        let mut counts = PointCounts::default();
        let point = counts.add(4);
        let drawn = |counts| {
            let mut draws = Draws::new(counts, 7);
            let streams = [Stream::Srv, Stream::Https, Stream::Ipv4Hint, Stream::Ipv6Hint];
            let drawn = streams.map(|stream| {
                draws.prepare((point, stream), (0b1111, 0), 1, |_| 1);
                draws.next((point, stream), 0).is_some()
            });
            (draws.slots.len(), draws.cells.len(), drawn)
        };
        assert_eq!(drawn(counts), (3, 12, [true, false, false, false]));
        counts.add_https();
        assert_eq!(drawn(counts), (6, 24, [true; 4]));
    }

    #[test]
    fn a_changed_mask_starts_the_shares_anew() {
        let (mut draws, point) = point(3);
        let at = (point, Stream::A);
        for mask in [0b111, 0b101, 0b111] {
            draws.prepare(at, (mask, 0), 1, |_| 1);
            for _ in 0..30 {
                assert_ne!(mask >> draws.next(at, 0).unwrap() & 1, 0);
            }
        }
    }

    #[test]
    fn whichever_of_64_members_goes_it_is_not_drawn_any_more() {
        for gone in 0..64 {
            let (mut draws, point) = point(64);
            let at = (point, Stream::A);
            for mask in [u64::MAX, !(1 << gone)] {
                draws.prepare(at, (mask, 0), 1, |_| 1);
                for _ in 0..200 {
                    let drawn = draws.next(at, 0).unwrap();
                    assert_ne!(mask >> drawn & 1, 0, "{drawn} is gone and was drawn");
                }
            }
        }
    }
}
