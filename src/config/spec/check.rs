//! A check: its table, and the ways to name one.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::endpoint::Address;
use super::reply::{Expect, Hex};
use crate::config::decode::{
    Decode, Decoder, Int, List, Map, Node, OneOrMany, Period, Spanned, table, words,
};

/// From the start of one probe to the start of the next.
pub(crate) const INTERVAL_DEFAULT: Period = Period::secs(5);
/// Probes begin when they are planned.
pub(crate) const JITTER_DEFAULT: Period = Period::secs(0);
/// The longest default timeout; below it, half the interval.
pub(crate) const TIMEOUT_DEFAULT_MAX: Period = Period::secs(5);
/// Passes in a row that turn a down endpoint up.
pub(crate) const RISE_DEFAULT: u32 = 2;
/// Fails in a row that turn an up endpoint down.
pub(crate) const FALL_DEFAULT: u32 = 3;
/// The most turns within [`FLAP_WINDOW_DEFAULT`].
pub(crate) const FLAP_TURNS_DEFAULT: u32 = 8;
/// The time in which turns are counted.
pub(crate) const FLAP_WINDOW_DEFAULT: Period = Period::secs(600);
/// How long an endpoint is held down that turns too often.
pub(crate) const FLAP_HOLD_DEFAULT: Period = Period::secs(300);
/// Weights count at once.
pub(crate) const SLOW_START_DEFAULT: Period = Period::secs(0);
/// A check over TLS fails when its certificate is over, not before.
pub(crate) const CERTIFICATE_FAIL_DEFAULT: Period = Period::secs(0);
/// The request method of http and https checks.
pub(crate) const METHOD_DEFAULT: &str = "GET";
/// The path of http and https checks.
pub(crate) const PATH_DEFAULT: &str = "/";
/// The script of fastcgi checks: what php-fpm's own configuration proposes for `ping.path`.
pub(crate) const SCRIPT_DEFAULT: &str = "/ping";
/// The user under whose name mysql and postgres checks begin.
pub(crate) const USER_DEFAULT: &str = "waypost";

