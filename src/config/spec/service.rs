//! A service and its pools.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::check::CheckUse;
use super::endpoint::{Endpoint, Wanted};
use super::place::{Bias, Location};
use super::route::Route;
use crate::config::decode::{
    Decode, Decoder, Int, List, Map, Node, OneOrMany, Period, table, words,
};
use crate::zone::MinUp;
use crate::zone::limits::ADDRESSES_PER_ANSWER_MAX;

/// The default TTL of steered answers.
pub(crate) const SERVICE_TTL_DEFAULT: Period = Period::secs(10);
/// The default answer of a service when nothing is usable: as if everything were up.
pub(crate) const ON_ALL_DOWN_DEFAULT: &str = "all";

table! {
    /// A name whose answers are steered. It has either `endpoints` or `pools`.
    pub(crate) struct Service {
        /// The TTL of every record that the service gives: whole seconds up to 1d.
        ttl: Period = SERVICE_TTL_DEFAULT;
        /// The port of every endpoint that sets none. SRV answers carry it, and checks probe it.
        port: Int<1, 65_535>;
        /// Names that answer SRV, relative to the service: "_http._tcp", or tables that give a name
        /// its own port.
        srv: OneOrMany<SrvName>;
        /// The weights of SRV answers: "scaled", so that the greatest of each priority is 65,535,
        /// or "written", as in this file. Default: "scaled".
        srv_weights: SrvWeights;
        /// The failover tiers of SRV answers: "all", by priority, or "current", only the one in
        /// use, for clients that ignore priorities. Default: "all".
        srv_tiers: SrvTiers;
        /// HTTPS answers of the service, with hints of its addresses: true, or a table. Default:
        /// false.
        https: HttpsUse;
        /// The text of a TXT record, or a list with one text for each record; written as in
        /// `records`.
        txt: OneOrMany<String>;
        /// The check of every endpoint that sets none: the name of one in `checks`, or a table.
        /// Default: no check.
        check: CheckUse;
        /// The state of its endpoints: "up", "down" or "drain" whatever their checks say, or "auto"
        /// for the verdicts of their checks. Pools and endpoints may set their own. Default:
        /// "auto".
        state: Wanted;
        /// The number of addresses in one answer: 1 to 64, or "all" (8 at most). Default: 1 if any
        /// endpoint of the service sets a weight or is a service, otherwise "all".
        answers: Answers;
        /// The share of a pool's weight, 0 to 1, that must be up for the pool to be usable. Pools
        /// may set their own. Default: 0, one endpoint up is enough.
        min_up: Share;
        /// The answer when no pool of the route is usable: "all", as if everything were up; "none",
        /// no data; or the name of a pool that answers instead.
        on_all_down: String = ON_ALL_DOWN_DEFAULT;
        /// Whether a client gets the same endpoints as long as they may serve. A client is the
        /// first 24 bits of an IPv4 address or the first 56 of an IPv6 address. Weights are then
        /// shares of clients, not of answers.
        sticky: bool = false;
        /// A file in the zone directory, relative to this one, with the times that clients take to
        /// reach each pool, for `fastest` in routes. Each line is PREFIX,POOL,MILLISECONDS.
        latencies: String;
        /// The endpoints of a service that needs no pools.
        endpoints: List<Endpoint>;
        /// Groups of endpoints, such as sites. Clients that match no route go to the first usable
        /// one in file order.
        pools: Map<Pool>;
        /// The routes of clients to pools. The first that matches a client decides.
        routes: List<Route>;
    }
}

table! {
    /// A group of endpoints, such as a site. All have an address, all have a target, or all are
    /// services.
    pub(crate) struct Pool {
        /// The members of the pool.
        endpoints: List<Endpoint>, required;
        /// The share of weight, 0 to 1, that must be up for the pool to be usable. Default: the
        /// service's.
        min_up: Share;
        /// The state of its endpoints: "up", "down" or "drain" whatever their checks say, or "auto"
        /// for the verdicts of their checks. Default: the service's.
        state: Wanted;
        /// The place of the pool, for `nearest` and `fastest`.
        location: Location;
        /// Kilometres by which the pool counts as nearer than it is, for `nearest`; below 0: as
        /// farther.
        bias: Bias = Bias(0);
    }
}

table! {
    /// A name that answers SRV.
    pub(crate) struct SrvTable {
        /// The name, relative to the service: "_http._tcp".
        name: String, required;
        /// The port of every endpoint in its answers. Default: each endpoint's own.
        port: Int<1, 65_535>;
    }
}

words! {
    /// The weights of SRV answers.
    pub(crate) enum SrvWeights {
        /// Weights scaled so that the greatest of each priority is 65,535.
        Scaled = "scaled",
        /// The weights of the zone file.
        Written = "written",
    }
}

words! {
    /// The failover tiers of SRV answers.
    pub(crate) enum SrvTiers {
        /// All tiers, by priority.
        All = "all",
        /// The tier in use.
        Current = "current",
    }
}

