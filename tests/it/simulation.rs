//! The way from a verdict to an answer, by seeds: outages, words of agents, wishes of the operator,
//! slow starts, combined checks, reloads, restarts and jumps of time, compared with a model.
//!
//! After every step:
//! - no answer is empty;
//! - no endpoint that is down is named while another one is up or drained, and none that is drained
//!   while another one is up.
//!
//! `WAYPOST_SEED=N cargo test --test it simulation` runs one seed again; `WAYPOST_SEEDS=10000` runs
//! more of them.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use fastrand::Rng;
use waypost::health::{
    AgentReply, GuardPolicy, Part, Probed, Readiness, Spoken, State, Subject, Table, Verdict,
};
use waypost::zone::Override;

use crate::dns::Question;
use crate::executors::InProcess;

const SEEDS: u64 = 1000;
const STEPS: usize = 120;
/// The number of questions after each step.
const QUESTIONS: usize = 3;
/// The ports of the first and of the second check.
const PORTS: [u16; 2] = [80, 81];

/// The checks of endpoints, as zone files write them.
const RULES: [&str; 6] = [
    r#""first""#,
    r#"{ all = ["first", "second"] }"#,
    r#"{ any = ["first", "second"] }"#,
    r#"{ at_least = { of = ["first", "second"], count = 2 } }"#,
    r#"{ all = ["first", { not = "second" }] }"#,
    r#""none""#,
];

/// The model's knowledge of one probed address.
#[derive(Clone, Copy, Debug)]
struct Known {
    state: State,
    is_new: bool,
    /// Verdicts in a row that contradict the state.
    against: u8,
    spoken: Spoken,
}

impl Default for Known {
    fn default() -> Self {
        Self { state: State::Unknown, is_new: true, against: 0, spoken: Spoken::default() }
    }
}

/// An endpoint: its number is the last octet of its address, and in its name.
struct Endpoint {
    pool: &'static str,
    rule: usize,
    written: Override,
}

/// The standing of an endpoint, which decides whether an answer may name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Down,
    Drained,
    /// Up, but with a weight of 0 %.
    Idle,
    Up,
}

struct Simulation {
    seed: u64,
    rng: Rng,
    directory: tempfile::TempDir,
    endpoints: Vec<Endpoint>,
    rise: u8,
    fall: u8,
    /// The interval that the zone file writes, in seconds. It differs after each reload, so that
    /// another check probes every address.
    interval: u64,
    engine: InProcess,
    known: HashMap<(u8, u16), Known>,
    wishes: BTreeMap<String, Override>,
    /// The probability that each endpoint passes.
    health: Vec<f64>,
}

