//! Measures answers while all endpoints fail at once, and return: `cargo bench --bench outage`.
//!
//! The server, with 10,000 checked endpoints, has one core. The other core sends 50,000 queries a
//! second and answers the probes. A latency runs from just before a query is sent to the arrival
//! of the response at the client's socket, by the kernel's clock. The bench ends with an error if
//! a query is lost, or if the guard does not do what docs/operations.md says. Needs Linux, two
//! cores, and `taskset`.

#![allow(clippy::print_stdout, reason = "figures are its purpose")]

mod endpoints;
mod load;
mod others;
mod report;
mod served;
mod stamped;
#[path = "../target.rs"]
mod target;

use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use endpoints::{Endpoints, Event, Part};
use load::{IsMarked, Load};
use others::Others;
use report::{Happened, report};
use served::Served;
use target::Outcome;

/// Queries a second.
const RATE: u64 = 50_000;
const INTERVAL: &str = "5s";
/// The number of rounds; each has every phase once.
const ROUNDS: usize = 3;
const LOAD_CORE: &str = "0";
const SERVER_CORE: &str = "1";
/// The time the server answers before it is measured, because all first probes come at once.
const WARM_UP: Duration = Duration::from_secs(10);

struct Phase {
    about: &'static str,
    event: Event,
    seconds: usize,
    /// Endpoints that must turn down, and up, by the end.
    turns: (usize, usize),
    /// Of the answers that name endpoints, the share that names marked ones by the end.
    marked: f64,
    freezes: bool,
}

const fn phase(about: &'static str, event: Event, seconds: usize) -> Phase {
    Phase { about, event, seconds, turns: (0, 0), marked: 0.6, freezes: false }
}

const PHASES: [Phase; 7] = [
    phase("quiet: all are up", Event::Nothing, 15),
    Phase { freezes: true, ..phase("10,000 refuse", Event::Refuse(Part::All), 15) },
    phase("they return", Event::Return, 15),
    Phase {
        turns: (6000, 0),
        marked: 0.0,
        ..phase("6,000 refuse", Event::Refuse(Part::Marked), 20)
    },
    Phase { turns: (0, 6000), ..phase("they return", Event::Return, 15) },
    Phase { freezes: true, ..phase("10,000 hang", Event::Hang, 25) },
    phase("they return", Event::Return, 15),
];

fn main() -> Outcome<()> {
    if let Some(ended) = target::run_if_told() {
        return ended;
    }
    // Processes that start from here on inherit the core.
    let this = std::process::id().to_string();
    endpoints::run(Command::new("taskset").args(["-p", "-c", LOAD_CORE, &this]))?;
    let mut endpoints = Endpoints::start()?;
    let served = Served::start(SERVER_CORE, endpoints.ports(), INTERVAL)?;
    let queries = (served::queries(), served::is_marked as IsMarked);
    let seconds = PHASES.iter().map(|phase| phase.seconds).sum::<usize>() * ROUNDS;
    let address = served.address()?;
    let load = Load::start(address, RATE, 1 + seconds, queries)?;
    let mut others = Others::new(SERVER_CORE, served.id())?;
    sleep(WARM_UP);
    let (mut happened, mut said, mut second) = (Vec::new(), served.said(), 0);
    for phase in PHASES.iter().cycle().take(ROUNDS * PHASES.len()) {
        let (first, mut others_ticks) = (second + 1, Vec::new());
        others.ticks()?;
        for at in 0..phase.seconds {
            second += 1;
            load.enter(second);
            if at == 0 {
                endpoints.meet(phase.event)?;
            }
            sleep(Duration::from_secs(1));
            others_ticks.push(others.ticks()?);
        }
        let now = served.said();
        now.guard.iter().for_each(|line| println!("{}: {line}", phase.about));
        let (turned, has_frozen) =
            ((now.down - said.down, now.up - said.up), now.frozen > said.frozen);
        happened.push(Happened { phase, first, others: others_ticks, turned, has_frozen });
        said = now;
    }
    let (queue, clients) = others::dropped(address.port())?;
    println!("found a queue full: {queue} queries the server's, {clients} responses a client's");
    report(&load.finish()?, &happened)
}
