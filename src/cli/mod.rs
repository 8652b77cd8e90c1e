//! The commands, one file each.
//!
//! Exit codes: 0 all is well; 1 something is wrong (the command prints all of it); 2 the command
//! line itself is wrong.

#![allow(clippy::print_stdout, clippy::print_stderr)]

/// Prints a line to an output that may be piped into a program that stops reading.
macro_rules! say {
    ($($text:tt)*) => { $crate::cli::say(format_args!($($text)*)) };
}

mod check;
mod demo;
mod dig;
mod engine;
mod explain;
mod init;
mod population;
mod query;
mod schema;
mod serve;
mod settings;
mod shares;
mod signals;

use std::fmt;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

use crate::config::{Diagnostic, ServerConfig};
use settings::Settings;

/// The default zone directory.
const ZONES: &str = "zones";

#[derive(Parser)]
#[command(
    name = "waypost",
    version,
    about = "An authoritative DNS server that steers: weighted, health-filtered answers",
    after_help = "Try it:\n  \
        waypost demo                            watch three web servers die and return\n  \
        waypost init example.com                write a zone that works into ./zones\n  \
        waypost check zones                     find what is wrong in zone files\n  \
        waypost query web.example.com           print the answer, without a server\n  \
        waypost explain web.example.com         print the reasons for the answer\n  \
        waypost serve                           serve ./zones on 127.0.0.1:5300\n  \
        dig @127.0.0.1 -p 5300 web.example.com  ask the server\n\n\
        Exit codes: 0 all is well, 1 something is wrong (every problem is printed), 2 wrong usage."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// The form of a command's findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Text,
    /// One JSON object.
    Json,
}

#[derive(Subcommand)]
enum Command {
    /// Run a demo: three web servers to kill and revive by key, and a name whose answers follow.
    Demo,
    /// Write the file of a new zone, which works as it is.
    Init(init::Init),
    /// Serve zones over UDP and TCP; SIGHUP or a changed file reloads, SIGTERM stops.
    Serve(serve::Serve),
    /// Validate a zone directory and print everything that is wrong with it.
    Check(check::Check),
    /// Answer from the zone files through the real engine, without a socket.
    Query(query::Query),
    /// Explain an answer: the routes, pools, states and the draw that led to it.
    Explain(explain::Explain),
    /// Print the JSON Schema of zone files, for completion in editors.
    Schema,
}

/// The failure of a command, which has printed the reason.
struct Failed;

/// Runs the command that the arguments name.
pub fn run() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Demo => demo::run(),
        Command::Init(init) => init.run(),
        Command::Serve(serve) => serve.run(),
        Command::Check(check) => check.run(),
        Command::Query(query) => query.run(),
        Command::Explain(explain) => explain.run(),
        Command::Schema => schema::run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failed) => ExitCode::from(1),
    }
}

/// Returns the name by which the user can call this program again.
fn called_as() -> String {
    let called = std::env::args().next().unwrap_or_default();
    if called.contains('/') { called } else { "waypost".to_owned() }
}

/// Writes a line to standard output. If nothing reads it any more, ends the program.
fn say(line: fmt::Arguments<'_>) {
    if let Err(error) = writeln!(io::stdout().lock(), "{line}") {
        if error.kind() == io::ErrorKind::BrokenPipe {
            std::process::exit(0);
        }
        eprintln!("error: cannot write the output: {error}");
        std::process::exit(1);
    }
}

/// Prints diagnostics to standard error, in colour on a terminal.
fn print_diagnostics(diagnostics: &[Diagnostic]) {
    if !diagnostics.is_empty() {
        eprintln!("{}", rendered(diagnostics).trim_end());
    }
}

/// Renders diagnostics for standard error.
fn rendered(diagnostics: &[Diagnostic]) -> String {
    crate::config::render(diagnostics, crate::observe::is_colored(&io::stderr()))
}

/// Creates a loader of `zones`, or otherwise of the configured directory, with the places of
/// clients.
fn loader(zones: Option<&PathBuf>, config: &ServerConfig) -> crate::server::Loader {
    let (geo, problems) = crate::server::GeoFiles::load(config.geo.clone());
    problems.iter().for_each(|problem| eprintln!("warning: {problem}"));
    let zones = zones.unwrap_or(&config.zones);
    crate::server::Loader::new(zones).with_geo(geo.geo().clone()).allowing(config.allowed())
}

/// Reads waypost.toml, and prints its path to standard error.
fn load_config(named: Option<&PathBuf>) -> Result<ServerConfig, Failed> {
    let settings = Settings::read(named);
    settings.tell();
    settings.into_config()
}
