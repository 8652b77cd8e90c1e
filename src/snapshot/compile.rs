//! From a zone as it is written to a zone as it is answered.

use std::net::SocketAddr;
use std::sync::Arc;

use super::index::Index;
use super::lookup::{NONE, Node, SRV_FLAG, Set};
use super::{Access, Endpoint, Service, Zone};
use crate::health::{Binding, Bit, Board, Probed};
use crate::steering::{Plan, PointCounts};
use crate::wire::kind::Type;
use crate::wire::name::Name;
use crate::wire::qname::Qname;
use crate::zone::{self, Place, Ttl};

impl Zone {
    /// Compiles `zone`, with a board on which everything is up.
    pub fn compile(zone: &zone::Zone) -> Self {
        let mut tree = Tree::new(zone.origin());
        let mut sets = Sets::default();
        for rrset in zone.rrsets() {
            let node = tree.node(&rrset.owner);
            sets.add(node, rrset.rtype, rrset.ttl, rrset.rdatas.iter().map(|r| r.as_wire()));
        }
        let (mut words, mut points, mut bindings) = (0, PointCounts::default(), Vec::new());
        let mut services = Vec::with_capacity(zone.services().len());
        for service in zone.services() {
            let number = services.len() as u32;
            let node = tree.node(&service.owner);
            tree.nodes[node as usize].steered = number;
            for srv in &service.srv {
                let node = tree.node(srv);
                tree.nodes[node as usize].steered = number | SRV_FLAG;
            }
            let plan = Plan::compile(service, &mut words, &mut points);
            let endpoints = compile_endpoints(service, &plan, &mut bindings);
            for (_, endpoint) in service.endpoints() {
                let node = tree.node(&endpoint.owner);
                add_own_records(&mut sets, node, service.ttl, endpoint);
            }
            let (label, ttl) = (service.label.as_str().into(), service.ttl.as_secs());
            services.push(Service { label, ttl, plan, endpoints });
        }
        let (sets, rdata) = sets.place(&mut tree.nodes);
        tree.find_cuts(&sets);
        let index = tree.index();
        Self {
            origin: zone.origin().clone(),
            apex: zone.origin().as_wire().to_ascii_lowercase().into(),
            depth: zone.origin().label_count(),
            names: tree.names.into(),
            nodes: tree.nodes.into(),
            index,
            sets: sets.into(),
            rdata,
            services: services.into(),
            board: Arc::new(Board::new(words as usize)),
            bindings: bindings.into(),
            points,
            access: Access::new(&zone.clients().allow, &zone.clients().deny),
        }
    }
}

/// The nodes of a zone as they are found, parents before children.
struct Tree {
    origin: Name,
    qname: Qname,
    origin_depth: usize,
    names: Vec<u8>,
    nodes: Vec<Node>,
    parents: Vec<u32>,
    hashes: Vec<u64>,
    /// Rebuilt at twice the size whenever it is full.
    index: Index,
    capacity: usize,
}

impl Tree {
    fn new(origin: &Name) -> Self {
        let capacity = 16;
        let mut tree = Self {
            origin: origin.clone(),
            qname: Qname::new(),
            origin_depth: origin.label_count(),
            names: Vec::new(),
            nodes: Vec::new(),
            parents: Vec::new(),
            hashes: Vec::new(),
            index: Index::with_capacity(capacity),
            capacity,
        };
        tree.node(origin);
        tree
    }

    /// The node of `owner`, which lies in the zone; made, with its ancestors, if it is new.
    fn node(&mut self, owner: &Name) -> u32 {
        self.qname.read(owner.as_wire());
        let mut parent = NONE;
        let deepest = self.qname.depth();
        // Most owners are new leaves under a known parent: look from below.
        let mut depth = deepest;
        loop {
            if let Some(at) = self.find(depth) {
                parent = at;
                break;
            }
            if depth == self.origin_depth {
                break;
            }
            depth -= 1;
        }
        let first_new = if parent == NONE { self.origin_depth } else { depth + 1 };
        for depth in first_new..=deepest {
            parent = self.push(depth, parent);
        }
        parent
    }

    fn below_origin(&self, depth: usize) -> &[u8] {
        let suffix = self.qname.suffix(depth);
        &suffix[..suffix.len().saturating_sub(self.origin.as_wire().len())]
    }

    fn find(&self, depth: usize) -> Option<u32> {
        let name = self.below_origin(depth);
        self.index.find(self.qname.hash(depth), |at| {
            let start = self.nodes[at as usize].name as usize;
            self.names[start..].starts_with(name) && self.names[start + name.len()] == 0
        })
    }

    fn push(&mut self, depth: usize, parent: u32) -> u32 {
        let (at, hash) = (self.nodes.len() as u32, self.qname.hash(depth));
        let name = self.names.len() as u32;
        let text = self.below_origin(depth).to_vec();
        let is_wildcard = text.starts_with(b"\x01*");
        self.names.extend_from_slice(&text);
        self.names.push(0);
        let node = Node { name, sets: 0, set_count: 0, wildcard: NONE, cut: NONE, steered: NONE };
        self.nodes.push(node);
        self.parents.push(parent);
        self.hashes.push(hash);
        if let Some(parent) = self.nodes.get_mut(parent as usize).filter(|_| is_wildcard) {
            parent.wildcard = at;
        }
        if self.nodes.len() > self.capacity {
            self.capacity *= 2;
            self.index = self.index();
        } else {
            self.index.insert(hash, at);
        }
        at
    }