/// A name that answers SRV: alone, or with a port of its own.
#[derive(Clone, Debug)]
pub(crate) enum SrvName {
    /// The name, relative to the service.
    Name(String),
    /// The name with its port.
    Table(Box<SrvTable>),
}

impl Decode for SrvName {
    fn decode(node: &Node<'_>, decoder: &mut Decoder) -> Option<Self> {
        let value = node.get_ref();
        if value.is_table() {
            return SrvTable::decode(node, decoder).map(|table| Self::Table(Box::new(table)));
        }
        let name = value.as_str().map(|name| Self::Name(name.to_owned()));
        if name.is_none() {
            decoder
                .expected("a name such as \"_http._tcp\", or a table with `name` and `port`", node);
        }
        name
    }
}

impl JsonSchema for SrvName {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "SrvName".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let table = generator.subschema_for::<SrvTable>();
        json_schema!({ "anyOf": [{ "type": "string" }, table] })
    }
}

table! {
    /// The parameters of the HTTPS record of a service, apart from its addresses.
    pub(crate) struct Https {
        /// The protocols that its endpoints speak besides HTTP/1.1, as ALPN names, the preferred
        /// one first. Default: "h2".
        alpn: OneOrMany<AlpnName>;
        /// The port that clients connect to; this is not the service's `port`. Default: 443.
        port: Int<1, 65_535>;
    }
}

/// The HTTPS answers of a service.
#[derive(Clone, Debug)]
pub(crate) enum HttpsUse {
    /// `true`, which is the same as an empty table, or `false`: no HTTPS answers.
    Plain(bool),
    /// HTTPS answers with the parameters of the table.
    Table(Box<Https>),
}

impl Decode for HttpsUse {
    fn decode(node: &Node<'_>, decoder: &mut Decoder) -> Option<Self> {
        let value = node.get_ref();
        if value.is_table() {
            return Https::decode(node, decoder).map(|table| Self::Table(Box::new(table)));
        }
        let plain = value.as_bool().map(Self::Plain);
        if plain.is_none() {
            decoder.expected("true, false or a table", node);
        }
        plain
    }
}

impl JsonSchema for HttpsUse {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "HttpsUse".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let table = generator.subschema_for::<Https>();
        json_schema!({ "anyOf": [{ "type": "boolean" }, table] })
    }
}

/// The ALPN name of a protocol (RFC 7301 §3.1): 1 to 255 octets.
#[derive(Clone, Debug)]
pub(crate) struct AlpnName(pub(crate) String);

impl AlpnName {
    const LEN_MAX: usize = 255;
}

impl Decode for AlpnName {
    fn decode(node: &Node<'_>, decoder: &mut Decoder) -> Option<Self> {
        let name = String::decode(node, decoder)?;
        if (1..=Self::LEN_MAX).contains(&name.len()) {
            return Some(Self(name));
        }
        let (most, len) = (Self::LEN_MAX, name.len());
        let message = format!("expected an ALPN name of 1 to {most} octets, found one of {len}");
        decoder.error(&node.span(), message).help = Some("such as \"h2\" or \"h3\"".to_owned());
        None
    }
}

impl JsonSchema for AlpnName {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "AlpnName".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string", "minLength": 1, "maxLength": Self::LEN_MAX, "examples": ["h2", "h3"],
        })
    }
}

/// The number of endpoints that one answer names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answers {
    /// A fixed number.
    Count(u8),
    /// All endpoints that may serve.
    All,
}

impl Decode for Answers {
    fn decode(node: &Node<'_>, decoder: &mut Decoder) -> Option<Self> {
        const MAX: u32 = ADDRESSES_PER_ANSWER_MAX as u32;
        if node.get_ref().as_str() == Some("all") {
            return Some(Self::All);
        }
        let number = node.get_ref().as_integer().and_then(|number| number.as_str().parse().ok());
        match number.filter(|number| (1..=MAX).contains(number)) {
            Some(number) => Some(Self::Count(number as u8)),
            None => {
                decoder.expected(&format!("a whole number from 1 to {MAX}, or \"all\""), node);
                None
            }
        }
    }
}

impl JsonSchema for Answers {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Answers".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [
            { "type": "integer", "minimum": 1, "maximum": ADDRESSES_PER_ANSWER_MAX },
            { "const": "all" },
        ] })
    }
}

/// A share of weight, 0 to 1.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Share(pub(crate) MinUp);

impl Decode for Share {
    fn decode(node: &Node<'_>, decoder: &mut Decoder) -> Option<Self> {
        let value = node.get_ref();
        let text = value.as_float().map(|float| float.as_str());
        let text = text.or_else(|| value.as_integer().map(|number| number.as_str()));
        let share = text.and_then(|text| text.parse().ok()).and_then(MinUp::from_fraction);
        if share.is_none() {
            decoder.expected("a number from 0 to 1", node);
        }
        share.map(Self)
    }
}

impl JsonSchema for Share {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Share".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "number", "minimum": 0, "maximum": 1 })
    }
}
