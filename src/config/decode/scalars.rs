//! Values of one word: numbers in a range, periods, words of a list.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};
use toml::de::{DeInteger, DeValue};

use super::{Decode, Decoder, Node};

/// The units of a [`Period`] in milliseconds, longest first.
const UNITS: [(&str, u64); 6] = [
    ("w", 7 * 86_400_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

impl Decode for String {
    fn decode(node: &Node<'_>, decoder: &mut Decoder) -> Option<Self> {
        let text = node.get_ref().as_str();
        if text.is_none() {
            decoder.expected("a string", node);
        }
        text.map(str::to_owned)
    }
}

impl Decode for bool {
    fn decode(node: &Node<'_>, decoder: &mut Decoder) -> Option<Self> {
        let value = node.get_ref().as_bool();
        if value.is_none() {
            decoder.expected("true or false", node);
        }
        value
    }
}

/// A whole number from `MIN` to `MAX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Int<const MIN: u32, const MAX: u32>(u32);

impl<const MIN: u32, const MAX: u32> Int<MIN, MAX> {
    /// Returns the number.
    pub(crate) fn as_u32(self) -> u32 {
        self.0
    }

    /// Returns the number as a `u16`, for ranges that end at 65535.
    pub(crate) fn as_u16(self) -> u16 {
        const { assert!(MAX <= u16::MAX as u32) };
        self.0 as u16
    }

    /// Returns the number as a `u8`, for ranges that end at 255.
    pub(crate) fn as_u8(self) -> u8 {
        const { assert!(MAX <= u8::MAX as u32) };
        self.0 as u8
    }
}

impl<const MIN: u32, const MAX: u32> From<u32> for Int<MIN, MAX> {
    /// Converts a default; a number outside the range becomes the nearest one inside.
    fn from(number: u32) -> Self {
        Self(number.clamp(MIN, MAX))
    }
}

/// Returns the value of a TOML integer, or `None` if it does not fit.
pub(crate) fn integer(number: &DeInteger<'_>) -> Option<i64> {
    i64::from_str_radix(number.as_str(), number.radix()).ok()
}

impl<const MIN: u32, const MAX: u32> Decode for Int<MIN, MAX> {
    fn decode(node: &Node<'_>, decoder: &mut Decoder) -> Option<Self> {
        let what = format!("a whole number from {MIN} to {MAX}");
        let number = node.get_ref().as_integer().and_then(integer);
        let number = number.and_then(|number| u32::try_from(number).ok());
        match number.filter(|number| (MIN..=MAX).contains(number)) {
            Some(number) => Some(Self(number)),
            None => {
                decoder.expected(&what, node);
                None
            }
        }
    }
}

impl<const MIN: u32, const MAX: u32> JsonSchema for Int<MIN, MAX> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Int{MIN}To{MAX}").into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "minimum": MIN, "maximum": MAX })
    }
}

/// A length of time, written with units: `10s`, `500ms`, `1h30m`, `2d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Period(pub(crate) Duration);

impl Period {
    /// Creates a period of `secs` seconds.
    pub(crate) const fn secs(secs: u64) -> Self {
        Self(Duration::from_secs(secs))
    }

    /// Reads numbers that are each followed by a unit; any other text gives `None`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (mut rest, mut sum) = (text, 0u64);
        while !rest.is_empty() {
            let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let (number, tail) = rest.split_at(digits);
            let letters =
                tail.len() - tail.trim_start_matches(|c: char| c.is_ascii_alphabetic()).len();
            let (unit, tail) = tail.split_at(letters);
            let &(_, millis) = UNITS.iter().find(|(name, _)| *name == unit)?;
            sum = sum.checked_add(number.parse::<u64>().ok()?.checked_mul(millis)?)?;
            rest = tail;
        }
        (!text.is_empty()).then_some(Self(Duration::from_millis(sum)))
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0.as_millis() as u64;
        if rest == 0 {
            return f.write_str("0s");
        }
        for (unit, millis) in UNITS {
            if rest >= millis {
                write!(f, "{}{unit}", rest / millis)?;
                rest %= millis;
            }
        }
        Ok(())
    }
}

impl Decode for Period {
    fn decode(node: &Node<'_>, decoder: &mut Decoder) -> Option<Self> {
        let what = "a period with a unit, such as \"10s\"";
        match node.get_ref() {
            DeValue::String(text) => {
                let period = Self::parse(text);
                if period.is_none() {
                    let message = format!("expected {what}, found \"{text}\"");
                    decoder.error(&node.span(), message).help =
                        Some("units are w, d, h, m, s and ms: \"1h30m\"".to_owned());
                }
                period
            }
            DeValue::Integer(number) => {
                let help = format!("write \"{number}s\" for {number} seconds");
                decoder.expected(what, node).help = Some(help);
                None
            }
            _ => {
                decoder.expected(what, node);
                None
            }
        }
    }
}

impl Serialize for Period {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for Period {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Period".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^([0-9]+(w|d|h|m|s|ms))+$" })
    }
}

/// Declares an enum whose values are words in the file.
macro_rules! words {
    ($(#[doc = $about:literal])+ $vis:vis enum $name:ident {
        $($(#[doc = $doc:literal])+ $variant:ident = $word:literal,)+
    }) => {
        $(#[doc = $about])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        $vis enum $name {
            $($(#[doc = $doc])+ $variant,)+
        }

        #[allow(dead_code)] // Not every enum is written back as words.
        impl $name {
            /// All words, as the file writes them.
            $vis const WORDS: &[&str] = &[$($word),+];

            /// Returns the word of this value, as the file writes it.
            $vis fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }

        impl $crate::config::decode::Decode for $name {
            fn decode(
                node: &$crate::config::decode::Node<'_>,
                decoder: &mut $crate::config::decode::Decoder,
            ) -> Option<Self> {
                let text = <String as $crate::config::decode::Decode>::decode(node, decoder)?;
                match text.as_str() {
                    $($word => Some(Self::$variant),)+
                    _ => {
                        let message = format!("unknown value \"{text}\"");
                        let help = $crate::config::decode::one_of(
                            &text, "possible values", Self::WORDS.iter().copied(),
                        );
                        decoder.error(&node.span(), message).help = help;
                        None
                    }
                }
            }
        }

        impl schemars::JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "enum": [$($word),+] })
            }
        }
    };
}
pub(crate) use words;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_round_trip_and_need_units() {
        for (text, millis) in
            [("10s", 10_000), ("500ms", 500), ("1h30m", 5_400_000), ("2d", 172_800_000), ("0s", 0)]
        {
            let period = Period::parse(text).unwrap();
            assert_eq!(period.0, Duration::from_millis(millis));
            assert_eq!(period.to_string(), text);
        }
        for bad in ["", "10", "s", "10 s", "1.5h", "-1s", "10S", "1h30", "18446744073709551616s"] {
            assert_eq!(Period::parse(bad), None, "{bad}");
        }
    }
}
