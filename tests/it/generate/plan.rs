//! The names of a zone, and the data at each.

use std::collections::BTreeMap;

use fastrand::Rng;

use super::names::{is_short, join, label, name_below};
use crate::model::is_below;

/// The data at one owner.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Data,
    Large,
    Alias,
    Rename,
    Cut,
}

/// The names of one zone.
pub(super) struct Plan {
    pub(super) origin: &'static str,
    pub(super) owners: BTreeMap<String, Kind>,
}

impl Plan {
    pub(super) fn new(origin: &'static str, rng: &mut Rng) -> Self {
        let mut owners: BTreeMap<String, Kind> = BTreeMap::new();
        // Sometimes a DNAME renames a whole zone, and nothing below its apex is answered.
        if matches!(origin, "." | "example.org.") && rng.u8(..8) == 0 {
            owners.insert(origin.to_owned(), Kind::Rename);
        }
        for _ in 0..rng.usize(3..30) {
            let owner = name_below(origin, rng, true);
            let kind = kind(&owner, rng);
            owners.entry(owner).or_insert(kind);
        }
        match origin {
            "example.com." if rng.bool() => {
                owners.insert("sub.example.com.".to_owned(), Kind::Cut);
            }
            "." => {
                for name in ["com.", "org.", "net.", "example.com."] {
                    match rng.u8(..8) {
                        0..=4 => owners.insert(name.to_owned(), Kind::Cut),
                        5 => owners.insert(name.to_owned(), Kind::Rename),
                        6 => owners.insert(name.to_owned(), Kind::Data),
                        _ => None,
                    };
                }
            }
            _ => {}
        }
        let mut plan = Self { origin, owners };
        plan.occlude(rng);
        plan
    }

    /// Adds names below delegations and DNAMEs, where a zone has nothing to say.
    fn occlude(&mut self, rng: &mut Rng) {
        let hides = |kind: &Kind| matches!(kind, Kind::Cut | Kind::Rename);
        let hiding: Vec<String> =
            self.owners.iter().filter(|(_, k)| hides(k)).map(|(owner, _)| owner.clone()).collect();
        for above in hiding {
            for _ in 0..rng.usize(..3) {
                let labels = match rng.u8(..5) {
                    0 => "*".to_owned(),
                    1 => format!("{}.*", label(rng)),
                    2 => format!("{}.{}", label(rng), label(rng)),
                    _ => label(rng).to_owned(),
                };
                let owner = join(&labels, &above);
                if is_short(&join("ns", &owner)) {
                    let kind = kind(&owner, rng);
                    self.owners.entry(owner).or_insert(kind);
                }
            }
        }
    }

    pub(super) fn cuts(&self) -> Vec<&String> {
        self.owners.iter().filter(|(_, kind)| **kind == Kind::Cut).map(|(owner, _)| owner).collect()
    }

    /// Returns whether a DNAME stands above `owner`.
    pub(super) fn is_renamed(&self, owner: &str) -> bool {
        let mut renames = self.owners.iter().filter(|(_, kind)| **kind == Kind::Rename);
        renames.any(|(dname, _)| is_below(owner, dname))
    }
}

/// Draws the kind of an owner. No NS stands at a wildcard: BIND does not load it (RFC 4592 §4.2).
fn kind(owner: &str, rng: &mut Rng) -> Kind {
    match rng.u8(..20) {
        0..=3 => Kind::Alias,
        4..=5 => Kind::Rename,
        6..=9 if !owner.starts_with('*') => Kind::Cut,
        10..=12 => Kind::Large,
        _ => Kind::Data,
    }
}
