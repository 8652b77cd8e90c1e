//! A load generator: sends queries at a fixed rate, whatever comes back, and counts the outcomes.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

use crate::stamped::Stamped;

/// Sockets, one for each client. Its ids repeat after five seconds at 50,000 queries a second.
const SOCKETS: usize = 4;
const IDS: usize = 1 << 16;
/// The pause of the generator after each turn of sending and receiving.
const REST: Duration = Duration::from_micros(20);
/// The time that the last responses have to arrive.
const LATE: Duration = Duration::from_secs(2);
/// Counters of latencies, one for each microsecond; the last one counts all longer ones, too.
const MICROS: usize = 20_000;

/// The outcomes of the queries of one second, or of several.
#[derive(Clone)]
pub(crate) struct Seen {
    pub(crate) sent: u64,
    /// Queries without a response, or with a response other than NOERROR with an answer.
    pub(crate) lost: u64,
    /// Responses that name an endpoint: all of them, and those that name a marked one.
    pub(crate) named: (u64, u64),
    /// The number of responses by latency in microseconds.
    micros: Vec<u32>,
}

impl Default for Seen {
    fn default() -> Self {
        Self { sent: 0, lost: 0, named: (0, 0), micros: vec![0; MICROS] }
    }
}

impl Seen {
    /// Adds up the outcomes of some seconds.
    pub(crate) fn sum<'s>(all: impl Iterator<Item = &'s Self>) -> Self {
        all.fold(Self::default(), |mut sum, one| {
            sum.sent += one.sent;
            sum.lost += one.lost;
            sum.named = (sum.named.0 + one.named.0, sum.named.1 + one.named.1);
            sum.micros.iter_mut().zip(&one.micros).for_each(|(sum, one)| *sum += one);
            sum
        })
    }

    /// Returns the latency that this share of the responses kept to, in microseconds.
    pub(crate) fn micros_of(&self, share: f64) -> usize {
        let all: u64 = self.micros.iter().map(|&count| u64::from(count)).sum();
        let (wanted, mut seen) = ((all as f64 * share) as u64, 0);
        let found = self.micros.iter().position(|&count| {
            seen += u64::from(count);
            seen > wanted
        });
        found.unwrap_or(MICROS)
    }
}

/// A query without its id, and whether it asks for an endpoint.
pub(crate) struct Query {
    pub(crate) octets: Vec<u8>,
    pub(crate) is_checked: bool,
}

/// A function that tells whether the address in a response is that of a marked endpoint.
pub(crate) type IsMarked = fn([u8; 4]) -> bool;

/// The running generator, which is a thread.
pub(crate) struct Load {
    second: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    generator: JoinHandle<io::Result<Vec<Seen>>>,
}

impl Load {
    /// Starts sending `rate` queries a second, from `queries` in turn. They count in second 0 of
    /// `seconds` until [`Load::enter`] is called.
    pub(crate) fn start(
        server: SocketAddr,
        rate: u64,
        seconds: usize,
        (queries, is_marked): (Vec<Query>, IsMarked),
    ) -> io::Result<Self> {
        let (second, stop) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let lanes: io::Result<Vec<Lane>> = (0..SOCKETS).map(|_| Lane::connect(server)).collect();
        let (lanes, seen) = (lanes?, vec![Seen::default(); seconds]);
        let generator = Generator { lanes, queries, is_marked, seen };
        let (in_second, until) = (Arc::clone(&second), Arc::clone(&stop));
        let generator = thread::spawn(move || generator.run(rate, &in_second, &until));
        Ok(Self { second, stop, generator })
    }

    /// Counts what is sent from now on in `second`.
    pub(crate) fn enter(&self, second: usize) {
        self.second.store(second, Ordering::SeqCst);
    }

    /// Stops sending, waits for the last responses, and returns the outcomes of each second.
    pub(crate) fn finish(self) -> io::Result<Vec<Seen>> {
        self.stop.store(true, Ordering::SeqCst);
        self.generator.join().map_err(|_| io::Error::other("the generator broke off"))?
    }
}

struct Generator {
    lanes: Vec<Lane>,
    queries: Vec<Query>,
    is_marked: IsMarked,
    seen: Vec<Seen>,
}

/// One socket and the queries under way on it.
struct Lane {
    socket: Stamped,
    /// By id: when the query left, its second, and its index in the queries.
    waiting: Vec<Option<(u64, usize, usize)>>,
}

impl Lane {
    fn connect(server: SocketAddr) -> io::Result<Self> {
        Ok(Self { socket: Stamped::connect(server)?, waiting: vec![None; IDS] })
    }
}

impl Generator {
    fn run(mut self, rate: u64, second: &AtomicUsize, stop: &AtomicBool) -> io::Result<Vec<Seen>> {
        let (start, mut sent) = (Instant::now(), 0);
        while !stop.load(Ordering::SeqCst) {
            let due = start.elapsed().as_micros() as u64 * rate / 1_000_000;
            let second = second.load(Ordering::SeqCst);
            for number in sent..due {
                self.send(number as usize, second)?;
            }
            sent = due;
            self.receive()?;
            thread::sleep(REST);
        }
        let last = Instant::now();
        while last.elapsed() < LATE {
            self.receive()?;
            thread::sleep(REST);
        }
        for (_, second, _) in self.lanes.iter().flat_map(|lane| &lane.waiting).flatten() {
            self.seen[*second].lost += 1;
        }
        Ok(self.seen)
    }

    fn send(&mut self, number: usize, second: usize) -> io::Result<()> {
        let (lane, id) = (&mut self.lanes[number % SOCKETS], number / SOCKETS % IDS);
        let query = number % self.queries.len();
        let octets = &mut self.queries[query].octets;
        octets[..2].copy_from_slice(&(id as u16).to_be_bytes());
        if let Some((_, second, _)) = lane.waiting[id].replace((now(), second, query)) {
            self.seen[second].lost += 1;
        }
        self.seen[second].sent += 1;
        lane.socket.send(octets).map(|_| ())
    }

    fn receive(&mut self) -> io::Result<()> {
        let Self { lanes, queries, is_marked, seen } = self;
        for Lane { socket, waiting } in lanes {
            socket.receive(|response, at| {
                let id = u16::from_be_bytes([response[0], response[1]]);
                let Some((left, second, query)) = waiting[usize::from(id)].take() else { return };
                let seen = &mut seen[second];
                let micros = at.saturating_sub(left) / 1000;
                seen.micros[(micros as usize).min(MICROS - 1)] += 1;
                // The answer follows the question: a pointer to the name, ten octets, an address.
                let query = &queries[query];
                let address = query.octets.len() + 12;
                let is_answer = response[3] & 15 == 0 && response[7] > 0;
                match response.get(address..address + 4).and_then(|octets| octets.try_into().ok()) {
                    Some(octets) if is_answer && query.is_checked => {
                        seen.named.0 += 1;
                        seen.named.1 += u64::from(is_marked(octets));
                    }
                    Some(_) if is_answer => {}
                    _ => seen.lost += 1,
                }
            })?;
        }
        Ok(())
    }
}

/// Returns the system's clock in nanoseconds; the kernel stamps arrivals with it, too.
fn now() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.map_or(0, |now| now.as_nanos() as u64)
}
