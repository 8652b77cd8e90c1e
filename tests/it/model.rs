//! A naive model of an authoritative server, straight from RFC 1034 §4.3.2, RFC 2308, RFC 4592
//! and RFC 6672: lists of lines, searched from end to end, with nothing precomputed.
//!
//! It shares no code with the server. Where the two differ, one of them is wrong.

use std::collections::BTreeSet;

use crate::dns::Answer;
use crate::presentation::{canonical_name, name_wire, type_number, type_text};

/// The number of aliases that are followed; the answer may have one more.
const ALIASES_MAX: usize = 16;

/// A static record: names in canonical form, RDATA as text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Record {
    pub(crate) owner: String,
    pub(crate) ttl: u32,
    pub(crate) rtype: u16,
    pub(crate) rdata: String,
}

impl Record {
    /// Reads a line in the form that tests compare.
    pub(crate) fn read(line: &str) -> Self {
        let mut words = line.splitn(5, ' ');
        let mut next = || words.next().unwrap_or_else(|| panic!("not a record: {line}"));
        let (owner, ttl, _class, rtype, rdata) = (next(), next(), next(), next(), next());
        let (owner, rdata) = (owner.to_owned(), rdata.to_owned());
        Self { owner, ttl: ttl.parse().expect("a TTL"), rtype: type_number(rtype), rdata }
    }

    /// Writes the record in the form that tests compare, at `owner`.
    pub(crate) fn line_at(&self, owner: &str) -> String {
        format!("{owner} {} IN {} {}", self.ttl, type_text(self.rtype), self.rdata)
    }

    fn word(&self, at: usize) -> &str {
        self.rdata.split(' ').nth(at).expect("the RDATA has this word")
    }

    /// Returns the name in the RDATA whose addresses help (RFC 1035 §3.3.9 and §3.3.11, RFC 1183
    /// §1, RFC 2230 §3, RFC 2782, RFC 9460 §4.1).
    pub(crate) fn target(&self) -> Option<String> {
        match type_text(self.rtype).as_str() {
            "NS" => Some(self.word(0).to_owned()),
            "MX" | "KX" | "AFSDB" => Some(self.word(1).to_owned()),
            "SRV" => Some(self.word(3).to_owned()),
            "SVCB" | "HTTPS" => {
                let wire = crate::presentation::wire(self.rtype, &self.rdata);
                Some(crate::presentation::name_text(&wire[2..]).0)
            }
            _ => None,
        }
    }
}

/// A zone of static records.
#[derive(Clone, Debug)]
pub(crate) struct ModelZone {
    pub(crate) origin: String,
    /// The records as they are written: some twice, some with another TTL than the rest of their
    /// RRset. The records of an RRset stand together.
    pub(crate) records: Vec<Record>,
}

pub(crate) fn is_at_or_below(name: &str, ancestor: &str) -> bool {
    name == ancestor || ancestor == "." || name.ends_with(&format!(".{ancestor}"))
}

pub(crate) fn is_below(name: &str, ancestor: &str) -> bool {
    name != ancestor && is_at_or_below(name, ancestor)
}

fn parent(name: &str) -> &str {
    name.split_once('.').map(|(_, rest)| if rest.is_empty() { "." } else { rest }).expect("a label")
}

/// Returns `origin` and every name from there down to `name`, the origin first.
fn path<'a>(origin: &str, name: &'a str) -> Vec<&'a str> {
    let mut path = vec![name];
    while path[path.len() - 1] != origin {
        path.push(parent(path[path.len() - 1]));
    }
    path.reverse();
    path
}

impl ModelZone {
    /// Returns the RRset; if its TTLs differ, the lowest counts for all of it (RFC 2181 §5.2).
    fn at(&self, owner: &str, rtype: &str) -> Vec<Record> {
        let rtype = type_number(rtype);
        let records = self.records.iter().filter(|r| r.owner == owner && r.rtype == rtype);
        let ttl = records.clone().map(|record| record.ttl).min().unwrap_or(0);
        records.map(|record| Record { ttl, ..record.clone() }).collect()
    }

    fn has_data(&self, name: &str) -> bool {
        self.records.iter().any(|record| record.owner == name)
    }

    /// Returns whether the name exists: it, or a name below it, has data (RFC 4592 §2.2.2).
    fn exists(&self, name: &str) -> bool {
        self.records.iter().any(|record| is_at_or_below(&record.owner, name))
    }