impl Simulation {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let pools = ["main", if rng.bool() { "spare" } else { "main" }];
        let count = rng.usize(2..12);
        let written = [Override::Auto, Override::Auto, Override::Down, Override::Drain];
        let endpoints: Vec<Endpoint> = (0..count)
            .map(|at| Endpoint {
                pool: pools[usize::from(at > 0 && rng.bool() || at == count - 1)],
                rule: rng.usize(..RULES.len()),
                written: if rng.u8(..4) == 0 { written[rng.usize(..4)] } else { Override::Auto },
            })
            .collect();
        let (rise, fall) = (rng.u8(1..4), rng.u8(1..4));
        let directory = tempfile::tempdir().expect("a directory");
        let (health, known) = (vec![1.0; count], HashMap::new());
        write_zone(directory.path(), &endpoints, (rise, fall), 5);
        let engine = InProcess::start(directory.path());
        let wishes = BTreeMap::new();
        Self {
            seed,
            rng,
            directory,
            endpoints,
            rise,
            fall,
            interval: 5,
            engine,
            known,
            wishes,
            health,
        }
    }

    fn step(&mut self) {
        match self.rng.u8(..40) {
            0 => self.engine.clock.advance(Duration::from_secs(self.rng.u64(..10_000))),
            1 => self.reload(),
            2 => self.restart(),
            3..=5 => self.wish(),
            6 | 7 => {
                let health = [0.0, 0.1, 0.5, 0.9][self.rng.usize(..4)];
                let part = self.rng.f64();
                for one in &mut self.health {
                    *one = if self.rng.f64() < part { health } else { *one };
                }
            }
            8 => self.health.fill(1.0),
            _ => self.probe(),
        }
        (0..QUESTIONS).for_each(|_| self.ask());
    }

    /// Applies a round of verdicts to some of the probed addresses.
    fn probe(&mut self) {
        let mut probed: Vec<Probed> =
            self.engine.table.probed().map(|(probed, _)| probed.clone()).collect();
        probed.sort_by_key(|probed| probed.address);
        for probed in probed {
            if self.rng.u8(..4) == 0 {
                continue;
            }
            self.engine.clock.advance(Duration::from_millis(self.rng.u64(..100)));
            let passes = self.rng.f64() < self.health[usize::from(key(probed.address).0)];
            let verdict = if passes { Verdict::Pass } else { Verdict::Fail };
            let words = ["", "", "drain", "maint", "weight=0%", "30%", "down"];
            let agent = probed.check.agent.as_ref().filter(|_| passes);
            let spoken = agent.map(|agent| {
                let said = if self.rng.u8(..4) == 0 { words[self.rng.usize(..7)] } else { "up" };
                AgentReply::read(said.as_bytes(), agent).spoken.expect("known words").0
            });
            let now = self.engine.clock.now();
            let applied = self.engine.table.apply(&probed, (verdict, spoken), now);
            for turn in &applied.put_back {
                let known = self.known.entry(key(turn.probed.address)).or_default();
                let (state, is_new) = (turn.turned.to, turn.turned.to == State::Unknown);
                *known = Known { state, is_new, against: 0, ..*known };
            }
            if !(verdict == Verdict::Fail && self.engine.table.is_frozen()) {
                let known = self.known.entry(key(probed.address)).or_default();
                known.take(verdict, spoken, (self.rise, self.fall));
            }
        }
    }

    /// Sets an override of the operator on a service, a pool or an endpoint, or takes it back.
    fn wish(&mut self) {
        let at = self.rng.usize(..self.endpoints.len());
        let pool = self.endpoints[at].pool;
        let (part, key) = match self.rng.u8(..3) {
            0 => (None, "service".to_owned()),
            1 => (Some(Part::Pool(pool.to_owned())), pool.to_owned()),
            _ => (Some(Part::Endpoint(format!("e{at}"))), format!("e{at}")),
        };
        let all = [Override::Up, Override::Down, Override::Drain, Override::Auto];
        let wanted = self.rng.bool().then(|| all[self.rng.usize(..4)]);
        let subject = Subject { service: "web.example.com.".to_owned(), part };
        self.engine.table.set_override(&subject, wanted);
        match wanted {
            Some(wanted) => self.wishes.insert(key, wanted),
            None => self.wishes.remove(&key),
        };
    }

    /// Reloads the same endpoints with checks of another interval. An endpoint of one check keeps
    /// its state, and its next verdict decides.
    fn reload(&mut self) {
        self.interval = 5 + (self.interval - 4) % 20;
        write_zone(self.directory.path(), &self.endpoints, (self.rise, self.fall), self.interval);
        self.engine.read_again();
        for (at, endpoint) in self.endpoints.iter().enumerate() {
            for port in PORTS {
                let known = self.known.entry((at as u8, port)).or_default();
                *known = match endpoint.rule {
                    0 => Known { is_new: true, against: 0, ..*known },
                    _ => Known::default(),
                };
            }
        }
    }

    /// Starts another process, which resumes the states that this one kept, or finds none.
    fn restart(&mut self) {
        let kept = self.engine.table.known();
        let resumes = self.rng.bool();
        let mut table = Table::new(GuardPolicy::default());
        if resumes {
            table.resume(kept);
        }
        self.engine = InProcess::start_with(self.directory.path(), table);
        // Addresses that are bound later resume nothing.
        self.engine.table.resume(Vec::new());
        for known in self.known.values_mut() {
            let is_kept = resumes && !known.is_new && known.shown() != State::Unknown;
            let state = if is_kept { known.shown() } else { State::Unknown };
            *known = Known { state, is_new: !is_kept, ..Known::default() };
        }
        self.wishes.clear();
    }

    fn standing(&self, at: usize) -> Standing {
        let endpoint = &self.endpoints[at];
        let of = |port| self.known.get(&(at as u8, port)).copied().unwrap_or_default();
        let [first, second] = PORTS.map(of);
        // What is unknown counts as up, unless the rest decides.
        let down = |known: &Known| known.shown() == State::Down;
        let up = |known: &Known| known.shown() == State::Up;
        let (is_down, needed) = match endpoint.rule {
            0 => (down(&first), vec![first]),
            1 | 3 => (down(&first) || down(&second), vec![first, second]),
            2 => (down(&first) && down(&second), vec![]),
            4 => (down(&first) || up(&second), vec![first]),
            _ => (false, vec![]),
        };
        // Such an endpoint has no state that the operator could overrule.
        if endpoint.rule == 5 && endpoint.written == Override::Auto {
            return Standing::Up;
        }
        let wish = |key: &str| self.wishes.get(key).copied();
        let own = wish(&format!("e{at}")).or_else(|| wish(endpoint.pool));
        match own.or_else(|| wish("service")).unwrap_or(endpoint.written) {
            Override::Up => return Standing::Up,
            Override::Down => return Standing::Down,
            Override::Drain if !is_down => return Standing::Drained,
            _ if is_down => return Standing::Down,
            _ => {}
        }
        if needed.iter().any(|known| known.spoken.readiness == Readiness::Drain) {
            return Standing::Drained;
        }
        let is_idle = needed.iter().any(|known| known.spoken.percent == 0);
        if is_idle { Standing::Idle } else { Standing::Up }
    }

    fn ask(&mut self) {
        let response = self.engine.respond(&Question::new("web.example.com.", "A"));
        let seed = self.seed;
        assert!(!response.data.answer.is_empty(), "seed {seed}: an empty answer");
        let all: Vec<Standing> = (0..self.endpoints.len()).map(|at| self.standing(at)).collect();
        for line in &response.data.answer {
            let at: usize = line.rsplit('.').next().and_then(|at| at.parse().ok()).expect("a host");
            let is_wrong = match all[at] {
                Standing::Up | Standing::Idle => false,
                Standing::Drained => all.contains(&Standing::Up),
                Standing::Down => all.contains(&Standing::Up) || all.contains(&Standing::Drained),
            };
            assert!(!is_wrong, "seed {seed}: e{at} is named among {all:?}:\n{}", response.data);
        }
    }
}

