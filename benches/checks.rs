//! Measures the cost of checks: `cargo bench --bench checks`.
//!
//! Another process answers every request with 200, at any address of 127.0.0.0/8. This process
//! probes it as `waypost serve` does, and prints the cost of a probe, how late probes begin, and
//! the memory of each endpoint. Linux only.

#![allow(clippy::print_stdout, reason = "figures are its purpose")]

mod target;

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::{Instant, sleep};
use waypost::checker::{Checker, Limits};
use waypost::clock::Clock;
use waypost::health::{Binding, Bit, Board, EndpointName, GuardPolicy, Probed, Table};
use waypost::zone::{
    Check, CheckKind, Condition, HttpCheck, HttpExpect, Override, Reach, StatusRange, TcpCheck,
};

use target::{Outcome, Target};

/// The time a case runs before it is measured, because all first probes come at once.
const WARM_UP: Duration = Duration::from_secs(5);
const MEASURED: Duration = Duration::from_secs(20);
/// Ticks in a second; Linux counts the CPU time of a process in ticks.
const TICKS: f64 = 100.0;

struct Case {
    about: &'static str,
    endpoints: u32,
    interval: Duration,
    kind: fn() -> CheckKind,
}

const CASES: [Case; 4] = [
    // First, because resident memory is measured best in a process that has done nothing yet.
    Case {
        about: "tcp, 100,000 endpoints every 30 s",
        endpoints: 100_000,
        interval: Duration::from_secs(30),
        kind: tcp,
    },
    Case {
        about: "http, 2,000 endpoints every second",
        endpoints: 2000,
        interval: Duration::from_secs(1),
        kind: http,
    },
    Case {
        about: "tcp, 2,000 endpoints every second",
        endpoints: 2000,
        interval: Duration::from_secs(1),
        kind: tcp,
    },
    Case {
        about: "http, 10,000 endpoints every 2 s",
        endpoints: 10_000,
        interval: Duration::from_secs(2),
        kind: http,
    },
];

fn main() -> Outcome<()> {
    if let Some(ended) = target::run_if_told() {
        return ended;
    }
    // One thread, as `waypost serve` has for its checks.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    println!(
        "{:36} {:>8} {:>9} {:>9} {:>9} {:>8} {:>9}",
        "", "probes/s", "us/probe", "late p50", "late p99", "failed", "B/endpoint"
    );
    for case in &CASES {
        let target = Target::start(0)?;
        runtime.block_on(run(case, target.port))?;
    }
    Ok(())
}

async fn run(case: &Case, port: u16) -> Outcome<()> {
    let clock = Clock::system();
    let policy = GuardPolicy { share: 1.0, ..GuardPolicy::default() };
    let table = Arc::new(Mutex::new(Table::new(policy)));
    let bindings = bindings(case, port);
    let board = Arc::new(Board::new(case.endpoints.div_ceil(64) as usize));
    let before = resident()?;
    table.lock().map_err(|_| "poisoned")?.bind(&board, &bindings, &[], clock.now());
    let limits = Limits { concurrency: 1024, per_address: 64 };
    let mut checker = Checker::new(clock, table, limits, Reach::everywhere());
    checker.sync();
    if !checker.first_verdicts(Duration::from_secs(120)).await {
        return Err("first verdicts never came".into());
    }
    sleep(WARM_UP).await;
    let (late, counted, busy) = (checker.lateness(), total(&checker), cpu_seconds()?);
    let started = Instant::now();
    sleep(MEASURED).await;
    let took = started.elapsed().as_secs_f64();
    let busy = cpu_seconds()? - busy;
    let (mut lateness, now) = (checker.lateness(), total(&checker));
    let probes = now.0 - counted.0;
    for (count, before) in lateness.counts.iter_mut().zip(late.counts) {
        *count -= before;
    }
    let bound = |share| match lateness.bound_of(share) {
        Some(bound) => format!("<{bound:?}"),
        None => ">5s".to_owned(),
    };
    println!(
        "{:36} {:>8.0} {:>9.1} {:>9} {:>9} {:>8} {:>9}",
        case.about,
        probes as f64 / took,
        busy * 1e6 / probes as f64,
        bound(0.5),
        bound(0.99),
        now.1 - counted.1,
        match (resident()? - before) / u64::from(case.endpoints) {
            // The memory that the case before has left was enough.
            0 => "-".to_owned(),
            octets => octets.to_string(),
        },
    );
    checker.stop().await;
    Ok(())
}

/// Returns the bindings of the case's endpoints, each at its own address in 127.0.0.0/8.
fn bindings(case: &Case, port: u16) -> Arc<[Binding]> {
    let timeout = case.interval.min(Duration::from_secs(2)) / 2;
    let check = Arc::new(Check { interval: case.interval, timeout, ..Check::new((case.kind)()) });
    let (service, pool): (Arc<str>, Arc<str>) = ("web.example.com.".into(), "default".into());
    let binding = |at: u32| {
        let address = SocketAddr::from((Ipv4Addr::from(0x7f01_0000 + at), port));
        let (service, pool) = (Arc::clone(&service), Arc::clone(&pool));
        let name = format!("e{at}").into();
        Binding {
            endpoint: Arc::new(EndpointName { service, pool, name }),
            bit: Bit { word: at / 64, at: (at % 64) as u8 },
            condition: Condition::Check(Probed { address, check: Arc::clone(&check) }),
            wanted: Override::Auto,
        }
    };
    (0..case.endpoints).map(binding).collect()
}

fn http() -> CheckKind {
    CheckKind::Http(HttpCheck {
        tls: None,
        method: "GET".into(),
        path: "/healthz".into(),
        host: None,
        headers: Vec::new(),
        body: None,
        reuse: false,
        expect: HttpExpect::of_status(vec![StatusRange { first: 200, last: 299 }]),
    })
}

fn tcp() -> CheckKind {
    CheckKind::Tcp(TcpCheck { send: None, expect: None })
}

/// Returns the number of probes so far, and how many of them failed.
fn total(checker: &Checker) -> (u64, u64) {
    let counted = checker.counted();
    let failed = counted.iter().map(|counted| counted.failed).sum::<u64>();
    (counted.iter().map(|counted| counted.passed).sum::<u64>() + failed, failed)
}

/// Returns the CPU time that this process has used, user and system, in seconds.
fn cpu_seconds() -> Outcome<f64> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    // After the name, which may have spaces: state is field 3, utime 14, stime 15.
    let fields = stat.rsplit_once(')').ok_or("no name")?.1.split_whitespace();
    let ticks: Vec<f64> = fields.skip(11).take(2).flat_map(str::parse).collect();
    Ok(ticks.iter().sum::<f64>() / TICKS)
}

/// Returns the resident memory of this process, in octets.
fn resident() -> Outcome<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: u64 = line.ok_or("no VmRSS")?.trim().trim_end_matches(" kB").parse()?;
    Ok(kib * 1024)
}
