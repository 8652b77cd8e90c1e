//! Every kind of header and question is answered or dropped by table, and nothing panics.
//!
//! The whole space (65,536 types × 7 classes × 16 opcodes × 128 flags × 5 counts) has 4.7 × 10⁹
//! points. The engine looks at opcode, flags and count before type and class, so two slices cover
//! it: every type and class with a plain header, and every header with a set of types that holds
//! one of each row of the table. Random points of the whole, new ones each time, test that they do.

use std::sync::Arc;

use waypost::answer::{Client, Dropped, Outcome, Over, Policy, Responder};

use crate::agreement::responder;
use crate::dns::{Question, Response};
use crate::generate::zones;

const CLASSES: [u16; 7] = [1, 3, 4, 254, 255, 0, 65_535];
const COUNTS: [u16; 5] = [0, 1, 2, 255, 65_535];
const TYPES: [u16; 24] = [
    0, 1, 2, 5, 6, 12, 13, 15, 16, 28, 33, 39, 41, 43, 65, 128, 249, 250, 251, 252, 253, 254, 255,
    65_535,
];
const CLIENT: Client = Client {
    source: std::net::SocketAddr::new(
        std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 200)),
        5353,
    ),
    over: Over::Udp,
};

const NOERROR: u8 = 0;
const FORMERR: u8 = 1;
const NOTIMP: u8 = 4;
const REFUSED: u8 = 5;

/// Puts seven bits at the flags that are neither QR, opcode nor RCODE: AA TC RD RA Z AD CD.
fn flags(seven: u16) -> u16 {
    (seven & 0b111_1000) << 4 | (seven & 0b111) << 4
}

/// Returns the RCODE that a query for an existing name gets: the table.
fn expected(opcode: u16, count: u16, rtype: u16, class: u16) -> u8 {
    match (opcode, count, class, rtype) {
        (1.., ..) => NOTIMP,
        (_, 0 | 2.., ..) => FORMERR,
        (_, _, 0 | 2.., _) => REFUSED,
        (_, _, _, 251 | 252) => REFUSED,
        (_, _, _, 253 | 254) => NOTIMP,
        (_, _, _, 41 | 249 | 250) => FORMERR,
        _ => NOERROR,
    }
}

/// Asks, and fails the test, with the query, if the reply is not as the table has it.
fn check(responder: &mut Responder, query: &[u8], rcode: u8, out: &mut [u8]) {
    let outcome = responder.respond(query, CLIENT, out);
    let len = outcome.len().unwrap_or_else(|| panic!("dropped: {query:02x?}"));
    let reply = &out[..len];
    assert!((12..=512).contains(&len), "{query:02x?} {len}");
    assert_eq!(reply[..2], query[..2], "the id");
    assert_eq!(reply[3] & 0xf, rcode, "{query:02x?}");
    // QR is set, opcode and RD are copied; TC, RA, Z, AD and CD are clear.
    assert_eq!(reply[2] & 0b1111_1011, 0x80 | query[2] & 0b0111_1001, "{query:02x?}");
    assert_eq!(reply[3] & 0xf0, 0, "{query:02x?}");
}

/// Writes a query for the apex, which has SOA and NS.
fn message(id: u16, flags: u16, count: u16, rtype: u16, class: u16) -> Vec<u8> {
    let question = Question { name: "example.com.".to_owned(), rtype, payload: None, flags };
    let mut query = question.encode(id);
    query[4..6].copy_from_slice(&count.to_be_bytes());
    let at = query.len() - 2;
    query[at..].copy_from_slice(&class.to_be_bytes());
    query
}

#[test]
fn every_type_and_class_is_answered_by_table() {
    let mut responder = responder(&zones(&mut fastrand::Rng::with_seed(1)));
    let mut out = vec![0; 1232];
    for class in CLASSES {
        for rtype in 0..=u16::MAX {
            let query = message(rtype, 0x0100, 1, rtype, class);
            check(&mut responder, &query, expected(0, 1, rtype, class), &mut out);
            if rtype % 64 == 0 {
                let len = responder.respond(&query, CLIENT, &mut out).len().expect("a reply");
                Response::decode(&out[..len]);
            }
        }
    }
}

#[test]
fn every_header_is_answered_by_table() {
    let mut responder = responder(&zones(&mut fastrand::Rng::with_seed(2)));
    let mut out = vec![0; 1232];
    for opcode in 0..16 {
        for seven in 0..128 {
            for count in COUNTS {
                for class in CLASSES {
                    for rtype in TYPES {
                        let flags = opcode << 11 | flags(seven);
                        let query = message(0x1234, flags, count, rtype, class);
                        let rcode = expected(opcode, count, rtype, class);
                        check(&mut responder, &query, rcode, &mut out);
                    }
                }
            }
        }
    }
}

