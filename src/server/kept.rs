//! The sources of each zone as they were last good, kept over a restart.
//!
//! They stand beside the state file, in a directory of its name with `.zones` at the end. Each zone
//! has one file there, with all files that the zone is made of. A separate thread writes them, so
//! that a slow disk holds up nothing.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use tracing::warn;

use super::files;
use super::lock::Lock;
use crate::config::{Files, Source};
use crate::wire::name::Name;

/// The first words of a file; the number is the version of the format.
const HEAD: &str = "waypost-zone 1 ";

/// The largest file that is read, in octets.
const LEN_MAX: u64 = 4 << 30;

/// The time between two attempts to write a zone that could not be written.
const RETRY_EVERY: Duration = Duration::from_secs(10);

/// The directory of kept zones, and the thread that writes there.
#[derive(Debug)]
pub(super) struct KeptSources {
    directory: Option<PathBuf>,
    /// The lock of the state file, which guards this directory too.
    lock: Option<Arc<Lock>>,
    jobs: Option<Sender<Job>>,
}

/// A request to the writing thread.
enum Job {
    /// Keep this zone in the file at this path.
    Keep(PathBuf, Kept),
    /// Remove all other files.
    Retain(HashSet<PathBuf>),
    /// Report that all earlier jobs are done.
    Finish(Sender<()>),
}

/// A zone to keep.
struct Kept {
    root: PathBuf,
    origin: Name,
    /// The files of the zone, the zone file first.
    sources: Vec<Arc<Source>>,
}

/// The files that a zone was made of when it was last good.
#[derive(Debug)]
pub(super) struct Sources {
    root: PathBuf,
    /// The [`mark_of`] of the directory from which they were read.
    directory: String,
    /// The zone file.
    pub(super) file: PathBuf,
    all: BTreeMap<PathBuf, Arc<Source>>,
}

impl Files for Sources {
    fn root(&self) -> &Path {
        &self.root
    }

    fn read(&self, path: &Path) -> Result<Arc<Source>, String> {
        self.all.get(path).cloned().ok_or_else(|| "it was not kept".to_owned())
    }
}

impl KeptSources {
    /// Creates the place for zones beside the state file that `lock` guards; without `lock` nothing
    /// is kept.
    pub(super) fn beside(lock: Option<Arc<Lock>>) -> Self {
        let Some(state_file) = lock.as_ref().map(|lock| lock.path()) else {
            return Self { directory: None, lock, jobs: None };
        };
        let mut directory = state_file.as_os_str().to_owned();
        directory.push(".zones");
        let (jobs, inbox) = channel();
        let directory = PathBuf::from(directory);
        let written = directory.clone();
        let thread = std::thread::Builder::new().name("kept".into());
        let started = thread.spawn(move || write_all(&written, &inbox));
        let jobs = started.map(|_| jobs).inspect_err(|error| tell(&directory, error)).ok();
        Self { directory: Some(directory), lock, jobs }
    }

    /// Whether no other process keeps zones in this place.
    pub(super) fn is_ours(&self) -> bool {
        self.lock.as_ref().is_none_or(|lock| lock.take().unwrap_or(false))
    }

    /// Queues the files of a zone to be kept.
    pub(super) fn keep(&self, root: &Path, origin: &Name, sources: Vec<Arc<Source>>) {
        if let Some(to) = self.path_of(origin) {
            let (root, origin) = (root.to_owned(), origin.clone());
            self.tell(Job::Keep(to, Kept { root, origin, sources }));
        }
    }

    /// Queues the removal of every zone but these.
    pub(super) fn retain(&self, zones: Vec<Name>) {
        self.tell(Job::Retain(zones.iter().filter_map(|zone| self.path_of(zone)).collect()));
    }

    /// Waits until everything is written, for `most` at the longest.
    pub(super) fn finish(self, most: Duration) {
        let (done, wait) = channel();
        self.tell(Job::Finish(done));
        // A zone that is not written by then keeps its earlier form.
        let _ = wait.recv_timeout(most);
    }

    /// Reads the files kept of the zone `origin`, otherwise those of the zone whose file was at
    /// `path`.
    pub(super) fn read(&self, root: &Path, path: &Path, origin: Option<&Name>) -> Option<Sources> {
        if !self.is_ours() {
            return None;
        }
        let by_name = origin.and_then(|origin| read(&self.path_of(origin)?, root));
        by_name.or_else(|| self.all(root).find(|sources| sources.file == path))
    }

    /// Reads the files of every zone that was kept from the directory `root`. Zones of another
    /// directory may not stand in for them.
    pub(super) fn all_of(&self, root: &Path) -> impl Iterator<Item = Sources> {
        let mark = mark_of(root);
        self.all(root).filter(move |sources| sources.directory == mark)
    }

