//! Faults of the server's own machine, and restarts: known states stay known.

use std::collections::HashMap;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::dns::{Question, Udp};
use crate::server::TestServer;

const PATIENCE: Duration = Duration::from_secs(20);

/// Returns the zone `example.com`, with a service of these endpoints.
fn zone(endpoints: &[SocketAddr], check: &str) -> String {
    let endpoint =
        |at: &SocketAddr| format!("{{ address = \"{}\", port = {} }}", at.ip(), at.port());
    let endpoints: Vec<String> = endpoints.iter().map(endpoint).collect();
    format!(
        "zone = \"example.com\"\nnameservers = [\"ns.example.net.\"]\n[services.web]\n\
         check = {{ kind = \"tcp\", {check} }}\nendpoints = [{}]\n",
        endpoints.join(", ")
    )
}

fn serve(directory: &Path, zone: &str, checks: &str) -> TestServer {
    let zones = directory.join("zones");
    fs::create_dir_all(&zones).expect("the directory is ours");
    fs::write(zones.join("example.com.toml"), zone).expect("the directory is ours");
    let config = directory.join("waypost.toml");
    fs::write(&config, format!("[checks]\n{checks}\n")).expect("the directory is ours");
    TestServer::start_with(&zones, &["--workers", "1", "--config", &config.display().to_string()])
}

fn answers(server: &TestServer) -> Vec<String> {
    let udp = Udp::connect(server.address());
    let response = udp.ask(&Question::new("web.example.com.", "A"));
    let data = |line: &String| line.rsplit(' ').next().unwrap_or_default().to_owned();
    let mut answers: Vec<String> = response.data.answer.iter().map(data).collect();
    answers.sort();
    answers
}

/// Returns how many endpoints the log last said to be down.
fn down_now(server: &TestServer) -> usize {
    let mut states = HashMap::new();
    for line in server.lines() {
        for (words, state) in
            [(" is down: ", "down"), (" is up: ", "up"), (" is set back to up ", "up")]
        {
            if let Some((before, _)) = line.split_once(words) {
                states.insert(before.rsplit(' ').next().unwrap_or_default().to_owned(), state);
            }
        }
    }
    states.values().filter(|state| **state == "down").count()
}

fn listen(host: u8) -> TcpListener {
    TcpListener::bind((Ipv4Addr::new(127, 0, 0, host), 0)).expect("loopback")
}

fn addresses(listeners: &[TcpListener]) -> Vec<SocketAddr> {
    listeners.iter().map(|one| one.local_addr().expect("bound")).collect()
}

#[test]
fn a_restart_begins_with_the_states_that_were_kept() {
    let directory = tempfile::tempdir().expect("a directory");
    let (up, gone) = (listen(1), listen(2));
    let listeners = [up, gone];
    let zone = zone(&addresses(&listeners), "interval = \"1h\", timeout = \"1s\"");
    let [_up, gone] = listeners;
    drop(gone);
    let file = directory.path().join("states");
    let checks = format!("state_file = {:?}", file.display().to_string());
    let mut server = serve(directory.path(), &zone, &checks);
    assert_eq!(answers(&server), ["127.0.0.1"]);
    server.signal("TERM");
    server.wait_for_end(PATIENCE);

    // No probe comes again within the hour: the states come from the file.
    let mut server = serve(directory.path(), &zone, &checks);
    server.wait_for_line("resumed 2 states", PATIENCE);
    assert_eq!(answers(&server), ["127.0.0.1"]);
    assert!(!server.lines().iter().any(|line| line.contains("is down")), "it was known");
    server.signal("TERM");
    server.wait_for_end(PATIENCE);

    let text = fs::read_to_string(&file).expect("it was written");
    let (head, rest) = text.split_once('\n').expect("two lines");
    let (_, count) = head.rsplit_once(' ').expect("a count");
    let (states, _) = rest.rsplit_once("sha256 ").expect("a checksum");
    let aged = format!("waypost-states 2 9 {count}\n{states}");
    let digest = ring::digest::digest(&ring::digest::SHA256, aged.as_bytes());
    let digest: String = digest.as_ref().iter().map(|octet| format!("{octet:02x}")).collect();
    for (text, expected) in [
        (format!("{aged}sha256 {digest}\n"), "too old"),
        (text[..text.len() - 3].to_owned(), "damaged"),
        (String::new(), "damaged"),
    ] {
        fs::write(&file, text).expect("the directory is ours");
        let mut server = serve(directory.path(), &zone, &checks);
        server.wait_for_line(expected, PATIENCE);
        server.wait_for_line("is down", PATIENCE);
        assert_eq!(answers(&server), ["127.0.0.1"], "{expected}");
        server.signal("TERM");
        server.wait_for_end(PATIENCE);
    }
}

#[test]
fn states_that_cannot_be_kept_are_told_and_keep_nobody_from_answering() {
    let directory = tempfile::tempdir().expect("a directory");
    let listener = [listen(1)];
    let zone = zone(&addresses(&listener), "interval = \"1s\"");
    let mut server = serve(directory.path(), &zone, "state_file = \"/proc/no/states\"");
    assert_eq!(answers(&server), ["127.0.0.1"]);
    server.signal("TERM");
    server.wait_for_line("cannot keep the states", PATIENCE);
    assert!(server.wait_for_end(PATIENCE).success());
}

#[test]
fn when_everything_fails_at_once_it_is_not_believed_for_a_while() {
    let directory = tempfile::tempdir().expect("a directory");
    let listeners: Vec<TcpListener> = (1..=12).map(listen).collect();
    let places = addresses(&listeners);
    let check = "interval = \"500ms\", timeout = \"200ms\", fall = 2, rise = 1";
    let server = serve(directory.path(), &zone(&places, check), "freeze_max = \"4s\"");
    assert_eq!(answers(&server).len(), 8);
    drop(listeners);
    let line = server.wait_for_line("states are frozen", PATIENCE);
    assert!(line.contains("of 12 probed addresses began to fail within 700ms"), "{line}");
    std::thread::sleep(Duration::from_secs(2));
    let are_down = || down_now(&server);
    assert_eq!(are_down(), 0, "nothing turns while it holds");
    // Eleven return, and one is gone for good: that is believed at once.
    let back: Vec<TcpListener> =
        places[1..].iter().map(|at| TcpListener::bind(at).expect("it is free")).collect();
    server.wait_for_line("states follow the probes again: enough of them pass", PATIENCE);
    server.wait_for_line("127-0-0-1 is down", PATIENCE);
    assert_eq!(are_down(), 1);
    drop(back);
    server.wait_for_line("Waypost believes these failures now", PATIENCE);
    let deadline = Instant::now() + PATIENCE;
    while are_down() < 12 {
        assert!(Instant::now() < deadline, "{:#?}", server.lines());
        std::thread::yield_now();
    }
    assert_eq!(answers(&server).len(), 8, "with nothing up, all are named");
}
