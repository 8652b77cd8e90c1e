//! The draws of a zone that is replaced by a newer form of itself.

use std::collections::HashMap;

use super::{Service, Zone};
use crate::steering::{Draws, Extent};

impl Zone {
    /// Makes the draws of one worker for this zone, which replaces `old`: `from` are the worker's
    /// draws there. A service that draws as before goes on where it was, so that its shares hold
    /// over the reload. All others start anew, at random.
    ///
    /// # Cost
    /// That of [`Draws::new`], and a pass over the endpoints of both zones.
    pub fn continue_draws(&self, seed: u64, old: &Self, from: &Draws) -> Draws {
        let mut draws = Draws::new(self.points, seed);
        let mut by_label = None;
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
                && let (Some(extent), Some(old_extent)) = (self.extent(at), old.extent(was))
            {
                draws.take_over(&extent, from, &old_extent);
            }
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
