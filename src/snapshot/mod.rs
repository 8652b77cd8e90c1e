//! Zones compiled for answering: immutable, numbered, indexed.
//!
//! ```text
//! zone::Zone ─ Zone::compile ─▶ snapshot::Zone ┐
//!   (unchanged zones are shared) ──────────────┴ Snapshot::new ─▶ Arc<Snapshot>, generation n
//! ```
//!
//! `server::load` compiles zones; `server::publish` makes snapshots of them for the workers, and
//! `trial` and `cli` make some of their own. `answer` and `explain` read them. Numbers such as
//! [`NodeId`] are valid only in the zone that gave them. A published [`Snapshot`] never changes.
//! The health of endpoints changes between two snapshots; each zone's [`crate::health::Board`]
//! holds it. Not here: the content of responses (`answer`).

mod access;
mod ahead;
mod carry;
mod compile;
mod lookup;
mod nodes;

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use crate::health::{Binding, Bit, Board};
use crate::steering::{Member, Plan, PlanPlace, Plans, PointCounts};
use crate::wire::kind::Type;
use crate::wire::name::Name;
use crate::wire::qname::Qname;
use crate::zone::Index;

pub use access::Access;
pub use carry::Continued;
pub use lookup::{Found, Steered};
use nodes::Nodes;
pub use nodes::{NodeId, RdataIter, Set};

/// All zones at one moment.
#[derive(Debug)]
pub struct Snapshot {
    generation: u64,
    zones: Box<[Arc<Zone>]>,
    index: Index,
    /// The numbers of labels of the origins: each number once, the greatest first.
    depths: Box<[u8]>,
    /// The draws that go on in zones that changed, by their places in `zones`.
    continued: HashMap<usize, Continued>,
}

impl Snapshot {
    /// Creates a snapshot of compiled zones, each with an origin of its own: of several with one
    /// origin the first counts.
    pub fn new(generation: u64, zones: Vec<Arc<Zone>>) -> Self {
        let mut index = Index::new();
        let (mut depths, mut qname) = (Vec::with_capacity(zones.len()), Qname::new());
        for (at, zone) in zones.iter().enumerate() {
            qname.read(zone.origin.as_wire());
            depths.push(qname.depth() as u8);
            index.insert(qname.hash(qname.depth()), at as u32);
        }
        depths.sort_unstable_by(|a, b| b.cmp(a));
        depths.dedup();
        let (zones, continued) = (zones.into(), HashMap::new());
        Self { generation, zones, index, depths: depths.into(), continued }
    }

    /// Returns the number of this snapshot; later ones have greater numbers.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Returns the zones, in no particular order.
    pub fn zones(&self) -> &[Arc<Zone>] {
        &self.zones
    }

    /// Finds the zone that answers `qname`: the closest one at or above it (RFC 1034 §4.3.2 step
    /// 2). Returns it with its place in [`Snapshot::zones`].
    ///
    /// The DS records of a zone belong to its parent (RFC 4035 §3.1.4.1): for DS the parent is
    /// returned, if it is here.
    ///
    /// # Cost
    /// One probe for each number of labels that an origin has and `qname` can have.
    // Always inlined: every answer looks for its zone.
    #[inline(always)]
    pub fn zone_of(&self, qname: &Qname, qtype: Type) -> Option<(usize, &Arc<Zone>)> {
        if qtype == Type::DS
            && let Some(parent) = self.parent_of(qname)
        {
            return Some(parent);
        }
        self.closest(qname, qname.depth())
    }

    /// Returns the closest zone above `qname`.
    // Cold: only DS asks for it.
    #[cold]
    fn parent_of(&self, qname: &Qname) -> Option<(usize, &Arc<Zone>)> {
        self.closest(qname, qname.depth().checked_sub(1)?)
    }

