//! Queries with any bit set, the server that gets them, and responses read octet by octet.

use std::net::UdpSocket;

use crate::dns::{PATIENCE, Tcp, Udp};
use crate::presentation::name_wire;
use crate::server::TestServer;

pub(super) const A: u16 = 1;
pub(super) const SOA: u16 = 6;
pub(super) const TXT: u16 = 16;
const OPT: u16 = 41;
pub(super) const DNSKEY: u16 = 48;

pub(super) const NOERROR: u16 = 0;
pub(super) const FORMERR: u16 = 1;
pub(super) const NXDOMAIN: u16 = 3;
pub(super) const NOTIMP: u16 = 4;
pub(super) const REFUSED: u16 = 5;
pub(super) const BADVERS: u16 = 16;

pub(super) const AA: u16 = 0x0400;
pub(super) const TC: u16 = 0x0200;
pub(super) const RD: u16 = 0x0100;
pub(super) const RA: u16 = 0x0080;
pub(super) const Z: u16 = 0x0040;
pub(super) const AD: u16 = 0x0020;
pub(super) const CD: u16 = 0x0010;

/// The DO bit among the flags of OPT.
pub(super) const DO: u16 = 0x8000;

pub(super) const NSID: u16 = 3;
pub(super) const CLIENT_SUBNET: u16 = 8;
pub(super) const EXPIRE: u16 = 9;
pub(super) const COOKIE: u16 = 10;
pub(super) const KEEPALIVE: u16 = 11;
pub(super) const PADDING: u16 = 12;
pub(super) const EXTENDED_ERROR: u16 = 15;

/// The zone of these tests. Its apex has no TXT, and `big` has more TXT than UDP carries.
const ZONE: &str = r#"
zone = "example.com"
nameservers = ["ns1", "ns2"]
[records]
ns1 = { A = "192.0.2.53" }
ns2 = { A = "198.51.100.53" }
www = { A = "192.0.2.80" }
big = { TXT = ["1 BIG", "2 BIG", "3 BIG", "4 BIG", "5 BIG", "6 BIG", "7 BIG", "8 BIG"] }
middle = { TXT = ["1 BIG", "2 BIG", "3 BIG", "4 BIG"] }
"#;

/// The settings of the server: its name, version and idle timeout.
const SETTINGS: &str = "[identity]\nname = \"ns1-fra\"\nversion = \"waypost\"\n\
    [limits]\ntcp_idle = \"7s\"\n";

/// The server that the tests ask.
pub(super) struct Subject {
    server: TestServer,
    _directory: tempfile::TempDir,
}

impl Subject {
    pub(super) fn start() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let (zones, settings) =
            (directory.path().join("zones"), directory.path().join("waypost.toml"));
        std::fs::create_dir(&zones).expect("the directory is ours");
        let zone = ZONE.replace("BIG", &"x".repeat(200));
        std::fs::write(zones.join("example.com.toml"), zone).expect("the directory is ours");
        std::fs::write(&settings, SETTINGS).expect("the directory is ours");
        let settings = settings.to_str().expect("a temporary path is text");
        let server = TestServer::start_with(&zones, &["--workers", "1", "--config", settings]);
        Self { server, _directory: directory }
    }

    /// Asks over UDP.
    pub(super) fn udp(&self, query: &Query) -> Response {
        let wire = query.encode(fastrand::u16(..));
        let reply = Udp::connect(self.server.address()).exchange(&wire, PATIENCE);
        let reply = reply.unwrap_or_else(|| panic!("no response: {query:?}"));
        Response::read(query, &wire, &reply)
    }

    /// Asks over UDP, from `socket`.
    pub(super) fn udp_from(&self, socket: &UdpSocket, query: &Query) -> Response {
        let wire = query.encode(fastrand::u16(..));
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        socket.send_to(&wire, self.server.address()).expect("loopback takes a datagram");
        let mut reply = [0; 65_535];
        let len = socket.recv(&mut reply).unwrap_or_else(|_| panic!("no response: {query:?}"));
        Response::read(query, &wire, &reply[..len])
    }

    /// Asks over TCP.
    pub(super) fn tcp(&self, query: &Query) -> Response {
        let wire = query.encode(fastrand::u16(..));
        let mut tcp = Tcp::connect(self.server.address());
        tcp.send(&wire);
        let reply = tcp.receive().unwrap_or_else(|| panic!("no response: {query:?}"));
        Response::read(query, &wire, &reply)
    }

    /// Asks over UDP, then over TCP.
    pub(super) fn both(&self, query: &Query) -> [Response; 2] {
        [self.udp(query), self.tcp(query)]
    }
}

/// A query with any bit set.
#[derive(Clone, Debug)]
pub(super) struct Query {
    name: String,
    rtype: u16,
    class: u16,
    /// The second 16 bits of the header: flags and opcode.
    flags: u16,
    /// Whether it has a question.
    question: bool,
    /// The OPT records: none, one, or more than there may be.
    opts: Vec<Opt>,
}

