//! Several databases and the operator's own networks, combined.

use std::sync::Arc;

use ipnet::IpNet;

use super::{Database, Geo, Place, Ranges, Sourced};

/// The operator's own statement on some networks, which goes before all databases.
#[derive(Clone, Debug, PartialEq)]
pub struct OwnNetwork {
    /// The networks; the longest one that holds an address counts.
    pub nets: Vec<IpNet>,
    /// Their place; `None` leaves it to the databases.
    pub place: Option<Place>,
    /// Their AS number; `None` leaves it to the databases.
    pub asn: Option<u32>,
}

/// The values that one source gives.
struct Layer<T> {
    /// The numbers of values by address; 0 if the source knows none.
    numbers: Arc<Ranges<u32>>,
    /// The values by number.
    table: Vec<T>,
    source: u16,
}

impl Geo {
    /// Combines `own`, which the file `own_name` holds, with the databases; `own` goes first.
    ///
    /// Of several databases that know an address's place, the first gives all of it. Likewise for
    /// the autonomous system.
    pub fn of(own: &[OwnNetwork], own_name: &str, databases: &[Arc<Database>]) -> Self {
        let mut sources = vec![own_name.to_owned()];
        sources.extend(databases.iter().map(|database| database.name.clone()));
        let mut places = vec![Layer::of_own(own, |net| net.place)];
        let mut systems = vec![Layer::of_own(own, |net| net.asn)];
        for (source, database) in (1..).zip(databases) {
            let (numbers, table) = &database.places;
            places.push(Layer { numbers: numbers.clone(), table: table.clone(), source });
            let (numbers, table) = &database.systems;
            systems.push(Layer { numbers: numbers.clone(), table: table.clone(), source });
        }
        let (places, place_table) = together(places);
        let (systems, system_table) = together(systems);
        Self { places, place_table, systems, system_table, sources: sources.into() }
    }
}

impl<T: Copy + Default> Layer<T> {
    fn of_own(own: &[OwnNetwork], said: impl Fn(&OwnNetwork) -> Option<T>) -> Self {
        let mut table = vec![T::default()];
        let mut nets = Vec::new();
        for network in own {
            let Some(value) = said(network) else { continue };
            nets.extend(network.nets.iter().map(|&net| (net, table.len() as u32)));
            table.push(value);
        }
        Self { numbers: Arc::new(Ranges::of_networks(0, nets)), table, source: 0 }
    }
}

/// Lays the layers over each other, the first on top.
fn together<T: Copy + Default>(layers: Vec<Layer<T>>) -> (Arc<Ranges<u32>>, Box<[Sourced<T>]>) {
    let mut table = vec![Sourced { value: T::default(), source: 0 }];
    let mut numbers: Option<Arc<Ranges<u32>>> = None;
    for Layer { numbers: below, table: values, source } in layers {
        // A source that knows nothing costs nothing.
        if values.len() <= 1 {
            continue;
        }
        let above = table.len() as u32 - 1;
        table.extend(values.into_iter().skip(1).map(|value| Sourced { value, source }));
        numbers = Some(match numbers {
            None => below,
            Some(top) => Arc::new(top.combine(&below, |top, below| match (top, below) {
                (0, 0) => 0,
                (0, below) => above + below,
                (top, _) => top,
            })),
        });
    }
    (numbers.unwrap_or_else(|| Arc::new(Ranges::everywhere(0))), table.into())
}
