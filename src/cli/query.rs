//! `waypost query`: an answer from the zone files, by the engine that serves.

use std::io::{self, BufRead};
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, ValueEnum};

use super::engine::{Asking, Engine, Response, parse_name, parse_type, refuse_astray};
use super::{Failed, dig, population, shares};
use crate::wire::kind::Type;
use crate::wire::message::Message;
use crate::wire::name::Name;

/// The default number of questions for each client of `--clients`.
const CLIENTS_COUNT: u32 = 100;

/// Arguments of `waypost query`.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    waypost query web.example.com\n  \
    waypost query _http._tcp.web.example.com SRV --format json\n  \
    waypost query web.example.com A --client 10.1.2.3 --down web/fra1\n  \
    waypost query web.example.com A --subnet 198.51.100.0/24\n  \
    waypost query web.example.com A --count 6000\n  \
    waypost query web.example.com A --clients networks.txt\n  \
    printf 'web.example.com A\\n' | waypost query --batch -")]
pub(super) struct Query {
    /// The name to ask for
    #[arg(value_name = "NAME", required_unless_present = "batch", conflicts_with = "batch")]
    name: Option<String>,
    /// The type to ask for
    #[arg(value_name = "TYPE", default_value = "A", value_parser = parse_type)]
    qtype: Type,
    #[command(flatten)]
    asking: Asking,
    /// Ask this many times and print the share of each answer
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    count: Option<u32>,
    /// Print how answers spread the clients of a file; its lines are `ADDRESS-OR-NETWORK [WEIGHT]`,
    /// and `-` is standard input; each client asks `--count` times [default: 100]
    #[arg(long, value_name = "FILE", conflicts_with_all = ["batch", "client", "subnet"])]
    clients: Option<PathBuf>,
    /// The form of the answers [default: dig, or json with --batch]
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Answer each line `NAME TYPE` of a file, `-` for standard input
    #[arg(long, value_name = "FILE", conflicts_with = "count")]
    batch: Option<PathBuf>,
}

/// The form in which answers are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// Sections, as dig prints them.
    Dig,
    /// One JSON object per line.
    Json,
}

impl Query {
    /// Asks the question or questions, and prints the answers.
    pub(super) fn run(self) -> Result<(), Failed> {
        let mut engine = self.asking.engine()?;
        if let Some(path) = &self.batch {
            return self.run_batch(&mut engine, path);
        }
        let text = self.name.as_deref().unwrap_or(".");
        let name = parse_name(text)?;
        refuse_astray(&mut engine, text, &name, self.qtype)?;
        let format = self.format.unwrap_or(Format::Dig);
        let snapshot = Arc::clone(engine.snapshot());
        let mut tally = shares::Tally::new(&snapshot);
        match (&self.clients, self.count) {
            (Some(path), count) => {
                let population = population::read(path)?;
                let count = count.unwrap_or(CLIENTS_COUNT);
                let question = (&name, self.qtype);
                population::ask(&mut engine, &mut tally, question, &population, count)?;
                tally.print(&name, self.qtype, "clients", format);
            }
            (None, Some(count)) => {
                for _ in 0..count {
                    tally.add(&engine.explain(&name, self.qtype), 1.0);
                }
                tally.print(&name, self.qtype, "answers", format);
            }
            (None, None) => {
                let message = engine.ask(&name, self.qtype);
                self.print(&name, self.qtype, &message, format);
            }
        }
        Ok(())
    }

    fn run_batch(&self, engine: &mut Engine, path: &PathBuf) -> Result<(), Failed> {
        let cannot = |error: io::Error| {
            eprintln!("error: cannot read {}: {error}", path.display());
            Failed
        };
        let lines: Box<dyn BufRead> = if path.as_os_str() == "-" {
            Box::new(io::stdin().lock())
        } else {
            Box::new(io::BufReader::new(std::fs::File::open(path).map_err(cannot)?))
        };
        let format = self.format.unwrap_or(Format::Json);
        for (number, line) in lines.lines().enumerate() {
            let line = line.map_err(cannot)?;
            let mut words = line.split_whitespace();
            let Some(name) = words.next() else { continue };
            let place = |problem: &str| {
                eprintln!("error: {}:{}: {problem}", path.display(), number + 1);
                Failed
            };
            let qtype = words.next().map_or(Ok(Type::A), parse_type);
            let qtype = qtype.map_err(|problem| place(&problem))?;
            if words.next().is_some() {
                return Err(place("write a name and a type on each line, nothing more"));
            }
            let name = Name::parse(name, Some(&Name::root()));
            let name = name.map_err(|error| place(&error.to_string()))?;
            let message = engine.ask(&name, qtype);
            self.print(&name, qtype, &message, format);
        }
        Ok(())
    }

    fn print(&self, name: &Name, qtype: Type, message: &Message, format: Format) {
        if format == Format::Dig {
            return dig::print(message);
        }
        match serde_json::to_string(&Response::new(name, qtype, message)) {
            Ok(line) => say!("{line}"),
            Err(error) => eprintln!("error: {error}"),
        }
    }
}
