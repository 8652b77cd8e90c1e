//! Query bytes → response bytes.
//!
//! ```text
//! respond ─ read ─ refuse?  ─ resolve ────────────── finish
//!             │       │          │                      └ OPT, header
//!             │       │          ├ static RRsets, negative answers, referrals (sections)
//!             │       │          ├ aliases: CNAME and DNAME, followed in our zones (resolve)
//!             │       │          └ services: drawn addresses, CNAME, SRV (steered)
//!             │       └ BADVERS, class, meta types: by table (refuse)
//!             └ drop, NOTIMP, FORMERR: by table
//! ```
//!
//! [`Responder::respond`] is the waist of the house: every transport calls it and nothing else.
//! It never fails, blocks or panics, and in steady state it does not allocate. Not here: sockets
//! (`transport`), what the bytes mean (`wire`), which endpoints are drawn (`steering`).

mod outcome;
mod resolve;
mod sections;
mod steered;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::snapshot::{Snapshot, Zone};
use crate::steering::{Draws, Share};
use crate::wire::header::{AA, Header, TC};
use crate::wire::kind::{CLASS_IN, OPCODE_QUERY, Rcode, Type};
use crate::wire::qname::Qname;
use crate::wire::query::{Edns, Query};
use crate::wire::writer::{Names, Writer};

pub use outcome::{Dropped, Outcome};

/// The largest UDP response, and what OPT advertises: what crosses the Internet unfragmented
/// (DNS flag day 2020).
pub const UDP_PAYLOAD_MAX: u16 = 1232;

/// The largest UDP response to a client without EDNS (RFC 1035 §2.3.4).
const UDP_PAYLOAD_PLAIN: u16 = 512;

/// The length of an OPT record without options.
const OPT_LEN: usize = 11;

/// The most endpoints that one SRV answer is gathered from.
const SHARES_MAX: usize = crate::zone::limits::ENDPOINTS_PER_SERVICE_MAX;

/// How a query came, and how its response leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// In a datagram: responses are bounded, and cut ones say so.
    Udp,
    /// In a stream: responses reach 65,535 octets.
    Stream,
}

impl Over {
    /// The protocol, as operators write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Stream => "TCP",
        }
    }
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client {
    /// The address that the query came from.
    pub source: SocketAddr,
    /// What it came over.
    pub over: Over,
}

/// Answers queries from a snapshot; each worker has its own.
pub struct Responder {
    snapshot: Arc<Snapshot>,
    /// By the zone's place in the snapshot.
    draws: Vec<Draws>,
    /// Where the next [`Draws`] take their seed from.
    seeds: fastrand::Rng,
    scratch: Scratch,
}

/// What one query needs while it is answered, kept from query to query.
struct Scratch {
    qname: Qname,
    /// The name that an alias led to.
    alias: Qname,
    /// A name looked up for the additional section.
    target: Qname,
    names: Names,
    shares: Vec<Share>,
}

/// What the header of a response says beyond what is copied from the query.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Head {
    rcode: Option<Rcode>,
    authoritative: bool,
    truncated: bool,
    answers: u16,
    authorities: u16,
    additionals: u16,
    referral: bool,
}

impl Responder {
    /// A responder whose random choices start from `seed`.
    pub fn new(snapshot: Arc<Snapshot>, seed: u64) -> Self {
        let mut seeds = fastrand::Rng::with_seed(seed);
        let draws =
            snapshot.zones().iter().map(|z| Draws::new(z.points(), seeds.u64(..))).collect();
        let scratch = Scratch {
            qname: Qname::new(),
            alias: Qname::new(),
            target: Qname::new(),
            names: Names::new(),
            shares: Vec::with_capacity(SHARES_MAX),
        };
        Self { snapshot, draws, seeds, scratch }
    }

    /// Goes over to another snapshot. Zones that it shares with the present one go on drawing
    /// where they were.
    pub fn adopt(&mut self, snapshot: Arc<Snapshot>) {
        let old = std::mem::replace(&mut self.snapshot, snapshot);
        let mut kept: HashMap<*const Zone, Draws> =
            old.zones().iter().map(Arc::as_ptr).zip(self.draws.drain(..)).collect();
        for zone in self.snapshot.zones() {
            let draws = kept.remove(&Arc::as_ptr(zone));
            self.draws.push(draws.unwrap_or_else(|| Draws::new(zone.points(), self.seeds.u64(..))));
        }
    }

    /// The snapshot that it answers from.
    pub fn snapshot(&self) -> &Arc<Snapshot> {
        &self.snapshot
    }

