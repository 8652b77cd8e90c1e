//! The end of a connection after the verdict.
//!
//! If a connection is closed with octets unread, it is reset, and servers log that as an error of
//! theirs. A parting therefore reads what is still to come, for 16 KiB and a second at the most.
//! Most servers close first, so that the port is free again at once on this side.

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
        // Often the peer's end has come already. If an octet comes instead, nobody misses it.
        if matches!(stream.try_read(&mut [0; 1]), Ok(0)) {
            return Self(None);
        }
        Self(Some(Box::pin(async move { read_out(&mut stream).await })))
    }

    /// Parts in the same way from a peer over TLS.
    pub(super) fn after_reply_over_tls(
        mut stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    ) -> Self {
        Self(Some(Box::pin(async move {
            read_out(&mut stream).await;
            // It fails if the peer is gone.
            let _ = stream.shutdown().await;
        })))
    }

    /// Parts from a peer whose program has not been told of the connection yet.
    ///
    /// The handshake's last segment has not been sent. A reset goes instead, and ends the
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

    /// Parts by running `end`.
    pub(super) fn by(end: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(Some(Box::pin(end)))
    }

    /// Returns a future that waits for the end of the connection, a second at the most; `None` if
    /// it has ended.
    pub(in crate::checker) fn end(self) -> Option<impl Future<Output = ()> + Send> {
        self.0.map(|end| async {
            // A peer that takes longer has had its chance.
            let _ = timeout(WAIT_MAX, end).await;
        })
    }
}

impl fmt::Debug for Parting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Parting").field(&self.0.is_some()).finish()
    }
}

/// Reads what still comes, up to the end of the connection or [`WINDOW`] octets.
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
