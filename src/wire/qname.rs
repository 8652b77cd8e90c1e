//! Names split for look-ups: lower case, label by label, with a hash of every suffix.

use std::ops::Range;

use super::name::{LABEL_LEN_MAX, NAME_LEN_MAX};

/// The most labels of a name, without the root label: 127 of one octet each.
pub const LABELS_MAX: usize = 127;

/// The hash of the root: the start of every suffix hash.
pub const ROOT_HASH: u64 = 0x243f_6a88_85a3_08d3;

/// The size of the buffer in octets: room after the longest name, so that eight octets can be read
/// from wherever a label starts.
const PADDED: usize = NAME_LEN_MAX + 9;

/// The octets made lower case at once: compilers have vectors of that size, and most names are no
/// longer.
const AT_ONCE: usize = 32;

/// A name to look up, in a buffer that is reused for every query.
///
/// Suffixes are counted by depth, the number of their labels: depth 0 is the root, [`Qname::depth`]
/// the whole name.
#[derive(Debug)]
pub struct Qname {
    wire: [u8; PADDED],
    len: usize,
    depth: usize,
    /// The places where labels start, from the left; the root label is the last.
    starts: [u8; LABELS_MAX + 1],
    /// The hash of the suffix that starts at each label.
    hashes: [u64; LABELS_MAX + 1],
}

impl Qname {
    /// Creates a buffer that holds the root.
    pub fn new() -> Self {
        let (wire, starts) = ([0; PADDED], [0; LABELS_MAX + 1]);
        Self { wire, len: 1, depth: 0, starts, hashes: [ROOT_HASH; LABELS_MAX + 1] }
    }

    /// Reads the uncompressed name at the start of `wire`. Returns the number of octets read.
    ///
    /// For a name that is cut short, compressed or too long it returns `None`, and the buffer holds
    /// the root.
    ///
    /// # Cost
    /// One pass to find the labels, one to make them lower case, one to hash them, the last two
    /// several octets at a time; no allocation.
    pub fn read(&mut self, wire: &[u8]) -> Option<usize> {
        let len = self.take_in(wire);
        if len.is_none() {
            self.clear();
        }
        len
    }

    fn take_in(&mut self, wire: &[u8]) -> Option<usize> {
        let (mut at, mut depth) = (0, 0);
        loop {
            let len = usize::from(*wire.get(at)?);
            *self.starts.get_mut(depth)? = at as u8;
            if len == 0 {
                break;
            }
            if len > LABEL_LEN_MAX || at + len + 2 > NAME_LEN_MAX {
                return None;
            }
            depth += 1;
            at += len + 1;
        }
        let len = at + 1;
        self.wire.get_mut(..len)?.copy_from_slice(wire.get(..len)?);
        let (octets, _) = self.wire.as_chunks_mut::<AT_ONCE>();
        // Length octets are at most 63, below the letters, and stay as they are.
        for octets in octets.get_mut(..len.div_ceil(AT_ONCE))? {
            octets.make_ascii_lowercase();
        }
        (self.len, self.depth) = (len, depth);
        let (mut hash, mut end) = (ROOT_HASH, at);
        *self.hashes.get_mut(depth)? = hash;
        for place in (0..depth).rev() {
            let start = usize::from(*self.starts.get(place)?);
            hash = self.hash_label(hash, start..end);
            *self.hashes.get_mut(place)? = hash;
            end = start;
        }
        Some(len)
    }

    /// Sets it to the root.
    pub fn clear(&mut self) {
        (self.len, self.depth) = (1, 0);
        (self.wire[0], self.starts[0], self.hashes[0]) = (0, 0, ROOT_HASH);
    }

    /// Hashes a suffix from the hash of the suffix one label shorter and from its first label, with
    /// its length octet.
    ///
    /// The hash is not safe against chosen keys, and need not be: the keys are the operator's
    /// names, and a query that collides with one costs one comparison.
    fn hash_label(&self, rest: u64, label: Range<usize>) -> u64 {
        let (mut hash, mut at) = (rest, label.start);
        while label.end - at >= 8 {
            hash = mix(hash ^ self.eight(at));
            at += 8;
        }
        // The octets after the label read as ones.
        let behind = u64::MAX << (8 * (label.end - at));
        mix(hash ^ (self.eight(at) | behind))
    }

    /// Returns the eight octets at `at`.
    fn eight(&self, at: usize) -> u64 {
        let octets = self.wire.get(at..).and_then(<[u8]>::first_chunk);
        octets.map_or(0, |octets| u64::from_le_bytes(*octets))
    }

    /// Returns the number of labels.
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// Returns the whole name in wire format, in lower case.
    pub fn as_wire(&self) -> &[u8] {
        self.wire.get(..self.len).unwrap_or(&[0])
    }

    /// Returns the suffix of `depth` labels; the root if there are not so many.
    pub fn suffix(&self, depth: usize) -> &[u8] {
        self.wire.get(self.start(depth)..self.len).unwrap_or(&[0])
    }

    /// Returns the first label of the suffix of `depth` labels, with its length octet.
    pub fn label(&self, depth: usize) -> &[u8] {
        let start = self.start(depth);
        let len = self.wire.get(start).map_or(0, |&len| usize::from(len));
        self.wire.get(start..=start + len).unwrap_or(&[0])
    }

    /// Returns the place in the name where the suffix of `depth` labels starts.
    pub fn start(&self, depth: usize) -> usize {
        self.starts.get(self.place(depth)).map_or(0, |&start| usize::from(start))
    }

    /// Returns the hash of the suffix of `depth` labels.
    pub fn hash(&self, depth: usize) -> u64 {
        self.hashes.get(self.place(depth)).copied().unwrap_or(ROOT_HASH)
    }

    /// Returns the number of the label that starts the suffix of `depth` labels; that of the root
    /// if there are not so many.
    fn place(&self, depth: usize) -> usize {
        self.depth.checked_sub(depth).unwrap_or(self.depth)
    }
}

impl Default for Qname {
    fn default() -> Self {
        Self::new()
    }
}

/// Spreads each bit of `word` over the whole word.
fn mix(word: u64) -> u64 {
    const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;
    let product = u128::from(word) * u128::from(MULTIPLIER);
    (product as u64) ^ ((product >> 64) as u64)
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
        assert_eq!(long.label(3), b"\x03www");
        assert_ne!(long.hash(3), long.hash(2));
        assert_eq!(long.start(2), 4);
        assert_eq!(long.suffix(0), [0]);
    }

    #[test]
    fn every_octet_is_lowered_as_ascii_has_it_and_labels_of_any_length_hash_apart() {
        let mut qname = Qname::new();
        for octet in 0..=255u8 {
            let wire = [3, octet, b'Q', octet, 0];
            qname.read(&wire).unwrap();
            assert_eq!(qname.as_wire(), wire.to_ascii_lowercase());
        }
        let mut seen = std::collections::HashSet::new();
        for len in 1..=63usize {
            for octet in [0, b'a', 0xff] {
                let wire = [&[len as u8][..], &vec![octet; len], b"\0"].concat();
                qname.read(&wire).unwrap();
                assert!(seen.insert(qname.hash(1)), "{len} {octet}");
            }
        }
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
