//! The twelve octets at the start of every message (RFC 1035 §4.1.1).

use super::kind::Rcode;

/// The length of a header in octets.
pub const HEADER_LEN: usize = 12;

/// QR: this message is a response.
pub const QR: u16 = 0x8000;
/// AA: the responder is authoritative for the name in the question.
pub const AA: u16 = 0x0400;
/// TC: the response was truncated; the client should ask again over a stream.
pub const TC: u16 = 0x0200;
/// RD: the client asks for recursion; copied into the response, never done.
pub const RD: u16 = 0x0100;
/// RA: the server offers recursion; never set here.
pub const RA: u16 = 0x0080;
/// AD: the data is authentic (RFC 4035 §3.2.3); never set here.
pub const AD: u16 = 0x0020;
/// CD: the client checks signatures itself (RFC 4035 §3.2.2).
pub const CD: u16 = 0x0010;
/// The four bits of the opcode.
pub const OPCODE_MASK: u16 = 0x7800;

/// The header of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The id that the client chose; copied into the response.
    pub id: u16,
    /// The flags, the opcode and the lower four bits of the RCODE, as on the wire.
    pub flags: u16,
    /// The numbers of entries in the sections: QDCOUNT, ANCOUNT, NSCOUNT, ARCOUNT.
    pub counts: [u16; 4],
}

impl Header {
    /// Reads the header at the start of `message`; `None` if the message is shorter than a header.
    pub fn read(message: &[u8]) -> Option<Self> {
        let (octets, _) = message.split_first_chunk::<HEADER_LEN>()?;
        let word = |at: usize| u16::from_be_bytes([octets[at], octets[at + 1]]);
        Some(Self { id: word(0), flags: word(2), counts: [word(4), word(6), word(8), word(10)] })
    }

    /// Returns the header in wire format.
    pub fn to_wire(self) -> [u8; HEADER_LEN] {
        let mut octets = [0; HEADER_LEN];
        let words = [self.id, self.flags].into_iter().chain(self.counts);
        for (place, word) in octets.chunks_exact_mut(2).zip(words) {
            place.copy_from_slice(&word.to_be_bytes());
        }
        octets
    }

    /// Returns whether the message is a response.
    pub fn is_response(&self) -> bool {
        self.flags & QR != 0
    }

    /// Returns the opcode, 0 to 15.
    pub fn opcode(&self) -> u8 {
        ((self.flags & OPCODE_MASK) >> 11) as u8
    }

    /// Makes the header of a response to this message: QR and the lower four bits of `rcode` are
    /// set; id, opcode and RD are copied; all else is zero.
    pub fn response(&self, rcode: Rcode) -> Self {
        let kept = self.flags & (OPCODE_MASK | RD);
        Self { id: self.id, flags: QR | kept | (rcode as u16 & 0xf), counts: [0; 4] }
    }
}
