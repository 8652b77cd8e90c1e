//! Routes in the words of the zone file, and the reasons why they take a client or pass it by.

use std::fmt::Display;
use std::net::IpAddr;

use crate::geo::{Code, Location, Subdivision, continent_name, country_name};
use crate::zone::{PoolIndex, RouteFrom, Target};

/// The most values of a list that are shown.
const SHOWN_MAX: usize = 8;

/// Returns the clients that a route takes, in words; empty for everyone.
pub(super) fn from(from: &RouteFrom) -> String {
    let mut keys = Vec::new();
    let mut add = |key: &str, values: String| {
        if !values.is_empty() {
            keys.push(format!("{key} {values}"));
        }
    };
    add("net", either(&from.nets));
    add("continent", either(&from.continents));
    add("country", either(&from.countries));
    add("subdivision", either(&from.subdivisions));
    add("asn", either(&from.asns));
    keys.join(" and ")
}

/// Returns the target of a route as TOML.
pub(super) fn to(to: &Target, names: &[&str]) -> String {
    let name = |at: &PoolIndex| {
        format!("\"{}\"", names.get(usize::from(at.0)).copied().unwrap_or_default())
    };
    let list = |list: &[Target]| {
        let all: Vec<String> = list.iter().map(|to| self::to(to, names)).collect();
        format!("[{}]", all.join(", "))
    };
    let pools = |pools: &[PoolIndex]| pools.iter().map(name).collect::<Vec<_>>().join(", ");
    match to {
        Target::Pool(pool) => name(pool),
        // This occurs only inside a pool of services, which is shown by its name.
        Target::Service(_) => String::new(),
        Target::Failover(targets) => list(targets),
        Target::All(targets) => format!("{{ all = {} }}", list(targets)),
        Target::Nearest(nearest) => format!("{{ nearest = [{}] }}", pools(nearest)),
        Target::Fastest(fastest) => format!("{{ fastest = [{}] }}", pools(fastest)),
        Target::Split(branches) => {
            let branch = |(to, weight): &(Target, u16)| match to {
                Target::Pool(pool) => format!("{} = {weight}", name(pool).trim_matches('"')),
                _ => format!("{} = {weight}", self::to(to, names)),
            };
            let branches: Vec<String> = branches.iter().map(branch).collect();
            format!("{{ split = {{ {} }} }}", branches.join(", "))
        }
    }
}

/// Returns why a route takes the client, or the first of its keys that does not.
pub(super) fn why(
    from: &RouteFrom,
    client: IpAddr,
    location: &Location<'_>,
    taken: bool,
) -> String {
    if from.is_everyone() {
        return "it takes everyone".to_owned();
    }
    let place = location.place.map(|(place, _)| place).unwrap_or_default();
    let subdivisions = place.subdivisions.iter().flatten().any(|s| from.subdivisions.contains(s));
    let asn = location.asn.map(|(asn, _)| asn);
    let keys = [
        (!from.nets.is_empty()).then(|| net(from, client)),
        (!from.continents.is_empty()).then(|| {
            let fits = place.continent.is_some_and(|code| from.continents.contains(&code));
            (fits, one("continent", place.continent.map(continent)))
        }),
        (!from.countries.is_empty()).then(|| {
            let fits = place.country.is_some_and(|code| from.countries.contains(&code));
            (fits, one("country", place.country.map(country)))
        }),
        (!from.subdivisions.is_empty()).then(|| {
            let known: Vec<Subdivision> = place.subdivisions.iter().flatten().copied().collect();
            let known = (!known.is_empty()).then(|| either(&known));
            (subdivisions, one("subdivision", known))
        }),
        (!from.asns.is_empty()).then(|| {
            let fits = asn.is_some_and(|asn| from.asns.contains(&asn));
            (fits, one("AS", asn.map(|asn| asn.to_string())))
        }),
    ];
    let keys = keys.into_iter().flatten();
    let that: Vec<String> = match taken {
        true => keys.map(|(_, that)| that).collect(),
        false => keys.filter(|(fits, _)| !fits).map(|(_, that)| that).take(1).collect(),
    };
    that.join(", ")
}

fn net(from: &RouteFrom, client: IpAddr) -> (bool, String) {
    let client = client.to_canonical();
    let holding = from.nets.iter().filter(|net| net.contains(&client));
    match holding.max_by_key(|net| net.prefix_len()) {
        Some(net) => (true, format!("it is in {net}")),
        None => (false, "it is in none of these networks".to_owned()),
    }
}

/// Returns what is known of a client under one key.
fn one(key: &str, known: Option<String>) -> String {
    match known {
        Some(known) => format!("its {key} is {known}"),
        None => format!("its {key} is not known"),
    }
}

fn continent(code: Code) -> String {
    named(code, continent_name(code))
}

fn country(code: Code) -> String {
    named(code, country_name(code))
}

/// Returns the name that a code stands for, with the code.
pub(super) fn named(code: Code, name: Option<&str>) -> String {
    name.map_or(code.to_string(), |name| format!("{name} ({code})"))
}

/// Returns the values of a list, as many as people can read.
fn either<T: Display>(values: &[T]) -> String {
    let mut shown: Vec<String> = values.iter().take(SHOWN_MAX).map(ToString::to_string).collect();
    if values.len() > SHOWN_MAX {
        shown.push(format!("{} more", values.len() - SHOWN_MAX));
    }
    match shown.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => String::new(),
    }
}
