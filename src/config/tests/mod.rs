//! The view of an operator: zones that load, and every mistake at its place.

mod checks;
mod composed;
mod expectations;
mod fixtures;
mod lint;
mod mistakes;
mod mutation;
mod nested;
mod rendering;
mod routes;
mod server;
mod zones;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::zone::{Asked, Check, Condition, Endpoint};

/// A zone directory, `zones`, that exists only in the test. Each file is a second newer than the
/// one before it in alphabetical order.
struct Directory(BTreeMap<&'static str, String>);

impl Files for Directory {
    fn root(&self) -> &Path {
        Path::new("zones")
    }

    fn read(&self, path: &Path) -> Result<Arc<Source>, String> {
        let found = self.0.iter().zip(1000..).find(|((name, _), _)| Path::new(name) == path);
        let ((_, text), modified) = found.ok_or("no such file")?;
        Ok(Arc::new(Source::new(path, text.clone(), modified)))
    }
}

/// Returns the check of an endpoint that has exactly one.
fn check_of(endpoint: &Endpoint) -> Arc<Check> {
    match endpoint.guard.as_deref() {
        Some(Condition::Check(Asked { check, at: None })) => Arc::clone(check),
        other => panic!("one check, not {other:?}"),
    }
}

/// Loads the first of the files, with the others beside it.
fn load_beside(files: &[(&'static str, &str)]) -> Loaded {
    let directory = files.iter().map(|(path, text)| (*path, (*text).to_owned())).collect();
    load_zone(
        Path::new(files[0].0),
        &Directory(directory),
        &Allowed { exec: true, reach: crate::zone::Reach::everywhere(), ..Allowed::default() },
    )
}

/// Loads `text` as zones/example.com.toml.
fn load(text: &str) -> Loaded {
    load_beside(&[("zones/example.com.toml", text)])
}

/// Formats a diagnostic as `line:column `blamed`: message (help)`, with the file if it is another
/// one.
fn shown(diagnostic: &Diagnostic) -> String {
    let Some((source, span)) = &diagnostic.place else { return diagnostic.message.clone() };
    let (line, column) = diagnostic.line_column().unwrap();
    let blamed = &source.text[span.clone()];
    let file = match source.path.to_str() {
        Some("zones/example.com.toml") => String::new(),
        other => format!("{}:", other.unwrap()),
    };
    let help = diagnostic.help.as_ref().map_or(String::new(), |help| format!(" ({help})"));
    let message = &diagnostic.message;
    let warning = if diagnostic.severity == Severity::Warning { "warning: " } else { "" };
    format!("{warning}{file}{line}:{column} `{blamed}`: {message}{help}")
}

/// Returns the diagnostics for a zone file.
fn mistakes(text: &str) -> Vec<String> {
    load(text).diagnostics.iter().map(shown).collect()
}

/// The start of a sound zone file; the text that tests append starts at line 3.
const HEAD: &str = "zone = \"example.com\"\nrecords = { \"@\" = { NS = \"ns.example.net.\" } }\n";

/// Returns the diagnostics for a zone file that starts with [`HEAD`].
fn mistakes_in(rest: &str) -> Vec<String> {
    mistakes(&format!("{HEAD}{rest}"))
}
