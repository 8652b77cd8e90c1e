//! Obstacles to a start, or to keeping states, found without starting a server.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::certificate::CertificateFiles;
use super::{StartError, bind, encrypted_addresses};
use crate::config::{Diagnostic, ServerConfig, Severity};
use crate::transport;

/// Checks what `config` names apart from zones and databases: certificate and key, the directory of
/// the states, and the addresses. If `takes_addresses`, it takes the addresses for a moment.
pub fn examine(config: &ServerConfig, takes_addresses: bool) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let encrypted = config.encrypted.as_ref();
    match encrypted.map(CertificateFiles::load) {
        Some(Err(problem)) => found.push(Diagnostic::unplaced(problem.to_string())),
        Some(Ok(files)) => found.extend(files.complaint().map(warning)),
        None => {}
    }
    if let Some(states) = &config.states {
        found.extend(examine_states(&states.path));
    }
    let encrypted = encrypted.map(encrypted_addresses).unwrap_or_default();
    match transport::conflict(&config.listen, &encrypted) {
        Some(conflict) => found.push(Diagnostic::unplaced(conflict.to_string())),
        None if takes_addresses => found.extend(take_addresses(config)),
        None => {}
    }
    found
}

/// Checks that a file can be put beside the states, as is done when they are kept.
fn examine_states(path: &Path) -> Option<Diagnostic> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}", std::process::id()));
    let beside = Path::new(&beside);
    let mut options = OpenOptions::new();
    let tried = match path.is_dir() {
        true => Err(io::Error::from(io::ErrorKind::IsADirectory)),
        false => options.write(true).create_new(true).mode(0o600).open(beside),
    };
    let error = tried.and_then(|_| fs::remove_file(beside)).err()?;
    let message = format!("cannot keep states in {}: {error}", path.display());
    let help = "let state_file name a file in a directory that exists, and that the user who runs \
                `waypost serve` can write to";
    Some(Diagnostic { help: Some(help.to_owned()), ..Diagnostic::unplaced(message) })
}

/// Returns the faults of the addresses that `config` lists, on this machine and now.
fn take_addresses(config: &ServerConfig) -> Vec<Diagnostic> {
    let bound = match bind(config, 1) {
        Ok((bound, _)) => bound,
        // This has been found already.
        Err(StartError::Certificate(_)) => return Vec::new(),
        Err(error) => return vec![Diagnostic::unplaced(error.to_string())],
    };
    let missing = bound.missing().into_iter().map(|(_, address)| {
        warning(format!("this machine does not have the address of {address} yet"))
    });
    let left_out = bound.left_out().iter().map(|error| warning(error.to_string()));
    missing.chain(left_out).collect()
}

fn warning(message: String) -> Diagnostic {
    Diagnostic { severity: Severity::Warning, ..Diagnostic::unplaced(message) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::StateFile;

    fn with_states(path: &Path) -> ServerConfig {
        let (path, max_age) = (path.to_owned(), std::time::Duration::from_secs(1));
        ServerConfig { states: Some(StateFile { path, max_age }), ..ServerConfig::default() }
    }

    #[test]
    fn a_directory_that_can_be_written_is_right_and_stays_empty() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(examine(&with_states(&directory.path().join("states")), false), []);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[test]
    fn states_that_could_not_be_kept_are_an_error() {
        let directory = tempfile::tempdir().unwrap();
        for path in [directory.path().to_owned(), directory.path().join("no/states")] {
            let [diagnostic] = &examine(&with_states(&path), false)[..] else { panic!("{path:?}") };
            assert_eq!(diagnostic.severity, Severity::Error);
            let beginning = format!("cannot keep states in {}: ", path.display());
            assert!(diagnostic.message.starts_with(&beginning), "{}", diagnostic.message);
        }
    }

    #[test]
    fn addresses_are_taken_only_if_asked_and_given_back() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let listen = vec![taken.local_addr().unwrap()];
        let config = ServerConfig { listen, ..ServerConfig::default() };
        assert_eq!(examine(&config, false), []);
        let [diagnostic] = &examine(&config, true)[..] else { panic!("it is taken") };
        assert!(diagnostic.message.contains("another program has"), "{}", diagnostic.message);
        drop(taken);
        for _ in 0..2 {
            assert_eq!(examine(&config, true), []);
        }
    }

    #[test]
    fn addresses_that_exclude_each_other_are_found_without_taking_them() {
        let listen = vec!["0.0.0.0:53".parse().unwrap(), "192.0.2.1:53".parse().unwrap()];
        let config = ServerConfig { listen, ..ServerConfig::default() };
        let [diagnostic] = &examine(&config, false)[..] else { panic!("they overlap") };
        assert!(diagnostic.message.contains("0.0.0.0:53 in the same list covers it"));
    }
}
