//! The log: the server's messages on standard error, for people and for programs.
//!
//! ```text
//! event ─ text::Text | json::Json ─▶ Queue ─ log thread ─▶ standard error
//! ```
//!
//! `cli::serve` starts the one [`Log`] of a process, before the server, and drops it last;
//! everything else logs through `tracing`. Only the thread of the log writes to standard error. So
//! an output that nothing reads, or that fails, delays no other thread.
//!
//! A message is a complete sentence: a text line holds nothing else. The fields of an event are for
//! programs: numbers are numbers, with the unit in their name (`held_ms`). Two names are special:
//! `text` is the message for people if it has several lines, and `json.NAME` is the field NAME with
//! a value that is JSON already.

mod json;
mod queue;
mod text;

use std::backtrace::{Backtrace, BacktraceStatus};
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::panic;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;

use crate::config::{LogConfig, LogFormat};
use json::Json;
use queue::{Lines, Queue};
use text::Text;

/// The longest time that the end of the log waits for the remaining lines.
const FLUSH_MAX: Duration = Duration::from_millis(250);

/// Libraries that write a line for each query, or for each client that breaks off.
const QUIET: [&str; 8] =
    ["h2", "h3", "h3_quinn", "hyper", "hyper_util", "quinn", "quinn_proto", "rustls"];

/// The verifier's own errors, one for each probe of an invalid certificate, are switched off: the
/// reason of the turn tells it once.
const SILENT: &str = "rustls_platform_verifier=off,";

/// The words at the start of a panic's message.
const FAULT: &str = "a fault inside waypost, please report it";

/// The log of this process. Dropping it writes the queued lines, for at most 250 ms.
#[derive(Debug)]
pub struct Log {
    queue: Arc<Queue>,
    format: LogFormat,
    /// A channel that is disconnected once the log thread has ended.
    ended: mpsc::Receiver<()>,
}

impl Log {
    /// Starts the log on standard error. `RUST_LOG` overrides the configured level, but a library
    /// is loud only if `RUST_LOG` names it. Panics become lines, too.
    ///
    /// # Errors
    /// The system has no thread or descriptor left.
    pub fn start(config: &LogConfig) -> io::Result<Self> {
        let (color, format) = (is_colored(&io::stderr()), config.format);
        // A separate descriptor: standard error has a lock, which a hanging write would hold.
        let out = File::from(io::stderr().as_fd().try_clone_to_owned()?);
        let queue = Arc::new(Queue::default());
        let (alive, ended) = mpsc::channel();
        let writer = Arc::clone(&queue);
        std::thread::Builder::new().name("log".into()).spawn(move || {
            let _alive: mpsc::Sender<()> = alive;
            writer.write_to(out, |dropped| match format {
                LogFormat::Text => Text { color }.dropped(dropped),
                LogFormat::Json => json::dropped(dropped),
            });
        })?;
        let lines = tracing_subscriber::fmt()
            .with_writer(Lines(Arc::clone(&queue)))
            .with_env_filter(filter(config.level));
        match format {
            LogFormat::Text => lines.event_format(Text { color }).init(),
            LogFormat::Json => lines.event_format(Json).init(),
        }
        log_panics();
        Ok(Self { queue, format, ended })
    }

    /// Writes the reason for which the server does not start: `text` for people, or by `event` for
    /// programs.
    pub fn refuse(&self, text: &str, event: impl FnOnce()) {
        match self.format {
            LogFormat::Text => self.queue.push(text.as_bytes()),
            LogFormat::Json => event(),
        }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.queue.end();
        // If standard error takes nothing, the queued lines are lost with the process.
        let _ = self.ended.recv_timeout(FLUSH_MAX);
    }
}

/// Returns whether words may be coloured: only on a terminal that is capable, and only if
/// `NO_COLOR` (no-color.org) is not set.
pub fn is_colored(out: &impl IsTerminal) -> bool {
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    out.is_terminal() && !is_set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|t| t != "dumb")
}

/// Returns `text` with the words `up` and `down` in colour.
pub fn colored(text: &str) -> String {
    let mut colored = String::new();
    // Never fails: a String grows.
    let _ = Text { color: true }.states(&mut Writer::new(&mut colored), text);
    colored
}

fn filter(level: tracing::Level) -> EnvFilter {
    let quiet = QUIET.map(|library| format!("{library}=error,")).concat() + SILENT;
    let wanted = std::env::var(EnvFilter::DEFAULT_ENV).ok();
    let wanted = wanted.and_then(|wanted| EnvFilter::try_new(format!("{quiet}{wanted}")).ok());
    wanted.unwrap_or_else(|| EnvFilter::new(format!("{quiet}{level}")))
}

/// Returns the sentence about lines that were dropped.
fn dropped_text(dropped: u64) -> String {
    match dropped {
        1 => "1 line was dropped: standard error did not take it in time".to_owned(),
        _ => format!("{dropped} lines were dropped: standard error did not take them in time"),
    }
}

/// Makes each panic one line of the log: the standard library would write to standard error itself.
fn log_panics() {
    panic::set_hook(Box::new(|panic| {
        let payload = panic.payload();
        let text = payload.downcast_ref::<&str>().copied();
        let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        let text = text.unwrap_or("no message");
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let backtrace = Backtrace::capture();
        let backtrace = match backtrace.status() {
            BacktraceStatus::Captured => format!("\n{backtrace}"),
            _ => String::new(),
        };
        tracing::error!(
            place,
            text = format!("{FAULT}: {text}, at {place}{backtrace}"),
            "{FAULT}: {text}"
        );
    }));
}

impl Write for &Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::{Mutex, OnceLock};

    use tracing::Dispatch;
    use tracing_subscriber::fmt::FormatEvent;
    use tracing_subscriber::fmt::format::DefaultFields;
    use tracing_subscriber::registry::Registry;

    use super::*;

    /// Returns the lines that `format` makes of the events of `act`.
    pub(super) fn lines<F>(format: F, act: impl FnOnce()) -> String
    where
        F: FormatEvent<Registry, DefaultFields> + Send + Sync + 'static,
    {
        // With only one subscriber, tracing asks the first thread that reaches an event whether it
        // is wanted, for all threads. That thread may belong to another test.
        static OTHER: OnceLock<Dispatch> = OnceLock::new();
        OTHER.get_or_init(|| Dispatch::new(Registry::default()));
        let written = Arc::new(Mutex::new(Vec::new()));
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_writer(Shared(Arc::clone(&written)))
            .event_format(format)
            .finish();
        tracing::subscriber::with_default(subscriber, act);
        let written = written.lock().unwrap().clone();
        String::from_utf8(written).unwrap()
    }

    /// Returns the text lines of the events of `act`.
    pub(crate) fn text(act: impl FnOnce()) -> String {
        lines(Text { color: false }, act)
    }

    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl<'a> tracing_subscriber::fmt::MakeWriter<'a> for Shared {
        type Writer = &'a Self;

        fn make_writer(&'a self) -> &'a Self {
            self
        }
    }

    impl Write for &Shared {
        fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(octets)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
}
