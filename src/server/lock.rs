//! The lock beside the file of states: two processes never write one file.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use rustix::fs::{FlockOperation, flock};

use super::files;

/// The lock of a file and of what stands beside it. Once held, it is for as long as this lives, and
/// no longer than the process does.
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

    /// Returns the path of the file that it is the lock of.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether this process has it; it is taken unless another process does.
    ///
    /// # Errors
    /// The lock, a file beside with `.lock` added to its name, cannot be made.
    pub(super) fn take(&self) -> io::Result<bool> {
        if self.held.get().is_some() {
            return Ok(true);
        }
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600);
        // A link, or a pipe that nobody reads, is none of ours.
        options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
        let file = files::with_descriptor(|| options.open(beside(&self.path)))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(self.held.set(file).is_ok()),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

/// The path of the lock of the file at `path`.
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
