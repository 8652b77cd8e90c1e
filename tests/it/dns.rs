//! A DNS client for tests. hickory-proto, a codec that shares nothing with the server, reads the
//! responses.

use std::fmt;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use hickory_proto::op::Message;
use hickory_proto::rr::Record;
use hickory_proto::rr::rdata::opt::{EdnsCode, EdnsOption};
use hickory_proto::serialize::binary::{BinEncodable, BinEncoder, NameEncoding};

use crate::presentation::{canonical_line, name_wire, record_line, type_number, type_text};

/// The time a test waits for one response.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// A query as a test writes it.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(crate) name: String,
    pub(crate) rtype: u16,
    /// The payload size that EDNS announces; `None` means no EDNS.
    pub(crate) payload: Option<u16>,
    /// The second 16 bits of the header; RD by default.
    pub(crate) flags: u16,
}

impl Question {
    /// Makes a query with EDNS and 1,232 octets, as resolvers ask today.
    pub(crate) fn new(name: &str, rtype: &str) -> Self {
        let name = name.to_owned();
        Self { name, rtype: type_number(rtype), payload: Some(1232), flags: 0x0100 }
    }

    /// Sets another payload size, or removes EDNS.
    pub(crate) fn payload(mut self, payload: Option<u16>) -> Self {
        self.payload = payload;
        self
    }

    /// Writes the message; the name's octets go out as they are written, case included.
    pub(crate) fn encode(&self, id: u16) -> Vec<u8> {
        let mut message = id.to_be_bytes().to_vec();
        let additional = u16::from(self.payload.is_some());
        for number in [self.flags, 1, 0, 0, additional] {
            message.extend(number.to_be_bytes());
        }
        message.extend(name_wire(&self.name));
        message.extend(self.rtype.to_be_bytes());
        message.extend(1u16.to_be_bytes());
        if let Some(payload) = self.payload {
            message.extend([0, 0, 41]);
            message.extend(payload.to_be_bytes());
            message.extend([0; 6]);
        }
        message
    }
}

/// The part of a response that the data decides, comparable between a socket, the `query` command
/// and the naive model. Records are sorted lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) rcode: String,
    pub(crate) aa: bool,
    pub(crate) answer: Vec<String>,
    pub(crate) authority: Vec<String>,
    pub(crate) additional: Vec<String>,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}{}", self.rcode, if self.aa { " aa" } else { "" })?;
        let sections = [
            ("answer", &self.answer),
            ("authority", &self.authority),
            ("additional", &self.additional),
        ];
        for (section, records) in sections {
            for record in records {
                writeln!(f, "  {section:10} {record}")?;
            }
        }
        Ok(())
    }
}

impl Answer {
    /// Reads one line of `waypost query --batch`.
    pub(crate) fn from_json(line: &str) -> Self {
        let json: serde_json::Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let section = |name: &str| {
            let records = json[name].as_array().unwrap_or_else(|| panic!("no {name}: {line}"));
            let texts = records.iter().map(|record| record.as_str().expect("records are text"));
            sorted(texts.map(canonical_line))
        };
        Self {
            rcode: json["rcode"].as_str().expect("an rcode").to_owned(),
            aa: json["flags"].as_array().expect("flags").iter().any(|flag| flag == "aa"),
            answer: section("answer"),
            authority: section("authority"),
            additional: section("additional"),
        }
    }
}

/// A whole response.
#[derive(Clone, Debug)]
pub(crate) struct Response {
    pub(crate) id: u16,
    /// The flags as the header has them, RCODE included.
    pub(crate) flags: u16,
    pub(crate) tc: bool,
    pub(crate) data: Answer,
    /// The lines of the answer section, in the order in which they came.
    pub(crate) ordered: Vec<String>,
    /// The payload size of its OPT record, if it has one.
    pub(crate) payload: Option<u16>,
    /// Whether its OPT record has DO.
    pub(crate) dnssec_ok: bool,
    /// The scope of its client subnet, if it has one.
    pub(crate) scope: Option<u8>,
    /// The message.
    pub(crate) wire: Vec<u8>,
}

impl Response {
    /// Reads a message; fails the test if hickory cannot.
    pub(crate) fn decode(wire: &[u8]) -> Self {
        let message = Message::from_vec(wire)
            .unwrap_or_else(|error| panic!("hickory cannot read it: {error}\n{wire:02x?}"));
        let lines = |records: &[Record]| records.iter().map(line).collect::<Vec<_>>();
        let ordered = lines(&message.answers);
        let data = Answer {
            rcode: rcode_text(message.metadata.response_code.into()),
            aa: message.metadata.authoritative,
            answer: sorted(ordered.clone()),
            authority: sorted(lines(&message.authorities)),
            additional: sorted(lines(&message.additionals)),
        };
        Self {
            id: message.metadata.id,
            flags: u16::from_be_bytes([wire[2], wire[3]]),
            tc: message.metadata.truncation,
            data,
            ordered,
            payload: message.edns.as_ref().map(|edns| edns.max_payload()),
            dnssec_ok: message.edns.as_ref().is_some_and(|edns| edns.flags().dnssec_ok),
            scope: message.edns.and_then(|edns| match edns.option(EdnsCode::Subnet) {
                Some(EdnsOption::Subnet(subnet)) => Some(subnet.scope_prefix()),
                _ => None,
            }),
            wire: wire.to_vec(),
        }
    }

