//! Tests of the HTTPS and TXT answers of services.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;

use hickory_proto::op::Message as TheirMessage;
use hickory_proto::rr::RData;

use super::*;
use crate::zone::Https;

/// Makes the settings that `https = true` stands for.
pub(super) fn plain() -> Box<Https> {
    Box::new(Https { alpn: vec!["h2".to_owned()], port: None })
}

/// Makes a pool of endpoints of both families; `hosts` gives the last octet of their addresses, and
/// their weight.
fn dual(name: &str, hosts: &[(u8, u16)]) -> Pool {
    let mut pool = pool(name, &[]);
    pool.endpoints.extend(hosts.iter().map(|&(host, weight)| Endpoint {
        name: format!("{name}-{host}"),
        owner: self::name(&format!("{name}-{host}.web")),
        place: Place::Addresses {
            v4: Some(Ipv4Addr::new(192, 0, 2, host)),
            v6: Some(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, u16::from(host))),
        },
        port: None,
        weight,
        guard: None,
        wanted: Override::Auto,
    }));
    pool
}

/// Makes a service that answers HTTPS.
fn web(pools: Vec<Pool>, routes: Vec<Route>) -> Service {
    Service { https: Some(plain()), ..service(pools, routes) }
}

/// Returns the last octets of the hints of one HTTPS answer, IPv4 and IPv6.
fn hints(message: &Message) -> [Vec<u8>; 2] {
    let [record] = &message.answer[..] else { panic!("one record: {}", text(message)) };
    let (data, radix) = (record.to_string(), [("ipv4hint=", 10), ("ipv6hint=", 16)]);
    radix.map(|(key, radix)| {
        let value = data.split(' ').find_map(|word| word.strip_prefix(key));
        let addresses = value.map_or(vec![], |value| value.split(',').collect());
        let last = |address: &&str| address.rsplit(['.', ':']).next().unwrap().to_owned();
        addresses.iter().map(|address| u8::from_str_radix(&last(address), radix).unwrap()).collect()
    })
}

#[test]
fn a_service_answers_https_for_itself_with_hints_that_follow_health() {
    let mut engine = Engine::new(vec![web(vec![dual("p", &[(1, 3), (2, 1)])], vec![])]);
    let only = "NOERROR qr aa | web.~ 10 HTTPS 1 . alpn=\"h2\" ipv4hint=192.0.2.2 \
                ipv6hint=2001:db8::2 |  | ";
    engine.down("p-1");
    assert_eq!(text(&engine.ask("web", Type::HTTPS)), only);
    engine.down("p-2");
    let [v4, v6] = hints(&engine.ask("web", Type::HTTPS));
    assert_eq!((v4.len(), v6.len()), (1, 1), "as if everything were up");
    assert!(text(&engine.ask("web", Type::ANY)).contains("HINFO"));
    let negative = text(&engine.ask("_http._tcp.web", Type::HTTPS));
    assert!(negative.starts_with("NOERROR qr aa |  | ~ 60 SOA"), "{negative}");
    let mut without = Engine::new(vec![service(vec![dual("p", &[(1, 1)])], vec![])]);
    let negative = text(&without.ask("web", Type::HTTPS));
    assert!(negative.starts_with("NOERROR qr aa |  | ~ 60 SOA"), "{negative}");
}

#[test]
fn an_independent_codec_reads_parameters_in_ascending_order() {
    let https = Https { alpn: vec!["h3".into(), "h2".into()], port: Some(8443) };
    let service = Service {
        https: Some(Box::new(https)),
        answers: Answers::All,
        ..web(vec![dual("p", &[(1, 1), (2, 1), (3, 1)])], vec![])
    };
    let mut engine = Engine::new(vec![service]);
    let (mut out, query) = (vec![0; 1232], write_query(7, &name("web"), Type::HTTPS, 1232, None));
    let client = Client { source: ([127, 0, 0, 1], 4000).into(), over: Over::Udp };
    let len = engine.0.respond(&query, client, &mut out).len().unwrap();
    let theirs = TheirMessage::from_vec(&out[..len]).unwrap();
    let RData::HTTPS(record) = &theirs.answers[0].data else { panic!("{theirs:?}") };
    assert_eq!((record.svc_priority, record.target_name.to_string()), (1, ".".to_owned()));
    let keys: Vec<u16> = record.svc_params.iter().map(|&(key, _)| key.into()).collect();
    assert_eq!(keys, [1, 3, 4, 6]);
    let shown = theirs.answers[0].data.to_string();
    assert!(shown.starts_with("1 . alpn=h3,h2, port=8443 ipv4hint=192.0.2."), "{shown}");
}

#[test]
fn hints_keep_the_weights_and_disturb_nobody_elses_shares() {
    let weights = [(1, 3), (2, 2), (3, 1)];
    let mut engine = Engine::new(vec![web(vec![dual("p", &weights)], vec![])]);
    let mut counts = BTreeMap::new();
    for _ in 0..600 {
        let [v4, v6] = hints(&engine.ask("web", Type::HTTPS));
        *counts.entry(("ipv4hint", v4[0])).or_insert(0usize) += 1;
        *counts.entry(("ipv6hint", v6[0])).or_insert(0) += 1;
        for rtype in [Type::A, Type::AAAA] {
            let data = engine.ask("web", rtype).answer[0].to_string();
            let host = data.rsplit(['.', ':']).next().unwrap().parse().unwrap();
            let stream = if rtype == Type::A { "A" } else { "AAAA" };
            *counts.entry((stream, host)).or_insert(0) += 1;
        }
    }
    assert_eq!(counts.len(), 12, "{counts:?}");
    for ((stream, host), count) in &counts {
        let exact = 100 * usize::from(weights[usize::from(*host) - 1].1);
        assert!(count.abs_diff(exact) <= 2, "{stream} {counts:?}");
    }
}

