//! The notes of the engine, all numbers, turned into names.

use std::collections::HashSet;

use super::{
    Address, Client, Endpoint, Hop, Nested, Place, Pool, PoolSeen, Route, Service, Step, System,
    Walk, route,
};
use crate::answer::{Hop as MetHop, Met, Steered};
use crate::geo::{Coordinates, Geo, Location};
use crate::health::{Bit, Showing};
use crate::snapshot::{self, Found, Snapshot, Zone};
use crate::steering::{self, Family, Fate, Followed, Member, Mode, Plan};
use crate::wire::kind::Type;
use crate::wire::name::Name;
use crate::zone::Override;

pub(super) fn hop(snapshot: &Snapshot, geo: &Geo, met: &MetHop) -> Hop {
    let zone_at = match met.met {
        Met::NoZone => None,
        Met::Prohibited(zone) | Met::Absent(zone) | Met::Found(zone, _) => Some(zone),
    };
    let zone = zone_at.and_then(|at| snapshot.zones().get(at));
    let service = zone.and_then(|zone| {
        let steered = met.steered.as_ref()?;
        let service = zone.services().get(steered.service)?;
        let bindings = zone.bindings().iter();
        let written = bindings.filter(|binding| binding.wanted != Override::Auto);
        let written = written.map(|binding| binding.bit).collect();
        Some(Seen { zone, geo, service, steered, plan: zone.plan(service), written }.explained())
    });
    Hop {
        name: met.name.to_string(),
        zone: zone.map(|zone| zone.origin().to_string()),
        found: found(zone.map(|zone| &**zone), met),
        service,
    }
}

/// Returns what is at the name, in words.
fn found(zone: Option<&Zone>, met: &MetHop) -> &'static str {
    let (found, zone) = match (met.met, zone) {
        (Met::Found(_, found), Some(zone)) => (found, zone),
        (Met::Prohibited(_), _) => return "nothing for this client: `clients` does not let it in",
        (Met::Absent(_), _) => return "a zone that cannot be loaded: `waypost check` says why",
        _ => return "in no zone of this directory",
    };
    match found {
        Found::Node(node) if zone.steered(node).is_some() => "a service",
        Found::Node(node) if zone.set(node, Type::CNAME).is_some() => "an alias (CNAME)",
        Found::Node(node) if zone.is_wildcard(node) => "records of a wildcard",
        Found::Node(node) if zone.has_sets(node) => "records",
        Found::Node(_) => "nothing but names below it",
        Found::Cut(_) => "a delegation: others answer for it",
        Found::Dname(_) => "an alias of all names below (DNAME)",
        Found::Nothing => "nothing: no such name",
    }
}

/// A steered service, with all that tells how it was steered.
struct Seen<'a> {
    zone: &'a Zone,
    geo: &'a Geo,
    service: &'a snapshot::Service,
    steered: &'a Steered,
    plan: Plan<'a>,
    /// The bits of the addresses whose state the zone file sets.
    written: HashSet<Bit>,
}

