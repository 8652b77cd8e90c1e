//! Records on their way into a zone: a few large pieces of memory, however many records there are.

use std::fmt;

use super::names::{NameTree, OCTETS_MAX};
use super::room::with_room;
use super::rrset::Ttl;
use crate::wire::kind::Type;
use crate::wire::name::Name;

/// Records in the order in which they were written.
///
/// Names are kept in a tree, each once, and data in a row. A record takes 16 octets beside them.
#[derive(Debug)]
pub struct Records {
    pub(super) names: NameTree,
    pub(super) records: Vec<Record>,
    /// The data of all records in the order in which they came, each after its length.
    pub(super) rdata: Vec<u8>,
}

/// A name that records can have. It is valid only for the [`Records`] that returned it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Owner(pub(super) u32);

#[derive(Clone, Copy, Debug)]
pub(super) struct Record {
    pub(super) owner: u32,
    pub(super) ttl: Ttl,
    /// The start of its data.
    pub(super) rdata: u32,
    pub(super) rtype: Type,
}

/// The reason why a record was not added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordError {
    /// The data is longer than 65,535 octets.
    TooLong,
    /// All names, or all data, would take more than 2 GiB.
    TooMany,
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "a record holds 65535 octets of data at the most",
            Self::TooMany => {
                "this is more than the 2 GiB of names and of data that one zone can hold"
            }
        })
    }
}

impl std::error::Error for RecordError {}

impl Records {
    /// Creates an empty list.
    pub fn new() -> Self {
        Self::from_text_of(0)
    }

    /// Creates an empty list with room for the records that a text of `len` octets can hold.
    pub(crate) fn from_text_of(len: usize) -> Self {
        // Few records are shorter than `a A 192.0.2.1`.
        let count = len / 16;
        let (names, records) = (NameTree::with_room(count), with_room(count));
        Self { names, records, rdata: with_room(count) }
    }

    /// Returns the owner with this name; makes it if it is new.
    ///
    /// # Errors
    /// [`RecordError::TooMany`].
    pub fn owner(&mut self, name: &Name) -> Result<Owner, RecordError> {
        self.owner_of(name.as_wire())
    }

    /// Returns the owner with the name that fills `wire` exactly.
    pub(crate) fn owner_of(&mut self, wire: &[u8]) -> Result<Owner, RecordError> {
        self.names.add(wire).map(Owner).map_err(|_| RecordError::TooMany)
    }

    /// Adds a record. The caller guarantees that `rdata` has the form of the type, and that names
    /// in it are uncompressed.
    ///
    /// # Errors
    /// [`RecordError`]; nothing is added then.
    pub fn push(
        &mut self,
        owner: Owner,
        rtype: Type,
        ttl: Ttl,
        rdata: &[u8],
    ) -> Result<(), RecordError> {
        let len = u16::try_from(rdata.len()).map_err(|_| RecordError::TooLong)?;
        let start = self.rdata.len();
        if start > OCTETS_MAX {
            return Err(RecordError::TooMany);
        }
        self.rdata.extend_from_slice(&len.to_be_bytes());
        self.rdata.extend_from_slice(rdata);
        self.records.push(Record { owner: owner.0, ttl, rdata: start as u32, rtype });
        Ok(())
    }

    /// Returns the number of records.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there are no records.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Returns the data of the first record of this type at `name`.
    pub fn first(&mut self, name: &Name, rtype: Type) -> Option<&[u8]> {
        let owner = self.names.find(name.as_wire())?;
        let first = self.records.iter().find(|r| r.owner == owner && r.rtype == rtype)?;
        Some(rdata_at(&self.rdata, first.rdata))
    }

    /// Returns owner, type, TTL and data of each record, in the order in which they were written.
    pub fn iter(&self) -> impl Iterator<Item = (Owner, Type, Ttl, &[u8])> {
        let record = |r: &Record| (Owner(r.owner), r.rtype, r.ttl, rdata_at(&self.rdata, r.rdata));
        self.records.iter().map(record)
    }

    /// Returns the name of an owner.
    pub fn name(&self, owner: Owner) -> Name {
        self.names.name(owner.0)
    }

    /// Returns the owner with this name, if a record has it or a name below it.
    pub fn find(&mut self, name: &Name) -> Option<Owner> {
        self.names.find(name.as_wire()).map(Owner)
    }
}

impl Default for Records {
    fn default() -> Self {
        Self::new()
    }
}

/// Returns the data whose length starts at `at`.
pub(super) fn rdata_at(rdata: &[u8], at: u32) -> &[u8] {
    let (len, rest) = rdata[at as usize..].split_at(2);
    &rest[..usize::from(u16::from_be_bytes([len[0], len[1]]))]
}
