//! An explanation as people read it: titles, each before the lines that belong to it.

use std::fmt::{self, Display, Formatter, Write};

use super::{
    Client, Endpoint, Explanation, Hop, Pool, PoolSeen, Route, Service, Step, Walk, route,
};
use crate::geo::{Code, continent_name, country_name};

/// The width of the titles, in characters.
const TITLE_LEN: usize = 11;

impl Display for Explanation {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (at, hop) in self.hops.iter().enumerate() {
            if at > 0 {
                writeln!(f)?;
            }
            write_hop(f, hop)?;
        }
        Ok(())
    }
}

/// A writer of lines under one title, which stands before the first.
struct Titled<'f, 'a> {
    f: &'f mut Formatter<'a>,
    title: &'static str,
}

impl<'f, 'a> Titled<'f, 'a> {
    fn new(f: &'f mut Formatter<'a>, title: &'static str) -> Self {
        Self { f, title }
    }

    fn line(&mut self, line: impl Display) -> fmt::Result {
        let title = std::mem::take(&mut self.title);
        let line = line.to_string();
        writeln!(self.f, "{}", format!("{title:TITLE_LEN$}{line}").trim_end())
    }
}

fn write_hop(f: &mut Formatter<'_>, hop: &Hop) -> fmt::Result {
    Titled::new(f, "name").line(format_args!("{}: {}", hop.name, hop.found))?;
    if let Some(zone) = &hop.zone {
        Titled::new(f, "zone").line(zone)?;
    }
    let Some(service) = &hop.service else { return Ok(()) };
    write_client(f, &service.client)?;
    write_routes(Titled::new(f, "routes"), &service.routes)?;
    for nested in &service.nested {
        let mut out = Titled::new(f, "");
        out.line(format_args!("of the service {}, a member of a pool:", nested.service))?;
        write_routes(out, &nested.routes)?;
    }
    for walk in &service.walks {
        write_walk(f, walk)?;
    }
    write_pools(f, &service.pools)?;
    write_answer(f, service)
}

fn write_client(f: &mut Formatter<'_>, client: &Client) -> fmt::Result {
    let mut out = Titled::new(f, "client");
    out.line(format_args!("{}, the {}", client.address, client.by))?;
    match &client.place {
        Some(place) => {
            let named = |text: &Option<String>, name: fn(Code) -> Option<&'static str>| {
                let code = text.as_deref().and_then(Code::new)?;
                Some(route::named(code, name(code)))
            };
            let mut parts = place.subdivisions.clone();
            parts.extend(named(&place.country, country_name));
            parts.extend(named(&place.continent, continent_name));
            parts.extend(place.location.map(|(lat, lon)| format!("at {lat:.2}, {lon:.2}")));
            out.line(format_args!("{}; according to {}", parts.join(", "), place.source))?;
        }
        None => out.line("no data says where it is")?,
    }
    match &client.system {
        Some(system) => out.line(format_args!("AS{}; according to {}", system.asn, system.source)),
        None => Ok(()),
    }
}

fn write_routes(mut out: Titled<'_, '_>, routes: &[Route]) -> fmt::Result {
    if routes.is_empty() {
        return out.line("none: everyone is led to the pools in file order");
    }
    for (at, route) in routes.iter().enumerate() {
        let from = match route.from.as_str() {
            "" => "everyone",
            from => from,
        };
        let fate = match (route.taken, route.why.is_empty()) {
            (true, _) => "taken",
            (false, true) => "not reached",
            (false, false) => "passed by",
        };
        out.line(format_args!("{}. {from} → {}", at + 1, route.to))?;
        let colon = if route.why.is_empty() { "" } else { ": " };
        out.line(format_args!("   {fate}{colon}{}", route.why))?;
    }
    if !routes.iter().any(|route| route.taken) {
        out.line("no route takes the client: it is led to the pools in file order")?;
    }
    Ok(())
}

