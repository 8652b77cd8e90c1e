//! RFC 8906 §8: queries by which a zone's operator sees whether a server communicates.

use super::message::{
    A, AA, AD, CD, CLIENT_SUBNET, COOKIE, DNSKEY, DO, EXPIRE, NOTIMP, NSID, Query, RD, REFUSED,
    Response, SOA, Subject, TC, TXT, Z,
};

fn soa() -> Query {
    Query::new("example.com.", SOA)
}

/// Asserts the SOA, AA, no AD and no OPT.
fn assert_plain(response: &Response) {
    response.assert_answer(SOA);
    assert_eq!((&response.opt, response.flags & AD), (&None, 0));
}

/// Asserts the SOA, AA, no AD, and OPT of version 0 with these flags.
fn assert_edns(response: &Response, flags: u16) {
    response.assert_answer(SOA);
    assert_eq!((response.opt().version, response.opt().flags), (0, flags), "{response:?}");
    assert_eq!(response.flags & AD, 0);
}

/// Expects "the SOA record to be present in the answer section", AA, and no OPT.
#[test]
fn section_8_1_1_the_server_is_configured_for_the_zone() {
    for response in Subject::start().both(&soa()) {
        assert_plain(&response);
    }
}

/// Expects NOERROR, an empty answer section and AA for type 1000 at the apex.
#[test]
fn section_8_1_2_unknown_types() {
    for response in Subject::start().both(&Query::new("example.com.", 1000)) {
        response.assert_no_data();
        assert_eq!(response.opt, None);
    }
}

/// Expects an answer to a query with CD.
#[test]
fn section_8_1_3_1_cd() {
    for response in Subject::start().both(&soa().flags(CD)) {
        assert_plain(&response);
    }
}

/// Expects an answer to a query with AD, and AD clear: the data is not authenticated.
#[test]
fn section_8_1_3_2_ad() {
    for response in Subject::start().both(&soa().flags(AD)) {
        assert_plain(&response);
    }
}

/// Expects an answer to a query with the reserved bit, which does not come back.
#[test]
fn section_8_1_3_3_the_reserved_bit() {
    // `Response::read` checks of every response that the bit is clear.
    for response in Subject::start().both(&soa().flags(Z)) {
        assert_plain(&response);
    }
}

/// Expects an answer to a query with RD; RD comes back, and RA does not.
#[test]
fn section_8_1_3_4_rd() {
    for response in Subject::start().both(&soa().flags(RD)) {
        assert_plain(&response);
        assert_eq!(response.flags & RD, RD);
    }
}

/// Expects "status: NOTIMP", no SOA and no AA for a message that is nothing but a header.
#[test]
fn section_8_1_4_unknown_opcodes() {
    let subject = Subject::start();
    for opcode in 1..16 {
        for response in subject.both(&soa().without_question().opcode(opcode)) {
            assert_eq!((response.rcode, response.flags & (AA | AD)), (NOTIMP, 0));
            assert_eq!((response.answer.len(), response.authority.len()), (0, 0));
            assert_eq!(response.opt, None);
        }
    }
}

/// Expects an answer over TCP.
#[test]
fn section_8_1_5_tcp() {
    assert_plain(&Subject::start().tcp(&soa()));
}

/// Expects "the OPT record to be present", of version 0.
#[test]
fn section_8_2_1_minimal_edns() {
    for response in Subject::start().both(&soa().edns(0)) {
        assert_edns(&response, 0);
        assert_eq!(response.opt().options, []);
    }
}

/// Expects BADVERS for version 1, without the SOA and without AA, and OPT of version 0.
#[test]
fn section_8_2_2_version_negotiation() {
    for response in Subject::start().both(&soa().edns(1)) {
        response.assert_bad_version();
    }
}

/// Expects option 100 to be ignored: "expect: OPT=100 to NOT be present".
#[test]
fn section_8_2_3_unknown_options() {
    for response in Subject::start().both(&soa().edns(0).option(100, b"")) {
        assert_edns(&response, 0);
        assert_eq!(response.opt().options, []);
    }
}

/// Expects unknown flags to be ignored, and not to come back.
#[test]
fn section_8_2_4_unknown_flags() {
    let subject = Subject::start();
    for flags in [0x40, 0x7fff] {
        for response in subject.both(&soa().edns(0).edns_flags(flags)) {
            assert_edns(&response, 0);
        }
    }
}

/// Expects BADVERS for version 1 with an unknown flag, which does not come back.
#[test]
fn section_8_2_5_version_negotiation_with_unknown_flags() {
    for response in Subject::start().both(&soa().edns(1).edns_flags(0x40)) {
        response.assert_bad_version();
        assert_eq!(response.opt().flags, 0);
    }
}

/// Expects BADVERS for version 1 with an unknown option, which does not come back.
#[test]
fn section_8_2_6_version_negotiation_with_unknown_options() {
    for response in Subject::start().both(&soa().edns(1).option(100, b"")) {
        response.assert_bad_version();
        assert_eq!(response.opt().options, []);
    }
}

/// Expects OPT also in a truncated response, and the whole response over TCP.
#[test]
fn section_8_2_7_truncated_responses() {
    let subject = Subject::start();
    let query = Query::new("big.example.com.", TXT).edns(0).payload(512).edns_flags(DO);
    let cut = subject.udp(&query);
    assert_eq!(cut.flags & TC, TC);
    assert_eq!((cut.opt().version, cut.opt().flags), (0, DO));
    assert!(cut.wire.len() <= 512);
    let whole = subject.tcp(&query);
    whole.assert_answer(TXT);
    assert_eq!((whole.answer.len(), whole.opt().version), (8, 0));
    let keys = subject.udp(&Query::new("example.com.", DNSKEY).edns(0).payload(512).edns_flags(DO));
    assert!(keys.opt.is_some());
}

/// Expects DO to be copied into the response.
#[test]
fn section_8_2_8_dnssec() {
    for response in Subject::start().both(&soa().edns(0).edns_flags(DO)) {
        assert_edns(&response, DO);
    }
}

/// Expects BADVERS for version 1 with DO, and DO to be copied as for version 0.
#[test]
fn section_8_2_9_version_negotiation_with_dnssec() {
    for response in Subject::start().both(&soa().edns(1).edns_flags(DO)) {
        response.assert_bad_version();
        assert_eq!(response.opt().flags, DO);
    }
}

/// Expects an answer to one query with NSID, a cookie, EXPIRE and a client subnet.
#[test]
fn section_8_2_10_several_defined_options() {
    let query = soa().edns(0).option(COOKIE, &[7; 8]).option(NSID, b"").option(EXPIRE, b"");
    for response in Subject::start().both(&query.option(CLIENT_SUBNET, &[0, 1, 0, 0])) {
        assert_edns(&response, 0);
    }
}

/// Expects REFUSED for a name outside of every zone: silence makes clients ask again and again.
#[test]
fn section_3_1_names_that_are_not_ours() {
    for response in Subject::start().both(&Query::new("example.net.", A)) {
        assert_eq!((response.rcode, response.flags & AA), (REFUSED, 0));
    }
}
