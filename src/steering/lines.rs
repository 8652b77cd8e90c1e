//! The places in memory that an answer of a service reads first.

use std::hint::black_box;
use std::ops::Range;

use super::draw::{Draws, Point, Stream};
use super::plan::Plans;
use crate::health::Board;

/// The places in memory that an answer of a service reads if it comes from the first pool. They are
/// known before any of them is read, so that all can be fetched side by side.
///
/// They decide nothing: a fetch in vain only costs a little time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lines {
    /// The number of the pool among those of all services.
    pub(super) pool: u32,
    /// The number of the pool's first word on the board.
    pub(super) word: u32,
    /// The draw point of the pool's first block.
    pub(super) point: Point,
    /// The number of the service's first endpoint among those of all services.
    pub(super) member: u32,
}

impl Lines {
    /// The length of the octets of [`Lines::to_octets`].
    pub const LEN: usize = 22;

    /// Encodes it in [`Lines::LEN`] octets, to be kept at the place where an answer begins to read.
    pub fn to_octets(self) -> [u8; Self::LEN] {
        let Self { pool, word, point: Point { slot, cells, len }, member } = self;
        let mut octets = [0; Self::LEN];
        for (place, number) in octets.chunks_exact_mut(4).zip([pool, word, slot, cells, member]) {
            place.copy_from_slice(&number.to_le_bytes());
        }
        octets[Self::LEN - 2..].copy_from_slice(&len.to_le_bytes());
        octets
    }

    /// Decodes the octets of [`Lines::to_octets`].
    pub fn from_octets(octets: &[u8; Self::LEN]) -> Self {
        let number = |at: usize| {
            octets.get(4 * at..).and_then(<[u8]>::first_chunk).map_or(0, |n| u32::from_le_bytes(*n))
        };
        let len = octets.last_chunk().map_or(0, |len| u16::from_le_bytes(*len));
        let point = Point { slot: number(2), cells: number(3), len };
        Self { pool: number(0), word: number(1), point, member: number(4) }
    }

    /// Returns the numbers of the endpoints of its point among those of all services.
    pub fn members(&self) -> Range<usize> {
        let start = self.member as usize;
        start..start + usize::from(self.point.len)
    }

    /// Fetches the lines that a draw for `stream` reads into the cache, without waiting for any.
    pub fn fetch(&self, plans: &Plans, board: &Board, draws: &Draws, stream: Stream) {
        plans.fetch(self.pool);
        black_box(board.word(self.word));
        draws.fetch(self.point, stream);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octets_hold_all_of_it() {
        let point = Point { slot: 3, cells: 4, len: 65_535 };
        let lines = Lines { pool: 1, word: u32::MAX, point, member: 5 };
        assert_eq!(Lines::from_octets(&lines.to_octets()), lines);
        assert_eq!(lines.members(), 5..65_540);
    }
}
