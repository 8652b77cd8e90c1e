//! Warnings about routes, and about values in them, that no client reaches: the first match
//! decides.

use ipnet::IpNet;

use super::Builder;
use crate::config::decode::{OneOrMany, Spanned};
use crate::config::spec::route::{From, Route as RouteSpec};
use crate::geo::{Code, Ranges, Subdivision, continent_of};
use crate::zone::RouteFrom;

/// The most earlier routes that a route is compared with. A route with more is not compared at all:
/// these are only warnings, and loading must not wait for them.
const ROUTES_COMPARED_MAX: usize = 256;

/// One key of a route with one of its values.
#[derive(Clone, Copy)]
enum Value {
    Net(IpNet),
    Continent(Code),
    Country(Code),
    Subdivision(Subdivision),
    Asn(u32),
}

/// An earlier route, prepared for comparisons.
pub(super) struct Earlier {
    from: RouteFrom,
    /// A lookup of addresses: whether the networks of the route hold them.
    nets: Ranges<bool>,
}

impl Earlier {
    /// Prepares a route with these clients.
    pub(super) fn new(from: RouteFrom) -> Self {
        let nets = Ranges::of_networks(false, from.nets.iter().map(|&net| (net, true)));
        Self { from, nets }
    }

    /// Returns whether the networks of the route hold all of `net`, or it names none.
    fn holds(&self, net: IpNet) -> bool {
        let found = self.nets.find(net.network());
        self.from.nets.is_empty() || found.value && found.scope <= net.prefix_len()
    }

    /// Returns whether the networks of the route hold all those of `with`, or it names none.
    fn holds_all(&self, with: &RouteFrom) -> bool {
        let held = || with.nets.iter().all(|&net| self.holds(net));
        self.from.nets.is_empty() || !with.nets.is_empty() && held()
    }
}

impl Value {
    /// Returns whether `earlier` takes every client that has this value and matches `with`.
    /// `holds_all` tells whether it holds all networks of `with`.
    fn is_taken_by(self, earlier: &Earlier, holds_all: bool, with: &RouteFrom) -> bool {
        let asns = &earlier.from.asns;
        let net = match self {
            Self::Net(net) => earlier.holds(net),
            _ => holds_all,
        };
        let asn = match self {
            Self::Asn(asn) => asns.is_empty() || asns.contains(&asn),
            _ => is_within(&with.asns, asns),
        };
        net && asn && self.has_place_of(&earlier.from, with)
    }

    /// Returns whether `earlier`, by its places alone, takes every client that has this value and
    /// matches `with`.
    fn has_place_of(self, earlier: &RouteFrom, with: &RouteFrom) -> bool {
        let countries: Vec<Code> = match self {
            Self::Subdivision(part) => vec![part.country],
            Self::Country(country) => vec![country],
            _ if !with.countries.is_empty() => with.countries.clone(),
            _ => with.subdivisions.iter().map(|part| part.country).collect(),
        };
        let continents: Vec<Code> = match self {
            Self::Continent(continent) => vec![continent],
            _ if !with.continents.is_empty() => with.continents.clone(),
            _ => countries.iter().filter_map(|&country| continent_of(country)).collect(),
        };
        let parts = match self {
            Self::Subdivision(part) => vec![part],
            _ => with.subdivisions.clone(),
        };
        is_within(&continents, &earlier.continents)
            && is_within(&countries, &earlier.countries)
            && is_within(&parts, &earlier.subdivisions)
    }
}

/// Returns whether a key with `list` takes every client that is known to be in one of `known`.
fn is_within<T: PartialEq>(known: &[T], list: &[T]) -> bool {
    list.is_empty() || !known.is_empty() && known.iter().all(|one| list.contains(one))
}

impl Builder<'_> {
    /// Warns if earlier routes take all or some of the clients `from` of `route`.
    pub(super) fn warn_of_reach(
        &mut self,
        route: &Spanned<RouteSpec>,
        from: &RouteFrom,
        earlier: &[Earlier],
    ) {
        if earlier.len() > ROUTES_COMPARED_MAX {
            return;
        }
        let Some(written) = route.value.from.as_ref() else { return };
        let groups = values(&written.value);
        let holding: Vec<bool> = earlier.iter().map(|earlier| earlier.holds_all(from)).collect();
        let taken = |value: Value| {
            let mut earlier = earlier.iter().zip(&holding);
            earlier.position(|(earlier, &holds_all)| value.is_taken_by(earlier, holds_all, from))
        };
        let mut dead: Vec<Spanned<usize>> = Vec::new();
        for group in groups {
            let found: Vec<Spanned<usize>> = group
                .iter()
                .filter_map(|value| Some(Spanned::new(taken(value.value)?, value.span.clone())))
                .collect();
            if found.len() == group.len() && !group.is_empty() {
                let diagnostic =
                    self.decoder.warning(&route.span, "no client can reach this route");
                diagnostic.help = Some(taken_before(&found));
                return;
            }
            dead.extend(found);
        }
        for Spanned { value: before, span } in dead {
            let message = "this value brings no client to the route";
            let diagnostic = self.decoder.warning(&span, message);
            diagnostic.help = Some(taken_before(&[Spanned::new(before, span)]));
        }
    }
}

fn taken_before(routes: &[Spanned<usize>]) -> String {
    let mut numbers: Vec<usize> = routes.iter().map(|route| route.value + 1).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let numbers: Vec<String> = numbers.into_iter().map(|number| number.to_string()).collect();
    let (routes, take) = if numbers.len() == 1 { ("route", "takes") } else { ("routes", "take") };
    format!(
        "{routes} {} of this service {take} these clients before: the first match decides",
        numbers.join(", ")
    )
}

/// Returns the values of each key of a `from`.
fn values(from: &From) -> Vec<Vec<Spanned<Value>>> {
    fn list<T>(
        key: Option<&Spanned<OneOrMany<T>>>,
        value: impl Fn(&T) -> Value,
    ) -> Vec<Spanned<Value>> {
        let members = key.map_or(&[][..], |key| &key.value.0);
        let spanned = |member: &Spanned<T>| Spanned::new(value(&member.value), member.span.clone());
        members.iter().map(spanned).collect()
    }
    vec![
        list(from.net.as_ref(), |net| Value::Net(net.0)),
        list(from.continent.as_ref(), |continent| Value::Continent(continent.0)),
        list(from.country.as_ref(), |country| Value::Country(country.0)),
        list(from.subdivision.as_ref(), |part| Value::Subdivision(part.0)),
        list(from.asn.as_ref(), |asn| Value::Asn(asn.as_u32())),
    ]
}
