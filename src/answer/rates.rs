//! Response rate limits: how much one source, and one network, is sent over UDP.
//!
//! Whoever forges a victim's address as the source of its queries must not make us flood it. Each
//! source and each network has a leaky bucket; what runs over is answered with TC alone, so that
//! a real client comes back over a stream, where a source cannot be forged, or not at all.
//!
//! A bucket is one number: the moment at which it will be empty. One that lies in the past says no
//! more than none at all, so the place of an idle source is free at once, and the memory is fixed:
//! a flood from a million forged sources fills it with buckets that have run empty.

use std::hash::Hasher;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use siphasher::sip::SipHasher13;

use crate::clock::Moment;
use crate::snapshot::Access;

/// Buckets that a hash can lie in.
const WAYS: usize = 4;

/// Sets of buckets: with [`WAYS`], 262,144 buckets in 2 MiB.
const SETS: usize = 1 << 16;

/// The bits of a bucket that tell when it is empty, in ticks; the others tell whose it is. They
/// repeat after 12.7 days: whoever was last seen a multiple of that ago may be held back for
/// [`AHEAD_MAX`].
const TIME_MASK: u64 = (1 << 44) - 1;

/// A tick is a sixteenth of a microsecond.
const TICKS_PER_SECOND: u64 = 16_000_000;

/// How many ticks a full bucket takes to drain: one second's responses may be sent at once.
const CAPACITY: u64 = TICKS_PER_SECOND;

/// Farthest moment ahead at which a bucket may be empty, in ticks. A full bucket lies
/// further ahead than [`CAPACITY`] for a worker that read the time before the one that filled it
/// did; it is full all the same. What seems to lie further ahead than a minute was written long
/// ago.
const AHEAD_MAX: u64 = 60 * TICKS_PER_SECOND;

/// What is allowed, and what becomes of the rest.
#[derive(Clone, Debug)]
pub struct RateLimit {
    /// Responses a second to one IPv4 address or IPv6 /64; 0: no limit.
    pub per_source: u32,
    /// Responses a second to one IPv4 /24 or IPv6 /56; 0: no limit.
    pub per_network: u32,
    /// Of the responses above, every `slip`-th is sent with TC and nothing else, the others not
    /// at all; 0: drop them all.
    pub slip: u32,
    /// The sources that nothing is held back from.
    pub exempt: Access,
}

/// What becomes of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// It is sent.
    Whole,
    /// It is sent with TC and nothing else.
    Slip,
    /// It is not sent.
    Drop,
}

/// The buckets of every source, shared by all workers.
pub struct Rates {
    limit: RateLimit,
    key: SipHasher13,
    sets: Box<[Set]>,
}

#[derive(Default)]
#[repr(align(32))]
struct Set([AtomicU64; WAYS]);

impl Rates {
    /// Empty buckets. `seed` decides which sources share a set; it must not be guessable.
    pub fn new(limit: RateLimit, seed: [u8; 16]) -> Self {
        let sets = (0..SETS).map(|_| Set::default()).collect();
        Self { limit, key: SipHasher13::new_with_key(&seed), sets }
    }

    /// Counts a response to `source` at `now`. `limited`: how many the caller has held back.
    ///
    /// Holds for all workers together, although each has a `now` of its own: over any time, no more
    /// is passed than what drains in it and in the time by which their clocks differ, and one full
    /// bucket.
    ///
    /// # Cost
    /// Two hashes and two cache lines. No lock: a worker begins anew only if another has just
    /// counted in the same bucket.
    pub fn pass(&self, source: IpAddr, now: Moment, limited: &mut u32) -> Pass {
        if self.limit.exempt.admits(source) {
            return Pass::Whole;
        }
        let (host, network) = match source {
            IpAddr::V4(source) => {
                let bits = u64::from(u32::from(source));
                (bits, bits & 0xffff_ff00 | 1 << 32)
            }
            IpAddr::V6(source) => {
                let bits = (u128::from(source) >> 64) as u64;
                (bits, bits & !0xff)
            }
        };
        let v6 = u8::from(source.is_ipv6());
        let now = (now.since(Moment::default()).as_nanos() * 2 / 125) as u64;
        // Responses withheld by the limit of the source are not charged to the network: otherwise
        // forging one address would silence its neighbours.
        if self.count(v6, host, self.limit.per_source, now)
            && self.count(v6 | 2, network, self.limit.per_network, now)
        {
            return Pass::Whole;
        }
        *limited = limited.wrapping_add(1);
        match self.limit.slip {
            0 => Pass::Drop,
            slip if limited.is_multiple_of(slip) => Pass::Slip,
            _ => Pass::Drop,
        }
    }

    /// Puts one response into a bucket that drains `rate` a second and holds as many; whether it
    /// went in.
    fn count(&self, kind: u8, bits: u64, rate: u32, now: u64) -> bool {
        if rate == 0 {
            return true;
        }
        let mut hasher = self.key;
        hasher.write_u8(kind);
        hasher.write_u64(bits);
        let hash = hasher.finish();
        let Some(set) = self.sets.get(hash as usize % SETS) else { return true };
        let drained_in = TICKS_PER_SECOND.div_ceil(u64::from(rate));
        loop {
            if let Some(fits) = set.try_count(hash & !TIME_MASK, drained_in, now) {
                return fits;
            }
        }
    }
}

impl Set {
    /// Puts one response, which drains in so many ticks, into the bucket of `whose`; returns
    /// whether it fits, or `None` if another worker has changed that bucket meanwhile.
    fn try_count(&self, whose: u64, drained_in: u64, now: u64) -> Option<bool> {
        let mut emptiest: Option<(&AtomicU64, u64, u64)> = None;
        for bucket in &self.0 {
            let word = bucket.load(Ordering::Relaxed);
            let left = time_left(word, now);
            if word & !TIME_MASK == whose {
                return fill(bucket, word, whose, left + drained_in, now);
            }
            if emptiest.is_none_or(|(_, _, least)| left < least) {
                emptiest = Some((bucket, word, left));
            }
        }
        // A source that was not seen of late: it takes the place of another such, or, in a flood
        // beyond all measure, of the one that had least.
        let Some((bucket, word, _)) = emptiest else { return Some(true) };
        fill(bucket, word, whose, drained_in, now)
    }
}

/// Turns a bucket, if it still holds `word`, into one of `whose` that takes `left` ticks to drain;
/// returns whether it holds as much.
fn fill(bucket: &AtomicU64, word: u64, whose: u64, left: u64, now: u64) -> Option<bool> {
    if left > CAPACITY {
        return Some(false);
    }
    let filled = whose | (now + left) & TIME_MASK;
    let swapped = bucket.compare_exchange_weak(word, filled, Ordering::Relaxed, Ordering::Relaxed);
    swapped.is_ok().then_some(true)
}

/// Returns how long until the bucket is empty, in ticks; 0 if it is. Only the lower bits of moments
/// are there to compare.
fn time_left(word: u64, now: u64) -> u64 {
    let left = word.wrapping_sub(now) & TIME_MASK;
    if left > AHEAD_MAX { 0 } else { left }
}

impl std::fmt::Debug for Rates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rates").field("limit", &self.limit).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
