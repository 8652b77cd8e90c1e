//! Tests of endpoints that share an address, a target or a name.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

/// Makes a pool with the endpoints `e0`, `e1` …, each with the machine and the weight given.
fn machines(name: &str, endpoints: &[(u8, u16)]) -> Pool {
    let mut shared = pool(name, &[]);
    shared.endpoints = endpoints
        .iter()
        .enumerate()
        .map(|(at, &(machine, weight))| {
            let mut endpoint =
                pool(name, &[(&format!("192.0.2.{machine}"), weight)]).endpoints.remove(0);
            endpoint.name = format!("{name}{at}");
            endpoint.owner = super::name(&format!("{name}{at}.web"));
            endpoint
        })
        .collect();
    shared
}

fn data(message: &Message) -> Vec<String> {
    message.answer.iter().map(|r| r.to_string().rsplit(' ').next().unwrap().to_owned()).collect()
}

#[test]
fn no_address_stands_twice_and_every_place_is_filled() {
    let mut rng = fastrand::Rng::with_seed(5);
    for round in 0..150 {
        let len = rng.usize(1..=if round % 10 == 0 { 150 } else { 20 });
        let machines_of = |rng: &mut fastrand::Rng, len: usize| -> Vec<(u8, u16)> {
            (0..len).map(|_| (rng.u8(1..=12), rng.u16(0..4))).collect()
        };
        let pools = [machines_of(&mut rng, len), machines_of(&mut rng, 5)];
        let is_together = rng.bool();
        let asked = if is_together { &pools[..] } else { &pools[..1] };
        let endpoints: Vec<(u8, u16)> = asked.concat();
        let any_weight = endpoints.iter().any(|(_, weight)| *weight > 0);
        let drawn = endpoints.iter().filter(|(_, weight)| *weight > 0 || !any_weight);
        let distinct: BTreeSet<u8> = drawn.map(|(machine, _)| *machine).collect();
        let routes = match is_together {
            true => vec![Route {
                from: RouteFrom::default(),
                to: Target::All(vec![Target::Pool(PoolIndex(0)), Target::Pool(PoolIndex(1))]),
            }],
            false => vec![],
        };
        let answers = match rng.u8(0..4) {
            0 => Answers::All,
            _ => Answers::Count(rng.u8(1..=20)),
        };
        let most = match answers {
            Answers::All => 8,
            Answers::Count(count) => usize::from(count),
        };
        let [a, b] = [machines("a", &pools[0]), machines("b", &pools[1])];
        let sticky = rng.u8(0..4) == 0;
        let service = Service { answers, sticky, ..service(vec![a, b], routes) };
        let mut engine = Engine::new(vec![service]);
        for _ in 0..20 {
            let named = data(&engine.ask("web", Type::A));
            let once: BTreeSet<&String> = named.iter().collect();
            assert_eq!(once.len(), named.len(), "{named:?} of {endpoints:?}");
            assert_eq!(named.len(), most.min(distinct.len()), "{named:?} of {endpoints:?}");
        }
    }
}

#[test]
fn an_address_has_the_share_of_all_its_endpoints() {
    let endpoints = [(1, 3), (2, 2), (1, 2), (3, 1), (2, 2)];
    for (count, exact) in [(1, [3000, 2400, 600]), (2, [6000, 4800, 1200])] {
        let answers = Answers::Count(count);
        let shared = Service { answers, ..service(vec![machines("p", &endpoints)], vec![]) };
        let shares = Engine::new(vec![shared]).shares(6000);
        // In answers of two addresses, the first address is in each; the others share the rest.
        for ((_, share), exact) in shares.iter().zip(exact) {
            assert!(share.abs_diff(exact) <= 2, "{shares:?}");
        }
    }
}

#[test]
fn which_endpoint_an_address_stands_for_goes_round_by_weight() {
    let endpoints = [(1, 3), (1, 1), (2, 1), (3, 1)];
    let answers = Answers::Count(2);
    let shared = Service { answers, ..service(vec![machines("p", &endpoints)], vec![]) };
    let mut engine = Engine::new(vec![shared]);
    let query = write_query(7, &name("web"), Type::A, 1232, None);
    let client = Client { source: ([127, 0, 0, 1], 4000).into(), over: Over::Tcp };
    let (mut out, mut named) = (vec![0; 65535], BTreeMap::new());
    for _ in 0..4000 {
        let (_, hops) = engine.0.explain(&query, client, &mut out);
        for member in &hops[0].steered.as_ref().unwrap().named {
            *named.entry(*member).or_insert(0usize) += 1;
        }
    }
    for (member, exact) in [(0, 3000), (1, 1000), (2, 2000), (3, 2000)] {
        assert!(named[&member].abs_diff(exact) <= 2, "{named:?}");
    }
}

#[test]
fn srv_names_a_target_at_one_port_once_with_the_weight_of_all() {
    let mut targets = pool("t", &[("mail", 1), ("ns1", 2), ("mail", 2)]);
    for (at, endpoint) in targets.endpoints.iter_mut().enumerate() {
        endpoint.name = format!("t{at}");
        endpoint.owner = name(&format!("t{at}.web"));
    }
    let mut engine = Engine::new(vec![service(vec![targets], vec![])]);
    let mut answer = data_of_srv(&engine.ask("_http._tcp.web", Type::SRV));
    answer.sort();
    assert_eq!(answer, ["0 43690 8080 ns1.example.com.", "0 65535 8080 mail.example.com."]);
}

fn data_of_srv(message: &Message) -> Vec<String> {
    let text = |record: &crate::wire::message::Record| record.to_string();
    message.answer.iter().map(|r| text(r).splitn(5, ' ').last().unwrap().to_owned()).collect()
}

#[test]
fn what_was_adjusted_leaves_nothing_behind() {
    let endpoints = [("192.0.2.1", 3), ("192.0.2.2", 1)];
    let mut engine = Engine::new(vec![service(vec![pool("p", &endpoints)], vec![])]);
    let sorted = |engine: &mut Engine| {
        let mut answer = data_of_srv(&engine.ask("_http._tcp.web", Type::SRV));
        answer.sort();
        answer.concat()
    };
    let fresh = sorted(&mut engine);
    assert!(fresh.contains("0 65535 8080") && fresh.contains("0 21845 8080"), "{fresh}");
    let zone = Arc::clone(&engine.0.snapshot().zones()[0]);
    let bit = zone.endpoints(&zone.services()[0])[0].bits()[0];
    zone.board().show(bit, Showing { percent: 50, ttl_max: Some(7), ..Showing::UP });
    let half = sorted(&mut engine);
    assert!(half.contains("0 65535 8080") && half.contains("0 43690 8080"), "{half}");
    zone.board().show(bit, Showing::UP);
    assert_eq!(sorted(&mut engine), fresh);
    assert!(!zone.board().is_adjusted());
}
