//! The language of a zone file: one struct a table, one field a key.
//!
//! Values are read here, and each is right by itself; what they mean together is found out in
//! `lower`. Defaults stand there, beside their use, and in `docs/zone-file.md`.

use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use toml::Spanned;
use toml::de::DeValue;

use super::decode::{
    At, Decode, Decoder, Fraction, Named, OneOrMany, Whole, in_file_order, integer, leaf_schema,
    refuse, table,
};
use crate::wire::rdata;

table! {
    /// A zone: everything an operator writes about one domain.
    struct ZoneTable {
        /// The domain, such as `example.com`.
        zone: At<String>,
        /// The TTL of static records that have none of their own; default `1h`.
        ttl: At<Period>,
        /// The zone's name servers, relative to the zone unless they end with a dot.
        nameservers: OneOrMany<String>,
        /// Fields of the SOA record, which is made from them.
        soa: SoaTable,
        /// A master file (RFC 1035 §5) in this directory with more static records.
        records_file: At<String>,
        /// Static records in presentation format, by name relative to the zone.
        records: Named<RecordsTable>,
        /// Health checks that services share, by a name of your choice.
        checks: Named<CheckTable>,
        /// Steered names, relative to the zone.
        services: Named<ServiceTable>,
    }
}

table! {
    /// Fields of the SOA record.
    struct SoaTable {
        /// The primary name server; default: the first of `nameservers`.
        mname: At<String>,
        /// The mailbox of whoever is responsible, as a name; default `hostmaster`.
        contact: At<String>,
        /// The serial number; default: when the newest of the zone's files was changed.
        serial: At<Whole<0, 4_294_967_295>>,
        /// When secondaries look for a new version; default `4h`.
        refresh: At<Period>,
        /// When they try again; default `1h`.
        retry: At<Period>,
        /// When they give up; default `14d`.
        expire: At<Period>,
        /// The MINIMUM field; default `5m`.
        minimum: At<Period>,
        /// The TTL of the SOA record; negative answers live the lesser of it and `minimum`;
        /// default `10s`.
        negative_ttl: At<Period>,
    }
}

table! {
    /// A steered name.
    struct ServiceTable {
        /// The TTL of its records, `1s` to `1d`; default `10s`.
        ttl: At<Period>,
        /// The port of its endpoints, for SRV and checks.
        port: At<Whole<1, 65_535>>,
        /// Names below it that answer SRV, such as `_http._tcp`.
        srv: OneOrMany<String>,
        /// The check that guards its endpoints: a name from `checks`, or a check written here.
        check: At<CheckRef>,
        /// How many endpoints an A or AAAA answer names: 1 to 8, or `all` (8 at most). Default:
        /// 1 if any endpoint writes a weight, else `all`.
        answers: At<AnswersWord>,
        /// What to answer when nothing is up: `all` as if everything were up (default), `none`
        /// for nothing, or the name of a pool.
        on_all_down: At<String>,
        /// The share of weight that must be up, 0 to 1, for a service without pools; default 0.
        min_up: At<Fraction>,
        /// Its endpoints, for a service without pools.
        endpoints: Vec<At<EndpointSpec>>,
        /// Its pools, in failover order unless routes say otherwise.
        pools: Named<PoolTable>,
        /// Which clients go to which pools; the first match wins.
        routes: Vec<At<RouteTable>>,
    }
}

table! {
    /// A group of endpoints, such as a site.
    struct PoolTable {
        /// The share of weight that must be up for the pool to be used, 0 to 1; default 0: one
        /// endpoint is enough.
        min_up: At<Fraction>,
        /// Its endpoints.
        endpoints: Vec<At<EndpointSpec>>,
    }
}

table! {
    /// One place that serves a service.
    struct EndpointTable {
        /// Its name, a label of its own below the service; default: made from its address.
        name: At<String>,
        /// Its address, or one of each family.
        address: OneOrMany<String>,
        /// A name elsewhere, always absolute, answered as CNAME.
        target: At<String>,
        /// Its port; default: the service's.
        port: At<Whole<1, 65_535>>,
        /// Its share beside the others' weights, 0 to 65535; default 1. 0: only when nothing
        /// else is up.
        weight: At<Whole<0, 65_535>>,
        /// Its own check; `false` for none.
        check: At<CheckRef>,
    }
}

