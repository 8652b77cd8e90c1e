//! The control plane: loads zones, publishes snapshots, keeps checks in step.

use std::collections::BTreeMap;
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
use super::commands::{Command, ReloadReport};
use super::geo::GeoFiles;
use super::memory;
use super::publish::{Published, Publisher};
use super::settings::LiveSettings;
use super::states::States;
use super::supervisor;
use super::watch::Watcher;
use crate::checker::Checker;
use crate::clock::{Clock, Moment};
use crate::config::{self, Diagnostic, Severity};
use crate::health::Table;
use crate::snapshot::Snapshot;
use crate::wire::excerpt::counted;
use crate::wire::name::Name;

/// The silence that ends a burst of file changes.
const QUIET: Duration = Duration::from_millis(150);

/// The longest wait for such a silence.
const SETTLE_MAX: Duration = Duration::from_millis(900);

/// The interval at which the control thread looks for what no event tells: files that changed
/// unseen by the watcher, and snapshots that no worker uses any more.
const TICK: Duration = Duration::from_secs(2);

/// The longest wait of the stop for zones that are being kept.
const KEEP_MAX: Duration = Duration::from_millis(500);

/// The files that the control plane reads and keeps.
pub(super) struct Sources {
    pub(super) settings: LiveSettings,
    pub(super) catalog: Catalog,
    pub(super) geo: GeoFiles,
    pub(super) certificate: Option<CertificateFiles>,
    pub(super) states: States,
}

/// The owner of everything that changes what is answered.
pub(super) struct Control {
    settings: LiveSettings,
    catalog: Catalog,
    geo: GeoFiles,
    certificate: Option<CertificateFiles>,
    states: States,
    table: Arc<Mutex<Table>>,
    checker: Checker,
    clock: Clock,
    runtime: tokio::runtime::Handle,
    publisher: Publisher,
    published: watch::Sender<Published>,
    /// Replaced snapshots that a worker may still hold. They are dropped here, where freeing a
    /// large one delays no answer.
    retired: Vec<Arc<Snapshot>>,
}

impl Control {
    /// Creates a control plane that has published generation 0, which has no zones.
    pub(super) fn new(
        sources: Sources,
        table: Arc<Mutex<Table>>,
        checker: Checker,
        clock: Clock,
        runtime: tokio::runtime::Handle,
    ) -> Self {
        let Sources { settings, catalog, geo, certificate, states } = sources;
        let publisher = Publisher::new(Arc::clone(settings.policy()));
        let (published, _) = watch::channel(publisher.current().clone());
        let retired = Vec::new();
        Self {
            settings,
            catalog,
            geo,
            certificate,
            states,
            table,
            checker,
            clock,
            runtime,
            publisher,
            published,
            retired,
        }
    }

    /// Returns the channel from which workers take what is published.
    pub(super) fn published(&self) -> watch::Receiver<Published> {
        self.published.subscribe()
    }

    /// Returns the checks.
    pub(super) fn checker(&self) -> &Checker {
        &self.checker
    }

    /// Publishes the zones of the catalog as the next generation, and has them probed.
    pub(super) fn publish(&mut self) {
        let (zones, now) = (self.catalog.zones(), self.clock.now());
        let published = self.publisher.publish(zones, &mut lock(&self.table), now).clone();
        self.retired.push(self.published.send_replace(published).snapshot);
        let _inside = self.runtime.enter();
        self.checker.sync();
    }

    /// Carries out commands until told to stop.
    pub(super) fn run(mut self, commands: &Receiver<Command>, mut watcher: Watcher) {
        loop {
            let command = match commands.recv_timeout(TICK) {
                Ok(Command::Look) => settle(commands, &self.clock),
                Ok(command) => command,
                Err(RecvTimeoutError::Timeout) => Command::Look,
                Err(RecvTimeoutError::Disconnected) => Command::Stop,
            };
            let is_wished = matches!(command, Command::Reload(_));
            self.refresh_certificate(is_wished);
            let moved = self.refresh_geo(is_wished);
            match command {
                Command::Stop => break,
                Command::Reload(reply) => {
                    supervisor::reloading();
                    let report = self.reload(&mut watcher, true);
                    supervisor::ready();
                    // Nobody may wait for it.
                    let _ = reply.send(report);
                }
                Command::Look if moved || self.is_due(&mut watcher) => {
                    self.reload(&mut watcher, false);
                }
                Command::Look => {}
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
        lock(&self.table).resume(Vec::new());
    }

    /// Keeps the states for the next start: now if `once`, otherwise now and then.
    fn keep_states(&mut self, once: bool) {
        let known = || lock(&self.table).known();
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
            error!(
                "certificate refused: waypost panicked while reading it, please report this; the \
                 previous certificate stays in use"
            );
        }
    }

    /// Reads the server's own settings again; returns the keys that changed and hold from now on.
    fn refresh_settings(&mut self) -> Vec<&'static str> {
        let settings = &mut self.settings;
        let Ok(changed) = catch_unwind(AssertUnwindSafe(|| settings.refresh())) else {
            error!(
                "settings refused: waypost panicked while reading them, please report this; the \
                 previous settings stay in force"
            );
            return Vec::new();
        };
        self.publisher.set_policy(Arc::clone(self.settings.policy()));
        changed
    }

