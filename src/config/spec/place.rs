//! Places: codes for those of clients, coordinates for those of pools.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};

use crate::config::decode::{Decode, Decoder, Int, Node, Spanned, table};
use crate::geo::{
    Code, Coordinates, Subdivision as SubdivisionCode, continent_name, continent_named,
    country_name, country_named,
};

/// The number of an autonomous system (RFC 6793).
pub(crate) type Asn = Int<1, 4_294_967_295>;

/// A continent, by its two letters.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Continent(pub(crate) Code);

/// A country, by ISO 3166-1 alpha-2.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Country(pub(crate) Code);

/// A part of a country, by ISO 3166-2.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subdivision(pub(crate) SubdivisionCode);

/// Degrees from `-MAX` to `MAX`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Degrees<const MAX: u8>(pub(crate) f64);

/// Kilometres from `-BIAS_MAX` to `BIAS_MAX`, which is half the way around the earth.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bias(pub(crate) i32);

/// The largest [`Bias`] in either direction, in kilometres.
const BIAS_MAX: i32 = 20_000;

table! {
    /// A point on the globe.
    pub(crate) struct Location {
        /// Degrees north, -90 to 90.
        lat: Degrees<90>, required;
        /// Degrees east, -180 to 180.
        lon: Degrees<180>, required;
    }
}

impl Location {
    /// Returns the point; `None` if a coordinate is missing.
    pub(crate) fn coordinates(&self) -> Option<Coordinates> {
        let degrees = |lat: Degrees<90>, lon: Degrees<180>| Coordinates::new(lat.0, lon.0);
        let value = |key: &Option<Spanned<Degrees<90>>>| key.as_ref().map(|key| key.value);
        let lon = self.lon.as_ref().map(|key| key.value)?;
        degrees(value(&self.lat)?, lon)
    }
}

impl Decode for Continent {
    fn decode(node: &Node<'_>, decoder: &mut Decoder) -> Option<Self> {
        let text = String::decode(node, decoder)?;
        if let Some(code) = Code::new(&text).filter(|&code| continent_name(code).is_some()) {
            return Some(Self(code));
        }
        let help = continent_named(&text).map(|code| format!("did you mean \"{code}\"?"));
        let message = format!("unknown continent \"{text}\"");
        decoder.error(&node.span(), message).help =
            help.or_else(|| Some("the continents are AF, AN, AS, EU, NA, OC and SA".to_owned()));
        None
    }
}

impl Decode for Country {
    fn decode(node: &Node<'_>, decoder: &mut Decoder) -> Option<Self> {
        let text = String::decode(node, decoder)?;
        country(&text, node, decoder).map(Self)
    }
}

impl Decode for Subdivision {
    fn decode(node: &Node<'_>, decoder: &mut Decoder) -> Option<Self> {
        let text = String::decode(node, decoder)?;
        let Ok(code) = text.parse::<SubdivisionCode>() else {
            let message = format!("\"{text}\" is no part of a country");
            decoder.error(&node.span(), message).help =
                Some("write its ISO 3166-2 code, such as \"US-CA\"".to_owned());
            return None;
        };
        country(code.country.as_str(), node, decoder).map(|_| Self(code))
    }
}

/// Reads the code of a country. Any other text is an error and gives `None`.
fn country(text: &str, node: &Node<'_>, decoder: &mut Decoder) -> Option<Code> {
    if let Some(code) = Code::new(text).filter(|&code| country_name(code).is_some()) {
        return Some(code);
    }
    let help = country_named(text).map(|code| format!("did you mean \"{code}\"?"));
    decoder.error(&node.span(), format!("unknown country \"{text}\"")).help = help
        .or_else(|| Some("write its ISO 3166-1 code of two letters, such as \"DE\"".to_owned()));
    None
}

impl<const MAX: u8> Decode for Degrees<MAX> {
    fn decode(node: &Node<'_>, decoder: &mut Decoder) -> Option<Self> {
        let value = node.get_ref();
        let text = value.as_float().map(|float| float.as_str());
        let text = text.or_else(|| value.as_integer().map(|number| number.as_str()));
        let degrees = text.and_then(|text| text.parse::<f64>().ok());
        let degrees = degrees.filter(|degrees| degrees.abs() <= f64::from(MAX));
        if degrees.is_none() {
            decoder.expected(&format!("degrees from -{MAX} to {MAX}"), node);
        }
        degrees.map(Self)
    }
}

impl Decode for Bias {
    fn decode(node: &Node<'_>, decoder: &mut Decoder) -> Option<Self> {
        let number = node.get_ref().as_integer().and_then(|number| number.as_str().parse().ok());
        let number = number.filter(|number| (-BIAS_MAX..=BIAS_MAX).contains(number));
        if number.is_none() {
            let what = format!("kilometres, a whole number from -{BIAS_MAX} to {BIAS_MAX}");
            decoder.expected(&what, node);
        }
        number.map(Self)
    }
}

impl Serialize for Bias {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i32(self.0)
    }
}

impl JsonSchema for Bias {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Bias".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "minimum": -BIAS_MAX, "maximum": BIAS_MAX })
    }
}

/// Returns the schema of a code with this pattern.
fn code(pattern: &str, examples: [&str; 2]) -> Schema {
    json_schema!({ "type": "string", "pattern": pattern, "examples": examples })
}

macro_rules! code_schema {
    ($name:ident, $pattern:literal, $examples:expr) => {
        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                code($pattern, $examples)
            }
        }
    };
}

code_schema!(Continent, "^(?i)(AF|AN|AS|EU|NA|OC|SA)$", ["EU", "NA"]);
code_schema!(Country, "^[A-Za-z]{2}$", ["DE", "US"]);
code_schema!(Subdivision, "^[A-Za-z]{2}-[A-Za-z0-9]{1,3}$", ["US-CA", "DE-BE"]);

impl<const MAX: u8> JsonSchema for Degrees<MAX> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Degrees{MAX}").into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let most = i16::from(MAX);
        json_schema!({ "type": "number", "minimum": -most, "maximum": most })
    }
}
