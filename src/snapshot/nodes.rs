//! The names of a zone and the data at them: one run of octets for each name.
//!
//! ```text
//! cut 4 │ wildcard 4 │ steered 4 │ sets 2 │ name length 1 │ name │ lines │ set, set, …
//! set:  type 2 │ count 2 │ TTL 4 │ length 4 │ (length 2 │ RDATA), …
//! ```
//!
//! `compile` writes the runs once; `lookup` and `ahead` read them. The form is never stored, so it
//! can change. Each name is written whole (`begin`, `add` for each set by type, `end`) before the
//! next, and after its parent. Reading never panics: what is not there is empty.
//!
//! Only a service has lines ([`Lines`]). All that a query reads of a name lies side by side. In a
//! large zone with random queries each place in memory costs a cache miss, and these are most of
//! the time of a look-up.

use crate::steering::Lines;
use crate::wire::kind::Type;

/// The number that means no name or no service. It has the bit of [`SRV_FLAG`], so no service is
/// read at such a name.
pub(super) const NONE: u32 = u32::MAX;

/// The bit of [`Node::steered`] that marks an owner of SRV.
pub(super) const SRV_FLAG: u32 = 1 << 31;

const CUT: usize = 0;
const WILDCARD: usize = 4;
const STEERED: usize = 8;
const SETS: usize = 12;
const NAME_LEN: usize = 14;
const NAME: usize = 15;

/// The alignment of runs in octets. All names and all data of a zone take up to 4 GiB
/// (`zone::Records`), and their runs up to several times that; with this step, 32 bits reach 32
/// GiB.
const STEP: usize = 8;

/// The octets of a set before its records.
const SET_LEN: usize = 12;

/// A name of a zone: the place where its run starts, in units of `STEP`. Only valid in the zone
/// that gave it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeId(pub(super) u32);

impl NodeId {
    /// Returns the place where its run starts.
    fn at(self) -> usize {
        self.0 as usize * STEP
    }
}

/// An RRset of a compiled zone.
#[derive(Clone, Copy, Debug)]
pub struct Set {
    /// The type.
    pub rtype: Type,
    /// The number of records.
    pub count: u16,
    /// The TTL of the records in seconds.
    pub ttl: u32,
    /// The place where the records start.
    records: usize,
}

/// The runs of a zone: the apex first, parents before children.
#[derive(Debug)]
pub(super) struct Nodes(Box<[u8]>);

/// One name. Anything that cannot be read of it, because there is no such name, is empty.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node<'a> {
    nodes: &'a [u8],
    at: usize,
    /// The octets before its name, read with one check of bounds.
    head: &'a [u8; NAME],
}

impl Nodes {
    /// Returns the name at `id`, if a run starts there.
    pub(super) fn node(&self, id: NodeId) -> Option<Node<'_>> {
        Node::read(&self.0, id)
    }

    /// Returns the size of all runs in octets.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns the RDATA of a set, in file order.
    pub(super) fn rdata(&self, set: &Set) -> RdataIter<'_> {
        RdataIter { rest: self.0.get(set.records..).unwrap_or(&[]), left: set.count }
    }
}

impl<'a> Node<'a> {
    fn read(nodes: &'a [u8], id: NodeId) -> Option<Self> {
        let head = nodes.get(id.at()..)?.first_chunk()?;
        Some(Self { nodes, at: id.at(), head })
    }

    /// Returns the topmost delegation at or above it, or DNAME above it: the end of this zone's
    /// authority.
    pub(super) fn cut(self) -> u32 {
        long(self.head, CUT)
    }

    /// Returns the child with the label `*`.
    pub(super) fn wildcard(self) -> u32 {
        long(self.head, WILDCARD)
    }

    /// Returns the number of its service, or [`SRV_FLAG`] and the number of the service whose SRV
    /// it answers.
    pub(super) fn steered(self) -> u32 {
        long(self.head, STEERED)
    }

    /// Returns its name without the origin and the root, in lower case.
    pub(super) fn name(self) -> &'a [u8] {
        let start = self.at + NAME;
        self.nodes.get(start..start + usize::from(self.head[NAME_LEN])).unwrap_or(&[])
    }

    /// Returns the places that an answer reads, if it is a service.
    pub(super) fn lines(self) -> Option<Lines> {
        let octets = self.nodes.get(self.behind_name()..)?.first_chunk()?;
        is_service(self.steered()).then(|| Lines::from_octets(octets))
    }

    /// Returns its sets, sorted by type.
    pub(super) fn sets(self) -> impl Iterator<Item = Set> + use<'a> {
        let (nodes, mut left) = (self.nodes, short(self.head, SETS));
        let lines = if is_service(self.steered()) { Lines::LEN } else { 0 };
        let mut at = self.behind_name() + lines;
        std::iter::from_fn(move || {
            left = left.checked_sub(1)?;
            let head: &[u8; SET_LEN] = nodes.get(at..)?.first_chunk()?;
            let [rtype, count] = [0, 2].map(|field| short(head, field));
            let records = at + SET_LEN;
            at = records + long(head, 8) as usize;
            Some(Set { rtype: Type(rtype), count, ttl: long(head, 4), records })
        })
    }

    /// Returns its set of a type.
    pub(super) fn set(self, rtype: Type) -> Option<Set> {
        self.sets().find(|set| set.rtype == rtype)
    }

    fn behind_name(self) -> usize {
        self.at + NAME + usize::from(self.head[NAME_LEN])
    }
}

