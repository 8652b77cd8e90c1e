//! The names of a zone as a tree: each name once, parents before children.

use std::fmt;

use super::index::Index;
use super::room::with_room;
use crate::wire::name::Name;
use crate::wire::qname::{Qname, ROOT_HASH};

/// The node with which every tree starts.
const ROOT: u32 = 0;

/// The most octets of all names together, and of all data. This is half of what 32-bit numbers can
/// address, because the octets of the endpoints come on top.
pub(super) const OCTETS_MAX: usize = 1 << 31;

/// An error: the names would take more than [`OCTETS_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

/// Names by number, from the root down. Letters keep the case in which they were first written.
///
/// A name is its parent's number and one label. A million names below one origin take their own
/// octets, eight more each, and their slots in the index.
pub(crate) struct NameTree {
    nodes: Vec<Node>,
    /// The labels in wire format, one after the other.
    labels: Vec<u8>,
    /// The octets of all names, written out in full.
    octets: usize,
    index: Index,
    /// The last two names that were asked for: names in a row have much in common.
    qnames: Box<[Qname; 2]>,
    /// The index in `qnames` of the last name.
    last: usize,
    /// The nodes of the last name and of those above it, the root first. If the name was not found,
    /// the path ends with the closest name that was.
    path: Vec<u32>,
}

struct Node {
    parent: u32,
    /// The start of its label in `labels`.
    label: u32,
}

impl NameTree {
    /// Creates a tree with the root alone, and room for `count` names.
    pub(crate) fn with_room(count: usize) -> Self {
        let (mut nodes, mut labels) = (with_room(count), with_room(count));
        nodes.push(Node { parent: ROOT, label: 0 });
        labels.push(0);
        Self {
            nodes,
            labels,
            octets: 1,
            index: Index::new(),
            qnames: Box::new([Qname::new(), Qname::new()]),
            last: 0,
            path: vec![ROOT],
        }
    }

    /// Returns the number of nodes; they are numbered from 0.
    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Returns the node of the name `wire`. It is made if it is new, with those above it.
    pub(crate) fn add(&mut self, wire: &[u8]) -> Result<u32, Full> {
        let (common, depth) = self.turn_to(wire);
        for depth in common + 1..=depth {
            let parent = self.path[depth - 1];
            let node = match self.child(parent, depth) {
                Some(node) => node,
                None => self.push(parent, wire, depth)?,
            };
            self.path.push(node);
        }
        Ok(self.path[depth])
    }

    /// Returns the node of the name `wire`, if there is one.
    pub(crate) fn find(&mut self, wire: &[u8]) -> Option<u32> {
        let (common, depth) = self.turn_to(wire);
        for depth in common + 1..=depth {
            match self.child(self.path[depth - 1], depth) {
                Some(node) => self.path.push(node),
                None => return None,
            }
        }
        Some(self.path[depth])
    }

    /// Returns the node above `node`; the root is above itself.
    pub(crate) fn parent(&self, node: u32) -> u32 {
        self.nodes[node as usize].parent
    }

    /// Returns the leftmost label in wire format, after its length; for the root, a zero octet.
    pub(crate) fn label(&self, node: u32) -> &[u8] {
        let start = self.nodes[node as usize].label as usize;
        let len = usize::from(self.labels[start]);
        &self.labels[start..=start + len]
    }

    /// Returns the whole name.
    pub(crate) fn name(&self, mut node: u32) -> Name {
        let mut wire = Vec::new();
        while node != ROOT {
            wire.extend_from_slice(self.label(node));
            node = self.parent(node);
        }
        wire.push(0);
        Name::from_wire(&wire).unwrap_or_else(Name::root)
    }

    /// Returns the names by hash, including the root, for look-ups in what the tree becomes.
    pub(crate) fn into_index(mut self) -> Index {
        self.index.insert(ROOT_HASH, ROOT);
        self.index
    }

    /// Makes `wire` the last name. Returns the number of labels that it shares with the name
    /// before, which are those that the path still holds, and the number that it has.
    fn turn_to(&mut self, wire: &[u8]) -> (usize, usize) {
        let before = self.last;
        self.last = 1 - before;
        self.qnames[self.last].read(wire);
        let (before, here) = (&self.qnames[before], &self.qnames[self.last]);
        let most = before.depth().min(here.depth()).min(self.path.len() - 1);
        let alike = (1..=most).take_while(|&depth| before.hash(depth) == here.hash(depth));
        let mut common = alike.last().unwrap_or(0);
        while before.suffix(common) != here.suffix(common) {
            common -= 1;
        }
        self.path.truncate(common + 1);
        (common, here.depth())
    }

    /// Returns the child of `parent` for the last `depth` labels of the last name.
    fn child(&self, parent: u32, depth: usize) -> Option<u32> {
        let qname = &self.qnames[self.last];
        let label = &qname.as_wire()[qname.start(depth)..qname.start(depth - 1)];
        self.index.find(qname.hash(depth), |at| {
            let node = &self.nodes[at as usize];
            let known = &self.labels[node.label as usize..];
            let known = known.get(..label.len());
            node.parent == parent && known.is_some_and(|known| known.eq_ignore_ascii_case(label))
        })
    }

    fn push(&mut self, parent: u32, wire: &[u8], depth: usize) -> Result<u32, Full> {
        let qname = &self.qnames[self.last];
        let label = &wire[qname.start(depth)..qname.start(depth - 1)];
        let (node, start) = (self.nodes.len() as u32, self.labels.len() as u32);
        self.octets += qname.suffix(depth).len();
        if self.octets > OCTETS_MAX {
            return Err(Full);
        }
        self.labels.extend_from_slice(label);
        self.nodes.push(Node { parent, label: start });
        self.index.insert(qname.hash(depth), node);
        Ok(node)
    }
}

impl fmt::Debug for NameTree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries((ROOT..self.len() as u32).map(|node| self.name(node))).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(text: &str) -> Vec<u8> {
        Name::parse(text, Some(&Name::root())).unwrap().as_wire().to_vec()
    }

    #[test]
    fn each_name_and_each_above_it_has_one_node_in_whatever_order_and_case() {
        let mut tree = NameTree::with_room(0);
        let texts = ["www.example.com.", "example.com.", "b.a.www.Example.com.", "www.com.", "."];
        let nodes: Vec<u32> = texts.iter().map(|text| tree.add(&wire(text)).unwrap()).collect();
        assert_eq!(tree.len(), 7, "the root, com, example, www, a, b and the other www");
        for (text, &node) in texts.iter().zip(&nodes).rev() {
            assert_eq!(tree.find(&wire(&text.to_uppercase())), Some(node));
            assert_eq!(tree.name(node).to_string(), text.to_lowercase());
        }
        assert_eq!(tree.parent(nodes[0]), nodes[1]);
        assert_eq!(tree.len(), 7);
    }

    #[test]
    fn looking_for_a_name_that_is_not_there_makes_none_and_misleads_nobody() {
        let mut tree = NameTree::with_room(0);
        let known = tree.add(&wire("a.b.c.")).unwrap();
        for missing in ["x.a.b.c.", "a.x.c.", "a.b.x.", "a.b."] {
            assert_eq!(tree.find(&wire(missing)), None, "{missing}");
            assert_eq!(tree.find(&wire("a.b.c.")), Some(known), "after {missing}");
        }
        assert_eq!(tree.len(), 4);
    }
}
