//! Services that are members of pools of other services.
//!
//! Services are built one by one, in file order. Nested ones are copied into place after that,
//! innermost first, so that a service can also name one that comes later in the file.

use std::collections::{HashMap, HashSet};

use super::Builder;
use super::route::BLOCK;
use super::service::ONLY_POOL;
use crate::config::decode::{Int, List, Spanned, one_of};
use crate::config::spec::endpoint::{Endpoint as EndpointSpec, EndpointTable, WEIGHT_DEFAULT};
use crate::zone::limits::{ENDPOINTS_PER_SERVICE_MAX, POOLS_MAX, TARGET_DEPTH_MAX};
use crate::zone::{Nested, NestedIndex, Place, Pool, PoolIndex, Service, Target};

/// A pool whose members are services.
#[derive(Debug)]
pub(super) struct Nest {
    /// The key of the service that has the pool, in the zone file.
    pub(super) service: String,
    /// The index of the pool in the service.
    pub(super) pool: usize,
    pub(super) members: Vec<Member>,
}

impl Nest {
    /// Returns the keys of the members in the zone file.
    pub(super) fn labels(&self) -> impl Iterator<Item = &Spanned<String>> {
        self.members.iter().map(|member| &member.label)
    }
}

/// A service as a member of a pool.
#[derive(Debug)]
pub(super) struct Member {
    label: Spanned<String>,
    weight: u16,
}

/// The services by their keys in the zone file, and the nestings of each.
struct Nesting {
    by_label: HashMap<String, usize>,
    /// The nestings of each service.
    nests: HashMap<usize, Vec<Nest>>,
    /// The services that are complete.
    done: HashSet<usize>,
    /// The way to the service that is being completed: each service is nested in the one before.
    path: Vec<usize>,
}