#[test]
fn both_hints_are_of_one_pool_wherever_it_has_both_families() {
    let split = |at: [u16; 2]| {
        let to = at.map(|at| (Target::Pool(PoolIndex(at)), 1));
        vec![Route { from: RouteFrom::default(), to: Target::Split(to.into()) }]
    };
    let pools = || vec![dual("a", &[(1, 1), (2, 1)]), dual("b", &[(11, 1), (12, 1)])];
    let mut engine = Engine::new(vec![web(pools(), split([0, 1]))]);
    let mut from_a = 0;
    for _ in 0..400 {
        let [v4, v6] = hints(&engine.ask("web", Type::HTTPS));
        assert_eq!(v4[0] > 10, v6[0] > 10, "{v4:?} {v6:?}");
        from_a += usize::from(v4[0] < 10);
    }
    assert!(from_a.abs_diff(200) <= 2, "{from_a}");
    // A pool without IPv6 has the IPv6 hint that AAAA would be answered with.
    let pools = vec![pool("a", &[("192.0.2.1", 1)]), dual("b", &[(11, 1)])];
    let mut engine = Engine::new(vec![web(pools, vec![])]);
    assert_eq!(hints(&engine.ask("web", Type::HTTPS)), [vec![1], vec![11]]);
}

#[test]
fn eight_addresses_a_family_are_hinted_at_the_most() {
    let hosts: Vec<(u8, u16)> = (1..=20).map(|host| (host, 1)).collect();
    let service = Service { answers: Answers::All, ..web(vec![dual("p", &hosts)], vec![]) };
    let mut engine = Engine::new(vec![service]);
    assert_eq!(hints(&engine.ask("web", Type::HTTPS)).map(|hints| hints.len()), [8, 8]);
    let mut out = vec![0; 512];
    let query = write_query(7, &name("web"), Type::HTTPS, 512, None);
    let client = Client { source: ([127, 0, 0, 1], 4000).into(), over: Over::Udp };
    assert!(matches!(engine.0.respond(&query, client, &mut out), Outcome::Answer(_)));
    let https = Https { alpn: vec!["x".repeat(255); 2], port: None };
    let pools = vec![dual("p", &hosts)];
    let mut engine =
        Engine::new(vec![Service { https: Some(Box::new(https)), ..web(pools, vec![]) }]);
    let outcome = engine.0.respond(&query, client, &mut out);
    assert!(matches!(outcome, Outcome::Truncated(_)), "{outcome:?}");
    let header = &out[..12];
    assert_eq!((header[2] & 2, &header[6..8]), (2, &[0, 0][..]), "nothing, and TC");
}

#[test]
fn with_nothing_up_and_nothing_to_say_there_is_no_data() {
    let service = web(vec![dual("p", &[(1, 1)])], vec![]);
    let txt = vec![Box::from(&b"\x01a"[..])];
    let mut engine = Engine::new(vec![Service { on_all_down: OnAllDown::None, txt, ..service }]);
    engine.down("p-1");
    for rtype in [Type::A, Type::HTTPS] {
        let negative = text(&engine.ask("web", rtype));
        assert!(negative.starts_with("NOERROR qr aa |  | ~ 60 SOA"), "{rtype} {negative}");
    }
    let expected = "NOERROR qr aa | web.~ 10 TXT \"a\" |  | ";
    assert_eq!(text(&engine.ask("web", Type::TXT)), expected, "a text has no health");
}

#[test]
fn where_a_target_is_drawn_nothing_stands_beside_its_cname() {
    let pools = vec![dual("a", &[(1, 1)]), pool("t", &[("mail", 1)])];
    let to = |at| Route { from: RouteFrom::default(), to: Target::Pool(PoolIndex(at)) };
    let inside = Route { from: from_net("10.0.0.0/8"), ..to(1) };
    let txt = vec![Box::from(&b"\x01a"[..]), Box::from(&b"\x01b"[..])];
    let service = Service { txt, ..web(pools, vec![inside, to(0)]) };
    let down = Service { on_all_down: OnAllDown::None, ..service.clone() };
    let mut engine = Engine::new(vec![service]);
    let own = "NOERROR qr aa | web.~ 10 TXT \"a\", web.~ 10 TXT \"b\" |  | ";
    assert_eq!(text(&engine.ask("web", Type::TXT)), own);
    assert_eq!(hints(&engine.ask("web", Type::HTTPS)), [vec![1], vec![1]]);
    for rtype in [Type::TXT, Type::HTTPS] {
        let led = text(&engine.ask_from([10, 1, 2, 3].into(), "web", rtype));
        assert!(led.starts_with("NOERROR qr aa | web.~ 10 CNAME mail.~ | ~ 60 SOA"), "{led}");
    }
    let mut engine = Engine::new(vec![down]);
    engine.down("a-1");
    assert_eq!(text(&engine.ask("web", Type::TXT)), own, "nothing up, so no CNAME either");
}
