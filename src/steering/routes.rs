//! Routes made ready: every address to a decision, by one look-up.
//!
//! What a route asks of a client (networks, place, autonomous system, the order of pools by
//! distance) depends on its address alone. So it is all asked at load, once for each place there
//! is, and a query finds the number of a [`Decision`] and how far around the client it holds.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Arc, Weak};

use ipnet::IpNet;

use crate::geo::{Coordinates, Found, Geo, Place, Ranges};
use crate::zone::{Latencies, Latency, Pool, PoolIndex, PoolLocation, RouteFrom, Service, Target};

/// A route, by its place among those of its service; one past the last: none.
type RouteAt = u16;

/// What was decided for some clients.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Decision {
    /// The route; `None`: no route takes them.
    pub(super) route: Option<RouteAt>,
    /// The pools of each `nearest` and `fastest` of the route in order, as [`orders_of`] finds
    /// them.
    pub(super) orders: Vec<Arc<[PoolIndex]>>,
}

/// The decisions of a service's routes.
#[derive(Debug)]
pub(super) struct RouteTable {
    by_address: Ranges<u32>,
    /// What the numbers in `by_address` mean.
    pub(super) decisions: Vec<Decision>,
    /// Whom each route takes, for whoever asks why.
    pub(super) from: Vec<RouteFrom>,
    /// What was measured of clients, if a route asks for it.
    pub(super) latencies: Option<Arc<Latencies>>,
    /// Whether a route asks for more than networks.
    pub(super) asks_geo: bool,
}

impl RouteTable {
    /// The number of the decision for `client`, and how far it holds.
    ///
    /// # Cost
    /// One search.
    pub(super) fn find(&self, client: IpAddr) -> Found<u32> {
        self.by_address.find(client)
    }
}

/// Makes the tables of routes. Services that ask the same of clients share one.
#[derive(Debug, Default)]
pub struct RouteTables {
    geo: Arc<Geo>,
    made: HashMap<Asked, Weak<RouteTable>>,
}

/// All that the decisions of a service depend on but the [`Geo`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Asked {
    from: Vec<RouteFrom>,
    nearest: Vec<Nearest>,
    /// Only if a route asks for them.
    latencies: Option<Arc<Latencies>>,
}

/// Where a pool is, for comparison: degrees north and east as bits, bias in kilometres.
type Spot = ([u32; 2], i32);

/// One `nearest`, or `fastest`, of a route.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Nearest {
    route: RouteAt,
    /// Whether latencies come before distances.
    is_fastest: bool,
    pools: Vec<(PoolIndex, Option<Spot>)>,
}

impl RouteTables {
    /// Tables for clients that are where `geo` says.
    pub fn new(geo: Arc<Geo>) -> Self {
        Self { geo, made: HashMap::new() }
    }

    /// Where clients are.
    pub fn geo(&self) -> &Arc<Geo> {
        &self.geo
    }

    /// The table of a service with routes.
    ///
    /// # Cost
    /// The first time: a pass over the ranges of the databases for what asks about places, and for
    /// each distinct place as many distances as `nearest` names pools.
    pub(super) fn table(&mut self, service: &Service) -> Arc<RouteTable> {
        let asked = Asked::by(service);
        if let Some(made) = self.made.get(&asked).and_then(Weak::upgrade) {
            return made;
        }
        let table = Arc::new(decide(&asked, &self.geo));
        self.made.retain(|_, made| made.strong_count() > 0);
        self.made.insert(asked, Arc::downgrade(&table));
        table
    }
}

/// The pools of every `nearest` and `fastest` in `to`, in the order in which a walk comes upon
/// them, and whether it is the latter.
fn orders_of(to: &Target) -> Vec<(&[PoolIndex], bool)> {
    match to {
        Target::Pool(_) => Vec::new(),
        Target::Nearest(pools) => vec![(pools, false)],
        Target::Fastest(pools) => vec![(pools, true)],
        Target::Failover(list) | Target::All(list) => list.iter().flat_map(orders_of).collect(),
        Target::Split(list) => list.iter().flat_map(|(to, _)| orders_of(to)).collect(),
    }
}

