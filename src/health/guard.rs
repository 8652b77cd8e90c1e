//! The guard against faults of this machine. When nearly everything begins to fail at once, the
//! fault is rarely everywhere.
//!
//! A cable pulled here looks like a thousand servers that died there. While the guard holds, a
//! failed probe changes no state, and states that turned down since the failures began are put
//! back.

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
/// less often are no targets: the guard does not count them.
const WINDOW_MAX: Duration = Duration::from_secs(60);

/// The conditions on which the guard holds, and the limit of time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GuardPolicy {
    /// The share of the targets, 0 to 1: the guard holds if more than this begin to fail within the
    /// window. With 1 it never holds.
    pub share: f64,
    /// The fewest targets with which the guard may begin to hold.
    pub targets_min: usize,
    /// The longest time that it holds: longer failures are believed.
    pub freeze_max: Duration,
    /// The most probes under way at once, at least one. When all probes wait for their timeouts,
    /// this limit stretches the time until nearly all have failed beyond an interval.
    pub concurrency: usize,
    /// The most probes under way to one IP address at once, at least one.
    pub per_address: usize,
}

impl GuardPolicy {
    /// The default of `targets_min`.
    pub const TARGETS_MIN: usize = 10;
    /// The default of `freeze_max`.
    pub const FREEZE_MAX: Duration = Duration::from_secs(60);
    /// The default of `share`.
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

/// A beginning or an end of the guard's hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guarded {
    /// The guard holds from now on.
    Frozen {
        /// The number of targets that began to fail.
        failing: usize,
        /// The number of all targets.
        targets: usize,
        /// The time within which they began to fail.
        within: Duration,
        /// The longest time that it will hold.
        at_most: Duration,
    },
    /// The guard holds no longer: enough targets pass again.
    Recovered {
        /// The time that it held.
        held: Duration,
    },
    /// The guard holds no longer: targets have failed for so long that the failures are believed.
    Believed {
        /// The time that it held.
        held: Duration,
        /// The number of targets that fail.
        failing: usize,
        /// The number of all targets.
        targets: usize,
    },
}

/// The guard's memory of one probed address.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Watched {
    /// The time of the first of the failures in a row that count; `None` if there are none.
    failing_since: Option<Moment>,
    /// The state when the failures began.
    state: Option<State>,
    /// Whether the failures began within the window.
    is_recent: bool,
}

/// A counter of failing targets.
#[derive(Debug, Default)]
pub(super) struct Guard {
    policy: GuardPolicy,
    /// The largest sum of interval and timeout of any target so far.
    slowest: Duration,
    /// The sum of the timeouts of all targets.
    timeouts: Duration,
    /// The sum of the timeouts of the targets at each IP address, and the largest sum so far.
    by_address: HashMap<IpAddr, Duration>,
    most_by_address: Duration,
    targets: usize,
    failing: usize,
    recent: usize,
    /// The targets that began to fail, and the times; the oldest first.
    begun: VecDeque<(Moment, Probed)>,
    frozen_since: Option<Moment>,
    /// The time of the last recovery, and the beginning of the hold that it ended.
    recovered: Option<(Moment, Moment)>,
}

/// Returns whether a check is frequent enough to tell what happens at once.
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

    /// Returns the time within which failures count as beginning at once. Each target is probed
    /// once in it, even if every probe lasts as long as it may; [`WINDOW_MAX`] at the most.
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

    /// Notes one verdict on `probed` before its `entry` applies it.
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

    /// Begins or ends to hold, as the counts say. When it begins, it calls `turn_back` with every
    /// target that began to fail within the window, and the state that this target had before.
    ///
    /// # Cost
    /// Grows with the failures that leave the window; with all targets only when it begins or ends.
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
            // Failures that were held back for so long do not make it hold again once believed.
            for (began, probed) in std::mem::take(&mut self.begun) {
                self.settle(entries, &probed, began);
            }
            return Some(Guarded::Believed { held, failing, targets });
        }
        if targets < self.policy.targets_min || self.recent as f64 <= most {
            return None;
        }
        // A fault that returns at once is the same fault: its pause does not prolong the hold.
        let resumed = self.recovered.filter(|(at, _)| now.since(*at) <= self.window());
        let since = resumed.map_or(now, |(_, since)| since);
        self.frozen_since = Some(since);
        self.turn_back(entries, turn_back);
        let at_most = self.policy.freeze_max.saturating_sub(now.since(since));
        Some(Guarded::Frozen { failing: self.recent, targets, within: self.window(), at_most })
    }

    /// Forgets all failures, so that each begins with the next failed probe. A target that was not
    /// probed since the others passed again may have failed from the same fault, and goes on
    /// failing if the fault returns.
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

    /// Stops counting failures as recent that began before the window.
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

    /// Stops counting the failures of `probed` that began at `began` as recent.
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

    /// Endpoints that are each probed once an interval, one after the other.
    struct Scene {
        table: Table,
        board: Arc<Board>,
        bindings: Vec<Binding>,
        /// The bindings of the first fifteen endpoints, and of the others.
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

        /// Runs one interval in which the first `up` endpoints pass and the others fail; returns
        /// what the guard did.
        fn round(&mut self, up: u8) -> Vec<Guarded> {
            self.round_of(INTERVAL, up)
        }

        /// Runs a round that takes `time` instead of one interval.
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
        // The limit per address stretches the window likewise.
        let policy = GuardPolicy { per_address: 2, ..GuardPolicy::default() };
        let mut scene = Scene::guarded_at(policy, 20, 1, |at| ([192, 0, 2, 1], at.into()).into());
        let seen = scene.round_of(time / 2, 0);
        assert!(matches!(seen[..], [Guarded::Frozen { failing: 15, .. }]), "{seen:?}");
        // Without a limit that binds, failures over so long a time do not begin at once.
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
            // Now and then the first six pass, before the others are probed again.
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
        // Six pass, which ends the freeze. All fail again before the others were probed.
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
