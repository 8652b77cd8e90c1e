//! The probes of ISC's DNS compliance tests (`genreport`, which ednscomp.isc.org runs), under
//! their names there. Each asks for the SOA of the zone unless its line says otherwise.

use std::ops::RangeInclusive;

use super::message::{
    AA, AD, CD, CLIENT_SUBNET, COOKIE, DNSKEY, DO, EXPIRE, NOTIMP, NSID, Query, RA, RD, Response,
    SOA, Subject, TC, Z,
};

const CLIENT_COOKIE: &[u8] = &[1, 2, 3, 4, 5, 6, 7, 8];
/// A client subnet of family 1, with source and scope prefix lengths of 0.
const ANYWHERE: &[u8] = &[0, 1, 0, 0];

/// The types from A to CAA, AVC and DOA; DLV; and 1000, which is not assigned.
const TYPES: &[RangeInclusive<u16>] = &[
    1..=30,
    33..=33,
    35..=39,
    42..=53,
    55..=55,
    59..=61,
    99..=99,
    104..=109,
    256..=259,
    1000..=1000,
    32_769..=32_769,
];

fn soa() -> Query {
    Query::new("example.com.", SOA)
}

fn edns(version: u8) -> Query {
    soa().edns(version)
}

/// Sends each probe over UDP and TCP (`tcp`, `ednstcp`), and names the one that fails.
fn run(probes: &[(&str, Query)], check: impl Fn(&Query, &Response)) {
    let subject = Subject::start();
    for (name, query) in probes {
        for response in subject.both(query) {
            let asked = format!("{name}: {}", response.asked);
            check(query, &Response { asked, ..response });
        }
    }
}

/// Expects an answer whatever flags a query has, and no EDNS in the response to a query without.
#[test]
fn dns_aa_ad_cd_ra_rd_tc_zflag_and_tcp() {
    let probes = [
        ("dns", soa()),
        ("aa", soa().flags(AA)),
        ("ad", soa().flags(AD)),
        ("cd", soa().flags(CD)),
        ("ra", soa().flags(RA)),
        ("rd", soa().flags(RD)),
        ("tc", soa().flags(TC)),
        ("zflag", soa().flags(Z)),
    ];
    run(&probes, |_, response| {
        response.assert_answer(SOA);
        assert_eq!(response.opt, None);
        assert_eq!(response.flags & (AD | CD), 0, "nothing here is signed");
    });
}

/// Expects EDNS 0 in the response, whatever options and flags come with the query; unknown ones do
/// not come back.
#[test]
fn edns_and_its_options_and_flags() {
    let all = edns(0).option(NSID, b"").option(CLIENT_SUBNET, ANYWHERE);
    let probes = [
        ("edns", edns(0)),
        ("ednsopt", edns(0).option(100, b"")),
        ("ednsflags", edns(0).edns_flags(0x0080)),
        ("optlist", all.option(EXPIRE, b"").option(COOKIE, CLIENT_COOKIE)),
        ("ednsnsid", edns(0).option(NSID, b"")),
        ("ednscookie", edns(0).option(COOKIE, CLIENT_COOKIE)),
        ("ednsexpire", edns(0).option(EXPIRE, b"")),
        ("ednssubnet", edns(0).option(CLIENT_SUBNET, ANYWHERE)),
    ];
    run(&probes, |_, response| {
        response.assert_answer(SOA);
        assert_eq!((response.opt().version, response.opt().flags), (0, 0));
        for code in [100, EXPIRE, CLIENT_SUBNET] {
            assert_eq!(response.option(code), None);
        }
    });
}

/// Expects DO to be copied, and to change nothing else: the zone is not signed.
#[test]
fn do_and_docd() {
    let probes = [
        ("do", edns(0).edns_flags(DO)),
        ("docd", edns(0).edns_flags(DO).flags(CD)),
        ("bind11", edns(0).edns_flags(DO).payload(4096).option(COOKIE, CLIENT_COOKIE)),
    ];
    run(&probes, |_, response| {
        response.assert_answer(SOA);
        assert_eq!(response.opt().flags, DO);
        assert_eq!((response.flags & AD, response.answer.len()), (0, 1));
    });
}

/// Sends the query that dig makes by default.
#[test]
fn dig11() {
    let query = edns(0).payload(4096).flags(RD | AD).option(COOKIE, CLIENT_COOKIE);
    run(&[("dig11", query)], |_, response| {
        response.assert_answer(SOA);
        assert_eq!(response.flags & AD, 0);
    });
}

/// Expects a response with EDNS and DO that fits into a small payload.
#[test]
fn edns_at_512() {
    let query = Query::new("example.com.", DNSKEY).edns(0).payload(512).edns_flags(DO);
    run(&[("edns@512", query)], |_, response| {
        response.assert_no_data();
        assert_eq!(response.opt().flags, DO);
        assert!(response.wire.len() <= 512);
    });
}

/// Expects BADVERS for any other version, whatever comes with it.
#[test]
fn edns1_and_its_options_and_flags() {
    let probes = [
        ("edns1", edns(1)),
        ("edns1opt", edns(1).option(100, b"")),
        ("edns1flags", edns(1).edns_flags(0x0080)),
        ("edns1do", edns(1).edns_flags(DO)),
        ("edns1nsid", edns(1).option(NSID, b"")),
        ("edns1cookie", edns(1).option(COOKIE, CLIENT_COOKIE)),
        ("edns1expire", edns(1).option(EXPIRE, b"")),
        ("edns1subnet", edns(1).option(CLIENT_SUBNET, ANYWHERE)),
        ("edns255", edns(255)),
    ];
    run(&probes, |query, response| {
        response.assert_bad_version();
        assert_eq!(response.opt().flags & !DO, 0, "{query:?}");
        for code in [100, EXPIRE, CLIENT_SUBNET] {
            assert_eq!(response.option(code), None);
        }
    });
}

/// Expects NOTIMP for an unknown opcode: only the header of such a message has a known form.
#[test]
fn opcode_and_opcodeflg() {
    let header = soa().without_question().opcode(15);
    let probes = [
        ("opcode", header.clone()),
        ("opcodeflg", header.flags(AA | TC | RD | RA | AD | CD)),
        ("opcode with a question", soa().opcode(15)),
    ];
    run(&probes, |_, response| {
        assert_eq!((response.rcode, response.flags & (AA | TC | AD)), (NOTIMP, 0));
        assert_eq!((response.answer.len(), response.opt.is_some()), (0, false));
    });
}

/// Expects no error for types that nobody has heard of.
#[test]
fn type666_and_every_type_there_is() {
    let types = TYPES.iter().cloned().flatten().chain([666]);
    let probes: Vec<_> = types.map(|rtype| ("type", Query::new("example.com.", rtype))).collect();
    assert_eq!(probes.len(), 66);
    let with_edns: Vec<_> =
        probes.iter().map(|(name, query)| (*name, query.clone().edns(0))).collect();
    for probes in [probes, with_edns] {
        run(&probes, |query, response| match query.rtype() {
            rtype @ (2 | SOA) => response.assert_answer(rtype),
            _ => response.assert_no_data(),
        });
    }
}
