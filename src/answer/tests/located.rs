//! Tests of routes by the place of clients, and of the scope of answers.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::*;
use crate::geo::{Code, Coordinates, Place as GeoPlace, Ranges, Sourced};
use crate::wire::edns::code;
use crate::zone::{Clients, PoolLocation};

/// Makes the places of clients: two countries, each in networks of its own.
fn geo() -> Arc<Geo> {
    let place = |country, lat, lon| {
        let (country, coordinates) = (Code::new(country), Coordinates::new(lat, lon));
        Sourced { value: GeoPlace { country, coordinates, ..GeoPlace::default() }, source: 0 }
    };
    let nets = [("198.51.100.0/24", 1), ("203.0.113.0/24", 2), ("2001:db8::/32", 1)];
    let nets = nets.map(|(net, number)| (net.parse().unwrap(), number));
    let unknown = Sourced { value: GeoPlace::default(), source: 0 };
    let table = [unknown, place("DE", 50.1, 8.7), place("US", 39.0, -77.5)];
    let systems = (Ranges::everywhere(0), [Sourced { value: 0, source: 0 }].into());
    Arc::new(Geo::new((Ranges::of_networks(0, nets), table.into()), systems, Box::default()))
}

fn engine(services: Vec<Service>, subnets: &[&str]) -> Engine {
    let subnets = subnets.iter().map(|net| net.parse().unwrap()).collect();
    let zone = crate::zone::Zone::new(name("@"), records(STATIC), services).unwrap();
    let zone = zone.with_clients(Clients { subnets, ..Clients::default() });
    Engine::of(zone, &geo())
}

fn from_country(country: &str) -> RouteFrom {
    RouteFrom { countries: vec![Code::new(country).unwrap()], ..RouteFrom::default() }
}

fn to(pool: u16) -> Target {
    Target::Pool(PoolIndex(pool))
}

fn two_pools() -> Vec<Pool> {
    vec![pool("eu", &[("192.0.2.1", 1)]), pool("us", &[("192.0.2.2", 1)])]
}

/// Makes the data of a client subnet option: family (1 for IPv4, 2 for IPv6), prefix, address.
fn subnet(net: &str) -> Vec<u8> {
    let net: ipnet::IpNet = net.parse().unwrap();
    let (family, octets) = match net.network() {
        IpAddr::V4(address) => (1, address.octets().to_vec()),
        IpAddr::V6(address) => (2, address.octets().to_vec()),
    };
    let len = usize::from(net.prefix_len());
    [&[0, family, net.prefix_len(), 0], &octets[..len.div_ceil(8)]].concat()
}

impl Engine {
    /// Asks for a client subnet; returns the data of the answer, and the option in the response.
    fn ask_for(
        &mut self,
        source: [u8; 4],
        qname: &str,
        net: &str,
    ) -> (Vec<String>, Option<Vec<u8>>) {
        let mut asked = edns::asked(qname, &[(code::CLIENT_SUBNET, &subnet(net))]);
        asked.source = (source, 4000).into();
        let message = asked.answered(&mut self.0);
        assert_eq!(message.rcode, 0, "{net}");
        let data = |record: &crate::wire::message::Record| {
            record.to_string().rsplit(' ').next().unwrap().to_owned()
        };
        let option = message.options.iter().find(|(number, _)| *number == code::CLIENT_SUBNET);
        (message.answer.iter().map(data).collect(), option.map(|(_, data)| data.clone()))
    }
}

const RESOLVER: [u8; 4] = [192, 0, 2, 200];

#[test]
fn a_believed_subnet_decides_and_the_scope_says_for_whom() {
    let routes = vec![
        Route { from: from_country("DE"), to: to(0) },
        Route { from: RouteFrom::default(), to: to(1) },
    ];
    let mut engine = engine(vec![service(two_pools(), routes)], &["192.0.2.0/24"]);
    let echo = |net: &str, scope: u8| {
        let mut option = subnet(net);
        option[3] = scope;
        Some(option)
    };
    let mut check = |net: &str, address: &str, scope| {
        let answered = engine.ask_for(RESOLVER, "web", net);
        assert_eq!(answered, (vec![address.to_owned()], echo(net, scope)), "{net}");
    };
    check("198.51.100.0/24", "192.0.2.1", 24);
    check("198.51.100.77/32", "192.0.2.1", 24);
    // The query gives too few bits: the scope says how many would be enough.
    check("198.51.0.0/16", "192.0.2.2", 18);
    check("203.0.113.0/24", "192.0.2.2", 5);
    check("2001:db8:7::/56", "192.0.2.1", 32);
    check("0.0.0.0/0", "192.0.2.2", 0);
    // If nothing depends on the client, the answer is for everybody.
    assert_eq!(engine.ask_for(RESOLVER, "ns1", "198.51.100.0/24").1, echo("198.51.100.0/24", 0));
    assert_eq!(engine.ask_for(RESOLVER, "alias", "198.51.100.0/24").1, echo("198.51.100.0/24", 0));
    let other = engine.ask_for([198, 51, 100, 7], "web", "203.0.113.0/24");
    assert_eq!(other, (vec!["192.0.2.1".to_owned()], None), "a source that is not believed");
}

