//! The lines of the server's log, as events of the demo.

use std::fmt;
use std::sync::Mutex;
use std::sync::mpsc::Sender;

use tracing::Level;
use tracing::field::{Field, Visit};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use super::Event;

/// Sends each line of Waypost's log, from level INFO on, as [`Event::Log`].
pub(super) fn send_log(events: Sender<Event>) {
    tracing_subscriber::registry().with(Lines(Mutex::new(events))).init();
}

struct Lines(Mutex<Sender<Event>>);

impl<S: tracing::Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        if *metadata.level() > Level::INFO || !metadata.target().starts_with("waypost") {
            return;
        }
        let mut text = Text(String::new());
        event.record(&mut text);
        if let Ok(events) = self.0.lock() {
            // After the end nothing reads the log.
            let _ = events.send(Event::Log(*metadata.level(), text.0));
        }
    }
}

/// The message of an event, without its fields.
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}
