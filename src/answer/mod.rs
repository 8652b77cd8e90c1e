//! Answers queries: query bytes → response bytes.
//!
//! ```text
//! respond ─ read ─ pass? ─ refuse? ─ resolve ────────── finish
//!            │      │       │          │                  └ OPT (options), header
//!            │      │       │          ├ static RRsets, negative answers, referrals (sections)
//!            │      │       │          ├ aliases: CNAME and DNAME, in our zones (resolve)
//!            │      │       │          └ services: drawn addresses, CNAME, SRV (steered)
//!            │      │       └ BADVERS, class, meta types: by table (refuse); class CH (chaos)
//!            │      └ UDP above the rate limit (rates), unless a cookie vouches (cookies)
//!            └ drop, NOTIMP, FORMERR: by table
//! ```
//!
//! [`Responder::respond`] is the one entry: every transport calls it and nothing else. It never
//! fails, blocks or panics, and in steady state it does not allocate. Not here: sockets
//! (`transport`), the meaning of bytes (`wire`), the choice of endpoints (`steering`).

mod ahead;
mod chaos;
mod cookies;
mod https;
mod options;
mod outcome;
mod policy;
mod rates;
mod resolve;
mod sections;
mod steered;
mod trace;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::clock::Moment;
use crate::snapshot::{Snapshot, Zone};
use crate::steering::{Draws, Picks, Share};
use crate::wire::edns::{self, Edns};
use crate::wire::header::{AA, HEADER_LEN, Header, TC};
use crate::wire::kind::{CLASS_CH, CLASS_IN, OPCODE_QUERY, Rcode, Type};
use crate::wire::name::Name;
use crate::wire::qname::Qname;
use crate::wire::query::{Query, read_without_question};
use crate::wire::writer::{Names, Writer};
use options::{Options, Why};
use rates::Pass;
use trace::Trace;

pub use ahead::AHEAD_MAX;
pub use cookies::{Cookies, Secret};
pub use options::PADDING_BLOCK;
pub use outcome::{Dropped, Outcome};
pub use policy::{Policy, Text};
pub use rates::{RateLimit, Rates};
pub use trace::{Hop, Met, Steered};

/// The largest UDP response in octets, and the size that OPT advertises: it crosses the Internet
/// unfragmented (DNS flag day 2020).
pub const UDP_PAYLOAD_MAX: u16 = 1232;

/// The largest UDP response to a client without EDNS, in octets (RFC 1035 §2.3.4).
const UDP_PAYLOAD_PLAIN: u16 = 512;

/// The most endpoints in one SRV answer.
const SHARES_MAX: usize = crate::zone::limits::ENDPOINTS_PER_SERVICE_MAX;

/// The transport of a query and its response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// A datagram: responses are bounded, and truncated ones say so.
    Udp,
    /// A TCP connection (RFC 7766).
    Tcp,
    /// DNS over TLS (RFC 7858).
    Tls,
    /// DNS over HTTPS (RFC 8484).
    Https,
    /// DNS over QUIC (RFC 9250).
    Quic,
    /// DNS over HTTPS over QUIC (RFC 8484, RFC 9114).
    H3,
}

impl Over {
    /// Returns the name of the protocol, as operators write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
            Self::Https => "HTTPS",
            Self::Quic => "QUIC",
            Self::H3 => "H3",
        }
    }

    /// Returns whether responses may have up to 65,535 octets and the address of the source cannot
    /// be forged.
    pub const fn is_stream(self) -> bool {
        !matches!(self, Self::Udp)
    }

    /// Returns whether a client may be told how long it can keep the connection. QUIC and HTTP have
    /// their own means (RFC 9250 §5.5.2).
    pub const fn has_keepalive(self) -> bool {
        matches!(self, Self::Tcp | Self::Tls)
    }

    /// Returns whether nobody on the way can read the messages.
    pub const fn is_encrypted(self) -> bool {
        matches!(self, Self::Tls | Self::Https | Self::Quic | Self::H3)
    }
}

/// The sender of a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client {
    /// The address that the query came from.
    pub source: SocketAddr,
    /// The transport of the query.
    pub over: Over,
}

/// A responder to queries from a snapshot. Each worker has its own.
pub struct Responder {
    snapshot: Arc<Snapshot>,
    /// Whether looking ahead is worth its cost.
    has_large_zones: bool,
    policy: Arc<Policy>,
    now: Now,
    /// The number of responses that the rate limit held back.
    limited: u32,
    /// The draws of each zone, by its place in the snapshot.
    draws: Vec<Draws>,
    /// The generator of seeds for the next [`Draws`].
    seeds: fastrand::Rng,
    scratch: Scratch,
}

