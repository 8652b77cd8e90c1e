//! RDATA as text and as octets, for tests only: slow, small and unrelated to `waypost::wire`.
//!
//! This one reader reads both the server's sockets and its `query` command, so a record compares
//! equal however it was written. Names are put in lower case: their case is compared where a test
//! is about case.

use std::net::{Ipv4Addr, Ipv6Addr};

/// The layout of each type's RDATA, one letter for each field: `n` a name, `b` `h` `w` numbers of
/// 8, 16 and 32 bits, `4` `6` addresses, `s` one character-string, `S` all the remaining ones, `x`
/// the rest as hexadecimal digits, `g` a tag without quotes, `t` the rest as one text, `P` service
/// parameters, `L` a location.
const LAYOUTS: &[(&str, u16, &str)] = &[
    ("A", 1, "4"),
    ("NS", 2, "n"),
    ("CNAME", 5, "n"),
    ("SOA", 6, "nnwwwww"),
    ("PTR", 12, "n"),
    ("HINFO", 13, "ss"),
    ("MX", 15, "hn"),
    ("TXT", 16, "S"),
    ("RP", 17, "nn"),
    ("AFSDB", 18, "hn"),
    ("AAAA", 28, "6"),
    ("LOC", 29, "L"),
    ("SRV", 33, "hhhn"),
    ("NAPTR", 35, "hhsssn"),
    ("KX", 36, "hn"),
    ("DNAME", 39, "n"),
    ("OPT", 41, "x"),
    ("DS", 43, "hbbx"),
    ("SSHFP", 44, "bbx"),
    ("RRSIG", 46, "x"),
    ("NSEC", 47, "x"),
    ("DNSKEY", 48, "x"),
    ("NSEC3PARAM", 51, "x"),
    ("TLSA", 52, "bbbx"),
    ("CDS", 59, "x"),
    ("SVCB", 64, "hnP"),
    ("HTTPS", 65, "hnP"),
    ("TKEY", 249, "x"),
    ("TSIG", 250, "x"),
    ("IXFR", 251, "x"),
    ("AXFR", 252, "x"),
    ("MAILB", 253, "x"),
    ("MAILA", 254, "x"),
    ("ANY", 255, "x"),
    ("URI", 256, "hht"),
    ("CAA", 257, "bgt"),
];

/// Returns the number of a type, by its mnemonic or `TYPE12345`.
pub(crate) fn type_number(text: &str) -> u16 {
    let known = LAYOUTS.iter().find(|(name, ..)| *name == text).map(|&(_, number, _)| number);
    let numbered = || text.strip_prefix("TYPE").and_then(|digits| digits.parse().ok());
    known.or_else(numbered).unwrap_or_else(|| panic!("tests do not know the type {text}"))
}

/// Returns the mnemonic of a type, or `TYPE12345`.
pub(crate) fn type_text(number: u16) -> String {
    let known = LAYOUTS.iter().find(|&&(_, n, _)| n == number);
    known.map_or_else(|| format!("TYPE{number}"), |(name, ..)| (*name).to_owned())
}

/// Writes an absolute name in wire format; the final dot may be left out.
pub(crate) fn name_wire(text: &str) -> Vec<u8> {
    let mut wire = Vec::new();
    let mut label = Vec::new();
    let mut bytes = text.bytes().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b'.' => {
                if !label.is_empty() {
                    wire.push(label.len() as u8);
                    wire.append(&mut label);
                }
            }
            b'\\' => {
                let first = bytes.next().expect("an escape has a second character");
                if first.is_ascii_digit() {
                    let rest = [bytes.next(), bytes.next()].map(|d| d.expect("three digits"));
                    let digits = [first, rest[0], rest[1]];
                    let value = digits.iter().fold(0, |sum, d| sum * 10 + u32::from(d - b'0'));
                    label.push(value as u8);
                } else {
                    label.push(first);
                }
            }
            other => label.push(other),
        }
    }
    if !label.is_empty() {
        wire.push(label.len() as u8);
        wire.append(&mut label);
    }
    wire.push(0);
    wire
}

