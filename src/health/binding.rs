//! What decides what a board shows of an endpoint's address.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::SocketAddr;
use std::sync::Arc;

use super::board::Bit;
use super::fingerprint;
use crate::zone::{Check, Condition, Override};

/// What is probed: an address by a check. Equal ones are one, whoever asks for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probed {
    /// Where the probe connects.
    pub address: SocketAddr,
    /// What it does there.
    pub check: Arc<Check>,
}

/// By the address and what is asked of it: the pace of the check tells hardly any apart, and would
/// be most of the cost.
impl Hash for Probed {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.address.hash(state);
        self.check.kind.hash(state);
    }
}

impl Probed {
    /// A number that stays the same from run to run and from release to release, as long as the
    /// address and what is asked of it do: the pace of the check has no part in it.
    pub fn fingerprint(&self) -> u64 {
        fingerprint::of(self)
    }
}

/// An endpoint by its names. Displayed as `web.example.com./fra1`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EndpointName {
    /// The name of its service, absolute.
    pub service: Arc<str>,
    /// The name of its pool.
    pub pool: Arc<str>,
    /// Its own.
    pub name: Box<str>,
}

impl fmt::Display for EndpointName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.service, self.name)
    }
}

/// An endpoint's address that is not simply up, and the bit that shows it.
#[derive(Clone, Debug)]
pub struct Binding {
    /// Whose address it is.
    pub endpoint: Arc<EndpointName>,
    /// Its bit on the zone's board.
    pub bit: Bit,
    /// What decides its state.
    pub condition: Condition<Probed>,
    /// The state that the zone file wants it to have.
    pub wanted: Override,
}

#[cfg(test)]
impl Binding {
    /// The endpoint `name` of `web.example.com.`, which `probed` alone guards.
    pub(crate) fn of(probed: Probed, name: &str, bit: Bit) -> Self {
        let (service, pool) = ("web.example.com.".into(), "default".into());
        let endpoint = Arc::new(EndpointName { service, pool, name: name.into() });
        Self { endpoint, bit, condition: Condition::Check(probed), wanted: Override::Auto }
    }

    /// The only thing that is probed for it.
    pub(crate) fn probed(&self) -> &Probed {
        self.condition.leaves()[0]
    }
}