table! {
    /// A health check.
    struct CheckTable {
        /// `http`, `https` or `tcp`.
        kind: At<Kind>,
        /// The port to probe; default: the endpoint's, else 80 or 443.
        port: At<Whole<1, 65_535>>,
        /// From one probe to the next, `100ms` to `1d`; default `5s`.
        interval: At<Period>,
        /// How long a probe may take; default: half the interval, 5 s at most.
        timeout: At<Period>,
        /// Passes in a row that turn a down endpoint up, 1 to 100; default 2.
        rise: At<Whole<1, 100>>,
        /// Fails in a row that turn an up endpoint down, 1 to 100; default 3.
        fall: At<Whole<1, 100>>,
        /// http, https: the path; default `/`.
        path: At<String>,
        /// http, https: the Host header, and over TLS the server name; default: the address.
        host: At<String>,
        /// http, https: the request method; default `GET`.
        method: At<String>,
        /// http, https: further request headers.
        headers: Named<String>,
        /// tcp: what to send once connected.
        send: At<String>,
        /// What must come back.
        expect: ExpectTable,
        /// https: whether the certificate must be valid; default `true`.
        verify: At<bool>,
        /// https: the name to send and verify; default: `host`.
        server_name: At<String>,
        /// https: a PEM file in the zone directory with the authorities to trust; default: the
        /// system's.
        ca: At<String>,
    }
}

table! {
    /// What a probe must get back.
    struct ExpectTable {
        /// http, https: status codes, such as `200` or `"200-299"`; default `"200-399"`.
        status: OneOrMany<Status>,
        /// http, https: text that the first 16 KiB of the body contain.
        body: At<String>,
        /// tcp: text that the first 16 KiB received contain.
        text: At<String>,
    }
}

table! {
    /// Where some clients go.
    struct RouteTable {
        /// Which clients; default: everyone.
        from: FromTable,
        /// Where they go.
        to: At<ToSpec>,
    }
}

table! {
    /// Which clients a route is for.
    struct FromTable {
        /// Networks, such as `10.0.0.0/8`.
        net: OneOrMany<String>,
    }
}

table! {
    /// One branch of a split.
    struct BranchTable {
        /// Where it goes.
        to: At<ToSpec>,
        /// Its share beside the others' weights, 0 to 65535.
        weight: At<Whole<0, 65_535>>,
    }
}

/// The keys of `{ split = … }`.
const SPLIT: &str = "split";

/// Records of one name: type → data, and a TTL.
#[derive(Debug)]
pub(super) struct RecordsTable {
    pub(super) ttl: Option<At<Period>>,
    pub(super) sets: Vec<(At<String>, OneOrMany<String>)>,
}

impl Decode for RecordsTable {
    fn decode(value: &Spanned<DeValue<'_>>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let (mut ttl, mut sets) = (None, Vec::new());
        for (key, value) in in_file_order(super::decode::as_table(value, decoder)?) {
            if key.value == "ttl" {
                ttl = Decode::decode(value, decoder);
            } else if let Some(data) = Decode::decode(value, decoder) {
                sets.push((At { value: key.value.to_owned(), span: key.span }, data));
            }
        }
        Some(Self { ttl, sets })
    }
}

impl JsonSchema for RecordsTable {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "RecordsTable".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let ttl = generator.subschema_for::<Period>();
        let data = generator.subschema_for::<OneOrMany<String>>();
        schemars::json_schema!({
            "description": "Records of one name: each type with its data, and a TTL.",
            "type": "object",
            "properties": { "ttl": ttl },
            "additionalProperties": data
        })
    }
}

/// A length of time, written with a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Period(pub(super) Duration);

impl Decode for Period {
    fn decode(value: &Spanned<DeValue<'_>>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let period = value.get_ref().as_str().and_then(parse_period);
        if period.is_some() {
            return period.map(Self);
        }
        if let Some(number) = integer(value) {
            let message = "a length of time needs a unit";
            decoder.error_with_help(&value.span(), message, format!("write \"{number}s\""));
            return None;
        }
        refuse(value, "a length of time such as \"500ms\", \"10s\", \"1h30m\" or \"2d\"", decoder)
    }
}

