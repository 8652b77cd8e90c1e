//! Boards that show endpoints on which more than one check bears.

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::clock::Moment;
use crate::zone::{Check, CheckKind, Condition, Override, TcpCheck};

const INTERVAL: Duration = Duration::from_secs(5);

fn at(secs: u64) -> Moment {
    Moment::at(Duration::from_secs(secs))
}

fn check() -> Check {
    let kind = CheckKind::Tcp(TcpCheck { send: None, expect: None });
    let timeout = Duration::from_secs(2);
    Check { interval: INTERVAL, timeout, rise: 1, fall: 1, ..Check::new(kind) }
}

fn probed(port: u16, check: &Check) -> Probed {
    Probed { address: ([192, 0, 2, 1], port).into(), check: Arc::new(check.clone()) }
}

const BIT: Bit = Bit { word: 0, at: 0 };

/// A table with one board, which shows one endpoint, `e0`.
struct Scene {
    table: Table,
    board: Arc<Board>,
}

impl Scene {
    fn new(condition: Condition<Probed>, wanted: Override) -> Self {
        let mut table = Table::new(GuardPolicy::default());
        let board = Arc::new(Board::new(2));
        let named = Binding::of(probed(1, &check()), "e0", BIT);
        let bindings: Arc<[Binding]> = [Binding { condition, wanted, ..named }].into();
        table.bind(&board, &bindings, &[], at(0));
        Self { table, board }
    }

    fn of_one(check: &Check) -> (Self, Probed) {
        let probed = probed(80, check);
        (Self::new(Condition::Check(probed.clone()), Override::Auto), probed)
    }

    fn says(&mut self, probed: &Probed, passes: bool, secs: u64) -> Applied {
        let verdict = if passes { Verdict::Pass } else { Verdict::Fail };
        self.table.apply(probed, (verdict, None), at(secs))
    }

    fn speaks(&mut self, probed: &Probed, spoken: Spoken, secs: u64) -> Applied {
        self.table.apply(probed, (Verdict::Pass, Some(spoken)), at(secs))
    }

    fn showing(&self) -> Showing {
        self.board.showing(BIT)
    }
}

fn subject(part: Option<Part>) -> Subject {
    Subject { service: "web.example.com.".into(), part }
}

#[test]
fn an_override_stands_beside_the_state_and_never_erases_it() {
    let (mut scene, probed) = Scene::of_one(&check());
    scene.says(&probed, false, 1);
    let endpoint = subject(Some(Part::Endpoint("e0".into())));
    let named = scene.table.set_override(&endpoint, Some(Override::Up));
    assert_eq!(named.len(), 1);
    assert_eq!(scene.showing(), Showing::UP, "up although its check fails");
    scene.table.set_override(&endpoint, Some(Override::Down));
    let turn = scene.says(&probed, true, 2).turn.unwrap();
    assert_eq!((turn.turned.from, turn.turned.to), (State::Down, State::Up), "said all the same");
    assert_eq!(scene.showing(), Showing::DOWN);
    scene.table.set_override(&endpoint, None);
    assert_eq!(scene.showing(), Showing::UP, "what its check has found meanwhile");
}

#[test]
fn what_is_said_of_an_endpoint_goes_before_its_pool_and_that_before_its_service() {
    let (mut scene, probed) = Scene::of_one(&check());
    scene.says(&probed, true, 1);
    scene.table.set_override(&subject(None), Some(Override::Down));
    assert_eq!(scene.showing(), Showing::DOWN);
    let pool = subject(Some(Part::Pool("default".into())));
    scene.table.set_override(&pool, Some(Override::Drain));
    assert_eq!(scene.showing(), Showing::DRAINED);
    let endpoint = subject(Some(Part::Endpoint("e0".into())));
    scene.table.set_override(&endpoint, Some(Override::Auto));
    assert_eq!(scene.showing(), Showing::UP);
    let others = Subject { service: "db.example.com.".into(), part: None };
    assert_eq!(scene.table.set_override(&others, Some(Override::Down)), []);
    assert_eq!(scene.showing(), Showing::UP);
}

#[test]
fn what_is_down_is_not_drained_and_an_override_outlives_a_reload() {
    let condition = Condition::Check(probed(80, &check()));
    let mut scene = Scene::new(condition.clone(), Override::Drain);
    assert_eq!(scene.showing(), Showing::DRAINED, "as its zone file says");
    scene.says(&probed(80, &check()), false, 1);
    assert_eq!(scene.showing(), Showing::DOWN);
    scene.says(&probed(80, &check()), true, 2);
    assert_eq!(scene.showing(), Showing::DRAINED);
    scene.table.set_override(&subject(None), Some(Override::Up));
    let board = Arc::new(Board::new(2));
    let named = Binding::of(probed(80, &check()), "e0", BIT);
    let bindings: Arc<[Binding]> = [Binding { condition, ..named }].into();
    scene.table.bind(&board, &bindings, &[], at(3));
    assert_eq!(board.showing(BIT), Showing::UP);
}

