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

/// The range of `tcp_idle` and `tcp_first_query`.
const TCP_WAIT: (Period, Period) = (Period(Duration::from_millis(100)), Period::secs(3600));
/// The longest character string, in octets (RFC 1035 §3.3).
const TEXT_MAX: usize = 255;
/// The most cookie secrets: the current one and the previous one.
const SECRETS_MAX: usize = 2;
/// The upper bound of `start_wait`.
const START_WAIT_MAX: Period = Period::secs(60);
/// The range of `state_max_age`.
const STATE_MAX_AGE: (Period, Period) = (Period::secs(1), Period::secs(86_400));
/// The upper bound of `freeze_max`.
const FREEZE_MAX_MAX: Period = Period::secs(86_400);

/// The file that keeps states across a restart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateFile {
    /// The path of the file.
    pub path: PathBuf,
    /// The greatest age at which its states are believed.
    pub max_age: Duration,
}

/// The settings of the server apart from the zones.
#[derive(Clone, Debug, PartialEq)]
pub struct ServerConfig {
    /// The file that they come from; `None` if there is no file.
    pub file: Option<PathBuf>,
    /// The addresses for plain DNS, over UDP and TCP alike.
    pub listen: Vec<SocketAddr>,
    /// The number of UDP workers for each address; 0: one for each CPU core.
    pub workers: usize,
    /// The encrypted listeners and their certificate.
    pub encrypted: Option<EncryptedConfig>,
    /// The directory of zone files.
    pub zones: PathBuf,
    /// The longest wait for the first verdicts before the server answers.
    pub start_wait: Duration,
    /// The most probes that run at one time.
    pub check_concurrency: usize,
    /// The most probes of one IP address that run at one time.
    pub check_concurrency_per_address: usize,
    /// The permissions of zone files on this machine; `allowed()` adds the loopback where it may be
    /// probed.
    pub allowed: Allowed,
    /// The conditions under which failures are not believed.
    pub guard: GuardPolicy,
    /// The file that keeps states; `None` if states are not kept.
    pub states: Option<StateFile>,
    /// The greatest age of kept states, wherever they are kept.
    pub state_max_age: Duration,
    /// The sources of clients' places.
    pub geo: GeoConfig,
    /// The limits on connections.
    pub limits: Limits,
    /// The server's answers to questions about itself.
    pub identity: Identity,
    /// The secrets of cookies; `None` if clients get no cookies.
    pub cookies: Option<CookieSecrets>,
    /// The longest response over UDP to a client without a cookie, in octets; `None` if it has no
    /// limit of its own.
    pub max_nocookie_response: Option<u16>,
    /// The limits on responses over UDP to one source.
    pub rate_limit: RateLimit,
    /// The content and the form of the log.
    pub log: LogConfig,
}

/// The server's answers to questions about itself, each at most 255 octets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// Its name.
    pub name: Option<String>,
    /// Its version, or any other text that the operator chose for it.
    pub version: Option<String>,
}

/// The secrets of cookies: the first makes them, and all recognize them. If there are none, the
/// server makes one at random.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct CookieSecrets(pub Vec<[u8; 16]>);

impl Drop for CookieSecrets {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for CookieSecrets {
    /// Writes the number of secrets, but no secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CookieSecrets({})", self.0.len())
    }
}

/// The limits on responses over UDP to one source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// Responses a second to one IPv4 address or IPv6 /64; 0: no limit.
    pub per_source: u32,
    /// Responses a second to one IPv4 /24 or IPv6 /56; 0: no limit.
    pub per_network: u32,
    /// Of the responses above a limit, every `slip`-th is sent truncated, and the others are
    /// dropped; 0: all are dropped.
    pub slip: u32,
    /// Networks without these limits.
    pub exempt: Vec<IpNet>,
}

