//! The databases that locate clients: read from files, and again when they change.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tracing::{error, info};

use super::files;
use super::versions::Fingerprint;
use crate::config::GeoConfig;
use crate::geo::{Database, Geo};

/// The largest file that is read, in octets; the largest databases take about a gigabyte.
const FILE_LEN_MAX: u64 = 4 << 30;

/// The name of the operator's own networks as a source of places.
const OWN_NAME: &str = "waypost.toml";

/// The databases as they were last read, and what they and the operator's networks say together.
#[derive(Debug)]
pub struct GeoFiles {
    config: GeoConfig,
    files: Vec<Followed>,
    geo: Arc<Geo>,
}

/// One database and its file.
#[derive(Debug)]
struct Followed {
    path: PathBuf,
    /// The fingerprint of the file when it was last read.
    seen: Option<Fingerprint>,
    /// Whether the file could not be used then.
    failed: bool,
    /// Whether trying again may help although the file looks the same.
    is_short: bool,
    /// The last good one.
    database: Option<Arc<Database>>,
}

/// An error that keeps a database from being used: the file, the fault, the remedy.
#[derive(Debug)]
pub struct GeoError {
    text: String,
    /// Whether trying again may help.
    is_passing: bool,
}

impl fmt::Display for GeoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for GeoError {}

impl GeoFiles {
    /// Reads the databases that `config` names. One that cannot be used is left out and reported.
    pub fn load(config: GeoConfig) -> (Self, Vec<GeoError>) {
        let mut problems = Vec::new();
        let files = config.databases.iter().map(|path| {
            let seen = Fingerprint::of(path);
            let (mut failed, mut is_short) = (false, false);
            let fail = |problem: GeoError| {
                (failed, is_short) = (true, problem.is_passing);
                problems.push(problem);
            };
            let database = read(path).map_err(fail).ok();
            Followed { path: path.clone(), seen, failed, is_short, database }
        });
        let files = files.collect();
        let mut loaded = Self { config, files, geo: Arc::default() };
        loaded.put_together();
        (loaded, problems)
    }

    /// Returns what the databases and the operator's networks say together.
    pub fn geo(&self) -> &Arc<Geo> {
        &self.geo
    }

    /// Reads the changed files again; returns whether anything is located otherwise now. A file
    /// that cannot be used is logged, and what was read of it before stays. If `wished`, files that
    /// could not be used are tried once more, and files that are still changing are not waited for.
    pub(super) fn refresh(&mut self, wished: bool) -> bool {
        let mut changed = false;
        for file in &mut self.files {
            changed |= file.refresh(wished);
        }
        if changed {
            self.put_together();
        }
        changed
    }

    /// Logs the databases that were read.
    pub(super) fn log(&self) {
        self.files.iter().filter_map(|file| file.database.as_deref()).for_each(log_read);
    }

    fn put_together(&mut self) {
        let databases: Vec<Arc<Database>> =
            self.files.iter().filter_map(|file| file.database.clone()).collect();
        self.geo = Arc::new(Geo::of(&self.config.networks, OWN_NAME, &databases));
    }
}

impl Followed {
    fn refresh(&mut self, wished: bool) -> bool {
        let looks = Fingerprint::of(&self.path);
        // A file that is still being written is read once that is done.
        let is_settled = || looks.is_none_or(|looks| looks.if_settled().is_some());
        let is_new = looks != self.seen && (wished || is_settled());
        let is_tried_again = (wished && self.failed) || self.is_short;
        let was_short = self.is_short && !is_new;
        if !is_new && !is_tried_again {
            return false;
        }
        self.seen = looks;
        let read = read(&self.path);
        self.failed = read.is_err();
        self.is_short = read.as_ref().is_err_and(|problem| problem.is_passing);
        match read {
            Ok(database) => {
                log_read(&database);
                self.database = Some(database);
                true
            }
            // The log has it already.
            Err(_) if was_short && self.is_short => false,
            Err(problem) => {
                let goes_on = match self.database {
                    Some(_) => "the database that was read before stays in use",
                    None => "clients are located without it",
                };
                error!("database refused: {goes_on}: {problem}");
                false
            }
        }
    }
}

fn log_read(database: &Database) {
    let Database { name, kind, built, networks, .. } = database;
    let day = crate::clock::date(*built as i64);
    info!(
        file = name,
        kind, built, networks, "database read: {name} ({kind} of {day}, {networks} networks)"
    );
}

fn read(path: &Path) -> Result<Arc<Database>, GeoError> {
    let fail = |why: &dyn fmt::Display| {
        let path = path.display();
        let text = format!(
            "cannot use {path}, which [geo] names: {why}; put a database in MaxMind's format \
             there, such as GeoLite2-City.mmdb"
        );
        GeoError { text, is_passing: false }
    };
    let (octets, _) = files::read(path, FILE_LEN_MAX)
        .map_err(|error| GeoError { is_passing: files::is_passing(&error), ..fail(&error) })?;
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
    Database::read(&name, &octets).map(Arc::new).map_err(|problem| fail(&problem))
}
