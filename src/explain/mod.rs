//! The reasons for an answer: the notes of the engine, in the words of the zone file.
//!
//! ```text
//! Responder::explain ─▶ hops ─ Explanation::new ─▶ Explanation ─▶ text (people), JSON (programs)
//! ```
//!
//! Nothing is decided anew here. The query itself notes which route took the client, which pools
//! were asked and what was drawn. Only the reason why a route passed the client by is worked out
//! here.

mod gather;
mod route;
mod text;

use std::net::IpAddr;

use serde::Serialize;

use crate::answer::Hop as Met;
use crate::geo::Geo;
use crate::snapshot::Snapshot;

/// The reasons for an answer. Displayed as a text of several lines.
#[derive(Clone, Debug, Serialize)]
pub struct Explanation {
    /// The names that were looked up: the one asked for, then those to which aliases led.
    pub hops: Vec<Hop>,
}

impl Explanation {
    /// Puts the notes of a query into words. `snapshot` is the one that answered; `geo` is the data
    /// with which its routes were compiled.
    pub fn new(snapshot: &Snapshot, geo: &Geo, met: &[Met]) -> Self {
        Self { hops: met.iter().map(|met| gather::hop(snapshot, geo, met)).collect() }
    }

    /// Returns the pools whose endpoints the answer names, as the services call them.
    pub fn pools(&self) -> impl Iterator<Item = &str> {
        let services = self.hops.iter().filter_map(|hop| hop.service.as_ref());
        let pools = services.flat_map(|service| &service.pools);
        pools.filter(|pool| pool.is_named()).map(|pool| pool.name.as_str())
    }
}

/// One name on the way from the question to the records.
#[derive(Clone, Debug, Serialize)]
pub struct Hop {
    /// The name.
    pub name: String,
    /// The origin of the zone that holds it, if that is one of ours.
    pub zone: Option<String>,
    /// The data at the name, in words.
    pub found: &'static str,
    /// The steering, if the name is a service.
    pub service: Option<Service>,
}

/// The steering of a service for one answer.
#[derive(Clone, Debug, Serialize)]
pub struct Service {
    /// The name of the service in the zone file.
    pub service: String,
    /// The client for which it was steered.
    pub client: Client,
    /// The routes of the service, in order.
    pub routes: Vec<Route>,
    /// The services, as members of pools, to which the client was led.
    pub nested: Vec<Nested>,
    /// Whether a client gets the same endpoints as long as they may serve.
    pub sticky: bool,
    /// The walks through the pools of the client, in order. Each counts more pools as usable than
    /// the one before, until a walk finds one.
    pub walks: Vec<Walk>,
    /// The pools to which the client may be led, in the order in which they are tried.
    pub pools: Vec<Pool>,
    /// The TTL of the answer in seconds.
    pub ttl: u32,
    /// The length of the prefix of the client's address for which the answer holds.
    pub scope: u8,
}

/// The client that an answer is for.
#[derive(Clone, Debug, Serialize)]
pub struct Client {
    /// The address of the client.
    pub address: IpAddr,
    /// The origin of the address: `source`, or `client subnet` (RFC 7871).
    pub by: &'static str,
    /// The place of the client, if it is known.
    pub place: Option<Place>,
    /// The autonomous system of the client, if it is known.
    pub system: Option<System>,
}

/// The place of a client.
#[derive(Clone, Debug, Serialize)]
pub struct Place {
    /// The continent's code.
    pub continent: Option<String>,
    /// The country's code.
    pub country: Option<String>,
    /// The codes of the part of the country, and of the part of that part.
    pub subdivisions: Vec<String>,
    /// The degrees north and east.
    pub location: Option<(f32, f32)>,
    /// The source of this knowledge.
    pub source: String,
}

/// An autonomous system.
#[derive(Clone, Debug, Serialize)]
pub struct System {
    /// The number of the system.
    pub asn: u32,
    /// The source of this knowledge.
    pub source: String,
}

/// A service that is a member of a pool.
#[derive(Clone, Debug, Serialize)]
pub struct Nested {
    /// The name of the service in the zone file.
    pub service: String,
    /// The routes of the service, in order.
    pub routes: Vec<Route>,
}

/// A route, and whether it took the client.
#[derive(Clone, Debug, Serialize)]
pub struct Route {
    /// The clients that it takes, in the words of the zone file; empty for everyone.
    pub from: String,
    /// The target, in the words of the zone file.
    pub to: String,
    /// Whether it took the client.
    pub taken: bool,
    /// The reason why it did or did not; empty if it was not reached.
    pub why: String,
}

/// One walk through the pools.
#[derive(Clone, Debug, Serialize)]
pub struct Walk {
    /// The condition for a pool to be usable: `min_up`, `any_up`, `any_drained` or `nothing`.
    pub needs: &'static str,
    /// The steps, in order.
    pub steps: Vec<Step>,
}

/// One step of a walk.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// A pool that was asked.
    Pool(PoolSeen),
    /// A split that drew one of its branches.
    Split {
        /// The pools of the branch.
        drew: Vec<String>,
        /// The weight of the branch.
        weight: u32,
        /// The weight of all usable branches.
        of: u32,
    },
}

/// A pool as it was when it was asked whether it can answer.
#[derive(Clone, Debug, Serialize)]
pub struct PoolSeen {
    /// The name of the pool.
    pub pool: String,
    /// The address family that it was asked for: `A`, `AAAA` or `any`.
    pub family: &'static str,
    /// The weight that is up; the number of endpoints up if none has a weight.
    pub up: u32,
    /// The weight of all endpoints of the family, or their number if none has a weight.
    pub total: u32,
    /// The number of endpoints that are up.
    pub endpoints_up: u32,
    /// The number of endpoints of the family.
    pub endpoints: u32,
    /// The share that must be up.
    pub min_up: f64,
    /// Whether the pool can answer.
    pub usable: bool,
    /// The reason why it cannot; empty if it can.
    pub why: &'static str,
}

/// A pool and its endpoints.
#[derive(Clone, Debug, Serialize)]
pub struct Pool {
    /// The name of the pool.
    pub name: String,
    /// The distance to the client in kilometres, less the pool's `bias`; `None` unless both places
    /// are known.
    pub distance_km: Option<i64>,
    /// The latency from the client in milliseconds, if a route asks for the fastest and it was
    /// measured.
    pub latency_ms: Option<f64>,
    /// The endpoints of the pool.
    pub endpoints: Vec<Endpoint>,
}

impl Pool {
    /// Whether the answer names one of its endpoints.
    pub fn is_named(&self) -> bool {
        self.endpoints.iter().any(|endpoint| endpoint.named)
    }
}

/// An endpoint.
#[derive(Clone, Debug, Serialize)]
pub struct Endpoint {
    /// The name of the endpoint.
    pub name: String,
    /// The addresses, each with its state; empty for a target.
    pub addresses: Vec<Address>,
    /// The name elsewhere for which it stands.
    pub target: Option<String>,
    /// The weight in the zone file.
    pub weight: u16,
    /// The part of the weight that counts now, in percent.
    pub weight_percent: u8,
    /// The part of the weight in the draw that is its own; `None` if it was not in the draw.
    pub share: Option<f64>,
    /// Whether the answer names it.
    pub named: bool,
}

/// An address and its state.
#[derive(Clone, Debug, Serialize)]
pub struct Address {
    /// The address.
    pub address: IpAddr,
    /// The state: `up`, `down`, or `drained` (up, but named only if nothing else is).
    pub state: &'static str,
    /// Whether `state` in the zone file sets this state.
    pub is_written: bool,
}
