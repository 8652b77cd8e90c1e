//! Binding of the addresses: everything is bound before anything is answered.

mod error;

use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};

use error::Trouble;
use socket2::{Domain, Protocol, SockRef, Socket, Type};

use super::encrypted::{Tls, is_datagrams};
use super::udp::Share;
use super::{Over, stream, udp};

pub use error::BindError;

/// The number of attempts to find a port that is free for UDP and TCP alike.
const PORT_ATTEMPTS: usize = 16;

/// Sockets that hold their addresses. Until `start`, the kernel queues what arrives.
#[derive(Debug)]
pub struct Sockets {
    pub(super) addresses: Vec<Listening>,
    pub(super) encrypted: Vec<Encrypted>,
    pub(super) tls: Option<Tls>,
    left_out: Vec<BindError>,
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

/// The socket of an encrypted transport.
#[derive(Debug)]
pub(super) enum EncryptedSocket {
    /// TLS and HTTPS.
    Streams(TcpListener),
    /// QUIC and HTTP/3.
    Datagrams(UdpSocket),
}

impl EncryptedSocket {
    fn as_ref(&self) -> SockRef<'_> {
        match self {
            Self::Streams(listener) => listener.into(),
            Self::Datagrams(socket) => socket.into(),
        }
    }
}

impl Sockets {
    /// Returns the addresses of UDP and TCP, in the order asked for, with the real port in place of
    /// 0.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.addresses.iter().map(|listening| listening.address).collect()
    }

    /// Returns the addresses of the encrypted transports, as [`Self::addresses`] does.
    pub fn encrypted_addresses(&self) -> Vec<(Over, SocketAddr)> {
        self.encrypted.iter().map(|encrypted| (encrypted.over, encrypted.address)).collect()
    }

    /// Returns those addresses that this machine does not have. Some may come later, by DHCP, VRRP
    /// or the end of duplicate address detection; queries are answered there from then on.
    pub fn missing(&self) -> Vec<(Over, SocketAddr)> {
        let plain =
            self.addresses.iter().map(|l| (Over::Udp, l.address, SockRef::from(&l.streams)));
        let encrypted = self.encrypted.iter().map(|e| (e.over, e.address, e.socket.as_ref()));
        let missing = plain.chain(encrypted).filter(|(.., socket)| is_freely_bound(socket));
        missing.map(|(over, address, _)| (over, address)).collect()
    }

    /// Returns the errors of the addresses that are left out because the system lacks their family.
    pub fn left_out(&self) -> &[BindError] {
        &self.left_out
    }

    /// Returns the number of responders that it takes to answer on all addresses.
    pub fn responders(&self) -> usize {
        let datagrams = self.addresses.iter().map(|listening| listening.datagrams.len());
        let has = |tls: bool| self.encrypted.iter().any(|e| (e.over == Over::Tls) == tls);
        datagrams.sum::<usize>() + 1 + usize::from(has(true)) + usize::from(has(false))
    }

    /// Binds the addresses of encrypted transports too, which present what `tls` holds.
    ///
    /// # Errors
    /// The first address that cannot be bound, or is taken by another transport. An address of a
    /// family that the system lacks is left out ([`Sockets::left_out`]).
    pub fn with_encrypted(
        mut self,
        asked: &[(Over, SocketAddr)],
        tls: Tls,
    ) -> Result<Self, BindError> {
        for &(over, address) in asked {
            let plain = self.addresses.iter().map(|plain| (Over::Tcp, plain.address));
            let others = self.encrypted.iter().map(|other| (other.over, other.address));
            sharing(plain.chain(others), over, address).map_or(Ok(()), Err)?;
            let taken = take_encrypted(over, address)
                .map_err(|error| BindError { address, trouble: Trouble::System { over, error } });
            // An address of UDP and TCP is bound, or there would be no `self`.
            self.encrypted.extend(or_leave_out(taken, true, &mut self.left_out)?);
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
        hold(&socket, address)?;
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

/// Binds every address over UDP, with `workers` sockets each (at least one), and over TCP.
///
/// Port 0 takes any port that is free for both. An address that this machine does not have is bound
/// nevertheless ([`Sockets::missing`]). An address of a family that the system lacks is left out if
/// there are others ([`Sockets::left_out`]).
///
/// # Errors
/// The first address that cannot be bound, or is listed twice.
pub fn bind(addresses: &[SocketAddr], workers: usize) -> Result<Sockets, BindError> {
    listed_twice(addresses).map_or(Ok(()), Err)?;
    let (mut bound, mut left_out) = (Vec::with_capacity(addresses.len()), Vec::new());
    for (at, &address) in addresses.iter().enumerate() {
        let has_others = !bound.is_empty() || at + 1 < addresses.len();
        let taken = take(address, workers.max(1));
        bound.extend(or_leave_out(taken, has_others, &mut left_out)?);
    }
    Ok(Sockets { addresses: bound, encrypted: Vec::new(), tls: None, left_out })
}

/// Leaves out an address of a family that the system lacks, if there are others. One list of both
/// families thus serves machines with only one.
fn or_leave_out<T>(
    taken: Result<T, BindError>,
    has_others: bool,
    left_out: &mut Vec<BindError>,
) -> Result<Option<T>, BindError> {
    match taken {
        Err(error) if has_others && error.is_without_family() => {
            left_out.push(error);
            Ok(None)
        }
        taken => taken.map(Some),
    }
}

/// Binds `socket` to `address`, even if this machine does not have it: the address may come later,
/// and the others must not wait for it.
pub(super) fn hold(socket: &Socket, address: SocketAddr) -> io::Result<()> {
    match socket.bind(&address.into()) {
        Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => {
            match address {
                SocketAddr::V4(_) => socket.set_freebind_v4(true)?,
                SocketAddr::V6(_) => socket.set_freebind_v6(true)?,
            }
            socket.bind(&address.into())
        }
        outcome => outcome,
    }
}

/// Whether [`hold`] found that this machine does not have the address of `socket`.
fn is_freely_bound(socket: &SockRef<'_>) -> bool {
    // Each option works only for its own family.
    socket.freebind_v4().unwrap_or(false) || socket.freebind_v6().unwrap_or(false)
}

/// Returns a conflict among these addresses, of UDP and TCP and of encrypted transports, no matter
/// which machine has them: one address excludes another.
pub fn conflict(addresses: &[SocketAddr], encrypted: &[(Over, SocketAddr)]) -> Option<BindError> {
    let plain = || addresses.iter().map(|&address| (Over::Tcp, address));
    let shared = encrypted.iter().enumerate().find_map(|(at, &(over, address))| {
        sharing(plain().chain(encrypted[..at].iter().copied()), over, address)
    });
    listed_twice(addresses).or(shared)
}

fn listed_twice(addresses: &[SocketAddr]) -> Option<BindError> {
    addresses.iter().enumerate().find_map(|(at, &address)| {
        let covering = addresses[..at].iter().find(|&&other| overlap(other, address));
        covering.map(|&covering| BindError { address, trouble: Trouble::Listed { covering } })
    })
}

/// Returns the conflict if `over` cannot have `address` because one of `others` takes it.
fn sharing(
    others: impl Iterator<Item = (Over, SocketAddr)>,
    over: Over,
    address: SocketAddr,
) -> Option<BindError> {
    // Datagrams and streams have separate ports; UDP and TCP take both.
    let mut rivals = others
        .filter(|&(other, _)| other == Over::Tcp || is_datagrams(other) == is_datagrams(over));
    let (other, covering) = rivals.find(|&(_, other)| overlap(other, address))?;
    Some(BindError { address, trouble: Trouble::Shared { over, other, covering } })
}

/// Whether two listen addresses cannot be bound together.
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
    let datagrams = (0..workers)
        .map(|worker| udp::open(address, if worker == 0 { Share::First } else { Share::Next }))
        .collect::<io::Result<Vec<_>>>()
        .map_err(fail(Over::Udp))?;
    Ok(Listening { address, datagrams, streams })
}
