//! The addresses that probes may go to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use ipnet::IpNet;

/// The link-local networks, whose addresses mean another machine on each link.
const LINK_LOCAL: [IpNet; 2] = [
    IpNet::V4(ipnet::Ipv4Net::new_assert(Ipv4Addr::new(169, 254, 0, 0), 16)),
    IpNet::V6(ipnet::Ipv6Net::new_assert(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10)),
];
/// The addresses from which a machine in a cloud reads its secrets, beside 169.254.169.254.
const METADATA: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
];
/// The prefix with which a NAT64 writes IPv4 addresses as IPv6 ones (RFC 6052 §2.1).
const NAT64: [u16; 6] = [0x64, 0xff9b, 0, 0, 0, 0];

/// A limit on the addresses that probes may go to. Without one, the author of a zone file could
/// reach through Waypost what only this machine can reach.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// The networks that are allowed, whatever they are.
    pub allow: Arc<[IpNet]>,
    /// Whether the loopback is allowed.
    pub loopback: bool,
}

/// The reason why probes may not go to an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// An address of this machine's loopback.
    Loopback,
    /// A link-local address.
    LinkLocal,
    /// An address from which a machine in a cloud reads its secrets.
    Metadata,
}

impl Reach {
    /// Creates a limit that allows every address.
    pub fn everywhere() -> Self {
        let all = [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)];
        let allow = all.map(|ip| IpNet::new_assert(ip, 0)).into();
        Self { allow, loopback: true }
    }

    /// Returns the reason why probes may not go to `ip`; `None` if they may.
    pub fn refuses(&self, ip: IpAddr) -> Option<Refused> {
        let ip = inner(ip);
        if self.allow.iter().any(|net| net.contains(&ip)) {
            return None;
        }
        if METADATA.contains(&ip) || ip == IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)) {
            return Some(Refused::Metadata);
        }
        if LINK_LOCAL.iter().any(|net| net.contains(&ip)) {
            return Some(Refused::LinkLocal);
        }
        (ip.is_loopback() && !self.loopback).then_some(Refused::Loopback)
    }

    /// Whether probes may go to what only processes of this machine can reach.
    pub fn is_local_allowed(&self) -> bool {
        self.refuses(IpAddr::V4(Ipv4Addr::LOCALHOST)).is_none()
    }
}

impl Refused {
    /// Returns the words for such an address in messages.
    pub fn word(self) -> &'static str {
        match self {
            Self::Loopback => "a loopback address",
            Self::LinkLocal => "a link-local address",
            Self::Metadata => "an address at which clouds tell machines their secrets",
        }
    }
}

/// Returns the IPv4 address that an IPv6 address stands for, or the address itself.
fn inner(ip: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = ip.to_canonical() else { return ip.to_canonical() };
    match v6.segments() {
        [a, b, c, d, e, f, high, low] if [a, b, c, d, e, f] == NAT64 => {
            let bits = u32::from(high) << 16 | u32::from(low);
            Ipv4Addr::from_bits(bits).into()
        }
        _ => ip,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(reach: &Reach, ip: &str) -> Option<Refused> {
        reach.refuses(ip.parse().unwrap())
    }

    #[test]
    fn what_only_this_machine_reaches_is_refused_in_every_spelling() {
        let nobody = Reach::default();
        for (ip, expected) in [
            ("127.0.0.1", Refused::Loopback),
            ("127.9.8.7", Refused::Loopback),
            ("::1", Refused::Loopback),
            ("::ffff:127.0.0.1", Refused::Loopback),
            ("64:ff9b::127.0.0.1", Refused::Loopback),
            ("169.254.1.1", Refused::LinkLocal),
            ("fe80::1", Refused::LinkLocal),
            ("febf::1", Refused::LinkLocal),
            ("169.254.169.254", Refused::Metadata),
            ("64:ff9b::a9fe:a9fe", Refused::Metadata),
            ("100.100.100.200", Refused::Metadata),
            ("fd00:ec2::254", Refused::Metadata),
        ] {
            assert_eq!(refused(&nobody, ip), Some(expected), "{ip}");
            assert_eq!(refused(&Reach::everywhere(), ip), None, "{ip}");
        }
        for ip in ["10.0.0.1", "192.168.1.1", "100.64.0.1", "fd00::1", "fec0::1", "192.0.2.1"] {
            assert_eq!(refused(&nobody, ip), None, "{ip}");
        }
    }

    #[test]
    fn each_network_is_allowed_by_itself() {
        let own = Reach { loopback: true, ..Reach::default() };
        assert_eq!(refused(&own, "127.0.0.1"), None);
        assert_eq!(refused(&own, "169.254.1.1"), Some(Refused::LinkLocal));
        let allow = ["169.254.1.0/24".parse().unwrap()].into();
        let link = Reach { allow, loopback: false };
        assert_eq!(refused(&link, "169.254.1.1"), None);
        assert_eq!(refused(&link, "169.254.169.254"), Some(Refused::Metadata));
        assert_eq!(refused(&link, "127.0.0.1"), Some(Refused::Loopback));
    }
}
