//! `waypost.toml` → [`ServerConfig`].

mod encrypted;
mod geo;

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use zeroize::Zeroize;

use super::decode::{Decoder, Period, Spanned, parse};
use super::diagnostic::{Diagnostic, Source};
use super::load::Allowed;
use super::spec::network::networks;
use super::spec::server::{self as spec, ServerFile};
use crate::health::GuardPolicy;
use crate::zone::Reach;

pub use encrypted::EncryptedConfig;
pub use geo::GeoConfig;

/// The shortest and the longest limit of a TCP connection.
const TCP_WAIT: (Period, Period) = (Period(Duration::from_millis(100)), Period::secs(3600));
/// The longest character string (RFC 1035 §3.3).
const TEXT_MAX: usize = 255;
/// The secret in use and the one before it.
const SECRETS_MAX: usize = 2;
/// The longest wait for first verdicts.
const START_WAIT_MAX: Period = Period::secs(60);
/// How old kept states may be.
const STATE_MAX_AGE: (Period, Period) = (Period::secs(1), Period::secs(86_400));
/// The longest time for which failures are not believed.
const FREEZE_MAX_MAX: Period = Period::secs(86_400);

/// Where states are kept, so that a restart begins with them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateFile {
    /// The file.
    pub path: PathBuf,
    /// How old what it says may be.
    pub max_age: Duration,
}

/// What the server does apart from the zones.
#[derive(Clone, Debug, PartialEq)]
pub struct ServerConfig {
    /// The file that says so; `None`: there is none.
    pub file: Option<PathBuf>,
    /// Where it listens, UDP and TCP alike.
    pub listen: Vec<SocketAddr>,
    /// UDP workers for each address; 0: one for each CPU core.
    pub workers: usize,
    /// Where it listens for encrypted queries, and with which certificate.
    pub encrypted: Option<EncryptedConfig>,
    /// The directory of zone files.
    pub zones: PathBuf,
    /// How long it waits for first verdicts before it answers.
    pub start_wait: Duration,
    /// How many probes run at one time.
    pub check_concurrency: usize,
    /// How many of them probe one IP address.
    pub check_concurrency_per_address: usize,
    /// What zone files may ask of this machine.
    pub allowed: Allowed,
    /// When failures are not believed.
    pub guard: GuardPolicy,
    /// Where states are kept.
    pub states: Option<StateFile>,
    /// The greatest age of kept states, wherever they are kept.
    pub state_max_age: Duration,
    /// Where clients are.
    pub geo: GeoConfig,
    /// What clients may use up.
    pub limits: Limits,
    /// What the server says of itself when asked.
    pub identity: Identity,
    /// Cookies; `None`: clients get none.
    pub cookies: Option<CookieSecrets>,
    /// The longest response over UDP to a client without a cookie, in octets; `None`: as to others.
    pub max_nocookie_response: Option<u16>,
    /// How much one source is sent over UDP.
    pub rate_limit: RateLimit,
    /// What is logged, and how.
    pub log: LogConfig,
}

/// What the server says of itself when asked, each at most 255 octets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// Its name.
    pub name: Option<String>,
    /// Its version, or what the operator wants to be said of it.
    pub version: Option<String>,
}

/// The secrets that cookies are made (the first) and recognized (all) with; none: one at random.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct CookieSecrets(pub Vec<[u8; 16]>);

impl Drop for CookieSecrets {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for CookieSecrets {
    /// Says how many, not which.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CookieSecrets({})", self.0.len())
    }
}

/// How much one source is sent over UDP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// Responses a second to one IPv4 address or IPv6 /64; 0: no limit.
    pub per_source: u32,
    /// Responses a second to one IPv4 /24 or IPv6 /56; 0: no limit.
    pub per_network: u32,
    /// Every how manieth response above is sent cut; 0: none.
    pub slip: u32,
    /// Networks that are not limited.
    pub exempt: Vec<IpNet>,
}

/// What clients may use up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// TCP connections in all.
    pub tcp_connections: usize,
    /// TCP connections from one source address.
    pub tcp_connections_per_source: usize,
    /// How long a TCP connection may stay idle.
    pub tcp_idle: Duration,
    /// How long a new TCP connection may take to send its first query.
    pub tcp_first_query: Duration,
}

/// What is logged, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// The form of the lines.
    pub format: LogFormat,
    /// The least important lines that are still logged.
    pub level: tracing::Level,
}

