//! The server's own file, waypost.toml.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::decode::{At, Decode, Decoder, OneOrMany, Whole, leaf_schema, refuse, table};
use super::diagnostic::{Diagnostic, Severity, Source};
use super::document;
use super::spec::Period;

/// How a server runs. [`ServerConfig::default`] is a server without waypost.toml.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerConfig {
    /// The zone directory.
    pub zones: PathBuf,
    /// Where to answer, over UDP and TCP alike.
    pub listen: Vec<SocketAddr>,
    /// Threads that answer UDP, for each address; 0: one a core.
    pub workers: usize,
    /// How long to wait for first verdicts before answering.
    pub start_wait: Duration,
    /// Probes under way at once.
    pub check_concurrency: usize,
    /// What clients may take up.
    pub limits: Limits,
    /// The log.
    pub log: LogConfig,
}

/// What TCP clients may take up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// TCP connections in all.
    pub tcp_connections: usize,
    /// TCP connections of one source: an IPv4 address or an IPv6 /64.
    pub tcp_connections_per_source: usize,
    /// How long a new connection may wait with its first query.
    pub tcp_first_query: Duration,
    /// How long a connection may be idle between queries.
    pub tcp_idle: Duration,
}

/// What is logged, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// The form of a line.
    pub format: LogFormat,
    /// The least severe line that is written.
    pub level: LogLevel,
}

/// The form of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// How much is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    /// What needs someone to act.
    Error,
    /// And what someone should look at.
    Warn,
    /// And every turn, reload, start and stop.
    Info,
    /// And every probe.
    Debug,
}

impl LogLevel {
    /// The level's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            zones: "zones".into(),
            listen: vec![SocketAddr::from(([127, 0, 0, 1], 5300))],
            workers: 0,
            start_wait: Duration::from_secs(3),
            check_concurrency: 256,
            limits: Limits {
                tcp_connections: 1024,
                tcp_connections_per_source: 32,
                tcp_first_query: Duration::from_secs(2),
                tcp_idle: Duration::from_secs(10),
            },
            log: LogConfig { format: LogFormat::Text, level: LogLevel::Info },
        }
    }
}

table! {
    /// The server's own file.
    struct ServerTable {
        /// The zone directory; default `zones`.
        zones: At<String>,
        /// Where to answer.
        listen: ListenTable,
        /// The health checker.
        checks: ChecksTable,
        /// What clients may take up.
        limits: LimitsTable,
        /// The log.
        log: LogTable,
    }
}

table! {
    /// Where to answer.
    struct ListenTable {
        /// Addresses with ports; default `127.0.0.1:5300`.
        addresses: OneOrMany<Socket>,
        /// Threads for each address, 1 to 1024; default: one a core.
        workers: At<Whole<1, 1024>>,
    }
}

table! {
    /// The health checker.
    struct ChecksTable {
        /// How long to wait for first verdicts before answering; default `3s`.
        start_wait: At<Period>,
        /// Probes under way at once, 1 to 65536; default 256.
        concurrency: At<Whole<1, 65_536>>,
    }
}

table! {
    /// What clients may take up.
    struct LimitsTable {
        /// TCP connections in all, 1 to 1000000; default 1024.
        tcp_connections: At<Whole<1, 1_000_000>>,
        /// TCP connections of one source, 1 to 1000000; default 32.
        tcp_connections_per_source: At<Whole<1, 1_000_000>>,
        /// How long a new connection may wait with its first query; default `2s`.
        tcp_first_query: At<Period>,
        /// How long a connection may be idle; default `10s`.
        tcp_idle: At<Period>,
    }
}

table! {
    /// The log.
    struct LogTable {
        /// `text` or `json`; default `text`.
        format: At<LogFormat>,
        /// `error`, `warn`, `info` or `debug`; default `info`.
        level: At<LogLevel>,
    }
}

/// An address with a port.
#[derive(Clone, Copy, Debug)]
pub(super) struct Socket(SocketAddr);

impl Decode for Socket {
    fn decode(
        value: &toml::Spanned<toml::de::DeValue<'_>>,
        decoder: &mut Decoder<'_>,
    ) -> Option<Self> {
        match value.get_ref().as_str().and_then(|text| text.parse().ok()) {
            Some(address) => Some(Self(address)),
            None => refuse(value, "an address with a port, \"0.0.0.0:53\" or \"[::]:53\"", decoder),
        }
    }
}

