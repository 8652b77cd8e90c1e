//! Many names and many zones: all of them are answered, and one that changes costs only itself.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::dns::{Question, Response, Udp};
use crate::server::TestServer;

const PATIENCE: Duration = Duration::from_secs(20);

fn addresses(response: &Response) -> Vec<String> {
    let address = |line: &String| line.rsplit(' ').next().expect("RDATA").to_owned();
    response.data.answer.iter().map(address).collect()
}

/// Returns the numbers below `count`, each once and far from in order. `count` has no factor 7919.
fn scattered(count: u32) -> impl Iterator<Item = u32> {
    (0..count).map(move |n| n * 7919 % count)
}

#[test]
fn twenty_thousand_names_in_no_order_are_all_answered() {
    const NAMES: u32 = 20_000;
    let directory = tempfile::tempdir().expect("a directory");
    let mut text =
        "@ 60 SOA ns hostmaster 1 3600 600 86400 300\n@ NS ns\nns A 192.0.2.53\n".to_owned();
    let address = |n: u32| format!("10.0.{}.{}", n >> 8, n & 255);
    for n in scattered(NAMES) {
        // Every fourth name lies two labels deep, with others beside and above it.
        let deep = if n % 4 == 0 { format!(".Site{}", n % 64) } else { String::new() };
        writeln!(text, "h{n}{deep} A {}", address(n)).expect("memory");
    }
    // A quarter of them have a second address, far from the first.
    for n in (0..NAMES).filter(|n| n % 4 == 1) {
        writeln!(text, "h{n} A 192.0.2.1").expect("memory");
    }
    fs::write(directory.path().join("example.com.zone"), text).expect("ours");
    let server = TestServer::start(directory.path(), 1);
    let udp = Udp::connect(server.address());
    for n in 0..NAMES {
        let deep = if n % 4 == 0 { format!(".site{}", n % 64) } else { String::new() };
        let response = udp.ask(&Question::new(&format!("h{n}{deep}.example.com."), "A"));
        let mut expected = vec![address(n)];
        expected.extend((n % 4 == 1).then(|| "192.0.2.1".to_owned()));
        assert_eq!(addresses(&response), expected, "h{n}{deep}");
    }
    for (name, rcode) in
        [("h20000", "NXDOMAIN"), ("h4", "NXDOMAIN"), ("x.site4", "NXDOMAIN"), ("site4", "NOERROR")]
    {
        let response = udp.ask(&Question::new(&format!("{name}.example.com."), "A"));
        assert_eq!(response.data.rcode, rcode, "{name}");
        assert_eq!(response.data.answer, [""; 0], "{name}");
    }
}

/// Returns a zone with three endpoints that take turns, and `records` records for its size.
fn zone(number: usize, records: usize) -> String {
    let mut text = format!(
        "zone = \"z{number}.example\"\nnameservers = [\"ns.example.net.\"]\n[services.web]\n\
         answers = 1\nendpoints = [\"192.0.2.1\", \"192.0.2.2\", \"192.0.2.3\"]\n[records]\n"
    );
    for record in 0..records {
        writeln!(text, "r{record} = {{ A = \"192.0.2.9\" }}").expect("memory");
    }
    text
}

fn write(directory: &Path, number: usize, text: &str) {
    // A rename, so that no reload sees half of the file.
    fs::write(directory.join(".new"), text).expect("ours");
    let path = directory.join(format!("z{number}.example.toml"));
    fs::rename(directory.join(".new"), path).expect("ours");
}

/// Returns how many octets the server has read so far.
fn octets_read(server: &TestServer) -> u64 {
    let io = fs::read_to_string(format!("/proc/{}/io", server.pid())).expect("our own child");
    let line = io.lines().find(|line| line.starts_with("rchar:")).expect("rchar");
    line.split_whitespace().nth(1).and_then(|octets| octets.parse().ok()).expect("a number")
}

/// Changes zone 0 and has the zones read again, for the `count`th time.
fn reload(directory: &Path, server: &TestServer, count: usize) {
    write(directory, 0, &zone(0, count % 2));
    server.signal("HUP");
    server.wait_for_lines("reloaded", count, PATIENCE);
}

#[test]
fn a_zone_that_changes_leaves_the_others_alone() {
    const ZONES: usize = 40;
    let directory = tempfile::tempdir().expect("a directory");
    (0..ZONES).for_each(|number| write(directory.path(), number, &zone(number, 200)));
    let server = TestServer::start_with(directory.path(), &["--workers", "1"]);
    let udp = Udp::connect(server.address());
    // The draws of z1 go on where they were: every share stays within two, whatever is reloaded.
    let mut drawn: BTreeMap<String, f64> = BTreeMap::new();
    for count in 1..=120 {
        reload(directory.path(), &server, count);
        let response = udp.ask(&Question::new("web.z1.example.", "A"));
        *drawn.entry(addresses(&response).concat()).or_default() += 1.0;
        let share = count as f64 / 3.0;
        assert!(drawn.values().all(|n| (n - share).abs() <= 2.0), "after {count}: {drawn:?}");
    }
    // Nor are the other files read again, once they are old enough for their metadata to tell.
    let all: u64 = (0..ZONES).map(|number| zone(number, 200).len() as u64).sum();
    let deadline = Instant::now() + PATIENCE;
    for count in 121.. {
        let before = octets_read(&server);
        reload(directory.path(), &server, count);
        let read = octets_read(&server) - before;
        if read < all / 10 {
            break;
        }
        assert!(Instant::now() < deadline, "{read} octets read, {all} in all files");
    }
}
