use std::collections::BTreeMap;
use std::path::Path;

use super::*;
use crate::config::DIAGNOSTICS_MAX;
use crate::wire::kind::Type;
use crate::wire::rdata::write_text;

/// A zone directory, `zones`, that exists only in the test.
struct Directory(BTreeMap<&'static str, &'static str>);

impl Files for Directory {
    fn root(&self) -> &Path {
        Path::new("zones")
    }

    fn read(&self, path: &Path) -> Result<Arc<Source>, String> {
        let text = self.0.get(path.to_str().unwrap()).ok_or("no such file")?;
        Ok(source(path, text))
    }
}

fn source(path: &Path, text: &str) -> Arc<Source> {
    Arc::new(Source::new(path, text, 0))
}

/// The result of reading a text: records and diagnostics as people would see them.
struct Outcome {
    records: Vec<String>,
    mistakes: Vec<String>,
}

/// Reads `text` as zones/example.com.zone, with other files beside it.
fn read_beside(
    text: &str,
    default_ttl: Option<Ttl>,
    others: &[(&'static str, &'static str)],
) -> Outcome {
    let source = source(Path::new("zones/example.com.zone"), text);
    let origin = Name::parse("example.com.", None).unwrap();
    let files = Directory(others.iter().copied().collect());
    let (mut records, mut diagnostics) = (Records::new(), Diagnostics::default());
    parse(&source, &origin, default_ttl, &files, &mut records, &mut diagnostics);
    let records = records.iter().map(|(owner, rtype, ttl, rdata)| {
        let mut line = format!("{} {ttl} {rtype} ", records.name(owner));
        write_text(rtype, rdata, &mut line).unwrap();
        line
    });
    let diagnostics = diagnostics.into_sorted(|_| 0);
    Outcome { records: records.collect(), mistakes: diagnostics.iter().map(shown).collect() }
}

/// Reads `text` alone, with a default TTL of an hour.
fn read(text: &str) -> Outcome {
    read_beside(text, Ttl::from_secs(3600), &[])
}

/// Formats a diagnostic as `line:column `blamed`: message`, as an operator sees it.
fn shown(diagnostic: &Diagnostic) -> String {
    let Some((source, at)) = &diagnostic.place else { return diagnostic.message.clone() };
    let before = &source.text[..at.start];
    let line = before.matches('\n').count() + 1;
    let column = at.start - before.rfind('\n').map_or(0, |newline| newline + 1) + 1;
    let file = source.path.file_name().unwrap().display();
    let file =
        if file.to_string() == "example.com.zone" { String::new() } else { format!("{file}:") };
    let help = diagnostic.help.as_ref().map(|help| format!(" ({help})")).unwrap_or_default();
    format!("{file}{line}:{column} `{}`: {}{help}", &source.text[at.clone()], diagnostic.message)
}

#[test]
fn a_whole_zone_is_read() {
    let outcome = read(
        "$TTL 1h30m ; for all that follows\n\
         @ IN SOA ns1 hostmaster ( 2024010100 ; serial\n\
         \t2h 15m\n\
         ) ( 2w 10s )\n\
         \tNS ns1\n\
         \tIN 60 NS ns2.example.net.\n\
         ns1 300 IN A 192.0.2.53\n\
         \tIN 300 AAAA 2001:db8::53\n\
         \n\
         $ORIGIN sub\n\
         *\tA 192.0.2.1\r\n\
         a\\.b TXT \"one ; two\" three\n\
         @ CAA 0 issue \"ca.example.net\"\n\
         $ORIGIN example.org.\n\
         www CLASS1 TYPE65280 \\# 4 0a000001\n\
         www type1 \\# 4 c0000201",
    );
    assert_eq!(outcome.mistakes, [""; 0]);
    assert_eq!(
        outcome.records,
        [
            "example.com. 5400 SOA ns1.example.com. hostmaster.example.com. 2024010100 7200 900 \
             1209600 10",
            "example.com. 5400 NS ns1.example.com.",
            "example.com. 60 NS ns2.example.net.",
            "ns1.example.com. 300 A 192.0.2.53",
            "ns1.example.com. 300 AAAA 2001:db8::53",
            "*.sub.example.com. 5400 A 192.0.2.1",
            "a\\.b.sub.example.com. 5400 TXT \"one ; two\" \"three\"",
            "sub.example.com. 5400 CAA 0 issue \"ca.example.net\"",
            "www.example.org. 5400 TYPE65280 \\# 4 0A000001",
            "www.example.org. 5400 A 192.0.2.1",
        ]
    );
}

