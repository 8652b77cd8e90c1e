//! Compiles a zone as written into a zone as it is answered.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::nodes::{NONE, NodeId, Nodes, SRV_FLAG, Writing};
use super::{Access, Endpoint, Service, Text, Zone};
use crate::health::{Binding, Bit, Board, EndpointName, Probed, Showing};
use crate::steering::{Lines, Plans, PointCounts, RouteTables};
use crate::wire::kind::Type;
use crate::wire::name::Name;
use crate::wire::rdata::service_head;
use crate::zone::{
    self, Asked, Condition, Index, NameTree, Override, Parts, Place, PoolIndex, Ttl, with_room,
};

/// The usual size of a name and its one set without RDATA, in octets: a guess for allocation.
const NODE_LEN_USUAL: usize = 40;

impl Zone {
    /// Compiles `zone`, with its routes from `tables`. Everything on its board is up, unless the
    /// zone file wants it otherwise.
    ///
    /// # Cost
    /// Proportional to the content of the zone. Its parts are reused, or freed when they are done
    /// with.
    pub fn compile(zone: zone::Zone, tables: &mut RouteTables) -> Self {
        let Parts { origin, names, apex, sets, rdata, services: written, claims, clients } =
            zone.into_parts();
        let mut sets = Sets { found: sets, rdata };
        let mut compiled = Services::with_room(&written);
        let mut steered = with_room(names.len());
        steered.resize(names.len(), NONE);
        let (mut claims, mut srv_ports) = (claims.into_iter(), Vec::new());
        for service in written {
            let number = compiled.services.len() as u32;
            let numbers = std::iter::once(number).chain(std::iter::repeat(number | SRV_FLAG));
            let ports = std::iter::once(None).chain(service.srv.names.iter().map(|name| name.port));
            let owners = claims.by_ref().take(1 + service.srv.names.len());
            for ((number, port), name) in numbers.zip(ports).zip(owners) {
                srv_ports.extend(port.map(|port| (name, port)));
                steered[name as usize] = number;
                if number & SRV_FLAG == 0 && !service.txt.is_empty() {
                    sets.add(name, Type::TXT, service.ttl, service.txt.iter().map(|txt| &**txt));
                }
            }
            for (endpoint, name) in service.own_endpoints().zip(claims.by_ref()) {
                sets.add_own_records(name, service.ttl, endpoint);
            }
            compiled.add(&service, tables);
        }
        compiled.plans.shrink();
        let (nodes, index, places) = sets.place(names, apex, |name| {
            let number = steered[name as usize];
            let service = compiled.services.get(number as usize);
            (number, service.and_then(|service| compiled.plans.lines(&service.plan)))
        });
        let placed = |(name, port): (u32, u16)| Some((places[name as usize]?, port));
        let mut srv_ports: Vec<(NodeId, u16)> = srv_ports.into_iter().filter_map(placed).collect();
        srv_ports.sort_unstable_by_key(|&(node, _)| node.0);
        let board = Arc::new(Board::new(compiled.words as usize));
        show_wanted(&board, &compiled.bindings);
        Self {
            apex: origin.as_wire().to_ascii_lowercase().into(),
            depth: origin.label_count(),
            origin,
            nodes,
            index,
            services: compiled.services.into(),
            srv_ports: srv_ports.into(),
            plans: compiled.plans,
            endpoints: compiled.endpoints.into(),
            pools: compiled.pools.into(),
            texts: compiled.texts.into(),
            board,
            bindings: compiled.bindings.into(),
            points: compiled.points,
            access: Access::new(&clients.allow, &clients.deny),
            subnets: Access::only(&clients.subnets),
            is_absent: false,
        }
    }

    /// Creates a zone at `origin` without data.
    pub fn absent(origin: &Name) -> Self {
        let mut names = NameTree::with_room(1);
        // A tree has room for more names than one.
        let apex = names.add(origin.as_wire()).unwrap_or(0);
        let sets = Sets { found: Vec::new(), rdata: Vec::new() };
        let (nodes, index, _) = sets.place(names, apex, |_| (NONE, None));
        let nobody = [IpNet::from(Ipv4Net::default()), IpNet::from(Ipv6Net::default())];
        Self {
            apex: origin.as_wire().to_ascii_lowercase().into(),
            depth: origin.label_count(),
            origin: origin.clone(),
            nodes,
            index,
            services: Box::default(),
            srv_ports: Box::default(),
            plans: Plans::with_room(0),
            endpoints: Box::default(),
            pools: Box::default(),
            texts: Box::default(),
            board: Arc::new(Board::new(0)),
            bindings: Arc::default(),
            points: PointCounts::default(),
            access: Access::new(&[], &nobody),
            subnets: Access::only(&[]),
            is_absent: true,
        }
    }
}

