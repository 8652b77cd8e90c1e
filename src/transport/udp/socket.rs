//! The setup of a UDP socket.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

use super::batch::set_option;
use crate::transport::sockets::hold;

/// The longest time for which a call blocks, and so the delay until a worker sees the stop.
const BLOCK: Duration = Duration::from_millis(200);

/// The size of the queues asked of the kernel, in octets: a burst of 10,000 queries fits.
const QUEUE: usize = 4 << 20;

/// The place of a socket among those at one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::transport) enum Share {
    /// The first socket, which fails if another program has the port.
    First,
    /// One that joins the first.
    Next,
}

/// Opens a blocking socket at `address` that shares its port with those of the other workers.
///
/// A socket with SO_REUSEPORT shares its port with any other of the same user, so a second server
/// would silently take a part of the queries. The first socket is therefore bound without it, which
/// fails if anyone has the port. After that it lets the next sockets join.
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
    // Otherwise an attacker who can forge "fragmentation needed" could have responses cut in two,
    // and slip in a forged second half. Kernels too old for this option serve all the same.
    let _ = set_option(socket.as_fd(), level, discover, omit);
    if address.ip().is_unspecified() {
        // A response must leave from the address to which the query came, or the client discards
        // it.
        set_option(socket.as_fd(), level, packet_info, 1)?;
    }
    hold(&socket, address)?;
    socket.set_reuse_port(true)?;
    Ok(socket.into())
}
