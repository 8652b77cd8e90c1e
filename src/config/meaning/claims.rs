//! The texts that wrote owners, so that a conflict of the zone points at its text.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::ops::Range;
use std::sync::Arc;

use crate::config::decode::Decoder;
use crate::config::diagnostic::{Diagnostic, Severity, Source};
use crate::config::master::Written;
use crate::config::spec::zone::ZoneFile;
use crate::wire::kind::Type;
use crate::wire::name::Name;
use crate::zone::{Conflict, Problem};

/// The kind of data that a text puts at an owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// A record of this type that the file writes.
    Record(Type),
    /// A service, an endpoint of one, or an SRV name of one.
    Service,
}

/// The owners that a zone file writes, with the texts that wrote them.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    claims: Vec<Claim>,
    /// Owners with records that could not be read. A record that seems to be missing there may be
    /// one of these.
    broken: HashSet<Name>,
    /// Whether records of unknown owners could not be read.
    pub(crate) incomplete: bool,
    /// The number of each record that the file writes, and the start and end of its text.
    records: Vec<(u32, u32, u32)>,
}

/// One claim. It is small because each endpoint has one.
#[derive(Clone, Copy, Debug)]
struct Claim {
    /// The hash of the owner. If two owners share one, the only harm is a misplaced caret.
    hash: u64,
    by: By,
    start: u32,
    end: u32,
}

fn hash(owner: &Name) -> u64 {
    BuildHasherDefault::<DefaultHasher>::default().hash_one(owner)
}

impl Claims {
    /// Notes that the text at `span` puts something at `owner`.
    pub(crate) fn add(&mut self, owner: &Name, by: By, span: &Range<usize>) {
        // No file is longer than 64 MiB.
        let (start, end) = (span.start as u32, span.end as u32);
        self.claims.push(Claim { hash: hash(owner), by, start, end });
    }

    /// Notes that the text at `span` writes the record of this number.
    pub(crate) fn add_record(&mut self, number: usize, span: &Range<usize>) {
        // A zone has at most 2 GiB of data, and so fewer records than that.
        self.records.push((number as u32, span.start as u32, span.end as u32));
    }

    /// Notes that some of the records at `owner` could not be read.
    pub(crate) fn broken_at(&mut self, owner: &Name) {
        self.broken.insert(owner.clone());
    }

    /// Reports each conflict of a zone file at the text that wrote its subject. `written` holds the
    /// places of the records of `records_file`.
    pub(crate) fn report(
        &self,
        conflicts: Vec<Conflict>,
        written: &Written,
        file: &ZoneFile,
        decoder: &mut Decoder,
    ) {
        let incomplete = self.incomplete || decoder.broken || file.broken;
        let hidden = |conflict: &Conflict| {
            let named = conflict.problem == Problem::NoNs && file.nameservers.is_some();
            let unread = incomplete || self.broken.contains(&conflict.owner) || named;
            // A name that leads to a broken owner may lead somewhere.
            let leads = conflict.target.as_ref().is_some_and(|name| self.broken.contains(name));
            (unread || leads) && conflict.problem.is_lack()
        };
        let shown: Vec<Conflict> = conflicts.into_iter().filter(|found| !hidden(found)).collect();
        let places = self.places(&shown);
        let source = &decoder.source;
        let zone = file.zone.as_ref().map_or(0..0, |zone| zone.span.clone());
        let diagnostics = shown.iter().map(|conflict| {
            let in_zone_file = |span: Range<usize>| (Arc::clone(source), span);
            let from_master = || written.place(conflict.record?);
            let record = || self.record(conflict.record?).map(in_zone_file);
            let claim = || self.claim(&places, conflict).map(in_zone_file);
            let place = match conflict.problem {
                Problem::NoSoa | Problem::NoNs => None,
                _ if conflict.target.is_some() => from_master().or_else(record),
                _ => from_master().or_else(claim).or_else(record),
            };
            let (source, span) = place.unwrap_or_else(|| in_zone_file(zone.clone()));
            let is_toml = Arc::ptr_eq(&source, &decoder.source);
            diagnostic(conflict, (source, span), is_toml)
        });
        let diagnostics: Vec<Diagnostic> = diagnostics.collect();
        decoder.diagnostics.extend(diagnostics);
    }

    /// Returns the claims of the owners of `conflicts`, by the hash of the owner.
    fn places(&self, conflicts: &[Conflict]) -> HashMap<u64, Vec<Claim>> {
        let owners = conflicts.iter().map(|conflict| (hash(&conflict.owner), Vec::new()));
        let mut places: HashMap<u64, Vec<Claim>> = owners.collect();
        for claim in &self.claims {
            if let Some(places) = places.get_mut(&claim.hash) {
                places.push(*claim);
            }
        }
        places
    }

    /// Returns the text to blame: the last one that wrote the subject of the conflict.
    fn claim(
        &self,
        places: &HashMap<u64, Vec<Claim>>,
        conflict: &Conflict,
    ) -> Option<Range<usize>> {
        let wanted = |by: By| match conflict.problem {
            Problem::ServiceBesideData
            | Problem::ServiceNotInAuthority
            | Problem::TargetBesideData
            | Problem::SrvBelowWildcard
            | Problem::SrvTruncated
            | Problem::SrvTruncatedWithoutEdns
            | Problem::SharedAddress => by == By::Service,
            _ => conflict.rtype.is_none_or(|rtype| by == By::Record(rtype)),
        };
        let claims = places.get(&hash(&conflict.owner))?;
        let claim = claims.iter().rev().find(|claim| wanted(claim.by))?;
        Some(claim.start as usize..claim.end as usize)
    }

