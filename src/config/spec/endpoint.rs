//! An endpoint as a zone file writes it: a table, or an address alone.
//!
//! Pools list endpoints (`spec::service`); `config::meaning` (`endpoint`, `nest`) finds the keys
//! that exclude each other and gives the rest meaning. `spec::check` shares [`Address`]. An address
//! alone means the same as its table with no other key.

use std::borrow::Cow;
use std::net::IpAddr;
use std::ops::Range;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::check::CheckUse;
use crate::config::decode::{Decode, Decoder, Int, Node, OneOrMany, Spanned, table, words};
use crate::zone::Override;

/// The weight of an endpoint that sets none.
pub(crate) const WEIGHT_DEFAULT: u16 = 1;

table! {
    /// One member of a pool: an address, the name of a server elsewhere, or another service.
    pub(crate) struct EndpointTable {
        /// Its name, unique in the service: letters, digits and hyphens. Its own address records
        /// are at this name below the service. Default: made from the address or target.
        name: String;
        /// Its IPv4 or IPv6 address, or a list of one of each.
        address: OneOrMany<Address>;
        /// The name of a server elsewhere, answered as CNAME, instead of `address`. It is always
        /// absolute; the final dot may be left out.
        target: String;
        /// Another service of the zone, instead of `address`. Its own steering decides which of its
        /// endpoints serves. Only `weight` may stand beside it.
        service: String;
        /// Its port, for SRV answers and checks. Default: the service's.
        port: Int<1, 65_535>;
        /// Its weight: its share of the answers in proportion to the other endpoints' weights. 0:
        /// it serves only if nothing else is up. Default: 1.
        weight: Int<0, 65_535>;
        /// Its check instead of the service's: a name, a table, or false for no check.
        check: CheckUse;
        /// Its state: "up", "down" or "drain" whatever its check says, or "auto" for the verdict of
        /// its check. Default: the pool's.
        state: Wanted;
    }
}

words! {
    /// The state that the operator sets for endpoints.
    pub(crate) enum Wanted {
        /// The verdict of the check decides.
        Auto = "auto",
        /// Up.
        Up = "up",
        /// Down.
        Down = "down",
        /// The endpoint is in no new answers as long as anything else is up.
        Drain = "drain",
    }
}

impl From<Wanted> for Override {
    fn from(wanted: Wanted) -> Self {
        match wanted {
            Wanted::Auto => Self::Auto,
            Wanted::Up => Self::Up,
            Wanted::Down => Self::Down,
            Wanted::Drain => Self::Drain,
        }
    }
}

/// An endpoint as a table, or as an address alone, which takes much less memory.
#[derive(Clone, Debug)]
pub(crate) enum Endpoint {
    /// An address alone.
    Address(Address),
    /// Any other endpoint.
    Table(Box<EndpointTable>),
}

impl Endpoint {
    /// Returns the table that means the same as this endpoint; `span` is the text of the endpoint.
    pub(crate) fn table(&self, span: &Range<usize>) -> Cow<'_, EndpointTable> {
        match self {
            Self::Table(table) => Cow::Borrowed(table),
            Self::Address(address) => {
                let address = OneOrMany(vec![Spanned::new(*address, span.clone())]);
                let address = Some(Spanned::new(address, span.clone()));
                Cow::Owned(EndpointTable {
                    name: None,
                    address,
                    target: None,
                    service: None,
                    port: None,
                    weight: None,
                    check: None,
                    state: None,
                    broken: false,
                })
            }
        }
    }

    /// Returns whether the endpoint has a weight or is a service. By default an answer then names
    /// only one of the endpoints.
    pub(crate) fn is_one_of_many(&self) -> bool {
        matches!(self, Self::Table(table) if table.weight.is_some() || table.service.is_some())
    }
}

impl Decode for Endpoint {
    fn decode(node: &Node<'_>, decoder: &mut Decoder) -> Option<Self> {
        if node.get_ref().is_str() {
            return Address::decode(node, decoder).map(Self::Address);
        }
        if !node.get_ref().is_table() {
            decoder.expected("an address or a table", node);
            return None;
        }
        EndpointTable::decode(node, decoder).map(|table| Self::Table(Box::new(table)))
    }
}

impl JsonSchema for Endpoint {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Endpoint".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let address = generator.subschema_for::<Address>();
        let table = generator.subschema_for::<EndpointTable>();
        json_schema!({ "anyOf": [address, table] })
    }
}

/// An IPv4 or IPv6 address.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Address(pub(crate) IpAddr);

impl Decode for Address {
    fn decode(node: &Node<'_>, decoder: &mut Decoder) -> Option<Self> {
        let text = String::decode(node, decoder)?;
        let address = text.parse().ok().map(Self);
        if address.is_none() {
            let message = format!("expected an IPv4 or IPv6 address, found \"{text}\"");
            let diagnostic = decoder.error(&node.span(), message);
            if text.parse::<std::net::SocketAddr>().is_ok() {
                diagnostic.help = Some("write the port as `port = …`".to_owned());
            } else if text.contains(|c: char| c.is_ascii_alphabetic()) && text.contains('.') {
                diagnostic.help = Some("a name is written as `target = \"…\"`".to_owned());
            }
        }
        address
    }
}

impl JsonSchema for Address {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Address".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "examples": ["192.0.2.11", "2001:db8::11"] })
    }
}
