//! The static records of one name: data by type.

use std::borrow::Cow;
use std::net::IpAddr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map as JsonMap, Value};

use crate::config::decode::{
    Decode, Decoder, Node, OneOrMany, Period, Spanned, decode_spanned, did_you_mean, each,
};
use crate::config::words::near_type;
use crate::wire::kind::Type;

/// The only key of an owner's table that is no record type.
const TTL: &str = "ttl";

/// The static records of one name.
#[derive(Clone, Debug)]
pub(crate) struct OwnerRecords {
    /// The TTL of the records; `None` for the zone's.
    pub(crate) ttl: Option<Spanned<Period>>,
    /// The data of each type in presentation format, in file order.
    pub(crate) sets: Vec<(Spanned<Type>, OneOrMany<String>)>,
    /// Whether a part of the table could not be read.
    pub(crate) broken: bool,
}

impl Decode for OwnerRecords {
    fn decode(node: &Node<'_>, decoder: &mut Decoder) -> Option<Self> {
        if let Some(data) = node.get_ref().as_str() {
            decoder.expected("a table", node).help = with_type(data);
            return None;
        }
        let mut ttl = None;
        let mut broken = false;
        let sets = each(node, decoder, |key, value, decoder| {
            if key.value == TTL {
                ttl = decode_spanned(value, decoder);
                return None;
            }
            let read = decode_type(&key, decoder);
            let data = OneOrMany::decode(value, decoder);
            broken |= read.is_none() || data.is_none();
            Some((Spanned::new(read?, key.span), data?))
        })?;
        if sets.is_empty() && !broken {
            let diagnostic = decoder.error(&node.span(), "this name has no records");
            diagnostic.help = Some("write a type and its data: A = \"192.0.2.1\"".to_owned());
            broken = true;
        }
        Some(Self { ttl, sets, broken })
    }
}

/// Returns a hint for `data` in the place of a table, if it is an address, whose type is plain.
fn with_type(data: &str) -> Option<String> {
    let rtype = match data.parse::<IpAddr>().ok()? {
        IpAddr::V4(_) => "A",
        IpAddr::V6(_) => "AAAA",
    };
    Some(format!("write its type: {{ {rtype} = \"{data}\" }}"))
}

/// Reads a key as a type that a zone can hold.
fn decode_type(key: &Spanned<String>, decoder: &mut Decoder) -> Option<Type> {
    match key.value.parse::<Type>() {
        Ok(rtype) if rtype.is_meta() => {
            let message = format!("{rtype} is a type of queries; a zone cannot hold it");
            decoder.error(&key.span, message);
            None
        }
        Ok(rtype) => Some(rtype),
        Err(_) => {
            let help = did_you_mean(&key.value, std::iter::once(TTL));
            let help = help.or_else(|| near_type(&key.value));
            decoder.error(&key.span, format!("unknown record type `{}`", key.value)).help = help
                .or_else(|| {
                    Some("a type without a name is written as its number: TYPE65280".to_owned())
                });
            None
        }
    }
}

impl JsonSchema for OwnerRecords {
    fn schema_name() -> Cow<'static, str> {
        "OwnerRecords".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let data = generator.subschema_for::<OneOrMany<String>>();
        let mut properties: JsonMap<String, Value> = Type::mnemonics()
            .filter(|mnemonic| mnemonic.parse().is_ok_and(|rtype: Type| !rtype.is_meta()))
            .map(|mnemonic| {
                let mut schema = data.clone();
                let about = format!(
                    "{mnemonic} records: the data of one, or a list, in presentation format. \
                     Names without a final dot are relative to the zone."
                );
                schema.insert("description".to_owned(), about.into());
                (mnemonic.to_owned(), schema.to_value())
            })
            .collect();
        let mut ttl = generator.subschema_for::<Period>();
        let about = "The TTL of all records of this name. Default: the zone's `ttl`.";
        ttl.insert("description".to_owned(), about.into());
        properties.insert(TTL.to_owned(), ttl.to_value());
        json_schema!({
            "type": "object",
            "description": "The static records of one name: data by type.",
            "properties": properties,
            "patternProperties": { "^TYPE[0-9]+$": data },
            "additionalProperties": false,
            "minProperties": 1,
        })
    }
}