impl Known {
    /// Returns the state, which the endpoint's own words may turn to down.
    fn shown(&self) -> State {
        match self.spoken.readiness {
            Readiness::Down | Readiness::Maintenance => State::Down,
            Readiness::Ready | Readiness::Drain => self.state,
        }
    }

    fn take(&mut self, verdict: Verdict, spoken: Option<Spoken>, (rise, fall): (u8, u8)) {
        self.spoken = spoken.unwrap_or(self.spoken);
        let (to, needed) = match verdict {
            Verdict::Pass => (State::Up, rise),
            Verdict::Fail => (State::Down, fall),
        };
        self.against = if self.state == to { 0 } else { self.against + 1 };
        if std::mem::take(&mut self.is_new) || self.against >= needed {
            (self.state, self.against) = (to, 0);
        }
    }
}

/// Returns the endpoint and the port of a probed address.
fn key(address: SocketAddr) -> (u8, u16) {
    let host = address.to_string();
    let host = host.split(':').next().and_then(|ip| ip.rsplit('.').next()?.parse().ok());
    (host.expect("an IPv4 address"), address.port())
}

fn write_zone(directory: &Path, endpoints: &[Endpoint], (rise, fall): (u8, u8), interval: u64) {
    let mut text = format!(
        "zone = \"example.com\"\nnameservers = [\"ns.example.net.\"]\n\
         [checks.first]\nkind = \"tcp\"\nport = {}\nagent = true\nslow_start = \"1m\"\n\
         interval = \"{interval}s\"\nrise = {rise}\nfall = {fall}\nflap = false\n\
         [checks.second]\nkind = \"tcp\"\nport = {}\ninterval = \"{interval}s\"\n\
         rise = {rise}\nfall = {fall}\nflap = false\n[services.web]\n",
        PORTS[0], PORTS[1]
    );
    for pool in ["main", "spare"] {
        let mut of = endpoints.iter().enumerate().filter(|(_, of)| of.pool == pool).peekable();
        if of.peek().is_none() {
            continue;
        }
        writeln!(text, "[services.web.pools.{pool}]\nendpoints = [").expect("a String grows");
        for (at, Endpoint { rule, written, .. }) in of {
            let state = match written {
                Override::Auto => "auto",
                Override::Up => "up",
                Override::Down => "down",
                Override::Drain => "drain",
            };
            let check = RULES[*rule];
            writeln!(
                text,
                "{{ name = \"e{at}\", address = \"192.0.2.{at}\", state = \"{state}\", \
                 check = {check} }},"
            )
            .expect("a String grows");
        }
        text.push_str("]\n");
    }
    std::fs::write(directory.join("example.com.toml"), text).expect("the directory is ours");
}

#[test]
fn whatever_happens_no_answer_is_empty_and_nobody_is_named_who_is_down_beside_one_who_is_up() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seeds = number("WAYPOST_SEED")
        .map_or(0..number("WAYPOST_SEEDS").unwrap_or(SEEDS), |seed| seed..seed + 1);
    for seed in seeds {
        let mut simulation = Simulation::new(seed);
        (0..STEPS).for_each(|_| simulation.step());
    }
}
