//! The watcher that notices that zone files have changed, and that their writers are done.
//!
//! The kernel tells of most changes at once: an editor's rename, a writer that closes, a symlink
//! swapped above the files. Other changes, such as those on a network file system, are found by
//! comparing the metadata of the files every few seconds. Such a file is read once it has not
//! changed for two seconds.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode, CreateKind, ModifyKind};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tracing::warn;

use super::commands::Command;
use super::load::Loader;
use super::versions::Fingerprint;

/// The longest wait for a writer that keeps its file open without writing.
const WRITER_WAIT_MAX: Duration = Duration::from_secs(60);

/// The most files that are remembered as written. A forgotten one is found by comparing.
const WRITES_MAX: usize = 100_000;

/// A watcher that knows the fingerprints of the zone files when they were last read.
pub(super) struct Watcher {
    /// Kept only for its drop, which ends the watching.
    kernel: Option<RecommendedWatcher>,
    /// The fingerprint of the directory when the kernel began to watch it.
    watched: Option<Fingerprint>,
    events: Option<(PathBuf, Sender<Command>)>,
    seen: BTreeMap<PathBuf, Option<Fingerprint>>,
    writes: Arc<Mutex<Writes>>,
}

/// The writers that the kernel reported, by canonical path.
#[derive(Debug, Default)]
struct Writes {
    /// The files that are open for writing, with the time of the last write.
    open: HashMap<PathBuf, Instant>,
    /// The files that were closed, or renamed into place, since the last reading.
    done: HashSet<PathBuf>,
}

/// The files that must not be read yet.
pub(super) struct BeingWritten {
    open: HashSet<PathBuf>,
    done: HashSet<PathBuf>,
    seen: BTreeMap<PathBuf, Option<Fingerprint>>,
    has_kernel: bool,
    is_wished: bool,
}

impl BeingWritten {
    /// Whether the file at `path` is still being written.
    pub(super) fn contains(&self, path: &Path) -> bool {
        let canonical = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        if self.open.contains(&canonical) {
            return true;
        }
        let Some(Some(seen)) = self.seen.get(path) else { return false };
        let Some(now) = Fingerprint::of(path) else { return false };
        let is_swapped = self.has_kernel && now.inode() != seen.inode();
        let is_done = is_swapped || self.is_wished || self.done.contains(&canonical);
        now != *seen && !is_done && now.if_settled().is_none()
    }
}

impl Watcher {
    /// Creates a watcher that only compares; the kernel tells it nothing before
    /// [`Watcher::attach`].
    pub(super) fn new() -> Self {
        Self {
            kernel: None,
            watched: None,
            events: None,
            seen: BTreeMap::new(),
            writes: Arc::default(),
        }
    }

    /// Lets the kernel tell of changes in `directory`; events go to `events`.
    pub(super) fn attach(&mut self, directory: &Path, events: Sender<Command>) {
        self.events = Some((directory.to_owned(), events));
        self.attach_again();
    }

    /// Attaches to the directory at the path if it is not the one that is watched.
    pub(super) fn follow(&mut self) {
        let Some((directory, _)) = &self.events else { return };
        let now = Fingerprint::of(directory);
        let inode = |looks: Option<Fingerprint>| looks.map(Fingerprint::inode);
        if now.is_some() && inode(now) != inode(self.watched) {
            self.attach_again();
        }
    }

