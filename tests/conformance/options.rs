//! What else a server says of itself and of its refusals: RFC 5001, 7828, 7830, 8914 and 4892.

use super::message::{
    A, AA, COOKIE, EXTENDED_ERROR, KEEPALIVE, NOERROR, NSID, NXDOMAIN, PADDING, Query, REFUSED,
    SOA, Subject, TXT,
};

const CH: u16 = 3;
const AXFR: u16 = 252;

fn soa() -> Query {
    Query::new("example.com.", SOA).edns(0)
}

/// RFC 5001 §2.1: an empty NSID option asks for the server's name; §2.3: the operator chose it.
#[test]
fn rfc_5001_nsid_is_given_to_who_asks() {
    let subject = Subject::start();
    for response in subject.both(&soa().option(NSID, b"")) {
        response.assert_answer(SOA);
        assert_eq!(response.option(NSID), Some(&b"ns1-fra"[..]));
    }
    for response in subject.both(&soa()) {
        assert_eq!(response.option(NSID), None);
    }
}

/// RFC 5001 §2.1: NSID tells who answered also where the answer is an error.
#[test]
fn rfc_5001_nsid_comes_with_errors_too() {
    let subject = Subject::start();
    for name in ["missing.example.com.", "example.net."] {
        for response in subject.both(&Query::new(name, A).edns(0).option(NSID, b"")) {
            assert_eq!(response.option(NSID), Some(&b"ns1-fra"[..]), "{name}");
        }
    }
}

/// RFC 7828 §3.2.1: over UDP the option must not be sent, and is ignored.
#[test]
fn rfc_7828_keepalive_means_nothing_over_udp() {
    let response = Subject::start().udp(&soa().option(KEEPALIVE, b""));
    response.assert_answer(SOA);
    assert_eq!(response.option(KEEPALIVE), None);
}

/// RFC 7828 §3.3.2: over TCP the idle timeout, in units of 100 ms, for who asks.
#[test]
fn rfc_7828_keepalive_tells_the_idle_timeout_over_tcp() {
    let subject = Subject::start();
    let response = subject.tcp(&soa().option(KEEPALIVE, b""));
    assert_eq!(response.option(KEEPALIVE), Some(&[0, 70][..]));
    assert_eq!(subject.tcp(&soa()).option(KEEPALIVE), None);
}

/// RFC 7830 §6: padding is of no use where everyone can read along, and is not sent there.
#[test]
fn rfc_7830_what_is_not_encrypted_is_not_padded() {
    for response in Subject::start().both(&soa().option(PADDING, &[0; 64])) {
        response.assert_answer(SOA);
        assert_eq!(response.option(PADDING), None);
    }
}

/// RFC 8914 §4.21: Not Authoritative (20); §4.22: Not Supported (21); §4.19: Prohibited (18).
#[test]
fn rfc_8914_refusals_say_why() {
    let subject = Subject::start();
    for (query, code) in [
        (Query::new("example.net.", A), 20u16),
        (Query::new("example.com.", AXFR), 21),
        (Query::new("authors.bind.", TXT).class(CH), 18),
    ] {
        for response in subject.both(&query.clone().edns(0)) {
            assert_eq!((response.rcode, response.flags & AA), (REFUSED, 0), "{query:?}");
            let error = response.option(EXTENDED_ERROR).expect("an extended error");
            assert_eq!(error[..2], code.to_be_bytes(), "{query:?}");
        }
        for response in subject.both(&query) {
            assert_eq!((response.rcode, response.opt), (REFUSED, None));
        }
    }
}

/// RFC 8914 §3: an extended error has no bearing on answers that are as they should be.
#[test]
fn rfc_8914_answers_have_no_extended_error() {
    let subject = Subject::start();
    for (name, rcode) in [("www.example.com.", NOERROR), ("missing.example.com.", NXDOMAIN)] {
        for response in subject.both(&Query::new(name, A).edns(0).option(COOKIE, &[1; 8])) {
            assert_eq!((response.rcode, response.option(EXTENDED_ERROR)), (rcode, None));
        }
    }
}

/// RFC 4892 §2.1: ID.SERVER, and the names that BIND gave rise to: TXT in class CH, what the
/// operator wrote.
#[test]
fn rfc_4892_the_server_tells_its_name_and_version() {
    let subject = Subject::start();
    for (name, text) in [
        ("id.server.", "ns1-fra"),
        ("hostname.bind.", "ns1-fra"),
        ("version.bind.", "waypost"),
        ("VERSION.Server.", "waypost"),
    ] {
        for response in subject.both(&Query::new(name, TXT).class(CH)) {
            response.assert_answer(TXT);
            let [record] = &response.answer[..] else { panic!("{response:?}") };
            assert_eq!((record.class, record.ttl), (CH, 0));
            assert_eq!(record.rdata[1..], *text.as_bytes());
        }
    }
}