impl Asked {
    fn by(service: &Service) -> Self {
        let located = |&at: &PoolIndex| {
            let pool: Option<&Pool> = service.pools.get(usize::from(at.0));
            let location = pool.and_then(|pool| pool.location);
            let bits = |PoolLocation { coordinates, bias_km }| {
                let (lat, lon) = Coordinates::degrees(coordinates);
                ([lat.to_bits(), lon.to_bits()], bias_km)
            };
            (at, location.map(bits))
        };
        let nearest = service.routes.iter().enumerate().flat_map(|(at, route)| {
            orders_of(&route.to).into_iter().map(move |order| (at as RouteAt, order))
        });
        let nearest: Vec<Nearest> = nearest
            .map(|(route, (pools, is_fastest))| Nearest {
                route,
                is_fastest,
                pools: pools.iter().map(located).collect(),
            })
            .collect();
        let asks = nearest.iter().any(|nearest| nearest.is_fastest);
        Self {
            from: service.routes.iter().map(|route| route.from.clone()).collect(),
            nearest,
            latencies: service.latencies.clone().filter(|_| asks),
        }
    }
}

impl Nearest {
    /// Whether it matters where the client is.
    fn asks_place(&self) -> bool {
        self.pools.iter().any(|(_, location)| location.is_some())
    }

    /// The pools, the nearest first, then those that may be anywhere. Pools as far as each other
    /// stay in the order written, as all do where the client may be anywhere.
    fn order(&self, client: Option<Coordinates>) -> Arc<[PoolIndex]> {
        let distance = |(pool, location): &(PoolIndex, Option<Spot>)| {
            let Some(client) = client else { return (*pool, 0.0) };
            let distance = location.and_then(|([lat, lon], bias_km)| {
                let [lat, lon] = [lat, lon].map(|bits| f64::from(f32::from_bits(bits)));
                let pool = Coordinates::new(lat, lon)?;
                Some(client.distance_km(pool) - f64::from(bias_km))
            });
            (*pool, distance.unwrap_or(f64::INFINITY))
        };
        let mut pools: Vec<(PoolIndex, f64)> = self.pools.iter().map(distance).collect();
        pools.sort_by(|(_, a), (_, b)| a.total_cmp(b));
        pools.into_iter().map(|(pool, _)| pool).collect()
    }

    /// The pools of `by_distance`, those that something was measured of first.
    fn refine(&self, by_distance: &Arc<[PoolIndex]>, measured: &Measured) -> Arc<[PoolIndex]> {
        let micros = |pool: PoolIndex| {
            let found = measured.iter().find(|(known, _)| *known == pool);
            found.map(|&(_, micros)| micros)
        };
        if !self.is_fastest || !self.pools.iter().any(|(pool, _)| micros(*pool).is_some()) {
            return Arc::clone(by_distance);
        }
        let measured = self.pools.iter().filter_map(|&(pool, _)| Some((micros(pool)?, pool)));
        let mut pools: Vec<(u32, PoolIndex)> = measured.collect();
        pools.sort_by_key(|&(micros, _)| micros);
        let others = by_distance.iter().copied().filter(|&pool| micros(pool).is_none());
        pools.into_iter().map(|(_, pool)| pool).chain(others).collect()
    }
}

/// Numbers for values, the same for the same.
#[derive(Debug)]
struct Numbers<T> {
    by_value: HashMap<T, u32>,
    values: Vec<T>,
}

impl<T: Clone + Eq + Hash> Numbers<T> {
    fn new() -> Self {
        Self { by_value: HashMap::new(), values: Vec::new() }
    }

