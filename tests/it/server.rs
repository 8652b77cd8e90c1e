//! The server as a process: the real binary on a port of loopback, its log lines, its signals.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// The time the server has to say that it listens.
const START_PATIENCE: Duration = Duration::from_secs(20);

/// A running server; it ends with this value.
pub(crate) struct TestServer {
    child: Child,
    log: Arc<Log>,
    address: SocketAddr,
}

/// The lines that the server has written so far.
#[derive(Default)]
struct Log {
    lines: Mutex<Vec<String>>,
    grown: Condvar,
}

impl TestServer {
    /// Serves the zone files in `zones` with `workers` workers, and waits until it listens.
    pub(crate) fn start(zones: &Path, workers: usize) -> Self {
        Self::start_with(zones, &["--workers", &workers.to_string()])
    }

    /// Starts the server as [`Self::start`] does, with other arguments.
    pub(crate) fn start_with(zones: &Path, arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_waypost"))
            .args(["serve", "--listen", "127.0.0.1:0", "--zones"])
            .arg(zones)
            .args(arguments)
            .current_dir(zones)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let log = Arc::new(Log::default());
        let stderr = child.stderr.take().expect("its stderr is ours");
        let writer = Arc::clone(&log);
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                writer.lines.lock().expect("the log").push(line);
                writer.grown.notify_all();
            }
        });
        let mut server = Self { child, log, address: ([127, 0, 0, 1], 0).into() };
        let line = server.wait_for_line("listening", START_PATIENCE);
        server.address = address_in(&line).unwrap_or_else(|| panic!("no address in: {line}"));
        server
    }

    /// Returns the address at which it answers.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the address at which it answers over `transport`, named as in the log.
    pub(crate) fn encrypted_address(&self, transport: &str) -> SocketAddr {
        let line = self.wait_for_line(&format!(" over {transport}"), START_PATIENCE);
        address_in(&line).unwrap_or_else(|| panic!("no address in: {line}"))
    }

    /// Returns its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Returns every line so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.log.lines.lock().expect("the log").clone()
    }

    /// Waits for a line that holds `text`, and returns the first; fails the test after `patience`.
    pub(crate) fn wait_for_line(&self, text: &str, patience: Duration) -> String {
        self.wait_for_lines(text, 1, patience).remove(0)
    }

    /// Waits for `count` lines that hold `text`, and returns all such lines so far; fails the test
    /// after `patience`.
    pub(crate) fn wait_for_lines(
        &self,
        text: &str,
        count: usize,
        patience: Duration,
    ) -> Vec<String> {
        let deadline = Instant::now() + patience;
        let mut lines = self.log.lines.lock().expect("the log");
        loop {
            let found: Vec<String> =
                lines.iter().filter(|line| line.contains(text)).cloned().collect();
            if found.len() >= count {
                return found;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let (found, tail) =
                    (found.len(), lines[lines.len().saturating_sub(30)..].join("\n"));
                drop(lines);
                panic!("{found} of {count} lines with {text:?} in {patience:?}; the log:\n{tail}");
            }
            lines = self.log.grown.wait_timeout(lines, left).expect("the log").0;
        }
    }

    /// Sends it a signal: `HUP`, `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("sh")
            .args(["-c", &format!("kill -{name} {}", self.pid())])
            .status()
            .expect("sh runs");
        assert!(status.success(), "kill -{name} of our own child");
    }

    /// Returns whether it still runs.
    pub(crate) fn is_alive(&mut self) -> bool {
        self.child.try_wait().expect("our own child").is_none()
    }

    /// Waits until it has ended by itself, and returns its status; fails the test after `patience`.
    pub(crate) fn wait_for_end(&mut self, patience: Duration) -> ExitStatus {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(status) = self.child.try_wait().expect("our own child") {
                return status;
            }
            assert!(Instant::now() < deadline, "it still runs after {patience:?}");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Returns its resident memory in KiB.
    pub(crate) fn resident_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid()))
            .expect("the process is there");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("VmRSS");
        line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number")
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        if self.is_alive() {
            self.child.kill().expect("our own child");
            self.child.wait().expect("our own child");
        }
        if thread::panicking() {
            let lines = self.lines();
            let tail = &lines[lines.len().saturating_sub(30)..];
            let mut stderr = std::io::stderr();
            let _ = std::io::Write::write_all(&mut stderr, tail.join("\n").as_bytes());
        }
    }
}

/// Finds the first `127.0.0.1:PORT` in a log line.
fn address_in(line: &str) -> Option<SocketAddr> {
    let at = line.find("127.0.0.1:")?;
    let end = line[at..].find(|c: char| !(c.is_ascii_digit() || c == '.' || c == ':'));
    line[at..end.map_or(line.len(), |end| at + end)].parse().ok()
}