#[test]
fn the_weight_of_what_returns_climbs_and_that_of_what_is_new_does_not() {
    let slow = Check { slow_start: Duration::from_secs(20), ..check() };
    let (mut scene, probed) = Scene::of_one(&slow);
    scene.says(&probed, true, 1);
    assert_eq!(scene.showing(), Showing::UP, "nothing was known of it: it counts at once");
    scene.says(&probed, false, 10);
    let percents = [100, 105, 110, 115, 120, 125].map(|secs| {
        scene.says(&probed, true, secs);
        scene.showing().percent
    });
    assert_eq!(percents, [10, 25, 50, 75, 100, 100]);
    scene.says(&probed, false, 130);
    scene.says(&probed, true, 135);
    assert_eq!(scene.showing().percent, 10, "and again");
    scene.says(&probed, false, 140);
    assert_eq!(scene.showing().percent, 100, "what is down has no part of its weight to wait for");
}

#[test]
fn an_answer_with_what_begins_to_fail_lives_no_longer_than_until_it_may_be_down() {
    let (mut scene, probed) = Scene::of_one(&Check { fall: 4, ..check() });
    scene.says(&probed, true, 0);
    assert_eq!(scene.showing().ttl_max, None);
    // Three more failures at five seconds each, and the two seconds' timeout of the last one.
    let ttls = [5, 10, 15, 20].map(|secs| {
        scene.says(&probed, false, secs);
        scene.showing().ttl_max
    });
    assert_eq!(ttls, [Some(17), Some(12), Some(7), None]);
    scene.says(&probed, true, 25);
    let fast = Check { fall: 4, fast_interval: Some(Duration::from_millis(500)), ..check() };
    let (mut scene, probed) = Scene::of_one(&fast);
    scene.says(&probed, true, 0);
    scene.says(&probed, false, 5);
    assert_eq!(scene.showing().ttl_max, Some(5), "never below what resolvers keep");
    scene.says(&probed, true, 6);
    assert_eq!(scene.showing().ttl_max, None);
}

#[test]
fn an_endpoint_may_speak_for_itself() {
    let (mut scene, probed) = Scene::of_one(&check());
    let words = |readiness, percent| Spoken { readiness, percent };
    let applied = scene.speaks(&probed, words(Readiness::Ready, 40), 1);
    assert_eq!(scene.showing(), Showing { percent: 40, ..Showing::UP });
    assert_eq!(applied.spoken.unwrap().1[0].to_string(), "web.example.com./e0");
    scene.speaks(&probed, words(Readiness::Drain, 100), 2);
    assert_eq!(scene.showing(), Showing::DRAINED);
    let turn = scene.speaks(&probed, words(Readiness::Down, 100), 3).turn.unwrap();
    assert_eq!((turn.turned.from, turn.turned.to), (State::Up, State::Down));
    assert_eq!(scene.showing(), Showing::DOWN, "at once, whatever its fall");
    let turn = scene.speaks(&probed, words(Readiness::Ready, 100), 9).turn.unwrap();
    assert_eq!((turn.turned.to, turn.turned.lasted), (State::Up, Duration::from_secs(6)));
    scene.speaks(&probed, words(Readiness::Drain, 100), 10);
    scene.says(&probed, false, 11);
    scene.says(&probed, true, 12);
    assert_eq!(scene.showing(), Showing::DRAINED, "silence takes nothing back");
}

#[test]
fn a_composed_check_turns_an_endpoint_only_when_its_rule_does() {
    let (one, two) = (probed(80, &check()), probed(81, &check()));
    let of = [&one, &two].map(|leaf| Condition::Check(leaf.clone())).to_vec();
    let mut any = Scene::new(Condition::AtLeast(1, of.clone()), Override::Auto);
    any.says(&one, true, 1);
    any.says(&two, true, 1);
    let turn = any.says(&one, false, 2).turn.unwrap();
    assert_eq!((turn.endpoints[0].from, turn.endpoints[0].to), (State::Up, State::Up));
    assert_eq!(any.showing(), Showing::UP);
    let turn = any.says(&two, false, 3).turn.unwrap();
    assert_eq!((turn.endpoints[0].from, turn.endpoints[0].to), (State::Up, State::Down));
    assert_eq!(any.showing(), Showing::DOWN);

    let mut all = Scene::new(Condition::AtLeast(2, of.clone()), Override::Auto);
    all.says(&one, true, 1);
    assert_eq!(all.showing(), Showing::UP, "what is unknown counts as up");
    all.says(&two, false, 2);
    assert_eq!(all.showing(), Showing::DOWN);

    let mut not = Scene::new(Condition::Not(Box::new(of[0].clone())), Override::Auto);
    not.says(&one, true, 1);
    assert_eq!(not.showing(), Showing::DOWN);
    not.says(&one, false, 2);
    assert_eq!(not.showing(), Showing::UP);
}

#[test]
fn what_returns_to_a_rule_that_held_without_it_starts_nothing_slowly() {
    let slow = Check { slow_start: Duration::from_secs(20), ..check() };
    let (one, two) = (probed(80, &slow), probed(81, &slow));
    let of = [&one, &two].map(|leaf| Condition::Check(leaf.clone())).to_vec();
    let mut scene = Scene::new(Condition::AtLeast(1, of), Override::Auto);
    for (leaf, passes) in [(&one, true), (&two, true), (&one, false), (&one, true)] {
        scene.says(leaf, passes, 1);
    }
    assert_eq!(scene.showing(), Showing::UP);
}