    fn of(&mut self, value: T) -> u32 {
        *self.by_value.entry(value).or_insert_with_key(|value| {
            self.values.push(value.clone());
            self.values.len() as u32 - 1
        })
    }
}

/// The routes that take a client by one of their keys, of those that have that key; in order.
type Takers = Vec<RouteAt>;

/// What was measured of the pools that clients reach, by pool; in microseconds.
type Measured = Vec<(PoolIndex, u32)>;

/// All that the routes ask of a place: who takes it, and the order of each `nearest`.
type Seen = (Takers, Vec<Arc<[PoolIndex]>>);

/// Cuts the address space by what the routes decide.
fn decide(asked: &Asked, geo: &Geo) -> RouteTable {
    // Nothing behind a route that takes everyone is reached.
    let end =
        asked.from.iter().position(RouteFrom::is_everyone).map_or(asked.from.len(), |at| at + 1);
    let from = asked.from.get(..end).unwrap_or(&asked.from);
    let (nets, by_net) = networks(from);
    let (places, by_place) = places(from, &asked.nearest, geo);
    let (systems, by_system) = systems(from, geo);
    let (measured, by_measured) = measurements(asked.latencies.as_deref());
    let mut pairs = Numbers::new();
    let net_and_place = nets.combine(&places, |net, place| pairs.of((net, place)));
    let pairs = pairs.values;
    let mut triples = Numbers::new();
    let and_system = net_and_place.combine(&systems, |pair, system| triples.of((pair, system)));
    let triples = triples.values;
    let mut decisions = Numbers::new();
    let mut known: HashMap<(u32, u32), u32> = HashMap::new();
    let by_address = and_system.combine(&measured, |triple, measured| {
        *known.entry((triple, measured)).or_insert_with(|| {
            let (pair, system) = triples[triple as usize];
            let (net, place) = pairs[pair as usize];
            let (takers, orders) = &by_place[place as usize];
            let route = first(from, [&by_net[net as usize], takers, &by_system[system as usize]]);
            let of_route = |(nearest, _): &(&Nearest, _)| Some(nearest.route) == route;
            let orders = asked.nearest.iter().zip(orders).filter(of_route);
            let measured = &by_measured[measured as usize];
            let orders = orders.map(|(nearest, order)| nearest.refine(order, measured)).collect();
            decisions.of(Decision { route, orders })
        })
    });
    let asks_geo = |route: &RouteFrom| route.asks_place() || !route.asns.is_empty();
    let by_distance = asked.nearest.iter().any(Nearest::asks_place);
    let asks_geo = by_distance || from.iter().any(asks_geo);
    RouteTable {
        by_address,
        decisions: decisions.values,
        from: asked.from.clone(),
        latencies: asked.latencies.clone(),
        asks_geo,
    }
}

/// The first route that takes a client: each of its keys must be among the takers by that key, in
/// the order networks, place, autonomous system.
fn first(from: &[RouteFrom], [nets, places, systems]: [&Takers; 3]) -> Option<RouteAt> {
    let takes = |at: RouteAt| {
        let Some(route) = from.get(usize::from(at)) else { return false };
        let holds = |takers: &Takers| takers.binary_search(&at).is_ok();
        (route.nets.is_empty() || holds(nets))
            && (!route.asks_place() || holds(places))
            && (route.asns.is_empty() || holds(systems))
    };
    let everyone = from.iter().position(RouteFrom::is_everyone).map(|at| at as RouteAt);
    let candidates = nets.iter().chain(places).chain(systems).copied().chain(everyone);
    candidates.filter(|&at| takes(at)).min()
}

