//! The algorithm of RFC 1034 §4.3.2: from the question, through aliases, to the records.

use super::options::Why;
use super::trace::{Met, Trace};
use super::{Client, Head};
use crate::snapshot::{Found, NodeId, Snapshot, Steered, Zone};
use crate::steering::{Draws, Picks, Share};
use crate::wire::edns::Subnet;
use crate::wire::kind::{Rcode, Type};
use crate::wire::name::NAME_LEN_MAX;
use crate::wire::qname::Qname;
use crate::wire::writer::{QNAME_POINTER, Writer};

/// The most aliases that one response follows.
pub(super) const ALIASES_MAX: usize = 16;

/// A query while it is answered: its input, its working memory, its output.
pub(super) struct Resolve<'r, 'w> {
    pub(super) snapshot: &'r Snapshot,
    pub(super) draws: &'r mut [Draws],
    pub(super) qname: &'r Qname,
    pub(super) alias: &'r mut Qname,
    pub(super) target: &'r mut Qname,
    pub(super) shares: &'r mut Vec<Share>,
    pub(super) picks: &'r mut Picks,
    /// The IPv6 hints of an HTTPS answer, whose IPv4 hints are in `picks`.
    pub(super) picks_v6: &'r mut Picks,
    pub(super) client: Client,
    /// The client subnet that the query gives (RFC 7871).
    pub(super) subnet: Option<&'r Subnet>,
    pub(super) writer: &'r mut Writer<'w>,
    pub(super) head: Head,
    pub(super) trail: &'r mut Trail,
    /// The trace that notes the names met; `None` for queries.
    pub(super) trace: Option<&'r Trace>,
}

/// The aliases followed so far.
#[derive(Debug, Default)]
pub(super) struct Trail {
    /// The hashes of the names visited.
    names: [u64; ALIASES_MAX + 1],
    visited: usize,
    /// The DNAMEs in the answer, by zone and node: each is there once.
    renames: [(usize, NodeId); ALIASES_MAX + 1],
    renamed: usize,
}

impl Trail {
    /// Forgets the last query.
    pub(super) fn clear(&mut self) {
        (self.visited, self.renamed) = (0, 0);
    }

    /// Notes a visit; returns `false` if the name was visited before or there are too many.
    fn visit(&mut self, name: u64) -> bool {
        let is_new = self.names.iter().take(self.visited).all(|&before| before != name);
        let Some(place) = self.names.get_mut(self.visited).filter(|_| is_new) else { return false };
        *place = name;
        self.visited += 1;
        true
    }

    /// Notes a DNAME; returns `false` if it was noted before.
    fn rename(&mut self, dname: (usize, NodeId)) -> bool {
        let is_new = !self.renames.iter().take(self.renamed).any(|&before| before == dname);
        if let Some(place) = self.renames.get_mut(self.renamed).filter(|_| is_new) {
            *place = dname;
            self.renamed += 1;
        }
        is_new
    }
}

/// A name on the way from the question to the records.
#[derive(Clone, Copy)]
pub(super) struct Here<'r> {
    pub(super) zone: &'r Zone,
    /// The zone's place in the snapshot.
    pub(super) zone_at: usize,
    /// The compression pointer to the owner of the records.
    pub(super) owner: u16,
    /// Whether an alias led here.
    pub(super) aliased: bool,
}

/// The result for one name.
pub(super) enum Step {
    /// The response is complete.
    Done,
    /// The response goes on: an alias was written, its target was read into `alias`, and this
    /// pointer leads to the target.
    Follow(u16),
}

