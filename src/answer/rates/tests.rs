use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use proptest::prelude::*;

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

/// Counts those of `count` responses, spread evenly over `secs`, that are sent whole.
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

/// A moment shortly before the lower bits of moments start again from 0.
const WRAP: u64 = (1 << 44) / TICKS_PER_SECOND * 1_000_000_000 - 500_000_000;

#[test]
fn workers_whose_clocks_differ_are_one_limit() {
    for behind in [31_000, 5_000_000, 5_000_000_000] {
        for begin in [60_000_000_000, WRAP] {
            let (rates, mut limited) = (rates(1000, 4000, 1), 0);
            // 20,000 a second for 3 s, every second one by a worker that reads the time late.
            let now = |n: u64| at(begin + n * 50_000 - n % 2 * behind);
            let whole = |n: &u64| rates.pass(ip("192.0.2.1"), now(*n), &mut limited) == Pass::Whole;
            let sent = (0..60_000).filter(whole).count();
            assert!((3_990..=4_010).contains(&sent), "{sent}, {behind} ns behind");
        }
    }
}

proptest! {
    #[test]
    fn no_order_of_clocks_passes_more_than_drains(
        skews in prop::collection::vec(0u64..5_000, 1..9),
        steps in prop::collection::vec((0usize..9, 0u64..3_000, 0u8..4), 1..2_000),
    ) {
        let (rates, mut limited) = (rates(500, 800, 1), 0);
        let (begin, mut real) = (6_000_000u64, 0u64);
        let mut sent = [0u64; 4];
        for (worker, micros, host) in steps {
            real += micros;
            let now = begin + real - skews[worker % skews.len()] * 1_000;
            let source = IpAddr::from([203, 0, 113, host]);
            let pass = rates.pass(source, at(now * 1_000), &mut limited);
            sent[usize::from(host)] += u64::from(pass == Pass::Whole);
        }
        // One bucket, the responses that drain meanwhile, and the greatest difference of the
        // clocks.
        let secs = 1.0 + (real as f64 + 5_000_000.0) / 1e6;
        for sent in sent {
            prop_assert!(sent as f64 <= 500.0 * secs + 1.0, "{} in {} s", sent, secs);
        }
        prop_assert!(sent.iter().sum::<u64>() as f64 <= 800.0 * secs + 1.0);
    }
}

/// Returns the number of responses that pass while threads count for `secs` seconds, in a time that
/// advances with each count. Each thread is a worker `behind` the time by some nanoseconds.
fn passed_by_threads(rates: &Rates, behind: &[u64], sources: u32, secs: u64) -> u64 {
    let (barrier, time) = (Barrier::new(behind.len()), AtomicU64::new(60_000_000_000));
    let count = |behind: u64| {
        let (mut limited, mut sent) = (0, 0);
        barrier.wait();
        for n in 0u32.. {
            let real = time.fetch_add(5_000, Ordering::Relaxed);
            if real >= (60 + secs) * 1_000_000_000 {
                break;
            }
            let source = IpAddr::from((0xc633_6400 + n % sources).to_be_bytes());
            let pass = rates.pass(source, at(real - behind), &mut limited);
            sent += u64::from(pass == Pass::Whole);
        }
        sent
    };
    thread::scope(|scope| {
        let threads: Vec<_> =
            behind.iter().map(|&behind| scope.spawn(move || count(behind))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    })
}

#[test]
fn threads_that_count_at_once_lose_no_count() {
    for behind in [[0; 8], [0, 5, 10, 31, 100, 400, 900, 2_000].map(|ms| ms * 1_000_000)] {
        let skew = behind[7] as f64 / 1e9;
        for (sources, per_second) in [(1, 1000.0), (250, 4000.0)] {
            let sent = passed_by_threads(&rates(1000, 4000, 1), &behind, sources, 3) as f64;
            let allowed = per_second * (1.0 + 3.0);
            assert!(sent <= per_second * (4.0 + skew) + 1.0, "{sent} of {allowed}, {behind:?}");
            assert!(sent >= 0.9 * allowed, "{sent} of {allowed}, {behind:?}");
        }
    }
}

#[test]
fn of_two_that_see_room_for_one_one_passes() {
    let (whose, drained_in, now) = (7 << 44, 16_000, 5_000_000);
    let word = whose | (now + CAPACITY - drained_in);
    let first = Set::default();
    first.0[1].store(word, Ordering::Relaxed);
    // Both have loaded the bucket; the one that stores second finds that it has changed.
    let fills = [now, now + 50].map(|now| fill(&first.0[1], word, whose, CAPACITY, now));
    assert_eq!(fills, [Some(true), None]);
    assert_eq!(first.try_count(whose, drained_in, now + 50), Some(false));
}
