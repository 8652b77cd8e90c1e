//! Zones that are given as text.

use std::path::Path;
use std::sync::Arc;

use waypost::answer::{Client, Outcome, Over, Responder};
use waypost::config::{Allowed, Files, Severity, Source, load_zone, render};
use waypost::snapshot::{Snapshot, Zone};
use waypost::steering::RouteTables;
use waypost::wire::kind::Type;
use waypost::wire::message::write_query;

/// One file; those that it may name are in [`BESIDE`].
struct Given<'a> {
    path: &'a str,
    text: &'a str,
}

/// The files that `include`, `records_file` and `latencies` may name.
const BESIDE: [(&str, &str); 2] = [
    ("zones/beside.zone", "ns2 A 192.0.2.54\n"),
    ("zones/beside.csv", "10.0.0.0/8,a,1\n10.0.0.0/8,b,2\n"),
];

impl Files for Given<'_> {
    fn root(&self) -> &Path {
        Path::new("zones")
    }

    fn read(&self, path: &Path) -> Result<Arc<Source>, String> {
        let path_text = path.to_str().unwrap_or_default();
        let mut files = [(self.path, self.text)].into_iter().chain(BESIDE);
        let Some((_, text)) = files.find(|(known, _)| *known == path_text) else {
            return Err("no such file".to_owned());
        };
        Ok(Arc::new(Source::new(path, text, 0)))
    }
}

/// Loads `text` as the file at `path`, and checks the outcome: a zone that answers, or errors. All
/// diagnostics point into their text, and are safe to print.
pub(crate) fn load(path: &str, text: &str) {
    let loaded = load_zone(
        Path::new(path),
        &Given { path, text },
        &Allowed { exec: true, reach: waypost::zone::Reach::everywhere(), ..Allowed::default() },
    );
    let is_error = |severity| severity == Severity::Error;
    let errors = loaded.diagnostics.iter().filter(|found| is_error(found.severity)).count();
    assert_eq!(loaded.zone.is_none(), errors > 0);
    for found in &loaded.diagnostics {
        if let Some((source, span)) = &found.place {
            assert!(source.text.get(span.clone()).is_some(), "{span:?} of {}", source.text.len());
        }
    }
    let rendered = render(&loaded.diagnostics, false);
    let unsafe_to_print = |c: char| c.is_control() && c != '\n';
    assert!(!rendered.contains(unsafe_to_print), "{rendered:?}");
    let Some(zone) = loaded.zone else { return };
    let query = write_query(1, zone.origin(), Type::SOA, 1232, None);
    let snapshot =
        Snapshot::new(1, vec![Arc::new(Zone::compile(zone, &mut RouteTables::default()))]);
    let mut responder = Responder::new(Arc::new(snapshot), 1);
    let client = Client { source: ([10, 0, 0, 1], 5353).into(), over: Over::Tcp };
    let outcome = responder.respond(&query, client, &mut vec![0; 65_535]);
    // Only `clients` may make the zone refuse a query for its SOA.
    assert!(matches!(outcome, Outcome::Answer(_) | Outcome::Refused(_)), "{outcome:?}");
}
