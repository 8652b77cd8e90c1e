//! DNS over TCP (RFC 7766) and over TLS (RFC 7858): one thread for all listeners of a kind and
//! their connections.
//!
//! ```text
//! accept ─▶ Seats: is there room for this source, whom to close for it ─▶ one task a connection
//! TLS: handshake
//! Connection: read ─▶ Inbox: whole messages ─▶ Respond ─▶ one write for all that had arrived
//! ```
//!
//! One thread, so that connections share a responder and its output buffer without a lock. It is
//! enough: what needs many is UDP. TLS has a thread of its own, and so its own seats: handshakes,
//! however many, take neither time nor room from TCP.

mod connection;
mod inbox;
mod pipe;
mod seats;

use std::cell::RefCell;
use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};
use tokio::task::{LocalSet, spawn_local};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::bind::hold;
use super::counters::Counters;
use super::guarded::{FRESHEN, Guarded};
use super::{Over, Respond, STREAM_RESPONSE};
use crate::clock::{Clock, Moment, Seldom};
use connection::Connection;
use seats::{Seat, Seats};

/// Handshakes the kernel completes ahead of us.
const BACKLOG: i32 = 1024;

/// How long to leave a listener alone that has no file descriptor to give.
const REST: Duration = Duration::from_millis(100);

/// How long connections may take to send what they still have, once told to stop.
const DRAIN: Duration = Duration::from_secs(2);

/// Send buffer of a connection, in bytes of socket memory: the kernel keeps no more that a client
/// does not read, and the longest response still fits. Linux counts its own overhead into it.
const SEND_BUFFER: usize = 128 * 1024;

/// Receive buffer of a connection, in bytes of socket memory: dozens of pipelined queries.
const RECEIVE_BUFFER: usize = 32 * 1024;

/// Responses of one write, in bytes: no further query is answered once they are longer.
const WRITE: usize = 16 * 1024;

/// Room for the responses of one write: one of any length fits after those of [`WRITE`] bytes.
const OUTPUT: usize = WRITE + 2 + STREAM_RESPONSE;

/// What clients may take of us over streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamLimits {
    /// Connections in all, at least 1; for one more, the idlest is closed. 1024 by default.
    pub connections: usize,
    /// Connections of one source, an IPv4 address or an IPv6 /64; one more is closed. 32 by
    /// default.
    pub connections_per_source: usize,
    /// How long after the connection is there the first query must be complete, and before it the
    /// handshake of TLS. 2 s by default.
    pub first_query: Duration,
    /// How long after a query the next must be complete. 10 s by default.
    pub idle: Duration,
    /// How long a client may take to take responses. 5 s by default.
    pub write: Duration,
}

impl Default for StreamLimits {
    fn default() -> Self {
        Self {
            connections: 1024,
            connections_per_source: 32,
            first_query: Duration::from_secs(2),
            idle: Duration::from_secs(10),
            write: Duration::from_secs(5),
        }
    }
}

/// A listener at `address`, ready for [`Streams`].
pub(super) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A restart must not wait for the connections of the last run to time out.
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // Connections inherit both. Linux doubles what it is asked for.
    socket.set_send_buffer_size(SEND_BUFFER / 2)?;
    socket.set_recv_buffer_size(RECEIVE_BUFFER / 2)?;
    hold(&socket, address)?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// The stream thread, about to run.
pub(super) struct Streams<R> {
    runtime: Runtime,
    listeners: Vec<tokio::net::TcpListener>,
    tls: Option<TlsAcceptor>,
    limits: StreamLimits,
    responder: Guarded<R>,
    counters: Arc<Counters>,
}

impl<R: Respond> Streams<R> {
    /// Prepares to serve `listeners`, over TLS if there is a configuration for it; fails if the
    /// system has no event queue left.
    pub(super) fn new(
        listeners: Vec<TcpListener>,
        tls: Option<Arc<rustls::ServerConfig>>,
        limits: StreamLimits,
        responder: Guarded<R>,
        counters: Arc<Counters>,
    ) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let entered = runtime.enter();
        let listeners = listeners.into_iter().map(tokio::net::TcpListener::from_std);
        let listeners = listeners.collect::<io::Result<Vec<_>>>()?;
        drop(entered);
        let tls = tls.map(TlsAcceptor::from);
        Ok(Self { runtime, listeners, tls, limits, responder, counters })
    }

    /// Serves until `stop` turns true, then lets the connections end.
    pub(super) fn run(self, mut stop: watch::Receiver<bool>) {
        let Self { runtime, listeners, tls, limits, responder, counters } = self;
        let shared = Rc::new(Shared {
            over: if tls.is_some() { Over::Tls } else { Over::Tcp },
            tls,
            limits,
            responder: RefCell::new(responder),
            output: RefCell::new(vec![0; OUTPUT].into()),
            seats: RefCell::new(Seats::new(limits)),
            counters,
            clock: Clock::system(),
            stop: stop.clone(),
        });
        LocalSet::new().block_on(&runtime, async {
            // Every task holds a sender; the channel closes with the last of them.
            let (alive, mut all_ended) = mpsc::channel::<Infallible>(1);
            let mut tasks: Vec<_> = listeners
                .into_iter()
                .map(|listener| spawn_local(accept(listener, Rc::clone(&shared), alive.clone())))
                .collect();
            tasks.push(spawn_local(freshen(shared)));
            drop(alive);
            // An error means that whoever could tell us to stop is gone: stop.
            let _ = stop.wait_for(|&stop| stop).await;
            tasks.iter().for_each(tokio::task::JoinHandle::abort);
            let _ = timeout(DRAIN, all_ended.recv()).await;
        });
    }
}

