//! The `latencies` file: comma-separated values, each line a network, a pool and milliseconds.

use std::collections::HashSet;
use std::net::IpAddr;
use std::ops::Range;
use std::sync::Arc;

use ipnet::IpNet;

use super::Builder;
use crate::config::decode::{Spanned, one_of};
use crate::config::diagnostic::{Diagnostic, Severity, Source};
use crate::wire::excerpt::excerpt;
use crate::zone::{Latencies, Latency, PoolIndex};

/// The longest latency, in milliseconds.
const MILLIS_MAX: f64 = 60_000.0;

/// The header that the first line may hold instead of values.
const HEADER: [&str; 3] = ["prefix", "pool", "ms"];

/// A field and its byte range in the file.
type Field<'t> = (&'t str, Range<usize>);

impl Builder<'_> {
    /// Reads the file that `path` names, for a service whose pools are called `pools`.
    pub(super) fn latencies(
        &mut self,
        path: &Spanned<String>,
        pools: &[&str],
    ) -> Option<Arc<Latencies>> {
        let source = self.beside(path)?;
        let written = HashSet::new();
        let mut reading = Reading { pools, rows: Vec::new(), written, has_begun: false };
        // Spreadsheets put a byte order mark in front.
        let text = source.text.trim_start_matches('\u{feff}');
        let (mut start, mut is_sound) = (source.text.len() - text.len(), true);
        for line in text.split_inclusive('\n') {
            let result = reading.line(line, start);
            start += line.len();
            let Err(mistake) = result else { continue };
            is_sound = false;
            self.decoder.diagnostics.push(mistake.into_diagnostic(&source));
            if self.decoder.diagnostics.is_full() {
                self.decoder.diagnostics.end_reading();
                break;
            }
        }
        is_sound.then(|| Arc::new(Latencies::new(reading.rows)))
    }
}

/// A latencies file that is being read.
struct Reading<'a> {
    pools: &'a [&'a str],
    rows: Vec<Latency>,
    /// The networks and pools that have a latency already.
    written: HashSet<(IpNet, PoolIndex)>,
    /// Whether a line with fields has been read.
    has_begun: bool,
}

/// A mistake in a line: the message, the place, and a hint.
struct Mistake {
    message: String,
    at: Range<usize>,
    help: Option<String>,
}

impl Mistake {
    fn new(message: impl Into<String>, at: &Range<usize>, help: Option<String>) -> Self {
        Self { message: message.into(), at: at.clone(), help }
    }

    fn into_diagnostic(self, source: &Arc<Source>) -> Diagnostic {
        let Self { message, at, help } = self;
        Diagnostic { help, ..Diagnostic::new(Severity::Error, message, Arc::clone(source), at) }
    }
}

impl Reading<'_> {
    /// Reads one line, which starts at the offset `start` of the file.
    fn line(&mut self, line: &str, start: usize) -> Result<(), Mistake> {
        let text = line.split('#').next().unwrap_or_default();
        if text.trim().is_empty() {
            return Ok(());
        }
        let fields = fields(text, start);
        let is_first = !std::mem::replace(&mut self.has_begun, true);
        if is_first && fields.iter().map(|(field, _)| *field).eq(HEADER) {
            return Ok(());
        }
        let [net, pool, millis] = &fields[..] else {
            let end = start + text.trim_end().len();
            let message = format!("expected three fields, found {}", fields.len());
            let help = "write PREFIX,POOL,MILLISECONDS, such as 198.51.100.0/24,eu,12.5";
            return Err(Mistake::new(message, &(start..end), Some(help.to_owned())));
        };
        let net = network(net)?;
        let (name, at) = pool;
        let Some(pool) = self.pools.iter().position(|known| known == name) else {
            let help = one_of(name, "known pools", self.pools.iter().copied());
            return Err(Mistake::new(format!("unknown pool `{}`", excerpt(name)), at, help));
        };
        let pool = PoolIndex(pool as u16);
        let micros = micros(millis)?;
        if !self.written.insert((net, pool)) {
            let message = format!("the latency from {net} to `{name}` is given twice");
            return Err(Mistake::new(message, at, Some("leave one of the two".to_owned())));
        }
        self.rows.push(Latency { net, pool, micros });
        Ok(())
    }
}

/// Returns the fields of a line, without the spaces around them.
fn fields(text: &str, start: usize) -> Vec<Field<'_>> {
    let mut at = start;
    let field = |written: &'_ str| {
        let begin = at + (written.len() - written.trim_start().len());
        at += written.len() + 1;
        begin..begin + written.trim().len()
    };
    let spans: Vec<Range<usize>> = text.split(',').map(field).collect();
    text.split(',').map(str::trim).zip(spans).collect()
}

fn network((text, at): &Field<'_>) -> Result<IpNet, Mistake> {
    let single = || text.parse::<IpAddr>().ok().map(IpNet::from);
    let Some(net) = text.parse::<IpNet>().ok().or_else(single) else {
        let help = Some("such as 198.51.100.0/24".to_owned());
        return Err(Mistake::new(
            format!("expected a network, found \"{}\"", excerpt(text)),
            at,
            help,
        ));
    };
    if net.trunc() != net {
        let message = format!("the network {net} has bits set after its prefix");
        return Err(Mistake::new(message, at, Some(format!("did you mean {}?", net.trunc()))));
    }
    Ok(net)
}

fn micros((text, at): &Field<'_>) -> Result<u32, Mistake> {
    let millis = text.parse::<f64>().ok().filter(|millis| (0.0..=MILLIS_MAX).contains(millis));
    millis.map(|millis| (millis * 1000.0).round() as u32).ok_or_else(|| {
        let text = excerpt(text);
        let message = format!("expected milliseconds from 0 to {MILLIS_MAX}, found \"{text}\"");
        Mistake::new(message, at, None)
    })
}
