//! Compiles a service into its plan: each `to` is flattened for each decision of the routes.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::Arc;

use super::draw::{MEMBERS_MAX, Point, PointCounts};
use super::plan::{
    Block, Blocks, Branch, Branches, Member, NestedRoutes, PlanPlace, PlanPool, Plans, Routes,
    Split, To, Traits, Twins,
};
use super::routes::{Decision, RouteTable, RouteTables, Taken};
use super::sticky::{self, Kind};
use crate::zone::{Endpoint, Place, Pool, PoolIndex, Route, Service, SrvTiers, SrvWeights, Target};

impl Plans {
    /// Compiles `service` and adds it. Takes its routes from `tables`, its words of the zone's
    /// board from `words` on, and its draw points from `points`.
    pub fn add(
        &mut self,
        service: &Service,
        tables: &mut RouteTables,
        words: &mut u32,
        points: &mut PointCounts,
    ) -> PlanPlace {
        let [pools, weights] = [self.pools.len(), self.weights.len()].map(|len| len as u32);
        let twins = twins(service);
        for pool in &service.pools {
            let first = (self.weights.len() as u32 - weights) as u16;
            self.weights.extend(pool.endpoints.iter().map(|endpoint| endpoint.weight));
            self.pools.push(compile_pool(pool, first, words, points, twins.is_some()));
        }
        let otherwise = service.otherwise();
        let mut tree = Tree::of(self, service, points);
        let to = tree.for_clients(&otherwise, [].iter(), &[]);
        let is_routed = !service.routes.is_empty() || !service.nested.is_empty();
        let mut routes = match is_routed {
            true => tree.routes(tables.table(service), &otherwise),
            false => Routes::default(),
        };
        let routes = (is_routed || service.sticky).then(|| {
            routes.identities = service.sticky.then(|| identities(service));
            self.routes.push(routes);
            self.routes.len() as u32 - 1
        });
        let own_pools = &self.pools[pools as usize..];
        let traits = Traits::default()
            .with(Traits::TARGETS, own_pools.iter().any(PlanPool::is_target))
            .with(Traits::TWINS, twins.is_some())
            .with(Traits::SRV_AS_WRITTEN, service.srv.weights == SrvWeights::Written)
            .with(Traits::SRV_CURRENT, service.srv.tiers == SrvTiers::Current);
        if let Some(twins) = twins {
            self.twins_at.push((weights, self.twins.len() as u32));
            self.twins.extend(twins);
        }
        PlanPlace {
            otherwise: to,
            routes,
            pools: pools..self.pools.len() as u32,
            members: weights..self.weights.len() as u32,
            answers: service.answers,
            on_all_down: service.on_all_down,
            traits,
        }
    }
}

/// Finds the twins of the members of `service`; `None` if no two members share an address or a
/// name.
fn twins(service: &Service) -> Option<Vec<Twins>> {
    let endpoints = || service.endpoints().map(|(_, endpoint)| endpoint);
    let mut addresses: Vec<IpAddr> = endpoints().flat_map(Endpoint::addresses).collect();
    addresses.sort_unstable();
    let is_shared = addresses.windows(2).any(|pair| pair[0] == pair[1]);
    // Endpoints of the service itself that have addresses have distinct names.
    let is_own = |pool: &Pool| pool.nested_from.is_none();
    let has_own_names = service.pools.iter().all(is_own)
        && endpoints().all(|endpoint| !matches!(endpoint.place, Place::Target(_)));
    if !is_shared && has_own_names {
        return None;
    }
    let (mut v4s, mut v6s, mut names) = (HashMap::new(), HashMap::new(), HashMap::new());
    let twins = endpoints().zip(0..).map(|(endpoint, member)| {
        let (v4, v6, name) = match &endpoint.place {
            Place::Addresses { v4, v6 } => (*v4, *v6, &endpoint.owner),
            Place::Target(target) => (None, None, target),
        };
        Twins {
            v4: first_with(&mut v4s, v4, member),
            v6: first_with(&mut v6s, v6, member),
            name: first_with(&mut names, Some(name.as_wire().to_ascii_lowercase()), member),
        }
    });
    let twins: Vec<Twins> = twins.collect();
    let is_alone = |(twins, at): (&Twins, Member)| *twins == Twins { v4: at, v6: at, name: at };
    (!twins.iter().zip(0..).all(is_alone)).then_some(twins)
}

