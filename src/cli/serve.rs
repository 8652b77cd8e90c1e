//! `waypost serve`: the server in the foreground.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::info;

use super::{Failed, load_config};
use crate::config::{LogConfig, LogFormat, ServerConfig};
use crate::server::{Server, StartError};

/// Arguments of `waypost serve`. Each overrides its key in waypost.toml.
#[derive(Args)]
pub(super) struct Serve {
    /// The zone directory [default: zones]
    #[arg(long, value_name = "DIR")]
    zones: Option<PathBuf>,
    /// The server's own settings [default: waypost.toml, if it is there]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// An address to answer on, over UDP and TCP; may be given several times
    /// [default: 127.0.0.1:5300]
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Vec<SocketAddr>,
    /// Threads that answer UDP, for each address [default: one a core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    workers: Option<u16>,
}

impl Serve {
    /// Serves until SIGTERM or SIGINT.
    pub(super) fn run(self) -> Result<(), Failed> {
        let config = self.config()?;
        start_log(&config.log);
        let cannot_listen = |error| {
            eprintln!("error: cannot listen for signals: {error}");
            Failed
        };
        let mut signals = Signals::listen().map_err(cannot_listen)?;
        let Some(started) = signals.start(config) else { return Ok(()) };
        let server = started.map_err(|error| {
            match error {
                StartError::Zones(diagnostics) => super::print_diagnostics(&diagnostics),
                other => eprintln!("error: {other}"),
            }
            Failed
        })?;
        // Not before the signals are for this server: one that comes earlier breaks the start off.
        server.announce();
        signals.wait(&server);
        let outcomes = server.outcomes();
        server.stop();
        let answered: u64 = outcomes.iter().map(|(_, count)| count).sum();
        let seen = outcomes.iter().filter(|(_, count)| *count > 0);
        let outcomes: Vec<String> = seen.map(|(name, count)| format!("{name}={count}")).collect();
        info!(queries = answered, outcomes = outcomes.join(" "), "stopped");
        Ok(())
    }

    fn config(&self) -> Result<ServerConfig, Failed> {
        let mut config = load_config(self.config.as_ref())?;
        if let Some(zones) = &self.zones {
            config.zones.clone_from(zones);
        }
        if !self.listen.is_empty() {
            config.listen.clone_from(&self.listen);
        }
        if let Some(workers) = self.workers {
            config.workers = usize::from(workers);
        }
        Ok(config)
    }
}

/// The signals that steer the server, caught from before it starts.
struct Signals {
    runtime: Runtime,
    hangup: Signal,
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_io().build()?;
        let inside = runtime.enter();
        let hangup = signal(SignalKind::hangup())?;
        let terminate = signal(SignalKind::terminate())?;
        let interrupt = signal(SignalKind::interrupt())?;
        drop(inside);
        Ok(Self { runtime, hangup, terminate, interrupt })
    }

    /// Starts the server, which may take its time over first verdicts; `None` if SIGTERM or
    /// SIGINT came first.
    fn start(&mut self, config: ServerConfig) -> Option<Result<Server, StartError>> {
        let Self { runtime, terminate, interrupt, .. } = self;
        let (done, mut started) = tokio::sync::oneshot::channel();
        // Where nobody waits for it any more, the program ends.
        std::thread::spawn(move || drop(done.send(Server::start(config))));
        let broke_off = |_| Err(StartError::System(io::Error::other("the start broke off")));
        // `started` is dropped out here: a server cannot be stopped inside a runtime.
        runtime.block_on(async {
            tokio::select! {
                started = &mut started => Some(started.unwrap_or_else(broke_off)),
                _ = terminate.recv() => None,
                _ = interrupt.recv() => None,
            }
        })
    }

    /// Reloads at each SIGHUP; returns at SIGTERM or SIGINT.
    fn wait(self, server: &Server) {
        let Self { runtime, mut hangup, mut terminate, mut interrupt } = self;
        runtime.block_on(async {
            loop {
                tokio::select! {
                    _ = hangup.recv() => server.reload(),
                    _ = terminate.recv() => break,
                    _ = interrupt.recv() => break,
                }
            }
        });
        info!("stopping");
    }
}

/// Libraries that write lines for each query, or for each client that breaks off.
const QUIET: [&str; 8] = [
    "h2",
    "h3",
    "hickory_net",
    "hickory_proto",
    "hickory_server",
    "quinn",
    "quinn_proto",
    "rustls",
];

/// At each probe of a certificate that is not valid this says so as an error of its own; the reason
/// of the turn says it once.
const SILENT: &str = "rustls_platform_verifier=off,";

/// Starts the log on standard error. `RUST_LOG` overrides the configured level; a library is loud
/// only if it says so by name.
fn start_log(log: &LogConfig) {
    let quiet = QUIET.map(|library| format!("{library}=error,")).concat() + SILENT;
    let level = log.level.to_string();
    let wished = std::env::var(tracing_subscriber::EnvFilter::DEFAULT_ENV).ok();
    let filter = wished
        .and_then(|wished| tracing_subscriber::EnvFilter::try_new(format!("{quiet}{wished}")).ok())
        .unwrap_or_else(|| tracing_subscriber::EnvFilter::new(format!("{quiet}{level}")));
    let lines = tracing_subscriber::fmt().with_writer(io::stderr).with_env_filter(filter);
    match log.format {
        LogFormat::Json => lines.json().flatten_event(true).init(),
        LogFormat::Text => {
            lines.with_ansi(io::IsTerminal::is_terminal(&io::stderr())).init();
        }
    }
}
