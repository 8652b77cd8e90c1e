//! Clients of HTTPS, QUIC and HTTP/3 that are hostile, or behave as if they were: what they take is
//! bounded in number and time, and other clients do not notice.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;
use socket2::{Domain, Socket, Type};

use crate::encrypted::{Client, Issued, serve};
use crate::server::TestServer;

/// The time within which a well-behaved client is served, however busy this machine is.
const PATIENCE: Duration = Duration::from_secs(10);

const ZONE: &str = "zone = \"example.com\"\nnameservers = [\"ns1\"]\n\n[records]\n\
                    ns1 = { A = \"192.0.2.53\" }\nwww = { A = \"192.0.2.80\" }\n";

/// A query for www.example.com A, with the id 0.
const QUERY: &[u8] = b"\0\0\0\0\0\x01\0\0\0\0\0\0\x03www\x07example\x03com\0\0\x01\0\x01";

/// A server of [`ZONE`], and of `big.example.com TXT`, whose answer has 60 KB.
struct Stage {
    server: TestServer,
    issued: Issued,
    _directories: [tempfile::TempDir; 2],
}

impl Stage {
    fn new(settings: &str) -> Self {
        let directories = [(); 2].map(|()| tempfile::tempdir().expect("a directory"));
        let texts: Vec<String> = (0..250).map(|n| format!("\"{n:0>240}\"")).collect();
        let zone = format!("{ZONE}\n[records.big]\nTXT = [{}]\n", texts.join(","));
        write(directories[0].path(), &zone);
        let issued = Issued::new();
        issued.write(directories[1].path());
        let server = serve(directories[0].path(), directories[1].path(), settings);
        Self { server, issued, _directories: directories }
    }

    /// Connects over `transport` and asks; fails the test if that takes long.
    fn serves(&self, transport: &str) {
        let begin = Instant::now();
        let mut client = Client::connect(&self.server, transport, &self.issued)
            .unwrap_or_else(|error| panic!("{transport}: {error}"));
        let response = client.exchange(QUERY).unwrap_or_else(|e| panic!("{transport}: {e}"));
        assert!(response.ends_with(&[192, 0, 2, 80]), "{response:02x?}");
        assert!(begin.elapsed() < PATIENCE, "{transport} took {:?}", begin.elapsed());
    }

    fn https(&self) -> SocketAddr {
        self.server.encrypted_address("HTTPS")
    }
}

fn write(directory: &Path, zone: &str) {
    std::fs::write(directory.join("example.com.toml"), zone).expect("the directory is ours");
}

/// Opens a TCP connection from 127.2.0.`source`.
fn connect_from(source: u8, server: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    let local = Ipv4Addr::new(127, 2, 0, source);
    socket.bind(&SocketAddr::from((local, 0)).into()).expect("an address of loopback");
    socket.connect(&server.into()).expect("loopback accepts");
    socket.into()
}

/// Returns whether the server has closed the connection, or closes it within `patience`.
fn is_closed(mut stream: &TcpStream, patience: Duration) -> bool {
    stream.set_read_timeout(Some(patience)).expect("a timeout");
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => {
                return !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
            }
        }
    }
}

/// Returns the first datagrams of `count` QUIC clients; anybody can send such from any address.
fn initials(count: usize, issued: &Issued, alpn: &[u8]) -> Vec<Vec<u8>> {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let nobody = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    nobody.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let initial = |_| {
        let (_endpoint, _connecting) =
            runtime.block_on(async { issued.dial(nobody.local_addr().expect("an address"), alpn) });
        let mut datagram = [0; 2048];
        let len = nobody.recv(&mut datagram).expect("an Initial");
        datagram[..len].to_vec()
    };
    (0..count).map(initial).collect()
}

#[test]
fn silent_and_stalled_clients_hold_up_nobody_and_are_gone_in_time() {
    let stage = Stage::new("[limits]\ntcp_first_query = \"1s\"\n");
    // Every other one sends the beginning of a ClientHello, the rest send nothing at all.
    let mut connections: Vec<TcpStream> =
        (0..120).map(|at| connect_from(1 + at / 30, stage.https())).collect();
    for stream in connections.iter_mut().step_by(2) {
        stream.write_all(&[22, 3, 1, 1, 0, 1]).expect("it is not closed yet");
    }
    for transport in ["HTTPS", "QUIC", "H3"] {
        stage.serves(transport);
    }
    assert!(connections.iter().all(|stream| is_closed(stream, PATIENCE)));
}

