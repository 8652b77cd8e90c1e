//! Which text wrote which owner, so that a conflict of the zone points at it.

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
use crate::zone::{Conflict, Owner, Problem, Records, Rejected};

/// What stands at an owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// A record of this type that the file writes.
    Record(Type),
    /// A service, its endpoint or its SRV name.
    Service,
    /// Mentioned as a name server of the zone.
    Nameserver,
}

/// Every owner that a zone file writes, with the text that wrote it.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    claims: Vec<Claim>,
    /// Owners some of whose records could not be read: what seems to be missing there may not be.
    broken: HashSet<Name>,
    /// Whether records of unknown owners could not be read.
    pub(crate) incomplete: bool,
}

/// One claim: small, because there is one for each endpoint.
#[derive(Clone, Copy, Debug)]
struct Claim {
    /// The owner's; that two owners share one would cost a wrong caret.
    hash: u64,
    by: By,
    start: u32,
    end: u32,
}

fn hash(owner: &Name) -> u64 {
    BuildHasherDefault::<DefaultHasher>::default().hash_one(owner)
}

type Place = (Arc<Source>, Range<usize>);

impl Claims {
    /// Notes that the text at `span` puts something at `owner`.
    pub(crate) fn add(&mut self, owner: &Name, by: By, span: &Range<usize>) {
        // No file is longer than 64 MiB.
        let (start, end) = (span.start as u32, span.end as u32);
        self.claims.push(Claim { hash: hash(owner), by, start, end });
    }

    /// Notes that some of the records at `owner` could not be read.
    pub(crate) fn broken_at(&mut self, owner: &Name) {
        self.broken.insert(owner.clone());
    }

    /// Reports each conflict of a zone file at the text that wrote the owner.
    pub(crate) fn report(
        &self,
        rejected: Rejected,
        written: &Written,
        file: &ZoneFile,
        decoder: &mut Decoder,
    ) {
        let Rejected { conflicts, mut records } = rejected;
        let source = Arc::clone(&decoder.source);
        let apex = file.zone.as_ref().map_or(0..0, |zone| zone.span.clone());
        let mut places = Places::new(&conflicts, (Arc::clone(&source), apex));
        places.add_claims(&self.claims, &source);
        places.add_records(&mut records, written);
        let incomplete = self.incomplete || decoder.broken || file.broken;
        let hidden = |conflict: &Conflict| {
            let named = conflict.problem == Problem::NoNs && file.nameservers.is_some();
            let unread = incomplete || self.broken.contains(&conflict.owner) || named;
            unread && is_lack(conflict.problem)
        };
        let shown = conflicts.iter().filter(|conflict| !hidden(conflict));
        decoder.diagnostics.extend(shown.map(|conflict| places.diagnostic(conflict)));
    }
}

/// Whether the problem is that something is missing: it may stand in what could not be read.
fn is_lack(problem: Problem) -> bool {
    matches!(problem, Problem::NoNs | Problem::NoSoa | Problem::NameserverWithoutAddress)
}

/// Reports each conflict of a master file at the line of the owner; `unread`: some of its lines
/// could not be read.
pub(crate) fn report_master(
    rejected: Rejected,
    unread: bool,
    written: &Written,
    source: &Arc<Source>,
) -> Vec<Diagnostic> {
    let Rejected { conflicts, mut records } = rejected;
    let mut places = Places::new(&conflicts, (Arc::clone(source), 0..0));
    places.add_records(&mut records, written);
    let shown = conflicts.iter().filter(|conflict| !(unread && is_lack(conflict.problem)));
    shown.map(|conflict| places.diagnostic(conflict)).collect()
}

/// What stands at the owners of conflicts, and where the zone as a whole is written.
struct Places<'a> {
    by_owner: HashMap<&'a Name, Vec<(By, Place)>>,
    zone: Place,
}

impl<'a> Places<'a> {
    fn new(conflicts: &'a [Conflict], zone: Place) -> Self {
        let by_owner = conflicts.iter().map(|conflict| (&conflict.owner, Vec::new())).collect();
        Self { by_owner, zone }
    }

    fn add_claims(&mut self, claims: &[Claim], source: &Arc<Source>) {
        let mut wanted: HashMap<u64, &mut Vec<(By, Place)>> =
            self.by_owner.iter_mut().map(|(owner, places)| (hash(owner), places)).collect();
        for claim in claims {
            if let Some(places) = wanted.get_mut(&claim.hash) {
                let span = claim.start as usize..claim.end as usize;
                places.push((claim.by, (Arc::clone(source), span)));
            }
        }
    }

    fn add_records(&mut self, records: &mut Records, written: &Written) {
        let mut wanted: HashMap<Owner, &mut Vec<(By, Place)>> = HashMap::new();
        for (owner, places) in &mut self.by_owner {
            wanted.extend(records.find(owner).map(|owner| (owner, places)));
        }
        for (number, (owner, rtype, ..)) in records.iter().enumerate() {
            if let Some(places) = wanted.get_mut(&owner) {
                let place = written.place(number);
                places.extend(place.map(|place| (By::Record(rtype), place)));
            }
        }
    }

    fn diagnostic(&self, conflict: &Conflict) -> Diagnostic {
        let (source, span) = self.of(conflict).clone();
        let message = match conflict.problem {
            Problem::NoSoa | Problem::NoNs => conflict.problem.to_string(),
            problem => format!("{}: {problem}", conflict.owner),
        };
        let mut diagnostic = Diagnostic::new(Severity::Error, message, source, span);
        diagnostic.help = help(conflict.problem).map(str::to_owned);
        diagnostic
    }

    /// The text to blame: the last that wrote what the conflict is about.
    fn of(&self, conflict: &Conflict) -> &Place {
        let Some(claims) = self.by_owner.get(&conflict.owner) else { return &self.zone };
        let wanted = |by: By| match conflict.problem {
            Problem::NoSoa | Problem::NoNs => false,
            Problem::ServiceBesideData
            | Problem::ServiceNotInAuthority
            | Problem::TargetBesideData => by == By::Service,
            Problem::NameserverWithoutAddress => by == By::Nameserver,
            _ => conflict.rtype.is_none_or(|rtype| by == By::Record(rtype)),
        };
        let claim = claims.iter().rev().find(|(by, _)| wanted(*by));
        claim.map_or(&self.zone, |(_, place)| place)
    }
}

/// What to do about a conflict, where that is not plain.
fn help(problem: Problem) -> Option<&'static str> {
    Some(match problem {
        Problem::NoNs => "write `nameservers = [\"ns1\", \"ns2\"]` and their addresses",
        Problem::UnequalTtls => "give all records of one name and type the same TTL",
        Problem::ServiceBesideSameType => "keep one of the two",
        Problem::TargetBesideData => "move the service to a name of its own, below the apex",
        Problem::NameserverWithoutAddress => {
            "add its A or AAAA record, or end the name with a dot if it lies elsewhere"
        }
        _ => return None,
    })
}
