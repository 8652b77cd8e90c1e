//! The zones that are served, each by itself, so that a mistake in one does not hold up another.
//!
//! ```text
//! Loader ─ files, good and refused ─▶ Catalog ─▶ good       as it is now
//!                                             ├▶ refused    as it was, or as it was last kept
//!                                             ├▶ tests fail, and no earlier form: as it is now
//!                                             └▶ never good every name answers SERVFAIL
//! ```
//!
//! `Server::start` reads the zones through it first, `server::control` at each reload; nothing else
//! decides what is served (docs/decisions/0016-each-zone-by-itself.md). A zone ends only when its
//! file is gone and no refused file may be it. The log has each mistake once, and a reminder every
//! hour.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::kept::{KeptSources, Sources};
use super::load::{Known, Load, Loader};
use crate::clock::Moment;
use crate::config::Diagnostic;
use crate::geo::Geo;
use crate::snapshot::Zone;
use crate::wire::name::Name;

/// The time between two log lines about a file that is still refused.
const REMIND_EVERY: Duration = Duration::from_secs(3600);

/// The zones that are served, and the file of each.
pub(super) struct Catalog {
    loader: Loader,
    kept: KeptSources,
    served: BTreeMap<Name, Served>,
    refused: BTreeMap<PathBuf, Refused>,
    /// Whether a directory was ever read; from then on `served` comes from its files.
    has_read: bool,
}

/// A zone that is served.
#[derive(Clone, Debug)]
pub(super) struct Served {
    /// The zone.
    pub(super) zone: Arc<Zone>,
    /// The file of the zone.
    pub(super) file: PathBuf,
}

/// A file that is refused.
#[derive(Clone, Debug)]
pub(super) struct Refused {
    /// The answer in place of the file.
    pub(super) instead: Instead,
    /// The time since which the file is refused.
    pub(super) since: Moment,
    told: Moment,
}

/// The answer in place of a refused file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Instead {
    /// The zone as it was before.
    Before,
    /// The zone as an earlier process kept it.
    Kept,
    /// The zone itself, although tests of it fail, because it was never served in another form.
    Itself,
    /// SERVFAIL for each of its names.
    Nothing,
}

impl Instead {
    /// Returns the answer in words for the log.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Before => "the zone is served as it was",
            Self::Kept => "the zone is served in its last good form",
            Self::Itself => "the zone is served although tests of it fail: it has no earlier form",
            Self::Nothing => "waypost answers SERVFAIL for its names: the zone has no earlier form",
        }
    }
}

/// The outcome of reading the directory.
#[derive(Debug, Default)]
pub(super) struct Update {
    /// The zones served before, by name.
    pub(super) before: BTreeMap<Name, Served>,
    /// The mistakes that the log does not have yet.
    pub(super) diagnostics: Vec<Diagnostic>,
    /// The files that are refused from now on, or for another reason than before.
    pub(super) refused: Vec<(PathBuf, Instead)>,
    /// The files that were refused and are good now.
    pub(super) mended: Vec<PathBuf>,
    /// Whether the directory could be read.
    pub(super) is_readable: bool,
    /// Whether the directory as a whole was refused: it cannot be read, or has no zone file.
    pub(super) is_refused: bool,
    /// Whether the directory has no zone file, or does not exist.
    pub(super) is_bare: bool,
}

impl Catalog {
    /// Creates a catalog of the directory of `loader` that has read nothing yet.
    pub(super) fn new(loader: Loader, kept: KeptSources) -> Self {
        let (served, refused) = (BTreeMap::new(), BTreeMap::new());
        Self { loader, kept, served, refused, has_read: false }
    }

    /// Returns the reader of the directory.
    pub(super) fn loader(&self) -> &Loader {
        &self.loader
    }

    /// Locates clients by `geo` from the next load on.
    pub(super) fn set_geo(&mut self, geo: Arc<Geo>) {
        self.loader.set_geo(geo);
    }

    /// Returns the zones to serve, by name.
    pub(super) fn served(&self) -> &BTreeMap<Name, Served> {
        &self.served
    }

    /// Returns the zones to serve.
    pub(super) fn zones(&self) -> Vec<Arc<Zone>> {
        self.served.values().map(|served| Arc::clone(&served.zone)).collect()
    }

    /// Waits until everything that is to be kept is kept, for `most` at the longest.
    pub(super) fn finish(self, most: Duration) {
        self.kept.finish(most);
    }

