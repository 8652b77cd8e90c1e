//! Years of verdicts in a second. A seed decides flaps, outages, faults of this machine, reloads,
//! restarts and jumps of time; the states and boards are checked after each step.
//!
//! `WAYPOST_SEED=N cargo test --lib simulation` runs one seed again.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;

use super::*;
use crate::clock::Moment;
use crate::zone::{Check, CheckKind, Flap, TcpCheck};

const SEEDS: u64 = 2000;
const STEPS: usize = 400;

/// The simulation's own knowledge of one probed address.
#[derive(Clone, Debug)]
struct Known {
    state: State,
    /// The verdicts that counted since the state last changed.
    believed: Vec<Verdict>,
    /// Whether no verdict has counted yet.
    is_new: bool,
}

struct Simulation {
    seed: u64,
    rng: Rng,
    now: Moment,
    policy: GuardPolicy,
    table: Table,
    board: Arc<Board>,
    bindings: Arc<[Binding]>,
    known: HashMap<Probed, Known>,
    /// The probability that a probe of each address passes; an outage changes it for many.
    health: Vec<f64>,
}

impl Simulation {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let count = rng.u8(2..40);
        let bindings: Arc<[Binding]> = (0..count).map(|at| binding(at, &check(&mut rng))).collect();
        let policy = GuardPolicy {
            share: [0.7, 0.5, 1.0][rng.usize(..3)],
            targets_min: rng.usize(2..20),
            freeze_max: Duration::from_secs(rng.u64(0..60)),
            per_address: usize::MAX,
            concurrency: [1, 4, usize::MAX][rng.usize(..3)],
        };
        let health = vec![1.0; usize::from(count)];
        let board = Arc::new(Board::new(1));
        let (now, table, known) = (Moment::default(), Table::new(policy), HashMap::new());
        let mut new = Self { seed, rng, now, policy, table, board, bindings, known, health };
        new.table.bind(&new.board, &new.bindings, &[], now);
        new.forget(State::Unknown);
        new
    }

    /// Forgets everything of all addresses, except that they are in `state`.
    fn forget(&mut self, state: State) {
        let fresh = Known { state, believed: Vec::new(), is_new: true };
        self.known = self.bindings.iter().map(|b| (b.probed().clone(), fresh.clone())).collect();
    }

    fn step(&mut self) {
        match self.rng.u8(..100) {
            0 => self.now = self.now.after(Duration::from_secs(self.rng.u64(0..100_000))),
            1 => self.reload(),
            2 => self.restart(),
            3 => {
                let health = [0.0, 0.05, 0.5, 0.95][self.rng.usize(..4)];
                let part = self.rng.f64();
                for one in &mut self.health {
                    *one = if self.rng.f64() < part { health } else { *one };
                }
            }
            4 | 5 => self.health.fill(1.0),
            _ => self.probe(),
        }
        for binding in self.bindings.iter() {
            let shown = self.board.is_set(binding.bit);
            let known = self.known[binding.probed()].state;
            assert_eq!(shown, known.may_serve(), "seed {}: {}", self.seed, binding.endpoint);
        }
    }

    /// Gives verdicts on some addresses, one after the other.
    fn probe(&mut self) {
        for at in 0..self.bindings.len() {
            if self.rng.u8(..4) == 0 {
                continue;
            }
            self.now = self.now.after(Duration::from_millis(self.rng.u64(0..200)));
            let passes = self.rng.f64() < self.health[at];
            let verdict = if passes { Verdict::Pass } else { Verdict::Fail };
            let probed = self.bindings[at].probed().clone();
            let applied = self.table.apply(&probed, (verdict, None), self.now);
            for turn in &applied.put_back {
                assert!(self.table.is_frozen(), "seed {}: only a freeze puts back", self.seed);
                let known = self.known.get_mut(&turn.probed).expect("known");
                assert_eq!(known.state, turn.turned.from, "seed {}", self.seed);
                assert_eq!(turn.turned.from, State::Down, "seed {}", self.seed);
                known.state = turn.turned.to;
                known.is_new = known.state == State::Unknown;
                known.believed.clear();
            }
            self.check_turn(&probed, verdict, &applied);
        }
    }

    /// Asserts that the turn is earned, and that nothing turns down while the guard holds.
    fn check_turn(&mut self, probed: &Probed, verdict: Verdict, applied: &Applied) {
        let (seed, is_frozen) = (self.seed, self.table.is_frozen());
        let known = self.known.get_mut(probed).expect("known");
        if verdict == Verdict::Fail && is_frozen {
            assert_eq!(applied.turn, None, "seed {seed}: frozen");
            return;
        }
        known.believed.push(verdict);
        let was_new = std::mem::take(&mut known.is_new);
        let Some(turn) = &applied.turn else { return };
        let Turned { from, to, is_held, .. } = turn.turned;
        assert_eq!(from, known.state, "seed {seed}");
        let needed = match verdict {
            _ if was_new => 1,
            Verdict::Pass => probed.check.rise,
            Verdict::Fail => probed.check.fall,
        };
        let last = known.believed.iter().rev().take(usize::from(needed));
        assert!(last.clone().count() == usize::from(needed), "seed {seed}: too soon");
        assert!(last.clone().all(|one| *one == verdict), "seed {seed}: not earned");
        let earned = if verdict == Verdict::Pass { State::Up } else { State::Down };
        assert_eq!(to, if is_held { State::Down } else { earned }, "seed {seed}");
        assert!(!is_held || probed.check.flap.is_some(), "seed {seed}");
        known.state = to;
        known.believed.clear();
    }

    /// Compiles the zone anew: another board, the same addresses.
    fn reload(&mut self) {
        let board = Arc::new(Board::new(1));
        let bindings: Arc<[Binding]> = self.bindings.iter().cloned().collect();
        self.table.bind(&board, &bindings, &self.bindings, self.now);
        self.table.unbind(&self.bindings);
        self.bindings = bindings;
        self.board = board;
    }

    /// Starts another process, which has read what this one kept, or found nothing.
    fn restart(&mut self) {
        let kept = self.table.known();
        let resumes = self.rng.bool();
        self.table = Table::new(self.policy);
        self.board = Arc::new(Board::new(1));
        if resumes {
            self.table.resume(kept.clone());
        }
        self.table.bind(&self.board, &self.bindings, &[], self.now);
        self.table.resume(Vec::new());
        let before = std::mem::take(&mut self.known);
        self.forget(State::Unknown);
        for (probed, known) in self.known.iter_mut().filter(|_| resumes) {
            if kept.iter().any(|kept| kept.fingerprint == probed.fingerprint()) {
                (known.state, known.is_new) = (before[probed].state, false);
            }
        }
    }
}

fn check(rng: &mut Rng) -> Check {
    let secs = |rng: &mut Rng, most| Duration::from_secs(rng.u64(1..most));
    let flap = rng.bool().then(|| Flap {
        turns: rng.u8(2..10),
        window: secs(rng, 100),
        hold: secs(rng, 100),
    });
    Check {
        interval: secs(rng, 20),
        timeout: Duration::from_secs(1),
        rise: rng.u8(1..5),
        fall: rng.u8(1..5),
        flap,
        ..Check::new(CheckKind::Tcp(TcpCheck { send: None, expect: None }))
    }
}

fn binding(at: u8, check: &Check) -> Binding {
    let probed = Probed { address: ([192, 0, 2, at], 80).into(), check: Arc::new(check.clone()) };
    Binding::of(probed, &format!("e{at}"), Bit { word: 0, at })
}

#[test]
fn whatever_happens_states_are_earned_and_boards_show_them() {
    let given = option_env!("WAYPOST_SEED").and_then(|seed| seed.parse::<u64>().ok());
    let seeds = given.map_or(0..SEEDS, |seed| seed..seed + 1);
    for seed in seeds {
        let mut simulation = Simulation::new(seed);
        (0..STEPS).for_each(|_| simulation.step());
    }
}
