//! From a zone as it is written to a zone as it is answered.

use std::net::SocketAddr;
use std::sync::Arc;

use super::lookup::{NONE, Node, SRV_FLAG, Set};
use super::{Access, Endpoint, Service, Text, Zone};
use crate::health::{Binding, Bit, Board, Probed};
use crate::steering::{Plans, PointCounts};
use crate::wire::kind::Type;
use crate::zone::{self, Index, NameTree, Parts, Place, Ttl, with_room};

impl Zone {
    /// Compiles `zone`, with a board on which everything is up.
    ///
    /// # Cost
    /// By what the zone holds. Its parts are taken over, or freed once they are done with.
    pub fn compile(zone: zone::Zone) -> Self {
        let Parts { origin, names, apex, sets, rdata, services: written, claims, clients } =
            zone.into_parts();
        let mut tree = Tree::new(names, apex);
        let mut sets = Sets::new(sets, rdata, &tree);
        let mut steered = Services::with_room(&written);
        let mut claims = claims.into_iter().map(|name| tree.numbers[name as usize]);
        for service in written {
            let number = steered.services.len() as u32;
            let numbers = std::iter::once(number).chain(std::iter::repeat(number | SRV_FLAG));
            for (number, node) in numbers.zip(claims.by_ref().take(1 + service.srv.len())) {
                tree.nodes[node as usize].steered = number;
            }
            for (_, endpoint) in service.endpoints() {
                let node = claims.next().unwrap_or(NONE);
                sets.add_own_records(node, service.ttl, endpoint);
            }
            steered.add(&service);
        }
        steered.plans.shrink();
        let (sets, rdata) = sets.place(&mut tree.nodes);
        tree.find_cuts(&sets);
        Self {
            apex: origin.as_wire().to_ascii_lowercase().into(),
            depth: origin.label_count(),
            origin,
            names: tree.texts.into(),
            nodes: tree.nodes.into(),
            index: tree.index,
            sets,
            rdata,
            services: steered.services.into(),
            plans: steered.plans,
            endpoints: steered.endpoints.into(),
            texts: steered.texts.into(),
            board: Arc::new(Board::new(steered.words as usize)),
            bindings: steered.bindings.into(),
            points: steered.points,
            access: Access::new(&clients.allow, &clients.deny),
        }
    }
}

/// The nodes of a zone: the apex first, parents before children.
struct Tree {
    /// Names without the origin, lower case, each closed by a zero octet.
    texts: Vec<u8>,
    nodes: Vec<Node>,
    parents: Vec<u32>,
    index: Index,
    /// By a name's number in the zone: its node, [`NONE`] for those above the apex.
    numbers: Vec<u32>,
}

impl Tree {
    fn new(names: NameTree, apex: u32) -> Self {
        let count = names.len();
        let (mut texts, mut nodes) = (with_room(count), with_room(count));
        let (mut parents, mut numbers) = (with_room(count), with_room(count));
        numbers.resize(count, NONE);
        for name in 0..count as u32 {
            let parent = numbers[names.parent(name) as usize];
            let is_apex = name == apex;
            if !is_apex && parent == NONE {
                continue;
            }
            let at = nodes.len() as u32;
            numbers[name as usize] = at;
            let label = if is_apex { &[] } else { names.label(name) };
            if let Some(parent) = nodes.get_mut(parent as usize).filter(|_| label == b"\x01*") {
                let Node { wildcard, .. } = parent;
                *wildcard = at;
            }
            let start = texts.len() as u32;
            texts.extend(label.iter().map(u8::to_ascii_lowercase));
            let above = nodes.get(parent as usize).map(|parent: &Node| parent.name as usize);
            extend_with_text_at(&mut texts, above);
            let [wildcard, cut, steered] = [NONE; 3];
            nodes.push(Node { name: start, sets: 0, set_count: 0, wildcard, cut, steered });
            parents.push(parent);
        }
        let mut index = names.into_index();
        // No node has the number that names above the apex get: nothing finds them.
        index.renumber(|name| numbers[name as usize].min(NONE - 1));
        Self { texts, nodes, parents, index, numbers }
    }

    /// Notes for each node where the zone's authority above it ends.
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

/// Appends the labels that start at `start` of `texts`, and the octet that closes them.
fn extend_with_text_at(texts: &mut Vec<u8>, start: Option<usize>) {
    let Some(start) = start else { return texts.push(0) };
    let mut end = start;
    while texts[end] != 0 {
        end += usize::from(texts[end]) + 1;
    }
    texts.extend_from_within(start..=end);
}

/// The RRsets of a zone as they are found.
struct Sets {
    found: Vec<(u32, Set)>,
    rdata: Vec<u8>,
}

impl Sets {
    /// Starts with the static ones.
    fn new(sets: Vec<zone::Set>, rdata: Vec<u8>, tree: &Tree) -> Self {
        let found = sets.into_iter().map(|set| {
            let zone::Set { owner, ttl, rdata, count, rtype } = set;
            (tree.numbers[owner as usize], Set { rtype, count, ttl: ttl.as_secs(), rdata })
        });
        Self { found: found.collect(), rdata }
    }