/// The RRsets of a zone as they are collected, with the numbers of their owners.
struct Sets {
    found: Vec<zone::Set>,
    rdata: Vec<u8>,
}

impl Sets {
    fn add<'w>(
        &mut self,
        owner: u32,
        rtype: Type,
        ttl: Ttl,
        records: impl IntoIterator<Item = &'w [u8]>,
    ) {
        let (rdata, mut count) = (self.rdata.len() as u32, 0);
        for wire in records {
            self.rdata.extend_from_slice(&(wire.len() as u16).to_be_bytes());
            self.rdata.extend_from_slice(wire);
            count += 1;
        }
        self.found.push(zone::Set { owner, rtype, count, ttl, rdata });
    }

    /// Adds the records of an endpoint's own name: its addresses, or a CNAME to its target. They do
    /// not depend on its state: it stays reachable while answers that name it are alive.
    fn add_own_records(&mut self, owner: u32, ttl: Ttl, endpoint: &zone::Endpoint) {
        match &endpoint.place {
            Place::Addresses { v4, v6 } => {
                if let Some(v4) = v4 {
                    self.add(owner, Type::A, ttl, [&v4.octets()[..]]);
                }
                if let Some(v6) = v6 {
                    self.add(owner, Type::AAAA, ttl, [&v6.octets()[..]]);
                }
            }
            Place::Target(target) => self.add(owner, Type::CNAME, ttl, [target.as_wire()]),
        }
    }

    /// Writes every name from the apex down, parents before children, with its sets and the
    /// steering that `steered` returns. Returns the nodes, the index from names to them, and the
    /// node of each name.
    fn place(
        mut self,
        names: NameTree,
        apex: u32,
        steered: impl Fn(u32) -> (u32, Option<Lines>),
    ) -> (Nodes, Index, Vec<Option<NodeId>>) {
        self.found.sort_by_key(|set| (set.owner, set.rtype));
        let mut sets = self.found.iter().peekable();
        let octets = names.len() * NODE_LEN_USUAL + self.rdata.len();
        let mut writing = Writing::new(with_room(octets));
        let mut places: Vec<Option<NodeId>> = with_room(names.len());
        places.resize(names.len(), None);
        for name in 0..names.len() as u32 {
            let is_apex = name == apex;
            let parent = if is_apex { None } else { places[names.parent(name) as usize] };
            if !is_apex && parent.is_none() {
                continue;
            }
            let label = if is_apex { &[] } else { names.label(name) };
            let node = writing.begin(label, parent, steered(name));
            while let Some(set) = sets.next_if(|set| set.owner <= name) {
                let records = records(&self.rdata, set.rdata as usize, set.count);
                writing.add(node, (set.rtype, set.count), set.ttl.as_secs(), records);
            }
            writing.end(node, parent);
            places[name as usize] = Some(node);
        }
        let mut index = names.into_index();
        // Names above the apex get a number that no node has: nothing finds them.
        index.renumber(|name| places[name as usize].map_or(NONE - 1, |node| node.0));
        (writing.finish(), index, places)
    }
}

/// Returns the octets of `count` records, each after its length, from `start` on.
fn records(rdata: &[u8], start: usize, count: u16) -> &[u8] {
    let mut end = start;
    for _ in 0..count {
        end += 2 + usize::from(u16::from_be_bytes([rdata[end], rdata[end + 1]]));
    }
    &rdata[start..end]
}

/// The services of a zone while they are compiled.
struct Services {
    services: Vec<Service>,
    plans: Plans,
    endpoints: Vec<Endpoint>,
    pools: Vec<Text>,
    /// The texts of pool names: the names of sites repeat in service after service.
    pool_names: HashMap<String, Text>,
    texts: Vec<u8>,
    bindings: Vec<Binding>,
    /// The names that bindings share.
    written_names: HashSet<Arc<str>>,
    last_service: Arc<str>,
    words: u32,
    points: PointCounts,
}

impl Services {
    /// Creates an empty collection with room for `written`.
    fn with_room(written: &[zone::Service]) -> Self {
        let endpoints = written.iter().map(|service| service.endpoints().count()).sum();
        Self {
            services: with_room(written.len()),
            plans: Plans::with_room(written.len()),
            endpoints: with_room(endpoints),
            pools: with_room(written.len()),
            pool_names: HashMap::new(),
            texts: with_room(endpoints),
            bindings: Vec::new(),
            written_names: HashSet::new(),
            last_service: "".into(),
            words: 0,
            points: PointCounts::default(),
        }
    }

