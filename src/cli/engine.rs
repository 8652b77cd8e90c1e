//! The engine of the server, asked without a socket, for `query` and `explain`.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use ipnet::IpNet;
use serde::Serialize;

use super::{Failed, load_config, loader, print_diagnostics};
use crate::answer::{Client, Hop, Over, Responder};
use crate::geo::Geo;
use crate::health::Bit;
use crate::snapshot::{Snapshot, Zone};
use crate::trial;
use crate::wire::kind::Type;
use crate::wire::message::{Message, Record, write_query};
use crate::wire::name::Name;

/// The options that name the zones and the client of a question.
#[derive(Args)]
pub(super) struct Asking {
    /// The zone directory [default: that of waypost.toml, otherwise zones]
    #[arg(long, value_name = "DIR")]
    zones: Option<PathBuf>,
    /// The server's own settings, which name the databases of places [default: waypost.toml here,
    /// otherwise in /etc/waypost]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The address of the client that asks, as routes see it
    #[arg(long, value_name = "IP", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    client: IpAddr,
    /// The client's network, as resolvers send it by EDNS Client Subnet, such as 198.51.100.0/24
    #[arg(long, value_name = "CIDR", value_parser = parse_subnet)]
    subnet: Option<IpNet>,
    /// Count this endpoint, or all endpoints of a service, as down; may be given several times
    #[arg(long, value_name = "SERVICE[/ENDPOINT]")]
    down: Vec<String>,
    /// The seed of the draws: the same seed gives the same answers
    #[arg(long, value_name = "S", default_value_t = 0)]
    seed: u64,
}

impl Asking {
    /// Loads the zones, and holds down the endpoints of `--down`.
    pub(super) fn engine(&self) -> Result<Engine, Failed> {
        let config = load_config(self.config.as_ref())?;
        let mut loader = loader(self.zones.as_ref(), &config);
        let load = loader.load();
        print_diagnostics(&load.diagnostics);
        let snapshot = Arc::new(Snapshot::new(1, load.zones.ok_or(Failed)?));
        take_down(&snapshot, &self.down)?;
        let responder = Responder::new(snapshot, self.seed);
        let source = SocketAddr::new(self.client, 53);
        let out = vec![0; usize::from(u16::MAX)].into();
        let client = Client { source, over: Over::Tcp };
        Ok(Engine { responder, client, subnet: self.subnet, geo: Arc::clone(loader.geo()), out })
    }
}

/// The engine. It answers as over a stream, so no answer is truncated.
pub(super) struct Engine {
    responder: Responder,
    client: Client,
    subnet: Option<IpNet>,
    geo: Arc<Geo>,
    out: Box<[u8]>,
}

impl Engine {
    /// Returns one answer.
    pub(super) fn ask(&mut self, name: &Name, qtype: Type) -> Message {
        let query = write_query(0, name, qtype, 1232, self.subnet);
        let outcome = self.responder.respond(&query, self.client, &mut self.out);
        self.read(outcome.len())
    }

    /// Returns one answer, and the hops on the way to it.
    pub(super) fn explain(&mut self, name: &Name, qtype: Type) -> (Message, Vec<Hop>) {
        let query = write_query(0, name, qtype, 1232, self.subnet);
        let (outcome, hops) = self.responder.explain(&query, self.client, &mut self.out);
        (self.read(outcome.len()), hops)
    }

    /// Returns the message about a `name`, written as `text`, that no zone holds; `None` if a zone
    /// holds it. The message names the zones, or a name that was likely meant.
    pub(super) fn astray(&mut self, text: &str, name: &Name, qtype: Type) -> Option<String> {
        let snapshot = Arc::clone(self.snapshot());
        let origins = || snapshot.zones().iter().map(|zone| zone.origin());
        if origins().any(|origin| name.is_at_or_below(origin)) {
            return None;
        }
        let below = |origin| Name::parse(text, Some(origin)).ok().filter(|meant| meant != name);
        let meant = origins().filter_map(below).find(|meant| {
            let rcode = self.ask(meant, qtype).rcode_text();
            rcode == "NOERROR"
        });
        let zones: Vec<String> = origins().take(8).map(|origin| origin.to_string()).collect();
        let hint = match meant {
            Some(meant) => format!("did you mean {}?", meant.to_string().trim_end_matches('.')),
            None => format!("the zones are {}", zones.join(", ")),
        };
        Some(format!("no zone holds {text}; {hint}"))
    }

    /// Makes `client` the client of the next questions.
    pub(super) fn set_client(&mut self, client: IpAddr) {
        self.client.source.set_ip(client);
    }

    /// Returns the scope of the answer: the length of the client's prefix, in bits, within which
    /// all clients get the same answer.
    pub(super) fn scope(&mut self, name: &Name, qtype: Type) -> u8 {
        let (_, hops) = self.explain(name, qtype);
        let steered = hops.iter().filter_map(|hop| hop.steered.as_ref());
        steered.map(|steered| steered.routed.scope).max().unwrap_or(0)
    }

