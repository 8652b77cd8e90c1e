//! Warnings about a sound zone that can hardly be meant: names that lead nowhere, data that is
//! never answered.
//!
//! It takes two passes over the names and the sets of a zone, and one look-up for each name in its
//! data.

use std::collections::{BTreeMap, HashSet};
use std::net::IpAddr;

use super::names::NameTree;
use super::problem::{Findings, Problem};
use super::service::{Endpoint, Place, Service};
use super::sets::{Set, set_len};
use super::validate::{Content, at};
use crate::wire::edns::OPT_LEN;
use crate::wire::header::HEADER_LEN;
use crate::wire::kind::Type;
use crate::wire::name::{Name, wire_len};

/// The number that stands for no node.
const NONE: u32 = u32::MAX;

/// The longest UDP responses without EDNS (RFC 1035 §4.2.1) and with it, in octets.
const UDP_LEN_MAX: usize = 512;
const EDNS_LEN_MAX: usize = 1232;

/// The octets that the type and the class of a question take.
const QUESTION_LEN: usize = 4;

/// The most aliases that are followed in search of a loop.
const ALIASES_MAX: usize = 16;

/// Appends everything questionable in a zone to `found`. `apex` is the node of the apex; `at` holds
/// what stands at each node.
///
/// # Cost
/// Proportional to the number of names, records and endpoints.
pub(super) fn lint(
    content: &Content<'_>,
    names: &mut NameTree,
    (apex, at): (u32, Vec<u16>),
    found: &mut Findings,
) {
    let mut lint = Lint { content, names, apex, at, cuts: Vec::new(), hidden: BTreeMap::new() };
    lint.mark();
    for sets in content.sets.chunk_by(|a, b| a.owner == b.owner) {
        lint.owner(sets, found);
    }
    lint.report_hidden(found);
    for service in content.services {
        lint.service(service, found);
    }
}

struct Lint<'a> {
    content: &'a Content<'a>,
    names: &'a mut NameTree,
    apex: u32,
    /// By node: what stands there, as bits of `at`.
    at: Vec<u16>,
    /// By node: the topmost delegation or DNAME above it, or `NONE`.
    cuts: Vec<u32>,
    /// By delegation or DNAME: the first owner below it whose data is never answered, and their
    /// number.
    hidden: BTreeMap<u32, (u32, usize)>,
}

/// The place to which a name in the data of a record leads.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lead {
    /// Out of the zone.
    Outside,
    /// To the delegation at this node, or below it.
    Delegated(u32),
    /// To an alias.
    Alias,
    /// To a name that has addresses, or that a service answers.
    Addresses,
    /// To a name without addresses.
    NoAddress,
    /// To a name that does not exist.
    Nowhere,
}

