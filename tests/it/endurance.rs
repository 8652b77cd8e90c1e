//! A long day in short: traffic while files and endpoints change every second, and the database
//! every five.
//!
//! Lasts twenty seconds by default. `WAYPOST_ENDURANCE=900 cargo test --test it endurance` lasts
//! 900 seconds, for a look at memory before a release.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use hickory_proto::op::Message;
use maxminddb_writer::Database;
use serde_json::json;

use crate::backend::Backend;
use crate::dns::Question;
use crate::load::{Load, SILENCE_MAX};
use crate::server::TestServer;

/// Queries a second.
const RATE: u64 = 2_000;
/// The number of endpoints of the checked service.
const BACKENDS: u8 = 4;
/// Growth of resident memory that still counts as flat, in KiB.
const GROWTH_MAX_KIB: u64 = 6 << 10;
const PATIENCE: Duration = Duration::from_secs(20);

/// Returns the length of the run.
fn length() -> Duration {
    let seconds = std::env::var("WAYPOST_ENDURANCE").ok();
    Duration::from_secs(seconds.map_or(20, |text| text.parse().expect("a number of seconds")))
}

/// The files of the server, and the backends that it checks.
struct Stage {
    directory: tempfile::TempDir,
    backends: Vec<Backend>,
    port: u16,
}

impl Stage {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        std::fs::create_dir(directory.path().join("zones")).expect("the directory is ours");
        let first = Backend::start(Ipv4Addr::new(127, 0, 31, 1).into(), 0);
        let port = first.address().port();
        let mut backends = vec![first];
        backends.extend(
            (2..=BACKENDS).map(|at| Backend::start(Ipv4Addr::new(127, 0, 31, at).into(), port)),
        );
        let stage = Self { directory, backends, port };
        stage.replace("places.mmdb", &database(0));
        stage.replace("zones/steady.example.toml", stage.steady().as_bytes());
        stage.replace("zones/changing.example.toml", changing(0).as_bytes());
        stage.replace("zones/mended.example.toml", mended(true).as_bytes());
        let places = stage.path("places.mmdb");
        let config = format!(
            "[geo]\ndatabases = [{places:?}]\n[checks]\nstate_file = {:?}\n",
            stage.path("states")
        );
        stage.replace("waypost.toml", config.as_bytes());
        stage
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes a file as editors and tools do: beside its place, then renamed over it.
    fn replace(&self, name: &str, octets: &[u8]) {
        let path = self.path(name);
        let beside = path.with_extension("new");
        std::fs::write(&beside, octets).expect("the directory is ours");
        std::fs::rename(beside, path).expect("the directory is ours");
    }

    fn steady(&self) -> String {
        let endpoints: Vec<String> =
            (1..=BACKENDS).map(|at| format!("\"127.0.31.{at}\"")).collect();
        let (port, endpoints) = (self.port, endpoints.join(", "));
        format!(
            "zone = \"steady.example\"\nnameservers = [\"ns.example.net.\"]\n\
             [services.live]\nanswers = 1\n\
             check = {{ kind = \"http\", port = {port}, path = \"/\", interval = \"200ms\", \
             timeout = \"100ms\", fall = 2, rise = 1 }}\nendpoints = [{endpoints}]\n\
             [services.placed.pools]\nde = {{ endpoints = [\"192.0.2.1\"] }}\n\
             rest = {{ endpoints = [\"192.0.2.2\"] }}\n\
             [[services.placed.routes]]\nfrom = {{ country = \"DE\" }}\nto = \"de\"\n\
             [[services.placed.routes]]\nto = \"rest\"\n"
        )
    }

    /// Makes the changes of second `second`.
    fn change(&mut self, second: usize) {
        self.replace("zones/changing.example.toml", changing(second).as_bytes());
        self.replace("zones/mended.example.toml", mended(second.is_multiple_of(2)).as_bytes());
        if second % 5 == 4 {
            self.replace("places.mmdb", &database(second));
        }
        // One backend at a time is dead, so that the guard has no reason to doubt its failure.
        let dead = second / 2 % self.backends.len();
        if second.is_multiple_of(2) {
            self.backends[dead].kill()
        } else {
            self.backends[dead].revive()
        }
    }
}

