//! Zones and queries from a seed, crowded on purpose: few labels, so that wildcards, empty
//! non-terminals, cuts and aliases meet.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use fastrand::Rng;

use crate::model::{ModelZone, Record};
use crate::presentation::{canonical_line, type_number, type_text};

const ORIGINS: [&str; 3] = ["example.com.", "sub.example.com.", "example.org."];
const LABELS: [&str; 6] = ["a", "b", "c", "deep", "x-1", "_srv"];

/// The types that a name with plain data may have, with some RDATA each.
const DATA: &[(&str, &[&str])] = &[
    ("A", &["192.0.2.1", "192.0.2.2", "198.51.100.3"]),
    ("AAAA", &["2001:db8::1", "2001:db8::2"]),
    ("MX", &["10 a.example.com.", "20 ns1.example.com.", "30 mail.example.net."]),
    ("TXT", &["\"v=spf1 -all\"", "\"two\" \"strings\"", "\"\\000\\255\""]),
    ("SRV", &["0 5 8080 b.example.com.", "1 0 80 a.a.example.com.", "0 0 1 ns1.example.org."]),
    ("PTR", &["c.example.com."]),
    ("CAA", &["0 issue \"ca.example.net\"", "128 iodef \"mailto:a@example.net\""]),
    ("HTTPS", &["1 . port=8443", "2 a.example.com. alpn=\"h2,h3\""]),
    ("SVCB", &["1 b.example.com. ipv4hint=192.0.2.9"]),
    ("NAPTR", &["100 10 \"u\" \"E2U+sip\" \"!^.*$!sip:a@example.com!\" ."]),
    ("SSHFP", &["4 2 123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0"]),
    ("TLSA", &["3 1 1 123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0"]),
    ("LOC", &["51 28 38.000 N 0 0 0.000 W 47.00m 1m 10000m 10m"]),
    ("HINFO", &["\"cpu\" \"os\""]),
    ("RP", &["hostmaster.example.com. a.example.com."]),
    ("TYPE65280", &["\\# 4 0a000001", "\\# 1 ff"]),
];

const QTYPES: &[&str] = &[
    "A",
    "A",
    "A",
    "AAAA",
    "MX",
    "TXT",
    "SRV",
    "NS",
    "SOA",
    "CNAME",
    "DNAME",
    "DS",
    "PTR",
    "CAA",
    "HTTPS",
    "SVCB",
    "NAPTR",
    "SSHFP",
    "TLSA",
    "LOC",
    "HINFO",
    "RP",
    "TYPE65280",
    "TYPE999",
    "ANY",
    "AXFR",
    "IXFR",
    "MAILA",
    "MAILB",
    "TKEY",
    "TSIG",
    "OPT",
];

/// What stands at one owner.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Data,
    Alias,
    Rename,
    Cut,
}

/// Three zones, one of them a child of another.
pub(crate) fn zones(rng: &mut Rng) -> Vec<ModelZone> {
    ORIGINS.iter().map(|origin| zone(origin, rng)).collect()
}

fn zone(origin: &str, rng: &mut Rng) -> ModelZone {
    let mut records = Vec::new();
    let mut add = |owner: &str, ttl: u32, rtype: &str, rdata: &str| {
        records.push(record(owner, ttl, rtype, rdata));
    };
    let (soa_ttl, minimum) = (rng.u32(1..7200), rng.u32(1..7200));
    let soa = format!("ns1.{origin} hostmaster.{origin} 1 3600 600 86400 {minimum}");
    add(origin, soa_ttl, "SOA", &soa);
    add(origin, 300, "NS", &format!("ns1.{origin}"));
    add(&format!("ns1.{origin}"), 300, "A", "192.0.2.53");
    for _ in 0..rng.usize(0..6) {
        let (rtype, rdatas) = DATA[rng.usize(..DATA.len())];
        add(origin, 60, rtype, rdatas[0]);
    }
    let mut owners: BTreeMap<String, Kind> = BTreeMap::new();
    for _ in 0..rng.usize(3..30) {
        let owner = name_below(origin, rng, true);
        let plain = owner.contains('*') && rng.bool();
        let kind = match rng.u8(..10) {
            0..=1 => Kind::Alias,
            2 if !owner.contains('*') => Kind::Rename,
            3..=4 if !plain && !owner.contains('*') => Kind::Cut,
            _ => Kind::Data,
        };
        owners.entry(owner).or_insert(kind);
    }
    owners.remove(&format!("ns1.{origin}"));
    if origin == "example.com." && rng.bool() {
        owners.insert("sub.example.com.".to_owned(), Kind::Cut);
    }
    let renames: Vec<String> =
        owners.iter().filter(|(_, kind)| **kind == Kind::Rename).map(|(o, _)| o.clone()).collect();
    let below_rename =
        |owner: &str| renames.iter().any(|dname| owner.ends_with(&format!(".{dname}")));
    for (owner, kind) in owners.iter().filter(|(owner, _)| !below_rename(owner)) {
        populate(owner, *kind, rng, &mut add);
    }
    // RFC 6672 §2.4: nothing stands below a DNAME, glue neither.
    records.retain(|record| !below_rename(&record.owner));
    let records: BTreeSet<Record> = records.into_iter().collect();
    ModelZone { origin: origin.to_owned(), records: one_ttl_a_set(records) }
}

