//! The states as the data plane reads them: bits.

use std::sync::atomic::{AtomicU64, Ordering};

/// Which endpoint addresses of one zone may serve: one bit each, 64 to a word.
///
/// ## Data
/// A set bit: up or unknown. A bit that no endpoint has stays set and means nothing.
///
/// ## Access
/// [`super::Table`] alone writes; every worker reads whole words. A word is published as one
/// value, so the (at most 64) endpoints of one pool change together.
#[derive(Debug)]
pub struct Board(Box<[AtomicU64]>);

/// One endpoint address's place on a [`Board`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Bit {
    /// Which word.
    pub word: u32,
    /// Which bit of it, 0 to 63.
    pub at: u8,
}

impl Board {
    /// A board of `words` words, every bit set.
    pub fn new(words: usize) -> Self {
        Self((0..words).map(|_| AtomicU64::new(u64::MAX)).collect())
    }

    /// One word; all ones beyond the end.
    ///
    /// # Cost
    /// One atomic load.
    pub fn word(&self, at: u32) -> u64 {
        self.0.get(at as usize).map_or(u64::MAX, |word| word.load(Ordering::Acquire))
    }

    /// Whether what the bit stands for may serve.
    pub fn is_set(&self, bit: Bit) -> bool {
        self.word(bit.word) >> (bit.at & 63) & 1 == 1
    }

    /// Sets or clears one bit; nothing beyond the end.
    pub fn set(&self, bit: Bit, may_serve: bool) {
        if let Some(word) = self.0.get(bit.word as usize) {
            let mask = 1u64 << (bit.at & 63);
            if may_serve {
                word.fetch_or(mask, Ordering::AcqRel);
            } else {
                word.fetch_and(!mask, Ordering::AcqRel);
            }
        }
    }
}