    /// Finds the zones that no resolver reaches from above: the closest zone above each is here
    /// too, but does not delegate to it. Returns each with that zone.
    ///
    /// # Cost
    /// Two look-ups a zone.
    pub fn undelegated(&self) -> Vec<(&Zone, &Zone)> {
        let mut qname = Qname::new();
        let mut found = Vec::new();
        for zone in &self.zones {
            qname.read(zone.origin.as_wire());
            let parent = self.zone_of(&qname, Type::DS).map(|(_, parent)| parent);
            if let Some(parent) = parent.filter(|parent| !Arc::ptr_eq(parent, zone))
                && !parent.is_absent()
                && !zone.is_absent()
                && !matches!(parent.find(&qname, Type::NS), Found::Cut(_))
            {
                found.push((&**zone, &**parent));
            }
        }
        found
    }

    // Always inlined: of its two callers one is hot.
    #[inline(always)]
    fn closest(&self, qname: &Qname, deepest: usize) -> Option<(usize, &Arc<Zone>)> {
        let depths = self.depths.iter().map(|&depth| usize::from(depth));
        depths.filter(|&depth| depth <= deepest).find_map(|depth| {
            let suffix = qname.suffix(depth);
            let is_origin =
                |at: u32| self.zones.get(at as usize).is_some_and(|zone| *zone.apex == *suffix);
            let at = self.index.find(qname.hash(depth), is_origin)? as usize;
            self.zones.get(at).map(|zone| (at, zone))
        })
    }
}

/// A compiled zone.
#[derive(Debug)]
pub struct Zone {
    origin: Name,
    /// The origin in lower case, like the names to look up.
    apex: Box<[u8]>,
    /// The number of labels of the origin.
    depth: usize,
    nodes: Nodes,
    /// The places of names in `nodes`.
    index: Index,
    services: Box<[Service]>,
    /// The ports of names that answer SRV with a port of their own, sorted by node.
    srv_ports: Box<[(NodeId, u16)]>,
    plans: Plans,
    /// The endpoints of all services.
    endpoints: Box<[Endpoint]>,
    /// The names of the pools of all services.
    pools: Box<[Text]>,
    /// The texts: labels of services, names of pools, names and owners (or targets) of endpoints,
    /// and starts of HTTPS records.
    texts: Box<[u8]>,
    board: Arc<Board>,
    bindings: Arc<[Binding]>,
    points: PointCounts,
    access: Access,
    subnets: Access,
    /// Whether it stands for a zone without data.
    is_absent: bool,
}

impl Zone {
    /// Returns whether it stands for a zone without data: it admits nobody, and every query for its
    /// names is answered with SERVFAIL.
    pub fn is_absent(&self) -> bool {
        self.is_absent
    }

    /// Returns the name of the apex.
    pub fn origin(&self) -> &Name {
        &self.origin
    }

    /// Returns the services, in file order.
    pub fn services(&self) -> &[Service] {
        &self.services
    }