    fn read(&self, len: Option<usize>) -> Message {
        let response = self.out.get(..len.unwrap_or(0)).unwrap_or(&[]);
        #[allow(clippy::expect_used, reason = "a response that cannot be read is a bug, not input")]
        Message::read(response).expect("the engine's own response can be read")
    }

    /// Returns the zones that the engine answers from.
    pub(super) fn snapshot(&self) -> &Arc<Snapshot> {
        self.responder.snapshot()
    }

    /// Returns the places of clients.
    pub(super) fn geo(&self) -> &Geo {
        &self.geo
    }
}

/// A response as JSON.
#[derive(Serialize)]
pub(super) struct Response<'a> {
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

impl<'a> Response<'a> {
    pub(super) fn new(name: &Name, qtype: Type, message: &'a Message) -> Self {
        let texts = |records: &[Record]| records.iter().map(Record::to_string).collect();
        Self {
            name: name.to_string(),
            qtype: qtype.to_string(),
            rcode: message.rcode_text(),
            flags: message.flags(),
            answer: texts(&message.answer),
            authority: texts(&message.authority),
            additional: texts(&message.additional),
            scope: message.edns.and_then(|edns| edns.subnet).map_or(0, |subnet| subnet.scope),
        }
    }
}

/// Holds the endpoints in `given`, or all those of a service, down in every zone that has them.
fn take_down(snapshot: &Snapshot, given: &[String]) -> Result<(), Failed> {
    if given.is_empty() {
        return Ok(());
    }
    let zones = snapshot.zones().iter().map(|zone| (&**zone, HashSet::new()));
    let mut zones: Vec<(&Zone, HashSet<Bit>)> = zones.collect();
    for given in given {
        let (label, name) = match given.rsplit_once('/') {
            Some((label, name)) => (label, Some(name)),
            None => (given.as_str(), None),
        };
        let mut is_found = false;
        for (zone, places) in &mut zones {
            let found = trial::places_of(zone, label, name);
            is_found |= !found.is_empty();
            places.extend(found);
        }
        if !is_found {
            let problem = not_found(snapshot, label, name);
            eprintln!("error: --down {given}: {problem}");
            return Err(Failed);
        }
    }
    trial::hold_down(&zones);
    Ok(())
}

/// Returns the message that no zone has this service, or that the service has no such endpoint.
fn not_found(snapshot: &Snapshot, label: &str, name: Option<&str>) -> String {
    let with_service = |zone: &'_ Arc<Zone>| zone.service_named(label).is_some();
    match snapshot.zones().iter().find(|zone| with_service(zone)) {
        None => format!("no zone has a service {label}; write SERVICE/ENDPOINT, such as web/fra1"),
        Some(zone) => {
            let endpoints = zone.service_named(label).map_or(&[][..], |s| zone.endpoints(s));
            let names: Vec<&str> = endpoints.iter().map(|e| zone.endpoint_name(e)).collect();
            let name = name.unwrap_or_default();
            format!("{label} has no endpoint {name}; it has {}", names.join(", "))
        }
    }
}

pub(super) fn parse_name(text: &str) -> Result<Name, Failed> {
    Name::parse(text, Some(&Name::root())).map_err(|error| {
        eprintln!("error: {text}: {error}");
        Failed
    })
}

/// Reports a name that no zone holds. Fails if it is a single label without a final dot, which
/// nobody can have meant as an absolute name. Other names are asked for all the same: REFUSED is an
/// answer, too.
pub(super) fn refuse_astray(
    engine: &mut Engine,
    text: &str,
    name: &Name,
    qtype: Type,
) -> Result<(), Failed> {
    let Some(problem) = engine.astray(text, name, qtype) else { return Ok(()) };
    if name.label_count() == 1 && !text.ends_with('.') {
        eprintln!("error: {problem}");
        return Err(Failed);
    }
    eprintln!("warning: {problem}");
    Ok(())
}

/// Reads a network, and clears the bits after its prefix, as resolvers do.
fn parse_subnet(text: &str) -> Result<IpNet, String> {
    let single = || text.parse::<IpAddr>().ok().map(IpNet::from);
    let subnet = text.parse::<IpNet>().ok().or_else(single);
    subnet
        .map(|subnet| subnet.trunc())
        .ok_or_else(|| "expected a network, such as 198.51.100.0/24".to_owned())
}

pub(super) fn parse_type(text: &str) -> Result<Type, String> {
    text.parse().map_err(|_| {
        let near = Type::mnemonics()
            .map(|known| (strsim::jaro_winkler(known, &text.to_uppercase()), known))
            .max_by(|a, b| a.0.total_cmp(&b.0))
            .filter(|(likeness, _)| *likeness > 0.7);
        let hint = near.map_or(String::new(), |(_, known)| format!("; did you mean {known}?"));
        format!("{text} is no record type{hint}")
    })
}