#[test]
fn a_record_without_a_ttl_takes_the_nearest_there_is() {
    let soa = "@ SOA ns1 h 1 1 1 1 77\n";
    let ttls = |text: &str, default: Option<u32>| -> Vec<String> {
        let outcome = read_beside(text, default.and_then(Ttl::from_secs), &[]);
        assert_eq!(outcome.mistakes, [""; 0]);
        let ttl = |line: &String| line.split(' ').nth(1).unwrap().to_owned();
        outcome.records.iter().map(ttl).collect()
    };
    assert_eq!(ttls("$TTL 5\na 9 A 192.0.2.1\nb A 192.0.2.1", Some(3)), ["9", "5"]);
    assert_eq!(ttls("a A 192.0.2.1\na 9 A 192.0.2.2\nb A 192.0.2.1", Some(3)), ["3", "9", "9"]);
    assert_eq!(ttls(&format!("{soa}a A 192.0.2.1"), Some(3)), ["3", "3"]);
    assert_eq!(ttls(&format!("{soa}a A 192.0.2.1"), None), ["77", "77"]);
    // No TTL at all is reported once, not at every record.
    let outcome = read_beside("a A 192.0.2.1\nb A 192.0.2.1\n", None, &[]);
    assert_eq!(
        outcome.mistakes,
        ["1:3 `A`: this record has no TTL, and nothing gives it one \
          (write `$TTL 1h` at the top of the file)"]
    );
}

/// Five sound records among many mistakes.
const MISTAKEN: &str = "\tA 192.0.2.1\n\
    ok1 A 192.0.2.1\n\
    a..b A 192.0.2.1\n\
    \tA 192.0.2.9\n\
    www A 192.0.2.256\n\
    www CNME example.net.\n\
    www CH A 192.0.2.1\n\
    www 1x A 192.0.2.1\n\
    www 2147483648 A 192.0.2.1\n\
    www ANY\n\
    www\n\
    txt TXT \"open\n\
    ok2 A 192.0.2.2\n\
    soa SOA ns1 h ( 1 2\n\
    \tx 4\n\
    \t5 )\n\
    www A )\n\
    $TTL\n\
    $ORIGIN a..b\n\
    $GENERATE 4-1 a$ A 192.0.2.$\n\
    $FOO\n\
    \twww A 192.0.2.1\n\
    mx MX 10\n\
    mx MX 10 a b\n\
    x ( \"y\n\
    z ) A 192.0.2.1\n\
    ok3 A 192.0.2.3\n\
    open ( A 192.0.2.4\n\
    \tTXT a\n\
    ok4 A 192.0.2.4\n";

#[test]
fn every_mistake_is_reported_where_it_stands() {
    let outcome = read(MISTAKEN);
    let kept: Vec<&str> =
        outcome.records.iter().map(|line| line.split('.').next().unwrap()).collect();
    assert_eq!(kept, ["ok1", "example", "ok2", "ok3", "ok4"]);
    assert_eq!(
        outcome.mistakes,
        [
            "1:2 `A`: this line repeats the owner of the line before, but there is none (start \
             the line with an owner, such as `@`)",
            "3:1 `a..b`: expected the owner, found an empty label: two dots in a row, or a dot at \
             the start",
            "5:7 `192.0.2.256`: expected the address, an IPv4 address; found `192.0.2.256`",
            "6:5 `CNME`: expected a record type, found `CNME` (did you mean \"CNAME\"?)",
            "7:5 `CH`: class `CH`; only class IN is served",
            "8:5 `1x`: expected a TTL, found `1x` (a TTL is seconds up to 2147483647, or a period \
             such as `1h30m`)",
            "9:5 `2147483648`: expected a TTL, found `2147483648` (a TTL is seconds up to \
             2147483647, or a period such as `1h30m`)",
            "10:5 `ANY`: class `ANY`; only class IN is served",
            "11:4 ``: the line ends before the record type",
            "12:9 `\"`: this quote is not closed on its line",
            "15:2 `x`: expected the retry time, seconds or a period such as `1h30m`; found `x`",
            "17:7 `)`: a closing parenthesis without an open one",
            "18:1 `$TTL`: $TTL takes one TTL, such as `1h`",
            "19:9 `a..b`: expected the new origin, found an empty label: two dots in a row, or a \
             dot at the start",
            "20:11 `4-1`: expected a range, found `4-1` (a range is `1-254`, or `0-254/2` for every \
             second number)",
            "21:1 `$FOO`: `$FOO` is not a directive (directives are $ORIGIN, $TTL, $INCLUDE and \
             $GENERATE; an owner that starts with a dollar sign is written `\\$`)",
            "22:2 `www`: expected a record type, found `www` (a line that starts with a space \
             repeats the owner before it)",
            "23:9 ``: the MX data ends before the target; expected a domain name",
            "24:12 `b`: expected the end of the MX data, found `b`",
            "25:5 `\"`: this quote is not closed on its line",
            "28:6 `(`: this parenthesis is never closed",
        ]
    );
}