    /// Returns the plan of the answers of `service`.
    ///
    /// # Cost
    /// That of [`Plans::plan`].
    pub fn plan(&self, service: &Service) -> Plan<'_> {
        self.plans.plan(&service.plan)
    }

    /// Returns the name of `service` as the zone file writes it.
    pub fn label(&self, service: &Service) -> &str {
        std::str::from_utf8(self.text(service.label)).unwrap_or("")
    }

    /// Returns the RDATA of the HTTPS record of `service` up to its hints; `None` if it does not
    /// answer HTTPS.
    pub fn https_head(&self, service: &Service) -> Option<&[u8]> {
        Some(self.text(service.https)).filter(|head| !head.is_empty())
    }

    /// Returns the names of the pools of `service`, by their numbers.
    pub fn pool_names(&self, service: &Service) -> impl Iterator<Item = &str> {
        let Range { start, end } = service.plan.pools();
        let pools = self.pools.get(start as usize..end as usize).unwrap_or(&[]);
        pools.iter().map(|&name| std::str::from_utf8(self.text(name)).unwrap_or(""))
    }

    /// Returns the port that SRV answers of the node give for every endpoint; `None` if each
    /// endpoint has its own.
    ///
    /// # Cost
    /// A search among the names of the zone that have such a port.
    pub fn srv_port(&self, node: NodeId) -> Option<u16> {
        let found = self.srv_ports.binary_search_by_key(&node.0, |&(node, _)| node.0).ok()?;
        self.srv_ports.get(found).map(|&(_, port)| port)
    }

    /// Returns the endpoints of `service`, by [`crate::steering::Member`].
    pub fn endpoints(&self, service: &Service) -> &[Endpoint] {
        let Range { start, end } = service.plan.members();
        self.endpoints.get(start as usize..end as usize).unwrap_or(&[])
    }

    /// Returns the TTL in seconds of an answer that names these members of `service`: shorter while
    /// one of them is about to go down.
    ///
    /// # Cost
    /// One atomic load, unless anything in the zone is not as its file says.
    pub fn ttl_of(&self, service: &Service, named: impl Iterator<Item = Member>) -> u32 {
        if !self.board.is_adjusted() {
            return service.ttl;
        }
        let endpoints = self.endpoints(service);
        let bits =
            named.filter_map(|member| endpoints.get(usize::from(member)).map(Endpoint::bits));
        let most = bits.flatten().filter_map(|bit| self.board.adjusted(bit.word)?.ttl_max(bit));
        most.fold(service.ttl, |ttl, most| ttl.min(u32::from(most)))
    }

    /// Returns the number of endpoints of `service` without those of nested services.
    pub fn own_endpoint_count(&self, service: &Service) -> usize {
        let plan = self.plan(service);
        let own = plan.pools().iter().filter(|pool| !pool.is_nested());
        own.map(|pool| pool.members().len()).sum()
    }

    /// Returns the name of `endpoint` in the zone file.
    pub fn endpoint_name(&self, endpoint: &Endpoint) -> &str {
        std::str::from_utf8(self.text(endpoint.name)).unwrap_or("")
    }

    /// Returns the target of `endpoint`, or its own owner name if it has addresses, in wire format.
    pub fn endpoint_owner(&self, endpoint: &Endpoint) -> &[u8] {
        self.text(endpoint.owner)
    }

    fn text(&self, Text { start, len }: Text) -> &[u8] {
        self.texts.get(start as usize..start as usize + usize::from(len)).unwrap_or(&[])
    }

    /// Returns the board with the states of its endpoints.
    pub fn board(&self) -> &Arc<Board> {
        &self.board
    }

    /// Returns the bindings that decide the bits of [`Zone::board`]. Endpoints that are always up
    /// have none.
    pub fn bindings(&self) -> &Arc<[Binding]> {
        &self.bindings
    }

    /// Returns the access of clients to the names of the zone.
    pub fn access(&self) -> &Access {
        &self.access
    }

    /// Returns whether any of its answers depends on the places of clients.
    pub fn asks_geo(&self) -> bool {
        self.plans.asks_geo()
    }

    /// Returns the access that says whose client subnets (RFC 7871) are believed.
    pub fn subnets(&self) -> &Access {
        &self.subnets
    }

    /// Returns the number of draw points that a worker needs memory for.
    pub fn points(&self) -> PointCounts {
        self.points
    }
}

/// A compiled service; it fills one cache line. Only valid in the zone that gave it.
#[derive(Debug)]
#[repr(align(64))]
pub struct Service {
    /// The TTL of its records in seconds.
    pub ttl: u32,
    /// The place of its plan, for [`Zone::plan`].
    pub plan: PlanPlace,
    label: Text,
    /// The start of its HTTPS record; empty if it does not answer HTTPS.
    https: Text,
}

/// An endpoint, as records need it. Only valid in the zone that gave it.
#[derive(Debug)]
pub struct Endpoint {
    /// The IPv4 address.
    pub v4: Option<[u8; 4]>,
    /// The IPv6 address.
    pub v6: Option<[u8; 16]>,
    /// The port; 0 if it has none.
    pub port: u16,
    name: Text,
    owner: Text,
    /// The place of its IPv4 state on the board.
    bit: Bit,
}

/// The place of a text in [`Zone::texts`].
#[derive(Clone, Copy, Debug)]
struct Text {
    start: u32,
    len: u16,
}

const _: () = assert!(size_of::<Service>() == 64);

impl Endpoint {
    /// Returns the places of its states on the board: IPv4, IPv6.
    pub fn bits(&self) -> [Bit; 2] {
        [self.bit, Bit { word: self.bit.word.saturating_add(1), ..self.bit }]
    }
}
