//! Networks, wherever a table names clients.

use std::borrow::Cow;

use ipnet::IpNet;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::config::decode::{Decode, Decoder, Node, OneOrMany, Spanned};

/// A network, or a single address.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Network(pub(crate) IpNet);

impl Decode for Network {
    fn decode(node: &Node<'_>, decoder: &mut Decoder) -> Option<Self> {
        let text = String::decode(node, decoder)?;
        let single = || text.parse().ok().map(|address: std::net::IpAddr| address.into());
        let Some(network) = text.parse::<IpNet>().ok().or_else(single) else {
            let message = format!("expected a network, found \"{text}\"");
            decoder.error(&node.span(), message).help = Some("such as \"10.0.0.0/8\"".to_owned());
            return None;
        };
        if network.trunc() != network {
            let message = format!("the network {network} has bits set behind its prefix");
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

/// The networks of a key; none if it is not there.
pub(crate) fn networks(key: Option<&Spanned<OneOrMany<Network>>>) -> Vec<IpNet> {
    key.map_or_else(Vec::new, |key| key.value.0.iter().map(|net| net.value.0).collect())
}
