//! Endpoints: their names, places, ports and checks.

use std::collections::HashMap;
use std::net::IpAddr;
use std::ops::Range;

use super::Builder;
use super::check::CheckIndex;
use super::claims::By;
use super::nest::Member;
use crate::config::decode::Spanned;
use crate::config::spec::endpoint::{Endpoint as EndpointSpec, EndpointTable, WEIGHT_DEFAULT};
use crate::wire::name::{LABEL_LEN_MAX, Name};
use crate::zone::{Endpoint, Override, Place};

/// The properties that the endpoints of one service share.
pub(super) struct Shared<'a> {
    /// The key of the service in the zone file.
    pub(super) label: &'a str,
    pub(super) owner: &'a Name,
    pub(super) port: Option<u16>,
    pub(super) check: Option<CheckIndex>,
    /// The state that the present pool sets for its endpoints.
    pub(super) wanted: Override,
    /// The names given so far, in lower case, each with its text.
    pub(super) names: HashMap<String, Range<usize>>,
    /// The names of endpoints without a port.
    pub(super) portless: Vec<String>,
    /// The pools whose members are services, by their index.
    pub(super) nests: Vec<(usize, Vec<Member>)>,
}

impl Builder<'_> {
    /// Builds one endpoint; `None` if it has no place or no name.
    pub(super) fn endpoint(
        &mut self,
        shared: &mut Shared<'_>,
        spec: &Spanned<EndpointSpec>,
    ) -> Option<Endpoint> {
        let table = &*spec.value.table(&spec.span);
        let port = table.port.as_ref().map(|port| port.value.as_u16()).or(shared.port);
        let own_check = table.check.as_ref().map(|check| self.used_check(check));
        let place = self.place(table, &spec.span);
        let check = match (&place, own_check) {
            (Some(Place::Target(_)), Some(Some(index)))
                if self.goes_to_endpoint(index, &|_| true) =>
            {
                let span = table.check.as_ref().map_or(&spec.span, |check| &check.span);
                let message = "an endpoint with a `target` has no address that could be probed";
                let help = "write `address = …` in the check, or make it of services";
                self.decoder.error(span, message).help = Some(help.to_owned());
                None
            }
            (Some(Place::Target(_)), own) => own.flatten(),
            (_, own) => own.unwrap_or(shared.check),
        };
        if let (Some(index), Some(Place::Addresses { .. })) = (check, &place) {
            self.endpoint_within_reach(index, table);
        }
        let waits = check.filter(|index| self.asks_for_service(*index));
        let guard = match check {
            Some(index) if waits.is_none() => self.guard(index, port, &spec.span),
            _ => None,
        };
        let place = place?;
        let (name, span) = match &table.name {
            Some(name) => (name.value.clone(), &name.span),
            None => (default_name(&place), &spec.span),
        };
        if !self.is_good_name(&name, table.name.is_some(), span) {
            return None;
        }
        if port.is_none() {
            shared.portless.push(name.clone());
        }
        if shared.names.insert(name.to_ascii_lowercase(), span.clone()).is_some() {
            let message = format!("another endpoint of this service is called `{name}`");
            self.decoder.error(span, message).help = Some("give it a `name` of its own".to_owned());
            return None;
        }
        let owner = shared.owner.prepend(name.as_bytes());
        let owner = owner.map_err(|error| self.decoder.error(span, error.to_string())).ok()?;
        self.claims.add(&owner, By::Service, span);
        if let Some(index) = waits {
            self.await_guard(index, (shared.label, &name), port, &spec.span);
        }
        let wanted = table.state.as_ref().map_or(shared.wanted, |state| state.value.into());
        let weight = table.weight.as_ref().map_or(WEIGHT_DEFAULT, |weight| weight.value.as_u16());
        Some(Endpoint { name, owner, place, port, weight, guard, wanted })
    }

    fn place(&mut self, table: &EndpointTable, span: &Range<usize>) -> Option<Place> {
        match (&table.address, &table.target) {
            (Some(_), Some(target)) => {
                let message = "an endpoint has an `address` or a `target`, not both";
                self.decoder.error(&target.span, message);
                None
            }
            (None, Some(target)) => super::absolute(target, &mut self.decoder).map(Place::Target),
            (Some(addresses), None) => {
                let (mut v4, mut v6) = (None, None);
                for address in &addresses.value.0 {
                    if let Some(what) = unfit(address.value.0) {
                        let message = format!("no client can connect to {what}");
                        self.decoder.error(&address.span, message);
                    }
                    let family = match address.value.0 {
                        IpAddr::V4(ip) => v4.replace(ip).map(|_| "IPv4"),
                        IpAddr::V6(ip) => v6.replace(ip).map(|_| "IPv6"),
                    };
                    if let Some(family) = family {
                        let message = format!("an endpoint has one {family} address at the most");
                        self.decoder.error(&address.span, message).help =
                            Some("write two endpoints".to_owned());
                    }
                }
                (v4.is_some() || v6.is_some()).then_some(Place::Addresses { v4, v6 })
            }
            (None, None) => {
                if !table.broken {
                    let diagnostic = self.decoder.error(span, "this endpoint has no place");
                    diagnostic.label = "needs `address = …` or `target = …`".to_owned();
                }
                None
            }
        }
    }

    /// Returns whether `name` can be a label of letters, digits and hyphens (RFC 1123 §2.1).
    fn is_good_name(&mut self, name: &str, written: bool, span: &Range<usize>) -> bool {
        let ldh = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        let good = !name.is_empty()
            && name.len() <= LABEL_LEN_MAX
            && name.bytes().all(ldh)
            && !name.starts_with('-')
            && !name.ends_with('-');
        if !good && written {
            let message = format!("`{name}` cannot be the name of an endpoint");
            self.decoder.error(span, message).help = Some(
                "write 1 to 63 letters, digits and hyphens, no hyphen at either end".to_owned(),
            );
        } else if !good {
            let message = format!("no name for this endpoint can be made from `{name}`");
            self.decoder.error(span, message).help = Some("give it a `name`".to_owned());
        }
        good
    }
}

/// Returns a description of `ip` if no endpoint can have it. A probe of the unspecified address
/// would go to this machine, and one of a multicast or broadcast address to many.
pub(super) fn unfit(ip: IpAddr) -> Option<&'static str> {
    match ip {
        _ if ip.is_unspecified() => Some("the unspecified address"),
        _ if ip.is_multicast() => Some("a multicast address"),
        IpAddr::V4(v4) if v4.is_broadcast() => Some("the broadcast address"),
        IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some() => {
            Some("an IPv4 address that is written as an IPv6 one")
        }
        _ => None,
    }
}

/// Returns the name of an endpoint that sets none: `192-0-2-11`, `2001-db8--1`, or the first label
/// of its target.
fn default_name(place: &Place) -> String {
    let address = match place {
        Place::Target(target) => {
            let text = target.to_string();
            return text.split('.').next().unwrap_or("").to_ascii_lowercase();
        }
        Place::Addresses { v4: Some(v4), .. } => v4.to_string(),
        Place::Addresses { v6, .. } => v6.map_or(String::new(), |v6| v6.to_string()),
    };
    let mut name = address.replace(['.', ':'], "-");
    if name.starts_with('-') {
        name.insert(0, '0');
    }
    if name.ends_with('-') {
        name.push('0');
    }
    name
}
