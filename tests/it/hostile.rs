//! Clients that are hostile, or behave as if they were: what they take is bounded, and others do
//! not notice.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::process::Command;
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use crate::dns::{Question, Tcp, Udp};
use crate::server::TestServer;

/// Connections at one time, from so many sources that none reaches its limit.
const CONNECTIONS: usize = 10_000;
const PER_SOURCE: usize = 25;

/// The number of UDP queries for one measurement.
const SAMPLES: usize = 3_000;

const ZONE: &str = "zone = \"example.com\"\nnameservers = [\"ns1\"]\n\n[records]\n\
                    ns1 = { A = \"192.0.2.53\" }\nwww = { A = \"192.0.2.80\" }\n";

fn server() -> (tempfile::TempDir, TestServer) {
    let zones = tempfile::tempdir().expect("a directory");
    std::fs::write(zones.path().join("example.com.toml"), ZONE).expect("a zone");
    let server = TestServer::start(zones.path(), 1);
    (zones, server)
}

/// Connects from an address of 127.1.0.0/16; `None` if the server did not accept in time.
fn connect_from(source: usize, server: SocketAddr) -> Option<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    let local = Ipv4Addr::new(127, 1, (source / 250) as u8, (source % 250 + 1) as u8);
    socket.bind(&SocketAddr::from((local, 0)).into()).expect("an address of loopback");
    socket.connect_timeout(&server.into(), Duration::from_secs(5)).ok()?;
    Some(socket.into())
}

/// Returns the 99th percentile of the time that UDP queries take.
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

/// Returns the user and system time of the process so far, in clock ticks of 10 ms.
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
    // Half of them send an octet of a length now; 20 of the others do so while we measure.
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
    let (zones, server) = server();
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
    // A crowd that holds all descriptors does not keep an operator from changing a zone.
    std::fs::write(zones.path().join("other.example.zone"), "nonsense\n")
        .expect("the directory is ours");
    server.wait_for_line("other.example.zone is refused", Duration::from_secs(30));
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

/// Responses a second that the flood's victim may be sent whole.
const RATE: u32 = 500;
/// Queries a second that claim to be the victim's, and the duration of the flood.
const FLOOD: u32 = 100_000;
const FLOOD_TIME: Duration = Duration::from_secs(4);

/// The traffic that a flood of queries brought its victim.
#[derive(Default)]
struct Reflected {
    asked: u64,
    octets_asked: u64,
    whole: u64,
    octets: u64,
    time: Duration,
}

/// Sends queries in the name of `victim` for [`FLOOD_TIME`], and counts what the victim is sent.
fn flood(server: SocketAddr, victim: UdpSocket) -> Reflected {
    let mut query = Question::new("www.example.com.", "A").encode(7);
    let mut reply = [0; 4096];
    let (begin, mut seen) = (Instant::now(), Reflected::default());
    victim.set_nonblocking(true).expect("a socket");
    while begin.elapsed() < FLOOD_TIME {
        let due = begin.elapsed().as_micros() as u64 * u64::from(FLOOD) / 1_000_000;
        while seen.asked < due {
            query[..2].copy_from_slice(&(seen.asked as u16).to_be_bytes());
            victim.send_to(&query, server).expect("loopback takes it");
            seen.asked += 1;
            seen.octets_asked += query.len() as u64;
            while let Ok(len) = victim.recv(&mut reply) {
                seen.octets += len as u64;
                // TC is clear.
                seen.whole += u64::from(reply[2] & 2 == 0);
            }
        }
    }
    // On a busy machine the flood takes longer than it should.
    seen.time = begin.elapsed();
    seen
}

/// Resolves as a resolver does, from the victim's own address: over UDP, three times if need be,
/// and over TCP if the response is truncated. Returns whether it got an answer.
fn resolves(server: SocketAddr, victim: Ipv4Addr, id: u16) -> bool {
    let query = Question::new("www.example.com.", "A").encode(id);
    let socket = UdpSocket::bind((victim, 0)).expect("an address of loopback");
    socket.set_read_timeout(Some(Duration::from_millis(400))).expect("a timeout");
    let mut reply = [0; 4096];
    let cut = (0..3).find_map(|_| {
        socket.send_to(&query, server).expect("loopback takes it");
        let len = socket.recv(&mut reply).ok()?;
        (len > 12 && reply[..2] == id.to_be_bytes()).then_some(reply[2] & 2 != 0)
    });
    match cut {
        Some(false) => true,
        Some(true) => {
            let tcp = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
            tcp.bind(&SocketAddr::from((victim, 0)).into()).expect("an address of loopback");
            if tcp.connect_timeout(&server.into(), Duration::from_secs(2)).is_err() {
                return false;
            }
            let response = Tcp::over(tcp.into()).ask(&Question::new("www.example.com.", "A"));
            response.data.answer.len() == 1
        }
        None => false,
    }
}

/// Returns how many datagrams to `server` the system has dropped because the server had not yet
/// read earlier ones.
fn overrun(server: SocketAddr) -> u64 {
    let table = std::fs::read_to_string("/proc/net/udp").expect("Linux tells");
    let port = format!(":{:04X}", server.port());
    let of_server = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let of_server = of_server.filter(|row| row.get(1).is_some_and(|own| own.ends_with(&port)));
    of_server.filter_map(|row| row.last()?.parse::<u64>().ok()).sum()
}

