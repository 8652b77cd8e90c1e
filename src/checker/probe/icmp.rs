//! The `icmp` probe: one echo request (RFC 792, RFC 4443 §4.1).

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket as StdSocket};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;

use super::Reason;
use super::attempt::Attempt;
use super::connect::{self, Dialer};

/// The reason for a probe that this machine forbids; it tells the operator what to do.
const NOT_ALLOWED: Reason = Reason::Barred(
    "this machine does not let waypost send echo requests: set net.ipv4.ping_group_range to its \
     group, or give it CAP_NET_RAW, and let its packet filter pass them",
);

/// The types of messages, by family: IPv4, IPv6.
const REQUEST: (u8, u8) = (8, 128);
const REPLY: (u8, u8) = (0, 129);
/// The longest reply that is read, in octets: an IPv4 header with all options, and our message.
const REPLY_MAX: usize = 60 + MESSAGE_LEN;
/// The octets of a message: type, code, checksum, identifier, sequence number; then a token that
/// tells the reply from others.
const MESSAGE_LEN: usize = 16;

/// Asks `address`, whatever its port, for an echo.
pub(super) async fn probe(
    address: SocketAddr,
    dialer: &Dialer,
    attempt: &Attempt,
) -> Result<Reason, Reason> {
    attempt.needs_no_connection();
    let (socket, is_raw) = open(address.ip())?;
    if let Some(own) = dialer.source(address) {
        connect::bind(&socket, own)?;
    }
    let socket = UdpSocket::from_std(StdSocket::from(socket))?;
    socket.connect(SocketAddr::new(address.ip(), 0)).await?;
    let token = fastrand::u64(..).to_be_bytes();
    let sent = socket.send(&request(address.ip(), token)).await;
    // The error of a filter on this machine; the network causes no such error.
    let is_filtered = |error: &io::Error| error.raw_os_error() == Some(libc::EPERM);
    sent.map_err(|error| if is_filtered(&error) { NOT_ALLOWED } else { error.into() })?;
    let mut reply = [0; REPLY_MAX];
    loop {
        let len = socket.recv(&mut reply).await?;
        let reply = reply.get(..len).unwrap_or_default();
        // A raw socket gets all messages from there, and over IPv4 with the header before them.
        let message = match (address, is_raw) {
            (SocketAddr::V4(_), true) => behind_header(reply),
            _ => reply,
        };
        if message.first() == Some(&of(address.ip(), REPLY)) && message.ends_with(&token) {
            return Ok(Reason::Replied);
        }
    }
}

/// Opens a socket for echoes; returns also whether it is a raw one. If neither kind is allowed, the
/// reason tells how to allow it.
fn open(ip: IpAddr) -> Result<(Socket, bool), Reason> {
    let (domain, protocol) = match ip {
        IpAddr::V4(_) => (Domain::IPV4, Protocol::ICMPV4),
        IpAddr::V6(_) => (Domain::IPV6, Protocol::ICMPV6),
    };
    let is_denied = |error: &io::Error| error.kind() == io::ErrorKind::PermissionDenied;
    let (socket, is_raw) = match Socket::new(domain, Type::DGRAM, Some(protocol)) {
        Err(error) if is_denied(&error) => {
            let raw = Socket::new(domain, Type::RAW, Some(protocol));
            let told = |error| if is_denied(&error) { NOT_ALLOWED } else { Reason::from(error) };
            (raw.map_err(told)?, true)
        }
        socket => (socket?, false),
    };
    socket.set_nonblocking(true)?;
    Ok((socket, is_raw))
}

/// Returns an echo request with this `token`.
fn request(ip: IpAddr, token: [u8; 8]) -> [u8; MESSAGE_LEN] {
    let mut message = [0; MESSAGE_LEN];
    message[0] = of(ip, REQUEST);
    // The identifier, which the kernel replaces unless the socket is raw; then sequence number 1.
    message[4..6].copy_from_slice(&[token[0], token[1]]);
    message[7] = 1;
    message[8..].copy_from_slice(&token);
    // The kernel fills in the checksum of ICMPv6, which covers the addresses.
    if ip.is_ipv4() {
        let sum = checksum(&message);
        message[2..4].copy_from_slice(&sum.to_be_bytes());
    }
    message
}

/// Returns the one of a pair that belongs to the family of `ip`.
fn of(ip: IpAddr, (v4, v6): (u8, u8)) -> u8 {
    if ip.is_ipv4() { v4 } else { v6 }
}

/// Returns the octets after the IPv4 header that `packet` begins with (RFC 791 §3.1).
fn behind_header(packet: &[u8]) -> &[u8] {
    let words = packet.first().map_or(0, |first| first & 0x0f);
    packet.get(usize::from(words) * 4..).unwrap_or_default()
}

/// Returns the Internet checksum (RFC 1071) of an even number of octets.
fn checksum(octets: &[u8]) -> u16 {
    let pairs = octets.chunks_exact(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1]));
    let mut sum: u32 = pairs.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_makes_the_whole_add_up() {
        let message = request("192.0.2.1".parse().unwrap(), [1, 2, 3, 4, 5, 6, 7, 0xff]);
        assert_eq!((message[0], checksum(&message)), (8, 0));
        let message = request("2001:db8::1".parse().unwrap(), [1; 8]);
        assert_eq!((message[0], &message[2..4]), (128, &[0, 0][..]));
    }

    #[test]
    fn a_header_is_passed_over_by_its_own_length() {
        let packet = [&[0x46; 24][..], b"rest"].concat();
        assert_eq!(behind_header(&packet), b"rest");
        assert_eq!(behind_header(&[0x4f; 8]), b"");
        assert_eq!(behind_header(b""), b"");
    }
}