#[test]
fn no_data_for_a_client_says_for_whom_too() {
    let routes = vec![Route { from: from_country("DE"), to: to(0) }];
    let mut none = service(two_pools(), routes);
    none.on_all_down = OnAllDown::None;
    let mut engine = engine(vec![none], &["0.0.0.0/0"]);
    engine.down("eu-192-0-2-1");
    let (answer, option) = engine.ask_for(RESOLVER, "web", "198.51.100.0/24");
    assert_eq!((answer.len(), option.unwrap()[3]), (0, 24));
}

#[test]
fn without_belief_the_resolver_itself_is_located() {
    let routes = vec![
        Route { from: from_country("DE"), to: to(0) },
        Route { from: RouteFrom::default(), to: to(1) },
    ];
    let mut engine = engine(vec![service(two_pools(), routes)], &[]);
    let mut from = |ip: [u8; 4]| {
        engine.ask_from(ip.into(), "web", Type::A).answer[0].to_string().ends_with("192.0.2.1")
    };
    assert!(from([198, 51, 100, 9]) && !from([203, 0, 113, 9]) && !from([127, 0, 0, 1]));
}

#[test]
fn the_nearest_usable_pool_answers() {
    let mut pools = two_pools();
    for (pool, (lat, lon)) in pools.iter_mut().zip([(52.4, 4.9), (40.7, -74.0)]) {
        let coordinates = Coordinates::new(lat, lon).unwrap();
        pool.location = Some(PoolLocation { coordinates, bias_km: 0 });
    }
    let nearest = Target::Nearest(vec![PoolIndex(0), PoolIndex(1)]);
    let routes = vec![Route { from: RouteFrom::default(), to: nearest }];
    let mut engine = engine(vec![service(pools, routes)], &["0.0.0.0/0"]);
    let mut ask = |net: &str| engine.ask_for(RESOLVER, "web", net).0.join(" ");
    assert_eq!(ask("198.51.100.0/24"), "192.0.2.1");
    assert_eq!(ask("203.0.113.0/24"), "192.0.2.2");
    engine.down("us-192-0-2-2");
    assert_eq!(engine.ask_for(RESOLVER, "web", "203.0.113.0/24").0, ["192.0.2.1"]);
    let srv = text(&engine.ask_from([198, 51, 100, 1].into(), "_http._tcp.web", Type::SRV));
    assert!(srv.contains("SRV 0 65535 8080 eu-192-0-2-1.web.~"), "{srv}");
}

#[test]
fn all_of_several_pools_answer_together_by_weight() {
    let pools =
        vec![pool("a", &[("192.0.2.1", 3)]), pool("b", &[("192.0.2.2", 1), ("192.0.2.3", 0)])];
    let all = || Target::All(vec![to(0), to(1)]);
    let routes = vec![Route { from: RouteFrom::default(), to: all() }];
    let mut both = service(pools, routes);
    let mut engine = Engine::new(vec![both.clone()]);
    let shares = engine.shares(400);
    assert_eq!(shares.len(), 2, "{shares:?}");
    assert!(shares[0].1.abs_diff(300) <= 2, "{shares:?}");
    let srv = engine.ask("_http._tcp.web", Type::SRV);
    assert!(srv.answer.iter().all(|record| record.to_string().contains(" SRV 0 ")));
    engine.down("a-192-0-2-1");
    assert_eq!(engine.shares(10), [("192.0.2.2".to_owned(), 10)]);
    engine.down("b-192-0-2-2");
    assert_eq!(engine.shares(10), [("192.0.2.3".to_owned(), 10)], "0 when nothing else is up");
    both.answers = Answers::All;
    assert_eq!(Engine::new(vec![both]).ask("web", Type::A).answer.len(), 2);
}

#[test]
fn a_sticky_client_stays_and_only_the_clients_of_a_dead_endpoint_move() {
    let mut sticky =
        service(vec![pool("p", &[("192.0.2.1", 1), ("192.0.2.2", 1), ("192.0.2.3", 1)])], vec![]);
    sticky.sticky = true;
    let mut engine = engine(vec![sticky], &["0.0.0.0/0"]);
    let everyone = |engine: &mut Engine| -> BTreeMap<u8, String> {
        (0..200)
            .map(|client| {
                let net = format!("10.0.{client}.0/24");
                let (answer, option) = engine.ask_for(RESOLVER, "web", &net);
                assert_eq!(option.unwrap()[3], 24);
                assert_eq!(engine.ask_for(RESOLVER, "web", &net).0, answer);
                (client, answer[0].clone())
            })
            .collect()
    };
    let before = everyone(&mut engine);
    engine.down("p-192-0-2-2");
    let after = everyone(&mut engine);
    let moved = before.iter().filter(|(client, address)| &after[*client] != *address);
    let moved: Vec<&String> = moved.map(|(_, address)| address).collect();
    assert!(moved.len() > 40 && moved.iter().all(|address| *address == "192.0.2.2"), "{moved:?}");
}

