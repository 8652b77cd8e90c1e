//! Static data: TTL and RRset.

use std::fmt;

use crate::wire::kind::Type;
use crate::wire::name::Name;

/// A time to live in seconds, 0 to 2³¹−1 (RFC 2181 §8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ttl(u32);

impl Ttl {
    /// The longest TTL (RFC 2181 §8).
    pub const MAX: Ttl = Ttl(0x7fff_ffff);

    /// Returns a TTL of `secs` seconds; `None` above 2³¹−1.
    pub const fn from_secs(secs: u32) -> Option<Self> {
        if secs <= Self::MAX.0 { Some(Self(secs)) } else { None }
    }

    /// Returns the TTL in seconds.
    pub const fn as_secs(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Ttl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An RRset: all records of one type at one owner (RFC 2181 §5). It has one TTL and no record
/// twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rrset<'a> {
    /// The owner name of the records.
    pub owner: Name,
    /// The type of the records.
    pub rtype: Type,
    /// The TTL of the records.
    pub ttl: Ttl,
    /// The data of the records in wire format, at least one, in the order in which they were
    /// written.
    pub rdatas: Vec<&'a [u8]>,
}
