//! The examples of the design: zones that load, and a zone with eight mistakes.

use super::*;
use crate::wire::kind::Type;
use crate::wire::rdata::write_text;
use crate::zone::{
    Answers, CheckKind, Endpoint, OnAllDown, PoolIndex, Service, StatusRange, Target, Zone,
};
use std::time::Duration;

pub(super) const SMALL: &str = include_str!("small.toml");
pub(super) const LARGE: &str = include_str!("large.toml");
pub(super) const EIGHT_MISTAKES: &str = include_str!("eight_mistakes.toml");

/// Returns the zone, which must have loaded without a diagnostic.
fn sound(loaded: Loaded) -> Zone {
    let diagnostics: Vec<String> = loaded.diagnostics.iter().map(shown).collect();
    assert_eq!(diagnostics, [""; 0]);
    loaded.zone.unwrap()
}

/// Returns every static record as a line of a master file.
fn lines(zone: &Zone) -> Vec<String> {
    let mut lines = Vec::new();
    for rrset in zone.rrsets() {
        for rdata in rrset.rdatas {
            let owner = rrset.owner.relative_to(zone.origin());
            let mut line = format!("{owner} {} {} ", rrset.ttl, rrset.rtype);
            write_text(rrset.rtype, rdata, &mut line).unwrap();
            lines.push(line);
        }
    }
    lines
}

fn endpoints(service: &Service) -> Vec<&Endpoint> {
    service.endpoints().map(|(_, endpoint)| endpoint).collect()
}

#[test]
fn the_smallest_zone_of_the_design_loads_with_its_defaults() {
    let zone = sound(load(SMALL));
    assert_eq!(
        lines(&zone),
        [
            "@ 3600 NS ns1.example.com.",
            "@ 3600 NS ns2.example.com.",
            "@ 10 SOA ns1.example.com. hostmaster.example.com. 1000 14400 3600 1209600 300",
            "ns1 3600 A 192.0.2.53",
            "ns2 3600 A 198.51.100.53",
        ]
    );
    let [web] = zone.services() else { panic!("one service") };
    assert_eq!(web.owner.to_string(), "web.example.com.");
    assert_eq!(
        (web.ttl.as_secs(), web.answers, web.on_all_down),
        (10, Answers::All, OnAllDown::All)
    );
    let names: Vec<String> = endpoints(web).iter().map(|e| e.owner.to_string()).collect();
    assert_eq!(names, ["192-0-2-11.web.example.com.", "192-0-2-12.web.example.com."]);
    let check = check_of(endpoints(web)[0]);
    assert_eq!((check.port, check.rise, check.fall), (Some(8080), 2, 3));
    assert_eq!(check.interval, Duration::from_secs(5));
    assert_eq!(check.timeout, Duration::from_millis(2500));
    let CheckKind::Http(http) = &check.kind else { panic!("an http check") };
    assert_eq!((http.method.as_str(), http.path.as_str()), ("GET", "/healthz"));
    assert_eq!(http.expect.status, [StatusRange { first: 200, last: 399 }]);
}

#[test]
fn the_large_zone_of_the_design_loads() {
    let master = "www 300 A 192.0.2.70\n$INCLUDE more.inc\n";
    let loaded = load_beside(&[
        ("zones/example.com.toml", LARGE),
        ("zones/example.com.zone", master),
        ("zones/more.inc", "ns2 A 198.51.100.53\n"),
    ]);
    let read: Vec<_> = loaded.read.iter().map(|source| source.path.to_str().unwrap()).collect();
    assert_eq!(read, ["zones/example.com.toml", "zones/example.com.zone", "zones/more.inc"]);
    let zone = sound(loaded);
    let lines = lines(&zone);
    for line in [
        "@ 10 SOA ns1.example.com. hostmaster.example.com. 1002 14400 3600 1209600 300",
        "@ 3600 MX 10 mail.example.com.",
        "@ 3600 TXT \"v=spf1 mx -all\"",
        "mail 7200 A 192.0.2.25",
        "blog 3600 CNAME web.example.com.",
        "*.dev 3600 A 192.0.2.80",
        "lab 3600 NS ns.lab.example.com.",
        "odd 3600 TYPE65280 \\# 4 0A000001",
        "www 300 A 192.0.2.70",
        "ns2 300 A 198.51.100.53",
    ] {
        assert!(lines.contains(&line.to_owned()), "{line} in {lines:#?}");
    }
    assert_eq!(zone.rrsets().iter().filter(|rrset| rrset.rtype == Type::SOA).count(), 1);
}

