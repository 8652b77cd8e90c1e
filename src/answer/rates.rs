//! Response rate limits: how much is sent to one source, and to one network, over UDP.
//!
//! An attacker that forges the address of a victim as the source of queries must not make us flood
//! it. Each source and each network has a leaky bucket. A response that does not fit is replaced by
//! TC alone, or dropped. A real client then comes back over a stream, where a source cannot be
//! forged.
//!
//! A bucket is one number: the moment at which it will be empty. A moment in the past means the
//! same as no bucket. So the place of an idle source is free at once and the memory is fixed: a
//! flood from a million forged sources only fills it with buckets that have run empty.

use std::hash::Hasher;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use siphasher::sip::SipHasher13;

use crate::clock::Moment;
use crate::snapshot::Access;

/// The number of buckets of a set, of which a source may take any.
const WAYS: usize = 4;

/// The number of sets: with [`WAYS`], 262,144 buckets in 2 MiB.
const SETS: usize = 1 << 16;

/// The bits of a bucket that hold the moment at which it is empty, in ticks; the other bits say
/// which source it belongs to. The moments repeat after 12.7 days: a source last seen a multiple of
/// that ago may be held back for [`AHEAD_MAX`].
const TIME_MASK: u64 = (1 << 44) - 1;

/// The number of ticks in a second; a tick is a sixteenth of a microsecond.
const TICKS_PER_SECOND: u64 = 16_000_000;

/// The ticks that a full bucket takes to drain: the responses of one second may be sent at once.
const CAPACITY: u64 = TICKS_PER_SECOND;

/// The farthest moment ahead at which a bucket may be empty, in ticks. A full bucket is further
/// ahead than [`CAPACITY`] for a worker that read the clock before the worker that filled it did;
/// it is full all the same. A bucket further ahead than a minute was written long ago.
const AHEAD_MAX: u64 = 60 * TICKS_PER_SECOND;

/// The rate limits, and the treatment of responses above them.
#[derive(Clone, Debug)]
pub struct RateLimit {
    /// The responses a second to one IPv4 address or IPv6 /64; 0 for no limit.
    pub per_source: u32,
    /// The responses a second to one IPv4 /24 or IPv6 /56; 0 for no limit.
    pub per_network: u32,
    /// The part of the responses above the limits that is sent, with TC and nothing else: every
    /// `slip`-th. The others are dropped; with 0, all are.
    pub slip: u32,
    /// The sources without limits.
    pub exempt: Access,
}

/// The treatment of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// Send it.
    Whole,
    /// Send it with TC and nothing else.
    Slip,
    /// Do not send it.
    Drop,
}

/// The buckets of all sources, shared by all workers.
pub struct Rates {
    limit: RateLimit,
    key: SipHasher13,
    sets: Box<[Set]>,
}

#[derive(Default)]
#[repr(align(32))]
struct Set([AtomicU64; WAYS]);

impl Rates {
    /// Creates empty buckets. `seed` decides which sources share a set; it must not be guessable.
    pub fn new(limit: RateLimit, seed: [u8; 16]) -> Self {
        let sets = (0..SETS).map(|_| Set::default()).collect();
        Self { limit, key: SipHasher13::new_with_key(&seed), sets }
    }

    /// Counts a response to `source` at `now`. `limited` counts the responses that the caller has
    /// held back.
    ///
    /// The limit holds for all workers together, although each has its own `now`. Over any time, no
    /// more passes than one full bucket and what drains in that time plus the difference of their
    /// clocks.
    ///
    /// # Cost
    /// Two hashes and two cache lines. There is no lock: a worker only starts again if another one
    /// has just counted in the same bucket.
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
        // Responses held back by the limit of the source are not charged to the network: otherwise
        // one forged address would silence its neighbours.
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

    /// Puts one response into a bucket that drains `rate` responses a second and holds as many.
    /// Returns whether it fits.
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
    /// Puts one response, which drains in `drained_in` ticks, into the bucket of `whose`. Returns
    /// whether it fits; `None` if another worker has changed that bucket meanwhile.
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
        // The source has no bucket: it takes the place of an empty one. In a flood beyond all
        // measure it takes the place of the bucket with the least in it.
        let Some((bucket, word, _)) = emptiest else { return Some(true) };
        fill(bucket, word, whose, drained_in, now)
    }
}

/// Replaces a bucket that still holds `word` by one of `whose` that takes `left` ticks to drain.
/// Returns whether that fits; `None` if the bucket no longer holds `word`.
fn fill(bucket: &AtomicU64, word: u64, whose: u64, left: u64, now: u64) -> Option<bool> {
    if left > CAPACITY {
        return Some(false);
    }
    let filled = whose | (now + left) & TIME_MASK;
    let swapped = bucket.compare_exchange_weak(word, filled, Ordering::Relaxed, Ordering::Relaxed);
    swapped.is_ok().then_some(true)
}

/// Returns the ticks until a bucket is empty, 0 if it is. Only the lower bits of moments can be
/// compared.
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
