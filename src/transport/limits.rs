//! Limits on the clients of every transport that has connections.

use std::time::Duration;

/// The limits on the connections of each transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamLimits {
    /// The most connections in all, at least 1. One more closes the idlest. 1024 by default.
    pub connections: usize,
    /// The most connections of one source, an IPv4 address or an IPv6 /64. One more is closed. 32
    /// by default.
    pub connections_per_source: usize,
    /// The time for the handshake, and for the first complete query. Over TCP and TLS the query's
    /// time starts with the connection, over HTTPS, QUIC and HTTP/3 after the handshake. 2 s by
    /// default.
    pub first_query: Duration,
    /// The time from a query to the completion of the next. 10 s by default.
    pub idle: Duration,
    /// The time for a client to take its responses. 5 s by default.
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
