//! Composition: the one place that names every part of a running server.
//!
//! ```text
//! start   Prepared: Catalog ─ bind ─ Publisher ─ first verdicts; serve: Running (workers)
//! reload  signal or changed file ─▶ Command ─▶ control thread: Catalog ─ Publisher ─▶ report
//! stop    workers answer what is queued and end ─ control thread ─ checks
//! ```
//!
//! `cli::serve` and `cli::demo` start a [`Server`]; other commands use its parts, such as
//! [`Loader`] and `examine`. One thread loads and publishes. The checks run on a thread of their
//! own. Each worker picks up the newest snapshot between two batches. Addresses are bound before
//! anything is probed, and nothing is answered before the first verdicts have come or `start_wait`
//! is over.

mod answerer;
mod catalog;
mod certificate;
mod changes;
mod checks;
mod commands;
mod control;
mod examine;
mod files;
mod geo;
mod kept;
mod load;
mod lock;
mod memory;
mod policy;
mod process;
mod publish;
mod services;
mod settings;
mod states;
mod supervisor;
mod versions;
mod watch;

use std::collections::HashSet;
use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch::Receiver;
use tracing::{error, info, warn};

use crate::answer::Over;
use crate::checker::{Checker, Limits};
use crate::clock::Clock;
use crate::config::{Diagnostic, EncryptedConfig, ServerConfig};
use crate::health::{Probed, Table};
use crate::snapshot::{Snapshot, Zone};
use crate::transport::{self, BindError, Running, Sockets, StreamLimits, Tls};
use crate::wire::excerpt::counted;
use answerer::Answerer;
use catalog::{Catalog, Update};
use certificate::CertificateFiles;
use checks::CheckThread;
use commands::Command;
use control::{Control, Sources};
use kept::KeptSources;
use settings::LiveSettings;
use states::States;

pub use certificate::CertificateError;
pub use changes::Changes;
pub use commands::ReloadReport;
pub(crate) use control::log_diagnostics;
pub use examine::examine;
pub use geo::{GeoError, GeoFiles};
pub use load::{Load, Loader, read_source};
pub use process::forbid_dumps;
pub use publish::{Published, Publisher};
pub use settings::ReadSettings;

/// The longest time for the control thread to end; it is told to before the workers are.
const CONTROL_STOP_MAX: Duration = Duration::from_secs(1);

/// A running server. Dropping it stops it as [`Server::stop`] does.
pub struct Server {
    addresses: Vec<SocketAddr>,
    encrypted: Vec<(Over, SocketAddr)>,
    workers: usize,
    running: Option<Running>,
    commands: mpsc::Sender<Command>,
    /// Disconnected once the control thread has ended.
    control: Option<mpsc::Receiver<Infallible>>,
    checks: Option<CheckThread>,
    outcomes: answerer::Outcomes,
    published: Receiver<Published>,
    table: Arc<Mutex<Table>>,
    clock: Clock,
}

/// The reason why a server did not start.
#[derive(Debug)]
pub enum StartError {
    /// The zone directory cannot be read, and no zones of it were kept.
    Zones(Vec<Diagnostic>),
    /// The certificate of the encrypted listeners cannot be presented.
    Certificate(CertificateError),
    /// An address could not be bound.
    Bind(BindError),
    /// The operating system refused something else.
    System(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Zones(diagnostics) => f.write_str(&crate::config::render(diagnostics, false)),
            Self::Certificate(error) => error.fmt(f),
            Self::Bind(error) => error.fmt(f),
            Self::System(error) => write!(f, "cannot start: {error}"),
        }
    }
}

impl std::error::Error for StartError {}

impl From<io::Error> for StartError {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}

/// A server that has all that it needs, and answers nobody yet. Queries that arrive wait in its
/// sockets.
struct Prepared {
    sockets: Sockets,
    limits: StreamLimits,
    workers: usize,
    control: Control,
    watcher: watch::Watcher,
    commands: mpsc::Sender<Command>,
    inbox: mpsc::Receiver<Command>,
    /// Tells of each change that boards show.
    changes: mpsc::Receiver<()>,
    checks: CheckThread,
    table: Arc<Mutex<Table>>,
    clock: Clock,
}

