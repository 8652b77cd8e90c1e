//! The `dns` probe: one query over UDP, its response code and its records.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::net::UdpSocket;

use super::Reason;
use super::attempt::Attempt;
use super::reason::Code;
use crate::wire::message::{Message, write_query};
use crate::zone::DnsCheck;

/// The largest response that is taken over UDP, in octets (RFC 9715).
const PAYLOAD: u16 = 1232;
/// Recursion desired (RFC 1035 §4.1.1), in the third octet: an endpoint may be a resolver.
const RD: u8 = 1;
/// The response was cut (RFC 1035 §4.1.1), in the same octet.
const TC: u8 = 2;

/// Asks the same question each time.
#[derive(Debug)]
pub(super) struct Dns(DnsCheck);

impl Dns {
    pub(super) fn new(check: DnsCheck) -> Self {
        Self(check)
    }

    pub(super) async fn probe(
        &self,
        address: SocketAddr,
        attempt: &Attempt,
    ) -> Result<Reason, Reason> {
        attempt.needs_no_connection();
        let own = match address.ip() {
            IpAddr::V4(_) => IpAddr::from(Ipv4Addr::UNSPECIFIED),
            IpAddr::V6(_) => IpAddr::from(Ipv6Addr::UNSPECIFIED),
        };
        let socket = UdpSocket::bind((own, 0)).await?;
        socket.connect(address).await?;
        let id = fastrand::u16(..);
        let mut query = write_query(id, &self.0.name, self.0.qtype, PAYLOAD, None);
        if let Some(flags) = query.get_mut(2) {
            *flags |= RD;
        }
        socket.send(&query).await?;
        let mut response = vec![0; usize::from(PAYLOAD)];
        loop {
            let len = socket.recv(&mut response).await?;
            let response = &response[..len];
            // What is no answer to this query comes from elsewhere, or too late.
            if response.get(..2) == Some(&id.to_be_bytes()) {
                return self.judge(response);
            }
        }
    }

    fn judge(&self, response: &[u8]) -> Result<Reason, Reason> {
        let Ok(message) = Message::read(response) else { return Err(Reason::NotItsProtocol) };
        let mut of_type = message.answer.iter().filter(|record| record.rtype == self.0.qtype);
        let rcode = match message.rcode {
            0 if of_type.clone().next().is_none() => "NODATA".to_owned(),
            _ => message.rcode_text(),
        };
        if rcode != self.0.rcode {
            let code = Code::of(Some(rcode.as_bytes())).ok_or(Reason::NotItsProtocol)?;
            return Err(Reason::UnwantedRcode { found: code, wanted: self.0.rcode.clone() });
        }
        let Some(data) = &self.0.data else { return Ok(Reason::Ready) };
        if of_type.any(|record| record.to_string().splitn(5, ' ').last() == Some(data)) {
            return Ok(Reason::Ready);
        }
        let was_cut = response.get(2).is_some_and(|flags| flags & TC != 0);
        Err(if was_cut { Reason::Truncated } else { Reason::LacksRecord })
    }
}
