//! Contradictions in a zone, and things that can hardly be meant.

use std::collections::HashMap;
use std::fmt;

use super::records::{Record, Records, rdata_at};
use crate::wire::kind::Type;
use crate::wire::name::Name;

/// Something in a zone that contradicts the rest of it, or leads nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The owner that it is about, or the origin.
    pub owner: Name,
    /// The type of the RRset to blame, if there is one.
    pub rtype: Option<Type>,
    /// The problem.
    pub problem: Problem,
    /// The name in the data of the record to blame, if the problem is about that name.
    pub target: Option<Name>,
    /// The number of owners or records that it is about.
    pub count: usize,
    /// The number of the record to blame, in the order in which they were written.
    pub record: Option<usize>,
}

/// The kinds of faults in a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Problem {
    /// Records of a signed zone, which this version does not serve (RFC 4035 §3).
    Signed,
    /// A CNAME and another type at one owner (RFC 1034 §3.6.2, RFC 2181 §10.1).
    CnameBesideOtherData,
    /// More than one CNAME or DNAME at one owner (RFC 2181 §10.1, RFC 6672 §2.4).
    SeveralAliases,
    /// A service at or below a delegation, or below a DNAME: it could never be answered.
    ServiceNotInAuthority,
    /// A name of a service that also has static addresses, a CNAME, or another service.
    ServiceBesideData,
    /// Static records at a service's name of a type that its `https` or `txt` makes too.
    ServiceBesideSameType,
    /// A pool of targets, answered as CNAME, beside static data or at the apex.
    TargetBesideData,
    /// No SOA at the origin.
    NoSoa,
    /// More than one SOA.
    SeveralSoa,
    /// A SOA elsewhere than at the origin.
    SoaNotAtApex,
    /// No NS at the origin.
    NoNs,
    /// An owner outside the zone.
    OutOfZone,
    /// Records that do not fit into one message (RFC 1035 §4.2.2).
    RrsetTooLarge,
    /// A delegation at a wildcard: its meaning is undefined (RFC 4592 §4.2).
    CutAtWildcard,
    /// A name server of the zone, inside the zone, that has no address record.
    NameserverWithoutAddress,
    /// Records of one RRset with different TTLs (RFC 2181 §5.2).
    UnequalTtls,
    /// Data other than DS and glue at a delegation (RFC 1034 §4.2.1).
    DataAtZoneCut,
    /// Data below a delegation that is not glue.
    DataBelowZoneCut,
    /// Data below a DNAME (RFC 6672 §2.4).
    DataBelowDname,
    /// A DNAME at a wildcard: it renames only what lies below the label `*` (RFC 4592 §4.4).
    DnameAtWildcard,
    /// An owner that ends in the origin twice: `www.example.com.example.com.`.
    DoubledOrigin,
    /// A target inside the zone that does not exist.
    TargetMissing,
    /// A target inside the zone without addresses.
    TargetWithoutAddress,
    /// A target that is an alias (RFC 2181 §10.3).
    TargetIsAlias,
    /// A CNAME that leads back to itself.
    AliasLoop,
    /// A name server without an address below its own delegation (RFC 1034 §4.2.1).
    NoGlue,
    /// A mailbox in a SOA record that is written with `@` (RFC 1035 §8).
    MailboxWithAt,
    /// An SRV name of a wildcard service: it lies below the label `*`, and no client asks for it.
    SrvBelowWildcard,
    /// More SRV records than a response without EDNS holds.
    SrvTruncatedWithoutEdns,
    /// More SRV records than a response over UDP holds.
    SrvTruncated,
    /// Two endpoints of one pool with the same address and port.
    SharedAddress,
}

impl Problem {
    /// Whether the zone can be served nevertheless.
    pub fn is_warning(self) -> bool {
        self >= Self::UnequalTtls
    }

