//! Static records: `[records]`, `nameservers`, `soa`, `records_file`.

use std::sync::Arc;
use std::time::Duration;

use super::{Lowering, ttl_of};
use crate::config::decode::{At, OneOrMany};
use crate::config::diagnostic::Source;
use crate::config::master;
use crate::config::spec::{Period, RecordsTable, SoaTable, ZoneTable};
use crate::wire::kind::Type;
use crate::wire::name::Name;
use crate::wire::rdata;
use crate::zone::{Rdata, Rrset, Ttl};

/// The TTL of records that have none of their own: an hour.
pub(super) const TTL: Ttl = Ttl::from_secs(3600).unwrap();

/// SOA timers that satisfy the usual checkers (RIPE-203 and what Zonemaster asks for).
const REFRESH: Duration = Duration::from_secs(4 * 3600);
const RETRY: Duration = Duration::from_secs(3600);
const EXPIRE: Duration = Duration::from_secs(14 * 86_400);
const MINIMUM: Duration = Duration::from_secs(300);
/// Negative answers are forgotten quickly: an endpoint that comes back is seen soon.
const NEGATIVE_TTL: Duration = Duration::from_secs(10);

/// Every static RRset of a zone.
pub(super) fn all(table: &ZoneTable, lowering: &mut Lowering<'_>) -> Vec<Rrset> {
    let ttl = table.ttl.as_ref().and_then(|ttl| lowering.ttl(ttl)).unwrap_or(TTL);
    let mut rrsets = Vec::new();
    for (name, records) in table.records.iter().flat_map(|records| &records.0) {
        let origin = lowering.origin.clone();
        if let Some(owner) = lowering.owner(name, &origin) {
            named_records(&owner, &records.value, ttl, lowering, &mut rrsets);
        }
    }
    if let Some(source) = table.records_file.as_ref().and_then(|file| lowering.file(file)) {
        rrsets.extend(of_master_file(&source, ttl, lowering));
    }
    let written = |rrsets: &[Rrset], origin: &Name, rtype| {
        rrsets.iter().any(|rrset| rrset.rtype == rtype && rrset.owner == *origin)
    };
    let nameservers = nameservers(table, lowering);
    if let Some(soa) = &table.soa
        && written(&rrsets, &lowering.origin, Type::SOA)
    {
        lowering.decoder.error(&soa.span, "the zone's records hold a SOA already");
    } else if !written(&rrsets, &lowering.origin, Type::SOA) && !nameservers.is_empty() {
        rrsets.extend(soa(table.soa.as_ref(), &nameservers[0].value, lowering));
    }
    if !nameservers.is_empty() {
        let rdatas = nameservers.iter().filter_map(|ns| Rdata::new(ns.value.as_wire())).collect();
        let owner = lowering.origin.clone();
        rrsets.push(Rrset { owner, rtype: Type::NS, ttl, rdatas });
    }
    rrsets
}

/// The records of a master file.
pub(super) fn of_master_file(
    source: &Arc<Source>,
    ttl: Ttl,
    lowering: &mut Lowering<'_>,
) -> Vec<Rrset> {
    let (mut records, origin) = (Vec::new(), lowering.origin.clone());
    let diagnostics = lowering.decoder.diagnostics();
    master::parse(source, &origin, Some(ttl), lowering.files, &mut records, diagnostics);
    let mut rrsets: Vec<Rrset> = Vec::new();
    for record in records {
        match rrsets.last_mut() {
            Some(last)
                if last.rtype == record.rtype
                    && last.ttl == record.ttl
                    && last.owner == record.owner =>
            {
                last.rdatas.push(record.rdata);
            }
            _ => {
                lowering.note_owner(&record.owner, &record.place.source, record.place.bytes());
                rrsets.push(Rrset {
                    owner: record.owner,
                    rtype: record.rtype,
                    ttl: record.ttl,
                    rdatas: vec![record.rdata],
                });
            }
        }
    }
    rrsets
}

fn named_records(
    owner: &Name,
    records: &RecordsTable,
    ttl: Ttl,
    lowering: &mut Lowering<'_>,
    rrsets: &mut Vec<Rrset>,
) {
    let ttl = records.ttl.as_ref().and_then(|ttl| lowering.ttl(ttl)).unwrap_or(ttl);
    for (key, data) in &records.sets {
        let Ok(rtype) = key.value.parse::<Type>() else {
            let known = Type::mnemonics().chain(["ttl"]);
            lowering.decoder.unknown(&key.span, "record type", &key.value, known);
            continue;
        };
        if rtype.is_meta() || rtype == Type(0) {
            let message = format!("{rtype} is no type that records have");
            lowering.decoder.error(&key.span, message);
            continue;
        }
        let rdatas = rdatas(rtype, data, lowering);
        if rdatas.len() < data.0.len() {
            lowering.suspect.insert(owner.clone());
        }
        if data.0.is_empty() {
            let message = format!("no {rtype} record is written here");
            lowering.decoder.error_with_help(&key.span, message, "write one, or drop the key");
        } else if !rdatas.is_empty() {
            rrsets.push(Rrset { owner: owner.clone(), rtype, ttl, rdatas });
        }
    }
}

