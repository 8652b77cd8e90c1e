//! The control plane: loads zones, publishes snapshots, keeps checks in step.

use std::collections::{HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tracing::{error, info, warn};

use super::certificate::CertificateFiles;
use super::counted;
use super::geo::GeoFiles;
use super::load::Loader;
use super::memory;
use super::states::States;
use super::supervisor;
use super::watch::Watcher;
use crate::checker::Checker;
use crate::clock::Clock;
use crate::config::{self, Diagnostic, Severity};
use crate::health::{Binding, Table};
use crate::snapshot::{Snapshot, Zone};
use crate::wire::name::Name;

/// Files change in bursts; this long a silence ends one.
const QUIET: Duration = Duration::from_millis(150);

/// How often the control thread looks for what no event told it: files changed behind the
/// watcher's back, snapshots that no worker uses any more.
const TICK: Duration = Duration::from_secs(2);

/// What the control thread is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// The operator wants the zones read again.
    Reload,
    /// A file may have changed.
    Changed,
    /// The server ends.
    Stop,
}

/// What the control plane reads from files, and keeps in them.
pub(super) struct OnDisk {
    pub(super) loader: Loader,
    pub(super) geo: GeoFiles,
    pub(super) certificate: Option<CertificateFiles>,
    pub(super) states: States,
}

/// Everything that changes what is answered.
pub(super) struct Control {
    loader: Loader,
    geo: GeoFiles,
    certificate: Option<CertificateFiles>,
    states: States,
    table: Arc<Mutex<Table>>,
    checker: Checker,
    clock: Clock,
    runtime: tokio::runtime::Handle,
    publish: watch::Sender<Arc<Snapshot>>,
    /// Replaced snapshots that a worker may still hold. They are dropped here, where freeing a
    /// large one delays no answer.
    retired: Vec<Arc<Snapshot>>,
}

impl Control {
    /// A control plane that has published generation 0: nothing.
    pub(super) fn new(
        files: OnDisk,
        table: Arc<Mutex<Table>>,
        checker: Checker,
        clock: Clock,
        runtime: tokio::runtime::Handle,
    ) -> Self {
        let (publish, _) = watch::channel(Arc::new(Snapshot::new(0, Vec::new())));
        let retired = Vec::new();
        let OnDisk { loader, geo, certificate, states } = files;
        Self { loader, geo, certificate, states, table, checker, clock, runtime, publish, retired }
    }

    /// What workers read snapshots from.
    pub(super) fn snapshots(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.publish.subscribe()
    }

    /// The checks.
    pub(super) fn checker(&self) -> &Checker {
        &self.checker
    }

    /// Publishes the next generation.
    ///
    /// New zones' boards show every known state before the first worker sees them. Old zones'
    /// boards stand still from then on: a worker reads them for the rest of its batch at most.
    pub(super) fn publish(&mut self, zones: Vec<Arc<Zone>>) {
        let old = self.publish.borrow().clone();
        let pointers = |zones: &[Arc<Zone>]| -> HashSet<*const Zone> {
            zones.iter().map(Arc::as_ptr).collect()
        };
        let (before, after) = (pointers(old.zones()), pointers(&zones));
        let replaced: HashMap<&Name, &[Binding]> =
            old.zones().iter().map(|zone| (zone.origin(), &zone.bindings()[..])).collect();
        let now = self.clock.now();
        for zone in zones.iter().filter(|zone| !before.contains(&Arc::as_ptr(zone))) {
            let replaced = replaced.get(zone.origin()).copied().unwrap_or(&[]);
            self.table().bind(zone.board(), zone.bindings(), replaced, now);
        }
        let snapshot = Arc::new(Snapshot::new(old.generation() + 1, zones));
        self.retired.push(self.publish.send_replace(Arc::clone(&snapshot)));
        for zone in old.zones().iter().filter(|zone| !after.contains(&Arc::as_ptr(zone))) {
            self.table().unbind(zone.bindings());
        }
        let _inside = self.runtime.enter();
        self.checker.sync();
    }

    /// Serves events until told to stop.
    pub(super) fn run(mut self, events: &Receiver<Event>, mut watcher: Watcher) {
        loop {
            let event = match events.recv_timeout(TICK) {
                Ok(Event::Changed) => settle(events),
                Ok(event) => event,
                Err(RecvTimeoutError::Timeout) => Event::Changed,
                Err(RecvTimeoutError::Disconnected) => Event::Stop,
            };
            self.refresh_certificate(event == Event::Reload);
            let moved = self.refresh_geo(event == Event::Reload);
            match event {
                Event::Stop => break,
                Event::Reload => {
                    supervisor::reloading();
                    self.reload(&mut watcher);
                    supervisor::ready();
                }
                Event::Changed if moved || watcher.has_changed(&self.loader) => {
                    self.reload(&mut watcher);
                }
                Event::Changed => {}
            }
            self.free_retired();
            self.keep_states(false);
        }
        self.keep_states(true);
        self.runtime.block_on(self.checker.stop());
    }

