//! A path → a [`Loaded`] zone; the suffix of the file decides its language.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::decode::{FILE_LEN_MAX, parse};
use super::diagnostic::{Diagnostic, Diagnostics, Severity, Source};
use super::files::Files;
use super::master;
use super::meaning;
use super::spec::zone::ZoneFile;
use crate::wire::excerpt::excerpt;
use crate::wire::kind::Type;
use crate::wire::name::Name;
use crate::zone::{Reach, Records, Zone};

/// The permissions of zone files on the machine that serves them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allowed {
    /// Whether checks of kind exec may run commands.
    pub exec: bool,
    /// Whether symlinks may lead out of the zone directory.
    pub outside_symlinks: bool,
    /// The addresses that probes may go to.
    pub reach: Reach,
}

/// The result of reading one zone.
#[derive(Debug)]
pub struct Loaded {
    /// The zone; `None` if there are errors.
    pub zone: Option<Zone>,
    /// The name of the zone if the file states it, even if there are errors.
    pub origin: Option<Name>,
    /// Everything found wrong, in the order of the text. It holds an error exactly when there is no
    /// zone.
    pub diagnostics: Vec<Diagnostic>,
    /// Every file that was read for the zone, the zone file first.
    pub read: Vec<Arc<Source>>,
}

/// Reads the zone at `path`: a zone file if it ends in `.toml`, otherwise a master file.
///
/// The origin of a master file is the owner of its first SOA record; names before the first
/// `$ORIGIN` are relative to the file's name without `.zone`.
pub fn load_zone(path: &Path, files: &dyn Files, allowed: &Allowed) -> Loaded {
    let files = Recorded { files, read: RefCell::new(Vec::new()) };
    let (zone, origin, diagnostics) = match files.read(path) {
        Err(failure) => {
            let message = format!("cannot read {}: {failure}", path.display());
            (None, None, unread(Diagnostic::unplaced(message)))
        }
        Ok(source) if path.extension().is_some_and(|ending| ending == "toml") => {
            let (file, decoder) = parse::<ZoneFile>(&source);
            match file {
                Some(file) => {
                    let written = file.zone.as_ref().map(|zone| zone.value.as_str());
                    let origin =
                        written.and_then(|name| Name::parse(name, Some(&Name::root())).ok());
                    let (zone, diagnostics) = meaning::zone(file, decoder, &files, allowed);
                    (zone, origin, diagnostics)
                }
                None => (None, None, decoder.diagnostics),
            }
        }
        Ok(source) => master_zone(&source, &files),
    };
    let read = files.read.into_inner();
    let diagnostics = diagnostics.into_sorted(|found| {
        let (source, span) = found.place.as_ref()?;
        Some((read.iter().position(|known| known.path == source.path), span.start))
    });
    Loaded { zone, origin, diagnostics, read }
}

/// Returns `error` as the only diagnostic of a file that was not read.
fn unread(error: Diagnostic) -> Diagnostics {
    let mut diagnostics = Diagnostics::default();
    diagnostics.push(error);
    diagnostics
}

/// Returns an error for each zone whose origin an earlier zone has already.
pub fn duplicate_zones(zones: &[(&Path, &Name)]) -> Vec<Diagnostic> {
    let mut first: BTreeMap<&Name, &Path> = BTreeMap::new();
    let mut found = Vec::new();
    for &(path, origin) in zones {
        match first.get(origin) {
            None => drop(first.insert(origin, path)),
            Some(other) => found.push(Diagnostic::unplaced(format!(
                "{} and {} hold the same zone, {}: remove one of them",
                other.display(),
                path.display(),
                origin
            ))),
        }
    }
    found
}

