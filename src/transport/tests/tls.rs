use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;

use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::*;

type Client = StreamOwned<ClientConnection, TcpStream>;

/// Issues a certificate for `localhost`.
fn issue() -> CertifiedKey {
    let issued = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(issued.signing_key.serialize_der().into());
    let chain = vec![issued.cert.der().clone()];
    CertifiedKey::from_der(chain, key, &Certificate::provider()).unwrap()
}

/// Starts transports with an [`Echo`] over TLS at `at`; returns them with the real address and the
/// certificate.
fn serve_tls(at: &str, limits: StreamLimits) -> (Running, SocketAddr, Arc<Certificate>) {
    let certificate = Arc::new(Certificate::new(issue()));
    let tls = Tls { certificate: Arc::clone(&certificate), https_path: "/dns-query".into() };
    let bound = bind(&[], 1).unwrap().with_encrypted(&[(Over::Tls, address(at))], tls).unwrap();
    let (over, server) = bound.encrypted_addresses()[0];
    assert_eq!(over, Over::Tls);
    (bound.start(limits, echo).unwrap(), server, certificate)
}

/// Returns the TLS state of a client that trusts only the certificate presented now.
fn client(certificate: &Certificate) -> ClientConnection {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.newest().cert[0].clone()).unwrap();
    let provider = Arc::new(Certificate::provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"dot".to_vec()];
    ClientConnection::new(config.into(), ServerName::try_from("localhost").unwrap()).unwrap()
}

fn dial(server: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(server).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

fn connect(server: SocketAddr, certificate: &Certificate) -> Client {
    StreamOwned::new(client(certificate), dial(server))
}

fn frame(message: &[u8]) -> Vec<u8> {
    [&(message.len() as u16).to_be_bytes(), message].concat()
}

fn receive(client: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut length = [0; 2];
    client.read_exact(&mut length)?;
    let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
    client.read_exact(&mut message)?;
    Ok(message)
}

fn ask(client: &mut Client, query: &[u8]) -> Vec<u8> {
    client.write_all(&frame(query)).unwrap();
    receive(client).unwrap()
}

#[test]
fn queries_are_answered_whole_and_in_order_over_ipv4_and_ipv6() {
    for at in ["127.0.0.1:0", "[::1]:0"] {
        let (running, server, certificate) = serve_tls(at, StreamLimits::default());
        let mut client = connect(server, &certificate);
        assert_eq!(ask(&mut client, b"query"), b"query");
        assert_eq!(client.conn.alpn_protocol(), Some(&b"dot"[..]));
        assert_eq!(ask(&mut client, &[7; STREAM_RESPONSE]), [7; STREAM_RESPONSE]);
        assert_eq!(ask(&mut client, &[FILL]), [FILL; STREAM_RESPONSE]);
        let pipeline: Vec<u8> = (0..200).flat_map(|query| frame(&[b'q', query])).collect();
        client.write_all(&pipeline).unwrap();
        for query in 0..200 {
            assert_eq!(receive(&mut client).unwrap(), [b'q', query]);
        }
        let counts = running.stop().tls;
        assert_eq!((counts.accepted, counts.received, counts.sent), (1, 203, 203));
    }
}

/// A stream that breaks after `left` more octets are written to it.
struct Cut {
    stream: TcpStream,
    left: usize,
}

impl Read for Cut {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.read(buffer)
    }
}

