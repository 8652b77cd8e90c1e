//! Log lines for people: a time, a level and a sentence.

use std::fmt::{self, Write};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// The target of lines about states; their state words are coloured.
const HEALTH: &str = "waypost::health";

const PLAIN: &str = "\x1b[0m";
const RED: &str = "\x1b[31m";
const GREEN: &str = "\x1b[32m";
const YELLOW: &str = "\x1b[33m";
const DIM: &str = "\x1b[2m";

/// Writes events as lines of text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Text {
    /// Whether words may be coloured.
    pub(super) color: bool,
}

impl Text {
    /// Returns a line that tells how many lines before it are missing.
    pub(super) fn dropped(self, dropped: u64) -> String {
        let mut line = String::new();
        // A write to a String never fails.
        let _ = self.begin(&mut Writer::new(&mut line), Level::WARN);
        line + &super::dropped_text(dropped) + "\n"
    }

    fn begin(self, writer: &mut Writer<'_>, level: Level) -> fmt::Result {
        self.colored(writer, DIM, |writer| SystemTime.format_time(writer))?;
        let color = match level {
            Level::ERROR => RED,
            Level::WARN => YELLOW,
            Level::INFO => GREEN,
            _ => DIM,
        };
        writer.write_char(' ')?;
        self.colored(writer, color, |writer| write!(writer, "{level:>5}"))?;
        writer.write_char(' ')
    }

    fn colored(
        self,
        writer: &mut Writer<'_>,
        color: &str,
        write: impl FnOnce(&mut Writer<'_>) -> fmt::Result,
    ) -> fmt::Result {
        if !self.color {
            return write(writer);
        }
        writer.write_str(color)?;
        write(writer)?;
        writer.write_str(PLAIN)
    }

    /// Writes a sentence about states, with the words `up` and `down` in colour.
    pub(super) fn states(self, writer: &mut Writer<'_>, sentence: &str) -> fmt::Result {
        for part in sentence.split_inclusive([' ', '\n']) {
            let word = part.trim_end_matches([' ', '\n', ':', ',', ';', ')']);
            let color = match word {
                "up" => GREEN,
                "down" => RED,
                _ => {
                    writer.write_str(part)?;
                    continue;
                }
            };
            self.colored(writer, color, |writer| writer.write_str(word))?;
            writer.write_str(part.get(word.len()..).unwrap_or_default())?;
        }
        Ok(())
    }
}

impl<S, N> FormatEvent<S, N> for Text
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
        let (level, target) = (*event.metadata().level(), event.metadata().target());
        let mut said = EventFields::default();
        event.record(&mut said);
        self.begin(&mut writer, level)?;
        let is_ours = target.starts_with("waypost");
        if !is_ours {
            write!(writer, "{target}: ")?;
        }
        match said.text {
            // The level is already in the line.
            Some(text) => {
                let text = text.trim_end();
                let rest = ["error: ", "warning: "].iter().find_map(|word| text.strip_prefix(word));
                writer.write_str(rest.unwrap_or(text))?;
            }
            None if self.color && target == HEALTH => self.states(&mut writer, &said.message)?,
            None => writer.write_str(&said.message)?,
        }
        // Our own sentences are complete without the fields; those of libraries and for developers
        // are not.
        if !is_ours || level > Level::INFO {
            writer.write_str(&said.fields)?;
        }
        writeln!(writer)
    }
}

/// The message and the fields of an event.
#[derive(Default)]
struct EventFields {
    message: String,
    text: Option<String>,
    /// The fields as ` name=value`.
    fields: String,
}

impl Visit for EventFields {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "text" => self.text = Some(escaped(value, true)),
            "message" => self.message = escaped(value, false),
            _ => self.record_debug(field, &format_args!("{value}")),
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let value = format!("{value:?}");
        match field.name() {
            "text" => self.text = Some(escaped(&value, true)),
            "message" => self.message = escaped(&value, false),
            // The fields of the `log` crate tell the origin, as the target does.
            name if name.starts_with("log.") => {}
            name => {
                // A write to a String never fails.
                let _ = write!(self.fields, " {name}={}", escaped(&value, false));
            }
        }
    }
}

/// Escapes the characters of `text` that would move the cursor, colour the text after them, or
/// begin a forged line. If `has_lines`, line feeds stay.
fn escaped(text: &str, has_lines: bool) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' if has_lines => escaped.push(c),
            c if c.is_control() => escaped.extend(c.escape_default()),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::super::tests::lines;
    use super::*;

    #[test]
    fn a_line_is_a_sentence_and_fields_are_for_programs() {
        let written = lines(Text { color: false }, || {
            tracing::info!(target: "waypost::health", held_ms = 5, "web is up: it answers");
            tracing::debug!(target: "waypost::checker", took_ms = 5, "probed");
            tracing::warn!(target: "library", number = 7, "complains");
            tracing::error!(target: "waypost::config", text = "error: bad\n --> at 1", "bad");
            tracing::error!(target: "waypost::config", "forged\n2026 \x1b[2J");
        });
        let without_time: Vec<&str> = written
            .lines()
            .map(|line| line.split_once("Z ").map_or(line, |(_, rest)| rest))
            .collect();
        assert_eq!(
            without_time,
            [
                " INFO web is up: it answers",
                "DEBUG probed took_ms=5",
                " WARN library: complains number=7",
                "ERROR bad",
                " --> at 1",
                "ERROR forged\\n2026 \\u{1b}[2J",
            ]
        );
    }

    #[test]
    fn states_are_coloured_and_names_are_not() {
        let written = lines(Text { color: true }, || {
            tracing::warn!(target: "waypost::health", "down/up is down: it hangs (was up for 3s)");
        });
        let rest = written.split_once("down/up").unwrap().1;
        let expected = format!(" is {RED}down{PLAIN}: it hangs (was {GREEN}up{PLAIN} for 3s)\n");
        assert_eq!(rest, expected);
    }
}
