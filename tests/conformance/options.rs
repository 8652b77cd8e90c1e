//! The rest of what a server says of itself and its refusals: RFC 5001, 7828, 7830, 8914 and 4892.

use super::message::{
    A, AA, COOKIE, EXTENDED_ERROR, KEEPALIVE, NOERROR, NSID, NXDOMAIN, PADDING, Query, REFUSED,
    SOA, Subject, TXT,
};

const CH: u16 = 3;
const AXFR: u16 = 252;

fn soa() -> Query {
    Query::new("example.com.", SOA).edns(0)
}

/// Expects, for an empty NSID option, the name that the operator chose (RFC 5001 §2.1, §2.3).
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

/// Expects NSID also where the response is an error (RFC 5001 §2.1).
#[test]
fn rfc_5001_nsid_comes_with_errors_too() {
    let subject = Subject::start();
    for name in ["missing.example.com.", "example.net."] {
        for response in subject.both(&Query::new(name, A).edns(0).option(NSID, b"")) {
            assert_eq!(response.option(NSID), Some(&b"ns1-fra"[..]), "{name}");
        }
    }
}

/// Expects keepalive to be ignored over UDP, where it must not be sent (RFC 7828 §3.2.1).
#[test]
fn rfc_7828_keepalive_means_nothing_over_udp() {
    let response = Subject::start().udp(&soa().option(KEEPALIVE, b""));
    response.assert_answer(SOA);
    assert_eq!(response.option(KEEPALIVE), None);
}

/// Expects the idle timeout over TCP, in units of 100 ms, if the query asks (RFC 7828 §3.3.2).
#[test]
fn rfc_7828_keepalive_tells_the_idle_timeout_over_tcp() {
    let subject = Subject::start();
    let response = subject.tcp(&soa().option(KEEPALIVE, b""));
    assert_eq!(response.option(KEEPALIVE), Some(&[0, 70][..]));
    assert_eq!(subject.tcp(&soa()).option(KEEPALIVE), None);
}

/// Expects no padding where nothing is encrypted: it would be of no use there (RFC 7830 §6).
#[test]
fn rfc_7830_what_is_not_encrypted_is_not_padded() {
    for response in Subject::start().both(&soa().option(PADDING, &[0; 64])) {
        response.assert_answer(SOA);
        assert_eq!(response.option(PADDING), None);
    }
}

/// Expects Not Authoritative (20), Not Supported (21) and Prohibited (18): RFC 8914 §4.21, §4.22
/// and §4.19.
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

/// Expects no extended error in answers that are as they should be (RFC 8914 §3).
#[test]
fn rfc_8914_answers_have_no_extended_error() {
    let subject = Subject::start();
    for (name, rcode) in [("www.example.com.", NOERROR), ("missing.example.com.", NXDOMAIN)] {
        for response in subject.both(&Query::new(name, A).edns(0).option(COOKIE, &[1; 8])) {
            assert_eq!((response.rcode, response.option(EXTENDED_ERROR)), (rcode, None));
        }
    }
}

/// Expects the operator's texts, as TXT in class CH, for ID.SERVER and the names that BIND
/// introduced (RFC 4892 §2.1).
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