/// An OPT record of a query or a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Opt {
    pub(super) payload: u16,
    /// The upper eight bits of the RCODE.
    rcode: u8,
    pub(super) version: u8,
    pub(super) flags: u16,
    pub(super) options: Vec<(u16, Vec<u8>)>,
}

impl Query {
    /// Makes a query without EDNS and without flags.
    pub(super) fn new(name: &str, rtype: u16) -> Self {
        Self { name: name.into(), rtype, class: 1, flags: 0, question: true, opts: vec![] }
    }

    pub(super) fn rtype(&self) -> u16 {
        self.rtype
    }

    pub(super) fn class(self, class: u16) -> Self {
        Self { class, ..self }
    }

    /// Sets flags of the header.
    pub(super) fn flags(self, flags: u16) -> Self {
        Self { flags: self.flags | flags, ..self }
    }

    pub(super) fn opcode(self, opcode: u16) -> Self {
        self.flags(opcode << 11)
    }

    /// Leaves the question out.
    pub(super) fn without_question(self) -> Self {
        Self { question: false, ..self }
    }

    /// Adds EDNS of this version, with a payload of 1,232 octets.
    pub(super) fn edns(mut self, version: u8) -> Self {
        self.opts.push(Opt { payload: 1232, rcode: 0, version, flags: 0, options: vec![] });
        self
    }

    pub(super) fn payload(mut self, payload: u16) -> Self {
        self.opt().payload = payload;
        self
    }

    /// Sets flags of the OPT record.
    pub(super) fn edns_flags(mut self, flags: u16) -> Self {
        self.opt().flags |= flags;
        self
    }

    pub(super) fn option(mut self, code: u16, data: &[u8]) -> Self {
        self.opt().options.push((code, data.to_vec()));
        self
    }

    fn opt(&mut self) -> &mut Opt {
        self.opts.last_mut().expect("a test sets the version first")
    }

    fn encode(&self, id: u16) -> Vec<u8> {
        let counts = [u16::from(self.question), 0, 0, self.opts.len() as u16];
        let header = [id, self.flags].into_iter().chain(counts);
        let mut wire: Vec<u8> = header.flat_map(u16::to_be_bytes).collect();
        if self.question {
            wire.extend(name_wire(&self.name));
            wire.extend([self.rtype, self.class].into_iter().flat_map(u16::to_be_bytes));
        }
        for opt in &self.opts {
            let option = |(code, data): &(u16, Vec<u8>)| {
                let head = [*code, data.len() as u16].into_iter().flat_map(u16::to_be_bytes);
                head.chain(data.iter().copied()).collect::<Vec<u8>>()
            };
            let rdata: Vec<u8> = opt.options.iter().flat_map(option).collect();
            wire.push(0);
            wire.extend([OPT, opt.payload].into_iter().flat_map(u16::to_be_bytes));
            wire.extend([opt.rcode, opt.version]);
            wire.extend([opt.flags, rdata.len() as u16].into_iter().flat_map(u16::to_be_bytes));
            wire.extend(rdata);
        }
        wire
    }
}

/// A record of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    /// The owner name in wire format, not compressed.
    pub(super) owner: Vec<u8>,
    pub(super) rtype: u16,
    pub(super) class: u16,
    pub(super) ttl: u32,
    pub(super) rdata: Vec<u8>,
}

/// A response.
#[derive(Clone, Debug)]
pub(super) struct Response {
    /// The query that it answers, for the reader of a failed test.
    pub(super) asked: String,
    /// The second 16 bits of the header.
    pub(super) flags: u16,
    /// The whole RCODE, with the bits that OPT adds to it.
    pub(super) rcode: u16,
    pub(super) has_question: bool,
    pub(super) answer: Vec<Record>,
    pub(super) authority: Vec<Record>,
    pub(super) opt: Option<Opt>,
    pub(super) wire: Vec<u8>,
}