    /// Whether something is missing that may stand in a line that could not be read.
    pub fn is_lack(self) -> bool {
        matches!(
            self,
            Self::NoNs
                | Self::NoSoa
                | Self::NameserverWithoutAddress
                | Self::TargetMissing
                | Self::TargetWithoutAddress
                | Self::NoGlue
        )
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Signed => "this zone is signed; this version serves zones without DNSSEC only",
            Self::CnameBesideOtherData => "a CNAME cannot stand beside other data",
            Self::SeveralAliases => "an owner can have only one CNAME or DNAME",
            Self::ServiceNotInAuthority => "this service lies under a delegation or DNAME",
            Self::ServiceBesideData => "a service cannot share its name with addresses, a CNAME or another service",
            Self::ServiceBesideSameType => "the `https` or `txt` of the service makes records of this type here, too",
            Self::TargetBesideData => "a service with `target` endpoints answers CNAME, which cannot stand beside other data",
            Self::NoSoa => "the zone has no SOA record",
            Self::SeveralSoa => "the zone has more than one SOA record",
            Self::SoaNotAtApex => "a SOA record stands only at the apex",
            Self::NoNs => "the zone has no NS records",
            Self::OutOfZone => "this name lies outside the zone",
            Self::RrsetTooLarge => "these records are too many for one message of 65,535 octets",
            Self::CutAtWildcard => "NS cannot stand at a wildcard",
            Self::NameserverWithoutAddress => "this name server lies in the zone but has no A or AAAA record",
            Self::UnequalTtls => "the records of one RRset have different TTLs; the lowest counts for all of them",
            Self::DataAtZoneCut => "never answered: this name is delegated",
            Self::DataBelowZoneCut => "never answered: it lies below a delegation",
            Self::DataBelowDname => "never answered: it lies below a DNAME",
            Self::DnameAtWildcard => "a DNAME at a wildcard renames no name that the wildcard stands for",
            Self::DoubledOrigin => "the name of the zone stands in it twice",
            Self::TargetMissing => "does not exist",
            Self::TargetWithoutAddress => "has no A or AAAA record",
            Self::TargetIsAlias => "is an alias",
            Self::AliasLoop => "this alias leads back to itself",
            Self::NoGlue => "lies below this delegation and has no A or AAAA record here: nobody can reach it",
            Self::MailboxWithAt => "the mailbox of a SOA record is a name, without an `@`",
            Self::SrvBelowWildcard => "no client asks for this name: a wildcard stands in for whole names",
            Self::SrvTruncatedWithoutEdns => "too many for 512 octets: clients without EDNS, such as HAProxy's by default, have to ask again over TCP",
            Self::SrvTruncated => "too many for a UDP response of 1232 octets: every client has to ask again over TCP",
            Self::SharedAddress => "another endpoint of this pool has the same address and port",
        })
    }
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { owner, rtype, problem, target, count, .. } = self;
        match (problem, rtype, target) {
            (Problem::NoSoa | Problem::NoNs | Problem::Signed, ..) => problem.fmt(f),
            (Problem::NameserverWithoutAddress, _, Some(target)) => {
                write!(f, "{target}: {problem}")
            }
            (Problem::SrvTruncated | Problem::SrvTruncatedWithoutEdns, ..) => {
                write!(f, "{owner}: {count} SRV records, {problem}")
            }
            (_, Some(rtype), Some(target)) => {
                write!(f, "{owner}: the {rtype} record leads to {target}, which {problem}")
            }
            (Problem::DataBelowZoneCut | Problem::DataBelowDname, ..) if *count > 1 => {
                write!(f, "{owner} and {} more names here: {problem}", count - 1)
            }
            _ => write!(f, "{owner}: {problem}"),
        }
    }
}

/// The most problems of each severity that are kept. More help nobody, and each holds its owner.
const KEPT_MAX: usize = 1000;

/// The problems found so far.
#[derive(Debug, Default)]
pub(super) struct Findings {
    found: Vec<Finding>,
    errors: usize,
    warnings: usize,
}

/// A problem before its record is known.
#[derive(Debug)]
struct Finding {
    conflict: Conflict,
    /// The data of the record to blame, if it is only one of its RRset.
    rdata: Option<Box<[u8]>>,
}

