//! Admission of connections: one mechanism for every transport that has them.
//!
//! ```text
//! accept ─▶ Door: takes a seat, or that of the idlest connection ─▶ a task, with a Peer
//! ```
//!
//! All connections of a thread share one responder and its output buffer without a lock, because no
//! two tasks run at once.

use std::cell::RefCell;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, LocalSet, spawn_local};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::counters::Counters;
use super::limits::StreamLimits;
use super::seats::{Seat, Seats};
use super::supervised::{FRESHEN, Supervised};
use super::{Over, Respond};
use crate::clock::{Clock, LogThrottle, Moment, and_more};

/// The pause of a listener after an error, such as a lack of descriptors.
pub(super) const REST: Duration = Duration::from_millis(100);

/// The time for connections to send what they still have, once they are told to stop.
const DRAIN: Duration = Duration::from_secs(2);

/// The things that all connections of one thread share.
pub(super) struct Shared<R> {
    pub(super) limits: StreamLimits,
    pub(super) responder: RefCell<Supervised<R>>,
    /// The room for responses.
    pub(super) output: RefCell<Box<[u8]>>,
    pub(super) counters: Arc<Counters>,
    pub(super) clock: Clock,
    pub(super) stop: watch::Receiver<bool>,
}

/// A sender that every connection holds: the channel closes with the last of them.
pub(super) type Alive = mpsc::Sender<Infallible>;

impl<R: Respond> Shared<R> {
    /// Runs the tasks that `open` starts until the thread is told to stop, then lets the
    /// connections end.
    ///
    /// `open` gives each [`Door`] a clone of the sender.
    pub(super) fn run(
        self,
        runtime: &Runtime,
        open: impl FnOnce(&Rc<Self>, Alive) -> Vec<JoinHandle<()>>,
    ) {
        let shared = Rc::new(self);
        LocalSet::new().block_on(runtime, async {
            let (alive, mut all_ended) = mpsc::channel(1);
            let mut tasks = open(&shared, alive);
            tasks.push(spawn_local(freshen(Rc::clone(&shared))));
            shared.stopped().await;
            tasks.iter().for_each(JoinHandle::abort);
            let _ = timeout(DRAIN, all_ended.recv()).await;
        });
    }

    /// Waits until the thread is told to stop.
    pub(super) async fn stopped(&self) {
        // An error means that the sender is gone: stop.
        let _ = self.stop.clone().wait_for(|&stop| stop).await;
    }
}

/// Keeps the responder from holding on to old data while no query comes, until aborted.
async fn freshen<R: Respond>(shared: Rc<Shared<R>>) {
    loop {
        tokio::time::sleep(FRESHEN).await;
        shared.responder.borrow_mut().freshen();
    }
}

/// The entrance to one transport, with as many seats as its limits allow.
pub(super) struct Door<R> {
    pub(super) over: Over,
    pub(super) shared: Rc<Shared<R>>,
    seats: RefCell<Seats>,
    _alive: Alive,
}

impl<R: Respond> Door<R> {
    /// Creates a door with all seats free.
    pub(super) fn new(over: Over, shared: &Rc<Shared<R>>, alive: Alive) -> Rc<Self> {
        let seats = RefCell::new(Seats::new(shared.limits));
        Rc::new(Self { over, shared: Rc::clone(shared), seats, _alive: alive })
    }

    /// Accepts connections and runs `serve` for each in its own task, until aborted.
    pub(super) async fn accept<F>(
        self: Rc<Self>,
        listener: TcpListener,
        serve: impl Fn(TcpStream, Peer<R>) -> F,
    ) where
        F: Future<Output = ()> + 'static,
    {
        let mut log = LogThrottle::new(self.shared.clock.clone());
        loop {
            match listener.accept().await {
                Ok((stream, source)) => {
                    // Responses are written whole. Waiting to fill a segment would only delay them.
                    let _ = stream.set_nodelay(true);
                    self.admit(source, |peer| serve(stream, peer));
                }
                // The client was gone before the connection was accepted.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    self.shared.counters.receive_errors.add(1);
                    if let Some(unsaid) = log.admit() {
                        let more = and_more(unsaid);
                        tracing::warn!(
                            unsaid,
                            "cannot accept connections, trying again: {error}{more}"
                        );
                    }
                    tokio::time::sleep(REST).await;
                }
            }
        }
    }

    /// Runs `serve` for a connection from `source` in its own task. Drops the connection if its
    /// source has too many, and closes the idlest other one if there are too many in all.
    pub(super) fn admit<F>(self: &Rc<Self>, source: SocketAddr, serve: impl FnOnce(Peer<R>) -> F)
    where
        F: Future<Output = ()> + 'static,
    {
        let counters = &self.shared.counters;
        counters.accepted.add(1);
        let now = self.shared.clock.now();
        let Some(seat) = self.seats.borrow_mut().take(source.ip(), now) else {
            counters.refused.add(1);
            return;
        };
        let task = spawn_local(serve(Peer { source, seat, since: now, door: Rc::clone(self) }));
        // The task has not run yet, so its seat is still there to be filled.
        if self.seats.borrow_mut().fill(seat, task.abort_handle()) {
            counters.evicted.add(1);
        }
    }
}

/// The client of a connection. Its seat is given back when this is dropped.
pub(super) struct Peer<R> {
    pub(super) source: SocketAddr,
    /// The moment at which the connection came.
    pub(super) since: Moment,
    seat: Seat,
    door: Rc<Door<R>>,
}

impl<R> Peer<R> {
    /// Returns the transport.
    pub(super) fn over(&self) -> Over {
        self.door.over
    }

    /// Returns what all connections of the thread share.
    pub(super) fn shared(&self) -> &Shared<R> {
        &self.door.shared
    }

    /// Notes that a whole query came.
    pub(super) fn stir(&self, now: Moment) {
        self.door.seats.borrow_mut().stir(self.seat, now);
    }
}

impl<R: Respond> Peer<R> {
    /// Waits for `handshake`. `None` if the client breaks it off, speaks another protocol or takes
    /// too long, or if the thread is told to stop.
    pub(super) async fn shake<T, E>(
        &self,
        handshake: impl Future<Output = Result<T, E>>,
    ) -> Option<T> {
        let Shared { limits, counters, .. } = self.shared();
        tokio::select! {
            biased;
            () = self.shared().stopped() => None,
            done = timeout(limits.first_query, handshake) => match done {
                Ok(Ok(connection)) => Some(connection),
                Ok(Err(_)) => {
                    counters.failed_handshakes.add(1);
                    None
                }
                Err(_) => {
                    counters.expired.add(1);
                    None
                }
            },
        }
    }

    /// Speaks TLS over `stream`; `None` as [`Self::shake`].
    pub(super) async fn secure(
        &self,
        tls: &TlsAcceptor,
        stream: TcpStream,
    ) -> Option<TlsStream<TcpStream>> {
        self.shake(tls.accept(stream)).await
    }
}

impl<R> Drop for Peer<R> {
    fn drop(&mut self) {
        self.door.seats.borrow_mut().leave(self.seat);
    }
}
