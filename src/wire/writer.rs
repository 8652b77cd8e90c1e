//! Responses: records into a bounded buffer, names compressed, RRsets whole or not at all.

use super::header::{HEADER_LEN, Header};
use super::kind::{CLASS_IN, Type};
use super::qname::{Qname, ROOT_HASH, suffix_hash};

/// How many earlier names a name is compared with (an encoder that searched without a bound
/// could be made quadratic).
const NAMES_MAX: usize = 48;

/// A compression pointer reaches this far (RFC 1035 §4.1.4).
const POINTER_MAX: usize = 0x3fff;

/// The owner of most answers: the name in the question, right behind the header.
pub const QNAME_POINTER: u16 = 0xc000 | HEADER_LEN as u16;

/// The record did not fit; nothing of it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// Names already in the message, by the hash of each suffix. Reused from response to response.
#[derive(Debug)]
pub struct Names {
    entries: [(u64, u16); NAMES_MAX],
    len: usize,
}

impl Names {
    /// Room for a message's names.
    pub fn new() -> Self {
        Self { entries: [(0, 0); NAMES_MAX], len: 0 }
    }

    fn add(&mut self, hash: u64, at: usize) {
        if at <= POINTER_MAX
            && let Some(entry) = self.entries.get_mut(self.len)
        {
            *entry = (hash, at as u16);
            self.len += 1;
        }
    }
}

impl Default for Names {
    fn default() -> Self {
        Self::new()
    }
}

/// Writes one message into a buffer.
///
/// Every `put_*` writes all of its data or returns [`Full`]; a record that was begun and does not
/// fit is undone by going back to a [`Mark`].
pub struct Writer<'a> {
    out: &'a mut [u8],
    at: usize,
    limit: usize,
    names: &'a mut Names,
}

/// A place in the message to go back to.
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    at: usize,
    names: usize,
}

impl<'a> Writer<'a> {
    /// Starts a message with room for its header and the question, which is copied as it came.
    ///
    /// `limit`: how long the message may become, at most `out.len()`.
    ///
    /// # Errors
    /// [`Full`] if not even the question fits.
    pub fn start(
        out: &'a mut [u8],
        limit: usize,
        names: &'a mut Names,
        question: &[u8],
    ) -> Result<Self, Full> {
        names.len = 0;
        let limit = limit.min(out.len());
        let mut writer = Self { out, at: HEADER_LEN, limit, names };
        writer.put(question)?;
        Ok(writer)
    }

    /// Lets later names be compressed against the name in the question.
    pub fn know_question(&mut self, qname: &Qname) {
        if self.names.len == 0 {
            for depth in (1..=qname.depth()).rev() {
                self.names.add(qname.hash(depth), HEADER_LEN + qname.start(depth));
            }
        }
    }

    /// How long the message is so far.
    pub fn len(&self) -> usize {
        self.at
    }

    /// Whether nothing but the header is there.
    pub fn is_empty(&self) -> bool {
        self.at == HEADER_LEN
    }

    /// How long the message may become.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Gives up `len` octets of the limit, for what [`Writer::release`] will write last.
    pub fn reserve(&mut self, len: usize) {
        self.limit = self.limit.saturating_sub(len);
    }

    /// Takes back what [`Writer::reserve`] gave up.
    pub fn release(&mut self, len: usize) {
        self.limit = (self.limit + len).min(self.out.len());
    }

    /// The present place.
    pub fn mark(&self) -> Mark {
        Mark { at: self.at, names: self.names.len }
    }

    /// Undoes all that was written since `mark`.
    pub fn undo(&mut self, mark: Mark) {
        self.at = mark.at;
        self.names.len = mark.names;
    }

    /// Writes octets as they are.
    ///
    /// # Errors
    /// [`Full`], and nothing is written.
    pub fn put(&mut self, octets: &[u8]) -> Result<(), Full> {
        let end = self.at + octets.len();
        if end > self.limit {
            return Err(Full);
        }
        self.out.get_mut(self.at..end).ok_or(Full)?.copy_from_slice(octets);
        self.at = end;
        Ok(())
    }

    /// Writes a 16-bit number.
    ///
    /// # Errors
    /// [`Full`], and nothing is written.
    pub fn put_u16(&mut self, number: u16) -> Result<(), Full> {
        self.put(&number.to_be_bytes())
    }

    /// Writes an owner pointer, type, class IN, TTL and RDATA that holds no compressible name.
    ///
    /// # Errors
    /// [`Full`], and nothing is written.
    pub fn put_record(
        &mut self,
        owner: u16,
        rtype: Type,
        ttl: u32,
        rdata: &[u8],
    ) -> Result<(), Full> {
        self.put_record_of(CLASS_IN, owner, rtype, ttl, rdata)
    }

