//! Tests with the examples of the RFCs.

use super::*;

#[test]
fn what_a_record_in_service_mode_begins_with_is_what_its_text_says() {
    let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<String>>();
    let long = "x".repeat(255);
    for (alpn, port, text) in [
        (&["h2"][..], None, "1 . alpn=h2".to_owned()),
        (&["h2", "h3"], Some(8443), "1 . alpn=h2,h3 port=8443".to_owned()),
        (&[&long], None, format!("1 . alpn={long}")),
    ] {
        assert_eq!(service_head(&names(alpn), port), wire(Type::HTTPS, &text), "{text}");
    }
}

/// The targets of the examples, `foo.example.com.` and `foo.example.org.`, in wire format.
const FOO_COM: &str = "03666f6f076578616d706c6503636f6d00";
const FOO_ORG: &str = "03666f6f076578616d706c65036f726700";

#[test]
fn rfc_9460_appendix_d_is_read_to_the_octet() {
    let one = |rest: &str| format!("0001{FOO_COM}{rest}");
    let sixteen = |rest: &str| format!("0010{FOO_ORG}{rest}");
    let two_hints = "0006 0020 20010db8000000000000000000000001 20010db8000000000000000000530001";
    for (written, octets) in [
        ("0 foo.example.com.", format!("0000{FOO_COM}")),
        ("1 .", "000100".to_owned()),
        ("16 foo.example.com. port=53", format!("0010{FOO_COM} 0003 0002 0035")),
        ("1 foo.example.com. key667=hello", one("029b 0005 68656c6c6f")),
        ("1 foo.example.com. key667=\"hello\\210qoo\"", one("029b 0009 68656c6c6fd2716f6f")),
        ("1 foo.example.com. (ipv6hint=\"2001:db8::1,2001:db8::53:1\")", one(two_hints)),
        (
            "1 example.com. ( ipv6hint=\"2001:db8:122:344::192.0.2.33\" )",
            "0001 076578616d706c6503636f6d00 0006 0010 20010db8012203440000 0000c0000221"
                .to_owned(),
        ),
        (
            "16 foo.example.org. ( alpn=h2,h3-19 mandatory=ipv4hint,alpn ipv4hint=192.0.2.1 )",
            sixteen("0000 0004 0001 0004 0001 0009 02 6832 05 68332d3139 0004 0004 c0000201"),
        ),
        (
            "16 foo.example.org. alpn=\"f\\\\\\\\oo\\\\,bar,h2\"",
            sixteen("0001 000c 08 665c6f6f2c626172 02 6832"),
        ),
        (
            "16 foo.example.org. alpn=f\\\\\\092oo\\092,bar,h2",
            sixteen("0001 000c 08 665c6f6f2c626172 02 6832"),
        ),
    ] {
        for rtype in [Type::SVCB, Type::HTTPS] {
            let rdata = wire(rtype, written);
            assert_eq!(rdata, hex(&octets), "{written}");
            assert_eq!(wire(rtype, &text(rtype, &rdata)), rdata, "{written}");
        }
    }
}

#[test]
fn rfc_9460_appendix_d_is_printed_with_both_levels_of_escapes() {
    let rdata = wire(Type::SVCB, "1 . alpn=f\\\\\\092oo\\092,bar,h2");
    assert_eq!(text(Type::SVCB, &rdata), "1 . alpn=\"f\\\\\\\\oo\\\\,bar,h2\"");
    let all = "1 . mandatory=alpn,port alpn=\"h2\" no-default-alpn port=8443 dohpath=\"/q{?dns}\" \
               ohttp key667 key668=\"a b\"";
    assert_eq!(text(Type::SVCB, &wire(Type::SVCB, all)), all);
}

