//! Routes made ready: one look-up leads every address to a decision.
//!
//! All that a route asks of a client (networks, place, autonomous system, the order of pools by
//! distance) depends on its address alone. So all of it is asked at load, once for each distinct
//! place. A query finds the number of a [`Decision`] and the prefix around the client that it holds
//! for.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Arc, Weak};

use ipnet::IpNet;

use crate::geo::{Coordinates, Found, Geo, Place, Ranges};
use crate::zone::{
    Latencies, Latency, NestedIndex, Pool, PoolIndex, PoolLocation, Route, RouteFrom, Service,
    Target,
};

/// The number of a route among those of its service.
type RouteAt = u16;

/// The decision for some clients.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Decision {
    /// The result of the service's own routes.
    pub(super) taken: Taken,
    /// The result of the routes of each nested service; `None` if these clients are not led there.
    pub(super) nested: Vec<Option<Taken>>,
}

/// The result of the routes of one service.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Taken {
    /// The route that takes the clients; `None` if no route does.
    pub(super) route: Option<RouteAt>,
    /// The pools of each `nearest` and `fastest` of the route in order, as [`orders_of`] finds
    /// them.
    pub(super) orders: Vec<Arc<[PoolIndex]>>,
}

/// The decisions of a service's routes.
#[derive(Debug)]
pub(super) struct RouteTable {
    by_address: Ranges<u32>,
    /// The decisions, by the numbers in `by_address`.
    pub(super) decisions: Vec<Decision>,
    /// All that the decisions depend on, for explanations.
    pub(super) asked: Asked,
    /// Whether a route asks for more than networks.
    pub(super) asks_geo: bool,
}

impl RouteTable {
    /// Returns the number of the decision for `client`, and the length of the prefix that it holds
    /// for.
    ///
    /// # Cost
    /// One search.
    pub(super) fn find(&self, client: IpAddr) -> Found<u32> {
        self.by_address.find(client)
    }
}

/// The maker of route tables. Services that ask the same of clients share a table.
#[derive(Debug, Default)]
pub struct RouteTables {
    geo: Arc<Geo>,
    made: HashMap<Asked, Weak<RouteTable>>,
}

/// All that the decisions of a service depend on, apart from the [`Geo`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Asked {
    pub(super) own: Routing,
    /// The routing of each nested service.
    pub(super) nested: Vec<Routing>,
}

/// All that the routes of one service depend on, apart from the [`Geo`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Routing {
    /// The clients that each route takes.
    pub(super) from: Vec<RouteFrom>,
    nearest: Vec<Nearest>,
    /// The measured latencies; `None` if no route asks for them.
    pub(super) latencies: Option<Arc<Latencies>>,
    /// The nested services that each route leads to; at the end, those for clients that no route
    /// takes.
    leads: Vec<Vec<NestedIndex>>,
}

/// The location of a pool in a form that can be compared: degrees north and east as bits, and the
/// bias in kilometres.
type Spot = ([u32; 2], i32);

/// One `nearest` or `fastest` of a route.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Nearest {
    route: RouteAt,
    /// Whether latencies come before distances.
    is_fastest: bool,
    pools: Vec<(PoolIndex, Option<Spot>)>,
}

impl RouteTables {
    /// Creates an empty collection of tables for clients at the places that `geo` knows.
    pub fn new(geo: Arc<Geo>) -> Self {
        Self { geo, made: HashMap::new() }
    }

    /// Returns the places of clients.
    pub fn geo(&self) -> &Arc<Geo> {
        &self.geo
    }

    /// Returns the table of a service with routes.
    ///
    /// # Cost
    /// The first time: if a route asks about places or autonomous systems, a pass over the ranges
    /// of the databases, and for each distinct place one distance per pool that `nearest` names.
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

/// Finds the pools of every `nearest` and `fastest` in `to`, in the order of a walk, and whether
/// each is a `fastest`.
fn orders_of(to: &Target) -> Vec<(&[PoolIndex], bool)> {
    match to {
        Target::Pool(_) | Target::Service(_) => Vec::new(),
        Target::Nearest(pools) => vec![(pools, false)],
        Target::Fastest(pools) => vec![(pools, true)],
        Target::Failover(list) | Target::All(list) => list.iter().flat_map(orders_of).collect(),
        Target::Split(list) => list.iter().flat_map(|(to, _)| orders_of(to)).collect(),
    }
}

/// Adds the nested services that `to` leads to, also through the pools made of them, to `found`.
fn nested_in(to: &Target, pools: &[Pool], found: &mut Vec<NestedIndex>) {
    let mut of_pool = |at: &PoolIndex| {
        let pool = pools.get(usize::from(at.0));
        if let Some(services) = pool.and_then(|pool| pool.services.as_ref()) {
            nested_in(services, pools, found);
        }
    };
    match to {
        Target::Service(nested) => found.push(*nested),
        Target::Pool(at) => of_pool(at),
        Target::Nearest(list) | Target::Fastest(list) => list.iter().for_each(of_pool),
        Target::Failover(list) | Target::All(list) => {
            list.iter().for_each(|to| nested_in(to, pools, found));
        }
        Target::Split(list) => list.iter().for_each(|(to, _)| nested_in(to, pools, found)),
    }
}

impl Asked {
    fn by(service: &Service) -> Self {
        let pools = &service.pools;
        let nested = service.nested.iter();
        Self {
            own: Routing::by(pools, &service.routes, &service.otherwise(), &service.latencies),
            nested: nested
                .map(|one| Routing::by(pools, &one.routes, &one.otherwise, &one.latencies))
                .collect(),
        }
    }

