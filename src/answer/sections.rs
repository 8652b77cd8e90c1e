//! Static data in the three sections: RRsets, referrals, negative answers, and additional
//! addresses.

use super::resolve::{Here, Resolve};
use crate::snapshot::{NodeId, Set, Zone};
use crate::wire::kind::Type;
use crate::wire::qname::Qname;
use crate::wire::rdata;
use crate::wire::writer::{Full, QNAME_POINTER, Writer, pointer_to};

/// The TTL in seconds of the HINFO that answers ANY: long, as it never changes (RFC 8482 §4.2).
const HINFO_TTL: u32 = 3600;

/// The number of records of a set whose names get addresses in the additional section. Glue has no
/// limit.
const ADDITIONAL_NAMES_MAX: usize = 32;

/// The places in the message where the RDATA of the first records of a set starts.
type Starts = [u16; ADDITIONAL_NAMES_MAX];

impl<'r> Resolve<'r, '_> {
    /// Writes a whole RRset into the answer section, or nothing and sets TC. Then adds the
    /// addresses of the names in it.
    pub(super) fn give_set(&mut self, here: Here<'r>, set: &Set) {
        let mark = self.writer.mark();
        if rdata::target_offset(set.rtype).is_none() {
            if write_set(self.writer, here.owner, here.zone, set).is_err() {
                self.writer.undo(mark);
                self.head.truncated = true;
            } else {
                self.head.answers += set.count;
            }
            return;
        }
        let mut starts = Starts::default();
        let written = here.zone.rdata(set).enumerate().try_for_each(|(at, wire)| {
            self.writer.put_u16(here.owner)?;
            note(&mut starts, at, write_rdata(self.writer, set.rtype, set.ttl, wire)?);
            Ok::<(), Full>(())
        });
        if written.is_err() {
            self.writer.undo(mark);
            self.head.truncated = true;
            return;
        }
        self.head.answers += set.count;
        self.add_addresses(here, set, &starts, None);
    }

    /// Answers ANY with one HINFO that tells the reason (RFC 8482 §4.2).
    pub(super) fn give_hinfo(&mut self, here: Here<'r>) {
        let put = self.writer.put_record(here.owner, Type::HINFO, HINFO_TTL, b"\x07RFC8482\0");
        match put {
            Ok(()) => self.head.answers += 1,
            Err(Full) => self.head.truncated = true,
        }
    }

    /// Writes the SOA of a negative answer, with a TTL of at most its MINIMUM field (RFC 2308 §3).
    pub(super) fn deny(&mut self, here: Here<'r>) {
        let zone = here.zone;
        let Some(set) = zone.set(zone.apex(), Type::SOA) else { return };
        let Some(soa) = zone.rdata(&set).next() else { return };
        let minimum = soa.last_chunk::<4>().map_or(0, |octets| u32::from_be_bytes(*octets));
        let mark = self.writer.mark();
        let written = self
            .put_ancestor(here, zone.depth())
            .and_then(|_| write_rdata(self.writer, Type::SOA, set.ttl.min(minimum), soa));
        match written {
            Ok(_) => self.head.authorities += 1,
            Err(Full) => {
                self.writer.undo(mark);
                self.head.truncated = true;
            }
        }
    }

    /// Writes a referral: the NS of the delegation, and the addresses that the client needs (RFC
    /// 1034 §4.3.2 step 3b, RFC 9471).
    pub(super) fn refer(&mut self, here: Here<'r>, cut: NodeId) {
        let zone = here.zone;
        let Some(set) = zone.set(cut, Type::NS) else { return };
        let depth = zone.depth_of(cut);
        self.head.referral = !here.aliased;
        let mark = self.writer.mark();
        let (mut owner, mut starts) = (None, Starts::default());
        let written = zone.rdata(&set).enumerate().try_for_each(|(at, wire)| {
            match owner {
                Some(owner) => self.writer.put_u16(owner)?,
                None => owner = self.put_ancestor(here, depth)?,
            }
            note(&mut starts, at, write_rdata(self.writer, Type::NS, set.ttl, wire)?);
            Ok::<(), Full>(())
        });
        if written.is_err() {
            self.writer.undo(mark);
            self.head.truncated = true;
            return;
        }
        self.head.authorities += set.count;
        self.add_addresses(here, &set, &starts, Some(cut));
    }

    /// Adds the addresses that the zone has for the names in `set`. Addresses that do not fit are
    /// left out. If glue below `cut` does not fit, TC is set: without it the referral is of no use.
    fn add_addresses(&mut self, here: Here<'r>, set: &Set, starts: &Starts, cut: Option<NodeId>) {
        let zone = here.zone;
        let Some(offset) = rdata::target_offset(set.rtype) else { return };
        // Compared by hash, not by node: one wildcard may stand for several names.
        let mut added = [0; ADDITIONAL_NAMES_MAX];
        for (at, wire) in zone.rdata(set).enumerate() {
            let Some(target) = rdata::target_name(set.rtype, wire) else { continue };
            if self.target.read(target).is_none() || !zone.holds(self.target) {
                continue;
            }
            let Some(node) = zone.find_address_owner(self.target, set.rtype) else { continue };
            let hash = self.target.hash(self.target.depth());
            let needed = cut.is_some_and(|cut| zone.is_below(cut, self.target));
            let owner = starts.get(at).and_then(|start| pointer_to(usize::from(*start) + offset));
            // If there is no pointer, a whole name is worth its room only if its addresses are
            // needed.
            if owner.is_none() && !needed {
                continue;
            }
            if added.iter().take(at).any(|&before| before == hash) {
                continue;
            }
            if let Some(place) = added.get_mut(at) {
                *place = hash;
            }
            for rtype in [Type::A, Type::AAAA] {
                let Some(addresses) = zone.set(node, rtype) else { continue };
                let mark = self.writer.mark();
                let written = match owner {
                    Some(owner) => write_set(self.writer, owner, zone, &addresses),
                    None => write_set_of(self.writer, self.target, zone, &addresses),
                };
                if written.is_err() {
                    self.writer.undo(mark);
                    self.head.truncated |= needed;
                } else {
                    self.head.additionals += addresses.count;
                }
            }
        }
    }

    /// Writes an alias record. Returns a pointer to its target, if a pointer reaches that far.
    pub(super) fn write_alias(
        &mut self,
        owner: u16,
        rtype: Type,
        ttl: u32,
        target: &[u8],
    ) -> Result<Option<u16>, Full> {
        self.writer.put_u16(owner)?;
        let start = self.writer.begin_rdata(rtype, ttl)?;
        self.writer.put_name(target)?;
        self.writer.end_rdata(start);
        Ok(pointer_to(start.position()))
    }

    /// Writes a DNAME whose owner is the suffix of `depth` labels of the present name.
    pub(super) fn write_dname(
        &mut self,
        here: Here<'r>,
        depth: usize,
        ttl: u32,
        target: &[u8],
    ) -> Result<(), Full> {
        self.put_ancestor(here, depth)?;
        write_rdata(self.writer, Type::DNAME, ttl, target).map(|_| ())
    }

    /// Writes the suffix of `depth` labels of the present name as an owner. Returns a pointer to
    /// it, if a pointer reaches that far.
    fn put_ancestor(&mut self, here: Here<'r>, depth: usize) -> Result<Option<u16>, Full> {
        if here.aliased {
            let at = self.writer.len();
            self.writer.put_name(self.alias.suffix(depth))?;
            return Ok(pointer_to(at));
        }
        let owner = QNAME_POINTER + self.qname.start(depth) as u16;
        self.writer.put_u16(owner)?;
        Ok(Some(owner))
    }

    /// Returns the first `len` octets of the present name: the labels before the owner of a DNAME.
    pub(super) fn prefix(&self, here: &Here<'r>, len: usize) -> &[u8] {
        self.name(here).as_wire().get(..len).unwrap_or(&[])
    }
}

