//! Probes against real servers on the loopback.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::*;
use crate::health::{AgentReply, Readiness, Spoken};
use crate::zone::{Agent, Check, Expiry, HttpCheck, HttpExpect, StatusRange, TcpCheck, TlsOptions};

mod expect;
mod hostile;
mod kinds;
mod phases;
mod reuse;
mod tls;
mod truth;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nall is well";
const SHORT: Duration = Duration::from_millis(300);
const AMPLE: Duration = Duration::from_secs(20);

/// Starts a server that runs `serve` on every connection, for as long as the test's runtime lives.
async fn server<F>(serve: impl Fn(TcpStream) -> F + Send + 'static) -> SocketAddr
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(serve(stream));
        }
    });
    address
}

/// Reads the head of one request.
async fn request(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = stream.read_u8().await else { break };
        head.push(byte);
    }
    String::from_utf8(head).unwrap()
}

async fn respond(mut stream: impl AsyncRead + AsyncWrite + Unpin, response: &str) {
    request(&mut stream).await;
    let _ = stream.write_all(response.as_bytes()).await;
    let _ = stream.shutdown().await;
}

async fn hang(_stream: TcpStream) {
    std::future::pending().await
}

/// Starts a server that answers every request with this response.
async fn http_server(response: &'static str) -> SocketAddr {
    server(move |stream| respond(stream, response)).await
}

fn http() -> HttpCheck {
    HttpCheck {
        tls: None,
        method: "GET".into(),
        path: "/healthz?deep=1".into(),
        host: None,
        headers: Vec::new(),
        body: None,
        reuse: false,
        expect: HttpExpect::of_status(vec![StatusRange { first: 200, last: 399 }]),
    }
}

/// Returns a check of a response whose body has `text`.
fn wanting(text: &str) -> HttpCheck {
    HttpCheck { expect: HttpExpect { body: Some(text.into()), ..http().expect }, ..http() }
}

async fn probe(address: SocketAddr, kind: CheckKind, timeout: Duration) -> Result<Reason, Reason> {
    let check = Check { interval: AMPLE, timeout, ..Check::new(kind) };
    Prober::new(&check, &Outlets::new(Reach::everywhere()))
        .probe(address)
        .await
        .0
        .map(|passed| passed.reason)
}

/// Returns what a probe hears an agent say at `address`.
async fn hear(address: SocketAddr, kind: CheckKind, header: Option<&str>) -> Spoken {
    let agent = Agent { header: header.map(str::to_owned), weight_min: 0, weight_max: 100 };
    let check = Check { agent: Some(agent.clone()), timeout: AMPLE, ..Check::new(kind) };
    let passed = Prober::new(&check, &Outlets::new(Reach::everywhere()))
        .probe(address)
        .await
        .0
        .expect("it passes");
    AgentReply::read(&passed.text, &agent).spoken.expect("known words").0
}

/// Ends the connection that a probe has left.
async fn part(parting: Parting) {
    if let Some(end) = parting.end() {
        end.await;
    }
}

async fn probe_http(address: SocketAddr, check: HttpCheck) -> Result<Reason, Reason> {
    probe(address, CheckKind::Http(check), AMPLE).await
}

async fn probe_body(address: SocketAddr, text: &str) -> Result<Reason, Reason> {
    probe_http(address, wanting(text)).await
}

async fn probe_tcp(
    address: SocketAddr,
    send: Option<&str>,
    expect: Option<&str>,
) -> Result<Reason, Reason> {
    let bytes = |text: &str| text.as_bytes().to_vec();
    let check = TcpCheck { send: send.map(bytes), expect: expect.map(bytes) };
    probe(address, CheckKind::Tcp(check), AMPLE).await
}

/// Takes a port that refuses connections for as long as this socket lives.
fn refusing() -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    socket
}

#[tokio::test]
async fn a_wanted_status_passes_and_another_fails_with_both_named() {
    assert_eq!(probe_http(http_server(OK).await, http()).await, Ok(Reason::Status(200)));
    let broken = http_server("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n").await;
    let reason = probe_http(broken, http()).await.unwrap_err();
    assert_eq!(reason.to_string(), "status 503, expected 200-399");
}

