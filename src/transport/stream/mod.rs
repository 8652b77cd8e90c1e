//! DNS over TCP (RFC 7766) and over TLS (RFC 7858): one thread for TCP and one for TLS, each with
//! all its listeners and connections.
//!
//! ```text
//! Door: accept, within the limits ─▶ one task a connection
//! TLS: handshake
//! Connection: read ─▶ Inbox: whole messages ─▶ Respond ─▶ one write for all that had arrived
//! ```
//!
//! The connections of one thread share a responder and its output buffer without a lock. One thread
//! is enough: only UDP needs many. TLS has its own thread and its own seats, so handshakes, however
//! many, take neither time nor room from TCP.

mod connection;
mod inbox;
mod pipe;

use std::cell::RefCell;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::Arc;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::spawn_local;
use tokio_rustls::TlsAcceptor;

use super::counters::Counters;
use super::door::{Door, Peer, Shared};
use super::limits::StreamLimits;
use super::sockets::hold;
use super::supervised::Supervised;
use super::{Over, Respond, STREAM_RESPONSE};
use crate::clock::Clock;
use connection::Connection;

/// The number of handshakes that the kernel completes ahead of us.
const BACKLOG: i32 = 1024;

/// The send buffer of a connection, in octets of socket memory, which includes the overhead of
/// Linux. It limits what the kernel keeps for a client that does not read, and the longest response
/// fits.
const SEND_BUFFER: usize = 128 * 1024;

/// The receive buffer of a connection, in octets of socket memory: dozens of pipelined queries.
const RECEIVE_BUFFER: usize = 32 * 1024;

/// The octets of responses in one write after which no further query is answered.
const WRITE: usize = 16 * 1024;

/// The room for the responses of one write, in octets: after [`WRITE`] octets, one of any length
/// fits.
const OUTPUT: usize = WRITE + 2 + STREAM_RESPONSE;

/// Creates a listener at `address`, ready for [`Streams`].
pub(super) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A restart must not wait until the connections of the last run time out.
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // Connections inherit both sizes. Linux doubles what it is asked for.
    socket.set_send_buffer_size(SEND_BUFFER / 2)?;
    socket.set_recv_buffer_size(RECEIVE_BUFFER / 2)?;
    hold(&socket, address)?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// The thread of TCP or TLS before it runs.
pub(super) struct Streams<R> {
    runtime: Runtime,
    listeners: Vec<tokio::net::TcpListener>,
    tls: Option<TlsAcceptor>,
    limits: StreamLimits,
    responder: Supervised<R>,
    counters: Arc<Counters>,
}

impl<R: Respond> Streams<R> {
    /// Prepares to serve `listeners`, over TLS if there is a configuration for it.
    ///
    /// # Errors
    /// If the system has no event queue left.
    pub(super) fn new(
        listeners: Vec<TcpListener>,
        tls: Option<Arc<rustls::ServerConfig>>,
        limits: StreamLimits,
        responder: Supervised<R>,
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
    pub(super) fn run(self, stop: watch::Receiver<bool>) {
        let Self { runtime, listeners, tls, limits, responder, counters } = self;
        let shared = Shared {
            limits,
            responder: RefCell::new(responder),
            output: RefCell::new(vec![0; OUTPUT].into()),
            counters,
            clock: Clock::system(),
            stop,
        };
        let over = if tls.is_some() { Over::Tls } else { Over::Tcp };
        shared.run(&runtime, |shared, alive| {
            let door = Door::new(over, shared, alive);
            let accept = |listener| {
                let tls = tls.clone();
                let serve = move |stream, peer| serve(stream, peer, tls.clone());
                spawn_local(Rc::clone(&door).accept(listener, serve))
            };
            listeners.into_iter().map(accept).collect()
        });
    }
}

/// Serves one connection, from its handshake, if it has one, to its close.
async fn serve<R: Respond>(stream: TcpStream, peer: Peer<R>, tls: Option<TlsAcceptor>) {
    let Some(tls) = tls else { return Connection::new(stream, peer).serve().await };
    if let Some(stream) = peer.secure(&tls, stream).await {
        Connection::new(stream, peer).serve().await;
    }
}
