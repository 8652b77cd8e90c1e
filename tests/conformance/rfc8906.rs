//! RFC 8906 §8: what a zone's operator asks to see whether a server communicates.

use super::message::{
    A, AA, AD, CD, CLIENT_SUBNET, COOKIE, DNSKEY, DO, EXPIRE, NOTIMP, NSID, Query, RD, REFUSED,
    Response, SOA, Subject, TC, TXT, Z,
};

fn soa() -> Query {
    Query::new("example.com.", SOA)
}

/// The SOA, AA, no OPT.
fn assert_plain(response: &Response) {
    response.assert_answer(SOA);
    assert_eq!((&response.opt, response.flags & AD), (&None, 0));
}

/// The SOA, AA, OPT of version 0 with these flags.
fn assert_edns(response: &Response, flags: u16) {
    response.assert_answer(SOA);
    assert_eq!((response.opt().version, response.opt().flags), (0, flags), "{response:?}");
    assert_eq!(response.flags & AD, 0);
}

/// "expect: the SOA record to be present in the answer section", AA, and no OPT.
#[test]
fn section_8_1_1_the_server_is_configured_for_the_zone() {
    for response in Subject::start().both(&soa()) {
        assert_plain(&response);
    }
}

/// Type 1000 at the apex: NOERROR, an empty answer section, AA.
#[test]
fn section_8_1_2_unknown_types() {
    for response in Subject::start().both(&Query::new("example.com.", 1000)) {
        response.assert_no_data();
        assert_eq!(response.opt, None);
    }
}

/// A query with CD set is answered.
#[test]
fn section_8_1_3_1_cd() {
    for response in Subject::start().both(&soa().flags(CD)) {
        assert_plain(&response);
    }
}

/// A query with AD set is answered, and AD is clear unless the data is authenticated.
#[test]
fn section_8_1_3_2_ad() {
    for response in Subject::start().both(&soa().flags(AD)) {
        assert_plain(&response);
    }
}

/// A query with the reserved bit set is answered, and the bit does not come back.
#[test]
fn section_8_1_3_3_the_reserved_bit() {
    // That it is clear is checked for every response.
    for response in Subject::start().both(&soa().flags(Z)) {
        assert_plain(&response);
    }
}

/// A query with RD set is answered, and RD comes back; RA does not.
#[test]
fn section_8_1_3_4_rd() {
    for response in Subject::start().both(&soa().flags(RD)) {
        assert_plain(&response);
        assert_eq!(response.flags & RD, RD);
    }
}

/// "expect: status: NOTIMP", no SOA, no AA; a message of opcode 15 is nothing but a header.
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

/// Queries over TCP work.
#[test]
fn section_8_1_5_tcp() {
    assert_plain(&Subject::start().tcp(&soa()));
}

/// "expect: the OPT record to be present", version 0.
#[test]
fn section_8_2_1_minimal_edns() {
    for response in Subject::start().both(&soa().edns(0)) {
        assert_edns(&response, 0);
        assert_eq!(response.opt().options, []);
    }
}

/// Version 1 is BADVERS, without the SOA and without AA, and OPT says version 0.
#[test]
fn section_8_2_2_version_negotiation() {
    for response in Subject::start().both(&soa().edns(1)) {
        response.assert_bad_version();
    }
}

/// Option 100 is ignored: "expect: OPT=100 to NOT be present".
#[test]
fn section_8_2_3_unknown_options() {
    for response in Subject::start().both(&soa().edns(0).option(100, b"")) {
        assert_edns(&response, 0);
        assert_eq!(response.opt().options, []);
    }
}

/// Unknown flags are ignored and do not come back.
#[test]
fn section_8_2_4_unknown_flags() {
    let subject = Subject::start();
    for flags in [0x40, 0x7fff] {
        for response in subject.both(&soa().edns(0).edns_flags(flags)) {
            assert_edns(&response, 0);
        }
    }
}

/// Version 1 with an unknown flag is BADVERS, and the flag does not come back.
#[test]
fn section_8_2_5_version_negotiation_with_unknown_flags() {
    for response in Subject::start().both(&soa().edns(1).edns_flags(0x40)) {
        response.assert_bad_version();
        assert_eq!(response.opt().flags, 0);
    }
}

/// Version 1 with an unknown option is BADVERS, and the option does not come back.
#[test]
fn section_8_2_6_version_negotiation_with_unknown_options() {
    for response in Subject::start().both(&soa().edns(1).option(100, b"")) {
        response.assert_bad_version();
        assert_eq!(response.opt().options, []);
    }
}

/// A response that is cut has OPT too; over TCP there is all of it.
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

/// DO is copied into the response.
#[test]
fn section_8_2_8_dnssec() {
    for response in Subject::start().both(&soa().edns(0).edns_flags(DO)) {
        assert_edns(&response, DO);
    }
}

/// Version 1 with DO is BADVERS, and has DO as the response of version 0 has.
#[test]
fn section_8_2_9_version_negotiation_with_dnssec() {
    for response in Subject::start().both(&soa().edns(1).edns_flags(DO)) {
        response.assert_bad_version();
        assert_eq!(response.opt().flags, DO);
    }
}

/// NSID, a cookie, EXPIRE and a client subnet in one query are no reason not to answer it.
#[test]
fn section_8_2_10_several_defined_options() {
    let query = soa().edns(0).option(COOKIE, &[7; 8]).option(NSID, b"").option(EXPIRE, b"");
    for response in Subject::start().both(&query.option(CLIENT_SUBNET, &[0, 1, 0, 0])) {
        assert_edns(&response, 0);
    }
}

/// A name outside of every zone is answered too: silence makes others ask again and again.
#[test]
fn section_3_1_names_that_are_not_ours() {
    for response in Subject::start().both(&Query::new("example.net.", A)) {
        assert_eq!((response.rcode, response.flags & AA), (REFUSED, 0));
    }
}
