//! Routes: the choice of clients, and the `to` algebra.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::network::Network;
use super::place::{Asn, Continent, Country, Subdivision};
use crate::config::decode::{
    Decode, Decoder, Int, List, Node, OneOrMany, Spanned, decode_spanned, each, table,
};

table! {
    /// A choice of clients, and the pools that they go to.
    pub(crate) struct Route {
        /// The clients. Default: all clients.
        from: From;
        /// The target of the clients: a pool; a list, of which the first usable member serves; a
        /// split by weight; the nearest or the fastest of several pools; or all of several
        /// together. Targets can be nested, eight deep.
        to: To, required;
    }
}

table! {
    /// Clients, by their known properties. All keys that are set must match, each by one of its
    /// values.
    pub(crate) struct From {
        /// Networks, such as "10.0.0.0/8".
        net: OneOrMany<Network>;
        /// Continents: "AF", "AN", "AS", "EU", "NA", "OC", "SA".
        continent: OneOrMany<Continent>;
        /// Countries, by ISO 3166-1: "DE".
        country: OneOrMany<Country>;
        /// Parts of countries, by ISO 3166-2: "US-CA".
        subdivision: OneOrMany<Subdivision>;
        /// Autonomous systems, by number.
        asn: OneOrMany<Asn>;
    }
}

/// The target of a route.
#[derive(Clone, Debug)]
pub(crate) enum To {
    /// A pool.
    Pool(String),
    /// The first usable target.
    Failover(Vec<Spanned<To>>),
    /// A split by weight.
    Split(Vec<(Spanned<To>, Weight)>),
    /// The nearest of these pools.
    Nearest(Vec<Spanned<String>>),
    /// The fastest of these pools.
    Fastest(Vec<Spanned<String>>),
    /// All of these targets together.
    All(Vec<Spanned<To>>),
}

/// The weight of a share, with the range of endpoints' weights.
pub(crate) type Weight = Int<0, 65_535>;

impl Decode for To {
    fn decode(node: &Node<'_>, decoder: &mut Decoder) -> Option<Self> {
        let value = node.get_ref();
        if let Some(name) = value.as_str() {
            return Some(Self::Pool(name.to_owned()));
        }
        if value.is_array() {
            return List::decode(node, decoder).map(|List(members)| Self::Failover(members));
        }
        if !value.is_table() {
            decoder.expected(
                "a pool, a list, { split = … }, { nearest = … }, { fastest = … } or { all = … }",
                node,
            );
            return None;
        }
        let ToTable { split, nearest, fastest, all, broken } = ToTable::decode(node, decoder)?;
        match (split, nearest, fastest, all) {
            (Some(split), None, None, None) => Some(Self::Split(split.value.0)),
            (None, Some(nearest), None, None) => Some(Self::Nearest(nearest.value.0)),
            (None, None, Some(fastest), None) => Some(Self::Fastest(fastest.value.0)),
            (None, None, None, Some(all)) => Some(Self::All(all.value.0)),
            (None, None, None, None) if broken => None,
            _ => {
                let message = "expected one of `split`, `nearest`, `fastest` and `all`";
                decoder.error(&node.span(), message).help = Some(
                    "write one inside another to have both: \
                     to = [{ nearest = [\"eu\", \"us\"] }, { split = { a = 1, b = 1 } }]"
                        .to_owned(),
                );
                None
            }
        }
    }
}

table! {
    /// One way to choose among several targets.
    struct ToTable {
        /// Shares by weight: { eu = 95, us = 5 }, or a list of { to = …, weight = … }.
        split: Shares;
        /// Pools, each with a `location`. The nearest to the client serves, or the next nearest if
        /// it is down. They serve in the written order if the client's place is unknown.
        nearest: List<String>;
        /// Pools. The one that the client reaches soonest by `latencies` serves, or the next if it
        /// is down. Pools without a latency for the client come last, the nearest first.
        fastest: List<String>;
        /// Targets whose usable endpoints serve together.
        all: List<To>;
    }
}

/// The shares of a split: `{ eu = 95, us = 5 }`, or a list of shares.
#[derive(Clone, Debug)]
struct Shares(Vec<(Spanned<To>, Weight)>);

table! {
    /// One share of a split.
    struct ShareTable {
        /// The target of the share.
        to: To, required;
        /// The weight of the share, relative to the other weights.
        weight: Weight, required;
    }
}

impl Decode for Shares {
    fn decode(node: &Node<'_>, decoder: &mut Decoder) -> Option<Self> {
        if node.get_ref().is_array() {
            let List(shares) = List::<ShareTable>::decode(node, decoder)?;
            let shares = shares.into_iter().filter_map(|Spanned { value: share, .. }| {
                share.to.zip(share.weight.map(|weight| weight.value))
            });
            return Some(Self(shares.collect()));
        }
        if node.get_ref().as_table().is_some_and(|table| table.is_empty()) {
            decoder.error(&node.span(), "this split is empty").label = "needs a pool".to_owned();
            return None;
        }
        let shares = each(node, decoder, |pool, value, decoder| {
            let weight: Spanned<Weight> = decode_spanned(value, decoder)?;
            Some((Spanned::new(To::Pool(pool.value), pool.span), weight.value))
        })?;
        Some(Self(shares))
    }
}

impl JsonSchema for Shares {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Shares".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let weight = generator.subschema_for::<Weight>();
        let list = generator.subschema_for::<List<ShareTable>>();
        json_schema!({ "anyOf": [
            { "type": "object", "additionalProperties": weight, "minProperties": 1 },
            list,
        ] })
    }
}

impl JsonSchema for To {
    fn schema_name() -> Cow<'static, str> {
        "To".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let list = generator.subschema_for::<List<To>>();
        let table = generator.subschema_for::<ToTable>();
        json_schema!({
            "description": "A pool; a list in which the next one serves when the one before is \
                            down; { split = { pool = weight } }; { nearest = [pools] }; \
                            { fastest = [pools] }; or { all = [pools] }.",
            "anyOf": [{ "type": "string", "description": "The name of a pool." }, list, table],
        })
    }
}
