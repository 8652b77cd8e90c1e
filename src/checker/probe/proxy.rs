//! The PROXY header, which announces a connection to servers that are used behind proxies
//! (<https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt>).
//!
//! It names the two addresses of the probe's own connection, so that a server logs the truth.

use std::net::{IpAddr, SocketAddr};

use crate::zone::ProxyVersion;

/// The first twelve octets of version 2.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// The octet for version 2, command PROXY.
const VERSION_AND_COMMAND: u8 = 0x21;
/// The octets for a TCP connection over IPv4 and over IPv6.
const TCP_V4: u8 = 0x11;
const TCP_V6: u8 = 0x21;

/// Returns the header of a connection from `own` to `peer`.
pub(super) fn header(version: ProxyVersion, own: SocketAddr, peer: SocketAddr) -> Vec<u8> {
    let is_v4 = peer.is_ipv4();
    match version {
        ProxyVersion::V1 => {
            let family = if is_v4 { "TCP4" } else { "TCP6" };
            let (from, to) = (own.ip(), peer.ip());
            format!("PROXY {family} {from} {to} {} {}\r\n", own.port(), peer.port()).into_bytes()
        }
        ProxyVersion::V2 => {
            let mut addresses = [octets(own.ip()), octets(peer.ip())].concat();
            addresses.extend_from_slice(&own.port().to_be_bytes());
            addresses.extend_from_slice(&peer.port().to_be_bytes());
            let mut header = SIGNATURE.to_vec();
            header.extend([VERSION_AND_COMMAND, if is_v4 { TCP_V4 } else { TCP_V6 }]);
            header.extend_from_slice(&(addresses.len() as u16).to_be_bytes());
            header.extend(addresses);
            header
        }
    }
}

fn octets(ip: IpAddr) -> Vec<u8> {
    match ip {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(version: ProxyVersion, own: &str, peer: &str) -> Vec<u8> {
        header(version, own.parse().unwrap(), peer.parse().unwrap())
    }

    #[test]
    fn both_versions_name_the_two_addresses() {
        let v1 = of(ProxyVersion::V1, "192.0.2.1:4711", "192.0.2.2:80");
        assert_eq!(v1, b"PROXY TCP4 192.0.2.1 192.0.2.2 4711 80\r\n");
        let v1 = of(ProxyVersion::V1, "[2001:db8::1]:4711", "[2001:db8::2]:80");
        assert_eq!(v1, b"PROXY TCP6 2001:db8::1 2001:db8::2 4711 80\r\n");
        let v2 = of(ProxyVersion::V2, "192.0.2.1:258", "192.0.2.2:80");
        let expected =
            [&SIGNATURE[..], b"\x21\x11\0\x0c\xc0\0\x02\x01\xc0\0\x02\x02\x01\x02\0\x50"].concat();
        assert_eq!(v2, expected);
        let v2 = of(ProxyVersion::V2, "[2001:db8::1]:258", "[2001:db8::2]:80");
        assert_eq!((v2.len(), &v2[12..16]), (16 + 36, &b"\x21\x21\0\x24"[..]));
    }
}