    fn add(&mut self, service: &zone::Service, tables: &mut RouteTables) {
        let place = self.plans.add(service, tables, &mut self.words, &mut self.points);
        service.pools.iter().for_each(|pool| self.add_pool(&pool.name));
        let names: Vec<Arc<str>> =
            service.pools.iter().map(|pool| self.written_pool_name(pool)).collect();
        let members = service.pools.iter().flat_map(|pool| pool.endpoints.iter().enumerate());
        for ((pool, endpoint), (at, _)) in service.endpoints().zip(members) {
            let none = Bit { word: NONE, at: 0 };
            let bits = self.plans.plan(&place).bits(pool, at).unwrap_or([none; 2]);
            self.bind(pool, endpoint, bits, &names);
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
        let head = service.https.as_ref().map(|https| service_head(&https.alpn, https.port));
        let https = self.text(&head.unwrap_or_default());
        if https.len > 0 {
            self.points.add_https();
        }
        self.services.push(Service { ttl, plan: place, label, https });
    }

    /// Returns the name of a pool as the zone file writes it, for people.
    fn written_pool_name(&mut self, pool: &zone::Pool) -> Arc<str> {
        let name = pool.nested_from.as_deref().unwrap_or(&pool.name);
        if let Some(known) = self.written_names.get(name) {
            return Arc::clone(known);
        }
        let name: Arc<str> = name.into();
        self.written_names.insert(Arc::clone(&name));
        name
    }

    /// Returns the name of a service for people, shared with the last endpoint if it is equal.
    fn service_name(&mut self, name: String) -> Arc<str> {
        if *self.last_service != *name {
            self.last_service = name.into();
        }
        Arc::clone(&self.last_service)
    }

    /// Adds the bindings that decide the states of the addresses of `endpoint`, unless it is always
    /// up.
    fn bind(
        &mut self,
        pool: PoolIndex,
        endpoint: &zone::Endpoint,
        bits: [Bit; 2],
        pools: &[Arc<str>],
    ) {
        if endpoint.guard.is_none() && endpoint.wanted == Override::Auto {
            return;
        }
        // The endpoint's own name is below the service that writes it, wherever that is nested.
        let service = endpoint.owner.parent().unwrap_or_else(Name::root).to_string();
        let name = Arc::new(EndpointName {
            service: self.service_name(service),
            pool: pools.get(usize::from(pool.0)).map_or_else(|| "".into(), Arc::clone),
            name: endpoint.name.as_str().into(),
        });
        let both = [(bits[0], None), (bits[1], None)];
        let bound: Vec<(Bit, Option<IpAddr>)> = match endpoint.place {
            Place::Target(_) => both.into(),
            Place::Addresses { .. } => {
                let bit = |address: IpAddr| (bits[usize::from(address.is_ipv6())], Some(address));
                endpoint.addresses().map(bit).collect()
            }
        };
        for (bit, address) in bound {
            let guard = endpoint.guard.as_deref();
            let condition =
                guard.map(|guard| guard.map(&mut |asked| probed(asked, address, endpoint.port)));
            self.bindings.push(Binding {
                endpoint: Arc::clone(&name),
                bit,
                condition: condition.unwrap_or_else(Condition::always),
                wanted: endpoint.wanted,
            });
        }
    }

    fn add_pool(&mut self, name: &str) {
        let text = match self.pool_names.get(name) {
            Some(&text) => text,
            None => {
                let text = self.text(name.as_bytes());
                self.pool_names.insert(name.to_owned(), text);
                text
            }
        };
        self.pools.push(text);
    }

    fn text(&mut self, text: &[u8]) -> Text {
        let start = self.texts.len() as u32;
        self.texts.extend_from_slice(text);
        // All texts are short: names, labels, which are names too, and the starts of HTTPS records.
        Text { start, len: text.len().min(usize::from(u16::MAX)) as u16 }
    }

    /// Returns the text of an endpoint's name. Mostly it is the first label of its owner name.
    fn name(&mut self, name: &[u8], owner: Text) -> Text {
        let label = Text { start: owner.start + 1, len: name.len() as u16 };
        let written = &self.texts[owner.start as usize..];
        match written.split_first() {
            Some((&len, rest)) if usize::from(len) == name.len() && rest.starts_with(name) => label,
            _ => self.text(name),
        }
    }
}

/// Returns the probe of an endpoint at `address` that `asked` guards.
fn probed(Asked { check, at }: &Asked, address: Option<IpAddr>, port: Option<u16>) -> Probed {
    // An endpoint without a port to probe is reported before, and so is a target whose check has no
    // address.
    let port = check.port.or(port).or(check.kind.default_port()).unwrap_or(0);
    let address = address.unwrap_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED));
    let address = at.unwrap_or(SocketAddr::new(address, port));
    Probed { address, check: Arc::clone(check) }
}

/// Shows the states that the zone file wants, until anything else is known of the endpoints.
fn show_wanted(board: &Board, bindings: &[Binding]) {
    for binding in bindings {
        match binding.wanted {
            Override::Auto | Override::Up => {}
            Override::Down => board.show(binding.bit, Showing::DOWN),
            Override::Drain => board.show(binding.bit, Showing::DRAINED),
        }
    }
}
