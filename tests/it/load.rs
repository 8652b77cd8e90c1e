//! Traffic: UDP queries at a steady rate from a few sockets, every reply checked, bounded in time.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// The number of sockets, each with its own thread.
const SOCKETS: usize = 4;
/// The interval at which a thread sends what is due.
const TICK: Duration = Duration::from_millis(1);
/// The time to wait for the last replies; those that come later are lost.
const LATE: Duration = Duration::from_secs(2);
/// The most queries under way from one socket. The server's socket has room for those of all: a
/// machine that is too slow for the rate sends less, and loses nothing. A server that stands still
/// shows in [`Tally::silence`].
const UNDER_WAY_MAX: u64 = 48;
/// The longest silence of a server that is said to answer all the time.
pub(crate) const SILENCE_MAX: Duration = Duration::from_secs(1);
/// The longest time that a load lasts, whatever a test does.
const DURATION_MAX: Duration = Duration::from_secs(3600);

/// The outcomes of the queries.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) sent: u64,
    pub(crate) answered: u64,
    /// Replies that the test's check refused.
    pub(crate) wrong: u64,
    /// The longest time for which a socket with queries under way got no reply.
    pub(crate) silence: Duration,
    /// The first complaints of the check.
    pub(crate) complaints: Vec<String>,
}

impl Tally {
    /// Returns the number of queries without a reply.
    pub(crate) fn lost(&self) -> u64 {
        self.sent - self.answered
    }
}

/// A check of a reply and of the time at which it came.
pub(crate) type Look = dyn Fn(&[u8], Instant) -> Result<(), String> + Send + Sync;

/// Running traffic.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    senders: Vec<JoinHandle<Tally>>,
}

impl Load {
    /// Sends `rate` queries a second to `server`, from `queries` in turn (their ids are
    /// overwritten), and shows every reply to `look`.
    pub(crate) fn start(
        server: SocketAddr,
        rate: u64,
        queries: Vec<Vec<u8>>,
        look: Arc<Look>,
    ) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let queries = Arc::new(queries);
        let senders = (0..SOCKETS)
            .map(|_| {
                let (stop, queries, look) =
                    (Arc::clone(&stop), Arc::clone(&queries), Arc::clone(&look));
                let rate = rate / SOCKETS as u64;
                thread::spawn(move || Sender::new(server, queries).run(rate, &stop, &*look))
            })
            .collect();
        Self { stop, senders }
    }

    /// Stops sending, waits for the last replies, and adds up the outcomes.
    pub(crate) fn finish(self) -> Tally {
        self.stop.store(true, Ordering::SeqCst);
        let mut total = Tally::default();
        for sender in self.senders {
            let tally = sender.join().expect("a sender ends");
            total.sent += tally.sent;
            total.answered += tally.answered;
            total.wrong += tally.wrong;
            total.silence = total.silence.max(tally.silence);
            total.complaints.extend(tally.complaints);
        }
        total
    }
}

/// One socket and the queries under way on it.
struct Sender {
    socket: UdpSocket,
    queries: Arc<Vec<Vec<u8>>>,
    /// By id: the time at which the query was sent, if no reply has come.
    waiting: Vec<Option<Instant>>,
    /// The time of the last reply, or of the first query after all replies had come.
    quiet_since: Instant,
    tally: Tally,
}

impl Sender {
    fn new(server: SocketAddr, queries: Arc<Vec<Vec<u8>>>) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket on loopback");
        socket.connect(server).expect("loopback is reachable");
        socket.set_nonblocking(true).expect("non-blocking");
        let _ = socket2::SockRef::from(&socket).set_recv_buffer_size(4 << 20);
        let (waiting, quiet_since) = (vec![None; 1 << 16], Instant::now());
        Self { socket, queries, waiting, quiet_since, tally: Tally::default() }
    }

    fn run(mut self, rate: u64, stop: &AtomicBool, look: &Look) -> Tally {
        let start = Instant::now();
        while !stop.load(Ordering::SeqCst) && start.elapsed() < DURATION_MAX {
            let due = start.elapsed().as_micros() as u64 * rate / 1_000_000;
            let burst = due.saturating_sub(self.tally.sent);
            let room = UNDER_WAY_MAX.saturating_sub(self.tally.lost());
            for _ in 0..burst.min(room) {
                self.send();
            }
            self.receive(look);
            thread::sleep(TICK);
        }
        let last = Instant::now();
        while self.tally.answered < self.tally.sent && last.elapsed() < LATE {
            self.receive(look);
            thread::sleep(TICK);
        }
        self.tally
    }

    fn send(&mut self) {
        let id = self.tally.sent as u16;
        let mut query = self.queries[self.tally.sent as usize % self.queries.len()].clone();
        query[..2].copy_from_slice(&id.to_be_bytes());
        if self.tally.lost() == 0 {
            self.quiet_since = Instant::now();
        }
        // A full send buffer is this test's limit, not the server's: try again at the next tick.
        if self.socket.send(&query).is_ok() {
            self.waiting[usize::from(id)] = Some(Instant::now());
            self.tally.sent += 1;
        }
    }

    fn receive(&mut self, look: &Look) {
        let mut buffer = [0; 4096];
        while let Ok(len) = self.socket.recv(&mut buffer) {
            let reply = &buffer[..len];
            let id = usize::from(u16::from_be_bytes([reply[0], reply[1]]));
            let Some(_) = self.waiting[id].take() else {
                self.complain("a reply to no query, or a second one".to_owned());
                continue;
            };
            let now = Instant::now();
            self.tally.silence = self.tally.silence.max(now - self.quiet_since);
            self.quiet_since = now;
            self.tally.answered += 1;
            if let Err(complaint) = look(reply, now) {
                self.complain(complaint);
            }
        }
    }

    fn complain(&mut self, complaint: String) {
        self.tally.wrong += 1;
        if self.tally.complaints.len() < 5 {
            self.tally.complaints.push(complaint);
        }
    }
}
