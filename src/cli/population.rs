//! `waypost query --clients`: the distribution of a population of clients.

use std::io::{self, BufRead};
use std::net::IpAddr;
use std::path::Path;

use ipnet::IpNet;

use super::Failed;
use super::engine::Engine;
use super::shares::Tally;
use crate::wire::kind::Type;
use crate::wire::name::Name;

/// The most parts with answers of their own that the network of one line may have.
const PARTS_MAX: u32 = 65_536;

/// The clients of one network.
pub(super) struct Clients {
    network: IpNet,
    /// The weight of the network relative to the others.
    weight: f64,
}

/// Reads a file of lines `ADDRESS-OR-NETWORK [WEIGHT]`; `-` is standard input.
pub(super) fn read(path: &Path) -> Result<Vec<Clients>, Failed> {
    let cannot = |error: io::Error| {
        eprintln!("error: cannot read {}: {error}", path.display());
        Failed
    };
    let lines: Box<dyn BufRead> = if path.as_os_str() == "-" {
        Box::new(io::stdin().lock())
    } else {
        Box::new(io::BufReader::new(std::fs::File::open(path).map_err(cannot)?))
    };
    let (mut population, mut is_right) = (Vec::new(), true);
    for (number, line) in lines.lines().enumerate() {
        let line = line.map_err(cannot)?;
        let text = line.split('#').next().unwrap_or_default();
        let mut words = text.split_whitespace();
        let Some(network) = words.next() else { continue };
        match clients(network, words.next(), words.next()) {
            Ok(clients) => population.push(clients),
            Err(problem) => {
                eprintln!("error: {}:{}: {problem}", path.display(), number + 1);
                is_right = false;
            }
        }
    }
    if population.is_empty() && is_right {
        eprintln!("error: {} names no clients: write one on each line", path.display());
    }
    if is_right && !population.is_empty() { Ok(population) } else { Err(Failed) }
}

fn clients(network: &str, weight: Option<&str>, more: Option<&str>) -> Result<Clients, String> {
    let single = || network.parse::<IpAddr>().ok().map(IpNet::from);
    let parsed = network.parse::<IpNet>().ok().or_else(single);
    let Some(parsed) = parsed else {
        return Err(format!("{network} is neither an address nor a network"));
    };
    let weight = match weight {
        None => 1.0,
        Some(text) => match text.parse::<f64>() {
            Ok(weight) if weight.is_finite() && weight >= 0.0 => weight,
            _ => return Err(format!("{text} is no weight: write a number from 0 up")),
        },
    };
    match more {
        Some(more) => {
            Err(format!("unexpected {more}: write only a network and a weight on each line"))
        }
        None => Ok(Clients { network: parsed.trunc(), weight }),
    }
}

/// Asks `count` times for each part of each network within which the answer is the same. A part
/// counts by its share of the network's addresses.
pub(super) fn ask<'s>(
    engine: &mut Engine,
    tally: &mut Tally<'s>,
    (name, qtype): (&Name, Type),
    population: &[Clients],
    count: u32,
) -> Result<(), Failed> {
    for Clients { network, weight } in population {
        let (mut next, mut parts) = (Some(network.network()), 0);
        while let Some(client) = next {
            parts += 1;
            if parts > PARTS_MAX {
                eprintln!(
                    "error: {network} has more than {PARTS_MAX} parts; split it into several lines"
                );
                return Err(Failed);
            }
            engine.set_client(client);
            let scope = engine.scope(name, qtype).max(network.prefix_len());
            let part = IpNet::new(client, scope).unwrap_or(*network);
            let share = 0.5f64.powi(i32::from(scope - network.prefix_len()));
            for _ in 0..count {
                tally.add(&engine.explain(name, qtype), weight * share / f64::from(count));
            }
            next = behind(part.broadcast()).filter(|next| network.contains(next));
        }
    }
    Ok(())
}

/// Returns the next address.
fn behind(address: IpAddr) -> Option<IpAddr> {
    match address {
        IpAddr::V4(address) => address.to_bits().checked_add(1).map(|bits| IpAddr::V4(bits.into())),
        IpAddr::V6(address) => address.to_bits().checked_add(1).map(|bits| IpAddr::V6(bits.into())),
    }
}
