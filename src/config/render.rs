//! Diagnostics as text: file, line, column, the text itself, a caret, what to do.

use std::fmt::Write;
use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use super::diagnostic::{Diagnostic, Severity, Source};

/// How much of a line is shown around the mistake, in bytes.
const SHOWN_MAX: usize = 2048;

/// All of them, each as rustc would print it, and a last line that counts them; empty for none.
pub fn render(diagnostics: &[Diagnostic], color: bool) -> String {
    if diagnostics.is_empty() {
        return String::new();
    }
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let mut lines = Lines::default();
    let mut text = String::new();
    for diagnostic in diagnostics {
        text.push_str(&one(diagnostic, &renderer, &mut lines));
        for line in diagnostic.background.lines() {
            text.push_str("\n  ");
            text.push_str(&printable(line));
        }
        text.push_str("\n\n");
    }
    let count = |severity, word| {
        let found = diagnostics.iter().filter(|found| found.severity == severity).count();
        match found {
            0 => None,
            1 => Some(format!("1 {word}")),
            found => Some(format!("{found} {word}s")),
        }
    };
    let counts = [count(Severity::Error, "error"), count(Severity::Warning, "warning")];
    let counts: Vec<String> = counts.into_iter().flatten().collect();
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{}", counts.join(", "));
    text
}

fn one(diagnostic: &Diagnostic, renderer: &Renderer, lines: &mut Lines) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level.primary_title(printable(&diagnostic.message));
    let mut group = match &diagnostic.place {
        None => Group::with_title(title),
        Some((source, span)) => {
            let excerpt = lines.excerpt(source, span);
            let annotation = AnnotationKind::Primary.span(excerpt.span);
            let label = Some(printable(&diagnostic.label)).filter(|label| !label.is_empty());
            let snippet = Snippet::source(excerpt.text)
                .line_start(excerpt.line)
                .path(printable(&source.path.display().to_string()))
                .annotation(annotation.label(label));
            title.element(snippet)
        }
    };
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(printable(help)));
    }
    renderer.render(&[group])
}

/// `text` without control characters: names and values come from files.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// The lines of the source shown last: most diagnostics in a row are about one file.
#[derive(Default)]
struct Lines {
    source: Option<Arc<Source>>,
    /// Where each line starts.
    starts: Vec<usize>,
}

/// The line that a mistake is on.
struct Excerpt {
    text: String,
    /// Its number, from 1.
    line: usize,
    /// The mistake in `text`.
    span: Range<usize>,
}

impl Lines {
    /// The line on which `span` starts. A mistake that goes on below is cut at the line's end; so
    /// is the far end of a very long line.
    fn excerpt(&mut self, source: &Arc<Source>, span: &Range<usize>) -> Excerpt {
        if !self.source.as_ref().is_some_and(|known| Arc::ptr_eq(known, source)) {
            let newlines = source.text.bytes().enumerate().filter(|&(_, byte)| byte == b'\n');
            self.starts = std::iter::once(0).chain(newlines.map(|(at, _)| at + 1)).collect();
            self.source = Some(Arc::clone(source));
        }
        let line = self.starts.partition_point(|&start| start <= span.start);
        let start = self.starts[line - 1];
        let rest = source.text.get(start..).unwrap_or("");
        let whole = rest.lines().next().unwrap_or("");
        let from = (span.start - start).min(whole.len());
        let mut end = whole.len().min(from + SHOWN_MAX);
        while !whole.is_char_boundary(end) {
            end -= 1;
        }
        let to = (span.end - start).clamp(from, end);
        // The renderer shows the control characters of ASCII as pictures, but lets those from
        // U+0080 on through, which terminals obey; a mark of two octets keeps every place.
        let text = whole[..end].replace(|c: char| ('\u{80}'..='\u{9f}').contains(&c), "¿");
        Excerpt { text, line, span: from..to }
    }
}
