//! Every transport gives the same header, sections and EDNS to the same question. One engine
//! answers, and these tests find out whether anything on the way changes its answers.

use std::collections::BTreeMap;
use std::time::Duration;

use hickory_proto::op::Message;

use crate::dns::Response;
use crate::encrypted::{Client, Issued, NOTICE, TRANSPORTS, serve};
use crate::presentation::{name_wire, type_number};
use crate::server::TestServer;

const ZONE: &str = r#"
zone = "example.com"
nameservers = ["ns1"]
client_subnet = true

[records]
"@" = { MX = ["10 mail", "20 mail2"], TXT = ["v=spf1 mx -all"] }
ns1 = { A = "192.0.2.1", AAAA = "2001:db8::1" }
mail = { A = "192.0.2.25", AAAA = "2001:db8::25" }
mail2 = { A = "192.0.2.26" }
alias = { CNAME = "static" }
static = { A = "192.0.2.80" }
"*.wild" = { A = "192.0.2.81" }
lab = { NS = ["ns.lab"] }
"ns.lab" = { A = "192.0.2.99" }
moved = { DNAME = "example.net." }
private = { TYPE65280 = '\# 4 0a000001' }
secure = { HTTPS = "1 . alpn=h2,h3 ipv4hint=192.0.2.80 key65000=abc", CAA = '0 issue "ca.example.net"' }

[services.web]
endpoints = [
  { address = "192.0.2.11", weight = 3 },
  { address = "192.0.2.12", weight = 2 },
  { address = "192.0.2.13", weight = 1 },
]
answers = 1

[services.pair]
port = 8080
srv = "_http._tcp"
endpoints = [
  { name = "one", address = ["192.0.2.31", "2001:db8::31"] },
  { name = "two", address = ["192.0.2.32", "2001:db8::32"] },
]

[services.placed.pools]
inside = { endpoints = ["192.0.2.41"] }
outside = { endpoints = ["192.0.2.42"] }
[[services.placed.routes]]
from = { net = ["10.1.0.0/16", "2001:db8:1::/48"] }
to = "inside"
[[services.placed.routes]]
to = "outside"
"#;

/// Writes the OPT record of a query: version, DO, options.
fn opt(version: u8, flags: u16, options: &[u8]) -> Vec<u8> {
    let mut opt = vec![0, 0, 41, 0x04, 0xd0, 0, version];
    opt.extend(flags.to_be_bytes());
    opt.extend((options.len() as u16).to_be_bytes());
    opt.extend(options);
    opt
}

/// Writes a query without its id, which each transport chooses.
fn query(flags: u16, names: &[(&str, &str, u16)], opt: &[u8]) -> Vec<u8> {
    let mut query = Vec::new();
    for number in [flags, names.len() as u16, 0, 0, u16::from(!opt.is_empty())] {
        query.extend(number.to_be_bytes());
    }
    for (name, rtype, class) in names {
        query.extend(name_wire(name));
        query.extend(type_number(rtype).to_be_bytes());
        query.extend(class.to_be_bytes());
    }
    query.extend(opt);
    query
}

