//! The one way to open, read and replace files. It never waits, checks what it opened, reads no
//! more than a limit, and leaves nothing half-written.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use ring::digest::{SHA256, digest};

/// A descriptor that is given up when the process has no other left. With it, files can be read
/// while clients hold all descriptors that the limit allows.
static SPARE: Mutex<Option<File>> = Mutex::new(None);

/// The number of the next temporary file.
static NEXT: AtomicU32 = AtomicU32::new(0);

/// Keeps one descriptor in reserve for reading files.
pub(super) fn keep_spare() {
    let mut spare = SPARE.lock().unwrap_or_else(PoisonError::into_inner);
    if spare.is_none() {
        // If this fails, there is nothing to spare; the next reading tries again.
        *spare = File::open("/dev/null").ok();
    }
}

/// Runs `work`, which opens one file at a time; uses the spare descriptor if there is no other.
pub(super) fn with_descriptor<T>(work: impl Fn() -> io::Result<T>) -> io::Result<T> {
    let result = work();
    let is_out = |error: &io::Error| {
        [Some(libc::EMFILE), Some(libc::ENFILE)].contains(&error.raw_os_error())
    };
    if !result.as_ref().is_err_and(is_out) {
        return result;
    }
    drop(SPARE.lock().unwrap_or_else(PoisonError::into_inner).take());
    let result = work();
    keep_spare();
    result
}

/// Whether trying again may help because the fault lies in the machine, not in the file.
pub(super) fn is_passing(error: &io::Error) -> bool {
    use io::ErrorKind::{
        InvalidData, InvalidFilename, InvalidInput, IsADirectory, NotADirectory, NotFound,
    };
    let lasting =
        [InvalidData, InvalidFilename, InvalidInput, IsADirectory, NotADirectory, NotFound];
    let is_loop = error.raw_os_error() == Some(libc::ELOOP);
    !lasting.contains(&error.kind()) && !is_loop
}

/// Reads the regular file at `path`, of at most `most` octets. Returns it with its metadata from
/// before the reading.
///
/// # Errors
/// That of the operating system, or one that says what the path is instead.
pub(super) fn read(path: &Path, most: u64) -> io::Result<(Vec<u8>, Metadata)> {
    read_if(path, most, |_| Ok(()))
}

/// Reads the regular file at `path` as [`read`] does, if it lies in the directory `root` once all
/// symlinks are followed.
///
/// # Errors
/// Those of [`read`], and one about a file elsewhere.
pub(super) fn read_inside(root: &Path, path: &Path, most: u64) -> io::Result<(Vec<u8>, Metadata)> {
    read_if(path, most, |file| {
        // The name of the file that was opened; by now the path may lead elsewhere.
        let opened = fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()))
            .or_else(|_| fs::canonicalize(path))?;
        match opened.starts_with(fs::canonicalize(root)?) {
            true => Ok(()),
            false => Err(invalid(format!(
                "a symlink leads out of {}; `outside_symlinks = true` in waypost.toml allows that",
                root.display()
            ))),
        }
    })
}

/// The metadata of an opened file.
pub(super) type Metadata = fs::Metadata;

fn read_if(
    path: &Path,
    most: u64,
    check: impl Fn(&File) -> io::Result<()>,
) -> io::Result<(Vec<u8>, Metadata)> {
    with_descriptor(|| {
        // Without this, opening a pipe would wait for a writer.
        let flags = libc::O_NONBLOCK | libc::O_CLOEXEC | libc::O_NOCTTY;
        let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(invalid("this is no regular file".to_owned()));
        }
        check(&file)?;
        let too_large = || invalid(format!("this is larger than {} MiB", most >> 20));
        if metadata.len() > most {
            return Err(too_large());
        }
        let mut octets = crate::zone::with_room(metadata.len() as usize + 1);
        file.take(most + 1).read_to_end(&mut octets)?;
        if octets.len() as u64 > most {
            return Err(too_large());
        }
        Ok((octets, metadata))
    })
}

fn invalid(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, message)
}

/// Writes `parts`, one after the other, to the file at `path`, as a whole or not at all. Only this
/// user can read the file.
///
/// # Errors
/// Those of the operating system; the file is then as it was.
pub(super) fn replace(path: &Path, parts: &[&[u8]]) -> io::Result<()> {
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}-{number}{BESIDE}", std::process::id()));
    let beside = path.with_file_name(name);
    let result = with_descriptor(|| write(&beside, parts)).and_then(|()| {
        fs::rename(&beside, path)?;
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        with_descriptor(|| File::open(directory.unwrap_or(Path::new(".")))?.sync_all())
    });
    if result.is_err() {
        // It may not be there, or may have its final name already.
        let _ = fs::remove_file(&beside);
    }
    result
}