/// By address, the routes whose networks hold it.
fn networks(from: &[RouteFrom]) -> (Ranges<u32>, Vec<Takers>) {
    let mut numbers: Numbers<Takers> = Numbers::new();
    let nobody = numbers.of(Takers::new());
    let mut nets: Vec<(IpNet, RouteAt)> = from
        .iter()
        .enumerate()
        .flat_map(|(at, route)| route.nets.iter().map(move |net| (net.trunc(), at as RouteAt)))
        .collect();
    nets.sort_unstable();
    nets.dedup();
    // Sorted, a network comes behind those that hold it: they are the ones still open.
    let mut open: Vec<(IpNet, u32)> = Vec::new();
    let mut cuts: Vec<(IpNet, u32)> = Vec::new();
    for same in nets.chunk_by(|(net, _), (next, _)| net == next) {
        let Some(&(net, _)) = same.first() else { continue };
        while open.last().is_some_and(|(outer, _)| !outer.contains(&net)) {
            open.pop();
        }
        let outer = open.last().map_or(nobody, |&(_, takers)| takers);
        let mut takers = numbers.values[outer as usize].clone();
        takers.extend(same.iter().map(|&(_, route)| route));
        takers.sort_unstable();
        takers.dedup();
        // One that asks for nothing else takes the client before any that come later.
        let only_net = |&at: &RouteAt| {
            let route = &from[usize::from(at)];
            !route.asks_place() && route.asns.is_empty()
        };
        if let Some(last) = takers.iter().position(only_net) {
            takers.truncate(last + 1);
        }
        let number = numbers.of(takers);
        open.push((net, number));
        cuts.push((net, number));
    }
    (Ranges::of_networks(nobody, cuts), numbers.values)
}

/// By address, what the routes see of its place.
fn places(from: &[RouteFrom], nearest: &[Nearest], geo: &Geo) -> (Ranges<u32>, Vec<Seen>) {
    let mut numbers: Numbers<Seen> = Numbers::new();
    let mut see = |place: &Place| {
        let takers = takers(from, |route| route.asks_place() && takes_place(route, place));
        let orders = nearest.iter().map(|nearest| nearest.order(place.coordinates));
        numbers.of((takers, orders.collect()))
    };
    if !nearest.iter().any(Nearest::asks_place) && !from.iter().any(RouteFrom::asks_place) {
        let nowhere = see(&Place::default());
        return (Ranges::everywhere(nowhere), numbers.values);
    }
    let mut known: HashMap<u32, u32> = HashMap::new();
    let seen = |number| *known.entry(number).or_insert_with(|| see(&geo.place(number)));
    (geo.places().map(seen), numbers.values)
}

/// By address, the routes that take its autonomous system.
fn systems(from: &[RouteFrom], geo: &Geo) -> (Ranges<u32>, Vec<Takers>) {
    let mut numbers: Numbers<Takers> = Numbers::new();
    let nobody = numbers.of(Takers::new());
    if from.iter().all(|route| route.asns.is_empty()) {
        return (Ranges::everywhere(nobody), numbers.values);
    }
    let mut known: HashMap<u32, u32> = HashMap::new();
    let seen = |number| {
        *known.entry(number).or_insert_with(|| {
            let asn = geo.asn(number);
            numbers.of(takers(from, |route| asn != 0 && route.asns.contains(&asn)))
        })
    };
    (geo.systems().map(seen), numbers.values)
}

/// By address, what was measured: of each pool by the longest network.
fn measurements(latencies: Option<&Latencies>) -> (Ranges<u32>, Vec<Measured>) {
    let mut numbers: Numbers<Measured> = Numbers::new();
    let nothing = numbers.of(Measured::new());
    let rows = latencies.map_or(&[][..], Latencies::rows);
    // Sorted, a network comes behind those that hold it: they are the ones still open.
    let mut open: Vec<(IpNet, u32)> = Vec::new();
    let mut cuts: Vec<(IpNet, u32)> = Vec::new();
    for same in rows.chunk_by(|row, next| row.net == next.net) {
        let Some(&Latency { net, .. }) = same.first() else { continue };
        while open.last().is_some_and(|(outer, _)| !outer.contains(&net)) {
            open.pop();
        }
        let outer = open.last().map_or(nothing, |&(_, measured)| measured);
        let mut measured = numbers.values[outer as usize].clone();
        measured.retain(|(pool, _)| same.iter().all(|row| row.pool != *pool));
        measured.extend(same.iter().map(|row| (row.pool, row.micros)));
        measured.sort_unstable();
        let number = numbers.of(measured);
        open.push((net, number));
        cuts.push((net, number));
    }
    (Ranges::of_networks(nothing, cuts), numbers.values)
}

