//! The batched system calls: all `unsafe` code of the crate except for one call, behind a safe
//! interface.
//!
//! ```text
//! receive ─▶ n slots: query, source, the address it came to
//! exchange(slot), respond(slot, length)      (any slots, any order)
//! send ─▶ the responses, each to its query's source and from the address that query came to
//! ```
//!
//! The batch is a struct of arrays, allocated once. The pointers in the headers are valid only
//! during a call. They are written anew before each, for as many slots as the load asks for, so
//! nothing of the last call is taken for new.

#![allow(unsafe_code)]

use std::io;
use std::mem::{self, size_of};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::ops::Range;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

use libc::{c_int, c_void, iovec, mmsghdr, socklen_t};

use crate::transport::UDP_RESPONSE;

/// The most datagrams that one system call moves.
pub(super) const BATCH: usize = 64;

/// The longest query that is taken, in octets; nobody sends a longer one.
pub(super) const QUERY: usize = 4096;

/// The fewest slots that are offered to the kernel.
const OFFER_MIN: usize = 8;

/// The distance between two buffers, in octets. At exactly a page apart, all would start in the
/// same few sets of the first-level cache.
const QUERY_STRIDE: usize = QUERY + 128;

/// Up to [`BATCH`] queries and the responses to them.
pub(super) struct Batch {
    queries: Box<[[u8; QUERY_STRIDE]]>,
    responses: Box<[[u8; UDP_RESPONSE]]>,
    peers: Box<[Peer; BATCH]>,
    controls: Box<[Control; BATCH]>,
    slots: [Slot; BATCH],
    received: usize,
    /// The slots to send, in order. A slot that is here twice would be sent twice.
    outbox: [usize; BATCH],
    queued: usize,
    /// The number of slots that the next call offers: twice what the last one filled.
    offer: usize,
    vectors: Box<[iovec; BATCH]>,
    headers: Box<[mmsghdr; BATCH]>,
}

// SAFETY: only the pointers in `vectors` and `headers` keep it from being `Send` by itself. They
// are written before each call from borrows that last as long as the call, and not read otherwise.
unsafe impl Send for Batch {}

/// The lengths of one slot.
#[derive(Clone, Copy, Default)]
struct Slot {
    query: usize,
    /// Whether the datagram was longer than the buffer.
    cut: bool,
    peer: socklen_t,
    control: usize,
    response: usize,
}

/// A socket address of either family; both start with the family.
#[derive(Clone, Copy)]
#[repr(C)]
union Peer {
    v4: libc::sockaddr_in,
    v6: libc::sockaddr_in6,
}

/// Room for the packet information of either family, aligned like the header at its start.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Control([u8; 64]);

/// The way of waiting when nothing is queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// Wait for the first datagram, as long as the socket's time limit allows.
    ForOne,
    /// Do not wait.
    Not,
}

/// One query and the room for its response.
pub(super) struct Exchange<'a> {
    pub(super) query: &'a [u8],
    pub(super) source: SocketAddr,
    pub(super) response: &'a mut [u8],
}

/// The outcome of a batch of responses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sent {
    pub(super) sent: usize,
    pub(super) failed: usize,
}

impl Batch {
    /// Creates an empty batch; nothing else here allocates.
    pub(super) fn new() -> Self {
        // SAFETY: a socket address of all zeros is a valid value of every member.
        let nobody: Peer = unsafe { mem::zeroed() };
        // SAFETY: null pointers and zero lengths are a valid header.
        let empty: mmsghdr = unsafe { mem::zeroed() };
        Self {
            queries: vec![[0; QUERY_STRIDE]; BATCH].into(),
            responses: vec![[0; UDP_RESPONSE]; BATCH].into(),
            peers: Box::new([nobody; BATCH]),
            controls: Box::new([Control([0; 64]); BATCH]),
            slots: [Slot::default(); BATCH],
            received: 0,
            outbox: [0; BATCH],
            queued: 0,
            offer: BATCH,
            vectors: Box::new([iovec { iov_base: ptr::null_mut(), iov_len: 0 }; BATCH]),
            headers: Box::new([empty; BATCH]),
        }
    }

