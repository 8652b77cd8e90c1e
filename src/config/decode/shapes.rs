//! Values made of others: lists, one-or-many, tables whose keys the operator chooses.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use toml::de::DeValue;

use super::{Decode, Decoder, Node, Spanned, decode_spanned};

/// A list of at least one member; members that could not be read are left out.
#[derive(Clone, Debug)]
pub(crate) struct List<T>(pub(crate) Vec<Spanned<T>>);

/// One value, or a list of at least one member.
#[derive(Clone, Debug)]
pub(crate) struct OneOrMany<T>(pub(crate) Vec<Spanned<T>>);

/// A table with any keys, in file order; values that could not be read are left out.
#[derive(Clone, Debug)]
pub(crate) struct Map<T>(pub(crate) Vec<(Spanned<String>, Spanned<T>)>);

/// Reads the members of an array; an empty array is an error.
fn members<T: Decode>(node: &Node<'_>, decoder: &mut Decoder) -> Option<Vec<Spanned<T>>> {
    let Some(array) = node.get_ref().as_array() else {
        decoder.expected("a list", node);
        return None;
    };
    if array.is_empty() {
        decoder.error(&node.span(), "this list is empty").label = "needs a member".to_owned();
        return None;
    }
    let mut members = Vec::with_capacity(array.len());
    members.extend(array.iter().filter_map(|member| decode_spanned(member, decoder)));
    Some(members)
}

impl<T: Decode> Decode for List<T> {
    fn decode(node: &Node<'_>, decoder: &mut Decoder) -> Option<Self> {
        members(node, decoder).map(Self)
    }
}

impl<T: Decode> Decode for OneOrMany<T> {
    fn decode(node: &Node<'_>, decoder: &mut Decoder) -> Option<Self> {
        if node.get_ref().is_array() {
            return members(node, decoder).map(Self);
        }
        decode_spanned(node, decoder).map(|one| Self(vec![one]))
    }
}

impl<T: Decode> Decode for Map<T> {
    fn decode(node: &Node<'_>, decoder: &mut Decoder) -> Option<Self> {
        each(node, decoder, |key, value, decoder| {
            decode_spanned(value, decoder).map(|value| (key, value))
        })
        .map(Self)
    }
}

/// Reads each key of a table, in file order, with `read`.
pub(crate) fn each<T>(
    node: &Node<'_>,
    decoder: &mut Decoder,
    mut read: impl FnMut(Spanned<String>, &Node<'_>, &mut Decoder) -> Option<T>,
) -> Option<Vec<T>> {
    let DeValue::Table(entries) = node.get_ref() else {
        decoder.expected("a table", node);
        return None;
    };
    let mut entries: Vec<_> = entries.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    let read = entries.into_iter().filter_map(|(key, value)| {
        read(Spanned::new(key.get_ref().clone().into_owned(), key.span()), value, decoder)
    });
    Some(read.collect())
}

impl<T: JsonSchema> JsonSchema for List<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("ListOf{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "array", "items": generator.subschema_for::<T>(), "minItems": 1 })
    }
}

impl<T: JsonSchema> JsonSchema for OneOrMany<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("OneOrMany{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<T>();
        let many = generator.subschema_for::<List<T>>();
        json_schema!({ "anyOf": [one, many] })
    }
}

impl<T: JsonSchema> JsonSchema for Map<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("MapOf{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let values = generator.subschema_for::<T>();
        json_schema!({ "type": "object", "additionalProperties": values })
    }
}