impl Seen<'_> {
    fn explained(&self) -> Service {
        let location = self.geo.locate(self.steered.client);
        let followed = self.plan.followed(&self.steered.routed);
        let (own, nested) = followed.split_first().unzip();
        let nested = nested.into_iter().flatten().filter_map(|followed| {
            let service = followed.label?.to_owned();
            Some(Nested { service, routes: self.routes(followed, &location) })
        });
        Service {
            service: self.zone.label(self.service).to_owned(),
            client: self.client(&location),
            routes: own.map_or(Vec::new(), |own| self.routes(own, &location)),
            nested: nested.collect(),
            sticky: self.steered.routed.is_sticky(),
            walks: self.walks(),
            pools: self.pools(location.place.and_then(|(place, _)| place.coordinates)),
            ttl: self.zone.ttl_of(self.service, self.steered.named.iter().copied()),
            scope: self.steered.routed.scope,
        }
    }

    fn client(&self, location: &Location<'_>) -> Client {
        let place = location.place.map(|(place, source)| Place {
            continent: place.continent.map(|code| code.to_string()),
            country: place.country.map(|code| code.to_string()),
            subdivisions: place.subdivisions.iter().flatten().map(ToString::to_string).collect(),
            location: place.coordinates.map(Coordinates::degrees),
            source: source.to_owned(),
        });
        Client {
            address: self.steered.client,
            by: if self.steered.is_subnet { "client subnet" } else { "source" },
            place,
            system: location.asn.map(|(asn, source)| System { asn, source: source.to_owned() }),
        }
    }

    fn pool_name(&self, at: u16) -> &str {
        self.zone.pool_names(self.service).nth(usize::from(at)).unwrap_or_default()
    }

    fn routes(&self, followed: &Followed<'_>, location: &Location<'_>) -> Vec<Route> {
        let taken = followed.taken.map(usize::from);
        let names: Vec<&str> = self.zone.pool_names(self.service).collect();
        let routes = followed.routes().enumerate().map(|(at, (from, to))| Route {
            from: route::from(from),
            to: route::to(to, &names),
            taken: taken == Some(at),
            why: match taken {
                Some(taken) if at > taken => String::new(),
                _ => route::why(from, self.steered.client, location, taken == Some(at)),
            },
        });
        routes.collect()
    }

    fn walks(&self) -> Vec<Walk> {
        let mut walks: Vec<Walk> = Vec::new();
        for step in &self.steered.steps {
            match step {
                steering::Step::Walk(mode) => {
                    walks.push(Walk { needs: needs(*mode), steps: Vec::new() });
                }
                steering::Step::Pool(seen) => self.add(&mut walks, self.pool_seen(seen)),
                steering::Step::Split { pools, weight, total } => {
                    let drew = pools.iter().map(|&at| self.pool_name(at).to_owned()).collect();
                    self.add(&mut walks, Step::Split { drew, weight: *weight, of: *total });
                }
                steering::Step::Draw(_) => {}
            }
        }
        walks
    }

    fn add(&self, walks: &mut [Walk], step: Step) {
        if let Some(walk) = walks.last_mut() {
            walk.steps.push(step);
        }
    }

    fn pool_seen(&self, seen: &steering::PoolSeen) -> Step {
        let pool = self.plan.pools().get(usize::from(seen.pool));
        Step::Pool(PoolSeen {
            pool: self.pool_name(seen.pool).to_owned(),
            family: match seen.family {
                Family::V4 => "A",
                Family::V6 => "AAAA",
                Family::Any => "any",
            },
            up: seen.up,
            total: seen.total,
            endpoints_up: seen.endpoints_up,
            endpoints: seen.endpoints,
            min_up: pool.map_or(0.0, |pool| pool.min_up().as_fraction()),
            usable: seen.fate == Fate::Usable,
            why: match seen.fate {
                Fate::Usable => "",
                Fate::OnlyTargets => "its endpoints are names, and the query asks for addresses",
                Fate::NoneOfFamily => "no endpoint has an address of this family",
                Fate::NoneUp => "no endpoint is up",
                Fate::BelowMinUp => "the share that is up is below its min_up",
            },
        })
    }

    fn pools(&self, client: Option<Coordinates>) -> Vec<Pool> {
        let mut order = self.plan.order(&self.steered.routed);
        // An endpoint of `on_all_down` may be in a pool that the route does not reach.
        for (at, pool) in (0..).zip(self.plan.pools()) {
            let is_named = self.steered.named.iter().any(|member| pool.members().contains(member));
            if is_named && !order.contains(&at) {
                order.push(at);
            }
        }
        let pools = order.into_iter().filter_map(|at| {
            let pool = self.plan.pools().get(usize::from(at))?;
            let distance = self.plan.location(at).zip(client).map(|(location, client)| {
                let away = client.distance_km(location.coordinates);
                away.round() as i64 - i64::from(location.bias_km)
            });
            let latency = self.plan.latency(self.steered.client, at);
            Some(Pool {
                name: self.pool_name(at).to_owned(),
                distance_km: distance,
                latency_ms: latency.map(|micros| f64::from(micros) / 1000.0),
                endpoints: pool.members().filter_map(|member| self.endpoint(member)).collect(),
            })
        });
        pools.collect()
    }

    fn endpoint(&self, member: Member) -> Option<Endpoint> {
        let endpoint = self.zone.endpoints(self.service).get(usize::from(member))?;
        let [v4, v6] = endpoint.bits().map(|bit| self.state(bit));
        let percents = endpoint.bits().map(|bit| self.zone.board().showing(bit).percent);
        let has = [endpoint.v4.is_some(), endpoint.v6.is_some()];
        let percents = percents.into_iter().zip(has).filter(|(_, has)| *has);
        let percent = percents.map(|(percent, _)| percent).max();
        let addresses = [
            endpoint.v4.map(|address| (address.into(), v4, endpoint.bits()[0])),
            endpoint.v6.map(|address| (address.into(), v6, endpoint.bits()[1])),
        ];
        let addresses = addresses.into_iter().flatten().map(|(address, state, bit)| Address {
            address,
            state,
            is_written: self.written.contains(&bit),
        });
        let addresses: Vec<Address> = addresses.collect();
        let target = addresses.is_empty().then(|| self.zone.endpoint_owner(endpoint));
        Some(Endpoint {
            name: self.zone.endpoint_name(endpoint).to_owned(),
            addresses,
            target: target.and_then(Name::from_wire).map(|name| name.to_string()),
            weight: self.plan.weight(member),
            weight_percent: percent.unwrap_or(100),
            share: self.share(member),
            named: self.steered.named.contains(&member),
        })
    }

    /// Returns the share of the draws that a member has; `None` if it was in no draw.
    fn share(&self, member: Member) -> Option<f64> {
        let draws = self.steered.steps.iter().filter_map(|step| match step {
            steering::Step::Draw(among) => Some(among),
            _ => None,
        });
        draws.rev().find_map(|among| {
            let (_, weight) = among.iter().find(|(other, _)| *other == member)?;
            let total: u32 = among.iter().map(|(_, weight)| weight).sum();
            Some(f64::from(*weight) / f64::from(total.max(1)))
        })
    }

    fn state(&self, bit: Bit) -> &'static str {
        match self.zone.board().showing(bit) {
            Showing { is_drained: true, .. } => "drained",
            Showing { may_serve: true, .. } => "up",
            _ => "down",
        }
    }
}

/// Returns the word for what a pool needs to be usable.
fn needs(mode: Mode) -> &'static str {
    match mode {
        Mode::MinUp => "min_up",
        Mode::AnyUp => "any_up",
        Mode::Drained => "any_drained",
        Mode::Open => "nothing",
    }
}
