//! Connections of probes: thousands a second begin and end, here and at the endpoints.

use std::io;
use std::net::SocketAddr;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::Interest;
use tokio::net::TcpStream;

use super::Reason;

/// Who says something first on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum First {
    /// The probe, or nobody. The handshake's last segment goes with what it sends, or with the end
    /// of the connection: one packet less of five or so.
    Probe,
    /// The endpoint, which would not know yet that there is a connection.
    Endpoint,
}

/// Connects to `address`. How that went is asked of the socket only if it was told to have failed.
pub(super) async fn connect(address: SocketAddr, first: First) -> Result<TcpStream, Reason> {
    let kind = Type::STREAM.nonblocking();
    let socket = Socket::new(Domain::for_address(address), kind, Some(Protocol::TCP))?;
    if first == First::Probe {
        socket.set_tcp_quickack(false)?;
    }
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

/// Lets the connection end by a reset: where nothing is left to say, none is left behind that waits
/// for its time, and takes a port, here or there.
pub(super) fn end_by_reset(stream: &TcpStream) -> io::Result<()> {
    stream.set_zero_linger()
}
