//! The rules that make a set of records and services a zone.

use super::names::{Full, NameTree};
use super::problem::{Findings, Problem};
use super::service::{Endpoint, Place, Service};
use super::sets::{RRSET_LEN_MAX, Set, set_len};
use crate::wire::kind::Type;
use crate::wire::name::Name;

/// Bits that say what stands at a name.
pub(super) mod at {
    /// Static records.
    pub(in crate::zone) const RECORDS: u16 = 1 << 0;
    /// Static A or AAAA records.
    pub(in crate::zone) const ADDRESS: u16 = 1 << 1;
    /// A static CNAME.
    pub(in crate::zone) const CNAME: u16 = 1 << 2;
    /// Static NS records.
    pub(in crate::zone) const NS: u16 = 1 << 3;
    /// A static DNAME.
    pub(in crate::zone) const DNAME: u16 = 1 << 4;
    /// A name of a service: its own, an SRV name, or an endpoint's.
    pub(in crate::zone) const CLAIM: u16 = 1 << 5;
    /// A service, or an endpoint with an address.
    pub(in crate::zone) const STEERED_ADDRESS: u16 = 1 << 6;
    /// A fact about the name: it lies at or below the origin.
    pub(in crate::zone) const INSIDE: u16 = 1 << 7;
    /// A fact about the name: it is a name server of a delegation or of the apex.
    pub(in crate::zone) const GLUE: u16 = 1 << 8;
    /// A fact about the name: it lies at or below the origin written twice,
    /// `example.com.example.com.`.
    pub(in crate::zone) const DOUBLED: u16 = 1 << 9;
}

/// The parts of a zone, its records as sets.
pub(super) struct Content<'a> {
    /// The apex.
    pub(super) origin: &'a Name,
    /// The static sets, by node, then by type; none holds a record twice.
    pub(super) sets: &'a [Set],
    /// The data of the sets.
    pub(super) rdata: &'a [u8],
    /// The services.
    pub(super) services: &'a [Service],
}

/// Looks for every contradiction in a zone. Returns the node of the origin, and the bits of every
/// name.
///
/// `claims` takes the node of every name of a service: its own, those of its SRV names, those of
/// its endpoints.
pub(super) fn conflicts(
    content: &Content<'_>,
    names: &mut NameTree,
    claims: &mut Vec<u32>,
    found: &mut Findings,
) -> Result<(u32, Vec<u16>), Full> {
    let apex = names.add(content.origin.as_wire())?;
    let mut check = Check { names, sets: content.sets, apex, at: Vec::new(), found };
    check.note_new_names();
    check.signed();
    for sets in content.sets.chunk_by(|a, b| a.owner == b.owner) {
        check.owner(sets);
    }
    for service in content.services {
        check.service(service, claims)?;
    }
    let apex_sets = content.sets.iter().filter(|set| set.owner == apex);
    check.apex(content.origin, apex_sets, content.rdata);
    Ok((apex, check.at))
}

struct Check<'a> {
    names: &'a mut NameTree,
    /// The sets, by node, then by type.
    sets: &'a [Set],
    apex: u32,
    /// By node: what stands there, as bits of `at`.
    at: Vec<u16>,
    found: &'a mut Findings,
}

