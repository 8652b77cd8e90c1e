//! Routes: the clients that they take, and the pools where they lead.

use ipnet::IpNet;

use super::service::{NestedIndex, PoolIndex};
use crate::geo::{Code, Coordinates, Subdivision};

/// A route from some clients to some pools.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// The clients that it takes.
    pub from: RouteFrom,
    /// The target to which it leads them.
    pub to: Target,
}

/// Clients, by what is known of them. Each list that is not empty must have an entry that fits. If
/// all are empty, every client fits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct RouteFrom {
    /// The networks that hold the client.
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
    /// Whether every client fits.
    pub fn is_everyone(&self) -> bool {
        self.nets.is_empty() && !self.asks_place() && self.asns.is_empty()
    }

    /// Whether it depends on the client's place.
    pub fn asks_place(&self) -> bool {
        !(self.continents.is_empty() && self.countries.is_empty() && self.subdivisions.is_empty())
    }
}

/// A target of the `to` algebra, nested freely.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// One pool.
    Pool(PoolIndex),
    /// The first usable one, in the order written.
    Failover(Vec<Target>),
    /// One by weight. The share of one that is not usable flows to the others in proportion.
    Split(Vec<(Target, u16)>),
    /// The usable one nearest to the client; in the order written if the client's place is unknown.
    Nearest(Vec<PoolIndex>),
    /// The usable one that the client reaches soonest by the service's latencies. Those without a
    /// latency come after the others, as in [`Target::Nearest`].
    Fastest(Vec<PoolIndex>),
    /// The endpoints of all usable ones together.
    All(Vec<Target>),
    /// The target to which a nested service leads the client.
    Service(NestedIndex),
}

impl Target {
    /// Whether it depends on latencies.
    pub fn asks_latencies(&self) -> bool {
        match self {
            Self::Fastest(_) => true,
            Self::Pool(_) | Self::Nearest(_) | Self::Service(_) => false,
            Self::Failover(list) | Self::All(list) => list.iter().any(Self::asks_latencies),
            Self::Split(list) => list.iter().any(|(to, _)| to.asks_latencies()),
        }
    }

    /// Returns the target with every pool index raised by `pools`, and every index of a nested
    /// service by `nested`.
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

    /// Adds every pool in it to `found`, but not those of nested services.
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

/// The place of a pool, for [`Target::Nearest`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PoolLocation {
    /// The point on the globe.
    pub coordinates: Coordinates,
    /// The distance by which the pool counts as nearer than it is, in kilometres; below 0, as
    /// farther.
    pub bias_km: i32,
}
