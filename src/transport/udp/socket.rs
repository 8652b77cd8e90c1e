//! How a UDP socket is set up.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

use super::batch::set_option;
use crate::transport::bind::hold;

/// How long a call may block: how late a worker sees that it is to stop.
const BLOCK: Duration = Duration::from_millis(200);

/// What to ask of the kernel for queues, in bytes: a burst of 10,000 queries waits in it.
const QUEUE: usize = 4 << 20;

/// The place of a socket among those at one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::transport) enum Share {
    /// The first: nobody else may have the port.
    First,
    /// One that joins the first.
    Next,
}

/// A blocking socket at `address` that shares its port with those of the other workers.
///
/// Sockets with SO_REUSEPORT share a port with any other of the same user: a second server would
/// silently take a part of the queries. So the first is bound without, which fails if anyone is
/// there, and lets the next ones in after that.
pub(in crate::transport) fn open(address: SocketAddr, share: Share) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_reuse_port(share == Share::Next)?;
    socket.set_read_timeout(Some(BLOCK))?;
    socket.set_write_timeout(Some(BLOCK))?;
    // Best effort: the kernel grants what net.core.rmem_max and wmem_max allow.
    let _ = socket.set_recv_buffer_size(QUEUE);
    let _ = socket.set_send_buffer_size(QUEUE);
    let (level, discover, omit, packet_info) = match address {
        SocketAddr::V4(_) => {
            (libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_OMIT, libc::IP_PKTINFO)
        }
        SocketAddr::V6(_) => {
            socket.set_only_v6(true)?;
            (
                libc::IPPROTO_IPV6,
                libc::IPV6_MTU_DISCOVER,
                libc::IPV6_PMTUDISC_OMIT,
                libc::IPV6_RECVPKTINFO,
            )
        }
    };
    // Whoever can spoof "fragmentation needed" could otherwise have responses cut in two and slip a
    // forged second half in. Kernels too old for it serve all the same.
    let _ = set_option(socket.as_fd(), level, discover, omit);
    if address.ip().is_unspecified() {
        // A response must leave from the address the query came to, or the client discards it.
        set_option(socket.as_fd(), level, packet_info, 1)?;
    }
    hold(&socket, address)?;
    socket.set_reuse_port(true)?;
    Ok(socket.into())
}
