//! The release binary, its zone, and its log.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::load::Query;
use crate::target::Outcome;

/// Services of ten endpoints each, six of which are of the larger part, with marked addresses.
pub(crate) const SERVICES: u32 = 1000;
const MARKED: u32 = 6;
const EACH: u32 = 10;
/// The second octet of the addresses of marked endpoints.
const MARK: u8 = 1;
/// The time the server has to start.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn is_marked(address: [u8; 4]) -> bool {
    address[1] == MARK
}

/// Returns the queries: four of five ask for a service, one for a name that no check concerns.
pub(crate) fn queries() -> Vec<Query> {
    let all = (0..SERVICES).flat_map(|number| {
        let checked = (0..4).map(move |_| (format!("s{number}"), true));
        checked.chain([(format!("n{number}"), false)])
    });
    all.map(|(label, is_checked)| Query { octets: query(&label), is_checked }).collect()
}

/// Writes a query for the A records of `label` in the zone, without EDNS.
fn query(label: &str) -> Vec<u8> {
    let mut octets = vec![0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in [label, "example", "com"] {
        octets.push(label.len() as u8);
        octets.extend(label.as_bytes());
    }
    octets.extend([0, 0, 1, 0, 1]);
    octets
}

/// The facts in the log so far.
#[derive(Clone, Default)]
pub(crate) struct Said {
    /// Endpoints that turned down.
    pub(crate) down: usize,
    pub(crate) up: usize,
    /// The number of times that states froze.
    pub(crate) frozen: usize,
    /// The lines of the guard since they were last taken.
    pub(crate) guard: Vec<String>,
    listening: Option<SocketAddr>,
    ended: bool,
}

/// The running server, on a core of its own; it ends with this value.
pub(crate) struct Served {
    process: Child,
    said: Arc<Mutex<Said>>,
    _directory: TempDir,
}

impl Served {
    /// Starts the server, with the marked endpoints at the first port and the others at the second.
    pub(crate) fn start(core: &str, ports: [u16; 2], interval: &str) -> Outcome<Self> {
        let directory = tempfile::tempdir()?;
        let zones = directory.path().join("zones");
        fs::create_dir(&zones)?;
        fs::write(zones.join("example.com.toml"), zone(ports, interval)?)?;
        let mut process = Command::new("taskset")
            .args(["-c", core, env!("CARGO_BIN_EXE_waypost"), "serve"])
            .args(["--listen", "127.0.0.1:0", "--workers", "1", "--zones"])
            .arg(&zones)
            .current_dir(directory.path())
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()?;
        let log = BufReader::new(process.stderr.take().ok_or("no stderr")?);
        let said = Arc::new(Mutex::new(Said::default()));
        let heard = Arc::clone(&said);
        std::thread::spawn(move || {
            for line in log.lines().map_while(Result::ok) {
                hear(&mut heard.lock().unwrap_or_else(PoisonError::into_inner), &line);
            }
            heard.lock().unwrap_or_else(PoisonError::into_inner).ended = true;
        });
        Ok(Self { process, said, _directory: directory })
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Waits until the server listens, and returns its address.
    pub(crate) fn address(&self) -> Outcome<SocketAddr> {
        let started = Instant::now();
        while started.elapsed() < PATIENCE && !self.said().ended {
            if let Some(address) = self.said().listening {
                return Ok(address);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Err("the server does not start".into())
    }

    /// Returns the facts so far, with the lines of the guard that were not taken before.
    pub(crate) fn said(&self) -> Said {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let guard = std::mem::take(&mut said.guard);
        Said { guard, ..said.clone() }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // Both fail only if it is gone already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn hear(said: &mut Said, line: &str) {
    if line.contains("states are frozen") || line.contains("states follow the probes again") {
        said.frozen += usize::from(line.contains("states are frozen"));
        said.guard.push(line.to_owned());
    }
    said.down += usize::from(line.contains(" is down: "));
    said.up += usize::from(line.contains(" is up: "));
    if let Some((_, rest)) = line.split_once("listening on ") {
        said.listening = rest.split(' ').next().and_then(|address| address.parse().ok());
    }
}

fn zone([marked, others]: [u16; 2], interval: &str) -> Result<String, std::fmt::Error> {
    let mut text = "zone = \"example.com\"\nnameservers = [\"ns.example.net.\"]\n".to_owned();
    writeln!(text, "[checks.up]\nkind = \"http\"\npath = \"/\"\ninterval = \"{interval}\"")?;
    text.push_str("[records]\n");
    for number in 0..SERVICES {
        writeln!(text, "n{number} = {{ A = \"192.0.2.1\" }}")?;
    }
    for number in 0..SERVICES {
        write!(text, "[services.s{number}]\ncheck = \"up\"\nanswers = 1\nendpoints = [")?;
        for at in 0..EACH {
            let (second, port) = if at < MARKED { (MARK, marked) } else { (MARK + 1, others) };
            let (third, fourth) = (number / 25, number % 25 * EACH + at);
            write!(text, "{{ address = \"127.{second}.{third}.{fourth}\", port = {port} }}, ")?;
        }
        text.push_str("]\n");
    }
    Ok(text)
}