/// The limits on connections. They hold for TCP, TLS, HTTPS, QUIC and HTTP/3 separately.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most TCP connections in all.
    pub tcp_connections: usize,
    /// The most TCP connections from one source: an IPv4 address or an IPv6 /64.
    pub tcp_connections_per_source: usize,
    /// The longest time from one query of a connection to the end of the next.
    pub tcp_idle: Duration,
    /// The longest time that a new connection may take to send its first query, and before that for
    /// a handshake.
    pub tcp_first_query: Duration,
}

/// The content and the form of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// The form of the lines.
    pub format: LogFormat,
    /// The level of the least important lines that are still logged.
    pub level: tracing::Level,
}

/// The form of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Lines for people to read.
    Text,
    /// One JSON object on each line.
    Json,
}

impl Default for ServerConfig {
    /// Returns the configuration that an empty file gives.
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
    /// Resolves relative paths against `directory`.
    pub fn start_paths_at(&mut self, directory: &Path) {
        let certificate = self.encrypted.iter_mut().flat_map(|e| [&mut e.certificate, &mut e.key]);
        let states = self.states.iter_mut().map(|states| &mut states.path);
        let paths = self.geo.databases.iter_mut().chain(certificate).chain(states);
        for path in paths.chain([&mut self.zones]) {
            *path = directory.join(&*path);
        }
    }

    /// Sets the state file to `states` in `directory`, unless the configuration names one.
    pub fn keep_states_in(&mut self, directory: &Path) {
        let (path, max_age) = (directory.join("states"), self.state_max_age);
        self.states.get_or_insert(StateFile { path, max_age });
    }

    /// Returns the tables and keys of the file in which `next` differs and that hold only after a
    /// restart: they stand in sockets, threads and tables that were made at the start.
    pub fn needs_restart<'a>(&'a self, next: &'a Self) -> Vec<&'static str> {
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
        let lists = |config: &'a Option<EncryptedConfig>| {
            config.as_ref().map(|it| ((&it.tls, &it.https), (&it.quic, &it.h3), &it.https_path))
        };
        let files = |config: &'a Option<EncryptedConfig>| {
            config.as_ref().map(|it| (&it.certificate, &it.key))
        };
        let listens = (listen, workers) == (&next.listen, &next.workers)
            && lists(encrypted) == lists(&next.encrypted);
        [
            ("zones", zones == &next.zones),
            ("[listen]", listens),
            ("[tls]", files(encrypted) == files(&next.encrypted)),
            ("[checks]", checks),
            ("[geo]", geo == &next.geo),
            ("[limits]", limits == &next.limits),
            ("[log]", log == &next.log),
        ]
        .into_iter()
        .filter_map(|(key, is_same)| (!is_same).then_some(key))
        .collect()
    }

    /// Returns the permissions of zone files on this machine. Probes may go to its loopback if the
    /// server listens on nothing else: then only this machine can ask it
    /// (docs/decisions/0015-reach-of-probes.md).
    pub fn allowed(&self) -> Allowed {
        let encrypted = self.encrypted.iter().flat_map(EncryptedConfig::addresses);
        let mut listens = self.listen.iter().chain(encrypted);
        let loopback = listens.all(|address| address.ip().to_canonical().is_loopback());
        let reach = Reach { loopback, ..self.allowed.reach.clone() };
        Allowed { reach, ..self.allowed.clone() }
    }
}

/// Reads `waypost.toml`. Returns the configuration, or `None` if there are errors, and all
/// diagnostics.
pub fn load_server(source: &Arc<Source>) -> (Option<ServerConfig>, Vec<Diagnostic>) {
    let (file, mut decoder) = parse::<ServerFile>(source);
    let config = file.map(|file| build(file, &mut decoder));
    let config = config.filter(|_| !decoder.has_errors());
    // The diagnostics stay in the order in which they were found.
    (config, decoder.diagnostics.into_sorted(|_| 0))
}

/// Takes over `[checks]`, which tells how probes run.
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

/// Returns a text that fits into one character string.
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
            Some("the first makes cookies, and cookies of the second are still valid".to_owned());
    }
    let secrets = CookieSecrets(secrets.iter().map(|secret| secret.value.0).collect());
    cookies.enabled.value.then_some(secrets)
}
