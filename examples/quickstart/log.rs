//! The server's log lines about health, kept until the right moment to show them.

use std::fmt;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use tracing::field::{Field, Visit};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

/// The time to wait for lines: a state turns an instant before its line is written.
const PATIENCE: Duration = Duration::from_millis(500);

/// The lines logged since they were last taken.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<(Mutex<Vec<String>>, Condvar)>);

impl Log {
    /// Starts keeping what this process logs about health.
    pub(crate) fn start() -> Self {
        let log = Self::default();
        tracing_subscriber::registry().with(Keep(log.clone())).init();
        log
    }

    /// Takes the lines, oldest first, once there are `count`; after [`PATIENCE`] those there are.
    pub(crate) fn take(&self, count: usize) -> Vec<String> {
        let (lines, grown) = &*self.0;
        let lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = grown.wait_timeout_while(lines, PATIENCE, |lines| lines.len() < count);
        let (mut lines, _) = waited.unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut lines)
    }
}

struct Keep(Log);

impl<S: tracing::Subscriber> Layer<S> for Keep {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == "waypost::health" {
            let mut line = Line(String::new());
            event.record(&mut line);
            let (lines, grown) = &*self.0.0;
            let line = format!("{} {}", event.metadata().level(), line.0);
            lines.lock().unwrap_or_else(PoisonError::into_inner).push(line);
            grown.notify_all();
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
