//! Tests of the codec as a whole.

mod oracle;
mod random;
mod types;
mod vectors;
mod words;

use super::*;
use crate::wire::kind::Type;
use crate::wire::name::Name;

fn origin() -> Name {
    Name::parse("example.com.", None).unwrap()
}

/// Reads `text`, relative to example.com, into wire format.
fn wire(rtype: Type, text: &str) -> Vec<u8> {
    parse(rtype, text, &origin()).unwrap_or_else(|error| panic!("{rtype} {text}: {error:?}"))
}

/// Prints `wire` as text.
fn text(rtype: Type, wire: &[u8]) -> String {
    let mut text = String::new();
    write_text(rtype, wire, &mut text).unwrap();
    text
}

/// Returns the message about `text`, and the part of the text that it points at.
fn mistake(rtype: Type, text: &str) -> (String, &str) {
    match parse(rtype, text, &origin()) {
        Ok(wire) => panic!("{rtype} {text} was read as {wire:02x?}"),
        Err(error) => (error.message, &text[error.at]),
    }
}

/// Makes octets from hex digits and spaces.
fn hex(digits: &str) -> Vec<u8> {
    let mut octets = Vec::new();
    codes::parse_hex(digits.bytes().filter(|digit| *digit != b' '), &mut octets).unwrap();
    octets
}

