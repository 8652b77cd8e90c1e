//! No query allocates: a counting allocator watches every kind of answer.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use waypost::answer::{
    Client, Cookies, Dropped, Outcome, Over, Policy, RateLimit, Rates, Responder, Text,
};
use waypost::clock::Moment;
use waypost::config::{Allowed, Files, Source, load_zone};
use waypost::snapshot::{Access, Snapshot, Zone};
use waypost::steering::RouteTables;
use waypost::wire::edns::code;
use waypost::wire::kind::Type;
use waypost::wire::message::write_query;
use waypost::wire::name::Name;

/// A zone with one of everything that an answer can be made of.
const ZONE: &str = include_str!("../fuzz/bodies/zone.toml");

/// The latencies of clients that a service of the zone knows.
const LATENCIES: &str = include_str!("../fuzz/bodies/placed.csv");

struct Given(String);

impl Files for Given {
    fn root(&self) -> &Path {
        Path::new("zones")
    }

    fn read(&self, path: &Path) -> Result<Arc<Source>, String> {
        let is_table = path.extension().is_some_and(|extension| extension == "csv");
        let text = if is_table { LATENCIES } else { &self.0 }.to_owned();
        Ok(Arc::new(Source::new(path, text, 0)))
    }
}

fn responder(policy: Policy) -> Responder {
    let loaded = load_zone(
        Path::new("zones/example.com.toml"),
        &Given(ZONE.to_owned()),
        &Allowed::default(),
    );
    let zone = Arc::new(Zone::compile(
        loaded.zone.expect("a zone without errors"),
        &mut RouteTables::default(),
    ));
    let mut responder = Responder::new(Arc::new(Snapshot::new(1, vec![zone])), 1);
    responder.set_policy(Arc::new(policy));
    responder.tick(Moment::at(Duration::from_secs(5)), 1_700_000_000);
    responder
}

/// Makes a responder whose zone is so large that it looks ahead in it.
fn large() -> Responder {
    let host = |at| format!("host-{at} = {{ A = \"192.0.2.1\" }}\n");
    let hosts: String = (0..20_000).map(host).collect();
    let text = ZONE.replace("[records]\n", &format!("[records]\n{hosts}"));
    let loaded = load_zone(Path::new("zones/example.com.toml"), &Given(text), &Allowed::default());
    let zone = Arc::new(Zone::compile(
        loaded.zone.expect("a zone without errors"),
        &mut RouteTables::default(),
    ));
    let snapshot = Arc::new(Snapshot::new(1, vec![zone]));
    assert!(snapshot.has_large_zones());
    Responder::new(snapshot, 1)
}

fn policy(per_source: u32) -> Policy {
    let limit = RateLimit { per_source, per_network: 0, slip: 2, exempt: Access::only(&[]) };
    Policy {
        max_nocookie_response: Some(400),
        own: vec![([127, 0, 0, 1], 53).into()],
        name: Text::new("ns1"),
        version: Text::new("waypost"),
        cookies: Some(Cookies::new(&[[1; 16], [2; 16]])),
        rates: Some(Arc::new(Rates::new(limit, [3; 16]))),
        stream_idle: 100,
    }
}

fn query(name: &str, qtype: Type, options: &[(u16, &[u8])]) -> Vec<u8> {
    let mut query = write_query(7, &Name::parse(name, None).expect("a name"), qtype, 1232, None);
    let option = |(code, data): &(u16, &[u8])| {
        [&code.to_be_bytes(), &(data.len() as u16).to_be_bytes(), *data].concat()
    };
    let rdata: Vec<u8> = options.iter().flat_map(option).collect();
    let at = query.len() - 2;
    query[at..].copy_from_slice(&(rdata.len() as u16).to_be_bytes());
    query.extend(rdata);
    query
}

fn client(over: Over) -> Client {
    Client { source: SocketAddr::from(([192, 0, 2, 1], 5353)), over }
}

/// Answers the query a few times, then checks that no more answers allocate; returns the last
/// outcome.
fn outcome_without_allocation(responder: &mut Responder, query: &[u8], over: Over) -> Outcome {
    let mut out = vec![0; 65_535];
    // The first answers of a service fill the memory of its draws.
    for _ in 0..3 {
        responder.respond(query, client(over), &mut out);
    }
    let mut outcome = None;
    let counted = allocation_counter::measure(|| {
        for _ in 0..100 {
            outcome = Some(responder.respond(query, client(over), &mut out));
        }
    });
    let outcome = outcome.expect("a hundred outcomes");
    assert_eq!(counted.count_total, 0, "{outcome:?} {query:x?}");
    outcome
}

