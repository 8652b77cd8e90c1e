//! The differences between the zones of two moments, for the log line of a reload.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};
use std::sync::Arc;

use super::catalog::Served;
use crate::snapshot::{Endpoint, Service, Zone};
use crate::wire::name::Name;

/// The most names that one list shows.
const NAMED_MAX: usize = 8;

/// The differences, each as a list in words; `None` where there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Zones that are new.
    pub added: Option<String>,
    /// Zones that are gone.
    pub removed: Option<String>,
    /// Zones that changed, with their services that did.
    pub changed: Option<String>,
}

impl Changes {
    /// Compares two sets of zones.
    ///
    /// # Cost
    /// A pass over the services of the zones that changed.
    pub(super) fn between(before: &BTreeMap<Name, Served>, after: &BTreeMap<Name, Served>) -> Self {
        let only = |these: &BTreeMap<Name, Served>, those: &BTreeMap<Name, Served>| {
            list(these.keys().filter(|name| !those.contains_key(*name)).map(Name::to_string))
        };
        let changed = after.iter().filter_map(|(name, served)| {
            let old = &before.get(name)?.zone;
            (!Arc::ptr_eq(old, &served.zone)).then(|| changed_zone(name, old, &served.zone))
        });
        let changed = list(changed);
        Self { added: only(after, before), removed: only(before, after), changed }
    }

    /// Returns whether nothing differs.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lists =
            [("added", &self.added), ("removed", &self.removed), ("changed", &self.changed)];
        for (word, list) in lists {
            if let Some(list) = list {
                write!(f, "; {word}: {list}")?;
            }
        }
        Ok(())
    }
}

/// Joins the first of `names`, and says how many more there are; `None` if there are none.
fn list(names: impl Iterator<Item = String>) -> Option<String> {
    let (mut text, mut count) = (String::new(), 0);
    for name in names {
        count += 1;
        if count <= NAMED_MAX {
            text.push_str(if count > 1 { ", " } else { "" });
            text.push_str(&name);
        }
    }
    if count > NAMED_MAX {
        // Writing to a String cannot fail.
        let _ = write!(text, " and {} more", count - NAMED_MAX);
    }
    (count > 0).then_some(text)
}

/// Describes a changed zone by its changed services: `example.com. (web +fra3 -fra1, +mail)`.
fn changed_zone(name: &Name, before: &Zone, after: &Zone) -> String {
    let (old, new) = (services(before), services(after));
    let labels: BTreeSet<&str> = old.keys().chain(new.keys()).copied().collect();
    let parts = labels.into_iter().filter_map(|label| match (old.get(label), new.get(label)) {
        (None, _) => Some(format!("+{label}")),
        (_, None) => Some(format!("-{label}")),
        (Some(old), Some(new)) => changed_service(label, (before, old), (after, new)),
    });
    match list(parts) {
        Some(parts) => format!("{name} ({parts})"),
        None => name.to_string(),
    }
}

fn services(zone: &Zone) -> BTreeMap<&str, &Service> {
    zone.services().iter().map(|service| (zone.label(service), service)).collect()
}

/// The identity of an endpoint: its name, its addresses, its port, its owner name.
type Identity<'z> = (&'z str, Option<[u8; 4]>, Option<[u8; 16]>, u16, &'z [u8]);

/// Describes a service by the endpoints that came, went and changed; `None` if nothing changed.
fn changed_service<'z>(
    label: &str,
    before: (&'z Zone, &'z Service),
    after: (&'z Zone, &'z Service),
) -> Option<String> {
    let (old, new) = (endpoints(before), endpoints(after));
    let named = |all: &BTreeSet<Identity<'z>>| -> BTreeSet<&'z str> {
        all.iter().map(|(name, ..)| *name).collect()
    };
    let (old_names, new_names) = (named(&old), named(&new));
    let sign = |name: &str| match (old_names.contains(name), new_names.contains(name)) {
        (false, _) => "+",
        (_, false) => "-",
        _ => "~",
    };
    let names: BTreeSet<&str> = old.symmetric_difference(&new).map(|(name, ..)| *name).collect();
    let parts: Vec<String> = names.iter().map(|name| format!("{}{name}", sign(name))).collect();
    let ttl = before.1.ttl != after.1.ttl;
    let shown = parts.iter().take(NAMED_MAX).map(|part| format!(" {part}")).collect::<String>();
    let more = match parts.len().saturating_sub(NAMED_MAX) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    (ttl || !parts.is_empty()).then(|| format!("{label}{shown}{more}"))
}

fn endpoints<'z>((zone, service): (&'z Zone, &'z Service)) -> BTreeSet<Identity<'z>> {
    let identity = |endpoint: &'z Endpoint| {
        let (name, owner) = (zone.endpoint_name(endpoint), zone.endpoint_owner(endpoint));
        (name, endpoint.v4, endpoint.v6, endpoint.port, owner)
    };
    zone.endpoints(service).iter().map(identity).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_bounded() {
        let names = |count: usize| (0..count).map(|number| number.to_string());
        assert_eq!(list(names(0)), None);
        assert_eq!(list(names(2)).unwrap(), "0, 1");
        assert_eq!(list(names(10)).unwrap(), "0, 1, 2, 3, 4, 5, 6, 7 and 2 more");
    }
}
