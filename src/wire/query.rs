//! Queries: strict reading of the question and the OPT record.

use super::edns::Edns;
use super::header::{HEADER_LEN, Header};
use super::kind::Type;
use super::name::{self, NAME_LEN_MAX};
use super::qname::Qname;

/// A query without its name, which goes into a [`Qname`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Query {
    /// The length of the name in the question in octets.
    pub qname_len: usize,
    /// The type asked for.
    pub qtype: Type,
    /// The class asked for.
    pub qclass: u16,
    /// The OPT record, if there is one.
    pub edns: Option<Edns>,
}

/// The error that a message is not a well-formed query: FORMERR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

impl Query {
    /// Returns the place in the message where the question ends.
    pub fn question_end(&self) -> usize {
        HEADER_LEN + self.qname_len + 4
    }

    /// Reads the query that `header` announces from `message`; reads its name into `qname`.
    ///
    /// Strict where a lenient reader would have to guess: exactly one question without compression,
    /// at most one OPT, which is at the root (RFC 6891 §6.1.1), options that fill it exactly, and
    /// nothing after the last record. Records that a query has no use for are ignored.
    ///
    /// # Errors
    /// [`Malformed`], with no more detail: the client gets FORMERR.
    pub fn read(header: &Header, message: &[u8], qname: &mut Qname) -> Result<Self, Malformed> {
        let [questions, answers, authorities, additionals] = header.counts;
        if questions != 1 {
            return Err(Malformed);
        }
        let question = message.get(HEADER_LEN..).ok_or(Malformed)?;
        let qname_len = qname.read(question).ok_or(Malformed)?;
        let fixed = question.get(qname_len..qname_len + 4).ok_or(Malformed)?;
        let qtype = Type(u16::from_be_bytes([fixed[0], fixed[1]]));
        let qclass = u16::from_be_bytes([fixed[2], fixed[3]]);
        let rest = question.get(qname_len + 4..).ok_or(Malformed)?;
        let edns = read_records(rest, u32::from(answers) + u32::from(authorities), additionals)?;
        Ok(Self { qname_len, qtype, qclass, edns })
    }
}

/// Reads a query without a question, which a client sends to get a server cookie (RFC 7873 §5.4).
///
/// # Errors
/// [`Malformed`], also if it has no COOKIE option.
// Cold: hardly any query has no question.
#[cold]
pub fn read_without_question(header: &Header, message: &[u8]) -> Result<Edns, Malformed> {
    let [_, answers, authorities, additionals] = header.counts;
    let rest = message.get(HEADER_LEN..).ok_or(Malformed)?;
    let edns = read_records(rest, u32::from(answers) + u32::from(authorities), additionals)?;
    edns.filter(|edns| edns.cookie.is_some()).ok_or(Malformed)
}

/// Reads all records after the question; returns the OPT record.
// Always inlined: what OPT says has many octets to copy, and one caller is hot.
#[inline(always)]
fn read_records(mut rest: &[u8], others: u32, additionals: u16) -> Result<Option<Edns>, Malformed> {
    for _ in 0..others {
        if Record::read(&mut rest)?.rtype == Type::OPT {
            return Err(Malformed);
        }
    }
    let mut edns = None;
    for _ in 0..additionals {
        let record = Record::read(&mut rest)?;
        if record.rtype == Type::OPT && edns.replace(record.edns()?).is_some() {
            return Err(Malformed);
        }
    }
    if rest.is_empty() { Ok(edns) } else { Err(Malformed) }
}

/// A record of a query, split no further than needed.
struct Record<'a> {
    at_root: bool,
    rtype: Type,
    class: u16,
    ttl: [u8; 4],
    rdata: &'a [u8],
}

