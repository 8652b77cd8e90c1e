//! The nouns of a zone: pure values, valid by construction.
//!
//! `config` makes them from files, `snapshot` compiles them. Nothing here reads a file, a clock
//! or a socket, and nothing here is serializable.

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
    /// Addresses that one A or AAAA answer holds at the most.
    pub const ADDRESSES_PER_ANSWER_MAX: usize = 64;
    /// Addresses that it holds where no number is written; more do not help most clients and cost
    /// every resolver.
    pub const ADDRESSES_OF_ALL: usize = 8;
    /// ALPN names in one HTTPS record.
    pub const ALPN_NAMES_MAX: usize = 64;
}

/// One zone: static records and services under an origin.
///
/// Holds exactly one SOA and at least one NS at the origin; no CNAME stands beside other data;
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
    /// What its operator expects of it.
    tests: Vec<Test>,
    /// The questionable things in it.
    warnings: Vec<Conflict>,
}

/// Who may ask for the names of a zone: `allow`, or everyone if it is empty, without `deny`; of
/// several networks that hold a client the narrowest decides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Clients {
    /// Networks that may.
    pub allow: Vec<IpNet>,
    /// Networks that may not.
    pub deny: Vec<IpNet>,
    /// Networks of resolvers whose client subnets (RFC 7871) count.
    pub subnets: Vec<IpNet>,
}

/// What a zone consists of, for whoever turns it into something else.
pub(crate) struct Parts {
    /// The apex.
    pub(crate) origin: Name,
    /// Every name at which something stands, and those above them.
    pub(crate) names: NameTree,
    /// The node of the origin.
    pub(crate) apex: u32,
    /// The static RRsets, by node, then by type.
    pub(crate) sets: Vec<Set>,
    /// The data of all sets: each record behind its length, those of a set one after the other.
    pub(crate) rdata: Vec<u8>,
    /// The services, in file order.
    pub(crate) services: Vec<Service>,
    /// The nodes of each service in turn: its own, those of its SRV names, of its endpoints.
    pub(crate) claims: Vec<u32>,
    /// Who may ask for its names.
    pub(crate) clients: Clients,
}

/// What could not be put together.
#[derive(Debug)]
pub struct Rejected {
    /// Every conflict found, in canonical order of owner, at least one of them an error.
    pub conflicts: Vec<Conflict>,
    /// The records, as they were given.
    pub records: Records,
}

impl Zone {
    /// Puts a zone together from its parts.
    ///
    /// `records` of one owner and type make an RRset, wherever they stand, with the lowest TTL.
    /// Endpoint owner names and SRV owners of `services` need no records: `snapshot` makes them.
    ///
    /// # Errors
    /// Every [`Conflict`] found, not only the first, and the records.
    ///
    /// # Cost
    /// By the number of records, in whatever order.
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
            // Nothing else that is to be said of a signed zone helps.
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

    /// The same zone, open to `clients` only.
    pub fn with_clients(self, clients: Clients) -> Self {
        Self { clients, ..self }
    }

    /// The same zone, with what its operator expects of it.
    pub fn with_tests(self, tests: Vec<Test>) -> Self {
        Self { tests, ..self }
    }

    /// Takes what its operator expects of it; nothing is left.
    pub fn take_tests(&mut self) -> Vec<Test> {
        std::mem::take(&mut self.tests)
    }

    /// Takes what is questionable in it, in canonical order of owner; nothing is left.
    pub fn take_warnings(&mut self) -> Vec<Conflict> {
        std::mem::take(&mut self.warnings)
    }

    /// The apex.
    pub fn origin(&self) -> &Name {
        &self.origin
    }

    /// The static RRsets, in canonical order of owner, then by type.
    pub fn rrsets(&self) -> Vec<Rrset<'_>> {
        let mut rrsets: Vec<Rrset<'_>> =
            self.sets.iter().map(|set| set.rrset(&self.names, &self.rdata)).collect();
        rrsets.sort_by(|a, b| a.owner.cmp(&b.owner).then(a.rtype.cmp(&b.rtype)));
        rrsets
    }

    /// The services, in file order.
    pub fn services(&self) -> &[Service] {
        &self.services
    }

    /// Takes the zone apart.
    pub(crate) fn into_parts(self) -> Parts {
        let Self { origin, names, apex, sets, rdata, services, claims, clients, .. } = self;
        Parts { origin, names, apex, sets, rdata, services, claims, clients }
    }
}
