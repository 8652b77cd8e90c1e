//! Endpoints that `--down` holds to be down are answered like those that probes found down: every
//! set of endpoints is tried with the command, and with a table that got the verdicts.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use waypost::health::Verdict;

use crate::dns::Question;
use crate::executors::InProcess;

const ZONE: &str = r#"
zone = "example.com"
nameservers = ["ns.example.net."]
[checks]
up = { kind = "tcp", port = 80, rise = 1, fall = 1 }
also = { kind = "tcp", port = 81, rise = 1, fall = 1 }
both = { all = ["up", "also"] }
needs = { service = "api" }

[services.web]
check = "up"
[services.web.pools.eu]
min_up = 0.5
endpoints = [
  { name = "a", address = "192.0.2.1", weight = 3 }, { name = "b", address = "192.0.2.2" },
]
[services.web.pools.us]
endpoints = [
  { name = "c", address = "192.0.2.3" }, { name = "d", address = "192.0.2.4", weight = 0 },
]
[[services.web.routes]]
from = { net = "198.51.100.0/24" }
to = { split = { eu = 3, us = 1 } }
[[services.web.routes]]
to = ["eu", "us"]

[services.api]
check = "both"
port = 80
srv = "_http._tcp"
on_all_down = "none"
endpoints = [{ name = "e", address = "192.0.2.5" }, { name = "f", address = "192.0.2.6" }]

[services.site]
endpoints = [
  { name = "g", address = "192.0.2.7", check = "needs" }, { name = "h", address = "192.0.2.8" },
]

[services.top]
endpoints = [{ service = "web", weight = 3 }, { service = "api" }]
"#;

const ENDPOINTS: [&str; 6] = ["web/a", "web/b", "web/c", "web/d", "api/e", "api/f"];
const QUESTIONS: [(&str, &str); 5] = [
    ("web.example.com.", "A"),
    ("api.example.com.", "A"),
    ("site.example.com.", "A"),
    ("top.example.com.", "A"),
    ("_http._tcp.api.example.com.", "SRV"),
];
/// The number of times each is asked: by then every endpoint that may be named has been.
const TIMES: usize = 40;

/// All answers to each question.
type Answers = [BTreeSet<Vec<String>>; QUESTIONS.len()];

fn by_the_command(directory: &Path, client: IpAddr, down: &[&str]) -> Answers {
    let batch = directory.join("batch");
    let lines = QUESTIONS.map(|(name, rtype)| format!("{name} {rtype}\n").repeat(TIMES));
    std::fs::write(&batch, lines.concat()).expect("the directory is ours");
    let mut command = Command::new(env!("CARGO_BIN_EXE_waypost"));
    command.arg("query").arg("--batch").arg(&batch).arg("--client").arg(client.to_string());
    for down in down {
        command.arg("--down").arg(down);
    }
    let output = command.current_dir(directory).stdin(Stdio::null()).output();
    let output = output.expect("the binary runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut answers = Answers::default();
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    for (at, line) in text.lines().enumerate() {
        let response: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let records = response["answer"].as_array().expect("a list").iter();
        let mut data: Vec<_> =
            records.map(|record| rdata(record.as_str().expect("a record"))).collect();
        data.sort();
        answers[at / TIMES].insert(data);
    }
    answers
}

/// Returns the part of a record after name, TTL, class and type.
fn rdata(record: &str) -> String {
    record.splitn(5, ' ').last().expect("a record").to_owned()
}

fn by_the_table(live: &mut InProcess, client: IpAddr) -> Answers {
    let mut answers = Answers::default();
    for ((name, rtype), answers) in QUESTIONS.iter().zip(&mut answers) {
        let question = Question::new(name, rtype);
        for _ in 0..TIMES {
            let response = live.respond_to(&question, client);
            let mut data: Vec<_> = response.ordered.iter().map(|line| rdata(line)).collect();
            data.sort();
            answers.insert(data);
        }
    }
    answers
}

#[test]
fn the_command_and_the_live_table_answer_alike_for_every_set_that_is_down() {
    let directory = tempfile::tempdir().expect("a directory");
    let zones = directory.path().join("zones");
    std::fs::create_dir(&zones).expect("the directory is ours");
    std::fs::write(zones.join("example.com.toml"), ZONE).expect("the directory is ours");
    for set in 0u32..1 << ENDPOINTS.len() {
        let is_down = |at: &usize| set >> at & 1 == 1;
        let mut live = InProcess::start(&zones);
        for at in 0..ENDPOINTS.len() {
            let verdict = if is_down(&at) { Verdict::Fail } else { Verdict::Pass };
            for probed in live.table.probed_at(IpAddr::from([192, 0, 2, at as u8 + 1])) {
                live.table.apply(&probed, (verdict, None), live.clock.now());
            }
        }
        let down: Vec<&str> =
            (0..ENDPOINTS.len()).filter(is_down).map(|at| ENDPOINTS[at]).collect();
        for client in ["192.0.2.200", "198.51.100.7"] {
            let client = client.parse().expect("an address");
            let told = by_the_command(directory.path(), client, &down);
            assert_eq!(told, by_the_table(&mut live, client), "{client}, down: {down:?}");
        }
    }
}