    /// Answers one query into `out`, of which [`Outcome::len`] octets are the response.
    ///
    /// `out` should hold 65,535 octets for a stream and [`UDP_PAYLOAD_MAX`] for UDP; a response
    /// that it cannot hold is truncated.
    ///
    /// # Cost
    /// No allocation, lock or I/O. A steered A answer reads one word a pool of its route.
    pub fn respond(&mut self, query: &[u8], client: Client, out: &mut [u8]) -> Outcome {
        let Some(header) = Header::read(query) else { return Outcome::Drop(Dropped::Short) };
        if header.is_response() {
            return Outcome::Drop(Dropped::Response);
        }
        if client.source.port() == 0 {
            return Outcome::Drop(Dropped::SourcePortZero);
        }
        if header.opcode() != OPCODE_QUERY {
            return bare(&header, Rcode::NotImp, out);
        }
        let Ok(read) = Query::read(&header, query, &mut self.scratch.qname) else {
            return bare(&header, Rcode::FormErr, out);
        };
        let question = query.get(crate::wire::header::HEADER_LEN..read.question_end());
        match question.and_then(|question| self.answer(&header, &read, question, client, out)) {
            Some(outcome) => outcome,
            None => bare(&header, Rcode::ServFail, out),
        }
    }

    /// Answers a well-formed query; `None` if `out` does not even hold the question.
    fn answer(
        &mut self,
        header: &Header,
        query: &Query,
        question: &[u8],
        client: Client,
        out: &mut [u8],
    ) -> Option<Outcome> {
        let Self { snapshot, draws, scratch, .. } = self;
        let Scratch { qname, alias, target, names, shares } = scratch;
        let limit = size_limit(client.over, query.edns);
        let mut writer = Writer::start(out, limit, names, question).ok()?;
        let opt_len = if query.edns.is_some() { OPT_LEN } else { 0 };
        writer.reserve(opt_len);
        let head = match refuse(query) {
            Some(rcode) => Head { rcode: Some(rcode), ..Head::default() },
            None => {
                let mut resolve = resolve::Resolve {
                    snapshot,
                    draws,
                    qname,
                    alias,
                    target,
                    shares,
                    client,
                    writer: &mut writer,
                    head: Head::default(),
                    renames: [None; resolve::ALIASES_MAX + 1],
                };
                resolve.run(query.qtype);
                resolve.head
            }
        };
        writer.release(opt_len);
        let rcode = head.rcode.unwrap_or(Rcode::NoError);
        let opt = query.edns.map_or(Ok(()), |edns| put_opt(&mut writer, edns, rcode));
        opt.ok()?;
        let mut response = header.response(rcode);
        response.flags |= if head.authoritative { AA } else { 0 };
        response.flags |= if head.truncated { TC } else { 0 };
        let additionals = head.additionals + u16::from(query.edns.is_some());
        response.counts = [1, head.answers, head.authorities, additionals];
        let len = writer.finish(response);
        Some(Outcome::of(len, rcode, head.truncated, head.referral, head.answers))
    }
}

/// How long a response may be (RFC 6891 §6.2.3, §6.2.5).
fn size_limit(over: Over, edns: Option<Edns>) -> usize {
    usize::from(match (over, edns) {
        (Over::Stream, _) => u16::MAX,
        (Over::Udp, None) => UDP_PAYLOAD_PLAIN,
        (Over::Udp, Some(edns)) => edns.payload_size.clamp(UDP_PAYLOAD_PLAIN, UDP_PAYLOAD_MAX),
    })
}

/// The well-formed queries that are not looked up, and their response codes.
fn refuse(query: &Query) -> Option<Rcode> {
    match query {
        Query { edns: Some(Edns { version: 1.., .. }), .. } => Some(Rcode::BadVers),
        Query { qclass, .. } if *qclass != CLASS_IN => Some(Rcode::Refused),
        Query { qtype: Type::AXFR | Type::IXFR, .. } => Some(Rcode::Refused),
        Query { qtype: Type::MAILA | Type::MAILB, .. } => Some(Rcode::NotImp),
        Query { qtype: Type::OPT | Type::TSIG | Type::TKEY, .. } => Some(Rcode::FormErr),
        _ => None,
    }
}

/// A response that is nothing but a header.
fn bare(header: &Header, rcode: Rcode, out: &mut [u8]) -> Outcome {
    let wire = header.response(rcode).to_wire();
    match out.get_mut(..wire.len()) {
        Some(place) => {
            place.copy_from_slice(&wire);
            Outcome::of(wire.len(), rcode, false, false, 0)
        }
        None => Outcome::Drop(Dropped::NoRoom),
    }
}

/// The OPT record of a response: our size, version 0, DO as the client set it (RFC 6891 §6.1).
fn put_opt(
    writer: &mut Writer<'_>,
    edns: Edns,
    rcode: Rcode,
) -> Result<(), crate::wire::writer::Full> {
    let [opt, size] = [Type::OPT.0, UDP_PAYLOAD_MAX].map(u16::to_be_bytes);
    let (rcode_high, flags) = ((rcode as u16 >> 4) as u8, u8::from(edns.dnssec_ok) << 7);
    writer.put(&[0, opt[0], opt[1], size[0], size[1], rcode_high, 0, flags, 0, 0, 0])
}

#[cfg(test)]
mod tests;
