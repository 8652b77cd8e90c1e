//! Files → zones, with everything that is wrong with them.
//!
//! ```text
//! NAME.toml ─ decode ─▶ spec tables ─ lower ─▶ zone::Zone ┐
//! NAME.zone ─ master ─▶ records ──────────────────────────┴─ (or Diagnostics ─ render ─▶ text)
//! waypost.toml ─ decode ─ server ─▶ ServerConfig
//! ```
//!
//! Every diagnostic of a file is collected in one go, each with its place; nothing unknown is
//! passed over. Not here: reading files, which goes through [`Files`].

mod decode;
mod diagnostic;
mod files;
mod lower;
mod master;
mod server;
mod spec;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use toml::Spanned;
use toml::de::DeTable;

use crate::zone::Zone;
use decode::Decoder;

pub use diagnostic::{Diagnostic, Severity, Source, render};
pub use files::Files;
pub use server::{Limits, LogConfig, LogFormat, LogLevel, ServerConfig, load_server};

/// What came of a zone file.
#[derive(Debug)]
pub struct Loaded {
    /// The zone; `None` if any diagnostic is an error.
    pub zone: Option<Zone>,
    /// All that is wrong.
    pub diagnostics: Vec<Diagnostic>,
    /// Every file that was read for it, itself first.
    pub read: Vec<Arc<Source>>,
}

/// Reads the zone file at `path`: TOML, or a master file if its name ends in `.zone`.
pub fn load_zone(path: &Path, files: &dyn Files) -> Loaded {
    let recorder = Recorder { files, read: RefCell::default() };
    let mut diagnostics = Vec::new();
    let zone = match recorder.read(path) {
        Ok(source) if path.extension().is_some_and(|extension| extension == "zone") => {
            lower::master_file(&source, &recorder, &mut diagnostics)
        }
        Ok(source) => toml_zone(&source, &recorder, &mut diagnostics),
        Err(message) => {
            let message = format!("cannot read {}: {message}", path.display());
            let (severity, place, label, help) = (Severity::Error, None, String::new(), None);
            diagnostics.push(Diagnostic { severity, message, place, label, help });
            None
        }
    };
    Loaded { zone, diagnostics, read: recorder.read.into_inner() }
}

fn toml_zone(
    source: &Arc<Source>,
    files: &Recorder<'_>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Zone> {
    let document = document(source, diagnostics)?;
    let mut decoder = Decoder::new(source, diagnostics);
    let (table, span) = (document.get_ref(), document.span());
    let table = spec::ZoneTable::decode_table(table, span, &mut decoder);
    lower::zone(&table, source, files, diagnostics)
}

/// Parses TOML; writes down every syntax error. `None` if there is any: what is written behind
/// one may not be what was meant.
fn document<'s>(
    source: &'s Arc<Source>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Spanned<DeTable<'s>>> {
    let (document, errors) = DeTable::parse_recoverable(&source.text);
    let sound = errors.is_empty();
    let mut decoder = Decoder::new(source, diagnostics);
    for error in errors {
        decoder.error(&error.span().unwrap_or(0..0), error.message().trim());
    }
    sound.then_some(document)
}

/// Diagnostics for zones that several files define.
pub fn duplicate_zones(zones: &[(PathBuf, &Zone)]) -> Vec<Diagnostic> {
    let mut diagnostics = Vec::new();
    for (at, (path, zone)) in zones.iter().enumerate() {
        let earlier = zones.iter().take(at).find(|(_, other)| other.origin() == zone.origin());
        if let Some((first, _)) = earlier {
            let message = format!(
                "{} and {} both define the zone {}",
                first.display(),
                path.display(),
                zone.origin()
            );
            let (severity, place, label) = (Severity::Error, None, String::new());
            let help = Some("a zone stands in one file; drop or rename the other".to_owned());
            diagnostics.push(Diagnostic { severity, message, place, label, help });
        }
    }
    diagnostics
}

/// The JSON Schema of a zone file, from the structs that decode it.
pub fn schema() -> String {
    let schema = schemars::schema_for!(spec::ZoneTable);
    let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    text.push('\n');
    text
}

/// Hands on files and remembers which.
struct Recorder<'a> {
    files: &'a dyn Files,
    read: RefCell<Vec<Arc<Source>>>,
}

impl Recorder<'_> {
    /// When the newest file read so far was changed.
    fn newest(&self) -> u32 {
        self.read.borrow().iter().map(|source| source.modified).max().unwrap_or(0)
    }
}

impl Files for Recorder<'_> {
    fn root(&self) -> &Path {
        self.files.root()
    }

    fn read(&self, path: &Path) -> Result<Arc<Source>, String> {
        let source = self.files.read(path)?;
        self.read.borrow_mut().push(Arc::clone(&source));
        Ok(source)
    }
}
