//! The facts that are known of a client's place.

use std::fmt;
use std::str::FromStr;

/// The radius of the earth, in kilometres (IUGG mean).
const EARTH_RADIUS_KM: f64 = 6371.0088;

/// A two-letter code of a country (ISO 3166-1 alpha-2) or a continent.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code([u8; 2]);

/// A part of a country (ISO 3166-2), such as `US-CA`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subdivision {
    /// The country.
    pub country: Code,
    /// One to three letters and digits, padded with zeros.
    part: [u8; 3],
}

/// A point on the earth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Coordinates {
    /// Degrees north, −90 to 90.
    lat: f32,
    /// Degrees east, −180 to 180.
    lon: f32,
}

/// The place of an address, as far as it is known.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Place {
    /// AF, AN, AS, EU, NA, OC or SA.
    pub continent: Option<Code>,
    /// The country.
    pub country: Option<Code>,
    /// The part of the country, and a part of that part: `GB-ENG`, `GB-LND`.
    pub subdivisions: [Option<Subdivision>; 2],
    /// The point.
    pub coordinates: Option<Coordinates>,
}

impl Code {
    /// Reads two ASCII letters in either case; `None` for anything else.
    pub fn new(text: &str) -> Option<Self> {
        let letters: [u8; 2] = text.as_bytes().try_into().ok()?;
        let is_code = letters.iter().all(u8::is_ascii_alphabetic);
        is_code.then(|| Self(letters.map(|letter| letter.to_ascii_uppercase())))
    }

    /// Returns the two letters, in upper case.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl Subdivision {
    /// Returns the part `part` of `country`; `None` unless it is one to three letters and digits.
    pub fn new(country: Code, part: &str) -> Option<Self> {
        let is_part =
            matches!(part.len(), 1..=3) && part.bytes().all(|c| c.is_ascii_alphanumeric());
        let mut octets = [0; 3];
        for (place, letter) in octets.iter_mut().zip(part.bytes()) {
            *place = letter.to_ascii_uppercase();
        }
        is_part.then_some(Self { country, part: octets })
    }
}

impl FromStr for Subdivision {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (country, part) = text.split_once('-').ok_or(())?;
        Self::new(Code::new(country).ok_or(())?, part).ok_or(())
    }
}

impl Coordinates {
    /// Returns the point `lat` degrees north and `lon` degrees east; `None` if outside the globe.
    pub fn new(lat: f64, lon: f64) -> Option<Self> {
        let is_on_globe = lat.abs() <= 90.0 && lon.abs() <= 180.0;
        is_on_globe.then_some(Self { lat: lat as f32, lon: lon as f32 })
    }

    /// Returns the degrees north and the degrees east.
    pub fn degrees(self) -> (f32, f32) {
        (self.lat, self.lon)
    }

    /// Returns the distance between two points over the surface, in kilometres. It takes the earth
    /// for a sphere: the error is at most 0.6 %.
    pub fn distance_km(self, other: Self) -> f64 {
        let radians =
            |point: Self| (f64::from(point.lat).to_radians(), f64::from(point.lon).to_radians());
        let ((lat, lon), (other_lat, other_lon)) = (radians(self), radians(other));
        let half = |angle: f64| (angle / 2.0).sin().powi(2);
        // The haversine formula, which stays precise for points that are close together.
        let square = half(other_lat - lat) + lat.cos() * other_lat.cos() * half(other_lon - lon);
        2.0 * EARTH_RADIUS_KM * square.sqrt().min(1.0).asin()
    }
}

impl Place {
    /// Returns whether nothing is known.
    pub fn is_unknown(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Subdivision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let len = self.part.iter().position(|&letter| letter == 0).unwrap_or(self.part.len());
        let part = self.part.get(..len).and_then(|part| std::str::from_utf8(part).ok());
        write!(f, "{}-{}", self.country, part.unwrap_or_default())
    }
}

impl fmt::Debug for Subdivision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Coordinates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.4}, {:.4}", self.lat, self.lon)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_read_in_either_case() {
        assert_eq!(Code::new("de").unwrap().to_string(), "DE");
        assert_eq!("us-ca".parse::<Subdivision>().unwrap().to_string(), "US-CA");
        assert_eq!("AT-9".parse::<Subdivision>().unwrap().to_string(), "AT-9");
        for text in ["", "D", "DEU", "1A", "ä"] {
            assert_eq!(Code::new(text), None, "{text}");
        }
        for text in ["US", "US-", "US-CALI", "U-CA", "US-C_"] {
            assert!(text.parse::<Subdivision>().is_err(), "{text}");
        }
    }

    #[test]
    fn distances_are_those_of_great_circles() {
        let at = |lat, lon| Coordinates::new(lat, lon).unwrap();
        let (frankfurt, london) = (at(50.11, 8.68), at(51.51, -0.13));
        assert!((frankfurt.distance_km(london) - 638.0).abs() < 3.0);
        assert_eq!(frankfurt.distance_km(frankfurt), 0.0);
        let half_round = at(0.0, 0.0).distance_km(at(0.0, 180.0));
        assert!((half_round - 20_015.0).abs() < 1.0, "{half_round}");
        // The date line is no border.
        assert!(at(0.0, 179.5).distance_km(at(0.0, -179.5)) < 112.0);
    }

    #[test]
    fn points_lie_on_the_globe() {
        assert_eq!(Coordinates::new(90.1, 0.0), None);
        assert_eq!(Coordinates::new(0.0, -180.1), None);
        assert_eq!(Coordinates::new(f64::NAN, 0.0), None);
    }
}
