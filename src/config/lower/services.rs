//! Services: pools, routes, and what holds for all their endpoints.

use std::net::IpAddr;

use ipnet::IpNet;

use super::checks::Checks;
use super::endpoints::Endpoints;
use super::{Lowering, ttl_of};
use crate::config::decode::{At, Fraction};
use crate::config::spec::{AnswersWord, RouteTable, ServiceTable, ZoneTable};
use crate::wire::name::Name;
use crate::zone::{
    Answers, MinUp, OnAllDown, Place, Pool, PoolIndex, Route, Service, Target, Ttl, limits,
};

/// The TTL of steered records: short, so that a failure is forgotten soon.
const TTL: Ttl = Ttl::from_secs(10).unwrap();
/// The longest: nobody wants a steered name to stand still for longer.
const TTL_MAX: Ttl = Ttl::from_secs(86_400).unwrap();
/// Some resolvers keep answers at least so long, whatever the TTL says.
const TTL_RESOLVERS_MIN: Ttl = Ttl::from_secs(5).unwrap();
/// The name of the pool of a service that writes its endpoints without one.
const ONLY_POOL: &str = "endpoints";

/// Every service of a zone, in file order.
pub(super) fn all(table: &ZoneTable, checks: &Checks, lowering: &mut Lowering<'_>) -> Vec<Service> {
    let tables = table.services.iter().flat_map(|services| &services.0);
    tables.filter_map(|(name, table)| service(name, &table.value, checks, lowering)).collect()
}

fn service(
    name: &At<String>,
    table: &ServiceTable,
    checks: &Checks,
    lowering: &mut Lowering<'_>,
) -> Option<Service> {
    let origin = lowering.origin.clone();
    let owner = lowering.owner(name, &origin)?;
    let check = table.check.as_ref().and_then(|check| checks.find(check, lowering));
    let mut endpoints = Endpoints::new(&owner, table, check, checks);
    let pools = pools(name, table, &mut endpoints, lowering);
    let names: Vec<String> = pools.iter().map(|pool| pool.name.clone()).collect();
    let routes = routes(table, &names, lowering);
    warn_of_unused_pools(table, &names, &routes, lowering);
    let srv = srv(&owner, table, &pools, lowering);
    let answers = match table.answers.as_ref().map(|answers| answers.value) {
        Some(AnswersWord::Count(count)) => Answers::Count(count),
        Some(AnswersWord::All) => Answers::All,
        // A list cannot carry weights: resolvers and clients sort it anew.
        None if endpoints.any_weight_written() => Answers::Count(1),
        None => Answers::All,
    };
    let (ttl, on_all_down) = (ttl(table, lowering), on_all_down(table, &names, lowering));
    if pools.iter().all(|pool| pool.endpoints.is_empty()) {
        return None;
    }
    let label = name.value.clone();
    Some(Service { label, owner, ttl, srv, answers, on_all_down, pools, routes })
}

fn ttl(table: &ServiceTable, lowering: &mut Lowering<'_>) -> Ttl {
    let Some(written) = &table.ttl else { return TTL };
    let Some(ttl) = ttl_of(written.value.0).filter(|ttl| ttl.as_secs() > 0 && *ttl <= TTL_MAX)
    else {
        lowering.decoder.error(&written.span, "the TTL of a service can be 1s to 1d");
        return TTL;
    };
    if ttl < TTL_RESOLVERS_MIN {
        let message = "some resolvers keep an answer for 5s at least";
        lowering.decoder.warn(&written.span, message, "a TTL of \"5s\" loads them less");
    }
    ttl
}

fn pools(
    name: &At<String>,
    table: &ServiceTable,
    endpoints: &mut Endpoints<'_>,
    lowering: &mut Lowering<'_>,
) -> Vec<Pool> {
    let mut pools = Vec::new();
    match (&table.endpoints, &table.pools) {
        (Some(_), Some(pools)) => {
            let message = "a service has `endpoints` or `pools`, not both";
            let help = "move the endpoints into a pool";
            let span = pools.0.first().map_or(&table.span, |(name, _)| &name.span);
            lowering.decoder.error_with_help(span, message, help);
        }
        (Some(list), None) => {
            let pool = Pool {
                name: ONLY_POOL.to_owned(),
                min_up: min_up(table.min_up.as_ref()),
                endpoints: endpoints.of_pool(list, &name.span, lowering),
            };
            pools.push(pool);
        }
        (None, Some(tables)) => {
            if let Some(min_up) = &table.min_up {
                let help = "write it in the pool";
                let message = "`min_up` belongs to a pool where there are pools";
                lowering.decoder.error_with_help(&min_up.span, message, help);
            }
            for (pool_name, pool) in &tables.0 {
                let list = pool.value.endpoints.as_deref().unwrap_or(&[]);
                let is_missing = !pool.value.has("endpoints");
                if is_missing {
                    let example = "[\"192.0.2.1\"]";
                    lowering.decoder.missing(&pool_name.span, "endpoints", example);
                }
                let of_pool = if is_missing || pool.value.endpoints.is_none() {
                    Vec::new()
                } else {
                    endpoints.of_pool(list, &pool_name.span, lowering)
                };
                pools.push(Pool {
                    name: pool_name.value.clone(),
                    min_up: min_up(pool.value.min_up.as_ref()),
                    endpoints: of_pool,
                });
            }
        }
        (None, None) if !table.has("endpoints") && !table.has("pools") => {
            lowering.decoder.missing(&name.span, "endpoints", "[\"192.0.2.1\", \"192.0.2.2\"]");
        }
        (None, None) => {}
    }
    if pools.len() > limits::POOLS_MAX {
        let message = format!("a service has {} pools at most", limits::POOLS_MAX);
        lowering.decoder.error(&name.span, message);
    }
    let count: usize = pools.iter().map(|pool| pool.endpoints.len()).sum();
    if count > limits::ENDPOINTS_PER_SERVICE_MAX {
        let most = limits::ENDPOINTS_PER_SERVICE_MAX;
        lowering.decoder.error(&name.span, format!("a service has {most} endpoints at most"));
    }
    pools
}

