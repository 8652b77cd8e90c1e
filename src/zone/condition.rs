//! What decides whether an endpoint may serve: a check, or several by a rule.

use std::net::SocketAddr;
use std::sync::Arc;

use super::Check;

/// A rule over checks, or over what is probed by them: `L`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Condition<L> {
    /// One check.
    Check(L),
    /// The opposite.
    Not(Box<Self>),
    /// At least so many of these. All of them: their number; any of them: one.
    AtLeast(usize, Vec<Self>),
}

/// A check as a zone file names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Asked {
    /// What is done.
    pub check: Arc<Check>,
    /// Where; `None`: at the address of whoever is guarded by it.
    pub at: Option<SocketAddr>,
}

impl<L> Condition<L> {
    /// What holds whatever happens.
    pub fn always() -> Self {
        Self::AtLeast(0, Vec::new())
    }

    /// All checks of it, in order.
    pub fn leaves(&self) -> Vec<&L> {
        match self {
            Self::Check(leaf) => vec![leaf],
            Self::Not(inner) => inner.leaves(),
            Self::AtLeast(_, of) => of.iter().flat_map(Self::leaves).collect(),
        }
    }

    /// The checks without any of which it does not hold.
    pub fn needed(&self) -> Vec<&L> {
        match self {
            Self::Check(leaf) => vec![leaf],
            Self::AtLeast(count, of) if *count == of.len() => {
                of.iter().flat_map(Self::needed).collect()
            }
            Self::Not(_) | Self::AtLeast(..) => Vec::new(),
        }
    }

    /// The same over what `leaf` makes of its checks.
    pub fn map<M>(&self, leaf: &mut impl FnMut(&L) -> M) -> Condition<M> {
        match self {
            Self::Check(of) => Condition::Check(leaf(of)),
            Self::Not(inner) => Condition::Not(Box::new(inner.map(leaf))),
            Self::AtLeast(count, of) => {
                Condition::AtLeast(*count, of.iter().map(|one| one.map(leaf)).collect())
            }
        }
    }

    /// Whether it holds, by what `leaf` says of its checks; `None`: that is not known yet, and
    /// what is known does not decide it.
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
