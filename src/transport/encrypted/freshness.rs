//! The time for which a response may be kept by who knows nothing of DNS.

use crate::wire::header::{HEADER_LEN, Header};
use crate::wire::kind::Type;

/// Octets of a record between its owner and its RDATA.
const FIXED: usize = 10;

/// Returns the seconds for which a cache of HTTP may keep `response` (RFC 8484 §5.1).
///
/// The lowest TTL of the answer section; without one the time of the negative answer (RFC 2308
/// §5); 0 where there is neither, or the response cannot be read.
pub(super) fn lifetime(response: &[u8]) -> u32 {
    read(response).unwrap_or(0)
}

fn read(response: &[u8]) -> Option<u32> {
    let [questions, answers, authorities, _] = Header::read(response)?.counts;
    let mut at = HEADER_LEN;
    for _ in 0..questions {
        at = skip_name(response, at)? + 4;
    }
    let mut lowest: Option<u32> = None;
    for _ in 0..answers {
        let (_, ttl, _) = read_record(response, &mut at)?;
        lowest = Some(lowest.map_or(ttl, |lowest| lowest.min(ttl)));
    }
    if lowest.is_some() {
        return lowest;
    }
    for _ in 0..authorities {
        let (rtype, ttl, rdata) = read_record(response, &mut at)?;
        if rtype == Type::SOA {
            // MINIMUM is the last of its numbers.
            return Some(ttl.min(u32::from_be_bytes(*rdata.last_chunk()?)));
        }
    }
    None
}

/// Reads type, TTL and RDATA of the record at `at`, and moves on to the next.
fn read_record<'a>(message: &'a [u8], at: &mut usize) -> Option<(Type, u32, &'a [u8])> {
    let fixed = skip_name(message, *at)?;
    let start = fixed + FIXED;
    let fixed: &[u8; FIXED] = message.get(fixed..)?.first_chunk()?;
    let [type0, type1, _, _, ttl0, ttl1, ttl2, ttl3, len0, len1] = *fixed;
    *at = start + usize::from(u16::from_be_bytes([len0, len1]));
    let rtype = Type(u16::from_be_bytes([type0, type1]));
    Some((rtype, u32::from_be_bytes([ttl0, ttl1, ttl2, ttl3]), message.get(start..*at)?))
}

/// Returns where the name at `at`, which may be compressed, ends.
fn skip_name(message: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match *message.get(at)? {
            0 => return Some(at + 1),
            0xc0.. => return Some(at + 2),
            length => at += 1 + usize::from(length),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUESTION: &[u8] = b"\x01a\x07example\0\0\x01\0\x01";

    /// A response with so many records of the first two sections.
    fn response(answers: u8, authorities: u8, records: &[&[u8]]) -> Vec<u8> {
        let header = [0, 0, 0x84, 0, 0, 1, 0, answers, 0, authorities, 0, 0];
        [&header, QUESTION, &records.concat()].concat()
    }

    fn a(ttl: u8) -> Vec<u8> {
        [&b"\xc0\x0c\0\x01\0\x01\0\0\0"[..], &[ttl], b"\0\x04\xc0\0\x02\x01"].concat()
    }

    /// SOA with names at the end of pointers.
    fn soa(ttl: u8, minimum: u8) -> Vec<u8> {
        let head = [&b"\xc0\x0e\0\x06\0\x01\0\0\0"[..], &[ttl], b"\0\x18\xc0\x0e\xc0\x0e"];
        [&head.concat()[..], &[0; 16], &[0, 0, 0, minimum]].concat()
    }

    #[test]
    fn the_lowest_ttl_of_the_answer_section_counts() {
        assert_eq!(lifetime(&response(2, 1, &[&a(60), &a(30), &soa(5, 5)])), 30);
    }

    #[test]
    fn a_negative_answer_has_the_time_of_its_soa() {
        assert_eq!(lifetime(&response(0, 1, &[&soa(60, 10)])), 10);
        assert_eq!(lifetime(&response(0, 1, &[&soa(5, 10)])), 5);
        assert_eq!(lifetime(&response(0, 0, &[])), 0);
    }

    #[test]
    fn a_response_cut_short_is_kept_for_no_time() {
        let whole = response(1, 0, &[&a(60)]);
        assert_eq!(lifetime(&whole), 60);
        assert!((0..whole.len()).all(|len| lifetime(&whole[..len]) == 0));
    }
}
