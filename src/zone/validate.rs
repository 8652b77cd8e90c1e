//! The rules that make a set of records and services a zone.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::rrset::Rrset;
use super::service::{Place, Service};
use crate::wire::kind::Type;
use crate::wire::name::Name;

/// Something in a zone that contradicts the rest of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// Where: the owner that two things claim, or the origin.
    pub owner: Name,
    /// Which RRset there, if one is to blame.
    pub rtype: Option<Type>,
    /// What is wrong.
    pub problem: Problem,
}

/// What contradicts what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Problem {
    /// A CNAME and another type at one owner (RFC 1034 §3.6.2, RFC 2181 §10.1).
    CnameBesideOtherData,
    /// More than one CNAME or DNAME at one owner (RFC 2181 §10.1, RFC 6672 §2.4).
    SeveralAliases,
    /// A delegation at a name that also holds data other than DS (RFC 1034 §4.2.1).
    DataAtZoneCut,
    /// A service at or below a delegation or below a DNAME: it could never be answered.
    ServiceNotInAuthority,
    /// A service's own names meet static addresses, a CNAME, or another service's names.
    ServiceBesideData,
    /// A pool of targets, answered as CNAME, beside static data or at the apex.
    TargetBesideData,
    /// No SOA at the origin.
    NoSoa,
    /// More than one SOA.
    SeveralSoa,
    /// A SOA elsewhere than at the origin.
    SoaNotAtApex,
    /// No NS at the origin.
    NoNs,
    /// An owner outside the zone.
    OutOfZone,
    /// Records of one RRset with different TTLs (RFC 2181 §5.2).
    UnequalTtls,
    /// Records that no message can hold together (RFC 1035 §4.2.2).
    RrsetTooLarge,
    /// A delegation or DNAME at a wildcard: what it would mean is undefined (RFC 4592 §4.2, §4.4).
    CutAtWildcard,
    /// A name server of the zone, inside the zone, that has no address record.
    NameserverWithoutAddress,
}

impl Problem {
    /// What to do about it, where that is not plain from the problem.
    pub fn help(self) -> Option<&'static str> {
        match self {
            Self::NoSoa => Some("write `nameservers`, from which it is made, or a SOA record"),
            Self::NoNs => Some("write `nameservers = [\"ns1\", \"ns2\"]`"),
            Self::NameserverWithoutAddress => Some(
                "add it to [records]; a name server elsewhere ends with a dot: \"ns1.example.net.\"",
            ),
            _ => None,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CnameBesideOtherData => "a CNAME cannot stand beside other data",
            Self::SeveralAliases => "an owner can have only one CNAME or DNAME",
            Self::DataAtZoneCut => "only NS and DS may stand at a delegation",
            Self::ServiceNotInAuthority => "this service lies under a delegation or DNAME",
            Self::ServiceBesideData => "a service cannot share its name with addresses, a CNAME or another service",
            Self::TargetBesideData => "a service with `target` endpoints answers CNAME, which cannot stand beside other data",
            Self::NoSoa => "the zone has no SOA record",
            Self::SeveralSoa => "the zone has more than one SOA record",
            Self::SoaNotAtApex => "a SOA record stands only at the apex",
            Self::NoNs => "the zone has no NS records",
            Self::OutOfZone => "this name lies outside the zone",
            Self::UnequalTtls => "the records of one RRset have different TTLs",
            Self::RrsetTooLarge => "these records are too many for one message of 65,535 octets",
            Self::CutAtWildcard => "NS and DNAME cannot stand at a wildcard",
            Self::NameserverWithoutAddress => "this name server lies in the zone but has no A or AAAA record",
        })
    }
}

/// Merges sets of one owner and type, sorts, and drops records written twice (RFC 2181 §5);
/// `found` takes the sets whose TTLs differ.
pub(super) fn merge(rrsets: Vec<Rrset>, found: &mut Vec<Conflict>) -> Vec<Rrset> {
    let mut sorted = rrsets;
    sorted.sort_by(|a, b| a.owner.cmp(&b.owner).then(a.rtype.cmp(&b.rtype)));
    let mut merged: Vec<Rrset> = Vec::with_capacity(sorted.len());
    for rrset in sorted {
        match merged.last_mut() {
            Some(last) if last.rtype == rrset.rtype && last.owner == rrset.owner => {
                if last.ttl != rrset.ttl {
                    found.push(conflict(&rrset.owner, rrset.rtype, Problem::UnequalTtls));
                }
                for rdata in rrset.rdatas {
                    if !last.rdatas.contains(&rdata) {
                        last.rdatas.push(rdata);
                    }
                }
            }
            _ => merged.push(rrset),
        }
    }
    found.dedup();
    merged
}

/// What a message leaves for one RRset beside the header, the longest question and OPT.
const RRSET_LEN_MAX: usize = 65_535 - 12 - 259 - 11;

