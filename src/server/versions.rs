//! Fingerprints of files, and versions of files whose text is gone: enough to tell a change.
//!
//! `load` keeps a [`FileVersion`] of each file of a zone; `watch`, `geo` and `certificate` compare
//! fingerprints. A fingerprint taken within two seconds of a change proves nothing: then the digest
//! decides. A file is fingerprinted before it is read, so that a later change is never missed.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use ring::digest::{Digest, SHA256, digest};

use super::{files, load};
use crate::config::{FILE_LEN_MAX, Source};

/// The age of a file's last change, in seconds, from which its fingerprint can be trusted. A file
/// that changed shortly before it was read may change once more without looking different, because
/// file times are only as fine as the kernel's ticks.
const SETTLED_SECS: i64 = 2;

/// The fingerprint of a file: the metadata that changes when the file does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fingerprint {
    inode: u64,
    len: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Fingerprint {
    /// Returns the fingerprint of a file with this metadata.
    pub(super) fn new(metadata: &Metadata) -> Self {
        Self {
            inode: metadata.ino(),
            len: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// Returns the fingerprint of the file at `path` now, following symlinks; `None` if there is
    /// none.
    pub(super) fn of(path: &Path) -> Option<Self> {
        std::fs::metadata(path).ok().map(|metadata| Self::new(&metadata))
    }

    /// Returns the number of the file on its file system.
    pub(super) fn inode(self) -> u64 {
        self.inode
    }

    /// Returns the fingerprint if it proves, when it is found again later, that the file is the
    /// same.
    pub(super) fn if_settled(self) -> Option<Self> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
        (now.as_secs() as i64 - self.changed.0 >= SETTLED_SECS).then_some(self)
    }
}

/// A file as it was last read.
#[derive(Debug)]
pub(super) struct FileVersion {
    /// The path of the file.
    pub(super) path: PathBuf,
    /// The fingerprint before it was read; `None` if that proves nothing.
    fingerprint: Option<Fingerprint>,
    modified: u32,
    digest: Digest,
}

impl FileVersion {
    /// Remembers `source`, which had this fingerprint right before it was read.
    pub(super) fn new(source: &Source, fingerprint: Option<Fingerprint>) -> Self {
        Self {
            path: source.path.clone(),
            fingerprint,
            modified: source.modified,
            digest: digest(&SHA256, source.text.as_bytes()),
        }
    }

    /// Whether the file is still the same. It is read only if it looks different.
    pub(super) fn is_current(&mut self) -> bool {
        if self.fingerprint.is_some() && self.fingerprint == Fingerprint::of(&self.path) {
            return true;
        }
        let Ok((octets, metadata)) = files::read(&self.path, FILE_LEN_MAX as u64) else {
            return false;
        };
        let Ok(source) = load::source(&self.path, octets, &metadata) else { return false };
        let now = Self::new(&source, Fingerprint::new(&metadata).if_settled());
        // The modification time is the default serial.
        let same = now.modified == self.modified && now.digest.as_ref() == self.digest.as_ref();
        if same {
            *self = now;
        }
        same
    }
}
