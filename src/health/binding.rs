//! The bindings of endpoint addresses to bits: what decides the bit that a board shows.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::SocketAddr;
use std::sync::Arc;

use super::board::Bit;
use super::fingerprint;
use crate::zone::{Check, Condition, Override};

/// An address and the check that probes it. Equal ones are probed once for all endpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probed {
    /// The address that the probe connects to.
    pub address: SocketAddr,
    /// The check that it runs there.
    pub check: Arc<Check>,
}

/// Hashes the address and the kind of the check. The pace of a check tells hardly any two apart,
/// and hashing it would be most of the cost.
impl Hash for Probed {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.address.hash(state);
        self.check.kind.hash(state);
    }
}

impl Probed {
    /// Returns a number that stays the same from run to run and from release to release, as long as
    /// the address and what is asked of it do. The pace of the check does not change it.
    pub fn fingerprint(&self) -> u64 {
        fingerprint::of(self)
    }
}

/// The names of an endpoint. Displayed as `web.example.com./fra1`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EndpointName {
    /// The name of its service, absolute.
    pub service: Arc<str>,
    /// The name of its pool.
    pub pool: Arc<str>,
    /// Its own name.
    pub name: Box<str>,
}

impl fmt::Display for EndpointName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.service, self.name)
    }
}

/// An endpoint's address with a check or an override in its zone file, and the bit that shows it.
#[derive(Clone, Debug)]
pub struct Binding {
    /// The endpoint that has the address.
    pub endpoint: Arc<EndpointName>,
    /// Its bit on the zone's board.
    pub bit: Bit,
    /// The rule over checks that decides its state.
    pub condition: Condition<Probed>,
    /// The state that the zone file wants it to have.
    pub wanted: Override,
}

#[cfg(test)]
impl Binding {
    /// Returns a binding of the endpoint `name` of `web.example.com.`, which `probed` alone guards.
    pub(crate) fn of(probed: Probed, name: &str, bit: Bit) -> Self {
        let (service, pool) = ("web.example.com.".into(), "default".into());
        let endpoint = Arc::new(EndpointName { service, pool, name: name.into() });
        Self { endpoint, bit, condition: Condition::Check(probed), wanted: Override::Auto }
    }

    /// Returns the first address and check that are probed for it.
    pub(crate) fn probed(&self) -> &Probed {
        self.condition.leaves()[0]
    }
}