fn min_up(written: Option<&At<Fraction>>) -> MinUp {
    written.and_then(|min_up| MinUp::from_fraction(min_up.value.0)).unwrap_or_default()
}

fn on_all_down(table: &ServiceTable, pools: &[String], lowering: &mut Lowering<'_>) -> OnAllDown {
    let Some(written) = &table.on_all_down else { return OnAllDown::All };
    match written.value.as_str() {
        "all" => OnAllDown::All,
        "none" => OnAllDown::None,
        name => match pools.iter().position(|pool| pool == name) {
            Some(at) => OnAllDown::Pool(PoolIndex(at as u16)),
            None => {
                let known = pools.iter().map(String::as_str).chain(["all", "none"]);
                lowering.decoder.unknown(&written.span, "pool", name, known);
                OnAllDown::All
            }
        },
    }
}

fn srv(
    owner: &Name,
    table: &ServiceTable,
    pools: &[Pool],
    lowering: &mut Lowering<'_>,
) -> Vec<Name> {
    let Some(written) = &table.srv else { return Vec::new() };
    let owners = written.0.iter().filter_map(|name| lowering.owner(name, owner)).collect();
    let portless = pools.iter().flat_map(|pool| &pool.endpoints).find(|e| e.port.is_none());
    if let (Some(endpoint), Some(first)) = (portless, written.0.first())
        && !table.has("port")
    {
        let message = format!("SRV names a port, and endpoint `{}` has none", endpoint.name);
        let help = "write `port = 8080` in the service or the endpoint";
        lowering.decoder.error_with_help(&first.span, message, help);
    }
    owners
}

fn routes(table: &ServiceTable, pools: &[String], lowering: &mut Lowering<'_>) -> Vec<Route> {
    let tables = table.routes.as_deref().unwrap_or(&[]);
    let mut everyone = false;
    let mut routes = Vec::new();
    for route in tables {
        if everyone {
            let message = "no client comes here: a route above is for everyone";
            lowering.decoder.warn(&route.span, message, "put the route without `from` last");
        }
        let from = nets(&route.value, lowering);
        everyone |= !route.value.has("from");
        match &route.value.to {
            Some(to) => {
                if let Some(to) = lowering.target(to, pools, 0) {
                    routes.push(Route { from, to });
                }
            }
            None if !route.value.has("to") => {
                lowering.decoder.missing(&route.span, "to", "\"eu\"");
            }
            None => {}
        }
    }
    if routes.len() > limits::ROUTES_MAX {
        let message = format!("a service has {} routes at most", limits::ROUTES_MAX);
        lowering.decoder.error(&table.span, message);
    }
    routes
}

/// The networks of a route; none: everyone.
fn nets(route: &RouteTable, lowering: &mut Lowering<'_>) -> Vec<IpNet> {
    let Some(from) = &route.from else { return Vec::new() };
    let nets = from.net.as_ref().map_or(&[][..], |nets| &nets.0);
    if nets.is_empty() && !from.has("net") {
        lowering.decoder.missing(&from.span, "net", "\"10.0.0.0/8\"");
    } else if nets.is_empty() && from.net.is_some() {
        lowering.decoder.error(&from.span, "`net` names no network");
    }
    nets.iter().filter_map(|net| lowering.net(net)).collect()
}

/// A pool that routes leave out is never used, unless when all is down.
fn warn_of_unused_pools(
    table: &ServiceTable,
    names: &[String],
    routes: &[Route],
    lowering: &mut Lowering<'_>,
) {
    let written = table.routes.as_deref().unwrap_or(&[]);
    let covers_everyone = written.iter().any(|route| !route.value.has("from"));
    if !covers_everyone || routes.len() != written.len() {
        return;
    }
    fn names_pool(target: &Target, pool: PoolIndex) -> bool {
        match target {
            Target::Pool(at) => *at == pool,
            Target::Failover(list) => list.iter().any(|target| names_pool(target, pool)),
            Target::Split(list) => list.iter().any(|(target, _)| names_pool(target, pool)),
        }
    }
    for (at, (name, _)) in table.pools.iter().flat_map(|pools| &pools.0).enumerate() {
        let pool = PoolIndex(at as u16);
        let fallback = table.on_all_down.as_ref().is_some_and(|word| word.value == name.value);
        let named = routes.iter().any(|route| names_pool(&route.to, pool));
        if !named && !fallback && names.contains(&name.value) {
            let message = format!("no route goes to the pool `{}`", name.value);
            lowering.decoder.warn(&name.span, message, "name it in a route, or drop it");
        }
    }
}

impl Lowering<'_> {
    /// A network: `10.0.0.0/8`, or an address alone.
    fn net(&mut self, written: &At<String>) -> Option<IpNet> {
        let text = written.value.trim();
        let net =
            text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
        match net {
            Some(net) if net.addr() != net.network() => {
                let message = format!("{text} has bits set behind its prefix");
                let help = format!("write \"{}\"", net.trunc());
                self.decoder.error_with_help(&written.span, message, help);
                None
            }
            Some(net) => Some(net),
            None => {
                let message = format!("expected a network such as \"10.0.0.0/8\", found {text:?}");
                self.decoder.error(&written.span, message);
                None
            }
        }
    }
}

/// Whether an endpoint is elsewhere, answered as CNAME.
pub(super) fn is_target(place: &Place) -> bool {
    matches!(place, Place::Target(_))
}
