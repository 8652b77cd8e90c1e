//! `waypost query`: an answer from the files, through the very engine that serves.

use std::io::{self, BufRead};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use ipnet::IpNet;
use serde::Serialize;

use super::{Failed, dig, load_config, loader, print_diagnostics, shares};
use crate::answer::{Client, Over, Responder};
use crate::snapshot::Snapshot;
use crate::wire::kind::Type;
use crate::wire::message::{Message, Record, write_query};
use crate::wire::name::Name;

/// Arguments of `waypost query`.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    waypost query web.example.com\n  \
    waypost query _http._tcp.web.example.com SRV --format json\n  \
    waypost query web.example.com A --client 10.1.2.3 --down web/fra1\n  \
    waypost query web.example.com A --subnet 198.51.100.0/24\n  \
    waypost query web.example.com A --count 6000\n  \
    printf 'web.example.com A\\n' | waypost query --batch -")]
pub(super) struct Query {
    /// The name to ask for
    #[arg(value_name = "NAME", required_unless_present = "batch", conflicts_with = "batch")]
    name: Option<String>,
    /// The type to ask for
    #[arg(value_name = "TYPE", default_value = "A", value_parser = parse_type)]
    qtype: Type,
    /// The zone directory [default: zones]
    #[arg(long, value_name = "DIR")]
    zones: Option<PathBuf>,
    /// The server's own settings, with the databases of places [default: waypost.toml, if it is
    /// there]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Who asks: the address that routes see
    #[arg(long, value_name = "IP", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    client: IpAddr,
    /// For whom it asks, as resolvers say by EDNS Client Subnet: a network such as 198.51.100.0/24
    #[arg(long, value_name = "CIDR", value_parser = parse_subnet)]
    subnet: Option<IpNet>,
    /// Hold this endpoint to be down; may be given several times
    #[arg(long, value_name = "SERVICE/ENDPOINT")]
    down: Vec<String>,
    /// Ask so many times and print how the answers are shared
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    count: Option<u32>,
    /// Make the draws repeatable
    #[arg(long, value_name = "S", default_value_t = 0)]
    seed: u64,
    /// How to print answers [default: dig, with --batch json]
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Answer each line `NAME TYPE` of a file, `-` for standard input
    #[arg(long, value_name = "FILE", conflicts_with = "count")]
    batch: Option<PathBuf>,
}

/// How answers are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// Sections, as dig prints them.
    Dig,
    /// One JSON object a line.
    Json,
}

/// A response as JSON.
#[derive(Serialize)]
struct Json<'a> {
    name: String,
    #[serde(rename = "type")]
    qtype: String,
    rcode: String,
    flags: Vec<&'a str>,
    answer: Vec<String>,
    authority: Vec<String>,
    additional: Vec<String>,
    scope: u8,
}

impl Query {
    /// Answers, and prints.
    pub(super) fn run(self) -> Result<(), Failed> {
        let mut engine = self.engine()?;
        if let Some(path) = &self.batch {
            return self.run_batch(&mut engine, path);
        }
        let name = parse_name(self.name.as_deref().unwrap_or("."))?;
        match self.count {
            Some(count) => {
                let answers = (0..count).map(|_| engine.ask(&name, self.qtype));
                let tally = shares::Tally::of(answers);
                let format = self.format.unwrap_or(Format::Dig);
                tally.print(&name, self.qtype, engine.responder.snapshot(), format);
            }
            None => {
                let message = engine.ask(&name, self.qtype);
                self.print(&name, self.qtype, &message, self.format.unwrap_or(Format::Dig));
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
                return Err(place("a line is a name and a type, nothing more"));
            }
            let name = Name::parse(name, Some(&Name::root()));
            let name = name.map_err(|error| place(&error.to_string()))?;
            let message = engine.ask(&name, qtype);
            self.print(&name, qtype, &message, format);
        }
        Ok(())
    }

    fn engine(&self) -> Result<Engine, Failed> {
        let config = load_config(self.config.as_ref())?;
        let load = loader(self.zones.as_ref(), &config).load();
        print_diagnostics(&load.diagnostics);
        let snapshot = Arc::new(Snapshot::new(1, load.zones.ok_or(Failed)?));
        for endpoint in &self.down {
            take_down(&snapshot, endpoint)?;
        }
        let responder = Responder::new(snapshot, self.seed);
        let source = SocketAddr::new(self.client, 53);
        let out = vec![0; usize::from(u16::MAX)].into();
        let client = Client { source, over: Over::Tcp };
        Ok(Engine { responder, client, subnet: self.subnet, out })
    }

