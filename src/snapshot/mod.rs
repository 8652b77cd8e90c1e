//! Zones compiled for answering: immutable, numbered, indexed.
//!
//! ```text
//! zone::Zone ─ Zone::compile ─▶ snapshot::Zone ┐
//!   (unchanged zones are shared) ──────────────┴ Snapshot::new ─▶ Arc<Snapshot>, generation n
//! ```
//!
//! A published [`Snapshot`] never changes. What changes between two of them, the health of
//! endpoints, stands on each zone's [`crate::health::Board`]. Not here: what a response is made
//! of (`answer`).

mod access;
mod ahead;
mod compile;
mod lookup;
mod nodes;

use std::ops::Range;
use std::sync::Arc;

use crate::health::{Binding, Bit, Board};
use crate::steering::{Member, Plan, PlanPlace, Plans, PointCounts};
use crate::wire::kind::Type;
use crate::wire::name::Name;
use crate::wire::qname::Qname;
use crate::zone::Index;

pub use access::Access;
pub use lookup::{Found, Steered};
use nodes::Nodes;
pub use nodes::{NodeId, RdataIter, Set};

/// All zones of one moment.
#[derive(Debug)]
pub struct Snapshot {
    generation: u64,
    zones: Box<[Arc<Zone>]>,
    index: Index,
    /// How many labels the origins have: each number once, the greatest first.
    depths: Box<[u8]>,
}

impl Snapshot {
    /// Puts compiled zones together. Of several zones with one origin the first counts; `config`
    /// refuses such a set before it comes here.
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
        Self { generation, zones: zones.into(), index, depths: depths.into() }
    }

    /// The number of this snapshot; later ones have greater numbers.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The zones, in no particular order.
    pub fn zones(&self) -> &[Arc<Zone>] {
        &self.zones
    }

    /// The zone that answers `qname`: the closest one at or above it (RFC 1034 §4.3.2 step 2),
    /// with its place in [`Snapshot::zones`].
    ///
    /// The DS records of a zone are its parent's (RFC 4035 §3.1.4.1): for them the parent is
    /// taken, if it is here.
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

    /// The zones below another one here that does not delegate to them, with that one: whoever
    /// walks down by it never arrives.
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

/// One compiled zone.
#[derive(Debug)]
pub struct Zone {
    origin: Name,
    /// The origin in lower case, as names to look up are.
    apex: Box<[u8]>,
    /// Labels of the origin.
    depth: usize,
    nodes: Nodes,
    /// Where each name stands in `nodes`.
    index: Index,
    services: Box<[Service]>,
    /// The ports of the names that answer SRV with one of their own, by their nodes.
    srv_ports: Box<[(NodeId, u16)]>,
    plans: Plans,
    /// Of all services.
    endpoints: Box<[Endpoint]>,
    /// The names of the pools of all services.
    pools: Box<[Text]>,
    /// The labels of services, the names of pools, the names and owners of endpoints.
    texts: Box<[u8]>,
    board: Arc<Board>,
    bindings: Arc<[Binding]>,
    points: PointCounts,
    access: Access,
    subnets: Access,
    /// Whether it stands for a zone that there is no data of.
    is_absent: bool,
}

impl Zone {
    /// Whether it stands for a zone of which there is no data: it admits nobody, and each query for
    /// its names is answered with SERVFAIL.
    pub fn is_absent(&self) -> bool {
        self.is_absent
    }

    /// The apex.
    pub fn origin(&self) -> &Name {
        &self.origin
    }

    /// The services, in file order.
    pub fn services(&self) -> &[Service] {
        &self.services
    }