#[test]
fn any_header_with_any_question_is_answered_by_table() {
    let mut responder = responder(&zones(&mut fastrand::Rng::with_seed(4)));
    let mut out = vec![0; 1232];
    let mut random = fastrand::Rng::new();
    // `check` prints the query, which is all that is needed to repeat a failure.
    for _ in 0..20_000_000 {
        let (opcode, seven) = (random.u16(0..16), random.u16(0..128));
        let count = random.choice(COUNTS).expect("some");
        let (rtype, class) = (random.u16(..), random.choice(CLASSES).expect("some"));
        // Most opcodes and counts end at the header; half of the queries go further.
        let (opcode, count) = if random.bool() { (0, 1) } else { (opcode, count) };
        let query = message(random.u16(..), opcode << 11 | flags(seven), count, rtype, class);
        check(&mut responder, &query, expected(opcode, count, rtype, class), &mut out);
    }
}

#[test]
fn a_query_after_a_proxy_header_is_answered_with_notimp() {
    let mut responder = responder(&zones(&mut fastrand::Rng::with_seed(5)));
    let mut out = vec![0; 1232];
    // The second version: PROXY over UDP and IPv4, 12 octets of addresses and ports.
    let binary = b"\r\n\r\n\0\r\nQUIT\n\x21\x12\0\x0c\xc6\x33\x64\x09\xc0\0\x02\x35\xc0\0\0\x35";
    let text = b"PROXY TCP4 198.51.100.9 192.0.2.53 49152 53\r\n";
    for header in [&binary[..], text] {
        let query = [header, &message(7, 0x0100, 1, 1, 1)].concat();
        check(&mut responder, &query, NOTIMP, &mut out);
    }
}

#[test]
fn what_may_be_an_attack_or_an_echo_is_dropped() {
    let mut responder = responder(&zones(&mut fastrand::Rng::with_seed(3)));
    let mut out = vec![0; 1232];
    let query = message(7, 0x0100, 1, 1, 1);
    for len in 0..12 {
        let outcome = responder.respond(&query[..len], CLIENT, &mut out);
        assert_eq!(outcome, Outcome::Drop(Dropped::Short));
    }
    for flags in 0x8000..=0xffffu16 {
        let response = message(7, flags, 1, 1, 1);
        let outcome = responder.respond(&response, CLIENT, &mut out);
        assert_eq!(outcome, Outcome::Drop(Dropped::Response), "{flags:x}");
    }
    let nobody = Client { source: ([192, 0, 2, 1], 0).into(), over: Over::Udp };
    let outcome = responder.respond(&query, nobody, &mut out);
    assert_eq!(outcome, Outcome::Drop(Dropped::SourcePortZero));
    let own = ["192.0.2.53:53", "[::]:53"].map(|own| own.parse().expect("an address")).to_vec();
    responder.set_policy(Arc::new(Policy { own, ..Policy::default() }));
    for (source, is_own) in [
        ("192.0.2.53:53", true),
        ("[::1]:53", true),
        ("192.0.2.53:5353", false),
        ("192.0.2.54:53", false),
        ("127.0.0.1:53", false),
    ] {
        let source = Client { source: source.parse().expect("an address"), over: Over::Udp };
        let outcome = responder.respond(&query, source, &mut out);
        let dropped = outcome == Outcome::Drop(Dropped::SourceOwn);
        assert_eq!(dropped, is_own, "{source:?} {outcome:?}");
    }
}

#[test]
fn any_octets_at_all_get_a_readable_reply_or_none() {
    let zones = zones(&mut fastrand::Rng::with_seed(4));
    let mut responder = responder(&zones);
    let mut rng = fastrand::Rng::with_seed(5);
    let mut out = vec![0; 65_535];
    for round in 0..200_000u32 {
        let (name, rtype) = crate::generate::query(&zones, &mut rng);
        let question = Question { name, rtype, payload: Some(rng.u16(..)), flags: 0x0100 };
        let mut query = question.encode(rng.u16(..));
        for _ in 0..rng.usize(0..4) {
            let at = rng.usize(..query.len());
            match rng.u8(..4) {
                0 => query[at] = rng.u8(..),
                1 => query.truncate(at),
                2 => query.insert(at, rng.u8(..)),
                _ => query[at] ^= 1 << rng.u8(..8),
            }
            if query.is_empty() {
                query.push(0);
            }
        }
        let over = if rng.bool() { Over::Udp } else { Over::Tcp };
        if let Some(len) = responder.respond(&query, Client { over, ..CLIENT }, &mut out).len() {
            assert_eq!(out[..2], query[..2], "round {round}");
            assert!(over == Over::Tcp || len <= 1232, "round {round}");
            if round % 8 == 0 {
                Response::decode(&out[..len]);
            }
        }
    }
}
