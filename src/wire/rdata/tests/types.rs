//! Tests of each type in both directions, and of the errors about text that does not fit.

use super::*;

#[test]
fn every_type_is_read_and_printed_back() {
    for &(rtype, printed) in PRINTED {
        let rdata = wire(rtype, printed);
        assert_eq!(text(rtype, &rdata), printed, "{rtype}");
        // The same octets in the form for unknown types are the same data (RFC 3597 §5).
        let unknown = text(Type(65280), &rdata);
        assert_eq!(wire(rtype, &unknown), rdata, "{rtype} {unknown}");
    }
}

#[test]
fn the_table_knows_every_type_that_a_zone_file_promises() {
    for rtype in "A AAAA CNAME DNAME MX NS PTR SOA SRV TXT CAA DS HTTPS SVCB NAPTR SSHFP TLSA LOC \
                  HINFO RP"
        .split_whitespace()
    {
        let rtype: Type = rtype.parse().unwrap();
        assert!(PRINTED.iter().any(|&(printed, _)| printed == rtype), "{rtype}");
    }
}

#[test]
fn other_spellings_mean_the_same() {
    for (rtype, written, printed) in [
        (Type::MX, "10\t( mail ) ; comment", "10 mail.example.com."),
        (Type::NS, "@", "example.com."),
        (
            Type::SOA,
            "ns1 hostmaster 1 2h 15m 2W 10s",
            "ns1.example.com. hostmaster.example.com. 1 7200 900 1209600 10",
        ),
        (Type::TXT, "one two", "\"one\" \"two\""),
        (Type::TXT, "\"a\"\"b\"", "\"a\" \"b\""),
        (Type::TXT, "a\\;b", "\"a;b\""),
        (Type::CAA, "0 issue ca.example.net", "0 issue \"ca.example.net\""),
        (Type::DS, "60485 RSASHA1 1 2bb1 83af", "60485 5 1 2BB183AF"),
        (Type::CERT, "PKIX 0 RSASHA256 MIIB Ijan", "1 0 8 MIIBIjan"),
        (Type::DS, "60485 13 SHA-256 2bb183af", "60485 13 2 2BB183AF"),
        (Type::TLSA, "DANE-EE SPKI SHA2-256 00", "3 1 1 00"),
        (Type::WKS, "192.0.2.1 tcp smtp http", "192.0.2.1 6 25 80"),
        (Type::NSAP, "0x47.0005.80", "0x47000580"),
        (
            Type::SVCB,
            "1 . docpath tls-supported-groups=29,23 pvd",
            "1 . tls-supported-groups=29,23 docpath pvd",
        ),
        (Type::SVCB, "1 . docpath=a,b key65000=x", "1 . docpath=\"a,b\" key65000=\"x\""),
        (Type::DSYNC, "cds notify 5359 cds", "CDS 1 5359 cds.example.com."),
        (Type::AAAA, "2001:DB8:0:0:0:0:0:1", "2001:db8::1"),
        (Type::NID, "20 00ab:0c0d:0000:0001", "20 ab:c0d:0:1"),
        (Type::L64, "20 2001:0db8:0007:0000", "20 2001:db8:7:0"),
        (Type::X25, "208053912345", "\"208053912345\""),
        (Type::ISDN, "33145678901 12", "\"33145678901\" \"12\""),
        (Type::GPOS, "48.8584 2.2945 35.0", "\"48.8584\" \"2.2945\" \"35.0\""),
        (
            Type::RESINFO,
            "qnamemin infourl=https://www.example.org/",
            "\"qnamemin\" \"infourl=https://www.example.org/\"",
        ),
        (Type::SSHFP, "1 1 ( 00ff\n 11ee )", "1 1 00FF11EE"),
        (Type::ZONEMD, "7 1 2 0a0b 0c0d", "7 1 2 0A0B0C0D"),
        (Type::NSEC, "a MX A A", "a.example.com. A MX"),
        (
            Type::RRSIG,
            "A 8 2 1h 1893456000 0 1 @ AAAA",
            "A 8 2 3600 20300101000000 19700101000000 1 example.com. AAAA",
        ),
    ] {
        assert_eq!(text(rtype, &wire(rtype, written)), printed, "{rtype} {written}");
    }
}