/// A text for each type as it is printed, without long hex. Some types have several.
const PRINTED: &[(Type, &str)] = &[
    (Type::A, "192.0.2.1"),
    (Type::AAAA, "2001:db8::1"),
    (Type::CNAME, "www.example.net."),
    (Type::DNAME, "example.net."),
    (Type::MX, "10 mail.example.com."),
    (Type::NS, "ns1.example.com."),
    (Type::PTR, "host.example.com."),
    (Type::SOA, "ns1.example.com. host\\.master.example.com. 2024010100 7200 900 1209600 10"),
    (Type::SRV, "1 2 443 web.example.com."),
    (Type::TXT, "\"v=spf1 mx -all\" \"\" \"a \\\"quote\\\", a \\\\ and \\000\\255;\""),
    (Type::SPF, "\"v=spf1 -all\""),
    (Type::CAA, "128 issue \"ca.example.net; account=1\""),
    (Type::DS, "60485 5 1 2BB183AF5F22588179A53B0A98631FAD1A292118"),
    (Type::CDS, "0 0 0 00"),
    (Type::DNSKEY, "257 3 13 mdsswUyr3DPW132mOi8V9xESWE8jTo0d"),
    (Type::CDNSKEY, "0 3 0 AA=="),
    (Type::HTTPS, "1 . alpn=\"h2,h3\" ipv4hint=192.0.2.1,192.0.2.2 ech=AEX+DQ=="),
    (Type::SVCB, "0 svc.example.net."),
    (Type::NAPTR, "100 10 \"S\" \"SIP+D2U\" \"!^.*$!sip:a@example.com!\" _sip._udp.example.com."),
    (Type::SSHFP, "4 2 123456789ABCDEF67890123456789ABCDEF67890"),
    (Type::TLSA, "3 1 1 0123456789ABCDEF"),
    (Type::SMIMEA, "3 0 0 0123456789ABCDEF"),
    (Type::LOC, "42 21 54.000 N 71 6 18.000 W -24.00m 30m 10000m 10m"),
    (Type::HINFO, "\"Generic PC clone\" \"Linux\""),
    (Type::RP, "louie.example.com. lam1.people.example.com."),
    (Type::AFSDB, "1 afs.example.com."),
    (Type::KX, "10 kx.example.com."),
    (Type::LP, "10 l64.example.com."),
    (Type::L32, "10 192.0.2.1"),
    (Type::URI, "10 1 \"https://www.example.com/a?b\""),
    (Type::OPENPGPKEY, "mQENBFVHm5sBCADJ"),
    (Type::DHCID, "AAIBY2/AuCccgoJbsaxcQc9TUapptP69"),
    (Type::EUI48, "00-00-5e-00-53-2a"),
    (Type::WKS, "192.0.2.1 6 25 80"),
    (Type::ISDN, "\"150862028003217\" \"004\""),
    (Type::ISDN, "\"150862028003217\""),
    (Type::NSAP, "0x47000580005a0000000001e133ffffff00016100"),
    (Type::NSAP_PTR, "a.example.com."),
    (Type::GPOS, "\"-32.6882\" \"116.8652\" \"10.0\""),
    (Type::NXT, "a.example.com. A MX NXT"),
    (Type::EID, "00FF"),
    (Type::NIMLOC, "00FF"),
    (Type::ATMA, "+61200000000"),
    (Type::ATMA, "47000580"),
    (Type::A6, "0 2001:db8::1"),
    (Type::A6, "64 ::1 prefix.example.com."),
    (Type::A6, "128 prefix.example.com."),
    (Type::SINK, "0 0 0 AA=="),
    (Type::SINK, "1 2 3"),
    (Type::APL, "1:192.0.2.0/24 !2:2001:db8::/32"),
    (Type::IPSECKEY, "10 1 2 192.0.2.38 AQNRU3mG"),
    (Type::IPSECKEY, "10 0 2 . AQNRU3mG"),
    (Type::IPSECKEY, "10 3 0 gw.example.com."),
    (Type::IPSECKEY, "10 2 2 2001:db8::1 AQNRU3mG"),
    (Type::HIP, "2 200100107B1A74DF365639CC39F1D578 AwEAAbdx rvs.example.com."),
    (Type::NINFO, "\"x\" \"y\""),
    (Type::RKEY, "0 0 1 AQAB"),
    (Type::TALINK, "a.example.com. b.example.com."),
    (Type::DSYNC, "CDS 1 5359 cds.example.com."),
    (Type::HHIT, "AQNRU3mG"),
    (Type::BRID, "AQNRU3mG"),
    (Type::NID, "10 14:4fff:ff20:ee64"),
    (Type::L64, "10 2001:db8:1140:1000"),
    (Type::AVC, "\"app-name:x\""),
    (Type::DOA, "1 2 1 \"text/plain\" AQNRU3mG"),
    (Type::DOA, "1 2 1 \"\" -"),
    (Type::AMTRELAY, "10 0 1 203.0.113.15"),
    (Type::AMTRELAY, "10 1 0 ."),
    (Type::AMTRELAY, "128 1 3 relay.example.com."),
    (Type::RESINFO, "\"qnamemin\" \"exterr=15-17\""),
    (Type::WALLET, "\"BTC\" \"bc1qxyz\""),
    (Type::CLA, "\"x\""),
    (Type::IPN, "18446744073709551615"),
    (Type::TA, "60485 5 1 2BB183AF"),
    (Type::DLV, "60485 5 1 2BB183AF"),
    (Type::EUI64, "00-00-5e-ef-10-00-00-2a"),
    (Type::CERT, "1 0 8 MIIBIjANBgkq"),
    (Type::CSYNC, "66 3 A NS AAAA"),
    (Type::ZONEMD, "2018031900 1 1 616C6C6F77656420"),
    (Type::NSEC, "host.example.com. A MX RRSIG NSEC TYPE1234"),
    (Type::NSEC3PARAM, "1 0 12 AABBCCDD"),
    (Type::NSEC3PARAM, "1 0 0 -"),
    (Type::NSEC3, "1 1 12 AABBCCDD 2VPTU5TIMAMQTTGL4LUU9KG21E0AOR3S A RRSIG"),
    (
        Type::RRSIG,
        "A 5 3 86400 20030322173103 20030220173103 2642 example.com. oJB1W6WNGv+ldvQ3WDG0MQkg5IEh",
    ),
    (Type::X25, "\"311061700956\""),
    (Type::PX, "10 a.example.com. b.example.com."),
    (Type::MINFO, "a.example.com. b.example.com."),
    (Type(65280), "\\# 4 0A000001"),
    (Type(65280), "\\# 0"),
];
