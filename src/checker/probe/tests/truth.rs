//! Probes pass with all that curl, dig and the protocols' own clients take from a healthy server.

use std::io::ErrorKind;

use socket2::SockRef;

use super::*;
use crate::zone::{FastcgiCheck, ProxyVersion, Source};

/// Starts a server that writes a reply piece by piece soon after a client connects, and closes the
/// connection without having read anything. Linux resets it then, and forgets what it has not sent.
async fn script(pieces: &'static [&'static str], pause: Option<Duration>) -> SocketAddr {
    server(move |mut stream| async move {
        tokio::time::sleep(SHORT / 10).await;
        for piece in pieces {
            let _ = stream.write_all(piece.as_bytes()).await;
            if let Some(pause) = pause {
                tokio::time::sleep(pause).await;
            }
        }
    })
    .await
}

#[tokio::test]
async fn a_script_that_never_reads_the_request_passes() {
    for pieces in [
        &["HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nall is well"][..],
        &["HTTP/1.1 200 OK\r\n", "Content-Type: text/plain\r\n", "\r\n", "all ", "is well\n"],
        &["HTTP/1.0 200 OK\n", "\n", "all is well"],
    ] {
        for pause in [None, Some(Duration::from_millis(2))] {
            let (address, case) = (script(pieces, pause).await, (pieces, pause));
            assert_eq!(probe_http(address, http()).await, Ok(Reason::Status(200)), "{case:?}");
            assert_eq!(probe_body(address, "is well").await, Ok(Reason::Status(200)), "{case:?}");
            assert_eq!(probe_body(address, "is ill").await, Err(Reason::BodyLacksText), "{case:?}");
        }
    }
}

#[tokio::test]
async fn a_reply_in_pieces_takes_no_delayed_acknowledgement() {
    // With Nagle's algorithm, as by default, each piece waits until the one before is acknowledged.
    let address = server(|mut stream| async move {
        request(&mut stream).await;
        for piece in ["HTTP/1.1 200 OK\r\n", "Content-Length: 11\r\n", "\r\n", "all is well"] {
            let _ = stream.write_all(piece.as_bytes()).await;
        }
        std::future::pending::<()>().await;
    })
    .await;
    let mut took = Vec::new();
    for _ in 0..20 {
        let started = Instant::now();
        assert_eq!(probe_body(address, "is well").await, Ok(Reason::Status(200)));
        took.push(started.elapsed());
    }
    // The least: a busy machine is late, but never early.
    let least = took.iter().min().expect("some");
    assert!(*least < Duration::from_millis(38), "{took:?}");
}

#[tokio::test]
async fn the_body_is_read_and_the_connection_ends_without_a_reset() {
    let (told, mut ends) = mpsc::unbounded_channel();
    let address = server(move |mut stream| {
        let told = told.clone();
        async move {
            request(&mut stream).await;
            // More than is looked for, and less than 16 KiB; the end comes late.
            let head = b"HTTP/1.1 200 OK\r\nContent-Length: 12000\r\n\r\n";
            let _ = stream.write_all(head).await;
            for _ in 0..3 {
                tokio::time::sleep(Duration::from_millis(5)).await;
                if let Err(error) = stream.write_all(&[b'x'; 4000]).await {
                    told.send(Err(error.kind())).unwrap();
                    return;
                }
            }
            SockRef::from(&stream).shutdown(std::net::Shutdown::Write).unwrap();
            let end = stream.read(&mut [0; 1]).await;
            told.send(end.map_err(|error| error.kind())).unwrap();
        }
    })
    .await;
    for wanted in [200, 404] {
        let status = vec![StatusRange { first: wanted, last: wanted }];
        let check = HttpCheck { expect: HttpExpect::of_status(status), ..http() };
        let check = Check { timeout: AMPLE, interval: AMPLE, ..Check::new(CheckKind::Http(check)) };
        let prober = Prober::new(&check, &Outlets::new(Reach::everywhere()));
        let (_, parting) = prober.probe(address).await;
        part(parting).await;
        assert_eq!(ends.recv().await.unwrap(), Ok(0), "an orderly end");
    }
}

