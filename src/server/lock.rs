//! The lock of the state file: two processes never write one file.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use rustix::fs::{FlockOperation, flock};

use super::files;

/// The lock of a file and of the directory beside it. Once taken, it is held until this value is
/// dropped, or the process ends.
#[derive(Debug)]
pub(super) struct Lock {
    path: PathBuf,
    held: OnceLock<File>,
}

impl Lock {
    /// Creates the lock of the file at `path`, without taking it.
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, held: OnceLock::new() }
    }

    /// Returns the path of the file that it locks.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether this process holds the lock; takes it unless another process holds it.
    ///
    /// # Errors
    /// If the lock file cannot be made. It stands beside the file, with `.lock` added to the name.
    pub(super) fn take(&self) -> io::Result<bool> {
        if self.held.get().is_some() {
            return Ok(true);
        }
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600);
        // A link in its place, or a pipe without a reader, is not ours.
        options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
        let file = files::with_descriptor(|| options.open(beside(&self.path)))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(self.held.set(file).is_ok()),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

/// Returns the path of the lock of the file at `path`.
pub(super) fn beside(path: &Path) -> PathBuf {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".lock");
    beside.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_has_it_until_it_lets_go() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("states");
        let (first, second) = (Lock::new(path.clone()), Lock::new(path));
        for _ in 0..2 {
            assert!(first.take().unwrap());
            assert!(!second.take().unwrap());
        }
        drop(first);
        assert!(second.take().unwrap());
    }

    #[test]
    fn a_link_in_its_place_is_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("states");
        std::os::unix::fs::symlink(directory.path().join("other"), beside(&path)).unwrap();
        Lock::new(path).take().unwrap_err();
        assert!(!directory.path().join("other").exists());
    }
}
