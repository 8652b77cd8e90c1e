//! Bytes in from the network, bytes out: UDP datagrams, and DNS over TCP, TLS, HTTPS, QUIC and
//! HTTP/3.
//!
//! ```text
//! bind ─▶ Bound ─ start ─▶ Running ─ stop ─▶ every thread ended
//!
//! udp-N      (one per worker and address)  recvmmsg ─▶ Respond ─▶ sendmmsg
//! streams    (one for all TCP listeners)   accept ─▶ read ─▶ Respond ─▶ write
//! tls        (one for all TLS listeners)   accept ─▶ handshake ─▶ read ─▶ Respond ─▶ write
//! encrypted  (one for HTTPS, QUIC, HTTP/3) accept ─▶ handshake ─▶ HTTP, QUIC ─▶ Respond ─▶ …
//! ```
//!
//! Every thread owns one [`Respond`]; over UDP and TCP, nothing on the way of a query is shared,
//! locked or allocated.
//! A panic in it costs one query, never a thread.
//!
//! Not here: what to answer (`answer`), when to start and stop (`server`). Linux only: batched
//! datagrams and the address a datagram came to are asked for the way Linux gives them.

#[cfg(not(target_os = "linux"))]
compile_error!("waypost's transports need Linux: recvmmsg, sendmmsg, IP_PKTINFO, SO_REUSEPORT");

mod bind;
mod certificate;
mod counters;
mod door;
mod encrypted;
mod guarded;
mod limits;
mod running;
mod seats;
mod stream;
mod udp;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;

use crate::answer::{Over, UDP_PAYLOAD_MAX};

pub use bind::{BindError, Bound, bind, conflict};
pub use certificate::Certificate;
pub use counters::{Counts, Totals};
pub use encrypted::Tls;
pub use limits::StreamLimits;
pub use running::Running;

/// Room for a response over UDP, in bytes.
pub const UDP_RESPONSE: usize = UDP_PAYLOAD_MAX as usize;

/// Room for a response over a stream, in bytes.
///
/// What the length prefix can say (RFC 1035 §4.2.2).
pub const STREAM_RESPONSE: usize = 65_535;

/// What answers; each thread has one of its own.
pub trait Respond: Send + 'static {
    /// Looks for newer data. Called between batches of queries, and now and then while none come.
    fn refresh(&mut self);

    /// Told which queries come next, before the first of them is answered: time to fetch what the
    /// answers read. Must not block.
    fn fetch(&mut self, queries: &[&[u8]]);

    /// Writes the response to `query` to the beginning of `out` and returns its length; `None` when
    /// there is nothing to send.
    ///
    /// `out` holds [`UDP_RESPONSE`] or [`STREAM_RESPONSE`] bytes, by `over`. Must not block.
    fn respond(
        &mut self,
        query: &[u8],
        source: SocketAddr,
        over: Over,
        out: &mut [u8],
    ) -> Option<usize>;
}
