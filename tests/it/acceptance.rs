//! The promises of the product, seen from outside: the real binary, real sockets, real backends.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use hickory_proto::op::Message;

use crate::backend::Backend;
use crate::dns::{Question, Response, Tcp, Udp};
use crate::load::{Load, SILENCE_MAX, Tally};
use crate::server::TestServer;

const HEAD: &str =
    "zone = \"example.com\"\nnameservers = [\"ns1\"]\n[records]\nns1 = { A = \"192.0.2.53\" }\n";
/// The queries a second that the promises are made for.
const RATE: u64 = 20_000;

/// Writes a zone file as editors do: a new file beside it, then renamed over it.
fn write(directory: &Path, text: &str) {
    let (new, file) = (directory.join("new"), directory.join("example.com.toml"));
    std::fs::write(&new, text).expect("the directory is ours");
    std::fs::rename(&new, &file).expect("the directory is ours");
}

fn serve(zone: &str, workers: usize) -> (tempfile::TempDir, TestServer) {
    let directory = tempfile::tempdir().expect("a directory");
    write(directory.path(), zone);
    let server = TestServer::start(directory.path(), workers);
    (directory, server)
}

fn address(response: &Response) -> String {
    let line = response.data.answer.first().expect("an answer");
    line.rsplit(' ').next().expect("RDATA").to_owned()
}

fn assert_clean(tally: &Tally) {
    assert!(tally.sent > 1000, "the load ran: {tally:?}");
    assert_eq!((tally.lost(), tally.wrong), (0, 0), "{tally:?}");
    assert!(tally.silence < SILENCE_MAX, "it stood still: {tally:?}");
}

#[test]
fn six_thousand_answers_keep_the_weights_three_two_one() {
    let endpoints: Vec<String> = [(1, 3), (2, 2), (3, 1)]
        .iter()
        .map(|(n, weight)| {
            let address = format!("[\"192.0.2.{n}\", \"2001:db8::{n}\"]");
            format!("{{ address = {address}, weight = {weight} }}")
        })
        .collect();
    let zone = format!("{HEAD}[services.web]\nendpoints = [{}]\n", endpoints.join(", "));
    let (_directory, server) = serve(&zone, 1);
    let udp = Udp::connect(server.address());
    let (mut v4, mut v6) = ([0i32; 3], [0i32; 3]);
    let place = |response: &Response| {
        let address = address(response);
        usize::from(address.as_bytes()[address.len() - 1] - b'1')
    };
    for _ in 0..6000 {
        v4[place(&udp.ask(&Question::new("web.example.com.", "A")))] += 1;
        v6[place(&udp.ask(&Question::new("web.example.com.", "AAAA")))] += 1;
        for counts in [&v4, &v6] {
            let drawn = counts.iter().sum::<i32>();
            for (count, weight) in counts.iter().zip([3, 2, 1]) {
                let off = count * 6 - drawn * weight;
                assert!(off.abs() <= 12, "after {drawn} answers the counts are {counts:?}");
            }
        }
    }
}

/// The times at which the load saw the endpoint that is killed.
#[derive(Default)]
struct Sightings(Mutex<Vec<Instant>>);

#[test]
fn a_killed_endpoint_leaves_and_returns_in_time_under_load() {
    const INTERVAL: Duration = Duration::from_millis(500);
    const TIMEOUT: Duration = Duration::from_millis(200);
    const FALL: u32 = 2;
    const RISE: u32 = 2;
    let ip = |n: u8| IpAddr::V4(Ipv4Addr::new(127, 0, 0, n));
    let mut backends: Vec<Backend> = (11..17).map(|n| Backend::start(ip(n), 0)).collect();
    let endpoints: Vec<String> = backends
        .iter()
        .map(|backend| {
            let SocketAddr::V4(v4) = backend.address() else { unreachable!("IPv4") };
            format!("{{ address = \"{}\", port = {}, weight = 1 }}", v4.ip(), v4.port())
        })
        .collect();
    let check = "check = { kind = \"http\", path = \"/\", interval = \"500ms\", \
                 timeout = \"200ms\", rise = 2, fall = 2 }";
    let zone = format!("{HEAD}[services.web]\n{check}\nendpoints = [{}]\n", endpoints.join(", "));
    let (_directory, server) = serve(&zone, 2);
    let sightings = Arc::new(Sightings::default());
    let seen = Arc::clone(&sightings);
    let look = move |reply: &[u8], at: Instant| {
        // One answer and no OPT: the last four octets are the address.
        let good = reply[3] & 0xf == 0 && reply[6..8] == [0, 1] && reply.len() > 16;
        match reply.last_chunk::<4>() {
            Some([127, 0, 0, n @ 11..17]) if good => {
                if *n == 13 {
                    seen.0.lock().expect("sightings").push(at);
                }
                Ok(())
            }
            _ => Err(format!("{reply:02x?}")),
        }
    };
    let query = Question::new("web.example.com.", "A").payload(None).encode(0);
    let load = Load::start(server.address(), RATE, vec![query], Arc::new(look));
    let last = |sightings: &Sightings| sightings.0.lock().expect("sightings").last().copied();
    wait_until("it is answered", || last(&sightings).is_some());
    let killed = Instant::now();
    backends[2].kill();
    wait_until("it is gone", || last(&sightings).is_some_and(|at| at.elapsed() > INTERVAL));
    let gone = last(&sightings).expect("it was there").duration_since(killed);
    let revived = Instant::now();
    backends[2].revive();
    wait_until("it is back", || last(&sightings).is_some_and(|at| at > revived));
    let seen = sightings.0.lock().expect("sightings").clone();
    let back = seen.iter().find(|at| **at > revived).expect("it is back");
    let back = back.duration_since(revived);
    let tally = load.finish();
    let slack = Duration::from_millis(100);
    assert!(gone <= INTERVAL * FALL + TIMEOUT + slack, "gone after {gone:?}");
    assert!(back <= INTERVAL * RISE + slack, "back after {back:?}");
    assert_clean(&tally);
    assert!(backends.iter().all(|backend| backend.served() > 2), "each one is probed");
    server.wait_for_line("down", Duration::from_secs(1));
}

