//! The macro that declares one Rust struct for one TOML table, reads it and describes it.
//!
//! `config::spec` declares with it every table whose keys are fixed; it knows three forms of field.
//! A value that cannot be read is `None` or the default and sets `broken`, so that nobody reports
//! it as missing, too. Reading goes on after each mistake. The doc comments are the descriptions in
//! the schema of zone files.

use std::borrow::Cow;
use std::ops::Range;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map as JsonMap, Value};
use toml::de::{DeTable, DeValue};

use super::{Decode, Decoder, Node, Spanned, decode_spanned, nearest};

/// Declares the struct of one TOML table: how it is read, and its JSON Schema.
///
/// ```text
/// table! {
///     /// The table.                                 description in the schema
///     pub(crate) struct Pool {
///         /// The key.
///         endpoints: List<Endpoint>, required;      Option<Spanned<…>>: None after an error
///         /// The key.
///         min_up: Share;                            Option<Spanned<…>>: None if not written
///         /// The key.
///         ttl: Period = Period::secs(10);           Spanned<…>: the default if not written
///     }
/// }
/// ```
macro_rules! table {
    ($(#[doc = $about:literal])+ $vis:vis struct $name:ident {
        $($(#[doc = $doc:literal])+
          $field:ident: $kind:ty $(, $required:ident)? $(= $default:expr)?;)+
    }) => {
        $(#[doc = $about])+
        #[derive(Clone, Debug)]
        $vis struct $name {
            $($(#[doc = $doc])+
              $vis $field: $crate::config::decode::table!(@type $kind $(= $default)?),)+
            /// Whether a key could not be read. A key that seems to be missing may then be present.
            // Not every table is asked for it.
            #[allow(dead_code)]
            $vis broken: bool,
        }

        impl $crate::config::decode::Decode for $name {
            fn decode(
                node: &$crate::config::decode::Node<'_>,
                decoder: &mut $crate::config::decode::Decoder,
            ) -> Option<Self> {
                const KEYS: &[&str] = &[$(stringify!($field)),+];
                let mut fields = $crate::config::decode::Fields::open(node, KEYS, decoder)?;
                Some(Self {
                    $($field: $crate::config::decode::table!(
                        @read fields $field $(, $required)? $(= $default)?
                    ),)+
                    broken: fields.is_broken(),
                })
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                let properties = vec![
                    $((stringify!($field), $crate::config::decode::table!(
                        @describe generator, $kind, concat!($($doc, "\n"),+) $(, $default)?
                    ))),+
                ];
                let required: Vec<&str> = [
                    $($crate::config::decode::table!(@name $field $(, $required)?)),+
                ].into_iter().flatten().collect();
                $crate::config::decode::describe(
                    concat!($($about, "\n"),+), properties, &required,
                )
            }
        }
    };
    (@type $kind:ty) => { Option<$crate::config::decode::Spanned<$kind>> };
    (@type $kind:ty = $default:expr) => { $crate::config::decode::Spanned<$kind> };
    (@read $fields:ident $field:ident) => { $fields.optional(stringify!($field)) };
    (@read $fields:ident $field:ident, required) => { $fields.required(stringify!($field)) };
    (@read $fields:ident $field:ident = $default:expr) => {
        $fields.or_default(stringify!($field), $default.into())
    };
    (@describe $generator:ident, $kind:ty, $doc:expr) => {
        $crate::config::decode::Fields::property::<$kind>($generator, $doc, None)
    };
    (@describe $generator:ident, $kind:ty, $doc:expr, $default:expr) => {
        $crate::config::decode::Fields::property::<$kind>(
            $generator, $doc, Some(serde_json::json!($default)),
        )
    };
    (@name $field:ident) => { None };
    (@name $field:ident, required) => { Some(stringify!($field)) };
}
pub(crate) use table;

/// The keys of a table that is being read.
pub(crate) struct Fields<'n, 'i, 'd> {
    entries: &'n DeTable<'i>,
    span: Range<usize>,
    decoder: &'d mut Decoder,
    /// The known keys that were probably meant by unknown ones.
    misspelt: Vec<&'static str>,
    /// Whether a key could not be read.
    broken: bool,
}

impl<'n, 'i, 'd> Fields<'n, 'i, 'd> {
    /// Begins to read `node`, which must be a table. Reports every key that is not in `known`.
    pub(crate) fn open(
        node: &'n Node<'i>,
        known: &[&'static str],
        decoder: &'d mut Decoder,
    ) -> Option<Self> {
        let DeValue::Table(entries) = node.get_ref() else {
            decoder.expected("a table", node);
            return None;
        };
        let (span, misspelt) = (node.span(), Vec::new());
        let mut fields = Self { entries, span, decoder, misspelt, broken: false };
        for key in entries.keys().filter(|key| !known.contains(&&**key.get_ref())) {
            let meant = nearest(key.get_ref(), known.iter().copied());
            fields.misspelt.extend(meant);
            let message = format!("unknown key `{}`", key.get_ref());
            fields.decoder.error(&key.span(), message).help = Some(match meant {
                Some(meant) => format!("did you mean \"{meant}\"?"),
                None => format!("known keys: {}", known.join(", ")),
            });
        }
        Some(fields)
    }

    /// Returns whether a key could not be read so far, or has an unknown name.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken || self.decoder.broken || !self.misspelt.is_empty()
    }

    /// Reads the value of an optional key.
    pub(crate) fn optional<T: Decode>(&mut self, key: &str) -> Option<Spanned<T>> {
        let node = self.entries.get(key)?;
        let value = decode_spanned(node, self.decoder);
        self.broken |= value.is_none();
        value
    }

    /// Reads the value of a required key.
    pub(crate) fn required<T: Decode>(&mut self, key: &str) -> Option<Spanned<T>> {
        // A misspelt key is one mistake, not two, and syntax errors can hide keys.
        let hidden = self.decoder.broken || self.misspelt.contains(&key);
        if !hidden && !self.entries.contains_key(key) {
            let diagnostic = self.decoder.error(&self.span, format!("missing key `{key}`"));
            diagnostic.label = format!("needs `{key} = …`");
        }
        self.optional(key)
    }

    /// Reads the value of a key, or returns `default` if the key is absent.
    pub(crate) fn or_default<T: Decode>(&mut self, key: &str, default: T) -> Spanned<T> {
        self.optional(key).unwrap_or_else(|| Spanned::new(default, self.span.clone()))
    }

    /// Returns the schema of one key.
    pub(crate) fn property<T: JsonSchema>(
        generator: &mut SchemaGenerator,
        doc: &str,
        default: Option<Value>,
    ) -> Schema {
        let mut schema = generator.subschema_for::<T>();
        schema.insert("description".to_owned(), plain(doc).into());
        if let Some(default) = default {
            schema.insert("default".to_owned(), default);
        }
        schema
    }
}

/// Returns the schema of one table.
pub(crate) fn describe(about: &str, properties: Vec<(&str, Schema)>, required: &[&str]) -> Schema {
    let properties: JsonMap<String, Value> =
        properties.into_iter().map(|(key, schema)| (key.to_owned(), schema.to_value())).collect();
    let mut schema = json_schema!({
        "type": "object",
        "description": plain(about),
        "properties": properties,
        "additionalProperties": false,
    });
    if !required.is_empty() {
        schema.insert("required".to_owned(), required.into());
    }
    schema
}

/// Returns a doc comment as running text.
fn plain(doc: &str) -> Cow<'static, str> {
    doc.split_whitespace().collect::<Vec<_>>().join(" ").into()
}