    /// Writes a record as [`Writer::put_record`] does, of any class.
    ///
    /// # Errors
    /// [`Full`], and nothing is written.
    pub fn put_record_of(
        &mut self,
        class: u16,
        owner: u16,
        rtype: Type,
        ttl: u32,
        rdata: &[u8],
    ) -> Result<(), Full> {
        let len = rdata.len();
        let end = self.at + 12 + len;
        if end > self.limit {
            return Err(Full);
        }
        let place = self.out.get_mut(self.at..end).ok_or(Full)?;
        let (head, tail) = place.split_first_chunk_mut::<12>().ok_or(Full)?;
        let (owner, rtype, ttl) = (owner.to_be_bytes(), rtype.0.to_be_bytes(), ttl.to_be_bytes());
        let (class, len) = (class.to_be_bytes(), (len as u16).to_be_bytes());
        *head = [
            owner[0], owner[1], rtype[0], rtype[1], class[0], class[1], ttl[0], ttl[1], ttl[2],
            ttl[3], len[0], len[1],
        ];
        tail.copy_from_slice(rdata);
        self.at = end;
        Ok(())
    }

    /// Writes type, class IN, TTL and a length to be closed by [`Writer::end_rdata`].
    ///
    /// # Errors
    /// [`Full`], and nothing is written.
    pub fn begin_rdata(&mut self, rtype: Type, ttl: u32) -> Result<RdataStart, Full> {
        let (rtype, ttl) = (rtype.0.to_be_bytes(), ttl.to_be_bytes());
        self.put(&[rtype[0], rtype[1], 0, 1, ttl[0], ttl[1], ttl[2], ttl[3], 0, 0])?;
        Ok(RdataStart(self.at))
    }

    /// Writes the length of the RDATA begun at `start`.
    pub fn end_rdata(&mut self, start: RdataStart) {
        self.close_length(start.0);
    }

    /// Writes how far it is from `start` to here into the two octets before `start`.
    pub(super) fn close_length(&mut self, start: usize) {
        let len = ((self.at - start) as u16).to_be_bytes();
        if let Some(place) = self.out.get_mut(start - 2..start) {
            place.copy_from_slice(&len);
        }
    }

    /// Writes a name, replacing its longest suffix already in the message by a pointer
    /// (RFC 1035 §4.1.4); `wire` is an uncompressed name.
    ///
    /// # Errors
    /// [`Full`]; go back to a mark.
    pub fn put_name(&mut self, wire: &[u8]) -> Result<(), Full> {
        self.write_name(wire, true)
    }

    /// Writes a name in full, where no pointer is allowed (RFC 3597 §4); later names may still
    /// point into it.
    ///
    /// # Errors
    /// [`Full`]; go back to a mark.
    pub fn put_name_in_full(&mut self, wire: &[u8]) -> Result<(), Full> {
        self.write_name(wire, false)
    }

    fn write_name(&mut self, wire: &[u8], compress: bool) -> Result<(), Full> {
        let mut suffixes = Suffixes::of(wire);
        let mut known = None;
        let mut written = suffixes.len;
        if compress {
            for (at, &(start, hash)) in suffixes.longest_first().iter().enumerate() {
                let suffix = wire.get(usize::from(start)..).unwrap_or(&[]);
                if let Some(target) = self.find(hash, suffix) {
                    (known, written) = (Some(target), at);
                    break;
                }
            }
        }
        let base = self.at;
        match known {
            Some(target) => {
                let cut = suffixes.longest_first().get(written).map_or(0, |s| usize::from(s.0));
                self.put(wire.get(..cut).unwrap_or(&[]))?;
                self.put_u16(0xc000 | target)?;
            }
            None => self.put(wire)?,
        }
        for &(start, hash) in suffixes.longest_first().iter().take(written) {
            self.names.add(hash, base + usize::from(start));
        }
        Ok(())
    }

    /// Where a name equal to `suffix` stands in the message.
    fn find(&self, hash: u64, suffix: &[u8]) -> Option<u16> {
        let entries = self.names.entries.get(..self.names.len)?;
        let same = |&&(theirs, at): &&(u64, u16)| {
            theirs == hash && name_equals(self.out, usize::from(at), suffix)
        };
        entries.iter().find(same).map(|&(_, at)| at)
    }

    /// Writes the header and ends the message; returns its length.
    pub fn finish(self, header: Header) -> usize {
        if let Some(place) = self.out.first_chunk_mut::<HEADER_LEN>() {
            *place = header.to_wire();
        }
        self.at
    }
}

/// Where RDATA begins.
#[derive(Clone, Copy, Debug)]
pub struct RdataStart(usize);

/// Each suffix of a name but the root: where it starts, and its hash.
struct Suffixes {
    items: [(u8, u64); 128],
    len: usize,
}

