//! From TOML to plain structs, collecting every mistake on the way.
//!
//! serde stops at the first error; an operator at work wants them all. So each TOML table is one
//! struct declared by [`table!`], whose fields are its keys, and [`Decode`] turns values into
//! them, writing down what does not fit and going on. From the same structs comes the JSON
//! Schema.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::diagnostic::{Diagnostic, Severity, Source};

/// A value, and where it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct At<T> {
    pub(super) value: T,
    pub(super) span: Range<usize>,
}

/// Collects what is wrong with one file.
pub(super) struct Decoder<'a> {
    source: &'a Arc<Source>,
    diagnostics: &'a mut Vec<Diagnostic>,
}

/// Something that a TOML value can say.
pub(super) trait Decode: Sized {
    /// Reads `value`; writes down why it cannot.
    fn decode(value: &Spanned<DeValue<'_>>, decoder: &mut Decoder<'_>) -> Option<Self>;
}

impl<'a> Decoder<'a> {
    pub(super) fn new(source: &'a Arc<Source>, diagnostics: &'a mut Vec<Diagnostic>) -> Self {
        Self { source, diagnostics }
    }

    /// The file being read.
    pub(super) fn source(&self) -> &Arc<Source> {
        self.source
    }

    /// Everything found so far, for diagnostics of other files.
    pub(super) fn diagnostics(&mut self) -> &mut Vec<Diagnostic> {
        self.diagnostics
    }

    /// Writes an error down.
    pub(super) fn error(&mut self, span: &Range<usize>, message: impl Into<String>) {
        self.note(Severity::Error, span, message.into(), None);
    }

    /// Writes an error down, and what to do about it.
    pub(super) fn error_with_help(
        &mut self,
        span: &Range<usize>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.note(Severity::Error, span, message.into(), Some(help.into()));
    }

    /// Writes a warning down, and what to do about it.
    pub(super) fn warn(
        &mut self,
        span: &Range<usize>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.note(Severity::Warning, span, message.into(), Some(help.into()));
    }

    /// Writes down that `name` names nothing, with the nearest of what there is.
    pub(super) fn unknown<'k>(
        &mut self,
        span: &Range<usize>,
        what: &str,
        name: &str,
        known: impl IntoIterator<Item = &'k str>,
    ) {
        let known: Vec<&str> = known.into_iter().collect();
        let help = match nearest(name, &known) {
            Some(near) => Some(format!("did you mean `{near}`?")),
            None if known.is_empty() => None,
            None => Some(format!("there is {}", list(&known))),
        };
        self.note(Severity::Error, span, format!("unknown {what} `{name}`"), help);
    }

    /// Writes down that a key is missing from the table at `span`.
    pub(super) fn missing(&mut self, span: &Range<usize>, key: &str, example: &str) {
        let message = format!("`{key}` is missing here");
        self.error_with_help(span, message, format!("write `{key} = {example}`"));
    }

    fn expected(&mut self, value: &Spanned<DeValue<'_>>, what: &str) {
        let found = match value.get_ref() {
            DeValue::String(text) if text.chars().count() <= 40 => format!("{text:?}"),
            other => with_article(other.type_str()),
        };
        self.error(&value.span(), format!("expected {what}, found {found}"));
    }

    fn note(
        &mut self,
        severity: Severity,
        span: &Range<usize>,
        message: String,
        help: Option<String>,
    ) {
        let place = Some((Arc::clone(self.source), span.clone()));
        let label = String::new();
        self.diagnostics.push(Diagnostic { severity, message, place, label, help });
    }
}

fn with_article(noun: &str) -> String {
    let article = if noun.starts_with(['a', 'i']) { "an" } else { "a" };
    format!("{article} {noun}")
}

fn list(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().take(12).map(|name| format!("`{name}`")).collect();
    let more = if names.len() > 12 { ", …" } else { "" };
    format!("{}{more}", quoted.join(", "))
}

/// The known name that `name` was probably meant to be.
pub(super) fn nearest<'k>(name: &str, known: &[&'k str]) -> Option<&'k str> {
    let distance = |known: &str| strsim::damerau_levenshtein(&name.to_lowercase(), known);
    let near = known.iter().map(|known| (distance(known), *known)).min()?;
    (near.0 <= name.chars().count().max(3) / 3).then_some(near.1)
}