fn note(starts: &mut Starts, at: usize, start: usize) {
    if let Some(place) = starts.get_mut(at) {
        *place = start as u16;
    }
}

/// Writes every record of a set. The pointer `owner` leads to their owner name.
// Always inlined: both callers are hot, and most sets have one short record.
#[inline(always)]
fn write_set(writer: &mut Writer<'_>, owner: u16, zone: &Zone, set: &Set) -> Result<(), Full> {
    if rdata::compression(set.rtype).names == 0 {
        for wire in zone.rdata(set) {
            writer.put_record(owner, set.rtype, set.ttl, wire)?;
        }
        return Ok(());
    }
    for wire in zone.rdata(set) {
        writer.put_u16(owner)?;
        write_rdata(writer, set.rtype, set.ttl, wire)?;
    }
    Ok(())
}

/// Writes every record of a set of addresses with the owner name `name`.
fn write_set_of(writer: &mut Writer<'_>, name: &Qname, zone: &Zone, set: &Set) -> Result<(), Full> {
    zone.rdata(set).try_for_each(|wire| {
        writer.put_name(name.as_wire())?;
        write_rdata(writer, set.rtype, set.ttl, wire).map(|_| ())
    })
}

/// Writes a record from its type to its RDATA, with names compressed where RFC 3597 §4 allows it.
/// Returns the place in the message where the RDATA starts.
fn write_rdata(writer: &mut Writer<'_>, rtype: Type, ttl: u32, wire: &[u8]) -> Result<usize, Full> {
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
    Ok(start.position())
}