/// Returns the first member noted in `known` with the value `has`; notes and returns `member` if
/// there is none.
fn first_with<H: Eq + Hash>(
    known: &mut HashMap<H, Member>,
    has: Option<H>,
    member: Member,
) -> Member {
    has.map_or(member, |has| *known.entry(has).or_insert(member))
}

/// Computes the identity of each endpoint of a sticky service. Endpoints of nested services count
/// by owner name, since their names may occur twice.
fn identities(service: &Service) -> Box<[u64]> {
    let identity = |(pool, endpoint): (PoolIndex, &Endpoint)| {
        let is_nested =
            service.pools.get(usize::from(pool.0)).is_some_and(|pool| pool.nested_from.is_some());
        let name = if is_nested { endpoint.owner.as_wire() } else { endpoint.name.as_bytes() };
        sticky::identity(Kind::Endpoint, name)
    };
    service.endpoints().map(identity).collect()
}

/// The targets of a service while they are flattened, for one group of its clients after the other.
struct Tree<'a> {
    plans: &'a mut Plans,
    service: &'a Service,
    counts: &'a mut PointCounts,
    /// The draw point of each split and union in the zone file: all groups of clients share it.
    points: HashMap<*const Target, Point>,
    /// The order of the pools of each `nearest` and `fastest`, as the walk comes upon them.
    orders: std::slice::Iter<'a, Arc<[PoolIndex]>>,
    /// The decisions of the routes of each nested service for these clients.
    nested: &'a [Option<Taken>],
}

impl<'a> Tree<'a> {
    fn of(plans: &'a mut Plans, service: &'a Service, counts: &'a mut PointCounts) -> Self {
        let (points, orders) = (HashMap::new(), [].iter());
        Self { plans, service, counts, points, orders, nested: &[] }
    }

    /// Compiles the `to` of each decision of `table`.
    fn routes(&mut self, table: Arc<RouteTable>, otherwise: &Target) -> Routes {
        let service = self.service;
        let to = |Decision { taken, nested }: &Decision| {
            let to = taken.route.map_or(otherwise, |at| &service.routes[usize::from(at)].to);
            self.for_clients(to, taken.orders.iter(), nested)
        };
        let to = table.decisions.iter().map(to).collect();
        let written = |routes: &[Route]| routes.iter().map(|route| route.to.clone()).collect();
        let nested = service.nested.iter();
        let nested = nested
            .map(|one| NestedRoutes { label: one.label.clone(), written: written(&one.routes) });
        Routes {
            table: Some(table),
            to,
            written: written(&service.routes),
            nested: nested.collect(),
            locations: service.pools.iter().map(|pool| pool.location).collect(),
            identities: None,
        }
    }

    /// Compiles `to` for the clients with the decisions `orders` and `nested`.
    fn for_clients(
        &mut self,
        to: &Target,
        orders: std::slice::Iter<'_, Arc<[PoolIndex]>>,
        nested: &[Option<Taken>],
    ) -> To {
        let mut tree = Tree {
            plans: self.plans,
            service: self.service,
            counts: self.counts,
            points: std::mem::take(&mut self.points),
            orders,
            nested,
        };
        let to = tree.add(to);
        self.points = tree.points;
        to
    }

    fn add(&mut self, target: &Target) -> To {
        match target {
            Target::Pool(pool) => {
                let service = self.service;
                let written = service.pools.get(usize::from(pool.0));
                match written.and_then(|pool| pool.services.as_ref()) {
                    Some(services) => self.add(services),
                    None => To::Pool(pool.0),
                }
            }
            Target::Service(at) => self.add_nested(usize::from(at.0)),
            // A failover with one entry is that entry.
            Target::Failover(list) if list.len() == 1 => self.add(&list[0]),
            Target::Failover(list) => To::Failover(self.branches(list.iter().map(|to| (to, 0)))),
            Target::Split(list) => {
                let branches = self.branches(list.iter().map(|(to, weight)| (to, *weight)));
                To::Split(self.divide(target, branches, list.len()))
            }
            Target::All(list) => {
                let branches = self.branches(list.iter().map(|to| (to, 0)));
                To::All(self.divide(target, branches, MEMBERS_MAX))
            }
            Target::Nearest(written) | Target::Fastest(written) => {
                let order: &[PoolIndex] = self.orders.next().map_or(written, |order| order);
                let order: Vec<Target> = order.iter().map(|&pool| Target::Pool(pool)).collect();
                self.add(&Target::Failover(order))
            }
        }
    }

