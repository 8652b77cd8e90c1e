//! A name taken apart for looking up: lower case, label by label, a hash of every suffix.

use super::name::{LABEL_LEN_MAX, NAME_LEN_MAX};

/// The most labels a name can have, the root label not counted: 127 of one octet each.
pub const LABELS_MAX: usize = 127;

/// The hash of the root, where every suffix hash starts.
pub const ROOT_HASH: u64 = 0x243f_6a88_85a3_08d3;

/// A name to look up, in a buffer that is used again for every query.
///
/// Suffixes are counted by depth, the number of their labels: depth 0 is the root,
/// [`Qname::depth`] the whole name.
pub struct Qname {
    wire: [u8; NAME_LEN_MAX],
    len: usize,
    depth: usize,
    /// Where the suffix of depth `d` starts, at `d`.
    starts: [u8; LABELS_MAX + 1],
    /// Its hash, at `d`.
    hashes: [u64; LABELS_MAX + 1],
}

impl Qname {
    /// A buffer that holds the root.
    pub fn new() -> Self {
        let mut hashes = [0; LABELS_MAX + 1];
        hashes[0] = ROOT_HASH;
        let (wire, starts) = ([0; NAME_LEN_MAX], [0; LABELS_MAX + 1]);
        Self { wire, len: 1, depth: 0, starts, hashes }
    }

    /// Takes in the uncompressed name at the start of `wire`; says how many octets it took.
    ///
    /// `None`, and the root, for a name that is cut short, compressed, or too long.
    ///
    /// # Cost
    /// One pass to find the labels, one to lower and hash them; no allocation.
    pub fn read(&mut self, wire: &[u8]) -> Option<usize> {
        self.len = 1;
        self.depth = 0;
        let mut left_to_right = [0u8; LABELS_MAX + 1];
        let (mut at, mut depth) = (0, 0);
        loop {
            let len = usize::from(*wire.get(at)?);
            if len == 0 {
                break;
            }
            if len > LABEL_LEN_MAX || at + len + 2 > NAME_LEN_MAX {
                return None;
            }
            *left_to_right.get_mut(depth)? = at as u8;
            depth += 1;
            at += len + 1;
        }
        let len = at + 1;
        let (ours, theirs) = (self.wire.get_mut(..len)?, wire.get(..len)?);
        for (ours, theirs) in ours.iter_mut().zip(theirs) {
            *ours = theirs.to_ascii_lowercase();
        }
        self.len = len;
        self.depth = depth;
        self.starts[0] = at as u8;
        let mut hash = ROOT_HASH;
        for (above, &start) in left_to_right.get(..depth)?.iter().rev().enumerate() {
            let label = self.wire.get(usize::from(start)..)?;
            hash = suffix_hash(hash, label.get(..=usize::from(label[0]))?);
            *self.starts.get_mut(above + 1)? = start;
            *self.hashes.get_mut(above + 1)? = hash;
        }
        Some(len)
    }

    /// How many labels the name has.
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// The whole name: wire format, lower case.
    pub fn as_wire(&self) -> &[u8] {
        self.wire.get(..self.len).unwrap_or(&[0])
    }

    /// The suffix of `depth` labels; the root if there are not so many.
    pub fn suffix(&self, depth: usize) -> &[u8] {
        self.wire.get(self.start(depth)..self.len).unwrap_or(&[0])
    }

    /// Where in the name the suffix of `depth` labels starts.
    pub fn start(&self, depth: usize) -> usize {
        let depth = if depth > self.depth { 0 } else { depth };
        self.starts.get(depth).map_or(0, |&start| usize::from(start))
    }

    /// The hash of the suffix of `depth` labels.
    pub fn hash(&self, depth: usize) -> u64 {
        let depth = if depth > self.depth { 0 } else { depth };
        self.hashes.get(depth).copied().unwrap_or(ROOT_HASH)
    }
}

impl Default for Qname {
    fn default() -> Self {
        Self::new()
    }
}

/// The hash of a suffix: the hash of the suffix one label shorter, and the lower-case label in
/// front of it with its length octet.
///
/// Not proof against chosen keys, and need not be: the keys are the operator's names, and a
/// query that collides with one costs one comparison.
pub fn suffix_hash(rest: u64, label: &[u8]) -> u64 {
    const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut hash = rest;
    let mut chunks = label.chunks_exact(8);
    let mut mix = |octets: [u8; 8]| {
        let product = u128::from(hash ^ u64::from_le_bytes(octets)) * u128::from(MULTIPLIER);
        hash = (product as u64) ^ ((product >> 64) as u64);
    };
    for chunk in &mut chunks {
        let mut octets = [0; 8];
        octets.copy_from_slice(chunk);
        mix(octets);
    }
    let tail = chunks.remainder();
    let mut octets = [0xff; 8];
    for (place, octet) in octets.iter_mut().zip(tail) {
        *place = *octet;
    }
    mix(octets);
    hash
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::name::Name;

    fn read(text: &str) -> Qname {
        let mut qname = Qname::new();
        let name = Name::parse(text, None).unwrap();
        assert_eq!(qname.read(name.as_wire()), Some(name.as_wire().len()));
        qname
    }

    #[test]
    fn suffixes_hash_alike_whatever_is_in_front_and_in_whatever_case() {
        let (long, short) = (read("WWW.Example.com."), read("example.COM."));
        assert_eq!(long.hash(2), short.hash(2));
        assert_eq!(long.suffix(2), short.as_wire());
        assert_ne!(long.hash(3), long.hash(2));
        assert_eq!(long.start(2), 4);
        assert_eq!(long.suffix(0), [0]);
    }

    #[test]
    fn names_that_are_no_names_are_refused() {
        let mut qname = Qname::new();
        let too_long: Vec<u8> = std::iter::repeat_n([1, b'a'], 128).flatten().chain([0]).collect();
        for wire in [&b"\x03ww"[..], b"\xc0\x0c", b"\x40", b"", b"\x01a", &too_long] {
            assert_eq!(qname.read(wire), None);
            assert_eq!(qname.as_wire(), [0]);
        }
        let longest: Vec<u8> = std::iter::repeat_n([1, b'a'], 127).flatten().chain([0]).collect();
        assert_eq!(qname.read(&longest), Some(255));
        assert_eq!(qname.depth(), 127);
    }
}