/// The time of the last [`Responder::tick`].
#[derive(Clone, Copy, Debug, Default)]
struct Now {
    moment: Moment,
    /// The time in seconds since 1970.
    unix: u32,
}

/// The working memory of one query, kept from query to query.
struct Scratch {
    qname: Qname,
    /// The name that an alias leads to.
    alias: Qname,
    /// A name to look up for the additional section.
    target: Qname,
    names: Names,
    shares: Vec<Share>,
    picks: Picks,
    picks_v6: Picks,
    trail: resolve::Trail,
}

/// The header of a response, apart from the parts that are copied from the query.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Head {
    rcode: Option<Rcode>,
    authoritative: bool,
    truncated: bool,
    answers: u16,
    authorities: u16,
    additionals: u16,
    referral: bool,
    why: Option<Why>,
    /// Whether a zone that was asked believes the client subnets of this source.
    knows_subnet: bool,
    /// The length of the client's prefix that the response holds for (RFC 7871 §7.2.1).
    scope: u8,
}

impl Head {
    fn refused(why: Why) -> Self {
        Self::error(Rcode::Refused, Some(why))
    }

    fn failed(why: Why) -> Self {
        Self::error(Rcode::ServFail, Some(why))
    }

    fn error(rcode: Rcode, why: Option<Why>) -> Self {
        Self { rcode: Some(rcode), why, ..Self::default() }
    }
}