/// Reads an uncompressed name at the start of `wire`; returns it in lower case, and its length.
pub(crate) fn name_text(wire: &[u8]) -> (String, usize) {
    let (mut text, mut at) = (String::new(), 0);
    loop {
        let len = usize::from(wire[at]);
        assert!(len < 64, "a compressed name in RDATA that should hold none: {wire:02x?}");
        at += 1;
        if len == 0 {
            break;
        }
        for &octet in &wire[at..at + len] {
            match octet.to_ascii_lowercase() {
                plain @ (b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'*') => {
                    text.push(char::from(plain));
                }
                other => text.push_str(&format!("\\{other:03}")),
            }
        }
        text.push('.');
        at += len;
    }
    if text.is_empty() {
        text.push('.');
    }
    (text, at)
}

/// Returns a name in the one form that tests compare: lower case, absolute, escapes as `\DDD`.
pub(crate) fn canonical_name(text: &str) -> String {
    name_text(&name_wire(text)).0
}

/// Returns one record in the one form that tests compare.
pub(crate) fn record_line(owner: &str, ttl: u32, rtype: u16, rdata: &[u8]) -> String {
    format!("{} {ttl} IN {} {}", canonical_name(owner), type_text(rtype), text(rtype, rdata))
}

/// Reads `owner TTL IN TYPE RDATA` and writes it in the form that tests compare.
pub(crate) fn canonical_line(line: &str) -> String {
    let mut words = line.splitn(5, ' ');
    let mut next = || words.next().unwrap_or_else(|| panic!("not a record: {line}"));
    let (owner, ttl, class, rtype, rdata) = (next(), next(), next(), next(), next());
    assert_eq!(class, "IN", "{line}");
    let rtype = type_number(rtype);
    record_line(owner, ttl.parse().expect("a TTL"), rtype, &wire(rtype, rdata))
}

fn layout(rtype: u16) -> Option<&'static str> {
    LAYOUTS.iter().find(|&&(_, number, _)| number == rtype).map(|&(.., layout)| layout)
}

/// Writes RDATA as octets from presentation format; every name in it is absolute.
pub(crate) fn wire(rtype: u16, text: &str) -> Vec<u8> {
    let words = words(text);
    let mut rest = words.iter().map(|(word, _)| word.as_slice());
    if words.first().is_some_and(|(word, _)| word == b"\\#") {
        return unhex(&rest.skip(2).collect::<Vec<_>>().concat());
    }
    let plain = |word: Option<&[u8]>| {
        let word = word.unwrap_or_else(|| panic!("too few words: {text}"));
        String::from_utf8_lossy(word).into_owned()
    };
    let mut out = Vec::new();
    for field in layout(rtype).unwrap_or_else(|| panic!("no layout: {text}")).chars() {
        match field {
            'n' => out.extend(name_wire(&plain(rest.next()))),
            'b' => out.push(plain(rest.next()).parse().expect("8 bits")),
            'h' => out.extend(plain(rest.next()).parse::<u16>().expect("16 bits").to_be_bytes()),
            'w' => out.extend(plain(rest.next()).parse::<u32>().expect("32 bits").to_be_bytes()),
            '4' => out.extend(plain(rest.next()).parse::<Ipv4Addr>().expect("IPv4").octets()),
            '6' => out.extend(plain(rest.next()).parse::<Ipv6Addr>().expect("IPv6").octets()),
            's' | 'g' => string(rest.next().expect("a string"), &mut out),
            'S' => rest.by_ref().for_each(|word| string(word, &mut out)),
            't' => out.extend(rest.next().expect("a text")),
            'x' => out.extend(unhex(&rest.by_ref().collect::<Vec<_>>().concat())),
            'P' => rest.by_ref().for_each(|word| parameter(word, &mut out)),
            'L' => out.extend(location(&rest.by_ref().map(|w| plain(Some(w))).collect::<Vec<_>>())),
            other => unreachable!("field {other}"),
        }
    }
    out
}

