//! Tests of the decisions against a naive search.

use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::*;
use crate::geo::{Code, Sourced, Subdivision};

fn code(text: &str) -> Code {
    Code::new(text).unwrap()
}

/// Returns the places that the tests know, by number.
fn known_places() -> Vec<Place> {
    let part = |country: &str, part: &str| Subdivision::new(code(country), part);
    let place = |continent, country: &str, subdivision, (lat, lon)| Place {
        continent: Some(code(continent)),
        country: Some(code(country)),
        subdivisions: [subdivision, None],
        coordinates: Coordinates::new(lat, lon),
    };
    vec![
        Place::default(),
        place("EU", "DE", part("DE", "BE"), (52.5, 13.4)),
        place("EU", "FR", None, (48.9, 2.4)),
        place("NA", "US", part("US", "CA"), (37.4, -122.1)),
        place("NA", "US", part("US", "NY"), (40.7, -74.0)),
    ]
}

const SYSTEMS: [u32; 3] = [0, 64_500, 64_501];

/// Generates one of the few networks in which routes, places and systems are.
fn nets() -> impl Strategy<Value = IpNet> {
    let v4 = (0u32..32, 24u8..=32)
        .prop_map(|(host, len)| IpNet::new_assert(Ipv4Addr::from_bits(host << 3).into(), len));
    let v6 = (0u128..32, 120u8..=128)
        .prop_map(|(host, len)| IpNet::new_assert(Ipv6Addr::from_bits(host << 3).into(), len));
    prop_oneof![v4, v6].prop_map(|net| net.trunc())
}

fn geos() -> impl Strategy<Value = Geo> {
    let places = prop::collection::vec((nets(), 1u32..5), 0..12);
    let systems = prop::collection::vec((nets(), 1u32..3), 0..6);
    (places, systems).prop_map(|(places, systems)| {
        let sourced = |value| Sourced { value, source: 0 };
        let table = known_places().into_iter().map(|value| Sourced { value, source: 0 });
        Geo::new(
            (Ranges::of_networks(0, places), table.collect()),
            (Ranges::of_networks(0, systems), SYSTEMS.map(sourced).into()),
            ["test".to_owned()].into(),
        )
    })
}

fn some<T: Clone + std::fmt::Debug + 'static>(of: Vec<T>) -> impl Strategy<Value = Vec<T>> {
    let most = of.len();
    prop_oneof![2 => Just(Vec::new()), 1 => prop::sample::subsequence(of, 1..=most)]
}

fn froms() -> impl Strategy<Value = Vec<RouteFrom>> {
    let parts = ["DE-BE", "US-CA", "US-NY"].map(|part| part.parse().unwrap());
    let from = (
        prop_oneof![1 => Just(Vec::new()), 1 => prop::collection::vec(nets(), 1..4)],
        some(vec![code("EU"), code("NA")]),
        some(vec![code("DE"), code("FR"), code("US")]),
        some(parts.to_vec()),
        some(vec![64_500, 64_501]),
    )
        .prop_map(|(nets, continents, countries, subdivisions, asns)| RouteFrom {
            nets,
            continents,
            countries,
            subdivisions,
            asns,
        });
    prop::collection::vec(from, 0..8)
}

fn clients() -> impl Strategy<Value = Vec<IpAddr>> {
    let v4 = (0u32..512).prop_map(|at| Ipv4Addr::from_bits(at).into());
    let v6 = (0u128..512).prop_map(|at| Ipv6Addr::from_bits(at).into());
    prop::collection::vec(prop_oneof![v4, v6], 1..40)
}

/// Finds the route that takes `client` by trying each in turn.
fn naive(from: &[RouteFrom], geo: &Geo, client: IpAddr) -> Option<RouteAt> {
    let location = geo.locate(client);
    let place = location.place.map_or(Place::default(), |(place, _)| place);
    let takes = |route: &RouteFrom| {
        let any_part = place.subdivisions.iter().flatten();
        (route.nets.is_empty() || route.nets.iter().any(|net| net.contains(&client)))
            && (route.continents.is_empty()
                || place.continent.is_some_and(|known| route.continents.contains(&known)))
            && (route.countries.is_empty()
                || place.country.is_some_and(|known| route.countries.contains(&known)))
            && (route.subdivisions.is_empty()
                || any_part.clone().any(|known| route.subdivisions.contains(known)))
            && (route.asns.is_empty()
                || location.asn.is_some_and(|(asn, _)| route.asns.contains(&asn)))
    };
    from.iter().position(takes).map(|at| at as RouteAt)
}

/// Makes the question of a service without nested ones.
fn alone(from: Vec<RouteFrom>, nearest: Vec<Nearest>, latencies: Option<Arc<Latencies>>) -> Asked {
    Asked { own: Routing { from, nearest, latencies, leads: vec![] }, nested: vec![] }
}

fn nearest(route: RouteAt, pools: &[(u16, f64, f64, i32)]) -> Nearest {
    let located = |&(pool, lat, lon, bias): &(u16, f64, f64, i32)| {
        let (lat, lon) = Coordinates::new(lat, lon).unwrap().degrees();
        (PoolIndex(pool), Some(([lat.to_bits(), lon.to_bits()], bias)))
    };
    Nearest { route, is_fastest: false, pools: pools.iter().map(located).collect() }
}

