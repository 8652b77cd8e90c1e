//! The zone directory: which files are zones, and what they compile to.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use super::seen::{Fingerprint, Seen};
use crate::config::{self, Allowed, Diagnostic, FILE_LEN_MAX, Files, Loaded, Severity, Source};
use crate::expect::{self, Failure};
use crate::geo::Geo;
use crate::snapshot::{Snapshot, Zone};
use crate::steering::RouteTables;
use crate::wire::name::Name;
use crate::zone::{self, with_room};

/// Reads a zone directory again and again, compiling only what changed.
#[derive(Debug)]
pub struct Loader {
    directory: PathBuf,
    known: BTreeMap<PathBuf, Known>,
    tables: RouteTables,
    /// Whether anything is known of where clients are.
    has_geo: bool,
    allowed: Allowed,
}

/// A zone file as it was last loaded.
#[derive(Debug)]
struct Known {
    /// Every file that it depended on, as read then.
    read: Vec<Seen>,
    /// The files that it names and that could not be read.
    unread: Vec<PathBuf>,
    zone: Option<Arc<Zone>>,
    diagnostics: Vec<Diagnostic>,
    /// How many tests it has, and those that fail.
    tests: usize,
    failures: Vec<Diagnostic>,
}

/// What a zone directory holds.
#[derive(Debug)]
pub struct Load {
    /// Its zones, compiled; `None` if there is an error among the diagnostics other than a test
    /// that fails.
    pub zones: Option<Vec<Arc<Zone>>>,
    /// How many tests its zones have.
    pub tests: usize,
    /// Whether all of them hold.
    pub is_as_expected: bool,
    /// Whether it holds no zone file, or is not there at all, which is an error among the
    /// diagnostics.
    pub is_bare: bool,
    /// All that is wrong with any of its files.
    pub diagnostics: Vec<Diagnostic>,
}

impl Loader {
    /// A loader of `directory` that has read nothing.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            known: BTreeMap::new(),
            tables: RouteTables::default(),
            has_geo: false,
            allowed: Allowed::default(),
        }
    }

    /// The same, for zone files that may ask this of this machine.
    pub fn allowing(self, allowed: Allowed) -> Self {
        Self { allowed, ..self }
    }

    /// The same, for clients that are where `geo` says.
    pub fn with_geo(mut self, geo: Arc<Geo>) -> Self {
        self.set_geo(geo);
        self
    }

    /// Where clients are.
    pub fn geo(&self) -> &Arc<Geo> {
        self.tables.geo()
    }

    /// From the next load on clients are where `geo` says. Zones whose routes ask for that are then
    /// read anew.
    pub fn set_geo(&mut self, geo: Arc<Geo>) {
        self.has_geo = !geo.is_empty();
        self.tables = RouteTables::new(geo);
        self.known.retain(|_, known| known.zone.as_ref().is_none_or(|zone| !zone.asks_geo()));
    }

    /// The zone directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Reads the directory. A zone none of whose files changed keeps its compiled form, and with
    /// it the states of its endpoints.
    pub fn load(&mut self) -> Load {
        let paths = match zone_files(&self.directory) {
            Ok(paths) => paths,
            Err(problem) => {
                let is_bare = !self.directory.exists();
                let diagnostics = vec![Diagnostic::unplaced(problem)];
                return Load { zones: None, tests: 0, is_as_expected: true, is_bare, diagnostics };
            }
        };
        let files = Directory::new(&self.directory);
        // Master files come last, without those that are found to be a part of another zone.
        let is_master = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "zone");
        let (masters, others): (Vec<_>, Vec<_>) = paths.into_iter().partition(is_master);
        let mut before = std::mem::take(&mut self.known);
        let (tables, allowed) = (&mut self.tables, self.allowed);
        let mut read = |path: PathBuf| {
            let old = before.remove(&path).and_then(Known::if_current);
            let known = old.unwrap_or_else(|| Known::load(&path, &files, allowed, tables));
            (path, known)
        };
        self.known = others.into_iter().map(&mut read).collect();
        let parts = included(&self.known);
        let masters = masters.into_iter().filter(|path| !parts.contains(path));
        self.known.extend(masters.map(read));
        let parts = included(&self.known);
        self.known.retain(|path, _| !parts.contains(path));
        self.collect()
    }

    /// Every file that the last load read, and every one that it would read next time.
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
                "no zone file in {}: a zone stands in NAME.toml, or in NAME.zone if it is a \
                 master file",
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
        Load { zones, tests, is_as_expected, is_bare, diagnostics }
    }
}

impl Known {
    fn load(
        path: &Path,
        files: &Directory<'_>,
        allowed: Allowed,
        tables: &mut RouteTables,
    ) -> Self {
        let Loaded { mut zone, diagnostics, read } = config::load_zone(path, files, allowed);
        let looked = files.looked.take();
        let seen =
            |source: &Arc<Source>| Seen::new(source, looked.get(&source.path).copied().flatten());
        let seen = read.iter().map(seen).collect();
        let tests = zone.as_mut().map_or(Vec::new(), zone::Zone::take_tests);
        // A text is needed no longer than for what is wrong with it.
        let source = read.into_iter().next().filter(|_| !tests.is_empty());
        let zone = zone.map(|zone| Arc::new(Zone::compile(zone, tables)));
        let failures = zone.iter().zip(&source).flat_map(|(zone, source)| {
            let failures = expect::failures(zone, tables.geo(), &tests);
            failures.into_iter().map(|(test, failure)| failed(source, test, &failure))
        });
        let failures = failures.collect();
        Self {
            read: seen,
            unread: files.failed.take(),
            zone,
            diagnostics,
            tests: tests.len(),
            failures,
        }
    }

