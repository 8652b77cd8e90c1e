//! The control plane: loads zones, publishes snapshots, keeps checks in step.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tracing::{error, info, warn};

use super::catalog::{Catalog, Served, Update};
use super::certificate::CertificateFiles;
use super::changes::Changes;
use super::counted;
use super::geo::GeoFiles;
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

/// The silence that ends a burst of file changes.
const QUIET: Duration = Duration::from_millis(150);

/// The longest wait for such a silence.
const SETTLE_MAX: Duration = Duration::from_millis(900);

/// The interval at which the control thread looks for what no event tells: files that changed
/// unseen by the watcher, and snapshots that no worker uses any more.
const TICK: Duration = Duration::from_secs(2);

/// The messages to the control thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// The operator asks for the zones to be read again.
    Reload,
    /// A file may have changed.
    Changed,
    /// The server stops.
    Stop,
}

/// The longest wait at the stop for zones that are being kept.
const KEEP_MAX: Duration = Duration::from_millis(500);

/// The parts of the control plane that are read from files and kept in them.
pub(super) struct OnDisk {
    pub(super) catalog: Catalog,
    pub(super) geo: GeoFiles,
    pub(super) certificate: Option<CertificateFiles>,
    pub(super) states: States,
}

/// The owner of everything that changes what is answered.
pub(super) struct Control {
    catalog: Catalog,
    geo: GeoFiles,
    certificate: Option<CertificateFiles>,
    states: States,
    table: Arc<Mutex<Table>>,
    checker: Checker,
    clock: Clock,
    runtime: tokio::runtime::Handle,
    publish: watch::Sender<Arc<Snapshot>>,
    /// The replaced snapshots that a worker may still hold. They are dropped here, where freeing a
    /// large one delays no answer.
    retired: Vec<Arc<Snapshot>>,
}

impl Control {
    /// Creates a control plane that has published generation 0, which holds nothing.
    pub(super) fn new(
        files: OnDisk,
        table: Arc<Mutex<Table>>,
        checker: Checker,
        clock: Clock,
        runtime: tokio::runtime::Handle,
    ) -> Self {
        let (publish, _) = watch::channel(Arc::new(Snapshot::new(0, Vec::new())));
        let retired = Vec::new();
        let OnDisk { catalog, geo, certificate, states } = files;
        Self { catalog, geo, certificate, states, table, checker, clock, runtime, publish, retired }
    }

    /// Returns the receiver from which workers read snapshots.
    pub(super) fn snapshots(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.publish.subscribe()
    }

    /// Returns the checks.
    pub(super) fn checker(&self) -> &Checker {
        &self.checker
    }

    /// Publishes the zones of the catalog as the next generation.
    ///
    /// The boards of new zones show every known state before the first worker sees them. The boards
    /// of old zones do not change from then on: a worker reads them for the rest of its batch at
    /// most.
    pub(super) fn publish(&mut self) {
        let zones = self.catalog.zones();
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

    /// Serves events until it is told to stop.
    pub(super) fn run(mut self, events: &Receiver<Event>, mut watcher: Watcher) {
        loop {
            let event = match events.recv_timeout(TICK) {
                Ok(Event::Changed) => settle(events, &self.clock),
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
                    self.reload(&mut watcher, true);
                    supervisor::ready();
                }
                Event::Changed if moved || self.is_due(&mut watcher) => {
                    self.reload(&mut watcher, false);
                }
                Event::Changed => {}
            }
            self.remind();
            self.free_retired();
            self.keep_states(false);
        }
        self.keep_states(true);
        self.catalog.finish(KEEP_MAX);
        self.runtime.block_on(self.checker.stop());
    }

    /// Forgets the states that the run before kept.
    pub(super) fn forget_kept_states(&self) {
        self.table().resume(Vec::new());
    }

    /// Keeps the states for the next start: now if `once`, otherwise now and then.
    fn keep_states(&mut self, once: bool) {
        let table = Arc::clone(&self.table);
        let lock = || table.lock().unwrap_or_else(PoisonError::into_inner);
        let known = || lock().known();
        match once {
            true => self.states.write(&self.clock, known),
            false => self.states.tick(&self.clock, known),
        }
    }

    /// Frees snapshots that no worker holds any more, and gives their memory back to the system,
    /// along with what loading their successors left behind.
    fn free_retired(&mut self) {
        let before = self.retired.len();
        self.retired.retain(|snapshot| Arc::strong_count(snapshot) > 1);
        if self.retired.len() < before {
            memory::give_back();
        }
    }

    fn refresh_certificate(&mut self, wished: bool) {
        let Some(certificate) = &mut self.certificate else { return };
        // As with zones: a panic while reading files must not stop the checks.
        if catch_unwind(AssertUnwindSafe(|| certificate.refresh(wished))).is_err() {
            error!("certificate refused: reading it panicked; the one before goes on being used");
        }
    }