fn rdatas(rtype: Type, data: &OneOrMany<String>, lowering: &mut Lowering<'_>) -> Vec<Rdata> {
    let mut rdatas = Vec::new();
    for text in &data.0 {
        match rdata::parse_value(rtype, &text.value, &lowering.origin) {
            Ok(wire) => rdatas.extend(Rdata::new(wire)),
            Err(error) => {
                let span = lowering.inside(text, &error.at);
                lowering.decoder.error(&span, format!("{rtype}: {}", error.message));
            }
        }
    }
    rdatas
}

fn nameservers(table: &ZoneTable, lowering: &mut Lowering<'_>) -> Vec<At<Name>> {
    let mut names = Vec::new();
    for written in table.nameservers.iter().flat_map(|nameservers| &nameservers.0) {
        match Name::parse(&written.value, Some(&lowering.origin)) {
            Ok(name) => {
                let source = Arc::clone(lowering.decoder.source());
                lowering.note_owner(&name, &source, written.span.clone());
                names.push(At { value: name, span: written.span.clone() });
            }
            Err(error) => lowering.decoder.error(&written.span, error.to_string()),
        }
    }
    if names.is_empty() && table.nameservers.as_ref().is_some_and(|list| list.0.is_empty()) {
        let help = "write `nameservers = [\"ns1\", \"ns2\"]`";
        lowering.decoder.error_with_help(&table.span, "`nameservers` names none", help);
    }
    names
}

/// The SOA record: what `soa` says, and defaults.
fn soa(table: Option<&SoaTable>, primary: &Name, lowering: &mut Lowering<'_>) -> Option<Rrset> {
    let mname = match table.and_then(|soa| soa.mname.as_ref()) {
        Some(written) => lowering.name(written)?,
        None => primary.clone(),
    };
    let contact = match table.and_then(|soa| soa.contact.as_ref()) {
        Some(written) => lowering.mailbox(written)?,
        None => lowering.origin.prepend(b"hostmaster").ok()?,
    };
    let newest = || lowering.files.newest();
    let serial = table.and_then(|soa| soa.serial.as_ref());
    let serial = serial.map_or_else(newest, |serial| serial.value.0 as u32);
    let mut wire = [mname.as_wire(), contact.as_wire(), &serial.to_be_bytes()].concat();
    type Field = fn(&SoaTable) -> Option<&At<Period>>;
    let fields: [(Field, Duration); 4] = [
        (|soa| soa.refresh.as_ref(), REFRESH),
        (|soa| soa.retry.as_ref(), RETRY),
        (|soa| soa.expire.as_ref(), EXPIRE),
        (|soa| soa.minimum.as_ref(), MINIMUM),
    ];
    for (field, default) in fields {
        let secs = match table.and_then(field) {
            Some(period) => lowering.ttl(period)?.as_secs(),
            None => default.as_secs() as u32,
        };
        wire.extend_from_slice(&secs.to_be_bytes());
    }
    let ttl = match table.and_then(|soa| soa.negative_ttl.as_ref()) {
        Some(period) => lowering.ttl(period)?,
        None => ttl_of(NEGATIVE_TTL)?,
    };
    let (owner, rdatas) = (lowering.origin.clone(), vec![Rdata::new(wire)?]);
    Some(Rrset { owner, rtype: Type::SOA, ttl, rdatas })
}

impl Lowering<'_> {
    /// A period as a TTL: whole seconds, 2³¹−1 at the most.
    pub(super) fn ttl(&mut self, period: &At<Period>) -> Option<Ttl> {
        let ttl = ttl_of(period.value.0).filter(|_| period.value.0.subsec_nanos() == 0);
        if ttl.is_none() {
            self.decoder.error(&period.span, "a TTL is whole seconds, 68 years at the most");
        }
        ttl
    }

    /// A name in RDATA, which may lie anywhere.
    pub(super) fn name(&mut self, written: &At<String>) -> Option<Name> {
        Name::parse(&written.value, Some(&self.origin))
            .map_err(|error| self.decoder.error(&written.span, error.to_string()))
            .ok()
    }

    /// A mailbox: a name, or an address with `@` (RFC 1035 §8).
    fn mailbox(&mut self, written: &At<String>) -> Option<Name> {
        let Some((local, domain)) = written.value.split_once('@').filter(|(l, _)| !l.is_empty())
        else {
            return self.name(written);
        };
        let local = local.replace('\\', "\\\\").replace('.', "\\.");
        let domain = domain.trim_end_matches('.');
        let value = format!("{local}.{domain}.");
        self.name(&At { value, span: written.span.clone() })
    }

    /// Remembers where an owner is written first.
    pub(super) fn note_owner(
        &mut self,
        owner: &Name,
        source: &Arc<Source>,
        span: std::ops::Range<usize>,
    ) {
        if !self.owners.contains_key(owner) {
            self.owners.insert(owner.clone(), (Arc::clone(source), span));
        }
    }

    /// Where in the file the part `at` of a string is, as far as it is written plainly.
    fn inside(&self, text: &At<String>, at: &std::ops::Range<usize>) -> std::ops::Range<usize> {
        let written = self.decoder.source().text.get(text.span.clone()).unwrap_or("");
        match written.find(&text.value) {
            Some(start) if !text.value.is_empty() => {
                let start = text.span.start + start;
                let end = (start + at.end).min(text.span.end);
                let from = (start + at.start).min(end);
                if from == end { text.span.clone() } else { from..end }
            }
            _ => text.span.clone(),
        }
    }
}
