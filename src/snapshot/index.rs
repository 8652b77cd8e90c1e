//! A hash table from name hashes to numbers: open addressing, built once, read by anyone.

const EMPTY: u32 = u32::MAX;

/// Numbers by hash. What a number stands for is compared by whoever asks.
#[derive(Debug)]
pub(super) struct Index {
    /// A power of two of slots, at most 7/8 of them taken.
    slots: Box<[Slot]>,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    /// The upper half of the hash; the lower half decides the place.
    tag: u32,
    item: u32,
}

impl Index {
    /// A table with room for `capacity` numbers.
    pub(super) fn with_capacity(capacity: usize) -> Self {
        let slots = (capacity * 8 / 7 + 1).next_power_of_two();
        Self { slots: vec![Slot { tag: 0, item: EMPTY }; slots].into() }
    }

    /// Adds `item`, in at most the capacity's number of calls.
    pub(super) fn insert(&mut self, hash: u64, item: u32) {
        let mask = self.slots.len() - 1;
        let mut at = hash as usize & mask;
        for _ in 0..self.slots.len() {
            if self.slots[at].item == EMPTY {
                self.slots[at] = Slot { tag: (hash >> 32) as u32, item };
                return;
            }
            at = (at + 1) & mask;
        }
    }

    /// The first number under `hash` that `is_it`.
    ///
    /// # Cost
    /// A few neighbouring slots; ends at the first empty one, and there always is one.
    pub(super) fn find(&self, hash: u64, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        let mask = self.slots.len().wrapping_sub(1);
        let mut at = hash as usize & mask;
        for _ in 0..self.slots.len() {
            let slot = self.slots.get(at)?;
            if slot.item == EMPTY {
                return None;
            }
            if slot.tag == (hash >> 32) as u32 && is_it(slot.item) {
                return Some(slot.item);
            }
            at = (at + 1) & mask;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_found_under_its_hash_and_no_other() {
        let hash = |n: u32| u64::from(n).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut index = Index::with_capacity(1000);
        (0..1000).for_each(|n| index.insert(hash(n), n));
        for n in 0..1000 {
            assert_eq!(index.find(hash(n), |found| found == n), Some(n));
        }
        assert_eq!(index.find(hash(1000), |_| true), None);
        assert_eq!(Index::with_capacity(0).find(7, |_| true), None);
    }
}