impl Check<'_> {
    /// Makes room for names added since the last call. A name has a higher number than those above
    /// it.
    fn note_new_names(&mut self) {
        for node in self.at.len() as u32..self.names.len() as u32 {
            let above = self.at.get(self.names.parent(node) as usize).copied().unwrap_or(0);
            let inside = if node == self.apex { at::INSIDE } else { above & at::INSIDE };
            self.at.push(inside);
        }
    }

    /// Reports the first set that only a signed zone has.
    fn signed(&mut self) {
        let is_signature = |set: &&Set| {
            matches!(set.rtype, Type::RRSIG | Type::NSEC | Type::NSEC3 | Type::NSEC3PARAM)
        };
        if let Some(set) = self.sets.iter().find(is_signature) {
            self.push(set.owner, Some(set.rtype), Problem::Signed);
        }
    }

    fn has(&self, node: u32, bits: u16) -> bool {
        self.at[node as usize] & bits != 0
    }

    fn push(&mut self, node: u32, rtype: Option<Type>, problem: Problem) {
        self.found.push(problem, rtype, || self.names.name(node));
    }

    /// Notes what stands at the owner of `sets`, and reports contradictions among the sets.
    fn owner(&mut self, sets: &[Set]) {
        let node = sets[0].owner;
        for set in sets {
            self.at[node as usize] |= at::RECORDS
                | match set.rtype {
                    Type::A | Type::AAAA => at::ADDRESS,
                    Type::CNAME => at::CNAME,
                    Type::NS => at::NS,
                    Type::DNAME => at::DNAME,
                    _ => 0,
                };
        }
        let is_wildcard = self.names.label(node) == b"\x01*";
        for set in sets.iter().filter(|_| is_wildcard) {
            match set.rtype {
                Type::NS => self.push(node, Some(set.rtype), Problem::CutAtWildcard),
                Type::DNAME => self.push(node, Some(set.rtype), Problem::DnameAtWildcard),
                _ => {}
            }
        }
        if !self.has(node, at::INSIDE) {
            return self.push(node, None, Problem::OutOfZone);
        }
        let types = || sets.iter().map(|set| set.rtype);
        // RFC 4035 §2.5 makes an exception for RRSIG and NSEC.
        let beside = |t| !matches!(t, Type::CNAME | Type::RRSIG | Type::NSEC | Type::KEY);
        if self.has(node, at::CNAME) && types().any(beside) {
            self.push(node, Some(Type::CNAME), Problem::CnameBesideOtherData);
        }
        if node == self.apex {
            return;
        }
        if types().any(|rtype| rtype == Type::SOA) {
            self.push(node, Some(Type::SOA), Problem::SoaNotAtApex);
        }
    }

    fn apex<'s>(
        &mut self,
        origin: &Name,
        sets: impl Iterator<Item = &'s Set> + Clone,
        rdata: &[u8],
    ) {
        let set = |rtype| sets.clone().find(|set| set.rtype == rtype);
        match set(Type::SOA) {
            None => self.push_apex(origin, Type::SOA, Problem::NoSoa),
            Some(soa) if soa.count > 1 => {
                self.push_apex(origin, Type::SOA, Problem::SeveralSoa);
            }
            Some(_) => {}
        }
        let Some(ns) = set(Type::NS) else {
            return self.push_apex(origin, Type::NS, Problem::NoNs);
        };
        for nameserver in ns.rdatas(rdata).filter_map(Name::from_wire) {
            if !nameserver.is_at_or_below(origin) {
                continue;
            }
            // A name without a node of its own lies below the cuts of the closest name above it.
            let (mut node, mut above) =
                (self.names.find(nameserver.as_wire()), nameserver.parent());
            let addressed = node.is_some_and(|n| self.has(n, at::ADDRESS | at::STEERED_ADDRESS));
            let is_its_own = node.is_some();
            while let (None, Some(name)) = (node, above) {
                (node, above) = (self.names.find(name.as_wire()), name.parent());
            }
            let below_cut = node.is_some_and(|node| self.is_below_cut(node, is_its_own));
            if !addressed && !below_cut {
                let problem = Problem::NameserverWithoutAddress;
                self.found.push_about(problem, origin, Type::NS, nameserver);
            }
        }
    }

    fn push_apex(&mut self, origin: &Name, rtype: Type, problem: Problem) {
        self.found.push(problem, Some(rtype), || origin.clone());
    }

    /// Notes the names of one service, and reports what they collide with.
    fn service(&mut self, service: &Service, claims: &mut Vec<u32>) -> Result<(), Full> {
        let mut add = |names: &mut NameTree, name: &Name| {
            let node = names.add(name.as_wire())?;
            claims.push(node);
            Ok::<u32, Full>(node)
        };
        let node = add(self.names, &service.owner)?;
        self.note_new_names();
        let is_target = |endpoint: &Endpoint| matches!(endpoint.place, Place::Target(_));
        let has_target = service.endpoints().any(|(_, endpoint)| is_target(endpoint));
        if has_target && (node == self.apex || self.has(node, at::RECORDS)) {
            self.push(node, None, Problem::TargetBesideData);
        }
        if self.has(node, at::ADDRESS | at::CNAME | at::CLAIM) {
            self.push(node, None, Problem::ServiceBesideData);
        }
        if !self.has(node, at::INSIDE) {
            self.push(node, None, Problem::OutOfZone);
        }
        let below_cut = self.is_below_cut(node, true);
        if below_cut {
            self.push(node, None, Problem::ServiceNotInAuthority);
        }
        self.at[node as usize] |= at::CLAIM | at::STEERED_ADDRESS;
        self.own_records(node, service);
        let srv = service.srv.names.iter().map(|name| (&name.owner, false));
        let endpoints =
            service.own_endpoints().map(|endpoint| (&endpoint.owner, !is_target(endpoint)));
        for (name, has_address) in srv.chain(endpoints) {
            let node = add(self.names, name)?;
            self.note_new_names();
            if self.has(node, at::RECORDS | at::CLAIM) {
                self.push(node, None, Problem::ServiceBesideData);
            } else if !below_cut && self.is_below_cut(node, true) {
                self.push(node, None, Problem::ServiceNotInAuthority);
            }
            self.at[node as usize] |= at::CLAIM;
            self.at[node as usize] |= if has_address { at::STEERED_ADDRESS } else { 0 };
        }
        Ok(())
    }

    /// Reports what the records that a service makes at its own name collide with.
    fn own_records(&mut self, node: u32, service: &Service) {
        let writes = [(Type::HTTPS, service.https.is_some()), (Type::TXT, !service.txt.is_empty())];
        for (rtype, _) in writes.into_iter().filter(|&(_, writes)| writes) {
            let at = self.sets.binary_search_by_key(&(node, rtype), |set| (set.owner, set.rtype));
            if at.is_ok() {
                self.push(node, Some(rtype), Problem::ServiceBesideSameType);
            }
        }
        if set_len(service.txt.iter().map(|text| text.len())) > RRSET_LEN_MAX {
            self.push(node, Some(Type::TXT), Problem::RrsetTooLarge);
        }
    }

    /// Whether a zone cut is at or above a name, or a DNAME above it, not counting the NS of the
    /// apex. `node` is the name's own node if `is_its_own`, otherwise that of the closest name
    /// above it.
    fn is_below_cut(&self, node: u32, is_its_own: bool) -> bool {
        let mut here = node;
        while self.has(here, at::INSIDE) {
            let is_cut = here != self.apex && self.has(here, at::NS);
            let is_dname = self.has(here, at::DNAME) && (here != node || !is_its_own);
            if is_cut || is_dname {
                return true;
            }
            if here == self.apex {
                break;
            }
            here = self.names.parent(here);
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zone::{Records, Ttl, Zone};

    fn name(text: &str) -> Name {
        Name::parse(text, Some(&Name::parse("example.com.", None).unwrap())).unwrap()
    }

    fn add(records: &mut Records, owner: &str, rtype: Type, rdata: &[u8]) {
        let owner = records.owner(&name(owner)).unwrap();
        records.push(owner, rtype, Ttl::from_secs(60).unwrap(), rdata).unwrap();
    }

    /// Returns the problems of a zone with a SOA, an NS and `extra`.
    fn problems_with(extra: impl Fn(&mut Records)) -> Vec<Problem> {
        let mut records = Records::new();
        add(&mut records, "@", Type::SOA, &[1, 2, 3, 4]);
        add(&mut records, "@", Type::NS, b"\x02ns\x03net\0");
        extra(&mut records);
        let found = Zone::new(name("@"), records, vec![]);
        let found = found.err().map_or_else(Vec::new, |rejected| rejected.conflicts);
        found.into_iter().map(|conflict| conflict.problem).collect()
    }

    fn problems(extra: &[(&str, Type)]) -> Vec<Problem> {
        problems_with(|records| {
            for &(owner, rtype) in extra {
                let ns: &[u8] = b"\x02ns\x03net\0";
                add(records, owner, rtype, if rtype == Type::NS { ns } else { &[1, 2, 3, 4] });
            }
        })
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
            (&[("a", Type::SOA)], Problem::SoaNotAtApex),
            (&[("*.a", Type::NS)], Problem::CutAtWildcard),
            (&[("other.net.", Type::A)], Problem::OutOfZone),
        ] {
            assert_eq!(problems(extra), [problem], "{extra:?}");
        }
    }

    #[test]
    fn a_dname_at_a_wildcard_is_a_warning() {
        assert_eq!(problems(&[("*.a", Type::DNAME)]), []);
        assert!(Problem::DnameAtWildcard.is_warning());
    }

    #[test]
    fn records_that_fill_no_message_together_are_refused() {
        let large = |records: &mut Records| {
            (0..3000u64).for_each(|n| add(records, "a", Type::TXT, &n.to_be_bytes().repeat(3)));
        };
        assert_eq!(problems_with(large), [Problem::RrsetTooLarge]);
    }

    #[test]
    fn a_record_written_again_and_again_counts_once_in_sets_of_any_size() {
        for distinct in [2u32, 200] {
            let mut records = Records::new();
            add(&mut records, "@", Type::SOA, &[1, 2, 3, 4]);
            add(&mut records, "@", Type::NS, b"\x02ns\x03net\0");
            (0..10_000)
                .for_each(|n| add(&mut records, "a", Type::A, &(n % distinct).to_be_bytes()));
            let zone = Zone::new(name("@"), records, vec![]).unwrap();
            let set = zone.rrsets().pop().unwrap();
            let rdatas: Vec<u32> = (0..distinct).collect();
            let found =
                set.rdatas.iter().map(|rdata| u32::from_be_bytes((*rdata).try_into().unwrap()));
            assert_eq!(found.collect::<Vec<_>>(), rdatas);
        }
    }

    #[test]
    fn a_zone_needs_soa_and_ns() {
        let found = Zone::new(name("@"), Records::new(), vec![]).unwrap_err();
        let found: Vec<Problem> =
            found.conflicts.into_iter().map(|conflict| conflict.problem).collect();
        assert_eq!(found, [Problem::NoSoa, Problem::NoNs]);
    }
}
