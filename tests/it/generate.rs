//! Zones and queries from a seed, crowded on purpose: few labels, so that wildcards, empty
//! non-terminals, cuts and aliases meet.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use fastrand::Rng;

use crate::model::{ModelZone, Record};
use crate::presentation::{canonical_line, name_wire, type_number, type_text};

const ORIGINS: [&str; 3] = ["example.com.", "sub.example.com.", "example.org."];

/// In canonical form, as everything here: a dot and a zero octet inside of labels are escaped.
const LABELS: [&str; 8] = ["a", "b", "c", "deep", "x-1", "_srv", "dot\\046dot", "\\000"];

/// The types that a name with plain data may have, with some RDATA each; `%` is a name like
/// those that aliases lead to.
const DATA: &[(&str, &[&str])] = &[
    ("A", &["192.0.2.1", "192.0.2.2", "198.51.100.3"]),
    ("AAAA", &["2001:db8::1", "2001:db8::2"]),
    ("MX", &["10 %", "20 %", "30 mail.example.net."]),
    ("TXT", &["\"v=spf1 -all\"", "\"two\" \"strings\"", "\"\\000\\255\""]),
    ("SRV", &["0 5 8080 %", "1 0 80 %", "0 0 1 ns1.example.org."]),
    ("PTR", &["%"]),
    ("CAA", &["0 issue \"ca.example.net\"", "128 iodef \"mailto:a@example.net\""]),
    ("HTTPS", &["1 . port=8443", "2 % alpn=\"h2,h3\""]),
    ("SVCB", &["1 % ipv4hint=192.0.2.9"]),
    ("NAPTR", &["100 10 \"u\" \"E2U+sip\" \"!^.*$!sip:a@example.com!\" ."]),
    ("SSHFP", &["4 2 123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0"]),
    ("TLSA", &["3 1 1 123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0"]),
    ("LOC", &["51 28 38.000 N 0 0 0.000 W 47.00m 1m 10000m 10m"]),
    ("HINFO", &["\"cpu\" \"os\""]),
    ("RP", &["% a.example.com."]),
    ("AFSDB", &["1 %"]),
    ("KX", &["10 %"]),
    ("URI", &["10 1 \"https://www.example.com/\""]),
    ("TYPE65280", &["\\# 4 0a000001", "\\# 1 ff"]),
];

/// What is asked for; beside these, the types that the names asked for have.
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
    "DS",
    "HTTPS",
    "TYPE999",
    "RRSIG",
    "NSEC",
    "DNSKEY",
    "NSEC3PARAM",
    "CDS",
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
    Large,
    Alias,
    Rename,
    Cut,
}

/// Three zones, one of them a child of another.
pub(crate) fn zones(rng: &mut Rng) -> Vec<ModelZone> {
    let plans: Vec<Plan> = ORIGINS.iter().map(|origin| Plan::new(origin, rng)).collect();
    let owners: Vec<String> = plans.iter().flat_map(|plan| plan.owners.keys().cloned()).collect();
    plans.iter().map(|plan| zone(plan, &owners, rng)).collect()
}

/// Which names one zone has, and what for.
struct Plan {
    origin: &'static str,
    owners: BTreeMap<String, Kind>,
}

impl Plan {
    fn new(origin: &'static str, rng: &mut Rng) -> Self {
        let mut owners: BTreeMap<String, Kind> = BTreeMap::new();
        // Sometimes a whole zone is renamed, and there is nothing below its apex.
        if origin == "example.org." && rng.u8(..8) == 0 {
            owners.insert(origin.to_owned(), Kind::Rename);
            return Self { origin, owners };
        }
        for _ in 0..rng.usize(3..30) {
            let owner = name_below(origin, rng, true);
            let plain = owner.contains('*') && rng.bool();
            let kind = match rng.u8(..20) {
                0..=3 => Kind::Alias,
                4..=5 if !owner.contains('*') => Kind::Rename,
                6..=9 if !plain && !owner.contains('*') => Kind::Cut,
                10..=12 => Kind::Large,
                _ => Kind::Data,
            };
            owners.entry(owner).or_insert(kind);
        }
        if origin == "example.com." && rng.bool() {
            owners.insert("sub.example.com.".to_owned(), Kind::Cut);
        }
        Self { origin, owners }
    }