    /// Returns whether `decision`, which says nothing about the nested service `to` yet, leads its
    /// clients there.
    fn leads(&self, decision: &Decision, to: NestedIndex) -> bool {
        let nested = decision.nested.iter().zip(&self.nested);
        let nested = nested.filter_map(|(taken, routing)| Some((taken.as_ref()?, routing)));
        let mut all = std::iter::once((&decision.taken, &self.own)).chain(nested);
        all.any(|(taken, routing)| {
            let otherwise = routing.leads.len().saturating_sub(1);
            let leads = routing.leads.get(taken.route.map_or(otherwise, usize::from));
            leads.is_some_and(|leads| leads.contains(&to))
        })
    }
}

impl Routing {
    fn by(
        pools: &[Pool],
        routes: &[Route],
        otherwise: &Target,
        latencies: &Option<Arc<Latencies>>,
    ) -> Self {
        let located = |&at: &PoolIndex| {
            let location = pools.get(usize::from(at.0)).and_then(|pool| pool.location);
            let bits = |PoolLocation { coordinates, bias_km }| {
                let (lat, lon) = Coordinates::degrees(coordinates);
                ([lat.to_bits(), lon.to_bits()], bias_km)
            };
            (at, location.map(bits))
        };
        let nearest = routes.iter().enumerate().flat_map(|(at, route)| {
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
        let leads = routes.iter().map(|route| &route.to).chain([otherwise]).map(|to| {
            let mut found = Vec::new();
            nested_in(to, pools, &mut found);
            found
        });
        Self {
            from: routes.iter().map(|route| route.from.clone()).collect(),
            nearest,
            latencies: latencies.clone().filter(|_| asks),
            leads: leads.collect(),
        }
    }
}

impl Routing {
    /// Returns whether a route asks for more than networks.
    fn asks_geo(&self) -> bool {
        let asks = |route: &RouteFrom| route.asks_place() || !route.asns.is_empty();
        self.nearest.iter().any(Nearest::asks_place) || self.from.iter().any(asks)
    }
}

impl Nearest {
    /// Returns whether the client's place matters.
    fn asks_place(&self) -> bool {
        self.pools.iter().any(|(_, location)| location.is_some())
    }

    /// Sorts the pools, the nearest first; pools without a location come last. Pools at equal
    /// distances stay in the order written, as all do if the client's place is not known.
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

    /// Moves the measured pools of a `fastest` to the front of `by_distance`, the fastest first.
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

/// Numbers for values; equal values have one number.
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

/// The routes with one kind of key (networks, place or autonomous system) that match a client by
/// it, in order.
type Takers = Vec<RouteAt>;

/// The latencies measured for some clients, by pool; in microseconds.
type Measured = Vec<(PoolIndex, u32)>;

/// All that the routes ask of a place: the routes that take it, and the order of each `nearest`.
type Seen = (Takers, Vec<Arc<[PoolIndex]>>);

/// Cuts the address space by the decisions of the routes, those of nested services included.
fn decide(asked: &Asked, geo: &Geo) -> RouteTable {
    let (mut by_address, own) = cut(&asked.own, geo);
    let alone = |taken| Decision { taken, nested: Vec::new() };
    let mut decisions: Vec<Decision> = own.into_iter().map(alone).collect();
    for (at, routing) in (0..).zip(&asked.nested) {
        let (by_nested, taken) = cut(routing, geo);
        let mut numbers = Numbers::new();
        by_address = by_address.combine(&by_nested, |decision, nested| {
            let mut decision = decisions[decision as usize].clone();
            let leads = asked.leads(&decision, NestedIndex(at));
            decision.nested.push(leads.then(|| taken[nested as usize].clone()));
            numbers.of(decision)
        });
        decisions = numbers.values;
    }
    let mut routings = std::iter::once(&asked.own).chain(&asked.nested);
    let asks_geo = routings.any(Routing::asks_geo);
    RouteTable { by_address, decisions, asked: asked.clone(), asks_geo }
}

/// Cuts the address space by the decisions of the routes of one service.
fn cut(asked: &Routing, geo: &Geo) -> (Ranges<u32>, Vec<Taken>) {
    // A route that takes everyone is the last one reached.
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
    let mut taken = Numbers::new();
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
            taken.of(Taken { route, orders })
        })
    });
    (by_address, taken.values)
}

/// Finds the first route that takes a client. For each kind of key that a route has, the route must
/// be among the takers: networks, place, autonomous system.
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

/// Finds, by address, the routes with a network that contains it.
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
    // In sorted order, a network comes after those that contain it: they are the ones still open.
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
        // A route that asks for nothing else takes the client before any later route.
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

/// Finds, by address, all that the routes ask of its place.
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

/// Finds, by address, the routes that take its autonomous system.
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

/// Finds the latencies by address: for each pool, the one of the longest network.
fn measurements(latencies: Option<&Latencies>) -> (Ranges<u32>, Vec<Measured>) {
    let mut numbers: Numbers<Measured> = Numbers::new();
    let nothing = numbers.of(Measured::new());
    let rows = latencies.map_or(&[][..], Latencies::rows);
    // In sorted order, a network comes after those that contain it: they are the ones still open.
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
mod tests;
