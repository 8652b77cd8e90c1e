//! Routes and the `to` algebra: names of pools become indices.

use std::collections::HashSet;

use super::Builder;
use crate::config::decode::{List, Spanned, one_of};
use crate::config::spec::route::{Route as RouteSpec, To};
use crate::zone::limits::{POOLS_MAX, ROUTES_MAX, TARGET_DEPTH_MAX};
use crate::zone::{PoolIndex, Route, Target};

/// The pools of one service, by name.
pub(super) struct Pools<'a> {
    /// Their names in file order; one of them may be missing from the zone after an error.
    pub(super) names: Vec<&'a Spanned<String>>,
    /// Those that a route or `on_all_down` names.
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
        for (at, Spanned { value: route, span }) in routes.iter().enumerate() {
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
            let from = route.from.as_ref().map(|from| &from.value);
            catch_all |= from.is_none();
            let nets = from.and_then(|from| from.net.as_ref());
            let from = nets.iter().flat_map(|nets| &nets.value.0).map(|net| net.value.0).collect();
            let to = route.to.as_ref().and_then(|to| self.target(pools, to, 1));
            built.extend(to.map(|to| Route { from, to }));
        }
        self.unused_pools(pools, catch_all);
        built
    }

    /// Warns of pools that no client can reach, unless an error may be why.
    fn unused_pools(&mut self, pools: &Pools<'_>, catch_all: bool) {
        let warn = catch_all && !self.decoder.has_errors();
        // Who matches no route goes to the pools in file order: then all of them serve.
        for (at, name) in pools.names.iter().enumerate().filter(|_| warn) {
            if !pools.used.contains(&(at as u16)) {
                let message = format!("no route goes to the pool `{}`", name.value);
                self.decoder.warning(&name.span, message);
            }
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

    /// `None`, after an error, for a list that is too long.
    fn at_most_pools(&mut self, to: &Spanned<To>, members: usize) -> Option<()> {
        if members > POOLS_MAX {
            let message = format!("{members} members; a list has {POOLS_MAX} at the most");
            self.decoder.error(&to.span, message);
            return None;
        }
        Some(())
    }

    /// The pool called `name`, which `at` wrote; one that does not exist is an error there.
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
