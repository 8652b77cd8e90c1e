//! `waypost serve`: the server in the foreground.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::info;

use super::{Failed, load_config};
use crate::config::{ServerConfig, Severity};
use crate::observe::Log;
use crate::server::{Server, StartError, log_diagnostics};

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
        let log = Log::start(&config.log).map_err(|error| {
            eprintln!("error: cannot start the log: {error}");
            Failed
        })?;
        let mut signals = Signals::listen().map_err(|error| {
            refuse(&log, &format!("cannot listen for signals: {error}"));
            Failed
        })?;
        let Some(started) = signals.start(config) else { return Ok(()) };
        let server = started.map_err(|error| {
            match error {
                StartError::Zones(diagnostics) => {
                    let text = super::rendered(&diagnostics);
                    log.refuse(&text, || log_diagnostics(&diagnostics, Severity::Warning));
                }
                other => refuse(&log, &other.to_string()),
            }
            Failed
        })?;
        // Not before the signals are for this server: one that comes earlier breaks the start off.
        server.announce();
        signals.wait(&server);
        let outcomes = server.outcomes();
        server.stop();
        let answered: u64 = outcomes.iter().map(|(_, count)| count).sum();
        let seen = || outcomes.iter().filter(|(_, count)| *count > 0);
        let listed: Vec<String> = seen().map(|(name, count)| format!("{name} {count}")).collect();
        let listed =
            if listed.is_empty() { String::new() } else { format!(" ({})", listed.join(", ")) };
        let counts: Vec<String> =
            seen().map(|(name, count)| format!("\"{name}\":{count}")).collect();
        info!(
            queries = answered,
            json.outcomes = format_args!("{{{}}}", counts.join(",")),
            "stopped after {answered} queries{listed}"
        );
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

/// Says why the server does not start.
fn refuse(log: &Log, problem: &str) {
    log.refuse(&format!("error: {problem}\n"), || tracing::error!("{problem}"));
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
