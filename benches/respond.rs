//! Measures the cost of one call of `Responder::respond`, by kind of answer.
//!
//! ```text
//! cargo bench --bench respond              nanoseconds a call, for each kind
//! benches/instructions                     instructions a call, exactly, under valgrind
//! respond KIND CALLS                       the calls alone: the script above runs this
//! ```
//!
//! The zone below is that of a small site, among a thousand other names. The bench checks that
//! each kind is what it claims before it measures it.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "printing figures is its purpose")]

use std::hint::black_box;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use waypost::answer::{Client, Over, Responder, UDP_PAYLOAD_MAX};
use waypost::config::{Allowed, Files, Source, load_zone};
use waypost::snapshot::{Snapshot, Zone};
use waypost::steering::RouteTables;
use waypost::wire::kind::Type;
use waypost::wire::message::{Message, write_query};
use waypost::wire::name::Name;

/// Other names in the zone, because an index of one entry would flatter the look-ups.
const OTHERS: usize = 1_000;

/// Calls for a wall-clock figure; they take a fraction of a second.
const CALLS: u64 = 500_000;

const ZONE: &str = r#"
zone = "example.com"
nameservers = ["ns1", "ns2"]

[services.weighted]
port = 8080
srv = "_http._tcp"
https = true
endpoints = [
  { name = "a", address = ["192.0.2.11", "2001:db8::11"], weight = 3 },
  { name = "b", address = ["192.0.2.12", "2001:db8::12"], weight = 2 },
  { name = "c", address = ["192.0.2.13", "2001:db8::13"], weight = 1 },
]

[services.eight]
endpoints = [
  "192.0.2.21", "192.0.2.22", "192.0.2.23", "192.0.2.24",
  "192.0.2.25", "192.0.2.26", "192.0.2.27", "192.0.2.28",
]

[services.five]
port = 8080
srv = "_http._tcp"
endpoints = ["192.0.2.31", "192.0.2.32", "192.0.2.33", "192.0.2.34", "192.0.2.35"]

[records]
ns1 = { A = "192.0.2.53" }
ns2 = { A = "192.0.2.54" }
www = { A = "192.0.2.80", AAAA = "2001:db8::80" }
one = { CNAME = "two" }
two = { CNAME = "www" }
old = { DNAME = "new" }
"x.new" = { A = "192.0.2.81" }
"*.wild" = { A = "192.0.2.82" }
lab = { NS = ["ns1.lab", "ns2.lab"] }
"ns1.lab" = { A = "192.0.2.91" }
"ns2.lab" = { A = "192.0.2.92" }
"#;

/// One kind of answer.
struct Kind {
    name: &'static str,
    qname: &'static str,
    qtype: Type,
    edns: bool,
    /// The response code and the number of records in the answer section.
    expected: (u8, u16),
}

const fn kind(
    name: &'static str,
    qname: &'static str,
    qtype: Type,
    rcode: u8,
    answers: u16,
) -> Kind {
    Kind { name, qname, qtype, edns: true, expected: (rcode, answers) }
}

const NOERROR: u8 = 0;
const FORMERR: u8 = 1;
const NXDOMAIN: u8 = 3;
const REFUSED: u8 = 5;

/// The kinds, in the order of the table. All but one ask with EDNS, as resolvers do.
const KINDS: &[Kind] = &[
    kind("static-a", "www.example.com.", Type::A, NOERROR, 1),
    Kind { edns: false, ..kind("static-a-plain", "www.example.com.", Type::A, NOERROR, 1) },
    kind("static-aaaa", "www.example.com.", Type::AAAA, NOERROR, 1),
    kind("weighted-a", "weighted.example.com.", Type::A, NOERROR, 1),
    kind("weighted-aaaa", "weighted.example.com.", Type::AAAA, NOERROR, 1),
    kind("all-of-8", "eight.example.com.", Type::A, NOERROR, 8),
    kind("https", "weighted.example.com.", Type::HTTPS, NOERROR, 1),
    kind("srv-of-5", "_http._tcp.five.example.com.", Type::SRV, NOERROR, 5),
    kind("cname-chain", "one.example.com.", Type::A, NOERROR, 3),
    kind("dname", "x.old.example.com.", Type::A, NOERROR, 3),
    kind("wildcard", "any.thing.wild.example.com.", Type::A, NOERROR, 1),
    kind("nxdomain", "absent.example.com.", Type::A, NXDOMAIN, 0),
    kind("nodata", "www.example.com.", Type::MX, NOERROR, 0),
    kind("referral", "host.lab.example.com.", Type::A, NOERROR, 0),
    kind("refused", "www.example.net.", Type::A, REFUSED, 0),
    kind("formerr", FORMERR_QNAME, Type::A, FORMERR, 0),
];

