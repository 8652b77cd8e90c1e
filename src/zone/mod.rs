//! The nouns of a zone: pure values, valid by construction.
//!
//! `config` makes them from files; `snapshot` compiles them. Nothing here reads a file, a clock or
//! a socket, and nothing here is serializable.

mod ask;
mod check;
mod condition;
mod index;
mod latency;
mod lint;
mod names;
mod overrides;
mod problem;
mod reach;
mod records;
mod room;
mod route;
mod rrset;
mod service;
mod sets;
mod test;
mod validate;

pub use ask::{
    ClientCertificate, DnsCheck, ExecCheck, Expiry, FastcgiCheck, GrpcCheck, HttpCheck, HttpExpect,
    Pattern, Pointer, Scalar, StatusRange, TcpCheck, TlsOptions,
};
pub use check::{Agent, Check, CheckKind, Flap, ProxyVersion, Source};
pub use condition::{Asked, Condition};
pub(crate) use index::Index;
pub use latency::{Latencies, Latency};
pub(crate) use names::NameTree;
pub use overrides::Override;
pub use problem::{Conflict, Problem};
pub use reach::{Reach, Refused};
pub use records::{Owner, RecordError, Records};
pub(crate) use room::with_room;
pub use route::{PoolLocation, Route, RouteFrom, Target};
pub use rrset::{Rrset, Ttl};
pub use service::{
    Answers, Endpoint, Https, MinUp, Nested, NestedIndex, OnAllDown, Place, Pool, PoolIndex,
    Service, Srv, SrvName, SrvTiers, SrvWeights,
};
pub(crate) use sets::Set;
pub use test::{Down, Expect, Test};

use ipnet::IpNet;

use crate::wire::name::Name;

/// The limits of a zone, each checked when a zone is loaded.
pub mod limits {
    /// The most endpoints in one pool: two levels of 64 (`steering::draw`).
    pub const ENDPOINTS_PER_POOL_MAX: usize = 4096;
    /// The most endpoints in one service.
    pub const ENDPOINTS_PER_SERVICE_MAX: usize = 4096;
    /// The most pools in one service, and the most members of one list in `to`.
    pub const POOLS_MAX: usize = 64;
    /// The most routes in one service.
    pub const ROUTES_MAX: usize = 4096;
    /// The most levels to which `to` may nest, and services too.
    pub const TARGET_DEPTH_MAX: usize = 8;
    /// The most addresses in one A or AAAA answer.
    pub const ADDRESSES_PER_ANSWER_MAX: usize = 64;
    /// The most addresses in one answer when the zone file writes no number. More do not help most
    /// clients, and every resolver pays for them.
    pub const ADDRESSES_OF_ALL: usize = 8;
    /// The most ALPN names in one HTTPS record.
    pub const ALPN_NAMES_MAX: usize = 64;
}

/// A zone: static records and services under an origin.
///
/// It has exactly one SOA and at least one NS at the origin. No CNAME stands beside other data, and
/// nothing lies outside the origin ([`Zone::new`]).
#[derive(Debug)]
pub struct Zone {
    origin: Name,
    names: NameTree,
    apex: u32,
    sets: Vec<Set>,
    rdata: Vec<u8>,
    services: Vec<Service>,
    claims: Vec<u32>,
    clients: Clients,
    /// The tests that its operator wrote.
    tests: Vec<Test>,
    /// The questionable things in it.
    warnings: Vec<Conflict>,
}

/// The clients that may ask for the names of a zone: those in `allow`, or everyone if it is empty,
/// but not those in `deny`. If several networks hold a client, the narrowest decides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Clients {
    /// The networks that may ask.
    pub allow: Vec<IpNet>,
    /// The networks that may not.
    pub deny: Vec<IpNet>,
    /// The networks of the resolvers whose client subnets (RFC 7871) count.
    pub subnets: Vec<IpNet>,
}

