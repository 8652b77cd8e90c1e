//! The schedule of the probes, without a clock or a socket of its own.
//!
//! ```text
//! sync ─▶ due (a heap by time) ─ its time ─▶ ready (in order) ─ start ─▶ under way ─ finish ─┐
//!          ▲                                      └ no seat ─▶ waits ─▶ seated ┘              │
//!          └──────────────────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! Each address is in one of these places, so that no two probes of it are ever under way. The
//! points in time come from `schedule`.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;

use slab::Slab;
use tokio::time::Instant;

use super::counters::Counters;
use super::grid::{Grid, Phase};
use super::probe::Prober;
use super::seats::Seats;
use crate::health::Probed;
use crate::zone::Check;

/// The most probes that may be under way at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most in all; at least one.
    pub concurrency: usize,
    /// The most to one IP address, whatever the port; at least one.
    pub per_address: usize,
}

/// The parts that all addresses of one check share.
#[derive(Debug)]
pub(super) struct Watch {
    pub(super) check: Arc<Check>,
    pub(super) prober: Prober,
    pub(super) counters: Counters,
}

/// The plan of all that is probed.
#[derive(Debug)]
pub(super) struct Schedule {
    /// The instant that the grids of all addresses count from.
    epoch: Instant,
    limits: Limits,
    slots: Slab<Slot>,
    /// The slots that are due, by time.
    due: BinaryHeap<Reverse<(Instant, usize)>>,
    /// The slots whose time has come, in that order.
    ready: VecDeque<usize>,
    /// The slots that waited for a seat and have one now.
    seated: VecDeque<usize>,
    seats: Seats,
    under_way: usize,
}

/// One probed address.
#[derive(Debug)]
struct Slot {
    address: SocketAddr,
    watch: Arc<Watch>,
    phase: Phase,
    /// The point that it is due for, mostly one of its grid; a fast interval makes it due sooner.
    point: Instant,
    /// The time when its next probe is to begin, or the one under way was to begin.
    wanted: Instant,
    is_new: bool,
    /// Whether it let its last point go, which came too long ago.
    has_skipped: bool,
    /// Whether it is only kept until the probe that it has, or waits for, is over.
    is_gone: bool,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// It waits for its time.
    Due,
    /// It waits for others, or for a seat.
    Queued,
    UnderWay,
}

/// A probe that is to begin.
#[derive(Debug)]
pub(super) struct Start {
    /// The number that [`Schedule::finish`] takes.
    pub(super) slot: usize,
    pub(super) address: SocketAddr,
    pub(super) watch: Arc<Watch>,
    /// The time when it was to begin.
    pub(super) wanted: Instant,
}

/// A probe that is over.
#[derive(Clone, Copy, Debug)]
pub(super) struct Finish {
    pub(super) slot: usize,
    pub(super) started: Instant,
    /// Whether verdicts contradict the state, but not yet enough of them.
    pub(super) is_pending: bool,
}

impl Schedule {
    pub(super) fn new(epoch: Instant, limits: Limits) -> Self {
        let concurrency = limits.concurrency.max(1);
        Self {
            epoch,
            limits: Limits { concurrency, ..limits },
            slots: Slab::new(),
            due: BinaryHeap::new(),
            ready: VecDeque::new(),
            seated: VecDeque::new(),
            seats: Seats::new(limits.per_address),
            under_way: 0,
        }
    }

    /// Probes what is `wanted`, and nothing else, from now on. An address that stays keeps its
    /// phase, and the probe that it has under way. A new one is probed at once unless its state is
    /// known already; `prober` makes the prober of its check. Returns the watches of all checks in
    /// use.
    ///
    /// # Cost
    /// Grows with the number of addresses, planned and wanted.
    pub(super) fn sync(
        &mut self,
        mut wanted: HashMap<Probed, bool>,
        prober: impl Fn(&Check) -> Prober,
        now: Instant,
    ) -> Vec<Arc<Watch>> {
        let mut watches: HashMap<Arc<Check>, Arc<Watch>> = HashMap::new();
        for (_, slot) in &mut self.slots {
            slot.is_gone = wanted.remove(&slot.probed()).is_none();
            if !slot.is_gone && !watches.contains_key(&slot.watch.check) {
                watches.insert(Arc::clone(&slot.watch.check), Arc::clone(&slot.watch));
            }
        }
        self.slots.retain(|_, slot| !slot.is_gone || slot.stage != Stage::Due);
        self.due.retain(|Reverse((_, slot))| self.slots.contains(*slot));
        self.slots.reserve_exact(wanted.len());
        self.due.reserve_exact(wanted.len());
        for (probed, is_known) in wanted {
            let watch = watches.entry(probed.check).or_insert_with_key(|check| {
                let (check, prober) = (Arc::clone(check), prober(check));
                Arc::new(Watch { check, prober, counters: Counters::default() })
            });
            self.add(probed.address, Arc::clone(watch), is_known, now);
        }
        watches.into_values().collect()
    }

