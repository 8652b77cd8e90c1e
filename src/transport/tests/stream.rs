use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;

use socket2::{Domain, Socket, Type};

use super::*;

fn connect(server: SocketAddr) -> TcpStream {
    let client = TcpStream::connect(server).unwrap();
    client.set_nodelay(true).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client
}

fn frame(message: &[u8]) -> Vec<u8> {
    let mut framed = (message.len() as u16).to_be_bytes().to_vec();
    framed.extend_from_slice(message);
    framed
}

fn receive(mut client: &TcpStream) -> Vec<u8> {
    let mut length = [0; 2];
    client.read_exact(&mut length).unwrap();
    let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
    client.read_exact(&mut message).unwrap();
    message
}

fn ask(mut client: &TcpStream, query: &[u8]) -> Vec<u8> {
    client.write_all(&frame(query)).unwrap();
    receive(client)
}

/// Whether the server closed the connection, waiting no longer than the read timeout.
fn closed(mut client: &TcpStream) -> bool {
    match client.read(&mut [0]) {
        Ok(count) => count == 0,
        Err(error) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
    }
}

#[test]
fn queries_are_answered_over_ipv4_and_ipv6_with_the_longest_messages_whole() {
    for at in ["127.0.0.1:0", "[::1]:0"] {
        let (running, server) = serve(at, StreamLimits::default());
        let client = connect(server);
        assert_eq!(ask(&client, b"query"), b"query");
        assert_eq!(ask(&client, &[7; STREAM_RESPONSE]), [7; STREAM_RESPONSE]);
        assert_eq!(ask(&client, &[FILL]), [FILL; STREAM_RESPONSE]);
        let counts = running.stop().stream;
        assert_eq!((counts.accepted, counts.received, counts.sent), (1, 3, 3));
    }
}

#[test]
fn pipelined_queries_are_answered_in_order_and_the_silent_ones_skipped() {
    let (running, server) = serve("127.0.0.1:0", StreamLimits::default());
    let mut client = connect(server);
    let mut pipeline = Vec::new();
    for query in 0..500u16 {
        pipeline.extend(frame(&[b'q', (query >> 8) as u8, query as u8]));
        pipeline.extend(frame(&[SILENCE]));
    }
    client.write_all(&pipeline).unwrap();
    for query in 0..500u16 {
        assert_eq!(receive(&client), [b'q', (query >> 8) as u8, query as u8]);
    }
    let counts = running.stop().stream;
    assert_eq!((counts.received, counts.sent), (1000, 500));
}

#[test]
fn a_client_may_close_its_half_and_still_gets_every_response() {
    let (running, server) = serve("127.0.0.1:0", StreamLimits::default());
    let mut client = connect(server);
    client.write_all(&[frame(b"one"), frame(b"two")].concat()).unwrap();
    client.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!((receive(&client), receive(&client)), (b"one".to_vec(), b"two".to_vec()));
    assert!(closed(&client));
    running.stop();
}

/// Sends an octet every 20 ms; returns the time until the server closed the connection.
fn dribble(mut client: &TcpStream) -> Duration {
    let clock = Clock::system();
    client.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    let _ = client.write_all(&[255]);
    while !closed(client) {
        assert!(elapsed(&clock) < PATIENCE, "the server never lost patience");
        let _ = client.write_all(&[255]);
    }
    elapsed(&clock)
}

#[test]
fn a_client_that_sends_a_byte_at_a_time_is_cut_off_at_the_limit() {
    let limits = StreamLimits {
        first_query: Duration::from_millis(200),
        idle: Duration::from_millis(600),
        ..StreamLimits::default()
    };
    let (running, server) = serve("127.0.0.1:0", limits);
    let never_asked = dribble(&connect(server));
    assert!(never_asked >= Duration::from_millis(190), "{never_asked:?}");

    let asked = connect(server);
    assert_eq!(ask(&asked, b"query"), b"query");
    let after_one_query = dribble(&asked);
    assert!(after_one_query >= Duration::from_millis(590), "{after_one_query:?}");
    assert_eq!(running.stop().stream.expired, 2);
}

#[test]
fn a_client_that_does_not_read_is_cut_off_and_the_others_are_served() {
    let limits = StreamLimits { write: Duration::from_millis(300), ..StreamLimits::default() };
    let (running, server) = serve("127.0.0.1:0", limits);
    let (mut deaf, other) = (connect(server), connect(server));
    deaf.set_nonblocking(true).unwrap();
    let clock = Clock::system();
    // Every query is answered with 64 KiB that nobody takes.
    while running.counters().stream.send_errors == 0 {
        let _ = deaf.write(&frame(&[FILL]));
        assert_eq!(ask(&other, b"query"), b"query");
        assert!(elapsed(&clock) < PATIENCE, "the server never lost patience");
    }
    running.stop();
}

