//! Log lines for programs: one JSON object each.

use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// The prefix of the fields whose values are JSON.
const JSON: &str = "json.";

/// Writes events as objects: `timestamp`, `level`, `target`, `message`, then the fields.
#[derive(Clone, Copy, Debug)]
pub(super) struct Json;

impl<S, N> FormatEvent<S, N> for Json
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut said = EventFields::default();
        event.record(&mut said);
        let metadata = event.metadata();
        let (level, target) = (*metadata.level(), metadata.target());
        writeln!(writer, "{}", line(level, target, &said.message, &said.fields)?)
    }
}

/// Returns a line that tells how many lines before it are missing.
pub(super) fn dropped(dropped: u64) -> String {
    let message = super::dropped_text(dropped);
    let fields = Map::from_iter([("dropped".to_owned(), Value::from(dropped))]);
    line(Level::WARN, "waypost::observe", &message, &fields).unwrap_or_default() + "\n"
}

/// A line before it is written.
#[derive(Serialize)]
struct Line<'a> {
    timestamp: String,
    level: &'static str,
    target: &'a str,
    message: &'a str,
    #[serde(flatten)]
    fields: &'a Map<String, Value>,
}

/// Returns the object of one line, without its end.
fn line(
    level: Level,
    target: &str,
    message: &str,
    fields: &Map<String, Value>,
) -> Result<String, fmt::Error> {
    let mut timestamp = String::new();
    SystemTime.format_time(&mut Writer::new(&mut timestamp))?;
    let line = Line { timestamp, level: level.as_str(), target, message, fields };
    serde_json::to_string(&line).map_err(|_| fmt::Error)
}

/// The message and the fields of an event.
#[derive(Default)]
struct EventFields {
    message: String,
    fields: Map<String, Value>,
}

impl EventFields {
    fn add(&mut self, field: &Field, value: Value) {
        let name = field.name();
        let is_left_out =
            matches!(name, "text" | "timestamp" | "level" | "target") || name.starts_with("log.");
        if !is_left_out {
            self.fields.insert(name.to_owned(), value);
        }
    }
}

impl Visit for EventFields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, value.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => value.clone_into(&mut self.message),
            _ => self.add(field, value.into()),
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = format!("{value:?}");
        match field.name().strip_prefix(JSON) {
            Some(name) => {
                let value = serde_json::from_str(&text).unwrap_or(Value::String(text));
                self.fields.insert(name.to_owned(), value);
            }
            None if field.name() == "message" => self.message = text,
            None => self.add(field, text.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::lines;
    use super::*;

    #[test]
    fn numbers_are_numbers_and_objects_are_objects() {
        let written = lines(Json, || {
            let outcomes = r#"{"answered":3}"#;
            tracing::info!(
                target: "waypost::health",
                held_ms = 5u64, share = 0.5, is_up = true, why = "\"a\"\n", text = "for people",
                json.outcomes = %outcomes, "it is up"
            );
            tracing::info!(target: "waypost", "stopping");
        });
        let mut written = written.lines().map(|line| {
            let mut value: Value = serde_json::from_str(line).unwrap();
            let time = value["timestamp"].take();
            assert!(time.as_str().is_some_and(|time| time.ends_with('Z')), "{time}");
            value
        });
        let expected = serde_json::json!({
            "timestamp": null, "level": "INFO", "target": "waypost::health", "message": "it is up",
            "held_ms": 5, "share": 0.5, "is_up": true, "why": "\"a\"\n",
            "outcomes": { "answered": 3 },
        });
        assert_eq!(written.next(), Some(expected));
        let expected = serde_json::json!({
            "timestamp": null, "level": "INFO", "target": "waypost", "message": "stopping",
        });
        assert_eq!(written.next(), Some(expected));
    }

    #[test]
    fn lines_that_are_missing_are_counted() {
        let value: Value = serde_json::from_str(&dropped(7)).unwrap();
        assert_eq!((&value["dropped"], &value["level"]), (&7.into(), &"WARN".into()));
    }
}
