//! The log of a running process: nobody needs to read it, and programs can.

use std::fs;
use std::io::{BufRead, BufReader, PipeReader, Write, pipe};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::dns::{Question, Udp};
use crate::server::TestServer;

const PATIENCE: Duration = Duration::from_secs(120);

/// The longest time that the server may take to end.
const STOP_MAX: Duration = Duration::from_secs(5);

/// The number of octets that a pipe holds (pipe(7)).
const PIPE: usize = 64 << 10;

/// Probes that make more lines than the server keeps: 1 MiB, at some 150 octets a line.
const PROBES: usize = 11_000;

/// The address of the server, which no other test uses.
const OWN: Ipv4Addr = Ipv4Addr::new(127, 0, 8, 1);

/// A server whose standard error is a pipe that nobody reads, full from the start.
struct Unread {
    child: Child,
    address: SocketAddr,
    log: PipeReader,
}

impl Unread {
    fn start(zones: &Path) -> Self {
        let address = {
            // The server cannot say which port it has. No other test takes the port meanwhile,
            // because none uses this address.
            let free = UdpSocket::bind((OWN, 0)).expect("loopback");
            free.local_addr().expect("bound")
        };
        let (log, mut end) = pipe().expect("a pipe");
        let fill = [vec![b'.'; PIPE - 1], b"\n".to_vec()].concat();
        end.write_all(&fill).expect("as much as a pipe holds");
        let child = Command::new(env!("CARGO_BIN_EXE_waypost"))
            .args(["serve", "--workers", "1", "--listen", &address.to_string(), "--zones"])
            .arg(zones)
            .current_dir(zones)
            .env("RUST_LOG", "waypost=debug")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(end)
            .spawn()
            .expect("the binary starts");
        Self { child, address, log }
    }

    fn wait_for_answer(&mut self, name: &str, expected: &str) {
        let deadline = Instant::now() + PATIENCE;
        let query = Question::new(name, "A").encode(7);
        let expected: Vec<u8> =
            expected.split('.').map(|octet| octet.parse().expect("IPv4")).collect();
        loop {
            let reply = Udp::connect(self.address).exchange(&query, Duration::from_millis(200));
            if reply.is_some_and(|reply| reply.windows(4).any(|octets| octets == expected)) {
                return;
            }
            let ended = self.child.try_wait().expect("our own child");
            assert_eq!(ended, None, "the server has ended");
            assert!(Instant::now() < deadline, "{name} is not answered as {expected:?}");
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Unread {
    fn drop(&mut self) {
        // Both fail only if it is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns a zone whose hundred endpoints are probed at `port` all the time.
fn zone(port: u16, address: &str) -> String {
    let endpoints: Vec<String> = (1..=100).map(|at| format!("\"127.0.1.{at}\"")).collect();
    format!(
        "zone = \"example.com\"\nnameservers = [\"ns.example.net.\"]\n[records]\n\
         a = {{ A = \"{address}\" }}\n[services.web]\n\
         port = {port}\ncheck = {{ kind = \"tcp\", expect = {{ text = \"ok\" }}, \
         interval = \"100ms\", timeout = \"100ms\" }}\n\
         endpoints = [{}]\n",
        endpoints.join(", ")
    )
}

#[test]
fn a_log_that_nobody_reads_stops_nothing() {
    let directory = tempfile::tempdir().expect("a directory");
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let probes = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&probes);
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            // The probe may be gone already.
            let _ = stream.write_all(b"ok");
            counted.fetch_add(1, Ordering::Relaxed);
        }
    });
    let file = directory.path().join("example.com.toml");
    fs::write(&file, zone(port, "192.0.2.1")).expect("the directory is ours");
    let mut server = Unread::start(directory.path());
    server.wait_for_answer("a.example.com.", "192.0.2.1");

    let deadline = Instant::now() + PATIENCE;
    while probes.load(Ordering::Relaxed) < PROBES {
        assert!(Instant::now() < deadline, "{probes:?} probes, and then no more");
        thread::sleep(Duration::from_millis(20));
    }
    fs::write(&file, zone(port, "192.0.2.2")).expect("the directory is ours");
    server.wait_for_answer("a.example.com.", "192.0.2.2");

    let mut lines = BufReader::new(&server.log).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.contains("lines were dropped")), "what was lost is not told");
    assert!(lines.any(|line| line.contains("probed")), "it does not go on");
    drop(lines);

    // Waits long enough for the pipe to be full once more.
    let seen = probes.load(Ordering::Relaxed);
    while probes.load(Ordering::Relaxed) < seen + PROBES / 4 {
        thread::sleep(Duration::from_millis(20));
    }
    let ended = Instant::now() + STOP_MAX;
    let status = Command::new("kill").arg(server.child.id().to_string()).status();
    assert!(status.expect("kill runs").success(), "kill of our own child");
    while server.child.try_wait().expect("our own child").is_none() {
        assert!(Instant::now() < ended, "it still runs after {STOP_MAX:?}");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn lines_of_json_have_numbers_and_places() {
    let directory = tempfile::tempdir().expect("a directory");
    let [zones, config] = ["zones", "waypost.toml"].map(|name| directory.path().join(name));
    fs::create_dir(&zones).expect("the directory is ours");
    let file = zones.join("example.com.toml");
    let zone = "zone = \"example.com\"\nnameservers = [\"ns.example.net.\"]\n";
    fs::write(&file, zone).expect("the directory is ours");
    fs::write(&config, "[log]\nformat = \"json\"\n").expect("the directory is ours");
    let mut server = TestServer::start_with(
        &zones,
        &["--workers", "1", "--config", &config.display().to_string()],
    );
    fs::write(&file, format!("{zone}[services.web]\nendpoint = []\n")).expect("it is ours");
    let line = server.wait_for_line("\"column\"", PATIENCE);
    let value: serde_json::Value = serde_json::from_str(&line).expect("JSON");
    assert_eq!((value["line"].as_u64(), value["column"].as_u64()), (Some(4), Some(1)), "{line}");
    assert_eq!(value["file"].as_str(), Some(&*file.display().to_string()), "{line}");
    assert!(value["message"].as_str().is_some_and(|message| !message.contains('\n')), "{line}");
    Udp::connect(server.address()).ask(&Question::new("example.com.", "SOA"));
    server.signal("TERM");
    server.wait_for_end(PATIENCE);
    let line = server.wait_for_line("\"queries\"", PATIENCE);
    let value: serde_json::Value = serde_json::from_str(&line).expect("JSON");
    assert_eq!(value["outcomes"]["answer"].as_u64(), value["queries"].as_u64(), "{line}");
}