#[test]
fn no_kind_of_answer_allocates() {
    let mut responder = responder(policy(10_000_000));
    type Expected = fn(&Outcome) -> bool;
    let answer: Expected = |outcome| matches!(outcome, Outcome::Answer(_));
    let table: [(&str, Type, Expected); 37] = [
        ("www.example.com.", Type::A, answer),
        ("ns1.example.com.", Type::AAAA, answer),
        ("example.com.", Type::MX, answer),
        ("example.com.", Type::NS, answer),
        ("example.com.", Type::SOA, answer),
        ("chain.example.com.", Type::A, answer),
        ("loop.example.com.", Type::A, answer),
        ("out.example.com.", Type::A, answer),
        ("x.old.example.com.", Type::A, answer),
        ("into.example.com.", Type::A, answer),
        ("q.wild.example.com.", Type::MX, answer),
        ("www.example.com.", Type::ANY, answer),
        ("web.example.com.", Type::A, answer),
        ("web.example.com.", Type::AAAA, answer),
        ("web.example.com.", Type::HTTPS, answer),
        ("web.example.com.", Type::TXT, answer),
        ("_http._tcp.web.example.com.", Type::SRV, answer),
        ("all.example.com.", Type::A, answer),
        ("cdn.example.com.", Type::A, answer),
        ("placed.example.com.", Type::A, answer),
        ("placed.example.com.", Type::AAAA, answer),
        ("nested.example.com.", Type::A, answer),
        ("_http._tcp.placed.example.com.", Type::SRV, answer),
        ("stuck.example.com.", Type::A, answer),
        ("shared.example.com.", Type::A, answer),
        ("shared.example.com.", Type::HTTPS, answer),
        ("_http._tcp.shared.example.com.", Type::SRV, answer),
        ("_metrics._tcp.shared.example.com.", Type::SRV, answer),
        ("cdn.example.com.", Type::HTTPS, answer),
        ("cdn.example.com.", Type::TXT, answer),
        ("nope.example.com.", Type::A, |outcome| matches!(outcome, Outcome::NxDomain(_))),
        ("www.example.com.", Type::MX, |outcome| matches!(outcome, Outcome::NoData(_))),
        ("b.c.example.com.", Type::A, |outcome| matches!(outcome, Outcome::NoData(_))),
        ("h.lab.example.com.", Type::A, |outcome| matches!(outcome, Outcome::Referral(_))),
        ("example.net.", Type::A, |outcome| matches!(outcome, Outcome::Refused(_))),
        ("example.com.", Type::AXFR, |outcome| matches!(outcome, Outcome::Refused(_))),
        ("example.com.", Type::OPT, |outcome| matches!(outcome, Outcome::FormErr(_))),
    ];
    for (name, qtype, is_expected) in table {
        for over in [Over::Udp, Over::Tcp, Over::Tls] {
            for option in [None, Some((code::CLIENT_SUBNET, &b"\0\x01\x18\0\x0a\x01\x02"[..]))] {
                let query = query(name, qtype, option.as_slice());
                let outcome = outcome_without_allocation(&mut responder, &query, over);
                assert!(is_expected(&outcome), "{name} {qtype} {outcome:?}");
            }
        }
    }
}

#[test]
fn no_option_and_no_odd_query_allocates() {
    let mut responder = responder(policy(10_000_000));
    let options: &[(u16, &[u8])] = &[
        (code::COOKIE, b"12345678"),
        (code::NSID, b""),
        (code::TCP_KEEPALIVE, b""),
        (code::PADDING, b"\0\0\0"),
    ];
    let mut ask = |query: &[u8], over| outcome_without_allocation(&mut responder, query, over);
    let plain = query("www.example.com.", Type::A, &[]);
    for over in [Over::Udp, Over::Tcp, Over::Tls] {
        let outcome = ask(&query("www.example.com.", Type::A, options), over);
        assert!(matches!(outcome, Outcome::Answer(_)));
    }
    let mut truncated = query("big.example.com.", Type::TXT, &[]);
    let payload_size = truncated.len() - 8;
    truncated[payload_size..payload_size + 2].copy_from_slice(&512u16.to_be_bytes());
    assert!(matches!(ask(&truncated, Over::Udp), Outcome::Truncated(_)));
    let mut version = plain.clone();
    let at = version.len() - 5;
    version[at] = 1;
    assert!(matches!(ask(&version, Over::Udp), Outcome::BadVers(_)));
    let mut opcode = plain.clone();
    opcode[2] = 0x28;
    assert!(matches!(ask(&opcode, Over::Udp), Outcome::NotImp(_)));
    assert!(matches!(ask(&plain[..20], Over::Udp), Outcome::FormErr(_)));
    assert_eq!(ask(&plain[..5], Over::Udp), Outcome::Drop(Dropped::Short));
    let mut chaos = query("version.bind.", Type::TXT, &[]);
    let class = 12 + 14 + 3;
    chaos[class] = 3;
    assert!(matches!(ask(&chaos, Over::Udp), Outcome::Answer(_)));
}

#[test]
fn nothing_held_back_by_the_rate_limit_allocates() {
    let mut responder = responder(policy(1));
    let query = query("www.example.com.", Type::A, &[]);
    let outcome = outcome_without_allocation(&mut responder, &query, Over::Udp);
    assert!(matches!(outcome, Outcome::Slipped(_) | Outcome::Drop(Dropped::RateLimit)));
}

#[test]
fn looking_ahead_allocates_nothing() {
    let mut responder = large();
    let queries = ["web", "host-7", "nope", "_http._tcp.web"]
        .map(|name| query(&format!("{name}.example.com."), Type::A, &[]));
    let queries = queries.each_ref().map(Vec::as_slice);
    responder.fetch(&queries);
    let counted = allocation_counter::measure(|| responder.fetch(&queries));
    assert_eq!(counted.count_total, 0);
}