/// The parts of a zone, for a caller that turns it into something else.
pub(crate) struct Parts {
    /// The apex.
    pub(crate) origin: Name,
    /// Every name that has something, and those above it.
    pub(crate) names: NameTree,
    /// The node of the origin.
    pub(crate) apex: u32,
    /// The static RRsets, by node, then by type.
    pub(crate) sets: Vec<Set>,
    /// The data of all sets: each record after its length, those of one set in a row.
    pub(crate) rdata: Vec<u8>,
    /// The services, in file order.
    pub(crate) services: Vec<Service>,
    /// The nodes of each service in turn: its own, those of its SRV names, those of its endpoints.
    pub(crate) claims: Vec<u32>,
    /// The clients that may ask for its names.
    pub(crate) clients: Clients,
}

/// A zone that could not be put together.
#[derive(Debug)]
pub struct Rejected {
    /// Every conflict found, in canonical order of owner; at least one of them is an error.
    pub conflicts: Vec<Conflict>,
    /// The records, as they were given.
    pub records: Records,
}

impl Zone {
    /// Puts a zone together from its parts.
    ///
    /// The `records` of one owner and type make an RRset, wherever they stand; it takes the lowest
    /// TTL. The owner names of endpoints and of SRV names in `services` need no records: `snapshot`
    /// makes them.
    ///
    /// # Errors
    /// Every [`Conflict`] found, not only the first, and the records.
    ///
    /// # Cost
    /// Proportional to the number of records, whatever their order.
    pub fn new(
        origin: Name,
        mut records: Records,
        services: Vec<Service>,
    ) -> Result<Self, Box<Rejected>> {
        let mut found = problem::Findings::default();
        let (sets, rdata) = sets::group(&records, &mut found);
        let mut claims = Vec::new();
        let content =
            validate::Content { origin: &origin, sets: &sets, rdata: &rdata, services: &services };
        let apex = validate::conflicts(&content, &mut records.names, &mut claims, &mut found);
        let apex = apex.map(|(apex, at)| {
            // On a signed zone no other remark helps.
            if !found.has(Problem::Signed) {
                lint::lint(&content, &mut records.names, (apex, at), &mut found);
            }
            apex
        });
        let (conflicts, has_errors) = found.finish(&mut records);
        match apex {
            Ok(apex) if !has_errors => {
                let (names, clients) = (records.names, Clients::default());
                let (tests, warnings) = (Vec::new(), conflicts);
                Ok(Self {
                    origin,
                    names,
                    apex,
                    sets,
                    rdata,
                    services,
                    claims,
                    clients,
                    tests,
                    warnings,
                })
            }
            _ => Err(Box::new(Rejected { conflicts, records })),
        }
    }

    /// Returns the zone, open to `clients` only.
    pub fn with_clients(self, clients: Clients) -> Self {
        Self { clients, ..self }
    }

    /// Returns the zone with the tests of its operator.
    pub fn with_tests(self, tests: Vec<Test>) -> Self {
        Self { tests, ..self }
    }

    /// Takes the tests out of the zone and leaves none.
    pub fn take_tests(&mut self) -> Vec<Test> {
        std::mem::take(&mut self.tests)
    }

    /// Takes the warnings out of the zone, in canonical order of owner, and leaves none.
    pub fn take_warnings(&mut self) -> Vec<Conflict> {
        std::mem::take(&mut self.warnings)
    }

    /// Returns the apex.
    pub fn origin(&self) -> &Name {
        &self.origin
    }

    /// Returns the static RRsets, in canonical order of owner, then by type.
    pub fn rrsets(&self) -> Vec<Rrset<'_>> {
        let mut rrsets: Vec<Rrset<'_>> =
            self.sets.iter().map(|set| set.rrset(&self.names, &self.rdata)).collect();
        rrsets.sort_by(|a, b| a.owner.cmp(&b.owner).then(a.rtype.cmp(&b.rtype)));
        rrsets
    }

    /// Returns the services, in file order.
    pub fn services(&self) -> &[Service] {
        &self.services
    }

    /// Takes the zone apart.
    pub(crate) fn into_parts(self) -> Parts {
        let Self { origin, names, apex, sets, rdata, services, claims, clients, .. } = self;
        Parts { origin, names, apex, sets, rdata, services, claims, clients }
    }
}
