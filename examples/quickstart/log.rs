//! Keeps the server's log lines about health, to be shown at the right moment.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use tracing::field::{Field, Visit};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

/// The lines since they were last taken.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    /// Starts keeping what this process logs about health.
    pub(crate) fn start() -> Self {
        let log = Self::default();
        tracing_subscriber::registry().with(Keep(log.clone())).init();
        log
    }

    /// The lines, oldest first; they are gone from here then.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

struct Keep(Log);

impl<S: tracing::Subscriber> Layer<S> for Keep {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == "waypost::health" {
            let mut line = Line(String::new());
            event.record(&mut line);
            let mut lines = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
            lines.push(format!("{} {}", event.metadata().level(), line.0));
        }
    }
}

/// The message of an event without its other fields.
struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}
