//! Where clients are: prefix → place and autonomous system.
//!
//! ```text
//! databases, own networks ─ Geo ─▶ Ranges of place numbers, Ranges of system numbers
//!                                    │ steering compiles them into decisions at load
//! client address ─ Geo::locate ─▶ Location                       (explain)
//! ```
//!
//! A query only searches [`Ranges`]: what a route needs of a place is worked out when it is loaded.

mod countries;
mod database;
mod place;
mod ranges;
mod sources;

pub use countries::{continent_name, continent_named, continent_of, country_name, country_named};
pub use database::Database;
pub use place::{Code, Coordinates, Place, Subdivision};
pub use ranges::{Cutter, Found, Ranges};
pub use sources::OwnNetwork;

#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::sync::Arc;

/// All that is known of where addresses are.
#[derive(Clone, Debug)]
pub struct Geo {
    /// The number of each address's place in the table.
    places: Arc<Ranges<u32>>,
    /// By number; 0 is the unknown place.
    place_table: Box<[Sourced<Place>]>,
    /// The number of each address's autonomous system in the table.
    systems: Arc<Ranges<u32>>,
    /// By number; 0 is the unknown one. AS numbers.
    system_table: Box<[Sourced<u32>]>,
    /// What said it: the names of databases and of the operator's own list.
    sources: Box<[String]>,
}

/// A value and the place of who said it among the sources.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sourced<T> {
    /// The value.
    pub value: T,
    /// Its source.
    pub source: u16,
}

/// Where one address is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Location<'a> {
    /// The place, and what says so; `None` if nothing is known.
    pub place: Option<(Place, &'a str)>,
    /// The number of the autonomous system, and what says so.
    pub asn: Option<(u32, &'a str)>,
}

impl Default for Geo {
    /// Nothing is known.
    fn default() -> Self {
        let (place, asn) = (Place::default(), 0);
        Self {
            places: Arc::new(Ranges::everywhere(0)),
            place_table: [Sourced { value: place, source: 0 }].into(),
            systems: Arc::new(Ranges::everywhere(0)),
            system_table: [Sourced { value: asn, source: 0 }].into(),
            sources: Box::default(),
        }
    }
}

impl Geo {
    /// From the numbers of places and systems by address, and what stands behind the numbers, of
    /// which 0 is "unknown" in both.
    pub fn new(
        (places, place_table): (Ranges<u32>, Box<[Sourced<Place>]>),
        (systems, system_table): (Ranges<u32>, Box<[Sourced<u32>]>),
        sources: Box<[String]>,
    ) -> Self {
        let (places, systems) = (Arc::new(places), Arc::new(systems));
        Self { places, place_table, systems, system_table, sources }
    }

    /// Whether nothing is known of any address.
    pub fn is_empty(&self) -> bool {
        self.place_table.len() <= 1 && self.system_table.len() <= 1
    }

    /// The numbers of places by address.
    pub fn places(&self) -> &Ranges<u32> {
        &self.places
    }

    /// The place of that number.
    pub fn place(&self, number: u32) -> Place {
        self.place_table.get(number as usize).map_or(Place::default(), |place| place.value)
    }

    /// The numbers of autonomous systems by address: not AS numbers yet.
    pub fn systems(&self) -> &Ranges<u32> {
        &self.systems
    }

    /// The AS number behind that number; 0: unknown.
    pub fn asn(&self, number: u32) -> u32 {
        self.system_table.get(number as usize).map_or(0, |system| system.value)
    }

    /// Where `address` is.
    pub fn locate(&self, address: IpAddr) -> Location<'_> {
        let address = address.to_canonical();
        let said_by =
            |source: u16| self.sources.get(usize::from(source)).map_or("", String::as_str);
        let place = self.place_table.get(self.places.find(address).value as usize);
        let system = self.system_table.get(self.systems.find(address).value as usize);
        Location {
            place: place
                .filter(|place| !place.value.is_unknown())
                .map(|place| (place.value, said_by(place.source))),
            asn: system
                .filter(|system| system.value != 0)
                .map(|system| (system.value, said_by(system.source))),
        }
    }
}
