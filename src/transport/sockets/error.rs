//! Obstacles to listening on an address, in words that name the remedy.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use crate::transport::Over;
use crate::transport::encrypted::is_datagrams;

/// The reason for not listening on an address, with the remedy.
#[derive(Debug)]
pub struct BindError {
    pub(super) address: SocketAddr,
    pub(super) trouble: Trouble,
}

#[derive(Debug)]
pub(super) enum Trouble {
    /// The list of addresses holds the address twice, or one that covers it.
    Listed { covering: SocketAddr },
    /// Another transport takes the address, or one that covers it.
    Shared { over: Over, other: Over, covering: SocketAddr },
    /// The system refused.
    System { over: Over, error: io::Error },
}

impl BindError {
    /// Returns the address that was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether the system has no addresses of this family at all.
    pub(super) fn is_without_family(&self) -> bool {
        matches!(&self.trouble, Trouble::System { error, .. }
            if error.raw_os_error() == Some(libc::EAFNOSUPPORT))
    }

    /// Whether the port is in use.
    pub(super) fn in_use(&self) -> bool {
        matches!(&self.trouble, Trouble::System { error, .. }
            if error.kind() == io::ErrorKind::AddrInUse)
    }
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = self.address;
        match &self.trouble {
            Trouble::Listed { covering } if *covering == address => {
                write!(f, "cannot listen on {address}: it is listed twice; leave one of them out")
            }
            Trouble::Listed { covering } => write!(
                f,
                "cannot listen on {address}: {covering} in the same list covers it; \
                 leave one of them out"
            ),
            Trouble::Shared { over, other, covering } => write!(
                f,
                "cannot listen on {address} over {}: {covering} is listed for {} and takes it; \
                 give one of them another port",
                over.as_str(),
                other.as_str()
            ),
            Trouble::System { over, error } => {
                write!(f, "cannot listen on {address} over {}: ", over.as_str())?;
                explain(f, address, *over, error)
            }
        }
    }
}

fn explain(
    f: &mut fmt::Formatter<'_>,
    address: SocketAddr,
    over: Over,
    error: &io::Error,
) -> fmt::Result {
    let port = address.port();
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            let kind = if is_datagrams(over) { 'u' } else { 't' };
            write!(
                f,
                "another program has {address}; find it with `ss -l{kind}np 'sport = :{port}'`, \
                 stop it or listen on another port"
            )?;
            if port == 53 && address.ip().is_unspecified() {
                f.write_str(
                    "; if it is a resolver on a loopback address, such as systemd-resolved, \
                     listen on this machine's own addresses in place of all",
                )?;
            }
            Ok(())
        }
        io::ErrorKind::PermissionDenied if (1..1024).contains(&port) => write!(
            f,
            "ports below 1024 need a privilege; give it with \
             `setcap cap_net_bind_service=+ep` on the waypost binary, or with \
             `AmbientCapabilities=CAP_NET_BIND_SERVICE` in the systemd unit, \
             or listen on a higher port"
        ),
        io::ErrorKind::AddrNotAvailable => {
            write!(f, "this machine does not have that address; see `ip address`")
        }
        io::ErrorKind::InvalidInput if lacks_scope(address) => write!(
            f,
            "a link-local address needs the number of its interface, such as \
             [fe80::1%2]:{port}; `ip link` shows the numbers"
        ),
        _ if error.raw_os_error() == Some(libc::EAFNOSUPPORT) => {
            let family = if address.is_ipv6() { "IPv6" } else { "IPv4" };
            write!(f, "this system has no {family}, or does not let this process use it")
        }
        _ => write!(f, "{error}"),
    }
}

/// Whether `address` is link-local without the number of an interface.
fn lacks_scope(address: SocketAddr) -> bool {
    matches!(address, SocketAddr::V6(v6) if v6.ip().is_unicast_link_local() && v6.scope_id() == 0)
}

impl std::error::Error for BindError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.trouble {
            Trouble::Listed { .. } | Trouble::Shared { .. } => None,
            Trouble::System { error, .. } => Some(error),
        }
    }
}