#[test]
fn generate_writes_records_in_sequence() {
    let outcome = read(
        "$GENERATE 10-12/2 $ 60 IN PTR dhcp-${0,3,d}.example.net.\n\
         $GENERATE 1-1 a$$\\$$ TXT \"$ ${-2} ${14,4,x} ${14,4,X}\"\n\
         $GENERATE 18-18 ${0,3,n} A 192.0.2.${-1}\n\
         $GENERATE 1-2 mx MX \"$ mail$\"\n",
    );
    assert_eq!(outcome.mistakes, [""; 0]);
    assert_eq!(
        outcome.records,
        [
            "10.example.com. 60 PTR dhcp-010.example.net.",
            "12.example.com. 60 PTR dhcp-012.example.net.",
            "a\\$\\$1.example.com. 60 TXT \"1\" \"-1\" \"000f\" \"000F\"",
            "2.1.example.com. 60 A 192.0.2.17",
            "mx.example.com. 60 MX 1 mail1.example.com.",
            "mx.example.com. 60 MX 2 mail2.example.com.",
        ]
    );
    let outcome = read(
        "$GENERATE 1-300 h$ A 192.0.2.$\n\
         $GENERATE 0-131072 h$ A 192.0.2.1\n\
         $GENERATE 1-2 h${0,300} A 192.0.2.1\n\
         $GENERATE 1-2 h$\n",
    );
    assert_eq!(outcome.records.len(), 255);
    assert_eq!(
        outcome.mistakes,
        [
            "1:1 `$GENERATE 1-300 h$ A 192.0.2.$`: expected the address, an IPv4 address; found \
             `192.0.2.256`, in `h256 A  192.0.2.256`",
            "2:11 `0-131072`: $GENERATE makes 131072 records of a zone at the most",
            "3:15 `h${0,300}`: expected an offset, a width and a base, found `${0,300}`",
            "4:1 `$GENERATE`: $GENERATE takes a range and a record (such as `$GENERATE 1-254 $ PTR \
             host-$.example.net.`)",
        ]
    );
}

#[test]
fn an_at_inside_of_an_owner_is_a_warning() {
    let outcome = read("_sip._tls.@ A 192.0.2.1\n\\@ A 192.0.2.2\n@ A 192.0.2.3\n");
    assert_eq!(outcome.records.len(), 3);
    assert_eq!(
        outcome.mistakes,
        [
            "1:1 `_sip._tls.@`: only an `@` that stands alone means the origin (write `_sip._tls`: it \
          is relative to the zone)"
        ]
    );
}

#[test]
fn types_that_only_some_providers_have_are_told_from_mistyped_ones() {
    for alias in ["ALIAS", "ANAME"] {
        let outcome = read(&format!("@ 60 {alias} lb.example.org.\n"));
        assert_eq!(
            outcome.mistakes,
            [format!(
                "1:6 `{alias}`: expected a record type, found `{alias}` (it is no type of the DNS: \
                 write A and AAAA records, or make the name a service)"
            )]
        );
    }
}

#[test]
fn an_included_file_has_its_own_origin_owner_and_ttl() {
    let outcome = read_beside(
        "$TTL 1h\n\
         www A 192.0.2.1\n\
         $INCLUDE sub/lab.inc lab\n\
         \tAAAA 2001:db8::1\n\
         $INCLUDE \"sub/lab.inc\"\n",
        None,
        &[
            ("zones/sub/lab.inc", "$TTL 1m\na A 192.0.2.2\n$ORIGIN x\n$INCLUDE ../more.inc\n"),
            ("zones/more.inc", "@ A 192.0.2.3\n"),
        ],
    );
    assert_eq!(outcome.mistakes, [""; 0]);
    assert_eq!(
        outcome.records,
        [
            "www.example.com. 3600 A 192.0.2.1",
            "a.lab.example.com. 60 A 192.0.2.2",
            "x.lab.example.com. 60 A 192.0.2.3",
            "www.example.com. 3600 AAAA 2001:db8::1",
            "a.example.com. 60 A 192.0.2.2",
            "x.example.com. 60 A 192.0.2.3",
        ]
    );
}