/// Reads a plain master file as a zone.
fn master_zone(
    source: &Arc<Source>,
    files: &dyn Files,
) -> (Option<Zone>, Option<Name>, Diagnostics) {
    if source.text.len() > FILE_LEN_MAX {
        let message = format!("this file is larger than {} MiB", FILE_LEN_MAX >> 20);
        let error = Diagnostic::new(Severity::Error, message, Arc::clone(source), 0..0);
        return (None, None, unread(error));
    }
    let stem = source.path.file_stem().and_then(|stem| stem.to_str()).unwrap_or(".");
    let by_name = Name::parse(stem, Some(&Name::root())).unwrap_or_else(|_| Name::root());
    let (mut records, mut diagnostics) =
        (Records::from_text_of(source.text.len()), Diagnostics::default());
    let written = master::parse(source, &by_name, None, files, &mut records, &mut diagnostics);
    let unread = diagnostics.has_errors();
    let soa = records.iter().position(|(_, rtype, ..)| rtype == Type::SOA);
    let told = soa.and_then(|soa| records.iter().nth(soa)).map(|(owner, ..)| records.name(owner));
    let origin = told.clone().unwrap_or_else(|| by_name.clone());
    if let Some(soa) = soa
        && let Some((severity, message, help)) = misnamed(&origin, &by_name, stem)
    {
        let (source, span) = written.place(soa).unwrap_or((Arc::clone(source), 0..0));
        let mut found = Diagnostic::new(severity, message, source, span);
        found.help = Some(help);
        diagnostics.push(found);
        if severity == Severity::Error {
            return (None, Some(by_name), diagnostics);
        }
    }
    let (zone, conflicts) = match Zone::new(origin, records, Vec::new()) {
        Ok(mut zone) => {
            let warnings = zone.take_warnings();
            (Some(zone), warnings)
        }
        Err(rejected) => (None, rejected.conflicts),
    };
    // A line that could not be read may hold the part that seems to be missing.
    diagnostics.extend(meaning::report_master(&conflicts, unread, &written, source));
    (zone.filter(|_| !unread), told, diagnostics)
}

/// Returns the severity, the message and the help for a master file whose name does not fit the
/// zone `origin` that it holds; `None` if it fits. `stem` is the file's name without its suffix,
/// and `by_name` is the same as a domain name.
fn misnamed(origin: &Name, by_name: &Name, stem: &str) -> Option<(Severity, String, String)> {
    // No file name holds a slash or is a single dot.
    if origin == by_name || origin.is_root() || origin.as_wire().contains(&b'/') {
        return None;
    }
    let doubled = [&by_name.as_wire()[..by_name.as_wire().len() - 1], by_name.as_wire()].concat();
    if !by_name.is_root() && Name::from_wire(&doubled).as_ref() == Some(origin) {
        let message = format!("the owner of this SOA record is {origin}");
        return Some((
            Severity::Error,
            message,
            format!("a final dot is missing: write `{by_name}`"),
        ));
    }
    let message = format!("this file holds the zone {origin}, and not {}", excerpt(stem));
    let name = origin.to_string();
    let help = format!("rename the file to {}.zone, or write $ORIGIN", name.trim_end_matches('.'));
    Some((Severity::Warning, message, help))
}

/// The files of a zone directory, with a list of those that were read.
pub(super) struct Recorded<'a> {
    files: &'a dyn Files,
    read: RefCell<Vec<Arc<Source>>>,
}

impl Recorded<'_> {
    /// Returns the time at which the newest of the files read so far was changed, in seconds since
    /// 1970.
    pub(super) fn newest(&self) -> u32 {
        self.read.borrow().iter().map(|source| source.modified).max().unwrap_or(0)
    }
}

impl Files for Recorded<'_> {
    fn root(&self) -> &Path {
        self.files.root()
    }

    fn read(&self, path: &Path) -> Result<Arc<Source>, String> {
        let source = self.files.read(path)?;
        let mut read = self.read.borrow_mut();
        if !read.iter().any(|known| known.path == source.path) {
            read.push(Arc::clone(&source));
        }
        Ok(source)
    }
}
