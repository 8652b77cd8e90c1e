//! Tests of answers from small zones, byte by byte where bytes matter. `tests/it` compares the
//! whole of RFC 1034 with a naive model.

use std::net::Ipv4Addr;
use std::sync::Arc;

use super::*;
use crate::geo::Geo;
use crate::health::Showing;
use crate::snapshot::Snapshot;
use crate::steering::RouteTables;
use crate::wire::message::{Message, write_query};
use crate::wire::name::Name;
use crate::wire::rdata;
use crate::zone::{
    Answers, Endpoint, MinUp, OnAllDown, Override, Place, Pool, PoolIndex, Records, Route,
    RouteFrom, Service, Srv, SrvName, Target, Ttl,
};

fn name(text: &str) -> Name {
    Name::parse(text, Some(&Name::parse("example.com.", None).unwrap())).unwrap()
}

fn ttl(secs: u32) -> Ttl {
    Ttl::from_secs(secs).unwrap()
}

fn records(lines: &str) -> Records {
    let mut records = Records::new();
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let mut words = line.splitn(3, ' ');
        let (owner, rtype) = (words.next().unwrap(), words.next().unwrap());
        let rtype: Type = rtype.parse().unwrap();
        let wire = rdata::parse(rtype, words.next().unwrap(), &name("@")).unwrap();
        let owner = records.owner(&name(owner)).unwrap();
        records.push(owner, rtype, ttl(300), &wire).unwrap();
    }
    records
}

const STATIC: &str = "
    @ SOA ns1 hostmaster 1 14400 3600 1209600 60
    @ NS ns1
    @ MX 10 mail
    ns1 A 192.0.2.53
    mail A 192.0.2.25
    alias CNAME mail
    out CNAME www.example.net.
    loop CNAME pool
    pool CNAME loop
    lab NS ns.lab
    ns.lab A 192.0.2.99
    *.wild TXT here
    a.b.c A 192.0.2.1
    old DNAME new
    x.new A 192.0.2.8
";

fn pool(name: &str, endpoints: &[(&str, u16)]) -> Pool {
    let endpoints = endpoints
        .iter()
        .map(|&(address, weight)| {
            let label = format!("{name}-{}", address.replace('.', "-"));
            Endpoint {
                owner: self::name(&format!("{label}.web")),
                name: label,
                place: match address.parse() {
                    Ok(v4) => Place::Addresses { v4: Some(v4), v6: None },
                    Err(_) => Place::Target(self::name(address)),
                },
                port: Some(8080),
                weight,
                guard: None,
                wanted: Override::Auto,
            }
        })
        .collect();
    Pool {
        name: name.to_owned(),
        min_up: MinUp::default(),
        location: None,
        endpoints,
        services: None,
        nested_from: None,
    }
}

fn srv_at(owner: &str) -> Srv {
    Srv { names: vec![SrvName { owner: name(owner), port: None }], ..Srv::default() }
}

fn service(pools: Vec<Pool>, routes: Vec<Route>) -> Service {
    Service {
        label: "web".into(),
        owner: name("web"),
        ttl: ttl(10),
        srv: srv_at("_http._tcp.web"),
        https: None,
        txt: vec![],
        answers: Answers::Count(1),
        on_all_down: OnAllDown::All,
        sticky: false,
        pools,
        latencies: None,
        routes,
        nested: vec![],
    }
}

fn from_net(net: &str) -> RouteFrom {
    RouteFrom { nets: vec![net.parse().unwrap()], ..RouteFrom::default() }
}

struct Engine(Responder);

impl Engine {
    fn new(services: Vec<Service>) -> Self {
        Self::with(STATIC, services)
    }

    fn with(lines: &str, services: Vec<Service>) -> Self {
        let zone = crate::zone::Zone::new(name("@"), records(lines), services).unwrap();
        Self::of(zone, &Arc::default())
    }

    fn of(zone: crate::zone::Zone, geo: &Arc<Geo>) -> Self {
        let zone = Arc::new(Zone::compile(zone, &mut RouteTables::new(geo.clone())));
        Self(Responder::new(Arc::new(Snapshot::new(1, vec![zone])), 1))
    }

    fn ask(&mut self, qname: &str, qtype: Type) -> Message {
        self.ask_from([127, 0, 0, 1].into(), qname, qtype)
    }