/// Every conflict in a zone, in canonical order of owner. `rrsets` are merged and sorted.
pub(super) fn conflicts(origin: &Name, rrsets: &[Rrset], services: &[Service]) -> Vec<Conflict> {
    let mut found = Vec::new();
    let types = types_by_owner(rrsets);
    apex_conflicts(origin, &types, rrsets, services, &mut found);
    for (owner, types) in &types {
        owner_conflicts(origin, owner, types, &mut found);
    }
    for rrset in rrsets {
        // The owner is a pointer of two octets; type, class, TTL and length take ten.
        let len: usize = rrset.rdatas.iter().map(|rdata| 12 + rdata.as_wire().len()).sum();
        if len > RRSET_LEN_MAX {
            found.push(conflict(&rrset.owner, rrset.rtype, Problem::RrsetTooLarge));
        }
        if matches!(rrset.rtype, Type::NS | Type::DNAME) && rrset.owner.is_wildcard() {
            found.push(conflict(&rrset.owner, rrset.rtype, Problem::CutAtWildcard));
        }
        if matches!(rrset.rtype, Type::CNAME | Type::DNAME) && rrset.rdatas.len() > 1 {
            found.push(conflict(&rrset.owner, rrset.rtype, Problem::SeveralAliases));
        }
    }
    service_conflicts(origin, &types, services, &mut found);
    found.sort_by(|a, b| a.owner.cmp(&b.owner).then(a.problem.cmp(&b.problem)));
    found
}

type TypesByOwner<'a> = BTreeMap<&'a Name, BTreeSet<Type>>;

fn types_by_owner(rrsets: &[Rrset]) -> TypesByOwner<'_> {
    let mut types = TypesByOwner::new();
    for rrset in rrsets {
        types.entry(&rrset.owner).or_default().insert(rrset.rtype);
    }
    types
}

fn conflict(owner: &Name, rtype: Type, problem: Problem) -> Conflict {
    Conflict { owner: owner.clone(), rtype: Some(rtype), problem }
}

fn apex_conflicts(
    origin: &Name,
    types: &TypesByOwner<'_>,
    rrsets: &[Rrset],
    services: &[Service],
    found: &mut Vec<Conflict>,
) {
    let rrset = |rtype| rrsets.iter().find(|r| r.rtype == rtype && r.owner == *origin);
    match rrset(Type::SOA) {
        None => found.push(conflict(origin, Type::SOA, Problem::NoSoa)),
        Some(soa) if soa.rdatas.len() > 1 => {
            found.push(conflict(origin, Type::SOA, Problem::SeveralSoa));
        }
        Some(_) => {}
    }
    let Some(ns) = rrset(Type::NS) else {
        found.push(conflict(origin, Type::NS, Problem::NoNs));
        return;
    };
    for nameserver in ns.rdatas.iter().filter_map(|rdata| Name::from_wire(rdata.as_wire())) {
        let addressed = |name: &Name| {
            types.get(name).is_some_and(|t| t.contains(&Type::A) || t.contains(&Type::AAAA))
                || services.iter().any(|service| {
                    let mut endpoints = service.endpoints().map(|(_, endpoint)| endpoint);
                    service.owner == *name
                        || endpoints.any(|e| e.owner == *name && e.addresses().next().is_some())
                })
        };
        let below_cut = || cut_above(origin, &nameserver, types).is_some();
        if nameserver.is_at_or_below(origin) && !addressed(&nameserver) && !below_cut() {
            let problem = Problem::NameserverWithoutAddress;
            found.push(Conflict { owner: nameserver, rtype: None, problem });
        }
    }
}

fn owner_conflicts(origin: &Name, owner: &Name, types: &BTreeSet<Type>, found: &mut Vec<Conflict>) {
    let apex = owner == origin;
    if !owner.is_at_or_below(origin) {
        found.push(Conflict { owner: owner.clone(), rtype: None, problem: Problem::OutOfZone });
        return;
    }
    // RRSIG and NSEC are the exception that RFC 4035 §2.5 makes.
    let beside = |t: &Type| !matches!(*t, Type::CNAME | Type::RRSIG | Type::NSEC | Type::KEY);
    if types.contains(&Type::CNAME) && types.iter().any(beside) {
        found.push(conflict(owner, Type::CNAME, Problem::CnameBesideOtherData));
    }
    if types.contains(&Type::SOA) && !apex {
        found.push(conflict(owner, Type::SOA, Problem::SoaNotAtApex));
    }
    // Addresses at the cut are glue when the child's server bears the child's name.
    let at_cut = |t: &Type| {
        !matches!(
            *t,
            Type::NS | Type::DS | Type::A | Type::AAAA | Type::RRSIG | Type::NSEC | Type::CNAME
        )
    };
    if types.contains(&Type::NS) && !apex && types.iter().any(at_cut) {
        found.push(conflict(owner, Type::NS, Problem::DataAtZoneCut));
    }
}