    /// Returns the SOA, with the lesser of its TTL and its MINIMUM (RFC 2308 §3).
    fn soa(&self) -> Vec<String> {
        let soa = &self.at(&self.origin, "SOA")[0];
        let minimum: u32 = soa.word(6).parse().expect("MINIMUM");
        let soa = Record { ttl: soa.ttl.min(minimum), ..soa.clone() };
        vec![soa.line_at(&self.origin)]
    }

    /// Returns the owner of the data of `name`: the name itself, or the wildcard right below its
    /// closest encloser, and no other (RFC 4592 §3.3.1).
    pub(crate) fn source(&self, name: &str) -> Option<String> {
        if self.exists(name) {
            return Some(name.to_owned());
        }
        let mut encloser = parent(name);
        while !self.exists(encloser) {
            encloser = parent(encloser);
        }
        let encloser = if encloser == "." { "" } else { encloser };
        Some(format!("*.{encloser}")).filter(|wildcard| self.exists(wildcard))
    }

    /// Returns the zone without the data below its DNAMEs (RFC 6672 §2.4).
    pub(crate) fn without_renamed(&self) -> Self {
        let dnames = || self.records.iter().filter(|r| r.rtype == type_number("DNAME"));
        let is_renamed = |r: &&Record| dnames().any(|dname| is_below(&r.owner, &dname.owner));
        let records = self.records.iter().filter(|record| !is_renamed(record)).cloned();
        Self { origin: self.origin.clone(), records: records.collect() }
    }

    /// Returns whether a delegation stands at or above `name`, or a DNAME above it.
    fn is_cut_off(&self, name: &str) -> bool {
        path(&self.origin, name).into_iter().any(|here| {
            let cut = here != self.origin && !self.at(here, "NS").is_empty();
            cut || (here != name && !self.at(here, "DNAME").is_empty())
        })
    }

    /// Returns whether a DNAME stands above `name`, and no delegation above the DNAME.
    fn is_renamed(&self, name: &str) -> bool {
        let path = path(&self.origin, name);
        let mut ends = path.into_iter().take_while(|here| *here != name).filter_map(|here| {
            let cut = here != self.origin && !self.at(here, "NS").is_empty();
            let dname = !self.at(here, "DNAME").is_empty();
            (cut || dname).then_some(dname)
        });
        ends.next().unwrap_or(false)
    }

    /// Returns the addresses that this zone has for the names in `records`: its own, those that it
    /// would synthesise, and glue for name servers (RFC 1034 §4.2.1).
    fn addresses_for(&self, records: &[Record]) -> Vec<String> {
        let mut lines = BTreeSet::new();
        for record in records {
            // The root stands for no host, or for the owner (RFC 2782, RFC 7505 §3, RFC 9460 §2.5).
            let is_host = |name: &String| name != "." && is_at_or_below(name, &self.origin);
            let target = record.target().filter(is_host);
            let Some(target) = target else { continue };
            let glue = record.rtype == type_number("NS")
                && self.has_data(&target)
                && !self.is_renamed(&target);
            let source = if glue {
                Some(target.clone())
            } else {
                self.source(&target).filter(|_| !self.is_cut_off(&target))
            };
            let Some(source) = source else { continue };
            let addresses = [self.at(&source, "A"), self.at(&source, "AAAA")].concat();
            lines.extend(addresses.iter().map(|address| address.line_at(&target)));
        }
        lines.into_iter().collect()
    }
}

/// The result of a visit to one name.
enum Step {
    Done,
    Follow(String),
}

/// One answer in the making.
struct Walk<'a> {
    zones: &'a [ModelZone],
    qtype: u16,
    answer: Answer,
}

/// Returns the zones' answer to `qname` and `qtype`.
pub(crate) fn answer(zones: &[ModelZone], qname: &str, qtype: u16) -> Answer {
    let refusal = match type_text(qtype).as_str() {
        "AXFR" | "IXFR" => Some("REFUSED"),
        "OPT" | "TKEY" | "TSIG" => Some("FORMERR"),
        "MAILA" | "MAILB" => Some("NOTIMP"),
        _ => None,
    };
    if let Some(rcode) = refusal {
        return Answer { rcode: rcode.to_owned(), ..Answer::default() };
    }
    let answer = Answer { rcode: "NOERROR".to_owned(), ..Answer::default() };
    let mut walk = Walk { zones, qtype, answer };
    let mut name = canonical_name(qname);
    let mut seen = Vec::new();
    while seen.len() <= ALIASES_MAX && !seen.contains(&name) {
        let Some(zone) = walk.zone_of(&name) else {
            if seen.is_empty() {
                walk.answer.rcode = "REFUSED".to_owned();
            }
            break;
        };
        seen.push(name.clone());
        match walk.visit(zone, &name) {
            Step::Done => break,
            Step::Follow(target) => name = target,
        }
    }
    let mut answer = walk.answer;
    for section in [&mut answer.answer, &mut answer.authority, &mut answer.additional] {
        section.sort();
        section.dedup();
    }
    answer
}