    /// Itself, if nothing that it depends on has changed.
    fn if_current(mut self) -> Option<Self> {
        // What failed may have failed for a file that could not be read, which is not in `read`.
        let current = self.zone.is_some() && self.read.iter_mut().all(Seen::is_current);
        current.then_some(self)
    }
}

/// The files that another file names: they are that file's, not zones of their own.
fn included(known: &BTreeMap<PathBuf, Known>) -> HashSet<PathBuf> {
    let others = known.iter().flat_map(|(path, known)| {
        known.read.iter().map(|seen| &seen.path).filter(move |seen| *seen != path)
    });
    others.cloned().collect()
}

/// The zone files of a directory, sorted: `*.toml` and `*.zone`, hidden ones left out.
fn zone_files(directory: &Path) -> Result<Vec<PathBuf>, String> {
    let cannot = |error| format!("cannot read the zone directory {}: {error}", directory.display());
    let mut paths = Vec::new();
    for entry in fs::read_dir(directory).map_err(cannot)? {
        let path = entry.map_err(cannot)?.path();
        let hidden = path.file_name().is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
        let is_zone = path.extension().is_some_and(|end| end == "toml" || end == "zone");
        if is_zone && !hidden && !path.is_dir() {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// Warns of zones that the zone above them, which is here too, does not delegate to.
fn undelegated(zones: &[Arc<Zone>]) -> Vec<Diagnostic> {
    let snapshot = Snapshot::new(0, zones.to_vec());
    let warning = |(zone, parent): (&Zone, &Zone)| {
        let (child, parent) = (zone.origin(), parent.origin());
        let message = format!("{parent} does not delegate {child}, which is a zone here too");
        let help = format!(
            "give {child} in {parent} NS records: without them resolvers are told that there is \
             no such name"
        );
        Diagnostic {
            severity: Severity::Warning,
            help: Some(help),
            ..Diagnostic::unplaced(message)
        }
    };
    snapshot.undelegated().into_iter().map(warning).collect()
}

/// A test that does not hold.
fn failed(source: &Arc<Source>, test: &zone::Test, failure: &Failure) -> Diagnostic {
    let (message, place) =
        ("this test fails".to_owned(), Some((Arc::clone(source), test.written.clone())));
    let background = format!("why that came:\n{}", failure.why);
    Diagnostic {
        place,
        label: failure.message.clone(),
        background,
        ..Diagnostic::unplaced(message)
    }
}

/// Warns of routes that ask where clients are when nothing says so.
fn cannot_locate(zone: &Zone) -> Option<Diagnostic> {
    let message = || {
        let origin = zone.origin();
        format!("routes of {origin} ask where clients are, and nothing says so")
    };
    let help = "name databases in [geo] of waypost.toml: databases = [\"GeoLite2-City.mmdb\"]";
    zone.asks_geo().then(|| Diagnostic {
        severity: Severity::Warning,
        help: Some(help.to_owned()),
        ..Diagnostic::unplaced(message())
    })
}

/// Reads the files of a zone directory and remembers those that it could not.
struct Directory<'a> {
    root: &'a Path,
    failed: RefCell<Vec<PathBuf>>,
    /// How each file looked before it was first read; `None` where that says nothing.
    looked: RefCell<HashMap<PathBuf, Option<Fingerprint>>>,
}

impl<'a> Directory<'a> {
    fn new(root: &'a Path) -> Self {
        Self { root, failed: RefCell::default(), looked: RefCell::default() }
    }
}

impl Files for Directory<'_> {
    fn root(&self) -> &Path {
        self.root
    }

    fn read(&self, path: &Path) -> Result<Arc<Source>, String> {
        match read_file(path) {
            Ok((source, fingerprint)) => {
                self.looked.borrow_mut().entry(path.to_owned()).or_insert(fingerprint);
                Ok(source)
            }
            Err(failure) => {
                self.failed.borrow_mut().push(path.to_owned());
                Err(failure)
            }
        }
    }
}

/// Reads one file of a zone directory; says how it looked before.
///
/// # Errors
/// One line that says what failed.
pub(super) fn read_file(path: &Path) -> Result<(Arc<Source>, Option<Fingerprint>), String> {
    // Opening a pipe would wait for whoever writes to it.
    if fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
        return Err("this is no regular file".into());
    }
    read_source_and_look(path)
}

/// Reads one file with its time of change.
///
/// # Errors
/// One line that says what failed.
pub fn read_source(path: &Path) -> Result<Arc<Source>, String> {
    read_source_and_look(path).map(|(source, _)| source)
}

fn read_source_and_look(path: &Path) -> Result<(Arc<Source>, Option<Fingerprint>), String> {
    let cannot = |error: std::io::Error| format!("cannot read {}: {error}", path.display());
    let file = fs::File::open(path).map_err(cannot)?;
    let metadata = file.metadata().map_err(cannot)?;
    let fingerprint = Fingerprint::new(&metadata).if_settled();
    if metadata.len() > FILE_LEN_MAX as u64 {
        return Err(format!("{} is larger than {} MiB", path.display(), FILE_LEN_MAX >> 20));
    }
    let mut bytes = with_room(metadata.len() as usize + 1);
    file.take(FILE_LEN_MAX as u64).read_to_end(&mut bytes).map_err(cannot)?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let line = 1 + error.as_bytes()[..at].iter().filter(|&&byte| byte == b'\n').count();
        format!("{}:{line} is not UTF-8", path.display())
    })?;
    let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let modified = modified.map_or(0, |since| since.as_secs() as u32);
    Ok((Arc::new(Source::new(path, text, modified)), fingerprint))
}
