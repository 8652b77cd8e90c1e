//! Waypost in ten seconds: three backends, one name, and what happens when a backend dies.
//!
//! ```text
//! cargo run --release --example quickstart
//! ```
//!
//! Everything is real and on loopback: three HTTP servers, a zone file, the server with its health
//! checks, and a DNS client that shares no code with it. Each act says what it expects. The first
//! expectation that fails ends the program with a sentence that names it, and exit code 1.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "narrating is its purpose")]

mod backend;
mod client;
mod log;
mod stage;

use std::error::Error;
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use waypost::config::ServerConfig;
use waypost::server::Server;

use backend::Backend;
use client::Client;
use log::Log;
use stage::{Stage, Tally};

/// Each backend's name and weight.
const BACKENDS: [(&str, u32); 3] = [("alpha", 3), ("beta", 2), ("gamma", 1)];

/// The name that is asked for.
const NAME: &str = "web.example.com.";

/// Queries over which an act counts shares; the sums of the weights divide it.
const QUERIES: u32 = 600;

/// Answers by which a share may differ from exact.
const TOLERANCE: u32 = 2;

const INTERVAL: Duration = Duration::from_millis(200);
const TIMEOUT: Duration = Duration::from_millis(100);
const RISE: u32 = 2;
const FALL: u32 = 2;

/// The time for a turned state to reach the answers, and for a busy machine to notice.
const SLACK: Duration = Duration::from_millis(100);

/// The result of a part of the play.
type Outcome = Result<(), Box<dyn Error>>;

