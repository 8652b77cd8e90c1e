//! Connections of probes: thousands a second begin and end, here and at the endpoints.

use std::io;
use std::net::SocketAddr;

use socket2::SockRef;
use tokio::net::{TcpSocket, TcpStream};

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

/// Connects to `address`.
pub(super) async fn connect(address: SocketAddr, first: First) -> Result<TcpStream, Reason> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    if first == First::Probe {
        SockRef::from(&socket).set_tcp_quickack(false)?;
    }
    Ok(socket.connect(address).await?)
}

/// Lets the connection end by a reset: where nothing is left to say, none is left behind that waits
/// for its time, and takes a port, here or there.
pub(super) fn end_by_reset(stream: &TcpStream) -> io::Result<()> {
    stream.set_zero_linger()
}
