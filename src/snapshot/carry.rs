//! The draws of a zone that is replaced by a newer form of itself.
//!
//! `server::Publisher` finds once, on the control thread, which services draw as before; each
//! worker then copies their draws. `steering` decides what draws as before.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Service, Snapshot, Zone};
use crate::steering::{Draws, Extent};
use crate::wire::name::Name;

/// The draws of a zone that go on: their places now, and in an earlier form of the zone.
#[derive(Debug, Default)]
pub struct Continued(Vec<(Extent, Extent)>);

impl Continued {
    fn add(&mut self, now: Extent, before: Extent) {
        if !now.is_as_large_as(&before) {
            return;
        }
        if let Some((last_now, last_before)) = self.0.last_mut() {
            let mut longer = last_now.clone();
            if longer.extend(&now) && last_before.extend(&before) {
                *last_now = longer;
                return;
            }
        }
        self.0.push((now, before));
    }
}

impl Zone {
    /// Finds the services that draw as they did in `old`, an earlier form of this zone.
    ///
    /// # Cost
    /// A pass over the endpoints of both.
    pub fn continued(&self, old: &Self) -> Continued {
        let (mut continued, mut by_label) = (Continued::default(), None);
        for (at, service) in self.services.iter().enumerate() {
            let label = self.text(service.label);
            let is_it = |was: &&Service| old.text(was.label) == label;
            // Most often services stand where they stood.
            let was = match old.services.get(at).filter(is_it) {
                Some(_) => Some(at),
                None => by_label.get_or_insert_with(|| old.places()).get(label).copied(),
            };
            let Some((was, before)) = was.and_then(|was| Some((was, old.services.get(was)?)))
            else {
                continue;
            };
            if self.plans.draws_as(&service.plan, &old.plans, &before.plan)
                && let (Some(now), Some(before)) = (self.extent(at), old.extent(was))
            {
                continued.add(now, before);
            }
        }
        continued
    }

    /// Makes the draws of one worker for this zone. Those that are `continued` go on where they
    /// were in `from`, the worker's draws in the earlier form, so that shares hold over the reload.
    /// All others start anew, at random.
    ///
    /// # Cost
    /// That of [`Draws::new`], and a copy of what goes on.
    pub fn continue_draws(&self, seed: u64, from: &Draws, continued: &Continued) -> Draws {
        let mut draws = Draws::new(self.points, seed);
        for (now, before) in &continued.0 {
            draws.take_over(now, from, before);
        }
        draws
    }

    /// Returns the place of each service by its label.
    fn places(&self) -> HashMap<&[u8], usize> {
        let labels = self.services.iter().map(|service| self.text(service.label));
        labels.zip(0..).collect()
    }

    fn extent(&self, at: usize) -> Option<Extent> {
        let next = self.services.get(at + 1).map(|service| &service.plan);
        self.plans.extent(&self.services.get(at)?.plan, next, self.points)
    }
}

impl Snapshot {
    /// Puts compiled zones together as the generation after `old`. Finds in each zone that changed
    /// the draws that go on.
    ///
    /// # Cost
    /// That of [`Zone::continued`] for each zone that changed, and a pass over all zones.
    pub fn following(old: &Self, zones: Vec<Arc<Zone>>) -> Self {
        let before: HashMap<&Name, &Arc<Zone>> =
            old.zones.iter().map(|zone| (zone.origin(), zone)).collect();
        let continued = zones.iter().enumerate().filter_map(|(at, zone)| {
            let before = before.get(zone.origin()).filter(|before| !Arc::ptr_eq(before, zone))?;
            Some((at, zone.continued(before)))
        });
        let continued = continued.collect();
        Self { continued, ..Self::new(old.generation + 1, zones) }
    }

    /// Returns the draws that go on in the zone at `at`, for whoever comes from `old`; `None` if
    /// this snapshot was not made to follow that one.
    pub fn continued(&self, at: usize, old: &Self) -> Option<&Continued> {
        let follows = old.generation + 1 == self.generation;
        self.continued.get(&at).filter(|_| follows)
    }
}
