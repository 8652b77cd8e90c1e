//! Services and their pools.

use std::collections::{HashMap, HashSet};

use super::Builder;
use super::claims::By;
use super::endpoint::Shared;
use super::nest::Nest;
use super::route::Pools;
use crate::config::decode::{List, Period, Spanned};
use crate::config::spec::endpoint::Endpoint as EndpointSpec;
use crate::config::spec::service::{
    Answers as AnswersSpec, Pool as PoolSpec, Service as ServiceSpec, SrvName as SrvNameSpec,
    SrvTiers as SrvTiersSpec, SrvWeights as SrvWeightsSpec,
};
use crate::zone::limits::{ENDPOINTS_PER_POOL_MAX, ENDPOINTS_PER_SERVICE_MAX, POOLS_MAX};
use crate::zone::{
    Answers, Endpoint, MinUp, OnAllDown, Override, Place, Pool, PoolLocation, Service, Srv,
    SrvName, SrvTiers, SrvWeights, Target,
};

/// The longest TTL of a service.
const TTL_MAX: Period = Period::secs(86_400);
/// The least TTL without a warning: some resolvers keep every answer for at least this time.
const TTL_RESOLVERS_MIN: Period = Period::secs(5);
/// The name of the only pool of a service without `pools`.
pub(super) const ONLY_POOL: &str = "default";

