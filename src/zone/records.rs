//! Records on their way into a zone: a few large pieces of memory, whatever their number.

use std::fmt;

use super::names::{NameTree, OCTETS_MAX};
use super::room::with_room;
use super::rrset::Ttl;
use crate::wire::kind::Type;
use crate::wire::name::Name;

/// Records in the order in which they were written.
///
/// Names stand in a tree, each once, and data one behind the other: a record takes 16 octets
/// beside them.
#[derive(Debug)]
pub struct Records {
    pub(super) names: NameTree,
    pub(super) records: Vec<Record>,
    /// The data of all records in the order they came, each behind its length.
    pub(super) rdata: Vec<u8>,
}

/// A name that records can stand at; only good for the [`Records`] that gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Owner(pub(super) u32);

#[derive(Clone, Copy, Debug)]
pub(super) struct Record {
    pub(super) owner: u32,
    pub(super) ttl: Ttl,
    /// Where its data starts.
    pub(super) rdata: u32,
    pub(super) rtype: Type,
}

/// Why a record could not be taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordError {
    /// Its data is longer than 65,535 octets.
    TooLong,
    /// All names, or all data, take up more than 2 GiB.
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
    /// No records.
    pub fn new() -> Self {
        Self::from_text_of(0)
    }

    /// No records, and room for those that a text of `len` octets can hold.
    pub(crate) fn from_text_of(len: usize) -> Self {
        // Few records are shorter: `a A 192.0.2.1`.
        let count = len / 16;
        let (names, records) = (NameTree::with_room(count), with_room(count));
        Self { names, records, rdata: with_room(count) }
    }

    /// The owner of this name.
    ///
    /// # Errors
    /// [`RecordError::TooMany`].
    pub fn owner(&mut self, name: &Name) -> Result<Owner, RecordError> {
        self.owner_of(name.as_wire())
    }

    /// The owner of the name that fills `wire` exactly.
    pub(crate) fn owner_of(&mut self, wire: &[u8]) -> Result<Owner, RecordError> {
        self.names.add(wire).map(Owner).map_err(|_| RecordError::TooMany)
    }

    /// Adds a record. The caller vouches that names in `rdata` are uncompressed and that its form
    /// is the type's.
    ///
    /// # Errors
    /// [`RecordError`]; then nothing was added.
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

    /// How many there are.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The data of the first record of this type at `name`.
    pub fn first(&mut self, name: &Name, rtype: Type) -> Option<&[u8]> {
        let owner = self.names.find(name.as_wire())?;
        let first = self.records.iter().find(|r| r.owner == owner && r.rtype == rtype)?;
        Some(rdata_at(&self.rdata, first.rdata))
    }

    /// Owner, type, TTL and data of each record, in the order in which they were written.
    pub fn iter(&self) -> impl Iterator<Item = (Owner, Type, Ttl, &[u8])> {
        let record = |r: &Record| (Owner(r.owner), r.rtype, r.ttl, rdata_at(&self.rdata, r.rdata));
        self.records.iter().map(record)
    }

    /// The name of an owner.
    pub fn name(&self, owner: Owner) -> Name {
        self.names.name(owner.0)
    }

    /// The owner of this name, if anything names it or a name below.
    pub fn find(&mut self, name: &Name) -> Option<Owner> {
        self.names.find(name.as_wire()).map(Owner)
    }
}

impl Default for Records {
    fn default() -> Self {
        Self::new()
    }
}

/// The data that starts at `at`, behind its length.
pub(super) fn rdata_at(rdata: &[u8], at: u32) -> &[u8] {
    let (len, rest) = rdata[at as usize..].split_at(2);
    &rest[..usize::from(u16::from_be_bytes([len[0], len[1]]))]
}
