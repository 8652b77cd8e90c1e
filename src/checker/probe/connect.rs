//! The connections of probes: thousands begin and end each second, here and at the endpoints.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, UdpSocket as StdUdpSocket};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, Interest, ReadBuf};
use tokio::net::{TcpStream, UdpSocket};

use super::{Reason, proxy};
use crate::zone::{Check, CheckKind, ProxyVersion, Source};

const NO_SOURCE: Reason = Reason::Barred("the check's source is no address of this machine");

/// The side that says something first on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum First {
    /// The probe, or nobody. The handshake's last segment goes out with what the probe sends, or
    /// with the end of the connection: one packet less of five or so.
    Probe,
    /// The endpoint, which would not know of the connection if that segment had to wait.
    Endpoint,
}

/// A dialer, which connects as a check asks for it.
#[derive(Clone, Debug)]
pub(super) struct Dialer {
    source: Source,
    proxy: Option<ProxyVersion>,
    /// Whether more is written before anything is read: without `TCP_NODELAY` the second piece
    /// would wait 40 ms for the peer's delayed acknowledgement of the first.
    writes_in_pieces: bool,
}

impl Dialer {
    pub(super) fn of(check: &Check) -> Self {
        let is_one_piece = match &check.kind {
            CheckKind::Http(http) => http.tls.is_none(),
            CheckKind::Tcp(_) | CheckKind::Redis => true,
            _ => false,
        };
        let writes_in_pieces = !is_one_piece || check.proxy.is_some();
        Self { source: check.source, proxy: check.proxy, writes_in_pieces }
    }

    /// Returns whether a PROXY header precedes all else on its connections.
    pub(super) fn is_announced(&self) -> bool {
        self.proxy.is_some()
    }

    /// Returns the address that connections to `address` come from; `None` lets the system choose.
    pub(super) fn source(&self, address: SocketAddr) -> Option<SocketAddr> {
        self.source.towards(address.ip()).map(|own| SocketAddr::new(own, 0))
    }

    /// Connects to `address`, and announces the connection by a PROXY header if the check has one.
    pub(super) async fn dial(
        &self,
        address: SocketAddr,
        first: First,
    ) -> Result<Connection, Reason> {
        let kind = Type::STREAM.nonblocking();
        let socket = Socket::new(Domain::for_address(address), kind, Some(Protocol::TCP))?;
        if first == First::Probe {
            socket.set_tcp_quickack(false)?;
        }
        if self.writes_in_pieces {
            socket.set_tcp_nodelay(true)?;
        }
        if let Some(own) = self.source(address) {
            bind(&socket, own)?;
        }
        let mut stream = connect(socket, address).await?;
        if let Some(version) = self.proxy {
            let header = proxy::header(version, stream.local_addr()?, address);
            stream.write_all(&header).await?;
        }
        Ok(Connection::from(stream))
    }

    /// Makes a socket for datagrams to and from `address`, which hears no other peer.
    pub(super) async fn udp(&self, address: SocketAddr) -> Result<UdpSocket, Reason> {
        let kind = Type::DGRAM.nonblocking();
        let socket = Socket::new(Domain::for_address(address), kind, Some(Protocol::UDP))?;
        if let Some(own) = self.source(address) {
            bind(&socket, own)?;
        }
        let socket = UdpSocket::from_std(StdUdpSocket::from(socket))?;
        socket.connect(address).await?;
        Ok(socket)
    }
}

/// Binds `socket` to an address of this machine.
///
/// # Errors
/// [`NO_SOURCE`] if this machine does not have the address: that says nothing of the endpoint.
pub(super) fn bind(socket: &Socket, own: SocketAddr) -> Result<(), Reason> {
    let is_foreign = |error: &io::Error| error.kind() == ErrorKind::AddrNotAvailable;
    let bound = socket.bind(&own.into());
    bound.map_err(|error| if is_foreign(&error) { NO_SOURCE } else { error.into() })
}

/// Connects `socket`. It reads `SO_ERROR` only if epoll reported an error: one system call less.
async fn connect(socket: Socket, address: SocketAddr) -> Result<TcpStream, Reason> {
    match socket.connect(&address.into()) {
        Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => return Err(error.into()),
        _ => {}
    }
    let stream = TcpStream::from_std(socket.into())?;
    let is_closed = stream.ready(Interest::WRITABLE).await?.is_write_closed();
    match is_closed.then(|| stream.take_error()).transpose()?.flatten() {
        Some(error) => Err(error.into()),
        None => Ok(stream),
    }
}

/// A connection on which everything counts that the peer has sent, however it ends.
///
/// - A script that answers before it has read the request resets the connection when it closes it.
///   A failed write is therefore an error only if nothing can be read, and a reset after some
///   octets is their end.
/// - A peer that writes its reply in pieces waits for the acknowledgement of the first piece. Linux
///   delays that by 40 ms on a connection that it takes for interactive. If the peer resets the
///   connection meanwhile, the other pieces are lost. While anything is waited for,
///   acknowledgements therefore go out at once.
#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    /// Whether anything has been read.
    has_read: bool,
    /// Whether a write failed because the peer was gone.
    is_cut: bool,
}

impl From<TcpStream> for Connection {
    fn from(stream: TcpStream) -> Self {
        Self { stream, has_read: false, is_cut: false }
    }
}

impl Connection {
    /// Returns the bare stream, to be kept or ended.
    pub(super) fn into_stream(self) -> TcpStream {
        self.stream
    }

    /// Reads the octets that are there, without waiting for more.
    pub(super) fn try_read_buf(&self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        self.stream.try_read_buf(buffer)
    }
}

/// Returns whether `error` says that the peer is gone.
fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe)
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if read.is_pending() {
            // If it fails, only probes of such peers are worse off.
            let _ = SockRef::from(&self.stream).set_tcp_quickack(true);
        }
        match ready!(read) {
            Ok(()) if buffer.filled().len() > before => self.has_read = true,
            Ok(()) if self.is_cut && !self.has_read => {
                return Poll::Ready(Err(ErrorKind::ConnectionReset.into()));
            }
            Err(error) if !(self.has_read && is_gone(&error)) => return Poll::Ready(Err(error)),
            Ok(()) | Err(_) => {}
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(context, octets));
        Poll::Ready(match written {
            Err(error) if is_gone(&error) => {
                self.is_cut = true;
                Ok(octets.len())
            }
            written => written,
        })
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