#[tokio::test]
async fn a_connection_alone_is_over_before_the_program_sees_it() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let kind = CheckKind::Tcp(TcpCheck { send: None, expect: None });
    let prober = Prober::new(&Check::new(kind), &Outlets::new(Reach::everywhere()));
    let (outcome, parting) = prober.probe(listener.local_addr().unwrap()).await;
    part(parting).await;
    assert!(outcome.is_ok());
    let accepted = listener.accept().map_err(|error| error.kind());
    assert_eq!(accepted.map(drop), Err(ErrorKind::WouldBlock));
}

#[tokio::test]
async fn a_connection_with_words_ends_without_a_reset() {
    let (told, mut ends) = mpsc::unbounded_channel();
    let address = server(move |mut stream| {
        let told = told.clone();
        async move {
            stream.read_exact(&mut [0; 4]).await.unwrap();
            stream.write_all(b"pong and more").await.unwrap();
            let end = stream.read(&mut [0; 1]).await;
            told.send(end.map_err(|error| error.kind())).unwrap();
        }
    })
    .await;
    let check = TcpCheck { send: Some(b"ping".to_vec()), expect: Some(b"pong".to_vec()) };
    let prober =
        Prober::new(&Check::new(CheckKind::Tcp(check)), &Outlets::new(Reach::everywhere()));
    let (outcome, parting) = prober.probe(address).await;
    part(parting).await;
    assert!(outcome.is_ok());
    assert_eq!(ends.recv().await.unwrap(), Ok(0));
}

#[tokio::test]
async fn heads_pass_that_are_odd_and_legal_or_that_everyone_takes() {
    for head in [
        "HTTP/1.1 200\r\nContent-Length: 11\r\n\r\n",
        "HTTP/1.1  200  OK\r\nContent-Length: 11\r\n\r\n",
        "HTTP/1.0 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\ncontent-length:11\n\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 200 Tr\u{e8}s bien\r\nX-Name: \u{fc}n\u{ef}code\r\nContent-Length: 11\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX-Folded: a\r\n  b\r\nContent-Length: 11\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length : 11\r\nno field at all\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX-Empty:\r\nTransfer-Encoding: identity\r\nContent-Length: 11\r\n\r\n",
    ] {
        let response = Box::leak(format!("{head}all is well").into_boxed_str());
        let address = http_server(response).await;
        assert_eq!(probe_body(address, "is well").await, Ok(Reason::Status(200)), "{head:?}");
    }
    for (status, response) in [
        (204, "HTTP/1.1 204 No Content\r\n\r\n"),
        (304, "HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n"),
    ] {
        let address = http_server(response).await;
        assert_eq!(probe_http(address, http()).await, Ok(Reason::Status(status)));
    }
}

/// Returns the outcome of a probe of `check`, its first line, and the address that it comes from.
async fn first_line(check: Check) -> (Result<Reason, Reason>, String, SocketAddr) {
    let (seen, mut lines) = mpsc::unbounded_channel();
    let address = server(move |mut stream| {
        let seen = seen.clone();
        async move {
            let mut line = Vec::new();
            while !line.ends_with(b"\r\n") {
                line.push(stream.read_u8().await.unwrap());
            }
            let peer = stream.peer_addr().unwrap();
            seen.send((String::from_utf8(line).unwrap(), peer)).unwrap();
            respond(stream, OK).await;
        }
    })
    .await;
    let check = Check { timeout: AMPLE, interval: AMPLE, ..check };
    let prober = Prober::new(&check, &Outlets::new(Reach::everywhere()));
    let (outcome, parting) = prober.probe(address).await;
    part(parting).await;
    let (line, peer) = lines.recv().await.unwrap();
    let expected =
        format!("PROXY TCP4 {} 127.0.0.1 {} {}\r\n", peer.ip(), peer.port(), address.port());
    assert_eq!(line, expected);
    (outcome.map(|passed| passed.reason), line, peer)
}

