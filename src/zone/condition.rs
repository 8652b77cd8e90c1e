//! The condition under which an endpoint may serve: one check, or several joined by a rule.

use std::net::SocketAddr;
use std::sync::Arc;

use super::Check;

/// A rule over checks, or over the probes made of them: `L`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Condition<L> {
    /// One check.
    Check(L),
    /// The opposite of a condition.
    Not(Box<Self>),
    /// At least so many of these. Their number stands for all of them, one for any of them.
    AtLeast(usize, Vec<Self>),
}

/// A check as a zone file names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Asked {
    /// The check.
    pub check: Arc<Check>,
    /// The address to check; `None` for that of the endpoint that it guards.
    pub at: Option<SocketAddr>,
}

impl<L> Condition<L> {
    /// Returns a condition that always holds.
    pub fn always() -> Self {
        Self::AtLeast(0, Vec::new())
    }

    /// Returns all checks in it, in order.
    pub fn leaves(&self) -> Vec<&L> {
        match self {
            Self::Check(leaf) => vec![leaf],
            Self::Not(inner) => inner.leaves(),
            Self::AtLeast(_, of) => of.iter().flat_map(Self::leaves).collect(),
        }
    }

    /// Returns the checks that must each pass for it to hold.
    pub fn needed(&self) -> Vec<&L> {
        match self {
            Self::Check(leaf) => vec![leaf],
            Self::AtLeast(count, of) if *count == of.len() => {
                of.iter().flat_map(Self::needed).collect()
            }
            Self::Not(_) | Self::AtLeast(..) => Vec::new(),
        }
    }

    /// Returns the condition with every check replaced by the result of `leaf`.
    pub fn map<M>(&self, leaf: &mut impl FnMut(&L) -> M) -> Condition<M> {
        match self {
            Self::Check(of) => Condition::Check(leaf(of)),
            Self::Not(inner) => Condition::Not(Box::new(inner.map(leaf))),
            Self::AtLeast(count, of) => {
                Condition::AtLeast(*count, of.iter().map(|one| one.map(leaf)).collect())
            }
        }
    }

    /// Whether it holds, given the results that `leaf` has for its checks. `None` if too many of
    /// them are still unknown to decide.
    pub fn holds(&self, leaf: &impl Fn(&L) -> Option<bool>) -> Option<bool> {
        match self {
            Self::Check(of) => leaf(of),
            Self::Not(inner) => inner.holds(leaf).map(|holds| !holds),
            Self::AtLeast(count, of) => {
                let found: Vec<Option<bool>> = of.iter().map(|one| one.holds(leaf)).collect();
                let holding = found.iter().filter(|one| **one == Some(true)).count();
                let unknown = found.iter().filter(|one| one.is_none()).count();
                match holding {
                    _ if holding >= *count => Some(true),
                    _ if holding + unknown < *count => Some(false),
                    _ => None,
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Condition::{AtLeast, Check, Not};
    use super::*;

    #[test]
    fn what_is_unknown_decides_nothing_but_hides_nothing_either() {
        let leaf = |known: &Option<bool>| *known;
        let [yes, no, unknown] = [Some(true), Some(false), None].map(Check);
        let holds = |condition: Condition<Option<bool>>| condition.holds(&leaf);
        let of = |a: &Condition<_>, b: &Condition<_>| vec![a.clone(), b.clone()];
        assert_eq!(holds(AtLeast(2, of(&yes, &yes))), Some(true));
        assert_eq!(holds(AtLeast(2, of(&yes, &unknown))), None);
        assert_eq!(holds(AtLeast(2, of(&no, &unknown))), Some(false));
        assert_eq!(holds(AtLeast(1, of(&yes, &unknown))), Some(true));
        assert_eq!(holds(AtLeast(1, of(&no, &unknown))), None);
        assert_eq!(holds(Not(Box::new(unknown))), None);
        assert_eq!(holds(Not(Box::new(no))), Some(true));
        assert_eq!(holds(Condition::always()), Some(true));
    }
}
