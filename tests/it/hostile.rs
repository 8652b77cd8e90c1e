//! Clients that mean harm, or behave as if: what they take is bounded, and others do not notice.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use crate::dns::{Question, Tcp, Udp};
use crate::server::TestServer;

/// Connections at one time, from so many sources that the limit of each is not reached.
const CONNECTIONS: usize = 10_000;
const PER_SOURCE: usize = 25;

/// UDP queries for one measurement.
const SAMPLES: usize = 3_000;

const ZONE: &str = "zone = \"example.com\"\nnameservers = [\"ns1\"]\n\n[records]\n\
                    ns1 = { A = \"192.0.2.53\" }\nwww = { A = \"192.0.2.80\" }\n";

fn server() -> (tempfile::TempDir, TestServer) {
    let zones = tempfile::tempdir().expect("a directory");
    std::fs::write(zones.path().join("example.com.toml"), ZONE).expect("a zone");
    let server = TestServer::start(zones.path(), 1);
    (zones, server)
}

/// A connection from 127.0.`source`; `None` if the server did not take it in time.
fn connect_from(source: usize, server: SocketAddr) -> Option<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    let local = Ipv4Addr::new(127, 1, (source / 250) as u8, (source % 250 + 1) as u8);
    socket.bind(&SocketAddr::from((local, 0)).into()).expect("an address of loopback");
    socket.connect_timeout(&server.into(), Duration::from_secs(5)).ok()?;
    Some(socket.into())
}

/// The 99th percentile of the time that UDP queries take.
fn udp_p99(server: SocketAddr) -> Duration {
    let (client, question) = (Udp::connect(server), Question::new("www.example.com.", "A"));
    let mut times: Vec<Duration> = (0..SAMPLES)
        .map(|_| {
            let begin = Instant::now();
            client.ask(&question);
            begin.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[SAMPLES * 99 / 100]
}

fn open_files(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd")).expect("our own child").count()
}

/// User and system time of the process so far, in clock ticks of 10 ms.
fn cpu_ticks(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("our own child");
    let fields = stat.rsplit(')').next().expect("fields behind the name").split_whitespace();
    fields.skip(11).take(2).map(|ticks| ticks.parse::<u64>().expect("a number")).sum()
}

#[test]
fn ten_thousand_idle_connections_and_dribblers_harm_nobody_else() {
    let files = (CONNECTIONS + 500) as u64;
    assert!(rlimit::increase_nofile_limit(files).expect("the limit") >= files, "open files");
    let (_zones, server) = server();
    let quiet = udp_p99(server.address());
    let resident = server.resident_kib();

    let mut connections: Vec<TcpStream> =
        (0..CONNECTIONS).filter_map(|at| connect_from(at / PER_SOURCE, server.address())).collect();
    assert!(connections.len() > CONNECTIONS * 9 / 10, "{}", connections.len());
    // Half of them dribble: an octet of a length now, and one of a message while we measure.
    for stream in connections.iter_mut().step_by(2) {
        let _ = stream.write(&[1]);
    }
    let hostile = udp_p99(server.address());
    let mut slowest = Duration::ZERO;
    for (at, stream) in (0..20).zip(connections.iter_mut().skip(1).step_by(2)) {
        let _ = stream.write(&[at]);
        let begin = Instant::now();
        Tcp::connect(server.address()).ask(&Question::new("www.example.com.", "A"));
        slowest = slowest.max(begin.elapsed());
    }
    let grown = server.resident_kib().saturating_sub(resident);
    #[allow(clippy::print_stdout, reason = "figures, for `--nocapture`")]
    {
        println!("p99 {quiet:?} quiet, {hostile:?} hostile; TCP {slowest:?}; RSS +{grown} KiB");
    }
    assert!(hostile < quiet * 10 + Duration::from_millis(5), "{quiet:?} became {hostile:?}");
    assert!(slowest < Duration::from_secs(1), "a client over TCP waited {slowest:?}");
    assert!(grown < 64 * 1024, "{grown} KiB more");
    assert!(open_files(server.pid()) < 1_024 + 100, "{} open files", open_files(server.pid()));
}

#[test]
fn an_octet_a_time_keeps_no_connection_open() {
    let (_zones, server) = server();
    let mut stream = TcpStream::connect(server.address()).expect("loopback accepts");
    stream.set_read_timeout(Some(Duration::from_millis(200))).expect("a timeout");
    let begin = Instant::now();
    let closed = loop {
        // A length of 257, and then the message that never ends.
        let gone = stream.write_all(&[1]).is_err() || matches!(stream.read(&mut [0; 1]), Ok(0));
        if gone || begin.elapsed() > Duration::from_secs(10) {
            break begin.elapsed();
        }
    };
    assert!(closed < Duration::from_secs(4), "still there after {closed:?}");
}

#[test]
fn without_descriptors_it_answers_over_udp_does_not_spin_and_recovers() {
    let (_zones, server) = server();
    let address = server.address();
    let limit = open_files(server.pid()) + 8;
    let limited = Command::new("prlimit")
        .arg(format!("--pid={}", server.pid()))
        .arg(format!("--nofile={limit}:{limit}"))
        .status()
        .expect("prlimit of util-linux");
    assert!(limited.success());
    let crowd: Vec<_> = (0..40).filter_map(|at| connect_from(at, address)).collect();
    server.wait_for_line("cannot accept connections", Duration::from_secs(5));
    let (begin, before) = (Instant::now(), cpu_ticks(server.pid()));
    let (client, question) = (Udp::connect(address), Question::new("www.example.com.", "A"));
    while begin.elapsed() < Duration::from_secs(2) {
        client.ask(&question);
        std::thread::sleep(Duration::from_millis(20));
    }
    let spent = cpu_ticks(server.pid()) - before;
    assert!(spent < 40, "{spent} ticks of 10 ms in two seconds");
    drop(crowd);
    let response = Tcp::connect(address).ask(&question);
    assert_eq!(response.data.answer.len(), 1);
}