impl Prepared {
    /// Reads everything, binds every address, starts the checks, and waits for their first
    /// verdicts.
    ///
    /// The order of the steps matters:
    /// 1. The watcher looks before the files are read: a change meanwhile is seen afterwards.
    /// 2. States are locked before kept zones are read: they stand beside the states.
    /// 3. Zones are read before addresses are bound: a directory that is refused takes no address.
    /// 4. The table knows the kept states before zones are published: their boards show them.
    /// 5. Zones are published before anybody answers, and probed before anybody is answered.
    fn new(config: ServerConfig, read: Option<ReadSettings>) -> Result<Self, StartError> {
        process::quiet_worker_panics();
        files::keep_spare();
        let (geo, problems) = GeoFiles::load(config.geo.clone());
        let loader =
            Loader::new(&config.zones).with_geo(geo.geo().clone()).allowing(config.allowed());
        let clock = Clock::system();
        let mut watcher = watch::Watcher::new();
        let (commands, inbox) = mpsc::channel();
        watcher.attach(&config.zones, commands.clone());
        let mut states = States::new(config.states.clone());
        let kept = KeptSources::beside(states.lock());
        let (catalog, update) = read_zones(loader, kept, &mut watcher, &clock)?;
        let probed = log_zones(&config, &catalog.zones());
        log_geo(&geo, &problems);
        process::raise_descriptor_limit(connections_max(&config), probes_max(&config));
        control::log_update(&update, catalog.served());
        let workers = worker_count(config.workers);
        let (sockets, certificate) = bind(&config, workers)?;
        let checks = CheckThread::start()?;
        let handle = checks.handle().clone();
        let (shown, changes) = mpsc::sync_channel(1);
        let (table, checker) = checker(&config, &mut states, &clock, shown);
        let (start_wait, limits) = (config.start_wait, stream_limits(&config));
        let settings = LiveSettings::new(config, read, sockets.addresses())?;
        let sources = Sources { settings, catalog, geo, certificate, states };
        let mut control =
            Control::new(sources, Arc::clone(&table), checker, clock.clone(), handle.clone());
        control.publish();
        // The kept states are too old for zones that are loaded later.
        control.forget_kept_states();
        wait_for_verdicts(control.checker(), &handle, probed, start_wait);
        Ok(Self {
            sockets,
            limits,
            workers,
            control,
            watcher,
            commands,
            inbox,
            changes,
            checks,
            table,
            clock,
        })
    }

    /// Answers from now on, and carries out commands.
    fn serve(self) -> io::Result<Server> {
        let Self { sockets, limits, workers, control, watcher, commands, inbox, .. } = self;
        let (addresses, encrypted) = (sockets.addresses(), sockets.encrypted_addresses());
        let outcomes = answerer::Outcomes::new(sockets.responders());
        let (published, counted) = (control.published(), outcomes.clone());
        let (for_workers, workers_clock) = (published.clone(), self.clock.clone());
        let running = sockets.start(limits, move |number| {
            Answerer::new(for_workers.clone(), workers_clock.clone(), counted.clone(), number)
        })?;
        services::watch(control.published(), self.changes)?;
        let (alive, ended) = mpsc::channel();
        std::thread::Builder::new().name("control".into()).spawn(move || {
            let _alive: mpsc::Sender<Infallible> = alive;
            control.run(&inbox, watcher);
        })?;
        Ok(Server {
            addresses,
            encrypted,
            workers,
            running: Some(running),
            commands,
            control: Some(ended),
            checks: Some(self.checks),
            outcomes,
            published,
            table: self.table,
            clock: self.clock,
        })
    }
}

impl Server {
    /// Loads the zones, binds every address, waits for the first verdicts (at most
    /// `start_wait`), and answers. A reload asks `read` for the settings of that moment; without it
    /// they stay as they are.
    ///
    /// # Errors
    /// [`StartError`]; nothing is left running.
    pub fn start(config: ServerConfig, read: Option<ReadSettings>) -> Result<Self, StartError> {
        Ok(Prepared::new(config, read)?.serve()?)
    }

    /// Returns the addresses on which it answers, over UDP and TCP alike.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Returns the addresses on which it answers over encrypted transports.
    pub fn encrypted_addresses(&self) -> &[(Over, SocketAddr)] {
        &self.encrypted
    }

