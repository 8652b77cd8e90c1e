//! Why an answer is what it is: what the engine noted on the way, in the words of the zone file.
//!
//! ```text
//! Responder::explain ─▶ hops ─ Explanation::new ─▶ Explanation ─▶ text (people), JSON (programs)
//! ```
//!
//! Nothing is decided anew here: which route took the client, which pools were asked and what was
//! drawn is what the query itself noted. Only why a route passed the client by is put into words.

mod gather;
mod route;
mod text;

use std::net::IpAddr;

use serde::Serialize;

use crate::answer::Hop as Met;
use crate::geo::Geo;
use crate::snapshot::Snapshot;

/// Why an answer is what it is. Displayed, a text of several lines.
#[derive(Clone, Debug, Serialize)]
pub struct Explanation {
    /// The names that were looked up: the one asked for, then those that aliases led to.
    pub hops: Vec<Hop>,
}

impl Explanation {
    /// Puts what was met into words. `snapshot` is the one that was asked, `geo` what its routes
    /// were compiled with.
    pub fn new(snapshot: &Snapshot, geo: &Geo, met: &[Met]) -> Self {
        Self { hops: met.iter().map(|met| gather::hop(snapshot, geo, met)).collect() }
    }

    /// The pools whose endpoints the answer names, as services call them.
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
    /// The origin of the zone that it lies in, if that is one of ours.
    pub zone: Option<String>,
    /// What is there.
    pub found: &'static str,
    /// How it was steered, if it is a service.
    pub service: Option<Service>,
}

/// How a service came to its answer.
#[derive(Clone, Debug, Serialize)]
pub struct Service {
    /// Its name in the zone file.
    pub service: String,
    /// Whom it was steered for.
    pub client: Client,
    /// Its routes, in order.
    pub routes: Vec<Route>,
    /// The services that the client was led to as members of pools.
    pub nested: Vec<Nested>,
    /// Whether a client gets the same endpoints as long as they may serve.
    pub sticky: bool,
    /// The walks through the pools that the client is led to, in order: each counts more as
    /// usable than the one before, until something is.
    pub walks: Vec<Walk>,
    /// The pools that the client may be led to, in the order in which they are tried.
    pub pools: Vec<Pool>,
    /// The TTL of the answer in seconds.
    pub ttl: u32,
    /// For how long a prefix of the client's address the answer holds.
    pub scope: u8,
}

/// Whom an answer is for.
#[derive(Clone, Debug, Serialize)]
pub struct Client {
    /// Its address.
    pub address: IpAddr,
    /// What says so: `source`, or `client subnet` (RFC 7871).
    pub by: &'static str,
    /// Where it is, if that is known.
    pub place: Option<Place>,
    /// Its autonomous system, if that is known.
    pub system: Option<System>,
}

/// Where a client is.
#[derive(Clone, Debug, Serialize)]
pub struct Place {
    /// The continent's code.
    pub continent: Option<String>,
    /// The country's code.
    pub country: Option<String>,
    /// The codes of the part of the country, and of the part of that.
    pub subdivisions: Vec<String>,
    /// Degrees north and east.
    pub location: Option<(f32, f32)>,
    /// What knows it.
    pub source: String,
}

/// An autonomous system.
#[derive(Clone, Debug, Serialize)]
pub struct System {
    /// Its number.
    pub asn: u32,
    /// What knows it.
    pub source: String,
}

/// A service that is a member of a pool.
#[derive(Clone, Debug, Serialize)]
pub struct Nested {
    /// Its name in the zone file.
    pub service: String,
    /// Its routes, in order.
    pub routes: Vec<Route>,
}

/// What became of a route.
#[derive(Clone, Debug, Serialize)]
pub struct Route {
    /// Whom it takes, as the zone file puts it; empty: everyone.
    pub from: String,
    /// Where it leads, as the zone file puts it.
    pub to: String,
    /// Whether it took the client.
    pub taken: bool,
    /// Why it did, or did not; empty if it was not reached.
    pub why: String,
}

/// One walk through the pools.
#[derive(Clone, Debug, Serialize)]
pub struct Walk {
    /// What it took for a pool to be usable: `min_up`, `any_up`, `any_drained` or `nothing`.
    pub needs: &'static str,
    /// What was seen, in order.
    pub steps: Vec<Step>,
}

/// What a walk saw.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// A pool.
    Pool(PoolSeen),
    /// A split that drew one of its branches.
    Split {
        /// The pools of the branch.
        drew: Vec<String>,
        /// Its weight.
        weight: u32,
        /// The weight of all branches that were usable.
        of: u32,
    },
}

/// A pool, when it was asked whether it can answer.
#[derive(Clone, Debug, Serialize)]
pub struct PoolSeen {
    /// Its name.
    pub pool: String,
    /// The address family that it was asked for: `A`, `AAAA` or `any`.
    pub family: &'static str,
    /// The weight that is up, or the number of endpoints where none has a weight.
    pub up: u32,
    /// The same of all endpoints of the family.
    pub total: u32,
    /// The number of endpoints that are up.
    pub endpoints_up: u32,
    /// The number of endpoints of the family.
    pub endpoints: u32,
    /// The share that must be up.
    pub min_up: f64,
    /// Whether it can.
    pub usable: bool,
    /// Why not; empty if it can.
    pub why: &'static str,
}

/// A pool and its endpoints.
#[derive(Clone, Debug, Serialize)]
pub struct Pool {
    /// Its name.
    pub name: String,
    /// How far from the client it is, in kilometres, where both places are known; what its `bias`
    /// takes away is taken away.
    pub distance_km: Option<i64>,
    /// How long the client takes to it, in milliseconds, where a route asks for the fastest and
    /// that was measured.
    pub latency_ms: Option<f64>,
    /// Its endpoints.
    pub endpoints: Vec<Endpoint>,
}

impl Pool {
    /// Whether the answer names an endpoint of it.
    pub fn is_named(&self) -> bool {
        self.endpoints.iter().any(|endpoint| endpoint.named)
    }
}

/// An endpoint.
#[derive(Clone, Debug, Serialize)]
pub struct Endpoint {
    /// Its name.
    pub name: String,
    /// Where it is, address by address with its state; a target has none.
    pub addresses: Vec<Address>,
    /// The name elsewhere that it stands for.
    pub target: Option<String>,
    /// Its weight.
    pub weight: u16,
    /// Which part of its weight counts now, in percent.
    pub weight_percent: u8,
    /// Which share of the weight that was drawn among is its own; `None`: it was not among that.
    pub share: Option<f64>,
    /// Whether the answer names it.
    pub named: bool,
}

/// An address and its state.
#[derive(Clone, Debug, Serialize)]
pub struct Address {
    /// The address.
    pub address: IpAddr,
    /// `up`, `down`, or `drained`: up, but named only where nothing else is.
    pub state: &'static str,
    /// Whether the zone file's `state` says so.
    pub is_written: bool,
}