/// Makes a database that has 127.0.0.0/8 in Germany; `edition` makes its octets differ.
fn database(edition: usize) -> Vec<u8> {
    let mut writing = Database::default();
    writing.metadata.database_type = format!("Test-Country-{edition}");
    writing.metadata.binary_format_major_version = 2;
    let record = writing.insert_value(json!({ "country": { "iso_code": "DE" } }));
    let loopback = Ipv4Addr::LOCALHOST.to_bits();
    let path = (0..8).map(|at| loopback >> (31 - at) & 1 == 1);
    writing.insert_node(path, record.expect("a record"));
    writing.write_to(Vec::new()).expect("a database")
}

/// Returns a zone whose TTL and two addresses belong together.
fn changing(edition: usize) -> String {
    let (ttl, net) = if edition.is_multiple_of(2) { (100, "192.0.2") } else { (200, "198.51.100") };
    format!(
        "zone = \"changing.example\"\nnameservers = [\"ns.example.net.\"]\n\
         [records]\nset = {{ A = [\"{net}.1\", \"{net}.2\"], ttl = \"{ttl}s\" }}\n"
    )
}

/// Returns a zone that is right, or the same zone with a mistake and another address.
fn mended(is_right: bool) -> String {
    let head = "zone = \"mended.example\"\nnameservers = [\"ns.example.net.\"]\n[records]\n";
    match is_right {
        true => format!("{head}www = {{ A = \"192.0.2.7\" }}\n"),
        false => format!("{head}www = {{ A = \"192.0.2.8\" }}\nodd = {{ A = \"1.2.3\" }}\n"),
    }
}

/// Checks a reply against all that its name may answer during the run.
fn is_right(reply: &[u8]) -> Result<(), String> {
    let message = Message::from_vec(reply).map_err(|error| format!("{error}: {reply:02x?}"))?;
    let name = message.queries.first().map_or(String::new(), |query| query.name.to_string());
    let data: Vec<String> = message.answers.iter().map(|record| record.data.to_string()).collect();
    let ttl = message.answers.first().map_or(0, |record| record.ttl);
    let holds = match name.split('.').next().unwrap_or_default() {
        "live" => data.len() == 1 && data[0].starts_with("127.0.31."),
        "placed" => data == ["192.0.2.1"],
        "www" => data == ["192.0.2.7"],
        "set" => {
            let net = if ttl == 100 { "192.0.2." } else { "198.51.100." };
            data.len() == 2 && data.iter().all(|address| address.starts_with(net))
        }
        _ => false,
    };
    if holds { Ok(()) } else { Err(format!("{name} {ttl} {data:?} {:?}", message.response_code)) }
}

fn start(directory: &Path) -> TestServer {
    let config = directory.join("waypost.toml").display().to_string();
    TestServer::start_with(&directory.join("zones"), &["--workers", "2", "--config", &config])
}

#[test]
fn changes_every_second_lose_nothing_and_memory_stays_flat() {
    let mut stage = Stage::new();
    let mut server = start(stage.directory.path());
    let names = ["live.steady", "placed.steady", "set.changing", "www.mended"];
    let queries = names.map(|name| Question::new(&format!("{name}.example."), "A").encode(0));
    let look = |reply: &[u8], _: Instant| is_right(reply);
    let load = Load::start(server.address(), RATE, queries.to_vec(), Arc::new(look));
    let (start, length) = (Instant::now(), length());
    let mut early = 0;
    for second in 0_u32.. {
        let due = Duration::from_secs(u64::from(second));
        if due >= length {
            break;
        }
        thread::sleep(due.saturating_sub(start.elapsed()));
        stage.change(second as usize);
        if due >= length / 3 && early == 0 {
            early = server.resident_kib();
        }
    }
    server.wait_for_lines("reloaded", length.as_secs() as usize / 2, PATIENCE);
    let late = server.resident_kib();
    let tally = load.finish();
    assert_eq!((tally.lost(), tally.wrong), (0, 0), "{tally:?}");
    assert!(tally.silence < SILENCE_MAX, "it stood still: {tally:?}");
    assert!(tally.sent > RATE / 2 * length.as_secs(), "the load ran: {tally:?}");
    assert!(late <= early + GROWTH_MAX_KIB, "{early} KiB grew to {late} KiB");
    server.signal("TERM");
    assert!(server.wait_for_end(Duration::from_secs(5)).success());
}