#[test]
fn long_hex_and_base64_are_printed_in_words_as_dig_does() {
    let digest = "49FD46E6C4B45C55D4AC69CBD3CD34AC1AFE51DE49FD46E6C4B45C55D4AC69CB";
    let printed = text(Type::DS, &wire(Type::DS, &format!("1 13 2 {digest}")));
    assert_eq!(printed, format!("1 13 2 {} {}", &digest[..56], &digest[56..]));
    assert_eq!(wire(Type::DS, &printed), wire(Type::DS, &format!("1 13 2 {digest}")));
}

#[test]
fn a_mistake_is_named_at_its_place() {
    for (rtype, written, blamed, says) in [
        (
            Type::A,
            "192.0.2.256",
            "192.0.2.256",
            "expected the address, an IPv4 address; found `192.0.2.256`",
        ),
        (Type::A, "", "", "the A data ends before the address; expected an IPv4 address"),
        (
            Type::A,
            "192.0.2.1 192.0.2.2",
            "192.0.2.2",
            "expected the end of the A data, found `192.0.2.2`",
        ),
        (
            Type::MX,
            "mail",
            "mail",
            "expected the preference, a number from 0 to 65535; found `mail`",
        ),
        (
            Type::MX,
            "+1 mail",
            "+1",
            "expected the preference, a number from 0 to 65535; found `+1`",
        ),
        (Type::MX, "10", "", "the MX data ends before the target; expected a domain name"),
        (
            Type::MX,
            "10 a..b",
            "a..b",
            "expected the target, found an empty label: two dots in a row, or a dot at the start",
        ),
        (Type::TXT, "\"a", "\"", "this quote is not closed on its line"),
        (
            Type::TXT,
            "a\\25",
            "\\",
            "a backslash must be followed by three digits (0 to 255) or a character",
        ),
        (Type::TXT, "( a", "(", "this parenthesis is never closed"),
        (Type::TXT, "a )", ")", "a closing parenthesis without an open one"),
        (Type::TXT, "a\nb", "b", "expected one line, found a second; put parentheses around both"),
        (Type::TLSA, "3 1 1 abc", "abc", "expected the certificate data, hex digits"),
        (Type::OPENPGPKEY, "AAA", "AAA", "expected the key, base64; found `AAA`"),
        (
            Type::CAA,
            "0 is-sue \"x\"",
            "is-sue",
            "expected the tag, letters and digits; found `is-sue`",
        ),
        (Type(65280), "1 2", "1 2", "TYPE65280 data has no text form here"),
        (Type(65280), "\\# 3 0a01", "3", "the length says 3 octets, but 2 follow"),
        (Type(65280), "\\# 1 0g", "0g", "expected the data, pairs of hex digits"),
        (Type::A, "\\# 3 c00002", "\\# 3 c00002", "these octets are not A data"),
        (Type::NSEC, "a X", "X", "expected the types, a record type; found `X`"),
        (
            Type::LOC,
            "91 N 0 E 0",
            "91",
            "expected the latitude, degrees, minutes, seconds and `N` or `S`, up to 90°",
        ),
        (Type::LOC, "1 2 3 4", "4", "expected the latitude"),
        (Type::LOC, "1 N 2 E", "", "the LOC data ends before the altitude"),
    ] {
        let (message, found) = mistake(rtype, written);
        assert_eq!(found, blamed, "{rtype} {written}: {message}");
        assert!(message.starts_with(says), "{rtype} {written}: {message}");
    }
}

#[test]
fn a_message_repeats_only_the_start_of_a_long_word() {
    let (message, _) = mistake(Type::A, &"x".repeat(10_000));
    assert!(message.len() < 200 && message.ends_with("xxx…`"), "{message}");
}

#[test]
fn a_string_is_at_most_255_octets_and_data_65535() {
    let long = "x".repeat(256);
    let (message, _) = mistake(Type::TXT, &format!("\"{long}\""));
    assert!(message.contains("256 octets"), "{message}");
    let many = "\"0123456789\" ".repeat(6000);
    let (message, _) = mistake(Type::TXT, &many);
    assert!(message.contains("65535 at the most"), "{message}");
}