/// The end of the names of temporary files.
const BESIDE: &str = ".new";

fn write(path: &Path, parts: &[&[u8]]) -> io::Result<()> {
    // A file of this name was left by a process that had our process id.
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let flags = libc::O_NOFOLLOW | libc::O_CLOEXEC;
    let mut options = OpenOptions::new();
    let mut file =
        options.write(true).create_new(true).mode(0o600).custom_flags(flags).open(path)?;
    parts.iter().try_for_each(|part| file.write_all(part))?;
    file.sync_all()
}

/// Removes the temporary files that earlier processes left beside `path`.
pub(super) fn remove_left(path: &Path) {
    let (Some(name), Some(parent)) = (path.file_name(), path.parent()) else { return };
    let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
    let Ok(entries) = fs::read_dir(parent) else { return };
    let is_left = |path: &PathBuf| {
        let found = path.file_name().and_then(|found| found.to_str());
        let rest = found.and_then(|found| found.strip_prefix(name.to_str()?));
        let numbers = rest.and_then(|rest| rest.strip_prefix('.')?.strip_suffix(BESIDE));
        let numbers = numbers.and_then(|numbers| numbers.split_once('-'));
        numbers.is_some_and(|(process, number)| {
            process.parse::<u32>().is_ok() && number.parse::<u32>().is_ok()
        })
    };
    for left in entries.flatten().map(|entry| entry.path()).filter(is_left) {
        // One that cannot be removed does no harm.
        let _ = fs::remove_file(left);
    }
}

/// Returns the SHA-256 of `octets` as hexadecimal digits.
pub(super) fn checksum(octets: &[u8]) -> String {
    digest(&SHA256, octets).as_ref().iter().map(|octet| format!("{octet:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn what_is_no_regular_file_is_refused_at_once() {
        let directory = tempfile::tempdir().unwrap();
        let pipe = directory.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        for path in [&*pipe, Path::new("/dev/zero"), directory.path()] {
            let error = read(path, 10).unwrap_err();
            assert!(!is_passing(&error), "{error:?}");
        }
        let file = directory.path().join("file");
        fs::write(&file, "12345678901").unwrap();
        assert!(read(&file, 10).is_err());
        assert_eq!(read(&file, 11).unwrap().0, b"12345678901");
        // Files of this kind claim to be empty.
        assert!(read(Path::new("/proc/self/status"), 10).is_err());
    }

    #[test]
    fn no_symlink_leads_out_of_the_directory() {
        let around = tempfile::tempdir().unwrap();
        let root = around.path().join("zones");
        fs::create_dir_all(root.join("..v1")).unwrap();
        fs::write(root.join("..v1/a"), "in").unwrap();
        fs::write(around.path().join("secret"), "out").unwrap();
        symlink("..v1", root.join("..data")).unwrap();
        symlink("..data/a", root.join("a")).unwrap();
        symlink(root.join("a"), root.join("absolute")).unwrap();
        symlink("../secret", root.join("b")).unwrap();
        symlink(around.path(), root.join("up")).unwrap();
        for inside in ["a", "absolute"] {
            assert_eq!(read_inside(&root, &root.join(inside), 10).unwrap().0, b"in");
        }
        for outside in ["b", "up/secret"] {
            assert!(read_inside(&root, &root.join(outside), 10).is_err(), "{outside}");
        }
    }

    #[test]
    fn a_file_is_replaced_as_a_whole_and_nothing_is_left_beside_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("states");
        replace(&path, &[b"a", b"b"]).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"ab");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::write(directory.path().join("states.1-2.new"), "left").unwrap();
        fs::write(directory.path().join("states.mine.new"), "not ours").unwrap();
        remove_left(&path);
        let mut names: Vec<_> = fs::read_dir(directory.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        names.sort();
        assert_eq!(names, ["states", "states.mine.new"]);
        fs::remove_file(&path).unwrap();
        fs::create_dir_all(path.join("full")).unwrap();
        assert!(replace(&path, &[b"a"]).is_err());
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2);
    }
}
