//! The DNS client of the demo, which sends one query after the other, like a busy resolver.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use std::thread;
use std::time::Duration;

use super::Event;
use crate::wire::kind::Type;
use crate::wire::message::{Message, write_query};
use crate::wire::name::Name;

/// The pause between two queries.
const PAUSE: Duration = Duration::from_millis(50);
/// The longest time that a response may take; a query without one in this time is lost.
const PATIENCE: Duration = Duration::from_secs(1);
/// The payload size that queries state.
const PAYLOAD_SIZE: u16 = 1232;

/// A thread that asks for the address of one name, and reports each answer.
pub(super) struct Asker {
    sent: Arc<AtomicU64>,
}

impl Asker {
    /// Begins to ask `server` for `name`. The thread ends once nothing receives its events any
    /// more.
    pub(super) fn start(server: SocketAddr, name: Name, events: Sender<Event>) -> io::Result<Self> {
        let socket = UdpSocket::bind((server.ip(), 0))?;
        socket.connect(server)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        let sent = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&sent);
        thread::Builder::new().name("asker".into()).spawn(move || {
            for id in (0..=u16::MAX).cycle() {
                counted.fetch_add(1, Ordering::Relaxed);
                if events.send(Event::Answered(ask(&socket, &name, id))).is_err() {
                    return;
                }
                thread::sleep(PAUSE);
            }
        })?;
        Ok(Self { sent })
    }

    /// Returns the number of queries that were sent.
    pub(super) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }
}

/// Sends one query, and returns the address in the answer. `None` if the query was lost, or if the
/// answer holds no address.
fn ask(socket: &UdpSocket, name: &Name, id: u16) -> Option<IpAddr> {
    socket.send(&write_query(id, name, Type::A, PAYLOAD_SIZE, None)).ok()?;
    let mut buffer = [0; PAYLOAD_SIZE as usize];
    loop {
        let len = socket.recv(&mut buffer).ok()?;
        let response = Message::read(buffer.get(..len)?).ok()?;
        // The response to an earlier query, given up by now, may come late.
        if response.header.id == id {
            let address = response.answer.iter().find(|record| record.rtype == Type::A)?;
            let octets: [u8; 4] = address.rdata.as_slice().try_into().ok()?;
            return Some(IpAddr::from(octets));
        }
    }
}
