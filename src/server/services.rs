//! Log lines about services: pools that cannot be used, and answers with nothing up.
//!
//! `Server::start` starts a thread that compares the boards with what they showed before, shortly
//! after a change. It hears of changes from the checks, ends with them, and looks for new zones
//! every two seconds. It decides nothing, and holds a snapshot only while it looks, so that the
//! control thread can free it. `docs/operations.md` has the lines.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use tokio::sync::watch;
use tracing::{error, info, warn};

use super::publish::Published;
use crate::snapshot::{Service, Snapshot, Zone};
use crate::steering::{Mode, Plan, Standing};
use crate::wire::name::Name;
use crate::zone::OnAllDown;

/// The time for which changes are collected, so that what turns together is logged together.
const PAUSE: Duration = Duration::from_millis(250);

/// The interval between two looks for zones that were replaced.
const TICK: Duration = Duration::from_secs(2);

/// The most services that one look logs by name.
const LINES_MAX: usize = 20;

/// The target of the log lines.
const TARGET: &str = "waypost::services";

/// Starts the thread, which reads what is `published` and ends when `changes` does.
pub(super) fn watch(
    published: watch::Receiver<Published>,
    changes: Receiver<()>,
) -> io::Result<()> {
    let mut known = Standings::default();
    std::thread::Builder::new().name("services".into()).spawn(move || {
        loop {
            let snapshot = Arc::clone(&published.borrow().snapshot);
            let generation = snapshot.generation();
            known.look(&snapshot);
            // The control thread frees a replaced snapshot as soon as nobody holds it.
            drop(snapshot);
            loop {
                match changes.recv_timeout(TICK) {
                    Ok(()) => break,
                    Err(RecvTimeoutError::Disconnected) => return,
                    Err(RecvTimeoutError::Timeout)
                        if published.borrow().snapshot.generation() != generation =>
                    {
                        break;
                    }
                    Err(RecvTimeoutError::Timeout) => {}
                }
            }
            std::thread::sleep(PAUSE);
            while changes.try_recv().is_ok() {}
        }
    })?;
    Ok(())
}

/// The standings of the services at the last look.
#[derive(Debug, Default)]
struct Standings {
    /// The standings by service name, without services that are whole.
    degraded: HashMap<String, Standing>,
}

impl Standings {
    /// Compares every service of the zones with checks, and logs those whose standing has changed.
    fn look(&mut self, snapshot: &Snapshot) {
        let mut before = std::mem::take(&mut self.degraded);
        let mut told = 0;
        for zone in snapshot.zones().iter().filter(|zone| !zone.bindings().is_empty()) {
            for service in zone.services() {
                let standing = zone.plan(service).standing(zone.board());
                if standing.is_whole() && before.is_empty() {
                    continue;
                }
                let name = full_name(zone, service);
                let was = before.remove(&name);
                if was.as_ref() != Some(&standing) && !(was.is_none() && standing.is_whole()) {
                    told += 1;
                    if told <= LINES_MAX {
                        Change { zone, service, name: &name, was: was.as_ref(), is: &standing }
                            .tell();
                    }
                }
                if !standing.is_whole() {
                    self.degraded.insert(name, standing);
                }
            }
        }
        if let Some(more) = told.checked_sub(LINES_MAX).filter(|more| *more > 0) {
            warn!(target: TARGET, services = more, "{more} more services have changed");
        }
    }
}

fn full_name(zone: &Zone, service: &Service) -> String {
    let label = zone.label(service);
    Name::parse(label, Some(zone.origin())).map_or_else(|_| label.to_owned(), |n| n.to_string())
}

/// A service whose standing has changed.
struct Change<'a> {
    zone: &'a Zone,
    service: &'a Service,
    name: &'a str,
    /// The standing before; `None` if it was whole.
    was: Option<&'a Standing>,
    is: &'a Standing,
}

/// The harm to the clients that are worst off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Harm {
    /// The states that count as usable in their answers.
    mode: Mode,
    /// Whether all clients are as badly off.
    is_for_all: bool,
}

impl Harm {
    fn of(standing: Option<&Standing>) -> Self {
        let ways = standing.map_or(&[][..], |standing| &standing.ways);
        let severity = |mode: Mode| match mode {
            Mode::MinUp => 0,
            Mode::AnyUp => 1,
            Mode::Drained => 2,
            Mode::Open => 3,
        };
        let worst = ways.iter().map(|way| way.mode).max_by_key(|mode| severity(*mode));
        let mode = worst.unwrap_or(Mode::MinUp);
        Self { mode, is_for_all: ways.iter().all(|way| way.mode == mode) }
    }
}

