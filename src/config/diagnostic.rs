//! Mistakes in files: the message, the place, and the cure.
//!
//! `decode`, `meaning` and `master` collect them in [`Diagnostics`], which bounds their number and
//! length; `server` and `cli` make single ones. `render` shows them as text, `server::control` logs
//! them, and `waypost check` also writes JSON. An error refuses its file; `server::catalog` decides
//! what is served then. The text of a file that may hold secrets is wiped when its [`Source`] is
//! dropped.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use zeroize::Zeroize;

use crate::wire::excerpt::{EXCERPT_LEN_MAX, excerpt};

/// The most errors that are kept of one zone; the same limit holds for its warnings.
pub const DIAGNOSTICS_MAX: usize = 100;

/// The longest message about a file, in octets.
const MESSAGE_LEN_MAX: usize = 512;

/// The distance between two marks of a [`Source`], in octets.
const MARK_DISTANCE: usize = 4096;

/// A file and its text.
#[derive(Debug, PartialEq, Eq)]
pub struct Source {
    /// The path as the operator wrote it: `zones/example.com.toml`.
    pub path: PathBuf,
    /// Its text.
    pub text: String,
    /// The time of the last change, in seconds since 1970: the default SOA serial.
    pub modified: u32,
    /// The index of the lines, made when a line is first asked for.
    marks: OnceLock<Box<[Mark]>>,
}

/// The line that one octet of a text is on. Every [`MARK_DISTANCE`] octets have one mark. So the
/// index stays small however short the lines are, and a look-up cheap however long they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark {
    /// The number of the line, from 1.
    line: usize,
    /// The offset at which the line starts.
    start: usize,
}

impl Source {
    /// Creates the source of a file at `path` that was last changed at `modified`.
    pub fn new(path: impl Into<PathBuf>, text: impl Into<String>, modified: u32) -> Self {
        let (path, text) = (path.into(), text.into());
        Self { path, text, modified, marks: OnceLock::new() }
    }

    /// Returns the number, from 1, of the line that the octet at `at` is on, and the offset at
    /// which that line starts.
    ///
    /// # Cost
    /// The first call reads the whole text, each later one at most 4 KiB of it.
    pub fn line(&self, at: usize) -> (usize, usize) {
        let octets = self.text.as_bytes();
        let at = at.min(octets.len());
        let marks = self.marks.get_or_init(|| marks(octets));
        let from = at / MARK_DISTANCE;
        let Mark { line, start } = marks.get(from).copied().unwrap_or(Mark { line: 1, start: 0 });
        let (from, chunk) = (from * MARK_DISTANCE, &octets[from * MARK_DISTANCE..at]);
        let newlines = chunk.iter().filter(|&&octet| octet == b'\n').count();
        let last = chunk.iter().rposition(|&octet| octet == b'\n');
        (line + newlines, last.map_or(start, |last| from + last + 1))
    }
}

/// Returns the marks of a text.
fn marks(octets: &[u8]) -> Box<[Mark]> {
    let (mut at, mut mark) = (0, Mark { line: 1, start: 0 });
    let marks = octets.chunks(MARK_DISTANCE).map(|chunk| {
        let before = mark;
        mark.line += chunk.iter().filter(|&&octet| octet == b'\n').count();
        let last = chunk.iter().rposition(|&octet| octet == b'\n');
        mark.start = last.map_or(mark.start, |last| at + last + 1);
        at += chunk.len();
        before
    });
    let mut marks: Vec<Mark> = marks.collect();
    marks.push(mark);
    marks.into()
}

/// Wipes the text, unless the file is a `.zone` file, which holds only records. TOML may hold a
/// cookie secret, or a password in a header of a check; a client certificate file may hold its key.
impl Drop for Source {
    fn drop(&mut self) {
        if self.path.extension().is_none_or(|suffix| suffix != "zone") {
            self.text.zeroize();
        }
    }
}

/// The severity of a [`Diagnostic`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The file is refused: something else is served in its place, if there is anything.
    Error,
    /// The file is served, but likely not as meant.
    Warning,
}

/// One mistake in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The severity.
    pub severity: Severity,
    /// The mistake in one line: lower case, no full stop.
    pub message: String,
    /// The file and the byte range in its text; `None` if the mistake has no place in a text.
    pub place: Option<(Arc<Source>, Range<usize>)>,
    /// The text beside the caret; may be empty.
    pub label: String,
    /// The cure, or a similar name: `did you mean "endpoints"?`.
    pub help: Option<String>,
    /// Further explanation in any number of lines, shown below everything else; may be empty.
    pub background: String,
}

impl Severity {
    /// Returns the name of the severity.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

impl Diagnostic {
    /// Creates a diagnostic at `span` of `source`, without label or help.
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

    /// Creates an error that has no place in a text, such as a file that cannot be read.
    pub fn unplaced(message: impl Into<String>) -> Self {
        let (label, background) = (String::new(), String::new());
        let (severity, message) = (Severity::Error, message.into());
        Self { severity, message, place: None, label, help: None, background }
    }

    /// Returns the line and the column of the place, both from 1; columns count characters.
    pub fn line_column(&self) -> Option<(usize, usize)> {
        let (source, span) = self.place.as_ref()?;
        let (line, start) = source.line(span.start);
        Some((line, source.text.get(start..span.start)?.chars().count() + 1))
    }

