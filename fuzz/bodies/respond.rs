//! The responder: octets in, octets out.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use hickory_proto::op::Message as Independent;
use waypost::answer::{
    Client, Cookies, Dropped, Outcome, Over, Policy, RateLimit, Rates, Responder, Text,
    UDP_PAYLOAD_MAX,
};
use waypost::clock::Moment;
use waypost::config::{Allowed, Files, Source, load_zone};
use waypost::snapshot::{Access, Snapshot, Zone};
use waypost::steering::RouteTables;
use waypost::wire::message::Message;

/// A zone with one of everything that an answer can be made of.
const ZONE: &str = include_str!("zone.toml");

/// The latencies of clients that a service of the zone knows.
const LATENCIES: &str = include_str!("placed.csv");

struct Given;

impl Files for Given {
    fn root(&self) -> &Path {
        Path::new("zones")
    }

    fn read(&self, path: &Path) -> Result<Arc<Source>, String> {
        let is_table = path.extension().is_some_and(|extension| extension == "csv");
        let text = if is_table { LATENCIES } else { ZONE }.to_owned();
        Ok(Arc::new(Source::new(path, text, 0)))
    }
}

static SNAPSHOT: LazyLock<Arc<Snapshot>> = LazyLock::new(|| {
    let loaded = load_zone(Path::new("zones/example.com.toml"), &Given, &Allowed::default());
    let zone = loaded.zone.unwrap_or_else(|| panic!("{:?}", loaded.diagnostics));
    Arc::new(Snapshot::new(1, vec![Arc::new(Zone::compile(zone, &mut RouteTables::default()))]))
});

const OVERS: [Over; 6] = [Over::Udp, Over::Tcp, Over::Tls, Over::Https, Over::Quic, Over::H3];

/// Checks the response to a query. The first octet chooses the transport, the second the client's
/// address and port; the rest is the query.
pub(crate) fn run(data: &[u8]) {
    let [over, from, query @ ..] = data else { return };
    let ip = match from & 1 {
        0 => IpAddr::from([192, 0, 2, from >> 1]),
        _ => IpAddr::from(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, u16::from(*from))),
    };
    let over = OVERS[usize::from(*over) % OVERS.len()];
    check(query, Client { source: SocketAddr::new(ip, u16::from(*from != 255)), over });
}

/// Answers `query`, and checks what holds for any response.
pub(crate) fn check(query: &[u8], client: Client) {
    let limit = RateLimit { per_source: 8, per_network: 0, slip: 2, exempt: Access::only(&[]) };
    let policy = Policy {
        max_nocookie_response: Some(200),
        own: vec![([192, 0, 2, 53], 53).into()],
        name: Text::new("ns1"),
        version: Text::new("waypost"),
        cookies: Some(Cookies::new(&[[1; 16], [2; 16]])),
        // A new table for every query would cost more than all the rest.
        rates: (query.len() % 64 == 63).then(|| Arc::new(Rates::new(limit, [3; 16]))),
        stream_idle: 100,
    };
    let mut responder = Responder::new(Arc::clone(&SNAPSHOT), 1);
    responder.set_policy(Arc::new(policy));
    responder.tick(Moment::at(Duration::from_secs(5)), 1_700_000_000);
    let mut out = vec![0; 65_535];
    let outcome = responder.respond(query, client, &mut out);
    let Some(len) = outcome.len() else { return check_drop(query, client, outcome) };
    let response = &out[..len];
    assert!(query.len() >= 12 && query[2] & 0x80 == 0, "what was answered is a query");
    assert!((12..=65_535).contains(&len));
    assert_eq!(response[..2], query[..2], "the id");
    // QR is set, opcode and RD are copied; RA, Z, AD and CD are clear.
    assert_eq!(response[2] & 0b1111_1001, 0x80 | query[2] & 0b0111_1001);
    assert_eq!(response[3] & 0xf0, 0);
    let truncated = response[2] & 0b10 != 0;
    match client.over {
        Over::Udp => assert!(len <= usize::from(UDP_PAYLOAD_MAX)),
        _ => assert!(!truncated, "a stream has room"),
    }
    let message = Message::read(response).expect("a readable response");
    // A client that hides its address may send family 0, and gets it back (RFC 7871 §7.1.2);
    // hickory-proto does not read that.
    let mut options = message.options.iter();
    let of_no_family = options.any(|(number, data)| *number == 8 && data.starts_with(&[0, 0]));
    match Independent::from_vec(response) {
        Ok(independent) => assert_eq!(independent.answers.len(), message.answer.len()),
        Err(error) => assert!(of_no_family, "others cannot read it: {error:?}"),
    }
    if let Some((name, qtype, class)) = &message.question {
        let mut question = name.as_wire().to_vec();
        question.extend([qtype.0, *class].iter().flat_map(|number| number.to_be_bytes()));
        assert_eq!(response[12..12 + question.len()], query[12..12 + question.len()]);
        if message.edns.is_none() && client.over == Over::Udp {
            assert!(len <= 512);
        }
    }
    let is_answer = matches!(outcome, Outcome::Answer(_));
    assert!(!is_answer || !message.answer.is_empty());
}

/// Checks that a query that is dropped has a reason.
fn check_drop(query: &[u8], client: Client, outcome: Outcome) {
    match outcome {
        Outcome::Drop(Dropped::Short) => assert!(query.len() < 12),
        Outcome::Drop(Dropped::Response) => assert!(query[2] & 0x80 != 0),
        Outcome::Drop(Dropped::SourcePortZero) => assert_eq!(client.source.port(), 0),
        other => panic!("{other:?}"),
    }
}