/// The form of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl Default for ServerConfig {
    /// What an empty file says.
    fn default() -> Self {
        Self {
            file: None,
            listen: vec![spec::LISTEN_DEFAULT],
            workers: 0,
            encrypted: None,
            zones: PathBuf::from(spec::ZONES_DEFAULT),
            start_wait: spec::START_WAIT_DEFAULT.0,
            check_concurrency: spec::CONCURRENCY_DEFAULT as usize,
            check_concurrency_per_address: spec::CONCURRENCY_PER_ADDRESS_DEFAULT as usize,
            allowed: Allowed {
                exec: spec::EXEC_DEFAULT,
                outside_symlinks: spec::OUTSIDE_SYMLINKS_DEFAULT,
                reach: Reach::default(),
            },
            guard: GuardPolicy {
                concurrency: spec::CONCURRENCY_DEFAULT as usize,
                per_address: spec::CONCURRENCY_PER_ADDRESS_DEFAULT as usize,
                ..GuardPolicy::default()
            },
            states: None,
            state_max_age: spec::STATE_MAX_AGE_DEFAULT.0,
            geo: GeoConfig::default(),
            limits: Limits {
                tcp_connections: spec::TCP_CONNECTIONS_DEFAULT as usize,
                tcp_connections_per_source: spec::TCP_PER_SOURCE_DEFAULT as usize,
                tcp_idle: spec::TCP_IDLE_DEFAULT.0,
                tcp_first_query: spec::TCP_FIRST_QUERY_DEFAULT.0,
            },
            identity: Identity::default(),
            cookies: Some(CookieSecrets::default()),
            max_nocookie_response: None,
            rate_limit: RateLimit {
                per_source: spec::PER_SOURCE_DEFAULT,
                per_network: spec::PER_NETWORK_DEFAULT,
                slip: spec::SLIP_DEFAULT,
                exempt: vec![
                    IpNet::new_assert(Ipv4Addr::new(127, 0, 0, 0).into(), 8),
                    IpNet::new_assert(Ipv6Addr::LOCALHOST.into(), 128),
                ],
            },
            log: LogConfig { format: LogFormat::Text, level: tracing::Level::INFO },
        }
    }
}

impl ServerConfig {
    /// Lets relative paths start at `directory`.
    pub fn start_paths_at(&mut self, directory: &Path) {
        let certificate = self.encrypted.iter_mut().flat_map(|e| [&mut e.certificate, &mut e.key]);
        let states = self.states.iter_mut().map(|states| &mut states.path);
        let paths = self.geo.databases.iter_mut().chain(certificate).chain(states);
        for path in paths.chain([&mut self.zones]) {
            *path = directory.join(&*path);
        }
    }

    /// Keeps states in `directory`, unless the file says where.
    pub fn keep_states_in(&mut self, directory: &Path) {
        let (path, max_age) = (directory.join("states"), self.state_max_age);
        self.states.get_or_insert(StateFile { path, max_age });
    }

    /// Returns the tables and keys of the file in which `next` differs and that hold only after a
    /// restart: they stand in sockets, threads and tables that were made at the start.
    pub fn needs_restart(&self, next: &Self) -> Vec<&'static str> {
        // Exhaustive, so that a new field is put on one side or the other.
        let Self {
            file: _,
            listen,
            workers,
            encrypted,
            zones,
            start_wait: _,
            check_concurrency,
            check_concurrency_per_address,
            allowed,
            guard,
            states,
            state_max_age,
            geo,
            limits,
            identity: _,
            cookies: _,
            max_nocookie_response: _,
            rate_limit: _,
            log,
        } = self;
        let concurrency = (check_concurrency, check_concurrency_per_address);
        let next_concurrency = (&next.check_concurrency, &next.check_concurrency_per_address);
        let kept = (states, state_max_age) == (&next.states, &next.state_max_age);
        let allows = allowed == &next.allowed;
        let checks = concurrency == next_concurrency && guard == &next.guard && kept && allows;
        let listens = (listen, workers) == (&next.listen, &next.workers);
        [
            ("zones", zones == &next.zones),
            ("[listen]", listens && encrypted == &next.encrypted),
            ("[checks]", checks),
            ("[geo]", geo == &next.geo),
            ("[limits]", limits == &next.limits),
            ("[log]", log == &next.log),
        ]
        .into_iter()
        .filter_map(|(key, is_same)| (!is_same).then_some(key))
        .collect()
    }

    /// Permissions of zone files on this machine. Where only this machine can ask the server, its
    /// loopback is all there is to probe (docs/decisions/0015-reach-of-probes.md).
    pub fn allowed(&self) -> Allowed {
        let encrypted = self.encrypted.iter().flat_map(EncryptedConfig::addresses);
        let mut listens = self.listen.iter().chain(encrypted);
        let loopback = listens.all(|address| address.ip().to_canonical().is_loopback());
        let reach = Reach { loopback, ..self.allowed.reach.clone() };
        Allowed { reach, ..self.allowed.clone() }
    }
}

/// Reads `waypost.toml`: the configuration, or `None` if there are errors; and all diagnostics.
pub fn load_server(source: &Arc<Source>) -> (Option<ServerConfig>, Vec<Diagnostic>) {
    let (file, mut decoder) = parse::<ServerFile>(source);
    let config = file.map(|file| build(file, &mut decoder));
    let config = config.filter(|_| !decoder.has_errors());
    // They stand in the order in which they were found.
    (config, decoder.diagnostics.into_sorted(|_| 0))
}

