//! What a steered name is made of: services, pools, endpoints, routes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use super::condition::{Asked, Condition};
use super::latency::Latencies;
use super::overrides::Override;
use super::route::{PoolLocation, Route, Target};
use super::rrset::Ttl;
use crate::wire::name::Name;

/// A name whose answers are steered.
#[derive(Clone, Debug)]
pub struct Service {
    /// Its name as the zone file writes it, relative to the origin: `web`.
    pub label: String,
    /// The owner of its A, AAAA and CNAME answers.
    pub owner: Name,
    /// The TTL of every record that it gives.
    pub ttl: Ttl,
    /// The names, weights and tiers of its SRV answers.
    pub srv: Srv,
    /// What its HTTPS answers say beside addresses; `None`: it answers none.
    pub https: Option<Box<Https>>,
    /// The data of its TXT records in wire format, no two alike; may be empty.
    pub txt: Vec<Box<[u8]>>,
    /// How many endpoints one A or AAAA answer names.
    pub answers: Answers,
    /// What to answer when no pool of the route is usable.
    pub on_all_down: OnAllDown,
    /// Whether a client gets the same endpoints as long as they may serve.
    pub sticky: bool,
    /// At least one, in file order; those of nested services behind.
    pub pools: Vec<Pool>,
    /// How long clients take to reach its pools, for [`Target::Fastest`](super::Target::Fastest).
    pub latencies: Option<Arc<Latencies>>,
    /// Tried in order; a client that none matches goes to the pools in file order.
    pub routes: Vec<Route>,
    /// The services that its pools are made of, and those that these are made of behind them.
    pub nested: Vec<Nested>,
}

/// The names of a service that answer SRV (RFC 2782).
#[derive(Clone, Debug, Default)]
pub struct Srv {
    /// May be empty.
    pub names: Vec<SrvName>,
    /// The numbers that weights become.
    pub weights: SrvWeights,
    /// The failover tiers that are answered.
    pub tiers: SrvTiers,
}

/// A name that answers SRV.
#[derive(Clone, Debug)]
pub struct SrvName {
    /// Such as `_http._tcp.web.example.com.`
    pub owner: Name,
    /// The port of every endpoint in its answers; `None`: each endpoint's own.
    pub port: Option<u16>,
}

/// The numbers that weights become in SRV answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SrvWeights {
    /// 65,535 for the greatest of a priority, the others in proportion.
    #[default]
    Scaled,
    /// Those of the zone file.
    Written,
}

/// The failover tiers that SRV answers name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SrvTiers {
    /// All, by priority.
    #[default]
    All,
    /// The one in use.
    Current,
}

/// How many endpoints one A or AAAA answer names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answers {
    /// This many, drawn by weight; 1 to
    /// [`ADDRESSES_PER_ANSWER_MAX`](super::limits::ADDRESSES_PER_ANSWER_MAX).
    Count(u8),
    /// Every endpoint that may serve, [`ADDRESSES_OF_ALL`](super::limits::ADDRESSES_OF_ALL) at
    /// most.
    All,
}

/// What the HTTPS record of a service says beside addresses (RFC 9460 §7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Https {
    /// The ALPN names of what its endpoints speak beside HTTP/1.1: at least one and
    /// [`ALPN_NAMES_MAX`](super::limits::ALPN_NAMES_MAX) at most, each of 1 to 255 octets.
    pub alpn: Vec<String>,
    /// The port that clients connect to; `None`: 443, that of the scheme.
    pub port: Option<u16>,
}

/// What a service answers when nothing is usable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnAllDown {
    /// As if everything were up: a wrong address beats no address.
    All,
    /// NODATA.
    None,
    /// The endpoints of this pool, whatever their state.
    Pool(PoolIndex),
}

/// A pool's place in its service's `pools`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PoolIndex(pub u16);

/// A nested service's place in its service's `nested`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NestedIndex(pub u16);

/// A named group of endpoints, such as a site. All have addresses, or all have a target.
#[derive(Clone, Debug)]
pub struct Pool {
    /// Its name, unique in the service.
    pub name: String,
    /// The share of weight that must be up for the pool to be usable.
    pub min_up: MinUp,
    /// Where it is; each pool that a [`Target::Nearest`](super::Target::Nearest) names has one.
    pub location: Option<PoolLocation>,
    /// At least one; none in a pool of services.
    pub endpoints: Vec<Endpoint>,
    /// What serves for it if its members are other services.
    pub services: Option<Target>,
    /// If it is the copy of a pool of another service, which is nested in this one: the name that
    /// it has there.
    pub nested_from: Option<Box<str>>,
}

