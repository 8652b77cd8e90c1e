//! `waypost serve`: the server in the foreground.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use tracing::info;

use super::Failed;
use super::settings::Settings;
use super::signals::Signals;
use crate::config::{Diagnostic, ServerConfig, parse_listen};
use crate::observe::Log;
use crate::server::{ReadSettings, Server, StartError, forbid_dumps, log_diagnostics};

/// Arguments of `waypost serve`. Each overrides its key in waypost.toml.
#[derive(Args)]
pub(super) struct Serve {
    /// The zone directory [default: that of waypost.toml, otherwise zones]
    #[arg(long, value_name = "DIR")]
    zones: Option<PathBuf>,
    /// The server's own settings [default: waypost.toml here, otherwise in /etc/waypost]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// An address to answer on over UDP and TCP, or :53 for port 53 of all addresses; may be given
    /// several times [default: those of waypost.toml, otherwise 127.0.0.1:5300]
    #[arg(long, value_name = "ADDR:PORT", value_parser = listen)]
    listen: Vec<Listen>,
    /// Threads that answer UDP, for each address [default: as waypost.toml says, otherwise one per
    /// core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    workers: Option<u16>,
}

/// The addresses that one `--listen` names.
#[derive(Clone)]
struct Listen(Vec<SocketAddr>);

fn listen(text: &str) -> Result<Listen, String> {
    parse_listen(text).map(Listen)
}

impl Serve {
    /// Serves until SIGTERM or SIGINT.
    pub(super) fn run(self) -> Result<(), Failed> {
        let config = Settings::read(self.config.as_ref()).into_config()?;
        let config = self.overridden(config);
        let log = Log::start(&config.log).map_err(|error| {
            eprintln!("error: cannot start the log: {error}");
            Failed
        })?;
        forbid_dumps();
        let mut signals = Signals::listen().map_err(|error| {
            refuse(&log, &format!("cannot listen for signals: {error}"));
            Failed
        })?;
        let read: ReadSettings = Box::new(move || self.read_again());
        let Some(started) = start(&mut signals, config, read) else { return Ok(()) };
        let server = started.map_err(|error| {
            match error {
                StartError::Zones(diagnostics) => {
                    let text = super::rendered(&diagnostics);
                    log.refuse(&text, || log_diagnostics(&diagnostics));
                }
                other => refuse(&log, &other.to_string()),
            }
            Failed
        })?;
        // Only now do the signals reach this server: an earlier one breaks off the start.
        server.announce();
        signals.wait(&server);
        info!("stopping");
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

    /// Reads the settings of the file as it is now, overridden as at the start.
    fn read_again(&self) -> Result<ServerConfig, Vec<Diagnostic>> {
        let Settings { config, diagnostics, .. } = Settings::read(self.config.as_ref());
        config.map(|config| self.overridden(config)).ok_or(diagnostics)
    }

    /// Returns `config`, overridden by flags and by the service manager.
    fn overridden(&self, mut config: ServerConfig) -> ServerConfig {
        if let Some(directory) = state_directory() {
            config.keep_states_in(&directory);
        }
        if let Some(zones) = &self.zones {
            config.zones.clone_from(zones);
        }
        if !self.listen.is_empty() {
            config.listen = self.listen.iter().flat_map(|listen| listen.0.clone()).collect();
        }
        if let Some(workers) = self.workers {
            config.workers = usize::from(workers);
        }
        config
    }
}

/// Reports the reason for which the server does not start.
fn refuse(log: &Log, problem: &str) {
    log.refuse(&format!("error: {problem}\n"), || tracing::error!("{problem}"));
}

/// Returns the directory for states that systemd made (`StateDirectory=`), or the first of several.
fn state_directory() -> Option<PathBuf> {
    let directories = std::env::var_os("STATE_DIRECTORY").filter(|value| !value.is_empty())?;
    std::env::split_paths(&directories).next()
}

/// Starts the server, which may wait for first verdicts. Returns `None` if a signal to end came
/// first.
fn start(
    signals: &mut Signals,
    config: ServerConfig,
    read: ReadSettings,
) -> Option<Result<Server, StartError>> {
    let (done, mut started) = tokio::sync::oneshot::channel();
    // If nothing waits for the result any more, the program ends.
    std::thread::spawn(move || drop(done.send(Server::start(config, Some(read)))));
    let panicked = "waypost panicked during the start, please report this";
    let broke_off = || Err(StartError::System(io::Error::other(panicked)));
    signals.unless_ended(&mut started, broke_off)
}