    /// Forgets the last batch and receives the next. Returns the number of datagrams that came.
    ///
    /// # Errors
    /// `WouldBlock` if there are none, and others of the system.
    pub(super) fn receive(&mut self, socket: BorrowedFd<'_>, wait: Wait) -> io::Result<usize> {
        self.received = 0;
        self.queued = 0;
        let offer = self.offer;
        for slot in 0..offer {
            self.vectors[slot] =
                iovec { iov_base: self.queries[slot].as_mut_ptr().cast(), iov_len: QUERY };
            let peer = (&raw mut self.peers[slot], size_of::<Peer>() as socklen_t);
            let control = (&raw mut self.controls[slot], size_of::<Control>());
            fill(&mut self.headers[slot], peer, &raw mut self.vectors[slot], control);
        }
        let flags = match wait {
            Wait::ForOne => libc::MSG_WAITFORONE,
            Wait::Not => libc::MSG_DONTWAIT,
        };
        // SAFETY: the first `offer` of `headers` each point to a name, to one vector with its
        // buffer and to a control buffer. All of these have the lengths that the header says, and
        // are alive and not otherwise used until the call returns.
        let received = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                self.headers.as_mut_ptr(),
                offer as _,
                flags as _,
                ptr::null_mut(),
            )
        };
        let received = usize::try_from(received).map_err(|_| io::Error::last_os_error())?;
        self.offer = (2 * received).clamp(OFFER_MIN, BATCH);
        for (slot, header) in self.headers[..received].iter().enumerate() {
            self.slots[slot] = Slot {
                query: (header.msg_len as usize).min(QUERY),
                cut: header.msg_hdr.msg_flags & libc::MSG_TRUNC != 0,
                peer: header.msg_hdr.msg_namelen,
                control: self.controls[slot].turn_round(header.msg_hdr.msg_controllen as _),
                response: 0,
            };
        }
        self.received = received;
        Ok(received)
    }

    /// Returns the query in `slot`, one of those received; `None` if it was too long to come whole.
    pub(super) fn exchange(&mut self, slot: usize) -> Option<Exchange<'_>> {
        let Slot { query, cut, peer, .. } = self.slots[..self.received][slot];
        let source = self.peers[slot].address(peer)?;
        let response = &mut self.responses[slot];
        (!cut).then(|| Exchange { query: &self.queries[slot][..query], source, response })
    }

    /// Returns the queries in `slots`, which are at most `N`; the rest is empty.
    pub(super) fn queries<const N: usize>(&self, slots: Range<usize>) -> [&[u8]; N] {
        let mut queries = [&[][..]; N];
        for (query, slot) in queries.iter_mut().zip(slots) {
            *query = &self.queries[slot][..self.slots[slot].query];
        }
        queries
    }

    /// Queues the first `length` octets of the response in `slot`. Call it once for each slot.
    pub(super) fn respond(&mut self, slot: usize, length: usize) {
        if self.queued < BATCH {
            self.slots[..self.received][slot].response = length.min(UDP_RESPONSE);
            self.outbox[self.queued] = slot;
            self.queued += 1;
        }
    }

    /// Sends what is queued. A response that the kernel refuses is skipped. If the kernel takes no
    /// more at all, the rest is dropped: resolvers ask again.
    pub(super) fn send(&mut self, socket: BorrowedFd<'_>) -> Sent {
        let queued = mem::take(&mut self.queued);
        if queued == 0 {
            return Sent::default();
        }
        for at in 0..queued {
            let slot = self.outbox[at];
            let response = &self.responses[slot][..self.slots[slot].response];
            // The kernel only reads through these pointers.
            self.vectors[at] =
                iovec { iov_base: response.as_ptr().cast_mut().cast(), iov_len: response.len() };
            let peer = ((&raw const self.peers[slot]).cast_mut(), self.slots[slot].peer);
            let control = ((&raw const self.controls[slot]).cast_mut(), self.slots[slot].control);
            fill(&mut self.headers[at], peer, &raw mut self.vectors[at], control);
        }
        let mut outcome = Sent::default();
        let mut rest = &mut self.headers[..queued];
        while !rest.is_empty() {
            // SAFETY: `rest` holds as many headers as it says. Each points to a name, to one vector
            // with its buffer and to a control buffer. All of these have the lengths that the
            // header says, and are alive until the call returns; the kernel only reads them.
            let taken = unsafe {
                libc::sendmmsg(socket.as_raw_fd(), rest.as_mut_ptr(), rest.len() as _, 0)
            };
            let done = match usize::try_from(taken) {
                Ok(taken) => {
                    outcome.sent += taken;
                    taken
                }
                Err(_) => {
                    let skipped = match io::Error::last_os_error().kind() {
                        io::ErrorKind::Interrupted => 0,
                        io::ErrorKind::WouldBlock => rest.len(),
                        _ => 1,
                    };
                    outcome.failed += skipped;
                    skipped
                }
            };
            rest = &mut rest[done..];
        }
        outcome
    }
}

