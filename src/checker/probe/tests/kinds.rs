//! Kinds of checks that need more than octets over TCP: grpc, icmp, exec.

use std::path::Path;

use ::http::{HeaderMap, Response};
use bytes::Bytes;

use super::*;
use crate::zone::{ExecCheck, GrpcCheck};

/// Starts a server of HTTP/2 that answers each call with these octets and this status. Without a
/// status it resets the stream.
async fn grpc_server(reply: &'static [u8], status: Option<&'static str>) -> SocketAddr {
    server(move |stream| async move {
        let mut connection = h2::server::handshake(stream).await.unwrap();
        while let Some(Ok((request, mut respond))) = connection.accept().await {
            assert_eq!(request.uri().path(), "/grpc.health.v1.Health/Check");
            assert_eq!(request.headers()["content-type"], "application/grpc");
            let Some(status) = status else {
                respond.send_reset(h2::Reason::REFUSED_STREAM);
                continue;
            };
            let mut stream = respond.send_response(Response::new(()), false).unwrap();
            stream.send_data(Bytes::from_static(reply), false).unwrap();
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-status", status.parse().unwrap());
            stream.send_trailers(trailers).unwrap();
        }
    })
    .await
}

async fn probe_grpc(address: SocketAddr, timeout: Duration) -> Result<Reason, Reason> {
    let check = GrpcCheck { tls: None, host: None, service: "shop.Cart".into() };
    probe(address, CheckKind::Grpc(check), timeout).await
}

#[tokio::test]
async fn a_server_that_says_serving_passes() {
    let state = |state: &'static [u8]| grpc_server(state, Some("0"));
    let outcome = |address| probe_grpc(address, AMPLE);
    assert_eq!(outcome(state(b"\0\0\0\0\x02\x08\x01").await).await, Ok(Reason::Ready));
    let reason = outcome(state(b"\0\0\0\0\x02\x08\x02").await).await.unwrap_err();
    assert_eq!(reason.to_string(), "it takes no clients: NOT_SERVING");
    let reason = outcome(grpc_server(b"", Some("12")).await).await.unwrap_err();
    assert_eq!(reason.to_string(), "it takes no clients: UNIMPLEMENTED");
    assert_eq!(outcome(grpc_server(b"", None).await).await, Err(Reason::Closed));
}

#[tokio::test]
async fn what_does_not_speak_grpc_is_told() {
    let address = http_server("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").await;
    assert_eq!(probe_grpc(address, AMPLE).await, Err(Reason::NotItsProtocol));
    let socket = refusing();
    let address = socket.local_addr().unwrap();
    assert_eq!(probe_grpc(address, AMPLE).await, Err(Reason::Refused));
    let address = server(hang).await;
    assert_eq!(probe_grpc(address, SHORT).await, Err(Reason::NoResponse(SHORT)));
    const ENDLESS: &[u8] = &[0; 10_000];
    let address = grpc_server(ENDLESS, Some("0")).await;
    assert_eq!(probe_grpc(address, AMPLE).await, Err(Reason::NotItsProtocol));
}

#[tokio::test]
async fn an_echo_comes_back_from_this_machine() {
    // Not every machine lets everyone ask: then the operator is told, and nothing is concluded.
    for address in ["127.0.0.1:0", "[::1]:0"] {
        match probe(address.parse().unwrap(), CheckKind::Icmp, AMPLE).await {
            Ok(reason) => assert_eq!(reason, Reason::Replied),
            Err(reason) => assert!(matches!(reason, Reason::Barred(_)), "{address}: {reason}"),
        }
    }
}

async fn run(script: &str, timeout: Duration) -> Result<Reason, Reason> {
    let arguments = vec!["-c".to_owned(), script.to_owned()];
    let check = ExecCheck { program: "/bin/sh".into(), arguments, exit: vec![0, 3] };
    probe(SocketAddr::from(([192, 0, 2, 1], 8080)), CheckKind::Exec(check), timeout).await
}