    fn add(&mut self, node: u32, rtype: Type, ttl: Ttl, wire: &[u8]) {
        let rdata = self.rdata.len() as u32;
        self.rdata.extend_from_slice(&(wire.len() as u16).to_be_bytes());
        self.rdata.extend_from_slice(wire);
        self.found.push((node, Set { rtype, count: 1, ttl: ttl.as_secs(), rdata }));
    }

    /// An endpoint's own name holds its addresses, or a CNAME to its target, whatever its state:
    /// it stays reachable while answers that name it live.
    fn add_own_records(&mut self, node: u32, ttl: Ttl, endpoint: &zone::Endpoint) {
        match &endpoint.place {
            Place::Addresses { v4, v6 } => {
                if let Some(v4) = v4 {
                    self.add(node, Type::A, ttl, &v4.octets());
                }
                if let Some(v6) = v6 {
                    self.add(node, Type::AAAA, ttl, &v6.octets());
                }
            }
            Place::Target(target) => self.add(node, Type::CNAME, ttl, target.as_wire()),
        }
    }

    /// Sorts the sets by node and type and tells each node where its own are.
    fn place(mut self, nodes: &mut [Node]) -> (Box<[Set]>, Box<[u8]>) {
        self.found.sort_by_key(|(node, set)| (*node, set.rtype));
        for (at, (node, _)) in self.found.iter().enumerate() {
            let Some(node) = nodes.get_mut(*node as usize) else { continue };
            if node.set_count == 0 {
                node.sets = at as u32;
            }
            node.set_count += 1;
        }
        (self.found.into_iter().map(|(_, set)| set).collect(), self.rdata.into())
    }
}

/// The services of a zone as they are compiled.
struct Services {
    services: Vec<Service>,
    plans: Plans,
    endpoints: Vec<Endpoint>,
    texts: Vec<u8>,
    bindings: Vec<Binding>,
    words: u32,
    points: PointCounts,
}

impl Services {
    /// None yet, and room for `written`.
    fn with_room(written: &[zone::Service]) -> Self {
        let endpoints = written.iter().map(|service| service.endpoints().count()).sum();
        Self {
            services: with_room(written.len()),
            plans: Plans::with_room(written.len()),
            endpoints: with_room(endpoints),
            texts: with_room(endpoints),
            bindings: Vec::new(),
            words: 0,
            points: PointCounts::default(),
        }
    }

    fn add(&mut self, service: &zone::Service) {
        let place = self.plans.add(service, &mut self.words, &mut self.points);
        let first = self.endpoints.len() as u32;
        let members = service.pools.iter().flat_map(|pool| pool.endpoints.iter().enumerate());
        for ((pool, endpoint), (at, _)) in service.endpoints().zip(members) {
            let none = Bit { word: NONE, at: 0 };
            let bits = self.plans.plan(&place).bits(pool, at).unwrap_or([none; 2]);
            bind(service, endpoint, bits, &mut self.bindings);
            let (v4, v6, target) = match &endpoint.place {
                Place::Addresses { v4, v6 } => (*v4, *v6, None),
                Place::Target(target) => (None, None, Some(target)),
            };
            let owner = self.text(target.unwrap_or(&endpoint.owner).as_wire());
            let name = self.name(endpoint.name.as_bytes(), owner);
            self.endpoints.push(Endpoint {
                v4: v4.map(|address| address.octets()),
                v6: v6.map(|address| address.octets()),
                port: endpoint.port.unwrap_or(0),
                name,
                owner,
                bit: bits[0],
            });
        }
        let (label, ttl) = (self.text(service.label.as_bytes()), service.ttl.as_secs());
        let endpoints = first..self.endpoints.len() as u32;
        self.services.push(Service { ttl, plan: place, endpoints, label });
    }

    fn text(&mut self, text: &[u8]) -> Text {
        let start = self.texts.len() as u32;
        self.texts.extend_from_slice(text);
        // Names are short; so is what the zone file calls a service: it is one.
        Text { start, len: text.len().min(usize::from(u16::MAX)) as u16 }
    }

    /// The text of an endpoint's name: most are the first label of their owner.
    fn name(&mut self, name: &[u8], owner: Text) -> Text {
        let label = Text { start: owner.start + 1, len: name.len() as u16 };
        let written = &self.texts[owner.start as usize..];
        match written.split_first() {
            Some((&len, rest)) if usize::from(len) == name.len() && rest.starts_with(name) => label,
            _ => self.text(name),
        }
    }
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
