//! QUIC, which DNS over QUIC and HTTP/3 share: the admission of connections, and their limits.
//!
//! ```text
//! Initial without a token ─▶ Retry, and nothing is kept
//! Initial with one ─▶ Door ─▶ a task: handshake, then queries
//! ```
//!
//! An address that has not answered a Retry gets no handshake. A forged Initial thus costs no
//! signature and no memory, and the Retry is shorter than the Initial (RFC 9000 §8.1).

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

/// The most connection attempts that wait to be processed; more are refused.
const INCOMING_MAX: usize = 1024;

/// The most octets that come with one connection attempt before it is processed, and with all.
const EARLY_MAX: u64 = 8 * 1024;
const EARLY_MAX_ALL: u64 = 1024 * 1024;

/// The flow-control window of one stream, in octets: what may come before it is read.
const STREAM_WINDOW: u32 = 16 * 1024;

/// Creates an endpoint on `socket`. Clients may open `unidirectional` streams beside requests.
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
        // Limits and routes go by the validated address: a client that moves must connect again.
        .migration(false)
        .max_incoming(INCOMING_MAX)
        .incoming_buffer_size(EARLY_MAX)
        .incoming_buffer_size_total(EARLY_MAX_ALL);
    Endpoint::new(EndpointConfig::default(), Some(server), socket, Arc::new(TokioRuntime))
}

/// Accepts connections of `endpoint` and runs `serve` for each in its own task, until aborted or
/// until the endpoint fails.
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
            // An attempt that cannot be retried is refused when it is dropped.
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

/// A connection that is closed when this is dropped, even if its task is aborted by an eviction.
pub(super) struct OpenConnection(Connection);

impl OpenConnection {
    /// Returns the connection.
    pub(super) fn connection(&self) -> &Connection {
        &self.0
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        // 0 means no error in DNS over QUIC (RFC 9250 §4.3). HTTP/3 has closed with its own code
        // before.
        self.0.close(VarInt::from_u32(0), b"");
    }
}