    /// Returns the octets of the question section without type and class.
    pub(crate) fn question_name(&self) -> &[u8] {
        let len = self.wire[12..].iter().position(|&octet| octet == 0).expect("a root label");
        &self.wire[12..=12 + len]
    }
}

fn sorted(lines: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut lines: Vec<String> = lines.into_iter().collect();
    lines.sort();
    lines
}

/// Writes a record as hickory understood it, with its names expanded.
fn line(record: &Record) -> String {
    let emit = |data: &dyn Fn(&mut BinEncoder<'_>)| {
        let mut wire = Vec::new();
        let mut encoder = BinEncoder::new(&mut wire);
        encoder.set_name_encoding(NameEncoding::Uncompressed);
        data(&mut encoder);
        wire
    };
    let owner = emit(&|encoder| record.name.emit(encoder).expect("a name can be written"));
    let rdata = emit(&|encoder| record.data.emit(encoder).expect("RDATA can be written"));
    let owner = crate::presentation::name_text(&owner).0;
    record_line(&owner, record.ttl, record.record_type().into(), &rdata)
}

fn rcode_text(rcode: u16) -> String {
    const RCODES: [&str; 7] =
        ["NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED", "YXDOMAIN"];
    match RCODES.get(usize::from(rcode)) {
        Some(text) => (*text).to_owned(),
        None if rcode == 16 => "BADVERS".to_owned(),
        None => format!("RCODE{rcode}"),
    }
}

/// A UDP client with one socket, and so with one source port.
pub(crate) struct Udp(UdpSocket);

impl Udp {
    pub(crate) fn connect(server: SocketAddr) -> Self {
        let local: SocketAddr =
            if server.is_ipv4() { ([127, 0, 0, 1], 0).into() } else { ([0u16; 8], 0).into() };
        let socket = UdpSocket::bind(local).expect("a socket on loopback");
        socket.connect(server).expect("loopback is reachable");
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        Self(socket)
    }

    /// Sends octets and waits `patience` for a reply; returns `None` if none came.
    pub(crate) fn exchange(&self, message: &[u8], patience: Duration) -> Option<Vec<u8>> {
        self.0.set_read_timeout(Some(patience)).expect("a timeout");
        self.0.send(message).expect("loopback takes a datagram");
        let mut buffer = vec![0; 65_535];
        let len = self.0.recv(&mut buffer).ok()?;
        buffer.truncate(len);
        Some(buffer)
    }

    /// Asks; fails the test if no response comes, or one that is not to this query.
    pub(crate) fn ask(&self, question: &Question) -> Response {
        let query = question.encode(fastrand::u16(..));
        let reply = self.exchange(&query, PATIENCE);
        let reply = reply.unwrap_or_else(|| panic!("no response to {question:?}"));
        checked(&query, &reply)
    }
}

/// A TCP client with one connection; each message has its length in front (RFC 1035 §4.2.2).
pub(crate) struct Tcp(TcpStream);

impl Tcp {
    pub(crate) fn connect(server: SocketAddr) -> Self {
        Self::over(TcpStream::connect(server).expect("loopback accepts"))
    }

    /// Makes a client of an open connection.
    pub(crate) fn over(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.set_nodelay(true).expect("TCP_NODELAY");
        Self(stream)
    }

    /// Writes one framed message.
    pub(crate) fn send(&mut self, message: &[u8]) {
        let mut framed = (message.len() as u16).to_be_bytes().to_vec();
        framed.extend(message);
        self.0.write_all(&framed).expect("the server reads");
    }

    /// Reads one framed message; returns `None` if the server closed or kept silent.
    pub(crate) fn receive(&mut self) -> Option<Vec<u8>> {
        let mut len = [0; 2];
        self.0.read_exact(&mut len).ok()?;
        let mut message = vec![0; usize::from(u16::from_be_bytes(len))];
        self.0.read_exact(&mut message).ok()?;
        Some(message)
    }

    pub(crate) fn ask(&mut self, question: &Question) -> Response {
        let query = question.encode(fastrand::u16(..));
        self.send(&query);
        let reply = self.receive().unwrap_or_else(|| panic!("no response to {question:?}"));
        checked(&query, &reply)
    }
}

/// Decodes a response and checks what holds for every one: it has the id, opcode and RD of the
/// query, and QR, and echoes the question octet by octet (RFC 1034 §3.7.1, RFC 1035 §4.1.1).
pub(crate) fn checked(query: &[u8], reply: &[u8]) -> Response {
    let response = Response::decode(reply);
    assert_eq!(response.id, u16::from_be_bytes([query[0], query[1]]), "the id is the query's");
    let asked = u16::from_be_bytes([query[2], query[3]]);
    assert_eq!(response.flags & 0xf900, 0x8000 | (asked & 0x7900), "QR, opcode and RD");
    assert_eq!(response.flags & 0x00f0 & !(asked & 0x0010), 0, "RA, Z and AD are clear");
    let name_len = query[12..].iter().position(|&octet| octet == 0).expect("a question") + 1;
    let question = 12..12 + name_len + 4;
    assert_eq!(reply.get(question.clone()), query.get(question), "the question is echoed");
    response
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, type_text(self.rtype))
    }
}
