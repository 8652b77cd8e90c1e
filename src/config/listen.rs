//! Addresses to listen on, as people write them.
//!
//! The keys of `[listen]` (`config::spec::server`) and the flag `--listen` (`cli::serve`) both come
//! through here, so that they take the same texts. Each refused text gets a hint at what to write.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Returns the addresses that `text` names: an address and a port, or a port alone (`:53`), which
/// means that port on all addresses, those of IPv4 first.
///
/// # Errors
/// A hint at what to write instead.
pub fn parse_listen(text: &str) -> Result<Vec<SocketAddr>, String> {
    if let Ok(socket) = text.parse() {
        return Ok(vec![socket]);
    }
    if let Some(port) = text.strip_prefix(':').and_then(|port| port.parse::<u16>().ok()) {
        let all: [IpAddr; 2] = [Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()];
        return Ok(all.into_iter().map(|address| SocketAddr::new(address, port)).collect());
    }
    Err(advice(text))
}

fn advice(text: &str) -> String {
    if text.parse::<u16>().is_ok() {
        return format!(
            "write ADDRESS:PORT, such as 127.0.0.1:{text}, or :{text} for all addresses"
        );
    }
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if port.parse::<u16>().is_ok() => (host, port),
        _ => (text, "53"),
    };
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    if let Ok(address) = bare.parse::<Ipv6Addr>() {
        return format!("an IPv6 address stands in brackets before its port: [{address}]:{port}");
    }
    // In `::1`, nothing tells whether the end was meant as a port.
    if let Ok(address) = text.parse::<IpAddr>() {
        return format!("the port is missing: write {}", SocketAddr::new(address, 53));
    }
    if host.parse::<Ipv4Addr>().is_err() && host.contains(|c: char| c.is_ascii_alphabetic()) {
        return format!("{host} is a name: write its address, such as 127.0.0.1:{port}");
    }
    "write ADDRESS:PORT, such as 127.0.0.1:5300 or [::1]:5300".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_alone_is_that_of_all_addresses() {
        let all: Vec<SocketAddr> =
            ["0.0.0.0:53", "[::]:53"].into_iter().map(|text| text.parse().unwrap()).collect();
        assert_eq!(parse_listen(":53"), Ok(all));
        assert_eq!(parse_listen("[::1]:53"), Ok(vec!["[::1]:53".parse().unwrap()]));
    }

    #[test]
    fn what_people_type_is_answered_with_what_to_type() {
        for (text, advice) in [
            ("15501", "write ADDRESS:PORT, such as 127.0.0.1:15501, or :15501 for all addresses"),
            ("localhost:53", "localhost is a name: write its address, such as 127.0.0.1:53"),
            ("::1:53", "an IPv6 address stands in brackets before its port: [::1]:53"),
            ("[::1]", "an IPv6 address stands in brackets before its port: [::1]:53"),
            ("192.0.2.1", "the port is missing: write 192.0.2.1:53"),
            ("192.0.2.1:99999", "write ADDRESS:PORT, such as 127.0.0.1:5300 or [::1]:5300"),
            ("", "write ADDRESS:PORT, such as 127.0.0.1:5300 or [::1]:5300"),
        ] {
            assert_eq!(parse_listen(text), Err(advice.to_owned()), "{text}");
        }
    }
}
