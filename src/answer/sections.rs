//! Static data in the three sections: RRsets, referrals, negative answers, addresses beside them.

use super::resolve::{Here, Resolve};
use crate::snapshot::{NodeId, Set, Zone};
use crate::wire::kind::Type;
use crate::wire::rdata;
use crate::wire::writer::{Full, Writer};

/// The TTL of the HINFO that answers ANY: long, as it never changes (RFC 8482 §4.2).
const HINFO_TTL: u32 = 3600;

/// How many names the additional section holds the addresses of.
const ADDITIONAL_NAMES_MAX: usize = 32;

impl<'r> Resolve<'r, '_> {
    /// Writes a whole RRset into the answer section, or none of it and sets TC; then the
    /// addresses of the names in it.
    pub(super) fn give_set(&mut self, here: Here<'r>, set: &Set) {
        self.writer.know_question(self.qname);
        let mark = self.writer.mark();
        if write_set(self.writer, here.owner, here.zone, set).is_err() {
            self.writer.undo(mark);
            self.head.truncated = true;
            return;
        }
        self.head.answers += set.count;
        self.add_addresses(here, set, None);
    }

    /// Answers ANY with one HINFO that says why (RFC 8482 §4.2).
    pub(super) fn give_hinfo(&mut self, here: Here<'r>) {
        let put = self.writer.put_record(here.owner, Type::HINFO, HINFO_TTL, b"\x07RFC8482\0");
        match put {
            Ok(()) => self.head.answers += 1,
            Err(Full) => self.head.truncated = true,
        }
    }

    /// The SOA of a negative answer, living no longer than its MINIMUM field (RFC 2308 §3).
    pub(super) fn deny(&mut self, here: Here<'r>) {
        self.writer.know_question(self.qname);
        let zone = here.zone;
        let Some(set) = zone.set(zone.apex(), Type::SOA) else { return };
        let Some(soa) = zone.rdata(set).next() else { return };
        let minimum = soa.last_chunk::<4>().map_or(0, |octets| u32::from_be_bytes(*octets));
        let mark = self.writer.mark();
        let owner = zone.origin().as_wire();
        let written = self
            .writer
            .put_name(owner)
            .and_then(|()| write_rdata(self.writer, Type::SOA, set.ttl.min(minimum), soa));
        match written {
            Ok(()) => self.head.authorities += 1,
            Err(Full) => {
                self.writer.undo(mark);
                self.head.truncated = true;
            }
        }
    }

    /// A referral: the delegation's NS, and the addresses that the client cannot do without
    /// (RFC 1034 §4.3.2 step 3b, RFC 9471).
    pub(super) fn refer(&mut self, here: Here<'r>, cut: NodeId) {
        self.writer.know_question(self.qname);
        let zone = here.zone;
        let Some(set) = zone.set(cut, Type::NS) else { return };
        let depth = zone.depth_of(cut, self.name(&here));
        self.head.referral = !here.aliased;
        let mark = self.writer.mark();
        for wire in zone.rdata(set) {
            let name = if here.aliased { &*self.alias } else { self.qname };
            let written = self
                .writer
                .put_name(name.suffix(depth))
                .and_then(|()| write_rdata(self.writer, Type::NS, set.ttl, wire));
            if written.is_err() {
                self.writer.undo(mark);
                self.head.truncated = true;
                return;
            }
        }
        self.head.authorities += set.count;
        self.add_addresses(here, set, Some(cut));
    }

    /// Adds the addresses that the zone has for the names in `set`. Where they do not fit they
    /// are left out, but for glue below `cut`: without that the referral would be of no use.
    fn add_addresses(&mut self, here: Here<'r>, set: &Set, cut: Option<NodeId>) {
        let zone = here.zone;
        // By hash, not by node: several names may be synthesised from one wildcard.
        let mut added = [None; ADDITIONAL_NAMES_MAX];
        let mut count = 0;
        for wire in zone.rdata(set) {
            let Some(target) = rdata::target_name(set.rtype, wire) else { continue };
            if self.target.read(target).is_none() || !self.is_in(zone) {
                continue;
            }
            let Some(node) = zone.find_address_owner(self.target) else { continue };
            let hash = Some(self.target.hash(self.target.depth()));
            if added.contains(&hash) {
                continue;
            }
            let Some(place) = added.get_mut(count) else { return };
            *place = hash;
            count += 1;
            let name = if here.aliased { &*self.alias } else { self.qname };
            let needed = cut.is_some_and(|cut| zone.is_below(cut, name, self.target));
            for rtype in [Type::A, Type::AAAA] {
                let Some(addresses) = zone.set(node, rtype) else { continue };
                let mark = self.writer.mark();
                if write_named_set(self.writer, target, zone, addresses).is_err() {
                    self.writer.undo(mark);
                    self.head.truncated |= needed;
                } else {
                    self.head.additionals += addresses.count;
                }
            }
        }
    }

    /// Whether the name in `target` lies in `zone`.
    fn is_in(&self, zone: &Zone) -> bool {
        let origin = zone.origin();
        let depth = origin.label_count();
        self.target.depth() >= depth
            && self.target.suffix(depth).eq_ignore_ascii_case(origin.as_wire())
    }

    /// Writes an alias record; returns a pointer to its target, if one can reach that far.
    pub(super) fn write_alias(
        &mut self,
        owner: u16,
        rtype: Type,
        ttl: u32,
        target: &[u8],
    ) -> Result<Option<u16>, Full> {
        self.writer.know_question(self.qname);
        self.writer.put_u16(owner)?;
        let start = self.writer.begin_rdata(rtype, ttl)?;
        let at = self.writer.len();
        self.writer.put_name(target)?;
        self.writer.end_rdata(start);
        Ok(u16::try_from(at).ok().filter(|at| *at < 0x4000).map(|at| 0xc000 | at))
    }

    /// Writes a DNAME at the suffix of `depth` labels of the present name.
    pub(super) fn write_dname(
        &mut self,
        here: Here<'r>,
        depth: usize,
        ttl: u32,
        target: &[u8],
    ) -> Result<(), Full> {
        self.writer.know_question(self.qname);
        let name = if here.aliased { &*self.alias } else { self.qname };
        self.writer.put_name(name.suffix(depth))?;
        write_rdata(self.writer, Type::DNAME, ttl, target)
    }

    /// The first `len` octets of the present name: the labels in front of a DNAME's owner.
    pub(super) fn prefix(&self, here: &Here<'r>, len: usize) -> &[u8] {
        self.name(here).as_wire().get(..len).unwrap_or(&[])
    }
}