#[tokio::test]
async fn a_redirect_is_judged_by_its_own_status_and_not_followed() {
    let away = "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(probe_http(http_server(away).await, http()).await, Ok(Reason::Status(302)));
}

#[tokio::test]
async fn a_request_carries_what_the_check_says() {
    let (seen, mut heads) = mpsc::unbounded_channel();
    let address = server(move |mut stream| {
        let seen = seen.clone();
        async move {
            seen.send(request(&mut stream).await).unwrap();
            let _ = stream.write_all(OK.as_bytes()).await;
        }
    })
    .await;
    probe_http(address, http()).await.unwrap();
    let head = heads.recv().await.unwrap().to_lowercase();
    assert!(head.starts_with("get /healthz?deep=1 http/1.1\r\n"), "{head}");
    assert!(head.contains(&format!("\r\nhost: {address}\r\n")), "{head}");
    let agent = concat!("\r\nuser-agent: waypost/", env!("CARGO_PKG_VERSION"), "\r\n");
    assert!(head.contains(agent), "{head}");

    let named = HttpCheck {
        method: "HEAD".into(),
        host: Some("web.example.com".into()),
        headers: vec![("X-Probe".into(), "one".into()), ("User-Agent".into(), "own".into())],
        ..http()
    };
    probe_http(address, named).await.unwrap();
    let head = heads.recv().await.unwrap().to_lowercase();
    assert!(head.starts_with("head /healthz?deep=1 http/1.1\r\n"), "{head}");
    for line in ["host: web.example.com", "x-probe: one", "user-agent: own"] {
        assert!(head.contains(&format!("\r\n{line}\r\n")), "{head}");
    }
}

#[tokio::test]
async fn a_body_must_contain_the_text_within_its_first_16_kib() {
    let address = http_server(OK).await;
    assert_eq!(probe_body(address, "is well").await, Ok(Reason::Status(200)));
    assert_eq!(probe_body(address, "is ill").await, Err(Reason::BodyLacksText));
    let late = server(|stream| async move {
        let body = format!("{}late", "x".repeat(WINDOW - 2));
        let response = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        respond(stream, &response).await;
    })
    .await;
    assert_eq!(probe_body(late, "xla").await, Ok(Reason::Status(200)));
    assert_eq!(probe_body(late, "late").await, Err(Reason::BodyLacksText));
}

#[tokio::test]
async fn an_endless_body_ends_the_probe_early_and_the_connection_with_it() {
    let (gone, mut ended) = mpsc::unbounded_channel();
    let address = server(move |mut stream| {
        let gone = gone.clone();
        async move {
            request(&mut stream).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
            while stream.write_all(&[b'x'; 4096]).await.is_ok() {}
            gone.send(()).unwrap();
        }
    })
    .await;
    let started = Instant::now();
    assert_eq!(probe_body(address, "never").await, Err(Reason::BodyLacksText));
    assert!(started.elapsed() < AMPLE / 2);
    ended.recv().await.unwrap();
}