impl<'r> Resolve<'r, '_> {
    /// Answers the question.
    pub(super) fn run(&mut self, qtype: Type) {
        let source = self.client.source.ip();
        let mut owner = QNAME_POINTER;
        for hop in 0..=ALIASES_MAX {
            let aliased = hop > 0;
            let name = if aliased { &*self.alias } else { self.qname };
            if !self.trail.visit(name.hash(name.depth())) {
                return;
            }
            let found = match self.snapshot.zone_of(name, qtype) {
                Some((at, zone)) if !zone.access().admits(source) => Err(match zone.is_absent() {
                    true => (Why::InvalidData, Met::Absent(at)),
                    false => (Why::Prohibited, Met::Prohibited(at)),
                }),
                Some(found) => Ok(found),
                None => Err((Why::NotAuthoritative, Met::NoZone)),
            };
            if let (Some(trace), Err((_, met))) = (self.trace, found) {
                trace.meet(name, met);
            }
            let (zone_at, zone) = match found {
                Ok(found) => found,
                // The answer so far stands: the client can follow the alias itself.
                Err(_) if aliased => return,
                Err((why, _)) => {
                    self.head = match why {
                        Why::InvalidData => Head::failed(why),
                        _ => Head::refused(why),
                    };
                    return;
                }
            };
            self.head.knows_subnet |= self.subnet.is_some() && zone.subnets().admits(source);
            let here = Here { zone, zone_at, owner, aliased };
            match self.visit(here, name.depth(), qtype) {
                Step::Done => return,
                Step::Follow(target) => owner = target,
            }
        }
    }

    /// Returns the name being visited.
    pub(super) fn name(&self, here: &Here<'_>) -> &Qname {
        if here.aliased { self.alias } else { self.qname }
    }

    fn visit(&mut self, here: Here<'r>, depth: usize, qtype: Type) -> Step {
        let found = here.zone.find(self.name(&here), qtype);
        if let Some(trace) = self.trace {
            trace.meet(self.name(&here), Met::Found(here.zone_at, found));
        }
        if !matches!(found, Found::Cut(_)) {
            self.head.authoritative = true;
        }
        match found {
            Found::Node(node) => self.visit_node(here, node, qtype),
            Found::Cut(cut) => {
                self.refer(here, cut);
                Step::Done
            }
            Found::Dname(node) => self.follow_dname(here, node, depth, qtype),
            Found::Nothing => {
                self.head.rcode = Some(Rcode::NxDomain);
                self.deny(here);
                Step::Done
            }
        }
    }

    fn visit_node(&mut self, here: Here<'r>, node: NodeId, qtype: Type) -> Step {
        if let Some(set) = here.zone.set(node, qtype)
            && !(qtype == Type::TXT && may_be_alias(here.zone, node))
        {
            self.give_set(here, &set);
            return Step::Done;
        }
        if let Some(set) = here.zone.set(node, Type::CNAME) {
            // A CNAME matches ANY itself, so there is nothing to follow (RFC 1034 §4.3.2 step 3a).
            if qtype == Type::ANY {
                self.give_set(here, &set);
                return Step::Done;
            }
            let Some(target) = here.zone.rdata(&set).next() else { return Step::Done };
            return self.give_cname(here, set.ttl, target);
        }
        match here.zone.steered(node) {
            Some(Steered::Service(service)) => {
                return self.give_service(here, node, service, qtype);
            }
            Some(Steered::Srv(service)) if qtype == Type::SRV => {
                self.give_srv(here, node, service);
            }
            Some(Steered::Srv(_)) if qtype == Type::ANY => self.give_hinfo(here),
            None if qtype == Type::ANY && here.zone.has_sets(node) => {
                self.give_hinfo(here);
            }
            _ => self.deny(here),
        }
        Step::Done
    }

    /// Writes a CNAME and reads its target for the next round.
    pub(super) fn give_cname(&mut self, here: Here<'r>, ttl: u32, target: &[u8]) -> Step {
        let mark = self.writer.mark();
        match self.write_alias(here.owner, Type::CNAME, ttl, target) {
            Ok(pointer) => {
                self.head.answers += 1;
                let is_name = self.alias.read(target).is_some();
                pointer.filter(|_| is_name).map_or(Step::Done, Step::Follow)
            }
            Err(_) => {
                self.writer.undo(mark);
                self.head.truncated = true;
                Step::Done
            }
        }
    }

    /// Answers by a DNAME (RFC 6672 §3.2): with the DNAME, with a CNAME made from it with its TTL,
    /// and with the records at the new name.
    fn follow_dname(&mut self, here: Here<'r>, node: NodeId, depth: usize, qtype: Type) -> Step {
        let Some(set) = here.zone.set(node, Type::DNAME) else { return Step::Done };
        let Some(target) = here.zone.rdata(&set).next() else { return Step::Done };
        let owner_depth = here.zone.depth_of(node);
        let prefix_len = self.name(&here).start(owner_depth);
        let mut renamed = [0u8; NAME_LEN_MAX];
        let renamed_len = prefix_len + target.len();
        let fits = renamed_len <= NAME_LEN_MAX && depth >= owner_depth;
        if let Some(place) = renamed.get_mut(..renamed_len).filter(|_| fits) {
            let (head, tail) = place.split_at_mut(prefix_len);
            head.copy_from_slice(self.prefix(&here, prefix_len));
            tail.copy_from_slice(target);
        }
        if self.trail.rename((here.zone_at, node)) {
            let mark = self.writer.mark();
            if self.write_dname(here, owner_depth, set.ttl, target).is_err() {
                self.writer.undo(mark);
                self.head.truncated = true;
                return Step::Done;
            }
            self.head.answers += 1;
        }
        if !fits {
            self.head.rcode = Some(Rcode::YxDomain);
            return Step::Done;
        }
        let renamed = renamed.get(..renamed_len).unwrap_or(&[0]);
        let step = self.give_cname(here, set.ttl, renamed);
        // The CNAME itself is the answer, as one in the zone would be.
        if matches!(qtype, Type::CNAME | Type::ANY) { Step::Done } else { step }
    }
}

/// Returns whether a service that can answer CNAME is at `node`. If so, the draw decides whether
/// its TXT, the only set that can be there, is answered.
fn may_be_alias(zone: &Zone, node: NodeId) -> bool {
    matches!(zone.steered(node), Some(Steered::Service(service)) if service.plan.has_targets())
}