    /// Reads the files of every kept zone, as files of `root`.
    fn all(&self, root: &Path) -> impl Iterator<Item = Sources> {
        let directory = self.directory.as_ref().filter(|_| self.is_ours());
        let entries = directory.and_then(|directory| fs::read_dir(directory).ok());
        let paths = entries.into_iter().flatten().flatten().map(|entry| entry.path());
        paths.filter(|path| is_ours(path)).filter_map(move |path| read(&path, root))
    }

    fn path_of(&self, origin: &Name) -> Option<PathBuf> {
        let name = files::checksum(origin.to_string().to_ascii_lowercase().as_bytes());
        self.directory.as_ref().map(|directory| directory.join(name))
    }

    fn tell(&self, job: Job) {
        if let Some(jobs) = &self.jobs {
            // The thread lives as long as `self`.
            let _ = jobs.send(job);
        }
    }
}

/// Returns a mark for a zone directory, whatever octets its path has.
fn mark_of(directory: &Path) -> String {
    let absolute = std::path::absolute(directory).unwrap_or_else(|_| directory.to_owned());
    files::checksum(absolute.as_os_str().as_encoded_bytes())
}

/// Whether the file at `path` is named like a kept zone.
fn is_ours(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("");
    name.len() == 64 && name.bytes().all(|octet| octet.is_ascii_hexdigit())
}

fn tell(path: &Path, error: &std::io::Error) {
    let file = path.display();
    warn!(
        %file, %error,
        "cannot keep zones in {file}: {error}; a zone whose file is broken at the next start will \
         answer SERVFAIL"
    );
}

/// Runs the jobs until their sender is gone. Zones that cannot be written are tried again and
/// again.
fn write_all(directory: &Path, jobs: &Receiver<Job>) {
    let mut unwritten: BTreeMap<PathBuf, Kept> = BTreeMap::new();
    let mut tried = Instant::now();
    loop {
        let job = match unwritten.is_empty() {
            true => jobs.recv().map_err(RecvTimeoutError::from),
            false => jobs.recv_timeout(RETRY_EVERY.saturating_sub(tried.elapsed())),
        };
        let (was_well, mut failure) = (unwritten.is_empty(), None);
        let mut fails = |to: &Path, kept: &Kept| {
            write(directory, to, kept).map_err(|error| failure = Some(error)).is_err()
        };
        match job {
            Ok(Job::Keep(to, kept)) => {
                unwritten.remove(&to);
                if fails(&to, &kept) {
                    unwritten.insert(to, kept);
                }
            }
            Ok(Job::Retain(paths)) => {
                forget(directory, &paths);
                unwritten.retain(|path, _| paths.contains(path));
            }
            Ok(Job::Finish(done)) => {
                unwritten.retain(|to, kept| fails(to, kept));
                // The sender may have stopped waiting.
                let _ = done.send(());
            }
            Err(RecvTimeoutError::Timeout) => {
                tried = Instant::now();
                unwritten.retain(|to, kept| fails(to, kept));
            }
            Err(RecvTimeoutError::Disconnected) => return,
        }
        if let Some(error) = failure.filter(|_| was_well) {
            tried = Instant::now();
            tell(directory, &error);
        }
    }
}

fn write(directory: &Path, to: &Path, kept: &Kept) -> std::io::Result<()> {
    let Kept { root, origin, sources } = kept;
    let mut text = format!("{origin}\n{}\n{}\n", mark_of(root), sources.len()).into_bytes();
    for source in sources {
        let path = source.path.strip_prefix(root).unwrap_or(&source.path);
        let path = path.as_os_str().as_encoded_bytes();
        let head = format!("{} {} {}\n", source.modified, path.len(), source.text.len());
        text.extend_from_slice(head.as_bytes());
        text.extend_from_slice(path);
        text.extend_from_slice(source.text.as_bytes());
    }
    let head = format!("{HEAD}{}\n", files::checksum(&text));
    let known = files::read(to, LEN_MAX).ok();
    if known.is_some_and(|(known, _)| known.starts_with(head.as_bytes())) {
        return Ok(());
    }
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    files::replace(to, &[head.as_bytes(), &text])
}

/// Removes the files of all other zones, and half-written files.
fn forget(directory: &Path, but: &HashSet<PathBuf>) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        let is_left = path.extension().is_some_and(|end| end == "new");
        if is_left || (is_ours(&path) && !but.contains(&path)) {
            // One that stays is read only for a zone of its name.
            let _ = fs::remove_file(path);
        }
    }
}

