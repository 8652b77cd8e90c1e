//! Which clients go where.

use ipnet::IpNet;

use super::service::{NestedIndex, PoolIndex};
use crate::geo::{Code, Coordinates, Subdivision};

/// Which clients go where.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// The clients.
    pub from: RouteFrom,
    /// Where they go.
    pub to: Target,
}

/// Clients by what is known of them: each list that is not empty must have one that fits. All
/// empty: everyone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct RouteFrom {
    /// Networks that hold the client.
    pub nets: Vec<IpNet>,
    /// Continents.
    pub continents: Vec<Code>,
    /// Countries.
    pub countries: Vec<Code>,
    /// Parts of countries.
    pub subdivisions: Vec<Subdivision>,
    /// Numbers of autonomous systems.
    pub asns: Vec<u32>,
}

impl RouteFrom {
    /// Whether it takes every client.
    pub fn is_everyone(&self) -> bool {
        self.nets.is_empty() && !self.asks_place() && self.asns.is_empty()
    }

    /// Whether it asks where the client is.
    pub fn asks_place(&self) -> bool {
        !(self.continents.is_empty() && self.countries.is_empty() && self.subdivisions.is_empty())
    }
}

/// The `to` algebra, nested freely.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// One pool.
    Pool(PoolIndex),
    /// The first usable one, in order.
    Failover(Vec<Target>),
    /// By weight; a share that is not usable flows to the others in proportion.
    Split(Vec<(Target, u16)>),
    /// The usable one that is nearest to the client; the order written where nobody knows where
    /// that is.
    Nearest(Vec<PoolIndex>),
    /// The usable one that the client reaches soonest, as the service's latencies say; those that
    /// nothing is known of come behind, as in [`Target::Nearest`].
    Fastest(Vec<PoolIndex>),
    /// The endpoints of all usable ones together.
    All(Vec<Target>),
    /// Where a nested service leads the client.
    Service(NestedIndex),
}

impl Target {
    /// Whether it depends on how long clients take.
    pub fn asks_latencies(&self) -> bool {
        match self {
            Self::Fastest(_) => true,
            Self::Pool(_) | Self::Nearest(_) | Self::Service(_) => false,
            Self::Failover(list) | Self::All(list) => list.iter().any(Self::asks_latencies),
            Self::Split(list) => list.iter().any(|(to, _)| to.asks_latencies()),
        }
    }

    /// The same where the pools of its service stand behind `pools` others, and what is nested in
    /// it behind `nested` others.
    pub fn moved(&self, pools: u16, nested: u16) -> Self {
        let one = |at: &PoolIndex| PoolIndex(at.0 + pools);
        let ones = |list: &[PoolIndex]| list.iter().map(one).collect();
        let all = |list: &[Self]| list.iter().map(|to| to.moved(pools, nested)).collect();
        match self {
            Self::Pool(pool) => Self::Pool(one(pool)),
            Self::Service(service) => Self::Service(NestedIndex(service.0 + nested)),
            Self::Nearest(list) => Self::Nearest(ones(list)),
            Self::Fastest(list) => Self::Fastest(ones(list)),
            Self::Failover(list) => Self::Failover(all(list)),
            Self::All(list) => Self::All(all(list)),
            Self::Split(list) => {
                let share = |(to, weight): &(Self, u16)| (to.moved(pools, nested), *weight);
                Self::Split(list.iter().map(share).collect())
            }
        }
    }

    /// Adds every pool in it to `found`; those of nested services not.
    pub fn pools(&self, found: &mut Vec<PoolIndex>) {
        match self {
            Self::Pool(pool) => found.push(*pool),
            Self::Service(_) => {}
            Self::Nearest(pools) | Self::Fastest(pools) => found.extend(pools),
            Self::Failover(list) | Self::All(list) => list.iter().for_each(|to| to.pools(found)),
            Self::Split(list) => list.iter().for_each(|(to, _)| to.pools(found)),
        }
    }
}

/// Where a pool is, for [`Target::Nearest`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PoolLocation {
    /// The point.
    pub coordinates: Coordinates,
    /// How much nearer the pool counts than it is, in kilometres; below 0: farther.
    pub bias_km: i32,
}
