//! NSD, Knot DNS and BIND as processes, each with a configuration that removes matters of taste.
//! `README.md` gives the reason for every setting.

use std::fmt::Write as _;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::dns::{Question, Udp, checked};
use crate::generate::file_name;
use crate::model::ModelZone;
use crate::presentation::type_number;

/// The time a peer has to answer from every zone, and to end.
const PATIENCE: Duration = Duration::from_secs(20);

/// The number of attempts to start a peer: another process may take its port before it does.
const ATTEMPTS: usize = 3;

/// A name server to compare with.
pub(super) struct Software {
    pub(super) name: &'static str,
    program: &'static str,
    arguments: &'static [&'static str],
    configuration: fn(&Site<'_>) -> String,
    /// Whether it loads zones with data below a DNAME.
    loads_renamed: bool,
}

/// The peers, in the order in which everything shows them.
pub(super) const SOFTWARE: [Software; 3] = [
    Software {
        name: "NSD",
        program: "nsd",
        arguments: &["-d", "-c"],
        configuration: nsd,
        loads_renamed: false,
    },
    Software {
        name: "Knot DNS",
        program: "knotd",
        arguments: &["-c"],
        configuration: knot,
        loads_renamed: false,
    },
    Software {
        name: "BIND",
        program: "named",
        arguments: &["-g", "-n", "1", "-c"],
        configuration: bind,
        loads_renamed: true,
    },
];

/// Directories of master files: with all that a zone has, and without what is below its DNAMEs,
/// for servers that do not load that.
pub(super) struct Files {
    pub(super) whole: PathBuf,
    pub(super) without_renamed: PathBuf,
}

/// The facts that a configuration depends on.
struct Site<'a> {
    port: u16,
    /// The directory that the peer may write to.
    directory: &'a str,
    /// The directory of the master files.
    files: &'a str,
    zones: &'a [ModelZone],
}

/// A running peer; it ends with this value.
pub(super) struct Peer {
    child: Child,
    pub(super) address: SocketAddr,
}

impl Peer {
    /// Starts `software` on the master files of `zones`, with a directory below `scratch` to write
    /// to. [`Peer::wait`] tells whether it answers.
    fn start(software: &Software, scratch: &Path, files: &Files, zones: &[ModelZone]) -> Self {
        let Files { whole, without_renamed } = files;
        let files = if software.loads_renamed { whole } else { without_renamed };
        let directory = scratch.join(software.program);
        std::fs::create_dir_all(&directory).expect("the directory is ours");
        let program = copied(software.program, &directory);
        let port = free_port();
        let [files, shown] = [files, &directory].map(|path| path.to_str().expect("UTF-8"));
        let site = Site { port, directory: shown, files, zones };
        let configuration = directory.join("configuration");
        std::fs::write(&configuration, (software.configuration)(&site)).expect("ours");
        let log = std::fs::File::create(directory.join("log")).expect("ours");
        let child = Command::new(program)
            .args(software.arguments)
            .arg(&configuration)
            .current_dir(&directory)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a file"))
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("{} does not start: {error}", software.program));
        Self { child, address: ([127, 0, 0, 1], port).into() }
    }

    /// Waits until every zone is answered with its own SOA; returns `false` if that never happens.
    fn wait(&mut self, zones: &[ModelZone]) -> bool {
        let deadline = Instant::now() + PATIENCE;
        for zone in zones {
            while !serves(self.address, zone) {
                let ended = self.child.try_wait().expect("our own child").is_some();
                if ended || Instant::now() > deadline {
                    return false;
                }
                thread::sleep(Duration::from_millis(5));
            }
        }
        true
    }
}