fn main() -> ExitCode {
    let mut stage = Stage::new();
    match play(&mut stage) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            stage.failed(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

/// Plays all acts.
fn play(stage: &mut Stage) -> Outcome {
    stage.title("Waypost quickstart", "three backends, one name, and one of them dies");
    let log = Log::start();
    let mut backends = backend::start_all(BACKENDS.map(|(name, _)| name))?;
    let directory = tempfile::tempdir()?;
    write_zone(directory.path(), &backends)?;
    let server = Server::start(
        ServerConfig {
            listen: vec![SocketAddr::from(([127, 0, 0, 1], 0))],
            workers: 1,
            zones: directory.path().to_owned(),
            ..ServerConfig::default()
        },
        None,
    )?;
    let address = *server.addresses().first().ok_or("the server has no address")?;
    introduce(stage, &backends, address);
    stage.log(&log.take(backends.len()));

    let mut client = Client::new(address, NAME)?;
    stage.act("Shares", "600 queries, weights 3, 2 and 1. Draws are exact, not random.");
    expect_shares(stage, &mut client, &backends, &BACKENDS.map(|(_, weight)| weight))?;
    show_srv(stage, &client)?;
    die(stage, &mut client, &mut backends, &log)?;
    come_back(stage, &mut client, &mut backends, &log)?;
    let asked = client.asked();
    server.stop();
    stage.finale(asked);
    Ok(())
}

/// Writes the zone file that a person would write, with the backends' addresses.
fn write_zone(directory: &Path, backends: &[Backend]) -> Outcome {
    let port = backends.first().ok_or("no backend")?.address().port();
    let endpoints = backends.iter().zip(BACKENDS).map(|(backend, (name, weight))| {
        let ip = backend.address().ip();
        format!("  {{ name = \"{name}\", address = \"{ip}\", weight = {weight} }},\n")
    });
    let zone = format!(
        "zone = \"example.com\"\n\
         nameservers = [\"ns1\"]\n\
         records = {{ ns1 = {{ A = \"127.0.0.1\" }} }}\n\n\
         [services.web]\n\
         ttl = \"10s\"\n\
         port = {port}\n\
         srv = \"_http._tcp\"\n\
         endpoints = [\n{}]\n\n\
         [services.web.check]\n\
         kind = \"http\"\n\
         path = \"/healthz\"\n\
         interval = \"{}ms\"\n\
         timeout = \"{}ms\"\n\
         rise = {RISE}\n\
         fall = {FALL}\n",
        endpoints.collect::<String>(),
        INTERVAL.as_millis(),
        TIMEOUT.as_millis(),
    );
    std::fs::write(directory.join("example.com.toml"), zone)?;
    Ok(())
}

fn introduce(stage: &mut Stage, backends: &[Backend], server: SocketAddr) {
    for backend in backends {
        stage.fact(backend.name(), &format!("an HTTP server on {}", backend.address()));
    }
    stage.fact("zone file", "example.com.toml: a service `web` with the three as endpoints");
    stage.fact("checks", "GET /healthz at each, every 200 ms; 2 fails in a row are down");
    stage.fact("waypost", &format!("answers on {server}, over UDP and TCP"));
    stage.hint(&format!("dig @{} -p {} {NAME}", server.ip(), server.port()));
}

/// Asks [`QUERIES`] times and compares the shares with `weights`, one for each backend.
fn expect_shares(
    stage: &mut Stage,
    client: &mut Client,
    backends: &[Backend],
    weights: &[u32],
) -> Outcome {
    let mut counts = vec![0; backends.len()];
    for _ in 0..QUERIES {
        let address = client.ask()?;
        let at = backends.iter().position(|backend| backend.address().ip() == address);
        let at = at.ok_or_else(|| format!("the answer {address} is no backend's address"))?;
        counts[at] += 1;
    }
    let total: u32 = weights.iter().sum();
    let tallies = backends.iter().zip(weights).zip(&counts).map(|((backend, &weight), &count)| {
        let (name, address) = (backend.name(), backend.address().ip());
        let exact = QUERIES * weight / total;
        Tally { name, address, alive: backend.is_alive(), count, exact }
    });
    let tallies: Vec<Tally<'_>> = tallies.collect();
    stage.table(&tallies, QUERIES);
    match tallies.iter().find(|tally| tally.count.abs_diff(tally.exact) > TOLERANCE) {
        Some(Tally { name, count, exact, .. }) => {
            Err(format!("{name} got {count} of {QUERIES} answers, expected {exact}").into())
        }
        None => {
            stage.holds(&format!("each share is within {TOLERANCE} answers of exact"));
            Ok(())
        }
    }
}

/// Shows what a client that understands SRV is told: every endpoint, its weight, its port.
fn show_srv(stage: &mut Stage, client: &Client) -> Outcome {
    let records = client.ask_srv("_http._tcp.web.example.com.")?;
    stage.act("SRV", "the same service for clients that choose by themselves: weights and ports.");
    for record in &records {
        stage.line(record);
    }
    match records.len() {
        3 => Ok(()),
        count => Err(format!("{count} SRV records, expected 3").into()),
    }
}

/// Closes alpha's port, and keeps asking until alpha is out of the answers for good.
fn die(stage: &mut Stage, client: &mut Client, backends: &mut [Backend], log: &Log) -> Outcome {
    let limit = INTERVAL * FALL + TIMEOUT + SLACK;
    stage.act("alpha dies", &format!("its port closes. It must be gone within {limit:?}."));
    let alpha = backends.first_mut().ok_or("no backend")?;
    let address = alpha.address().ip();
    alpha.kill();
    let started = Instant::now();
    // While alpha is up, its weight gives it at least one of any three answers in a row.
    let (mut last, mut others, mut asked) = (started, 0, 0);
    while others < 12 {
        let answered = client.ask()? == address;
        asked += 1;
        (last, others) = if answered { (Instant::now(), 0) } else { (last, others + 1) };
        if started.elapsed() > limit * 5 {
            return Err(format!("alpha is still answered after {:?}", started.elapsed()).into());
        }
    }
    stage.log(&log.take(1));
    let took = last - started;
    let millis = took.as_millis();
    stage.holds(&format!("gone after {millis} ms; {asked} queries meanwhile, none lost"));
    if took > limit {
        return Err(format!("alpha was answered for {took:?}, promised were {limit:?}").into());
    }
    expect_shares(stage, client, backends, &[0, 2, 1])
}

/// Opens alpha's port again, and asks until it is back.
fn come_back(
    stage: &mut Stage,
    client: &mut Client,
    backends: &mut [Backend],
    log: &Log,
) -> Outcome {
    let limit = INTERVAL * RISE + SLACK;
    stage.act("alpha comes back", &format!("2 passes in a row: back within {limit:?}."));
    let alpha = backends.first_mut().ok_or("no backend")?;
    let address = alpha.address().ip();
    alpha.revive()?;
    let started = Instant::now();
    while client.ask()? != address {
        if started.elapsed() > limit * 5 {
            return Err(format!("alpha is not back after {:?}", started.elapsed()).into());
        }
    }
    let took = started.elapsed();
    stage.log(&log.take(1));
    stage.holds(&format!("back after {} ms", took.as_millis()));
    if took > limit {
        return Err(format!("alpha took {took:?} to come back, promised were {limit:?}").into());
    }
    expect_shares(stage, client, backends, &BACKENDS.map(|(_, weight)| weight))
}
