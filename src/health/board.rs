//! The states as the data plane reads them: bits, and besides them the adjustments.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, AtomicU32, AtomicU64, AtomicUsize, Ordering};

/// The endpoints of one block: one for each bit of a word.
const BLOCK: usize = 64;
/// The words of one block: IPv4, IPv6.
const FAMILIES: usize = 2;

/// The number of the next change of a weight, on whatever board: no number stands for two sets of
/// weights, not even where draws go on over a reload, on another board.
static VERSIONS: AtomicU32 = AtomicU32::new(1);

/// The endpoint addresses of one zone that may serve: one bit each, 64 to a word. The words of one
/// block of endpoints are neighbours: that of IPv4 comes first, at an even index.
///
/// ## Data
/// A set bit means: up or unknown, and not drained. A bit that no endpoint has stays set and means
/// nothing. An endpoint address is adjusted if it is drained, or if its weight or TTL differs from
/// those of the zone file. Its block then has an [`Adjusted`], made for the first such address.
///
/// ## Access
/// [`super::Table`] writes while the zone is served, and while tests of the zone hold endpoints
/// down. The compiler of a zone shows the states that the zone file sets. A writer changes one bit
/// at a time. Every worker reads whole words, so it sees the endpoints of one block at one moment.
#[derive(Debug)]
pub struct Board {
    words: Box<[AtomicU64]>,
    adjusted: OnceLock<Box<[OnceLock<Box<Adjusted>>]>>,
    /// The number of endpoint addresses that are adjusted.
    adjusted_count: AtomicUsize,
}

/// The place of one endpoint address on a [`Board`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Bit {
    /// The index of the word.
    pub word: u32,
    /// The bit in the word, 0 to 63.
    pub at: u8,
}

/// The state of one endpoint address as a board shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Showing {
    /// Whether answers may name it.
    pub may_serve: bool,
    /// Whether it is drained: it serves only where nothing else does. `may_serve` is false then.
    pub is_drained: bool,
    /// The part of its weight that counts, in percent; 100 at the most.
    pub percent: u8,
    /// The longest TTL of an answer that names it, in seconds; `None` for the TTL of the zone file.
    pub ttl_max: Option<u16>,
}

impl Showing {
    /// Up, with the weight and TTL of the zone file.
    pub const UP: Self =
        Self { may_serve: true, is_drained: false, percent: Self::ALL, ttl_max: None };
    /// Down.
    pub const DOWN: Self = Self { may_serve: false, ..Self::UP };
    /// Drained.
    pub const DRAINED: Self = Self { may_serve: false, is_drained: true, ..Self::UP };

    const ALL: u8 = 100;

    fn is_adjusted(self) -> bool {
        self.is_drained || self.percent != Self::ALL || self.ttl_max.is_some()
    }
}

/// The adjustments of one block of endpoints.
#[derive(Debug)]
pub struct Adjusted {
    /// The number of the last change of a weight, from [`VERSIONS`]; 0 before the first one.
    version: AtomicU32,
    drained: [AtomicU64; FAMILIES],
    /// The endpoints whose weight counts for nothing.
    idle: [AtomicU64; FAMILIES],
    percents: [[AtomicU16; BLOCK]; FAMILIES],
    /// The longest TTLs, in seconds; `u16::MAX` for the TTL of the zone file.
    ttls: [[AtomicU16; BLOCK]; FAMILIES],
}

impl Board {
    /// Makes a board of `words` words, every bit set.
    pub fn new(words: usize) -> Self {
        let words = (0..words).map(|_| AtomicU64::new(u64::MAX)).collect();
        Self { words, adjusted: OnceLock::new(), adjusted_count: AtomicUsize::new(0) }
    }

    /// Returns the word at index `at`.
    ///
    /// Beyond the end nothing may serve. No compiled zone asks there: builds with debug assertions
    /// panic.
    ///
    /// # Cost
    /// One atomic load.
    // Inlined, as the next two are: each is one load.
    #[inline]
    pub fn word(&self, at: u32) -> u64 {
        let word = self.words.get(at as usize);
        debug_assert!(word.is_some(), "word {at} of a board of {}", self.words.len());
        word.map_or(0, |word| word.load(Ordering::Acquire))
    }

