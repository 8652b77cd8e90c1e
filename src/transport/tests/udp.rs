use super::*;

fn client(server: SocketAddr) -> UdpSocket {
    let any = if server.is_ipv4() { "127.0.0.1:0" } else { "[::1]:0" };
    let client = UdpSocket::bind(any).unwrap();
    client.connect(server).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client
}

fn ask(client: &UdpSocket, query: &[u8]) -> Vec<u8> {
    client.send(query).unwrap();
    receive(client)
}

fn receive(client: &UdpSocket) -> Vec<u8> {
    let mut response = vec![0; 65_535];
    let length = client.recv(&mut response).unwrap();
    response.truncate(length);
    response
}

#[test]
fn queries_are_answered_over_ipv4_and_ipv6() {
    for at in ["127.0.0.1:0", "[::1]:0"] {
        let (running, server) = serve(at, StreamLimits::default());
        let client = client(server);
        for query in 0..200u8 {
            assert_eq!(ask(&client, &[b'q', query]), [b'q', query]);
        }
        let counts = running.stop().udp;
        assert_eq!((counts.received, counts.sent, counts.send_errors), (200, 200, 0));
    }
}

#[test]
fn on_a_wildcard_address_the_response_leaves_from_where_the_query_came_to() {
    let (running, server) = serve("0.0.0.0:0", StreamLimits::default());
    for asked in ["127.0.0.1", "127.0.0.2", "127.9.8.7"] {
        // A connected socket takes responses from that address only.
        let client = client(SocketAddr::new(asked.parse().unwrap(), server.port()));
        assert_eq!(ask(&client, b"query"), b"query");
    }
    running.stop();

    let (running, server) = serve("[::]:0", StreamLimits::default());
    let client = client(SocketAddr::new("::1".parse().unwrap(), server.port()));
    assert_eq!(ask(&client, b"query"), b"query");
    running.stop();
}

#[test]
fn an_ipv6_wildcard_leaves_the_port_free_for_ipv4() {
    let (running, six) = serve("[::]:0", StreamLimits::default());
    let bound = bind(&[SocketAddr::new("0.0.0.0".parse().unwrap(), six.port())], 1);
    assert!(bound.is_ok(), "{bound:?}");
    running.stop();
}

#[test]
fn a_response_as_long_as_the_room_leaves_whole_and_silence_sends_nothing() {
    let (running, server) = serve("127.0.0.1:0", StreamLimits::default());
    let client = client(server);
    client.send(&[SILENCE]).unwrap();
    assert_eq!(ask(&client, &[FILL]), [FILL; UDP_RESPONSE]);
    let counts = running.stop().udp;
    assert_eq!((counts.received, counts.sent), (2, 1));
}

#[test]
fn an_oversize_datagram_is_dropped_and_counted() {
    let (running, server) = serve("127.0.0.1:0", StreamLimits::default());
    let client = client(server);
    client.send(&[1; 5000]).unwrap();
    assert_eq!(ask(&client, b"query"), b"query");
    let counts = running.stop().udp;
    assert_eq!((counts.received, counts.oversize), (1, 1));
}

#[test]
fn a_panic_costs_one_query_and_the_worker_lives_on_with_a_new_responder() {
    let made = Arc::new(AtomicUsize::new(0));
    let bound = bind(&[address("127.0.0.1:0")], 1).unwrap();
    let client = client(bound.addresses()[0]);
    let count = Arc::clone(&made);
    let running = bound.start(StreamLimits::default(), move |worker| {
        count.fetch_add(usize::from(worker == 0), Ordering::Relaxed);
        echo(worker)
    });
    let running = running.unwrap();
    for _ in 0..3 {
        client.send(&[PANIC]).unwrap();
        assert_eq!(ask(&client, b"query"), b"query");
    }
    let counts = running.stop().udp;
    assert_eq!((counts.received, counts.sent, counts.panics), (6, 3, 3));
    assert_eq!(made.load(Ordering::Relaxed), 4);
}

#[test]
fn what_was_queued_before_the_stop_is_answered() {
    let bound = bind(&[address("127.0.0.1:0")], 1).unwrap();
    let client = client(bound.addresses()[0]);
    for query in 0..200u8 {
        client.send(&[b'q', query]).unwrap();
    }
    let counts = bound.start(StreamLimits::default(), echo).unwrap().stop().udp;
    assert_eq!((counts.received, counts.sent), (200, 200));
    for query in 0..200u8 {
        assert_eq!(receive(&client), [b'q', query]);
    }
}

#[test]
fn newer_data_is_looked_for_while_no_query_comes() {
    let refreshed = Arc::new(AtomicUsize::new(0));
    let shared = Arc::clone(&refreshed);
    let bound = bind(&[address("127.0.0.1:0")], 1).unwrap();
    let running = bound
        .start(StreamLimits::default(), move |_| Echo { refreshed: Arc::clone(&shared) })
        .unwrap();
    wait_until("two refreshes", || refreshed.load(Ordering::Relaxed) >= 2);
    running.stop();
}