impl Responder {
    /// Creates a responder with the default [`Policy`]. Its random choices start from `seed`.
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
            picks: Picks::default(),
            picks_v6: Picks::default(),
            trail: resolve::Trail::default(),
        };
        let (policy, now) = (Arc::default(), Now::default());
        let has_large_zones = snapshot.has_large_zones();
        Self { snapshot, has_large_zones, policy, now, limited: 0, draws, seeds, scratch }
    }

    /// Follows `policy` from the next query on.
    pub fn set_policy(&mut self, policy: Arc<Policy>) {
        self.policy = policy;
    }

    /// Sets the time: `moment` for rates, `unix` (seconds since 1970) for cookies. Callers do this
    /// about once a batch.
    pub fn tick(&mut self, moment: Moment, unix: u32) {
        self.now = Now { moment, unix };
    }

    /// Switches to another snapshot. Zones that are in both continue their draws, and so do the
    /// services of changed zones that draw as before.
    pub fn adopt(&mut self, snapshot: Arc<Snapshot>) {
        self.has_large_zones = snapshot.has_large_zones();
        let old = std::mem::replace(&mut self.snapshot, snapshot);
        let zones = old.zones().iter().map(|zone| (zone.origin(), zone));
        let mut kept: HashMap<&Name, (&Arc<Zone>, Draws)> =
            zones.zip(self.draws.drain(..)).map(|((name, zone), d)| (name, (zone, d))).collect();
        for (at, zone) in self.snapshot.zones().iter().enumerate() {
            let draws = match kept.remove(zone.origin()) {
                Some((before, draws)) if Arc::ptr_eq(before, zone) => draws,
                Some((before, draws)) => {
                    let seed = self.seeds.u64(..);
                    match self.snapshot.continued(at, &old) {
                        Some(continued) => zone.continue_draws(seed, &draws, continued),
                        // It comes from further back.
                        None => zone.continue_draws(seed, &draws, &zone.continued(before)),
                    }
                }
                None => Draws::new(zone.points(), self.seeds.u64(..)),
            };
            self.draws.push(draws);
        }
    }

    /// Returns the snapshot that it answers from.
    pub fn snapshot(&self) -> &Arc<Snapshot> {
        &self.snapshot
    }

    /// Answers one query into `out`. The first [`Outcome::len`] octets of `out` are the response.
    ///
    /// `out` should hold 65,535 octets for a stream and [`UDP_PAYLOAD_MAX`] for UDP; a response
    /// that it cannot hold is truncated.
    ///
    /// # Cost
    /// No allocation, lock or I/O. A steered A answer reads one word a pool of its route.
    pub fn respond(&mut self, query: &[u8], client: Client, out: &mut [u8]) -> Outcome {
        self.respond_traced(query, client, out, None)
    }

    /// Answers as [`Responder::respond`] does, and returns one [`Hop`] for each name that was
    /// looked up.
    ///
    /// # Cost
    /// That of [`Responder::respond`], and some allocations.
    pub fn explain(&mut self, query: &[u8], client: Client, out: &mut [u8]) -> (Outcome, Vec<Hop>) {
        let trace = Trace::default();
        let outcome = self.respond_traced(query, client, out, Some(&trace));
        (outcome, trace.into_hops())
    }

    #[inline(always)]
    fn respond_traced(
        &mut self,
        query: &[u8],
        client: Client,
        out: &mut [u8],
        trace: Option<&Trace>,
    ) -> Outcome {
        let Some(header) = Header::read(query) else { return Outcome::Drop(Dropped::Short) };
        if header.is_response() {
            return Outcome::Drop(Dropped::Response);
        }
        if client.source.port() == 0 {
            return Outcome::Drop(Dropped::SourcePortZero);
        }
        if self.policy.is_own(client.source) {
            return Outcome::Drop(Dropped::SourceOwn);
        }
        if header.opcode() != OPCODE_QUERY {
            return self.bare(&header, Rcode::NotImp, client, out);
        }
        if header.counts[0] == 0 {
            return match read_without_question(&header, query) {
                Ok(edns) if self.policy.cookies.is_some() => {
                    self.answer_nothing(&header, edns, client, out)
                }
                _ => self.bare(&header, Rcode::FormErr, client, out),
            };
        }
        let Ok(read) = Query::read(&header, query, &mut self.scratch.qname) else {
            return self.bare(&header, Rcode::FormErr, client, out);
        };
        let is_vouched = self.is_vouched(client, read.edns.as_ref());
        let pass = if is_vouched { Pass::Whole } else { self.pass(client) };
        if pass == Pass::Drop {
            return Outcome::Drop(Dropped::RateLimit);
        }
        let question = query.get(HEADER_LEN..read.question_end()).unwrap_or(&[]);
        match self.answer(&header, &read, question, client, (pass, is_vouched), (out, trace)) {
            Some(outcome) => outcome,
            None => self.bare(&header, Rcode::ServFail, client, out),
        }
    }

    /// Returns whether the client's address cannot be forged: the client has set up a stream, or
    /// shows a cookie that only it can have.
    // Inlined: mostly it is three comparisons.
    #[inline]
    fn is_vouched(&self, client: Client, edns: Option<&Edns>) -> bool {
        let Self { policy, now, .. } = self;
        if client.over.is_stream() {
            return true;
        }
        // Recognizing a cookie takes time; it matters only if something depends on it.
        if policy.rates.is_none() && policy.max_nocookie_response.is_none() {
            return false;
        }
        let cookie = edns.and_then(|edns| edns.cookie).zip(policy.cookies.as_ref());
        cookie.is_some_and(|(cookie, cookies)| {
            cookies.recognize(&cookie, client.source.ip(), now.unix)
        })
    }

    /// Returns whether a response to a client whose address may be forged is sent.
    // Always inlined: where there is no limit it is one comparison.
    #[inline(always)]
    fn pass(&mut self, client: Client) -> Pass {
        let Self { policy, now, limited, .. } = self;
        match &policy.rates {
            Some(rates) => rates.pass(client.source.ip(), now.moment, limited),
            None => Pass::Whole,
        }
    }

    /// Answers a well-formed query; `None` if `out` does not hold the question and the OPT record.
    // Always inlined: all that it takes would cross the stack, and one caller is hot.
    #[inline(always)]
    fn answer(
        &mut self,
        header: &Header,
        query: &Query,
        question: &[u8],
        client: Client,
        (pass, is_vouched): (Pass, bool),
        (out, trace): (&mut [u8], Option<&Trace>),
    ) -> Option<Outcome> {
        let Self { snapshot, policy, now, draws, scratch, .. } = self;
        let Scratch { qname, alias, target, names, shares, picks, picks_v6, trail } = scratch;
        trail.clear();
        let mut options =
            query.edns.as_ref().map(|edns| Options::new(policy, edns, client, now.unix));
        if pass == Pass::Slip {
            options.iter_mut().for_each(Options::keep_short);
        }
        let mut limit = size_limit(client.over, query.edns.as_ref());
        if let Some(most) = policy.max_nocookie_response.filter(|_| !is_vouched) {
            limit = limit.min(shorten(&mut options, HEADER_LEN + question.len(), most));
        }
        let opt_len = options.as_ref().map_or(0, Options::len);
        let mut writer = Writer::start(out, limit, names, question, qname).ok()?;
        writer.reserve(opt_len);
        let head = match refuse(query) {
            _ if pass == Pass::Slip => Head { truncated: true, ..Head::default() },
            Some(head) => head,
            None if query.qclass == CLASS_CH => {
                chaos::answer(policy, qname, query.qtype, &mut writer)
            }
            None => {
                let mut resolve = resolve::Resolve {
                    snapshot,
                    draws,
                    qname,
                    alias,
                    target,
                    shares,
                    picks,
                    picks_v6,
                    client,
                    subnet: query.edns.as_ref().and_then(|edns| edns.subnet.as_ref()),
                    writer: &mut writer,
                    head: Head::default(),
                    trail,
                    trace,
                };
                resolve.run(query.qtype);
                resolve.head
            }
        };
        writer.release(opt_len);
        let rcode = head.rcode.unwrap_or(Rcode::NoError);
        if let Some(options) = &options {
            options.put(&mut writer, rcode, &head).ok()?;
        }
        let mut response = header.response(rcode);
        response.flags |= if head.authoritative { AA } else { 0 };
        response.flags |= if head.truncated { TC } else { 0 };
        let additionals = head.additionals + u16::from(options.is_some());
        response.counts = [1, head.answers, head.authorities, additionals];
        let len = writer.finish(response);
        Some(match pass {
            Pass::Slip => Outcome::Slipped(len),
            _ => Outcome::of(len, rcode, head.truncated, head.referral, head.answers),
        })
    }

    /// Answers a query without a question: sends the cookie that the client wants.
    // Cold: hardly any query has no question.
    #[cold]
    fn answer_nothing(
        &mut self,
        header: &Header,
        edns: Edns,
        client: Client,
        out: &mut [u8],
    ) -> Outcome {
        if !self.is_vouched(client, Some(&edns)) && self.pass(client) != Pass::Whole {
            return Outcome::Drop(Dropped::RateLimit);
        }
        let limit = size_limit(client.over, Some(&edns));
        let known = edns.version == edns::VERSION;
        let rcode = if known { Rcode::NoError } else { Rcode::BadVers };
        let options = Options::new(&self.policy, &edns, client, self.now.unix);
        let Scratch { qname, names, .. } = &mut self.scratch;
        qname.clear();
        let written = Writer::start(out, limit, names, &[], qname).and_then(|mut writer| {
            options.put(&mut writer, rcode, &Head::default())?;
            Ok(writer.finish(Header { counts: [0, 0, 0, 1], ..header.response(rcode) }))
        });
        match written {
            Ok(len) => Outcome::of(len, rcode, false, false, 0),
            Err(_) => Outcome::Drop(Dropped::NoRoom),
        }
    }

    /// Responds with a header only.
    // Never inlined: it is rare, and called from four places.
    #[inline(never)]
    fn bare(&mut self, header: &Header, rcode: Rcode, client: Client, out: &mut [u8]) -> Outcome {
        if !self.is_vouched(client, None) && self.pass(client) != Pass::Whole {
            return Outcome::Drop(Dropped::RateLimit);
        }
        let wire = header.response(rcode).to_wire();
        match out.get_mut(..wire.len()) {
            Some(place) => {
                place.copy_from_slice(&wire);
                Outcome::of(wire.len(), rcode, false, false, 0)
            }
            None => Outcome::Drop(Dropped::NoRoom),
        }
    }
}