    /// Reads the directory and decides for each zone what is served. It leaves out files that are
    /// still being written, as `is_written` says.
    pub(super) fn update(&mut self, is_written: &dyn Fn(&Path) -> bool, now: Moment) -> Update {
        let load = self.loader.load_unless(is_written);
        let before = self.served.clone();
        if !load.is_readable || load.is_bare {
            return self.refuse_all(load, before);
        }
        let mut next: BTreeMap<Name, Served> = BTreeMap::new();
        let clashing = self.clashing();
        for (path, known) in self
            .loader
            .files()
            .filter(|(path, known)| !known.is_refused() && !clashing.contains(*path))
        {
            if let Some(zone) = &known.zone {
                let served = Served { zone: Arc::clone(zone), file: path.to_owned() };
                next.insert(zone.origin().clone(), served);
            }
        }
        let is_bad =
            |(path, known): &(&Path, &Known)| known.is_refused() || clashing.contains(*path);
        let bad: Vec<(PathBuf, Option<Name>)> = self
            .loader
            .files()
            .filter(is_bad)
            .map(|(path, known)| (path.to_owned(), known.origin.clone()))
            .collect();
        let mut refused = BTreeMap::new();
        let mut is_unknown = false;
        for (path, origin) in bad {
            is_unknown |= origin.is_none() && !before.values().any(|served| served.file == path);
            let instead = self.instead(&path, origin, &before, &mut next);
            refused.insert(path, instead);
        }
        if is_unknown {
            // An unnamed broken file may be one of the files that are gone, under another name.
            for (name, served) in &before {
                if !self.is_listed(&served.file) {
                    next.entry(name.clone()).or_insert_with(|| served.clone());
                }
            }
        }
        self.served = next;
        let (told, mended) = self.note_refused(refused, now);
        let diagnostics = self.untold(load);
        self.keep_good();
        self.has_read = true;
        let is_readable = true;
        Update { before, diagnostics, refused: told, mended, is_readable, ..Update::default() }
    }

    /// Returns the reminders that are due: each file, and the time for which it has been refused.
    pub(super) fn due(&mut self, now: Moment) -> Vec<(PathBuf, Instead, Duration)> {
        let due =
            self.refused.iter_mut().filter(|(_, refused)| now.since(refused.told) >= REMIND_EVERY);
        due.map(|(path, refused)| {
            refused.told = now;
            (path.clone(), refused.instead, now.since(refused.since))
        })
        .collect()
    }

    /// Keeps what is served when the directory cannot be read, or has no zone file any more.
    fn refuse_all(&mut self, load: Load, before: BTreeMap<Name, Served>) -> Update {
        if !self.has_read && !load.is_readable && self.served.is_empty() {
            let kept: Vec<Sources> = self.kept.all_of(self.loader.directory()).collect();
            for sources in kept {
                if let Some(zone) = self.loader.compile(&sources.file, &sources) {
                    let name = zone.origin().clone();
                    self.served.insert(name, Served { zone, file: sources.file.clone() });
                }
            }
        }
        let Load { diagnostics, is_readable, is_bare, .. } = load;
        Update { before, diagnostics, is_readable, is_refused: true, is_bare, ..Update::default() }
    }

    /// Returns the files that hold a zone that another file holds too.
    fn clashing(&self) -> BTreeSet<PathBuf> {
        let mut by_name: BTreeMap<&Name, Vec<&Path>> = BTreeMap::new();
        for (path, known) in self.loader.files() {
            if let Some(zone) = &known.zone {
                by_name.entry(zone.origin()).or_default().push(path);
            }
        }
        let clashing = by_name.into_values().filter(|paths| paths.len() > 1);
        clashing.flatten().map(Path::to_owned).collect()
    }

    fn is_listed(&self, file: &Path) -> bool {
        self.loader.files().any(|(path, _)| path == file)
    }

    /// Decides what is served in place of the file at `path`, which names its zone `origin`.
    fn instead(
        &mut self,
        path: &Path,
        origin: Option<Name>,
        before: &BTreeMap<Name, Served>,
        next: &mut BTreeMap<Name, Served>,
    ) -> Instead {
        let is_meant = |(name, served): &(&Name, &Served)| {
            served.file == path || origin.as_ref() == Some(*name)
        };
        let mut found = None;
        for (name, served) in before.iter().filter(is_meant) {
            // By now another file may hold the zone rightly.
            if !next.contains_key(name) {
                next.insert(name.clone(), Served { file: path.to_owned(), ..served.clone() });
            }
            found = Some(if served.zone.is_absent() { Instead::Nothing } else { Instead::Before });
        }
        match found {
            // A zone whose tests fail may be better than no answers.
            Some(Instead::Nothing) | None => {}
            Some(instead) => return self.still(path, next).unwrap_or(instead),
        }
        if !self.has_read
            && let Some((name, zone)) = self.compile_kept(path, origin.as_ref())
        {
            next.entry(name).or_insert(Served { zone, file: path.to_owned() });
            return Instead::Kept;
        }
        let itself = self.loader.files().find(|(known, _)| *known == path);
        let itself = itself.and_then(|(_, known)| known.zone.clone());
        if let Some(zone) = itself.filter(|zone| !next.contains_key(zone.origin())) {
            let name = zone.origin().clone();
            let absent = Arc::new(Zone::absent(&name));
            let clashes = self.clashing().contains(path);
            let zone = if clashes { absent } else { zone };
            next.insert(name, Served { zone, file: path.to_owned() });
            return if clashes { Instead::Nothing } else { Instead::Itself };
        }
        if let Some(name) = origin.or_else(|| named_by(path)) {
            let absent = || Arc::new(Zone::absent(&name));
            let entry = next.entry(name.clone());
            entry.or_insert_with(|| Served { zone: absent(), file: path.to_owned() });
        }
        Instead::Nothing
    }

