//! First match of client networks, as one longest-prefix look-up.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use prefix_trie::PrefixMap;

/// Which route a client takes: the first whose networks hold it.
#[derive(Debug)]
pub(super) struct RouteTable {
    v4: PrefixMap<Ipv4Net, u16>,
    v6: PrefixMap<Ipv6Net, u16>,
    /// The first route that takes everyone; one past the last if none does.
    everyone: u16,
}

impl RouteTable {
    /// Compiles the networks of each route, in order; no networks: everyone.
    pub(super) fn new<'a>(routes: impl Iterator<Item = &'a [IpNet]> + Clone) -> Self {
        let count = routes.clone().count() as u16;
        let everyone = routes.clone().position(<[IpNet]>::is_empty).map_or(count, |at| at as u16);
        let mut table = Self { v4: PrefixMap::new(), v6: PrefixMap::new(), everyone };
        let mut nets: Vec<(IpNet, u16)> = routes
            .enumerate()
            .flat_map(|(at, nets)| nets.iter().map(move |net| (net.trunc(), at as u16)))
            .filter(|&(_, route)| route < everyone)
            .collect();
        // Wide before narrow: a narrow network inherits an earlier route of one that holds it,
        // so that the longest match always knows the first match.
        nets.sort_by_key(|&(net, route)| (net.prefix_len(), route));
        for (net, route) in nets {
            let first = table.route_of(net.addr(), net.prefix_len()).min(route);
            match net {
                IpNet::V4(net) => drop(table.v4.insert(net, first)),
                IpNet::V6(net) => drop(table.v6.insert(net, first)),
            }
        }
        table
    }

    /// The route of `client`.
    ///
    /// # Cost
    /// Nothing where no route names networks, else one look-up.
    pub(super) fn route(&self, client: IpAddr) -> u16 {
        let len = if client.is_ipv4() { 32 } else { 128 };
        self.route_of(client, len)
    }

    fn route_of(&self, addr: IpAddr, len: u8) -> u16 {
        let found = match addr {
            IpAddr::V4(addr) if !self.v4.is_empty() => {
                Ipv4Net::new(addr, len).ok().and_then(|net| self.v4.get_lpm(&net)).map(|hit| *hit.1)
            }
            IpAddr::V6(addr) if !self.v6.is_empty() => {
                Ipv6Net::new(addr, len).ok().and_then(|net| self.v6.get_lpm(&net)).map(|hit| *hit.1)
            }
            _ => None,
        };
        found.unwrap_or(self.everyone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(routes: &[&[&str]], client: &str) -> u16 {
        let nets: Vec<Vec<IpNet>> = routes
            .iter()
            .map(|nets| nets.iter().map(|net| net.parse().unwrap()).collect())
            .collect();
        RouteTable::new(nets.iter().map(Vec::as_slice)).route(client.parse().unwrap())
    }

    #[test]
    fn the_first_match_wins_not_the_longest() {
        let routes: &[&[&str]] = &[&["10.0.0.0/8"], &["10.1.0.0/16", "2001:db8::/32"], &[]];
        assert_eq!(route(routes, "10.1.2.3"), 0);
        assert_eq!(route(routes, "192.0.2.1"), 2);
        assert_eq!(route(routes, "2001:db8::1"), 1);
        let routes: &[&[&str]] = &[&["10.1.0.0/16"], &["10.0.0.0/8"]];
        assert_eq!(route(routes, "10.1.2.3"), 0);
        assert_eq!(route(routes, "10.2.0.1"), 1);
        assert_eq!(route(routes, "192.0.2.1"), 2);
    }

    #[test]
    fn nothing_behind_a_route_for_everyone_is_reached() {
        assert_eq!(route(&[&[], &["10.0.0.0/8"]], "10.1.2.3"), 0);
        assert_eq!(route(&[&["0.0.0.0/0"], &["::/0"]], "2001:db8::1"), 1);
    }
}
