//! The scenarios, run twice: in process with a manual clock, and over real sockets.
//!
//! For another folder: `WAYPOST_SCENARIOS=DIR cargo test --test it executors`.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use waypost::answer::{Client, Over, Responder};
use waypost::clock::Clock;
use waypost::config;
use waypost::geo::Geo;
use waypost::health::{AgentReply, GuardPolicy, Subject as About, Table, Verdict};
use waypost::server::{GeoFiles, Loader, Publisher, read_source};
use waypost::zone::Override;

use crate::dns::{Question, Response, Tcp, Udp, checked};
use crate::scenario::{Ask, Block, Section, Step, Target, read, share_key};
use crate::server::TestServer;

/// The server's own file, beside the zone directory.
const SETTINGS: &str = "waypost.toml";

fn folder() -> PathBuf {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    std::env::var_os("WAYPOST_SCENARIOS").map_or(default, PathBuf::from)
}

/// A server that the steps are run against.
trait Subject {
    fn ask(&mut self, ask: &Ask) -> Response;
    /// Reads the files again, which have changed.
    fn reload(&mut self);
    /// Ends in good order, and begins again with what it kept.
    fn restart(&mut self);
    fn verdict(&mut self, at: Target, pass: bool, says: Option<&str>);
    fn set_override(&mut self, about: &About, wanted: Option<Override>);
    fn advance(&mut self, step: Duration);
}

/// Runs one section; `start` makes the subject once the first files are written.
fn run<S: Subject>(section: &Section, start: impl Fn(&Path) -> S) -> Result<(), String> {
    let directory = tempfile::tempdir().expect("a directory");
    let zones = directory.path().join("zones");
    std::fs::create_dir(&zones).expect("the directory is ours");
    let mut subject = None;
    for block in &section.blocks {
        match block {
            Block::File { name, text } => {
                let folder = if name == SETTINGS { directory.path() } else { &zones };
                std::fs::write(folder.join(name), text).expect("the directory is ours");
            }
            Block::Step { place, step } => {
                let subject = subject.get_or_insert_with(|| start(&zones));
                take(subject, step).map_err(|what| format!("{place}\n  {what}"))?;
            }
        }
    }
    Ok(())
}

fn take(subject: &mut impl Subject, step: &Step) -> Result<(), String> {
    match step {
        Step::Query { ask, expect } => {
            let response = subject.ask(ask);
            expect.check(ask, &response).map_err(|what| format!("{what}\n{}", response.data))
        }
        Step::Share { count, ask, shares, within } => {
            let mut counts = BTreeMap::new();
            for _ in 0..*count {
                *counts.entry(share_key(ask, &subject.ask(ask))).or_insert(0usize) += 1;
            }
            let all = shares.iter().map(|(_, share)| share).sum::<usize>() == *count;
            let fair = shares.iter().all(|(value, share)| {
                counts.get(value).copied().unwrap_or(0).abs_diff(*share) <= *within
            });
            let known = counts.keys().all(|value| shares.iter().any(|(known, _)| known == value));
            if all && fair && known { Ok(()) } else { Err(format!("the shares are {counts:?}")) }
        }
        Step::Verdict { at, pass, times, says } => {
            (0..*times).for_each(|_| subject.verdict(*at, *pass, says.as_deref()));
            Ok(())
        }
        Step::Override { subject: about, wanted } => {
            subject.set_override(about, *wanted);
            Ok(())
        }
        Step::Advance(step) => {
            subject.advance(*step);
            Ok(())
        }
        Step::Reload => {
            subject.reload();
            Ok(())
        }
        Step::Restart => {
            subject.restart();
            Ok(())
        }
    }
}

/// The engine without sockets, and checks without probes.
pub(crate) struct InProcess {
    loader: Loader,
    publisher: Publisher,
    responder: Responder,
    pub(crate) table: Table,
    pub(crate) clock: Clock,
}

impl InProcess {
    pub(crate) fn start(directory: &Path) -> Self {
        Self::start_with(directory, Table::new(GuardPolicy::default()))
    }

    /// Starts with `table`, which has no endpoints yet but may know states from before.
    pub(crate) fn start_with(directory: &Path, table: Table) -> Self {
        let publisher = Publisher::new(Arc::default());
        let mut subject = Self {
            loader: Loader::new(directory).with_geo(geo(&directory.with_file_name(SETTINGS))),
            responder: Responder::new(Arc::clone(&publisher.current().snapshot), 7),
            publisher,
            table,
            clock: Clock::manual(),
        };
        subject.read_again();
        assert!(!subject.responder.snapshot().zones().is_empty(), "the zones have errors");
        subject
    }

    /// Reads the files again; if they have errors, nothing changes.
    pub(crate) fn read_again(&mut self) {
        let load = self.loader.load();
        let Some(zones) = load.zones else { return };
        let said = || config::render(&load.diagnostics, false);
        assert!(load.is_as_expected, "a test of the zones fails: {}", said());
        let now = self.clock.now();
        let published = self.publisher.publish(zones, &mut self.table, now);
        self.responder.adopt(Arc::clone(&published.snapshot));
    }

    /// Answers one question from a stranger over UDP.
    pub(crate) fn respond(&mut self, question: &Question) -> Response {
        self.respond_to(question, [192, 0, 2, 200].into())
    }

