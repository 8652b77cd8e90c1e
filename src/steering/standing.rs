//! The standing of a service for all clients: the usable pools, and the pools that they are led to.
//!
//! The log reports changes of it. No query comes here.

use super::plan::{Branches, Plan, PlanPool, To};
use super::select::{Family, Mode, Select};
use crate::health::Board;
use crate::zone::OnAllDown;

/// The most ways of clients that are distinguished; more would only make a log line longer.
const WAYS_MAX: usize = 64;

/// The usable pools of a service, and the ways of its clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The bits of the numbers of the pools that have their `min_up`.
    pub usable: u64,
    /// The distinct ways of the clients; empty if all pools are usable.
    pub ways: Vec<Way>,
}

/// The pools that some clients are led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Way {
    /// The bits of the pools that they may be led to.
    pub all: u64,
    /// The bits of the pools that they are led to now; 0 if they get no answer.
    pub now: u64,
    /// The mode in which these were found.
    pub mode: Mode,
}

impl Standing {
    /// Returns whether every pool is usable.
    pub fn is_whole(&self) -> bool {
        self.ways.is_empty()
    }

    /// Returns the bits of the pools that any client is led to now.
    pub fn now(&self) -> u64 {
        self.ways.iter().fold(0, |bits, way| bits | way.now)
    }
}

impl Plan<'_> {
    /// Returns the standing of the service.
    ///
    /// # Cost
    /// One pass over its pools; if one of them is not usable, one over its decisions too.
    pub fn standing(&self, board: &Board) -> Standing {
        let select = self.select(board);
        let usable = bits_where(self.pools, |pool| select.is_usable(pool, Mode::MinUp));
        let mut ways = Vec::new();
        if usable.count_ones() as usize != self.pools.len().min(64) {
            for to in self.ways() {
                let way = select.way(to);
                if ways.len() < WAYS_MAX && !ways.contains(&way) {
                    ways.push(way);
                }
            }
        }
        Standing { usable, ways }
    }

    /// Returns how many endpoints of a pool may serve, and how many there are.
    pub fn count_up(&self, board: &Board, pool: u16) -> (u32, u32) {
        let pool = self.pools.get(usize::from(pool));
        pool.map_or((0, 0), |pool| self.select(board).count_up(pool, Mode::AnyUp))
    }

    fn select<'s>(&'s self, board: &'s Board) -> Select<'s> {
        let (family, routed) = (Family::Any, self.routed_otherwise());
        Select { plan: *self, board, routed, family, addresses_only: false, trace: None }
    }
}

impl Select<'_> {
    fn way(&self, to: To) -> Way {
        let all = self.plan.pools_of(to).iter().fold(0, |bits, at| bits | 1 << (at & 63));
        let modes = [Mode::MinUp, Mode::AnyUp, Mode::Drained];
        let found = modes.into_iter().find_map(|mode| {
            let now = self.reached(to, mode);
            (now != 0).then_some(Way { all, now, mode })
        });
        found.unwrap_or_else(|| {
            let now = match self.plan.on_all_down {
                OnAllDown::All => self.reached(to, Mode::Open),
                OnAllDown::None => 0,
                OnAllDown::Pool(at) => 1 << (at.0 & 63),
            };
            Way { all, now, mode: Mode::Open }
        })
    }

    /// Returns the bits of the pools that clients of `to` are led to; each pool gets some of them
    /// at least.
    fn reached(&self, to: To, mode: Mode) -> u64 {
        let (branches, is_failover) = match to {
            To::Pool(at) => {
                let usable = self.pool(at).is_some_and(|pool| self.is_usable(pool, mode));
                return u64::from(usable) << (at & 63);
            }
            To::Failover(branches) => (branches, true),
            To::Split(at) => {
                let split = self.plan.split(at);
                let branches = split.map_or(Branches::default(), |split| split.branches);
                let usable = self.usable_branches(self.plan.branches(branches), mode);
                let drawn = self.plan.branches(branches).iter().enumerate();
                let drawn = drawn.filter(|(at, _)| usable >> (at & 63) & 1 == 1);
                return drawn.fold(0, |bits, (_, branch)| bits | self.reached(branch.to, mode));
            }
            To::All(at) => {
                let union = self.plan.split(at);
                (union.map_or(Branches::default(), |union| union.branches), false)
            }
        };
        let mut reached = self.plan.branches(branches).iter().map(|b| self.reached(b.to, mode));
        match is_failover {
            true => reached.find(|bits| *bits != 0).unwrap_or(0),
            false => reached.fold(0, |all, bits| all | bits),
        }
    }
}

/// Returns the bits of the places of the pools for which `holds`.
fn bits_where(pools: &[PlanPool], holds: impl Fn(&PlanPool) -> bool) -> u64 {
    let found = (0..64u32).zip(pools).filter(|(_, pool)| holds(pool));
    found.fold(0, |bits, (at, _)| bits | 1 << at)
}
