//! The conditions that the reply to a probe must meet, as a zone file writes them.
//!
//! `spec::check` has them as the key `expect`; `config::meaning::kind` makes them those of
//! `zone::CheckKind`. The kinds before a colon in a doc comment must be those for which
//! `config::meaning` takes the key. Not here: the comparison with a reply (`checker::probe`).

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::test::ExpectedRcode;
use crate::config::decode::{Decode, Decoder, Int, Map, Node, OneOrMany, integer, table};
use crate::zone::{Scalar, StatusRange};

/// The default statuses that pass.
pub(crate) const STATUS_DEFAULT: StatusRange = StatusRange { first: 200, last: 399 };

table! {
    /// The conditions that the reply to a probe must meet. Redirects are not followed.
    pub(crate) struct Expect {
        /// http, https, fastcgi: the statuses that pass: numbers, or ranges such as "200-299".
        /// Default: "200-399".
        status: OneOrMany<Status>;
        /// http, https, fastcgi: text that the first 16 KiB of the body must contain.
        body: String;
        /// http, https, fastcgi: a regular expression that the first 16 KiB of the body must match.
        body_regex: String;
        /// http, https, fastcgi: headers that must be present with these values.
        headers: Map<String>;
        /// http, https, fastcgi: the values that the body must hold as JSON, each at a JSON
        /// Pointer: { "/status" = "ok" }.
        json: Map<JsonScalar>;
        /// tcp, tls: text that the first 16 KiB received must contain; udp: text that the datagram
        /// must contain. Default: for tcp and tls, connecting is enough; for udp, any datagram
        /// passes.
        text: String;
        /// tcp, tls, udp: octets that must be contained, instead of `text`, in hexadecimal digits
        /// such as "05 00".
        hex: Hex;
        /// exec: the exit statuses that pass. Default: 0.
        exit: OneOrMany<Int<0, 255>>;
        /// dns: the response code that passes. Default: "NOERROR".
        rcode: ExpectedRcode;
        /// dns: the RDATA of a record that must be in the answer, as dig shows it.
        data: String;
    }
}

/// Octets, written as hexadecimal digits in pairs.
#[derive(Clone, Debug)]
pub(crate) struct Hex(pub(crate) Vec<u8>);

impl Hex {
    fn parse(text: &str) -> Option<Self> {
        let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
        let pair = |pair: &[u8]| {
            let digits = std::str::from_utf8(pair).ok().filter(|_| pair.len() == 2)?;
            // The number parser would accept a sign.
            let is_hex = pair.iter().all(u8::is_ascii_hexdigit);
            is_hex.then(|| u8::from_str_radix(digits, 16).ok()).flatten()
        };
        let octets: Option<Vec<u8>> = digits.chunks(2).map(pair).collect();
        octets.filter(|octets| !octets.is_empty()).map(Self)
    }
}

impl Decode for Hex {
    fn decode(node: &Node<'_>, decoder: &mut Decoder) -> Option<Self> {
        let octets = node.get_ref().as_str().and_then(Self::parse);
        if octets.is_none() {
            decoder.expected("hexadecimal digits in pairs, such as \"05 01 00\"", node);
        }
        octets
    }
}

impl JsonSchema for Hex {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Hex".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^\\s*([0-9A-Fa-f]\\s*[0-9A-Fa-f]\\s*)+$" })
    }
}

/// A string, a whole number, `true` or `false`.
#[derive(Clone, Debug)]
pub(crate) struct JsonScalar(pub(crate) Scalar);

impl Decode for JsonScalar {
    fn decode(node: &Node<'_>, decoder: &mut Decoder) -> Option<Self> {
        let value = node.get_ref();
        let scalar = match (value.as_str(), value.as_bool()) {
            (Some(text), _) => Some(Scalar::Text(text.to_owned())),
            (_, Some(truth)) => Some(Scalar::Truth(truth)),
            _ => value.as_integer().and_then(integer).map(Scalar::Integer),
        };
        if scalar.is_none() {
            decoder.expected("a string, a whole number, true or false", node);
        }
        scalar.map(Self)
    }
}

impl JsonSchema for JsonScalar {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "JsonScalar".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "integer", "boolean"] })
    }
}

/// A status or a range of statuses.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Status(pub(crate) StatusRange);

impl Status {
    fn parse(text: &str) -> Option<Self> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let number = |text: &str| text.trim().parse::<u16>().ok();
        let (first, last) = (number(first)?, number(last)?);
        (100 <= first && first <= last && last <= 599).then_some(Self(StatusRange { first, last }))
    }
}

impl Decode for Status {
    fn decode(node: &Node<'_>, decoder: &mut Decoder) -> Option<Self> {
        let value = node.get_ref();
        let text = value.as_str().or_else(|| value.as_integer().map(|number| number.as_str()));
        let status = text.and_then(Self::parse);
        if status.is_none() {
            decoder.expected("a status from 100 to 599, or a range such as \"200-299\"", node);
        }
        status
    }
}

impl JsonSchema for Status {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Status".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [
            { "type": "integer", "minimum": 100, "maximum": 599 },
            { "type": "string", "pattern": "^[1-5][0-9][0-9](-[1-5][0-9][0-9])?$" },
        ] })
    }
}
