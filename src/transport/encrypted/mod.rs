//! DNS over HTTPS, QUIC and HTTP/3: one thread for all of them.
//!
//! ```text
//! https  Door ─▶ TLS ─▶ HTTP/1.1, HTTP/2 ─▶ http ─┐
//! h3     Door ─▶ QUIC ─▶ HTTP/3 ─────────▶ http ─┼─▶ Link: time and room ─▶ Respond
//! doq    Door ─▶ QUIC ────────────────────────────┘
//! ```
//!
//! hyper, quinn and h3 speak the protocols (docs/decisions/0022). Each transport has its own seats.
//! Not here: DNS over TLS, which is a stream like TCP (`stream`).

mod doq;
mod freshness;
mod h3;
mod http;
mod https;
mod link;
mod quic;

use std::cell::RefCell;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::{JoinHandle, spawn_local};
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;

use super::certificate::{Certificate, server_config};
use super::counters::Counters;
use super::door::{Door, Peer, REST, Shared};
use super::limits::StreamLimits;
use super::sockets::EncryptedSocket;
use super::supervised::Supervised;
use super::{Over, Respond, STREAM_RESPONSE};
use crate::clock::Clock;

/// The time for the last packets of QUIC to leave.
const LULL: Duration = Duration::from_millis(50);

/// The settings of encrypted transports beside their addresses.
#[derive(Clone, Debug)]
pub struct Tls {
    /// The certificate that every handshake presents.
    pub certificate: Arc<Certificate>,
    /// The path of requests over HTTPS and HTTP/3, such as `/dns-query`.
    pub https_path: String,
}

/// Whether a transport runs over UDP.
pub(super) const fn is_datagrams(over: Over) -> bool {
    matches!(over, Over::Udp | Over::Quic | Over::H3)
}

/// The thread of HTTPS, QUIC and HTTP/3 before it runs.
pub(super) struct Encrypted<R> {
    runtime: Runtime,
    listeners: Vec<Listener>,
    path: String,
    limits: StreamLimits,
    responder: Supervised<R>,
    counters: Arc<Counters>,
}

/// One listener of the thread.
enum Listener {
    Https(tokio::net::TcpListener, TlsAcceptor),
    Quic(Datagrams),
    H3(Datagrams),
}

/// A QUIC socket, and all that its endpoint needs.
struct Datagrams {
    address: SocketAddr,
    /// The socket, which keeps the address whatever happens to the endpoint.
    socket: UdpSocket,
    tls: Arc<rustls::ServerConfig>,
    idle: Duration,
    unidirectional: u32,
}

impl<R: Respond> Encrypted<R> {
    /// Prepares to serve `sockets`.
    ///
    /// # Errors
    /// If the system has no event queue left.
    pub(super) fn new(
        sockets: Vec<(Over, SocketAddr, EncryptedSocket)>,
        tls: &Tls,
        limits: StreamLimits,
        responder: Supervised<R>,
        counters: Arc<Counters>,
    ) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let entered = runtime.enter();
        let listener = |(over, at, socket)| Listener::new(over, at, socket, tls, limits.idle);
        let listeners = sockets.into_iter().map(listener).collect::<io::Result<_>>()?;
        drop(entered);
        let path = tls.https_path.clone();
        Ok(Self { runtime, listeners, path, limits, responder, counters })
    }

    /// Serves until `stop` turns true, then lets the connections end.
    pub(super) fn run(self, stop: watch::Receiver<bool>) {
        let Self { runtime, listeners, path, limits, responder, counters } = self;
        let shared = Shared {
            limits,
            responder: RefCell::new(responder),
            output: RefCell::new(vec![0; STREAM_RESPONSE].into()),
            counters,
            clock: Clock::system(),
            stop,
        };
        let path: Rc<str> = path.into();
        shared.run(&runtime, |shared, alive| {
            let door = |over| Door::new(over, shared, alive.clone());
            let doors =
                Doors { https: door(Over::Https), quic: door(Over::Quic), h3: door(Over::H3) };
            listeners.into_iter().map(|listener| doors.open(listener, &path)).collect()
        });
        // The connections that were closed last still tell their clients so.
        runtime.block_on(async { sleep(LULL).await });
    }
}

impl Listener {
    fn new(
        over: Over,
        address: SocketAddr,
        socket: EncryptedSocket,
        tls: &Tls,
        idle: Duration,
    ) -> io::Result<Self> {
        let configure = |alpn: &[&[u8]]| {
            server_config(Arc::clone(&tls.certificate), alpn).map_err(io::Error::other)
        };
        Ok(match socket {
            EncryptedSocket::Streams(socket) => {
                let socket = tokio::net::TcpListener::from_std(socket)?;
                Self::Https(socket, configure(&https::ALPN)?.into())
            }
            EncryptedSocket::Datagrams(socket) if over == Over::H3 => {
                let tls = configure(&h3::ALPN)?;
                let unidirectional = h3::UNIDIRECTIONAL;
                Self::H3(Datagrams { address, socket, tls, idle, unidirectional })
            }
            EncryptedSocket::Datagrams(socket) => {
                let tls = configure(&doq::ALPN)?;
                Self::Quic(Datagrams { address, socket, tls, idle, unidirectional: 0 })
            }
        })
    }
}

/// The doors, one for each transport, however many addresses it has.
struct Doors<R> {
    https: Rc<Door<R>>,
    quic: Rc<Door<R>>,
    h3: Rc<Door<R>>,
}

impl<R: Respond> Doors<R> {
    /// Starts to accept from `listener`.
    fn open(&self, listener: Listener, path: &Rc<str>) -> JoinHandle<()> {
        let path = Rc::clone(path);
        match listener {
            Listener::Https(listener, tls) => {
                let serve =
                    move |stream, peer| https::serve(stream, peer, tls.clone(), Rc::clone(&path));
                spawn_local(Rc::clone(&self.https).accept(listener, serve))
            }
            Listener::Quic(datagrams) => {
                spawn_local(keep(datagrams, Rc::clone(&self.quic), doq::serve))
            }
            Listener::H3(datagrams) => {
                let serve = move |incoming, peer| h3::serve(incoming, peer, Rc::clone(&path));
                spawn_local(keep(datagrams, Rc::clone(&self.h3), serve))
            }
        }
    }
}

/// Accepts connections over QUIC until aborted; replaces an endpoint that fails.
async fn keep<R: Respond, F>(
    datagrams: Datagrams,
    door: Rc<Door<R>>,
    serve: impl Fn(quinn::Incoming, Peer<R>) -> F,
) where
    F: Future<Output = ()> + 'static,
{
    let Datagrams { address, socket, tls, idle, unidirectional } = datagrams;
    let over = door.over.as_str();
    loop {
        let opened = socket.try_clone();
        match opened.and_then(|socket| quic::open(socket, Arc::clone(&tls), idle, unidirectional)) {
            Ok(endpoint) => {
                quic::accept(&endpoint, &door, &serve).await;
                tracing::warn!(
                    %address, over,
                    "the socket failed on {address} over {over}, opening it again"
                );
            }
            Err(error) => {
                tracing::warn!(
                    %address, over,
                    "cannot listen on {address} over {over}, trying again: {error}"
                );
            }
        }
        sleep(REST).await;
    }
}
