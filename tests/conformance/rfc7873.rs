//! RFC 7873 and RFC 9018: cookies.

use std::net::UdpSocket;

use super::message::{COOKIE, FORMERR, NOERROR, Query, Response, SOA, Subject};

const CLIENT: [u8; 8] = [1, 2, 3, 4, 5, 6, 7, 8];

fn with_cookie(data: &[u8]) -> Query {
    Query::new("example.com.", SOA).edns(0).option(COOKIE, data)
}

fn cookie(response: &Response) -> Vec<u8> {
    response.option(COOKIE).unwrap_or_else(|| panic!("no cookie: {response:?}")).to_vec()
}

/// Expects no COOKIE option in the response to a query without.
#[test]
fn section_5_2_1_no_option_in_no_option_out() {
    for response in Subject::start().both(&Query::new("example.com.", SOA).edns(0)) {
        response.assert_answer(SOA);
        assert_eq!(response.option(COOKIE), None);
    }
}

/// Expects FORMERR for an option of a length that no cookie has.
#[test]
fn section_5_2_2_malformed_cookies() {
    let subject = Subject::start();
    for len in [0, 1, 7, 9, 15, 41, 100] {
        for response in subject.both(&with_cookie(&vec![9; len])) {
            assert_eq!((response.rcode, response.answer.len()), (FORMERR, 0), "{len}");
        }
    }
}

/// Expects a client cookie back with a server cookie of 16 octets, version 1 (RFC 9018 §4).
#[test]
fn section_5_2_3_only_a_client_cookie() {
    for response in Subject::start().both(&with_cookie(&CLIENT)) {
        response.assert_answer(SOA);
        let cookie = cookie(&response);
        assert_eq!((&cookie[..8], cookie.len()), (&CLIENT[..], 24));
        assert_eq!(cookie[8..12], [1, 0, 0, 0]);
    }
}

/// Expects an answer, and one of our cookies, for a server cookie that is not ours.
#[test]
fn section_5_2_4_an_invalid_server_cookie() {
    let subject = Subject::start();
    for len in [8, 16, 17, 32] {
        for response in subject.both(&with_cookie(&[&CLIENT[..], &vec![9; len]].concat())) {
            response.assert_answer(SOA);
            let cookie = cookie(&response);
            assert_eq!((&cookie[..8], cookie.len()), (&CLIENT[..], 24));
        }
    }
}

/// Expects a valid server cookie back while it is young (RFC 9018 §4.3), on every transport.
#[test]
fn section_5_2_5_a_valid_server_cookie() {
    let subject = Subject::start();
    let given = cookie(&subject.udp(&with_cookie(&CLIENT)));
    for response in subject.both(&with_cookie(&given)) {
        response.assert_answer(SOA);
        assert_eq!(cookie(&response), given);
    }
}

/// Expects another cookie for another address: the address goes into it (RFC 9018 §4.4).
#[test]
fn rfc_9018_section_4_4_a_cookie_is_for_one_address() {
    let subject = Subject::start();
    let given = cookie(&subject.udp(&with_cookie(&CLIENT)));
    let elsewhere = UdpSocket::bind("127.0.0.2:0").expect("all of 127/8 is ours");
    let response = subject.udp_from(&elsewhere, &with_cookie(&given));
    response.assert_answer(SOA);
    assert_ne!(cookie(&response)[16..], given[16..]);
}

/// Expects an empty NOERROR with a cookie for a query with a cookie and without a question.
#[test]
fn section_5_4_fetching_a_cookie() {
    let subject = Subject::start();
    for response in subject.both(&with_cookie(&CLIENT).without_question()) {
        assert_eq!((response.rcode, response.has_question), (NOERROR, false));
        assert_eq!((response.answer.len(), cookie(&response).len()), (0, 24));
    }
    for response in subject.both(&Query::new("example.com.", SOA).edns(0).without_question()) {
        assert_eq!(response.rcode, FORMERR, "nothing is asked for at all");
    }
}

/// Expects only the first of several cookies to count, the one closest to the header.
#[test]
fn section_5_2_the_first_of_two() {
    for response in Subject::start().both(&with_cookie(&CLIENT).option(COOKIE, &[9; 8])) {
        response.assert_answer(SOA);
        assert_eq!(cookie(&response)[..8], CLIENT);
        assert_eq!(response.opt().options.len(), 1);
    }
}