impl Drop for Peer {
    /// Sends SIGTERM first, because NSD has children of its own to end.
    fn drop(&mut self) {
        let terminate = format!("kill -TERM {}", self.child.id());
        let _ = Command::new("sh").args(["-c", &terminate]).status();
        let deadline = Instant::now() + PATIENCE;
        while matches!(self.child.try_wait(), Ok(None)) {
            if Instant::now() > deadline {
                let _ = self.child.kill();
                let _ = self.child.wait();
                return;
            }
            thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Starts all peers side by side and waits for them. Fails the test, with the peer's log, if one
/// does not come to serve every zone.
pub(super) fn start_all(scratch: &Path, files: &Files, zones: &[ModelZone]) -> Vec<Peer> {
    let start = |software: &Software| Peer::start(software, scratch, files, zones);
    let mut peers: Vec<Peer> = SOFTWARE.iter().map(start).collect();
    for (peer, software) in peers.iter_mut().zip(&SOFTWARE) {
        let mut attempts = 1;
        while !peer.wait(zones) {
            let log = scratch.join(software.program).join("log");
            let log = std::fs::read_to_string(log).unwrap_or_default();
            assert!(attempts < ATTEMPTS, "{} does not serve the zones:\n{log}", software.name);
            attempts += 1;
            *peer = start(software);
        }
    }
    peers
}

/// Finds a program; those of name servers are often not on the PATH of a user other than root.
fn path_of(program: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let directories = std::env::split_paths(&path);
    let usual = ["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from);
    let mut places = directories.chain(usual).map(|directory| directory.join(program));
    places.find(|place| place.is_file()).unwrap_or_else(|| {
        panic!("{program} is not installed: this test needs NSD, Knot DNS and BIND")
    })
}

/// Copies a program, because AppArmor confines what runs from the path of the original. `cp` makes
/// the copy: a child of another test might inherit a file that this process has open for writing.
fn copied(program: &str, directory: &Path) -> PathBuf {
    let copy = directory.join(program);
    if !copy.exists() {
        let status = Command::new("cp").arg(path_of(program)).arg(&copy).status();
        assert!(status.is_ok_and(|status| status.success()), "{program} cannot be copied");
    }
    copy
}

/// Returns a port of loopback that is free for UDP and TCP at the moment.
fn free_port() -> u16 {
    for _ in 0..100 {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket on loopback");
        let address = socket.local_addr().expect("it is bound");
        if TcpListener::bind(address).is_ok() {
            return address.port();
        }
    }
    panic!("no port of 127.0.0.1 is free for both UDP and TCP");
}

/// Returns whether `address` answers with the SOA of `zone`, which no other test's zone has.
fn serves(address: SocketAddr, zone: &ModelZone) -> bool {
    let question = Question::new(&zone.origin, "SOA");
    let query = question.encode(1);
    let patience = Duration::from_millis(500);
    let Some(reply) = Udp::connect(address).exchange(&query, patience) else { return false };
    let response = checked(&query, &reply);
    let mut soa = zone.records.iter().filter(|record| record.rtype == type_number("SOA"));
    let expected = soa.next().map(|soa| soa.line_at(&zone.origin));
    response.data.answer.first() == expected.as_ref()
}

/// Writes a line for each zone; `line` makes it from the zone's name and the path of its file.
fn zone_lines(site: &Site<'_>, line: impl Fn(&str, &str) -> String) -> String {
    let mut text = String::new();
    for zone in site.zones {
        let file = format!("{}/{}", site.files, file_name(zone));
        writeln!(text, "{}", line(&zone.origin, &file)).expect("a String grows");
    }
    text
}

fn nsd(site: &Site<'_>) -> String {
    let Site { port, directory, .. } = site;
    let zones = zone_lines(site, |name, file| {
        format!("zone:\n    name: \"{name}\"\n    zonefile: \"{file}\"")
    });
    format!(
        r#"server:
    ip-address: 127.0.0.1@{port}
    server-count: 1
    username: ""
    database: ""
    pidfile: "{directory}/pid"
    xfrdir: "{directory}"
    xfrdfile: "{directory}/xfrd.state"
    zonelistfile: "{directory}/zone.list"
    zonesdir: "{directory}"
    ipv4-edns-size: 1232
    minimal-responses: no
    refuse-any: no
    round-robin: no
    rrl-ratelimit: 0
    rrl-whitelist-ratelimit: 0
remote-control:
    control-enable: no
{zones}"#
    )
}

fn knot(site: &Site<'_>) -> String {
    let Site { port, directory, .. } = site;
    let zones = zone_lines(site, |name, file| format!("  - domain: {name}\n    file: {file}"));
    format!(
        r#"server:
    listen: 127.0.0.1@{port}
    rundir: {directory}
    pidfile: {directory}/pid
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
    tcp-idle-timeout: 600
    udp-max-payload: 1232
    answer-rotation: off
database:
    storage: {directory}
control:
    listen: {directory}/control
log:
  - target: stderr
    any: warning
template:
  - id: default
    storage: {directory}
    semantic-checks: off
    journal-content: none
    zonefile-load: whole
    zonefile-sync: -1
zone:
{zones}"#
    )
}

fn bind(site: &Site<'_>) -> String {
    let Site { port, directory, .. } = site;
    let zones = zone_lines(site, |name, file| {
        format!("zone \"{name}\" {{ type primary; file \"{file}\"; }};")
    });
    format!(
        r#"options {{
    listen-on port {port} {{ 127.0.0.1; }};
    listen-on-v6 {{ none; }};
    directory "{directory}";
    pid-file none;
    lock-file none;
    session-keyfile none;
    recursion no;
    dnssec-validation no;
    allow-transfer {{ none; }};
    notify no;
    empty-zones-enable no;
    minimal-responses no-auth;
    minimal-any no;
    zero-no-soa-ttl no;
    answer-cookie no;
    edns-udp-size 1232;
    max-udp-size 1232;
    tcp-idle-timeout 1200;
    check-integrity no;
    check-names primary ignore;
}};
controls {{ }};
{zones}"#
    )
}
