//! Peers that send too much, too slowly, or nonsense: bounded time and memory.

use super::*;

/// A generous bound, in octets, on what is read of a peer that never stops, and what the kernel
/// takes in beyond it.
const TAKEN_MAX: usize = 24 << 20;

/// Starts a server that sends `head`, and then `piece` again and again; returns also the counter of
/// the octets that it could send.
async fn endless(head: &'static [u8], piece: &'static [u8]) -> (SocketAddr, Arc<AtomicUsize>) {
    let taken = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&taken);
    let address = server(move |mut stream| {
        let counted = Arc::clone(&counted);
        async move {
            let mut next = head;
            while stream.write_all(next).await.is_ok() {
                counted.fetch_add(next.len(), Ordering::Relaxed);
                next = piece;
            }
        }
    });
    (address.await, taken)
}

/// Starts a server that sends `head`, and then `drop` again and again, with a pause after each.
async fn dripping(head: &'static [u8], drop: u8) -> SocketAddr {
    server(move |mut stream| async move {
        let _ = stream.write_all(head).await;
        while stream.write_all(&[drop]).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
}

#[tokio::test]
async fn a_body_without_end_is_looked_at_for_16_kib() {
    static BLOCK: [u8; 65_536] = [0xff; 65_536];
    for head in [
        "HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n40000000\r\n",
    ] {
        let (address, taken) = endless(head.as_bytes(), &BLOCK).await;
        assert_eq!(probe_body(address, "well").await, Err(Reason::BodyLacksText), "{head}");
        assert_eq!(probe_http(address, http()).await, Ok(Reason::Status(200)), "{head}");
        assert!(taken.load(Ordering::Relaxed) < TAKEN_MAX, "{head}");
    }
    let (address, taken) = endless(b"", &BLOCK).await;
    assert_eq!(probe_tcp(address, None, Some("well")).await, Err(Reason::LacksBytes));
    assert!(taken.load(Ordering::Relaxed) < TAKEN_MAX);
}

#[tokio::test]
async fn a_head_without_end_is_none() {
    let fields = b"HTTP/1.1 200 OK\r\n".as_slice();
    let interim = b"HTTP/1.1 100 Continue\r\n\r\n".as_slice();
    for (head, piece) in [(fields, b"X-More: and more\r\n".as_slice()), (b"", interim)] {
        let (address, taken) = endless(head, piece).await;
        assert_eq!(probe_http(address, http()).await, Err(Reason::NotHttp));
        assert!(taken.load(Ordering::Relaxed) < TAKEN_MAX);
    }
    let (address, _) = endless(fields, b"x").await;
    assert_eq!(probe_http(address, http()).await, Err(Reason::NotHttp), "a name without end");
}

#[tokio::test]
async fn a_response_that_drips_ends_with_the_timeout() {
    let head = b"HTTP/1.1 200 OK\r\n".as_slice();
    let body = b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n".as_slice();
    let wants = wanting("well");
    for (sent, reason) in [(head, Reason::Unfinished(SHORT)), (body, Reason::Unfinished(SHORT))] {
        let started = Instant::now();
        let address = dripping(sent, b'x').await;
        assert_eq!(probe(address, CheckKind::Http(wants.clone()), SHORT).await, Err(reason));
        assert!(started.elapsed() < AMPLE);
    }
    let wants = CheckKind::Tcp(TcpCheck { send: None, expect: Some(b"well".into()) });
    let address = dripping(b"", b'x').await;
    assert_eq!(probe(address, wants, SHORT).await, Err(Reason::Unfinished(SHORT)));
}

#[tokio::test]
async fn octets_that_are_no_text_are_looked_through_like_others() {
    let address = server(|mut stream| async move {
        request(&mut stream).await;
        let body = b"\xff\xfe\xc3\x28all is well\x80";
        let head = format!("HTTP/1.1 200 \r\nContent-Length: {}\r\n\r\n", body.len());
        let _ = stream.write_all(&[head.as_bytes(), body].concat()).await;
    })
    .await;
    assert_eq!(probe_body(address, "is well").await, Ok(Reason::Status(200)));
    assert_eq!(probe_body(address, "is ill").await, Err(Reason::BodyLacksText));
}

#[tokio::test]
async fn a_chunk_of_more_than_can_be_is_no_http() {
    let chunk =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nwell\r\n";
    assert_eq!(probe_body(http_server(chunk).await, "well").await, Err(Reason::NotHttp));
}

#[tokio::test]
async fn an_interim_response_is_passed_over() {
    let two = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\n\r\nall is well";
    assert_eq!(probe_body(http_server(two).await, "well").await, Ok(Reason::Status(200)));
}
