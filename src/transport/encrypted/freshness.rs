//! The time for which a cache that knows nothing of DNS may keep a response.

use crate::wire::kind::Type;
use crate::wire::message::Message;

/// Returns the seconds for which an HTTP cache may keep `response` (RFC 8484 §5.1).
///
/// This is the lowest TTL of the answer section. If that section is empty, it is the time of the
/// negative answer (RFC 2308 §5). It is 0 if there is neither, or if the response cannot be read.
pub(super) fn lifetime(response: &[u8]) -> u32 {
    let Ok(message) = Message::read(response) else { return 0 };
    let lowest = message.answer.iter().map(|record| record.ttl).min();
    let negative = || {
        let soa = message.authority.iter().find(|record| record.rtype == Type::SOA)?;
        // MINIMUM is the last number of the RDATA.
        Some(soa.ttl.min(u32::from_be_bytes(*soa.rdata.last_chunk()?)))
    };
    lowest.or_else(negative).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUESTION: &[u8] = b"\x01a\x07example\0\0\x01\0\x01";

    /// Returns a response with this many records in its first two sections.
    fn response(answers: u8, authorities: u8, records: &[&[u8]]) -> Vec<u8> {
        let header = [0, 0, 0x84, 0, 0, 1, 0, answers, 0, authorities, 0, 0];
        [&header, QUESTION, &records.concat()].concat()
    }

    fn a(ttl: u8) -> Vec<u8> {
        [&b"\xc0\x0c\0\x01\0\x01\0\0\0"[..], &[ttl], b"\0\x04\xc0\0\x02\x01"].concat()
    }

    /// Returns a SOA record whose names are pointers.
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