#[tokio::test]
async fn a_connection_is_announced_and_comes_from_where_the_check_says() {
    let source = Source { v4: Some([127, 0, 0, 77].into()), v6: None };
    let proxy = Some(ProxyVersion::V1);
    let check = Check { source, proxy, ..Check::new(CheckKind::Http(http())) };
    let (outcome, _, peer) = first_line(check).await;
    assert_eq!((outcome, peer.ip().to_string()), (Ok(Reason::Status(200)), "127.0.0.77".into()));

    let foreign = Source { v4: Some([192, 0, 2, 77].into()), v6: None };
    let check = Check { source: foreign, ..Check::new(CheckKind::Http(http())) };
    let prober = Prober::new(&check, &Outlets::new(Reach::everywhere()));
    let outcome = prober.probe(http_server(OK).await).await.0.map(|passed| passed.reason);
    assert!(outcome.is_err_and(|reason| reason.is_local()));
}

#[tokio::test]
async fn no_probe_leaves_its_reach() {
    let address = http_server(OK).await;
    let prober = Prober::new(&Check::new(CheckKind::Http(http())), &Outlets::new(Reach::default()));
    let outcome = prober.probe(address).await.0.map(|passed| passed.reason);
    assert!(outcome.is_err_and(|reason| reason.is_local()));
}

#[tokio::test]
async fn a_datagram_passes_by_what_comes_back() {
    let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut datagram = [0; 64];
        loop {
            let (len, client) = socket.recv_from(&mut datagram).await.unwrap();
            socket.send_to(&datagram[..len], client).await.unwrap();
        }
    });
    let kind = |expect: Option<&str>| {
        let expect = expect.map(|text| text.as_bytes().to_vec());
        CheckKind::Udp(TcpCheck { send: Some(b"ping".to_vec()), expect })
    };
    let passed = Ok(Reason::Received);
    assert_eq!(probe(address, kind(None), AMPLE).await, passed);
    assert_eq!(probe(address, kind(Some("in")), AMPLE).await, passed);
    assert_eq!(probe(address, kind(Some("out")), AMPLE).await, Err(Reason::LacksBytes));
    let gone = refusing().local_addr().unwrap();
    assert_eq!(probe(gone, kind(None), AMPLE).await, Err(Reason::Refused));
}

#[tokio::test]
async fn a_page_of_fastcgi_is_judged_as_one_of_http() {
    fn record(kind: u8, content: &[u8]) -> Vec<u8> {
        [&[1, kind, 0, 1, 0, content.len() as u8, 1, 0], content, &[0]].concat()
    }
    let check = |body: &str| {
        let status = vec![StatusRange { first: 200, last: 399 }];
        let expect = HttpExpect { body: Some(body.into()), ..HttpExpect::of_status(status) };
        CheckKind::Fastcgi(FastcgiCheck { path: "/ping".into(), socket: None, expect })
    };
    let end = |status: u8| record(3, &[0, 0, 0, 0, status, 0, 0, 0]);
    let page = |text: &str, status| {
        let reply = [record(7, b"a warning"), record(6, text.as_bytes()), end(status)].concat();
        &*Box::leak(reply.into_boxed_slice())
    };
    let pong = "Content-type: text/plain\r\n\r\npong";
    for (reply, body, expected) in [
        (page(pong, 0), "pong", Ok("status 200")),
        (page(pong, 0), "pang", Err("body lacks the expected text")),
        (
            page("Status: 404 Not Found\r\n\r\nFile not found.", 0),
            "",
            Err("status 404, expected 200-399"),
        ),
        (page("", 2), "", Err("it takes no clients: OVERLOADED")),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n".as_slice(), "", OTHER),
    ] {
        let address = dialogue(b"", vec![reply]).await;
        assert_eq!(as_text(&said(address, check(body)).await), expected);
    }
}
