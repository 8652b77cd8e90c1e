//! The zone directory: the files that are zones, and their compiled form.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use super::files::{self, Metadata};
use super::versions::{FileVersion, Fingerprint};
use crate::config::{self, Allowed, Diagnostic, FILE_LEN_MAX, Files, Loaded, Severity, Source};
use crate::geo::Geo;
use crate::snapshot::{Snapshot, Zone};
use crate::steering::RouteTables;
use crate::trial::{self, Failure};
use crate::wire::name::Name;
use crate::zone;

/// A reader of a zone directory that compiles only what changed since the last load.
#[derive(Debug)]
pub struct Loader {
    directory: PathBuf,
    known: BTreeMap<PathBuf, Known>,
    tables: RouteTables,
    /// Whether there is any data about the places of clients.
    has_geo: bool,
    allowed: Allowed,
    /// Whether the last load lacked something that a later one may get.
    is_short: bool,
}

/// A zone file as it was last loaded.
#[derive(Debug)]
pub(super) struct Known {
    /// The files on which it depended, as they were read.
    read: Vec<FileVersion>,
    /// The files that it names and that could not be read.
    unread: Vec<PathBuf>,
    /// The zone; `None` if there are errors.
    pub(super) zone: Option<Arc<Zone>>,
    /// The name of the zone, if the file says it, however wrong the rest is.
    pub(super) origin: Option<Name>,
    /// The faults of the file, without failing tests.
    pub(super) diagnostics: Vec<Diagnostic>,
    /// The number of its tests.
    tests: usize,
    /// The tests that fail.
    pub(super) failures: Vec<Diagnostic>,
    /// The files of the zone, until [`Loader::take_sources`] takes them.
    sources: Vec<Arc<Source>>,
    /// Whether the log has its faults already.
    pub(super) is_told: bool,
}

/// The content of a zone directory.
#[derive(Debug)]
pub struct Load {
    /// The compiled zones; `None` if the diagnostics hold an error other than a failing test.
    pub zones: Option<Vec<Arc<Zone>>>,
    /// The number of tests in the zones.
    pub tests: usize,
    /// Whether all tests hold.
    pub is_as_expected: bool,
    /// Whether the directory holds no zone file, or does not exist; the diagnostics then hold an
    /// error.
    pub is_bare: bool,
    /// Whether the directory could be read.
    pub is_readable: bool,
    /// The faults of all files.
    pub diagnostics: Vec<Diagnostic>,
}