/// Reads a kept zone as files of `root`; `None` if it is damaged.
fn read(path: &Path, root: &Path) -> Option<Sources> {
    let (octets, _) = files::read(path, LEN_MAX).ok()?;
    let sources = parse(&octets, root);
    if sources.is_none() {
        let file = path.display();
        warn!(%file, "the kept zone in {file} is damaged: it is not used");
    }
    sources
}

fn parse(octets: &[u8], root: &Path) -> Option<Sources> {
    let (head, rest) = line(octets)?;
    if head.strip_prefix(HEAD)? != files::checksum(rest) {
        return None;
    }
    let (_, marked) = line(rest)?;
    let (mark, counted) = line(marked)?;
    let (count, mut rest) = line(counted)?;
    let (mut all, mut file) = (BTreeMap::new(), None);
    for _ in 0..count.parse::<usize>().ok()? {
        let (head, tail) = line(rest)?;
        let mut numbers = head.split(' ').map(str::parse::<usize>);
        let mut number = || numbers.next()?.ok();
        let (modified, path_len, len) = (number()?, number()?, number()?);
        let (path, tail) = tail.split_at_checked(path_len)?;
        let (text, tail) = tail.split_at_checked(len)?;
        rest = tail;
        use std::os::unix::ffi::OsStrExt as _;
        let path = root.join(std::ffi::OsStr::from_bytes(path));
        let text = std::str::from_utf8(text).ok()?;
        file.get_or_insert_with(|| path.clone());
        all.insert(path.clone(), Arc::new(Source::new(path, text, modified as u32)));
    }
    Some(Sources { root: root.to_owned(), directory: mark.to_owned(), file: file?, all })
}

/// Splits off the first line.
fn line(octets: &[u8]) -> Option<(&str, &[u8])> {
    let end = octets.iter().position(|&octet| octet == b'\n')?;
    Some((std::str::from_utf8(&octets[..end]).ok()?, &octets[end + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_written_is_tried_again() {
        let directory = tempfile::tempdir().unwrap();
        let lock = Lock::new(directory.path().join("states"));
        let kept = KeptSources::beside(Some(Arc::new(lock)));
        let origin = Name::parse("example.com.", None).unwrap();
        let in_its_way = directory.path().join("states.zones");
        fs::write(&in_its_way, "").unwrap();
        kept.keep(Path::new("zones"), &origin, vec![Arc::new(Source::new("zones/a.toml", "", 7))]);
        let wait = || {
            let (done, wait) = channel();
            kept.tell(Job::Finish(done));
            wait.recv_timeout(Duration::from_secs(30)).unwrap();
        };
        wait();
        fs::remove_file(in_its_way).unwrap();
        wait();
        assert!(kept.read(Path::new("zones"), Path::new("zones/a.toml"), None).is_some());
    }

    #[test]
    fn what_is_kept_is_read_again_and_what_is_damaged_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let lock = || Some(Arc::new(Lock::new(directory.path().join("states"))));
        let kept = KeptSources::beside(lock());
        assert!(kept.is_ours());
        let other = KeptSources::beside(lock());
        assert!(!other.is_ours());
        let origin = Name::parse("example.com.", None).unwrap();
        let source = |path: &str, text: &str| Arc::new(Source::new(path, text, 7));
        let sources = vec![source("zones/a.toml", "a\n"), source("zones/sub/a.zone", "")];
        kept.keep(Path::new("zones"), &origin, sources);
        let (done, wait) = channel();
        kept.tell(Job::Finish(done));
        wait.recv_timeout(Duration::from_secs(30)).unwrap();
        let root = Path::new("elsewhere");
        for (path, origin) in [("x.toml", Some(&origin)), ("elsewhere/a.toml", None)] {
            let found = kept.read(root, Path::new(path), origin).unwrap();
            assert_eq!(found.file, Path::new("elsewhere/a.toml"));
            assert_eq!(found.read(&root.join("a.toml")).unwrap().text, "a\n");
            assert_eq!(found.read(&root.join("sub/a.zone")).unwrap().modified, 7);
            assert!(other.read(root, Path::new(path), origin).is_none());
        }
        assert_eq!(kept.all_of(Path::new("zones")).count(), 1);
        assert_eq!(kept.all_of(root).count(), 0);
        let path = kept.path_of(&origin).unwrap();
        let octets = fs::read(&path).unwrap();
        for end in 0..octets.len() {
            assert!(parse(&octets[..end], root).is_none(), "{end}");
        }
        kept.retain(Vec::new());
        kept.finish(Duration::from_secs(30));
        assert!(!path.exists());
    }
}