impl Write for Cut {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let allowed = &bytes[..bytes.len().min(self.left)];
        let written = self.stream.write(allowed)?;
        self.left -= written;
        if written == 0 { Err(ErrorKind::BrokenPipe.into()) } else { Ok(written) }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

#[test]
fn a_client_that_breaks_off_at_any_byte_harms_nobody() {
    let (running, server, certificate) = serve_tls("127.0.0.1:0", StreamLimits::default());
    let mut other = connect(server, &certificate);
    let mut answered_after = None;
    for left in 0..2000 {
        let stream = Cut { stream: dial(server), left };
        let mut cut = StreamOwned::new(client(&certificate), stream);
        if cut.write_all(&frame(b"query")).is_ok() && cut.flush().is_ok() {
            assert_eq!(receive(&mut cut).unwrap(), b"query");
            answered_after = Some(left);
            break;
        }
        drop(cut);
        if left % 16 == 0 {
            assert_eq!(ask(&mut other, b"other"), b"other");
        }
    }
    assert!(answered_after.is_some_and(|bytes| bytes > 200), "{answered_after:?}");
    assert_eq!(ask(&mut other, b"other"), b"other");
    let counts = running.stop().tls;
    assert!(counts.failed_handshakes > 200, "{counts:?}");
    assert_eq!((counts.panics, counts.refused, counts.evicted), (0, 0, 0));
}

#[test]
fn what_is_no_handshake_is_closed_and_the_others_are_served() {
    let (running, server, certificate) = serve_tls("127.0.0.1:0", StreamLimits::default());
    let mut other = connect(server, &certificate);
    let mut rng = fastrand::Rng::with_seed(853);
    let mut garbage: Vec<Vec<u8>> =
        (1..200).map(|len| (0..len).map(|_| rng.u8(..)).collect()).collect();
    garbage.push(frame(b"query"));
    garbage.push(b"GET /dns-query HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec());
    garbage.push([&[22, 3, 1, 0x40, 0][..], &[0xff; 0x4000]].concat());
    let count = garbage.len();
    for bytes in garbage {
        let mut stream = dial(server);
        // The server may close before it has read all of it.
        let _ = stream.write_all(&bytes);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let _ = stream.read_to_end(&mut Vec::new());
        assert_eq!(ask(&mut other, b"other"), b"other");
    }
    assert_eq!(running.stop().tls.failed_handshakes, count as u64);
}

#[test]
fn a_handshake_that_takes_too_long_is_cut_off_and_the_others_are_served() {
    let limits = StreamLimits { first_query: Duration::from_millis(300), ..Default::default() };
    let (running, server, certificate) = serve_tls("127.0.0.1:0", limits);
    let mut hello = Vec::new();
    client(&certificate).write_tls(&mut hello).unwrap();
    let mut slow = dial(server);
    slow.set_read_timeout(Some(Duration::from_millis(10))).unwrap();
    let clock = Clock::system();
    for byte in hello.chunks(1) {
        let mut other = connect(server, &certificate);
        assert_eq!(ask(&mut other, b"other"), b"other");
        let _ = slow.write_all(byte);
        let closed = match slow.read(&mut [0]) {
            Ok(count) => count == 0,
            Err(error) => error.kind() == ErrorKind::ConnectionReset,
        };
        if closed {
            break;
        }
        assert!(elapsed(&clock) < PATIENCE, "the server never lost patience");
    }
    assert!(elapsed(&clock) >= Duration::from_millis(290), "{:?}", elapsed(&clock));
    // The query must follow the handshake within the same time.
    let mut silent = connect(server, &certificate);
    silent.conn.complete_io(&mut silent.sock).unwrap();
    assert_eq!(silent.read(&mut [0]).unwrap(), 0, "closed, and said so");
    assert_eq!(running.stop().tls.expired, 2);
}

#[test]
fn a_client_that_does_not_read_is_cut_off_and_the_others_are_served() {
    let limits = StreamLimits { write: Duration::from_millis(300), ..StreamLimits::default() };
    let (running, server, certificate) = serve_tls("127.0.0.1:0", limits);
    let mut other = connect(server, &certificate);
    let mut deaf = connect(server, &certificate);
    assert_eq!(ask(&mut deaf, b"query"), b"query");
    deaf.sock.set_nonblocking(true).unwrap();
    let clock = Clock::system();
    // Every query is answered with 64 KiB that nobody takes.
    while running.counters().tls.send_errors == 0 {
        let _ = deaf.conn.writer().write(&frame(&[FILL]));
        let _ = deaf.conn.write_tls(&mut deaf.sock);
        assert_eq!(ask(&mut other, b"query"), b"query");
        assert!(elapsed(&clock) < PATIENCE, "the server never lost patience");
    }
    running.stop();
}

#[test]
fn tls_has_seats_of_its_own() {
    let limits = StreamLimits { connections_per_source: 2, ..StreamLimits::default() };
    let (running, server, certificate) = serve_tls("127.0.0.1:0", limits);
    let [mut one, mut two] = [(); 2].map(|()| connect(server, &certificate));
    assert_eq!((ask(&mut one, b"1"), ask(&mut two, b"2")), (b"1".to_vec(), b"2".to_vec()));
    let mut three = connect(server, &certificate);
    assert!(three.write_all(&frame(b"3")).and_then(|()| receive(&mut three)).is_err());
    let totals = running.stop();
    assert_eq!((totals.tls.refused, totals.stream.refused), (1, 0));
}

#[test]
fn a_new_certificate_is_presented_from_the_next_handshake_on() {
    let (running, server, certificate) = serve_tls("127.0.0.1:0", StreamLimits::default());
    let mut before = connect(server, &certificate);
    assert_eq!(ask(&mut before, b"query"), b"query");
    certificate.replace(issue());
    // Open connections stay. New ones meet, and verify, the new certificate.
    assert_eq!(ask(&mut before, b"query"), b"query");
    let mut after = connect(server, &certificate);
    assert_eq!(ask(&mut after, b"query"), b"query");
    assert_ne!(before.conn.peer_certificates(), after.conn.peer_certificates());
    running.stop();
}

#[test]
fn what_was_received_before_the_stop_is_answered_and_the_end_is_said() {
    let (running, server, certificate) = serve_tls("127.0.0.1:0", StreamLimits::default());
    let mut busy = connect(server, &certificate);
    let shaking = dial(server);
    assert_eq!(ask(&mut busy, b"query"), b"query");
    let pipeline: Vec<u8> = (0..100u8).flat_map(|query| frame(&[b'q', query])).collect();
    busy.write_all(&pipeline).unwrap();
    let clock = Clock::system();
    running.stop();
    assert!(elapsed(&clock) < Duration::from_secs(1), "{:?}", elapsed(&clock));
    for query in 0..100u8 {
        assert_eq!(receive(&mut busy).unwrap(), [b'q', query]);
    }
    // This is not the error of a connection that was merely cut.
    assert_eq!(busy.read(&mut [0]).unwrap(), 0);
    assert_eq!((&shaking).read(&mut [0]).unwrap_or(0), 0);
    assert!(TcpStream::connect(server).is_err());
}

#[test]
fn an_address_that_another_transport_has_is_an_error_that_names_it() {
    let tls = || Tls {
        certificate: Arc::new(Certificate::new(issue())),
        https_path: "/dns-query".into(),
    };
    let bound = || bind(&[address("127.0.0.1:0")], 1).unwrap();
    let plain = bound();
    let taken = plain.addresses()[0];
    let error = plain.with_encrypted(&[(Over::Quic, taken)], tls()).unwrap_err().to_string();
    assert!(
        error.contains(&format!("over QUIC: {taken} is listed for TCP and takes it")),
        "{error}"
    );

    let free = address("127.0.0.1:0");
    let first = bound().with_encrypted(&[(Over::Tls, free)], tls()).unwrap();
    let tls_address = first.encrypted_addresses()[0].1;
    drop(first);
    // Streams and datagrams do not collide; two kinds of streams do.
    let both = [(Over::Tls, tls_address), (Over::Quic, tls_address)];
    assert!(bound().with_encrypted(&both, tls()).is_ok());
    let both = [(Over::Tls, tls_address), (Over::Https, tls_address)];
    let error = bound().with_encrypted(&both, tls()).unwrap_err().to_string();
    assert!(error.contains("over HTTPS") && error.contains("is listed for TLS"), "{error}");
}
