//! Whole messages, decoded for people and tests. The code allocates; it is not for the query path.

use std::fmt;

use ipnet::IpNet;

use super::edns::{self, Edns, Subnet};
use super::header::{AA, AD, CD, HEADER_LEN, Header, QR, RA, RD, TC};
use super::kind::{CLASS_IN, Rcode, Type};
use super::name::Name;
use super::rdata;

/// A decoded message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The header.
    pub header: Header,
    /// The question: name, type and class; the last one if there are several.
    pub question: Option<(Name, Type, u16)>,
    /// The answer section.
    pub answer: Vec<Record>,
    /// The authority section.
    pub authority: Vec<Record>,
    /// The additional section without its first OPT record.
    pub additional: Vec<Record>,
    /// The content of the OPT record.
    pub edns: Option<Edns>,
    /// The options of the OPT record: number and data.
    pub options: Vec<(u16, Vec<u8>)>,
    /// The response code, including the upper bits from the OPT record.
    pub rcode: u16,
}

/// A record, with no compression in its RDATA.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The owner name.
    pub owner: Name,
    /// The type.
    pub rtype: Type,
    /// The class; for OPT, the UDP payload size.
    pub class: u16,
    /// The TTL in seconds; for OPT, the upper bits of the RCODE, the version and the flags.
    pub ttl: u32,
    /// The RDATA.
    pub rdata: Vec<u8>,
}

/// The error that octets are not a DNS message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAMessage;

impl Message {
    /// Decodes a message.
    ///
    /// # Errors
    /// [`NotAMessage`] if the message is cut short, or has a name or RDATA that cannot be read.
    pub fn read(wire: &[u8]) -> Result<Self, NotAMessage> {
        let header = Header::read(wire).ok_or(NotAMessage)?;
        let mut at = HEADER_LEN;
        let mut question = None;
        for _ in 0..header.counts[0] {
            let (name, end) = read_name(wire, at).ok_or(NotAMessage)?;
            let fixed = wire.get(end..end + 4).ok_or(NotAMessage)?;
            let [qtype, qclass] = [0, 2].map(|i| u16::from_be_bytes([fixed[i], fixed[i + 1]]));
            question = Some((name, Type(qtype), qclass));
            at = end + 4;
        }
        let mut section = |count: u16| {
            (0..count)
                .map(|_| {
                    let (record, end) = read_record(wire, at).ok_or(NotAMessage)?;
                    at = end;
                    Ok(record)
                })
                .collect::<Result<Vec<Record>, NotAMessage>>()
        };
        let [_, answers, authorities, additionals] = header.counts;
        let (answer, authority) = (section(answers)?, section(authorities)?);
        let mut additional = section(additionals)?;
        let opt = additional.iter().position(|record| record.rtype == Type::OPT);
        let opt = opt.map(|at| additional.remove(at));
        let rdata = opt.as_ref().map_or(&[][..], |opt| &opt.rdata);
        let options: Result<Vec<_>, _> =
            edns::options(rdata).map(|o| o.map(|(code, data)| (code, data.to_vec()))).collect();
        let options = options.map_err(|_| NotAMessage)?;
        let edns = opt.as_ref().map(|opt| Edns::read(opt.class, opt.ttl.to_be_bytes(), rdata));
        let edns = edns.transpose().map_err(|_| NotAMessage)?;
        let rcode_high = opt.map_or(0, |opt| (opt.ttl >> 24) as u16);
        let rcode = rcode_high << 4 | header.flags & 0xf;
        Ok(Self { header, question, answer, authority, additional, edns, options, rcode })
    }

    /// Returns the mnemonic of the response code, or `RCODEn`.
    pub fn rcode_text(&self) -> String {
        Rcode::try_from(self.rcode)
            .map_or_else(|number| format!("RCODE{number}"), |rcode| rcode.to_string())
    }

    /// Returns the names of the flags that are set, as dig prints them.
    pub fn flags(&self) -> Vec<&'static str> {
        let all =
            [(QR, "qr"), (AA, "aa"), (TC, "tc"), (RD, "rd"), (RA, "ra"), (AD, "ad"), (CD, "cd")];
        all.into_iter().filter(|(bit, _)| self.header.flags & bit != 0).map(|(_, n)| n).collect()
    }
}

impl fmt::Display for Record {
    /// Writes one line, such as `web.example.com. 10 IN A 192.0.2.11`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ", self.owner, self.ttl)?;
        match self.class {
            CLASS_IN => f.write_str("IN")?,
            class => write!(f, "CLASS{class}")?,
        }
        write!(f, " {} ", self.rtype)?;
        rdata::write_text(self.rtype, &self.rdata, f)
    }
}

/// Makes a query with EDNS and without RD. It announces `payload_size` octets, and `subnet` as the
/// client's network if there is one (RFC 7871).
pub fn write_query(
    id: u16,
    qname: &Name,
    qtype: Type,
    payload_size: u16,
    subnet: Option<IpNet>,
) -> Vec<u8> {
    let header = Header { id, flags: 0, counts: [1, 0, 0, 1] };
    let mut wire = header.to_wire().to_vec();
    wire.extend_from_slice(qname.as_wire());
    for number in [qtype.0, CLASS_IN] {
        wire.extend_from_slice(&number.to_be_bytes());
    }
    wire.push(0);
    let option = subnet.map(Subnet::option).unwrap_or_default();
    for number in [Type::OPT.0, payload_size, 0, 0, option.len() as u16] {
        wire.extend_from_slice(&number.to_be_bytes());
    }
    wire.extend(option);
    wire
}

/// Reads the name at `at`, which may be compressed. Returns it and the place after it.
pub fn read_name(wire: &[u8], at: usize) -> Option<(Name, usize)> {
    let mut name = Vec::with_capacity(32);
    let used = rdata::expand_name(wire, at, wire.len(), &mut name)?;
    Some((Name::from_wire(&name)?, at + used))
}

fn read_record(wire: &[u8], at: usize) -> Option<(Record, usize)> {
    let (owner, at) = read_name(wire, at)?;
    let fixed = wire.get(at..at + 10)?;
    let word = |i: usize| u16::from_be_bytes([fixed[i], fixed[i + 1]]);
    let start = at + 10;
    let end = start + usize::from(word(8));
    wire.get(start..end)?;
    let rtype = Type(word(0));
    let rdata = rdata::expand(rtype, wire, start..end)?;
    let ttl = u32::from(word(4)) << 16 | u32::from(word(6));
    Some((Record { owner, rtype, class: word(2), ttl, rdata }, end))
}