table! {
    /// One health-check definition.
    pub(crate) struct Check {
        /// What one probe does: an HTTP request, a TCP connection, a query… Needed unless the
        /// check is made of others by `all`, `any`, `at_least`, `not` or `service`.
        kind: Kind;
        /// Checks, by name or as tables, all of which must pass. Beside it stands nothing else.
        all: List<CheckUse>;
        /// Checks, any one of which must pass. Beside it stands nothing else.
        any: List<CheckUse>;
        /// Checks, some of which must pass. Beside it stands nothing else.
        at_least: AtLeast;
        /// A check that must not pass. Beside it stands nothing else.
        not: CheckUse;
        /// A service of this zone, any endpoint of which must be up. Beside it stands nothing
        /// else.
        service: String;
        /// The port to probe. Default: the endpoint's port, else that of the kind.
        port: Int<1, 65_535>;
        /// The address to probe instead of the endpoint's, as behind a NAT.
        address: Address;
        /// The address of this machine that probes come from, or a list of one IPv4 and one IPv6
        /// address. Default: the system chooses.
        source: OneOrMany<Address>;
        /// From the start of one probe to the start of the next, 100ms to 1d.
        interval: Period = INTERVAL_DEFAULT;
        /// How much later than that a probe may begin, at random, up to half of `interval`.
        jitter: Period = JITTER_DEFAULT;
        /// How long one probe may take, up to `interval`. Default: half the interval, 5s at most.
        timeout: Period;
        /// Kinds that connect: how long of the timeout it may take to connect, TLS included.
        /// Default: all of it.
        connect_timeout: Period;
        /// Passes in a row that turn a down endpoint up.
        rise: Int<1, 10> = RISE_DEFAULT;
        /// Fails in a row that turn an up endpoint down.
        fall: Int<1, 10> = FALL_DEFAULT;
        /// From the start of one probe to the start of the next while verdicts contradict the
        /// state, 100ms up to `interval`. Default: the interval.
        fast_interval: Period;
        /// When an endpoint turns too often, and is held down for it; false: never.
        flap: FlapUse;
        /// For how long the weight of an endpoint climbs from a tenth that was down; up to 1d.
        slow_start: Period = SLOW_START_DEFAULT;
        /// http, https, tcp, tls: whether an endpoint may ask for less weight, or for none, in what
        /// it replies: true, or a table. Default: false.
        agent: AgentUse;
        /// http, https: the request method. Default: "GET".
        method: String;
        /// http, https: the path with its query. Default: "/". fastcgi: the name of the script.
        /// Default: "/ping".
        path: String;
        /// http, https: the Host header; grpc, grpcs: the authority. Over TLS also the server name.
        /// Default: the address.
        host: String;
        /// http, https: further request headers.
        headers: Map<String>;
        /// http, https: the content of the request. Default: none.
        body: String;
        /// http: whether the connection is kept for the next probe.
        reuse: bool;
        /// What the reply must be.
        expect: Expect;
        /// tcp, tls: what to send once connected. udp: the datagram.
        send: String;
        /// tcp, tls, udp: the same in hexadecimal digits, such as "05 01 00".
        send_hex: Hex;
        /// http, https, tcp, tls: the PROXY header that announces each connection, as servers
        /// behind a proxy expect it. Default: none.
        proxy: Proxy;
        /// fastcgi: the absolute path of a Unix socket of this machine to probe instead of the
        /// endpoint's address.
        socket: String;
        /// dns: the name, relative to the zone, and the type to ask for, such as "web A".
        query: String;
        /// grpc, grpcs: the service to ask about. Default: "", the server as a whole.
        grpc_service: String;
        /// exec: the absolute path of a program, and what it is given word by word.
        command: List<String>;
        /// mysql, postgres: under which user's name to begin. Default: "waypost".
        user: String;
        /// https, tls, grpcs: whether the certificate must be valid. Default: true.
        verify: bool;
        /// https, tls, grpcs: the name that the certificate must be for. Default: `host`, else the
        /// address.
        server_name: String;
        /// https, tls, grpcs: a PEM file in the zone directory with the certificates of the
        /// authorities to trust, relative to this file. Default: those of the system.
        ca: String;
        /// https, tls, grpcs: a PEM file in the zone directory with the certificate that the probe
        /// shows where it is asked for one. Default: none.
        client_certificate: String;
        /// https, tls, grpcs: a PEM file in the zone directory with the key of
        /// `client_certificate`. Default: that file.
        client_key: String;
        /// https, tls, grpcs: when the end of the certificate counts as near.
        certificate: Certificate;
    }
}

table! {
    /// When an endpoint turns too often, and what then.
    pub(crate) struct Flap {
        /// The most turns within `window`, up and down both counted.
        turns: Int<2, 100> = FLAP_TURNS_DEFAULT;
        /// The time in which they are counted, from the first of them on; 1s to 1d.
        window: Period = FLAP_WINDOW_DEFAULT;
        /// How long an endpoint is held down that turns once more; 1s to 1d.
        hold: Period = FLAP_HOLD_DEFAULT;
    }
}

table! {
    /// When the end of a certificate counts as near.
    pub(crate) struct Certificate {
        /// How long before its end a warning is logged, once a day, up to 3650d; 0s: never.
        /// Default: two weeks, or the last fifth of a shorter life; never if it is not verified.
        warn: Period;
        /// How long before its end the check fails.
        fail: Period = CERTIFICATE_FAIL_DEFAULT;
    }
}

table! {
    /// Checks, some of which must pass.
    pub(crate) struct AtLeast {
        /// The checks, by name or as tables.
        of: List<CheckUse>, required;
        /// How many of them must pass, 1 to all.
        count: Int<1, 4096>, required;
    }
}

table! {
    /// What an endpoint may ask for in what it replies.
    pub(crate) struct Agent {
        /// http, https: the response header that has its words. Default: the first 16 lines of the
        /// body have.
        header: String;
        /// The least part of its weight that it can ask for, in percent. Default: 0.
        weight_min: Int<0, 100>;
        /// The largest part of its weight that it can ask for, in percent. Default: 100.
        weight_max: Int<0, 100>;
    }
}

