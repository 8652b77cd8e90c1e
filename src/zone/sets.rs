//! The way from records in any order to RRsets (RFC 2181 §5).

use std::collections::HashSet;

use super::names::NameTree;
use super::problem::{Findings, Problem};
use super::records::{Record, Records, rdata_at};
use super::room::with_room;
use super::rrset::{Rrset, Ttl};
use crate::wire::kind::Type;

/// The octets of a message left for one RRset after the header, the longest question and OPT.
pub(super) const RRSET_LEN_MAX: usize = 65_535 - 12 - 259 - 11;

/// The number of records up to which an RRset's records are compared with each other one by one.
const COMPARED_MAX: usize = 16;

/// An RRset of a zone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Set {
    /// The node of its owner.
    pub(crate) owner: u32,
    /// The TTL.
    pub(crate) ttl: Ttl,
    /// The start of its data.
    pub(crate) rdata: u32,
    /// The number of its records.
    pub(crate) count: u16,
    /// The type.
    pub(crate) rtype: Type,
}

impl Set {
    /// Returns the data of its records, read from this set's place in `rdata`.
    pub(super) fn rdatas<'a>(&self, rdata: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        let mut at = self.rdata;
        (0..self.count).map(move |_| {
            let data = rdata_at(rdata, at);
            at += 2 + data.len() as u32;
            data
        })
    }

    pub(super) fn rrset<'a>(&self, names: &NameTree, rdata: &'a [u8]) -> Rrset<'a> {
        let (owner, rdatas) = (names.name(self.owner), self.rdatas(rdata).collect());
        Rrset { owner, rtype: self.rtype, ttl: self.ttl, rdatas }
    }
}

/// Returns the octets that records with data of these lengths take in a message. The owner is a
/// pointer of two octets; type, class, TTL and length take ten.
pub(super) fn set_len(data: impl Iterator<Item = usize>) -> usize {
    data.map(|len| 12 + len).sum()
}

/// Puts the records of one owner and type together, and leaves out repeated ones. Returns the sets,
/// by node and then by type, and their data. `found` takes their problems.
pub(super) fn group(records: &Records, found: &mut Findings) -> (Vec<Set>, Vec<u8>) {
    let key = |record: &Record| (record.owner, record.rtype);
    let known = &records.records;
    let mut sorted: Vec<u32> = Vec::new();
    // Owners are numbered as they come: a file that keeps each owner's records together is in
    // order.
    if !known.is_sorted_by_key(key) {
        sorted = with_room(known.len());
        sorted.extend(0..known.len() as u32);
        sorted.sort_by_key(|&at| key(&known[at as usize]));
    }
    let at = |at: usize| known[sorted.get(at).map_or(at, |&at| at as usize)];
    let mut grouping =
        Grouping { records, sets: with_room(known.len()), rdata: with_room(records.rdata.len()) };
    let mut start = 0;
    while start < known.len() {
        let first = key(&at(start));
        let end = (start + 1..known.len()).find(|&end| key(&at(end)) != first);
        let end = end.unwrap_or(known.len());
        grouping.add((start..end).map(at), found);
        start = end;
    }
    (grouping.sets, grouping.rdata)
}

struct Grouping<'a> {
    records: &'a Records,
    sets: Vec<Set>,
    rdata: Vec<u8>,
}

impl Grouping<'_> {
    /// Adds the set that `members`, at least one, make.
    fn add(
        &mut self,
        members: impl ExactSizeIterator<Item = Record> + Clone,
        found: &mut Findings,
    ) {
        let Some(Record { owner, ttl, rtype, .. }) = members.clone().next() else { return };
        let start = self.rdata.len();
        let data = |record: &Record| rdata_at(&self.records.rdata, record.rdata);
        // Comparing each pair would take too long in a large set.
        let mut seen = (members.len() > COMPARED_MAX).then(HashSet::new);
        let (mut len, mut count) = (0, 0u16);
        let (mut ttl, mut unequal) = (ttl, None);
        for (at, record) in members.clone().enumerate() {
            // The signatures of an owner belong to several sets (RFC 4034 §3).
            if record.ttl != ttl && rtype != Type::RRSIG {
                unequal = Some(Problem::UnequalTtls);
            }
            // RFC 2181 §5.2: a client takes the lowest TTL for all of them.
            ttl = ttl.min(record.ttl);
            let data = data(&record);
            let is_new = match &mut seen {
                Some(seen) => seen.insert(data),
                None => members.clone().take(at).all(|before| self.data_of(&before) != data),
            };
            if is_new {
                self.rdata.extend_from_slice(&(data.len() as u16).to_be_bytes());
                self.rdata.extend_from_slice(data);
                len += set_len(std::iter::once(data.len()));
                count = count.saturating_add(1);
            }
        }
        let is_alias = matches!(rtype, Type::CNAME | Type::DNAME);
        let too_large = (len > RRSET_LEN_MAX).then_some(Problem::RrsetTooLarge);
        let several = (is_alias && count > 1).then_some(Problem::SeveralAliases);
        for problem in [unequal, too_large, several].into_iter().flatten() {
            found.push(problem, Some(rtype), || self.records.names.name(owner));
        }
        self.sets.push(Set { owner, ttl, rdata: start as u32, count, rtype });
    }

    fn data_of(&self, record: &Record) -> &[u8] {
        rdata_at(&self.records.rdata, record.rdata)
    }
}