impl Findings {
    /// Adds a problem of the set of `rtype` at `owner`, or of everything at `owner` if `rtype` is
    /// `None`.
    pub(super) fn push(
        &mut self,
        problem: Problem,
        rtype: Option<Type>,
        owner: impl FnOnce() -> Name,
    ) {
        if self.has_room(problem) {
            let (target, count, record) = (None, 1, None);
            let conflict = Conflict { owner: owner(), rtype, problem, target, count, record };
            self.found.push(Finding { conflict, rdata: None });
        }
    }

    /// Adds a problem of the record of `rtype` at `owner` whose data is the name `target`.
    pub(super) fn push_about(&mut self, problem: Problem, owner: &Name, rtype: Type, target: Name) {
        let rdata = target.as_wire().to_vec();
        self.push_record(problem, rtype, &rdata, || (owner.clone(), target));
    }

    /// Adds a problem of the record of `rtype` with this data; `names` makes its owner and its
    /// target.
    pub(super) fn push_record(
        &mut self,
        problem: Problem,
        rtype: Type,
        rdata: &[u8],
        names: impl FnOnce() -> (Name, Name),
    ) {
        if self.has_room(problem) {
            let (owner, target) = names();
            let (rtype, target) = (Some(rtype), Some(target));
            let conflict = Conflict { owner, rtype, problem, target, count: 1, record: None };
            self.found.push(Finding { conflict, rdata: Some(rdata.into()) });
        }
    }

    /// Adds a problem of `count` owners or records, the first of which is at `owner`.
    pub(super) fn push_many(&mut self, problem: Problem, count: usize, owner: Name) {
        if self.has_room(problem) {
            let (rtype, target, record) = (None, None, None);
            let conflict = Conflict { owner, rtype, problem, target, count, record };
            self.found.push(Finding { conflict, rdata: None });
        }
    }

    /// Whether a problem of this kind was found.
    pub(super) fn has(&self, problem: Problem) -> bool {
        self.found.iter().any(|finding| finding.conflict.problem == problem)
    }

    fn has_room(&mut self, problem: Problem) -> bool {
        let count = if problem.is_warning() { &mut self.warnings } else { &mut self.errors };
        *count += 1;
        *count <= KEPT_MAX
    }

    /// Returns the problems in canonical order of owner, each with its record, and whether there is
    /// an error. For a signed zone it returns only that the zone is signed.
    ///
    /// # Cost
    /// One pass over the records if there is a problem.
    pub(super) fn finish(mut self, records: &mut Records) -> (Vec<Conflict>, bool) {
        if self.has(Problem::Signed) {
            self.found.retain(|finding| finding.conflict.problem == Problem::Signed);
        }
        if !self.found.is_empty() {
            self.blame(records);
        }
        let mut conflicts: Vec<Conflict> =
            self.found.into_iter().map(|finding| finding.conflict).collect();
        conflicts.sort_by(|a, b| a.owner.cmp(&b.owner).then(a.problem.cmp(&b.problem)));
        (conflicts, self.errors > 0)
    }

    /// Finds the record to blame for each problem: the last that fits.
    fn blame(&mut self, records: &mut Records) {
        let mut wanted: HashMap<u32, Vec<&mut Finding>> = HashMap::new();
        for finding in &mut self.found {
            let node = records.names.find(finding.conflict.owner.as_wire());
            if let Some(node) = node {
                wanted.entry(node).or_default().push(finding);
            }
        }
        for (number, record) in records.records.iter().enumerate() {
            let Record { owner, rtype, rdata, .. } = *record;
            for finding in wanted.get_mut(&owner).into_iter().flatten() {
                let data = || rdata_at(&records.rdata, rdata);
                if finding.conflict.rtype.is_none_or(|wanted| wanted == rtype)
                    && finding.rdata.as_deref().is_none_or(|wanted| wanted == data())
                {
                    finding.conflict.record = Some(number);
                }
            }
        }
    }
}
