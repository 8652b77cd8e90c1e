//! QUIC, which DNS over QUIC and HTTP/3 share: who may connect, and in which bounds.
//!
//! ```text
//! Initial without a token ─▶ Retry, and nothing is kept
//! Initial with one ─▶ Door ─▶ a task: handshake, then queries
//! ```
//!
//! An address that has not answered to a Retry gets no handshake: a forged Initial costs no
//! signature and no memory, and reflects less than it is long (RFC 9000 §8.1).

use std::io;
use std::net::UdpSocket;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use quinn::crypto::rustls::QuicServerConfig;
use quinn::{
    Connection, Endpoint, EndpointConfig, Incoming, TokioRuntime, TransportConfig, VarInt,
};

use super::link::{ROOM, STREAMS};
use crate::transport::Respond;
use crate::transport::door::{Door, Peer};

/// Connection attempts that wait for us to look at them, at most; more are refused.
const INCOMING_MAX: usize = 1024;

/// Data that comes with one connection attempt before we look at it, in bytes, and with all.
const EARLY_MAX: u64 = 8 * 1024;
const EARLY_MAX_ALL: u64 = 1024 * 1024;

/// Flow control of one stream, in bytes: what may come before we look at it.
const STREAM_WINDOW: u32 = 16 * 1024;

/// Creates an endpoint on `socket`. Clients open `unidirectional` streams at most beside requests.
///
/// Must be called inside a runtime.
///
/// # Errors
/// If the system cannot do what QUIC needs of the socket, or `tls` lacks TLS 1.3.
pub(super) fn open(
    socket: UdpSocket,
    tls: Arc<rustls::ServerConfig>,
    idle: Duration,
    unidirectional: u32,
) -> io::Result<Endpoint> {
    let mut transport = TransportConfig::default();
    transport
        .max_concurrent_bidi_streams(STREAMS.into())
        .max_concurrent_uni_streams(unidirectional.into())
        .stream_receive_window(STREAM_WINDOW.into())
        .receive_window(VarInt::from_u32(ROOM as u32))
        .send_window(ROOM as u64)
        .datagram_receive_buffer_size(None)
        .max_idle_timeout(Some(idle.try_into().map_err(io::Error::other)?));
    let tls = QuicServerConfig::try_from(tls).map_err(io::Error::other)?;
    let mut server = quinn::ServerConfig::with_crypto(Arc::new(tls));
    server
        .transport_config(Arc::new(transport))
        // Limits and routes go by the address that was validated: who moves connects again.
        .migration(false)
        .max_incoming(INCOMING_MAX)
        .incoming_buffer_size(EARLY_MAX)
        .incoming_buffer_size_total(EARLY_MAX_ALL);
    Endpoint::new(EndpointConfig::default(), Some(server), socket, Arc::new(TokioRuntime))
}

/// Accepts connections of `endpoint` and has `serve` serve each in a task of its own, until
/// aborted or the endpoint fails.
pub(super) async fn accept<R: Respond, F>(
    endpoint: &Endpoint,
    door: &Rc<Door<R>>,
    serve: impl Fn(Incoming, Peer<R>) -> F,
) where
    F: Future<Output = ()> + 'static,
{
    while let Some(incoming) = endpoint.accept().await {
        if incoming.remote_address_validated() {
            door.admit(incoming.remote_address(), |peer| serve(incoming, peer));
        } else {
            // What cannot be retried is refused when it is dropped.
            drop(incoming.retry());
        }
    }
}

/// Completes the handshake of `incoming`; `None` as [`Peer::shake`].
pub(super) async fn shake<R: Respond>(
    incoming: Incoming,
    peer: &Peer<R>,
) -> Option<OpenConnection> {
    peer.shake(async { incoming.accept()?.await }).await.map(OpenConnection)
}

/// A connection that is closed when this is dropped: evicted ones too, whose tasks are aborted.
pub(super) struct OpenConnection(Connection);

impl OpenConnection {
    /// Returns the connection.
    pub(super) fn connection(&self) -> &Connection {
        &self.0
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        // 0 is no error, over DNS (RFC 9250 §4.3); HTTP/3 closes by its own code before.
        self.0.close(VarInt::from_u32(0), b"");
    }
}