    fn print(&self, name: &Name, qtype: Type, message: &Message, format: Format) {
        if format == Format::Dig {
            return dig::print(message);
        }
        let texts = |records: &[Record]| records.iter().map(Record::to_string).collect();
        let json = Json {
            name: name.to_string(),
            qtype: qtype.to_string(),
            rcode: message.rcode_text(),
            flags: message.flags(),
            answer: texts(&message.answer),
            authority: texts(&message.authority),
            additional: texts(&message.additional),
            scope: message.edns.and_then(|edns| edns.subnet).map_or(0, |subnet| subnet.scope),
        };
        match serde_json::to_string(&json) {
            Ok(line) => say!("{line}"),
            Err(error) => eprintln!("error: {error}"),
        }
    }
}

/// The engine, asked without a socket. Answers are those of a stream: never cut.
struct Engine {
    responder: Responder,
    client: Client,
    subnet: Option<IpNet>,
    out: Box<[u8]>,
}

impl Engine {
    fn ask(&mut self, name: &Name, qtype: Type) -> Message {
        let query = write_query(0, name, qtype, 1232, self.subnet);
        let outcome = self.responder.respond(&query, self.client, &mut self.out);
        let response = self.out.get(..outcome.len().unwrap_or(0)).unwrap_or(&[]);
        #[allow(clippy::expect_used, reason = "a response that cannot be read is a bug, not input")]
        Message::read(response).expect("the engine's own response can be read")
    }
}

/// Shows an endpoint's addresses as down on every board that has it.
fn take_down(snapshot: &Snapshot, given: &str) -> Result<(), Failed> {
    let fail = |problem: String| {
        eprintln!("error: --down {given}: {problem}");
        Failed
    };
    let (label, name) = given
        .rsplit_once('/')
        .ok_or_else(|| fail("write SERVICE/ENDPOINT, such as web/fra1".into()))?;
    let services: Vec<_> = snapshot
        .zones()
        .iter()
        .filter_map(|zone| Some((zone, zone.service_named(label)?)))
        .collect();
    let mut found = false;
    for (zone, service) in &services {
        let endpoints = zone.endpoints(service).iter();
        for endpoint in endpoints.filter(|endpoint| zone.endpoint_name(endpoint) == name) {
            endpoint.bits().iter().for_each(|bit| zone.board().set(*bit, false));
            found = true;
        }
    }
    let known = || {
        let names = services.iter().flat_map(|(zone, service)| {
            zone.endpoints(service).iter().map(|endpoint| zone.endpoint_name(endpoint))
        });
        names.collect::<Vec<_>>().join(", ")
    };
    match found {
        true => Ok(()),
        false if services.is_empty() => Err(fail(format!("no zone has a service {label}"))),
        false => Err(fail(format!("{label} has no endpoint {name}; it has {}", known()))),
    }
}

fn parse_name(text: &str) -> Result<Name, Failed> {
    Name::parse(text, Some(&Name::root())).map_err(|error| {
        eprintln!("error: {text}: {error}");
        Failed
    })
}

/// Reads a network; what stands behind its prefix is cut off, as resolvers do.
fn parse_subnet(text: &str) -> Result<IpNet, String> {
    let single = || text.parse::<IpAddr>().ok().map(IpNet::from);
    let subnet = text.parse::<IpNet>().ok().or_else(single);
    subnet
        .map(|subnet| subnet.trunc())
        .ok_or_else(|| "expected a network, such as 198.51.100.0/24".to_owned())
}

fn parse_type(text: &str) -> Result<Type, String> {
    text.parse().map_err(|_| {
        let near = Type::mnemonics()
            .map(|known| (strsim::jaro_winkler(known, &text.to_uppercase()), known))
            .max_by(|a, b| a.0.total_cmp(&b.0))
            .filter(|(likeness, _)| *likeness > 0.7);
        let hint = near.map_or(String::new(), |(_, known)| format!("; did you mean {known}?"));
        format!("{text} is no record type{hint}")
    })
}
