//! Static data: `[records]`, `records_file`, `nameservers`.

use std::ops::Range;

use super::Builder;
use super::claims::By;
use crate::config::decode::Spanned;
use crate::config::master::Written;
use crate::config::spec::records::OwnerRecords;
use crate::config::spec::zone::ZoneFile;
use crate::wire::kind::Type;
use crate::wire::name::Name;
use crate::wire::rdata::parse_value;
use crate::zone::Ttl;

impl Builder<'_> {
    /// Collects the static records, and returns the places of those of `records_file`.
    pub(super) fn static_data(&mut self, file: &ZoneFile) -> Written {
        for (key, records) in file.records.iter().flat_map(|records| &records.value.0) {
            match self.name(key, &self.origin.clone()) {
                Some(owner) => self.owner_records(&owner, &key.span, &records.value),
                None => self.claims.incomplete = true,
            }
        }
        let written = match &file.records_file {
            Some(path) => self.master_file(path),
            None => Written::default(),
        };
        self.nameservers(file);
        self.soa(file.soa.as_ref());
        written
    }

    /// Returns whether the records hold the apex RRset of this type already.
    pub(super) fn has_apex(&mut self, rtype: Type) -> bool {
        self.records.first(&self.origin, rtype).is_some()
    }

    fn owner_records(&mut self, owner: &Name, key: &Range<usize>, records: &OwnerRecords) {
        let ttl = records.ttl.as_ref().map(|ttl| self.whole_seconds(ttl, super::TTL_MAX));
        let ttl = ttl.unwrap_or(self.ttl);
        if records.broken {
            self.claims.broken_at(owner);
        }
        for (rtype, data) in &records.sets {
            // Two things may claim an owner; the type tells which of its records did.
            let span = if records.sets.len() == 1 { key } else { &rtype.span };
            self.claims.add(owner, By::Record(rtype.value), span);
            for text in &data.0 {
                if self.record(owner, rtype.value, ttl, text).is_none() {
                    self.claims.broken_at(owner);
                }
            }
        }
    }

    /// Adds the record that `text` writes.
    fn record(
        &mut self,
        owner: &Name,
        rtype: Type,
        ttl: Ttl,
        text: &Spanned<String>,
    ) -> Option<()> {
        let wire = self.rdata(rtype, text)?;
        self.push(owner, rtype, ttl, &wire, &text.span)
    }

    /// Reads the data of one record; an error points into its text.
    pub(super) fn rdata(&mut self, rtype: Type, text: &Spanned<String>) -> Option<Vec<u8>> {
        let read = parse_value(rtype, &text.value, &self.origin);
        read.map_err(|error| {
            let span = self.decoder.within(&text.span, &text.value, &error.at);
            self.decoder.error(&span, error.message);
        })
        .ok()
    }

    /// Adds a record that the text at `span` writes.
    pub(super) fn push(
        &mut self,
        owner: &Name,
        rtype: Type,
        ttl: Ttl,
        wire: &[u8],
        span: &Range<usize>,
    ) -> Option<()> {
        let number = self.records.len();
        self.claims.add_record(number, span);
        let owner = self.records.owner(owner);
        let pushed = owner.and_then(|owner| self.records.push(owner, rtype, ttl, wire));
        pushed.map_err(|error| self.decoder.error(span, error.to_string())).ok()
    }

    /// Makes the apex NS RRset from `nameservers`.
    fn nameservers(&mut self, file: &ZoneFile) {
        let Some(nameservers) = &file.nameservers else { return };
        if self.has_apex(Type::NS) {
            let message = "the records have NS records of the apex already";
            self.decoder.error(&nameservers.span, message).help =
                Some("keep those, or `nameservers`".to_owned());
            return;
        }
        for text in &nameservers.value.0 {
            if let Some(name) = self.any_name(text, &self.origin.clone()) {
                let apex = self.origin.clone();
                self.push(&apex, Type::NS, self.ttl, name.as_wire(), &text.span);
            }
        }
    }
}