#[test]
fn forged_initials_reflect_less_than_they_are_and_hold_up_nobody() {
    let stage = Stage::new("");
    for (transport, alpn) in [("QUIC", &b"doq"[..]), ("H3", b"h3")] {
        let address = stage.server.encrypted_address(transport);
        // Each is half a handshake. All come from one address, which would reach its limit first.
        let victim = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        victim.set_read_timeout(Some(Duration::from_millis(200))).expect("a timeout");
        let (mut sent, mut reflected) = (0, 0);
        let mut buffer = [0; 2048];
        for initial in initials(40, &stage.issued, alpn) {
            for _ in 0..5 {
                sent += victim.send_to(&initial, address).expect("loopback");
            }
            if let Ok(len) = victim.recv(&mut buffer) {
                reflected += len;
            }
        }
        let begin = Instant::now();
        stage.serves(transport);
        assert!(begin.elapsed() < Duration::from_secs(4), "{transport}: {:?}", begin.elapsed());
        while let Ok(len) = victim.recv(&mut buffer) {
            reflected += len;
        }
        assert!(reflected > 0, "{transport} sends a Retry");
        assert!(reflected < sent, "{transport} made {reflected} octets of {sent}");
    }
}

#[test]
fn a_source_and_all_together_get_no_more_than_their_share() {
    let stage = Stage::new("[limits]\ntcp_connections = 8\ntcp_connections_per_source = 4\n");
    let from_one: Vec<TcpStream> = (0..6).map(|_| connect_from(1, stage.https())).collect();
    let is_refused = |stream: &&TcpStream| is_closed(stream, Duration::from_millis(300));
    let refused = from_one.iter().filter(is_refused).count();
    assert_eq!(refused, 2, "of six connections of one source");
    for transport in ["QUIC", "H3"] {
        let mut held = Vec::new();
        while held.len() < 4 {
            let client = Client::connect(&stage.server, transport, &stage.issued);
            held.push(client.expect("within the limit"));
        }
        let refused = Client::connect(&stage.server, transport, &stage.issued).err();
        assert!(refused.is_some(), "the fifth connection over {transport}");
        // A connection that is given back can be had again.
        drop(held);
        let begin = Instant::now();
        while Client::connect(&stage.server, transport, &stage.issued).is_err() {
            assert!(begin.elapsed() < PATIENCE, "{transport} takes nobody any more");
        }
    }
    // With more connections than the limit, the idlest go.
    let others: Vec<TcpStream> = (2..12).map(|at| connect_from(at, stage.https())).collect();
    assert!(others[0].peer_addr().is_ok());
    stage.serves("HTTPS");
}

#[test]
fn headers_and_contents_that_trickle_in_are_cut_off() {
    let stage = Stage::new("[limits]\ntcp_first_query = \"1s\"\ntcp_idle = \"1s\"\n");
    for beginning in [
        "GET /dns-query?dns=AAABAAABAAAAAAAAA3d3dwdleGFtcGxlA2NvbQAAAQAB HTTP/1.1\r\n",
        "POST /dns-query HTTP/1.1\r\nhost: localhost\r\ncontent-length: 60000\r\n\
         content-type: application/dns-message\r\n\r\n",
    ] {
        let mut stream = stage.issued.over_tls(stage.https(), b"http/1.1").expect("a handshake");
        stream.sock.set_read_timeout(Some(Duration::from_millis(50))).expect("a timeout");
        stream.write_all(beginning.as_bytes()).expect("it is not closed yet");
        let begin = Instant::now();
        loop {
            let gone = stream.write_all(b"x").is_err() || stream.flush().is_err();
            let read = stream.read(&mut [0; 512]);
            let gone = gone || read.is_ok_and(|len| len == 0);
            if gone {
                break;
            }
            assert!(begin.elapsed() < PATIENCE, "still there: {beginning}");
        }
    }
    stage.serves("HTTPS");
}

/// Opens HTTP/2 to the server of `stage`, with a window of `window` octets for each response.
async fn http2(
    stage: &Stage,
    window: u32,
) -> (h2::client::SendRequest<Bytes>, tokio::task::JoinHandle<()>) {
    let stream = tokio::net::TcpStream::connect(stage.https()).await.expect("loopback accepts");
    let stream = stage.issued.secure(stream, b"h2").await.expect("a handshake");
    let mut builder = h2::client::Builder::new();
    builder.initial_window_size(window).initial_max_send_streams(64);
    let (sender, connection) = builder.handshake(stream).await.expect("HTTP/2");
    let driver = tokio::spawn(async move { drop(connection.await) });
    (sender, driver)
}

