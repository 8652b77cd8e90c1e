//! What is wrong with a file, where, and what to do about it.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

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

impl Diagnostic {
    /// Where it is: line and column, both from 1, the column in characters.
    pub fn line_column(&self) -> Option<(usize, usize)> {
        let (source, span) = self.place.as_ref()?;
        let before = source.text.get(..span.start.min(source.text.len()))?;
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line = 1 + before.bytes().filter(|&byte| byte == b'\n').count();
        Some((line, 1 + before[line_start..].chars().count()))
    }
}

/// Prints diagnostics as rustc does, and how many there are below them.
///
/// Control characters of the files are shown as symbols, never sent to the terminal.
pub fn render(diagnostics: &[Diagnostic], color: bool) -> String {
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let mut text = String::new();
    for diagnostic in diagnostics {
        text.push_str(&renderer.render(&[group(diagnostic)]));
        text.push_str("\n\n");
    }
    let count = |severity| diagnostics.iter().filter(|d| d.severity == severity).count();
    let counts = [(count(Severity::Error), "error"), (count(Severity::Warning), "warning")];
    if diagnostics.len() > 1 {
        let counts: Vec<String> = counts
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, noun)| format!("{count} {noun}{}", if count == 1 { "" } else { "s" }))
            .collect();
        text.push_str(&counts.join(", "));
    }
    text.trim_end().to_owned()
}

fn group(diagnostic: &Diagnostic) -> Group<'_> {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mut group = Group::with_title(level.primary_title(diagnostic.message.as_str()));
    if let Some((source, span)) = &diagnostic.place {
        let label = Some(diagnostic.label.as_str()).filter(|label| !label.is_empty());
        let annotation = AnnotationKind::Primary.span(shown(&source.text, span)).label(label);
        let path = source.path.to_string_lossy();
        group =
            group.element(Snippet::source(source.text.as_str()).path(path).annotation(annotation));
    }
    match &diagnostic.help {
        Some(help) => group.element(Level::HELP.message(help.as_str())),
        None => group,
    }
}

/// The part of a span that is shown: its first line, so that a whole table is not printed.
fn shown(text: &str, span: &Range<usize>) -> Range<usize> {
    let floor = |at: usize| (0..=at.min(text.len())).rev().find(|&at| text.is_char_boundary(at));
    let (start, end) = (floor(span.start).unwrap_or(0), floor(span.end).unwrap_or(0));
    let line = text.get(start..end).unwrap_or("").lines().next().unwrap_or("");
    start..start + line.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn diagnostic(text: &str, span: Range<usize>) -> Diagnostic {
        let path = "zones/example.com.toml".into();
        let source = Arc::new(Source { path, text: text.to_owned(), modified: 0 });
        Diagnostic {
            severity: Severity::Error,
            message: "unknown key `zome`".into(),
            place: Some((source, span)),
            label: String::new(),
            help: Some("did you mean `zone`?".into()),
        }
    }

    #[test]
    fn a_diagnostic_shows_file_line_column_text_and_caret() {
        let text = render(&[diagnostic("# ü\nä = 1\nzome = \"a\"\n", 12..16)], false);
        let expected = "\
error: unknown key `zome`
 --> zones/example.com.toml:3:1
  |
3 | zome = \"a\"
  | ^^^^
  |
  = help: did you mean `zone`?";
        assert_eq!(text, expected);
        assert_eq!(diagnostic("# ü\nä = 1\nzome", 9..10).line_column(), Some((2, 4)));
    }

    #[test]
    fn any_span_can_be_shown() {
        for span in [0..0, 3..4, 5..5, 4..400, 399..400] {
            assert!(render(&[diagnostic("ü\nä\n", span)], false).contains("zome"));
        }
    }
}
