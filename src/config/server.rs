//! `waypost.toml` → [`ServerConfig`].

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::decode::{Decoder, Period, Spanned, parse};
use super::diagnostic::{Diagnostic, Source};
use super::spec::server::{self as spec, ServerFile};

/// The shortest and the longest limit of a TCP connection.
const TCP_WAIT: (Period, Period) = (Period(Duration::from_millis(100)), Period::secs(3600));
/// The longest wait for first verdicts.
const START_WAIT_MAX: Period = Period::secs(60);

/// What the server does apart from the zones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerConfig {
    /// Where it listens, UDP and TCP alike.
    pub listen: Vec<SocketAddr>,
    /// UDP workers for each address; 0: one for each CPU core.
    pub workers: usize,
    /// The directory of zone files.
    pub zones: PathBuf,
    /// How long it waits for first verdicts before it answers.
    pub start_wait: Duration,
    /// How many probes run at one time.
    pub check_concurrency: usize,
    /// What clients may use up.
    pub limits: Limits,
    /// What is logged, and how.
    pub log: LogConfig,
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
            listen: vec![spec::LISTEN_DEFAULT],
            workers: 0,
            zones: PathBuf::from(spec::ZONES_DEFAULT),
            start_wait: spec::START_WAIT_DEFAULT.0,
            check_concurrency: spec::CONCURRENCY_DEFAULT as usize,
            limits: Limits {
                tcp_connections: spec::TCP_CONNECTIONS_DEFAULT as usize,
                tcp_connections_per_source: spec::TCP_PER_SOURCE_DEFAULT as usize,
                tcp_idle: spec::TCP_IDLE_DEFAULT.0,
                tcp_first_query: spec::TCP_FIRST_QUERY_DEFAULT.0,
            },
            log: LogConfig { format: LogFormat::Text, level: tracing::Level::INFO },
        }
    }
}

/// Reads `waypost.toml`: the configuration, or `None` if there are errors; and all diagnostics.
pub fn load_server(source: &Arc<Source>) -> (Option<ServerConfig>, Vec<Diagnostic>) {
    let (file, mut decoder) = parse::<ServerFile>(source);
    let config = file.map(|file| build(file, &mut decoder));
    (config.filter(|_| !decoder.has_errors()), decoder.diagnostics)
}

fn build(file: ServerFile, decoder: &mut Decoder) -> ServerConfig {
    let mut config = ServerConfig { zones: file.zones.value.into(), ..ServerConfig::default() };
    if let Some(Spanned { value: listen, .. }) = file.listen {
        if let Some(addresses) = listen.addresses {
            config.listen = addresses.value.0.iter().map(|socket| socket.value.0).collect();
        }
        config.workers = listen.workers.value.as_u32() as usize;
    }
    if let Some(Spanned { value: checks, .. }) = file.checks {
        config.start_wait = decoder.period(&checks.start_wait, (Period::secs(0), START_WAIT_MAX));
        config.check_concurrency = checks.concurrency.value.as_u32() as usize;
    }
    if let Some(Spanned { value: limits, .. }) = file.limits {
        config.limits = Limits {
            tcp_connections: limits.tcp_connections.value.as_u32() as usize,
            tcp_connections_per_source: limits.tcp_connections_per_source.value.as_u32() as usize,
            tcp_idle: decoder.period(&limits.tcp_idle, TCP_WAIT),
            tcp_first_query: decoder.period(&limits.tcp_first_query, TCP_WAIT),
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
