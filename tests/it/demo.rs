//! `waypost demo` on a terminal and in a pipe: backends die and return, and the demo leaves the
//! terminal and the temporary directory as they were.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::UdpSocket;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

/// The longest that anything here may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running demo, whose output is read as it comes.
struct Demo {
    child: Child,
    input: Option<ChildStdin>,
    pieces: Receiver<String>,
    seen: String,
}

impl Demo {
    fn start(mut command: Command) -> Self {
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the program runs");
        let input = child.stdin.take();
        let mut output = BufReader::new(child.stdout.take().expect("a pipe"));
        let (sender, pieces) = mpsc::channel();
        std::thread::spawn(move || {
            while let Ok(bytes) = output.fill_buf()
                && !bytes.is_empty()
            {
                let (text, len) = (String::from_utf8_lossy(bytes).into_owned(), bytes.len());
                output.consume(len);
                if sender.send(text).is_err() {
                    return;
                }
            }
        });
        Self { child, input, pieces, seen: String::new() }
    }

    /// Waits for `text` in the output after the last text that was found.
    fn until(&mut self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        let found = loop {
            if let Some(at) = self.seen.find(text) {
                break at + text.len();
            }
            let left = deadline.saturating_duration_since(Instant::now());
            match self.pieces.recv_timeout(left) {
                Ok(piece) => self.seen.push_str(&piece),
                Err(_) => panic!("no {text:?} in:\n{}", self.seen),
            }
        };
        self.seen.drain(..found);
    }

    fn send(&mut self, text: &str) {
        let input = self.input.as_mut().expect("the input is open");
        input.write_all(text.as_bytes()).expect("the demo reads");
    }

    fn close_input(&mut self) {
        self.input = None;
    }

    /// Returns whether the demo ends by itself, and with success.
    fn ends_well(mut self) -> bool {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().expect("it is ours") {
                return status.success();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        false
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn demo(temporary: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_waypost"));
    command.arg("demo").env("TMPDIR", temporary);
    command
}

fn is_empty(directory: &Path) -> bool {
    std::fs::read_dir(directory).expect("a directory").next().is_none()
}

#[test]
fn without_a_terminal_lines_kill_and_revive_and_the_end_of_the_input_ends_it() {
    let temporary = tempfile::tempdir().expect("a directory");
    // The first port is taken, by this test or by another program.
    let _taken = UdpSocket::bind(("127.0.0.1", 5300));
    let mut demo = Demo::start(demo(temporary.path()));
    demo.until("Port 5300 is taken: Waypost answers on ");
    demo.until("kill alpha");
    demo.until("alpha up 50 %");
    demo.send("explode alpha\nkill delta\nkill\n");
    for line in ["explode alpha", "kill delta", "kill"] {
        demo.until(&format!("Not understood: {line}\n"));
    }
    demo.send("kill alpha\n");
    demo.until("alpha is killed");
    demo.until("alpha down 0 %  beta up 67 %  gamma up 33 %");
    demo.send("revive alpha\nhang beta\ndrain gamma\n");
    demo.until("alpha up 100 %  beta down 0 %  gamma drained 0 %");
    assert!(!is_empty(temporary.path()));
    demo.close_input();
    assert!(demo.ends_well());
    assert!(is_empty(temporary.path()), "the zone directory is left behind");
}

#[test]
fn sigterm_ends_it() {
    let temporary = tempfile::tempdir().expect("a directory");
    let mut demo = Demo::start(demo(temporary.path()));
    demo.until("kill alpha");
    let id = demo.child.id().to_string();
    assert!(Command::new("kill").arg(&id).status().expect("kill runs").success());
    assert!(demo.ends_well());
    assert!(is_empty(temporary.path()), "the zone directory is left behind");
}

#[test]
fn on_a_terminal_keys_kill_and_ctrl_c_leaves_the_terminal_as_it_was() {
    let temporary = tempfile::tempdir().expect("a directory");
    let program = env!("CARGO_BIN_EXE_waypost");
    // The shell gets the signal of Ctrl-C, too, and must go on.
    let line = format!("trap : INT; stty -a >before; {program} demo; echo code $?; stty -a >after");
    for (end, code) in [("\u{3}", 0), ("q", 0), ("\u{4}", 0)] {
        let mut command = Command::new("script");
        command.args(["-qec", &line, "/dev/null"]).current_dir(temporary.path());
        command.env("TMPDIR", temporary.path()).env("SHELL", "/bin/sh");
        let mut demo = Demo::start(command);
        demo.until("Keys: 1 2 3");
        demo.until("▸alpha");
        demo.send("2k");
        demo.until("beta is killed");
        demo.until("▸beta");
        demo.until("down");
        demo.send(end);
        demo.until(&format!("code {code}"));
        assert!(demo.ends_well());
        let read = |name: &str| {
            let mut text = String::new();
            let mut file = std::fs::File::open(temporary.path().join(name)).expect("stty wrote");
            file.read_to_string(&mut text).expect("text");
            text
        };
        assert!(read("before").contains(" icanon"), "{}", read("before"));
        assert_eq!(read("before"), read("after"), "after {end:?}");
    }
}