impl Lint<'_> {
    fn has(&self, node: u32, bits: u16) -> bool {
        self.at[node as usize] & bits != 0
    }

    fn is_cut(&self, node: u32) -> bool {
        node != self.apex && self.has(node, at::NS)
    }

    /// Notes for each name what hides it, whether it holds the origin twice, and whether a name
    /// server has it.
    fn mark(&mut self) {
        let origin = self.content.origin;
        let doubled = doubled(origin).and_then(|name| self.names.find(name.as_wire()));
        self.cuts = vec![NONE; self.names.len()];
        for node in 1..self.names.len() as u32 {
            let above = self.names.parent(node);
            let is_hiding = self.is_cut(above) || self.has(above, at::DNAME);
            self.cuts[node as usize] = match self.cuts[above as usize] {
                NONE if is_hiding && self.has(above, at::INSIDE) => above,
                cut => cut,
            };
            let is_doubled = doubled == Some(node) || self.has(above, at::DOUBLED);
            self.at[node as usize] |= if is_doubled { at::DOUBLED } else { 0 };
        }
        let content = self.content;
        for set in content.sets.iter().filter(|set| set.rtype == Type::NS) {
            for target in set.rdatas(content.rdata).filter(|target| is_below(target, origin)) {
                if let Some(node) = self.names.find(target) {
                    self.at[node as usize] |= at::GLUE;
                }
            }
        }
    }

    /// Checks all sets of one owner.
    fn owner(&mut self, sets: &[Set], found: &mut Findings) {
        let node = sets[0].owner;
        if !self.has(node, at::INSIDE) {
            return;
        }
        let is_named = self.has(node, at::GLUE);
        let is_glue = |set: &Set| is_named && matches!(set.rtype, Type::A | Type::AAAA);
        let cut = self.cuts[node as usize];
        if cut != NONE {
            if !sets.iter().all(is_glue) {
                self.hidden.entry(cut).or_insert((node, 0)).1 += 1;
            }
            return;
        }
        if self.is_cut(node) {
            let is_answered = |set: &Set| matches!(set.rtype, Type::NS | Type::DS) || is_glue(set);
            if let Some(set) = sets.iter().find(|set| !is_answered(set)) {
                found.push(Problem::DataAtZoneCut, Some(set.rtype), || self.names.name(node));
            }
        }
        if self.has(node, at::DOUBLED) {
            return found.push(Problem::DoubledOrigin, None, || self.names.name(node));
        }
        for set in sets {
            match set.rtype {
                Type::SOA => self.soa(set, found),
                Type::CNAME if self.is_loop(set) => {
                    found.push(Problem::AliasLoop, Some(set.rtype), || self.names.name(node));
                }
                _ => self.targets(set, found),
            }
        }
    }

    /// Checks where the records of one set lead.
    fn targets(&mut self, set: &Set, found: &mut Findings) {
        let content = self.content;
        let Some(at) = target_at(set.rtype) else { return };
        for rdata in set.rdatas(content.rdata) {
            let Some(target) = name_at(rdata, at) else { continue };
            // The root says that there is no target, or stands for the owner.
            if target.len() == 1 || !is_below(target, content.origin) {
                continue;
            }
            let lead = self.lead(target);
            if let Some(problem) = self.problem(set, rdata, target, lead) {
                found.push_record(problem, set.rtype, rdata, || {
                    (self.names.name(set.owner), Name::from_wire(target).unwrap_or_else(Name::root))
                });
            }
        }
    }

    /// Returns the problem of a record of `set` that leads to `lead`, if it has one.
    fn problem(&mut self, set: &Set, rdata: &[u8], target: &[u8], lead: Lead) -> Option<Problem> {
        let is_apex = set.owner == self.apex;
        match (set.rtype, lead) {
            (_, Lead::Outside | Lead::Addresses) => None,
            (Type::NS, Lead::Delegated(cut)) if cut == set.owner || is_apex => {
                let glue = self.names.find(target).filter(|&node| self.has(node, at::ADDRESS));
                if glue.is_some() { None } else { Some(Problem::NoGlue) }
            }
            (_, Lead::Delegated(_)) => None,
            // `Problem::NameserverWithoutAddress` covers it.
            (Type::NS, _) if is_apex => None,
            (_, Lead::Nowhere) => Some(Problem::TargetMissing),
            (Type::CNAME | Type::DNAME | Type::PTR, _) => None,
            (_, Lead::Alias) => Some(Problem::TargetIsAlias),
            // In AliasMode a target may have SVCB records only (RFC 9460 §2.4.2).
            (Type::SVCB | Type::HTTPS, Lead::NoAddress) if rdata.starts_with(&[0, 0]) => None,
            (_, Lead::NoAddress) => Some(Problem::TargetWithoutAddress),
        }
    }

    /// Returns the place to which a name at or below the origin leads.
    fn lead(&mut self, name: &[u8]) -> Lead {
        if let Some(node) = self.names.find(name) {
            return match self.cuts[node as usize] {
                NONE => self.lead_of(node),
                cut => self.lead_below(cut),
            };
        }
        let mut rest = name;
        while let Some((&len, _)) = rest.split_first().filter(|(len, _)| **len > 0) {
            rest = &rest[usize::from(len) + 1..];
            let Some(above) = self.names.find(rest) else { continue };
            let cut = self.cuts[above as usize];
            if cut != NONE || self.is_cut(above) || self.has(above, at::DNAME) {
                return self.lead_below(if cut == NONE { above } else { cut });
            }
            let wildcard = [b"\x01*", rest].concat();
            return match self.names.find(&wildcard) {
                Some(wildcard) => self.lead_of(wildcard),
                None => Lead::Nowhere,
            };
        }
        Lead::Outside
    }

    /// Returns the place to which a name below the delegation or DNAME at `cut` leads.
    fn lead_below(&self, cut: u32) -> Lead {
        if self.is_cut(cut) { Lead::Delegated(cut) } else { Lead::Alias }
    }

    /// Returns the place to which the name at `node` leads, if nothing hides it.
    fn lead_of(&self, node: u32) -> Lead {
        if self.is_cut(node) {
            Lead::Delegated(node)
        } else if self.has(node, at::CNAME) {
            Lead::Alias
        } else if self.has(node, at::ADDRESS | at::STEERED_ADDRESS | at::CLAIM) {
            Lead::Addresses
        } else {
            Lead::NoAddress
        }
    }

    /// Whether the CNAME of `set` leads back to its owner, through other CNAMEs of the zone.
    fn is_loop(&mut self, set: &Set) -> bool {
        let content = self.content;
        let mut here = *set;
        for _ in 0..ALIASES_MAX {
            let Some(target) = here.rdatas(content.rdata).next() else { return false };
            let Some(node) = self.names.find(target) else { return false };
            if node == set.owner {
                return true;
            }
            let key = |set: &Set| (set.owner, set.rtype);
            match content.sets.binary_search_by_key(&(node, Type::CNAME), key) {
                Ok(next) => here = content.sets[next],
                Err(_) => return false,
            }
        }
        false
    }

    /// Checks the mailbox of a SOA record, but not the primary server, which may be hidden.
    fn soa(&mut self, set: &Set, found: &mut Findings) {
        let content = self.content;
        let Some(rdata) = set.rdatas(content.rdata).next() else { return };
        let Some(primary) = name_at(rdata, 0) else { return };
        if let Some(mailbox) = name_at(rdata, primary.len()) {
            let first = &mailbox[..usize::from(mailbox[0]) + 1];
            if first.contains(&b'@') {
                found.push_record(Problem::MailboxWithAt, Type::SOA, rdata, || {
                    let mailbox = Name::from_wire(mailbox).unwrap_or_else(Name::root);
                    (content.origin.clone(), mailbox)
                });
            }
        }
    }

    /// Reports the hidden data below each delegation and DNAME, once each.
    fn report_hidden(&self, found: &mut Findings) {
        for (&cut, &(first, count)) in &self.hidden {
            let is_cut = self.is_cut(cut);
            let problem = if is_cut { Problem::DataBelowZoneCut } else { Problem::DataBelowDname };
            found.push_many(problem, count, self.names.name(first));
        }
    }

    /// Checks one service.
    fn service(&mut self, service: &Service, found: &mut Findings) {
        let node = self.names.find(service.owner.as_wire());
        if node.is_some_and(|node| self.has(node, at::DOUBLED)) {
            found.push(Problem::DoubledOrigin, None, || service.owner.clone());
        }
        for name in service.srv.names.iter().map(|name| &name.owner) {
            if service.owner.is_wildcard() {
                found.push(Problem::SrvBelowWildcard, None, || name.clone());
            } else if let Some((problem, count)) = srv_problem(service, name) {
                found.push_many(problem, count, name.clone());
            }
        }
        for pool in service.pools.iter().filter(|pool| pool.nested_from.is_none()) {
            let mut known: HashSet<(IpAddr, Option<u16>)> = HashSet::new();
            for endpoint in &pool.endpoints {
                // An endpoint with any address seen before is reported; all its addresses are
                // noted.
                let new = endpoint.addresses().filter(|&ip| known.insert((ip, endpoint.port)));
                if new.count() < endpoint.addresses().count() {
                    found.push(Problem::SharedAddress, None, || endpoint.owner.clone());
                }
            }
        }
    }
}