    /// How the answers of `service` are drawn.
    ///
    /// # Cost
    /// That of [`Plans::plan`].
    pub fn plan(&self, service: &Service) -> Plan<'_> {
        self.plans.plan(&service.plan)
    }

    /// The name of `service` as the zone file writes it.
    pub fn label(&self, service: &Service) -> &str {
        std::str::from_utf8(self.text(service.label)).unwrap_or("")
    }

    /// The data of the HTTPS record of `service` up to its hints; `None`: it answers none.
    pub fn https_head(&self, service: &Service) -> Option<&[u8]> {
        Some(self.text(service.https)).filter(|head| !head.is_empty())
    }

    /// The names of the pools of `service`, by their number.
    pub fn pool_names(&self, service: &Service) -> impl Iterator<Item = &str> {
        let Range { start, end } = service.plan.pools();
        let pools = self.pools.get(start as usize..end as usize).unwrap_or(&[]);
        pools.iter().map(|&name| std::str::from_utf8(self.text(name)).unwrap_or(""))
    }

    /// The port that SRV answers of the node carry for every endpoint; `None`: each its own.
    ///
    /// # Cost
    /// A search among the names of the zone that have one.
    pub fn srv_port(&self, node: NodeId) -> Option<u16> {
        let found = self.srv_ports.binary_search_by_key(&node.0, |&(node, _)| node.0).ok()?;
        self.srv_ports.get(found).map(|&(_, port)| port)
    }

    /// The endpoints of `service` by [`crate::steering::Member`].
    pub fn endpoints(&self, service: &Service) -> &[Endpoint] {
        let Range { start, end } = service.plan.members();
        self.endpoints.get(start as usize..end as usize).unwrap_or(&[])
    }

    /// The TTL of an answer that names these members of `service`, in seconds: shorter while one
    /// of them is about to go down.
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

    /// How many endpoints `service` has without those of nested services.
    pub fn own_endpoint_count(&self, service: &Service) -> usize {
        let plan = self.plan(service);
        let own = plan.pools().iter().filter(|pool| !pool.is_nested());
        own.map(|pool| pool.members().len()).sum()
    }

    /// The name of `endpoint` in the zone file.
    pub fn endpoint_name(&self, endpoint: &Endpoint) -> &str {
        std::str::from_utf8(self.text(endpoint.name)).unwrap_or("")
    }

    /// The own owner name of `endpoint`, or, of one that has a target, that; wire format.
    pub fn endpoint_owner(&self, endpoint: &Endpoint) -> &[u8] {
        self.text(endpoint.owner)
    }

    fn text(&self, Text { start, len }: Text) -> &[u8] {
        self.texts.get(start as usize..start as usize + usize::from(len)).unwrap_or(&[])
    }

    /// The states of its endpoints.
    pub fn board(&self) -> &Arc<Board> {
        &self.board
    }

    /// What decides the bits of [`Zone::board`], but for endpoints that are always up.
    pub fn bindings(&self) -> &Arc<[Binding]> {
        &self.bindings
    }

    /// Who may ask for its names.
    pub fn access(&self) -> &Access {
        &self.access
    }

    /// Whether any of its answers depends on where clients are.
    pub fn asks_geo(&self) -> bool {
        self.plans.asks_geo()
    }

    /// Whose client subnets (RFC 7871) are believed.
    pub fn subnets(&self) -> &Access {
        &self.subnets
    }

    /// How much memory a worker needs to draw in this zone.
    pub fn points(&self) -> PointCounts {
        self.points
    }
}

/// A compiled service, one line of the cache; only good in the zone that gave it.
#[derive(Debug)]
#[repr(align(64))]
pub struct Service {
    /// The TTL of its records in seconds.
    pub ttl: u32,
    /// Where [`Zone::plan`] finds how its answers are drawn.
    pub plan: PlanPlace,
    label: Text,
    /// Empty: it does not answer HTTPS.
    https: Text,
}

/// What records need to know of an endpoint; only good in the zone that gave it.
#[derive(Debug)]
pub struct Endpoint {
    /// Its IPv4 address.
    pub v4: Option<[u8; 4]>,
    /// Its IPv6 address.
    pub v6: Option<[u8; 16]>,
    /// Its port; 0 if it has none.
    pub port: u16,
    name: Text,
    owner: Text,
    /// Where its IPv4 state stands on the board.
    bit: Bit,
}

/// Where something stands in [`Zone::texts`].
#[derive(Clone, Copy, Debug)]
struct Text {
    start: u32,
    len: u16,
}

const _: () = assert!(size_of::<Service>() == 64);

impl Endpoint {
    /// Where its states stand on the board: IPv4, IPv6.
    pub fn bits(&self) -> [Bit; 2] {
        [self.bit, Bit { word: self.bit.word.saturating_add(1), ..self.bit }]
    }
}