/// Fills in the header of one datagram. Padding that some C libraries hide in it stays zero.
fn fill(
    header: &mut mmsghdr,
    (peer, peer_length): (*mut Peer, socklen_t),
    vector: *mut iovec,
    (control, control_length): (*mut Control, usize),
) {
    header.msg_hdr.msg_name = peer.cast();
    header.msg_hdr.msg_namelen = peer_length;
    header.msg_hdr.msg_iov = vector;
    header.msg_hdr.msg_iovlen = 1;
    header.msg_hdr.msg_control = if control_length > 0 { control.cast() } else { ptr::null_mut() };
    header.msg_hdr.msg_controllen = control_length as _;
    header.msg_hdr.msg_flags = 0;
}

impl Peer {
    /// Returns the address, of which the kernel wrote `length` octets.
    fn address(&self, length: socklen_t) -> Option<SocketAddr> {
        // SAFETY: both members begin with the family, and any bits are a valid family.
        let family = c_int::from(unsafe { self.v4.sin_family });
        if family == libc::AF_INET && length as usize >= size_of::<libc::sockaddr_in>() {
            // SAFETY: the family tells which member was written, the length that it is complete.
            let v4 = unsafe { self.v4 };
            let ip = Ipv4Addr::from(u32::from_be(v4.sin_addr.s_addr));
            return Some(SocketAddrV4::new(ip, u16::from_be(v4.sin_port)).into());
        }
        if family == libc::AF_INET6 && length as usize >= size_of::<libc::sockaddr_in6>() {
            // SAFETY: as above.
            let v6 = unsafe { self.v6 };
            let ip = Ipv6Addr::from(v6.sin6_addr.s6_addr);
            let port = u16::from_be(v6.sin6_port);
            return Some(SocketAddrV6::new(ip, port, 0, v6.sin6_scope_id).into());
        }
        None
    }
}

impl Control {
    /// Turns "came to this address, by that interface" into the order "send from this address", in
    /// place. Returns its length, 0 if there is none. The routing table chooses the interface,
    /// except for link-local addresses, which mean nothing without one.
    fn turn_round(&mut self, received: usize) -> usize {
        if received < size_of::<libc::cmsghdr>() {
            return 0;
        }
        let first = self.0.as_mut_ptr().cast::<libc::cmsghdr>();
        // SAFETY: the buffer is aligned for a header, and holds the one that the kernel just wrote.
        // The packet information that its type announces follows it, within the 64 octets.
        // CMSG_DATA is aligned for the four-octet fields of that information.
        unsafe {
            match ((*first).cmsg_level, (*first).cmsg_type) {
                (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                    let info = libc::CMSG_DATA(first).cast::<libc::in_pktinfo>();
                    (*info).ipi_ifindex = 0;
                    libc::CMSG_SPACE(size_of::<libc::in_pktinfo>() as u32) as usize
                }
                (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                    let info = libc::CMSG_DATA(first).cast::<libc::in6_pktinfo>();
                    if !Ipv6Addr::from((*info).ipi6_addr.s6_addr).is_unicast_link_local() {
                        (*info).ipi6_ifindex = 0;
                    }
                    libc::CMSG_SPACE(size_of::<libc::in6_pktinfo>() as u32) as usize
                }
                _ => 0,
            }
        }
    }
}

/// Sets an integer socket option that no safe interface offers.
pub(super) fn set_option(
    socket: BorrowedFd<'_>,
    level: c_int,
    name: c_int,
    value: c_int,
) -> io::Result<()> {
    let pointer = (&raw const value).cast::<c_void>();
    // SAFETY: the pointer leads to a live integer of the given length; the kernel only reads it.
    let outcome = unsafe {
        libc::setsockopt(socket.as_raw_fd(), level, name, pointer, size_of::<c_int>() as socklen_t)
    };
    if outcome == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests;
