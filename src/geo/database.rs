//! Databases in MaxMind's format: the place and the autonomous system of each prefix.
//!
//! The records of a database decide its use, not its name. GeoLite2 and GeoIP2 (City, Country, ASN,
//! ISP, Enterprise) and the databases of DB-IP nest their values in tables. IPinfo and others write
//! them flat: `country_code`, `continent_code`, `asn = "AS64500"`.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use maxminddb::{MaxMindDbError, Reader, WithinOptions};
use serde::de::{self, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::{Code, Coordinates, Cutter, Place, Ranges, Subdivision, continent_of};

/// The contents of one database, without its octets.
#[derive(Debug)]
pub struct Database {
    /// The name of its file.
    pub name: String,
    /// The type that its metadata give, such as `GeoLite2-City`.
    pub kind: String,
    /// The time when it was built, in seconds since 1970.
    pub built: u64,
    /// The number of networks that have a record.
    pub networks: usize,
    /// The number of each address's place, and the places by number; 0 is the unknown place.
    pub(super) places: (Arc<Ranges<u32>>, Vec<Place>),
    /// The number of each address's system, and the AS numbers by number; 0 is unknown.
    pub(super) systems: (Arc<Ranges<u32>>, Vec<u32>),
}

/// The fields of a network's record that are of use here.
#[derive(Debug, Default, Deserialize)]
struct Record {
    continent: Option<Coded>,
    continent_code: Option<String>,
    country: Option<Coded>,
    country_code: Option<String>,
    registered_country: Option<Coded>,
    region_code: Option<String>,
    #[serde(default)]
    subdivisions: Vec<Coded>,
    location: Option<Point>,
    latitude: Option<Number>,
    longitude: Option<Number>,
    lat: Option<Number>,
    lng: Option<Number>,
    autonomous_system_number: Option<Number>,
    asn: Option<Number>,
    traits: Option<Traits>,
}

/// A code, in a table or by itself. In its place a flat database may have a name, which is no code.
#[derive(Debug)]
struct Coded(Option<String>);

impl<'de> Deserialize<'de> for Coded {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyCoded)
    }
}

struct AnyCoded;

impl<'de> Visitor<'de> for AnyCoded {
    type Value = Coded;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a code or a table with one")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Coded, E> {
        Ok(Coded(Some(text.to_owned())))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut table: A) -> Result<Coded, A::Error> {
        let mut code = None;
        while let Some(key) = table.next_key::<String>()? {
            match key.as_str() {
                "code" | "iso_code" => code = Some(table.next_value()?),
                _ => drop(table.next_value::<IgnoredAny>()?),
            }
        }
        Ok(Coded(code))
    }
}

#[derive(Debug, Deserialize)]
struct Point {
    latitude: Option<Number>,
    longitude: Option<Number>,
}

#[derive(Debug, Deserialize)]
struct Traits {
    autonomous_system_number: Option<Number>,
}

/// A number of any type, or one written as text, such as `AS64500`: each maker writes them
/// differently. It is exact up to 2⁵³. Text that is no number becomes NaN.
#[derive(Clone, Copy, Debug)]
struct Number(f64);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyNumber)
    }
}

struct AnyNumber;