/// How probes run.
fn checks(checks: spec::Checks, config: &mut ServerConfig, decoder: &mut Decoder) {
    config.start_wait = decoder.period(&checks.start_wait, (Period::secs(0), START_WAIT_MAX));
    config.check_concurrency = checks.concurrency.value.as_u32() as usize;
    config.guard.concurrency = config.check_concurrency;
    let per_address = checks.concurrency_per_address.value.as_u32();
    config.check_concurrency_per_address = per_address as usize;
    config.guard.per_address = per_address as usize;
    config.allowed.exec = checks.exec.value;
    config.allowed.reach.allow = networks(checks.allow.as_ref()).into();
    if let Some(share) = checks.freeze_share {
        config.guard.share = share.value.0.as_fraction();
    }
    config.guard.freeze_max = decoder.period(&checks.freeze_max, (Period::secs(0), FREEZE_MAX_MAX));
    let max_age = decoder.period(&checks.state_max_age, STATE_MAX_AGE);
    config.state_max_age = max_age;
    config.states = checks.state_file.map(|path| StateFile { path: path.value.into(), max_age });
}

fn build(file: ServerFile, decoder: &mut Decoder) -> ServerConfig {
    let mut config = ServerConfig { zones: file.zones.value.into(), ..ServerConfig::default() };
    config.allowed.outside_symlinks = file.outside_symlinks.value;
    config.encrypted = encrypted::build(file.listen.as_ref(), file.tls, file.broken, decoder);
    if let Some(Spanned { value: listen, .. }) = file.listen {
        if let Some(addresses) = listen.addresses {
            config.listen =
                addresses.value.0.into_iter().flat_map(|socket| socket.value.0).collect();
        }
        config.workers = listen.workers.value.as_u32() as usize;
    }
    if let Some(Spanned { value, .. }) = file.checks {
        checks(value, &mut config, decoder);
    }
    if let Some(Spanned { value: geo, .. }) = &file.geo {
        config.geo = geo::build(geo, decoder);
    }
    if let Some(Spanned { value: limits, .. }) = file.limits {
        config.limits = Limits {
            tcp_connections: limits.tcp_connections.value.as_u32() as usize,
            tcp_connections_per_source: limits.tcp_connections_per_source.value.as_u32() as usize,
            tcp_idle: decoder.period(&limits.tcp_idle, TCP_WAIT),
            tcp_first_query: decoder.period(&limits.tcp_first_query, TCP_WAIT),
        };
    }
    if let Some(Spanned { value: identity, .. }) = file.identity {
        config.identity = Identity {
            name: identity.name.and_then(|name| text(name, decoder)),
            version: identity.version.and_then(|version| text(version, decoder)),
        };
    }
    if let Some(Spanned { value: cookies, .. }) = file.cookies {
        config.cookies = build_cookies(&cookies, decoder);
        let most = cookies.max_nocookie_response.value.as_u32() as u16;
        config.max_nocookie_response = Some(most).filter(|&most| most > 0);
    }
    if let Some(Spanned { value: limit, .. }) = file.rate_limit {
        config.rate_limit = RateLimit {
            per_source: limit.per_source.value.as_u32(),
            per_network: limit.per_network.value.as_u32(),
            slip: limit.slip.value.as_u32(),
            exempt: match &limit.exempt {
                Some(_) => networks(limit.exempt.as_ref()),
                None => config.rate_limit.exempt,
            },
        };
    }
    if let Some(Spanned { value: log, .. }) = file.log {
        config.log = LogConfig {
            format: match log.format.map(|format| format.value) {
                Some(spec::Format::Json) => LogFormat::Json,
                Some(spec::Format::Text) | None => LogFormat::Text,
            },
            level: match log.level.map(|level| level.value) {
                Some(spec::Level::Error) => tracing::Level::ERROR,
                Some(spec::Level::Warn) => tracing::Level::WARN,
                Some(spec::Level::Info) | None => tracing::Level::INFO,
                Some(spec::Level::Debug) => tracing::Level::DEBUG,
                Some(spec::Level::Trace) => tracing::Level::TRACE,
            },
        };
    }
    config
}

/// A text for one character string.
fn text(text: Spanned<String>, decoder: &mut Decoder) -> Option<String> {
    if text.value.len() <= TEXT_MAX {
        return Some(text.value);
    }
    let message = format!("expected at most {TEXT_MAX} octets, found {}", text.value.len());
    decoder.error(&text.span, message);
    None
}

fn build_cookies(cookies: &spec::Cookies, decoder: &mut Decoder) -> Option<CookieSecrets> {
    let secrets = cookies.secrets.as_ref().map_or(&[][..], |secrets| &secrets.value.0);
    if let Some(third) = secrets.get(SECRETS_MAX) {
        let message = format!("expected at most {SECRETS_MAX} secrets");
        decoder.error(&third.span, message).help =
            Some("the first makes cookies; the second is the one that was first before".to_owned());
    }
    let secrets = CookieSecrets(secrets.iter().map(|secret| secret.value.0).collect());
    cookies.enabled.value.then_some(secrets)
}