#[test]
fn rfc_9460_appendix_d_failures_are_refused() {
    for (written, blamed, says) in [
        ("1 foo key123=abc key123=def", "key123=def", "given twice"),
        ("1 foo mandatory", "mandatory", "takes other keys"),
        ("1 foo alpn", "alpn", "takes protocol names"),
        ("1 foo port", "port", "takes a number"),
        ("1 foo ipv4hint", "ipv4hint", "takes IPv4 addresses"),
        ("1 foo ipv6hint", "ipv6hint", "takes IPv6 addresses"),
        ("1 foo no-default-alpn=abc", "no-default-alpn=abc", "takes no value"),
        ("1 foo mandatory=key123", "mandatory=key123", "not there: key123"),
        ("1 foo mandatory=mandatory", "mandatory=mandatory", "takes other keys"),
        ("1 foo mandatory=key123,key123 key123=abc", "mandatory=key123,key123", "each once"),
        // These go beyond the appendix.
        ("1 foo no-default-alpn", "no-default-alpn", "needs `alpn`"),
        ("1 foo alpn=h2,,h3", "alpn=h2,,h3", "takes protocol names"),
        ("1 foo port=65536", "port=65536", "takes a number"),
        ("1 foo port=+1", "port=+1", "takes a number"),
        ("1 foo key0667=a", "key0667=a", "expected one of mandatory, alpn"),
        ("1 foo key65536=a", "key65536=a", "expected one of mandatory, alpn"),
        ("1 foo key1=\\000", "key1=\\000", "takes protocol names"),
        ("1 foo alpn=\"h2", "\"", "not closed"),
        ("1 foo alpn=\"h2\"x", "x", "a space is expected"),
        ("1 foo key667=a\\999", "\\", "a backslash"),
    ] {
        let (message, found) = mistake(Type::HTTPS, written);
        assert_eq!(found, blamed, "{written}: {message}");
        assert!(message.contains(says), "{written}: {message}");
    }
}

#[test]
fn rfc_1876_examples_are_read() {
    for (written, printed) in [
        // Every example of RFC 1876 §4, with the defaults of §3 written out, and the limits.
        ("42 21 54 N 71 06 18 W -24m 30m", "42 21 54.000 N 71 6 18.000 W -24.00m 30m 10000m 10m"),
        (
            "42 21 43.952 N 71 5 6.344 W -24m 1m 200m",
            "42 21 43.952 N 71 5 6.344 W -24.00m 1m 200m 10m",
        ),
        ("52 14 05 N 00 08 50 E 10m", "52 14 5.000 N 0 8 50.000 E 10.00m 1m 10000m 10m"),
        ("32 7 19 S 116 2 25 E 10m", "32 7 19.000 S 116 2 25.000 E 10.00m 1m 10000m 10m"),
        (
            "42 21 28.764 N 71 00 51.617 W -44m 2000m",
            "42 21 28.764 N 71 0 51.617 W -44.00m 2000m 10000m 10m",
        ),
        ("90 S 180 w -100000 0.05 0 9.5m", "90 0 0.000 S 180 0 0.000 W -100000.00m 0.05m 0m 9m"),
    ] {
        assert_eq!(text(Type::LOC, &wire(Type::LOC, written)), printed, "{written}");
    }
    let rdata = wire(Type::LOC, "42 21 54 N 71 06 18 W -24m 30m");
    assert_eq!(rdata, hex("00 33 16 13 89172dd0 70be15f0 00988d20"));
}

#[test]
fn rfc_3597_examples_are_read() {
    assert_eq!(wire(Type(731), "\\# 6 abcdef ( 01 23 45 )"), hex("abcdef012345"));
    assert_eq!(wire(Type(62347), "\\# 0"), hex(""));
    assert_eq!(wire(Type::A, "\\# 4 0A000001"), hex("0a000001"));
    assert_eq!(text(Type::A, &hex("0a000001")), "10.0.0.1");
}

#[test]
fn rfc_4034_bitmap_example_is_read_to_the_octet() {
    let rdata = wire(Type::NSEC, "host.example.com. ( A MX RRSIG NSEC TYPE1234 )");
    let octets = "04 686f7374 07 6578616d706c65 03 636f6d 00 0006 400100000003 041b \
                  000000000000000000000000000000000000000000000000000020";
    assert_eq!(rdata, hex(octets));
}
