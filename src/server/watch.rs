//! Noticing that zone files changed.
//!
//! The kernel tells at once (an editor's rename, a symlink swapped above the files); what it
//! does not tell, such as a change on a network file system, is found by comparing the files'
//! metadata every few seconds.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc::Sender;

use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use tracing::warn;

use super::control::Event;
use super::load::Loader;
use super::seen::Fingerprint;

/// Knows how the zone files looked when they were last read.
pub(super) struct Watcher {
    /// Kept for what it does when it is dropped.
    kernel: Option<RecommendedWatcher>,
    seen: BTreeMap<PathBuf, Option<Fingerprint>>,
}

impl Watcher {
    /// A watcher that compares; the kernel tells it nothing before [`Watcher::attach`].
    pub(super) fn new() -> Self {
        Self { kernel: None, seen: BTreeMap::new() }
    }

    /// Lets the kernel tell of changes in `directory`; events go to `events`.
    pub(super) fn attach(&mut self, directory: &Path, events: Sender<Event>) {
        let watched = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            let is_read = event.is_ok_and(|event| event.kind.is_access());
            if !is_read {
                // The control thread is gone only when the server is.
                let _ = events.send(Event::Changed);
            }
        });
        let kernel = watched.and_then(|mut kernel| {
            kernel.watch(directory, RecursiveMode::Recursive)?;
            Ok(kernel)
        });
        let kernel = kernel.inspect_err(|error| {
            warn!("no file notifications ({error}): changes are seen within a few seconds");
        });
        self.kernel = kernel.ok();
    }

    /// Remembers how the files look now.
    pub(super) fn note(&mut self, loader: &Loader) {
        self.seen = look(loader);
    }

    /// Remembers files that have only come to be known since [`Watcher::note`].
    pub(super) fn extend(&mut self, loader: &Loader) {
        for (path, fingerprint) in look(loader) {
            self.seen.entry(path).or_insert(fingerprint);
        }
        let watched = loader.watched();
        self.seen.retain(|path, _| watched.binary_search(path).is_ok());
    }

    /// Whether any file looks different from then.
    pub(super) fn has_changed(&self, loader: &Loader) -> bool {
        look(loader) != self.seen
    }
}

fn look(loader: &Loader) -> BTreeMap<PathBuf, Option<Fingerprint>> {
    let looks = |path: PathBuf| {
        let fingerprint = Fingerprint::of(&path);
        (path, fingerprint)
    };
    loader.watched().into_iter().map(looks).collect()
}
