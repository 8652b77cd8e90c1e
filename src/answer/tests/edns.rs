//! Tests of options, cookies, class CH, rates and access.

use std::net::SocketAddr;
use std::time::Duration;

use super::*;
use crate::snapshot::Access;
use crate::wire::edns::code;
use crate::wire::kind::CLASS_CH;
use crate::zone::Clients;

/// A query, in parts that a test can change.
#[derive(Clone)]
pub(super) struct Asked {
    name: Name,
    qtype: Type,
    class: u16,
    /// The options of the OPT record; `None` for a query without one.
    options: Option<Vec<(u16, Vec<u8>)>>,
    over: Over,
    pub(super) source: SocketAddr,
}

pub(super) fn asked(qname: &str, options: &[(u16, &[u8])]) -> Asked {
    Asked {
        name: name(qname),
        qtype: Type::A,
        class: 1,
        options: Some(options.iter().map(|(code, data)| (*code, data.to_vec())).collect()),
        over: Over::Udp,
        source: ([192, 0, 2, 200], 4000).into(),
    }
}

impl Asked {
    fn wire(&self) -> Vec<u8> {
        let mut wire = write_query(7, &self.name, self.qtype, 1232, None);
        let question_end = 12 + self.name.as_wire().len() + 4;
        wire[question_end - 2..question_end].copy_from_slice(&self.class.to_be_bytes());
        let Some(options) = &self.options else {
            wire.truncate(question_end);
            wire[11] = 0;
            return wire;
        };
        let rdata: Vec<u8> = options.iter().flat_map(|(code, data)| option(*code, data)).collect();
        let at = wire.len() - 2;
        wire[at..].copy_from_slice(&(rdata.len() as u16).to_be_bytes());
        wire.extend(rdata);
        wire
    }

    fn of(&self, responder: &mut Responder) -> (Outcome, Option<Message>) {
        let mut out = vec![0; 65535];
        let client = Client { source: self.source, over: self.over };
        let outcome = responder.respond(&self.wire(), client, &mut out);
        (outcome, outcome.len().map(|len| Message::read(&out[..len]).unwrap()))
    }

    pub(super) fn answered(&self, responder: &mut Responder) -> Message {
        self.of(responder).1.unwrap()
    }
}

fn option(code: u16, data: &[u8]) -> Vec<u8> {
    [&code.to_be_bytes(), &(data.len() as u16).to_be_bytes(), data].concat()
}

fn responder(policy: Policy) -> Responder {
    let mut responder = Engine::new(vec![]).0;
    responder.set_policy(Arc::new(policy));
    responder
}

fn named() -> Policy {
    Policy {
        name: Text::new("ns1-fra"),
        version: Text::new("waypost"),
        cookies: Some(Cookies::new(&[[1; 16]])),
        stream_idle: 100,
        ..Policy::default()
    }
}

const CLIENT_COOKIE: &[u8] = b"\x01\x02\x03\x04\x05\x06\x07\x08";

#[test]
fn a_client_that_sends_a_cookie_gets_one_and_keeps_it() {
    let mut responder = responder(named());
    responder.tick(Moment::default(), 5_000_000);
    let first = asked("mail", &[(code::COOKIE, CLIENT_COOKIE)]).answered(&mut responder);
    let [(code::COOKIE, given)] = &first.options[..] else { panic!("{first:?}") };
    assert_eq!(given[..8], *CLIENT_COOKIE);
    assert_eq!(given.len(), 24);
    let again = asked("mail", &[(code::COOKIE, given)]).answered(&mut responder);
    assert_eq!(again.options, [(code::COOKIE, given.clone())]);
    let foreign = [CLIENT_COOKIE, &[9; 16]].concat();
    let answered = asked("mail", &[(code::COOKIE, &foreign)]).answered(&mut responder);
    assert_eq!(answered.options, [(code::COOKIE, given.clone())], "a wrong one does no harm");
    assert_eq!(answered.answer.len(), 1);
    let (outcome, _) = asked("mail", &[(code::COOKIE, &[1; 7])]).of(&mut responder);
    assert_eq!(outcome, Outcome::FormErr(12));
}

