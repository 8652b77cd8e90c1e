//! The transports from outside: real sockets, on loopback, with a responder that echoes.

mod stream;
mod tls;
mod udp;

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::*;
use crate::clock::{Clock, Moment};

/// The longest time that anything may take before a test fails.
const PATIENCE: Duration = Duration::from_secs(5);

/// A responder that sends back what it gets, with exceptions by the query's first byte.
struct Echo {
    refreshed: Arc<AtomicUsize>,
}

const PANIC: u8 = b'!';
const SILENCE: u8 = b'-';
const FILL: u8 = b'*';

impl Respond for Echo {
    fn refresh(&mut self) {
        self.refreshed.fetch_add(1, Ordering::Relaxed);
    }

    fn fetch(&mut self, _queries: &[&[u8]]) {}

    fn respond(
        &mut self,
        query: &[u8],
        _source: SocketAddr,
        over: Over,
        out: &mut [u8],
    ) -> Option<usize> {
        let room = if over.is_stream() { STREAM_RESPONSE } else { UDP_RESPONSE };
        assert_eq!(out.len(), room);
        match query.first() {
            Some(&PANIC) => panic!("asked to"),
            Some(&SILENCE) => None,
            Some(&FILL) => {
                out.fill(FILL);
                Some(out.len())
            }
            _ => {
                out[..query.len()].copy_from_slice(query);
                Some(query.len())
            }
        }
    }
}