impl<'a> Record<'a> {
    fn read(rest: &mut &'a [u8]) -> Result<Self, Malformed> {
        let owner_len = owner_len(rest).ok_or(Malformed)?;
        let (owner, tail) = rest.split_at_checked(owner_len).ok_or(Malformed)?;
        let (fixed, tail) = tail.split_first_chunk::<10>().ok_or(Malformed)?;
        let rdata_len = usize::from(u16::from_be_bytes([fixed[8], fixed[9]]));
        let (rdata, tail) = tail.split_at_checked(rdata_len).ok_or(Malformed)?;
        *rest = tail;
        Ok(Self {
            at_root: owner == [0],
            rtype: Type(u16::from_be_bytes([fixed[0], fixed[1]])),
            class: u16::from_be_bytes([fixed[2], fixed[3]]),
            ttl: [fixed[4], fixed[5], fixed[6], fixed[7]],
            rdata,
        })
    }

    /// Reads this OPT record (RFC 6891 §6.1.2, §6.1.3).
    fn edns(&self) -> Result<Edns, Malformed> {
        if !self.at_root {
            return Err(Malformed);
        }
        Edns::read_query(self.class, self.ttl, self.rdata)
    }
}

/// Returns the length of an owner name after the question, which may end in a compression pointer.
fn owner_len(wire: &[u8]) -> Option<usize> {
    let mut at = 0;
    while at < NAME_LEN_MAX {
        match *wire.get(at)? {
            0 => return Some(at + 1),
            len if usize::from(len) <= name::LABEL_LEN_MAX => at += usize::from(len) + 1,
            pointer if pointer >= 0xc0 => return Some(at + 2),
            _ => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPT: &[u8] = b"\0\0\x29\x04\xd0\0\0\x80\0\0\0";

    fn read(counts: [u8; 4], body: &[u8]) -> Result<Query, Malformed> {
        let mut message = vec![0x12, 0x34, 1, 0];
        message.extend(counts.iter().flat_map(|&count| [0, count]));
        message.extend_from_slice(body);
        let header = Header::read(&message).unwrap();
        Query::read(&header, &message, &mut Qname::new())
    }

    const QUESTION: &[u8] = b"\x03www\x07example\x03com\0\0\x1c\0\x01";

    #[test]
    fn a_plain_query_and_one_with_edns_are_read() {
        let query = read([1, 0, 0, 0], QUESTION).unwrap();
        assert_eq!((query.qtype, query.qclass, query.edns), (Type::AAAA, 1, None));
        assert_eq!(query.question_end(), HEADER_LEN + QUESTION.len());
        let query = read([1, 0, 0, 1], &[QUESTION, OPT].concat()).unwrap();
        let edns = Edns { payload_size: 1232, dnssec_ok: true, ..Edns::default() };
        assert_eq!(query.edns, Some(edns));
    }

    #[test]
    fn what_is_not_a_well_formed_query_is_refused() {
        let two_opts = [QUESTION, OPT, OPT].concat();
        let option_cut = [QUESTION, b"\0\0\x29\x04\xd0\0\0\0\0\0\x05\0\x0a\0\x08\0"].concat();
        let opt_off_root = [QUESTION, b"\x01a", OPT].concat();
        for (counts, body) in [
            ([0, 0, 0, 0], QUESTION),
            ([2, 0, 0, 0], &[QUESTION, QUESTION].concat()),
            ([1, 0, 0, 0], &QUESTION[..QUESTION.len() - 1]),
            ([1, 0, 0, 0], b"\xc0\x0c\0\x01\0\x01"),
            ([1, 0, 0, 0], &[QUESTION, b"x"].concat()),
            ([1, 0, 0, 1], QUESTION),
            ([1, 0, 0, 2], &two_opts),
            ([1, 1, 0, 0], &[QUESTION, OPT].concat()),
            ([1, 0, 0, 1], &option_cut),
            ([1, 0, 0, 1], &opt_off_root),
        ] {
            assert_eq!(read(counts, body), Err(Malformed), "{counts:?} {body:x?}");
        }
    }
}