    /// Reads the databases again; returns whether clients may now be located elsewhere.
    fn refresh_geo(&mut self, wished: bool) -> bool {
        let geo = &mut self.geo;
        let Ok(moved) = catch_unwind(AssertUnwindSafe(|| geo.refresh(wished))) else {
            error!("database refused: reading it panicked; those before go on being used");
            return false;
        };
        if moved {
            self.catalog.set_geo(Arc::clone(self.geo.geo()));
        }
        moved
    }

    /// Whether the zones are worth reading.
    fn is_due(&self, watcher: &mut Watcher) -> bool {
        watcher.follow();
        let loader = self.catalog.loader();
        watcher.has_changed(loader) || loader.is_short()
    }

    /// Reads the zones. If `is_wished`, the operator asks for it, and for a log line about the
    /// outcome.
    fn reload(&mut self, watcher: &mut Watcher, is_wished: bool) {
        // Noted before reading, so that a change during the reading is seen afterwards.
        let written = watcher.note(self.catalog.loader(), is_wished);
        let started = self.clock.now();
        let is_written = |path: &Path| written.contains(path);
        // A bug in loading must not stop the checks, which end with this thread.
        let update = || self.catalog.update(&is_written, started);
        let Ok(update) = catch_unwind(AssertUnwindSafe(update)) else {
            error!(
                "reload refused: loading the zones panicked; what was served goes on being served"
            );
            memory::give_back();
            return;
        };
        watcher.extend(self.catalog.loader(), &written);
        let changes = Changes::between(&update.before, self.catalog.served());
        log_update(&update, self.catalog.served());
        if changes.is_empty() && (!is_wished || update.is_refused) {
            // No snapshot retires here, so nothing else would give back what this load left behind.
            memory::give_back();
            return;
        }
        self.publish();
        let took_ms = self.clock.now().since(started).as_millis() as u64;
        let (generation, zones) = (self.publish.borrow().generation(), self.catalog.served().len());
        let words = changes.to_string();
        let Changes { added, removed, changed } = changes;
        let (added, removed, changed) = (added.as_deref(), removed.as_deref(), changed.as_deref());
        info!(
            generation,
            zones,
            took_ms,
            added,
            removed,
            changed,
            "reloaded: {}, generation {generation}, in {took_ms} ms{words}",
            counted(zones, "zone")
        );
    }

    /// Logs the files that are still refused, each once an hour.
    fn remind(&mut self) {
        for (file, instead, since) in self.catalog.due(self.clock.now()) {
            let (file, instead) = (file.display(), instead.as_str());
            let hours = since.as_secs() / 3600;
            error!(
                %file,
                hours,
                "{file} has been refused for {hours} h: {instead}; `waypost check` says what to mend"
            );
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // A panic elsewhere leaves the table whole, because each of its steps does.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits until files stop changing, at most [`SETTLE_MAX`]. A request of the operator ends the
/// wait.
fn settle(events: &Receiver<Event>, clock: &Clock) -> Event {
    let began = clock.now();
    loop {
        // However many events come, they are one change.
        match events.recv_timeout(QUIET) {
            Ok(Event::Changed) if clock.now().since(began) < SETTLE_MAX => {}
            Ok(event) => return event,
            Err(RecvTimeoutError::Timeout) => return Event::Changed,
            Err(RecvTimeoutError::Disconnected) => return Event::Stop,
        }
    }
}

/// Logs the outcome of reading the zone directory.
pub(super) fn log_update(update: &Update, served: &BTreeMap<Name, Served>) {
    if update.is_bare && served.is_empty() {
        for Diagnostic { message, .. } in &update.diagnostics {
            warn!("{message}; nothing is served until a zone file is there");
        }
        return;
    }
    let zones = served.len();
    match (update.is_refused, update.before.is_empty()) {
        (true, true) => {
            let kept = counted(zones, "zone");
            error!(zones, "zone directory refused: {kept} of it served as they were last good");
        }
        (true, false) => {
            error!(zones, "reload refused: what was served goes on being served");
        }
        (false, _) => {}
    }
    for (file, instead) in &update.refused {
        let (file, instead) = (file.display(), instead.as_str());
        error!(%file, "{file} is refused: {instead}");
    }
    for file in &update.mended {
        let file = file.display();
        info!(%file, "{file} is good again");
    }
    for (zone, _) in update.before.iter().filter(|(zone, _)| !served.contains_key(*zone)) {
        warn!(%zone, "{zone} is removed: no file holds it any more");
    }
    log_diagnostics(&update.diagnostics);
}

/// Logs each diagnostic by itself: in JSON, one object each.
pub(crate) fn log_diagnostics(diagnostics: &[Diagnostic]) {
    for diagnostic in diagnostics {
        let text = config::render(std::slice::from_ref(diagnostic), false);
        let file = diagnostic.place.as_ref().map(|(source, _)| source.path.display().to_string());
        let (line, column) = diagnostic.line_column().unzip();
        let (help, message) = (diagnostic.help.as_deref(), &diagnostic.message);
        match diagnostic.severity {
            Severity::Error => {
                error!(target: "waypost::config", file, line, column, help, text, "{message}");
            }
            Severity::Warning => {
                warn!(target: "waypost::config", file, line, column, help, text, "{message}");
            }
        }
    }
}