/// Whether endpoints speak for themselves.
#[derive(Clone, Debug)]
pub(crate) enum AgentUse {
    /// As by an empty table, or not at all.
    Plain(bool),
    /// As the table says.
    Table(Box<Agent>),
}

impl Decode for AgentUse {
    fn decode(node: &Node<'_>, decoder: &mut Decoder) -> Option<Self> {
        let value = node.get_ref();
        if value.is_table() {
            return Agent::decode(node, decoder).map(|table| Self::Table(Box::new(table)));
        }
        let plain = value.as_bool().map(Self::Plain);
        if plain.is_none() {
            decoder.expected("true, false or a table", node);
        }
        plain
    }
}

impl JsonSchema for AgentUse {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "AgentUse".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let table = generator.subschema_for::<Agent>();
        json_schema!({ "anyOf": [{ "type": "boolean" }, table] })
    }
}

/// What becomes of endpoints that turn too often.
#[derive(Clone, Debug)]
pub(crate) enum FlapUse {
    /// Nothing.
    Off,
    /// They are held down.
    Table(Box<Flap>),
}

impl Decode for FlapUse {
    fn decode(node: &Node<'_>, decoder: &mut Decoder) -> Option<Self> {
        if node.get_ref().as_bool() == Some(false) {
            return Some(Self::Off);
        }
        if !node.get_ref().is_table() {
            decoder.expected("a table, or false", node);
            return None;
        }
        Flap::decode(node, decoder).map(|flap| Self::Table(Box::new(flap)))
    }
}

impl JsonSchema for FlapUse {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "FlapUse".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let flap = generator.subschema_for::<Flap>();
        json_schema!({ "anyOf": [flap, { "const": false }] })
    }
}

words! {
    /// What one probe does.
    pub(crate) enum Kind {
        /// An HTTP request.
        Http = "http",
        /// An HTTP request over TLS.
        Https = "https",
        /// A TCP connection.
        Tcp = "tcp",
        /// A TCP connection with a TLS handshake.
        Tls = "tls",
        /// A datagram, and one that comes back.
        Udp = "udp",
        /// A query over UDP; over TCP, if the response is cut.
        Dns = "dns",
        /// A page of a FastCGI server, such as php-fpm's ping page.
        Fastcgi = "fastcgi",
        /// A `PING` to Redis.
        Redis = "redis",
        /// The handshake of MySQL or MariaDB.
        Mysql = "mysql",
        /// The beginning of a session of PostgreSQL.
        Postgres = "postgres",
        /// A call of gRPC's health service.
        Grpc = "grpc",
        /// The same over TLS.
        Grpcs = "grpcs",
        /// An echo request.
        Icmp = "icmp",
        /// A program of this machine.
        Exec = "exec",
    }
}

words! {
    /// The PROXY header that announces a connection.
    pub(crate) enum Proxy {
        /// A line of text.
        V1 = "v1",
        /// Octets.
        V2 = "v2",
    }
}

/// The check that a service or an endpoint uses.
#[derive(Clone, Debug)]
pub(crate) enum CheckUse {
    /// The one of this name in `checks`.
    Named(String),
    /// One of its own.
    Inline(Box<Spanned<Check>>),
    /// None.
    Off,
}

impl Decode for CheckUse {
    fn decode(node: &Node<'_>, decoder: &mut Decoder) -> Option<Self> {
        let value = node.get_ref();
        if value.is_table() {
            let check = Check::decode(node, decoder)?;
            return Some(Self::Inline(Box::new(Spanned::new(check, node.span()))));
        }
        match value.as_str() {
            Some("none") => Some(Self::Off),
            Some(name) => Some(Self::Named(name.to_owned())),
            None if value.as_bool() == Some(false) => Some(Self::Off),
            None => {
                decoder.expected("the name of a check, a table, or false", node);
                None
            }
        }
    }
}

impl JsonSchema for CheckUse {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "CheckUse".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let check = generator.subschema_for::<Check>();
        json_schema!({ "anyOf": [{ "type": "string" }, check, { "const": false }] })
    }
}
