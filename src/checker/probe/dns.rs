//! The `dns` probe: one query over UDP, its response code and its records.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::time::timeout;

use super::Reason;
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
pub(super) struct Dns {
    check: DnsCheck,
    timeout: Duration,
}

impl Dns {
    pub(super) fn new(check: DnsCheck, timeout: Duration) -> Self {
        Self { check, timeout }
    }

    pub(super) async fn probe(&self, address: SocketAddr) -> Result<Reason, Reason> {
        match timeout(self.timeout, self.exchange(address)).await {
            Ok(Ok(reason)) => reason,
            Ok(Err(error)) => Err(Reason::of_io(&error)),
            Err(_) => Err(Reason::NoResponse(self.timeout)),
        }
    }

    async fn exchange(&self, address: SocketAddr) -> io::Result<Result<Reason, Reason>> {
        let own = match address.ip() {
            IpAddr::V4(_) => IpAddr::from(Ipv4Addr::UNSPECIFIED),
            IpAddr::V6(_) => IpAddr::from(Ipv6Addr::UNSPECIFIED),
        };
        let socket = UdpSocket::bind((own, 0)).await?;
        socket.connect(address).await?;
        let id = fastrand::u16(..);
        let mut query = write_query(id, &self.check.name, self.check.qtype, PAYLOAD, None);
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
                return Ok(self.judge(response));
            }
        }
    }

    fn judge(&self, response: &[u8]) -> Result<Reason, Reason> {
        let Ok(message) = Message::read(response) else { return Err(Reason::NotItsProtocol) };
        let mut of_type = message.answer.iter().filter(|record| record.rtype == self.check.qtype);
        let rcode = match message.rcode {
            0 if of_type.clone().next().is_none() => "NODATA".to_owned(),
            _ => message.rcode_text(),
        };
        if rcode != self.check.rcode {
            let code = Code::of(Some(rcode.as_bytes())).ok_or(Reason::NotItsProtocol)?;
            return Err(Reason::UnwantedRcode { found: code, wanted: self.check.rcode.clone() });
        }
        let Some(data) = &self.check.data else { return Ok(Reason::Ready) };
        if of_type.any(|record| record.to_string().splitn(5, ' ').last() == Some(data)) {
            return Ok(Reason::Ready);
        }
        let was_cut = response.get(2).is_some_and(|flags| flags & TC != 0);
        Err(if was_cut { Reason::Truncated } else { Reason::LacksRecord })
    }
}