impl Change<'_> {
    fn tell(&self) {
        let (was, is) = (Harm::of(self.was), Harm::of(Some(self.is)));
        if was != is {
            self.tell_harm(was, is);
        }
        // A line about all of the service need not be followed by lines about its pools.
        if was == is || is.mode == Mode::MinUp && was.mode == Mode::MinUp {
            self.tell_pools();
        }
    }

    fn tell_harm(&self, was: Harm, is: Harm) {
        let concerned = self.is.ways.iter().filter(|way| way.mode == is.mode);
        let led = self.names(concerned.fold(0, |bits, way| bits | way.now));
        let service = self.name;
        let whom = if is.is_for_all { "" } else { " for some clients" };
        let of = if self.plan().pools().len() > 1 { format!(" of {led}") } else { String::new() };
        match is.mode {
            Mode::Open => match self.plan().on_all_down() {
                OnAllDown::All => error!(
                    target: TARGET, service,
                    "{service}: no endpoint is up{whom}, answering with all endpoints{of} \
                     (on_all_down = \"all\")"
                ),
                OnAllDown::None => error!(
                    target: TARGET, service,
                    "{service}: no endpoint is up{whom}, answering with no records \
                     (on_all_down = \"none\")"
                ),
                OnAllDown::Pool(at) => {
                    let pool = self.names(1 << (at.0 & 63));
                    error!(
                        target: TARGET, service,
                        "{service}: no endpoint is up{whom}, answering with all endpoints of \
                         {pool} (on_all_down = {pool:?})"
                    );
                }
            },
            Mode::Drained => warn!(
                target: TARGET, service,
                "{service}: only drained endpoints are left{whom}, answering with those{of}"
            ),
            Mode::AnyUp => warn!(
                target: TARGET, service,
                "{service}: no pool has its min_up{whom}, answering with the endpoints{of} that \
                 are up"
            ),
            Mode::MinUp => {
                let ended = match was.mode {
                    Mode::Open => "an endpoint is up again",
                    Mode::Drained => "endpoints that are not drained are up again",
                    _ => "a pool has its min_up again",
                };
                let led = if self.is.is_whole() { "all pools".to_owned() } else { led };
                info!(target: TARGET, service, "{service}: {ended}, clients go to {led}");
            }
        }
    }

    /// Logs each pool that has become usable, or is no longer usable.
    fn tell_pools(&self) {
        let (count, service) = (self.plan().pools().len().min(64), self.name);
        if count < 2 {
            return;
        }
        let was = self.was.map_or(u64::MAX, |was| was.usable);
        for at in (0..count as u16).filter(|at| (was ^ self.is.usable) >> at & 1 == 1) {
            let pool = self.names(1 << at);
            if self.is.usable >> at & 1 == 1 {
                let where_to = match self.is.is_whole() || self.is.now() >> at & 1 == 1 {
                    true => "clients go there again where their routes say so".to_owned(),
                    false => format!("clients go to {}", self.names(self.is.now())),
                };
                info!(target: TARGET, service, pool, "{service}: {pool} is usable again, {where_to}");
                continue;
            }
            let (up, endpoints) = self.plan().count_up(self.zone.board(), at);
            let ways = self.is.ways.iter().filter(|way| way.all >> at & 1 == 1);
            let led = self.names(ways.fold(0, |bits, way| bits | way.now));
            let why = format!("{up} of {endpoints} endpoints up");
            warn!(
                target: TARGET, service, pool, up, endpoints,
                "{service}: {pool} is not usable ({why}), clients go to {led}"
            );
        }
    }

    fn plan(&self) -> Plan<'_> {
        self.zone.plan(self.service)
    }

    /// Returns the names of the pools whose bits are set.
    fn names(&self, bits: u64) -> String {
        let named = self.zone.pool_names(self.service).take(64).enumerate();
        let named = named.filter(|(at, _)| bits >> at & 1 == 1).map(|(_, name)| name);
        named.collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::Showing;
    use crate::observe::tests::text;
    use crate::server::Loader;

    const HEAD: &str = "zone = \"example.com\"\nnameservers = [\"ns.example.net.\"]\n\
                        [services.web]\ncheck = { kind = \"tcp\", port = 80 }\n";
    const POOLS: &str = "[services.web.pools.eu]\nmin_up = 0.5\n\
                         endpoints = [\"192.0.2.1\", \"192.0.2.2\", \"192.0.2.3\"]\n\
                         [services.web.pools.us]\nendpoints = [\"192.0.2.4\"]\n";

    /// A zone, and the standings that the log has of it.
    struct Scene {
        snapshot: Snapshot,
        known: Standings,
    }

    impl Scene {
        fn new(zone: &str) -> Self {
            let directory = tempfile::tempdir().unwrap();
            std::fs::write(directory.path().join("example.com.toml"), zone).unwrap();
            let zones = Loader::new(directory.path()).load().zones.unwrap();
            Self { snapshot: Snapshot::new(1, zones), known: Standings::default() }
        }

        /// Returns the log lines that follow when only the endpoints `up` are up.
        fn lines(&mut self, up: &[usize], showing: Showing) -> Vec<String> {
            let zone = &self.snapshot.zones()[0];
            for (at, binding) in zone.bindings().iter().enumerate() {
                let is = if up.contains(&at) { Showing::UP } else { showing };
                zone.board().show(binding.bit, is);
            }
            let (known, snapshot) = (&mut self.known, &self.snapshot);
            let text = text(|| known.look(snapshot));
            let line = |line: &str| line.split_once("Z ").map(|(_, rest)| rest.trim().to_owned());
            text.lines().filter_map(line).collect()
        }
    }

    #[test]
    fn what_fails_open_is_told_once_and_so_is_its_end() {
        let zone = format!("{HEAD}endpoints = [\"192.0.2.1\", \"192.0.2.2\"]\n");
        let mut scene = Scene::new(&zone);
        assert_eq!(scene.lines(&[0, 1], Showing::DOWN), [""; 0]);
        assert_eq!(scene.lines(&[0], Showing::DOWN), [""; 0], "a pool of one is usable");
        let all = "ERROR web.example.com.: no endpoint is up, answering with all endpoints \
                   (on_all_down = \"all\")";
        assert_eq!(scene.lines(&[], Showing::DOWN), [all]);
        assert_eq!(scene.lines(&[], Showing::DOWN), [""; 0]);
        let again = "INFO web.example.com.: an endpoint is up again, clients go to all pools";
        assert_eq!(scene.lines(&[1], Showing::DOWN), [again]);
        let drained =
            "WARN web.example.com.: only drained endpoints are left, answering with those";
        assert_eq!(scene.lines(&[], Showing::DRAINED), [drained]);
        let none = zone.replace("endpoints", "on_all_down = \"none\"\nendpoints");
        let nothing = "ERROR web.example.com.: no endpoint is up, answering with no records \
                       (on_all_down = \"none\")";
        assert_eq!(Scene::new(&none).lines(&[], Showing::DOWN), [nothing]);
    }

    #[test]
    fn a_pool_that_is_left_is_told_with_where_clients_go() {
        let mut scene = Scene::new(&format!("{HEAD}{POOLS}"));
        assert_eq!(scene.lines(&[0, 1, 3], Showing::DOWN), [""; 0]);
        let left =
            "WARN web.example.com.: eu is not usable (1 of 3 endpoints up), clients go to us";
        assert_eq!(scene.lines(&[0, 3], Showing::DOWN), [left]);
        let thin = "WARN web.example.com.: no pool has its min_up, answering with the endpoints of \
                    eu that are up";
        assert_eq!(scene.lines(&[0], Showing::DOWN), [thin]);
        let open = "ERROR web.example.com.: no endpoint is up, answering with all endpoints of eu \
                    (on_all_down = \"all\")";
        assert_eq!(scene.lines(&[], Showing::DOWN), [open]);
        let again = "INFO web.example.com.: an endpoint is up again, clients go to us";
        assert_eq!(scene.lines(&[3], Showing::DOWN), [again]);
        let back = "INFO web.example.com.: eu is usable again, clients go there again where their \
                    routes say so";
        assert_eq!(scene.lines(&[0, 1, 2, 3], Showing::DOWN), [back]);
    }

    #[test]
    fn clients_of_a_route_that_leads_nowhere_are_told_apart() {
        let routes = "[[services.web.routes]]\nfrom = { net = \"10.0.0.0/8\" }\nto = [\"us\"]\n";
        let mut scene = Scene::new(&format!("{HEAD}{POOLS}{routes}"));
        let some = "ERROR web.example.com.: no endpoint is up for some clients, answering with all \
                    endpoints of us (on_all_down = \"all\")";
        assert_eq!(scene.lines(&[0, 1, 2], Showing::DOWN), [some]);
    }

    #[test]
    fn an_outage_of_everything_fills_no_log() {
        let service = |at: usize| {
            format!(
                "[services.s{at}]\ncheck = {{ kind = \"tcp\", port = 80 }}\n\
                 endpoints = [\"192.0.2.1\"]\n"
            )
        };
        let services: String = (0..50).map(service).collect();
        let head = "zone = \"example.com\"\nnameservers = [\"ns.example.net.\"]\n";
        let lines = Scene::new(&format!("{head}{services}")).lines(&[], Showing::DOWN);
        assert_eq!(lines.len(), LINES_MAX + 1);
        assert_eq!(lines[LINES_MAX], "WARN 30 more services have changed");
    }
}
