//! One query to every server, and the comparison of the responses.

use std::fmt;
use std::net::SocketAddr;

use fastrand::Rng;

use super::peers::{Peer, SOFTWARE};
use crate::dns::{Answer, PATIENCE, Question, Response, Tcp, Udp, checked};
use crate::generate;
use crate::model::{self, ModelZone};
use crate::presentation::{type_number, type_text};

/// Types that no query of a sound client has. The peers never agree on them, and `sweep` has our
/// answers.
const META: [&str; 5] = ["MAILA", "MAILB", "OPT", "TKEY", "TSIG"];

/// A query, and the way it goes out.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) question: Question,
    pub(super) dnssec_ok: bool,
    pub(super) stream: bool,
}

impl Asked {
    /// Draws a query that has a fair chance to meet something, asked in one of many ways.
    pub(super) fn random(zones: &[ModelZone], rng: &mut Rng) -> Self {
        let meant = |&(_, rtype): &(String, u16)| !META.contains(&type_text(rtype).as_str());
        let (name, rtype) = std::iter::repeat_with(|| generate::query(zones, rng))
            .find(meant)
            .expect("most types are meant");
        let payload = match rng.u8(..6) {
            0 | 1 => None,
            2 => Some(rng.u16(513..700)),
            3 => Some(4096),
            4 => Some(rng.u16(..)),
            _ => Some(1232),
        };
        let flags = if rng.bool() { 0x0100 } else { 0 };
        let question = Question { name, rtype, payload, flags };
        Self { question, dnssec_ok: payload.is_some() && rng.bool(), stream: rng.u8(..4) == 0 }
    }

    /// Returns whether a response takes more than three quarters of its limit: a server that
    /// compresses less well may have to truncate it.
    fn is_nearly_full(&self, response: &Response) -> bool {
        let limit = self.question.payload.unwrap_or(512).clamp(512, 1232);
        response.wire.len() * 4 > usize::from(limit) * 3
    }

    /// Writes the message. An OPT record ends it, and has DO in the first of its last four octets.
    fn encode(&self, id: u16) -> Vec<u8> {
        let mut message = self.question.encode(id);
        let flags = message.len() - 4;
        message[flags] |= if self.dnssec_ok { 0x80 } else { 0 };
        message
    }
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { question, dnssec_ok, stream } = self;
        let over = if *stream { "TCP" } else { "UDP" };
        write!(f, "{question} over {over}")?;
        match question.payload {
            Some(payload) => write!(f, ", EDNS with {payload} octets")?,
            None => write!(f, ", no EDNS")?,
        }
        write!(f, "{}", if *dnssec_ok { ", DO" } else { "" })?;
        write!(f, "{}", if question.flags == 0 { "" } else { ", RD" })
    }
}

/// The connections to one server.
pub(super) struct Link {
    address: SocketAddr,
    udp: Udp,
    tcp: Option<Tcp>,
}

impl Link {
    pub(super) fn new(address: SocketAddr) -> Self {
        Self { address, udp: Udp::connect(address), tcp: None }
    }

    pub(super) fn ask(&mut self, asked: &Asked, id: u16) -> Response {
        let query = asked.encode(id);
        let reply = if asked.stream {
            let tcp = self.tcp.get_or_insert_with(|| Tcp::connect(self.address));
            tcp.send(&query);
            tcp.receive()
        } else {
            self.udp.exchange(&query, PATIENCE)
        };
        let reply = reply.unwrap_or_else(|| panic!("{} is silent: {asked}", self.address));
        checked(&query, &reply)
    }
}

/// Connects to the peers, in the order of [`SOFTWARE`].
pub(super) fn links(peers: &[Peer]) -> Vec<Link> {
    peers.iter().map(|peer| Link::new(peer.address)).collect()
}

/// A part of a response, compared on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Field {
    Rcode,
    Aa,
    Tc,
    Edns,
    Answer,
    Authority,
    Additional,
}

pub(super) const FIELDS: [Field; 7] = [
    Field::Rcode,
    Field::Aa,
    Field::Tc,
    Field::Edns,
    Field::Answer,
    Field::Authority,
    Field::Additional,
];

const SECTIONS: [Field; 3] = [Field::Answer, Field::Authority, Field::Additional];

impl Field {
    /// Returns whether two responses are the same in this field.
    fn is_same(self, a: &Response, b: &Response) -> bool {
        match self {
            Self::Rcode => a.data.rcode == b.data.rcode,
            Self::Aa => a.data.aa == b.data.aa,
            Self::Tc => a.tc == b.tc,
            Self::Edns => (a.payload, a.dnssec_ok) == (b.payload, b.dnssec_ok),
            Self::Answer => a.data.answer == b.data.answer,
            Self::Authority => a.data.authority == b.data.authority,
            Self::Additional => a.data.additional == b.data.additional,
        }
    }
}

/// Returns the aliases in an answer.
pub(super) fn aliases(response: &Response) -> impl Iterator<Item = &String> {
    response.data.answer.iter().filter(|line| line.contains(" IN CNAME "))
}

/// The responses of all servers to one query.
pub(super) struct Heard<'a> {
    pub(super) asked: &'a Asked,
    pub(super) ours: Response,
    pub(super) peers: Vec<Response>,
}