/// Starts a server with so many workers and with these rates, which hold for loopback, too.
fn limited(workers: usize, rates: &str) -> (tempfile::TempDir, TestServer) {
    let directory = tempfile::tempdir().expect("a directory");
    let config = directory.path().join("waypost.toml");
    let limits = format!("[rate_limit]\n{rates}\nexempt = \"192.0.2.0/24\"\n");
    std::fs::write(&config, limits).expect("a file");
    let zones = directory.path().join("zones");
    std::fs::create_dir(&zones).expect("a directory");
    std::fs::write(zones.join("example.com.toml"), ZONE).expect("a zone");
    let (workers, config) = (workers.to_string(), config.to_str().expect("a path of letters"));
    let server = TestServer::start_with(&zones, &["--workers", &workers, "--config", config]);
    (directory, server)
}

#[test]
fn a_flood_in_a_resolvers_name_is_not_reflected_and_does_not_silence_it() {
    let victim = Ipv4Addr::new(127, 9, 9, 9);
    let (_directory, server) = limited(1, &format!("per_source = {RATE}"));
    let address = server.address();
    let forged = UdpSocket::bind((victim, 0)).expect("an address of loopback");
    let flooding = std::thread::spawn(move || flood(address, forged));
    let (mut tried, mut resolved, mut overran) = (0u16, 0u16, 0u16);
    while !flooding.is_finished() {
        tried += 1;
        let before = overrun(address);
        match resolves(address, victim, tried) {
            true => resolved += 1,
            // The flood came faster than this machine reads: the server never saw the query.
            false if overrun(address) > before => overran += 1,
            false => {}
        }
    }
    let seen = flooding.join().expect("the flood ends by itself");
    #[allow(clippy::print_stdout, reason = "figures, for `--nocapture`")]
    {
        println!(
            "{} queries in the victim's name; sent to it: {} answers, {:.2} octets an octet asked; \
             it resolved {resolved} of {tried}, and {overran} did not reach the server",
            seen.asked,
            seen.whole,
            seen.octets as f64 / seen.octets_asked as f64
        );
    }
    // The responses of one second may come at once.
    let most = f64::from(RATE) * (seen.time.as_secs_f64() + 1.0) * 1.1;
    assert!((seen.whole as f64) < most, "{} answers reflected, at most {most}", seen.whole);
    assert!(seen.octets * 10 <= seen.octets_asked * 11, "more came out than went in");
    // The number of tries depends on the machine, which also carries the flood.
    assert!(resolved >= 10, "it resolved {resolved} of {tried}");
    assert!(overran * 4 <= tried, "{overran} of {tried} did not reach the server");
    let held_back = tried - resolved - overran;
    assert!(held_back == 0, "{held_back} of {tried} were held back, {resolved} resolved");
}

/// Floods `server` from 64 ports, spread over `hosts`, for [`FLOOD_TIME`]; returns how many
/// responses came whole, and the time in which they were sent.
fn flood_from(server: SocketAddr, hosts: &[Ipv4Addr]) -> (u64, Duration) {
    let query = Question::new("www.example.com.", "A").encode(7);
    let socket = |at: usize| {
        let socket = UdpSocket::bind((hosts[at % hosts.len()], 0)).expect("an address of loopback");
        socket.set_nonblocking(true).expect("a socket");
        socket
    };
    let sockets: Vec<UdpSocket> = (0..64).map(socket).collect();
    let (begin, mut whole) = (Instant::now(), 0);
    let read = |socket: &UdpSocket| {
        let (mut reply, mut whole) = ([0; 4096], 0);
        while let Ok(len) = socket.recv(&mut reply) {
            whole += u64::from(len > 12 && reply[2] & 2 == 0);
        }
        whole
    };
    while begin.elapsed() < FLOOD_TIME {
        for socket in &sockets {
            // A full buffer loses a query, as in any flood.
            let _ = socket.send_to(&query, server);
            whole += read(socket);
        }
    }
    // The server still answers the queries that it holds; that time counts, too.
    let mut quiet = Instant::now();
    while quiet.elapsed() < Duration::from_millis(300) {
        let more: u64 = sockets.iter().map(read).sum();
        whole += more;
        if more > 0 {
            quiet = Instant::now();
        }
    }
    (whole, begin.elapsed())
}

#[test]
fn a_flood_from_many_ports_and_hosts_meets_one_limit_of_all_workers() {
    let one = [Ipv4Addr::new(127, 9, 20, 60)];
    let network: Vec<Ipv4Addr> = (1..=64).map(|host| Ipv4Addr::new(127, 9, 71, host)).collect();
    for hosts in [&one[..], &network] {
        let (_directory, server) = limited(4, "per_source = 400\nper_network = 800");
        let rate = if hosts.len() == 1 { 400.0 } else { 800.0 };
        let (whole, time) = flood_from(server.address(), hosts);
        let allowed = rate * (1.0 + time.as_secs_f64());
        assert!(whole as f64 <= 1.1 * allowed, "{whole} whole of {allowed} in {time:?}");
        assert!(whole as f64 >= rate, "{whole} whole of {allowed} in {time:?}");
    }
}
