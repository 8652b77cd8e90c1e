//! The value that workers read, and the step from one to the next.
//!
//! Nothing here reads a file, a clock or a socket. The control thread takes these steps in the
//! server, and the scenarios take the same steps in process.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::answer::Policy;
use crate::clock::Moment;
use crate::health::{Binding, Table};
use crate::snapshot::{Snapshot, Zone};
use crate::wire::name::Name;

/// Everything that answers depend on, as one value.
///
/// ## Access
/// The control thread publishes it whole. Each worker takes the newest one between two batches.
#[derive(Clone, Debug)]
pub struct Published {
    /// The zones.
    pub snapshot: Arc<Snapshot>,
    /// The settings that hold for every query.
    pub policy: Arc<Policy>,
}

/// Makes each published value from the one before.
#[derive(Debug)]
pub struct Publisher {
    current: Published,
}

impl Publisher {
    /// Creates a publisher whose current value is generation 0, which has no zones.
    pub fn new(policy: Arc<Policy>) -> Self {
        Self { current: Published { snapshot: Arc::new(Snapshot::new(0, Vec::new())), policy } }
    }

    /// Returns the value that was made last.
    pub fn current(&self) -> &Published {
        &self.current
    }

    /// Makes `policy` a part of all values from the next one on.
    pub fn set_policy(&mut self, policy: Arc<Policy>) {
        self.current.policy = policy;
    }

    /// Makes the next generation, of `zones`, and returns it.
    ///
    /// The boards of new zones show every state that `table` knows before anybody sees them.
    /// Boards of zones that are gone stand still from then on: a worker reads them for the rest
    /// of its batch at most.
    ///
    /// # Cost
    /// A pass over the zones, and over the endpoints of those that are new or gone.
    pub fn publish(&mut self, zones: Vec<Arc<Zone>>, table: &mut Table, now: Moment) -> &Published {
        let old = Arc::clone(&self.current.snapshot);
        let (before, after) = (pointers(old.zones()), pointers(&zones));
        let replaced: HashMap<&Name, &[Binding]> =
            old.zones().iter().map(|zone| (zone.origin(), &zone.bindings()[..])).collect();
        for zone in zones.iter().filter(|zone| !before.contains(&Arc::as_ptr(zone))) {
            let replaced = replaced.get(zone.origin()).copied().unwrap_or(&[]);
            table.bind(zone.board(), zone.bindings(), replaced, now);
        }
        for zone in old.zones().iter().filter(|zone| !after.contains(&Arc::as_ptr(zone))) {
            table.unbind(zone.bindings());
        }
        self.current.snapshot = Arc::new(Snapshot::following(&old, zones));
        &self.current
    }
}

fn pointers(zones: &[Arc<Zone>]) -> HashSet<*const Zone> {
    zones.iter().map(Arc::as_ptr).collect()
}