/// Polls until `condition` holds; fails the test after ten seconds.
fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(10), "not within ten seconds: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn with_everything_down_each_form_answers_as_documented() {
    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.local_addr().expect("a bound address").port()
    };
    let check = format!(
        "check = {{ kind = \"tcp\", port = {closed}, interval = \"200ms\", timeout = \"100ms\" }}"
    );
    let zone = format!(
        "{HEAD}[services.open]\n{check}\nendpoints = [\"127.0.0.21\", \"127.0.0.22\"]\n\
         [services.shut]\n{check}\non_all_down = \"none\"\nendpoints = [\"127.0.0.21\"]\n\
         [services.last]\n{check}\non_all_down = \"sorry\"\n\
         [services.last.pools.main]\nendpoints = [\"127.0.0.23\"]\n\
         [services.last.pools.sorry]\nendpoints = [\"127.0.0.24\"]\n\
         [[services.last.routes]]\nto = [\"main\"]\n"
    );
    // The first verdicts come before the first answer.
    let (_directory, server) = serve(&zone, 1);
    let udp = Udp::connect(server.address());
    let ask = |name: &str| udp.ask(&Question::new(name, "A")).data;
    assert_eq!(ask("open.example.com.").answer.len(), 2, "fail open");
    let shut = ask("shut.example.com.");
    assert_eq!((shut.rcode.as_str(), shut.answer.len()), ("NOERROR", 0), "NODATA");
    assert_eq!(shut.authority.len(), 1, "with the SOA");
    let last = ask("last.example.com.").answer;
    assert!(last.len() == 1 && last[0].ends_with(" 127.0.0.24"), "{last:?}");
}

/// Returns one of two versions of a zone. All records have the version's TTL, and the addresses of
/// `set` and `web` are in the version's network.
fn version(number: u32) -> String {
    let (ttl, net) = if number == 1 { (100, "192.0.2") } else { (200, "198.51.100") };
    format!(
        "zone = \"example.com\"\nnameservers = [\"ns1\"]\nttl = \"{ttl}s\"\n[records]\n\
         ns1 = {{ A = \"192.0.2.53\" }}\n\
         alias = {{ CNAME = \"set\" }}\n\
         set = {{ A = [\"{net}.1\", \"{net}.2\", \"{net}.3\", \"{net}.4\"] }}\n\
         [services.web]\nttl = \"{ttl}s\"\nendpoints = [\"{net}.1\", \"{net}.2\"]\n"
    )
}

/// Checks that a response is not torn: no two of its records come from different versions.
fn is_whole(reply: &[u8]) -> Result<(), String> {
    let message = Message::from_vec(reply).map_err(|error| format!("{error}: {reply:02x?}"))?;
    let ttl = message.answers.first().map_or(0, |record| record.ttl);
    let whole = message.answers.iter().all(|record| {
        let text = record.data.to_string();
        let is_old = text.starts_with("192.0.2.");
        let is_new = text.starts_with("198.51.100.");
        record.ttl == ttl && if ttl == 100 { !is_new } else { !is_old }
    });
    let complete = matches!((message.answers.len(), ttl), (2 | 4 | 5, 100 | 200));
    if whole && complete { Ok(()) } else { Err(format!("torn: {:?}", message.answers)) }
}

