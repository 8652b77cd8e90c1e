//! Static data: TTL, RDATA, RRset.

use std::fmt;

use crate::wire::kind::Type;
use crate::wire::name::Name;

/// A time to live in seconds, 0 to 2³¹−1 (RFC 2181 §8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ttl(u32);

impl Ttl {
    /// The longest TTL (RFC 2181 §8).
    pub const MAX: Ttl = Ttl(0x7fff_ffff);

    /// A TTL of `secs` seconds; `None` above 2³¹−1.
    pub const fn from_secs(secs: u32) -> Option<Self> {
        if secs <= Self::MAX.0 { Some(Self(secs)) } else { None }
    }

    /// The TTL in seconds.
    pub const fn as_secs(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Ttl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The data of one record: uncompressed wire format, at most 65,535 octets.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rdata(Box<[u8]>);

impl Rdata {
    /// Takes RDATA in wire format; `None` above 65,535 octets.
    ///
    /// The caller vouches that names in it are uncompressed and the form is the type's.
    pub fn new(wire: impl Into<Box<[u8]>>) -> Option<Self> {
        let wire = wire.into();
        (wire.len() <= usize::from(u16::MAX)).then_some(Self(wire))
    }

    /// The wire format.
    pub fn as_wire(&self) -> &[u8] {
        &self.0
    }
}

/// All records of one type at one owner (RFC 2181 §5): one TTL, no record twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rrset {
    /// The name that the records are at.
    pub owner: Name,
    /// Their type.
    pub rtype: Type,
    /// Their TTL.
    pub ttl: Ttl,
    /// Their data, at least one.
    pub rdatas: Vec<Rdata>,
}
