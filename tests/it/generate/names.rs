//! Names of few labels, so that they meet.

use fastrand::Rng;

use crate::presentation::name_wire;

/// Labels in canonical form, like all names here: a dot and a zero octet in them are escaped.
pub(super) const LABELS: [&str; 8] = ["a", "b", "c", "deep", "x-1", "_srv", "dot\\046dot", "\\000"];

/// Returns the name of `labels` in front of `name`.
pub(super) fn join(labels: &str, name: &str) -> String {
    if name == "." { format!("{labels}.") } else { format!("{labels}.{name}") }
}

/// Returns the name above `name`; the root is above itself.
pub(super) fn parent(name: &str) -> &str {
    name.split_once('.').map(|(_, rest)| rest).filter(|rest| !rest.is_empty()).unwrap_or(".")
}

pub(super) fn label(rng: &mut Rng) -> &'static str {
    LABELS[rng.usize(..LABELS.len())]
}

/// Returns whether `name` fits into a message.
pub(super) fn is_short(name: &str) -> bool {
    name_wire(name).len() <= 255
}

/// Returns a name below `origin`; with `stars` often one at, below or above a wildcard.
pub(super) fn name_below(origin: &str, rng: &mut Rng, stars: bool) -> String {
    let mut name = origin.to_owned();
    for _ in 0..rng.usize(1..5) {
        name = join(label(rng), &name);
    }
    match rng.u8(..20) {
        0..=2 if stars => join("*", &name),
        3 if stars => join("*", origin),
        4 if stars => join(&format!("{}.*", label(rng)), &name),
        // An empty non-terminal stands between this name and the wildcard, which may itself be one.
        5 if stars => join(&format!("{}.{}.*", label(rng), label(rng)), &name),
        6 if stars => join("*.*", &name),
        7 if stars => join(&format!("*.{}.*", label(rng)), &name),
        8 => join(&"long".repeat(15), &name),
        9 => join(&vec!["d"; rng.usize(10..80)].join("."), &name),
        _ => name,
    }
}

/// Returns a name at or near `owner` that a client may ask for.
pub(super) fn name_near(owner: &str, origin: &str, rng: &mut Rng) -> String {
    let name = match rng.u8(..14) {
        0..=3 => owner.to_owned(),
        4..=5 => join(label(rng), owner),
        6 => join(&format!("q.{}", label(rng)), owner),
        7 => parent(owner).to_owned(),
        8 => name_below(origin, rng, true),
        9 => join(&format!("{}.{}", "z".repeat(40), "w".repeat(40)), owner),
        10 => join("*", owner),
        11 if owner != origin => join("*", parent(owner)),
        // A name that a wildcard stands for.
        _ => instance(owner, rng),
    };
    if is_short(&name) { name } else { origin.to_owned() }
}

/// Returns `owner` with other labels in place of each `*`.
fn instance(owner: &str, rng: &mut Rng) -> String {
    let labels = owner.split('.').map(|written| if written == "*" { label(rng) } else { written });
    labels.collect::<Vec<_>>().join(".")
}