#[test]
fn includes_stay_in_the_directory_and_end() {
    let outcome = read_beside(
        "$INCLUDE missing.inc\n\
         $INCLUDE ../other.inc\n\
         $INCLUDE /etc/hostname\n\
         $INCLUDE a.inc\n\
         $INCLUDE\n\
         $INCLUDE ./example.com.zone\n",
        None,
        &[("zones/a.inc", "\tA 192.0.2.1\n$INCLUDE b.inc\n"), ("zones/b.inc", "$INCLUDE a.inc")],
    );
    assert_eq!(
        outcome.mistakes,
        [
            "1:10 `missing.inc`: cannot read zones/missing.inc: no such file",
            "2:10 `../other.inc`: this path leaves the zone directory, zones: move the file there",
            "3:10 `/etc/hostname`: this path leaves the zone directory, zones: move the file there",
            "a.inc:1:2 `A`: this line repeats the owner of the line before, but there is none \
             (start the line with an owner, such as `@`)",
            "b.inc:1:10 `a.inc`: zones/a.inc includes itself",
            "5:1 `$INCLUDE`: $INCLUDE takes a file and, if need be, an origin",
            "6:10 `./example.com.zone`: zones/example.com.zone includes itself",
        ]
    );
}

#[test]
fn includes_nest_eight_deep_and_no_deeper() {
    let names: Vec<&'static str> = vec![
        "zones/1", "zones/2", "zones/3", "zones/4", "zones/5", "zones/6", "zones/7", "zones/8",
        "zones/9",
    ];
    let texts = [
        "$INCLUDE 2",
        "$INCLUDE 3",
        "$INCLUDE 4",
        "$INCLUDE 5",
        "$INCLUDE 6",
        "$INCLUDE 7",
        "$INCLUDE 8",
        "a 1 A 192.0.2.1\n$INCLUDE 9",
        "b 1 A 192.0.2.1",
    ];
    let others: Vec<_> = names.into_iter().zip(texts).collect();
    let outcome = read_beside("$INCLUDE 1", None, &others);
    assert_eq!(outcome.records, ["a.example.com. 1 A 192.0.2.1"]);
    assert_eq!(outcome.mistakes, ["8:2:10 `9`: includes nest deeper than 8 files"]);
}

#[test]
fn a_record_knows_where_it_is_written() {
    let text = "@ 60 IN TXT a\n\tIN A 192.0.2.1\n$INCLUDE y\n; no record\nc 5 A (\n192.0.2.3 )\n";
    let source = source(Path::new("zones/x.zone"), text);
    let (mut records, mut diagnostics) = (Records::new(), Diagnostics::default());
    let files = Directory([("zones/y", "\n\nb TXT b\n")].into());
    // The first record comes from elsewhere and has no place in the file.
    let owner = records.owner(&Name::root()).unwrap();
    records.push(owner, Type::TXT, Ttl::MAX, b"\0").unwrap();
    let written = parse(&source, &Name::root(), None, &files, &mut records, &mut diagnostics);
    let places = (0..records.len()).map(|number| {
        let (source, at) = written.place(number)?;
        Some(format!("{}: {}", source.path.display(), &source.text[at]))
    });
    let places: Vec<Option<String>> = places.collect();
    let expected = ["x.zone: @ 60 IN TXT", "x.zone: IN A", "y: b TXT", "x.zone: c 5 A"];
    let expected = expected.map(|place| Some(format!("zones/{place}")));
    assert_eq!(places, [&[None][..], &expected].concat());
    assert_eq!(written.place(records.len()), None);
}

#[test]
fn a_file_that_is_no_master_file_is_given_up() {
    let outcome = read(&"a ( b\n".repeat(3000));
    assert_eq!(outcome.mistakes.len(), DIAGNOSTICS_MAX + 1);
    let last = outcome.mistakes.last().unwrap();
    assert_eq!(last, "the rest of this zone was not read: mend the mistakes shown first");
}

#[test]
fn odd_beginnings_and_ends_are_read() {
    assert_eq!(read("").records, [""; 0]);
    assert_eq!(read("\u{feff}a A 192.0.2.1").records, ["a.example.com. 3600 A 192.0.2.1"]);
    assert_eq!(read("; only a comment").mistakes, [""; 0]);
    assert_eq!(read("  \n\t; blank\n()\n").mistakes, [""; 0]);
    assert_eq!(read("\\$ttl A 192.0.2.1").records, ["\\$ttl.example.com. 3600 A 192.0.2.1"]);
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig {
        failure_persistence: None, ..Default::default()
    })]

    #[test]
    fn any_text_is_read_to_its_end(
        pieces in proptest::collection::vec(
            proptest::prop_oneof![
                "[ -~\n\t]{0,12}", "\\PC{0,3}", proptest::strategy::Just("\n".to_owned()),
                proptest::strategy::Just("a A 192.0.2.1\n".to_owned()),
                proptest::strategy::Just("$INCLUDE example.com.zone\n".to_owned()),
                proptest::strategy::Just("( \"".to_owned()),
            ], 0..12)
    ) {
        // The place of every mistake is a part of the text; otherwise `shown` would panic.
        let _ = read(&pieces.concat());
    }
}
