//! The engine in process, the `query` command and both sockets, compared with the naive model.
//!
//! A failure prints the seed, the zones, the query and both answers. For more pairs:
//! `WAYPOST_PAIRS=100000 cargo test --test it agreement`.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use fastrand::Rng;
use waypost::answer::{Client, Over, Responder};
use waypost::snapshot::{Snapshot, Zone as Compiled};
use waypost::steering::RouteTables;
use waypost::wire::kind::Type;
use waypost::wire::name::Name;
use waypost::zone::{Records, Ttl, Zone};

use crate::dns::{Answer, Question, Response, Tcp, Udp};
use crate::generate::{file_name, master_file, query, zones};
use crate::model::{self, ModelZone};
use crate::presentation::{name_wire, type_text, wire};
use crate::server::TestServer;

/// The number of queries to one set of zones.
const QUERIES: usize = 200;

fn pairs(default: usize) -> usize {
    let asked = std::env::var("WAYPOST_PAIRS").ok();
    asked.map_or(default, |text| text.parse().expect("WAYPOST_PAIRS is a number"))
}

/// Compiles model zones without the zone file language.
pub(crate) fn responder(zones: &[ModelZone]) -> Responder {
    let name = |text: &str| Name::from_wire(&name_wire(text)).expect("a name");
    let compiled = zones.iter().map(|zone| {
        let mut records = Records::new();
        for record in &zone.records {
            let owner = records.owner(&name(&record.owner)).expect("room");
            let ttl = Ttl::from_secs(record.ttl).expect("a TTL");
            let rdata = wire(record.rtype, &record.rdata);
            records.push(owner, Type(record.rtype), ttl, &rdata).expect("RDATA");
        }
        let zone = Zone::new(name(&zone.origin), records, vec![]).expect("a valid zone");
        Arc::new(Compiled::compile(zone, &mut RouteTables::default()))
    });
    Responder::new(Arc::new(Snapshot::new(1, compiled.collect())), 1)
}

fn respond(responder: &mut Responder, query: &[u8], over: Over) -> Response {
    let mut out = vec![0; 65_535];
    let client = Client { source: ([192, 0, 2, 200], 5353).into(), over };
    let len = responder.respond(query, client, &mut out).len().expect("a response");
    Response::decode(&out[..len])
}

/// Fails unless `got` is as expected, and prints everything that is needed to see why.
fn agree(seed: u64, zones: &[ModelZone], query: &str, who: &str, got: &Answer, expected: &Answer) {
    if got == expected {
        return;
    }
    let mut files = String::new();
    for zone in zones {
        writeln!(files, "; {}\n{}", zone.origin, master_file(zone)).expect("a String grows");
    }
    panic!("seed {seed}\n{files}\nquery {query}\n\n{who}: {got}\nmodel: {expected}");
}

#[test]
fn the_engine_agrees_with_the_model() {
    for seed in 0..pairs(20_000).div_ceil(QUERIES) as u64 {
        let mut rng = Rng::with_seed(seed);
        let zones = zones(&mut rng);
        let mut responder = responder(&zones);
        for _ in 0..QUERIES {
            let (name, qtype) = query(&zones, &mut rng);
            let expected = model::answer(&zones, &name, qtype);
            let question = Question { name, rtype: qtype, payload: Some(1232), flags: 0x0100 };
            let asked = question.to_string();
            let message = question.encode(seed as u16);
            let whole = respond(&mut responder, &message, Over::Tcp);
            agree(seed, &zones, &asked, "engine", &whole.data, &expected);
            assert!(!whole.tc, "a stream has room: {asked}");
            let datagram = respond(&mut responder, &message, Over::Udp);
            assert!(datagram.wire.len() <= 1232, "{asked}");
            if !datagram.tc && datagram.data != expected {
                // Without TC only additional records that did not fit may be missing.
                let short = Answer { additional: vec![], ..expected.clone() };
                let got = Answer { additional: vec![], ..datagram.data.clone() };
                assert!(whole.wire.len() > 1232, "nothing was too long: {asked}");
                agree(seed, &zones, &asked, "engine over UDP", &got, &short);
            }
        }
    }
}

/// Runs `waypost query --batch` and returns its lines.
fn batch(zones: &Path, queries: &str) -> Vec<String> {
    let file = zones.join("queries.txt");
    std::fs::write(&file, queries).expect("the directory is ours");
    let output = Command::new(env!("CARGO_BIN_EXE_waypost"))
        .args(["query", "--format", "json", "--zones"])
        .arg(zones)
        .arg("--batch")
        .arg(&file)
        .current_dir(zones)
        .stdin(Stdio::null())
        .output()
        .expect("the binary runs");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "query --batch: {}\n{stderr}", output.status);
    String::from_utf8(output.stdout).expect("text").lines().map(str::to_owned).collect()
}

#[test]
fn the_command_and_the_sockets_agree_with_the_model() {
    for seed in 0..pairs(2_000).div_ceil(QUERIES) as u64 {
        let mut rng = Rng::with_seed(1_000_000 + seed);
        let zones = zones(&mut rng);
        let directory = tempfile::tempdir().expect("a directory");
        for zone in &zones {
            let file = directory.path().join(file_name(zone));
            std::fs::write(file, master_file(zone)).expect("the directory is ours");
        }
        let queries: Vec<(String, u16)> = (0..QUERIES).map(|_| query(&zones, &mut rng)).collect();
        let mut text = String::new();
        for (name, qtype) in &queries {
            writeln!(text, "{name} {}", type_text(*qtype)).expect("a String grows");
        }
        let lines = batch(directory.path(), &text);
        assert_eq!(lines.len(), queries.len(), "one line a query");
        let server = TestServer::start(directory.path(), 2);
        let udp = Udp::connect(server.address());
        let mut tcp = Tcp::connect(server.address());
        for ((name, qtype), line) in queries.into_iter().zip(&lines) {
            let expected = model::answer(&zones, &name, qtype);
            let question = Question { name, rtype: qtype, payload: Some(1232), flags: 0x0100 };
            let asked = question.to_string();
            let seed = 1_000_000 + seed;
            agree(seed, &zones, &asked, "command", &Answer::from_json(line), &expected);
            let whole = tcp.ask(&question);
            agree(seed, &zones, &asked, "TCP", &whole.data, &expected);
            let datagram = udp.ask(&question);
            if whole.wire.len() <= 1232 {
                agree(seed, &zones, &asked, "UDP", &datagram.data, &expected);
            }
        }
    }
}
