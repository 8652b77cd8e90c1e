//! The one door to a running server: what it can be told, and what it answers.

use std::path::PathBuf;
use std::sync::mpsc::Sender;
use std::time::Duration;

use super::changes::Changes;
use crate::config::Diagnostic;

/// A request to the control thread.
#[derive(Debug)]
pub(super) enum Command {
    /// Reads the settings, the databases, the certificate and the zones again. The report goes to
    /// whoever holds the other end, if anybody still does.
    Reload(Sender<ReloadReport>),
    /// Reads again what has changed: a file may have.
    Look,
    /// Ends the server.
    Stop,
}

/// The outcome of a reload.
#[derive(Clone, Debug, Default)]
pub struct ReloadReport {
    /// The number of the snapshot that is served now.
    pub generation: u64,
    /// The number of zones that are served now.
    pub zones: usize,
    /// The time that it took.
    pub took: Duration,
    /// The differences between the zones before and now.
    pub changes: Changes,
    /// The tables and keys of `waypost.toml` that changed and hold from now on.
    pub settings: Vec<&'static str>,
    /// Whether all was refused and nothing changed: the directory could not be read, or has no zone
    /// file.
    pub is_refused: bool,
    /// The files that are refused, with what is answered in their place.
    pub refused: Vec<(PathBuf, &'static str)>,
    /// The files that were refused before and are good now.
    pub mended: Vec<PathBuf>,
    /// The mistakes that the log did not have yet.
    pub diagnostics: Vec<Diagnostic>,
}