/// A table's keys in the order in which they are written.
pub(super) fn in_file_order<'t, 'i>(
    table: &'t DeTable<'i>,
) -> Vec<(At<&'t str>, &'t Spanned<DeValue<'i>>)> {
    let mut entries: Vec<_> = table
        .iter()
        .map(|(key, value)| (At { value: key.get_ref().as_ref(), span: key.span() }, value))
        .collect();
    entries.sort_by_key(|(key, _)| key.span.start);
    entries
}

/// The table that `value` is.
pub(super) fn as_table<'t, 'i>(
    value: &'t Spanned<DeValue<'i>>,
    decoder: &mut Decoder<'_>,
) -> Option<&'t DeTable<'i>> {
    let table = value.get_ref().as_table();
    if table.is_none() {
        decoder.expected(value, "a table");
    }
    table
}

/// Declares a TOML table: a struct with a field a key, all optional, and its decoder.
///
/// `present` lists the keys that are written, even those whose value could not be read, so that
/// nothing is reported as missing that is only wrong.
macro_rules! table {
    (
        $(#[$meta:meta])*
        struct $name:ident { $( $(#[$field_meta:meta])* $field:ident: $type:ty, )* }
    ) => {
        $(#[$meta])*
        #[derive(Debug, schemars::JsonSchema)]
        #[schemars(deny_unknown_fields)]
        pub(super) struct $name {
            $( $(#[$field_meta])* pub(super) $field: Option<$type>, )*
            /// Where the table is written.
            #[schemars(skip)]
            #[allow(dead_code, reason = "not every table has mistakes of its own")]
            pub(super) span: std::ops::Range<usize>,
            /// The keys that are written.
            #[schemars(skip)]
            pub(super) present: Vec<&'static str>,
        }

        impl $crate::config::decode::Decode for $name {
            fn decode(
                value: &toml::Spanned<toml::de::DeValue<'_>>,
                decoder: &mut $crate::config::decode::Decoder<'_>,
            ) -> Option<Self> {
                let table = $crate::config::decode::as_table(value, decoder)?;
                Some(Self::decode_table(table, value.span(), decoder))
            }
        }

        impl $name {
            /// Reads the keys of `table`.
            pub(super) fn decode_table(
                table: &toml::de::DeTable<'_>,
                span: std::ops::Range<usize>,
                decoder: &mut $crate::config::decode::Decoder<'_>,
            ) -> Self {
                let mut read = Self { $( $field: None, )* span, present: Vec::new() };
                for (key, value) in $crate::config::decode::in_file_order(table) {
                    match key.value {
                        $( stringify!($field) => {
                            read.present.push(stringify!($field));
                            read.$field = $crate::config::decode::Decode::decode(value, decoder);
                        } )*
                        other => {
                            decoder.unknown(&key.span, "key", other, [$( stringify!($field) ),*]);
                        }
                    }
                }
                read
            }

            /// Whether `key` is written, readable or not.
            #[allow(dead_code, reason = "not every table has keys that it needs")]
            pub(super) fn has(&self, key: &str) -> bool {
                self.present.contains(&key)
            }
        }
    };
}
pub(super) use table;

impl<T: Decode> Decode for At<T> {
    fn decode(value: &Spanned<DeValue<'_>>, decoder: &mut Decoder<'_>) -> Option<Self> {
        Some(Self { value: T::decode(value, decoder)?, span: value.span() })
    }
}

impl Decode for String {
    fn decode(value: &Spanned<DeValue<'_>>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let text = value.get_ref().as_str();
        if text.is_none() {
            decoder.expected(value, "a string");
        }
        text.map(str::to_owned)
    }
}

impl Decode for bool {
    fn decode(value: &Spanned<DeValue<'_>>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let flag = value.get_ref().as_bool();
        if flag.is_none() {
            decoder.expected(value, "`true` or `false`");
        }
        flag
    }
}

/// An integer, or why there is none.
pub(super) fn integer(value: &Spanned<DeValue<'_>>) -> Option<i64> {
    let number = value.get_ref().as_integer()?;
    i64::from_str_radix(number.as_str(), number.radix()).ok()
}

/// A whole number from `LEAST` to `MOST`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Whole<const LEAST: i64, const MOST: i64>(pub(super) i64);

impl<const LEAST: i64, const MOST: i64> Decode for Whole<LEAST, MOST> {
    fn decode(value: &Spanned<DeValue<'_>>, decoder: &mut Decoder<'_>) -> Option<Self> {
        match integer(value) {
            Some(number) if (LEAST..=MOST).contains(&number) => Some(Self(number)),
            Some(number) => {
                let message = format!("{number} is out of range; it can be {LEAST} to {MOST}");
                decoder.error(&value.span(), message);
                None
            }
            None => {
                decoder.expected(value, &format!("a whole number, {LEAST} to {MOST}"));
                None
            }
        }
    }
}

/// A number from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Fraction(pub(super) f64);

impl Decode for Fraction {
    fn decode(value: &Spanned<DeValue<'_>>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let float = value.get_ref().as_float().and_then(|float| float.as_str().parse().ok());
        let number = float.or(integer(value).map(|number| number as f64));
        match number {
            Some(number) if (0.0..=1.0).contains(&number) => Some(Self(number)),
            Some(number) => {
                let message = format!("{number} is out of range; it can be 0 to 1");
                decoder.error(&value.span(), message);
                None
            }
            None => {
                decoder.expected(value, "a number from 0 to 1");
                None
            }
        }
    }
}

/// A value alone, or a list of them.
#[derive(Clone, Debug)]
pub(super) struct OneOrMany<T>(pub(super) Vec<At<T>>);

impl<T: Decode> Decode for OneOrMany<T> {
    fn decode(value: &Spanned<DeValue<'_>>, decoder: &mut Decoder<'_>) -> Option<Self> {
        match value.get_ref().as_array() {
            Some(_) => Vec::decode(value, decoder).map(Self),
            None => At::decode(value, decoder).map(|one| Self(vec![one])),
        }
    }
}

impl<T: Decode> Decode for Vec<At<T>> {
    fn decode(value: &Spanned<DeValue<'_>>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let Some(array) = value.get_ref().as_array() else {
            decoder.expected(value, "a list");
            return None;
        };
        Some(array.iter().filter_map(|item| At::decode(item, decoder)).collect())
    }
}

/// A table whose keys are names that the operator chose, in file order.
#[derive(Clone, Debug)]
pub(super) struct Named<T>(pub(super) Vec<(At<String>, At<T>)>);

impl<T: Decode> Decode for Named<T> {
    fn decode(value: &Spanned<DeValue<'_>>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let table = as_table(value, decoder)?;
        let entry = |(key, value): (At<&str>, &Spanned<DeValue<'_>>)| {
            let name = At { value: key.value.to_owned(), span: key.span };
            Some((name, At::decode(value, decoder)?))
        };
        Some(Self(in_file_order(table).into_iter().filter_map(entry).collect()))
    }
}

/// Writes `value` off as something else than `what`.
pub(super) fn refuse<T>(
    value: &Spanned<DeValue<'_>>,
    what: &str,
    decoder: &mut Decoder<'_>,
) -> Option<T> {
    decoder.expected(value, what);
    None
}

impl<T: JsonSchema> JsonSchema for At<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

/// Gives a leaf type its schema.
macro_rules! leaf_schema {
    ($type:ty, $name:expr, $($json:tt)+) => {
        impl schemars::JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }
            fn schema_name() -> std::borrow::Cow<'static, str> {
                $name.into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!($($json)+)
            }
        }
    };
}
pub(super) use leaf_schema;

leaf_schema!(Fraction, "fraction", { "type": "number", "minimum": 0, "maximum": 1 });

impl<const LEAST: i64, const MOST: i64> JsonSchema for Whole<LEAST, MOST> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        format!("{LEAST} to {MOST}").into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({ "type": "integer", "minimum": LEAST, "maximum": MOST })
    }
}

impl<T: JsonSchema> JsonSchema for OneOrMany<T> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        format!("one or many of {}", T::schema_name()).into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<T>();
        schemars::json_schema!({ "anyOf": [one, { "type": "array", "items": one }] })
    }
}

impl<T: JsonSchema> JsonSchema for Named<T> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        format!("names of {}", T::schema_name()).into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let value = generator.subschema_for::<T>();
        schemars::json_schema!({ "type": "object", "additionalProperties": value })
    }
}