    /// Returns the range of the text that wrote the data of the record of this number.
    fn record(&self, number: usize) -> Option<Range<usize>> {
        let number = u32::try_from(number).ok()?;
        let at = self.records.binary_search_by_key(&number, |&(number, ..)| number).ok()?;
        let (_, start, end) = self.records[at];
        (start < end).then_some(start as usize..end as usize)
    }
}

/// Returns a diagnostic for each conflict of a master file, at the line of its record. `unread`
/// tells that some lines could not be read.
pub(crate) fn report_master(
    conflicts: &[Conflict],
    unread: bool,
    written: &Written,
    source: &Arc<Source>,
) -> Vec<Diagnostic> {
    let shown = conflicts.iter().filter(|conflict| !(unread && conflict.problem.is_lack()));
    let at = |conflict: &Conflict| match conflict.problem {
        Problem::NoSoa | Problem::NoNs => None,
        _ => written.place(conflict.record?),
    };
    let whole = || (Arc::clone(source), 0..0);
    shown.map(|conflict| diagnostic(conflict, at(conflict).unwrap_or_else(whole), false)).collect()
}

fn diagnostic(
    conflict: &Conflict,
    (source, span): (Arc<Source>, Range<usize>),
    is_toml: bool,
) -> Diagnostic {
    let is_warning = conflict.problem.is_warning();
    let severity = if is_warning { Severity::Warning } else { Severity::Error };
    let mut diagnostic = Diagnostic::new(severity, conflict.to_string(), source, span);
    diagnostic.help = help(conflict, is_toml);
    diagnostic
}

/// Returns a hint on a conflict in the language of its file, unless the cure is obvious.
fn help(conflict: &Conflict, is_toml: bool) -> Option<String> {
    let help = match conflict.problem {
        Problem::Signed => {
            "serve the zone without RRSIG, NSEC, NSEC3 and DNSKEY records, and without DS at its parent"
        }
        Problem::NoNs if is_toml => "write `nameservers = [\"ns1\", \"ns2\"]` and their addresses",
        Problem::NoNs => "write `@ NS ns1` and the address of each name server",
        Problem::NoSoa => "write `@ SOA ns1 hostmaster 1 4h 1h 2w 5m`",
        Problem::UnequalTtls => "give all records of one name and type the same TTL",
        Problem::ServiceBesideSameType => "keep these, or the `https` or `txt`",
        Problem::TargetBesideData => "move the service to a name of its own, below the apex",
        Problem::NameserverWithoutAddress => {
            "add its A or AAAA record, or end the name with a dot if it lies elsewhere"
        }
        Problem::DataAtZoneCut | Problem::DataBelowZoneCut => {
            "move it to the servers that this name is delegated to"
        }
        Problem::DataBelowDname => "move it below the target of the DNAME",
        Problem::DnameAtWildcard => {
            "write a DNAME at each name below which names are to be renamed"
        }
        Problem::DoubledOrigin => return Some(without_origin(&conflict.owner)),
        Problem::TargetMissing => {
            let target = conflict.target.as_ref();
            return Some(match target.and_then(single) {
                Some(meant) => format!("a final dot is missing: write `{meant}`"),
                None => "add it, or end the name with a dot if it lies elsewhere".to_owned(),
            });
        }
        Problem::TargetWithoutAddress => "add its A or AAAA record",
        Problem::TargetIsAlias => "write the name to which the alias leads (RFC 2181 §10.3)",
        Problem::NoGlue => "add its A or AAAA record as glue",
        Problem::MailboxWithAt => "write a dot in place of the `@`: `hostmaster.example.com.`",
        Problem::SrvBelowWildcard => "write a service for each name that needs SRV",
        Problem::SharedAddress => {
            "give this endpoint a port of its own, or leave it out and give the other more weight"
        }
        _ => return None,
    };
    Some(help.to_owned())
}

/// Returns the intended name if `name` ends in its zone's origin twice: the part up to the end of
/// the first origin.
fn single(name: &Name) -> Option<Name> {
    let labels: Vec<&[u8]> = name.labels().collect();
    let is_twice = |len: &usize| {
        let (first, second) = labels[labels.len() - 2 * len..].split_at(*len);
        first.iter().zip(second).all(|(a, b)| a.eq_ignore_ascii_case(b))
    };
    let len = (2..=labels.len() / 2).find(is_twice)?;
    let mut wire: Vec<u8> = Vec::new();
    for label in &labels[..labels.len() - len] {
        wire.push(label.len() as u8);
        wire.extend_from_slice(label);
    }
    wire.push(0);
    Name::from_wire(&wire)
}

fn without_origin(owner: &Name) -> String {
    match single(owner) {
        Some(meant) => format!("a final dot is missing: did you mean `{meant}`?"),
        None => "end a name with a dot if it is meant as it stands".to_owned(),
    }
}
