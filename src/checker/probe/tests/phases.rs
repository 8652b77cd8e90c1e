//! Probes that take too long: their reasons tell how far they came.

use super::*;

/// Makes a port that answers no further client: its queue is full for as long as these live.
fn full() -> (SocketAddr, socket2::Socket, Vec<std::net::TcpStream>) {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    socket.listen(0).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let connect = |_| std::net::TcpStream::connect_timeout(&address, SHORT).ok();
    let clients = (0..3).map_while(connect).collect();
    (address, socket, clients)
}

async fn probe_within(
    address: SocketAddr,
    kind: CheckKind,
    connect_timeout: Option<Duration>,
) -> Result<Reason, Reason> {
    let timeout = if connect_timeout.is_some() { AMPLE } else { SHORT };
    let check = Check { interval: AMPLE, timeout, connect_timeout, ..Check::new(kind) };
    Prober::new(&check, &Outlets::new(Reach::everywhere()))
        .probe(address)
        .await
        .0
        .map(|passed| passed.reason)
}

fn tls() -> TlsOptions {
    let expiry = Expiry::default();
    TlsOptions { verify: false, server_name: None, ca_pem: None, expiry, own: None }
}

#[tokio::test]
async fn who_does_not_connect_in_time_has_its_own_reason() {
    let (address, _socket, _clients) = full();
    let tcp = || TcpCheck { send: None, expect: None };
    for kind in [
        CheckKind::Http(http()),
        CheckKind::Tcp(tcp()),
        CheckKind::Tls(tls(), tcp()),
        CheckKind::Redis,
    ] {
        for connect_timeout in [None, Some(SHORT)] {
            let outcome = probe_within(address, kind.clone(), connect_timeout).await;
            assert_eq!(outcome, Err(Reason::NoConnection(SHORT)), "{kind:?}");
        }
    }
    let https = CheckKind::Http(HttpCheck { tls: Some(tls()), ..http() });
    let outcome = probe_within(address, https, Some(SHORT)).await;
    assert_eq!(outcome, Err(Reason::NoConnection(SHORT)));
}

#[tokio::test]
async fn a_handshake_is_part_of_connecting() {
    let address = server(hang).await;
    let tcp = TcpCheck { send: None, expect: None };
    for connect_timeout in [None, Some(SHORT)] {
        let outcome =
            probe_within(address, CheckKind::Tls(tls(), tcp.clone()), connect_timeout).await;
        assert_eq!(outcome, Err(Reason::NoHandshake(SHORT)));
    }
    let https = CheckKind::Http(HttpCheck { tls: Some(tls()), ..http() });
    let outcome = probe_within(address, https, Some(SHORT)).await;
    assert_eq!(outcome, Err(Reason::NoConnection(SHORT)));
}

#[tokio::test]
async fn who_is_connected_may_take_longer_to_answer() {
    let address = server(|stream| async move {
        tokio::time::sleep(SHORT).await;
        respond(stream, OK).await;
    })
    .await;
    let outcome = probe_within(address, CheckKind::Http(http()), Some(SHORT / 2)).await;
    assert_eq!(outcome, Ok(Reason::Status(200)));
}