impl Builder<'_> {
    /// Builds one service; `None` if it has no name in the zone.
    pub(super) fn service(&mut self, key: &Spanned<String>, spec: &ServiceSpec) -> Option<Service> {
        let owner = self.name(key, &self.origin.clone());
        if let Some(owner) = &owner {
            self.claims.add(owner, By::Service, &key.span);
        }
        let nowhere = self.origin.clone();
        let wanted = spec.state.as_ref().map_or(Override::Auto, |state| state.value.into());
        let mut shared = Shared {
            label: &key.value,
            wanted,
            // Mistakes inside the service are reported even if its name is wrong.
            owner: owner.as_ref().unwrap_or(&nowhere),
            port: spec.port.as_ref().map(|port| port.value.as_u16()),
            check: spec.check.as_ref().and_then(|check| self.used_check(check)),
            names: HashMap::new(),
            portless: Vec::new(),
            nests: Vec::new(),
        };
        if owner.is_none() {
            self.claims.incomplete = true;
        }
        let pools = self.pools(key, spec, &mut shared);
        let nests = std::mem::take(&mut shared.nests).into_iter();
        let service = || key.value.clone();
        self.nests.extend(nests.map(|(pool, members)| Nest { service: service(), pool, members }));
        let ttl = self.whole_seconds(&spec.ttl, TTL_MAX);
        if spec.ttl.value < TTL_RESOLVERS_MIN {
            let message =
                format!("some resolvers keep every answer for at least {TTL_RESOLVERS_MIN}");
            self.decoder.warning(&spec.ttl.span, message);
        }
        let srv = self.srv(spec, &shared);
        let (https, txt) = self.own_records(spec, shared.owner, &pools);
        let names = spec.pools.iter().flat_map(|pools| &pools.value.0).map(|(name, _)| name);
        let names: Vec<&Spanned<String>> = names.collect();
        let latencies = spec.latencies.as_ref().and_then(|path| {
            let names: Vec<&str> = names.iter().map(|name| name.value.as_str()).collect();
            self.latencies(path, &names)
        });
        let has_latencies = spec.latencies.is_some();
        let mut named = Pools { names, built: &pools, has_latencies, used: HashSet::new() };
        let on_all_down = self.on_all_down(&mut named, &spec.on_all_down);
        let routes = self.routes(&mut named, spec.routes.as_ref());
        self.unused_latencies(spec.latencies.as_ref(), &routes);
        let answers = answers(spec);
        let label = key.value.clone();
        let sticky = spec.sticky.value;
        Some(Service {
            label,
            owner: owner?,
            ttl,
            srv,
            https,
            txt,
            answers,
            on_all_down,
            sticky,
            pools,
            latencies,
            routes,
            nested: Vec::new(),
        })
    }

    fn pools(
        &mut self,
        key: &Spanned<String>,
        spec: &ServiceSpec,
        shared: &mut Shared<'_>,
    ) -> Vec<Pool> {
        let min_up = spec.min_up.as_ref().map_or(MinUp::default(), |share| share.value.0);
        let pools: Vec<Pool> = match (&spec.endpoints, &spec.pools) {
            (Some(endpoints), None) => {
                let (endpoints, services) = self.members(shared, 0, endpoints);
                let (name, location) = (ONLY_POOL.to_owned(), None);
                vec![Pool { name, min_up, location, endpoints, services, nested_from: None }]
            }
            (None, Some(pools)) => self.named_pools(&pools.value.0, min_up, shared),
            (Some(endpoints), Some(_)) => {
                let message = "a service has `endpoints` or `pools`, not both";
                self.decoder.error(&endpoints.span, message).help =
                    Some("move these endpoints into a pool".to_owned());
                Vec::new()
            }
            (None, None) => {
                if !spec.broken {
                    let diagnostic = self.decoder.error(&key.span, "this service has no endpoints");
                    diagnostic.label = "needs `endpoints = [\"192.0.2.1\"]` or pools".to_owned();
                }
                Vec::new()
            }
        };
        if let Some(min_up) = &spec.min_up
            && pools.iter().any(|pool| pool.services.is_some())
            && pools.iter().all(|pool| pool.endpoints.is_empty())
        {
            self.no_min_up_of_services(min_up);
        }
        let endpoints: usize = pools.iter().map(|pool| pool.endpoints.len()).sum();
        if endpoints > ENDPOINTS_PER_SERVICE_MAX {
            let most = ENDPOINTS_PER_SERVICE_MAX;
            let message = format!("{endpoints} endpoints; a service has {most} at the most");
            self.decoder.error(&key.span, message);
        }
        pools
    }

    fn named_pools(
        &mut self,
        specs: &[(Spanned<String>, Spanned<PoolSpec>)],
        min_up: MinUp,
        shared: &mut Shared<'_>,
    ) -> Vec<Pool> {
        let mut pools = Vec::new();
        for (at, (name, Spanned { value: pool, .. })) in specs.iter().enumerate() {
            if at == POOLS_MAX {
                let message = format!("a service has {POOLS_MAX} pools at the most");
                self.decoder.error(&name.span, message);
                break;
            }
            if matches!(name.value.as_str(), "all" | "none" | "") {
                let message = format!("a pool cannot be called \"{}\"", name.value);
                self.decoder.error(&name.span, message).help =
                    Some("the word has a meaning in `on_all_down`".to_owned());
            }
            let of_service = shared.wanted;
            shared.wanted = pool.state.as_ref().map_or(of_service, |state| state.value.into());
            let members = pool.endpoints.as_ref().map(|list| self.members(shared, at, list));
            shared.wanted = of_service;
            let (endpoints, services) = members.unwrap_or_default();
            if let (Some(min_up), true) = (&pool.min_up, services.is_some()) {
                self.no_min_up_of_services(min_up);
            }
            if let (Some(state), true) = (&pool.state, services.is_some()) {
                self.decoder.error(&state.span, "a pool of services has no `state`").help =
                    Some("write it in those services".to_owned());
            }
            let min_up = pool.min_up.as_ref().map_or(min_up, |share| share.value.0);
            let located = pool.location.as_ref().and_then(|location| location.value.coordinates());
            let bias_km = pool.bias.value.0;
            let location = located.map(|coordinates| PoolLocation { coordinates, bias_km });
            let name = name.value.clone();
            pools.push(Pool { name, min_up, location, endpoints, services, nested_from: None });
        }
        pools
    }

    fn no_min_up_of_services<T>(&mut self, min_up: &Spanned<T>) {
        let message = "a pool of services has no `min_up`";
        self.decoder.error(&min_up.span, message).help =
            Some("write it in those services: each serves as long as one of its pools can".into());
    }

    /// Reads the members of the pool `at`: its endpoints, or, if they are services, a placeholder
    /// until all services are built.
    fn members(
        &mut self,
        shared: &mut Shared<'_>,
        at: usize,
        specs: &Spanned<List<EndpointSpec>>,
    ) -> (Vec<Endpoint>, Option<Target>) {
        match self.service_members(specs) {
            Some(members) => {
                shared.nests.push((at, members));
                (Vec::new(), Some(Target::Split(Vec::new())))
            }
            None => (self.endpoints(shared, specs), None),
        }
    }

    fn endpoints(
        &mut self,
        shared: &mut Shared<'_>,
        specs: &Spanned<List<EndpointSpec>>,
    ) -> Vec<Endpoint> {
        let List(members) = &specs.value;
        if members.len() > ENDPOINTS_PER_POOL_MAX {
            let (found, most) = (members.len(), ENDPOINTS_PER_POOL_MAX);
            let message = format!("{found} endpoints; a pool has {most} at the most");
            self.decoder.error(&specs.span, message);
            return Vec::new();
        }
        let mut endpoints: Vec<Endpoint> = Vec::with_capacity(members.len());
        for member in members {
            let Some(endpoint) = self.endpoint(shared, member) else { continue };
            let is_target = |endpoint: &Endpoint| matches!(endpoint.place, Place::Target(_));
            if endpoints.first().is_some_and(|first| is_target(first) != is_target(&endpoint)) {
                let message = "a pool has endpoints with addresses or with targets, not both";
                self.decoder.error(&member.span, message).help =
                    Some("move it into a pool of its own".to_owned());
            }
            endpoints.push(endpoint);
        }
        endpoints
    }

    fn srv(&mut self, spec: &ServiceSpec, shared: &Shared<'_>) -> Srv {
        let weights =
            spec.srv_weights.as_ref().map_or(SrvWeights::default(), |word| match word.value {
                SrvWeightsSpec::Scaled => SrvWeights::Scaled,
                SrvWeightsSpec::Written => SrvWeights::Written,
            });
        let tiers = spec.srv_tiers.as_ref().map_or(SrvTiers::default(), |word| match word.value {
            SrvTiersSpec::All => SrvTiers::All,
            SrvTiersSpec::Current => SrvTiers::Current,
        });
        let mut names = Vec::new();
        let Some(srv) = &spec.srv else { return Srv { names, weights, tiers } };
        let mut needs_port = false;
        for written in &srv.value.0 {
            let (name, port) = match &written.value {
                SrvNameSpec::Name(name) => {
                    (Some(Spanned::new(name.clone(), written.span.clone())), None)
                }
                SrvNameSpec::Table(table) => (table.name.clone(), table.port.as_ref()),
            };
            needs_port |= port.is_none();
            let Some(name) = name else { continue };
            if let Some(owner) = self.name(&name, shared.owner) {
                self.claims.add(&owner, By::Service, &name.span);
                names.push(SrvName { owner, port: port.map(|port| port.value.as_u16()) });
            }
        }
        if let ([first, others @ ..], true) = (&shared.portless[..], needs_port) {
            let others = match others.len() {
                0 => String::new(),
                others => format!(" (and {others} more)"),
            };
            let message = format!("SRV needs a port, but endpoint `{first}`{others} has none");
            self.decoder.error(&srv.span, message).help =
                Some("write `port = …` in the service".to_owned());
        }
        Srv { names, weights, tiers }
    }

    fn on_all_down(&mut self, pools: &mut Pools<'_>, word: &Spanned<String>) -> OnAllDown {
        match word.value.as_str() {
            "all" => OnAllDown::All,
            "none" => OnAllDown::None,
            name => {
                let Some(pool) = self.pool(pools, name, word) else { return OnAllDown::All };
                let is_of_services = |pool: &Pool| pool.services.is_some();
                if pools.built.get(usize::from(pool.0)).is_some_and(is_of_services) {
                    let message = format!("the members of the pool `{name}` are services");
                    self.decoder.error(&word.span, message).help =
                        Some("`on_all_down` needs a pool with endpoints of its own".to_owned());
                }
                OnAllDown::Pool(pool)
            }
        }
    }
}

fn answers(spec: &ServiceSpec) -> Answers {
    let in_pools = spec.pools.iter().flat_map(|pools| &pools.value.0);
    let lists = in_pools.filter_map(|(_, pool)| pool.value.endpoints.as_ref());
    let mut endpoints = lists.chain(spec.endpoints.as_ref()).flat_map(|list| &list.value.0);
    match spec.answers.as_ref().map(|answers| answers.value) {
        Some(AnswersSpec::Count(count)) => Answers::Count(count),
        Some(AnswersSpec::All) => Answers::All,
        None if endpoints.any(|endpoint| endpoint.value.is_one_of_many()) => Answers::Count(1),
        None => Answers::All,
    }
}