#[test]
fn a_query_without_a_question_fetches_a_cookie_and_nothing_else() {
    let mut responder = responder(named());
    let mut ask = |options: &[(u16, &[u8])], version: u8| {
        let rdata: Vec<u8> = options.iter().flat_map(|(c, d)| option(*c, d)).collect();
        let mut wire = vec![0, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 41, 4, 208, 0, version, 0, 0];
        wire.extend((rdata.len() as u16).to_be_bytes());
        wire.extend(rdata);
        let client = asked("mail", &[]);
        let mut out = [0; 512];
        let client = Client { source: client.source, over: Over::Udp };
        let outcome = responder.respond(&wire, client, &mut out);
        (outcome, Message::read(&out[..outcome.len().unwrap()]).unwrap())
    };
    let (outcome, message) = ask(&[(code::COOKIE, CLIENT_COOKIE)], 0);
    assert!(matches!(outcome, Outcome::NoData(_)));
    assert_eq!((message.question, message.options.len()), (None, 1));
    assert!(matches!(ask(&[(code::COOKIE, CLIENT_COOKIE)], 1).0, Outcome::BadVers(_)));
    assert_eq!(ask(&[(code::NSID, b"")], 0).0, Outcome::FormErr(12));
}

#[test]
fn options_are_answered_where_they_mean_something() {
    let mut responder = responder(named());
    let options =
        [(code::NSID, &b""[..]), (code::TCP_KEEPALIVE, b""), (code::PADDING, b"\0"), (100, b"x")];
    let nsid = (code::NSID, b"ns1-fra".to_vec());
    let idle = (code::TCP_KEEPALIVE, vec![0, 100]);
    for (over, expected, padded) in [
        (Over::Udp, vec![nsid.clone()], false),
        (Over::Tcp, vec![idle.clone(), nsid.clone()], false),
        (Over::Tls, vec![idle, nsid.clone()], true),
        (Over::Https, vec![nsid.clone()], true),
        (Over::Quic, vec![nsid], true),
    ] {
        let asked = Asked { over, ..asked("mail", &options) };
        let (outcome, message) = asked.of(&mut responder);
        let mut found = message.unwrap().options;
        if padded {
            assert_eq!(found.pop().map(|(code, _)| code), Some(code::PADDING));
            assert_eq!(outcome.len(), Some(468));
        }
        assert_eq!(found, expected, "{over:?}");
    }
    assert_eq!(asked("mail", &[]).answered(&mut responder).options, []);
    let plain = Asked { options: None, ..asked("mail", &[]) };
    assert_eq!(plain.answered(&mut responder).edns, None);
}

#[test]
fn a_name_that_does_not_fit_behind_a_long_question_is_left_out() {
    let mut responder = responder(Policy { name: Text::new(&"n".repeat(255)), ..named() });
    let long = format!("{}x.wild", "d234567890.".repeat(20));
    let mut query = Asked { qtype: Type::TXT, ..asked(&long, &[(code::NSID, b"")]) }.wire();
    let size = query.len() - 12;
    query[size..size + 2].copy_from_slice(&512u16.to_be_bytes());
    let client = Client { source: ([192, 0, 2, 200], 4000).into(), over: Over::Udp };
    let mut out = [0; 1232];
    let outcome = responder.respond(&query, client, &mut out);
    let message = Message::read(&out[..outcome.len().unwrap()]).unwrap();
    assert_eq!((message.rcode, message.options), (0, vec![]), "{outcome:?}");
    assert!(message.question.is_some());
}

#[test]
fn what_is_refused_says_why() {
    let mut responder = responder(Policy::default());
    let ede = |number: u16, text: &str| {
        vec![(code::EXTENDED_ERROR, [&number.to_be_bytes(), text.as_bytes()].concat())]
    };
    let elsewhere = Asked { name: Name::parse("example.net.", None).unwrap(), ..asked("@", &[]) };
    assert_eq!(elsewhere.answered(&mut responder).options, ede(20, ""));
    let transfer = Asked { qtype: Type::AXFR, ..asked("@", &[]) };
    assert_eq!(transfer.answered(&mut responder).options, ede(21, ""));
    assert_eq!(asked("mail", &[]).answered(&mut responder).options, []);
    let none = service(vec![pool("eu", &[("192.0.2.1", 1)])], vec![]);
    let mut engine = Engine::new(vec![Service { on_all_down: OnAllDown::None, ..none }]);
    engine.down("eu-192-0-2-1");
    let answered = asked("web", &[]).answered(&mut engine.0);
    assert_eq!(answered.options, ede(0, "no endpoint of this service is up"));
    let v6 = Asked { qtype: Type::AAAA, ..asked("web", &[]) };
    assert_eq!(v6.answered(&mut engine.0).options, [], "there is none that could be");
}

