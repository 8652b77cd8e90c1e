//! Routes and the `to` algebra: the names of pools become indices.

use std::collections::HashSet;

use super::Builder;
use super::reach::Earlier;
use crate::config::decode::{List, OneOrMany, Spanned, one_of};
use crate::config::spec::network::networks;
use crate::config::spec::route::{From, Route as RouteSpec, To};
use crate::zone::limits::{POOLS_MAX, ROUTES_MAX, TARGET_DEPTH_MAX};
use crate::zone::{Place, Pool, PoolIndex, Route, RouteFrom, Target};

/// The most members of one draw, and the most endpoints of one block.
pub(super) const BLOCK: usize = 64;

/// The pools of one service, by name.
pub(super) struct Pools<'a> {
    /// The names in file order. After an error a pool may be missing from `built`.
    pub(super) names: Vec<&'a Spanned<String>>,
    /// The pools as built.
    pub(super) built: &'a [Pool],
    /// Whether the service has a `latencies` file.
    pub(super) has_latencies: bool,
    /// The pools that a route or `on_all_down` names.
    pub(super) used: HashSet<u16>,
}

impl Builder<'_> {
    /// Builds the routes of one service.
    pub(super) fn routes(
        &mut self,
        pools: &mut Pools<'_>,
        routes: Option<&Spanned<List<RouteSpec>>>,
    ) -> Vec<Route> {
        let Some(Spanned { value: List(routes), .. }) = routes else { return Vec::new() };
        let mut built = Vec::new();
        let mut catch_all = false;
        let mut earlier: Vec<Earlier> = Vec::new();
        for (at, written) in routes.iter().enumerate() {
            let Spanned { value: route, span } = written;
            if at == ROUTES_MAX {
                let message = format!("a service has {ROUTES_MAX} routes at the most");
                self.decoder.error(span, message);
                break;
            }
            if catch_all {
                let diagnostic = self.decoder.warning(span, "no client can reach this route");
                diagnostic.help =
                    Some("a route before it has no `from`: it takes everyone".to_owned());
            }
            catch_all |= route.from.is_none();
            let from = self.route_from(route.from.as_ref());
            if !catch_all {
                self.warn_of_reach(written, &from, &earlier);
            }
            earlier.push(Earlier::new(from.clone()));
            let to = route.to.as_ref().and_then(|to| self.target(pools, to, 1));
            built.extend(to.map(|to| Route { from, to }));
        }
        self.unused_pools(pools, catch_all);
        built
    }

    /// Reads the clients of one route.
    fn route_from(&mut self, from: Option<&Spanned<From>>) -> RouteFrom {
        let Some(Spanned { value: from, span }) = from else { return RouteFrom::default() };
        fn list<T, U>(key: Option<&Spanned<OneOrMany<T>>>, value: impl Fn(&T) -> U) -> Vec<U> {
            let members = key.map_or(&[][..], |key| &key.value.0);
            members.iter().map(|member| value(&member.value)).collect()
        }
        let built = RouteFrom {
            nets: networks(from.net.as_ref()),
            continents: list(from.continent.as_ref(), |continent| continent.0),
            countries: list(from.country.as_ref(), |country| country.0),
            subdivisions: list(from.subdivision.as_ref(), |part| part.0),
            asns: list(from.asn.as_ref(), |asn| asn.as_u32()),
        };
        if built.is_everyone() && !from.broken {
            let diagnostic = self.decoder.error(span, "this `from` names no clients");
            diagnostic.help = Some("leave `from` out if the route is for everyone".to_owned());
        }
        built
    }

    /// Warns of pools that no route goes to, unless an error may be the reason.
    fn unused_pools(&mut self, pools: &Pools<'_>, catch_all: bool) {
        let warn = catch_all && !self.decoder.has_errors();
        // Clients that match no route go to the pools in file order, so that all of them serve.
        for (at, name) in pools.names.iter().enumerate().filter(|_| warn) {
            if !pools.used.contains(&(at as u16)) {
                let message = format!("no route goes to the pool `{}`", name.value);
                self.decoder.warning(&name.span, message);
            }
        }
    }

    /// Warns of latencies that no route uses.
    pub(super) fn unused_latencies(&mut self, path: Option<&Spanned<String>>, routes: &[Route]) {
        let asks = |route: &Route| route.to.asks_latencies();
        if let Some(path) = path.filter(|_| !self.decoder.has_errors())
            && !routes.iter().any(asks)
        {
            self.decoder.warning(&path.span, "no route uses these latencies").help =
                Some("write a route such as `to = { fastest = [\"eu\", \"us\"] }`".to_owned());
        }
    }

    fn target(&mut self, pools: &mut Pools<'_>, to: &Spanned<To>, depth: usize) -> Option<Target> {
        if depth > TARGET_DEPTH_MAX {
            let message = format!("`to` nests deeper than {TARGET_DEPTH_MAX} levels");
            self.decoder.error(&to.span, message);
            return None;
        }
        match &to.value {
            To::Pool(name) => self.pool(pools, name, to).map(Target::Pool),
            To::Failover(members) => {
                self.at_most_pools(to, members.len())?;
                let targets: Vec<Option<Target>> =
                    members.iter().map(|to| self.target(pools, to, depth + 1)).collect();
                targets.into_iter().collect::<Option<_>>().map(Target::Failover)
            }
            To::Nearest(names) => {
                self.at_most_pools(to, names.len())?;
                let pools: Vec<Option<PoolIndex>> =
                    names.iter().map(|name| self.located_pool(pools, name)).collect();
                pools.into_iter().collect::<Option<_>>().map(Target::Nearest)
            }
            To::Fastest(names) => {
                self.at_most_pools(to, names.len())?;
                if !pools.has_latencies {
                    let message = "`fastest` needs latencies, which this service lacks";
                    self.decoder.error(&to.span, message).help = Some(
                        "write `latencies = \"web.csv\"` in the service: a file with lines \
                         PREFIX,POOL,MILLISECONDS"
                            .to_owned(),
                    );
                }
                let pools: Vec<Option<PoolIndex>> =
                    names.iter().map(|name| self.pool(pools, &name.value, name)).collect();
                pools.into_iter().collect::<Option<_>>().map(Target::Fastest)
            }
            To::All(members) => {
                self.at_most_pools(to, members.len())?;
                let targets: Vec<Option<Target>> =
                    members.iter().map(|to| self.target(pools, to, depth + 1)).collect();
                let all = targets.into_iter().collect::<Option<_>>().map(Target::All)?;
                self.check_union(pools, to, &all);
                Some(all)
            }
            To::Split(shares) => {
                self.at_most_pools(to, shares.len())?;
                if !shares.is_empty() && shares.iter().all(|(_, weight)| weight.as_u32() == 0) {
                    self.decoder.error(&to.span, "the weights of this split are all 0");
                }
                let targets: Vec<Option<(Target, u16)>> = shares
                    .iter()
                    .map(|(to, weight)| Some((self.target(pools, to, depth + 1)?, weight.as_u16())))
                    .collect();
                targets.into_iter().collect::<Option<_>>().map(Target::Split)
            }
        }
    }

    /// Finds the pool called `name`, and reports an error if it has no location.
    fn located_pool(&mut self, pools: &mut Pools<'_>, name: &Spanned<String>) -> Option<PoolIndex> {
        let index = self.pool(pools, &name.value, name)?;
        let pool = pools.built.get(usize::from(index.0));
        if pool.is_some_and(|pool| pool.location.is_none()) {
            let message = format!("the pool `{}` does not say where it is", name.value);
            self.decoder.error(&name.span, message).help =
                Some("give it `location = { lat = 50.1, lon = 8.7 }`".to_owned());
        }
        Some(index)
    }

    /// Reports an `all` of targets, or of more endpoints than one draw can hold.
    fn check_union(&mut self, pools: &Pools<'_>, to: &Spanned<To>, all: &Target) {
        let mut named = Vec::new();
        all.pools(&mut named);
        named.sort_unstable();
        named.dedup();
        let named = || named.iter().filter_map(|at| pools.built.get(usize::from(at.0)));
        let is_target = |pool: &&Pool| {
            pool.endpoints.iter().any(|endpoint| matches!(endpoint.place, Place::Target(_)))
        };
        if let Some(pool) = named().find(is_target) {
            let message = format!("the endpoints of the pool `{}` are targets", pool.name);
            self.decoder.error(&to.span, message).help =
                Some("`all` can only take addresses together: an answer has one CNAME".to_owned());
        }
        let blocks: usize = named().map(|pool| pool.endpoints.len().div_ceil(BLOCK)).sum();
        if blocks > BLOCK {
            let message =
                format!("`all` takes too many endpoints together ({blocks} times {BLOCK})");
            self.decoder.error(&to.span, message).help =
                Some(format!("`all` takes {BLOCK} pools of {BLOCK} endpoints at the most"));
        }
    }

    /// Returns `None`, after an error, for a list that is too long.
    fn at_most_pools(&mut self, to: &Spanned<To>, members: usize) -> Option<()> {
        if members > POOLS_MAX {
            let message = format!("{members} members; a list has {POOLS_MAX} at the most");
            self.decoder.error(&to.span, message);
            return None;
        }
        Some(())
    }

    /// Finds the pool called `name`; if there is none, reports an error at `at`, which wrote the
    /// name.
    pub(super) fn pool<T>(
        &mut self,
        pools: &mut Pools<'_>,
        name: &str,
        at: &Spanned<T>,
    ) -> Option<PoolIndex> {
        let Some(index) = pools.names.iter().position(|known| known.value == name) else {
            let known: Vec<&str> = pools.names.iter().map(|name| name.value.as_str()).collect();
            let help = one_of(name, "known pools", known.iter().copied());
            let help = help.or_else(|| Some("this service has no pools".to_owned()));
            self.decoder.error(&at.span, format!("unknown pool `{name}`")).help = help;
            return None;
        };
        pools.used.insert(index as u16);
        Some(PoolIndex(index as u16))
    }
}
