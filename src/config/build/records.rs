//! Static data: `[records]`, `records_file`, `nameservers`.

use std::ops::Range;

use super::Builder;
use super::claims::By;
use crate::config::decode::Spanned;
use crate::config::master::Record;
use crate::config::spec::records::OwnerRecords;
use crate::config::spec::zone::ZoneFile;
use crate::wire::kind::Type;
use crate::wire::name::Name;
use crate::wire::rdata::parse_value;
use crate::zone::{Rdata, Rrset, Ttl};

impl Builder<'_> {
    /// Collects the static RRsets; gives the records of `records_file` for their places.
    pub(super) fn static_data(&mut self, file: &ZoneFile) -> Vec<Record> {
        for (key, records) in file.records.iter().flat_map(|records| &records.value.0) {
            match self.name(key, &self.origin.clone()) {
                Some(owner) => self.owner_records(&owner, &key.span, &records.value),
                None => self.claims.incomplete = true,
            }
        }
        let records = file.records_file.as_ref().map_or(Vec::new(), |path| self.master_file(path));
        self.rrsets.extend(records.iter().map(rrset));
        self.nameservers(file);
        self.soa(file.soa.as_ref());
        records
    }

    /// Whether the records hold the apex RRset of this type already.
    pub(super) fn has_apex(&self, rtype: Type) -> bool {
        self.rrsets.iter().any(|rrset| rrset.rtype == rtype && rrset.owner == self.origin)
    }

    fn owner_records(&mut self, owner: &Name, key: &Range<usize>, records: &OwnerRecords) {
        let ttl = records.ttl.as_ref().map(|ttl| self.whole_seconds(ttl, super::TTL_MAX));
        let ttl = ttl.unwrap_or(self.ttl);
        if records.broken {
            self.claims.broken_at(owner);
        }
        for (rtype, data) in &records.sets {
            // The owner is what two things may claim; the type tells which of its records did.
            let span = if records.sets.len() == 1 { key } else { &rtype.span };
            self.claims.add(owner, By::Record(rtype.value), span);
            let rdatas: Vec<Rdata> =
                data.0.iter().filter_map(|text| self.rdata(rtype.value, text)).collect();
            if rdatas.len() < data.0.len() {
                self.claims.broken_at(owner);
            }
            if !rdatas.is_empty() {
                self.rrsets.push(Rrset { owner: owner.clone(), rtype: rtype.value, ttl, rdatas });
            }
        }
    }

    /// Reads the data of one record; an error points into the text.
    fn rdata(&mut self, rtype: Type, text: &Spanned<String>) -> Option<Rdata> {
        match parse_value(rtype, &text.value, &self.origin) {
            Ok(wire) => {
                let rdata = Rdata::new(wire);
                if rdata.is_none() {
                    let message = "a record holds 65535 octets of data at the most";
                    self.decoder.error(&text.span, message);
                }
                rdata
            }
            Err(error) => {
                let span = self.decoder.within(&text.span, &text.value, &error.at);
                self.decoder.error(&span, error.message);
                None
            }
        }
    }

    /// The apex NS RRset from `nameservers`.
    fn nameservers(&mut self, file: &ZoneFile) {
        let Some(nameservers) = &file.nameservers else { return };
        if self.has_apex(Type::NS) {
            let message = "the records have NS records of the apex already";
            self.decoder.error(&nameservers.span, message).help =
                Some("keep one of the two".to_owned());
            return;
        }
        let mut rdatas = Vec::new();
        for text in &nameservers.value.0 {
            if let Some(name) = self.any_name(text, &self.origin.clone()) {
                self.claims.add(&name, By::Nameserver, &text.span);
                rdatas.extend(Rdata::new(name.as_wire()));
            }
        }
        if !rdatas.is_empty() {
            self.push_apex(Type::NS, self.ttl, rdatas);
        }
    }

    /// Adds an RRset at the apex.
    pub(super) fn push_apex(&mut self, rtype: Type, ttl: Ttl, rdatas: Vec<Rdata>) {
        self.rrsets.push(Rrset { owner: self.origin.clone(), rtype, ttl, rdatas });
    }
}

/// A record of a master file as an RRset of one; the zone merges them.
pub(crate) fn rrset(record: &Record) -> Rrset {
    Rrset {
        owner: record.owner.clone(),
        rtype: record.rtype,
        ttl: record.ttl,
        rdatas: vec![record.rdata.clone()],
    }
}