    /// Adds the target of these clients in a nested service.
    fn add_nested(&mut self, at: usize) -> To {
        let (service, nested) = (self.service, self.nested);
        let Some(written) = service.nested.get(at) else {
            return To::Failover(Branches::default());
        };
        let Some(Some(taken)) = nested.get(at) else { return self.add(&written.otherwise) };
        let to = taken.route.and_then(|route| written.routes.get(usize::from(route)));
        let outside = std::mem::replace(&mut self.orders, taken.orders.iter());
        let to = self.add(to.map_or(&written.otherwise, |route| &route.to));
        self.orders = outside;
        to
    }

    /// Adds a split or a union of `branches` and returns its number. All that come from one
    /// `target` share a draw point.
    fn divide(&mut self, target: &Target, branches: Branches, len: usize) -> u32 {
        let counts = &mut *self.counts;
        let point = *self.points.entry(target).or_insert_with(|| counts.add(len));
        self.plans.splits.push(Split { branches, point });
        self.plans.splits.len() as u32 - 1
    }

    /// Computes the identity of a branch from the label of its service or the names of its pools; 0
    /// if the service is not sticky.
    fn identity(&self, target: &Target) -> u64 {
        if !self.service.sticky {
            return 0;
        }
        if let Target::Service(at) = target {
            let nested = self.service.nested.get(usize::from(at.0));
            let label = nested.map_or(&[][..], |nested| nested.label.as_bytes());
            return sticky::identity(Kind::Branch, label);
        }
        let mut found = Vec::new();
        target.pools(&mut found);
        let pools = found.iter().filter_map(|at| self.service.pools.get(usize::from(at.0)));
        let names: Vec<&str> = pools.map(|pool| pool.name.as_str()).collect();
        sticky::identity(Kind::Branch, names.join("\0").as_bytes())
    }

    fn branches<'t>(&mut self, list: impl Iterator<Item = (&'t Target, u16)>) -> Branches {
        let branches: Vec<Branch> = list
            .map(|(to, weight)| Branch { to: self.add(to), weight, identity: self.identity(to) })
            .collect();
        let start = self.plans.branches.len() as u32;
        self.plans.branches.extend(branches);
        Branches { start, end: self.plans.branches.len() as u32 }
    }
}

fn compile_pool(
    pool: &Pool,
    first: u16,
    words: &mut u32,
    points: &mut PointCounts,
    has_twins: bool,
) -> PlanPool {
    let is_target = pool.endpoints.iter().any(|e| matches!(e.place, Place::Target(_)));
    let blocks: Vec<Block> = pool
        .endpoints
        .chunks(MEMBERS_MAX)
        .map(|endpoints| {
            let mask = |has: &dyn Fn(&Endpoint) -> bool| {
                let bits = endpoints.iter().enumerate().filter(|(_, e)| has(e));
                bits.fold(0u64, |mask, (at, _)| mask | 1 << at)
            };
            let word = *words;
            *words += 2;
            Block {
                word,
                v4: mask(&|e| !matches!(e.place, Place::Addresses { v4: None, .. })),
                v6: mask(&|e| !matches!(e.place, Place::Addresses { v6: None, .. })),
                weighted: mask(&|e| e.weight > 0),
                point: match has_twins {
                    true => points.add_grouped(endpoints.len()),
                    false => points.add(endpoints.len()),
                },
            }
        })
        .collect();
    let blocks = match blocks[..] {
        [block] => Blocks::One(block),
        _ => {
            let point = points.add(blocks.len());
            Blocks::Many(blocks.into(), point)
        }
    };
    let members = first..first + pool.endpoints.len() as u16;
    PlanPool {
        members,
        min_up: pool.min_up,
        is_target,
        is_nested: pool.nested_from.is_some(),
        blocks,
    }
}