/// RFC 2181 §5.2: one RRset, one TTL.
fn one_ttl_a_set(records: BTreeSet<Record>) -> Vec<Record> {
    let mut ttls = BTreeMap::new();
    let mut even: Vec<Record> = records.into_iter().collect();
    for record in &mut even {
        record.ttl = *ttls.entry((record.owner.clone(), record.rtype)).or_insert(record.ttl);
    }
    even.sort();
    even.dedup();
    even
}

fn populate(owner: &str, kind: Kind, rng: &mut Rng, add: &mut impl FnMut(&str, u32, &str, &str)) {
    let ttl = rng.u32(..86_400);
    match kind {
        Kind::Alias => add(owner, ttl, "CNAME", &target(rng)),
        Kind::Rename => {
            add(owner, ttl, "DNAME", &target(rng));
            if rng.bool() {
                add(owner, ttl, "A", "192.0.2.77");
            }
        }
        Kind::Cut => {
            add(owner, ttl, "NS", &format!("ns.{owner}"));
            add(&format!("ns.{owner}"), ttl, "A", "192.0.2.99");
            if rng.bool() {
                add(owner, ttl, "NS", "ns.example.net.");
                add(
                    owner,
                    ttl,
                    "DS",
                    "12345 13 2 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
                );
            }
            if rng.u8(..4) == 0 {
                add(owner, ttl, "NS", owner);
                add(owner, ttl, "AAAA", "2001:db8::99");
            }
        }
        Kind::Data => {
            for _ in 0..rng.usize(1..4) {
                let (rtype, rdatas) = DATA[rng.usize(..DATA.len())];
                for rdata in &rdatas[..rng.usize(1..=rdatas.len())] {
                    add(owner, ttl, rtype, rdata);
                }
            }
        }
    }
}

fn record(owner: &str, ttl: u32, rtype: &str, rdata: &str) -> Record {
    let line = canonical_line(&format!("{owner} {ttl} IN {rtype} {rdata}"));
    let mut words = line.splitn(5, ' ');
    let owner = words.next().expect("an owner").to_owned();
    let rdata = words.nth(3).expect("RDATA").to_owned();
    Record { owner, ttl, rtype: type_number(rtype), rdata }
}

fn name_below(origin: &str, rng: &mut Rng, stars: bool) -> String {
    let mut name = origin.to_owned();
    for _ in 0..rng.usize(1..5) {
        name = format!("{}.{name}", LABELS[rng.usize(..LABELS.len())]);
    }
    match rng.u8(..12) {
        0..=2 if stars => format!("*.{name}"),
        3 if stars => format!("a.*.{name}"),
        4 => format!("{}.{name}", "long".repeat(15)),
        _ => name,
    }
}

/// Where an alias leads: mostly into our zones, sometimes out, sometimes to a very long name.
fn target(rng: &mut Rng) -> String {
    let origin = ORIGINS[rng.usize(..ORIGINS.len())];
    match rng.u8(..12) {
        0 => "elsewhere.example.net.".to_owned(),
        1 => format!("{0}.{0}.{0}.{origin}", "y".repeat(63)),
        2 => origin.to_owned(),
        _ => name_below(origin, rng, false),
    }
}

/// A query that has a fair chance to meet something.
pub(crate) fn query(zones: &[ModelZone], rng: &mut Rng) -> (String, u16) {
    let zone = &zones[rng.usize(..zones.len())];
    let owner = || zone.records[0].owner.clone();
    let near = zone.records[rng.usize(..zone.records.len())].owner.clone();
    let name = match rng.u8(..10) {
        0..=3 => near,
        4..=5 => format!("{}.{near}", LABELS[rng.usize(..LABELS.len())]),
        6 => format!("q.{}.{near}", LABELS[rng.usize(..LABELS.len())]),
        7 => near.split_once('.').map_or_else(owner, |(_, parent)| parent.to_owned()),
        8 => name_below(&zone.origin, rng, true),
        _ => format!("{}.{}.{near}", "z".repeat(40), "w".repeat(40)),
    };
    let name = if name.is_empty() { ".".to_owned() } else { name };
    let name = if crate::presentation::name_wire(&name).len() > 255 { owner() } else { name };
    let mixed = name.chars().map(|c| if rng.bool() { c.to_ascii_uppercase() } else { c });
    (mixed.collect(), type_number(QTYPES[rng.usize(..QTYPES.len())]))
}

/// The zone as a master file (RFC 1035 §5), every name absolute.
pub(crate) fn master_file(zone: &ModelZone) -> String {
    let mut text = String::new();
    let soa_first = |record: &&Record| record.rtype != type_number("SOA");
    let mut records: Vec<&Record> = zone.records.iter().collect();
    records.sort_by_key(soa_first);
    for record in records {
        let Record { owner, ttl, rtype, rdata } = record;
        writeln!(text, "{owner} {ttl} IN {} {rdata}", type_text(*rtype)).expect("a String grows");
    }
    text
}