fn string(word: &[u8], out: &mut Vec<u8>) {
    out.push(u8::try_from(word.len()).expect("a character-string"));
    out.extend(word);
}

fn unhex(digits: &[u8]) -> Vec<u8> {
    let digit = |at: usize| char::from(digits[at]).to_digit(16).expect("a digit") as u8;
    (0..digits.len() / 2).map(|at| digit(2 * at) << 4 | digit(2 * at + 1)).collect()
}

/// Splits at blanks. Quotes group, and escapes are resolved only inside quotes (names keep theirs).
fn words(text: &str) -> Vec<(Vec<u8>, bool)> {
    let mut words: Vec<(Vec<u8>, bool)> = Vec::new();
    let (mut word, mut open, mut quoted) = (Vec::new(), false, false);
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => {
                if quoted {
                    words.push((std::mem::take(&mut word), true));
                    open = false;
                }
                quoted = !quoted;
            }
            b'\\' if quoted => match bytes.next().expect("an escape") {
                digit if digit.is_ascii_digit() => {
                    let more = [bytes.next(), bytes.next()].map(|d| d.expect("a digit") - b'0');
                    let value = u32::from(digit - b'0') * 100
                        + u32::from(more[0]) * 10
                        + u32::from(more[1]);
                    word.push(value as u8);
                }
                other => word.push(other),
            },
            b' ' if !quoted => {
                if open {
                    words.push((std::mem::take(&mut word), false));
                    open = false;
                }
            }
            other => {
                word.push(other);
                open = !quoted || open;
            }
        }
    }
    if open {
        words.push((word, false));
    }
    words
}

/// Writes one service parameter of SVCB (RFC 9460 §2.1): `alpn`, `port`, `ipv4hint`, `ipv6hint`.
fn parameter(word: &[u8], out: &mut Vec<u8>) {
    let text = String::from_utf8_lossy(word);
    let (key, value) = text.split_once('=').expect("a parameter with a value");
    let value = value.trim_matches('"');
    let (number, data) = match key {
        "alpn" => {
            let mut data = Vec::new();
            value.split(',').for_each(|id| string(id.as_bytes(), &mut data));
            (1u16, data)
        }
        "port" => (3, value.parse::<u16>().expect("a port").to_be_bytes().to_vec()),
        "ipv4hint" => {
            let octets = |text: &str| text.parse::<Ipv4Addr>().expect("an address").octets();
            (4, value.split(',').flat_map(octets).collect())
        }
        "ipv6hint" => {
            let octets = |text: &str| text.parse::<Ipv6Addr>().expect("an address").octets();
            (6, value.split(',').flat_map(octets).collect())
        }
        other => panic!("tests do not know the service parameter {other}"),
    };
    out.extend(number.to_be_bytes());
    out.extend((data.len() as u16).to_be_bytes());
    out.extend(data);
}

/// Writes a location (RFC 1876 §2 and §3) that has all of its fields.
fn location(words: &[String]) -> Vec<u8> {
    let meters = |text: &str| text.trim_end_matches('m').parse::<f64>().expect("meters");
    let angle = |w: &[String]| {
        let part = |at: usize| w[at].parse::<f64>().expect("an angle");
        let thousandths = ((part(0) * 60.0 + part(1)) * 60.0 + part(2)) * 1000.0;
        let sign = if matches!(w[3].as_str(), "S" | "W") { -1.0 } else { 1.0 };
        ((1u64 << 31) as f64 + sign * thousandths).round() as u32
    };
    let size = |text: &str| {
        let centimeters = (meters(text) * 100.0).round() as u64;
        let exponent = centimeters.max(1).ilog10();
        ((centimeters / 10u64.pow(exponent)) as u8) << 4 | exponent as u8
    };
    let mut out = vec![0, size(&words[9]), size(&words[10]), size(&words[11])];
    out.extend(angle(&words[..4]).to_be_bytes());
    out.extend(angle(&words[4..8]).to_be_bytes());
    out.extend((((meters(&words[8]) + 100_000.0) * 100.0).round() as u32).to_be_bytes());
    out
}

