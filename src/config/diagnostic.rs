//! What is wrong with a file, where, and what to do about it.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

/// A file as it was read.
#[derive(Debug, PartialEq, Eq)]
pub struct Source {
    /// Where it stands, as the operator wrote it: `zones/example.com.toml`.
    pub path: PathBuf,
    /// Its text.
    pub text: String,
    /// When it was last changed, in seconds since 1970; the default SOA serial.
    pub modified: u32,
}

/// How bad a [`Diagnostic`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Nothing can be served from this file.
    Error,
    /// It is served, but hardly as meant.
    Warning,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, in one line: lower case, no full stop.
    pub message: String,
    /// The file and the byte range in its text; `None` when no file could be read.
    pub place: Option<(Arc<Source>, Range<usize>)>,
    /// What stands under the caret; may be empty.
    pub label: String,
    /// What to do, or a near name: `did you mean "endpoints"?`.
    pub help: Option<String>,
}
