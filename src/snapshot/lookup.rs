//! Finds names in a compiled zone: RFC 1034 §4.3.2 step 3, with RFC 4592 and RFC 6672.
//!
//! `answer` looks up every query here; `explain`, `trial` and `cli` look up what they show. Nothing
//! on the way of a query allocates. Halving finds the closest encloser only because `compile` gives
//! a node to every name between the apex and an owner. `tests/it/agreement.rs` compares answers
//! with a naive model.

use super::nodes::{NONE, Node, NodeId, RdataIter, SRV_FLAG, Set};
use super::{Service, Zone};
use crate::wire::kind::Type;
use crate::wire::name::Name;
use crate::wire::qname::Qname;

/// The result of looking up a name in a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// The node of the name, or of the wildcard that it is synthesised from.
    Node(NodeId),
    /// A delegation at or above the name.
    Cut(NodeId),
    /// A DNAME above the name.
    Dname(NodeId),
    /// No node: the name does not exist.
    Nothing,
}

/// The service that steers the answers of a name.
#[derive(Clone, Copy, Debug)]
pub enum Steered<'a> {
    /// The service at the name itself.
    Service(&'a Service),
    /// The service whose SRV the name answers.
    Srv(&'a Service),
}

impl Zone {
    /// Finds `qname`, which must be in this zone.
    ///
    /// # Cost
    /// One probe for a name that exists. Otherwise one more for each halving of the number of
    /// labels between it and the apex.
    // Always inlined: of its callers one is hot.
    #[inline(always)]
    pub fn find(&self, qname: &Qname, qtype: Type) -> Found {
        let Some((id, node)) = self.node_at(qname, qname.depth()) else {
            return self.find_above(qname);
        };
        match self.cut_of(node) {
            None => Found::Node(id),
            // The DS of a delegation belongs to this side (RFC 4035 §3.1.4.1).
            Some(Found::Cut(cut)) if cut == id && qtype == Type::DS => Found::Node(id),
            Some(cut) => cut,
        }
    }

    /// Finds the answer for `qname`, which has no node, by its closest encloser.
    fn find_above(&self, qname: &Qname) -> Found {
        let Some((encloser, node)) = self.closest_encloser(qname) else { return Found::Nothing };
        if let Some(cut) = self.cut_of(node) {
            return cut;
        }
        if self.set(encloser, Type::DNAME).is_some() {
            return Found::Dname(encloser);
        }
        match node.wildcard() {
            NONE => Found::Nothing,
            source => Found::Node(NodeId(source)),
        }
    }

    /// Finds the node with the addresses of a name in a record of type `beside`, for the additional
    /// section: the node that a query for them would find, or, beside NS, glue (RFC 1034 §4.2.1).
    pub fn find_address_owner(&self, qname: &Qname, beside: Type) -> Option<NodeId> {
        let Some((id, node)) = self.node_at(qname, qname.depth()) else {
            return match self.find_above(qname) {
                Found::Node(id) => Some(id),
                Found::Cut(_) | Found::Dname(_) | Found::Nothing => None,
            };
        };
        match self.cut_of(node) {
            None => Some(id),
            Some(Found::Cut(_)) if beside == Type::NS => Some(id),
            Some(_) => None,
        }
    }

    /// Returns the RRset of a type at the node.
    pub fn set(&self, id: NodeId, rtype: Type) -> Option<Set> {
        self.nodes.node(id)?.set(rtype)
    }

    /// Returns whether the node has records other than those of a service.
    pub fn has_sets(&self, id: NodeId) -> bool {
        self.nodes.node(id).is_some_and(|node| node.sets().next().is_some())
    }

    /// Returns whether the node is a wildcard.
    pub fn is_wildcard(&self, id: NodeId) -> bool {
        self.below_origin(id).starts_with(b"\x01*")
    }

    /// Returns the service that steers the node, if there is one.
    pub fn steered(&self, id: NodeId) -> Option<Steered<'_>> {
        let steered = self.nodes.node(id)?.steered();
        let service = self.services.get((steered & !SRV_FLAG) as usize)?;
        let is_srv = steered & SRV_FLAG != 0;
        Some(if is_srv { Steered::Srv(service) } else { Steered::Service(service) })
    }

    /// Returns the RDATA of a set, in file order.
    pub fn rdata(&self, set: &Set) -> RdataIter<'_> {
        self.nodes.rdata(set)
    }

    /// Returns the node of the apex.
    pub fn apex(&self) -> NodeId {
        NodeId(0)
    }

    /// Returns the number of labels of the origin.
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// Returns the number of labels of the owner name of `id`.
    pub fn depth_of(&self, id: NodeId) -> usize {
        self.depth + labels(self.below_origin(id)).count()
    }

    /// Returns whether `name` is at or below the origin.
    pub fn holds(&self, name: &Qname) -> bool {
        name.depth() >= self.depth && name.suffix(self.depth) == &*self.apex
    }

    /// Returns whether `name`, which must be in this zone, is at or below the node `id`.
    pub fn is_below(&self, id: NodeId, name: &Qname) -> bool {
        let owner = self.below_origin(id);
        let labels = labels(owner).count();
        let Some(above) = name.depth().checked_sub(self.depth + labels) else { return false };
        let start = name.start(name.depth() - above);
        name.as_wire().get(start..).is_some_and(|suffix| suffix.starts_with(owner))
    }

    /// Returns the name of a node without the origin.
    fn below_origin(&self, id: NodeId) -> &[u8] {
        self.nodes.node(id).map_or(&[], Node::name)
    }

    // Inlined: mostly it is one comparison.
    #[inline]
    fn cut_of(&self, node: Node<'_>) -> Option<Found> {
        let cut = NodeId(Some(node.cut()).filter(|&cut| cut != NONE)?);
        let is_dname = self.set(cut, Type::NS).is_none() || cut == self.apex();
        Some(if is_dname { Found::Dname(cut) } else { Found::Cut(cut) })
    }

    /// Finds the longest existing ancestor. All ancestors of a name exist, so halving finds it.
    fn closest_encloser(&self, qname: &Qname) -> Option<(NodeId, Node<'_>)> {
        let (mut low, mut high) = (self.depth, qname.depth());
        let mut found = (self.apex(), self.nodes.node(self.apex())?);
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            match self.node_at(qname, middle) {
                Some(node) => (low, found) = (middle, node),
                None => high = middle,
            }
        }
        Some(found)
    }

    // Always inlined: every answer looks for a node, and a call costs a fifth of that.
    #[inline(always)]
    fn node_at(&self, qname: &Qname, depth: usize) -> Option<(NodeId, Node<'_>)> {
        let suffix = qname.suffix(depth);
        let below_origin = suffix.get(..suffix.len() - self.apex.len())?;
        let is_it =
            |at: u32| self.nodes.node(NodeId(at)).is_some_and(|node| node.name() == below_origin);
        let id = NodeId(self.index.find(qname.hash(depth), is_it)?);
        self.nodes.node(id).map(|node| (id, node))
    }

    /// Finds the service whose label is `label`; a label may also be given as a whole name.
    pub fn service_named(&self, label: &str) -> Option<&Service> {
        let given = Name::parse(label, Some(&self.origin)).ok();
        self.services.iter().find(|service| {
            *self.label(service) == *label
                || given.is_some()
                    && Name::parse(self.label(service), Some(&self.origin)).ok() == given
        })
    }
}

/// Returns the labels, with their length octets, up to the first empty one.
fn labels(name: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = name;
    std::iter::from_fn(move || {
        let len = rest.first().map(|&len| usize::from(len)).filter(|&len| len > 0)?;
        let (label, tail) = rest.split_at_checked(len + 1)?;
        rest = tail;
        Some(label)
    })
}