#[test]
fn shares_of_all_follow_which_pools_a_failover_inside_leads_to() {
    let pools = ["a", "b", "c"].into_iter().zip([1, 9, 1]).zip(1..);
    let pools = pools.map(|((name, weight), at)| pool(name, &[(&format!("192.0.2.{at}"), weight)]));
    let all = Target::All(vec![Target::Failover(vec![to(0), to(1)]), to(2)]);
    let routes = vec![Route { from: RouteFrom::default(), to: all }];
    let mut engine = Engine::new(vec![service(pools.collect(), routes)]);
    assert!(engine.shares(100)[0].1.abs_diff(50) <= 2);
    engine.down("a-192-0-2-1");
    let shares = engine.shares(100);
    assert!(shares[0].1.abs_diff(90) <= 2, "{shares:?}");
}

#[test]
fn endpoints_called_like_their_pools_have_no_more_clients_for_it() {
    let named = |name: &str, endpoints: [&str; 2]| {
        let mut pool = pool(name, &[("192.0.2.1", 1), ("192.0.2.2", 1)]);
        for (at, endpoint) in pool.endpoints.iter_mut().enumerate() {
            endpoint.name = endpoints[at].to_owned();
            endpoint.owner = super::name(&format!("{}.web", endpoints[at]));
        }
        pool
    };
    let pools = vec![named("fra", ["fra", "fra2"]), named("ams", ["ams", "ams2"])];
    let split = Target::Split(vec![(to(0), 1), (to(1), 1)]);
    let mut sticky = service(pools, vec![Route { from: RouteFrom::default(), to: split }]);
    sticky.sticky = true;
    let mut engine = engine(vec![sticky], &["0.0.0.0/0"]);
    let client = |at: u32| format!("10.{}.{}.0/24", at >> 8, at & 255);
    let first = |at| engine.ask_for(RESOLVER, "web", &client(at)).0[0] == "192.0.2.1";
    let count = (0..2000).map(first).filter(|&first| first).count();
    // Six standard deviations of a random choice; two thirds of the clients would be 1,333.
    assert!(count.abs_diff(1000) < 135, "{count}");
}

#[test]
fn a_scope_is_only_told_of_what_went_by_the_subnet() {
    let routes = vec![
        Route { from: from_country("DE"), to: to(0) },
        Route { from: RouteFrom::default(), to: to(1) },
    ];
    let steered = service(two_pools(), routes);
    let believing = "@ SOA ns1 hostmaster 1 14400 3600 1209600 60\n@ NS ns1\nns1 A 192.0.2.53\n\
                     door CNAME www.in";
    let subnets = vec!["0.0.0.0/0".parse().unwrap()];
    let believing = crate::zone::Zone::new(name("@"), records(believing), vec![]).unwrap();
    let believing = believing.with_clients(Clients { subnets, ..Clients::default() });
    let records = records("in SOA ns1 hostmaster 1 14400 3600 1209600 60\nin NS ns1");
    let service = Service { owner: name("www.in"), srv: Default::default(), ..steered };
    let mut service = service;
    for endpoint in service.pools.iter_mut().flat_map(|pool| &mut pool.endpoints) {
        endpoint.owner = name(&format!("{}.www.in", endpoint.name));
    }
    let other = crate::zone::Zone::new(name("in"), records, vec![service]).unwrap();
    let mut tables = RouteTables::new(geo());
    let zones = [believing, other].map(|zone| Arc::new(Zone::compile(zone, &mut tables)));
    let snapshot = Snapshot::new(1, zones.into());
    let mut engine = Engine(Responder::new(Arc::new(snapshot), 1));
    let (answer, option) = engine.ask_for([198, 51, 100, 7], "door", "203.0.113.0/24");
    assert_eq!(answer.last().unwrap(), "192.0.2.1", "the resolver is in Germany");
    assert_eq!(option.unwrap()[3], 0);
}

#[test]
fn an_ipv4_address_in_an_ipv6_subnet_has_a_scope_of_ipv6() {
    let routes = vec![
        Route { from: from_country("DE"), to: to(0) },
        Route { from: RouteFrom::default(), to: to(1) },
    ];
    let mut engine = engine(vec![service(two_pools(), routes)], &["0.0.0.0/0"]);
    let (answer, option) = engine.ask_for(RESOLVER, "web", "::ffff:198.51.100.0/120");
    assert_eq!((&*answer[0], option.unwrap()[3]), ("192.0.2.1", 120));
}