    /// Whether clients are now known to be elsewhere.
    fn refresh_geo(&mut self, wished: bool) -> bool {
        let geo = &mut self.geo;
        let Ok(moved) = catch_unwind(AssertUnwindSafe(|| geo.refresh(wished))) else {
            error!(
                "database refused: waypost panicked while reading it, please report this; the \
                 previous databases stay in use"
            );
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

    /// Reads the zones, and the settings too if the operator wishes it; publishes what differs.
    fn reload(&mut self, watcher: &mut Watcher, is_wished: bool) -> ReloadReport {
        // Noted before reading: what changes while we read is seen as a change afterwards.
        let written = watcher.note(self.catalog.loader(), is_wished);
        let started = self.clock.now();
        let settings = if is_wished { self.refresh_settings() } else { Vec::new() };
        let is_written = |path: &Path| written.contains(path);
        // A bug in loading must not stop the checks, which end with this thread.
        let update = || self.catalog.update(&is_written, started);
        let Ok(update) = catch_unwind(AssertUnwindSafe(update)) else {
            error!(
                "reload refused: waypost panicked while loading the zones, please report this; it \
                 keeps serving the previous zones"
            );
            let panicked = Update { is_refused: true, ..Update::default() };
            return self.finish_reload(
                panicked,
                (Changes::default(), settings),
                is_wished,
                started,
            );
        };
        watcher.extend(self.catalog.loader(), &written);
        let changes = Changes::between(&update.before, self.catalog.served());
        log_update(&update, self.catalog.served());
        self.finish_reload(update, (changes, settings), is_wished, started)
    }

    /// Publishes what a reload brought, if that is anything, and reports.
    fn finish_reload(
        &mut self,
        update: Update,
        (changes, settings): (Changes, Vec<&'static str>),
        is_wished: bool,
        started: Moment,
    ) -> ReloadReport {
        let is_news = !changes.is_empty() || !settings.is_empty();
        let publishes = is_news || is_wished && !update.is_refused;
        match publishes {
            true => self.publish(),
            // No snapshot retires whose end would give back what this load has left behind.
            false => memory::give_back(),
        }
        let report = ReloadReport {
            generation: self.publisher.current().snapshot.generation(),
            zones: self.catalog.served().len(),
            took: self.clock.now().since(started),
            changes,
            settings,
            is_refused: update.is_refused,
            refused: update.refused.into_iter().map(|(file, it)| (file, it.as_str())).collect(),
            mended: update.mended,
            diagnostics: update.diagnostics,
        };
        // The log has what was refused already.
        if publishes && !report.is_refused {
            log_report(&report);
        }
        report
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
}

fn lock(table: &Mutex<Table>) -> MutexGuard<'_, Table> {
    // A panic elsewhere leaves the table whole, because each of its steps does.
    table.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits until files stop changing, [`SETTLE_MAX`] at most. Any other command ends the wait.
fn settle(commands: &Receiver<Command>, clock: &Clock) -> Command {
    let began = clock.now();
    loop {
        // However many files have changed, they are one change.
        match commands.recv_timeout(QUIET) {
            Ok(Command::Look) if clock.now().since(began) < SETTLE_MAX => {}
            Ok(command) => return command,
            Err(RecvTimeoutError::Timeout) => return Command::Look,
            Err(RecvTimeoutError::Disconnected) => return Command::Stop,
        }
    }
}

/// Logs what is served after a reload, and what differs from before.
fn log_report(report: &ReloadReport) {
    let ReloadReport { generation, zones, took, changes, .. } = report;
    let (took_ms, words) = (took.as_millis() as u64, changes.to_string());
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
        counted(*zones, "zone")
    );
}

/// Logs what came of reading the zone directory.
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
            error!(zones, "zone directory refused: waypost serves {kept} in the last good form");
        }
        (true, false) => {
            error!(zones, "reload refused: waypost keeps serving the previous zones");
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
