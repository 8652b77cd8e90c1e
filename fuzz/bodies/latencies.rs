//! Tables of latencies.

use std::path::Path;
use std::sync::Arc;

use waypost::config::{Allowed, Files, Source, load_zone};
use waypost::snapshot::Zone;
use waypost::steering::RouteTables;

const ZONE: &str = r#"
zone = "example.com"
nameservers = ["ns1.example.net."]
[services.web]
latencies = "web.csv"
[services.web.pools]
a = { location = { lat = 50, lon = 8 }, endpoints = ["192.0.2.1"] }
b = { endpoints = ["192.0.2.2"] }
[[services.web.routes]]
to = { fastest = ["a", "b"] }
"#;

/// The zone, and a table beside it.
struct Given<'a>(&'a str);

impl Files for Given<'_> {
    fn root(&self) -> &Path {
        Path::new("zones")
    }

    fn read(&self, path: &Path) -> Result<Arc<Source>, String> {
        let is_table = path.extension().is_some_and(|extension| extension == "csv");
        let text = if is_table { self.0 } else { ZONE }.to_owned();
        Ok(Arc::new(Source::new(path, text, 0)))
    }
}

/// Reads any text as a table: the result is a zone, or mistakes that point into the text.
pub(crate) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let loaded = load_zone(Path::new("zones/example.com.toml"), &Given(text), &Allowed::default());
    assert_eq!(loaded.zone.is_some(), loaded.diagnostics.is_empty());
    for found in &loaded.diagnostics {
        let (source, span) = found.place.as_ref().expect("a place");
        assert_eq!(source.text, text);
        assert!(text.get(span.clone()).is_some(), "{span:?} of {}", text.len());
    }
    if let Some(zone) = loaded.zone {
        Zone::compile(zone, &mut RouteTables::default());
    }
}