fn takers(from: &[RouteFrom], takes: impl Fn(&RouteFrom) -> bool) -> Takers {
    let taking = from.iter().enumerate().filter(|(_, route)| takes(route));
    taking.map(|(at, _)| at as RouteAt).collect()
}

fn takes_place(route: &RouteFrom, place: &Place) -> bool {
    fn fits<T: PartialEq>(list: &[T], known: &[Option<T>]) -> bool {
        list.is_empty() || known.iter().flatten().any(|known| list.contains(known))
    }
    fits(&route.continents, &[place.continent])
        && fits(&route.countries, &[place.country])
        && fits(&route.subdivisions, &place.subdivisions)
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use proptest::prelude::*;

    use super::*;
    use crate::geo::{Code, Sourced, Subdivision};

    fn code(text: &str) -> Code {
        Code::new(text).unwrap()
    }

    /// The places that the tests know, by number.
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

    /// One net of a few in which routes, places and systems are.
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
        let from =
            (
                prop_oneof![1 => Just(Vec::new()), 1 => prop::collection::vec(nets(), 1..4)],
                some(vec![code("EU"), code("NA")]),
                some(vec![code("DE"), code("FR"), code("US")]),
                some(parts.to_vec()),
                some(vec![64_500, 64_501]),
            )
                .prop_map(|(nets, continents, countries, subdivisions, asns)| {
                    RouteFrom { nets, continents, countries, subdivisions, asns }
                });
        prop::collection::vec(from, 0..8)
    }

    fn clients() -> impl Strategy<Value = Vec<IpAddr>> {
        let v4 = (0u32..512).prop_map(|at| Ipv4Addr::from_bits(at).into());
        let v6 = (0u128..512).prop_map(|at| Ipv6Addr::from_bits(at).into());
        prop::collection::vec(prop_oneof![v4, v6], 1..40)
    }

    /// The naive way: each route in turn.
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
            let asked = Asked { from: from.clone(), nearest: vec![], latencies: None };
            let table = decide(&asked, &geo);
            for client in clients {
                let decision = &table.decisions[table.find(client).value as usize];
                prop_assert_eq!(decision.route, naive(&from, &geo, client), "{}", client);
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
            let table = decide(&Asked { from, nearest: everywhere, latencies }, &geo);
            for &client in &clients {
                let Found { value, scope } = table.find(client);
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
            let asked = Asked {
                from: vec![RouteFrom::default()],
                nearest: vec![fastest.clone()],
                latencies: Some(Arc::new(latencies.clone())),
            };
            let table = decide(&asked, &geo);
            for client in clients {
                let micros = |pool: u16| {
                    let of_pool = latencies.rows().iter().filter(|row| row.pool.0 == pool);
                    let holding = of_pool.filter(|row| row.net.contains(&client));
                    holding.max_by_key(|row| row.net.prefix_len()).map(|row| row.micros)
                };
                let place = geo.locate(client).place.and_then(|(place, _)| place.coordinates);
                let mut expected: Vec<u16> = fastest.order(place).iter().map(|at| at.0).collect();
                // Those that are known first, by time and as written; then the others, by distance.
                expected.sort_by_key(|&at| {
                    (micros(at).is_none(), micros(at), micros(at).map(|_| at))
                });
                let decision = &table.decisions[table.find(client).value as usize];
                let order: Vec<u16> = decision.orders[0].iter().map(|at| at.0).collect();
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
}