/// Reads `500ms`, `10s`, `1h30m`; digits alone have no unit and are refused.
fn parse_period(text: &str) -> Option<Duration> {
    if let Some(millis) = text.strip_suffix("ms") {
        return millis.parse().ok().map(Duration::from_millis);
    }
    let has_unit = text.ends_with(|end: char| end.is_ascii_alphabetic());
    rdata::parse_period(text).filter(|_| has_unit).map(|secs| Duration::from_secs(secs.into()))
}

leaf_schema!(Period, "period", {
    "type": "string",
    "pattern": "^([0-9]+ms|([0-9]+[smhdwSMHDW])+)$",
    "examples": ["500ms", "10s", "1h30m", "2d"]
});

/// How many endpoints an answer names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AnswersWord {
    Count(u8),
    All,
}

impl Decode for AnswersWord {
    fn decode(value: &Spanned<DeValue<'_>>, decoder: &mut Decoder<'_>) -> Option<Self> {
        match (value.get_ref().as_str(), integer(value)) {
            (Some("all"), _) => Some(Self::All),
            (_, Some(count @ 1..=8)) => Some(Self::Count(count as u8)),
            _ => refuse(value, "1 to 8, or \"all\"", decoder),
        }
    }
}

leaf_schema!(AnswersWord, "answers", {
    "anyOf": [{ "type": "integer", "minimum": 1, "maximum": 8 }, { "const": "all" }]
});

/// What a check speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Http,
    Https,
    Tcp,
}

impl Decode for Kind {
    fn decode(value: &Spanned<DeValue<'_>>, decoder: &mut Decoder<'_>) -> Option<Self> {
        match value.get_ref().as_str() {
            Some("http") => Some(Self::Http),
            Some("https") => Some(Self::Https),
            Some("tcp") => Some(Self::Tcp),
            Some(other) => {
                let known = ["http", "https", "tcp"];
                decoder.unknown(&value.span(), "kind of check", other, known);
                None
            }
            None => refuse(value, "\"http\", \"https\" or \"tcp\"", decoder),
        }
    }
}

leaf_schema!(Kind, "kind", { "enum": ["http", "https", "tcp"] });

/// A status, or a run of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Status {
    pub(super) first: u16,
    pub(super) last: u16,
}

impl Decode for Status {
    fn decode(value: &Spanned<DeValue<'_>>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let is_status = |status: &u16| (100..=599).contains(status);
        let number = |text: &str| text.trim().parse::<u16>().ok().filter(is_status);
        let one = integer(value).and_then(|n| u16::try_from(n).ok()).filter(is_status);
        let run = value.get_ref().as_str().and_then(|text| {
            let (first, last) = text.split_once('-').unwrap_or((text, text));
            let (first, last) = (number(first)?, number(last)?);
            (first <= last).then_some(Self { first, last })
        });
        match one.map(|status| Self { first: status, last: status }).or(run) {
            Some(status) => Some(status),
            None => refuse(value, "a status such as 200 or \"200-299\" (100 to 599)", decoder),
        }
    }
}

leaf_schema!(Status, "status", {
    "anyOf": [
        { "type": "integer", "minimum": 100, "maximum": 599 },
        { "type": "string", "pattern": "^[1-5][0-9][0-9](-[1-5][0-9][0-9])?$" }
    ]
});

/// An endpoint: an address, or a table.
#[derive(Debug)]
pub(super) enum EndpointSpec {
    Address(String),
    Table(Box<EndpointTable>),
}

impl Decode for EndpointSpec {
    fn decode(value: &Spanned<DeValue<'_>>, decoder: &mut Decoder<'_>) -> Option<Self> {
        match value.get_ref() {
            DeValue::String(address) => Some(Self::Address(address.to_string())),
            DeValue::Table(_) => {
                Decode::decode(value, decoder).map(|table| Self::Table(Box::new(table)))
            }
            _ => {
                refuse(value, "an address, or a table such as { address = \"192.0.2.1\" }", decoder)
            }
        }
    }
}

