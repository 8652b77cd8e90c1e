//! TOML text → tree: every syntax error at once.

use std::ops::Range;
use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use super::{Decode, Decoder};
use crate::config::diagnostic::{DIAGNOSTICS_MAX, Source};
use crate::wire::excerpt::floor;

/// The size of the largest file that is read, in bytes.
pub const FILE_LEN_MAX: usize = 64 << 20;

/// The number of octets that are read after the first syntax error of a file.
const READ_AFTER_MISTAKE: usize = 256 << 10;

/// The parser's message for a key without a value.
const KEY_ALONE: &str = "key with no value";

/// Reads a whole file as `T`. Returns the readable part even if there are errors, so that it can be
/// checked as well.
pub(crate) fn parse<T: Decode>(source: &Arc<Source>) -> (Option<T>, Decoder) {
    let mut decoder = Decoder::new(source);
    let (text, mut value) = (source.text.as_str(), None);
    if text.len() > FILE_LEN_MAX {
        let message = format!("this file is larger than {} MiB", FILE_LEN_MAX >> 20);
        decoder.error(&(0..0), message);
        return (None, decoder);
    }
    let mut first = 0;
    if !begins_badly(text) {
        // Most files have no syntax errors. The first attempt stops at the first one, because the
        // errors that the parser collects take more memory than the text.
        match DeTable::parse(text) {
            Ok(tree) => {
                decode(tree, &mut decoder, &mut value);
                return (value, decoder);
            }
            Err(error) => first = error.span().map_or(0, |span| span.start),
        }
    }
    let end = read_end(text, first);
    let text = &text[..end];
    let (mut tree, first) = DeTable::parse_recoverable(text);
    let mut errors = located(first);
    let shortened = without_lone_keys(source, text, &errors);
    if let Some(shortened) = &shortened {
        let (rest, second) = DeTable::parse_recoverable(shortened);
        errors.extend(located(second));
        tree = rest;
    }
    let unread = errors.iter().map(|(span, _)| source.line(span.start).1).collect();
    for (span, message) in one_each(source, errors) {
        decoder.error(&span, message);
    }
    decoder.broken = true;
    if end < source.text.len() {
        decoder.diagnostics.end_reading();
        return (None, decoder);
    }
    decoder.unread = unread;
    decode(tree, &mut decoder, &mut value);
    (value, decoder)
}

/// Reads the tree of a file as a `T`.
fn decode<T: Decode>(
    tree: toml::Spanned<DeTable<'_>>,
    decoder: &mut Decoder,
    value: &mut Option<T>,
) {
    let tree = toml::Spanned::new(0..0, DeValue::Table(tree.into_inner()));
    *value = T::decode(&tree, decoder);
}

/// Returns whether the beginning of a long text has more mistakes than are reported of a file.
///
/// The parser would take thirty times the memory of a text that is no TOML at all.
fn begins_badly(text: &str) -> bool {
    let end = read_end(text, 0);
    let mistakes = |beginning| DeTable::parse_recoverable(beginning).1.len();
    // The cut itself causes one or two.
    end < text.len() && mistakes(&text[..end]) > DIAGNOSTICS_MAX
}

/// Returns the offset at which reading ends, for a text whose first mistake is at `first`: the end
/// of the text if it is near, otherwise the last end of a line within [`READ_AFTER_MISTAKE`].
fn read_end(text: &str, first: usize) -> usize {
    let most = floor(text, first.saturating_add(READ_AFTER_MISTAKE));
    match most < text.len() {
        true => text[first..most].rfind('\n').map_or(most, |newline| first + newline),
        false => text.len(),
    }
}

/// Returns the text with its lines of a lone key, without a value, blanked out; `None` if there are
/// no such lines. The parser's tree would end at such a line.
fn without_lone_keys(
    source: &Source,
    text: &str,
    errors: &[(Range<usize>, String)],
) -> Option<String> {
    let mut shortened = None;
    for (span, _) in errors.iter().filter(|(_, message)| message.starts_with(KEY_ALONE)) {
        let (_, start) = source.line(span.start);
        let end = text[start..].find('\n').map_or(text.len(), |newline| start + newline);
        let shortened = shortened.get_or_insert_with(|| text.to_owned());
        shortened.replace_range(start..end, &" ".repeat(end - start));
    }
    shortened
}

/// Returns one error for each syntax error, in the order of the text.
fn one_each(
    source: &Source,
    mut errors: Vec<(Range<usize>, String)>,
) -> Vec<(Range<usize>, String)> {
    errors.sort_by_key(|(span, _)| span.start);
    let mut kept: Vec<(Range<usize>, String)> = Vec::new();
    // The start of the last error, kept or not.
    let mut last: Option<usize> = None;
    for (span, message) in errors {
        let follows = last.is_some_and(|last| is_next(source, last, span.start, &message));
        last = Some(span.start);
        if !follows {
            kept.push((span, in_our_words(&message)));
        }
    }
    kept
}

fn located(errors: Vec<toml::de::Error>) -> Vec<(Range<usize>, String)> {
    let located =
        |error: toml::de::Error| (error.span().unwrap_or(0..0), error.message().to_owned());
    errors.into_iter().map(located).collect()
}

/// Returns whether an error at `at` only follows from the one at `last`. It does if it is on the
/// same line, or, for a list or string that is not closed, on the next line that is not blank.
fn is_next(source: &Source, last: usize, at: usize, message: &str) -> bool {
    let (text, (_, start)) = (source.text.as_str(), source.line(at));
    if start <= last {
        return true;
    }
    let unclosed = ["missing comma", "missing key for inline table"];
    let end_of_last = text[last..].find('\n').map_or(text.len(), |newline| last + newline);
    let blank = |line: &str| line.trim().is_empty() || line.trim_start().starts_with('#');
    unclosed.iter().any(|noise| message.starts_with(noise))
        && text.get(end_of_last..start).is_some_and(|between| between.lines().all(blank))
}

/// Returns the parser's message, in plainer words if there are any.
fn in_our_words(message: &str) -> String {
    let (what, expected) = message.split_once(", expected ").unwrap_or((message, ""));
    match what {
        "string values must be quoted" => {
            "expected a value; a string stands in quotes, such as \"10s\"".to_owned()
        }
        KEY_ALONE => "expected `=` and a value after this key".to_owned(),
        "missing comma between array elements" => {
            "expected a comma or the end of the list before this".to_owned()
        }
        "cannot recurse further; max recursion depth met" => {
            "tables and lists nest too deeply here".to_owned()
        }
        "invalid float" => {
            "invalid number; an address stands in quotes, such as \"192.0.2.53\"".to_owned()
        }
        "duplicate key" => "this key is written already".to_owned(),
        _ if expected.is_empty() || expected == "nothing" => what.to_owned(),
        _ => format!("{what}; expected {expected}"),
    }
}
