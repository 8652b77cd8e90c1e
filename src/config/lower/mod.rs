//! From what is written to what it means: `spec` tables → `zone` nouns.
//!
//! Each part reports all it finds and goes on with the rest; a zone comes out only if no error
//! was found. Defaults stand here, each beside its one use.

mod checks;
mod endpoints;
mod records;
mod services;
mod targets;

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use super::Recorder;
use super::decode::{At, Decoder};
use super::diagnostic::{Diagnostic, Severity, Source};
use super::files::{self, Files};
use super::spec::ZoneTable;
use crate::wire::kind::Type;
use crate::wire::name::Name;
use crate::zone::{Conflict, Problem, Rrset, Service, Ttl, Zone};

/// One zone file on its way to a zone.
struct Lowering<'a> {
    decoder: Decoder<'a>,
    files: &'a Recorder<'a>,
    origin: Name,
    /// Where each owner is written first.
    owners: HashMap<Name, (Arc<Source>, Range<usize>)>,
    /// Owners with records that could not be read.
    suspect: HashSet<Name>,
}

/// Makes a zone of `table`, which stands in `source`.
pub(super) fn zone(
    table: &ZoneTable,
    source: &Arc<Source>,
    files: &Recorder<'_>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Zone> {
    let mut decoder = Decoder::new(source, diagnostics);
    let origin = origin(table, &mut decoder)?;
    let mut lowering =
        Lowering { decoder, files, origin, owners: HashMap::new(), suspect: HashSet::new() };
    let checks = checks::Checks::new(table.checks.as_ref(), &mut lowering);
    let services = services::all(table, &checks, &mut lowering);
    checks.warn_of_unused(&mut lowering);
    let rrsets = records::all(table, &mut lowering);
    lowering.finish(rrsets, services)
}

/// Makes a zone of a plain master file. Its origin is the owner of its SOA, which `$ORIGIN` may
/// have set, else the file's name without `.zone`.
pub(super) fn master_file(
    source: &Arc<Source>,
    files: &Recorder<'_>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Zone> {
    let mut decoder = Decoder::new(source, diagnostics);
    let name = source.path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let origin = match Name::parse(name.as_deref().unwrap_or("."), Some(&Name::root())) {
        Ok(origin) => origin,
        Err(error) => {
            decoder.error(&(0..0), format!("this file's name is no zone's: {error}"));
            return None;
        }
    };
    let mut lowering =
        Lowering { decoder, files, origin, owners: HashMap::new(), suspect: HashSet::new() };
    let rrsets = records::of_master_file(source, records::TTL, &mut lowering);
    if let Some(soa) = rrsets.iter().find(|rrset| rrset.rtype == Type::SOA) {
        lowering.origin = soa.owner.clone();
    }
    lowering.finish(rrsets, Vec::new())
}

/// How many of the diagnostics are errors.
fn errors(diagnostics: &[Diagnostic]) -> usize {
    diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).count()
}

fn origin(table: &ZoneTable, decoder: &mut Decoder<'_>) -> Option<Name> {
    let Some(zone) = &table.zone else {
        if !table.has("zone") {
            decoder.missing(&(0..0), "zone", "\"example.com\"");
        }
        return None;
    };
    match Name::parse(&zone.value, Some(&Name::root())) {
        Ok(origin) => Some(origin),
        Err(error) => {
            decoder.error(&zone.span, error.to_string());
            None
        }
    }
}

impl Lowering<'_> {
    /// Puts the zone together, unless anything was wrong.
    fn finish(mut self, rrsets: Vec<Rrset>, services: Vec<Service>) -> Option<Zone> {
        let sound = errors(self.decoder.diagnostics()) == 0;
        match Zone::new(self.origin.clone(), rrsets, services) {
            Ok(zone) => Some(zone).filter(|_| sound),
            Err(conflicts) => {
                self.report(&conflicts, sound);
                None
            }
        }
    }

    /// Reads a name relative to `base`, which must not climb out of the zone.
    fn owner(&mut self, written: &At<String>, base: &Name) -> Option<Name> {
        match Name::parse(&written.value, Some(base)) {
            Ok(name) if name.is_at_or_below(base) => {
                let place = (Arc::clone(self.decoder.source()), written.span.clone());
                self.owners.entry(name.clone()).or_insert(place);
                Some(name)
            }
            Ok(name) => {
                let message = format!("{name} lies outside {base}");
                let help = "a name without a final dot is relative";
                self.decoder.error_with_help(&written.span, message, help);
                None
            }
            Err(error) => {
                self.decoder.error(&written.span, error.to_string());
                None
            }
        }
    }

    /// Reads another file of the zone directory.
    fn file(&mut self, written: &At<String>) -> Option<Arc<Source>> {
        let from = self.decoder.source().path.clone();
        let located = files::locate(self.files.root(), &from, &written.value);
        let source = located.and_then(|path| self.files.read(&path));
        match source {
            Ok(source) => Some(source),
            Err(problem) => {
                let message = format!("cannot read {}: {problem}", written.value);
                self.decoder.error(&written.span, message);
                None
            }
        }
    }

    /// Reports conflicts at the places where their owners are written. What is missing because
    /// of another error goes unsaid.
    fn report(&mut self, conflicts: &[Conflict], sound: bool) {
        for conflict in conflicts {
            let follows = match conflict.problem {
                Problem::NoNs | Problem::NoSoa => !sound,
                Problem::NameserverWithoutAddress => self.suspect.contains(&conflict.owner),
                _ => false,
            };
            if follows {
                continue;
            }
            let nowhere = || (Arc::clone(self.decoder.source()), 0..0);
            let place = self.owners.get(&conflict.owner).cloned().unwrap_or_else(nowhere);
            let rtype = conflict.rtype.map_or(String::new(), |rtype| format!(" {rtype}"));
            let message = format!("{}{rtype}: {}", conflict.owner, conflict.problem);
            let (severity, label) = (Severity::Error, String::new());
            let help = conflict.problem.help().map(str::to_owned);
            self.decoder.diagnostics().push(Diagnostic {
                severity,
                message,
                place: Some(place),
                label,
                help,
            });
        }
    }
}

/// A period as a TTL.
fn ttl_of(period: std::time::Duration) -> Option<Ttl> {
    u32::try_from(period.as_secs()).ok().and_then(Ttl::from_secs)
}
