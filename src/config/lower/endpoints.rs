//! Endpoints: their names, places, ports, weights and checks.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;
use std::sync::Arc;

use super::Lowering;
use super::checks::Checks;
use super::services::is_target;
use crate::config::decode::At;
use crate::config::spec::{CheckRef, EndpointSpec, EndpointTable, ServiceTable};
use crate::wire::name::Name;
use crate::zone::{Check, Endpoint, Place, limits};

/// The weight of an endpoint that writes none.
const WEIGHT: u16 = 1;

/// The endpoints of one service, whose names are unique across its pools.
pub(super) struct Endpoints<'a> {
    service: &'a Name,
    port: Option<u16>,
    check: Option<Arc<Check>>,
    checks: &'a Checks,
    names: HashMap<String, Range<usize>>,
    any_weight: bool,
}

impl<'a> Endpoints<'a> {
    pub(super) fn new(
        service: &'a Name,
        table: &ServiceTable,
        check: Option<Arc<Check>>,
        checks: &'a Checks,
    ) -> Self {
        let port = table.port.as_ref().map(|port| port.value.0 as u16);
        Self { service, port, check, checks, names: HashMap::new(), any_weight: false }
    }

    /// Whether any endpoint so far writes a weight.
    pub(super) fn any_weight_written(&self) -> bool {
        self.any_weight
    }

    /// The endpoints of one pool, whose name stands at `pool`.
    pub(super) fn of_pool(
        &mut self,
        list: &[At<EndpointSpec>],
        pool: &Range<usize>,
        lowering: &mut Lowering<'_>,
    ) -> Vec<Endpoint> {
        if list.is_empty() {
            lowering.decoder.error(pool, "no endpoint is written here");
        }
        if list.len() > limits::ENDPOINTS_PER_POOL_MAX {
            let most = limits::ENDPOINTS_PER_POOL_MAX;
            lowering.decoder.error(pool, format!("a pool has {most} endpoints at most"));
        }
        let mut endpoints = Vec::with_capacity(list.len());
        for spec in list {
            let endpoint = match &spec.value {
                EndpointSpec::Address(address) => {
                    let address = At { value: address.clone(), span: spec.span.clone() };
                    lowering
                        .place(&[address], &spec.span)
                        .and_then(|place| self.endpoint(place, None, &spec.span, lowering))
                }
                EndpointSpec::Table(table) => self.of_table(table, lowering),
            };
            endpoints.extend(endpoint);
        }
        let targets = endpoints.iter().filter(|e: &&Endpoint| is_target(&e.place)).count();
        if targets != 0 && targets != endpoints.len() {
            let message = "a pool has addresses or targets, not both";
            let help = "put the targets into a pool of their own";
            lowering.decoder.error_with_help(pool, message, help);
        }
        endpoints
    }

    fn of_table(&mut self, table: &EndpointTable, lowering: &mut Lowering<'_>) -> Option<Endpoint> {
        self.any_weight |= table.weight.is_some();
        let place = match (&table.address, &table.target) {
            (Some(_), Some(target)) => {
                let message = "an endpoint has an `address` or a `target`, not both";
                lowering.decoder.error(&target.span, message);
                None
            }
            (Some(addresses), None) => lowering.place(&addresses.0, &table.span),
            (None, Some(target)) => lowering.absolute(target).map(Place::Target),
            (None, None) => {
                if !table.has("address") && !table.has("target") {
                    lowering.decoder.missing(&table.span, "address", "\"192.0.2.1\"");
                }
                None
            }
        };
        self.endpoint(place?, Some(table), &table.span, lowering)
    }