/// Returns a query for every kind of answer and every kind of refusal.
fn questions() -> Vec<(String, Vec<u8>)> {
    let (plain, recursion, edns) = (0, 0x0100, opt(0, 0, &[]));
    let mut table: Vec<(String, Vec<u8>)> = [
        ("static.example.com.", "A"),
        ("static.example.com.", "AAAA"),
        ("missing.example.com.", "A"),
        ("alias.example.com.", "A"),
        ("a.moved.example.com.", "A"),
        ("any.wild.example.com.", "A"),
        ("host.lab.example.com.", "A"),
        ("pair.example.com.", "A"),
        ("pair.example.com.", "AAAA"),
        ("_http._tcp.pair.example.com.", "SRV"),
        ("example.com.", "MX"),
        ("example.com.", "SOA"),
        ("example.com.", "NS"),
        ("private.example.com.", "TYPE65280"),
        ("secure.example.com.", "HTTPS"),
        ("secure.example.com.", "CAA"),
        ("static.example.com.", "ANY"),
        ("example.com.", "AXFR"),
        ("example.com.", "IXFR"),
        ("example.com.", "TSIG"),
        ("example.org.", "A"),
        ("StAtIc.eXaMpLe.CoM.", "A"),
        ("big.example.com.", "TXT"),
    ]
    .iter()
    .map(|&(name, rtype)| (format!("{name} {rtype}"), query(plain, &[(name, rtype, 1)], &edns)))
    .collect();
    let a = [("static.example.com.", "A", 1)];
    let notify = [("example.com.", "SOA", 1)];
    let option = [0xfd, 0xe9, 0, 2, 0, 0xff];
    let placed = |subnet: &[u8]| {
        let option = [&[0, 8, 0, subnet.len() as u8], subnet].concat();
        query(plain, &[("placed.example.com.", "A", 1)], &opt(0, 0, &option))
    };
    table.extend(
        [
            ("no EDNS", query(plain, &a, &[])),
            ("NXDOMAIN without EDNS", query(plain, &[("no.example.com.", "A", 1)], &[])),
            ("RD and CD", query(recursion | 0x10, &a, &edns)),
            ("DO", query(plain, &a, &opt(0, 0x8000, &[]))),
            ("BADVERS", query(plain, &a, &opt(1, 0, &[]))),
            ("an unknown option", query(plain, &a, &opt(0, 0, &option))),
            ("a subnet inside", placed(&[0, 1, 24, 0, 10, 1, 2])),
            ("a subnet outside", placed(&[0, 1, 24, 0, 10, 2, 2])),
            ("an IPv6 subnet", placed(&[0, 2, 48, 0, 0x20, 0x01, 0x0d, 0xb8, 0, 1])),
            ("nobody's subnet", placed(&[0, 1, 0, 0])),
            ("a subnet with bits behind its prefix", placed(&[0, 1, 23, 0, 10, 1, 3])),
            ("NOTIFY", query(4 << 11, &notify, &edns)),
            ("UPDATE", query(5 << 11, &notify, &[])),
            ("STATUS", query(2 << 11, &a, &[])),
            ("opcode 15", query(15 << 11, &a, &[])),
            ("class CH", query(plain, &[("version.bind.", "TXT", 3)], &edns)),
            ("class 77", query(plain, &[("static.example.com.", "A", 77)], &edns)),
            ("no question", query(plain, &[], &[])),
            ("two questions", query(plain, &[a[0], a[0]], &[])),
        ]
        .map(|(what, query)| (what.to_owned(), query)),
    );
    table
}

/// Describes a response, all but its id and the order of its records.
fn seen(reply: &[u8]) -> String {
    let response = Response::decode(reply);
    let message = Message::from_vec(reply).expect("it was read once");
    let question = match message.queries.len() {
        0 => &[],
        _ => response.question_name(),
    };
    let flags = response.flags;
    format!("{flags:04x} {question:02x?} {:?}\n{}", message.edns, response.data)
}

fn ask(client: &mut Client, transport: &str, query: &[u8]) -> Vec<u8> {
    // RFC 9250 §4.2.1: over QUIC the id is 0.
    let id = if transport == "QUIC" { 0 } else { fastrand::u16(..) };
    let reply = client.exchange(&[&id.to_be_bytes(), query].concat());
    let reply = reply.unwrap_or_else(|error| panic!("over {transport}: {error}"));
    assert_eq!(reply.get(..2), Some(&id.to_be_bytes()[..]), "the id over {transport}");
    reply
}

/// Starts a server of [`ZONE`] over every transport, with the directories of its zones and its
/// certificate.
fn start(issued: &Issued) -> (TestServer, tempfile::TempDir, tempfile::TempDir) {
    let (zones, certificate) = (tempfile::tempdir(), tempfile::tempdir());
    let (zones, certificate) = (zones.expect("a directory"), certificate.expect("a directory"));
    // Some 20 KiB: far beyond a datagram, and beyond the reach of compression pointers.
    let texts: Vec<String> = (0..100).map(|n| format!("\"{n} {}\"", "x".repeat(200))).collect();
    let big = format!("{ZONE}\n[records.big]\nTXT = [{}]\n", texts.join(","));
    std::fs::write(zones.path().join("example.com.toml"), big).expect("the directory is ours");
    issued.write(certificate.path());
    (serve(zones.path(), certificate.path(), ""), zones, certificate)
}

