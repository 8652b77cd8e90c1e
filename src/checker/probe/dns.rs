//! The `dns` probe: one query over UDP, and its response code and records. If the response is
//! truncated, it asks again over TCP.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::Reason;
use super::attempt::Attempt;
use super::connect::{Dialer, First};
use super::parting::Parting;
use super::reason::Code;
use crate::wire::message::{Message, write_query};
use crate::zone::DnsCheck;

/// The largest response that is taken over UDP, in octets (RFC 9715).
const PAYLOAD: u16 = 1232;
/// Recursion desired (RFC 1035 §4.1.1), in the third octet: an endpoint may be a resolver.
const RD: u8 = 1;
/// The bit for a truncated response (RFC 1035 §4.1.1), in the same octet.
const TC: u8 = 2;

/// A prober that asks the same question each time.
#[derive(Debug)]
pub(super) struct Dns {
    check: DnsCheck,
    dialer: Dialer,
}

impl Dns {
    pub(super) fn new(check: DnsCheck, dialer: Dialer) -> Self {
        Self { check, dialer }
    }

    pub(super) async fn probe(
        &self,
        address: SocketAddr,
        attempt: &Attempt,
    ) -> Result<Reason, Reason> {
        attempt.needs_no_connection();
        let socket = self.dialer.udp(address).await?;
        let id = fastrand::u16(..);
        let query = self.query(id);
        socket.send(&query).await?;
        let mut response = vec![0; usize::from(PAYLOAD)];
        let response = loop {
            let len = socket.recv(&mut response).await?;
            let response = &response[..len];
            // A datagram with another id is no answer to this query, or comes too late.
            if response.get(..2) == Some(&id.to_be_bytes()) {
                break response;
            }
        };
        // The part that was left out may be all there is (RFC 7766 §5).
        if response.get(2).is_some_and(|flags| flags & TC != 0) {
            let response = self.ask_over_tcp(&query, address, attempt).await?;
            return self.judge(&response);
        }
        self.judge(response)
    }

    fn query(&self, id: u16) -> Vec<u8> {
        let mut query = write_query(id, &self.check.name, self.check.qtype, PAYLOAD, None);
        if let Some(flags) = query.get_mut(2) {
            *flags |= RD;
        }
        query
    }

    /// Asks again over TCP, where responses have room (RFC 7766 §8).
    async fn ask_over_tcp(
        &self,
        query: &[u8],
        address: SocketAddr,
        attempt: &Attempt,
    ) -> Result<Vec<u8>, Reason> {
        let connected = self.dialer.dial(address, First::Probe);
        let mut stream = attempt.connected(connected).await?;
        stream.write_all(&[&(query.len() as u16).to_be_bytes(), query].concat()).await?;
        let len = stream.read_u16().await?;
        let mut response = vec![0; usize::from(len)];
        stream.read_exact(&mut response).await?;
        attempt.leave(Parting::first(stream.into_stream()));
        match response.get(..2) == query.get(..2) {
            true => Ok(response),
            false => Err(Reason::NotItsProtocol),
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
        Err(Reason::LacksRecord)
    }
}
