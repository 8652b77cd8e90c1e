//! Bytes in from the network, bytes out: UDP datagrams, and DNS over TCP, TLS, HTTPS, QUIC and
//! HTTP/3.
//!
//! ```text
//! bind ─▶ Sockets ─ start ─▶ Running ─ stop ─▶ every thread ended
//!
//! udp-N      (one per worker and address)  recvmmsg ─▶ Respond ─▶ sendmmsg
//! streams    (one for all TCP listeners)   accept ─▶ read ─▶ Respond ─▶ write
//! tls        (one for all TLS listeners)   accept ─▶ handshake ─▶ read ─▶ Respond ─▶ write
//! encrypted  (one for HTTPS, QUIC, HTTP/3) accept ─▶ handshake ─▶ HTTP, QUIC ─▶ Respond ─▶ …
//! ```
//!
//! Every thread owns one [`Respond`]. Over UDP and TCP, nothing on the way of a query is shared,
//! locked or allocated. A panic in it costs one query, never a thread.
//!
//! Not here: the answers (`answer`), and the decision when to start and stop (`server`). Linux
//! only: batched datagrams, and the address to which a datagram came, are read in the way of Linux.

#[cfg(not(target_os = "linux"))]
compile_error!("waypost's transports need Linux: recvmmsg, sendmmsg, IP_PKTINFO, SO_REUSEPORT");

mod certificate;
mod counters;
mod door;
mod encrypted;
mod limits;
mod running;
mod seats;
mod sockets;
mod stream;
mod supervised;
mod udp;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;

use crate::answer::{Over, UDP_PAYLOAD_MAX};

pub use certificate::Certificate;
pub use counters::{Counts, Totals};
pub use encrypted::Tls;
pub use limits::StreamLimits;
pub use running::Running;
pub use sockets::{BindError, Sockets, bind, conflict};

/// The room for a response over UDP, in octets.
pub const UDP_RESPONSE: usize = UDP_PAYLOAD_MAX as usize;

/// The room for a response over a stream, in octets: the most that the length prefix can say (RFC
/// 1035 §4.2.2).
pub const STREAM_RESPONSE: usize = 65_535;

/// A responder; each thread has its own.
pub trait Respond: Send + 'static {
    /// Looks for newer data. It is called between batches of queries, and now and then while none
    /// come.
    fn refresh(&mut self);

    /// Fetches into the processor's cache what the answers to `queries` read. It is called before
    /// the first of them is answered, and must not block.
    fn fetch(&mut self, queries: &[&[u8]]);

    /// Writes the response to `query` to the beginning of `out` and returns its length; `None` if
    /// there is nothing to send.
    ///
    /// `out` holds [`UDP_RESPONSE`] or [`STREAM_RESPONSE`] octets, depending on `over`. Must not
    /// block.
    fn respond(
        &mut self,
        query: &[u8],
        source: SocketAddr,
        over: Over,
        out: &mut [u8],
    ) -> Option<usize>;
}