    fn ask_from(&mut self, ip: Ipv4Addr, qname: &str, qtype: Type) -> Message {
        let mut out = vec![0; 65535];
        let query = write_query(7, &name(qname), qtype, 1232, None);
        let client = Client { source: (ip, 4000).into(), over: Over::Tcp };
        let len = self.0.respond(&query, client, &mut out).len().unwrap();
        Message::read(&out[..len]).unwrap()
    }

    fn down(&mut self, endpoint: &str) {
        let zone = &self.0.snapshot().zones()[0];
        let mut endpoints = zone.endpoints(&zone.services()[0]).iter();
        let found = endpoints.find(|e| zone.endpoint_name(e) == endpoint).unwrap();
        found.bits().iter().for_each(|bit| zone.board().show(*bit, Showing::DOWN));
    }

    /// Counts how often `count` answers name each address.
    fn shares(&mut self, count: usize) -> Vec<(String, usize)> {
        let mut shares = std::collections::BTreeMap::new();
        for _ in 0..count {
            for record in self.ask("web", Type::A).answer {
                let data = record.to_string().rsplit(' ').next().unwrap().to_owned();
                *shares.entry(data).or_insert(0) += 1;
            }
        }
        shares.into_iter().collect()
    }
}

/// Prints `RCODE flags | answer | authority | additional`, with records without their class.
fn text(message: &Message) -> String {
    let section = |records: &[crate::wire::message::Record]| {
        let texts: Vec<String> = records
            .iter()
            .map(|r| r.to_string().replace(" IN ", " ").replace("example.com.", "~"))
            .collect();
        texts.join(", ")
    };
    let sections =
        [&message.answer, &message.authority, &message.additional].map(|records| section(records));
    format!("{} {} | {}", message.rcode_text(), message.flags().join(" "), sections.join(" | "))
}

#[test]
fn static_names_are_answered_by_the_book() {
    let mut engine = Engine::new(vec![]);
    let soa = "~ 60 SOA ns1.~ hostmaster.~ 1 14400 3600 1209600 60";
    let mut check = |qname, qtype, expected: String| {
        assert_eq!(text(&engine.ask(qname, qtype)), expected, "{qname} {qtype}");
    };
    check("ns1", Type::A, "NOERROR qr aa | ns1.~ 300 A 192.0.2.53 |  | ".into());
    check("@", Type::MX, "NOERROR qr aa | ~ 300 MX 10 mail.~ |  | mail.~ 300 A 192.0.2.25".into());
    check("nope", Type::A, format!("NXDOMAIN qr aa |  | {soa} | "));
    check("ns1", Type::AAAA, format!("NOERROR qr aa |  | {soa} | "));
    check("b.c", Type::A, format!("NOERROR qr aa |  | {soa} | "));
    let both = "alias.~ 300 CNAME mail.~, mail.~ 300 A 192.0.2.25";
    check("alias", Type::A, format!("NOERROR qr aa | {both} |  | "));
    let out = "out.~ 300 CNAME www.example.net.";
    check("out", Type::A, format!("NOERROR qr aa | {out} |  | "));
    let ring = "loop.~ 300 CNAME pool.~, pool.~ 300 CNAME loop.~";
    check("loop", Type::A, format!("NOERROR qr aa | {ring} |  | "));
    let referral = "lab.~ 300 NS ns.lab.~ | ns.lab.~ 300 A 192.0.2.99";
    check("x.lab", Type::A, format!("NOERROR qr |  | {referral}"));
    check("lab", Type::DS, format!("NOERROR qr aa |  | {soa} | "));
    check("q.wild", Type::TXT, "NOERROR qr aa | q.wild.~ 300 TXT \"here\" |  | ".into());
    let renamed = "old.~ 300 DNAME new.~, x.old.~ 300 CNAME x.new.~, x.new.~ 300 A 192.0.2.8";
    check("x.old", Type::A, format!("NOERROR qr aa | {renamed} |  | "));
    check("ns1", Type::ANY, "NOERROR qr aa | ns1.~ 3600 HINFO \"RFC8482\" \"\" |  | ".into());
    check("example.net.", Type::A, "REFUSED qr |  |  | ".into());
    check("@", Type::AXFR, "REFUSED qr |  |  | ".into());
}

