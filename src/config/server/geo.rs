//! The sources of clients' places: `[geo]` of `waypost.toml`, as a value.
//!
//! `config::server` calls [`build`]. `server::geo` reads the databases that [`GeoConfig`] names and
//! makes a `geo::Geo` of them and the networks. Nothing here opens a file. A network stands in one
//! entry only. A changed `[geo]` holds after a restart, a changed database at once.

use std::collections::HashMap;
use std::path::PathBuf;

use ipnet::IpNet;

use crate::config::decode::{Decoder, Spanned};
use crate::config::spec::server::{Geo, GeoNetwork};
use crate::geo::{OwnNetwork, Place, continent_of};

/// The sources of clients' places.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GeoConfig {
    /// Databases in MaxMind's format. The first that knows an address counts.
    pub databases: Vec<PathBuf>,
    /// The networks whose place or autonomous system the operator states.
    pub networks: Vec<OwnNetwork>,
}

/// Reads `[geo]`.
pub(super) fn build(geo: &Geo, decoder: &mut Decoder) -> GeoConfig {
    let databases = geo.databases.iter().flat_map(|list| &list.value.0);
    let networks = geo.networks.iter().flat_map(|list| &list.value.0);
    let mut seen: HashMap<IpNet, ()> = HashMap::new();
    let networks: Vec<OwnNetwork> = networks
        .map(|network| {
            for net in network.value.net.iter().flat_map(|list| &list.value.0) {
                if seen.insert(net.value.0, ()).is_some() {
                    let message = format!("{} is written twice", net.value.0);
                    decoder.error(&net.span, message).help =
                        Some("write all that is known of it into one [[geo.networks]]".to_owned());
                }
            }
            own_network(network, decoder)
        })
        .collect();
    GeoConfig { databases: databases.map(|path| path.value.clone().into()).collect(), networks }
}

fn own_network(Spanned { value, span }: &Spanned<GeoNetwork>, decoder: &mut Decoder) -> OwnNetwork {
    let nets = value.net.iter().flat_map(|list| &list.value.0).map(|net| net.value.0).collect();
    let subdivision = value.subdivision.as_ref().map(|part| part.value.0);
    let country = value.country.as_ref().map(|country| country.value.0);
    let country = country.or(subdivision.map(|part| part.country));
    let continent = value.continent.as_ref().map(|continent| continent.value.0);
    let location = value.location.as_ref().and_then(|location| location.value.coordinates());
    let place = Place {
        continent: continent.or_else(|| country.and_then(continent_of)),
        country,
        subdivisions: [subdivision, None],
        coordinates: location,
    };
    let asn = value.asn.as_ref().map(|asn| asn.value.as_u32());
    if let Some((part, country)) = subdivision.zip(country).filter(|(part, c)| part.country != *c) {
        decoder.error(span, format!("{part} is no part of {country}"));
    }
    if place.is_unknown() && asn.is_none() && !value.broken {
        decoder.error(span, "this entry says nothing about its network").help =
            Some("add a country, a subdivision, a continent, a location or an asn".to_owned());
    }
    OwnNetwork { nets, place: Some(place).filter(|place| !place.is_unknown()), asn }
}
