//! A hash table from name hashes to numbers, with open addressing. It grows while a zone is read,
//! and is read-only afterwards.

use super::room::with_room;

/// The number of slots in an empty table.
const SLOTS_MIN: usize = 8;

/// Numbers by hash. The caller compares what a number stands for.
#[derive(Debug)]
pub(crate) struct Index {
    /// The slots: a power of two, at most 7/8 of them taken. The upper half of a slot is the low
    /// half of the hash, the lower half the number plus one; 0 marks an empty slot. The lowest bits
    /// of the hash choose the slot.
    slots: Vec<u64>,
    len: usize,
}

impl Index {
    /// Creates an empty table.
    pub(crate) fn new() -> Self {
        Self { slots: vec![0; SLOTS_MIN], len: 0 }
    }

    /// Adds `number`, which is below 2³²−1.
    ///
    /// # Cost
    /// A few neighbouring slots. Now and then the table doubles, which walks it in order.
    pub(crate) fn insert(&mut self, hash: u64, number: u32) {
        if (self.len + 1) * 8 > self.slots.len() * 7 {
            let slots = self.slots.len() * 2;
            let mut larger = with_room(slots);
            larger.resize(slots, 0);
            for slot in std::mem::replace(&mut self.slots, larger) {
                if slot != 0 {
                    self.place(slot);
                }
            }
        }
        self.place(hash << 32 | (u64::from(number) + 1));
        self.len += 1;
    }

    fn place(&mut self, slot: u64) {
        let mask = self.slots.len() - 1;
        let mut at = (slot >> 32) as usize & mask;
        while self.slots[at] != 0 {
            at = (at + 1) & mask;
        }
        self.slots[at] = slot;
    }

    /// Returns the first number under `hash` for which `is_it` holds.
    ///
    /// # Cost
    /// A few neighbouring slots. The search ends at the first empty one, and there always is one.
    pub(crate) fn find(&self, hash: u64, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        let mask = self.slots.len().wrapping_sub(1);
        let mut at = hash as u32 as usize & mask;
        for _ in 0..self.slots.len() {
            let slot = *self.slots.get(at)?;
            if slot == 0 {
                return None;
            }
            let number = (slot as u32).wrapping_sub(1);
            if (slot >> 32) as u32 == hash as u32 && is_it(number) {
                return Some(number);
            }
            at = (at + 1) & mask;
        }
        None
    }

    /// Replaces every number by the one that `new` gives for it.
    pub(crate) fn renumber(&mut self, new: impl Fn(u32) -> u32) {
        for slot in self.slots.iter_mut().filter(|slot| **slot != 0) {
            let number = (*slot as u32).wrapping_sub(1);
            *slot = *slot >> 32 << 32 | (u64::from(new(number)) + 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(n: u32) -> u64 {
        u64::from(n).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    #[test]
    fn every_number_is_found_under_its_hash_and_no_other() {
        let mut index = Index::new();
        assert_eq!(index.find(7, |_| true), None);
        (0..1000).for_each(|n| index.insert(hash(n), n));
        for n in 0..1000 {
            assert_eq!(index.find(hash(n), |found| found == n), Some(n));
        }
        assert_eq!(index.find(hash(1000), |_| true), None);
    }

    #[test]
    fn numbers_of_one_hash_are_told_apart_and_keep_their_hash_when_renumbered() {
        let mut index = Index::new();
        (0..20).for_each(|n| index.insert(hash(n % 2), n));
        index.renumber(|n| n + 100);
        for n in 0..20 {
            assert_eq!(index.find(hash(n % 2), |found| found == n + 100), Some(n + 100));
            assert_eq!(index.find(hash(n % 2), |found| found == n), None);
        }
    }
}