#[tokio::test]
async fn a_command_passes_by_its_exit_status() {
    for (script, expected) in [
        ("exit 0", Ok(Reason::Exited(0))),
        ("exit 3", Ok(Reason::Exited(3))),
        ("exit 1", Err(Reason::Exited(1))),
        ("kill -9 $$", Err(Reason::Killed)),
        ("[ \"$WAYPOST_ADDRESS:$WAYPOST_PORT\" = 192.0.2.1:8080 ]", Ok(Reason::Exited(0))),
        ("[ -z \"$HOME$USER$CARGO_MANIFEST_DIR\" ] && [ \"$LANG\" = C ]", Ok(Reason::Exited(0))),
        ("! read line && yes | head -c 1000000", Ok(Reason::Exited(0))),
    ] {
        assert_eq!(run(script, AMPLE).await, expected, "{script}");
    }
}

#[tokio::test]
async fn a_command_that_takes_too_long_ends_with_all_that_it_started() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("pid");
    let script = format!("sleep 60 & echo $! > {}; wait", file.display());
    assert_eq!(run(&script, SHORT).await, Err(Reason::NoResponse(SHORT)));
    let pid = std::fs::read_to_string(&file).unwrap();
    let status = format!("/proc/{}/stat", pid.trim());
    let is_gone = || {
        let stat = std::fs::read_to_string(Path::new(&status)).unwrap_or_default();
        stat.is_empty() || stat.contains(") Z ")
    };
    let deadline = Instant::now() + AMPLE;
    while !is_gone() {
        assert!(Instant::now() < deadline, "{pid} lives on");
        tokio::time::sleep(SHORT / 30).await;
    }
}

#[tokio::test]
async fn a_command_that_cannot_be_run_says_nothing_of_the_endpoint() {
    let check = ExecCheck { program: "/no/such".into(), arguments: Vec::new(), exit: vec![0] };
    let address = SocketAddr::from(([192, 0, 2, 1], 0));
    let reason = probe(address, CheckKind::Exec(check), AMPLE).await.unwrap_err();
    assert!(reason.is_local());
    assert_eq!(reason.to_string(), "the command cannot be run: entity not found");
}

#[tokio::test]
async fn a_cut_answer_is_asked_again_over_tcp() {
    use crate::wire::kind::Type;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let socket = tokio::net::UdpSocket::bind(address).await.unwrap();
    tokio::spawn(async move {
        let mut query = [0; 512];
        let (len, client) = socket.recv_from(&mut query).await.unwrap();
        let end = 12 + query[12..len].windows(5).position(|p| p[0] == 0).unwrap() + 5;
        let mut cut = query[..end].to_vec();
        cut[2..4].copy_from_slice(&[0x87, 0]);
        cut[6..12].fill(0);
        socket.send_to(&cut, client).await.unwrap();
        let (mut stream, _) = listener.accept().await.unwrap();
        let len = stream.read_u16().await.unwrap();
        let mut query = vec![0; usize::from(len)];
        stream.read_exact(&mut query).await.unwrap();
        let mut whole = query[..end].to_vec();
        whole[2..4].copy_from_slice(&[0x85, 0]);
        whole[6..12].copy_from_slice(&[0, 1, 0, 0, 0, 0]);
        whole.extend_from_slice(b"\xc0\x0c\0\x01\0\x01\0\0\0\x05\0\x04\xc0\0\x02\x07");
        let framed = [&(whole.len() as u16).to_be_bytes()[..], &whole].concat();
        stream.write_all(&framed).await.unwrap();
    });
    let name = crate::wire::name::Name::parse("web.example.com.", None).unwrap();
    let (rcode, data) = ("NOERROR".to_owned(), Some("192.0.2.7".to_owned()));
    let kind = CheckKind::Dns(crate::zone::DnsCheck { name, qtype: Type::A, rcode, data });
    assert_eq!(as_text(&said(address, kind).await), READY);
}