#[tokio::test]
async fn a_body_that_trickles_is_cut_off_by_the_timeout() {
    let address = server(|mut stream| async move {
        request(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
        while stream.write_all(b"x").await.is_ok() {
            tokio::time::sleep(SHORT / 10).await;
        }
    })
    .await;
    let check = wanting("never");
    let outcome = probe(address, CheckKind::Http(check), SHORT).await;
    assert_eq!(outcome, Err(Reason::Unfinished(SHORT)));
}

#[tokio::test]
async fn silence_is_no_response_in_time_for_every_kind() {
    let address = server(hang).await;
    let tcp = TcpCheck { send: None, expect: Some(b"220".to_vec()) };
    let expiry = Expiry::default();
    let tls = TlsOptions { verify: false, server_name: None, ca_pem: None, expiry, own: None };
    for kind in [
        CheckKind::Http(http()),
        CheckKind::Http(HttpCheck { tls: Some(tls), ..http() }),
        CheckKind::Tcp(tcp),
    ] {
        let started = Instant::now();
        assert_eq!(probe(address, kind, SHORT).await, Err(Reason::NoResponse(SHORT)));
        assert!(started.elapsed() >= SHORT && started.elapsed() < AMPLE);
    }
}

#[tokio::test]
async fn a_closed_port_is_a_refused_connection_for_every_kind() {
    let socket = refusing();
    let address = socket.local_addr().unwrap();
    assert_eq!(probe_http(address, http()).await, Err(Reason::Refused));
    assert_eq!(probe_tcp(address, None, None).await, Err(Reason::Refused));
}

#[tokio::test]
async fn garbage_is_no_http_response_and_an_early_end_is_told() {
    let garbage = http_server("\u{1b}[31mSSH-2.0-nope\r\n\r\n").await;
    assert_eq!(probe_http(garbage, http()).await, Err(Reason::NotHttp));
    for bytes in ["", "HTTP/1.1 200"] {
        assert_eq!(probe_http(http_server(bytes).await, http()).await, Err(Reason::Closed));
    }
    let short = http_server("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nall").await;
    assert!(probe_body(short, "well").await.is_err());
}

#[tokio::test]
async fn a_reset_is_told_from_a_refusal() {
    let address = server(|mut stream| async move {
        request(&mut stream).await;
        socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
    })
    .await;
    assert_eq!(probe_http(address, http()).await, Err(Reason::Reset));
}

#[tokio::test]
async fn a_check_that_http_cannot_express_fails_and_says_why() {
    let address = http_server(OK).await;
    let header = ("Bad Name".into(), "x".into());
    for check in [
        HttpCheck { method: "GET /".into(), ..http() },
        HttpCheck { headers: vec![header], ..http() },
        HttpCheck { headers: vec![("X-Split".into(), "a\r\nb".into())], ..http() },
    ] {
        assert!(matches!(probe_http(address, check).await, Err(Reason::Unusable(_))));
    }
}

#[tokio::test]
async fn a_connection_alone_passes_a_tcp_check() {
    let address = server(hang).await;
    assert_eq!(probe_tcp(address, None, None).await, Ok(Reason::Connected));
    assert_eq!(probe_tcp(address, Some("PING\r\n"), None).await, Ok(Reason::Connected));
}

#[tokio::test]
async fn a_tcp_banner_is_found_even_in_pieces() {
    let address = server(|mut stream| async move {
        for byte in b"220 mail.example.com ESMTP\r\n" {
            stream.write_all(&[*byte]).await.unwrap();
            stream.flush().await.unwrap();
        }
    })
    .await;
    assert_eq!(probe_tcp(address, None, Some("ESMTP")).await, Ok(Reason::Received));
    assert_eq!(probe_tcp(address, None, Some("421")).await, Err(Reason::Closed));
}

#[tokio::test]
async fn a_tcp_check_sends_before_it_expects() {
    let address = server(|mut stream| async move {
        let mut sent = [0; 6];
        stream.read_exact(&mut sent).await.unwrap();
        let answer: &[u8] = if &sent == b"PING\r\n" { b"+PONG\r\n" } else { b"-ERR\r\n" };
        stream.write_all(answer).await.unwrap();
    })
    .await;
    assert_eq!(probe_tcp(address, Some("PING\r\n"), Some("+PONG")).await, Ok(Reason::Received));
    assert_eq!(probe_tcp(address, Some("PUNG\r\n"), Some("+PONG")).await, Err(Reason::Closed));
}

#[tokio::test]
async fn an_agent_speaks_in_a_header_or_in_the_first_lines() {
    let drained = Spoken { readiness: Readiness::Drain, percent: 30 };
    let silent = Spoken::default();
    let text = "HTTP/1.1 200 OK\r\nX-State: down\r\nContent-Length: 14\r\n\r\nok\ndrain 30%\r\n";
    let address = http_server(text).await;
    let kind = || CheckKind::Http(http());
    assert_eq!(hear(address, kind(), None).await, drained);
    assert_eq!(hear(address, kind(), Some("x-state")).await.readiness, Readiness::Down);
    assert_eq!(hear(address, kind(), Some("x-other")).await, silent);
    let wanting = wanting("ok");
    assert_eq!(hear(address, CheckKind::Http(wanting), None).await, drained);

    for line in ["drain 30%\n", "drain 30%"] {
        let address = server(move |mut stream| async move {
            stream.write_all(line.as_bytes()).await.unwrap();
        });
        let kind = CheckKind::Tcp(TcpCheck { send: None, expect: None });
        assert_eq!(hear(address.await, kind, None).await, drained);
    }
    let mute = server(|_| async {}).await;
    let kind = CheckKind::Tcp(TcpCheck { send: None, expect: None });
    assert_eq!(hear(mute, kind, None).await, silent);
}

#[tokio::test]
async fn a_body_without_end_is_read_no_further_than_an_agent_speaks() {
    let address = server(|mut stream| async move {
        request(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\ndrain\n").await;
        while stream.write_all(&[b'x'; 4096]).await.is_ok() {}
    })
    .await;
    let spoken = hear(address, CheckKind::Http(http()), None).await;
    assert_eq!(spoken.readiness, Readiness::Drain);
}

#[tokio::test]
async fn a_tcp_peer_that_never_stops_is_heard_for_16_kib() {
    let address =
        server(|mut stream| async move { while stream.write_all(&[b'x'; 4096]).await.is_ok() {} })
            .await;
    assert_eq!(probe_tcp(address, None, Some("y")).await, Err(Reason::LacksBytes));
}

#[tokio::test]
async fn a_panic_in_a_probe_is_a_failed_probe() {
    let outcome: Result<Passed, _> =
        contained(async { panic!("of a probe, as the test wants it") }).await;
    assert_eq!(outcome, Err(Reason::Panicked));
}

#[tokio::test]
async fn every_probe_opens_a_connection_of_its_own() {
    let connections = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&connections);
    let address = server(move |mut stream| {
        count.fetch_add(1, Ordering::SeqCst);
        async move {
            loop {
                if request(&mut stream).await.is_empty() {
                    return;
                }
                let _ = stream.write_all(OK.as_bytes()).await;
            }
        }
    })
    .await;
    let check = wanting("well");
    let kind = CheckKind::Http(check);
    let check = Check { interval: AMPLE, timeout: AMPLE, ..Check::new(kind) };
    let prober = Prober::new(&check, &Outlets::new(Reach::everywhere()));
    for made in 1..=3 {
        assert_eq!(
            prober.probe(address).await.0.map(|passed| passed.reason),
            Ok(Reason::Status(200))
        );
        assert_eq!(connections.load(Ordering::SeqCst), made);
    }
}

/// Starts a server that says `greeting`, and then each of `replies` after something comes in.
async fn dialogue(greeting: &'static [u8], replies: Vec<&'static [u8]>) -> SocketAddr {
    server(move |mut stream| {
        let replies = replies.clone();
        async move {
            let _ = stream.write_all(greeting).await;
            for reply in replies {
                let mut asked = [0; 512];
                if stream.read(&mut asked).await.unwrap_or(0) == 0 {
                    return;
                }
                let _ = stream.write_all(reply).await;
            }
        }
    })
    .await
}

/// Returns the reason that a probe gives, in words.
async fn said(address: SocketAddr, kind: CheckKind) -> Result<String, String> {
    let found = probe(address, kind, AMPLE).await;
    found.map(|reason| reason.to_string()).map_err(|reason| reason.to_string())
}

const READY: Result<&str, &str> = Ok("ready");
const OTHER: Result<&str, &str> = Err("the reply is not in the protocol of the check");

fn as_text(found: &Result<String, String>) -> Result<&str, &str> {
    found.as_deref().map_err(String::as_str)
}

#[tokio::test]
async fn redis_is_ready_when_it_answers_and_not_while_it_loads() {
    for (reply, expected) in [
        ("+PONG\r\n", READY),
        ("-NOAUTH Authentication required.\r\n", READY),
        ("-LOADING Redis is loading the dataset\r\n", Err("it takes no clients: LOADING")),
        ("-\x1b[31m evil\r\n", OTHER),
        ("HTTP/1.1 400 Bad Request\r\n", OTHER),
    ] {
        let address = dialogue(b"", vec![reply.as_bytes()]).await;
        let found = said(address, CheckKind::Redis).await;
        assert_eq!(as_text(&found), expected, "{reply}");
    }
    let endless =
        server(async |mut stream| while stream.write_all(&[b'x'; 4096]).await.is_ok() {}).await;
    assert_eq!(as_text(&said(endless, CheckKind::Redis).await), OTHER);
}

#[tokio::test]
async fn mysql_is_ready_when_it_asks_who_is_there() {
    let greeting: &[u8] = b"\x05\0\0\0\x0a8.0\0";
    let denied: &[u8] = b"\x04\0\0\x02\xff\x15\x04#";
    let full: &[u8] = b"\x04\0\0\x02\xff\x10\x04#";
    let other_way: &[u8] = b"\x03\0\0\x02\xfex\0";
    let denied_then: &[u8] = b"\x04\0\0\x04\xff\x15\x04#";
    for (greeting, replies, expected) in [
        (greeting, vec![denied], READY),
        (greeting, vec![other_way, denied_then], READY),
        (greeting, vec![full], Err("it takes no clients: 1040")),
        (b"\x04\0\0\0\xff\x69\x04#".as_slice(), vec![], Err("it takes no clients: 1129")),
        (b"\xff\xff\xff\0".as_slice(), vec![], OTHER),
        (b"SSH-2.0-x\r\n".as_slice(), vec![], OTHER),
    ] {
        let address = dialogue(greeting, replies).await;
        let found = said(address, CheckKind::Mysql("waypost".into())).await;
        assert_eq!(as_text(&found), expected, "{greeting:?}");
    }
}

#[tokio::test]
async fn postgres_is_ready_when_it_asks_for_a_password_or_refuses_the_user() {
    let error = |code: &str| {
        let fields = format!("SFATAL\0C{code}\0Mwhatever\0\0");
        let len = (fields.len() as u32 + 4).to_be_bytes();
        let reply = [b"E", &len[..], fields.as_bytes()].concat();
        &*Box::leak(reply.into_boxed_slice())
    };
    for (reply, expected) in [
        (b"R\0\0\0\x08\0\0\0\x03".as_slice(), READY),
        (error("28P01"), READY),
        (error("3D000"), READY),
        (error("57P03"), Err("it takes no clients: 57P03")),
        (error("\x1b[1m"), OTHER),
        (b"HTTP/1.1 400 Bad Request".as_slice(), OTHER),
    ] {
        let address = dialogue(b"", vec![reply]).await;
        let found = said(address, CheckKind::Postgres("waypost".into())).await;
        assert_eq!(as_text(&found), expected, "{reply:?}");
    }
}

#[tokio::test]
async fn dns_is_judged_by_code_and_data_and_other_datagrams_are_passed_over() {
    let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut query = [0; 512];
        loop {
            let (len, client) = socket.recv_from(&mut query).await.unwrap();
            let _ = socket.send_to(b"\0\0 no answer", client).await;
            // The question comes back with one A record, or with none if it asks for another type.
            let end = 12 + query[12..len].windows(5).position(|p| p[0] == 0).unwrap() + 5;
            let is_a = query[end - 4..end] == [0, 1, 0, 1];
            let mut response = query[..end].to_vec();
            response[2..4].copy_from_slice(&[0x85, 0]);
            response[6..12].copy_from_slice(&[0, u8::from(is_a), 0, 0, 0, 0]);
            if is_a {
                response.extend_from_slice(b"\xc0\x0c\0\x01\0\x01\0\0\0\x05\0\x04\xc0\0\x02\x07");
            }
            let _ = socket.send_to(&response, client).await;
        }
    });
    let check = |qtype, rcode: &str, data: Option<&str>| {
        let name = crate::wire::name::Name::parse("web.example.com.", None).unwrap();
        let data = data.map(str::to_owned);
        CheckKind::Dns(crate::zone::DnsCheck { name, qtype, rcode: rcode.into(), data })
    };
    use crate::wire::kind::Type;
    for (kind, expected) in [
        (check(Type::A, "NOERROR", None), READY),
        (check(Type::A, "NOERROR", Some("192.0.2.7")), READY),
        (
            check(Type::A, "NOERROR", Some("192.0.2.8")),
            Err("no record of the answer has the expected data"),
        ),
        (check(Type::A, "NXDOMAIN", None), Err("NOERROR, expected NXDOMAIN")),
        (check(Type::AAAA, "NOERROR", None), Err("NODATA, expected NOERROR")),
        (check(Type::AAAA, "NODATA", None), READY),
    ] {
        assert_eq!(as_text(&said(address, kind.clone()).await), expected, "{kind:?}");
    }
}