fn service_conflicts(
    origin: &Name,
    types: &TypesByOwner<'_>,
    services: &[Service],
    found: &mut Vec<Conflict>,
) {
    let mut claimed: BTreeSet<&Name> = BTreeSet::new();
    for service in services {
        let mut push = |owner: &Name, problem| {
            found.push(Conflict { owner: owner.clone(), rtype: None, problem });
        };
        let has_target =
            service.endpoints().any(|(_, endpoint)| matches!(endpoint.place, Place::Target(_)));
        let at_owner = types.get(&service.owner);
        if has_target && (service.owner == *origin || at_owner.is_some()) {
            push(&service.owner, Problem::TargetBesideData);
        }
        let clash = |t: &BTreeSet<Type>| {
            t.contains(&Type::A) || t.contains(&Type::AAAA) || t.contains(&Type::CNAME)
        };
        if at_owner.is_some_and(clash) || !claimed.insert(&service.owner) {
            push(&service.owner, Problem::ServiceBesideData);
        }
        if !service.owner.is_at_or_below(origin) {
            push(&service.owner, Problem::OutOfZone);
        }
        let below_cut = cut_above(origin, &service.owner, types).is_some();
        if below_cut {
            push(&service.owner, Problem::ServiceNotInAuthority);
        }
        let endpoint_owners = service.endpoints().map(|(_, endpoint)| &endpoint.owner);
        for owner in service.srv.iter().chain(endpoint_owners) {
            if types.contains_key(owner) || !claimed.insert(owner) {
                push(owner, Problem::ServiceBesideData);
            } else if !below_cut && cut_above(origin, owner, types).is_some() {
                push(owner, Problem::ServiceNotInAuthority);
            }
        }
    }
}

/// The zone cut at or above `name`, or the DNAME above it, the apex left out.
fn cut_above(origin: &Name, name: &Name, types: &TypesByOwner<'_>) -> Option<Name> {
    let mut at = Some(name.clone());
    while let Some(here) = at.filter(|here| here.is_at_or_below(origin)) {
        if let Some(types) = types.get(&here) {
            let cut = types.contains(&Type::NS) && here != *origin;
            if cut || (types.contains(&Type::DNAME) && here != *name) {
                return Some(here);
            }
        }
        at = here.parent();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zone::{Rdata, Ttl};

    fn name(text: &str) -> Name {
        Name::parse(text, Some(&Name::parse("example.com.", None).unwrap())).unwrap()
    }

    fn rrset(owner: &str, rtype: Type) -> Rrset {
        let wire: &[u8] = if rtype == Type::NS { b"\x02ns\x03net\0" } else { &[1, 2, 3, 4] };
        let rdatas = vec![Rdata::new(wire).unwrap()];
        Rrset { owner: name(owner), rtype, ttl: Ttl::from_secs(60).unwrap(), rdatas }
    }

    fn problems(extra: &[(&str, Type)]) -> Vec<Problem> {
        let mut rrsets = vec![rrset("@", Type::SOA), rrset("@", Type::NS)];
        rrsets.extend(extra.iter().map(|&(owner, rtype)| rrset(owner, rtype)));
        let found = crate::zone::Zone::new(name("@"), rrsets, vec![]).err().unwrap_or_default();
        found.into_iter().map(|conflict| conflict.problem).collect()
    }

    #[test]
    fn a_sound_zone_has_no_conflicts() {
        let sound = [("www", Type::A), ("sub", Type::NS), ("sub", Type::DS), ("ns.sub", Type::A)];
        assert_eq!(problems(&sound), []);
    }

    #[test]
    fn each_rule_is_reported() {
        for (extra, problem) in [
            (&[("a", Type::CNAME), ("a", Type::TXT)][..], Problem::CnameBesideOtherData),
            (&[("a", Type::NS), ("a", Type::TXT)], Problem::DataAtZoneCut),
            (&[("a", Type::SOA)], Problem::SoaNotAtApex),
            (&[("*.a", Type::NS)], Problem::CutAtWildcard),
            (&[("other.net.", Type::A)], Problem::OutOfZone),
        ] {
            assert_eq!(problems(extra), [problem], "{extra:?}");
        }
    }

    #[test]
    fn records_that_fill_no_message_together_are_refused() {
        let mut large = rrset("a", Type::TXT);
        let text = |n: u64| Rdata::new(n.to_be_bytes().repeat(3)).unwrap();
        large.rdatas = (0..3000).map(text).collect();
        let rrsets = vec![rrset("@", Type::SOA), rrset("@", Type::NS), large];
        let found = crate::zone::Zone::new(name("@"), rrsets, vec![]).unwrap_err();
        assert_eq!(found[0].problem, Problem::RrsetTooLarge);
    }

    #[test]
    fn a_zone_needs_soa_and_ns() {
        let found = crate::zone::Zone::new(name("@"), vec![], vec![]).unwrap_err();
        let found: Vec<Problem> = found.into_iter().map(|conflict| conflict.problem).collect();
        assert_eq!(found, [Problem::NoSoa, Problem::NoNs]);
    }
}
