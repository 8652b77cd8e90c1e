//! Fetches the memory that a few queries are about to read, side by side.
//!
//! In a zone larger than the caches, an answer follows a chain, index ─▶ name ─▶ all the rest, and
//! waits for memory at each link. The links of one query come one after the other, but those of
//! several queries do not depend on each other: fetched together, they cost one wait.
//!
//! Nothing here decides anything: a fetch in vain only costs a little time.

use super::Responder;
use crate::snapshot::{Snapshot, Zone};
use crate::steering::Draws;
use crate::wire::header::HEADER_LEN;
use crate::wire::kind::Type;
use crate::wire::qname::Qname;

/// The most queries that [`Responder::fetch`] looks at: about as many cache misses as a core can
/// have in flight.
pub const AHEAD_MAX: usize = 8;

/// The data of a query in a large zone that its octets alone give.
#[derive(Clone, Copy)]
struct Ahead<'r> {
    zone: &'r Zone,
    draws: &'r Draws,
    hash: u64,
    qtype: Type,
}

impl Responder {
    /// Fetches the memory of large zones that the answers to `queries` will read. It looks at the
    /// first [`AHEAD_MAX`] queries only.
    ///
    /// # Cost
    /// Nothing without large zones; otherwise one pass over each name, and one wait for each link.
    pub fn fetch(&mut self, queries: &[&[u8]]) {
        if !self.has_large_zones {
            return;
        }
        let Self { snapshot, draws, scratch, .. } = self;
        let mut ahead = [None; AHEAD_MAX];
        for (ahead, query) in ahead.iter_mut().zip(queries) {
            *ahead = Ahead::read(query, snapshot, draws, &mut scratch.qname);
        }
        let nodes = ahead.map(|ahead| Some((ahead?, ahead?.zone.likely(ahead?.hash)?)));
        for (Ahead { zone, draws, qtype, .. }, node) in nodes.into_iter().flatten() {
            zone.fetch(node, qtype, draws);
        }
    }
}

impl<'r> Ahead<'r> {
    fn read(
        query: &[u8],
        snapshot: &'r Snapshot,
        draws: &'r [Draws],
        qname: &mut Qname,
    ) -> Option<Self> {
        let question = query.get(HEADER_LEN..)?;
        let qtype = question.get(qname.read(question)?..)?.first_chunk()?;
        let qtype = Type(u16::from_be_bytes(*qtype));
        let (at, zone) = snapshot.zone_of(qname, qtype)?;
        let (draws, hash) = (draws.get(at)?, qname.hash(qname.depth()));
        zone.is_large().then_some(Self { zone, draws, hash, qtype })
    }
}
