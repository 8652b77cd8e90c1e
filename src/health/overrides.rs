//! The states that the operator sets while the server runs; they go before those of the zone files.

use std::collections::HashMap;

use super::binding::EndpointName;
use crate::zone::Override;

/// The subject of an override: a service, one of its pools, or one of its endpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The name of the service, absolute.
    pub service: String,
    /// The part of it; `None` for all of it.
    pub part: Option<Part>,
}

/// A part of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// The pool of this name.
    Pool(String),
    /// The endpoint of this name.
    Endpoint(String),
}

/// The overrides by service.
#[derive(Debug, Default)]
pub(super) struct Overrides(HashMap<String, OfService>);

#[derive(Debug, Default)]
struct OfService {
    all: Option<Override>,
    pools: HashMap<String, Override>,
    endpoints: HashMap<String, Override>,
}

impl Overrides {
    /// Sets the override of `subject`; `None` removes it.
    pub(super) fn set(&mut self, subject: &Subject, wanted: Option<Override>) {
        let of = self.0.entry(subject.service.clone()).or_default();
        let (map, name) = match &subject.part {
            None => {
                of.all = wanted;
                return;
            }
            Some(Part::Pool(name)) => (&mut of.pools, name),
            Some(Part::Endpoint(name)) => (&mut of.endpoints, name),
        };
        match wanted {
            Some(wanted) => drop(map.insert(name.clone(), wanted)),
            None => drop(map.remove(name)),
        }
    }

    /// Returns the override of an endpoint: its own, otherwise that of its pool, otherwise that of
    /// its service, otherwise the one `written` in the zone file.
    pub(super) fn wanted(&self, endpoint: &EndpointName, written: Override) -> Override {
        let Some(of) = self.0.get(&*endpoint.service) else { return written };
        let own = of.endpoints.get(&*endpoint.name);
        own.or_else(|| of.pools.get(&*endpoint.pool)).copied().or(of.all).unwrap_or(written)
    }
}

impl Subject {
    /// Returns whether it has the endpoint.
    pub(super) fn has(&self, endpoint: &EndpointName) -> bool {
        let is_in_part = match &self.part {
            None => true,
            Some(Part::Pool(name)) => **name == *endpoint.pool,
            Some(Part::Endpoint(name)) => **name == *endpoint.name,
        };
        *self.service == *endpoint.service && is_in_part
    }
}
