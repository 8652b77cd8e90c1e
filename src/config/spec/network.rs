//! Networks, for every table that names clients, resolvers or targets of probes.
//!
//! `spec` uses the types in the tables of zones, routes, tests and the server; `config::meaning`
//! and `config::server` take the networks out. A [`Network`] has no bits set after its prefix: such
//! a text is an error, not a wider network.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};

use crate::config::decode::{Decode, Decoder, Node, OneOrMany, Spanned};

/// A network, or a single address.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Network(pub(crate) IpNet);

impl Decode for Network {
    fn decode(node: &Node<'_>, decoder: &mut Decoder) -> Option<Self> {
        let text = String::decode(node, decoder)?;
        let single = || text.parse().ok().map(|address: IpAddr| address.into());
        let Some(network) = text.parse::<IpNet>().ok().or_else(single) else {
            let message = format!("expected a network, found \"{text}\"");
            decoder.error(&node.span(), message).help = Some("such as \"10.0.0.0/8\"".to_owned());
            return None;
        };
        if network.trunc() != network {
            let message = format!("the network {network} has bits set after its prefix");
            let help = format!("did you mean \"{}\"?", network.trunc());
            decoder.error(&node.span(), message).help = Some(help);
            return None;
        }
        Some(Self(network))
    }
}

impl JsonSchema for Network {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Network".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "examples": ["10.0.0.0/8", "2001:db8::/32"] })
    }
}

/// The resolvers whose client subnets count.
#[derive(Clone, Debug)]
pub(crate) enum ClientSubnet {
    /// No resolver.
    Nobody,
    /// Every resolver.
    Everybody,
    /// The resolvers in these networks.
    Of(Vec<IpNet>),
}

impl ClientSubnet {
    /// Returns the networks of the resolvers.
    pub(crate) fn networks(&self) -> Vec<IpNet> {
        let everybody = [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)];
        match self {
            Self::Nobody => Vec::new(),
            Self::Everybody => everybody.map(|ip| IpNet::new_assert(ip, 0)).into(),
            Self::Of(networks) => networks.clone(),
        }
    }
}

impl Decode for ClientSubnet {
    fn decode(node: &Node<'_>, decoder: &mut Decoder) -> Option<Self> {
        match node.get_ref().as_bool() {
            Some(true) => Some(Self::Everybody),
            Some(false) => Some(Self::Nobody),
            None if node.get_ref().is_array() || node.get_ref().is_str() => {
                let OneOrMany(networks) = OneOrMany::<Network>::decode(node, decoder)?;
                Some(Self::Of(networks.iter().map(|net| net.value.0).collect()))
            }
            None => {
                decoder.expected("true, false or networks of resolvers", node);
                None
            }
        }
    }
}

impl Serialize for ClientSubnet {
    /// Writes the default value for the schema: whether all resolvers are believed.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bool(matches!(self, Self::Everybody))
    }
}

impl JsonSchema for ClientSubnet {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "ClientSubnet".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let networks = generator.subschema_for::<OneOrMany<Network>>();
        json_schema!({ "anyOf": [{ "type": "boolean" }, networks] })
    }
}

/// Returns the networks of a key, or an empty list if the key is absent.
pub(crate) fn networks(key: Option<&Spanned<OneOrMany<Network>>>) -> Vec<IpNet> {
    key.map_or_else(Vec::new, |key| key.value.0.iter().map(|net| net.value.0).collect())
}
