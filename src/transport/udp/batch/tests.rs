use std::net::UdpSocket;
use std::os::fd::AsFd;
use std::time::Duration;

use super::*;
use crate::transport::udp::{Share, open};

fn pair() -> (UdpSocket, UdpSocket) {
    let server = open("127.0.0.1:0".parse().unwrap(), Share::First).unwrap();
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.connect(server.local_addr().unwrap()).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    (server, client)
}

fn echo(batch: &mut Batch, slot: usize) {
    let exchange = batch.exchange(slot).unwrap();
    let length = exchange.query.len();
    exchange.response[..length].copy_from_slice(exchange.query);
    batch.respond(slot, length);
}

#[test]
fn a_response_that_cannot_be_sent_is_skipped_and_the_others_leave() {
    let (server, client) = pair();
    for byte in 0..5u8 {
        client.send(&[byte; 12]).unwrap();
    }
    let mut batch = Batch::new();
    assert_eq!(batch.receive(server.as_fd(), Wait::ForOne).unwrap(), 5);
    // Port 0 cannot be sent to: the first, one in the middle and the last fail.
    for slot in [0, 2, 4] {
        batch.peers[slot].v4.sin_port = 0;
    }
    (0..5).for_each(|slot| echo(&mut batch, slot));
    assert_eq!(batch.send(server.as_fd()), Sent { sent: 2, failed: 3 });
    for byte in [1u8, 3] {
        let mut response = [0; 64];
        assert_eq!(client.recv(&mut response).unwrap(), 12);
        assert_eq!(response[0], byte);
    }
}

#[test]
fn a_full_batch_is_received_and_the_next_call_starts_afresh() {
    let (server, client) = pair();
    for byte in 0..BATCH as u8 + 3 {
        client.send(&[byte; 20]).unwrap();
    }
    let mut batch = Batch::new();
    assert_eq!(batch.receive(server.as_fd(), Wait::Not).unwrap(), BATCH);
    (0..BATCH).for_each(|slot| echo(&mut batch, slot));
    assert_eq!(batch.send(server.as_fd()), Sent { sent: BATCH, failed: 0 });
    assert_eq!(batch.receive(server.as_fd(), Wait::Not).unwrap(), 3);
    assert_eq!(batch.exchange(0).unwrap().query, [BATCH as u8; 20]);
    assert_eq!(batch.exchange(0).unwrap().source, client.local_addr().unwrap());
    assert_eq!(batch.send(server.as_fd()), Sent::default());
    let nothing = batch.receive(server.as_fd(), Wait::Not).unwrap_err();
    assert_eq!(nothing.kind(), io::ErrorKind::WouldBlock);
}

#[test]
fn a_datagram_longer_than_the_buffer_is_not_handed_on() {
    let (server, client) = pair();
    client.send(&[1; QUERY + 1]).unwrap();
    client.send(&[2; QUERY]).unwrap();
    let mut batch = Batch::new();
    assert_eq!(batch.receive(server.as_fd(), Wait::ForOne).unwrap(), 2);
    assert!(batch.exchange(0).is_none());
    assert_eq!(batch.exchange(1).unwrap().query.len(), QUERY);
}

#[test]
fn an_empty_datagram_is_an_empty_query() {
    let (server, client) = pair();
    client.send(&[]).unwrap();
    let mut batch = Batch::new();
    assert_eq!(batch.receive(server.as_fd(), Wait::ForOne).unwrap(), 1);
    assert!(batch.exchange(0).unwrap().query.is_empty());
}
