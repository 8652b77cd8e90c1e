//! UDP with the kernel's own times of arrival, which do not depend on when the load generator
//! looks. For 64-bit Linux.

#![allow(unsafe_code, reason = "no safe interface of the dependencies has them")]

use std::io;
use std::mem::size_of;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::ptr;

/// Datagrams that one call takes.
const BATCH: usize = 32;
/// The longest datagram that is expected, in octets.
const LENGTH: usize = 512;
/// The size of the receive queue to ask the kernel for, in octets.
const QUEUE: usize = 4 << 20;
/// The length of a control message: a header of 16 octets, and the `timespec` after it.
const STAMP: u64 = 32;

/// A connected socket that does not block.
pub(crate) struct Stamped {
    socket: UdpSocket,
    buffers: Box<[[u8; LENGTH]; BATCH]>,
    /// Control messages, in words: length, level and type, seconds, nanoseconds.
    controls: [[u64; 8]; BATCH],
}

impl Stamped {
    pub(crate) fn connect(server: SocketAddr) -> io::Result<Self> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.connect(server)?;
        socket.set_nonblocking(true)?;
        socket2::SockRef::from(&socket).set_recv_buffer_size(QUEUE)?;
        let on: libc::c_int = 1;
        // SAFETY: the pointer is to a live integer of the length given, which is only read.
        let outcome = unsafe {
            libc::setsockopt(
                socket.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_TIMESTAMPNS,
                (&raw const on).cast(),
                size_of::<libc::c_int>() as libc::socklen_t,
            )
        };
        if outcome != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Self { socket, buffers: Box::new([[0; LENGTH]; BATCH]), controls: [[0; 8]; BATCH] })
    }

    pub(crate) fn send(&self, datagram: &[u8]) -> io::Result<usize> {
        self.socket.send(datagram)
    }

    /// Passes every datagram that has arrived to `look`, with its time of arrival in nanoseconds of
    /// the system's clock.
    pub(crate) fn receive(&mut self, mut look: impl FnMut(&[u8], u64)) -> io::Result<()> {
        loop {
            let taken = match self.take() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                taken => taken?,
            };
            for (slot, length) in taken.iter().enumerate() {
                let Some(length) = length else { break };
                let [size, _, seconds, nanos, ..] = self.controls[slot];
                if size != STAMP {
                    return Err(io::Error::other("a datagram without its time of arrival"));
                }
                look(&self.buffers[slot][..*length], seconds * 1_000_000_000 + nanos);
            }
            if taken[BATCH - 1].is_none() {
                return Ok(());
            }
        }
    }

    /// Takes what has arrived with one call, and returns the lengths.
    fn take(&mut self) -> io::Result<[Option<usize>; BATCH]> {
        let mut vectors = self.buffers.each_mut().map(|buffer| libc::iovec {
            iov_base: buffer.as_mut_ptr().cast(),
            iov_len: buffer.len(),
        });
        let mut slot = 0;
        let mut headers = vectors.each_mut().map(|vector| {
            let control = self.controls[slot].as_mut_ptr();
            slot += 1;
            // SAFETY: these integers and pointers may be all zero.
            let mut header: libc::mmsghdr = unsafe { std::mem::zeroed() };
            header.msg_hdr.msg_iov = vector;
            header.msg_hdr.msg_iovlen = 1;
            header.msg_hdr.msg_control = control.cast();
            header.msg_hdr.msg_controllen = size_of::<[u64; 8]>() as _;
            header
        });
        // SAFETY: each header points to one vector with its buffer and to a control buffer, of the
        // lengths it says, alive and not otherwise used until the call returns.
        let received = unsafe {
            libc::recvmmsg(
                self.socket.as_raw_fd(),
                headers.as_mut_ptr(),
                BATCH as _,
                libc::MSG_DONTWAIT as _,
                ptr::null_mut(),
            )
        };
        let received = usize::try_from(received).map_err(|_| io::Error::last_os_error())?;
        let mut lengths = [None; BATCH];
        for (length, header) in lengths.iter_mut().zip(&headers[..received]) {
            *length = Some((header.msg_len as usize).min(LENGTH));
        }
        Ok(lengths)
    }
}