    /// Shortens the quotations from the file.
    fn shorten(&mut self) {
        for text in [&mut self.message, &mut self.label] {
            if text.len() > EXCERPT_LEN_MAX {
                *text = shortened(text);
            }
        }
    }
}

/// The diagnostics of one zone: those up to the limit, and the number of all.
#[derive(Debug, Default)]
pub struct Diagnostics {
    kept: Vec<Diagnostic>,
    errors: usize,
    warnings: usize,
    /// The latest diagnostic beyond the limit.
    beyond: Option<Diagnostic>,
    /// Whether a part of the file was not read.
    is_cut: bool,
}

impl Diagnostics {
    /// Adds `diagnostic` and returns it, so that the caller can add label and help.
    pub fn push(&mut self, mut diagnostic: Diagnostic) -> &mut Diagnostic {
        let count = match diagnostic.severity {
            Severity::Error => &mut self.errors,
            Severity::Warning => &mut self.warnings,
        };
        *count += 1;
        if *count > DIAGNOSTICS_MAX {
            return self.beyond.insert(diagnostic);
        }
        diagnostic.shorten();
        let at = self.kept.len();
        self.kept.push(diagnostic);
        &mut self.kept[at]
    }

    /// Returns the number of diagnostics that were added.
    pub fn len(&self) -> usize {
        self.errors + self.warnings
    }

    /// Returns whether no diagnostic was added.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns whether an error was added.
    pub fn has_errors(&self) -> bool {
        self.errors > 0
    }

    /// Returns whether the limit of errors is reached, so that reading can end.
    pub fn is_full(&self) -> bool {
        self.errors >= DIAGNOSTICS_MAX
    }

    /// Notes that reading ended before the end of a file.
    pub fn end_reading(&mut self) {
        self.is_cut = true;
    }

    /// Returns the kept diagnostics sorted by `place`, followed by one that counts those beyond the
    /// limit, for errors and warnings each.
    pub fn into_sorted<K: Ord>(mut self, place: impl FnMut(&Diagnostic) -> K) -> Vec<Diagnostic> {
        self.kept.sort_by_key(place);
        let beyond = |count: usize| count.saturating_sub(DIAGNOSTICS_MAX);
        let counts = [(Severity::Error, self.errors), (Severity::Warning, self.warnings)];
        for (severity, count) in counts.map(|(severity, count)| (severity, beyond(count))) {
            if count > 0 {
                let (word, end) = (severity.as_str(), if count == 1 { "" } else { "s" });
                let message = format!("and {count} more {word}{end} in this zone");
                self.kept.push(Diagnostic { severity, ..Diagnostic::unplaced(message) });
            }
        }
        if self.is_cut {
            let message = "the rest of this zone was not read: mend the mistakes shown first";
            self.kept.push(Diagnostic::unplaced(message));
        }
        self.kept
    }
}

impl Extend<Diagnostic> for Diagnostics {
    fn extend<I: IntoIterator<Item = Diagnostic>>(&mut self, more: I) {
        for diagnostic in more {
            self.push(diagnostic);
        }
    }
}

/// Returns `text` with every word cut to [`EXCERPT_LEN_MAX`] octets and the whole cut to
/// [`MESSAGE_LEN_MAX`].
fn shortened(text: &str) -> String {
    let mut short = String::new();
    for word in text.split_inclusive(char::is_whitespace) {
        if short.len() + word.len().min(EXCERPT_LEN_MAX) > MESSAGE_LEN_MAX {
            short.push('…');
            break;
        }
        match word.len() > EXCERPT_LEN_MAX {
            false => short.push_str(word),
            true => {
                short.push_str(&excerpt(word));
                // The marks that close the quotation, and the space after it.
                let end =
                    word.trim_end_matches(|c: char| c.is_whitespace() || "`\",:;".contains(c));
                short.push_str(&word[end.len()..]);
            }
        }
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_found_whatever_their_lengths() {
        let long = "x".repeat(3 * MARK_DISTANCE);
        for text in
            ["", "\n", "a\nb\n\nc", &"\n".repeat(9000), &long, &format!("{long}\n\né{long}\n")]
        {
            let source = Source::new("a", text, 0);
            let (mut line, mut start) = (1, 0);
            for (at, octet) in text.bytes().chain([b'\n']).enumerate() {
                assert_eq!(source.line(at), (line, start), "{at}");
                if octet == b'\n' {
                    (line, start) = (line + 1, at + 1);
                }
            }
        }
    }

    #[test]
    fn what_is_quoted_is_cut() {
        let word = "é".repeat(1 << 20);
        let short = shortened(&format!("expected a record type, found `{word}`"));
        assert!(short.starts_with("expected a record type, found `éé"), "{short}");
        assert!(short.ends_with("é…`") && short.len() < 110, "{short}");
        let many = shortened(&"word ".repeat(1 << 20));
        assert!(many.ends_with("word …") && many.len() <= MESSAGE_LEN_MAX + 3, "{many}");
    }

    #[test]
    fn what_is_beyond_the_limit_is_counted() {
        let mut all = Diagnostics::default();
        for _ in 0..DIAGNOSTICS_MAX + 3 {
            all.push(Diagnostic::unplaced("e")).label = "l".to_owned();
        }
        all.push(Diagnostic { severity: Severity::Warning, ..Diagnostic::unplaced("w") });
        assert!(all.is_full() && all.len() == DIAGNOSTICS_MAX + 4);
        let kept = all.into_sorted(|_| 0);
        assert_eq!(kept.len(), DIAGNOSTICS_MAX + 2);
        assert_eq!(kept[DIAGNOSTICS_MAX + 1].message, "and 3 more errors in this zone");
    }
}
