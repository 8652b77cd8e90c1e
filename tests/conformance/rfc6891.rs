//! RFC 6891: EDNS(0).

use super::message::{FORMERR, Query, SOA, Subject, TC, TXT};

fn soa() -> Query {
    Query::new("example.com.", SOA)
}

/// Expects FORMERR: "If a query message with more than one OPT RR is received, a FORMERR (RCODE=1)
/// MUST be returned."
#[test]
fn section_6_1_1_two_opts_are_an_error() {
    for response in Subject::start().both(&soa().edns(0).edns(0)) {
        assert_eq!(response.rcode, FORMERR);
    }
}

/// Expects OPT in every response to a query with OPT (a "MUST"), whatever else it says, and never
/// in a response to a query without (§7).
#[test]
fn sections_6_1_1_and_7_opt_answers_opt() {
    let subject = Subject::start();
    for (name, rtype) in [
        ("example.com.", SOA),
        ("missing.example.com.", SOA),
        ("www.example.com.", SOA),
        ("example.net.", SOA),
        ("big.example.com.", TXT),
        ("example.com.", 252),
        ("example.com.", 253),
    ] {
        for response in subject.both(&Query::new(name, rtype)) {
            assert_eq!(response.opt, None, "{name} {rtype}");
        }
        for response in subject.both(&Query::new(name, rtype).edns(0)) {
            assert_eq!(response.opt().version, 0, "{name} {rtype}");
        }
    }
}

/// Expects options that are not understood to be ignored (a "MUST"), however many there are.
#[test]
fn section_6_1_2_unknown_options_are_ignored() {
    let many = (65_001..65_535).fold(soa().edns(0), |query, code| query.option(code, b"?"));
    for response in Subject::start().both(&many) {
        response.assert_answer(SOA);
        assert_eq!(response.opt().options, []);
    }
}

/// Expects BADVERS: "If a responder does not implement the VERSION level of the request, then it
/// MUST respond with RCODE=BADVERS."
#[test]
fn section_6_1_3_versions() {
    let subject = Subject::start();
    for version in [1, 2, 127, 255] {
        for response in subject.both(&soa().edns(version)) {
            response.assert_bad_version();
            assert!(response.has_question);
        }
    }
}

/// Expects a lower bound: "Values lower than 512 MUST be treated as equal to 512."
#[test]
fn section_6_2_3_small_payloads_are_512() {
    let subject = Subject::start();
    for payload in [0, 1, 100, 511] {
        let response = subject.udp(&soa().edns(0).payload(payload));
        response.assert_answer(SOA);
    }
    let cut = subject.udp(&Query::new("middle.example.com.", TXT).edns(0).payload(100));
    assert_eq!(cut.flags & TC, TC);
    assert!(cut.wire.len() <= 512);
}

/// Expects a response no longer than the requestor takes, and no longer than we advertise.
#[test]
fn section_6_2_4_the_payload_bounds_the_response() {
    let subject = Subject::start();
    let ask = |name: &str, payload| subject.udp(&Query::new(name, TXT).edns(0).payload(payload));
    let fits = ask("middle.example.com.", 1232);
    fits.assert_answer(TXT);
    assert!(fits.wire.len() > 512, "{}", fits.wire.len());
    assert_eq!(ask("middle.example.com.", 600).flags & TC, TC);
    let cut = ask("big.example.com.", 65_535);
    assert_eq!((cut.flags & TC, cut.opt().payload), (TC, 1232));
    let plain = subject.udp(&Query::new("middle.example.com.", TXT));
    assert_eq!((plain.flags & TC, plain.opt), (TC, None));
}