#[test]
fn a_txt_value_of_a_zone_file_needs_no_quotes() {
    let value =
        |written: &str| text(Type::TXT, &parse_value(Type::TXT, written, &origin()).unwrap());
    assert_eq!(value("v=spf1 mx -all"), "\"v=spf1 mx -all\"");
    assert_eq!(value("v=DKIM1; p=\"x\" (y)"), "\"v=DKIM1; p=\\\"x\\\" (y)\"");
    assert_eq!(value("v=DKIM1\\; p=\\\"x\\\" \\065"), "\"v=DKIM1; p=\\\"x\\\" A\"");
    assert_eq!(parse_value(Type::TXT, "a\\300", &origin()).unwrap_err().at, 1..2);
    assert_eq!(value("\"one\" \"two\""), "\"one\" \"two\"");
    assert_eq!(value("\\# 2 0161"), "\"a\"");
    assert_eq!(value(""), "\"\"");
    let long = "é".repeat(200);
    assert_eq!(parse_value(Type::TXT, &long, &origin()).unwrap().len(), 402);
    assert_eq!(parse_value(Type::A, "192.0.2.1", &origin()).unwrap(), [192, 0, 2, 1]);
}

#[test]
fn names_that_follow_data_are_found() {
    let target = |rtype, written: &str| {
        let rdata = wire(rtype, written);
        target_name(rtype, &rdata).map(|name| Name::from_wire(name).unwrap().to_string())
    };
    assert_eq!(target(Type::NS, "ns1"), Some("ns1.example.com.".to_owned()));
    assert_eq!(target(Type::MX, "10 mail"), Some("mail.example.com.".to_owned()));
    assert_eq!(target(Type::SRV, "0 0 1 a"), Some("a.example.com.".to_owned()));
    assert_eq!(target(Type::HTTPS, "1 a alpn=h2"), Some("a.example.com.".to_owned()));
    assert_eq!(target(Type::HTTPS, "1 . alpn=h2"), None);
    assert_eq!(target(Type::MX, "0 ."), None);
    assert_eq!(target(Type::A, "192.0.2.1"), None);
    assert_eq!(target_name(Type::SRV, &[0; 6]), None);
    // Names may be compressed as RFC 3597 §4 says.
    assert_eq!(compression(Type::SOA), Compression { prefix: 0, names: 2 });
    assert_eq!(compression(Type::MX), Compression { prefix: 2, names: 1 });
    assert_eq!(compression(Type::SRV).names + compression(Type::DNAME).names, 0);
}

#[test]
fn compressed_names_are_expanded_and_loops_refused() {
    // At 0: example.com; at 13: an MX to mail.<0>; at 22: a name that points at itself.
    let message = hex("07 6578616d706c65 03 636f6d 00 000a 04 6d61696c c000 c016");
    assert_eq!(expand(Type::MX, &message, 13..22), Some(wire(Type::MX, "10 mail")));
    assert_eq!(expand(Type::NS, &message, 22..24), None);
    assert_eq!(expand(Type::NS, &message, 20..22), Some(wire(Type::NS, "@")));
    assert_eq!(expand(Type::MX, &message, 13..21), None, "cut short");
    assert_eq!(expand(Type::MX, &message, 13..99), None, "outside the message");
    // RDATA of a type that must not be compressed is copied as it is.
    assert_eq!(expand(Type::DNAME, &message, 20..22), Some(hex("c000")));
}

#[test]
fn data_of_the_wrong_form_is_printed_as_unknown() {
    for (rtype, octets, printed) in [
        (Type::A, "c00002", "\\# 3 C00002"),
        (Type::TXT, "", "\\# 0"),
        (Type::TXT, "0261", "\\# 2 0261"),
        (Type::MX, "000ac000", "\\# 4 000AC000"),
        (Type::NSEC, "000000", "\\# 3 000000"),
        (Type::HTTPS, "0001000003000101", "\\# 8 0001000003000101"),
        (Type::CAA, "000078", "\\# 3 000078"),
    ] {
        assert_eq!(text(rtype, &hex(octets)), printed);
    }
}