    /// Logs the addresses on which it answers, and tells the service manager. From then on it can
    /// be asked, reloaded and stopped.
    pub fn announce(&self) {
        let workers = self.workers;
        for address in &self.addresses {
            let threads = counted(workers, "worker");
            info!(%address, workers, "listening on {address} over UDP and TCP, with {threads}");
        }
        for (over, address) in &self.encrypted {
            let over = over.as_str();
            info!(%address, over, "listening on {address} over {over}");
        }
        supervisor::ready();
    }

    /// Logs the state of everything that is probed.
    pub fn log_states(&self) {
        crate::checker::log_states(&self.table, &self.clock);
    }

    /// Asks for the settings and the zones to be read again, and returns at once. The report comes
    /// through the channel when that is done; the log has it as well.
    pub fn reload(&self) -> mpsc::Receiver<ReloadReport> {
        let (reply, report) = mpsc::channel();
        // The control thread lives as long as `self`; if it is gone there is nothing to reload.
        let _ = self.commands.send(Command::Reload(reply));
        report
    }

    /// Returns the number of queries with each outcome so far, by the name of the outcome.
    pub fn outcomes(&self) -> Vec<(&'static str, u64)> {
        self.outcomes.totals()
    }

    /// Returns the zones from which it answers now, with the boards of their states.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.published.borrow().snapshot)
    }

    /// Answers what has arrived, then ends; takes at most 5 s.
    pub fn stop(mut self) {
        supervisor::stopping();
        self.end();
    }

    fn end(&mut self) {
        // Told first, so that a reload under way and the transports come to their end together.
        let _ = self.commands.send(Command::Stop);
        if let Some(running) = self.running.take() {
            running.stop();
        }
        if let Some(control) = self.control.take() {
            // A load that hangs, on a network file system for instance, is left behind.
            let _ = control.recv_timeout(CONTROL_STOP_MAX);
        }
        // This comes after the control thread, which waits for the checks to end.
        self.checks.take();
    }
}