/// Returns the greatest length of a response in octets (RFC 6891 §6.2.3, §6.2.5).
fn size_limit(over: Over, edns: Option<&Edns>) -> usize {
    usize::from(match (over, edns) {
        (over, _) if over.is_stream() => u16::MAX,
        (_, None) => UDP_PAYLOAD_PLAIN,
        (_, Some(edns)) => edns.payload_size.clamp(UDP_PAYLOAD_PLAIN, UDP_PAYLOAD_MAX),
    })
}

/// Returns the greatest length of a response that should have at most `most` octets. It always has
/// room for `fixed` octets and the options, so that TC can be sent. Removes options that have no
/// room beside `fixed` octets.
fn shorten(options: &mut Option<Options>, fixed: usize, most: u16) -> usize {
    let most = usize::from(most);
    let Some(options) = options else { return most.max(fixed) };
    if fixed + options.len() > most {
        options.keep_short();
    }
    most.max(fixed + options.len())
}

/// Returns the response to a well-formed query that is refused without a look-up; `None` for all
/// other queries, and for class CH.
fn refuse(query: &Query) -> Option<Head> {
    match query {
        Query { edns: Some(edns), .. } if edns.version != edns::VERSION => {
            Some(Head::error(Rcode::BadVers, None))
        }
        Query { qclass: CLASS_CH, .. } => None,
        Query { qclass, .. } if *qclass != CLASS_IN => Some(Head::refused(Why::NotAuthoritative)),
        Query { qtype: Type::AXFR | Type::IXFR, .. } => Some(Head::refused(Why::NotSupported)),
        Query { qtype: Type::MAILA | Type::MAILB, .. } => Some(Head::error(Rcode::NotImp, None)),
        Query { qtype: Type::OPT | Type::TSIG | Type::TKEY, .. } => {
            Some(Head::error(Rcode::FormErr, None))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
