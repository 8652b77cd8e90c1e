//! The parts of a steered name: services, pools, endpoints, routes.

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
    /// The TTL of every record in its answers.
    pub ttl: Ttl,
    /// The names, weights and tiers of its SRV answers.
    pub srv: Srv,
    /// The data of its HTTPS answers beside addresses; `None` if it answers no HTTPS.
    pub https: Option<Box<Https>>,
    /// The data of its TXT records in wire format, no two alike; may be empty.
    pub txt: Vec<Box<[u8]>>,
    /// The number of endpoints in one A or AAAA answer.
    pub answers: Answers,
    /// The answer when no pool of the route is usable.
    pub on_all_down: OnAllDown,
    /// Whether a client gets the same endpoints as long as they may serve.
    pub sticky: bool,
    /// The pools, at least one: its own in file order, then those of nested services.
    pub pools: Vec<Pool>,
    /// The latencies from clients to its pools, for [`Target::Fastest`].
    pub latencies: Option<Arc<Latencies>>,
    /// The routes, tried in order. A client that none takes goes to the pools in file order.
    pub routes: Vec<Route>,
    /// The services that its pools are made of, each followed by those that it is made of.
    pub nested: Vec<Nested>,
}

/// The names of a service that answer SRV (RFC 2782).
#[derive(Clone, Debug, Default)]
pub struct Srv {
    /// The names; may be empty.
    pub names: Vec<SrvName>,
    /// The way in which weights become numbers.
    pub weights: SrvWeights,
    /// The failover tiers that are answered.
    pub tiers: SrvTiers,
}

/// A name that answers SRV.
#[derive(Clone, Debug)]
pub struct SrvName {
    /// The owner name, such as `_http._tcp.web.example.com.`.
    pub owner: Name,
    /// The port of every endpoint in its answers; `None` for each endpoint's own.
    pub port: Option<u16>,
}

/// The way in which weights become numbers of SRV answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SrvWeights {
    /// 65,535 for the greatest weight of a priority, and the others in proportion.
    #[default]
    Scaled,
    /// The weights of the zone file.
    Written,
}

/// The failover tiers that SRV answers name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SrvTiers {
    /// All tiers, by priority.
    #[default]
    All,
    /// The tier in use.
    Current,
}

/// The number of endpoints in one A or AAAA answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answers {
    /// So many, drawn by weight; 1 to
    /// [`ADDRESSES_PER_ANSWER_MAX`](super::limits::ADDRESSES_PER_ANSWER_MAX).
    Count(u8),
    /// Every endpoint that may serve, at most
    /// [`ADDRESSES_OF_ALL`](super::limits::ADDRESSES_OF_ALL).
    All,
}

/// The data of a service's HTTPS record beside addresses (RFC 9460 §7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Https {
    /// The ALPN names of the protocols that its endpoints speak beside HTTP/1.1: at least one, at
    /// most [`ALPN_NAMES_MAX`](super::limits::ALPN_NAMES_MAX), each of 1 to 255 octets.
    pub alpn: Vec<String>,
    /// The port that clients connect to; `None` for 443, that of the scheme.
    pub port: Option<u16>,
}

/// The answer of a service when nothing is usable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnAllDown {
    /// The answer as if everything were up: a wrong address beats no address.
    All,
    /// NODATA.
    None,
    /// The endpoints of this pool, whatever their state.
    Pool(PoolIndex),
}

/// The index of a pool in the `pools` of its service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PoolIndex(pub u16);

/// The index of a nested service in the `nested` of its service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NestedIndex(pub u16);

/// A named group of endpoints, such as a site. Either all have addresses, or all have a target.
#[derive(Clone, Debug)]
pub struct Pool {
    /// Its name, unique in the service.
    pub name: String,
    /// The share of weight that must be up for the pool to be usable.
    pub min_up: MinUp,
    /// The place of the pool; each pool that a [`Target::Nearest`] names
    /// has one.
    pub location: Option<PoolLocation>,
    /// The endpoints, at least one; a pool of services has none.
    pub endpoints: Vec<Endpoint>,
    /// The target that serves for it, if its members are other services.
    pub services: Option<Target>,
    /// The name of the pool in its own service, if this is a copy in a service that nests that one.
    pub nested_from: Option<Box<str>>,
}