#[test]
fn class_ch_says_what_the_operator_lets_it_say() {
    let chaos = |name: &str| Asked {
        name: Name::parse(name, None).unwrap(),
        qtype: Type::TXT,
        class: CLASS_CH,
        ..asked("@", &[])
    };
    let (mut silent, mut named) = (responder(Policy::default()), responder(named()));
    for (name, expected) in [
        ("VERSION.bind.", "waypost"),
        ("version.server.", "waypost"),
        ("id.server.", "ns1-fra"),
        ("hostname.bind.", "ns1-fra"),
    ] {
        let message = chaos(name).answered(&mut named);
        assert_eq!(message.answer.len(), 1);
        let record = message.answer[0].to_string();
        assert!(record.ends_with(&format!(" 0 CLASS3 TXT \"{expected}\"")), "{record}");
        assert_eq!(chaos(name).answered(&mut silent).rcode, Rcode::Refused as u16);
    }
    assert_eq!(chaos("example.com.").answered(&mut named).rcode, Rcode::Refused as u16);
}

#[test]
fn above_the_rate_a_client_is_sent_to_tcp_unless_it_has_a_cookie() {
    let exempt = Access::only(&["198.51.100.0/24".parse().unwrap()]);
    let limit = RateLimit { per_source: 10, per_network: 0, slip: 1, exempt };
    let rates = Some(Arc::new(Rates::new(limit, [3; 16])));
    let mut responder = responder(Policy { rates, ..named() });
    responder.tick(Moment::at(Duration::from_secs(1)), 5_000_000);
    let plain = asked("mail", &[]);
    for n in 0..30 {
        let (outcome, message) = plain.of(&mut responder);
        if n < 10 {
            assert!(matches!(outcome, Outcome::Answer(_)), "{n} {outcome:?}");
            continue;
        }
        let message = message.unwrap();
        assert!(matches!(outcome, Outcome::Slipped(_)), "{n} {outcome:?}");
        assert_eq!(message.flags(), ["qr", "tc"]);
        assert!(message.answer.is_empty() && message.edns.is_some());
        assert!(outcome.len().unwrap() <= plain.wire().len(), "never more than was asked with");
    }
    let garbage = Asked { options: Some(vec![(code::COOKIE, vec![1])]), ..asked("mail", &[]) };
    assert_eq!(garbage.of(&mut responder).0, Outcome::Drop(Dropped::RateLimit));
    let tcp = Asked { over: Over::Tcp, ..asked("mail", &[]) };
    assert!(matches!(tcp.of(&mut responder).0, Outcome::Answer(_)));
    let given = Asked { over: Over::Tcp, ..asked("mail", &[(code::COOKIE, CLIENT_COOKIE)]) };
    let cookie = given.answered(&mut responder).options[0].1.clone();
    let vouched = asked("mail", &[(code::COOKIE, &cookie)]);
    assert!(matches!(vouched.of(&mut responder).0, Outcome::Answer(_)));
    let stolen = Asked { source: ([192, 0, 2, 201], 4000).into(), ..asked("mail", &[]) };
    (0..10).for_each(|_| drop(stolen.of(&mut responder)));
    let stolen = Asked { source: stolen.source, ..vouched };
    assert!(matches!(stolen.of(&mut responder).0, Outcome::Slipped(_)));
    let exempt = Asked { source: ([198, 51, 100, 1], 4000).into(), ..asked("mail", &[]) };
    for _ in 0..30 {
        assert!(matches!(exempt.of(&mut responder).0, Outcome::Answer(_)));
    }
    responder.tick(Moment::at(Duration::from_secs(2)), 5_000_001);
    assert!(matches!(plain.of(&mut responder).0, Outcome::Answer(_)), "a second later");
}

#[test]
fn what_slips_is_no_larger_than_the_query_but_for_a_cookie() {
    let limit = RateLimit { per_source: 1, per_network: 0, slip: 1, exempt: Access::only(&[]) };
    let rates = Some(Arc::new(Rates::new(limit, [3; 16])));
    let name = Text::new(&"n".repeat(255));
    let mut responder = responder(Policy { name, rates, ..named() });
    responder.tick(Moment::at(Duration::from_secs(1)), 5_000_000);
    let subnet: &[u8] = &[0, 1, 24, 0, 192, 0, 2];
    let nsid = (code::NSID, &[][..]);
    let keepalive = (code::TCP_KEEPALIVE, &[][..]);
    let all = [nsid, (code::CLIENT_SUBNET, subnet), keepalive, (code::COOKIE, CLIENT_COOKIE)];
    assert!(matches!(asked("mail", &all).of(&mut responder).0, Outcome::Answer(_)));
    for (options, cookie) in [(&all[..0], 0), (&all[..1], 0), (&all[..3], 0), (&all, 16)] {
        for qname in ["mail", ".", "no.such.name"] {
            let query = asked(qname, options);
            let (outcome, message) = query.of(&mut responder);
            assert!(matches!(outcome, Outcome::Slipped(_)), "{qname} {outcome:?}");
            assert_eq!(message.unwrap().flags(), ["qr", "tc"]);
            assert!(outcome.len().unwrap() <= query.wire().len() + cookie, "{qname}");
        }
    }
}