/// Returns whether a number from [`Node::steered`] is that of a service at the name itself.
fn is_service(steered: u32) -> bool {
    steered & SRV_FLAG == 0
}

#[inline(always)]
fn short(octets: &[u8], at: usize) -> u16 {
    octets.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |octets| u16::from_le_bytes(*octets))
}

#[inline(always)]
fn long(octets: &[u8], at: usize) -> u32 {
    octets.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |octets| u32::from_le_bytes(*octets))
}

/// Runs while they are written.
pub(super) struct Writing(Vec<u8>);

impl Writing {
    /// Writes into `room`, which must be empty.
    pub(super) fn new(room: Vec<u8>) -> Self {
        Self(room)
    }

    /// Begins the next name: `label` before the name of its parent; the apex has neither. Only a
    /// service has `lines`.
    pub(super) fn begin(
        &mut self,
        label: &[u8],
        parent: Option<NodeId>,
        (steered, lines): (u32, Option<Lines>),
    ) -> NodeId {
        let at = self.0.len().next_multiple_of(STEP);
        self.0.resize(at, 0);
        for number in [NONE, NONE, steered] {
            self.0.extend_from_slice(&number.to_le_bytes());
        }
        self.0.extend_from_slice(&[0; NAME - SETS]);
        self.0.extend(label.iter().map(u8::to_ascii_lowercase));
        if let Some(parent) = parent {
            let start = parent.at() + NAME;
            let len = usize::from(self.0[start - 1]);
            self.0.extend_from_within(start..start + len);
        }
        self.0[at + NAME_LEN] = (self.0.len() - at - NAME) as u8;
        if is_service(steered) {
            self.0.extend(lines.map_or([0; Lines::LEN], Lines::to_octets));
        }
        let id = NodeId((at / STEP) as u32);
        if let Some(parent) = parent.filter(|_| label == b"\x01*") {
            self.patch(parent, WILDCARD, id.0);
        }
        id
    }

    /// Adds a set to the name begun last; `rdata` holds its records, each after its length.
    pub(super) fn add(
        &mut self,
        node: NodeId,
        (rtype, count): (Type, u16),
        ttl: u32,
        rdata: &[u8],
    ) {
        self.0.extend_from_slice(&rtype.0.to_le_bytes());
        self.0.extend_from_slice(&count.to_le_bytes());
        self.0.extend_from_slice(&ttl.to_le_bytes());
        self.0.extend_from_slice(&(rdata.len() as u32).to_le_bytes());
        self.0.extend_from_slice(rdata);
        let sets = node.at() + SETS;
        let count = short(&self.0, sets) + 1;
        self.0[sets..sets + 2].copy_from_slice(&count.to_le_bytes());
    }

    /// Ends the name begun last: stores the place where the zone's authority ends above it.
    pub(super) fn end(&mut self, node: NodeId, parent: Option<NodeId>) {
        let Some(parent) = parent else { return };
        let [above, own] = [parent, node].map(|id| Node::read(&self.0, id));
        let has = |node: Option<Node<'_>>, rtype| node.is_some_and(|n| n.set(rtype).is_some());
        let cut = match above.map_or(NONE, Node::cut) {
            NONE if has(above, Type::DNAME) => parent.0,
            NONE if has(own, Type::NS) => node.0,
            cut => cut,
        };
        self.patch(node, CUT, cut);
    }

    /// Returns all runs.
    pub(super) fn finish(self) -> Nodes {
        Nodes(self.0.into())
    }

    fn patch(&mut self, node: NodeId, field: usize, number: u32) {
        let at = node.at() + field;
        self.0[at..at + 4].copy_from_slice(&number.to_le_bytes());
    }
}

/// An iterator over the records of a [`Set`].
#[derive(Clone, Debug)]
pub struct RdataIter<'a> {
    rest: &'a [u8],
    left: u16,
}

impl<'a> Iterator for RdataIter<'a> {
    type Item = &'a [u8];

    // Inlined: most sets have one record.
    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        self.left = self.left.checked_sub(1)?;
        let (len, tail) = self.rest.split_first_chunk::<2>()?;
        let (rdata, tail) = tail.split_at_checked(usize::from(u16::from_be_bytes(*len)))?;
        self.rest = tail;
        Some(rdata)
    }
}