fn echo(_worker: usize) -> Echo {
    Echo { refreshed: Arc::default() }
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// Starts transports with an [`Echo`] at `at`; returns them with the real address.
fn serve(at: &str, limits: StreamLimits) -> (Running, SocketAddr) {
    let bound = bind(&[address(at)], 2).unwrap();
    let address = bound.addresses()[0];
    (bound.start(limits, echo).unwrap(), address)
}

/// Returns the time since `clock` was made.
fn elapsed(clock: &Clock) -> Duration {
    clock.now().since(Moment::default())
}

/// Waits until `happened`; fails the test if that takes too long.
fn wait_until(what: &str, happened: impl Fn() -> bool) {
    let clock = Clock::system();
    while !happened() {
        assert!(elapsed(&clock) < PATIENCE, "never happened: {what}");
        std::thread::yield_now();
    }
}

#[test]
fn port_0_gives_the_same_real_port_over_udp_and_tcp() {
    let bound = bind(&[address("127.0.0.1:0"), address("[::1]:0")], 1).unwrap();
    for taken in bound.addresses() {
        assert_ne!(taken.port(), 0);
        assert!(UdpSocket::bind(taken).is_err());
        assert!(std::net::TcpListener::bind(taken).is_err());
    }
}

#[test]
fn a_taken_port_is_an_error_that_says_how_to_find_who_has_it() {
    let bound = bind(&[address("127.0.0.1:0")], 2).unwrap();
    let taken = bound.addresses()[0];
    let port = taken.port();

    let error = bind(&[taken], 2).unwrap_err();
    assert_eq!(error.address(), taken);
    assert_eq!(
        error.to_string(),
        format!(
            "cannot listen on {taken} over TCP: another program has {taken}; find it with \
             `ss -ltnp 'sport = :{port}'`, stop it or listen on another port"
        )
    );
}

#[test]
fn a_server_that_would_share_its_udp_port_is_found_out() {
    // A socket such as another Waypost of the same user has: it allows others beside it.
    let other = bind(&[address("127.0.0.1:0")], 1).unwrap().addresses.remove(0);
    let (taken, _datagrams) = (other.address, other.datagrams);
    drop(other.streams);
    let error = bind(&[taken], 1).unwrap_err().to_string();
    assert!(error.contains("over UDP: another program has"), "{error}");
    assert!(error.contains("ss -lunp"), "{error}");
}

#[test]
fn addresses_that_exclude_each_other_are_told_apart_from_a_taken_port() {
    let twice = bind(&[address("127.0.0.1:5300"), address("127.0.0.1:5300")], 1).unwrap_err();
    assert!(twice.to_string().contains("listed twice"), "{twice}");
    let covered = bind(&[address("0.0.0.0:5300"), address("127.0.0.1:5300")], 1).unwrap_err();
    assert!(covered.to_string().contains("0.0.0.0:5300 in the same list covers it"), "{covered}");
}

#[test]
fn both_families_have_one_port_in_either_order() {
    for first in ["0.0.0.0:0", "[::]:0"] {
        let one = bind(&[address(first)], 2).unwrap();
        let port = one.addresses()[0].port();
        let second = if first.starts_with('0') { "[::]" } else { "0.0.0.0" };
        let other = bind(&[address(&format!("{second}:{port}"))], 2).unwrap();
        let error = bind(&other.addresses(), 2).unwrap_err().to_string();
        assert!(error.contains("another program has"), "{error}");
    }
}

#[test]
fn all_of_ipv6_is_had_beside_the_ipv4_address_of_another_program() {
    let other = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = other.local_addr().unwrap().port();
    drop(bind(&[address(&format!("[::]:{port}"))], 2).unwrap());
    let error = bind(&[address(&format!("0.0.0.0:{port}"))], 2).unwrap_err().to_string();
    assert!(error.contains("over UDP: another program has"), "{error}");
}

/// A responder that says which worker it is.
struct Numbered(u8);

impl Respond for Numbered {
    fn refresh(&mut self) {}

    fn fetch(&mut self, _queries: &[&[u8]]) {}

    fn respond(&mut self, _: &[u8], _: SocketAddr, _: Over, out: &mut [u8]) -> Option<usize> {
        out[0] = self.0;
        Some(1)
    }
}

#[test]
fn every_worker_of_an_address_gets_queries() {
    let bound = bind(&[address("127.0.0.1:0")], 3).unwrap();
    let address = bound.addresses()[0];
    let _running = bound.start(StreamLimits::default(), |number| Numbered(number as u8)).unwrap();
    let seen = std::sync::Mutex::new([false; 3]);
    wait_until("an answer of each", || {
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        client.send_to(&[0; 12], address).unwrap();
        let mut answer = [0];
        client.recv(&mut answer).unwrap();
        let mut seen = seen.lock().unwrap();
        seen[usize::from(answer[0])] = true;
        *seen == [true; 3]
    });
}

#[test]
fn an_address_of_another_machine_is_listened_on_and_told() {
    let bound = bind(&[address("192.0.2.1:0"), address("127.0.0.1:0")], 2).unwrap();
    let addresses = bound.addresses();
    assert_eq!(bound.missing(), [(Over::Udp, addresses[0])]);
    assert!(addresses.iter().all(|address| address.port() != 0));
    let bound = bind(&[address("[2001:db8::1]:0")], 2).unwrap();
    assert_eq!(bound.missing(), [(Over::Udp, bound.addresses()[0])]);
}

#[test]
fn a_link_local_address_without_an_interface_is_an_error_that_says_so() {
    let error = bind(&[address("[fe80::1]:0")], 1).unwrap_err().to_string();
    assert!(error.contains("the number of its interface, such as [fe80::1%2]:0"), "{error}");
}

#[test]
fn every_worker_has_a_number_of_its_own_and_dropping_stops_them_all() {
    let numbers = Arc::new(std::sync::Mutex::new(Vec::new()));
    let seen = Arc::clone(&numbers);
    let bound = bind(&[address("127.0.0.1:0"), address("[::1]:0")], 2).unwrap();
    let streams = std::net::TcpStream::connect(bound.addresses()[0]).unwrap();
    std::io::Write::write_all(&mut &streams, &[0, 1, 7]).unwrap();
    let running = bound.start(StreamLimits::default(), move |number| {
        seen.lock().unwrap().push(number);
        echo(number)
    });
    wait_until("five responders", || numbers.lock().unwrap().len() == 5);
    drop(running);
    numbers.lock().unwrap().sort_unstable();
    assert_eq!(*numbers.lock().unwrap(), [0, 1, 2, 3, 4]);
    // The factory is dropped with the last thread.
    wait_until("all threads ended", || Arc::strong_count(&numbers) == 1);
}
