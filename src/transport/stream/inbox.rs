//! The octets that came, cut into messages by their two-octet lengths (RFC 1035 §4.2.2).

/// The usual size, in octets: enough for dozens of pipelined queries.
const SMALL: usize = 4096;

/// The largest size, in octets: a length and the longest message that it can announce.
const LARGEST: usize = 2 + 65_535;

/// A buffer that grows with what really arrives, not with what is announced.
pub(super) struct Inbox {
    bytes: Vec<u8>,
    /// The start of the next message, and the end of the octets that came.
    start: usize,
    end: usize,
}

impl Inbox {
    /// Creates an empty inbox.
    pub(super) fn new() -> Self {
        Self { bytes: vec![0; SMALL], start: 0, end: 0 }
    }

    /// Returns the room to read into. It is never empty once every whole message has been taken.
    pub(super) fn room(&mut self) -> &mut [u8] {
        self.bytes.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.end == self.bytes.len() {
            self.bytes.resize((2 * self.bytes.len()).min(LARGEST), 0);
        } else if self.bytes.len() > SMALL && self.end < SMALL {
            self.bytes.truncate(SMALL);
            self.bytes.shrink_to_fit();
        }
        &mut self.bytes[self.end..]
    }

    /// Notes that `count` octets have been read into the room.
    pub(super) fn came(&mut self, count: usize) {
        self.end = (self.end + count).min(self.bytes.len());
    }

    /// Whether a whole message is there.
    pub(super) fn has_message(&self) -> bool {
        self.peek().is_some()
    }

    /// Takes the next whole message, without its length.
    pub(super) fn next(&mut self) -> Option<&[u8]> {
        let length = self.peek()?.len();
        let start = self.start + 2;
        self.start = start + length;
        self.bytes.get(start..self.start)
    }

    /// Returns the next whole message and leaves it there.
    fn peek(&self) -> Option<&[u8]> {
        let (length, rest) = self.bytes[self.start..self.end].split_first_chunk::<2>()?;
        rest.get(..usize::from(u16::from_be_bytes(*length)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pour(inbox: &mut Inbox, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let room = inbox.room();
            let count = room.len().min(bytes.len());
            room[..count].copy_from_slice(&bytes[..count]);
            inbox.came(count);
            bytes = &bytes[count..];
        }
    }

    #[test]
    fn messages_come_out_whole_and_in_order_however_they_came_in() {
        let mut inbox = Inbox::new();
        pour(&mut inbox, &[0, 3, 1]);
        assert_eq!(inbox.next(), None);
        pour(&mut inbox, &[2, 3, 0, 0, 0]);
        assert_eq!(inbox.next(), Some(&[1, 2, 3][..]));
        assert_eq!(inbox.next(), Some(&[][..]));
        assert_eq!(inbox.next(), None);
        pour(&mut inbox, &[1, 9]);
        assert_eq!(inbox.next(), Some(&[9][..]));
    }

    #[test]
    fn the_longest_message_fits_and_its_memory_is_given_back() {
        let mut inbox = Inbox::new();
        pour(&mut inbox, &[0xff; LARGEST - 1]);
        assert_eq!(inbox.next(), None);
        pour(&mut inbox, &[0xff]);
        assert_eq!(inbox.next().map(<[u8]>::len), Some(65_535));
        inbox.room();
        assert!(inbox.bytes.capacity() <= 2 * SMALL);
    }

    #[test]
    fn an_announced_length_alone_takes_no_memory() {
        let mut inbox = Inbox::new();
        pour(&mut inbox, &[0xff, 0xff, 1]);
        inbox.room();
        assert!(inbox.bytes.capacity() <= SMALL);
    }
}