#[test]
fn a_thousand_reloads_lose_nothing_and_tear_nothing() {
    let (directory, server) = serve(&version(1), 2);
    let queries = ["alias", "set", "web"]
        .map(|name| Question::new(&format!("{name}.example.com."), "A").payload(None).encode(0));
    let look = |reply: &[u8], _: Instant| is_whole(reply);
    let load = Load::start(server.address(), RATE, queries.to_vec(), Arc::new(look));
    for reload in 0..1000 {
        let before = server.lines().iter().filter(|line| line.contains("reloaded")).count();
        write(directory.path(), &version(2 - reload % 2));
        server.signal("HUP");
        server.wait_for_lines("reloaded", before + 1, Duration::from_secs(10));
    }
    write(directory.path(), &format!("{}nonsense = 1\n[services.web.odd]\n", version(2)));
    server.signal("HUP");
    server.wait_for_line("refused", Duration::from_secs(10));
    for mistake in ["nonsense", "odd"] {
        server.wait_for_line(mistake, Duration::from_secs(1));
    }
    let udp = Udp::connect(server.address());
    let after = udp.ask(&Question::new("set.example.com.", "A"));
    assert_eq!(after.data.answer.len(), 4, "the last good version answers");
    assert_clean(&load.finish());
}

/// Waits until `server` answers from the second version.
fn wait_for_second_version(server: &TestServer) {
    let udp = Udp::connect(server.address());
    wait_until("the new version answers", || {
        address(&udp.ask(&Question::new("set.example.com.", "A"))).starts_with("198.51.100.")
    });
}

#[test]
fn a_changed_file_is_noticed_without_a_signal() {
    // Some editors write a new file and rename it.
    let (directory, server) = serve(&version(1), 1);
    write(directory.path(), &version(2));
    wait_for_second_version(&server);
    // Others write the file itself.
    let (directory, server) = serve(&version(1), 1);
    std::fs::write(directory.path().join("example.com.toml"), version(2)).expect("ours");
    wait_for_second_version(&server);
}

#[test]
fn a_swapped_symlink_above_the_file_is_noticed() {
    // Kubernetes mounts a ConfigMap so: file → ..data/file, ..data → a directory with a date.
    let directory = tempfile::tempdir().expect("a directory");
    let root = directory.path();
    for number in [1, 2] {
        std::fs::create_dir(root.join(format!("..{number}"))).expect("ours");
        let file = root.join(format!("..{number}/example.com.toml"));
        std::fs::write(file, version(number)).expect("ours");
    }
    symlink("..1", root.join("..data")).expect("ours");
    symlink("..data/example.com.toml", root.join("example.com.toml")).expect("ours");
    let server = TestServer::start(root, 1);
    symlink("..2", root.join("..data_new")).expect("ours");
    std::fs::rename(root.join("..data_new"), root.join("..data")).expect("ours");
    wait_for_second_version(&server);
}

#[test]
fn queries_in_one_write_are_all_answered_over_tcp() {
    let (_directory, server) = serve(&version(1), 1);
    let mut tcp = Tcp::connect(server.address());
    for id in 0..20 {
        tcp.send(&Question::new("set.example.com.", "A").encode(id));
    }
    let mut ids: Vec<u16> =
        (0..20).map(|_| Response::decode(&tcp.receive().expect("an answer to each")).id).collect();
    ids.sort_unstable();
    assert_eq!(ids, (0..20).collect::<Vec<u16>>());
}

#[test]
fn letter_case_and_payload_size_come_back() {
    let (_directory, server) = serve(&version(1), 1);
    let udp = Udp::connect(server.address());
    let mixed = udp.ask(&Question::new("sEt.eXample.COM.", "A"));
    assert_eq!(mixed.question_name(), b"\x03sEt\x07eXample\x03COM\0");
    assert_eq!(mixed.payload, Some(1232));
    let alias = udp.ask(&Question::new("alias.example.com.", "A").payload(None));
    assert!(alias.ordered[0].contains(" CNAME "), "the alias stands before what it leads to");
    assert_eq!(alias.payload, None, "no OPT unasked");
}

#[test]
fn sigterm_ends_it_cleanly_within_five_seconds() {
    let (_directory, mut server) = serve(&version(1), 2);
    let _idle = Tcp::connect(server.address());
    server.signal("TERM");
    let status = server.wait_for_end(Duration::from_secs(5));
    assert!(status.success(), "{status}");
}

