//! The states that the operator wants while the server runs: beside those that the zone files
//! write, and before them.

use std::collections::HashMap;

use super::binding::EndpointName;
use crate::zone::Override;

/// What an override is about: a service, one of its pools, or one of its endpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The name of the service, absolute.
    pub service: String,
    /// The part of it; `None`: all of it.
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

/// Overrides by service.
#[derive(Debug, Default)]
pub(super) struct Overrides(HashMap<String, OfService>);

#[derive(Debug, Default)]
struct OfService {
    all: Option<Override>,
    pools: HashMap<String, Override>,
    endpoints: HashMap<String, Override>,
}

impl Overrides {
    /// Sets what is wanted of `subject`; `None`: nothing.
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

    /// What is wanted of an endpoint: what is said of itself, else of its pool, else of its
    /// service, else what is `written` in the zone file.
    pub(super) fn wanted(&self, endpoint: &EndpointName, written: Override) -> Override {
        let Some(of) = self.0.get(&*endpoint.service) else { return written };
        let own = of.endpoints.get(&*endpoint.name);
        own.or_else(|| of.pools.get(&*endpoint.pool)).copied().or(of.all).unwrap_or(written)
    }
}

impl Subject {
    /// Whether it has the endpoint.
    pub(super) fn has(&self, endpoint: &EndpointName) -> bool {
        let is_in_part = match &self.part {
            None => true,
            Some(Part::Pool(name)) => **name == *endpoint.pool,
            Some(Part::Endpoint(name)) => **name == *endpoint.name,
        };
        *self.service == *endpoint.service && is_in_part
    }
}