/// The name of the query that is cut short.
const FORMERR_QNAME: &str = "cut.example.com.";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    match arguments.as_slice() {
        [] => KINDS.iter().for_each(report),
        [list] if list == "--list" => KINDS.iter().for_each(|kind| println!("{}", kind.name)),
        [name, calls] => {
            let found = KINDS.iter().find(|kind| kind.name == name);
            let (Some(kind), Ok(calls)) = (found, calls.parse()) else {
                eprintln!("no kind {name:?}, or {calls:?} is no number; --list prints the kinds");
                return ExitCode::from(2);
            };
            run(kind, calls);
        }
        _ => {
            eprintln!("usage: respond [--list | KIND CALLS]");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

/// Prints how long a call takes.
fn report(kind: &Kind) {
    let (begin, calls) = (Instant::now(), CALLS);
    run(kind, calls);
    let nanoseconds = begin.elapsed().as_nanos() as f64 / calls as f64;
    println!("{:16} {nanoseconds:7.1} ns", kind.name);
}

/// Checks that `kind` is what it says, then answers its query `calls` times.
fn run(kind: &Kind, calls: u64) {
    let mut responder = responder();
    let query = query(kind);
    let mut out = [0; UDP_PAYLOAD_MAX as usize];
    let len = responder.respond(&query, client(), &mut out).len().expect("a response");
    let answers = u16::from_be_bytes([out[6], out[7]]);
    assert_eq!((out[3] & 0xf, answers), kind.expected, "{}", kind.name);
    // FORMERR comes as a bare header, which is no whole message; everything else is one.
    assert!(kind.expected.0 == FORMERR || Message::read(&out[..len]).is_ok(), "{}", kind.name);
    measured(&mut responder, &query, &mut out, calls);
}

/// Makes the calls that are counted: `benches/instructions` looks for this function's name.
#[inline(never)]
fn measured(responder: &mut Responder, query: &[u8], out: &mut [u8], calls: u64) {
    for _ in 0..calls {
        black_box(responder.respond(black_box(query), client(), out));
    }
}

fn client() -> Client {
    Client { source: SocketAddr::from((Ipv4Addr::new(192, 0, 2, 200), 5353)), over: Over::Udp }
}

fn query(kind: &Kind) -> Vec<u8> {
    let qname = Name::parse(kind.qname, None).expect("a name");
    let mut query = write_query(0x1234, &qname, kind.qtype, UDP_PAYLOAD_MAX, None);
    if !kind.edns {
        query.truncate(query.len() - OPT_LEN);
        query[ARCOUNT_LOW] = 0;
    }
    if kind.qname == FORMERR_QNAME {
        query.truncate(query.len() - 3);
    }
    query
}

/// The length of an OPT record without options.
const OPT_LEN: usize = 11;

/// The index of the low octet of the header's count of additional records.
const ARCOUNT_LOW: usize = 11;

fn responder() -> Responder {
    let others = (0..OTHERS).map(|n| format!("host-{n} = {{ A = \"198.51.100.{}\" }}\n", n % 256));
    let text = ZONE.to_owned() + &others.collect::<String>();
    let loaded = load_zone(Path::new(PATH), &Text(text), &Allowed::default());
    let zone = loaded.zone.unwrap_or_else(|| panic!("{:?}", loaded.diagnostics));
    Responder::new(
        Arc::new(Snapshot::new(
            1,
            vec![Arc::new(Zone::compile(zone, &mut RouteTables::default()))],
        )),
        1,
    )
}

const PATH: &str = "zones/example.com.toml";

/// A zone directory of one file.
struct Text(String);

impl Files for Text {
    fn root(&self) -> &Path {
        Path::new("zones")
    }

    fn read(&self, path: &Path) -> Result<Arc<Source>, String> {
        Ok(Arc::new(Source::new(path, self.0.clone(), 1)))
    }
}