#[test]
fn the_services_of_the_large_zone_are_as_written() {
    let files = [("zones/example.com.toml", LARGE), ("zones/example.com.zone", "ns2 A 192.0.2.1")];
    let zone = sound(load_beside(&files));
    let [web, db] = zone.services() else { panic!("two services in file order") };
    let pools: Vec<&str> = web.pools.iter().map(|pool| pool.name.as_str()).collect();
    assert_eq!(pools, ["eu", "us", "cdn"], "in file order");
    assert_eq!(web.srv.names[0].owner.to_string(), "_http._tcp.web.example.com.");
    assert_eq!(web.answers, Answers::Count(1));
    assert_eq!(web.on_all_down, OnAllDown::Pool(PoolIndex(1)));
    let [eu, us, cdn] = [0, 1, 2].map(|at| Target::Pool(PoolIndex(at)));
    let to: Vec<&Target> = web.routes.iter().map(|route| &route.to).collect();
    let failover =
        |members: &[&Target]| Target::Failover(members.iter().copied().cloned().collect());
    assert_eq!(
        to,
        [
            &Target::Split(vec![(eu.clone(), 95), (us.clone(), 5)]),
            &Target::Split(vec![(failover(&[&eu, &us]), 3), (cdn.clone(), 1)]),
            &failover(&[&eu, &us, &cdn]),
        ]
    );
    let facts: Vec<_> =
        endpoints(web).iter().map(|e| (e.name.as_str(), e.weight, e.guard.is_some())).collect();
    let expected = [
        ("fra1", 3, true),
        ("ams1", 1, true),
        ("iad1", 1, true),
        ("iad2", 1, true),
        ("web", 1, false),
    ];
    assert_eq!(facts, expected);
    let facts: Vec<_> =
        endpoints(db).iter().map(|e| (e.name.as_str(), e.guard.is_some())).collect();
    assert_eq!(facts, [("192-0-2-31", true), ("2001-db8--0", true), ("old", false)]);
    let check = check_of(endpoints(db)[0]);
    assert_eq!(check.timeout, Duration::from_millis(500), "half the interval");
}

#[test]
fn eight_mistakes_give_eight_diagnostics_at_their_places() {
    assert_eq!(
        mistakes(EIGHT_MISTAKES),
        [
            "5:15 `192.0.2.353`: expected the address, an IPv4 address; found `192.0.2.353`",
            "6:10 `CNAME`: blog.example.com.: a CNAME cannot stand beside other data",
            "10:11 `2`: expected a period with a unit, such as \"10s\", found the number 2 \
             (write \"2s\" for 2 seconds)",
            "13:9 `\"sit\"`: unknown check `sit` (did you mean \"site\"?)",
            "17:5 `adress`: unknown key `adress` (did you mean \"address\"?)",
            "17:37 `70000`: expected a whole number from 0 to 65535, found the number 70000",
            "22:16 `\"10.0.0.1/8\"`: the network 10.0.0.1/8 has bits set after its prefix \
             (did you mean \"10.0.0.0/8\"?)",
            "23:15 `\"us\"`: unknown pool `us` (known pools: eu)",
        ]
    );
    assert!(load(EIGHT_MISTAKES).zone.is_none());
}