/// Writes every record of a set at the owner that the pointer `owner` names.
fn write_set(writer: &mut Writer<'_>, owner: u16, zone: &Zone, set: &Set) -> Result<(), Full> {
    let plain = rdata::compression(set.rtype).names == 0;
    for wire in zone.rdata(set) {
        if plain {
            writer.put_record(owner, set.rtype, set.ttl, wire)?;
        } else {
            writer.put_u16(owner)?;
            write_rdata(writer, set.rtype, set.ttl, wire)?;
        }
    }
    Ok(())
}

/// Writes every record of a set at the owner `owner`, given whole.
fn write_named_set(
    writer: &mut Writer<'_>,
    owner: &[u8],
    zone: &Zone,
    set: &Set,
) -> Result<(), Full> {
    for wire in zone.rdata(set) {
        writer.put_name(owner)?;
        write_rdata(writer, set.rtype, set.ttl, wire)?;
    }
    Ok(())
}

/// Writes type to RDATA, with the names compressed where RFC 3597 §4 allows it.
fn write_rdata(writer: &mut Writer<'_>, rtype: Type, ttl: u32, wire: &[u8]) -> Result<(), Full> {
    let compression = rdata::compression(rtype);
    let start = writer.begin_rdata(rtype, ttl)?;
    let (prefix, mut rest) = wire.split_at_checked(compression.prefix).unwrap_or((&[], wire));
    writer.put(prefix)?;
    for _ in 0..compression.names {
        let len = crate::wire::name::wire_len(rest).unwrap_or(0);
        let (name, tail) = rest.split_at_checked(len).unwrap_or((&[], rest));
        writer.put_name(name)?;
        rest = tail;
    }
    writer.put(rest)?;
    writer.end_rdata(start);
    Ok(())
}