#[test]
fn queries_of_a_client_that_does_not_read_are_left_unanswered() {
    let limits = StreamLimits { write: Duration::from_millis(300), ..StreamLimits::default() };
    let (running, server) = serve("127.0.0.1:0", limits);
    let deaf = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    deaf.set_recv_buffer_size(32 * 1024).unwrap();
    deaf.connect(&server.into()).unwrap();
    let mut deaf = TcpStream::from(deaf);
    deaf.write_all(&frame(&[FILL]).repeat(200)).unwrap();
    wait_until("the end of its patience", || running.counters().stream.send_errors > 0);
    // Each response has 64 KiB. Both kernels hold at most three of them, the server one.
    let counts = running.stop().stream;
    assert!(counts.received <= 6, "{counts:?}");
}

#[test]
fn one_source_gets_no_more_than_its_share() {
    let limits = StreamLimits { connections_per_source: 2, ..StreamLimits::default() };
    let (running, server) = serve("127.0.0.1:0", limits);
    let [one, two, three] = [(); 3].map(|()| connect(server));
    assert!(closed(&three));
    assert_eq!((ask(&one, b"1"), ask(&two, b"2")), (b"1".to_vec(), b"2".to_vec()));

    let elsewhere = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    elsewhere.bind(&address("127.0.0.2:0").into()).unwrap();
    elsewhere.connect(&server.into()).unwrap();
    assert_eq!(ask(&elsewhere.into(), b"3"), b"3");

    // A seat that is given back can be taken again.
    drop(one);
    wait_until("a free place", || {
        let mut again = connect(server);
        again.write_all(&frame(b"4")).is_ok() && !closed(&again)
    });
    assert!(running.stop().stream.refused >= 1);
}

#[test]
fn a_newcomer_takes_the_place_of_the_idlest() {
    let limits = StreamLimits { connections: 2, ..StreamLimits::default() };
    let (running, server) = serve("127.0.0.1:0", limits);
    let (first, second) = (connect(server), connect(server));
    assert_eq!(ask(&first, b"1"), b"1");
    assert_eq!(ask(&second, b"2"), b"2");
    assert_eq!(ask(&first, b"1"), b"1");
    let newcomer = connect(server);
    assert_eq!(ask(&newcomer, b"3"), b"3");
    assert!(closed(&second));
    assert_eq!(ask(&first, b"1"), b"1");
    assert_eq!(running.stop().stream.evicted, 1);
}

#[test]
fn a_panic_costs_one_query_and_the_connection_lives_on() {
    let (running, server) = serve("127.0.0.1:0", StreamLimits::default());
    let mut client = connect(server);
    client.write_all(&frame(&[PANIC])).unwrap();
    assert_eq!(ask(&client, b"query"), b"query");
    assert_eq!(running.stop().stream.panics, 1);
}

#[test]
fn what_was_received_before_the_stop_is_answered_and_then_all_is_closed() {
    let (running, server) = serve("127.0.0.1:0", StreamLimits::default());
    let (mut busy, idle) = (connect(server), connect(server));
    assert_eq!(ask(&busy, b"query"), b"query");
    assert_eq!(ask(&idle, b"query"), b"query");
    let pipeline: Vec<u8> = (0..100u8).flat_map(|query| frame(&[b'q', query])).collect();
    busy.write_all(&pipeline).unwrap();
    let clock = Clock::system();
    running.stop();
    assert!(elapsed(&clock) < Duration::from_secs(1), "{:?}", elapsed(&clock));
    for query in 0..100u8 {
        assert_eq!(receive(&busy), [b'q', query]);
    }
    assert!(closed(&busy));
    assert!(closed(&idle));
    assert!(TcpStream::connect(server).is_err());
}

#[test]
fn a_responder_that_was_asked_once_goes_on_looking_for_newer_data() {
    let refreshed = Arc::new(AtomicUsize::new(0));
    let shared = Arc::clone(&refreshed);
    let bound = bind(&[address("127.0.0.1:0")], 1).unwrap();
    let address = bound.addresses()[0];
    // Only the responder of the streams, by its number: the workers of UDP come before it.
    let _running = bound.start(StreamLimits::default(), move |number| Echo {
        refreshed: if number == 1 { Arc::clone(&shared) } else { Arc::default() },
    });
    let mut client = TcpStream::connect(address).unwrap();
    client.write_all(&[0, 1, 7]).unwrap();
    client.read_exact(&mut [0; 3]).unwrap();
    let before = refreshed.load(Ordering::Relaxed);
    wait_until("another look", || refreshed.load(Ordering::Relaxed) > before);
}
