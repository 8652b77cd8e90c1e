//! Writes responses: records into a bounded buffer, names compressed, RRsets whole or not at all.

use super::header::{HEADER_LEN, Header};
use super::kind::{CLASS_IN, Type};
use super::qname::Qname;

/// The most suffixes of earlier names that a name is compared with. An unlimited search could be
/// made quadratic.
const NAMES_MAX: usize = 48;

/// The farthest place that a compression pointer reaches, in octets (RFC 1035 §4.1.4).
const POINTER_MAX: usize = 0x3fff;

/// The owner of most answers: a pointer to the name in the question, right after the header.
pub const QNAME_POINTER: u16 = 0xc000 | HEADER_LEN as u16;

/// Returns the pointer to the name at `at`; `None` if it is too far into the message.
pub fn pointer_to(at: usize) -> Option<u16> {
    (at <= POINTER_MAX).then_some(0xc000 | at as u16)
}

/// The error that a record does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// The names in the message that share at most one label with the question, by the hash of each
/// suffix. The memory is reused from response to response.
#[derive(Debug)]
pub struct Names {
    entries: [(u64, u16); NAMES_MAX],
    len: usize,
    /// The name to compare.
    name: Qname,
}

impl Names {
    /// Creates the memory for the names of a message.
    pub fn new() -> Self {
        Self { entries: [(0, 0); NAMES_MAX], len: 0, name: Qname::new() }
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

/// A message while it is written into a buffer.
///
/// Every `put_*` writes all of its data or returns [`Full`]. A record that was begun and does not
/// fit is undone by going back to a [`Mark`].
pub struct Writer<'a> {
    out: &'a mut [u8],
    at: usize,
    limit: usize,
    question: &'a Qname,
    names: &'a mut Names,
}

/// A place in the message to go back to.
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    at: usize,
    names: usize,
}

impl<'a> Writer<'a> {
    /// Starts a message with room for its header, and copies the question into it.
    ///
    /// `qname` is the name in the question, which other names are compressed against; the root if
    /// there is no question. `limit` is the greatest length of the message in octets, at most
    /// `out.len()`.
    ///
    /// # Errors
    /// [`Full`] if not even the question fits.
    pub fn start(
        out: &'a mut [u8],
        limit: usize,
        names: &'a mut Names,
        question: &[u8],
        qname: &'a Qname,
    ) -> Result<Self, Full> {
        names.len = 0;
        let limit = limit.min(out.len());
        let mut writer = Self { out, at: HEADER_LEN, limit, question: qname, names };
        writer.put(question)?;
        Ok(writer)
    }

    /// Returns the length of the message so far, in octets.
    pub fn len(&self) -> usize {
        self.at
    }

    /// Returns whether the message has nothing but the header.
    pub fn is_empty(&self) -> bool {
        self.at == HEADER_LEN
    }

    /// Returns the greatest length of the message in octets.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Reserves `len` octets of the limit for the last record, until [`Writer::release`].
    pub fn reserve(&mut self, len: usize) {
        self.limit = self.limit.saturating_sub(len);
    }

    /// Gives back the octets of [`Writer::reserve`].
    pub fn release(&mut self, len: usize) {
        self.limit = (self.limit + len).min(self.out.len());
    }

    /// Returns the present place.
    pub fn mark(&self) -> Mark {
        Mark { at: self.at, names: self.names.len }
    }

    /// Undoes everything written since `mark`.
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