impl Heard<'_> {
    /// Returns whether the peers bind us in `field`: all say the same, and not by chance.
    ///
    /// The records of a truncated message bind nobody. Nor does truncation where each peer has
    /// another message, or where the message only just fits. RCODE, authority and additional
    /// records are those of the last name reached (RFC 6604 §3): where the peers follow aliases to
    /// different ends, as their authority sections tell, each means another name.
    pub(super) fn is_agreed(&self, field: Field) -> bool {
        let agree = |field: Field| self.peers.windows(2).all(|p| field.is_same(&p[0], &p[1]));
        let truncated = self.peers.iter().any(|peer| peer.tc);
        let whole = !self.is_truncated();
        let same_aliases = || self.peers.windows(2).all(|p| aliases(&p[0]).eq(aliases(&p[1])));
        let is_aliased = || self.peers.iter().any(|peer| aliases(peer).next().is_some());
        let same_end = || !is_aliased() || agree(Field::Authority);
        agree(field)
            && match field {
                Field::Rcode => truncated || (same_aliases() && same_end()),
                Field::Tc if truncated => self.ours.tc || !self.asked.is_nearly_full(&self.ours),
                Field::Tc => SECTIONS.into_iter().all(agree),
                Field::Answer => whole,
                Field::Authority | Field::Additional => whole && agree(Field::Answer),
                Field::Aa | Field::Edns => true,
            }
    }

    /// Returns the peers that agree with us in `field`, if the peers differ and nobody truncates.
    ///
    /// Over UDP the additional section has only what fits, and is not compared.
    pub(super) fn side(&self, field: Field) -> Option<Vec<&'static str>> {
        let differ = self.peers.windows(2).any(|p| !field.is_same(&p[0], &p[1]));
        let is_whole = field != Field::Additional || self.asked.stream;
        let ours = |peer: &&Response| field.is_same(&self.ours, peer);
        let names = SOFTWARE.iter().map(|software| software.name);
        let side = || self.peers.iter().zip(names).filter(|(peer, _)| ours(peer));
        (differ && is_whole && !self.is_truncated()).then(|| side().map(|(_, name)| name).collect())
    }

    /// Returns the fields in which no peer agrees with us, if the peers agree with each other or
    /// each response is whole.
    pub(super) fn disagreements(&self) -> Vec<Field> {
        let differs = |field: &Field| match self.side(*field) {
            Some(side) => side.is_empty(),
            None => self.is_agreed(*field) && !field.is_same(&self.ours, &self.peers[0]),
        };
        FIELDS.into_iter().filter(differs).collect()
    }

    /// Returns the fields in which the peers differ and we differ from the model, whose reading of
    /// the RFCs decides between the peers.
    pub(super) fn differences_from(&self, expected: &Answer) -> Vec<Field> {
        let ours = &self.ours.data;
        let differs = |field: &Field| match field {
            Field::Rcode => ours.rcode != expected.rcode,
            Field::Aa => ours.aa != expected.aa,
            Field::Tc | Field::Edns => false,
            Field::Answer => ours.answer != expected.answer,
            Field::Authority => ours.authority != expected.authority,
            Field::Additional => ours.additional != expected.additional,
        };
        FIELDS.into_iter().filter(|f| self.side(*f).is_some()).filter(differs).collect()
    }

    fn is_truncated(&self) -> bool {
        self.ours.tc || self.peers.iter().any(|peer| peer.tc)
    }
}

impl fmt::Display for Heard<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = ["Waypost"].into_iter().chain(SOFTWARE.iter().map(|software| software.name));
        let responses = [&self.ours].into_iter().chain(&self.peers);
        writeln!(f, "{}", self.asked)?;
        for (name, response) in names.zip(responses) {
            let tc = if response.tc { " (truncated)" } else { "" };
            write!(f, "{name}{tc}: {}", response.data)?;
        }
        Ok(())
    }
}

/// Removes from NSD's response what no option of NSD turns off: it adds the NS of the zone, and
/// the addresses of these name servers, to every positive answer.
pub(super) fn without_courtesy(mut response: Response, zones: &[ModelZone]) -> Response {
    let Answer { aa, answer, authority, additional, .. } = &mut response.data;
    let is_apex_ns = |line: &String| {
        let mut words = line.split(' ');
        let owner = words.next();
        words.nth(2) == Some("NS") && zones.iter().any(|zone| owner == Some(&zone.origin))
    };
    let positive = *aa && !answer.is_empty() && !authority.is_empty();
    if !positive || !authority.iter().all(is_apex_ns) {
        return response;
    }
    let targets = |lines: &[String]| -> Vec<String> {
        lines.iter().filter_map(|line| model::Record::read(line).target()).collect()
    };
    let (courtesy, asked_for) = (targets(authority), targets(answer));
    authority.clear();
    additional.retain(|line| {
        let owner = line.split(' ').next().unwrap_or_default().to_owned();
        asked_for.contains(&owner) || !courtesy.contains(&owner)
    });
    response
}

/// Returns whether `rtype` is the type of this name.
pub(super) fn is_type(rtype: u16, name: &str) -> bool {
    rtype == type_number(name)
}