impl Decode for LogFormat {
    fn decode(
        value: &toml::Spanned<toml::de::DeValue<'_>>,
        decoder: &mut Decoder<'_>,
    ) -> Option<Self> {
        match value.get_ref().as_str() {
            Some("text") => Some(Self::Text),
            Some("json") => Some(Self::Json),
            _ => refuse(value, "\"text\" or \"json\"", decoder),
        }
    }
}

impl Decode for LogLevel {
    fn decode(
        value: &toml::Spanned<toml::de::DeValue<'_>>,
        decoder: &mut Decoder<'_>,
    ) -> Option<Self> {
        let all = [Self::Error, Self::Warn, Self::Info, Self::Debug];
        let word = value.get_ref().as_str();
        match all.into_iter().find(|level| Some(level.as_str()) == word) {
            Some(level) => Some(level),
            None => refuse(value, "\"error\", \"warn\", \"info\" or \"debug\"", decoder),
        }
    }
}

leaf_schema!(Socket, "socket", { "type": "string" });
leaf_schema!(LogFormat, "log format", { "enum": ["text", "json"] });
leaf_schema!(LogLevel, "log level", { "enum": ["error", "warn", "info", "debug"] });

/// Reads waypost.toml. What it does not set has its default.
///
/// The config is `None` if any diagnostic is an error.
pub fn load_server(source: &Arc<Source>) -> (Option<ServerConfig>, Vec<Diagnostic>) {
    let mut diagnostics = Vec::new();
    let Some(document) = document(source, &mut diagnostics) else { return (None, diagnostics) };
    let mut decoder = Decoder::new(source, &mut diagnostics);
    let (table, span) = (document.get_ref(), document.span());
    let table = ServerTable::decode_table(table, span, &mut decoder);
    let config = resolve(&table, &mut decoder);
    let sound = diagnostics.iter().all(|diagnostic| diagnostic.severity != Severity::Error);
    (sound.then_some(config), diagnostics)
}

fn resolve(table: &ServerTable, decoder: &mut Decoder<'_>) -> ServerConfig {
    let mut config = ServerConfig::default();
    if let Some(zones) = &table.zones {
        config.zones = (&zones.value).into();
    }
    if let Some(listen) = &table.listen {
        if let Some(addresses) = &listen.addresses {
            config.listen = addresses.0.iter().map(|address| address.value.0).collect();
            if config.listen.is_empty() && addresses.0.is_empty() {
                decoder.missing(&listen.span, "addresses", "[\"127.0.0.1:5300\"]");
            }
        }
        set(&mut config.workers, listen.workers.as_ref());
    }
    if let Some(checks) = &table.checks {
        set_period(&mut config.start_wait, checks.start_wait.as_ref());
        set(&mut config.check_concurrency, checks.concurrency.as_ref());
    }
    if let Some(limits) = &table.limits {
        set(&mut config.limits.tcp_connections, limits.tcp_connections.as_ref());
        let per_source = limits.tcp_connections_per_source.as_ref();
        set(&mut config.limits.tcp_connections_per_source, per_source);
        set_period(&mut config.limits.tcp_first_query, limits.tcp_first_query.as_ref());
        set_period(&mut config.limits.tcp_idle, limits.tcp_idle.as_ref());
        for period in [&limits.tcp_first_query, &limits.tcp_idle].into_iter().flatten() {
            if period.value.0.is_zero() {
                decoder.error(&period.span, "this would close every connection at once");
            }
        }
    }
    if let Some(log) = &table.log {
        config.log.format = log.format.as_ref().map_or(config.log.format, |format| format.value);
        config.log.level = log.level.as_ref().map_or(config.log.level, |level| level.value);
    }
    config
}

fn set<const LEAST: i64, const MOST: i64>(
    place: &mut usize,
    written: Option<&At<Whole<LEAST, MOST>>>,
) {
    if let Some(written) = written {
        *place = written.value.0 as usize;
    }
}

fn set_period(place: &mut Duration, written: Option<&At<Period>>) {
    if let Some(written) = written {
        *place = written.value.0;
    }
}
