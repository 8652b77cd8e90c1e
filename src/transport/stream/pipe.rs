//! The streams under a connection: plain TCP, or TLS.

use std::io;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

/// A stream of octets to a client and back.
pub(super) trait Pipe: AsyncRead + AsyncWrite + Unpin + 'static {
    /// Sends what leaves without waiting. Returns how many octets of `bytes` that was.
    fn send_now(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// Waits until the socket takes more.
    async fn writable(&self) -> io::Result<()>;
}

impl Pipe for TcpStream {
    fn send_now(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.try_write(bytes) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            written => written,
        }
    }

    async fn writable(&self) -> io::Result<()> {
        TcpStream::writable(self).await
    }
}

impl Pipe for TlsStream<TcpStream> {
    /// Sends nothing: octets written to TLS may stay in its own buffer, and flushing that waits.
    fn send_now(&mut self, _: &[u8]) -> io::Result<usize> {
        Ok(0)
    }

    async fn writable(&self) -> io::Result<()> {
        self.get_ref().0.writable().await
    }
}