    fn attach_again(&mut self) {
        let Some((directory, events)) = self.events.clone() else { return };
        self.watched = Fingerprint::of(&directory);
        // Events have the paths that are given here.
        let inside = fs::canonicalize(&directory).unwrap_or_else(|_| directory.clone());
        let absolute = std::path::absolute(&directory).unwrap_or_else(|_| directory.clone());
        let above = absolute.parent().and_then(|parent| fs::canonicalize(parent).ok());
        let own = above.as_ref().zip(absolute.file_name()).map(|(above, name)| above.join(name));
        let (writes, root) = (Arc::clone(&self.writes), inside.clone());
        let watched = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            let is_ours = |path: &PathBuf| path.starts_with(&root) || Some(path) == own.as_ref();
            let is_news = match &event {
                Ok(event) if !event.paths.is_empty() => {
                    event.paths.iter().any(is_ours) && lock(&writes).note(event)
                }
                _ => {
                    *lock(&writes) = Writes::default();
                    true
                }
            };
            if is_news {
                // The control thread is gone only when the server is.
                let _ = events.send(Command::Look);
            }
        });
        let kernel = watched.and_then(|mut kernel| {
            kernel.watch(&inside, RecursiveMode::Recursive)?;
            if let Some(above) = above.filter(|above| !above.starts_with(&inside)) {
                // Without this, a swapped directory is noticed only after a few seconds.
                let _ = kernel.watch(&above, RecursiveMode::NonRecursive);
            }
            Ok(kernel)
        });
        let kernel = kernel.inspect_err(|error| {
            warn!(
                "the system does not notify waypost of changed files ({error}): it sees changes \
                 only after a few seconds"
            );
        });
        self.kernel = kernel.ok();
    }

    /// Remembers how the files look now; returns those that must not be read yet. If `is_wished`,
    /// the operator wants every file read that has no known writer.
    pub(super) fn note(&mut self, loader: &Loader, is_wished: bool) -> BeingWritten {
        let seen = std::mem::replace(&mut self.seen, look(loader));
        let mut writes = lock(&self.writes);
        let done = std::mem::take(&mut writes.done);
        let now = Instant::now();
        let (mut open, mut given_up) = (HashSet::new(), Vec::new());
        writes.open.retain(|path, last| {
            let waits = now.duration_since(*last) < WRITER_WAIT_MAX;
            match waits {
                true => drop(open.insert(path.clone())),
                false => given_up.push(path.clone()),
            }
            waits
        });
        drop(writes);
        for path in given_up {
            let file = path.display();
            warn!(
                %file,
                "{file} has been open for writing for {WRITER_WAIT_MAX:?} without a write: it is \
                 read as it is; close it, or rename a finished file into place"
            );
        }
        BeingWritten { open, done, seen, has_kernel: self.kernel.is_some(), is_wished }
    }

    /// Remembers the files that became known only after [`Watcher::note`]. Files that were being
    /// written then stay marked as not yet read.
    pub(super) fn extend(&mut self, loader: &Loader, written: &BeingWritten) {
        for (path, fingerprint) in look(loader) {
            self.seen.entry(path).or_insert(fingerprint);
        }
        let watched = loader.watched();
        self.seen.retain(|path, _| watched.binary_search(path).is_ok());
        for (path, looks) in &mut self.seen {
            if written.contains(path) {
                // Only what was read before is known of it.
                *looks = written.seen.get(path).copied().flatten();
            }
        }
    }

    /// Whether any file looks different from what is remembered.
    pub(super) fn has_changed(&self, loader: &Loader) -> bool {
        look(loader) != self.seen
    }
}

impl Writes {
    /// Notes what an event says of writers. Returns whether something may be read now.
    fn note(&mut self, event: &notify::Event) -> bool {
        if self.open.len() + self.done.len() > WRITES_MAX {
            *self = Self::default();
        }
        let paths = event.paths.iter().cloned();
        match event.kind {
            EventKind::Modify(ModifyKind::Data(_)) => {
                let now = Instant::now();
                self.open.extend(paths.map(|path| (path, now)));
                return false;
            }
            EventKind::Create(CreateKind::File) if event.paths.iter().all(|path| is_new(path)) => {
                let now = Instant::now();
                self.open.extend(paths.map(|path| (path, now)));
                return false;
            }
            EventKind::Access(AccessKind::Close(AccessMode::Write)) => {
                self.close(&event.paths);
                self.done.extend(paths);
            }
            EventKind::Access(_) => return false,
            EventKind::Remove(_) => {
                self.close(&event.paths);
            }
            _ => self.done.extend(paths),
        }
        true
    }
}

impl Writes {
    /// Notes that nobody writes these files any more.
    fn close(&mut self, paths: &[PathBuf]) {
        self.open.retain(|path, _| !paths.contains(path));
    }
}

/// Whether the file at `path` was just created for a writer that has not written yet, and is no
/// link to an older file.
fn is_new(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_file() && metadata.len() == 0)
}

fn lock(writes: &Mutex<Writes>) -> MutexGuard<'_, Writes> {
    writes.lock().unwrap_or_else(PoisonError::into_inner)
}

fn look(loader: &Loader) -> BTreeMap<PathBuf, Option<Fingerprint>> {
    let looks = |path: PathBuf| {
        let fingerprint = Fingerprint::of(&path);
        (path, fingerprint)
    };
    loader.watched().into_iter().map(looks).collect()
}