impl Loader {
    /// Creates a loader of `directory` that has read nothing yet.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            known: BTreeMap::new(),
            tables: RouteTables::default(),
            has_geo: false,
            allowed: Allowed::default(),
            is_short: false,
        }
    }

    /// Returns the loader, for zone files that may ask this of this machine.
    pub fn allowing(self, allowed: Allowed) -> Self {
        Self { allowed, ..self }
    }

    /// Returns the loader, with clients located by `geo`.
    pub fn with_geo(mut self, geo: Arc<Geo>) -> Self {
        self.set_geo(geo);
        self
    }

    /// Returns the data by which clients are located.
    pub fn geo(&self) -> &Arc<Geo> {
        self.tables.geo()
    }

    /// Locates clients by `geo` from the next load on. That load reads the zones anew whose routes
    /// ask for places.
    pub fn set_geo(&mut self, geo: Arc<Geo>) {
        self.has_geo = !geo.is_empty();
        self.tables = RouteTables::new(geo);
        self.known.retain(|_, known| known.zone.as_ref().is_none_or(|zone| !zone.asks_geo()));
    }

    /// Returns the zone directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Reads the directory. A zone keeps its compiled form, and with it the states of its
    /// endpoints, if none of its files changed.
    pub fn load(&mut self) -> Load {
        self.load_unless(&|_| false)
    }

    /// Reads the directory as [`Loader::load`] does, without files that are still being written, as
    /// `is_written` says. A zone that depends on such a file stays as it was.
    pub(super) fn load_unless(&mut self, is_written: &dyn Fn(&Path) -> bool) -> Load {
        let paths = match files::with_descriptor(|| zone_files(&self.directory)) {
            Ok(paths) => paths,
            Err(error) => {
                self.is_short = files::is_passing(&error);
                let directory = self.directory.display();
                let problem = format!("cannot read the zone directory {directory}: {error}");
                return Load {
                    zones: None,
                    tests: 0,
                    is_as_expected: true,
                    is_readable: false,
                    is_bare: !self.directory.exists(),
                    diagnostics: vec![Diagnostic::unplaced(problem)],
                };
            }
        };
        let files = Directory::new(&self.directory, self.allowed.outside_symlinks, is_written);
        // Master files come last, without those that turn out to be a part of another zone.
        let is_master = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "zone");
        let (masters, others): (Vec<_>, Vec<_>) = paths.into_iter().partition(is_master);
        let mut before = std::mem::take(&mut self.known);
        let (tables, allowed) = (&mut self.tables, &self.allowed);
        let mut read = |path: PathBuf| {
            let Some(old) = before.remove(&path) else {
                let known = || Known::load(&path, &files, allowed, tables);
                return (!is_written(&path)).then(known).map(|known| (path, known));
            };
            let known = match old.depends_on(&path, is_written) {
                true => old,
                false => old.or_anew(|| Known::load(&path, &files, allowed, tables)),
            };
            Some((path, known))
        };
        self.known = others.into_iter().filter_map(&mut read).collect();
        let parts = included(&self.known);
        let masters = masters.into_iter().filter(|path| !parts.contains(path));
        self.known.extend(masters.filter_map(read));
        self.is_short = files.is_short.get();
        let parts = included(&self.known);
        self.known.retain(|path, _| !parts.contains(path));
        self.collect()
    }

    /// Whether another load is worthwhile although no file has changed. The last one lacked
    /// descriptors, memory or permission, or a file was still being written.
    pub(super) fn is_short(&self) -> bool {
        self.is_short
    }

    /// Returns each zone file with what was loaded from it.
    pub(super) fn files(&self) -> impl Iterator<Item = (&Path, &Known)> {
        self.known.iter().map(|(path, known)| (path.as_path(), known))
    }

    /// Notes that the log has the faults of the file at `path`.
    pub(super) fn set_told(&mut self, path: &Path) {
        if let Some(known) = self.known.get_mut(path) {
            known.is_told = true;
        }
    }

    /// Takes the files of the zone at `path`, the zone file first. Returns none if they were not
    /// read since the last call.
    pub(super) fn take_sources(&mut self, path: &Path) -> Vec<Arc<Source>> {
        self.known.get_mut(path).map_or(Vec::new(), |known| std::mem::take(&mut known.sources))
    }

    /// Compiles the zone at `path` from `files` instead of those of the directory.
    pub(super) fn compile(&mut self, path: &Path, files: &dyn Files) -> Option<Arc<Zone>> {
        let zone = config::load_zone(path, files, &self.allowed).zone?;
        Some(Arc::new(Zone::compile(zone, &mut self.tables)))
    }

    /// Returns every file that the last load read, and every one that the next would read.
    pub fn watched(&self) -> Vec<PathBuf> {
        let read = self.known.values().flat_map(|known| &known.read);
        let mut paths: Vec<PathBuf> = read.map(|seen| seen.path.clone()).collect();
        paths.extend(self.known.values().flat_map(|known| &known.unread).cloned());
        paths.extend(self.known.keys().cloned());
        paths.extend(zone_files(&self.directory).unwrap_or_default());
        paths.sort();
        paths.dedup();
        paths
    }

    fn collect(&self) -> Load {
        let mut diagnostics: Vec<Diagnostic> =
            self.known.values().flat_map(|known| known.diagnostics.clone()).collect();
        let zones: Vec<(&Path, &Name)> = self
            .known
            .iter()
            .filter_map(|(path, known)| Some((path.as_path(), known.zone.as_ref()?.origin())))
            .collect();
        diagnostics.extend(config::duplicate_zones(&zones));
        if self.known.is_empty() {
            diagnostics.push(Diagnostic::unplaced(format!(
                "no zone file in {}: write a zone to NAME.toml there, or put a master file \
                 there as NAME.zone",
                self.directory.display()
            )));
        }
        let sound = diagnostics.iter().all(|d| d.severity != Severity::Error);
        let compiled = || self.known.values().filter_map(|known| known.zone.clone()).collect();
        let zones: Option<Vec<_>> = sound.then(compiled);
        diagnostics.extend(zones.iter().flat_map(|zones| undelegated(zones)));
        if !self.has_geo {
            diagnostics.extend(zones.iter().flatten().find_map(|zone| cannot_locate(zone)));
        }
        let failures = self.known.values().flat_map(|known| known.failures.iter().cloned());
        let before = diagnostics.len();
        diagnostics.extend(failures);
        let tests = self.known.values().map(|known| known.tests).sum();
        let (is_as_expected, is_bare) = (diagnostics.len() == before, self.known.is_empty());
        Load { zones, tests, is_as_expected, is_readable: true, is_bare, diagnostics }
    }
}