/// Returns the problem of the number of SRV records that `name` answers, if there is one, and that
/// number.
fn srv_problem(service: &Service, name: &Name) -> Option<(Problem, usize)> {
    let target_len = |endpoint: &Endpoint| match &endpoint.place {
        Place::Addresses { .. } => endpoint.owner.as_wire().len(),
        Place::Target(target) => target.as_wire().len(),
    };
    // Priority, weight and port take six octets; the target is never compressed (RFC 2782).
    let lens = service.endpoints().map(|(_, endpoint)| 6 + target_len(endpoint));
    let count = service.endpoints().count();
    let len = HEADER_LEN + name.as_wire().len() + QUESTION_LEN + set_len(lens);
    match len {
        len if len + OPT_LEN > EDNS_LEN_MAX => Some((Problem::SrvTruncated, count)),
        len if len > UDP_LEN_MAX => Some((Problem::SrvTruncatedWithoutEdns, count)),
        _ => None,
    }
}

/// Returns the offset in the data of a type of the name that ought to lead somewhere.
fn target_at(rtype: Type) -> Option<usize> {
    match rtype {
        Type::NS | Type::CNAME | Type::DNAME | Type::PTR => Some(0),
        Type::MX | Type::KX | Type::RT | Type::AFSDB | Type::SVCB | Type::HTTPS => Some(2),
        Type::SRV => Some(6),
        _ => None,
    }
}

/// Returns the name in wire format that starts at `at`.
fn name_at(rdata: &[u8], at: usize) -> Option<&[u8]> {
    let wire = rdata.get(at..)?;
    wire.get(..wire_len(wire)?)
}

/// Whether the name `wire` lies at or below `origin`.
fn is_below(wire: &[u8], origin: &Name) -> bool {
    let origin = origin.as_wire();
    let mut rest = wire;
    while rest.len() > origin.len() {
        rest = &rest[usize::from(rest[0]) + 1..];
    }
    rest.eq_ignore_ascii_case(origin)
}

/// Returns `example.com.example.com.` for `example.com.`. `None` for an origin of one label, which
/// may well have a name like its own below it, and for one that is too long.
fn doubled(origin: &Name) -> Option<Name> {
    if origin.label_count() < 2 {
        return None;
    }
    let wire = origin.as_wire();
    Name::from_wire(&[&wire[..wire.len() - 1], wire].concat())
}
