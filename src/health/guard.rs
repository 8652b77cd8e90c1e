//! The guard against faults of this machine: when nearly everything begins to fail at once, it is
//! rarely everything.
//!
//! A cable pulled here looks like a thousand servers that died there. While the guard holds, a
//! failed probe changes no state, and what turned down since the failures began is up again.

use std::collections::hash_map::Entry as Place;
use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use super::binding::Probed;
use super::entry::Entry;
use super::tracker::{State, Verdict};
use crate::clock::Moment;
use crate::zone::Check;

/// The longest time within which failures count as beginning at once. Addresses that are probed
/// more seldom have no part in it.
const WINDOW_MAX: Duration = Duration::from_secs(60);

/// When the guard holds, and for how long.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GuardPolicy {
    /// The share of the targets, 0 to 1, more than which begin to fail within one interval. 1: the
    /// guard never holds.
    pub share: f64,
    /// The fewest targets of which that says anything.
    pub targets_min: usize,
    /// How long it holds at the most: what fails for longer is believed.
    pub freeze_max: Duration,
    /// How many probes are under way at the most, at least one: when all wait for their timeouts,
    /// it takes longer than an interval until nearly all have failed.
    pub concurrency: usize,
    /// How many of them go to one IP address, at least one.
    pub per_address: usize,
}

impl GuardPolicy {
    /// The targets of which it says anything unless something else is set.
    pub const TARGETS_MIN: usize = 10;
    /// How long it holds unless something else is set.
    pub const FREEZE_MAX: Duration = Duration::from_secs(60);
    /// The share unless something else is set.
    pub const SHARE: f64 = 0.7;
}

impl Default for GuardPolicy {
    fn default() -> Self {
        Self {
            share: Self::SHARE,
            targets_min: Self::TARGETS_MIN,
            freeze_max: Self::FREEZE_MAX,
            concurrency: usize::MAX,
            per_address: usize::MAX,
        }
    }
}

/// What the guard began or ended to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guarded {
    /// It holds from now on.
    Frozen {
        /// How many began to fail.
        failing: usize,
        /// Of how many.
        targets: usize,
        /// Within which time.
        within: Duration,
        /// How long it will hold at the most.
        at_most: Duration,
    },
    /// It holds no longer: enough of them pass again.
    Recovered {
        /// For how long it held.
        held: Duration,
    },
    /// It holds no longer: they have failed for so long that it is believed.
    Believed {
        /// For how long it held.
        held: Duration,
        /// How many fail.
        failing: usize,
        /// Of how many.
        targets: usize,
    },
}

/// What the guard remembers of one probed address.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Watched {
    /// Since when every probe has failed.
    failing_since: Option<Moment>,
    /// The state when that began.
    state: Option<State>,
    /// Whether that began within the window.
    is_recent: bool,
}

/// Counts who fails.
#[derive(Debug, Default)]
pub(super) struct Guard {
    policy: GuardPolicy,
    /// The interval and timeout of the slowest check.
    slowest: Duration,
    /// The timeouts of all targets, one after the other.
    timeouts: Duration,
    /// The same of each IP address, and the largest so far.
    by_address: HashMap<IpAddr, Duration>,
    most_by_address: Duration,
    targets: usize,
    failing: usize,
    recent: usize,
    /// Who began to fail, and when; the oldest first.
    begun: VecDeque<(Moment, Probed)>,
    frozen_since: Option<Moment>,
    /// When enough of them passed again for the last time, and since when it had held.
    recovered: Option<(Moment, Moment)>,
}

/// Whether a check is frequent enough to tell what happens at once.
fn is_target(check: &Check) -> bool {
    check.interval + check.timeout <= WINDOW_MAX
}

impl Guard {
    pub(super) fn new(policy: GuardPolicy) -> Self {
        Self { policy, ..Self::default() }
    }

    pub(super) fn is_frozen(&self) -> bool {
        self.frozen_since.is_some()
    }

    /// Within which time failures count as beginning at once: each target is probed once in it,
    /// also when all probes last as long as they may.
    fn window(&self) -> Duration {
        let lanes = |count: usize| u32::try_from(count.max(1)).unwrap_or(u32::MAX);
        let in_all = self.timeouts / lanes(self.policy.concurrency);
        let at_one_address = self.most_by_address / lanes(self.policy.per_address);
        self.slowest.max(in_all).max(at_one_address).min(WINDOW_MAX)
    }