/// A check: by name, written out, or none.
#[derive(Debug)]
pub(super) enum CheckRef {
    Name(String),
    Table(Box<CheckTable>),
    Off,
}

impl Decode for CheckRef {
    fn decode(value: &Spanned<DeValue<'_>>, decoder: &mut Decoder<'_>) -> Option<Self> {
        match value.get_ref() {
            DeValue::String(name) => Some(Self::Name(name.to_string())),
            DeValue::Table(_) => Decode::decode(value, decoder).map(|t| Self::Table(Box::new(t))),
            DeValue::Boolean(false) => Some(Self::Off),
            _ => refuse(value, "the name of a check, a table that is one, or `false`", decoder),
        }
    }
}

/// A target of a route.
#[derive(Debug)]
pub(super) enum ToSpec {
    Pool(String),
    Failover(Vec<At<ToSpec>>),
    Split(Vec<(At<ToSpec>, u16)>),
}

impl Decode for ToSpec {
    fn decode(value: &Spanned<DeValue<'_>>, decoder: &mut Decoder<'_>) -> Option<Self> {
        match value.get_ref() {
            DeValue::String(pool) => Some(Self::Pool(pool.to_string())),
            DeValue::Array(_) => Vec::decode(value, decoder).map(Self::Failover),
            DeValue::Table(table) => {
                let mut split = None;
                for (key, value) in in_file_order(table) {
                    if key.value == SPLIT {
                        split = decode_split(value, decoder);
                    } else {
                        decoder.unknown(&key.span, "key", key.value, [SPLIT]);
                    }
                }
                if table.is_empty() {
                    decoder.missing(&value.span(), SPLIT, "{ eu = 95, us = 5 }");
                }
                split
            }
            _ => refuse(value, "a pool, a list of them, or { split = … }", decoder),
        }
    }
}

/// Reads `{ eu = 95, us = 5 }`, or a list of `{ to = …, weight = … }` where branches nest.
fn decode_split(value: &Spanned<DeValue<'_>>, decoder: &mut Decoder<'_>) -> Option<ToSpec> {
    if value.get_ref().is_array() {
        let branches = Vec::<At<BranchTable>>::decode(value, decoder)?;
        let branch = |branch: At<BranchTable>| {
            for (key, example) in [("to", "\"eu\""), ("weight", "1")] {
                if !branch.value.has(key) {
                    decoder.missing(&branch.span, key, example);
                }
            }
            Some((branch.value.to?, branch.value.weight?.value.0 as u16))
        };
        return Some(ToSpec::Split(branches.into_iter().filter_map(branch).collect()));
    }
    let shares = Named::<Whole<0, 65_535>>::decode(value, decoder)?;
    let branch = |(pool, weight): (At<String>, At<Whole<0, 65_535>>)| {
        let to = At { value: ToSpec::Pool(pool.value), span: pool.span };
        (to, weight.value.0 as u16)
    };
    Some(ToSpec::Split(shares.0.into_iter().map(branch).collect()))
}

impl JsonSchema for EndpointSpec {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Endpoint".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let table = generator.subschema_for::<EndpointTable>();
        schemars::json_schema!({ "anyOf": [{ "type": "string" }, table] })
    }
}

impl JsonSchema for CheckRef {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Check".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let table = generator.subschema_for::<CheckTable>();
        schemars::json_schema!({ "anyOf": [{ "type": "string" }, { "const": false }, table] })
    }
}

impl JsonSchema for ToSpec {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "To".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let to = generator.subschema_for::<ToSpec>();
        let branch = generator.subschema_for::<BranchTable>();
        let weight = generator.subschema_for::<Whole<0, 65_535>>();
        schemars::json_schema!({
            "description": "A pool, a list in failover order, or a split by weight.",
            "anyOf": [
                { "type": "string" },
                { "type": "array", "items": to },
                {
                    "type": "object",
                    "properties": { "split": { "anyOf": [
                        { "type": "object", "additionalProperties": weight },
                        { "type": "array", "items": branch }
                    ] } },
                    "required": ["split"],
                    "additionalProperties": false
                }
            ]
        })
    }
}