    /// Answers one question from `client` over UDP.
    pub(crate) fn respond_to(&mut self, question: &Question, client: IpAddr) -> Response {
        let (query, mut out) = (question.encode(fastrand::u16(..)), vec![0; 4096]);
        let client = Client { source: SocketAddr::new(client, 5353), over: Over::Udp };
        let len = self.responder.respond(&query, client, &mut out).len().expect("a response");
        checked(&query, &out[..len])
    }
}

/// Reads where `settings` places clients, if there is such a file.
fn geo(settings: &Path) -> Arc<Geo> {
    if !settings.exists() {
        return Arc::default();
    }
    let source = read_source(settings).expect("a readable file");
    let (config, diagnostics) = config::load_server(&source);
    assert!(diagnostics.is_empty(), "{}", config::render(&diagnostics, false));
    let (files, problems) = GeoFiles::load(config.expect("a configuration").geo);
    assert!(problems.is_empty(), "{problems:?}");
    files.geo().clone()
}

impl Subject for InProcess {
    fn ask(&mut self, ask: &Ask) -> Response {
        let query = ask.encode(fastrand::u16(..));
        let mut out = vec![0; 65_535];
        let ip = ask.from.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let over = if ask.tcp { Over::Tcp } else { Over::Udp };
        let client = Client { source: SocketAddr::new(ip, 5353), over };
        let len = self.responder.respond(&query, client, &mut out).len().expect("a response");
        checked(&query, &out[..len])
    }

    fn reload(&mut self) {
        self.read_again();
    }

    fn restart(&mut self) {
        let mut table = Table::new(GuardPolicy::default());
        table.resume(self.table.known());
        let directory = self.loader.directory().to_owned();
        *self = Self::start_with(&directory, table);
    }

    fn verdict(&mut self, at: Target, pass: bool, says: Option<&str>) {
        let verdict = if pass { Verdict::Pass } else { Verdict::Fail };
        let mut probed = self.table.probed_at(at.address);
        probed.retain(|probed| at.port.is_none_or(|port| probed.address.port() == port));
        assert!(!probed.is_empty(), "nothing is probed at {at:?}");
        for probed in probed {
            let agent = probed.check.agent.as_ref().filter(|_| pass);
            let read = |agent| AgentReply::read(says.unwrap_or("").as_bytes(), agent).spoken;
            let spoken = agent.and_then(read).map(|(spoken, _)| spoken);
            assert!(says.is_none() || agent.is_some(), "nobody asks what {at:?} says");
            self.table.apply(&probed, (verdict, spoken), self.clock.now());
        }
    }

    fn set_override(&mut self, about: &About, wanted: Option<Override>) {
        let concerned = self.table.set_override(about, wanted);
        assert!(!concerned.is_empty(), "nothing is bound of {about:?}");
    }

    fn advance(&mut self, step: Duration) {
        self.clock.advance(step);
    }
}

/// The running binary.
struct OverSockets {
    server: TestServer,
    udp: Udp,
    reloads: usize,
}

impl OverSockets {
    fn start(directory: &Path) -> Self {
        let server = TestServer::start(directory, 1);
        let udp = Udp::connect(server.address());
        Self { server, udp, reloads: 0 }
    }

    /// Returns whether a section can be run over sockets: nothing in it comes from an address that
    /// we do not have, waits for time to pass, or would be probed.
    fn can_run(section: &Section) -> bool {
        section.blocks.iter().all(|block| match block {
            Block::File { name, text } => name != SETTINGS && !text.contains("check"),
            Block::Step { step: Step::Query { ask, .. } | Step::Share { ask, .. }, .. } => {
                ask.from.is_none() && ask.subnet.is_none()
            }
            Block::Step { step: Step::Reload, .. } => true,
            Block::Step { .. } => false,
        })
    }
}

impl Subject for OverSockets {
    fn ask(&mut self, ask: &Ask) -> Response {
        if ask.tcp {
            Tcp::connect(self.server.address()).ask(&ask.question)
        } else {
            self.udp.ask(&ask.question)
        }
    }

    fn reload(&mut self) {
        self.reloads += 1;
        self.server.signal("HUP");
        self.server.wait_for_lines("reload", self.reloads, Duration::from_secs(10));
    }

    fn restart(&mut self) {
        unreachable!("`can_run` keeps restarts away")
    }

    fn verdict(&mut self, _: Target, _: bool, _: Option<&str>) {
        unreachable!("`can_run` keeps verdicts away")
    }

    fn set_override(&mut self, _: &About, _: Option<Override>) {
        unreachable!("`can_run` keeps overrides away")
    }

    fn advance(&mut self, _: Duration) {
        unreachable!("`can_run` keeps time away")
    }
}

fn run_all(run: impl Fn(&Section) -> Option<Result<(), String>>) {
    let sections = read(&folder());
    let results: Vec<_> =
        sections.iter().filter_map(|section| Some((&section.title, run(section)?))).collect();
    assert!(!results.is_empty(), "no scenario was run");
    let failed: Vec<String> = results
        .iter()
        .filter_map(|(title, result)| Some(format!("## {title}\n{}", result.as_ref().err()?)))
        .collect();
    assert!(
        failed.is_empty(),
        "{} of {} sections fail:\n\n{}",
        failed.len(),
        results.len(),
        failed.join("\n")
    );
}

#[test]
fn every_scenario_holds_in_process() {
    run_all(|section| Some(run(section, InProcess::start)));
}

#[test]
fn every_scenario_that_can_holds_over_sockets() {
    run_all(|section| OverSockets::can_run(section).then(|| run(section, OverSockets::start)));
}