impl<'a> Walk<'a> {
    /// Finds the closest zone at or above `name`; for DS, the closest one above it, if there is one
    /// (RFC 4035 §3.1.4.1).
    fn zone_of(&self, name: &str) -> Option<&'a ModelZone> {
        let closest = |fits: &dyn Fn(&str) -> bool| {
            let zones = self.zones.iter().filter(|zone| fits(&zone.origin));
            zones.max_by_key(|zone| name_wire(&zone.origin).len())
        };
        let above = closest(&|origin| is_below(name, origin));
        let parent = above.filter(|_| self.qtype == type_number("DS"));
        parent.or_else(|| closest(&|origin| is_at_or_below(name, origin)))
    }

    fn visit(&mut self, zone: &'a ModelZone, name: &str) -> Step {
        // Step 3, down from the apex: a cut or a DNAME on the way ends the descent.
        for &here in &path(&zone.origin, name)[..] {
            let is_name = here == name;
            let cut = here != zone.origin && !zone.at(here, "NS").is_empty();
            if cut && !(is_name && self.qtype == type_number("DS")) {
                return self.refer(zone, here);
            }
            if let Some(dname) = zone.at(here, "DNAME").first().filter(|_| !is_name) {
                return self.rename(dname, name);
            }
        }
        self.answer.aa = true;
        if let Some(source) = zone.source(name) {
            return self.give(zone, &source, name);
        }
        self.answer.rcode = "NXDOMAIN".to_owned();
        self.answer.authority = zone.soa();
        Step::Done
    }

    /// Refers to a delegation (step 3b).
    fn refer(&mut self, zone: &ModelZone, cut: &str) -> Step {
        let ns = zone.at(cut, "NS");
        self.answer.authority = ns.iter().map(|record| record.line_at(cut)).collect();
        self.answer.additional = zone.addresses_for(&ns);
        Step::Done
    }

    /// Substitutes the name, with a CNAME of the DNAME's TTL (RFC 6672 §3.2 step 3c).
    fn rename(&mut self, dname: &Record, name: &str) -> Step {
        self.answer.aa = true;
        self.answer.answer.push(dname.line_at(&dname.owner));
        let above = if dname.owner == "." { "" } else { &dname.owner };
        let prefix = name.strip_suffix(above).expect("the name is below the DNAME");
        let target = if dname.rdata == "." { "" } else { &dname.rdata };
        let renamed = format!("{prefix}{target}");
        if name_wire(&renamed).len() > 255 {
            self.answer.rcode = "YXDOMAIN".to_owned();
            return Step::Done;
        }
        self.answer.answer.push(format!("{name} {} IN CNAME {renamed}", dname.ttl));
        // The synthesised CNAME is the answer, as one in the zone would be.
        let matches = ["CNAME", "ANY"].map(type_number).contains(&self.qtype);
        if matches { Step::Done } else { Step::Follow(renamed) }
    }

    /// Gives the data at `node` under the name `owner` (step 3a and the second half of 3c).
    fn give(&mut self, zone: &ModelZone, node: &str, owner: &str) -> Step {
        let records = zone.at(node, &type_text(self.qtype));
        if !records.is_empty() {
            self.answer.answer.extend(records.iter().map(|record| record.line_at(owner)));
            self.answer.additional = zone.addresses_for(&records);
            return Step::Done;
        }
        if let Some(alias) = zone.at(node, "CNAME").first() {
            self.answer.answer.push(alias.line_at(owner));
            // An alias matches ANY itself.
            let matches = self.qtype == type_number("ANY");
            return if matches { Step::Done } else { Step::Follow(alias.rdata.clone()) };
        }
        if self.qtype == type_number("ANY") && zone.has_data(node) {
            self.answer.answer.push(format!("{owner} 3600 IN HINFO \"RFC8482\" \"\""));
            return Step::Done;
        }
        self.answer.authority = zone.soa();
        Step::Done
    }
}