fn get(query: &[u8]) -> Request<()> {
    use base64::Engine;
    let query = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(query);
    Request::get(format!("https://localhost/dns-query?dns={query}")).body(()).expect("a request")
}

#[test]
fn requests_that_are_reset_at_once_end_the_connection_and_no_other() {
    let stage = Stage::new("");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let sent = runtime.block_on(async {
        let (mut sender, _driver) = http2(&stage, 65_535).await;
        for sent in 0..20_000 {
            let Ok(ready) = sender.ready().await else { return sent };
            sender = ready;
            let Ok((_, mut stream)) = sender.send_request(get(QUERY), false) else { return sent };
            stream.send_reset(h2::Reason::CANCEL);
        }
        20_000
    });
    assert!(sent < 20_000, "nobody stopped it");
    stage.serves("HTTPS");
}

#[test]
fn a_client_that_takes_no_response_is_given_few_and_then_cut_off() {
    let stage = Stage::new("");
    stage.serves("HTTPS");
    let before = stage.server.resident_kib();
    let big = b"\0\0\0\0\0\x01\0\0\0\0\0\0\x03big\x07example\x03com\0\0\x10\0\x01";
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let mut connections = Vec::new();
        for _ in 0..20 {
            let (sender, driver) = http2(&stage, 0).await;
            let mut responses = Vec::new();
            for _ in 0..64 {
                let Ok(mut ready) = sender.clone().ready().await else { break };
                let Ok((response, _)) = ready.send_request(get(big), true) else { break };
                responses.push(response);
            }
            connections.push((driver, sender, responses));
        }
        stage_is_calm(&stage, before);
        for (driver, ..) in &mut connections {
            tokio::time::timeout(PATIENCE + PATIENCE, driver).await.expect("cut off").expect("h2");
        }
    });
    stage.serves("HTTPS");
}

/// Fails the test if 20 connections, each of which asks for 4 MB, cost 24 MiB or more.
fn stage_is_calm(stage: &Stage, before: u64) {
    let grown = stage.server.resident_kib().saturating_sub(before);
    assert!(grown < 24 * 1024, "{grown} KiB more");
}

#[test]
fn a_client_of_quic_that_breaks_the_rules_is_told_so() {
    let stage = Stage::new("");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let framed = |query: &[u8]| [&(query.len() as u16).to_be_bytes(), query].concat();
    let with_id = [b"\0\x01", &QUERY[2..]].concat();
    for (what, octets) in [
        ("an id", framed(&with_id)),
        ("two queries", framed(QUERY).repeat(2)),
        ("half a query", framed(QUERY)[..20].to_vec()),
        ("nothing", Vec::new()),
        ("a response", framed(&[&QUERY[..2], b"\x80", &QUERY[3..]].concat())),
    ] {
        let reason = runtime.block_on(async {
            let address = stage.server.encrypted_address("QUIC");
            let (_endpoint, connecting) = stage.issued.dial(address, b"doq");
            let connection = connecting.await.expect("a handshake");
            let (mut send, _receive) = connection.open_bi().await.expect("a stream");
            send.write_all(&octets).await.expect("room");
            send.finish().expect("an end");
            tokio::time::timeout(PATIENCE, connection.closed()).await.expect("closed")
        });
        let quinn::ConnectionError::ApplicationClosed(closed) = reason else {
            panic!("{what}: {reason}");
        };
        assert_eq!(closed.error_code.into_inner(), 2, "DOQ_PROTOCOL_ERROR for {what}");
    }
    stage.serves("QUIC");
}

#[test]
fn an_idle_connection_is_closed_whatever_keeps_it_alive() {
    let stage = Stage::new("[limits]\ntcp_first_query = \"1s\"\ntcp_idle = \"1s\"\n");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        for alpn in [&b"doq"[..], b"h3"] {
            let transport = if alpn == b"h3" { "H3" } else { "QUIC" };
            let address = stage.server.encrypted_address(transport);
            // The client sends a PING every 100 ms.
            let (_endpoint, connecting) = stage.issued.dial(address, alpn);
            let connection = connecting.await.expect("a handshake");
            let closed = tokio::time::timeout(PATIENCE, connection.closed()).await;
            closed.unwrap_or_else(|_| panic!("{transport} keeps it"));
        }
        let (_sender, driver) = http2(&stage, 65_535).await;
        tokio::time::timeout(PATIENCE, driver).await.expect("HTTPS closes it").expect("h2");
    });
}