impl Suffixes {
    fn of(wire: &[u8]) -> Self {
        let mut items = [(0, 0); 128];
        let (mut at, mut len) = (0, 0);
        while let Some(&label_len) = wire.get(at).filter(|&&label_len| label_len != 0) {
            let Some(item) = items.get_mut(len) else { break };
            *item = (at as u8, 0);
            len += 1;
            at += usize::from(label_len) + 1;
        }
        let mut hash = ROOT_HASH;
        for item in items.iter_mut().take(len).rev() {
            let label = wire.get(usize::from(item.0)..).unwrap_or(&[0]);
            let label_len = usize::from(label.first().copied().unwrap_or(0));
            let mut lower = [0; 64];
            let octets = label.get(..=label_len).unwrap_or(&[]);
            for (place, octet) in lower.iter_mut().zip(octets) {
                *place = octet.to_ascii_lowercase();
            }
            hash = suffix_hash(hash, lower.get(..octets.len()).unwrap_or(&[]));
            item.1 = hash;
        }
        Self { items, len }
    }

    fn longest_first(&mut self) -> &[(u8, u64)] {
        self.items.get(..self.len).unwrap_or(&[])
    }
}

/// Whether the possibly compressed name at `at` in `message` equals the uncompressed `wire`.
fn name_equals(message: &[u8], mut at: usize, wire: &[u8]) -> bool {
    let mut rest = wire;
    // Each round takes a label or follows a pointer, and pointers only point backwards.
    for _ in 0..256 {
        let Some(&len) = message.get(at) else { return false };
        if len >= 0xc0 {
            let Some(&low) = message.get(at + 1) else { return false };
            let target = usize::from(len & 0x3f) << 8 | usize::from(low);
            if target >= at {
                return false;
            }
            at = target;
            continue;
        }
        let end = usize::from(len) + 1;
        let (Some(ours), Some(theirs)) = (message.get(at..at + end), rest.get(..end)) else {
            return false;
        };
        if !ours.eq_ignore_ascii_case(theirs) {
            return false;
        }
        if len == 0 {
            return true;
        }
        at += end;
        rest = rest.get(end..).unwrap_or(&[]);
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::name::Name;

    fn write(names: &[(&str, bool)]) -> Vec<u8> {
        let (mut out, mut table) = ([0; 300], Names::new());
        let mut writer = Writer::start(&mut out, 300, &mut table, &[]).unwrap();
        for &(text, full) in names {
            let name = Name::parse(text, None).unwrap();
            if full {
                writer.put_name_in_full(name.as_wire()).unwrap();
            } else {
                writer.put_name(name.as_wire()).unwrap();
            }
        }
        let len = writer.len();
        out[HEADER_LEN..len].to_vec()
    }

    #[test]
    fn the_longest_known_suffix_becomes_a_pointer() {
        let wire = write(&[("www.example.com.", false), ("ftp.EXAMPLE.com.", false)]);
        assert_eq!(wire, b"\x03www\x07example\x03com\0\x03ftp\xc0\x10");
        let wire = write(&[("a.b.", false), ("b.", false), ("a.b.", false), (".", false)]);
        assert_eq!(wire, b"\x01a\x01b\0\xc0\x0e\xc0\x0c\0");
    }

    #[test]
    fn a_name_in_full_can_be_pointed_at() {
        let wire = write(&[("a.b.", false), ("c.b.", true), ("c.b.", false)]);
        assert_eq!(wire, b"\x01a\x01b\0\x01c\x01b\0\xc0\x11");
    }

    #[test]
    fn what_does_not_fit_leaves_the_message_as_it_was() {
        let (mut out, mut table) = ([0; 40], Names::new());
        let mut writer = Writer::start(&mut out, 30, &mut table, &[]).unwrap();
        assert_eq!(writer.put_record(QNAME_POINTER, Type::A, 1, &[0; 7]), Err(Full));
        assert_eq!(writer.len(), HEADER_LEN);
        writer.put_record(QNAME_POINTER, Type::A, 1, &[0; 4]).unwrap();
        assert_eq!(writer.len(), HEADER_LEN + 16);
        writer.reserve(2);
        assert_eq!(writer.put_u16(1), Err(Full));
        writer.release(2);
        writer.put_u16(1).unwrap();
    }

    #[test]
    fn an_undone_name_is_not_pointed_at() {
        let (mut out, mut table) = ([0; 60], Names::new());
        let mut writer = Writer::start(&mut out, 60, &mut table, &[]).unwrap();
        let name = Name::parse("a.b.", None).unwrap();
        let mark = writer.mark();
        writer.put_name(name.as_wire()).unwrap();
        writer.undo(mark);
        writer.put_name(name.as_wire()).unwrap();
        assert_eq!(writer.len(), HEADER_LEN + 5);
    }
}