#[test]
fn eight_mistakes_are_eight_diagnostics_at_their_places() {
    let zone = "zone = \"example.com\"
nameservers = [\"ns1\"]
tll = \"1h\" # mistake
[records]
ns1 = { A = \"192.0.2.53\" }
bad = { A = \"192.0.2.256\" } # mistake
both = { CNAME = \"ns1\", TXT = \"x\" } # mistake
\"a..b\" = { A = \"192.0.2.1\" } # mistake
[services.web]
ttl = \"10 parsecs\" # mistake
check = \"sight\" # mistake
endpoints = [
  { name = \"a\", address = \"192.0.2.1\", weight = 65536 }, # mistake
  { name = \"b\", address = \"192.0.2.2\", wieght = 2 }, # mistake
]
[checks.site]
kind = \"tcp\"
port = 80
";
    let directory = tempfile::tempdir().expect("a directory");
    write(directory.path(), zone);
    let output = Command::new(env!("CARGO_BIN_EXE_waypost"))
        .arg("check")
        .arg(directory.path())
        .stdin(Stdio::null())
        .output()
        .expect("the binary runs");
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    assert_eq!(output.status.code(), Some(1), "{text}");
    let mistakes = zone.lines().enumerate().filter(|(_, line)| line.ends_with("# mistake"));
    for (at, line) in mistakes {
        assert!(text.contains(&format!("example.com.toml:{}:", at + 1)), "{line}\n{text}");
    }
    let errors = text.lines().filter(|line| line.starts_with("error: ")).count();
    assert_eq!(errors, 8, "{text}");
    assert!(text.contains("\"ttl\"") && text.contains("\"weight\""), "suggestions: {text}");
}

#[test]
fn random_octets_leave_it_alive_and_its_memory_flat() {
    let seconds = std::env::var("WAYPOST_FUZZ_SECS").ok();
    let seconds = seconds.map_or(60, |text| text.parse().expect("WAYPOST_FUZZ_SECS is a number"));
    let (_directory, mut server) = serve(&version(1), 2);
    let address = server.address();
    let end = Instant::now() + Duration::from_secs(seconds);
    let rounds = Arc::new(AtomicU64::new(0));
    let datagrams = {
        let rounds = Arc::clone(&rounds);
        thread::spawn(move || throw_datagrams(address, end, &rounds))
    };
    let streams = thread::spawn(move || throw_streams(address, end));
    thread::sleep(Duration::from_secs(seconds) / 4);
    let warm = server.resident_kib();
    datagrams.join().expect("the sender ends");
    streams.join().expect("the sender ends");
    assert!(server.is_alive());
    let grown = server.resident_kib().saturating_sub(warm);
    assert!(grown < 8 << 10, "it grew by {grown} KiB from {warm}");
    assert!(rounds.load(Ordering::Relaxed) > 1000, "octets were thrown");
    let answer = Udp::connect(address).ask(&Question::new("set.example.com.", "A"));
    assert_eq!(answer.data.answer.len(), 4);
    let panics: Vec<String> =
        server.lines().into_iter().filter(|line| line.contains("panic")).collect();
    assert!(panics.is_empty(), "{panics:?}");
}

/// Returns random octets, or a real query with a few octets changed.
fn noise(rng: &mut fastrand::Rng) -> Vec<u8> {
    if rng.bool() {
        return (0..rng.usize(..600)).map(|_| rng.u8(..)).collect();
    }
    let mut query = Question::new("alias.example.com.", "A").encode(rng.u16(..));
    for _ in 0..rng.usize(1..6) {
        let at = rng.usize(..query.len());
        query[at] = rng.u8(..);
    }
    query
}

fn throw_datagrams(server: SocketAddr, end: Instant, rounds: &AtomicU64) {
    let mut rng = fastrand::Rng::with_seed(1);
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a socket on loopback");
    socket.connect(server).expect("loopback is reachable");
    socket.set_nonblocking(true).expect("non-blocking");
    let mut buffer = [0; 4096];
    while Instant::now() < end {
        for _ in 0..20 {
            let _ = socket.send(&noise(&mut rng));
            rounds.fetch_add(1, Ordering::Relaxed);
        }
        while socket.recv(&mut buffer).is_ok() {}
        thread::sleep(Duration::from_millis(2));
    }
}

fn throw_streams(server: SocketAddr, end: Instant) {
    use std::io::Write;
    let mut rng = fastrand::Rng::with_seed(2);
    while Instant::now() < end {
        let Ok(mut stream) = std::net::TcpStream::connect(server) else {
            thread::sleep(Duration::from_millis(10));
            continue;
        };
        for _ in 0..rng.usize(1..10) {
            let noise = noise(&mut rng);
            let framed = [&(noise.len() as u16).to_be_bytes()[..], &noise].concat();
            let octets = if rng.bool() { &framed } else { &noise };
            if stream.write_all(octets).is_err() {
                break;
            }
        }
        thread::sleep(Duration::from_millis(1));
    }
}