    /// Notes that an address is probed from now on.
    pub(super) fn add(&mut self, probed: &Probed) {
        if is_target(&probed.check) {
            self.targets += 1;
            self.slowest = self.slowest.max(probed.check.interval + probed.check.timeout);
            self.timeouts += probed.check.timeout;
            let there = self.by_address.entry(probed.address.ip()).or_default();
            *there += probed.check.timeout;
            self.most_by_address = self.most_by_address.max(*there);
        }
    }

    /// Notes that an address is probed no longer.
    pub(super) fn remove(&mut self, probed: &Probed, watched: Watched) {
        if is_target(&probed.check) {
            self.targets -= 1;
            self.timeouts -= probed.check.timeout;
            if let Place::Occupied(mut there) = self.by_address.entry(probed.address.ip()) {
                *there.get_mut() -= probed.check.timeout;
                if there.get().is_zero() {
                    there.remove();
                }
            }
            self.failing -= usize::from(watched.failing_since.is_some());
            self.recent -= usize::from(watched.is_recent);
        }
    }

    /// Notes one verdict on `probed`, which is `entry` and has not heard of it yet.
    pub(super) fn note(
        &mut self,
        probed: &Probed,
        entry: &mut Entry,
        verdict: Verdict,
        now: Moment,
    ) {
        let state = Some(entry.tracker.state());
        let watched = &mut entry.watched;
        if !is_target(&probed.check) {
            return;
        }
        match (verdict, watched.failing_since) {
            (Verdict::Fail, None) => {
                *watched = Watched { failing_since: Some(now), state, is_recent: true };
                self.failing += 1;
                self.recent += 1;
                self.begun.push_back((now, probed.clone()));
            }
            (Verdict::Pass, Some(_)) => {
                self.failing -= 1;
                self.recent -= usize::from(watched.is_recent);
                *watched = Watched::default();
            }
            _ => {}
        }
    }

    /// Begins or ends to hold, as the counts say. When it begins, `turn_back` is called with all
    /// who began to fail within the window, and the state in which they were.
    ///
    /// # Cost
    /// By who leaves the window; nothing else but when it begins or ends.
    pub(super) fn judge(
        &mut self,
        entries: &mut HashMap<Probed, Entry>,
        now: Moment,
        turn_back: impl FnMut(&Probed, &mut Entry, State),
    ) -> Option<Guarded> {
        self.forget_old(entries, now);
        let (failing, targets) = (self.failing, self.targets);
        let most = self.policy.share * targets as f64;
        if let Some(since) = self.frozen_since {
            let held = now.since(since);
            if failing as f64 <= most {
                self.frozen_since = None;
                self.recovered = Some((now, since));
                self.begin_anew(entries);
                return Some(Guarded::Recovered { held });
            }
            if held < self.policy.freeze_max {
                return None;
            }
            self.frozen_since = None;
            // What was not believed for so long is no news when it is.
            for (began, probed) in std::mem::take(&mut self.begun) {
                self.settle(entries, &probed, began);
            }
            return Some(Guarded::Believed { held, failing, targets });
        }
        if targets < self.policy.targets_min || self.recent as f64 <= most {
            return None;
        }
        // What comes back at once is the same fault, and is borne no longer for having paused.
        let resumed = self.recovered.filter(|(at, _)| now.since(*at) <= self.window());
        let since = resumed.map_or(now, |(_, since)| since);
        self.frozen_since = Some(since);
        self.turn_back(entries, turn_back);
        let at_most = self.policy.freeze_max.saturating_sub(now.since(since));
        Some(Guarded::Frozen { failing: self.recent, targets, within: self.window(), at_most })
    }

    /// Lets every failure begin with the next one: whoever has not been probed since the others
    /// passed again may have failed for the same fault, and goes on failing if it returns.
    fn begin_anew(&mut self, entries: &mut HashMap<Probed, Entry>) {
        entries.values_mut().for_each(|entry| entry.watched = Watched::default());
        self.begun.clear();
        (self.failing, self.recent) = (0, 0);
    }

    fn turn_back(
        &self,
        entries: &mut HashMap<Probed, Entry>,
        mut turn_back: impl FnMut(&Probed, &mut Entry, State),
    ) {
        for (began, probed) in &self.begun {
            let entry = entries.get_mut(probed);
            let Some(entry) = entry.filter(|e| e.watched.failing_since == Some(*began)) else {
                continue;
            };
            if let Some(state) = entry.watched.state {
                turn_back(probed, entry, state);
            }
        }
    }

    /// Lets go of those whose failures began before the window.
    fn forget_old(&mut self, entries: &mut HashMap<Probed, Entry>, now: Moment) {
        let window = self.window();
        while let Some((began, probed)) = self.begun.pop_front() {
            if now.since(began) <= window {
                self.begun.push_front((began, probed));
                return;
            }
            self.settle(entries, &probed, began);
        }
    }

