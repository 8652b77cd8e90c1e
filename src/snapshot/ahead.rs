//! Fetches the memory that an answer is about to read, before it is found step by step.
//!
//! Only `answer::ahead` calls it, for the queries of one batch. It decides nothing: a node found by
//! its hash alone may be another name's, and no answer may depend on it. [`Zone::fetch`] must read
//! the places that `answer` reads, with the same streams, or it saves nothing.

use std::hint::black_box;

use super::nodes::{NodeId, SRV_FLAG};
use super::{Snapshot, Zone};
use crate::steering::{Draws, Stream};
use crate::wire::kind::Type;
use crate::zone::limits::ADDRESSES_OF_ALL;

/// The size of the names and RRsets of a zone, in octets, from which it counts as large: half of a
/// core's own cache, as it usually is.
const LARGE: usize = 512 * 1024;

impl Snapshot {
    /// Returns whether any zone is large.
    pub fn has_large_zones(&self) -> bool {
        self.zones.iter().any(|zone| zone.is_large())
    }
}

impl Zone {
    /// Returns whether a name of the zone, taken at random, is hardly ever in a cache.
    pub fn is_large(&self) -> bool {
        self.nodes.len() >= LARGE
    }

    /// Finds the node that probably has the hash `hash`; it may be another name's.
    pub fn likely(&self, hash: u64) -> Option<NodeId> {
        self.index.find(hash, |_| true).map(NodeId)
    }

    /// Fetches the memory that an answer of type `qtype` at the node `id` reads, without waiting
    /// for it.
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