    /// Returns the answer in place of the file at `path` since the start, if `next` still has it.
    fn still(&self, path: &Path, next: &BTreeMap<Name, Served>) -> Option<Instead> {
        let mut now = next.values().filter(|served| served.file == path);
        let itself = self.loader.files().find(|(known, _)| *known == path);
        let itself = itself.and_then(|(_, known)| known.zone.as_ref());
        let is_itself = |served: &Served| itself.is_some_and(|it| Arc::ptr_eq(it, &served.zone));
        match self.refused.get(path)?.instead {
            Instead::Kept => Some(Instead::Kept),
            Instead::Itself if now.any(is_itself) => Some(Instead::Itself),
            _ => None,
        }
    }

    fn compile_kept(&mut self, path: &Path, origin: Option<&Name>) -> Option<(Name, Arc<Zone>)> {
        let sources = self.kept.read(self.loader.directory(), path, origin)?;
        let zone = self.loader.compile(&sources.file, &sources)?;
        Some((zone.origin().clone(), zone))
    }

    /// Notes which files are refused. Returns those whose refusal is new, and those that are good
    /// again.
    fn note_refused(
        &mut self,
        refused: BTreeMap<PathBuf, Instead>,
        now: Moment,
    ) -> (Vec<(PathBuf, Instead)>, Vec<PathBuf>) {
        let before = std::mem::take(&mut self.refused);
        let (mut told, mut next) = (Vec::new(), BTreeMap::new());
        for (path, instead) in refused {
            let known = before.get(&path).filter(|known| known.instead == instead);
            let is_told = self.loader.files().any(|(file, known)| file == path && known.is_told);
            let fresh = Refused { instead, since: now, told: now };
            if known.is_none() || !is_told {
                told.push((path.clone(), instead));
            }
            let since = before.get(&path).map_or(now, |known| known.since);
            let entry = known.cloned().unwrap_or(fresh);
            next.insert(path, Refused { since, ..entry });
        }
        let mended = before.into_keys().filter(|path| !next.contains_key(path));
        let mended = mended.filter(|path| self.is_listed(path)).collect();
        self.refused = next;
        (told, mended)
    }

    /// Returns the diagnostics that the log does not have yet: those of files that were read anew,
    /// and those of the directory as a whole.
    fn untold(&mut self, load: Load) -> Vec<Diagnostic> {
        let (mut told, mut files) = (Vec::new(), Vec::new());
        for (path, known) in self.loader.files() {
            let all = known.diagnostics.iter().chain(&known.failures);
            match known.is_told {
                true => told.extend(all.cloned()),
                false => files.push(path.to_owned()),
            }
        }
        files.iter().for_each(|path| self.loader.set_told(path));
        load.diagnostics.into_iter().filter(|found| !told.contains(found)).collect()
    }

    /// Queues the sources of each zone that was read anew to be kept, and forgets those of zones
    /// that are gone.
    fn keep_good(&mut self) {
        if !self.kept.is_ours() {
            // A later reading keeps them, once the other process has ended.
            return;
        }
        let served: Vec<(Name, PathBuf)> = self
            .served
            .iter()
            .filter(|(_, served)| !self.refused.contains_key(&served.file))
            .map(|(name, served)| (name.clone(), served.file.clone()))
            .collect();
        for (name, file) in served {
            let sources = self.loader.take_sources(&file);
            if !sources.is_empty() {
                self.kept.keep(self.loader.directory(), &name, sources);
            }
        }
        self.kept.retain(self.served.keys().cloned().collect());
    }
}

/// Returns the zone that a file is probably meant for, by the name of the file.
fn named_by(path: &Path) -> Option<Name> {
    Name::parse(path.file_stem()?.to_str()?, Some(&Name::root())).ok()
}

#[cfg(test)]
mod tests;
