//! The end of a connection after the verdict.
//!
//! A connection that is closed with something unread is reset, and servers log that as an error of
//! theirs. What is still to come is therefore read, 16 KiB and a second at the most. Most servers
//! close first, so that the port is free again at once on this side.

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::WINDOW;

/// The longest wait for the peer's end of the connection.
const WAIT_MAX: Duration = Duration::from_secs(1);
/// The octets read at once.
const PIECE: usize = 4096;

/// A connection that has served its purpose.
#[derive(Default)]
pub(in crate::checker) struct Parting(Option<Pin<Box<dyn Future<Output = ()> + Send>>>);

impl Parting {
    /// Parts from a peer that closes the connection by itself once all is said.
    pub(super) fn after_reply(mut stream: TcpStream) -> Self {
        // Often its end has come already. An octet of anything else is not missed.
        if matches!(stream.try_read(&mut [0; 1]), Ok(0)) {
            return Self(None);
        }
        Self(Some(Box::pin(async move { read_out(&mut stream).await })))
    }

    /// Parts from a peer that does so over TLS.
    pub(super) fn after_reply_over_tls(
        mut stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    ) -> Self {
        Self(Some(Box::pin(async move {
            read_out(&mut stream).await;
            // The peer may be gone.
            let _ = stream.shutdown().await;
        })))
    }

    /// Parts from a peer whose program has not been told of the connection yet.
    ///
    /// The handshake's last segment has not been sent, so the reset that goes instead ends the
    /// connection before the peer's program could accept it. HAProxy does the same.
    pub(super) fn unseen(stream: TcpStream) -> Self {
        // If it fails, the connection ends in the ordinary way.
        let _ = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
        Self(None)
    }

    /// Parts from a peer by closing this side first.
    pub(super) fn first(mut stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Self {
        Self(Some(Box::pin(async move {
            if stream.shutdown().await.is_ok() {
                read_out(&mut stream).await;
            }
        })))
    }

    /// Parts by whatever `end` does.
    pub(super) fn by(end: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(Some(Box::pin(end)))
    }

    /// Returns what waits for the end of the connection, a second at the most; `None`: it has
    /// ended.
    pub(in crate::checker) fn end(self) -> Option<impl Future<Output = ()> + Send> {
        self.0.map(|end| async {
            // Who takes longer has had its chance.
            let _ = timeout(WAIT_MAX, end).await;
        })
    }
}

impl fmt::Debug for Parting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Parting").field(&self.0.is_some()).finish()
    }
}

/// Reads what still comes, up to the end.
async fn read_out(stream: &mut (impl AsyncRead + Unpin)) {
    let (mut left, mut piece) = (WINDOW, Vec::with_capacity(PIECE));
    while let Ok(read @ 1..) = stream.read_buf(&mut piece).await {
        left = left.saturating_sub(read);
        if left == 0 {
            return;
        }
        piece.clear();
    }
}