    /// Returns whether the endpoint address of the bit may serve.
    #[inline]
    pub fn is_set(&self, bit: Bit) -> bool {
        self.word(bit.word) >> (bit.at & 63) & 1 == 1
    }

    /// Returns whether any endpoint address of the zone is adjusted.
    ///
    /// # Cost
    /// One atomic load.
    #[inline]
    pub fn is_adjusted(&self) -> bool {
        self.adjusted_count.load(Ordering::Acquire) > 0
    }

    /// Returns the adjustments to the block that has this word; `None` if nothing in the zone is
    /// adjusted, or nothing in the block ever was.
    ///
    /// # Cost
    /// One atomic load; three if anything in the zone is adjusted.
    pub fn adjusted(&self, word: u32) -> Option<&Adjusted> {
        if !self.is_adjusted() {
            return None;
        }
        self.block(word)
    }

    fn block(&self, word: u32) -> Option<&Adjusted> {
        let blocks = self.adjusted.get()?;
        blocks.get(word as usize / FAMILIES)?.get().map(|block| &**block)
    }

    /// Returns what is shown at `bit`.
    pub fn showing(&self, bit: Bit) -> Showing {
        let may_serve = self.is_set(bit);
        match self.adjusted(bit.word) {
            None => Showing { may_serve, ..Showing::UP },
            Some(adjusted) => Showing {
                may_serve,
                is_drained: adjusted.drained(bit.word) >> (bit.at & 63) & 1 == 1,
                percent: adjusted.percent(bit) as u8,
                ttl_max: adjusted.ttl_max(bit),
            },
        }
    }

    /// Shows `showing` at `bit`; beyond the end it shows nothing.
    pub fn show(&self, bit: Bit, showing: Showing) {
        let (before, is_adjusted) = (self.showing(bit).is_adjusted(), showing.is_adjusted());
        // It counts before it shows, and until it no longer does: no reader of the count misses it.
        if is_adjusted && !before {
            self.adjusted_count.fetch_add(1, Ordering::AcqRel);
        }
        if is_adjusted || before {
            self.adjust(bit, showing);
        }
        if before && !is_adjusted {
            self.adjusted_count.fetch_sub(1, Ordering::AcqRel);
        }
        if let Some(word) = self.words.get(bit.word as usize) {
            set_bit(word, bit.at, showing.may_serve);
        }
    }

    fn adjust(&self, bit: Bit, showing: Showing) {
        let blocks = self.words.len().div_ceil(FAMILIES);
        let blocks = self.adjusted.get_or_init(|| (0..blocks).map(|_| OnceLock::new()).collect());
        let Some(block) = blocks.get(bit.word as usize / FAMILIES) else { return };
        block.get_or_init(Box::default).adjust(bit, showing);
    }
}

impl Default for Adjusted {
    fn default() -> Self {
        let each = |value| std::array::from_fn(|_| std::array::from_fn(|_| AtomicU16::new(value)));
        Self {
            version: AtomicU32::new(0),
            drained: Default::default(),
            idle: Default::default(),
            percents: each(u16::from(Showing::ALL)),
            ttls: each(u16::MAX),
        }
    }
}

impl Adjusted {
    /// Returns a number that changes whenever the weight of one of the endpoints does.
    pub fn version(&self) -> u32 {
        self.version.load(Ordering::Acquire)
    }

    /// Returns the bits of the endpoints of `word` that serve only where nothing else does.
    pub fn drained(&self, word: u32) -> u64 {
        of_family(&self.drained, word).map_or(0, |word| word.load(Ordering::Acquire))
    }

    /// Returns the bits of the endpoints of `word` whose weight counts for nothing.
    pub fn idle(&self, word: u32) -> u64 {
        of_family(&self.idle, word).map_or(0, |word| word.load(Ordering::Acquire))
    }