proptest! {
    #[test]
    fn the_first_route_that_matches_decides(
        from in froms(), geo in geos(), clients in clients(),
    ) {
        let table = decide(&alone(from.clone(), vec![], None), &geo);
        for client in clients {
            let decision = &table.decisions[table.find(client).value as usize];
            prop_assert_eq!(decision.taken.route, naive(&from, &geo, client), "{}", client);
        }
    }

    #[test]
    fn inside_a_scope_everyone_gets_the_same(
        from in froms(), geo in geos(), clients in clients(), latencies in latencies(),
    ) {
        let pools = [(0, 52.0, 13.0, 0), (1, 40.0, -75.0, 0), (2, 37.0, -122.0, 500)];
        let fastest = |route: RouteAt| Nearest {
            is_fastest: route.is_multiple_of(2),
            ..nearest(route, &pools)
        };
        let everywhere = (0..8).map(fastest).collect();
        let latencies = Some(Arc::new(latencies));
        let table = decide(&alone(from, everywhere, latencies), &geo);
        for &client in &clients {
            let Found { value, scope } = table.find(client);
            let prefix = IpNet::new_assert(client, scope);
            for &other in clients.iter().filter(|other| prefix.contains(*other)) {
                prop_assert_eq!(table.find(other).value, value, "{} and {}", client, other);
            }
        }
    }
}

proptest! {
    #[test]
    fn a_nested_service_decides_for_the_clients_that_are_led_to_it(
        outer in froms(), middle in froms(), inner in froms(),
        geo in geos(), clients in clients(),
    ) {
        // Every second route leads to the next service, and so does the target of clients that no
        // route takes.
        let routing = |from: &Vec<RouteFrom>, to: Option<u16>| {
            let leads = |at: usize| at.is_multiple_of(2) || at == from.len();
            let to = |at| to.filter(|_| leads(at)).map(NestedIndex).into_iter().collect();
            let leads = (0..=from.len()).map(to).collect();
            Routing { from: from.clone(), nearest: vec![], latencies: None, leads }
        };
        let nested = vec![routing(&middle, Some(1)), routing(&inner, None)];
        let table = decide(&Asked { own: routing(&outer, Some(0)), nested }, &geo);
        for &client in &clients {
            let Found { value, scope } = table.find(client);
            let decision = &table.decisions[value as usize];
            let route = naive(&outer, &geo, client);
            prop_assert_eq!(decision.taken.route, route, "{}", client);
            let mut is_led = route.is_none_or(|route| route.is_multiple_of(2));
            for (taken, from) in decision.nested.iter().zip([&middle, &inner]) {
                let route = naive(from, &geo, client);
                prop_assert_eq!(taken.as_ref().map(|t| t.route), is_led.then_some(route));
                is_led &= route.is_none_or(|route| route.is_multiple_of(2));
            }
            let prefix = IpNet::new_assert(client, scope);
            for &other in clients.iter().filter(|other| prefix.contains(*other)) {
                prop_assert_eq!(table.find(other).value, value, "{} and {}", client, other);
            }
        }
    }
}

fn latencies() -> impl Strategy<Value = Latencies> {
    let row = (nets(), 0u16..3, 0u32..4);
    let row = row.prop_map(|(net, pool, millis)| Latency {
        net,
        pool: PoolIndex(pool),
        micros: millis * 1000,
    });
    prop::collection::vec(row, 0..12).prop_map(Latencies::new)
}

proptest! {
    #[test]
    fn the_fastest_comes_first_by_the_longest_network_of_each_pool(
        latencies in latencies(), geo in geos(), clients in clients(),
    ) {
        let pools = [(0, 52.0, 13.0, 0), (1, 40.0, -75.0, 0), (2, 37.0, -122.0, 500)];
        let fastest = Nearest { is_fastest: true, ..nearest(0, &pools) };
        let measured = Some(Arc::new(latencies.clone()));
        let everyone = vec![RouteFrom::default()];
        let table = decide(&alone(everyone, vec![fastest.clone()], measured), &geo);
        for client in clients {
            let micros = |pool: u16| {
                let of_pool = latencies.rows().iter().filter(|row| row.pool.0 == pool);
                let holding = of_pool.filter(|row| row.net.contains(&client));
                holding.max_by_key(|row| row.net.prefix_len()).map(|row| row.micros)
            };
            let place = geo.locate(client).place.and_then(|(place, _)| place.coordinates);
            let mut expected: Vec<u16> = fastest.order(place).iter().map(|at| at.0).collect();
            // The pools with a latency first, by latency and then as written; then the others by
            // distance.
            expected.sort_by_key(|&at| {
                (micros(at).is_none(), micros(at), micros(at).map(|_| at))
            });
            let decision = &table.decisions[table.find(client).value as usize];
            let order: Vec<u16> = decision.taken.orders[0].iter().map(|at| at.0).collect();
            prop_assert_eq!(order, expected, "{}", client);
        }
    }
}

#[test]
fn the_nearest_comes_first_and_a_bias_brings_pools_nearer() {
    let pools = [(0, 50.1, 8.7, 0), (1, 39.0, -77.5, 0), (2, 1.3, 103.8, 0)];
    let order = |pools: &[(u16, f64, f64, i32)], client| {
        nearest(0, pools).order(client).iter().map(|pool| pool.0).collect::<Vec<_>>()
    };
    let at = Coordinates::new;
    assert_eq!(order(&pools, at(48.9, 2.4)), [0, 1, 2], "Paris");
    assert_eq!(order(&pools, at(40.7, -74.0)), [1, 0, 2], "New York");
    assert_eq!(order(&pools, at(35.7, 139.7)), [2, 0, 1], "Tokyo");
    assert_eq!(order(&pools, None), [0, 1, 2], "somewhere");
    let twins = [(3, 50.0, 8.0, 0), (1, 50.0, 8.0, 0), (2, 50.0, 8.0, 0)];
    assert_eq!(order(&twins, at(48.9, 2.4)), [3, 1, 2], "ties stay in the order written");
    let biased = [(0, 50.1, 8.7, 0), (1, 39.0, -77.5, 6000)];
    assert_eq!(order(&biased, at(48.9, 2.4)), [1, 0]);
}