    /// The failures of `probed` that began at `began` are no longer recent.
    fn settle(&mut self, entries: &mut HashMap<Probed, Entry>, probed: &Probed, began: Moment) {
        let Some(Entry { watched, .. }) = entries.get_mut(probed) else { return };
        if watched.failing_since == Some(began) && watched.is_recent {
            watched.is_recent = false;
            self.recent -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::sync::Arc;

    use super::*;
    use crate::health::{Binding, Bit, Board, Table};
    use crate::zone::{CheckKind, TcpCheck};

    const INTERVAL: Duration = Duration::from_secs(5);

    /// Endpoints of which each is probed once an interval, one after the other.
    struct Scene {
        table: Table,
        board: Arc<Board>,
        bindings: Vec<Binding>,
        /// The first fifteen, and the others.
        bound: [Arc<[Binding]>; 2],
        now: Moment,
    }

    impl Scene {
        fn new(endpoints: u8, fall: u8) -> Self {
            Self::guarded(GuardPolicy::default(), endpoints, fall)
        }

        fn guarded(policy: GuardPolicy, endpoints: u8, fall: u8) -> Self {
            Self::guarded_at(policy, endpoints, fall, |at| ([192, 0, 2, at], 80).into())
        }

        fn guarded_at(
            policy: GuardPolicy,
            endpoints: u8,
            fall: u8,
            address: impl Fn(u8) -> SocketAddr,
        ) -> Self {
            let check = Arc::new(Check {
                interval: INTERVAL,
                timeout: Duration::from_secs(1),
                rise: 1,
                fall,
                ..Check::new(CheckKind::Tcp(TcpCheck { send: None, expect: None }))
            });
            let binding = |at: u8| {
                let (address, check) = (address(at), Arc::clone(&check));
                Binding::of(Probed { address, check }, &format!("e{at}"), Bit { word: 0, at })
            };
            let bindings: Vec<Binding> = (0..endpoints).map(binding).collect();
            let (board, mut table) = (Arc::new(Board::new(1)), Table::new(policy));
            let [gone, kept] = [0..15.min(bindings.len()), 15.min(bindings.len())..bindings.len()];
            let bound = [gone, kept].map(|part| Arc::from(&bindings[part]));
            bound.iter().for_each(|part| table.bind(&board, part, &[], Moment::default()));
            let mut scene = Self { table, board, bindings, bound, now: Moment::default() };
            scene.round(endpoints);
            scene
        }

        /// One interval in which the first `up` endpoints pass and the others fail; what the guard
        /// did.
        fn round(&mut self, up: u8) -> Vec<Guarded> {
            self.round_of(INTERVAL, up)
        }

        /// The same in a time of its own.
        fn round_of(&mut self, time: Duration, up: u8) -> Vec<Guarded> {
            let step = time / self.bindings.len() as u32;
            let mut seen = Vec::new();
            for (at, binding) in (0..).zip(&self.bindings) {
                let verdict = if at < up { Verdict::Pass } else { Verdict::Fail };
                seen.extend(self.table.apply(binding.probed(), (verdict, None), self.now).guarded);
                self.now = self.now.after(step);
            }
            seen
        }

        fn up(&self) -> u32 {
            let all = u64::MAX >> (64 - self.bindings.len());
            (self.board.word(0) & all).count_ones()
        }
    }

    #[test]
    fn when_nearly_all_fail_at_once_nothing_turns_and_what_had_turned_is_put_back() {
        for fall in [1, 3] {
            let mut scene = Scene::new(20, fall);
            let seen = scene.round(0);
            let within = Duration::from_secs(6);
            let at_most = GuardPolicy::FREEZE_MAX;
            assert_eq!(seen, [Guarded::Frozen { failing: 15, targets: 20, within, at_most }]);
            assert_eq!(scene.up(), 20, "fall {fall}");
            scene.round(0);
            assert_eq!(scene.up(), 20);
            let seen = scene.round(20);
            assert!(matches!(seen[..], [Guarded::Recovered { .. }]), "{seen:?}");
            assert_eq!(scene.up(), 20);
        }
    }

    #[test]
    fn when_all_hang_it_waits_for_as_long_as_the_limit_makes_them_take() {
        // Twenty timeouts of a second, one after the other or two at a time.
        let time = Duration::from_secs(20);
        for (concurrency, within) in [(1, 20), (2, 10)] {
            let policy = GuardPolicy { concurrency, ..GuardPolicy::default() };
            let mut scene = Scene::guarded(policy, 20, 1);
            let seen = scene.round_of(time / concurrency as u32, 0);
            let within = Duration::from_secs(within);
            let at_most = GuardPolicy::FREEZE_MAX;
            assert_eq!(seen, [Guarded::Frozen { failing: 15, targets: 20, within, at_most }]);
            assert_eq!(scene.up(), 20);
        }
        // The same behind one address.
        let policy = GuardPolicy { per_address: 2, ..GuardPolicy::default() };
        let mut scene = Scene::guarded_at(policy, 20, 1, |at| ([192, 0, 2, 1], at.into()).into());
        let seen = scene.round_of(time / 2, 0);
        assert!(matches!(seen[..], [Guarded::Frozen { failing: 15, .. }]), "{seen:?}");
        // Where no limit binds that is no longer at once.
        let mut scene = Scene::new(20, 1);
        assert_eq!(scene.round_of(time, 0), []);
        assert_eq!(scene.up(), 0);
    }

    #[test]
    fn what_fails_for_longer_than_it_holds_is_believed_and_holds_it_no_second_time() {
        let mut scene = Scene::new(20, 2);
        let mut seen = Vec::new();
        for _ in 0..30 {
            seen.extend(scene.round(3));
        }
        assert_eq!(seen.len(), 2, "{seen:?}");
        assert!(matches!(seen[1], Guarded::Believed { failing: 17, targets: 20, .. }), "{seen:?}");
        assert_eq!(scene.up(), 3);
    }

    #[test]
    fn seven_of_ten_and_few_targets_and_a_slow_decay_are_believed() {
        let mut scene = Scene::new(20, 1);
        assert_eq!(scene.round(6), []);
        assert_eq!(scene.up(), 6);
        let mut scene = Scene::new(9, 1);
        assert_eq!(scene.round(0), []);
        assert_eq!(scene.up(), 0);
        let mut scene = Scene::new(20, 1);
        for up in (0..20).rev() {
            scene.round(up);
            assert_eq!(scene.round(up), [], "{up}");
            assert_eq!(scene.up(), u32::from(up));
        }
    }

    #[test]
    fn passes_count_while_it_holds() {
        let mut scene = Scene::new(20, 1);
        scene.round(6);
        assert_eq!(scene.up(), 6);
        scene.now = scene.now.after(INTERVAL * 4);
        scene.round(20);
        assert_eq!(scene.round(0).len(), 1);
        let binding = scene.bindings[19].clone();
        assert!(scene.table.is_frozen());
        let applied = scene.table.apply(binding.probed(), (Verdict::Pass, None), scene.now);
        assert_eq!(applied.turn, None, "it was up all the time");
        assert_eq!(scene.up(), 20);
    }

    #[test]
    fn a_fault_that_pauses_for_a_moment_is_one_and_held_no_longer_than_one() {
        let mut scene = Scene::new(20, 1);
        let mut seen = Vec::new();
        for _ in 0..40 {
            // The first six pass once in a while, before the others are probed again.
            seen.extend(scene.round(0));
            seen.extend(scene.round(6));
        }
        let ends = |guarded: &&Guarded| matches!(guarded, Guarded::Believed { .. });
        let [Guarded::Believed { held, .. }] = seen.iter().filter(ends).collect::<Vec<_>>()[..]
        else {
            panic!("{seen:?}");
        };
        assert!(*held < GuardPolicy::FREEZE_MAX + INTERVAL, "{held:?}");
        assert!(seen.len() > 3, "it paused: {seen:?}");
    }

    #[test]
    fn who_was_not_probed_while_the_fault_paused_is_not_down_for_it() {
        let mut scene = Scene::new(20, 1);
        scene.round(0);
        assert!(scene.table.is_frozen());
        // Six pass, so that it ends; all fail again before the others were probed in between.
        for at in 0..6 {
            let probed = scene.bindings[at].probed().clone();
            scene.table.apply(&probed, (Verdict::Pass, None), scene.now);
        }
        assert!(!scene.table.is_frozen());
        scene.round(0);
        assert!(scene.table.is_frozen(), "for the second time");
        assert_eq!(scene.up(), 20);
    }

    #[test]
    fn who_is_forgotten_is_counted_no_longer() {
        let mut scene = Scene::new(20, 1);
        scene.round(0);
        assert!(scene.table.is_frozen());
        scene.table.unbind(&scene.bound[0]);
        scene.bindings = scene.bound[1].to_vec();
        let seen = scene.round(5);
        assert!(matches!(seen[..], [Guarded::Recovered { .. }]), "{seen:?}");
    }
}
