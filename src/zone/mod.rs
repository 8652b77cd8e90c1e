//! The nouns of a zone: pure values, valid by construction.
//!
//! `config` makes them from files, `snapshot` compiles them. Nothing here reads a file, a clock
//! or a socket, and nothing here is serializable.

mod check;
mod rrset;
mod service;
mod validate;

pub use check::{Check, CheckKind, HttpCheck, StatusRange, TcpCheck, TlsOptions};
pub use rrset::{Rdata, Rrset, Ttl};
pub use service::{
    Answers, Endpoint, MinUp, OnAllDown, Place, Pool, PoolIndex, Route, Service, Target,
};
pub use validate::{Conflict, Problem};

use ipnet::IpNet;

use crate::wire::name::Name;

/// Named maxima of what a zone may hold. Each is checked when a zone is loaded.
pub mod limits {
    /// Endpoints in one pool: two levels of 64 (`steering::draw`).
    pub const ENDPOINTS_PER_POOL_MAX: usize = 4096;
    /// Endpoints in one service.
    pub const ENDPOINTS_PER_SERVICE_MAX: usize = 4096;
    /// Pools in one service, and members of one list in `to`.
    pub const POOLS_MAX: usize = 64;
    /// Routes in one service.
    pub const ROUTES_MAX: usize = 4096;
    /// How deep `to` may nest.
    pub const TARGET_DEPTH_MAX: usize = 8;
    /// Addresses that one A or AAAA answer holds at the most; more do not help a client and cost
    /// every resolver.
    pub const ADDRESSES_PER_ANSWER_MAX: usize = 8;
}

/// One zone: static records and services under an origin.
///
/// Holds exactly one SOA and at least one NS at the origin; no CNAME stands beside other data;
/// nothing lies outside the origin ([`Zone::new`]).
#[derive(Clone, Debug)]
pub struct Zone {
    origin: Name,
    rrsets: Vec<Rrset>,
    services: Vec<Service>,
    clients: Clients,
}

/// Who may ask for the names of a zone: `allow`, or everyone if it is empty, without `deny`; of
/// several networks that hold a client the narrowest decides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Clients {
    /// Networks that may.
    pub allow: Vec<IpNet>,
    /// Networks that may not.
    pub deny: Vec<IpNet>,
}

impl Zone {
    /// Puts a zone together from its parts.
    ///
    /// `rrsets` may hold several sets for one owner and type; they are merged when their TTLs
    /// agree. Endpoint owner names and SRV owners of `services` need no RRsets: `snapshot` makes
    /// them.
    ///
    /// # Errors
    /// Every [`Conflict`] found, not only the first.
    pub fn new(
        origin: Name,
        rrsets: Vec<Rrset>,
        services: Vec<Service>,
    ) -> Result<Self, Vec<Conflict>> {
        let mut conflicts = Vec::new();
        let rrsets = validate::merge(rrsets, &mut conflicts);
        conflicts.extend(validate::conflicts(&origin, &rrsets, &services));
        if !conflicts.is_empty() {
            return Err(conflicts);
        }
        Ok(Self { origin, rrsets, services, clients: Clients::default() })
    }

    /// The same zone, open to `clients` only.
    pub fn with_clients(self, clients: Clients) -> Self {
        Self { clients, ..self }
    }

    /// The apex.
    pub fn origin(&self) -> &Name {
        &self.origin
    }

    /// The static RRsets, in canonical order of owner, then by type.
    pub fn rrsets(&self) -> &[Rrset] {
        &self.rrsets
    }

    /// The services, in file order.
    pub fn services(&self) -> &[Service] {
        &self.services
    }

    /// Who may ask for its names.
    pub fn clients(&self) -> &Clients {
        &self.clients
    }
}