/// Another service that is nested in this one: a member of one of its pools.
///
/// Its pools stand as copies among those of this one, so what draws here leaves the draws of the
/// other as they are; states are those of the addresses, and so the same.
#[derive(Clone, Debug)]
pub struct Nested {
    /// What the zone file calls it.
    pub label: String,
    /// Where clients go that none of its routes takes.
    pub otherwise: Target,
    /// Its routes, to pools of this service.
    pub routes: Vec<Route>,
    /// How long clients take to its pools.
    pub latencies: Option<Arc<Latencies>>,
}

/// A share of weight, 0 to 1 in steps of one millionth. 0: one endpoint up is enough.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct MinUp(u32);

impl MinUp {
    const ONE: u64 = 1_000_000;

    /// The share `fraction`; `None` outside 0 to 1.
    pub fn from_fraction(fraction: f64) -> Option<Self> {
        (0.0..=1.0).contains(&fraction).then(|| Self((fraction * Self::ONE as f64).round() as u32))
    }

    /// The share, 0 to 1.
    pub fn as_fraction(self) -> f64 {
        f64::from(self.0) / Self::ONE as f64
    }

    /// Whether `up` of `total` weight is enough.
    pub fn is_met(self, up: u32, total: u32) -> bool {
        u64::from(up) * Self::ONE >= u64::from(total) * u64::from(self.0)
    }
}

/// One place that serves a service.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Its name, unique in the service: `fra1`.
    pub name: String,
    /// Its own owner name, `fra1.web.example.com.`.
    pub owner: Name,
    /// Where it is.
    pub place: Place,
    /// Its port, for SRV and for checks that set none.
    pub port: Option<u16>,
    /// Its share of the answers, beside the others' weights. 0: only when nothing else is up.
    pub weight: u16,
    /// What guards each of its addresses; `None`: always up.
    pub guard: Option<Arc<Condition<Asked>>>,
    /// The state that the zone file wants it to have.
    pub wanted: Override,
}

/// Where an endpoint is: one address a family at the most, or a name elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// At least one of the two is set.
    Addresses {
        /// Its IPv4 address.
        v4: Option<Ipv4Addr>,
        /// Its IPv6 address.
        v6: Option<Ipv6Addr>,
    },
    /// Answered as CNAME to this name.
    Target(Name),
}

impl Endpoint {
    /// Its addresses, IPv4 first.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        let (v4, v6) = match self.place {
            Place::Addresses { v4, v6 } => (v4, v6),
            Place::Target(_) => (None, None),
        };
        v4.map(IpAddr::V4).into_iter().chain(v6.map(IpAddr::V6))
    }
}

impl Nested {
    /// `service` as one that is nested, its pools where they are.
    pub fn of(service: &Service) -> Self {
        Self {
            label: service.label.clone(),
            otherwise: service.otherwise(),
            routes: service.routes.clone(),
            latencies: service.latencies.clone(),
        }
    }

    /// The same where its pools stand behind `pools` others, and what is nested in it behind
    /// `nested` others.
    pub fn moved(self, pools: u16, nested: u16) -> Self {
        let Self { label, otherwise, routes, latencies } = self;
        let route = |Route { from, to }| Route { from, to: Target::moved(&to, pools, nested) };
        Self {
            label,
            otherwise: otherwise.moved(pools, nested),
            routes: routes.into_iter().map(route).collect(),
            latencies: latencies.map(|latencies| Arc::new(latencies.moved(pools))),
        }
    }
}

impl Service {
    /// Where clients go that no route takes: its pools in file order.
    pub fn otherwise(&self) -> Target {
        let own = (0..).zip(&self.pools).filter(|(_, pool)| pool.nested_from.is_none());
        Target::Failover(own.map(|(at, _)| Target::Pool(PoolIndex(at))).collect())
    }

    /// The endpoints that have names of their own below the service, in file order.
    pub fn own_endpoints(&self) -> impl Iterator<Item = &Endpoint> {
        let own = self.pools.iter().filter(|pool| pool.nested_from.is_none());
        own.flat_map(|pool| &pool.endpoints)
    }

    /// Every endpoint with its pool, in file order; those of nested services behind.
    pub fn endpoints(&self) -> impl Iterator<Item = (PoolIndex, &Endpoint)> {
        self.pools.iter().enumerate().flat_map(|(at, pool)| {
            pool.endpoints.iter().map(move |endpoint| (PoolIndex(at as u16), endpoint))
        })
    }
}
