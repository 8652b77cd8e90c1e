//! The `udp` probe: a datagram, and one that comes back.

use std::net::SocketAddr;

use super::attempt::Attempt;
use super::connect::Dialer;
use super::{Reason, Search};
use crate::zone::TcpCheck;

/// The longest datagram that UDP allows, in octets.
const DATAGRAM_MAX: usize = 65_535;

/// A prober that sends the same datagram each time.
#[derive(Debug)]
pub(super) struct Udp {
    check: TcpCheck,
    dialer: Dialer,
}

impl Udp {
    pub(super) fn new(check: TcpCheck, dialer: Dialer) -> Self {
        Self { check, dialer }
    }

    pub(super) async fn probe(
        &self,
        address: SocketAddr,
        attempt: &Attempt,
    ) -> Result<Reason, Reason> {
        attempt.needs_no_connection();
        let socket = self.dialer.udp(address).await?;
        socket.send(self.check.send.as_deref().unwrap_or_default()).await?;
        let mut datagram = vec![0; DATAGRAM_MAX];
        let len = socket.recv(&mut datagram).await?;
        let mut search = Search::new(self.check.expect.as_deref().unwrap_or_default());
        match search.found_with(&datagram[..len]) {
            true => Ok(Reason::Received),
            false => Err(Reason::LacksBytes),
        }
    }
}
