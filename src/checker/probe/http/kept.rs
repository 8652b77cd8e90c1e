//! Connections that are kept for the next probe of their address, where a check asks for it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::Instant;

/// How long one is kept that nobody takes: its address is not probed any more, or so seldom that
/// few servers would have waited.
const KEPT_MAX: Duration = Duration::from_secs(120);

/// At most one connection for each address.
#[derive(Debug)]
pub(super) struct Kept(Mutex<Inner>);

#[derive(Debug)]
struct Inner {
    streams: HashMap<SocketAddr, (TcpStream, Instant)>,
    /// When those that nobody took were looked for last.
    swept: Instant,
}

impl Kept {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Inner { streams: HashMap::new(), swept: Instant::now() }))
    }

    /// The connection that was kept to `address`.
    pub(super) fn take(&self, address: SocketAddr) -> Option<TcpStream> {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.streams.remove(&address).map(|(stream, _)| stream)
    }

    /// Keeps `stream`, on which nothing is under way, for the next probe of `address`.
    ///
    /// # Cost
    /// By all that is kept, every two minutes.
    pub(super) fn put(&self, address: SocketAddr, stream: TcpStream) {
        let now = Instant::now();
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if now - inner.swept > KEPT_MAX {
            inner.swept = now;
            inner.streams.retain(|_, (_, since)| now - *since <= KEPT_MAX);
        }
        inner.streams.insert(address, (stream, now));
    }
}
