//! The TTL of an RRset whose records are written with different TTLs.
//!
//! NSD gives each record its own TTL, BIND gives all of them the first, Knot DNS the last; Waypost
//! gives them the lowest, as RFC 2181 §5.2 has it. The responses of the peers are settled to the
//! lowest, too: then all but the TTL is compared, and a TTL of ours that is not the lowest differs
//! from all of theirs.

use std::collections::BTreeMap;

use crate::dns::Response;
use crate::model::{ModelZone, Record, is_at_or_below};

/// The RRsets of some zones that are written with different TTLs.
pub(super) struct Lowest<'a> {
    pub(super) zones: &'a [ModelZone],
    sets: Vec<Mixed<'a>>,
}

/// One record of such an RRset.
struct Mixed<'a> {
    zone: &'a ModelZone,
    record: &'a Record,
    /// The lowest TTL of the RRset.
    ttl: u32,
}

impl<'a> Lowest<'a> {
    pub(super) fn new(zones: &'a [ModelZone]) -> Self {
        let mut sets = Vec::new();
        for zone in zones {
            let mut ttls: BTreeMap<(&str, u16), (u32, u32)> = BTreeMap::new();
            for Record { owner, rtype, ttl, .. } in &zone.records {
                let (lowest, highest) = ttls.entry((owner, *rtype)).or_insert((*ttl, *ttl));
                (*lowest, *highest) = ((*lowest).min(*ttl), (*highest).max(*ttl));
            }
            sets.extend(zone.records.iter().filter_map(|record| {
                let (ttl, highest) = ttls[&(record.owner.as_str(), record.rtype)];
                (ttl != highest).then_some(Mixed { zone, record, ttl })
            }));
        }
        Self { zones, sets }
    }

    /// Gives the records of such RRsets in `response` their lowest TTL.
    pub(super) fn settle(&self, response: &mut Response) {
        let data = &mut response.data;
        for section in [&mut data.answer, &mut data.authority, &mut data.additional] {
            for line in &mut *section {
                let record = Record::read(line);
                if let Some(mixed) = self.sets.iter().find(|mixed| mixed.is_source(&record)) {
                    *line = Record { ttl: mixed.ttl, ..record.clone() }.line_at(&record.owner);
                }
            }
            section.sort();
        }
    }
}

impl Mixed<'_> {
    /// Returns whether `record`, from a response, is this one or was made from it by a wildcard.
    fn is_source(&self, record: &Record) -> bool {
        let Self { zone, record: written, .. } = self;
        (written.rtype, &written.rdata) == (record.rtype, &record.rdata)
            && is_at_or_below(&record.owner, &zone.origin)
            && zone.source(&record.owner).as_ref() == Some(&written.owner)
    }
}