#[test]
fn every_transport_says_the_same() {
    let issued = Issued::new();
    let (server, ..) = start(&issued);
    let questions = questions();
    let mut differences = Vec::new();
    let mut said: BTreeMap<&str, String> = BTreeMap::new();
    for transport in TRANSPORTS.into_iter().rev() {
        let mut client = Client::connect(&server, transport, &issued).expect("a connection");
        for (what, query) in &questions {
            let now = seen(&ask(&mut client, transport, query));
            // The only difference: UDP truncates what a datagram cannot hold, and sets TC.
            if transport == "UDP" && what.starts_with("big") {
                assert!(now.starts_with("8600"), "{now}");
                continue;
            }
            let first = said.entry(what).or_insert_with(|| now.clone());
            if *first != now {
                differences.push(format!("{what} over {transport}: {now}\nH3: {first}"));
            }
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    assert!(said["static.example.com. A"].contains("192.0.2.80"), "{said:#?}");
    assert!(said["big.example.com. TXT"].matches("TXT").count() == 100);
    assert!(said["BADVERS"].contains("BADVERS"), "{}", said["BADVERS"]);
}

#[test]
fn https_and_http3_say_by_a_status_what_is_wrong_with_a_request() {
    let issued = Issued::new();
    let (server, ..) = start(&issued);
    let message = "application/dns-message";
    let get = "/dns-query?dns=AAAAAAABAAAAAAAABnN0YXRpYwdleGFtcGxlA2NvbQAAAQAB";
    for transport in ["HTTPS", "H3"] {
        let mut client = Client::connect(&server, transport, &issued).expect("a connection");
        for (status, method, target, media_type) in [
            (200, "GET", get, "text/html"),
            (404, "GET", "/dns-query/", message),
            (404, "POST", "/", message),
            (405, "PUT", "/dns-query", message),
            (405, "HEAD", get, message),
            (415, "POST", "/dns-query", "application/json"),
            (400, "POST", "/dns-query", message),
            (400, "GET", "/dns-query", message),
            (400, "GET", "/dns-query?dns=AAAA", message),
            (400, "GET", "/dns-query?dns=AAA=", message),
        ] {
            let seen = client.status(method, target, media_type);
            assert_eq!(seen, Ok(status), "{method} {target} {media_type} over {transport}");
        }
    }
}

#[test]
fn padding_fills_whole_blocks_where_it_hides_something() {
    let issued = Issued::new();
    let (server, ..) = start(&issued);
    let padding = opt(0, 0, &[0, 12, 0, 0]);
    for transport in TRANSPORTS {
        let mut client = Client::connect(&server, transport, &issued).expect("a connection");
        for (name, rtype) in [("static.example.com.", "A"), ("example.com.", "MX")] {
            let reply = ask(&mut client, transport, &query(0, &[(name, rtype, 1)], &padding));
            let is_padded = reply.len().is_multiple_of(468);
            assert_eq!(
                is_padded,
                !["UDP", "TCP"].contains(&transport),
                "{} over {transport}",
                reply.len()
            );
        }
    }
}

#[test]
fn weights_hold_over_every_transport() {
    let issued = Issued::new();
    let (server, ..) = start(&issued);
    let query = query(0, &[("web.example.com.", "A", 1)], &opt(0, 0, &[]));
    for transport in TRANSPORTS {
        let mut client = Client::connect(&server, transport, &issued).expect("a connection");
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for _ in 0..60 {
            let response = Response::decode(&ask(&mut client, transport, &query));
            *counts.entry(response.ordered.concat()).or_default() += 1;
        }
        let counts: Vec<usize> = counts.into_values().collect();
        let fair =
            counts.iter().zip([30, 20, 10]).all(|(&count, share)| count.abs_diff(share) <= 2);
        assert!(counts.len() == 3 && fair, "{counts:?} over {transport}");
    }
}

#[test]
fn a_renewed_certificate_is_presented_without_a_restart_and_a_broken_one_is_not() {
    let (old, new) = (Issued::new(), Issued::new());
    let (server, _zones, directory) = start(&old);
    let encrypted = &TRANSPORTS[2..];
    let query = query(0, &[("static.example.com.", "A", 1)], &[]);
    let answers = |transport: &str, issued: &Issued| -> Result<(), String> {
        let mut client = Client::connect(&server, transport, issued)?;
        client.exchange(&[&[0, 0], &query[..]].concat()).map(|_| ())
    };

    let pem = directory.path().join("fullchain.pem");
    std::fs::write(&pem, "no certificate").expect("the directory is ours");
    server.wait_for_line("certificate refused", NOTICE);
    encrypted.iter().for_each(|transport| answers(transport, &old).expect("the old one"));

    new.write(directory.path());
    server.wait_for_line("certificate read again", NOTICE);
    for transport in encrypted {
        answers(transport, &new).unwrap_or_else(|error| panic!("over {transport}: {error}"));
        let error = answers(transport, &old).expect_err("who trusts only the old one");
        assert!(error.to_lowercase().contains("certificate"), "over {transport}: {error}");
    }
}

#[test]
fn it_stops_in_time_while_clients_of_every_transport_are_connected() {
    let issued = Issued::new();
    let (mut server, ..) = start(&issued);
    let query = query(0, &[("static.example.com.", "A", 1)], &[]);
    let connect = |&transport: &&'static str| {
        let mut client = Client::connect(&server, transport, &issued).expect("a connection");
        ask(&mut client, transport, &query);
        client
    };
    let connected: Vec<Client> = TRANSPORTS.iter().map(connect).collect();
    server.signal("TERM");
    assert!(server.wait_for_end(Duration::from_secs(5)).success());
    let is_noise = |line: &String| ["quinn", "h3::", "hyper"].iter().any(|of| line.contains(of));
    let noise: Vec<String> = server.lines().into_iter().filter(is_noise).collect();
    assert!(noise.is_empty(), "{noise:#?}");
    drop(connected);
}