/// Another service that is nested in this one: a member of one of its pools.
///
/// Its pools are copied among the pools of this one, so that draws here leave the draws of the
/// other alone. States belong to addresses, and so both share them.
#[derive(Clone, Debug)]
pub struct Nested {
    /// The name of the service as the zone file writes it.
    pub label: String,
    /// The target of the clients that none of its routes takes.
    pub otherwise: Target,
    /// The routes, to pools of this service.
    pub routes: Vec<Route>,
    /// The latencies from clients to its pools.
    pub latencies: Option<Arc<Latencies>>,
}

/// A share of weight, 0 to 1 in steps of one millionth. With 0, one endpoint up is enough.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct MinUp(u32);

impl MinUp {
    const ONE: u64 = 1_000_000;

    /// Returns the share `fraction`; `None` outside 0 to 1.
    pub fn from_fraction(fraction: f64) -> Option<Self> {
        (0.0..=1.0).contains(&fraction).then(|| Self((fraction * Self::ONE as f64).round() as u32))
    }

    /// Returns the share, 0 to 1.
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
    /// The name, unique in the service: `fra1`.
    pub name: String,
    /// The owner name of the endpoint itself, `fra1.web.example.com.`.
    pub owner: Name,
    /// The addresses or the target.
    pub place: Place,
    /// The port, for SRV and for checks that set none.
    pub port: Option<u16>,
    /// The weight, relative to the others. With 0, it answers only when nothing else is up.
    pub weight: u16,
    /// The condition that guards each of its addresses; `None` if it is always up.
    pub guard: Option<Arc<Condition<Asked>>>,
    /// The state that the zone file wants it to have.
    pub wanted: Override,
}

/// The place of an endpoint: at most one address of each family, or a name elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// The addresses, of which at least one is set.
    Addresses {
        /// The IPv4 address.
        v4: Option<Ipv4Addr>,
        /// The IPv6 address.
        v6: Option<Ipv6Addr>,
    },
    /// The name to which a CNAME leads.
    Target(Name),
}

impl Endpoint {
    /// Returns its addresses, IPv4 first.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        let (v4, v6) = match self.place {
            Place::Addresses { v4, v6 } => (v4, v6),
            Place::Target(_) => (None, None),
        };
        v4.map(IpAddr::V4).into_iter().chain(v6.map(IpAddr::V6))
    }
}

impl Nested {
    /// Makes `service` a nested one, with its pools at their own indexes.
    pub fn of(service: &Service) -> Self {
        Self {
            label: service.label.clone(),
            otherwise: service.otherwise(),
            routes: service.routes.clone(),
            latencies: service.latencies.clone(),
        }
    }

    /// Returns the service with every pool index raised by `pools`, and every index of a nested
    /// service by `nested`.
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
    /// Returns the target of clients that no route takes: the service's own pools in file order.
    pub fn otherwise(&self) -> Target {
        let own = (0..).zip(&self.pools).filter(|(_, pool)| pool.nested_from.is_none());
        Target::Failover(own.map(|(at, _)| Target::Pool(PoolIndex(at))).collect())
    }

    /// Returns the endpoints that have their own names below the service, in file order.
    pub fn own_endpoints(&self) -> impl Iterator<Item = &Endpoint> {
        let own = self.pools.iter().filter(|pool| pool.nested_from.is_none());
        own.flat_map(|pool| &pool.endpoints)
    }

    /// Returns every endpoint with its pool: its own in file order, then those of nested services.
    pub fn endpoints(&self) -> impl Iterator<Item = (PoolIndex, &Endpoint)> {
        self.pools.iter().enumerate().flat_map(|(at, pool)| {
            pool.endpoints.iter().map(move |endpoint| (PoolIndex(at as u16), endpoint))
        })
    }
}
