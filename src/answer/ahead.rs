//! What a few queries are about to read, fetched side by side.
//!
//! In a zone larger than the caches an answer follows a chain, index ─▶ name ─▶ all the rest, and
//! waits for memory at each link. The links of one query come one after the other, but those of
//! several do not depend on each other: asked for together, they are waited for once.
//!
//! Nothing here decides anything: what is fetched in vain costs a little time.

use super::Responder;
use crate::snapshot::{Snapshot, Zone};
use crate::steering::Draws;
use crate::wire::header::HEADER_LEN;
use crate::wire::kind::Type;
use crate::wire::qname::Qname;

/// How many queries [`Responder::fetch`] looks at: about as many misses of the cache as a core can
/// have open.
pub const AHEAD_MAX: usize = 8;

/// What can be told of a query in a large zone by its octets alone.
#[derive(Clone, Copy)]
struct Ahead<'r> {
    zone: &'r Zone,
    draws: &'r Draws,
    hash: u64,
    qtype: Type,
}

impl Responder {
    /// Fetches what the answers to `queries`, of which it looks at the first [`AHEAD_MAX`], will
    /// read of large zones.
    ///
    /// # Cost
    /// Nothing without large zones; else one pass over each name, and one wait for each link.
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