    fn cuts(&self) -> Vec<&String> {
        self.owners.iter().filter(|(_, kind)| **kind == Kind::Cut).map(|(owner, _)| owner).collect()
    }

    fn below_rename(&self, owner: &str) -> bool {
        let mut renames = self.owners.iter().filter(|(_, kind)| **kind == Kind::Rename);
        renames.any(|(dname, _)| owner.ends_with(&format!(".{dname}")))
    }
}

/// `all`: the owners in every zone, for aliases and the like to lead to.
fn zone(plan: &Plan, all: &[String], rng: &mut Rng) -> ModelZone {
    let origin = plan.origin;
    let mut records = Vec::new();
    let mut add = |owner: &str, ttl: u32, rtype: &str, rdata: &str| {
        records.push(record(owner, ttl, rtype, rdata));
    };
    let (soa_ttl, minimum) = (rng.u32(1..7200), rng.u32(1..7200));
    let soa = format!("ns1.{origin} hostmaster.{origin} 1 3600 600 86400 {minimum}");
    add(origin, soa_ttl, "SOA", &soa);
    if plan.below_rename(&format!("ns1.{origin}")) {
        add(origin, 300, "NS", "ns1.example.net.");
    } else {
        add(origin, 300, "NS", &format!("ns1.{origin}"));
        add(&format!("ns1.{origin}"), 300, "A", "192.0.2.53");
    }
    for _ in 0..rng.usize(0..6) {
        let (rtype, rdatas) = DATA[rng.usize(..DATA.len())];
        add(origin, 60, rtype, &rdatas[0].replace('%', &target(all, rng)));
    }
    for (owner, kind) in plan.owners.iter().filter(|(owner, _)| !plan.below_rename(owner)) {
        let ttl = rng.u32(..86_400);
        let mut add = |owner: &str, rtype: &str, rdata: &str| add(owner, ttl, rtype, rdata);
        match kind {
            Kind::Data => data(owner, all, rng, &mut add),
            Kind::Large => large(owner, rng, &mut add),
            Kind::Alias => add(owner, "CNAME", &target(all, rng)),
            Kind::Cut => cut(owner, &plan.cuts(), all, rng, &mut add),
            Kind::Rename => {
                let long = rng.u8(..3) == 0;
                let target = if long { long_name(rng) } else { target(all, rng) };
                add(owner, "DNAME", &target);
                if rng.bool() {
                    add(owner, "A", "192.0.2.77");
                }
            }
        }
    }
    // RFC 6672 §2.4: nothing stands below a DNAME, glue neither.
    records.retain(|record| !plan.below_rename(&record.owner));
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

fn data(owner: &str, all: &[String], rng: &mut Rng, add: &mut impl FnMut(&str, &str, &str)) {
    for _ in 0..rng.usize(1..4) {
        let (rtype, rdatas) = DATA[rng.usize(..DATA.len())];
        for rdata in &rdatas[..rng.usize(1..=rdatas.len())] {
            add(owner, rtype, &rdata.replace('%', &target(all, rng)));
        }
    }
}

/// An RRset around the sizes at which UDP truncates.
fn large(owner: &str, rng: &mut Rng, add: &mut impl FnMut(&str, &str, &str)) {
    if rng.bool() {
        for number in 0..rng.usize(20..=100) {
            add(owner, "A", &format!("203.0.113.{number}"));
        }
    } else {
        for number in 0..rng.usize(1..10) {
            add(owner, "TXT", &format!("\"{number} {}\"", "t".repeat(rng.usize(100..250))));
        }
    }
}

/// A delegation to name servers of every kind: below it, with and without glue, at it, below
/// another one, beside it, in other zones, elsewhere.
fn cut(
    owner: &str,
    cuts: &[&String],
    all: &[String],
    rng: &mut Rng,
    add: &mut impl FnMut(&str, &str, &str),
) {
    for _ in 0..rng.usize(1..4) {
        match rng.u8(..8) {
            0..=2 => {
                add(owner, "NS", &format!("ns.{owner}"));
                add(&format!("ns.{owner}"), "A", "192.0.2.99");
                if rng.bool() {
                    add(&format!("ns.{owner}"), "AAAA", "2001:db8::53");
                }
            }
            3 => add(owner, "NS", &format!("bare.{owner}")),
            4 => {
                add(owner, "NS", owner);
                add(owner, "AAAA", "2001:db8::99");
            }
            5 => add(owner, "NS", &format!("ns.{}", cuts[rng.usize(..cuts.len())])),
            6 => add(owner, "NS", &target(all, rng)),
            _ => add(owner, "NS", "ns.example.net."),
        }
    }
    if rng.bool() {
        let digest = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
        add(owner, "DS", &format!("12345 13 2 {digest}"));
    }
}

fn record(owner: &str, ttl: u32, rtype: &str, rdata: &str) -> Record {
    Record::read(&canonical_line(&format!("{owner} {ttl} IN {rtype} {rdata}")))
}

fn name_below(origin: &str, rng: &mut Rng, stars: bool) -> String {
    let mut name = origin.to_owned();
    for _ in 0..rng.usize(1..5) {
        name = format!("{}.{name}", LABELS[rng.usize(..LABELS.len())]);
    }
    match rng.u8(..16) {
        0..=2 if stars => format!("*.{name}"),
        3 if stars => format!("a.*.{name}"),
        4 if stars => format!("*.*.{name}"),
        5 => format!("{}.{name}", "long".repeat(15)),
        6 => format!("{}{name}", "d.".repeat(rng.usize(10..80))),
        _ => name,
    }
}

/// A name that leaves little room in front of it.
fn long_name(rng: &mut Rng) -> String {
    let origin = ORIGINS[rng.usize(..ORIGINS.len())];
    format!("{0}.{0}.{0}.{origin}", "y".repeat(rng.usize(50..=63)))
}

/// Where an alias leads: mostly to names of our zones and near them, sometimes out, sometimes to
/// a very long name.
fn target(all: &[String], rng: &mut Rng) -> String {
    let origin = ORIGINS[rng.usize(..ORIGINS.len())];
    let owner = &all[rng.usize(..all.len())];
    match rng.u8(..24) {
        0..=1 => "elsewhere.example.net.".to_owned(),
        2 => long_name(rng),
        3..=5 => origin.to_owned(),
        6 => format!("ns1.{origin}"),
        7 => owner.clone(),
        8..=11 => name_below(origin, rng, false),
        12 if name_wire(owner).len() < 200 => format!("{}.{owner}", LABELS[rng.usize(..3)]),
        _ => owner.replace("*.", "star."),
    }
}

/// A query that has a fair chance to meet something.
pub(crate) fn query(zones: &[ModelZone], rng: &mut Rng) -> (String, u16) {
    let zone = &zones[rng.usize(..zones.len())];
    let owner = || zone.records[0].owner.clone();
    // Each RRset has the same chance, however large it is.
    let mut sets: Vec<&Record> = zone.records.iter().collect();
    sets.dedup_by_key(|record| (record.owner.as_str(), record.rtype));
    let record = sets[rng.usize(..sets.len())];
    let near = record.owner.clone();
    let name = match rng.u8(..10) {
        0..=3 => near,
        4..=5 => format!("{}.{near}", LABELS[rng.usize(..LABELS.len())]),
        6 => format!("q.{}.{near}", LABELS[rng.usize(..LABELS.len())]),
        7 => near.split_once('.').map_or_else(owner, |(_, parent)| parent.to_owned()),
        8 => name_below(&zone.origin, rng, true),
        _ => format!("{}.{}.{near}", "z".repeat(40), "w".repeat(40)),
    };
    let name = if name.is_empty() { ".".to_owned() } else { name };
    let name = if name_wire(&name).len() > 255 { owner() } else { name };
    let mixed = name.chars().map(|c| if rng.bool() { c.to_ascii_uppercase() } else { c });
    let name = mixed.collect();
    let qtype = match type_text(record.rtype).as_str() {
        // Whose the DS of an apex is, is a question of its own (RFC 4035 §3.1.4.1).
        "CNAME" if ORIGINS.contains(&record.rdata.as_str()) && rng.bool() => "DS",
        // Who asks for a CNAME does not follow it.
        "CNAME" => QTYPES[rng.usize(..QTYPES.len())],
        _ if rng.bool() => return (name, record.rtype),
        _ => QTYPES[rng.usize(..QTYPES.len())],
    };
    (name, type_number(qtype))
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