    fn add(&mut self, address: SocketAddr, watch: Arc<Watch>, is_known: bool, now: Instant) {
        let phase = Phase::of(&Probed { address, check: Arc::clone(&watch.check) });
        let first = match is_known {
            // A known state needs no haste: a restart does not probe everything at once.
            true => Grid::new(self.epoch, phase, &watch.check).first(now),
            false => now,
        };
        let slot = self.slots.insert(Slot {
            address,
            watch,
            phase,
            point: first,
            wanted: first,
            is_new: true,
            has_skipped: false,
            is_gone: false,
            stage: Stage::Due,
        });
        self.due.push(Reverse((first, slot)));
    }

    /// Returns the next probe to begin, if it is time for one and the limits allow it.
    pub(super) fn start(&mut self, now: Instant) -> Option<Start> {
        self.queue_what_is_due(now);
        while self.under_way < self.limits.concurrency {
            let seated = self.seated.pop_front();
            let Some(number) = seated.or_else(|| self.ready.pop_front()) else { break };
            let Some(slot) = self.slots.get_mut(number) else { continue };
            let ip = slot.address.ip();
            if slot.is_gone {
                self.slots.remove(number);
                self.seated.extend(seated.and_then(|_| self.seats.leave(ip)));
                continue;
            }
            if seated.is_none() && !self.seats.take(ip, number) {
                continue;
            }
            slot.stage = Stage::UnderWay;
            self.under_way += 1;
            let (address, watch) = (slot.address, Arc::clone(&slot.watch));
            return Some(Start { slot: number, address, watch, wanted: slot.wanted });
        }
        None
    }

    fn queue_what_is_due(&mut self, now: Instant) {
        while let Some(&Reverse((at, number))) = self.due.peek()
            && at <= now
        {
            self.due.pop();
            let Some(slot) = self.slots.get_mut(number) else { continue };
            let interval = slot.watch.check.interval;
            // After a standstill everything is late: a slot goes on at its next point, not at once.
            // A slot that has let a point go has its turn all the same: otherwise a busy machine
            // would never probe it again.
            slot.has_skipped = now - at > interval / 2 && !slot.has_skipped && !slot.is_new;
            if slot.has_skipped {
                slot.point = Grid::new(self.epoch, slot.phase, &slot.watch.check).first(now);
                slot.wanted = slot.point;
                self.due.push(Reverse((slot.point, number)));
                continue;
            }
            slot.stage = Stage::Queued;
            self.ready.push_back(number);
        }
    }

    /// Notes that a probe is over, and plans the next one of its address.
    pub(super) fn finish(&mut self, finish: Finish, now: Instant) {
        let Some(slot) = self.slots.get_mut(finish.slot) else { return };
        self.under_way -= 1;
        self.seated.extend(self.seats.leave(slot.address.ip()));
        if slot.is_gone {
            self.slots.remove(finish.slot);
            return;
        }
        let wanted = slot.next(self.epoch, &finish, now);
        slot.stage = Stage::Due;
        slot.wanted = wanted;
        self.due.push(Reverse((wanted, finish.slot)));
    }

    /// Returns the next time to call [`start`](Self::start), unless a probe is over before; `None`
    /// if nothing can begin until one is.
    pub(super) fn next(&self) -> Option<Instant> {
        self.due.peek().map(|Reverse((at, _))| *at)
    }
}

impl Slot {
    fn probed(&self) -> Probed {
        Probed { address: self.address, check: Arc::clone(&self.watch.check) }
    }

