//! Access to files without I/O: the caller provides them through a trait.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use super::diagnostic::Source;

/// The files of one zone directory.
pub trait Files {
    /// Returns the zone directory as the operator wrote it. The path of every source in it starts
    /// with this path.
    fn root(&self) -> &Path;

    /// Reads a file of the zone directory. `path` starts with [`Files::root`], and no `.` or `..`
    /// follows.
    ///
    /// # Errors
    /// The reason, lower case, without a full stop: `no such file`.
    fn read(&self, path: &Path) -> Result<Arc<Source>, String>;
}

/// Returns the path of the file that `from`, a file of the zone directory `root`, names as
/// `written`. Relative paths start at the directory of `from`.
///
/// # Errors
/// The path leaves the zone directory.
pub fn locate(root: &Path, from: &Path, written: &str) -> Result<PathBuf, String> {
    let path = plain(&from.parent().unwrap_or(Path::new("")).join(written));
    let inside = path.strip_prefix(plain(root)).ok().filter(|rest| {
        rest.components().next().is_some()
            && rest.components().all(|part| matches!(part, Component::Normal(_)))
    });
    match inside {
        Some(rest) => Ok(root.join(rest)),
        None => Err(format!(
            "this path leaves the zone directory, {}: move the file there",
            root.display()
        )),
    }
}

/// Removes `.` and, as far as possible, `..` from `path`, without following symbolic links.
pub fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => match plain.components().next_back() {
                Some(Component::Normal(_)) => {
                    plain.pop();
                }
                Some(Component::RootDir | Component::Prefix(_)) => {}
                _ => plain.push(part),
            },
            _ => plain.push(part),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_stays_in_the_zone_directory() {
        let at = |root: &str, from: &str, written: &str| {
            locate(Path::new(root), Path::new(from), written).ok()
        };
        let path = |text: &str| Some(PathBuf::from(text));
        assert_eq!(at("zones", "zones/a.zone", "b.inc"), path("zones/b.inc"));
        assert_eq!(at("zones", "zones/sub/a.zone", "../b.inc"), path("zones/b.inc"));
        assert_eq!(at("./zones", "zones/a.zone", "./sub/b"), path("./zones/sub/b"));
        assert_eq!(at("/etc/zones", "/etc/zones/a", "/etc/zones/b"), path("/etc/zones/b"));
        assert_eq!(at(".", "a.zone", "b.inc"), path("./b.inc"));
        assert_eq!(at("../zones", "../zones/a.zone", "b.inc"), path("../zones/b.inc"));
        for (root, from, written) in [
            ("zones", "zones/a.zone", "../b.inc"),
            ("zones", "zones/a.zone", "sub/../../zones2/b"),
            ("zones", "zones/a.zone", "/etc/passwd"),
            ("/etc/zones", "/etc/zones/a", "../zones2/b"),
            (".", "a.zone", "../b.inc"),
            (".", "a.zone", "/etc/passwd"),
            ("zones", "zones/a.zone", "."),
        ] {
            assert_eq!(at(root, from, written), None, "{root} {from} {written}");
        }
    }
}
