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
    /// More about it, in as many lines as it takes, shown below all else; may be empty.
    pub background: String,
}

impl Diagnostic {
    /// A diagnostic at `span` of `source`, without label and help.
    pub fn new(
        severity: Severity,
        message: impl Into<String>,
        source: Arc<Source>,
        span: Range<usize>,
    ) -> Self {
        let place = Some((source, span));
        let (label, background) = (String::new(), String::new());
        Self { severity, message: message.into(), place, label, help: None, background }
    }

    /// An error about a file that could not be read.
    pub fn unplaced(message: impl Into<String>) -> Self {
        let (label, background) = (String::new(), String::new());
        let (severity, message) = (Severity::Error, message.into());
        Self { severity, message, place: None, label, help: None, background }
    }

    /// The line and the column of the place, both from 1; columns count characters.
    pub fn line_column(&self) -> Option<(usize, usize)> {
        let (source, span) = self.place.as_ref()?;
        let before = source.text.get(..span.start)?;
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = before.bytes().filter(|&byte| byte == b'\n').count() + 1;
        Some((line, before[line_start..].chars().count() + 1))
    }
}