#[test]
fn the_name_of_the_server_makes_no_response_longer_than_allowed() {
    let name = Text::new(&"n".repeat(255));
    let policy = Policy { name, max_nocookie_response: Some(128), ..named() };
    let mut responder = responder(policy);
    responder.tick(Moment::default(), 5_000_000);
    let query = asked("mail", &[(code::NSID, &[])]);
    let (outcome, message) = query.of(&mut responder);
    assert!(outcome.len().unwrap() <= 128 && message.unwrap().answer.len() == 1);
    let tcp = Asked { over: Over::Tcp, ..query };
    assert_eq!(tcp.answered(&mut responder).options[0].1.len(), 255);
}

#[test]
fn without_a_cookie_a_response_is_no_longer_than_allowed() {
    let long = ["n".repeat(60).as_str(); 4].join(".")[..230].to_owned();
    let lines = format!(
        "@ SOA ns1 hostmaster 1 14400 3600 1209600 60\n@ NS ns1\nns1 A 192.0.2.53\n\
         big TXT {}\n{long} A 192.0.2.1",
        "x".repeat(200)
    );
    let zone = crate::zone::Zone::new(name("@"), records(&lines), vec![]).unwrap();
    let zone = Arc::new(Zone::compile(zone, &mut RouteTables::default()));
    let policy = Policy { max_nocookie_response: Some(128), ..named() };
    let mut responder = Responder::new(Arc::new(Snapshot::new(1, vec![zone])), 1);
    responder.set_policy(Arc::new(policy));
    responder.tick(Moment::default(), 5_000_000);
    let mut is_whole = |asked: &Asked| {
        let message = asked.answered(&mut responder);
        assert_eq!(message.flags().contains(&"tc"), message.answer.is_empty(), "{message:?}");
        (!message.answer.is_empty(), message)
    };
    assert!(is_whole(&asked("ns1", &[])).0);
    assert!(!is_whole(&asked(&long, &[])).0, "cut, but said, however long the question");
    let plain = Asked { qtype: Type::TXT, ..asked("big", &[]) };
    assert!(!is_whole(&plain).0);
    assert!(is_whole(&Asked { over: Over::Tcp, ..plain.clone() }).0);
    let with = |cookie: &[u8]| Asked {
        options: Some(vec![(code::COOKIE, cookie.to_vec())]),
        ..plain.clone()
    };
    let (first, message) = is_whole(&with(CLIENT_COOKIE));
    assert!(!first && is_whole(&with(&message.options[0].1)).0);
}

#[test]
fn a_zone_that_is_not_for_everyone_is_refused_to_the_others() {
    let zone = |origin: &str, lines: &str| {
        let zone = crate::zone::Zone::new(name(origin), records(lines), vec![]).unwrap();
        zone.with_clients(Clients {
            allow: if origin == "in" { vec!["10.0.0.0/8".parse().unwrap()] } else { vec![] },
            ..Clients::default()
        })
    };
    let zones = [
        zone(
            "@",
            "@ SOA ns1 hostmaster 1 14400 3600 1209600 60\n@ NS ns1\nns1 A 192.0.2.53\n\
                   door CNAME www.in",
        ),
        zone(
            "in",
            "in SOA ns1 hostmaster 1 14400 3600 1209600 60\nin NS ns1\n\
                    www.in A 192.0.2.80",
        ),
    ];
    let zones = zones
        .into_iter()
        .map(|zone| Arc::new(Zone::compile(zone, &mut RouteTables::default())))
        .collect();
    let mut responder = Responder::new(Arc::new(Snapshot::new(1, zones)), 1);
    let from = |ip: [u8; 4], qname: &str| Asked { source: (ip, 4000).into(), ..asked(qname, &[]) };
    let inside = from([10, 1, 2, 3], "www.in").answered(&mut responder);
    assert_eq!((inside.rcode, inside.answer.len()), (0, 1));
    let outside = from([192, 0, 2, 1], "www.in").answered(&mut responder);
    assert_eq!((outside.rcode, outside.flags()), (Rcode::Refused as u16, vec!["qr"]));
    assert_eq!(outside.options, [(code::EXTENDED_ERROR, vec![0, 18])]);
    assert_eq!(from([10, 1, 2, 3], "door").answered(&mut responder).answer.len(), 2);
    let outside = from([192, 0, 2, 1], "door").answered(&mut responder);
    assert_eq!((outside.rcode, outside.answer.len()), (0, 1), "no further than the door");
}