    fn index(&self) -> Index {
        let mut index = Index::with_capacity(self.capacity.max(self.nodes.len()));
        for (at, &hash) in self.hashes.iter().enumerate() {
            index.insert(hash, at as u32);
        }
        index
    }

    /// Notes for each node where the zone's authority above it ends. Parents come first.
    fn find_cuts(&mut self, sets: &[Set]) {
        let has = |node: &Node, rtype| {
            let start = node.sets as usize;
            sets[start..start + node.set_count as usize].iter().any(|set| set.rtype == rtype)
        };
        for at in 1..self.nodes.len() {
            let parent_at = self.parents[at];
            let parent = self.nodes[parent_at as usize];
            self.nodes[at].cut = if parent.cut != NONE {
                parent.cut
            } else if has(&parent, Type::DNAME) {
                parent_at
            } else if has(&self.nodes[at], Type::NS) {
                at as u32
            } else {
                NONE
            };
        }
    }
}

/// The RRsets of a zone as they are found.
#[derive(Default)]
struct Sets {
    found: Vec<(u32, Set)>,
    rdata: Vec<u8>,
}

impl Sets {
    fn add<'a>(
        &mut self,
        node: u32,
        rtype: Type,
        ttl: Ttl,
        rdatas: impl Iterator<Item = &'a [u8]>,
    ) {
        let rdata = self.rdata.len() as u32;
        let mut count = 0;
        for wire in rdatas {
            self.rdata.extend_from_slice(&(wire.len() as u16).to_be_bytes());
            self.rdata.extend_from_slice(wire);
            count += 1;
        }
        self.found.push((node, Set { rtype, count, ttl: ttl.as_secs(), rdata }));
    }

    /// Sorts the sets by node and type and tells each node where its own are.
    fn place(mut self, nodes: &mut [Node]) -> (Vec<Set>, Box<[u8]>) {
        self.found.sort_by_key(|(node, set)| (*node, set.rtype));
        for (at, (node, _)) in self.found.iter().enumerate() {
            let node = &mut nodes[*node as usize];
            if node.set_count == 0 {
                node.sets = at as u32;
            }
            node.set_count += 1;
        }
        (self.found.into_iter().map(|(_, set)| set).collect(), self.rdata.into())
    }
}

/// An endpoint's own name holds its addresses, or a CNAME to its target, whatever its state: it
/// stays reachable while answers that name it live.
fn add_own_records(sets: &mut Sets, node: u32, ttl: Ttl, endpoint: &zone::Endpoint) {
    match &endpoint.place {
        Place::Addresses { v4, v6 } => {
            if let Some(v4) = v4 {
                sets.add(node, Type::A, ttl, [&v4.octets()[..]].into_iter());
            }
            if let Some(v6) = v6 {
                sets.add(node, Type::AAAA, ttl, [&v6.octets()[..]].into_iter());
            }
        }
        Place::Target(target) => {
            sets.add(node, Type::CNAME, ttl, [target.as_wire()].into_iter());
        }
    }
}

fn compile_endpoints(
    service: &zone::Service,
    plan: &Plan,
    bindings: &mut Vec<Binding>,
) -> Box<[Endpoint]> {
    let mut endpoints = Vec::new();
    for (pool_at, pool) in service.pools.iter().enumerate() {
        let pool_name: Arc<str> = pool.name.as_str().into();
        for (at, endpoint) in pool.endpoints.iter().enumerate() {
            let none = Bit { word: NONE, at: 0 };
            let bits = plan.bits(zone::PoolIndex(pool_at as u16), at).unwrap_or([none; 2]);
            bind(service, endpoint, bits, bindings);
            let (v4, v6, target) = match &endpoint.place {
                Place::Addresses { v4, v6 } => (*v4, *v6, None),
                Place::Target(target) => (None, None, Some(target)),
            };
            endpoints.push(Endpoint {
                name: endpoint.name.as_str().into(),
                pool: Arc::clone(&pool_name),
                owner: target.unwrap_or(&endpoint.owner).clone(),
                v4: v4.map(|address| address.octets()),
                v6: v6.map(|address| address.octets()),
                port: endpoint.port.unwrap_or(0),
                bits,
            });
        }
    }
    endpoints.into()
}

/// Notes what decides the states of `endpoint`'s addresses.
fn bind(
    service: &zone::Service,
    endpoint: &zone::Endpoint,
    bits: [Bit; 2],
    bindings: &mut Vec<Binding>,
) {
    let Some(check) = &endpoint.check else { return };
    let Some(port) = check.port.or(endpoint.port).or(check.kind.default_port()) else { return };
    for address in endpoint.addresses() {
        let bit = bits[usize::from(address.is_ipv6())];
        let probed = Probed { address: SocketAddr::new(address, port), check: Arc::clone(check) };
        let endpoint = format!("{}/{}", service.owner, endpoint.name);
        bindings.push(Binding { probed, endpoint, bit });
    }
}
