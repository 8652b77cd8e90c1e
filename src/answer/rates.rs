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
/// repeat after 12.7 days: whoever was last seen a multiple of that ago may be held back for a
/// second.
const TIME_MASK: u64 = (1 << 44) - 1;

/// A tick is a sixteenth of a microsecond.
const TICKS_PER_SECOND: u64 = 16_000_000;

/// How many ticks a full bucket takes to drain: one second's responses may be sent at once.
const CAPACITY: u64 = TICKS_PER_SECOND;

/// What is allowed, and what becomes of the rest.
#[derive(Clone, Debug)]
pub struct RateLimit {
    /// Responses a second to one IPv4 address or IPv6 /64; 0: no limit.
    pub per_source: u32,
    /// Responses a second to one IPv4 /24 or IPv6 /56; 0: no limit.
    pub per_network: u32,
    /// Of the responses above, every `slip`-th is sent with TC and nothing else, the others not
    /// at all; 0: none.
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
    /// # Cost
    /// Two hashes and two cache lines; workers that count for one source at the same instant may
    /// lose a count.
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
        // What its source holds back costs the network nothing: else who forges one address could
        // silence its neighbours.
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
        let Some(Set(buckets)) = self.sets.get(hash as usize % SETS) else { return true };
        let whose = hash & !TIME_MASK;
        let mut emptiest = None;
        for bucket in buckets {
            let word = bucket.load(Ordering::Relaxed);
            let left = time_left(word, now);
            if word & !TIME_MASK == whose {
                return fill(bucket, whose, left, rate, now);
            }
            if emptiest.is_none_or(|(_, least)| left < least) {
                emptiest = Some((bucket, left));
            }
        }
        // A source that was not seen of late: it takes the place of another such, or, in a flood
        // beyond all measure, of the one that had least.
        emptiest.is_none_or(|(bucket, _)| fill(bucket, whose, 0, rate, now))
    }
}

/// Puts a response into a bucket that takes `left` ticks to drain, at `rate`, which is not 0, a
/// second; whether it went in.
fn fill(bucket: &AtomicU64, whose: u64, left: u64, rate: u32, now: u64) -> bool {
    let left = left + (TICKS_PER_SECOND / u64::from(rate)).max(1);
    if left > CAPACITY {
        return false;
    }
    bucket.store(whose | (now + left) & TIME_MASK, Ordering::Relaxed);
    true
}

/// How long until the bucket is empty, in ticks; 0 if it is. Only the lower bits of moments are
/// there to compare: what seems to lie further ahead than a full bucket lies far behind.
fn time_left(word: u64, now: u64) -> u64 {
    let left = word.wrapping_sub(now) & TIME_MASK;
    if left > CAPACITY { 0 } else { left }
}

impl std::fmt::Debug for Rates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rates").field("limit", &self.limit).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn rates(per_source: u32, per_network: u32, slip: u32) -> Rates {
        let exempt = Access::only(&["127.0.0.0/8".parse().unwrap()]);
        Rates::new(RateLimit { per_source, per_network, slip, exempt }, [7; 16])
    }

    fn at(nanos: u64) -> Moment {
        Moment::at(Duration::from_nanos(nanos))
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// How many of `count` responses, spread evenly over `secs`, are sent whole.
    fn whole(rates: &Rates, source: IpAddr, count: u64, secs: u64, limited: &mut u32) -> u64 {
        let moment = |n| at(n * secs * 1_000_000_000 / count);
        (0..count).filter(|&n| rates.pass(source, moment(n), limited) == Pass::Whole).count() as u64
    }

    #[test]
    fn a_source_is_sent_its_rate_and_one_second_of_it_at_once() {
        let mut limited = 0;
        let rates = rates(1000, 1_000_000, 1);
        assert_eq!(whole(&rates, ip("192.0.2.1"), 9_000, 9, &mut limited), 9_000);
        assert_eq!(limited, 0);
        // 100,000 a second for 10 s: the burst of one second, and 1,000 in each of ten.
        let sent = whole(&rates, ip("198.51.100.1"), 1_000_000, 10, &mut limited);
        assert!((10_990..=11_010).contains(&sent), "{sent}");
        assert_eq!(u64::from(limited), 1_000_000 - sent);
    }

    #[test]
    fn forged_sources_of_one_network_share_its_rate() {
        for net in ["203.0.113.", "2001:db8:0:"] {
            let (rates, mut limited) = (rates(1000, 4000, 1), 0);
            let last = if net.ends_with(':') { "::1" } else { "" };
            let pass = |n: u64| {
                let source = ip(&format!("{net}{}{last}", n % 100));
                rates.pass(source, at(n * 10_000), &mut limited)
            };
            let sent = (0..1_000_000).map(pass).filter(|pass| *pass == Pass::Whole).count();
            assert!((43_900..=44_100).contains(&sent), "{net} {sent}");
        }
    }

    #[test]
    fn one_forged_source_does_not_silence_its_neighbours() {
        let (rates, mut limited) = (rates(1000, 4000, 1), 0);
        for n in 0..1_000_000 {
            rates.pass(ip("203.0.113.1"), at(n * 10_000), &mut limited);
            if n % 1000 == 999 {
                let neighbour = rates.pass(ip("203.0.113.2"), at(n * 10_000), &mut limited);
                assert_eq!(neighbour, Pass::Whole, "{n}");
            }
        }
    }

    #[test]
    fn a_flood_of_forged_sources_takes_nothing_from_others() {
        let (rates, mut limited) = (rates(100, 1_000_000, 1), 0);
        let mut random = fastrand::Rng::with_seed(3);
        for n in 0..2_000_000u64 {
            let source = IpAddr::from(random.u32(..).to_be_bytes());
            rates.pass(source, at(n * 1000), &mut limited);
            if n % 20_000 == 0 {
                let pass = rates.pass(ip("192.0.2.77"), at(n * 1000), &mut limited);
                assert_eq!(pass, Pass::Whole, "{n}");
            }
        }
        assert!(limited < 200, "{limited}");
    }

    #[test]
    fn what_is_held_back_slips_as_often_as_asked() {
        for (slip, expected) in [(0, 0), (1, 90), (2, 45), (10, 9)] {
            let (rates, mut limited) = (rates(10, 1000, slip), 0);
            let slips =
                (0..100).filter(|_| rates.pass(ip("192.0.2.1"), at(5), &mut limited) == Pass::Slip);
            assert_eq!(slips.count(), expected, "{slip}");
        }
    }

    #[test]
    fn exempt_sources_are_never_held_back_and_time_may_be_long() {
        let (rates, mut limited) = (rates(1, 1, 0), 0);
        let late = Moment::at(Duration::from_secs(400 * 86_400));
        for _ in 0..100 {
            assert_eq!(rates.pass(ip("127.0.0.1"), late, &mut limited), Pass::Whole);
        }
        assert_eq!(rates.pass(ip("::1"), late, &mut limited), Pass::Whole);
        assert_eq!(rates.pass(ip("::1"), late, &mut limited), Pass::Drop);
    }
}