impl Builder<'_> {
    /// Reads the members of a pool of services; `None` if the members are endpoints.
    pub(super) fn service_members(
        &mut self,
        specs: &Spanned<List<EndpointSpec>>,
    ) -> Option<Vec<Member>> {
        let List(specs) = &specs.value;
        let table = |spec: &Spanned<EndpointSpec>| match &spec.value {
            EndpointSpec::Table(table) if table.service.is_some() => Some(table.clone()),
            _ => None,
        };
        if !specs.iter().any(|spec| table(spec).is_some()) {
            return None;
        }
        if specs.len() > POOLS_MAX {
            let (found, span) = (specs.len(), &specs[POOLS_MAX].span);
            let message = format!("{found} services; a pool has {POOLS_MAX} at the most");
            self.decoder.error(span, message);
        }
        let mut members: Vec<Member> = Vec::new();
        for spec in specs {
            let Some(table) = table(spec) else {
                let message = "a pool has services or endpoints, not both";
                self.decoder.error(&spec.span, message).help =
                    Some("move the endpoints into a service, or into a pool of their own".into());
                continue;
            };
            self.only_a_service(&table);
            let Some(label) = table.service else { continue };
            if members.iter().any(|member| member.label.value == label.value) {
                let message = format!("`{}` is a member of this pool already", label.value);
                self.decoder.error(&label.span, message);
                continue;
            }
            let weight = table.weight.as_ref().map_or(WEIGHT_DEFAULT, |w| Int::as_u16(w.value));
            members.push(Member { label, weight });
        }
        if !members.is_empty() && members.iter().all(|member| member.weight == 0) {
            self.decoder.error(&specs[0].span, "the weights of these services are all 0");
        }
        Some(members)
    }

    /// Reports keys that a member that is a service cannot have: all but its weight.
    fn only_a_service(&mut self, table: &EndpointTable) {
        let written = [
            ("name", table.name.as_ref().map(|key| &key.span)),
            ("address", table.address.as_ref().map(|key| &key.span)),
            ("target", table.target.as_ref().map(|key| &key.span)),
            ("port", table.port.as_ref().map(|key| &key.span)),
            ("check", table.check.as_ref().map(|key| &key.span)),
            ("state", table.state.as_ref().map(|key| &key.span)),
        ];
        for (key, span) in written {
            let Some(span) = span else { continue };
            let message = format!("a member that is a service has no `{key}`");
            self.decoder.error(span, message).help = Some(format!(
                "write `{key}` in endpoints of that service; only `weight` can stand here"
            ));
        }
    }

    /// Nests the services that others name as members.
    pub(super) fn nest(&mut self, services: &mut [Service]) {
        let nests = std::mem::take(&mut self.nests);
        if nests.is_empty() {
            return;
        }
        let labels = services.iter().enumerate();
        let by_label: HashMap<String, usize> =
            labels.map(|(at, service)| (service.label.clone(), at)).collect();
        let mut of_service: HashMap<usize, Vec<Nest>> = HashMap::new();
        for nest in nests {
            // A service without a valid name has been reported.
            let Some(&at) = by_label.get(&nest.service) else { continue };
            of_service.entry(at).or_default().push(nest);
        }
        let (done, path) = (HashSet::new(), Vec::new());
        let mut nesting = Nesting { by_label, nests: of_service, done, path };
        for at in 0..services.len() {
            self.complete(services, &mut nesting, at);
        }
    }

    /// Nests the members of the service `at`, after completing them.
    fn complete(&mut self, services: &mut [Service], nesting: &mut Nesting, at: usize) {
        let Some(nests) = nesting.nests.remove(&at) else {
            nesting.done.insert(at);
            return;
        };
        nesting.path.push(at);
        for nest in &nests {
            let first = services[at].pools.len();
            let mut shares = Vec::new();
            for member in &nest.members {
                let Some(inner) = self.nested(services, nesting, &member.label) else { continue };
                let target = self.put(services, (at, nest.pool), inner, &member.label);
                shares.extend(target.map(|target| (target, member.weight)));
            }
            services[at].pools[nest.pool].services = Some(Target::Split(shares));
            self.check_unions(&services[at], nest, first);
        }
        nesting.path.pop();
        nesting.done.insert(at);
    }

    /// Completes the service called `label`, and returns its index. `None` if it cannot be a
    /// member.
    fn nested(
        &mut self,
        services: &mut [Service],
        nesting: &mut Nesting,
        label: &Spanned<String>,
    ) -> Option<usize> {
        let Some(&inner) = nesting.by_label.get(&label.value) else {
            let labels = services.iter().map(|service| service.label.as_str());
            let help = one_of(&label.value, "services", labels);
            let message = format!("no service of this zone is called `{}`", label.value);
            self.decoder.error(&label.span, message).help = help;
            return None;
        };
        if let Some(start) = nesting.path.iter().position(|&outer| outer == inner) {
            let circle = nesting.path[start..].iter().chain([&inner]);
            let circle: Vec<&str> = circle.map(|&at| services[at].label.as_str()).collect();
            let message = format!("a service cannot be nested in itself: {}", circle.join(" → "));
            self.decoder.error(&label.span, message);
            return None;
        }
        if nesting.path.len() == TARGET_DEPTH_MAX {
            let message = format!("services nest deeper than {TARGET_DEPTH_MAX} levels");
            self.decoder.error(&label.span, message);
            return None;
        }
        if !nesting.done.contains(&inner) {
            self.complete(services, nesting, inner);
        }
        Some(inner)
    }

    /// Copies the pools and routes of `inner` into the service `at`, for its pool `pool`.
    fn put(
        &mut self,
        services: &mut [Service],
        (at, pool): (usize, usize),
        inner: usize,
        label: &Spanned<String>,
    ) -> Option<Target> {
        let inner = services.get(inner)?.clone();
        let outer = services.get_mut(at)?;
        let endpoints = outer.endpoints().count() + inner.endpoints().count();
        let pools = outer.pools.len() + inner.pools.len();
        for (what, found, most) in
            [("pools", pools, POOLS_MAX), ("endpoints", endpoints, ENDPOINTS_PER_SERVICE_MAX)]
        {
            if found > most {
                let message = format!(
                    "with those of `{}` this service has {found} {what}; {most} are the most",
                    inner.label
                );
                self.decoder.error(&label.span, message);
                return None;
            }
        }
        let portless = || inner.endpoints().find(|(_, endpoint)| endpoint.port.is_none());
        let needs_port = outer.srv.names.iter().any(|name| name.port.is_none());
        if let (true, Some((_, endpoint))) = (needs_port, portless()) {
            let (name, label_text) = (&endpoint.name, &inner.label);
            let message =
                format!("SRV needs a port, but endpoint `{name}` of `{label_text}` has none");
            self.decoder.error(&label.span, message).help =
                Some(format!("write `port = …` in the service `{label_text}`"));
        }
        Some(take_in(outer, pool, inner))
    }

    /// Reports targets, and too many endpoints, among the pools that `all` takes together by the
    /// pool of `nest`. The pools from `first` on are those of its members.
    fn check_unions(&mut self, service: &Service, nest: &Nest, first: usize) {
        let Some(member) = nest.members.first() else { return };
        let mut together = Vec::new();
        service.routes.iter().for_each(|route| add_unions(&route.to, nest.pool, &mut together));
        if together.is_empty() {
            return;
        }
        let is_target = |pool: &&Pool| {
            pool.endpoints.iter().any(|endpoint| matches!(endpoint.place, Place::Target(_)))
        };
        let name = &service.pools[nest.pool].name;
        if let Some(pool) = service.pools[first..].iter().find(is_target) {
            let message = format!("the endpoints of `{}` are targets", pool.name);
            self.decoder.error(&member.label.span, message).help = Some(format!(
                "a route takes `{name}` by `all`, which is for addresses: an answer has one CNAME"
            ));
        }
        let is_taken =
            |at: u16, pool: &Pool| pool.nested_from.is_some() || together.contains(&PoolIndex(at));
        let taken = (0..).zip(&service.pools).filter(|(at, pool)| is_taken(*at, pool));
        let blocks: usize = taken.map(|(_, pool)| pool.endpoints.len().div_ceil(BLOCK)).sum();
        if blocks > BLOCK {
            let message = format!("`all` takes `{name}`, whose services have too many endpoints");
            self.decoder.error(&member.label.span, message).help =
                Some(format!("`all` takes {BLOCK} pools of {BLOCK} endpoints at the most"));
        }
    }
}

