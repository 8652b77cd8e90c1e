//! OPT records of any kind after a valid question.

use std::net::SocketAddr;

use waypost::answer::{Client, Over};

const QUESTIONS: [&[u8]; 8] = [
    b"\x03www\x07example\x03com\0\0\x01\0\x01",
    b"\x03web\x07example\x03com\0\0\x01\0\x01",
    b"\x03big\x07example\x03com\0\0\x10\0\x01",
    b"\x07version\x04bind\0\0\x10\0\x03",
    b"\x06placed\x07example\x03com\0\0\x01\0\x01",
    b"\x05stuck\x07example\x03com\0\0\x1c\0\x01",
    b"\x03web\x07example\x03com\0\0\x41\0\x01",
    b"\x05_http\x04_tcp\x06placed\x07example\x03com\0\0\x21\0\x01",
];

/// Builds a query and checks its response. The first octet chooses question and transport, the
/// next six are the class and TTL of the OPT record, and the rest is its RDATA.
pub(crate) fn run(data: &[u8]) {
    let Some((&[choice, fixed @ ..], rdata)) = data.split_first_chunk::<7>() else { return };
    let question = QUESTIONS[usize::from(choice & 3 | choice >> 2 & 4)];
    // With a question, or without one to fetch a cookie.
    let questions = u8::from(choice & 0x80 == 0);
    let mut query = vec![0x12, 0x34, 1, 0, 0, questions, 0, 0, 0, 0, 0, 1];
    if questions == 1 {
        query.extend_from_slice(question);
    }
    query.extend_from_slice(b"\0\0\x29");
    query.extend_from_slice(&fixed);
    query.extend_from_slice(&(rdata.len() as u16).to_be_bytes());
    query.extend_from_slice(rdata);
    let over = [Over::Udp, Over::Tcp, Over::Tls, Over::Udp][usize::from(choice >> 2 & 3)];
    let source = SocketAddr::from(([192, 0, 2, 1], 5353));
    super::respond::check(&query, Client { source, over });
}