impl Known {
    fn load(
        path: &Path,
        files: &Directory<'_>,
        allowed: &Allowed,
        tables: &mut RouteTables,
    ) -> Self {
        let Loaded { mut zone, origin, diagnostics, read } =
            config::load_zone(path, files, allowed);
        let looked = files.looked.take();
        let seen = |source: &Arc<Source>| {
            FileVersion::new(source, looked.get(&source.path).copied().flatten())
        };
        let seen = read.iter().map(seen).collect();
        let tests = zone.as_mut().map_or(Vec::new(), zone::Zone::take_tests);
        // A text is needed only as long as its faults are to be shown.
        let source = read.first().filter(|_| !tests.is_empty());
        let zone = zone.map(|zone| Arc::new(Zone::compile(zone, tables)));
        let failures = zone.iter().zip(source).flat_map(|(zone, source)| {
            let failures = trial::failures(zone, tables.geo(), &tests);
            failures.into_iter().map(|(test, failure)| failed(source, test, &failure))
        });
        let failures = failures.collect();
        let sources = if zone.is_some() { read } else { Vec::new() };
        Self {
            read: seen,
            unread: files.failed.take(),
            zone,
            origin,
            diagnostics,
            tests: tests.len(),
            failures,
            sources,
            is_told: false,
        }
    }

    /// Whether the file itself is at fault.
    pub(super) fn is_refused(&self) -> bool {
        self.zone.is_none() || !self.failures.is_empty()
    }

    /// Whether it depends on a file for which `is_so` holds.
    fn depends_on(&self, path: &Path, is_so: &dyn Fn(&Path) -> bool) -> bool {
        is_so(path) || self.read.iter().any(|seen| seen.path != path && is_so(&seen.path))
    }

    /// Returns itself if nothing on which it depends has changed, otherwise what `load` returns.
    fn or_anew(mut self, load: impl FnOnce() -> Self) -> Self {
        // A file that could not be read is not in `read`.
        if self.unread.is_empty() && self.read.iter_mut().all(FileVersion::is_current) {
            return self;
        }
        let mut known = load();
        let is_same = known.diagnostics == self.diagnostics && known.failures == self.failures;
        known.is_told = self.is_told && is_same;
        known
    }
}

/// Returns the files that other files name: they belong to those, and are not zones by themselves.
fn included(known: &BTreeMap<PathBuf, Known>) -> HashSet<PathBuf> {
    let others = known.iter().flat_map(|(path, known)| {
        known.read.iter().map(|seen| &seen.path).filter(move |seen| *seen != path)
    });
    others.cloned().collect()
}