/// Adds the pools that `to` takes together with the pool `pool`, that one included, to `found`.
fn add_unions(to: &Target, pool: usize, found: &mut Vec<PoolIndex>) {
    match to {
        Target::All(_) => {
            let mut named = Vec::new();
            to.pools(&mut named);
            if named.iter().any(|at| usize::from(at.0) == pool) {
                found.append(&mut named);
            }
        }
        Target::Failover(list) => list.iter().for_each(|to| add_unions(to, pool, found)),
        Target::Split(list) => list.iter().for_each(|(to, _)| add_unions(to, pool, found)),
        Target::Pool(_) | Target::Nearest(_) | Target::Fastest(_) | Target::Service(_) => {}
    }
}

/// Appends `inner` and everything nested in it to `outer`, for its pool `pool`. Returns the target
/// that leads there.
fn take_in(outer: &mut Service, pool: usize, inner: Service) -> Target {
    let (pools, nested) = (outer.pools.len() as u16, outer.nested.len() as u16);
    let own = std::iter::once(Nested::of(&inner));
    let all = own.chain(inner.nested);
    outer.nested.extend(all.map(|one| one.moved(pools, nested + 1)));
    let place = match outer.pools[pool].name.as_str() {
        ONLY_POOL => inner.label,
        name => format!("{name}/{}", inner.label),
    };
    let is_only = inner.pools.len() == 1;
    outer.pools.extend(inner.pools.into_iter().map(|pool| Pool {
        name: if is_only { place.clone() } else { format!("{place}/{}", pool.name) },
        services: pool.services.map(|to| to.moved(pools, nested + 1)),
        nested_from: pool.nested_from.or(Some(pool.name.into())),
        ..pool
    }));
    Target::Service(NestedIndex(nested))
}
