//! Diagnostics as text: file, line, column, the line itself, a caret, and help.

use std::fmt::Write;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use super::diagnostic::{Diagnostic, Severity, Source};
use crate::wire::excerpt::floor;

/// The longest part of a line that is shown from the mistake on, in bytes.
const SHOWN_MAX: usize = 256;

/// The longest part of a line that is shown before the mistake, in bytes.
const SHOWN_BEFORE_MAX: usize = 2048;

/// Returns every diagnostic as rustc would print it, then a line that counts them; an empty text if
/// there are none.
pub fn render(diagnostics: &[Diagnostic], color: bool) -> String {
    if diagnostics.is_empty() {
        return String::new();
    }
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let mut text = String::new();
    for diagnostic in diagnostics {
        text.push_str(&one(diagnostic, &renderer));
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

fn one(diagnostic: &Diagnostic, renderer: &Renderer) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level.primary_title(printable(&diagnostic.message));
    let mut group = match &diagnostic.place {
        None => Group::with_title(title),
        Some((source, span)) => {
            let excerpt = excerpt(source, span);
            let annotation = AnnotationKind::Primary.span(excerpt.span);
            let label = Some(printable(&diagnostic.label)).filter(|label| !label.is_empty());
            let snippet = Snippet::source(excerpt.text)
                .line_start(excerpt.line)
                .annotation(annotation.label(label));
            let path = printable(&source.path.display().to_string());
            match diagnostic.line_column().filter(|_| excerpt.is_cut) {
                None => title.element(snippet.path(path)),
                Some((line, column)) => {
                    let origin = Origin::path(path).line(line).char_column(column);
                    title.element(origin).element(snippet)
                }
            }
        }
    };
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(printable(help)));
    }
    renderer.render(&[group])
}

/// Replaces control characters in `text`: names and values come from files.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// The part of a line that a mistake is on.
struct Excerpt {
    text: String,
    /// The number of the line, from 1.
    line: usize,
    /// The range of the mistake in `text`.
    span: Range<usize>,
    /// Whether `text` leaves out the beginning of the line.
    is_cut: bool,
}

/// Returns the line on which `span` starts. A mistake of several lines ends at the end of this one;
/// a very long line is cut at both ends.
fn excerpt(source: &Source, span: &Range<usize>) -> Excerpt {
    let text = source.text.as_str();
    let (line, line_start) = source.line(span.start);
    let at = span.start.min(text.len());
    let is_cut = at - line_start > SHOWN_BEFORE_MAX;
    let start = if is_cut { floor(text, at - SHOWN_BEFORE_MAX) } else { line_start };
    let most = floor(text, at.saturating_add(SHOWN_MAX));
    let shown = text.get(start..most).unwrap_or("");
    let whole = shown.lines().next().unwrap_or("");
    let from = (at - start).min(whole.len());
    let to = (span.end.max(at) - start).clamp(from, whole.len());
    // The renderer replaces ASCII control characters with pictures, but passes those from U+0080
    // on, which terminals obey. The mark has two octets as well, so every offset stays right.
    let text = whole.replace(|c: char| ('\u{80}'..='\u{9f}').contains(&c), "¿");
    Excerpt { text, line, span: from..to, is_cut }
}