/// What the connections of the thread have in common.
struct Shared<R> {
    over: Over,
    tls: Option<TlsAcceptor>,
    limits: StreamLimits,
    responder: RefCell<Guarded<R>>,
    output: RefCell<Box<[u8]>>,
    seats: RefCell<Seats>,
    counters: Arc<Counters>,
    clock: Clock,
    stop: watch::Receiver<bool>,
}

/// Who is connected and where it sits; the seat is given back when this is dropped.
struct Place<R> {
    source: SocketAddr,
    seat: Seat,
    /// When the connection came.
    since: Moment,
    shared: Rc<Shared<R>>,
}

impl<R> Drop for Place<R> {
    fn drop(&mut self) {
        self.shared.seats.borrow_mut().leave(self.seat);
    }
}

/// Keeps the responder from holding on to old data while no query comes, until aborted.
async fn freshen<R: Respond>(shared: Rc<Shared<R>>) {
    loop {
        tokio::time::sleep(FRESHEN).await;
        shared.responder.borrow_mut().freshen();
    }
}

/// Accepts until aborted.
async fn accept<R: Respond>(
    listener: tokio::net::TcpListener,
    shared: Rc<Shared<R>>,
    alive: mpsc::Sender<Infallible>,
) {
    let mut log = Seldom::new(shared.clock.clone());
    loop {
        match listener.accept().await {
            Ok((stream, source)) => admit(stream, source, &shared, &alive),
            // The client was gone before we looked.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                shared.counters.receive_errors.add(1);
                if let Some(unsaid) = log.admit() {
                    let more = crate::clock::and_more(unsaid);
                    tracing::warn!(unsaid, "cannot accept connections, going on: {error}{more}");
                }
                tokio::time::sleep(REST).await;
            }
        }
    }
}

fn admit<R: Respond>(
    stream: TcpStream,
    source: SocketAddr,
    shared: &Rc<Shared<R>>,
    alive: &mpsc::Sender<Infallible>,
) {
    shared.counters.accepted.add(1);
    let now = shared.clock.now();
    let Some(seat) = shared.seats.borrow_mut().take(source.ip(), now) else {
        shared.counters.refused.add(1);
        return;
    };
    // Responses are written whole; waiting to fill a segment would only delay them.
    let _ = stream.set_nodelay(true);
    let place = Place { source, seat, since: now, shared: Rc::clone(shared) };
    let alive = alive.clone();
    let task = spawn_local(async move {
        serve(stream, place).await;
        drop(alive);
    });
    // The task has not run yet: its seat is still there to be filled.
    if shared.seats.borrow_mut().fill(seat, task.abort_handle()) {
        shared.counters.evicted.add(1);
    }
}

/// One connection, from its handshake, if it has one, to its close.
async fn serve<R: Respond>(stream: TcpStream, place: Place<R>) {
    let Some(tls) = place.shared.tls.clone() else {
        return Connection::new(stream, place).serve().await;
    };
    if let Some(stream) = handshake(&tls, stream, &place.shared).await {
        Connection::new(stream, place).serve().await;
    }
}

/// TLS over `stream`; `None` if the client breaks off, speaks something else or takes too long,
/// or we are to stop.
async fn handshake<R>(
    tls: &TlsAcceptor,
    stream: TcpStream,
    shared: &Shared<R>,
) -> Option<TlsStream<TcpStream>> {
    let mut stop = shared.stop.clone();
    tokio::select! {
        biased;
        _ = stop.wait_for(|&stop| stop) => None,
        done = timeout(shared.limits.first_query, tls.accept(stream)) => match done {
            Ok(Ok(stream)) => Some(stream),
            Ok(Err(_)) => {
                shared.counters.failed_handshakes.add(1);
                None
            }
            Err(_) => {
                shared.counters.expired.add(1);
                None
            }
        },
    }
}
