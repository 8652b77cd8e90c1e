//! Connections that are kept because a check asks for it.

use super::*;

/// Starts a server that answers so many requests on each connection with `response` and then closes
/// it; returns also the counter of its connections.
async fn patient(response: &'static str, requests: usize) -> (SocketAddr, Arc<AtomicUsize>) {
    let connections = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&connections);
    let address = server(move |mut stream| {
        counter.fetch_add(1, Ordering::Relaxed);
        async move {
            for _ in 0..requests {
                if request(&mut stream).await.is_empty() {
                    break;
                }
                let _ = stream.write_all(response.as_bytes()).await;
            }
        }
    });
    (address.await, connections)
}

/// Probes again and again with one prober; returns how many connections that took.
async fn connections(response: &'static str, requests: usize, reuse: bool, probes: usize) -> usize {
    let (address, connections) = patient(response, requests).await;
    let kind = CheckKind::Http(HttpCheck { reuse, ..wanting("well") });
    let prober = Prober::new(
        &Check { timeout: AMPLE, ..Check::new(kind) },
        &Outlets::new(Reach::everywhere()),
    );
    for _ in 0..probes {
        let outcome = prober.probe(address).await.0.map(|passed| passed.reason);
        assert_eq!(outcome, Ok(Reason::Status(200)));
    }
    connections.load(Ordering::Relaxed)
}

#[tokio::test]
async fn a_connection_is_kept_only_where_a_check_asks_for_it() {
    assert_eq!(connections(OK, 100, false, 5).await, 5);
    assert_eq!(connections(OK, 100, true, 5).await, 1);
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nwell\r\n0\r\n\r\n";
    assert_eq!(connections(chunked, 100, true, 5).await, 1);
}

#[tokio::test]
async fn one_that_its_server_has_closed_is_replaced_without_a_failure() {
    assert_eq!(connections(OK, 2, true, 6).await, 3);
    assert_eq!(connections(OK, 1, true, 3).await, 3);
}

#[tokio::test]
async fn keeping_a_connection_never_decides() {
    let address = server(|mut stream| async move {
        request(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nwell").await;
        std::future::pending().await
    })
    .await;
    let kind = CheckKind::Http(HttpCheck { reuse: true, ..wanting("well") });
    assert_eq!(probe(address, kind, AMPLE).await, Ok(Reason::Status(200)));
}

#[tokio::test]
async fn what_comes_when_nobody_asked_is_no_response_to_the_next_request() {
    let (address, connections) = {
        let connections = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&connections);
        let address = server(move |mut stream| {
            counter.fetch_add(1, Ordering::Relaxed);
            async move {
                request(&mut stream).await;
                let _ = stream.write_all(OK.as_bytes()).await;
                tokio::time::sleep(SHORT / 10).await;
                let late = b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n";
                let _ = stream.write_all(late).await;
            }
        });
        (address.await, connections)
    };
    let kind = CheckKind::Http(HttpCheck { reuse: true, ..wanting("well") });
    let prober = Prober::new(
        &Check { timeout: AMPLE, ..Check::new(kind) },
        &Outlets::new(Reach::everywhere()),
    );
    for _ in 0..3 {
        let outcome = prober.probe(address).await.0.map(|passed| passed.reason);
        assert_eq!(outcome, Ok(Reason::Status(200)));
        tokio::time::sleep(SHORT).await;
    }
    assert_eq!(connections.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn nothing_is_kept_that_another_response_could_be_mistaken_on() {
    let closing = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\n\r\nwell";
    let more = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nwellHTTP/1.1 200 OK\r\n\r\n";
    let old = "HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\nwell";
    for response in [closing, more, old] {
        assert_eq!(connections(response, 100, true, 3).await, 3, "{response}");
    }
}
