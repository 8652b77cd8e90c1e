//! Master files: RFC 1035 §5, `$TTL` of RFC 2308 §4, unknown types of RFC 3597.
//!
//! ```text
//! Source ─ rdata::logical_line ─▶ words ┬ directive ─▶ origin, TTL, included files
//!                                       └ line ─▶ Records, Written    (or a Diagnostic, and on)
//! ```
//!
//! `config::load` reads zones that are master files, and `config::meaning` those named by
//! `records_file`. The reader takes one logical line at a time, up to the end of the file; a
//! mistake costs only its line. What files include and generate is bounded for the zone as a whole.
//! Not here: whether the records make a zone (`zone::Zone::new`), reading files ([`Files`]).

mod directive;
mod generate;
mod line;
#[cfg(test)]
mod tests;
mod written;

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use super::diagnostic::{Diagnostic, Diagnostics, Severity, Source};
use super::files::{Files, plain};
use crate::wire::name::{Name, ParseNameError};
use crate::wire::rdata::{RdataError, Token, logical_line};
use crate::zone::{Owner, Records, Ttl};
pub use written::Written;

/// The most octets in all files that a zone includes; a file counts as often as it is included.
const OCTETS_MAX: usize = 256 << 20;

/// The most records that all `$GENERATE` of a zone make: as many as two IPv4 /16 have addresses.
const GENERATED_MAX: usize = 1 << 17;

/// Reads a master file and the files that it includes. Appends its records in file order, and a
/// diagnostic for every mistake; records beside mistakes are read all the same. Stops once
/// `diagnostics` is full: the file is then hardly a master file. Returns the places of the records.
///
/// A record without a TTL takes that of `$TTL`, otherwise the last one written, otherwise
/// `default_ttl`, otherwise the negative TTL of the SOA. What an included file sets by `$ORIGIN`,
/// `$TTL` and owners ends with it.
pub fn parse(
    source: &Arc<Source>,
    origin: &Name,
    default_ttl: Option<Ttl>,
    files: &dyn Files,
    records: &mut Records,
    diagnostics: &mut Diagnostics,
) -> Written {
    let written = Written::from(records.len(), source.text.len());
    let mut reader = Reader {
        files,
        default_ttl,
        soa_ttl: None,
        open: Vec::new(),
        octets_left: OCTETS_MAX,
        generated_left: GENERATED_MAX,
        records,
        written,
        diagnostics,
        name: Vec::new(),
        rdata: Vec::new(),
    };
    reader.file(Context::new(Arc::clone(source), origin.clone()));
    reader.written
}

/// The state that a file and the files it includes share.
struct Reader<'a> {
    files: &'a dyn Files,
    default_ttl: Option<Ttl>,
    /// The negative TTL of the SOA, once it has been read.
    soa_ttl: Option<Ttl>,
    /// The plain paths of the files being read, each included by the one before.
    open: Vec<PathBuf>,
    /// The octets that files may still include.
    octets_left: usize,
    /// The records that `$GENERATE` may still make.
    generated_left: usize,
    records: &'a mut Records,
    written: Written,
    diagnostics: &'a mut Diagnostics,
    /// The owner being read, in wire format; kept to reuse its memory.
    name: Vec<u8>,
    /// The RDATA being read; kept to reuse its memory.
    rdata: Vec<u8>,
}

/// The state that the lines of a file read so far leave for the next one.
#[derive(Clone)]
struct Context {
    source: Arc<Source>,
    origin: Name,
    /// The owner of a line that starts with a space.
    owner: Option<Owner>,
    /// The TTL of `$TTL`.
    default_ttl: Option<Ttl>,
    /// The last TTL that a record stated.
    last_ttl: Option<Ttl>,
}

/// A mistake in a line: the message, the place in the file, and a hint.
struct Mistake {
    error: RdataError,
    help: Option<String>,
}

impl Mistake {
    fn new(at: Range<usize>, message: impl Into<String>) -> Self {
        Self { error: RdataError { at, message: message.into() }, help: None }
    }

    fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }
}

impl From<RdataError> for Mistake {
    fn from(error: RdataError) -> Self {
        Self { error, help: None }
    }
}

impl Context {
    fn new(source: Arc<Source>, origin: Name) -> Self {
        Self { source, origin, owner: None, default_ttl: None, last_ttl: None }
    }

    /// Reads a name that is relative to the origin.
    fn name(&self, word: &Token<'_>, what: &str) -> Result<Name, Mistake> {
        Name::parse(word.text, Some(&self.origin)).map_err(|error| no_name(word, what, error))
    }
}

fn no_name(word: &Token<'_>, what: &str, error: ParseNameError) -> Mistake {
    Mistake::new(word.span.clone(), format!("expected {what}, found {error}"))
}

impl Reader<'_> {
    /// Reads one file to its end.
    fn file(&mut self, mut context: Context) {
        let source = Arc::clone(&context.source);
        let text = source.text.as_str();
        if u32::try_from(text.len()).is_err() {
            let mistake = Mistake::new(0..0, "this file is larger than 4 GiB");
            return self.report(&source, mistake);
        }
        self.open.push(plain(&source.path));
        let mut at = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        let mut words = Vec::new();
        while at < text.len() && !self.diagnostics.is_full() {
            words.clear();
            let start = at;
            match logical_line(text, start, &mut words) {
                Ok(next) => {
                    at = next;
                    if let Err(mistake) = self.line(&mut context, start, &words) {
                        self.report(&source, mistake);
                    }
                }
                Err((error, next)) => {
                    at = next;
                    self.report(&source, error.into());
                    // Lines that repeat this owner must not be reported as well.
                    context.owner = context.owner.or(self.records.owner(&context.origin).ok());
                }
            }
        }
        self.open.pop();
    }

    /// Reports a warning: the line is read all the same.
    fn warn(&mut self, source: &Arc<Source>, at: Range<usize>, (message, help): (String, String)) {
        let mut found = Diagnostic::new(Severity::Warning, message, Arc::clone(source), at);
        found.help = Some(help);
        self.diagnostics.push(found);
    }

    fn report(&mut self, source: &Arc<Source>, Mistake { error, help }: Mistake) {
        self.diagnostics.push(Diagnostic {
            severity: Severity::Error,
            message: error.message,
            place: Some((Arc::clone(source), error.at)),
            label: String::new(),
            help,
            background: String::new(),
        });
        if self.diagnostics.is_full() {
            self.diagnostics.end_reading();
        }
    }
}