fn write_walk(f: &mut Formatter<'_>, walk: &Walk) -> fmt::Result {
    let title = match walk.needs {
        "min_up" => "pools",
        "any_up" => "then, needing only one endpoint up",
        "any_drained" => "then, with drained endpoints too",
        _ => "then, whatever the states: on_all_down",
    };
    let mut out = match walk.needs {
        "min_up" => Titled::new(f, title),
        _ => {
            let mut out = Titled::new(f, "");
            out.line(title)?;
            out
        }
    };
    if walk.steps.is_empty() {
        return out.line("no pool is left to try");
    }
    for step in &walk.steps {
        match step {
            Step::Pool(seen) => out.line(pool_seen(seen))?,
            Step::Split { drew, weight, of } => out.line(format_args!(
                "split: {} is drawn, a share of {weight} in {of}",
                drew.join(", ")
            ))?,
        }
    }
    Ok(())
}

fn pool_seen(seen: &PoolSeen) -> String {
    let PoolSeen { pool, family, up, total, endpoints_up, endpoints, min_up, usable, why } = seen;
    let noun = if *endpoints == 1 { "endpoint" } else { "endpoints" };
    let mut text = format!("{pool}: {endpoints_up} of {endpoints} {noun} up");
    if *family != "any" {
        let _ = write!(text, " for {family}");
    }
    if (up, total) != (endpoints_up, endpoints) {
        let _ = write!(text, ", weight {up} of {total}");
    }
    if *min_up > 0.0 {
        let _ = write!(text, ", min_up {} %", (min_up * 1e4).round() / 1e2);
    }
    let _ = match usable {
        true => write!(text, ": usable"),
        false => write!(text, ": passed over, {why}"),
    };
    text
}

fn write_pools(f: &mut Formatter<'_>, pools: &[Pool]) -> fmt::Result {
    let mut out = Titled::new(f, "endpoints");
    let places = |endpoint: &Endpoint| match &endpoint.target {
        Some(target) => target.clone(),
        None => {
            let by = |a: &super::Address| if a.is_written { " by state" } else { "" };
            let address = |a: &super::Address| format!("{} {}{}", a.address, a.state, by(a));
            endpoint.addresses.iter().map(address).collect::<Vec<_>>().join(", ")
        }
    };
    let weights = |endpoint: &Endpoint| match (endpoint.weight, endpoint.weight_percent) {
        (weight, 100) => format!("weight {weight}"),
        (weight, percent) => format!("weight {weight} at {percent} %"),
    };
    let endpoints = || pools.iter().flat_map(|pool| &pool.endpoints);
    let weight_len = endpoints().map(|e| weights(e).len()).max().unwrap_or(0);
    let name_len = endpoints().map(|endpoint| endpoint.name.len()).max().unwrap_or(0);
    let place_len = endpoints().map(|endpoint| places(endpoint).len()).max().unwrap_or(0);
    for pool in pools {
        let took = pool.latency_ms.map_or(String::new(), |ms| format!(", measured {ms} ms away"));
        let away = pool.distance_km.map_or(String::new(), |km| format!(", counted {km} km away"));
        out.line(format_args!("{}{took}{away}", pool.name))?;
        for endpoint in &pool.endpoints {
            let mark = if endpoint.named { "◀ answered" } else { "" };
            let (name, place, weight) = (&endpoint.name, places(endpoint), weights(endpoint));
            let share = endpoint
                .share
                .map_or(String::new(), |share| format!("{:.1} % of draws", share * 100.0));
            out.line(format_args!(
                "  {name:name_len$}  {place:place_len$}  {weight:weight_len$}  {share:16}  {mark}"
            ))?;
        }
    }
    Ok(())
}

fn write_answer(f: &mut Formatter<'_>, service: &Service) -> fmt::Result {
    let mut out = Titled::new(f, "answer");
    let named = service.pools.iter().flat_map(|pool| &pool.endpoints).filter(|e| e.named);
    let named: Vec<&str> = named.map(|endpoint| endpoint.name.as_str()).collect();
    let how = match (named.is_empty(), service.sticky) {
        (true, _) => "no endpoint".to_owned(),
        (false, true) => format!("{}, to which this client sticks", named.join(", ")),
        (false, false) => named.join(", "),
    };
    let whom = match service.scope {
        0 => "everyone".to_owned(),
        scope => format!("all of the client's /{scope}"),
    };
    out.line(format_args!("{how}; TTL {} s, the same for {whom}", service.ttl))
}
