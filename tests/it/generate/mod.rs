//! Zones and queries from a seed, crowded on purpose: few labels, so that wildcards, empty
//! non-terminals, cuts and aliases meet.

mod data;
mod names;
mod plan;
mod query;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use fastrand::Rng;

use crate::model::{ModelZone, Record, is_below};
use crate::presentation::{canonical_line, type_number, type_text};
use data::Writing;
use names::{is_short, join, label, name_below};
use plan::{Kind, Plan};
pub(crate) use query::query;

/// Origins of the zones of one server; some are parents of others.
const ORIGINS: [&[&str]; 4] = [
    &["example.com.", "sub.example.com.", "example.org."],
    &["example.com.", "sub.example.com.", "example.org."],
    &["."],
    &[".", "example.com.", "sub.example.com.", "example.org."],
];

/// Returns up to four zones.
pub(crate) fn zones(rng: &mut Rng) -> Vec<ModelZone> {
    let origins = ORIGINS[rng.usize(..ORIGINS.len())];
    let plans: Vec<Plan> = origins.iter().map(|origin| Plan::new(origin, rng)).collect();
    let owners = plans.iter().flat_map(|plan| plan.owners.keys().cloned()).collect();
    let targets = Targets { origins, owners };
    let mut zones: Vec<ModelZone> = plans.iter().map(|plan| zone(plan, &targets, rng)).collect();
    for index in 0..zones.len() {
        let mut zone = zones.remove(index);
        let others = || zones.iter().flat_map(|other| &other.records);
        // NSD does not load a DNAME above a name of another zone, which it has in the same tree.
        zone.records.retain(|record| {
            record.rtype != type_number("DNAME")
                || !others().any(|other| is_below(&other.owner, &record.owner))
        });
        zones.insert(index, zone);
    }
    zones
}

/// The names that aliases and the like lead to.
struct Targets {
    origins: &'static [&'static str],
    /// The owner names in all zones.
    owners: Vec<String>,
}

impl Targets {
    fn origin(&self, rng: &mut Rng) -> &'static str {
        self.origins[rng.usize(..self.origins.len())]
    }

    /// Returns a name that leaves little room in front of it.
    fn long(&self, rng: &mut Rng) -> String {
        let labels = "y".repeat(rng.usize(50..=63));
        join(&[labels.as_str(); 3].join("."), self.origin(rng))
    }

    /// Returns mostly a name of our zones or near them, sometimes one outside, sometimes a very
    /// long one.
    fn any(&self, rng: &mut Rng) -> String {
        let origin = self.origin(rng);
        let owner = &self.owners[rng.usize(..self.owners.len())];
        let below = join(label(rng), owner);
        match rng.u8(..24) {
            0..=1 => "elsewhere.example.net.".to_owned(),
            2 => self.long(rng),
            3..=5 => origin.to_owned(),
            6 => join("ns1", origin),
            7 => owner.clone(),
            8..=11 => name_below(origin, rng, false),
            12 if is_short(&below) => below,
            _ => owner.replace("*.", "star."),
        }
    }
}

fn zone(plan: &Plan, targets: &Targets, rng: &mut Rng) -> ModelZone {
    let origin = plan.origin;
    let mut writing = Writing { records: Vec::new(), targets };
    writing.apex(plan, rng);
    for (owner, kind) in &plan.owners {
        let ttl = rng.u32(..86_400);
        match kind {
            Kind::Data => writing.data(owner, ttl, rng),
            Kind::Large => writing.large(owner, ttl, rng),
            Kind::Alias => writing.add(owner, ttl, "CNAME", &targets.any(rng)),
            Kind::Cut => writing.cut(owner, ttl, &plan.cuts(), rng),
            Kind::Rename => writing.rename(owner, ttl, rng),
        }
    }
    let records: BTreeSet<Record> = writing.records.into_iter().collect();
    ModelZone { origin: origin.to_owned(), records: with_ttls(records, rng) }
}

/// Gives every RRset one TTL (RFC 2181 §5.2), except a few. The records of an RRset stand together,
/// in a random order.
fn with_ttls(records: BTreeSet<Record>, rng: &mut Rng) -> Vec<Record> {
    let mut ttls = BTreeMap::new();
    let mut records: Vec<Record> = records.into_iter().collect();
    for record in &mut records {
        let set = (record.owner.clone(), record.rtype);
        let ttl = *ttls.entry(set).or_insert_with(|| (rng.u8(..6) != 0).then_some(record.ttl));
        record.ttl = ttl.unwrap_or_else(|| rng.u32(..86_400));
    }
    records.sort();
    records.dedup();
    rng.shuffle(&mut records);
    records.sort_by(|a, b| (&a.owner, a.rtype).cmp(&(&b.owner, b.rtype)));
    records
}

/// Returns the zone as a master file (RFC 1035 §5), every name absolute.
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

/// Returns the name of the master file of a zone.
pub(crate) fn file_name(zone: &ModelZone) -> String {
    if zone.origin == "." { "root.zone".to_owned() } else { format!("{}zone", zone.origin) }
}

fn record(owner: &str, ttl: u32, rtype: &str, rdata: &str) -> Record {
    Record::read(&canonical_line(&format!("{owner} {ttl} IN {rtype} {rdata}")))
}
