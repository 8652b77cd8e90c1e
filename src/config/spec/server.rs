//! `waypost.toml`.

use std::borrow::Cow;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::config::decode::{Decode, Decoder, Int, Node, OneOrMany, Period, table, words};

/// Where the server listens unless told otherwise.
pub(crate) const LISTEN_DEFAULT: SocketAddr =
    SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 5300));
/// The directory of zone files.
pub(crate) const ZONES_DEFAULT: &str = "zones";
/// How long the server waits for first verdicts before it answers.
pub(crate) const START_WAIT_DEFAULT: Period = Period::secs(3);
/// Probes that run at one time.
pub(crate) const CONCURRENCY_DEFAULT: u32 = 256;
/// TCP connections in all.
pub(crate) const TCP_CONNECTIONS_DEFAULT: u32 = 1024;
/// TCP connections from one source address.
pub(crate) const TCP_PER_SOURCE_DEFAULT: u32 = 32;
/// How long a TCP connection may stay idle.
pub(crate) const TCP_IDLE_DEFAULT: Period = Period::secs(10);
/// How long a new TCP connection may take to send its first query.
pub(crate) const TCP_FIRST_QUERY_DEFAULT: Period = Period::secs(2);

table! {
    /// The server's own file, `waypost.toml`. Every key may be left out; flags override it.
    pub(crate) struct ServerFile {
        /// The directory of zone files; a relative path starts at the server's working directory.
        zones: String = ZONES_DEFAULT;
        /// Where the server listens.
        listen: Listen;
        /// How probes run.
        checks: Checks;
        /// What clients may use up.
        limits: Limits;
        /// What is logged, and how.
        log: Log;
    }
}

table! {
    /// Where the server listens.
    pub(crate) struct Listen {
        /// Addresses with ports, UDP and TCP alike. Default: "127.0.0.1:5300".
        addresses: OneOrMany<Socket>;
        /// UDP workers for each address, each a thread of its own. 0: one for each CPU core.
        workers: Int<0, 1024> = 0;
    }
}

table! {
    /// How probes run.
    pub(crate) struct Checks {
        /// How long the server waits for first verdicts before it answers, up to 1m.
        start_wait: Period = START_WAIT_DEFAULT;
        /// Probes that run at one time.
        concurrency: Int<1, 65_535> = CONCURRENCY_DEFAULT;
    }
}

table! {
    /// What clients may use up.
    pub(crate) struct Limits {
        /// TCP connections in all.
        tcp_connections: Int<1, 1_000_000> = TCP_CONNECTIONS_DEFAULT;
        /// TCP connections from one source address.
        tcp_connections_per_source: Int<1, 1_000_000> = TCP_PER_SOURCE_DEFAULT;
        /// How long a TCP connection may stay idle, 100ms to 1h (RFC 7766 §6.2.3).
        tcp_idle: Period = TCP_IDLE_DEFAULT;
        /// How long a new TCP connection may take to send its first query, 100ms to 1h.
        tcp_first_query: Period = TCP_FIRST_QUERY_DEFAULT;
    }
}

table! {
    /// What is logged, and how.
    pub(crate) struct Log {
        /// The form of log lines: text for people, or a JSON object a line. Default: "text".
        format: Format;
        /// The least important lines that are still logged. Default: "info".
        level: Level;
    }
}

words! {
    /// The form of log lines.
    pub(crate) enum Format {
        /// For people.
        Text = "text",
        /// One JSON object a line.
        Json = "json",
    }
}

words! {
    /// How important a log line is.
    pub(crate) enum Level {
        /// Something failed.
        Error = "error",
        /// Something is hardly as meant.
        Warn = "warn",
        /// Something turned: a state, a reload.
        Info = "info",
        /// What the server does.
        Debug = "debug",
        /// All of it.
        Trace = "trace",
    }
}

/// An address and a port: `127.0.0.1:53`, `[::1]:53`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Socket(pub(crate) SocketAddr);

impl Decode for Socket {
    fn decode(node: &Node<'_>, decoder: &mut Decoder) -> Option<Self> {
        let text = String::decode(node, decoder)?;
        let socket = text.parse().ok().map(Self);
        if socket.is_none() {
            let message = format!("expected an address and a port, found \"{text}\"");
            decoder.error(&node.span(), message).help =
                Some("such as \"0.0.0.0:53\" or \"[::]:53\"".to_owned());
        }
        socket
    }
}

impl JsonSchema for Socket {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Socket".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "examples": ["0.0.0.0:53", "[::]:53"] })
    }
}