    /// Forgets the states that were kept from the run before.
    pub(super) fn forget_kept_states(&self) {
        self.table().resume(Vec::new());
    }

    /// Keeps the states for the next start: at `once`, or now and then.
    fn keep_states(&mut self, once: bool) {
        let table = Arc::clone(&self.table);
        let lock = || table.lock().unwrap_or_else(PoisonError::into_inner);
        let known = || lock().known();
        match once {
            true => self.states.write(&self.clock, known),
            false => self.states.tick(&self.clock, known),
        }
    }

    /// Frees snapshots that no worker holds any more, and gives their memory back, together with
    /// what loading their successors left behind.
    fn free_retired(&mut self) {
        let before = self.retired.len();
        self.retired.retain(|snapshot| Arc::strong_count(snapshot) > 1);
        if self.retired.len() < before {
            memory::give_back();
        }
    }

    fn refresh_certificate(&mut self, wished: bool) {
        let Some(certificate) = &mut self.certificate else { return };
        // As with zones: what reads files must not take the checks along.
        if catch_unwind(AssertUnwindSafe(|| certificate.refresh(wished))).is_err() {
            error!("certificate refused: reading it panicked; the one before goes on being used");
        }
    }

    /// Whether clients are now known to be elsewhere.
    fn refresh_geo(&mut self, wished: bool) -> bool {
        let geo = &mut self.geo;
        let Ok(moved) = catch_unwind(AssertUnwindSafe(|| geo.refresh(wished))) else {
            error!("database refused: reading it panicked; those before go on being used");
            return false;
        };
        if moved {
            self.loader.set_geo(Arc::clone(self.geo.geo()));
        }
        moved
    }

    fn reload(&mut self, watcher: &mut Watcher) {
        // Noted before reading: what changes while we read is seen as a change afterwards.
        watcher.note(&self.loader);
        let started = self.clock.now();
        // A bug in loading must not take the checks along, which end with this thread.
        let Ok(load) = catch_unwind(AssertUnwindSafe(|| self.loader.load())) else {
            error!(
                "reload refused: loading the zones panicked; what was served goes on being served"
            );
            memory::give_back();
            return;
        };
        watcher.extend(&self.loader);
        let Some(zones) = load.zones.filter(|_| load.is_as_expected) else {
            let errors = load.diagnostics.iter().filter(|d| d.severity == Severity::Error).count();
            let generation = self.publish.borrow().generation();
            error!(
                errors,
                generation,
                "reload refused, {}: what was served goes on being served",
                counted(errors, "error")
            );
            log_diagnostics(&load.diagnostics, Severity::Error);
            // No snapshot retires whose end would give back what this load has left behind.
            memory::give_back();
            return;
        };
        log_diagnostics(&load.diagnostics, Severity::Warning);
        let count = zones.len();
        self.publish(zones);
        let took_ms = self.clock.now().since(started).as_millis() as u64;
        let generation = self.publish.borrow().generation();
        info!(
            generation,
            zones = count,
            took_ms,
            "reloaded: {}, generation {generation}, in {took_ms} ms",
            counted(count, "zone")
        );
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // A panic elsewhere leaves the table whole: each of its steps is.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits until files stop changing, a second at most; an operator's wish ends the wait.
fn settle(events: &Receiver<Event>) -> Event {
    for _ in 0..6 {
        match events.recv_timeout(QUIET) {
            Ok(Event::Changed) => {}
            Ok(event) => return event,
            Err(RecvTimeoutError::Timeout) => break,
            Err(RecvTimeoutError::Disconnected) => return Event::Stop,
        }
    }
    Event::Changed
}

/// Logs each diagnostic by itself: one object each in JSON. `least`: the level
/// of those that did no harm.
pub(crate) fn log_diagnostics(diagnostics: &[Diagnostic], least: Severity) {
    for diagnostic in diagnostics {
        let text = config::render(std::slice::from_ref(diagnostic), false);
        let file = diagnostic.place.as_ref().map(|(source, _)| source.path.display().to_string());
        let (line, column) = diagnostic.line_column().unzip();
        let (help, message) = (diagnostic.help.as_deref(), &diagnostic.message);
        match diagnostic.severity.min(least) {
            Severity::Error if diagnostic.severity == Severity::Error => {
                error!(target: "waypost::config", file, line, column, help, text, "{message}");
            }
            _ => warn!(target: "waypost::config", file, line, column, help, text, "{message}"),
        }
    }
}