/// Writes RDATA as text. Types without a layout, and those with a location or service parameters,
/// are written as RFC 3597 has it.
pub(crate) fn text(rtype: u16, wire: &[u8]) -> String {
    let generic = || {
        let digits: String = wire.iter().map(|octet| format!("{octet:02x}")).collect();
        format!("\\# {} {digits}", wire.len())
    };
    let Some(layout) = layout(rtype).filter(|layout| !layout.contains(['L', 'P'])) else {
        return generic();
    };
    let (mut fields, mut at) = (Vec::new(), 0);
    let number = |at: usize, len: usize| {
        wire[at..at + len].iter().fold(0u64, |sum, &octet| sum << 8 | u64::from(octet))
    };
    for field in layout.chars() {
        let fixed = match field {
            'b' => 1,
            'h' => 2,
            'w' | '4' => 4,
            '6' => 16,
            _ => 0,
        };
        match field {
            'n' => {
                let (text, len) = name_text(&wire[at..]);
                fields.push(text);
                at += len;
            }
            '4' => fields.push(Ipv4Addr::from_bits(number(at, 4) as u32).to_string()),
            '6' => {
                let octets: [u8; 16] = wire[at..at + 16].try_into().expect("16 octets");
                fields.push(Ipv6Addr::from(octets).to_string());
            }
            's' | 'g' | 'S' => loop {
                let len = usize::from(wire[at]);
                let text = quoted(&wire[at + 1..at + 1 + len]);
                fields.push(if field == 'g' { text.trim_matches('"').to_owned() } else { text });
                at += len + 1;
                if field != 'S' || at == wire.len() {
                    break;
                }
            },
            't' => fields.push(quoted(&wire[at..])),
            'x' => fields.push(wire[at..].iter().map(|octet| format!("{octet:02x}")).collect()),
            _ => fields.push(number(at, fixed).to_string()),
        }
        at += fixed;
    }
    fields.join(" ")
}

fn quoted(octets: &[u8]) -> String {
    let mut text = String::from("\"");
    for &octet in octets {
        match octet {
            b'"' | b'\\' => text.extend(['\\', char::from(octet)]),
            0x20..=0x7e => text.push(char::from(octet)),
            other => text.push_str(&format!("\\{other:03}")),
        }
    }
    text + "\""
}

#[test]
fn a_record_reads_the_same_however_it_is_written() {
    for (line, canonical) in [
        ("A.example. 60 IN A 192.0.2.1", "a.example. 60 IN A 192.0.2.1"),
        ("a. 1 IN MX 10 Mail.a.", "a. 1 IN MX 10 mail.a."),
        ("a. 1 IN TXT \"x y\" \"\\\"\\065\"", "a. 1 IN TXT \"x y\" \"\\\"A\""),
        ("a. 1 IN TXT plain", "a. 1 IN TXT \"plain\""),
        ("a. 1 IN CAA 0 issue \"ca.example\"", "a. 1 IN CAA 0 issue \"ca.example\""),
        ("a. 1 IN DS 1 13 2 AB cd", "a. 1 IN DS 1 13 2 abcd"),
        ("a. 1 IN TYPE65280 \\# 2 0A 0b", "a. 1 IN TYPE65280 \\# 2 0a0b"),
        ("a. 1 IN HTTPS 1 . port=8443", "a. 1 IN HTTPS \\# 9 0001000003000220fb"),
    ] {
        assert_eq!(canonical_line(line), canonical);
    }
    let greenwich = wire(29, "51 28 38.000 N 0 0 0.000 W 47.00m 1m 10000m 10m");
    assert_eq!(greenwich[..4], [0, 0x12, 0x16, 0x13]);
}
