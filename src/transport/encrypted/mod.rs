//! DNS over HTTPS, QUIC and HTTP/3: one thread for all of them.
//!
//! ```text
//! one task a listener ─▶ hickory: TLS or QUIC, HTTP, framing ─▶ Front: Respond ─▶ hickory
//! ```
//!
//! The protocols are hickory-server's, which one file names; what is answered is ours. Not here:
//! DNS over TLS, which is a stream like TCP (`stream`).

mod hickory;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::bind::EncryptedSocket;
use super::certificate::Certificate;
use super::counters::Counters;
use super::guarded::{FRESHEN, Guarded};
use super::{Over, Respond};
use hickory::Front;

/// How long to leave a listener alone that has failed.
const REST: Duration = Duration::from_millis(100);

/// How long the listeners may take to end, once told to stop.
const DRAIN: Duration = Duration::from_secs(1);

/// What encrypted transports need beside addresses.
#[derive(Clone, Debug)]
pub struct Tls {
    /// What every handshake presents.
    pub certificate: Arc<Certificate>,
    /// Where HTTPS listens for POST requests, such as `/dns-query`.
    pub https_path: String,
}

/// Whether a transport runs over UDP.
pub(super) const fn is_datagrams(over: Over) -> bool {
    matches!(over, Over::Udp | Over::Quic | Over::H3)
}

/// One listener of the thread.
struct Listener {
    over: Over,
    address: SocketAddr,
    socket: EncryptedSocket,
    tls: Tls,
    /// How long a connection may be without a request.
    idle: Duration,
}

/// The thread of HTTPS, QUIC and HTTP/3, about to run.
pub(super) struct Encrypted<R> {
    runtime: Runtime,
    listeners: Vec<Listener>,
    front: Front<R>,
}

impl<R: Respond> Encrypted<R> {
    /// Prepares to serve `sockets`; fails if the system has no event queue left.
    pub(super) fn new(
        sockets: Vec<(Over, SocketAddr, EncryptedSocket)>,
        tls: Tls,
        idle: Duration,
        responder: Guarded<R>,
        counters: Arc<Counters>,
    ) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let listener =
            |(over, address, socket)| Listener { over, address, socket, tls: tls.clone(), idle };
        let listeners = sockets.into_iter().map(listener).collect();
        Ok(Self { runtime, listeners, front: Front::new(responder, counters) })
    }

    /// Serves until `stop` turns true.
    pub(super) fn run(self, mut stop: watch::Receiver<bool>) {
        let Self { runtime, listeners, front } = self;
        runtime.block_on(async {
            let mut serving = JoinSet::new();
            for listener in listeners {
                serving.spawn(keep(listener, front.clone(), stop.clone()));
            }
            tokio::select! {
                // An error means that whoever could tell us to stop is gone: stop.
                _ = stop.wait_for(|&stop| stop) => {}
                () = freshen(&front) => {}
            }
            let _ = tokio::time::timeout(DRAIN, serving.join_all()).await;
        });
        runtime.shutdown_timeout(Duration::ZERO);
    }
}

/// Keeps the responder from holding on to old data while no query comes.
async fn freshen<R: Respond>(front: &Front<R>) {
    loop {
        tokio::time::sleep(FRESHEN).await;
        front.freshen();
    }
}

/// Serves one listener until `stop` turns true; one that ends by itself is started again.
async fn keep<R: Respond>(listener: Listener, front: Front<R>, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        let ended = hickory::serve(&listener, &front, &mut stop).await;
        if !*stop.borrow() {
            let (address, over) = (listener.address, listener.over.as_str());
            let error = ended.err().unwrap_or_else(|| io::Error::other("it ended by itself"));
            tracing::warn!(
                %address, over,
                "cannot go on listening on {address} over {over}, starting again: {error}"
            );
            tokio::time::sleep(REST).await;
        }
    }
}
