//! What an answer is about to read, fetched before it is found out step by step.

use std::hint::black_box;

use super::nodes::{NodeId, SRV_FLAG};
use super::{Snapshot, Zone};
use crate::steering::{Draws, Stream};
use crate::wire::kind::Type;
use crate::zone::limits::ADDRESSES_OF_ALL;

/// From how many octets of names on a zone counts as large: half of what a core's own cache
/// usually holds.
const LARGE: usize = 512 * 1024;

impl Snapshot {
    /// Whether any zone is large.
    pub fn has_large_zones(&self) -> bool {
        self.zones.iter().any(|zone| zone.is_large())
    }
}

impl Zone {
    /// Whether a name of it, taken at random, is hardly ever in a cache.
    pub fn is_large(&self) -> bool {
        self.nodes.len() >= LARGE
    }

    /// The node that `hash` is most likely that of; it may be that of another name.
    pub fn likely(&self, hash: u64) -> Option<NodeId> {
        self.index.find(hash, |_| true).map(NodeId)
    }

    /// Fetches what an answer of type `qtype` at the node `id` reads, without waiting for any of
    /// it.
    pub fn fetch(&self, id: NodeId, qtype: Type, draws: &Draws) {
        let Some(node) = self.nodes.node(id) else { return };
        let service = self.services.get((node.steered() & !SRV_FLAG) as usize);
        black_box(service.map(|service| service.ttl));
        let Some(lines) = node.lines() else {
            black_box(node.set(qtype));
            return;
        };
        let stream = match qtype {
            Type::A => Stream::A,
            Type::AAAA => Stream::Aaaa,
            Type::HTTPS => Stream::Ipv4Hint,
            _ => Stream::Srv,
        };
        lines.fetch(&self.plans, &self.board, draws, stream);
        let endpoints = self.endpoints.get(lines.members()).unwrap_or(&[]);
        for endpoint in endpoints.iter().take(ADDRESSES_OF_ALL) {
            black_box(endpoint.port);
        }
    }
}
