//! From a spanned TOML tree to the structs of `spec`, with every mistake on the way.
//!
//! ```text
//! text ─ toml ─▶ tree with spans ─ Decode ─▶ spec structs, every value a Spanned<T>
//!                                     └────▶ Diagnostic for every value that is not as it must be
//! ```
//!
//! A value that cannot be read costs only itself: its field stays empty, and the walk goes on. Each
//! type defines how it is read ([`Decode`]) and how the JSON Schema describes it (`JsonSchema`),
//! side by side. Not here: what the values mean together (`meaning`).

mod near;
mod scalars;
mod shapes;
mod syntax;
mod table;

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use toml::de::DeValue;

use super::diagnostic::{Diagnostic, Diagnostics, Severity, Source};

pub(crate) use near::{did_you_mean, nearest, one_of};
pub(crate) use scalars::{Int, Period, integer, words};
pub(crate) use shapes::{List, Map, OneOrMany, each};
pub use syntax::FILE_LEN_MAX;
pub(crate) use syntax::parse;
pub(crate) use table::{Fields, describe, table};

/// A TOML value with its byte range in the file.
pub(crate) type Node<'i> = toml::Spanned<DeValue<'i>>;

/// A value with the byte range of its text; a default has that of the table that lacks the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Spanned<T> {
    /// The value.
    pub(crate) value: T,
    /// The byte range of its text in the file.
    pub(crate) span: Range<usize>,
}

impl<T> Spanned<T> {
    pub(crate) fn new(value: T, span: Range<usize>) -> Self {
        Self { value, span }
    }
}

/// A type that a TOML value can become.
pub(crate) trait Decode: JsonSchema + Sized {
    /// Reads `node`. Reports every mistake in it, and returns `None` if no value can be made of it.
    fn decode(node: &Node<'_>, decoder: &mut Decoder) -> Option<Self>;
}

/// Reads `node` and keeps its byte range.
pub(crate) fn decode_spanned<T: Decode>(
    node: &Node<'_>,
    decoder: &mut Decoder,
) -> Option<Spanned<T>> {
    T::decode(node, decoder).map(|value| Spanned::new(value, node.span()))
}

/// A file that is being read, and the mistakes found so far.
pub(crate) struct Decoder {
    /// The file.
    pub(crate) source: Arc<Source>,
    /// The mistakes, in the order in which they were found.
    pub(crate) diagnostics: Diagnostics,
    /// Whether the file has syntax errors, so that parts of it may be missing from the tree.
    pub(crate) broken: bool,
    /// The starts of the lines that could not be read. Further mistakes on them are not reported.
    unread: HashSet<usize>,
    /// The last diagnostic about such a line.
    hidden: Option<Diagnostic>,
}

impl Decoder {
    pub(crate) fn new(source: &Arc<Source>) -> Self {
        Self {
            source: Arc::clone(source),
            diagnostics: Diagnostics::default(),
            broken: false,
            unread: HashSet::new(),
            hidden: None,
        }
    }

    /// Reports an error at `span`. Returns the diagnostic, so that the caller can add label and
    /// help.
    pub(crate) fn error(
        &mut self,
        span: &Range<usize>,
        message: impl Into<String>,
    ) -> &mut Diagnostic {
        let source = Arc::clone(&self.source);
        self.report(Diagnostic::new(Severity::Error, message, source, span.clone()))
    }

    /// Reports a warning at `span`.
    pub(crate) fn warning(
        &mut self,
        span: &Range<usize>,
        message: impl Into<String>,
    ) -> &mut Diagnostic {
        let source = Arc::clone(&self.source);
        self.report(Diagnostic::new(Severity::Warning, message, source, span.clone()))
    }

    /// Reports that `node` is not `what` was expected.
    pub(crate) fn expected(&mut self, what: &str, node: &Node<'_>) -> &mut Diagnostic {
        let found = found(node.get_ref());
        self.error(&node.span(), format!("expected {what}, found {found}"))
    }

    /// Returns the length of `period`, and reports an error unless it lies between `least` and
    /// `most`.
    pub(crate) fn period(
        &mut self,
        period: &Spanned<Period>,
        (least, most): (Period, Period),
    ) -> Duration {
        if !(least..=most).contains(&period.value) {
            let found = period.value;
            let message = format!("expected a period from {least} to {most}, found {found}");
            self.error(&period.span, message);
        }
        period.value.0
    }

    /// Returns whether an error was found.
    pub(crate) fn has_errors(&self) -> bool {
        self.diagnostics.has_errors()
    }

    fn report(&mut self, diagnostic: Diagnostic) -> &mut Diagnostic {
        let at = diagnostic.place.as_ref().map_or(0, |(_, span)| span.start);
        if !self.unread.is_empty() && self.unread.contains(&self.source.line(at).1) {
            return self.hidden.insert(diagnostic);
        }
        self.diagnostics.push(diagnostic)
    }

    /// Returns the byte range in the file of `part`, which is a range of the string `text` written
    /// at `span`. Returns all of `span` if the string was written with escapes.
    pub(crate) fn within(
        &self,
        span: &Range<usize>,
        text: &str,
        part: &Range<usize>,
    ) -> Range<usize> {
        let raw = self.source.text.get(span.clone()).unwrap_or("");
        let quotes = ["\"\"\"", "'''", "\"", "'"].into_iter().find(|q| raw.starts_with(q));
        let inner = quotes.and_then(|q| raw.strip_prefix(q)?.strip_suffix(q));
        match (quotes, inner) {
            (Some(quotes), Some(inner)) if inner == text => {
                let start = span.start + quotes.len();
                start + part.start..start + part.end
            }
            _ => span.clone(),
        }
    }
}

/// Returns a description of a value in an operator's words.
fn found(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(_) => "a string".to_owned(),
        DeValue::Integer(number) => format!("the number {number}"),
        DeValue::Float(number) => format!("the number {number}"),
        DeValue::Boolean(value) => value.to_string(),
        DeValue::Datetime(_) => "a date".to_owned(),
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}