impl Response {
    /// Reads a response to `query` to the last octet, and checks what holds for every response: the
    /// id, opcode, RD and, if any, question are those of the query; RA and Z are clear.
    fn read(asked: &Query, query: &[u8], wire: &[u8]) -> Self {
        let word = |at: usize| u16::from_be_bytes([wire[at], wire[at + 1]]);
        assert_eq!(wire[..2], query[..2], "the id");
        let flags = word(2);
        assert_eq!(flags & 0xf900, 0x8000 | asked.flags & 0x7900, "QR, opcode and RD: {wire:02x?}");
        assert_eq!(flags & (RA | Z), 0, "RA and Z: {wire:02x?}");
        let mut at = 12;
        for _ in 0..word(4) {
            let (name, end) = read_name(wire, at);
            assert_eq!(wire[at..end + 4], query[12..end + 4], "the question");
            assert_eq!(name.len(), end - at, "it is not compressed");
            at = end + 4;
        }
        let [answer, authority, mut additional] =
            [6, 8, 10].map(|count| read_records(wire, &mut at, word(count)));
        assert_eq!(at, wire.len(), "nothing behind the last record: {wire:02x?}");
        let is_opt = |record: &Record| record.rtype == OPT;
        let opt = additional.iter().position(is_opt).map(|at| Opt::read(additional.remove(at)));
        assert!(!additional.iter().any(is_opt), "one OPT at most: {wire:02x?}");
        let upper = opt.as_ref().map_or(0, |opt| u16::from(opt.rcode) << 4);
        let rcode = upper | flags & 0xf;
        let has_question = word(4) > 0;
        Self {
            asked: format!("{asked:?}"),
            flags,
            rcode,
            has_question,
            answer,
            authority,
            opt,
            wire: wire.to_vec(),
        }
    }

    /// Asserts NOERROR, AA, and an answer section all of this type.
    pub(super) fn assert_answer(&self, rtype: u16) {
        assert_eq!((self.rcode, self.flags & (AA | TC)), (NOERROR, AA), "{self:?}");
        assert!(!self.answer.is_empty(), "{self:?}");
        assert!(self.answer.iter().all(|record| record.rtype == rtype), "{self:?}");
    }

    /// Asserts NOERROR, AA, an empty answer section, and the SOA of the zone (RFC 2308 §2.2).
    pub(super) fn assert_no_data(&self) {
        assert_eq!((self.rcode, self.flags & (AA | TC)), (NOERROR, AA), "{self:?}");
        assert_eq!((self.answer.len(), self.authority.len()), (0, 1), "{self:?}");
        assert_eq!(self.authority[0].rtype, SOA, "{self:?}");
        assert_eq!(self.authority[0].owner, name_wire("example.com."), "{self:?}");
    }

    /// Asserts BADVERS of version 0, and no answer (RFC 6891 §6.1.3).
    pub(super) fn assert_bad_version(&self) {
        assert_eq!((self.rcode, self.opt().version), (BADVERS, 0), "{self:?}");
        assert_eq!((self.answer.len(), self.flags & AA), (0, 0), "{self:?}");
    }

    /// Returns the OPT record, which must be there.
    pub(super) fn opt(&self) -> &Opt {
        self.opt.as_ref().unwrap_or_else(|| panic!("no OPT: {self:?}"))
    }

    /// Returns the data of the option `code`, if OPT has it.
    pub(super) fn option(&self, code: u16) -> Option<&[u8]> {
        self.opt().options.iter().find(|option| option.0 == code).map(|option| &option.1[..])
    }
}

impl Opt {
    fn read(record: Record) -> Self {
        assert_eq!(record.owner, [0], "OPT belongs to the root");
        let [rcode, version, high, low] = record.ttl.to_be_bytes();
        let (mut rest, mut options) = (&record.rdata[..], vec![]);
        while let Some((&[c0, c1, l0, l1], tail)) = rest.split_first_chunk() {
            let (data, tail) = tail.split_at(usize::from(u16::from_be_bytes([l0, l1])));
            options.push((u16::from_be_bytes([c0, c1]), data.to_vec()));
            rest = tail;
        }
        assert!(rest.is_empty(), "the options fill OPT");
        let flags = u16::from_be_bytes([high, low]);
        Self { payload: record.class, rcode, version, flags, options }
    }
}

/// Reads the name that starts at `at`; returns it expanded, and the index after its end there.
fn read_name(wire: &[u8], mut at: usize) -> (Vec<u8>, usize) {
    let (mut name, mut end) = (Vec::new(), None);
    loop {
        match usize::from(wire[at]) {
            0 => {
                name.push(0);
                return (name, end.unwrap_or(at + 1));
            }
            len @ 1..=63 => {
                name.extend(&wire[at..=at + len]);
                at += 1 + len;
            }
            high => {
                let to = (high & 0x3f) << 8 | usize::from(wire[at + 1]);
                assert!(high >= 0xc0 && to < at, "a pointer points back: {wire:02x?}");
                end = end.or(Some(at + 2));
                at = to;
            }
        }
    }
}

fn read_records(wire: &[u8], at: &mut usize, count: u16) -> Vec<Record> {
    let mut records = Vec::new();
    for _ in 0..count {
        let (owner, end) = read_name(wire, *at);
        let word = |at: usize| u16::from_be_bytes([wire[end + at], wire[end + at + 1]]);
        let ttl = u32::from(word(4)) << 16 | u32::from(word(6));
        let rdata = wire[end + 10..end + 10 + usize::from(word(8))].to_vec();
        *at = end + 10 + rdata.len();
        records.push(Record { owner, rtype: word(0), class: word(2), ttl, rdata });
    }
    records
}