    fn endpoint(
        &mut self,
        place: Place,
        table: Option<&EndpointTable>,
        span: &Range<usize>,
        lowering: &mut Lowering<'_>,
    ) -> Option<Endpoint> {
        let written = table.and_then(|table| table.name.as_ref());
        let name = match written {
            Some(written) => written.value.clone(),
            None => default_name(&place),
        };
        let name_span = written.map_or(span, |written| &written.span);
        let owner = self.own_name(&name, name_span, lowering)?;
        let check = match table.and_then(|table| table.check.as_ref()) {
            Some(At { value: CheckRef::Off, .. }) => None,
            Some(own) if is_target(&place) => {
                let message = "a target has no address to check";
                let help = "drop the check; a target counts as up";
                lowering.decoder.error_with_help(&own.span, message, help);
                None
            }
            Some(own) => self.checks.find(own, lowering),
            None if is_target(&place) => None,
            None => self.check.clone(),
        };
        let port = table.and_then(|table| table.port.as_ref()).map(|port| port.value.0 as u16);
        let port = port.or(self.port);
        if let Some(check) = &check
            && check.port.or(port).or(check.kind.default_port()).is_none()
        {
            let message = format!("the check of endpoint `{name}` has no port to probe");
            let help = "write `port = 6379` in the check, the service or the endpoint";
            lowering.decoder.error_with_help(span, message, help);
        }
        let weight = table.and_then(|table| table.weight.as_ref());
        let weight = weight.map_or(WEIGHT, |weight| weight.value.0 as u16);
        Some(Endpoint { name, owner, place, port, weight, check })
    }

    /// The endpoint's own owner name: one label below the service, used once.
    fn own_name(
        &mut self,
        name: &str,
        span: &Range<usize>,
        lowering: &mut Lowering<'_>,
    ) -> Option<Name> {
        let letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        let is_label = name.bytes().all(letter) && !name.starts_with('-') && !name.ends_with('-');
        if !is_label || name.is_empty() || name.len() > 63 {
            let message = format!("{name:?} is no name for an endpoint");
            let help = "use 1 to 63 letters, digits and hyphens, no hyphen at either end";
            lowering.decoder.error_with_help(span, message, help);
            return None;
        }
        if self.names.insert(name.to_ascii_lowercase(), span.clone()).is_some() {
            let message = format!("another endpoint of this service is named `{name}`");
            let help = "give one of them another `name`";
            lowering.decoder.error_with_help(span, message, help);
            return None;
        }
        match self.service.prepend(name.as_bytes()) {
            Ok(owner) => {
                let source = Arc::clone(lowering.decoder.source());
                lowering.note_owner(&owner, &source, span.clone());
                Some(owner)
            }
            Err(error) => {
                lowering.decoder.error(span, error.to_string());
                None
            }
        }
    }
}

/// A label made from where the endpoint is: `192-0-2-11`, `2001-db8--11`, `web`.
fn default_name(place: &Place) -> String {
    let address = match place {
        Place::Addresses { v4: Some(v4), .. } => v4.to_string(),
        Place::Addresses { v6: Some(v6), .. } => v6.to_string(),
        Place::Addresses { .. } => String::new(),
        Place::Target(target) => {
            let label = target.labels().next().unwrap_or_default();
            return String::from_utf8_lossy(label).into_owned();
        }
    };
    let dashed = address.replace(['.', ':'], "-");
    let (front, rear) = (dashed.starts_with('-'), dashed.ends_with('-'));
    format!("{}{dashed}{}", if front { "0" } else { "" }, if rear { "0" } else { "" })
}

impl Lowering<'_> {
    /// One address of each family at the most.
    fn place(&mut self, addresses: &[At<String>], span: &Range<usize>) -> Option<Place> {
        let (mut v4, mut v6): (Option<Ipv4Addr>, Option<Ipv6Addr>) = (None, None);
        let mut sound = true;
        for written in addresses {
            let second = match written.value.parse::<IpAddr>() {
                Ok(IpAddr::V4(address)) => v4.replace(address).is_some(),
                Ok(IpAddr::V6(address)) => v6.replace(address).is_some(),
                Err(_) => {
                    let message = format!("expected an IP address, found {:?}", written.value);
                    let help = "a name goes into `target`, a port into `port`";
                    self.decoder.error_with_help(&written.span, message, help);
                    sound = false;
                    continue;
                }
            };
            if second {
                let message = "an endpoint has one address of each family at the most";
                let help = "write a second endpoint: each has a state of its own";
                self.decoder.error_with_help(&written.span, message, help);
                sound = false;
            }
        }
        if addresses.is_empty() {
            self.decoder.error(span, "no address is written here");
        }
        (sound && !addresses.is_empty()).then_some(Place::Addresses { v4, v6 })
    }

    /// A name that is absolute whether it ends with a dot or not.
    fn absolute(&mut self, written: &At<String>) -> Option<Name> {
        Name::parse(&written.value, Some(&Name::root()))
            .map_err(|error| self.decoder.error(&written.span, error.to_string()))
            .ok()
            .filter(|name| !name.is_root())
    }
}
