//! Bounds on clients of every transport that has connections.

use std::time::Duration;

/// Bounds on the connections of each transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamLimits {
    /// Connections in all, at least 1; for one more, the idlest is closed. 1024 by default.
    pub connections: usize,
    /// Connections of one source, an IPv4 address or an IPv6 /64; one more is closed. 32 by
    /// default.
    pub connections_per_source: usize,
    /// Time from the connection to its first complete query, and before it for the handshake.
    /// 2 s by default.
    pub first_query: Duration,
    /// Time from a query to the completion of the next. 10 s by default.
    pub idle: Duration,
    /// Time that a client may take to take responses. 5 s by default.
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