/// Creates the table that checks feed, and the checks themselves, with nothing to probe yet.
fn checker(
    config: &ServerConfig,
    states: &mut States,
    clock: &Clock,
    shown: mpsc::SyncSender<()>,
) -> (Arc<Mutex<Table>>, Checker) {
    let mut table = Table::new(config.guard);
    table.resume(states.read(clock));
    let table = Arc::new(Mutex::new(table));
    let limits = Limits {
        concurrency: config.check_concurrency,
        per_address: config.check_concurrency_per_address,
    };
    let reach = config.allowed().reach;
    let checker = Checker::new(clock.clone(), Arc::clone(&table), limits, reach).telling(shown);
    (table, checker)
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

/// Reads the zones for the first time.
///
/// # Errors
/// [`StartError::Zones`].
fn read_zones(
    loader: Loader,
    kept: KeptSources,
    watcher: &mut watch::Watcher,
    clock: &Clock,
) -> Result<(Catalog, Update), StartError> {
    // Noted before reading, so that a change during the start is seen afterwards.
    let written = watcher.note(&loader, false);
    let mut catalog = Catalog::new(loader, kept);
    let update = catalog.update(&|_| false, clock.now());
    watcher.extend(catalog.loader(), &written);
    match !update.is_readable && !update.is_bare && catalog.served().is_empty() {
        true => Err(StartError::Zones(update.diagnostics)),
        false => Ok((catalog, update)),
    }
}

/// Logs what is served, as the first line. Returns the number of different probes.
fn log_zones(config: &ServerConfig, served: &[Arc<Zone>]) -> usize {
    let (services, endpoints) = size_of(served);
    let bindings = served.iter().flat_map(|zone| zone.bindings().iter());
    let probed: HashSet<&Probed> = bindings.flat_map(|b| b.condition.leaves()).collect();
    let (zones, probed) = (served.len(), probed.len());
    let (version, directory) = (env!("CARGO_PKG_VERSION"), config.zones.display());
    let file = config.file.as_ref().map(|file| file.display().to_string());
    let settings = match &file {
        Some(file) => format!("the settings of {file}"),
        None => "default settings".to_owned(),
    };
    info!(
        version, settings = file, %directory, zones, services, endpoints, probed,
        "waypost {version} serves {directory} with {settings}: {}, {}, {}, {}",
        counted(zones, "zone"),
        counted(services, "service"),
        counted(endpoints, "endpoint"),
        counted(probed, "probe"),
    );
    probed
}

/// Returns the number of services in these zones, and the number of endpoints listed in them.
pub(crate) fn size_of(zones: &[Arc<Zone>]) -> (usize, usize) {
    let services = || zones.iter().flat_map(|zone| zone.services().iter().map(move |s| (zone, s)));
    let endpoints = services().map(|(zone, service)| zone.own_endpoint_count(service)).sum();
    (services().count(), endpoints)
}

/// Waits for the first verdicts of `probed` probes, and logs it.
fn wait_for_verdicts(checker: &Checker, handle: &Handle, probed: usize, wait: Duration) {
    if probed > 0 {
        let probes = counted(probed, "probe");
        info!(probed, "waiting for first verdicts of {probes}, for {wait:?} at most");
    }
    if !handle.block_on(checker.first_verdicts(wait)) {
        warn!("answering before every check has a verdict: {wait:?} have passed");
    }
}

/// Returns the most descriptors that the checks may take.
fn probes_max(config: &ServerConfig) -> usize {
    config.check_concurrency + crate::checker::KEPT_MAX
}

/// Logs the data by which clients are located.
fn log_geo(geo: &GeoFiles, problems: &[GeoError]) {
    // Answering clients without locating them is better than not answering.
    for problem in problems {
        error!("database refused: clients are located without it: {problem}");
    }
    geo.log();
}

/// Returns the limits on what clients may take over streams.
fn stream_limits(config: &ServerConfig) -> StreamLimits {
    StreamLimits {
        connections: config.limits.tcp_connections,
        connections_per_source: config.limits.tcp_connections_per_source,
        first_query: config.limits.tcp_first_query,
        idle: config.limits.tcp_idle,
        ..Default::default()
    }
}

/// Returns the most connections that the limits allow; each takes a descriptor.
fn connections_max(config: &ServerConfig) -> usize {
    // TLS and HTTPS have as many seats as TCP each. A connection over QUIC takes no descriptor.
    let kinds = config.encrypted.as_ref().map_or(1, |encrypted| {
        1 + usize::from(!encrypted.tls.is_empty()) + usize::from(!encrypted.https.is_empty())
    });
    config.limits.tcp_connections.saturating_mul(kinds)
}

/// Binds every address of `config`, and reads the certificate for the encrypted ones.
fn bind(
    config: &ServerConfig,
    workers: usize,
) -> Result<(Sockets, Option<CertificateFiles>), StartError> {
    let bound = transport::bind(&config.listen, workers).map_err(StartError::Bind)?;
    let Some(encrypted) = &config.encrypted else {
        warn_of_addresses(&bound);
        return Ok((bound, None));
    };
    let files = CertificateFiles::load(encrypted).map_err(StartError::Certificate)?;
    let tls = Tls { certificate: files.presented(), https_path: encrypted.https_path.clone() };
    let bound = bound.with_encrypted(&encrypted_addresses(encrypted), tls);
    let bound = bound.map_err(StartError::Bind)?;
    warn_of_addresses(&bound);
    Ok((bound, Some(files)))
}

/// Logs the addresses at which nothing is answered, or nothing yet.
fn warn_of_addresses(bound: &Sockets) {
    for (over, address) in bound.missing() {
        let over = if over == Over::Udp { "UDP and TCP" } else { over.as_str() };
        warn!(
            %address, over,
            "this machine does not have the address of {address} yet: waypost answers queries \
             over {over} there as soon as the machine has it; see `ip address`"
        );
    }
    bound.left_out().iter().for_each(|error| warn!("{error}; waypost starts without this address"));
}

/// Returns the addresses of the encrypted transports, each with its transport.
fn encrypted_addresses(config: &EncryptedConfig) -> Vec<(Over, SocketAddr)> {
    let EncryptedConfig { tls, https, quic, h3, .. } = config;
    let all = [(Over::Tls, tls), (Over::Https, https), (Over::Quic, quic), (Over::H3, h3)];
    all.into_iter().flat_map(|(over, list)| list.iter().map(move |&at| (over, at))).collect()
}

/// Returns the number of workers: one for each core unless the operator sets another.
fn worker_count(configured: usize) -> usize {
    match configured {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        workers => workers,
    }
}
