//! Access by address: one longest-prefix look-up says whether it is admitted.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use prefix_trie::PrefixMap;

/// The networks that are admitted and those that are denied. The narrowest one that holds an
/// address decides.
#[derive(Clone, Debug)]
pub struct Access {
    v4: PrefixMap<Ipv4Net, bool>,
    v6: PrefixMap<Ipv6Net, bool>,
    /// Whether an address in none of the networks is admitted.
    others: bool,
}

impl Access {
    /// Admits the networks of `allow` without those of `deny`; if `allow` is empty, all networks
    /// without those of `deny`. A network in both is denied.
    pub fn new(allow: &[IpNet], deny: &[IpNet]) -> Self {
        let mut access =
            Self { v4: PrefixMap::new(), v6: PrefixMap::new(), others: allow.is_empty() };
        let all = allow.iter().map(|net| (net, true)).chain(deny.iter().map(|net| (net, false)));
        for (net, admitted) in all {
            match net.trunc() {
                IpNet::V4(net) => drop(access.v4.insert(net, admitted)),
                IpNet::V6(net) => drop(access.v6.insert(net, admitted)),
            }
        }
        access
    }

    /// Admits the networks of `allow` only.
    pub fn only(allow: &[IpNet]) -> Self {
        Self { others: false, ..Self::new(allow, &[]) }
    }

    /// Returns whether `address` is admitted.
    ///
    /// # Cost
    /// Nothing if no network of the address's family is named, otherwise one look-up.
    // Inlined: mostly it is two comparisons, twice an answer.
    #[inline]
    pub fn admits(&self, address: IpAddr) -> bool {
        let found = match address {
            IpAddr::V4(address) if !self.v4.is_empty() => {
                self.v4.get_lpm(&Ipv4Net::from(address)).map(|hit| *hit.1)
            }
            IpAddr::V6(address) if !self.v6.is_empty() => {
                self.v6.get_lpm(&Ipv6Net::from(address)).map(|hit| *hit.1)
            }
            _ => None,
        };
        found.unwrap_or(self.others)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admits(allow: &[&str], deny: &[&str], address: &str) -> bool {
        let nets = |texts: &[&str]| texts.iter().map(|t| t.parse().unwrap()).collect::<Vec<_>>();
        Access::new(&nets(allow), &nets(deny)).admits(address.parse().unwrap())
    }

    #[test]
    fn the_narrowest_network_decides() {
        assert!(admits(&[], &[], "192.0.2.1"));
        assert!(admits(&["10.0.0.0/8"], &[], "10.1.2.3"));
        assert!(!admits(&["10.0.0.0/8"], &[], "192.0.2.1"));
        assert!(!admits(&["10.0.0.0/8"], &[], "2001:db8::1"));
        assert!(!admits(&["10.0.0.0/8"], &["10.1.0.0/16"], "10.1.2.3"));
        assert!(admits(&["10.1.2.0/24", "10.0.0.0/8"], &["10.1.0.0/16"], "10.1.2.3"));
        assert!(!admits(&[], &["2001:db8::/32"], "2001:db8::1"));
        assert!(admits(&[], &["2001:db8::/32"], "192.0.2.1"));
        assert!(!admits(&["10.0.0.0/8"], &["10.0.0.0/8"], "10.1.2.3"));
        assert!(!admits(&[], &["10.1.2.3/8"], "10.200.0.1"), "host bits do not count");
    }
}
