//! Queries that have a fair chance to meet something.

use fastrand::Rng;

use super::names::name_near;
use crate::model::ModelZone;
use crate::presentation::{type_number, type_text};

/// Types that are asked for, beside the types at the names that are asked for.
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

/// Returns a name, in mixed case, and a type.
pub(crate) fn query(zones: &[ModelZone], rng: &mut Rng) -> (String, u16) {
    let zone = &zones[rng.usize(..zones.len())];
    let key = |at: usize| (&zone.records[at].owner, zone.records[at].rtype);
    // Each RRset has one first record, and so the same chance, however large it is.
    let is_first = |at: &usize| *at == 0 || key(at - 1) != key(*at);
    let any = std::iter::repeat_with(|| rng.usize(..zone.records.len()));
    let at = { any }.find(is_first).expect("each zone has records");
    let record = &zone.records[at];
    let name = name_near(&record.owner, &zone.origin, rng);
    let mixed = name.chars().map(|c| if rng.bool() { c.to_ascii_uppercase() } else { c });
    let name = mixed.collect();
    let leads_to_an_apex = zones.iter().any(|zone| zone.origin == record.rdata);
    let qtype = match type_text(record.rtype).as_str() {
        // The DS of an apex needs queries of its own: the parent has it (RFC 4035 §3.1.4.1).
        "CNAME" if leads_to_an_apex && rng.bool() => "DS",
        // A query for the CNAME does not follow it.
        "CNAME" => QTYPES[rng.usize(..QTYPES.len())],
        _ if rng.bool() => return (name, record.rtype),
        _ => QTYPES[rng.usize(..QTYPES.len())],
    };
    (name, type_number(qtype))
}
