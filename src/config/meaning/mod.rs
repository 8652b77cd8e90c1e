//! From the structs of a zone file to a [`Zone`]: the meaning of the values together.
//!
//! ```text
//! ZoneFile ┬ checks ────────┐
//!          ├ services ─ endpoints, routes ─▶ Service ┐
//!          └ records, nameservers, soa ──────────────┴▶ Zone::new ─ Conflict ─▶ Diagnostic
//! ```
//!
//! This module finds names that stand for two things or for nothing. It notes the text of each
//! owner in [`Claims`], so that a conflict points at its text.

mod check;
mod claims;
mod compose;
mod endpoint;
mod kind;
mod latencies;
mod line;
mod nest;
mod own;
mod reach;
mod records;
mod route;
mod service;
mod soa;
mod test;

use std::sync::Arc;

use super::decode::{Decoder, Period, Spanned};
use super::diagnostic::{Diagnostics, Source};
use super::files::{Files, locate};
use super::load::{Allowed, Recorded};
use super::master::{self, Written};
use super::spec::network::networks;
use super::spec::zone::ZoneFile;
use super::words::stray_at;
use crate::wire::name::Name;
use crate::zone::{Clients, Records, Service, Ttl, Zone};

use claims::Claims;
pub(crate) use claims::report_master;

/// The longest TTL (RFC 2181 §8).
const TTL_MAX: Period = Period::secs(Ttl::MAX.as_secs() as u64);

/// A zone that is being built.
struct Builder<'a> {
    files: &'a Recorded<'a>,
    allowed: &'a Allowed,
    decoder: Decoder,
    /// The apex; the root if the file does not state it correctly.
    origin: Name,
    /// The TTL of static records that have none of their own.
    ttl: Ttl,
    claims: Claims,
    checks: check::Checks,
    records: Records,
    /// The nestings that wait until all services are built.
    nests: Vec<nest::Nest>,
    /// The endpoints that get their guards after all services are built.
    waiting: Vec<compose::Waiting>,
}

/// Builds the zone that `file` describes; `None` if there are errors.
pub(crate) fn zone<'a>(
    mut file: ZoneFile,
    decoder: Decoder,
    files: &'a Recorded<'a>,
    allowed: &'a Allowed,
) -> (Option<Zone>, Diagnostics) {
    let mut decoder = decoder;
    let origin = file.zone.as_ref().and_then(|zone| absolute(zone, &mut decoder));
    let sure = origin.is_some();
    let len = decoder.source.text.len();
    let mut builder = Builder {
        files,
        allowed,
        decoder,
        origin: origin.unwrap_or_else(Name::root),
        ttl: Ttl::MAX,
        claims: Claims::default(),
        checks: check::Checks::default(),
        records: Records::from_text_of(len),
        nests: Vec::new(),
        waiting: Vec::new(),
    };
    builder.ttl = builder.whole_seconds(&file.ttl, TTL_MAX);
    builder.checks(file.checks.as_ref());
    // Each service is dropped as soon as it is built: together they take more memory than
    // everything else.
    let written = file.services.take().map_or(Vec::new(), |services| services.value.0);
    let mut services: Vec<Service> = written
        .into_iter()
        .filter_map(|(key, service)| builder.service(&key, &service.value))
        .collect();
    builder.guard_waiting(&mut services);
    builder.nest(&mut services);
    let written = builder.static_data(&file);
    builder.unused_checks();
    let tests = builder.tests(file.tests.as_ref(), &services);
    let Builder { mut decoder, origin, records, claims, .. } = builder;
    if !sure {
        return (None, decoder.diagnostics);
    }
    let (zone, conflicts) = match Zone::new(origin, records, services) {
        Ok(mut zone) => {
            let warnings = zone.take_warnings();
            (Some(zone.with_clients(clients(&file)).with_tests(tests)), warnings)
        }
        Err(rejected) => (None, rejected.conflicts),
    };
    claims.report(conflicts, &written, &file, &mut decoder);
    (zone.filter(|_| !decoder.has_errors()), decoder.diagnostics)
}

/// Returns the clients that may ask, and the resolvers whose client subnets count.
fn clients(file: &ZoneFile) -> Clients {
    let clients = file.clients.as_ref().map(|clients| &clients.value);
    Clients {
        allow: networks(clients.and_then(|clients| clients.allow.as_ref())),
        deny: networks(clients.and_then(|clients| clients.deny.as_ref())),
        subnets: file.client_subnet.value.networks(),
    }
}

/// Reads a name that is absolute with or without its final dot.
fn absolute(text: &Spanned<String>, decoder: &mut Decoder) -> Option<Name> {
    let name = match text.value.as_str() {
        "@" => Err("a name is expected here, but `@` stands for one".to_owned()),
        value => Name::parse(value, Some(&Name::root())).map_err(|error| error.to_string()),
    };
    name.map_err(|message| decoder.error(&text.span, message)).ok()
}

impl Builder<'_> {
    /// Reads a name relative to `origin`, which must be in the zone.
    fn name(&mut self, text: &Spanned<String>, origin: &Name) -> Option<Name> {
        let name = self.any_name(text, origin)?;
        if name.is_at_or_below(&self.origin) {
            return Some(name);
        }
        let message = format!("the name {name} lies outside the zone {}", self.origin);
        let help = "a name with a final dot is absolute; without it, it is relative to the zone";
        self.decoder.error(&text.span, message).help = Some(help.to_owned());
        None
    }

    /// Reads a name relative to `origin`.
    fn any_name(&mut self, text: &Spanned<String>, origin: &Name) -> Option<Name> {
        if let Some((message, help)) = stray_at(&text.value) {
            self.decoder.warning(&text.span, message).help = Some(help);
        }
        let name = Name::parse(&text.value, Some(origin));
        name.map_err(|error| self.decoder.error(&text.span, error.to_string())).ok()
    }

    /// Reads a period as seconds, from 0 up to `most`.
    fn whole_seconds(&mut self, period: &Spanned<Period>, most: Period) -> Ttl {
        let length = self.decoder.period(period, (Period::secs(0), most)).min(most.0);
        if length.subsec_nanos() != 0 {
            let message = format!("expected whole seconds, found {}", period.value);
            self.decoder.error(&period.span, message);
        }
        // No caller passes a `most` above `Ttl::MAX`.
        Ttl::from_secs(length.as_secs() as u32).unwrap_or(Ttl::MAX)
    }

    /// Reads the file that `path` names, relative to the zone file.
    fn beside(&mut self, path: &Spanned<String>) -> Option<Arc<Source>> {
        let from = Arc::clone(&self.decoder.source);
        let read = locate(self.files.root(), &from.path, &path.value).and_then(|path| {
            let failed = |failure| format!("cannot read {}: {failure}", path.display());
            self.files.read(&path).map_err(failed)
        });
        read.map_err(|message| self.decoder.error(&path.span, message)).ok()
    }

    /// Reads the records of `records_file`, and returns their places.
    fn master_file(&mut self, path: &Spanned<String>) -> Written {
        let Some(source) = self.beside(path) else { return Written::default() };
        let written = master::parse(
            &source,
            &self.origin,
            Some(self.ttl),
            self.files,
            &mut self.records,
            &mut self.decoder.diagnostics,
        );
        // Any error counts, even an earlier one: a record may be missing.
        self.claims.incomplete |= self.decoder.has_errors();
        written
    }
}
