//! Taking the addresses: everything is bound before anything is answered.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};

use socket2::{Domain, Protocol, Socket, Type};

use super::encrypted::{Tls, is_datagrams};
use super::{Over, stream, udp};

/// How often to look for a port that is free for UDP and TCP alike.
const PORT_ATTEMPTS: usize = 16;

/// Sockets that hold their addresses; what arrives waits in the kernel until `start`.
#[derive(Debug)]
pub struct Bound {
    pub(super) addresses: Vec<Listening>,
    pub(super) encrypted: Vec<Encrypted>,
    pub(super) tls: Option<Tls>,
}

/// One address and its sockets.
#[derive(Debug)]
pub(super) struct Listening {
    pub(super) address: SocketAddr,
    pub(super) datagrams: Vec<UdpSocket>,
    pub(super) streams: TcpListener,
}

/// One address of an encrypted transport.
#[derive(Debug)]
pub(super) struct Encrypted {
    pub(super) over: Over,
    pub(super) address: SocketAddr,
    pub(super) socket: EncryptedSocket,
}

/// What an encrypted transport runs over.
#[derive(Debug)]
pub(super) enum EncryptedSocket {
    /// TLS and HTTPS.
    Streams(TcpListener),
    /// QUIC and HTTP/3.
    Datagrams(UdpSocket),
}

impl Bound {
    /// The addresses of UDP and TCP, in the order asked for, with the real port where 0 was asked.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.addresses.iter().map(|listening| listening.address).collect()
    }

    /// The addresses of the encrypted transports, as [`Self::addresses`].
    pub fn encrypted_addresses(&self) -> Vec<(Over, SocketAddr)> {
        self.encrypted.iter().map(|encrypted| (encrypted.over, encrypted.address)).collect()
    }

    /// How many responders it takes to answer on all of them.
    pub fn responders(&self) -> usize {
        let datagrams = self.addresses.iter().map(|listening| listening.datagrams.len());
        let has = |tls: bool| self.encrypted.iter().any(|e| (e.over == Over::Tls) == tls);
        datagrams.sum::<usize>() + 1 + usize::from(has(true)) + usize::from(has(false))
    }

    /// Binds the addresses of encrypted transports too, which present what `tls` holds.
    ///
    /// Fails at the first address that cannot be had.
    pub fn with_encrypted(
        mut self,
        asked: &[(Over, SocketAddr)],
        tls: Tls,
    ) -> Result<Self, BindError> {
        for &(over, address) in asked {
            let plain = self.addresses.iter().map(|plain| (Over::Tcp, plain.address));
            let others = self.encrypted.iter().map(|other| (other.over, other.address));
            // Datagrams and streams have ports of their own; without encryption both are taken.
            let mut rivals = plain.chain(others).filter(|&(other, _)| {
                other == Over::Tcp || is_datagrams(other) == is_datagrams(over)
            });
            if let Some((other, covering)) = rivals.find(|&(_, other)| overlap(other, address)) {
                return Err(BindError {
                    address,
                    trouble: Trouble::Shared { over, other, covering },
                });
            }
            let taken = take_encrypted(over, address);
            self.encrypted.push(taken.map_err(|error| BindError {
                address,
                trouble: Trouble::System { over, error },
            })?);
        }
        self.tls = Some(tls);
        Ok(self)
    }
}

fn take_encrypted(over: Over, address: SocketAddr) -> io::Result<Encrypted> {
    let (socket, local) = if is_datagrams(over) {
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        let socket = UdpSocket::from(socket);
        let local = socket.local_addr()?;
        (EncryptedSocket::Datagrams(socket), local)
    } else {
        let listener = stream::listen(address)?;
        let local = listener.local_addr()?;
        (EncryptedSocket::Streams(listener), local)
    };
    Ok(Encrypted { over, address: local, socket })
}

/// Binds every address over UDP, `workers` sockets each (at least one), and over TCP.
///
/// Port 0 takes any port that is free for both. Fails at the first address that cannot be had.
pub fn bind(addresses: &[SocketAddr], workers: usize) -> Result<Bound, BindError> {
    for (at, &address) in addresses.iter().enumerate() {
        if let Some(&covering) = addresses[..at].iter().find(|&&other| overlap(other, address)) {
            return Err(BindError { address, trouble: Trouble::Listed { covering } });
        }
    }
    let bound = addresses.iter().map(|&address| take(address, workers.max(1)));
    let addresses = bound.collect::<Result<_, _>>()?;
    Ok(Bound { addresses, encrypted: Vec::new(), tls: None })
}

/// Whether two listen addresses cannot be had together.
fn overlap(one: SocketAddr, other: SocketAddr) -> bool {
    one.port() != 0
        && one.port() == other.port()
        && one.is_ipv4() == other.is_ipv4()
        && (one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified())
}

fn take(address: SocketAddr, workers: usize) -> Result<Listening, BindError> {
    let mut attempts = if address.port() == 0 { PORT_ATTEMPTS } else { 1 };
    loop {
        attempts -= 1;
        match take_once(address, workers) {
            Err(error) if error.in_use() && attempts > 0 => continue,
            outcome => return outcome,
        }
    }
}

fn take_once(asked: SocketAddr, workers: usize) -> Result<Listening, BindError> {
    let fail =
        |over| move |error| BindError { address: asked, trouble: Trouble::System { over, error } };
    let streams = stream::listen(asked).map_err(fail(Over::Tcp))?;
    let mut address = asked;
    address.set_port(streams.local_addr().map_err(fail(Over::Tcp))?.port());
    // Sockets with SO_REUSEPORT share a port with any other of the same user: a second server would
    // silently take a part of the queries. A socket without it finds out whether anyone is there.
    drop(UdpSocket::bind(address).map_err(fail(Over::Udp))?);
    let datagrams = (0..workers)
        .map(|_| udp::open(address))
        .collect::<io::Result<Vec<_>>>()
        .map_err(fail(Over::Udp))?;
    Ok(Listening { address, datagrams, streams })
}

/// Why an address cannot be listened on, and what to do about it.
#[derive(Debug)]
pub struct BindError {
    address: SocketAddr,
    trouble: Trouble,
}

#[derive(Debug)]
enum Trouble {
    /// The list of addresses holds it twice, or one that covers it.
    Listed { covering: SocketAddr },
    /// Another transport is to have it, or one that covers it.
    Shared { over: Over, other: Over, covering: SocketAddr },
    /// The system said no.
    System { over: Over, error: io::Error },
}

impl BindError {
    /// The address asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether someone else has the port.
    fn in_use(&self) -> bool {
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
                     list this machine's own addresses in place of all",
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
        _ => write!(f, "{error}"),
    }
}

impl std::error::Error for BindError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.trouble {
            Trouble::Listed { .. } | Trouble::Shared { .. } => None,
            Trouble::System { error, .. } => Some(error),
        }
    }
}