/// Returns the zone files of a directory, sorted: `*.toml` and `*.zone`, without hidden ones.
fn zone_files(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let hidden = path.file_name().is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
        let is_zone = path.extension().is_some_and(|end| end == "toml" || end == "zone");
        if is_zone && !hidden && !path.is_dir() {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// Warns of zones to which the zone above them, which is served here too, does not delegate.
fn undelegated(zones: &[Arc<Zone>]) -> Vec<Diagnostic> {
    let snapshot = Snapshot::new(0, zones.to_vec());
    let warning = |(zone, parent): (&Zone, &Zone)| {
        let (child, parent) = (zone.origin(), parent.origin());
        let message = format!("{parent} does not delegate {child}, which is a zone here too");
        let help = format!(
            "add NS records for {child} to {parent}: without them, {parent} tells resolvers that \
             {child} does not exist"
        );
        Diagnostic {
            severity: Severity::Warning,
            help: Some(help),
            ..Diagnostic::unplaced(message)
        }
    };
    snapshot.undelegated().into_iter().map(warning).collect()
}

/// Makes the diagnostic of a failing test.
fn failed(source: &Arc<Source>, test: &zone::Test, failure: &Failure) -> Diagnostic {
    let (message, place) =
        ("this test fails".to_owned(), Some((Arc::clone(source), test.written.clone())));
    let background = format!("the way to that answer:\n{}", failure.why);
    Diagnostic {
        place,
        label: failure.message.clone(),
        background,
        ..Diagnostic::unplaced(message)
    }
}

/// Warns of routes that depend on the client's place if there is no data about places.
fn cannot_locate(zone: &Zone) -> Option<Diagnostic> {
    let message = || {
        let origin = zone.origin();
        format!("routes of {origin} depend on where clients are, but no data says where they are")
    };
    let help = "name databases in [geo] of waypost.toml: databases = [\"GeoLite2-City.mmdb\"]";
    zone.asks_geo().then(|| Diagnostic {
        severity: Severity::Warning,
        help: Some(help.to_owned()),
        ..Diagnostic::unplaced(message())
    })
}

/// A reader of the files of a zone directory that remembers those that it could not read.
struct Directory<'a> {
    root: &'a Path,
    /// Whether it follows symlinks that lead out of the directory.
    outside_symlinks: bool,
    is_written: &'a dyn Fn(&Path) -> bool,
    failed: RefCell<Vec<PathBuf>>,
    /// The fingerprint of each file before it was first read; `None` if that proves nothing.
    looked: RefCell<HashMap<PathBuf, Option<Fingerprint>>>,
    is_short: Cell<bool>,
}

impl<'a> Directory<'a> {
    fn new(root: &'a Path, outside_symlinks: bool, is_written: &'a dyn Fn(&Path) -> bool) -> Self {
        let (failed, looked, is_short) = (RefCell::default(), RefCell::default(), Cell::new(false));
        Self { root, outside_symlinks, is_written, failed, looked, is_short }
    }

    fn read_now(&self, path: &Path) -> io::Result<Arc<Source>> {
        if (self.is_written)(path) {
            self.is_short.set(true);
            return Err(io::Error::other("it is still being written"));
        }
        let most = FILE_LEN_MAX as u64;
        let (octets, metadata) = match self.outside_symlinks {
            true => files::read(path, most)?,
            false => files::read_inside(self.root, path, most)?,
        };
        let source = source(path, octets, &metadata)?;
        let fingerprint = Fingerprint::new(&metadata).if_settled();
        self.looked.borrow_mut().entry(path.to_owned()).or_insert(fingerprint);
        Ok(source)
    }
}

impl Files for Directory<'_> {
    fn root(&self) -> &Path {
        self.root
    }

    fn read(&self, path: &Path) -> Result<Arc<Source>, String> {
        self.read_now(path).map_err(|error| {
            self.is_short.set(self.is_short.get() || files::is_passing(&error));
            self.failed.borrow_mut().push(path.to_owned());
            error.to_string()
        })
    }
}

/// Reads a text file with its modification time.
///
/// # Errors
/// One line that says what failed.
pub fn read_source(path: &Path) -> Result<Arc<Source>, String> {
    let read = files::read(path, FILE_LEN_MAX as u64);
    let read = read.and_then(|(octets, metadata)| source(path, octets, &metadata));
    read.map_err(|error| format!("cannot read {}: {error}", path.display()))
}

/// Makes a source of the octets that were read at `path`.
pub(super) fn source(path: &Path, octets: Vec<u8>, metadata: &Metadata) -> io::Result<Arc<Source>> {
    let text = String::from_utf8(octets).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let line = 1 + error.as_bytes()[..at].iter().filter(|&&byte| byte == b'\n').count();
        io::Error::new(io::ErrorKind::InvalidData, format!("line {line} is not UTF-8"))
    })?;
    let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let modified = modified.map_or(0, |since| since.as_secs() as u32);
    Ok(Arc::new(Source::new(path, text, modified)))
}