#[test]
fn glue_is_whole_however_many_servers_a_delegation_has() {
    let server = |at| format!("many NS ns{at}.many\nns{at}.many A 192.0.2.{at}\n");
    let servers: String = (0..200).map(server).collect();
    let mut engine = Engine::with(&format!("{STATIC}\n{servers}"), vec![]);
    let referral = engine.ask("x.many", Type::A);
    assert_eq!((referral.authority.len(), referral.additional.len()), (200, 200));
    let addresses: Vec<String> = referral.additional.iter().map(ToString::to_string).collect();
    for at in 0..200 {
        let glue = format!("ns{at}.many.example.com. 300 IN A 192.0.2.{at}");
        assert!(addresses.contains(&glue), "{glue}");
    }
}

#[test]
fn weights_are_kept_exactly_and_the_down_get_nothing() {
    let endpoints = [("192.0.2.1", 3), ("192.0.2.2", 2), ("192.0.2.3", 1)];
    let mut engine = Engine::new(vec![service(vec![pool("p", &endpoints)], vec![])]);
    let shares: Vec<usize> = engine.shares(6000).into_iter().map(|(_, count)| count).collect();
    for (count, exact) in shares.iter().zip([3000, 2000, 1000]) {
        assert!(count.abs_diff(exact) <= 2, "{shares:?}");
    }
    engine.down("p-192-0-2-1");
    let shares = engine.shares(300);
    assert_eq!(shares.len(), 2);
    assert!(shares[0].1.abs_diff(200) <= 2, "{shares:?}");
    engine.down("p-192-0-2-2");
    engine.down("p-192-0-2-3");
    assert_eq!(engine.shares(60).len(), 3, "everything down is answered as if all were up");
}

#[test]
fn routes_failover_and_split_decide_the_pool() {
    let pools = vec![pool("a", &[("192.0.2.1", 1)]), pool("b", &[("192.0.2.2", 1)])];
    let both = || vec![Target::Pool(PoolIndex(0)), Target::Pool(PoolIndex(1))];
    let split = Target::Split(both().into_iter().zip([95, 5]).collect());
    let routes = vec![
        Route { from: from_net("10.0.0.0/8"), to: split },
        Route {
            from: RouteFrom::default(),
            to: Target::Failover(both().into_iter().rev().collect()),
        },
    ];
    let mut engine = Engine::new(vec![service(pools, routes)]);
    let only = |message: Message| message.answer[0].to_string();
    assert!(only(engine.ask("web", Type::A)).ends_with("192.0.2.2"));
    let mut split = [0usize; 2];
    for _ in 0..1000 {
        let answer = only(engine.ask_from([10, 1, 2, 3].into(), "web", Type::A));
        split[usize::from(answer.ends_with("192.0.2.2"))] += 1;
    }
    assert!(split[1].abs_diff(50) <= 2, "{split:?}");
    engine.down("b-192-0-2-2");
    assert!(only(engine.ask("web", Type::A)).ends_with("192.0.2.1"));
    let srv = text(&engine.ask("_http._tcp.web", Type::SRV));
    assert_eq!(
        srv,
        "NOERROR qr aa | _http._tcp.web.~ 10 SRV 0 65535 8080 a-192-0-2-1.web.~ |  | \
         a-192-0-2-1.web.~ 10 A 192.0.2.1"
    );
}

#[test]
fn targets_are_answered_as_cname_and_followed_at_home() {
    let pools = vec![pool("t", &[("mail", 1)])];
    let mut engine = Engine::new(vec![service(pools, vec![])]);
    let expected = "NOERROR qr aa | web.~ 10 CNAME mail.~, mail.~ 300 A 192.0.2.25 |  | ";
    assert_eq!(text(&engine.ask("web", Type::A)), expected);
    let alone = "NOERROR qr aa | web.~ 10 CNAME mail.~ |  | ";
    assert_eq!(text(&engine.ask("web", Type::CNAME)), alone);
}

#[test]
fn a_big_pool_keeps_its_shares_too() {
    let texts: Vec<String> = (0..200).map(|n| format!("198.51.100.{n}")).collect();
    let endpoints: Vec<(&str, u16)> = texts.iter().map(|text| (text.as_str(), 1)).collect();
    let mut engine = Engine::new(vec![service(vec![pool("p", &endpoints)], vec![])]);
    let shares = engine.shares(2000);
    assert_eq!(shares.len(), 200);
    assert!(shares.iter().all(|(_, count)| count.abs_diff(10) <= 3), "{shares:?}");
}

mod ahead;
mod continued;
mod edns;
mod https;
mod located;
mod shared;
