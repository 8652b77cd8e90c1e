//! The connections kept for the next probe of their address, if a check asks for it.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::Instant;

/// The longest time that a connection is kept: few servers wait for longer, and firewalls on the
/// way forget it.
const KEPT_MAX: Duration = Duration::from_secs(120);

/// The number of connections that all checks together keep, [`Room::MAX`] at the most.
#[derive(Clone, Debug, Default)]
pub(in crate::checker::probe) struct Room(Arc<AtomicUsize>);

impl Room {
    /// The most connections kept: each takes a descriptor, which others need as well.
    pub(in crate::checker) const MAX: usize = 1024;

    fn take(&self) -> bool {
        let more = |taken| (taken < Self::MAX).then_some(taken + 1);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }

    fn give_back(&self, count: usize) {
        self.0.fetch_sub(count, Ordering::Relaxed);
    }
}

/// The kept connections of one check, at most one for each address.
#[derive(Debug)]
pub(super) struct Kept {
    room: Room,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    streams: HashMap<SocketAddr, (TcpStream, Instant)>,
    /// The time of the last search for connections that are too old.
    swept: Instant,
}

impl Kept {
    pub(super) fn new(room: Room) -> Self {
        let inner = Inner { streams: HashMap::new(), swept: Instant::now() };
        Self { room, inner: Mutex::new(inner) }
    }

    /// Takes the connection that was kept to `address`. `None` if there is none, if it is too old,
    /// or if anything has come on it since: its end, or octets that would pass for the next
    /// response.
    pub(super) fn take(&self, address: SocketAddr) -> Option<TcpStream> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let (stream, since) = inner.streams.remove(&address)?;
        self.room.give_back(1);
        let is_silent =
            || stream.try_read(&mut [0]).is_err_and(|error| error.kind() == ErrorKind::WouldBlock);
        (since.elapsed() <= KEPT_MAX && is_silent()).then_some(stream)
    }

    /// Keeps `stream`, on which nothing is under way, for the next probe of `address`, if there is
    /// room.
    ///
    /// # Cost
    /// Grows with all connections that the check keeps, once every two minutes.
    pub(super) fn put(&self, address: SocketAddr, stream: TcpStream) {
        let now = Instant::now();
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if now - inner.swept > KEPT_MAX {
            inner.swept = now;
            let before = inner.streams.len();
            inner.streams.retain(|_, (_, since)| now - *since <= KEPT_MAX);
            self.room.give_back(before - inner.streams.len());
        }
        if self.room.take() && inner.streams.insert(address, (stream, now)).is_some() {
            self.room.give_back(1);
        }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let inner = self.inner.get_mut().unwrap_or_else(PoisonError::into_inner);
        self.room.give_back(inner.streams.len());
    }
}