    /// Returns the part of an endpoint's weight that counts, in percent.
    pub fn percent(&self, bit: Bit) -> u32 {
        let cell = of_family(&self.percents, bit.word).and_then(|of| of.get(usize::from(bit.at)));
        cell.map_or(u32::from(Showing::ALL), |cell| u32::from(cell.load(Ordering::Relaxed)))
    }

    /// Returns the longest TTL of an answer that names an endpoint, in seconds; `None` for the TTL
    /// of the zone file.
    pub fn ttl_max(&self, bit: Bit) -> Option<u16> {
        let cell = of_family(&self.ttls, bit.word).and_then(|of| of.get(usize::from(bit.at)))?;
        Some(cell.load(Ordering::Relaxed)).filter(|ttl| *ttl != u16::MAX)
    }

    fn adjust(&self, bit: Bit, showing: Showing) {
        let at = usize::from(bit.at);
        if let Some(cell) = of_family(&self.ttls, bit.word).and_then(|cells| cells.get(at)) {
            cell.store(showing.ttl_max.unwrap_or(u16::MAX), Ordering::Relaxed);
        }
        if let Some(word) = of_family(&self.drained, bit.word) {
            set_bit(word, bit.at, showing.is_drained);
        }
        let percents = of_family(&self.percents, bit.word).and_then(|cells| cells.get(at));
        let percent = u16::from(showing.percent);
        if percents.is_some_and(|cell| cell.swap(percent, Ordering::Relaxed) != percent) {
            if let Some(word) = of_family(&self.idle, bit.word) {
                set_bit(word, bit.at, percent == 0);
            }
            // After the weight itself: a reader that sees the new number sees the weight too.
            let version = VERSIONS.fetch_add(1, Ordering::Relaxed);
            self.version.store(version, Ordering::Release);
        }
    }
}

fn of_family<T>(families: &[T; FAMILIES], word: u32) -> Option<&T> {
    families.get(word as usize % FAMILIES)
}

fn set_bit(word: &AtomicU64, at: u8, is_set: bool) {
    let mask = 1u64 << (at & 63);
    if is_set {
        word.fetch_or(mask, Ordering::AcqRel);
    } else {
        word.fetch_and(!mask, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_as_the_zone_file_says_takes_no_memory() {
        let board = Board::new(4);
        board.show(Bit { word: 2, at: 3 }, Showing::DOWN);
        assert!(!board.is_adjusted());
        assert_eq!((board.word(2), board.word(3)), (!(1 << 3), u64::MAX));
    }

    #[test]
    fn what_is_adjusted_is_so_by_family_and_can_be_taken_back() {
        let board = Board::new(4);
        let (v4, v6) = (Bit { word: 2, at: 3 }, Bit { word: 3, at: 3 });
        let slow = Showing { percent: 10, ttl_max: Some(7), ..Showing::UP };
        board.show(v4, slow);
        board.show(v6, Showing::DRAINED);
        assert_eq!((board.showing(v4), board.showing(v6)), (slow, Showing::DRAINED));
        assert!(board.adjusted(0).is_none(), "a block for those who need it");
        let version = board.adjusted(2).unwrap().version();
        board.show(v4, Showing::UP);
        board.show(v6, Showing::UP);
        assert_eq!((board.showing(v4), board.showing(v6)), (Showing::UP, Showing::UP));
        assert!(!board.is_adjusted() && board.adjusted(3).is_none(), "as if nothing ever was");
        board.show(Bit { word: 0, at: 0 }, Showing::DRAINED);
        assert!(board.adjusted(3).unwrap().version() > version, "shares start anew");
    }

    #[test]
    fn a_weight_of_nothing_is_told_apart() {
        let board = Board::new(2);
        board.show(Bit { word: 1, at: 9 }, Showing { percent: 0, ..Showing::UP });
        let adjusted = board.adjusted(1).unwrap();
        assert_eq!((adjusted.idle(0), adjusted.idle(1)), (0, 1 << 9));
    }
}