impl Visitor<'_> for AnyNumber {
    type Value = Number;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number")
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Number, E> {
        Ok(Number(number))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Number, E> {
        Ok(Number(number as f64))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Number, E> {
        Ok(Number(number as f64))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Number, E> {
        let digits = text.strip_prefix("AS").unwrap_or(text);
        Ok(Number(digits.parse().unwrap_or(f64::NAN)))
    }
}

impl Record {
    fn place(&self) -> Place {
        let code = |flat: &Option<String>, coded: &Option<Coded>| {
            let flat = flat.as_ref().and_then(|code| Code::new(code));
            flat.or_else(|| Code::new(coded.as_ref()?.0.as_ref()?))
        };
        let country = code(&self.country_code, &self.country);
        let country = country.or_else(|| code(&None, &self.registered_country));
        let continent = code(&self.continent_code, &self.continent);
        let part = |text: &String| Subdivision::new(country?, text);
        let nested = self.subdivisions.iter().filter_map(|coded| coded.0.as_ref());
        let mut parts = nested.chain(&self.region_code).filter_map(part);
        let point = self.location.as_ref().map(|point| (point.latitude, point.longitude));
        let flat = (self.latitude.or(self.lat), self.longitude.or(self.lng));
        let (latitude, longitude) = point.unwrap_or(flat);
        Place {
            // A country implies its continent, whichever source names the country.
            continent: continent.or_else(|| country.and_then(continent_of)),
            country,
            subdivisions: [parts.next(), parts.next()],
            coordinates: latitude
                .zip(longitude)
                .and_then(|(latitude, longitude)| Coordinates::new(latitude.0, longitude.0)),
        }
    }

    fn asn(&self) -> u32 {
        let of_traits = || self.traits.as_ref()?.autonomous_system_number;
        let number = self.autonomous_system_number.or(self.asn).or_else(of_traits);
        number.map_or(0, |Number(number)| number as u32)
    }
}

impl Database {
    /// Reads a database from the octets of the file called `name`.
    ///
    /// # Errors
    /// A line of text that says what is wrong with the octets.
    ///
    /// # Cost
    /// A pass over all networks; each distinct record is decoded once.
    pub fn read(name: &str, octets: &[u8]) -> Result<Self, String> {
        if octets.is_empty() {
            return Err("it is empty".to_owned());
        }
        let reader = Reader::from_source(octets).map_err(|error| match error {
            MaxMindDbError::InvalidDatabase { .. } => {
                format!("it is no database in MaxMind's format, or only a part of one: {error}")
            }
            error => error.to_string(),
        })?;
        let mut found = Found::new();
        found.walk(&reader)?;
        let metadata = reader.metadata();
        let (kind, built) = (metadata.database_type.clone(), metadata.build_epoch);
        if found.knows_nothing() {
            return Err(format!(
                "it knows neither places nor autonomous systems; it calls itself \"{kind}\""
            ));
        }
        let Found { networks, places, systems, .. } = found;
        let (places, systems) = (places.finish(), systems.finish());
        Ok(Self { name: name.to_owned(), kind, built, networks, places, systems })
    }
}

/// The values that a walk has found so far.
struct Found {
    networks: usize,
    places: Numbered<Place>,
    systems: Numbered<u32>,
    /// The numbers of the place and the system of each record, by the record's offset.
    records: HashMap<usize, (u32, u32)>,
}

/// The numbers of values by address, and the values.
struct Numbered<T> {
    cutter: Cutter<u32>,
    table: Vec<T>,
    /// The number of each value, by its text: floats cannot be keys of a hash map.
    by_text: HashMap<String, u32>,
}

impl<T: Default + fmt::Debug> Numbered<T> {
    fn new() -> Self {
        let by_text = HashMap::from([(format!("{:?}", T::default()), 0)]);
        Self { cutter: Cutter::new(0), table: vec![T::default()], by_text }
    }

    fn number(&mut self, value: T) -> u32 {
        let next = self.table.len() as u32;
        let number = *self.by_text.entry(format!("{value:?}")).or_insert(next);
        if number == next {
            self.table.push(value);
        }
        number
    }

    fn finish(self) -> (Arc<Ranges<u32>>, Vec<T>) {
        (Arc::new(self.cutter.finish()), self.table)
    }
}

impl Found {
    fn new() -> Self {
        Self {
            networks: 0,
            places: Numbered::new(),
            systems: Numbered::new(),
            records: HashMap::new(),
        }
    }

    fn walk(&mut self, reader: &Reader<&[u8]>) -> Result<(), String> {
        let broken = |error: MaxMindDbError| format!("it is damaged: {error}");
        let unread = |error: MaxMindDbError| match error {
            MaxMindDbError::Decoding { .. } => {
                let kind = &reader.metadata().database_type;
                format!("Waypost cannot read records in its layout, that of \"{kind}\": {error}")
            }
            error => broken(error),
        };
        // Data that only look like a tree could make the walk endless.
        let leaves_max = reader.metadata().node_count as usize + 1;
        // Networks without data are leaves too, and count towards that limit.
        let options = WithinOptions::default().include_networks_without_data();
        for (leaf, result) in reader.networks(options).map_err(broken)?.enumerate() {
            if leaf >= leaves_max {
                return Err("it is damaged: its networks form no tree".to_owned());
            }
            let result = result.map_err(broken)?;
            let Some(offset) = result.offset() else { continue };
            let (place, system) = match self.records.get(&offset) {
                Some(&known) => known,
                None => {
                    let record: Option<Record> = result.decode().map_err(unread)?;
                    let record = record.unwrap_or_default();
                    let known =
                        (self.places.number(record.place()), self.systems.number(record.asn()));
                    self.records.insert(offset, known);
                    known
                }
            };
            let network = result.network().map_err(broken)?;
            let network = match network.ip() {
                // An IPv6 database holds IPv4 within ::/96.
                IpAddr::V4(ip) => IpNet::new(ip.into(), network.prefix()),
                IpAddr::V6(ip) => IpNet::new(ip.into(), network.prefix()),
            };
            let network = network.map_err(|_| "it is damaged: a prefix is too long")?;
            self.networks += 1;
            self.places.cutter.add(network, place);
            self.systems.cutter.add(network, system);
        }
        Ok(())
    }

    fn knows_nothing(&self) -> bool {
        self.places.table.len() == 1 && self.systems.table.len() == 1
    }
}