    /// Writes an owner pointer, type, class IN, TTL and RDATA without compressible names.
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
        self.put_whole((owner, rtype, CLASS_IN, ttl), [], rdata)
    }

    /// Writes a record as [`Writer::put_record`] does. Its RDATA is `front` and `rest`.
    ///
    /// # Errors
    /// [`Full`], and nothing is written.
    // Inlined: where `rest` is empty there is nothing to copy.
    #[inline]
    pub fn put_record_with<const FRONT: usize>(
        &mut self,
        owner: u16,
        rtype: Type,
        ttl: u32,
        front: [u8; FRONT],
        rest: &[u8],
    ) -> Result<(), Full> {
        self.put_whole((owner, rtype, CLASS_IN, ttl), front, rest)
    }

    /// Writes a record as [`Writer::put_record`] does, in any class.
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
        self.put_whole((owner, rtype, class, ttl), [], rdata)
    }

    /// Writes owner, type, class, TTL and RDATA with one check of room.
    // Always inlined: `front` has a length of its own in each caller.
    #[inline(always)]
    fn put_whole<const FRONT: usize>(
        &mut self,
        (owner, rtype, class, ttl): (u16, Type, u16, u32),
        front: [u8; FRONT],
        rest: &[u8],
    ) -> Result<(), Full> {
        let len = FRONT + rest.len();
        let end = self.at + 12 + len;
        if end > self.limit {
            return Err(Full);
        }
        let place = self.out.get_mut(self.at..end).ok_or(Full)?;
        let (head, tail) = place.split_first_chunk_mut::<12>().ok_or(Full)?;
        let (start, tail) = tail.split_first_chunk_mut::<FRONT>().ok_or(Full)?;
        let (owner, rtype, ttl) = (owner.to_be_bytes(), rtype.0.to_be_bytes(), ttl.to_be_bytes());
        let (class, len) = (class.to_be_bytes(), (len as u16).to_be_bytes());
        *head = [
            owner[0], owner[1], rtype[0], rtype[1], class[0], class[1], ttl[0], ttl[1], ttl[2],
            ttl[3], len[0], len[1],
        ];
        *start = front;
        tail.copy_from_slice(rest);
        self.at = end;
        Ok(())
    }

    /// Writes type, class IN, TTL and a length that [`Writer::end_rdata`] fills in.
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

    /// Writes the number of octets since `start` into the two octets before `start`.
    pub(super) fn close_length(&mut self, start: usize) {
        let len = ((self.at - start) as u16).to_be_bytes();
        if let Some(place) = self.out.get_mut(start - 2..start) {
            place.copy_from_slice(&len);
        }
    }

    /// Writes a name from uncompressed wire format, with a pointer in place of its longest suffix
    /// that is known to be in the message (RFC 1035 §4.1.4).
    ///
    /// # Errors
    /// [`Full`]; the caller goes back to a mark.
    ///
    /// # Cost
    /// A comparison with the name in the question. Only names that share less than two labels with
    /// it are hashed and compared with each other.
    pub fn put_name(&mut self, wire: &[u8]) -> Result<(), Full> {
        let (own, shared) = self.shared_suffix(wire);
        if shared < 2 && own > 0 {
            return self.put_foreign_name(wire, shared);
        }
        if shared == 0 {
            return self.put(&[0]);
        }
        self.put(wire.get(..own).unwrap_or(&[]))?;
        self.put_u16(QNAME_POINTER + self.question.start(shared) as u16)
    }

    /// Finds the longest suffix other than the root that the name in `wire` shares with the
    /// question. Returns the number of octets before it, and its number of labels.
    fn shared_suffix(&self, wire: &[u8]) -> (usize, usize) {
        let mut depth = self.question.depth();
        let (mut ours, mut theirs) = (wire, self.question.as_wire());
        while depth > 0 {
            // Only suffixes of equal length can be equal: the longer of the two loses a label.
            if ours.len() > theirs.len() {
                ours = without_label(ours);
                continue;
            }
            if ours.len() == theirs.len() && (ours == theirs || ours.eq_ignore_ascii_case(theirs)) {
                return (wire.len() - ours.len(), depth);
            }
            (theirs, depth) = (without_label(theirs), depth - 1);
        }
        (wire.len().saturating_sub(1), 0)
    }

    /// Writes a name compressed against the foreign names so far, or otherwise against the `shared`
    /// labels of the question, one at most.
    fn put_foreign_name(&mut self, wire: &[u8], shared: usize) -> Result<(), Full> {
        let Some(_) = self.names.name.read(wire) else { return self.put(wire) };
        let depth = self.names.name.depth();
        let question = (shared, (HEADER_LEN + self.question.start(shared)) as u16);
        let mut known = Some(question).filter(|_| shared > 0);
        // A known name has all its suffixes known: after an unknown suffix no longer one is known.
        for depth in shared + 1..=depth {
            let Some(at) = self.find(depth) else { break };
            known = Some((depth, at));
        }
        let base = self.at;
        let written = match known {
            Some((shared, target)) => {
                self.put(wire.get(..self.names.name.start(shared)).unwrap_or(&[]))?;
                self.put_u16(0xc000 | target)?;
                shared
            }
            None => {
                self.put(wire)?;
                0
            }
        };
        for depth in (written + 1..=depth).rev() {
            let name = &self.names.name;
            let (hash, at) = (name.hash(depth), base + name.start(depth));
            self.names.add(hash, at);
        }
        Ok(())
    }

    /// Returns the place in the message of a name equal to the suffix of `depth` labels of
    /// `names.name`.
    fn find(&self, depth: usize) -> Option<u16> {
        let (hash, suffix) = (self.names.name.hash(depth), self.names.name.suffix(depth));
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

/// The place where RDATA starts.
#[derive(Clone, Copy, Debug)]
pub struct RdataStart(usize);

impl RdataStart {
    /// Returns the number of octets of the message before it.
    pub fn position(self) -> usize {
        self.0
    }
}

/// Returns the part of a name after its first label.
fn without_label(name: &[u8]) -> &[u8] {
    name.split_first().and_then(|(&len, rest)| rest.get(usize::from(len)..)).unwrap_or(&[])
}

/// Returns whether the name at `at` in `message`, which may be compressed, equals the uncompressed
/// `wire`.
fn name_equals(message: &[u8], mut at: usize, wire: &[u8]) -> bool {
    let mut rest = wire;
    // Each round takes a label or follows a pointer, and pointers only lead backwards.
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

    fn write(question: &str, names: &[&str]) -> Vec<u8> {
        let (mut out, mut table, mut qname) = ([0; 300], Names::new(), Qname::new());
        let question = Name::parse(question, None).unwrap();
        qname.read(question.as_wire());
        let mut writer =
            Writer::start(&mut out, 300, &mut table, question.as_wire(), &qname).unwrap();
        for text in names {
            writer.put_name(Name::parse(text, None).unwrap().as_wire()).unwrap();
        }
        let len = writer.len();
        out[HEADER_LEN + question.as_wire().len()..len].to_vec()
    }

    #[test]
    fn names_are_compressed_against_the_question() {
        let wire = write("www.example.com.", &["ftp.EXAMPLE.com.", "www.example.com.", "."]);
        assert_eq!(wire, b"\x03ftp\xc0\x10\xc0\x0c\0");
        assert_eq!(write("example.com.", &["com."]), b"\xc0\x14");
        assert_eq!(
            write("example.com.", &["b.a.com.", "c.com."]),
            b"\x01b\x01a\xc0\x14\x01c\xc0\x14"
        );
    }

    #[test]
    fn every_suffix_of_a_deep_question_is_pointed_at() {
        let name = |labels: usize| format!("{}example.com.", "d.".repeat(labels));
        for labels in [0, 1, 50, 99, 100] {
            assert_eq!(write(&name(100), &[&name(labels)]).len(), 2, "{labels}");
        }
    }

    #[test]
    fn foreign_names_are_compressed_against_each_other() {
        let wire = write("a.", &["www.example.com.", "ftp.Example.com.", "example.com.", "com."]);
        assert_eq!(wire, b"\x03www\x07example\x03com\0\x03ftp\xc0\x13\xc0\x13\xc0\x1b");
    }

    #[test]
    fn what_does_not_fit_leaves_the_message_as_it_was() {
        let (mut out, mut table, root) = ([0; 40], Names::new(), Qname::new());
        let mut writer = Writer::start(&mut out, 30, &mut table, &[], &root).unwrap();
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
        let (mut out, mut table, root) = ([0; 60], Names::new(), Qname::new());
        let mut writer = Writer::start(&mut out, 60, &mut table, &[], &root).unwrap();
        let name = Name::parse("a.b.", None).unwrap();
        let mark = writer.mark();
        writer.put_name(name.as_wire()).unwrap();
        writer.undo(mark);
        writer.put_name(name.as_wire()).unwrap();
        assert_eq!(writer.len(), HEADER_LEN + 5);
    }
}
