//! The place and the autonomous system of clients, by prefix.
//!
//! ```text
//! databases, own networks ─ Geo ─▶ Ranges of place numbers, Ranges of system numbers
//!                                    │ steering compiles them into decisions at load
//! client address ─ Geo::locate ─▶ Location                       (explain)
//! ```
//!
//! A query only searches [`Ranges`]: all that a route needs to know of a place is computed at load.

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

/// All that is known of the places and systems of addresses.
#[derive(Clone, Debug)]
pub struct Geo {
    /// The number of each address's place in `place_table`.
    places: Arc<Ranges<u32>>,
    /// The places by number; 0 is the unknown place.
    place_table: Box<[Sourced<Place>]>,
    /// The number of each address's autonomous system in `system_table`.
    systems: Arc<Ranges<u32>>,
    /// The AS numbers by number; 0 is the unknown system.
    system_table: Box<[Sourced<u32>]>,
    /// The names of the sources: of the operator's own list and of the databases.
    sources: Box<[String]>,
}

/// A value and its source.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sourced<T> {
    /// The value.
    pub value: T,
    /// The number of its source.
    pub source: u16,
}

/// The place and the autonomous system of one address.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Location<'a> {
    /// The place and the name of its source; `None` if nothing is known.
    pub place: Option<(Place, &'a str)>,
    /// The AS number and the name of its source; `None` if nothing is known.
    pub asn: Option<(u32, &'a str)>,
}

impl Default for Geo {
    /// Makes a `Geo` that knows nothing.
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
    /// Makes a `Geo` of the numbers of places and systems by address, and the tables of what these
    /// numbers stand for. In both tables, 0 stands for "unknown".
    pub fn new(
        (places, place_table): (Ranges<u32>, Box<[Sourced<Place>]>),
        (systems, system_table): (Ranges<u32>, Box<[Sourced<u32>]>),
        sources: Box<[String]>,
    ) -> Self {
        let (places, systems) = (Arc::new(places), Arc::new(systems));
        Self { places, place_table, systems, system_table, sources }
    }

    /// Returns whether nothing is known of any address.
    pub fn is_empty(&self) -> bool {
        self.place_table.len() <= 1 && self.system_table.len() <= 1
    }

    /// Returns the numbers of places by address.
    pub fn places(&self) -> &Ranges<u32> {
        &self.places
    }

    /// Returns the place with this number; the unknown place if there is none.
    pub fn place(&self, number: u32) -> Place {
        self.place_table.get(number as usize).map_or(Place::default(), |place| place.value)
    }

    /// Returns the numbers of autonomous systems by address, of which [`Geo::asn`] makes AS
    /// numbers.
    pub fn systems(&self) -> &Ranges<u32> {
        &self.systems
    }

    /// Returns the AS number for this number of a system; 0 if it is unknown.
    pub fn asn(&self, number: u32) -> u32 {
        self.system_table.get(number as usize).map_or(0, |system| system.value)
    }

    /// Finds the place and the system of `address`; an IPv4-mapped address counts as IPv4.
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