    /// Returns the time when the next probe is to begin.
    fn next(&mut self, epoch: Instant, finish: &Finish, now: Instant) -> Instant {
        let check = &self.watch.check;
        let grid = Grid::new(epoch, self.phase, check);
        // It was due at its point, or later by its jitter; a fast interval makes it due before.
        let was_at_point = self.wanted >= self.point;
        if std::mem::take(&mut self.is_new) {
            self.point = grid.second(finish.started);
        } else if was_at_point {
            self.point = grid.next(self.point, now);
        }
        // While the state is about to turn, it is worth a look before the next point of the grid.
        let sooner = check.fast_interval.filter(|_| finish.is_pending);
        let sooner = sooner.map(|fast| finish.started + fast).filter(|at| *at < self.point);
        sooner.unwrap_or_else(|| self.point + grid.jitter(self.point, check.jitter))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use super::*;
    use crate::checker::probe::Outlets;
    use crate::zone::{CheckKind, Reach, TcpCheck};

    const INTERVAL: Duration = Duration::from_secs(10);
    const FAST: Duration = Duration::from_secs(1);

    fn check() -> Arc<Check> {
        let kind = CheckKind::Tcp(TcpCheck { send: None, expect: None });
        Arc::new(Check { interval: INTERVAL, fast_interval: Some(FAST), ..Check::new(kind) })
    }

    fn probed(host: u8, port: u16) -> Probed {
        let address = SocketAddr::from((Ipv4Addr::new(192, 0, 2, host), port));
        Probed { address, check: check() }
    }

    /// A plan, the probes under way, and a time of its own.
    struct Scene {
        plan: Schedule,
        now: Instant,
        under_way: Vec<Start>,
    }

    impl Scene {
        fn new(concurrency: usize, per_address: usize) -> Self {
            let now = Instant::now();
            let plan = Schedule::new(now, Limits { concurrency, per_address });
            Self { plan, now, under_way: Vec::new() }
        }

        fn sync(&mut self, wanted: impl IntoIterator<Item = Probed>, is_known: bool) {
            let outlets = Outlets::new(Reach::everywhere());
            let prober = |check: &Check| Prober::new(check, &outlets);
            let wanted = wanted.into_iter().map(|probed| (probed, is_known)).collect();
            self.plan.sync(wanted, prober, self.now);
        }

        /// Begins all probes that may begin; returns their number.
        fn start(&mut self) -> usize {
            let before = self.under_way.len();
            while let Some(start) = self.plan.start(self.now) {
                self.under_way.push(start);
            }
            self.under_way.len() - before
        }

        /// Ends the probe at index `at` of those under way; it counts as started just now.
        fn finish(&mut self, at: usize, is_pending: bool) {
            let slot = self.under_way.remove(at).slot;
            self.plan.finish(Finish { slot, started: self.now, is_pending }, self.now);
        }

        /// Lets time pass until something is due; returns how long.
        fn wait(&mut self) -> Duration {
            let waited = self.plan.next().expect("something is planned") - self.now;
            self.now += waited;
            waited
        }
    }

    #[test]
    fn what_is_new_begins_at_once_and_what_was_known_before_at_its_point() {
        let mut scene = Scene::new(100, 100);
        scene.sync([probed(1, 80)], false);
        assert_eq!(scene.start(), 1);
        let mut scene = Scene::new(256, 256);
        scene.sync((0..=255).map(|host| probed(host, 80)), true);
        for tenth in 0..10 {
            let begun = scene.start();
            assert!(begun < 50, "{begun} in tenth {tenth}");
            scene.now += INTERVAL / 10;
        }
        scene.start();
        assert_eq!(scene.under_way.len(), 256);
    }

    #[test]
    fn an_address_is_probed_again_only_when_its_probe_is_over() {
        let mut scene = Scene::new(100, 100);
        scene.sync([probed(1, 80)], false);
        assert_eq!(scene.start(), 1);
        scene.now += INTERVAL * 5;
        assert_eq!(scene.start(), 0, "the first hangs");
        scene.finish(0, false);
        let waited = scene.wait();
        assert!(INTERVAL / 2 <= waited && waited <= INTERVAL, "{waited:?}");
        assert_eq!(scene.start(), 1);
    }

    #[test]
    fn while_a_turn_is_near_it_is_probed_sooner_and_then_at_its_points_again() {
        let mut scene = Scene::new(100, 100);
        scene.sync([probed(1, 80)], false);
        for _ in 0..2 {
            scene.start();
            scene.finish(0, false);
            scene.wait();
        }
        let point = scene.now;
        for _ in 0..3 {
            scene.start();
            scene.finish(0, true);
            assert_eq!(scene.wait(), FAST);
        }
        scene.start();
        scene.finish(0, false);
        scene.wait();
        assert_eq!(scene.now, point + INTERVAL);
    }

    #[test]
    fn with_jitter_it_is_probed_at_its_points_and_a_little_later() {
        let mut scene = Scene::new(100, 100);
        let jitter = INTERVAL / 10;
        let check = Arc::new(Check { jitter, ..Check::clone(&check()) });
        scene.sync([Probed { check, ..probed(1, 80) }], false);
        // The second comes early, and the third on the grid.
        for _ in 0..2 {
            scene.start();
            scene.finish(0, false);
            scene.wait();
        }
        let mut points = HashSet::new();
        for _ in 0..50 {
            assert_eq!(scene.start(), 1);
            scene.finish(0, false);
            let waited = scene.wait();
            assert!(INTERVAL - jitter < waited && waited < INTERVAL + jitter, "{waited:?}");
            points.insert(waited);
        }
        assert!(points.len() > 40, "they differ");
    }

    #[test]
    fn the_limits_hold_in_all_and_for_each_address_and_who_waits_comes_in_order() {
        let mut scene = Scene::new(5, 2);
        scene.sync((1..=6).flat_map(|host| (80..84).map(move |port| probed(host, port))), false);
        let mut seen = HashSet::new();
        scene.start();
        while !scene.under_way.is_empty() {
            assert!(scene.under_way.len() <= 5);
            let mut by_address: HashMap<_, usize> = HashMap::new();
            for start in &scene.under_way {
                *by_address.entry(start.address.ip()).or_default() += 1;
            }
            assert!(by_address.values().all(|count| *count <= 2), "{by_address:?}");
            seen.insert(scene.under_way[0].address);
            scene.finish(0, false);
            scene.start();
        }
        assert_eq!(seen.len(), 24, "nobody is forgotten");
    }

    #[test]
    fn after_a_standstill_it_goes_on_at_the_points_and_not_with_everything_at_once() {
        let mut scene = Scene::new(1000, 1000);
        scene.sync((0..=255).map(|host| probed(host, 80)), false);
        assert_eq!(scene.start(), 256);
        (0..256).for_each(|_| scene.finish(0, false));
        scene.now += INTERVAL * 6;
        let at_once = scene.start();
        assert_eq!(at_once, 0);
        scene.now += INTERVAL / 10;
        let begun = scene.start();
        assert!((1..50).contains(&begun), "{begun}");
        scene.now += INTERVAL;
        scene.start();
        assert_eq!(scene.under_way.len(), 256);
    }

    #[test]
    fn one_that_is_late_again_and_again_is_probed_all_the_same() {
        let mut scene = Scene::new(1, 1);
        scene.sync([probed(1, 80)], false);
        let mut begun = 0;
        for _ in 0..10 {
            begun += scene.start();
            if !scene.under_way.is_empty() {
                scene.finish(0, false);
            }
            scene.wait();
            scene.now += INTERVAL * 3 / 4;
        }
        assert!(begun >= 5, "{begun}");
    }

    #[test]
    fn what_leaves_and_returns_while_it_is_probed_is_not_probed_twice() {
        let mut scene = Scene::new(100, 1);
        let (one, two) = (probed(1, 80), probed(1, 81));
        scene.sync([one.clone(), two.clone()], false);
        assert_eq!(scene.start(), 1, "the other waits for the seat");
        scene.sync([], false);
        assert_eq!(scene.plan.next(), None);
        scene.sync([one, two], false);
        assert_eq!(scene.start(), 0);
        scene.finish(0, false);
        assert_eq!(scene.start(), 1);
        scene.finish(0, false);
        assert_eq!(scene.plan.slots.len(), 2);
    }

    #[test]
    fn whatever_comes_and_goes_nothing_is_lost_and_nothing_probed_twice_at_once() {
        for seed in 0..300 {
            let mut random = fastrand::Rng::with_seed(seed);
            let mut scene = Scene::new(random.usize(1..6), random.usize(1..4));
            let limits = scene.plan.limits;
            let mut wanted = HashSet::new();
            for _ in 0..200 {
                match random.u8(..10) {
                    0 => {
                        let all = (0..4).flat_map(|host| (80..85).map(move |p| probed(host, p)));
                        wanted = all.filter(|_| random.bool()).collect();
                        scene.sync(wanted.clone(), random.bool());
                    }
                    1 => scene.now += INTERVAL * random.u32(0..4),
                    2..=5 if !scene.under_way.is_empty() => {
                        scene.finish(random.usize(..scene.under_way.len()), random.bool());
                    }
                    6 => scene.now += FAST / 2,
                    _ => _ = scene.start(),
                }
                let busy: HashSet<_> = scene.under_way.iter().map(|start| start.address).collect();
                assert_eq!(busy.len(), scene.under_way.len(), "seed {seed}: one probed twice");
                assert!(busy.len() <= limits.concurrency, "seed {seed}");
                for ip in busy.iter().map(SocketAddr::ip) {
                    let there = busy.iter().filter(|address| address.ip() == ip).count();
                    assert!(there <= limits.per_address, "seed {seed}");
                }
            }
            let mut probed = HashSet::new();
            for _ in 0..200 {
                scene.now += INTERVAL / 4;
                scene.start();
                probed.extend(scene.under_way.iter().map(|start| start.address));
                while !scene.under_way.is_empty() {
                    scene.finish(0, false);
                }
            }
            let wanted: HashSet<_> = wanted.iter().map(|probed| probed.address).collect();
            assert!(wanted.is_subset(&probed), "seed {seed}: one is probed no more");
            assert_eq!(scene.plan.slots.len(), wanted.len(), "seed {seed}: one is still planned");
        }
    }
}
