//! A check as a zone file writes it: its table, and the ways to name one.
//!
//! `config::meaning` reads it: `check` and `compose` the table, `kind` the keys of each kind,
//! `line` the path of a probe. The kinds before a colon in a doc comment must be those for which
//! `config::meaning` takes the key.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::endpoint::Address;
use super::reply::{Expect, Hex};
use crate::config::decode::{
    Decode, Decoder, Int, List, Map, Node, OneOrMany, Period, Spanned, table, words,
};

/// The default time from the start of one probe to the start of the next.
pub(crate) const INTERVAL_DEFAULT: Period = Period::secs(5);
/// The default delay of probes: none, each begins when it is planned.
pub(crate) const JITTER_DEFAULT: Period = Period::secs(0);
/// The upper bound of the default timeout, which is half the interval.
pub(crate) const TIMEOUT_DEFAULT_MAX: Period = Period::secs(5);
/// The default number of passes in a row that turn a down endpoint up.
pub(crate) const RISE_DEFAULT: u32 = 2;
/// The default number of fails in a row that turn an up endpoint down.
pub(crate) const FALL_DEFAULT: u32 = 3;
/// The default number of turns that are allowed within [`FLAP_WINDOW_DEFAULT`].
pub(crate) const FLAP_TURNS_DEFAULT: u32 = 8;
/// The default time in which turns are counted.
pub(crate) const FLAP_WINDOW_DEFAULT: Period = Period::secs(600);
/// The default time for which an endpoint that turns too often is held down.
pub(crate) const FLAP_HOLD_DEFAULT: Period = Period::secs(300);
/// The default time in which weights climb: none, they count in full at once.
pub(crate) const SLOW_START_DEFAULT: Period = Period::secs(0);
/// The default time before the end of a certificate at which the check fails: it fails at the end.
pub(crate) const CERTIFICATE_FAIL_DEFAULT: Period = Period::secs(0);
/// The default request method of http and https checks.
pub(crate) const METHOD_DEFAULT: &str = "GET";
/// The default path of http and https checks.
pub(crate) const PATH_DEFAULT: &str = "/";
/// The default script of fastcgi checks: the one that php-fpm's own configuration proposes for
/// `ping.path`.
pub(crate) const SCRIPT_DEFAULT: &str = "/ping";
/// The default user of mysql and postgres checks.
pub(crate) const USER_DEFAULT: &str = "waypost";

table! {
    /// A health check.
    pub(crate) struct Check {
        /// The action of one probe: an HTTP request, a TCP connection, a query… Required, unless
        /// the check is made of others by `all`, `any`, `at_least`, `not` or `service`.
        kind: Kind;
        /// Checks, by name or as tables, all of which must pass. No other key may stand beside it.
        all: List<CheckUse>;
        /// Checks, by name or as tables, any one of which must pass. No other key may stand beside
        /// it.
        any: List<CheckUse>;
        /// Checks, some of which must pass. No other key may stand beside it.
        at_least: AtLeast;
        /// A check that must not pass. No other key may stand beside it.
        not: CheckUse;
        /// A service of this zone, any endpoint of which must be up. No other key may stand beside
        /// it.
        service: String;
        /// The port to probe. Default: the endpoint's port, otherwise the port of the kind.
        port: Int<1, 65_535>;
        /// The address to probe instead of the endpoint's, for example behind a NAT.
        address: Address;
        /// The address of this machine that probes come from, or a list of one IPv4 and one IPv6
        /// address. Default: the system chooses.
        source: OneOrMany<Address>;
        /// The time from the start of one probe to the start of the next, 100ms to 1d.
        interval: Period = INTERVAL_DEFAULT;
        /// The longest random delay of a probe, up to half of `interval`.
        jitter: Period = JITTER_DEFAULT;
        /// The longest duration of one probe, up to `interval`. Default: half the interval, 5s at
        /// most.
        timeout: Period;
        /// Kinds that connect: the part of the timeout in which the probe must be connected, TLS
        /// included. Default: all of it.
        connect_timeout: Period;
        /// Passes in a row that turn a down endpoint up.
        rise: Int<1, 10> = RISE_DEFAULT;
        /// Fails in a row that turn an up endpoint down.
        fall: Int<1, 10> = FALL_DEFAULT;
        /// The time from the start of one probe to the start of the next while verdicts contradict
        /// the state, 100ms up to `interval`. Default: the interval.
        fast_interval: Period;
        /// The limit of turns above which an endpoint is held down: a table, or false for no limit.
        /// Default: an empty table.
        flap: FlapUse;
        /// The time in which the weight of an endpoint that was down climbs, from a tenth on; up to
        /// 1d.
        slow_start: Period = SLOW_START_DEFAULT;
        /// http, https, tcp, tls: whether the replies of an endpoint may ask for less weight or
        /// none: true, or a table. Default: false.
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
        /// http, https: the content of the request. Default: no content.
        body: String;
        /// http: whether the connection is kept for the next probe. Default: false.
        reuse: bool;
        /// The conditions that the reply must meet.
        expect: Expect;
        /// tcp, tls: the text to send once connected. udp: the text of the datagram.
        send: String;
        /// tcp, tls, udp: the octets to send, instead of `send`, in hexadecimal digits such as "05
        /// 01 00".
        send_hex: Hex;
        /// http, https, tcp, tls: the PROXY header that begins each connection, for servers that
        /// expect a proxy before them. Default: no header.
        proxy: Proxy;
        /// fastcgi: the absolute path of a Unix socket of this machine, to probe instead of the
        /// endpoint's address.
        socket: String;
        /// dns: the name, relative to the zone, and the type to ask for, such as "web A".
        query: String;
        /// grpc, grpcs: the service to ask about. Default: "", the server as a whole.
        grpc_service: String;
        /// exec: the absolute path of a program, followed by its arguments.
        command: List<String>;
        /// mysql, postgres: the name of the user that begins the session. Default: "waypost".
        user: String;
        /// https, tls, grpcs: whether the certificate must be valid. Default: true.
        verify: bool;
        /// https, tls, grpcs: the name that the certificate must be for. Default: `host`, otherwise
        /// the address.
        server_name: String;
        /// https, tls, grpcs: a PEM file in the zone directory, relative to this file, with the
        /// certificates of the authorities to trust. Default: those of the system.
        ca: String;
        /// https, tls, grpcs: a PEM file in the zone directory with the certificate that the probe
        /// presents if the server asks for one. Default: no certificate.
        client_certificate: String;
        /// https, tls, grpcs: a PEM file in the zone directory with the key of
        /// `client_certificate`. Default: that file.
        client_key: String;
        /// https, tls, grpcs: the times before the end of the certificate at which Waypost warns,
        /// and at which the check fails.
        certificate: Certificate;
    }
}

table! {
    /// The limit of turns, and the time for which an endpoint that exceeds it is held down.
    pub(crate) struct Flap {
        /// The most turns within `window`; turns up and turns down both count.
        turns: Int<2, 100> = FLAP_TURNS_DEFAULT;
        /// The time in which turns are counted, from the first of them on; 1s to 1d.
        window: Period = FLAP_WINDOW_DEFAULT;
        /// The time for which an endpoint that turns once more is held down; 1s to 1d.
        hold: Period = FLAP_HOLD_DEFAULT;
    }
}

table! {
    /// The times before the end of a certificate at which something happens.
    pub(crate) struct Certificate {
        /// The time before the end at which a daily warning in the log begins, up to 3650d; 0s: no
        /// warning. Default: two weeks, or the last fifth of a shorter life; no warning if the
        /// certificate is not verified.
        warn: Period;
        /// The time before the end at which the check begins to fail, up to 3650d.
        fail: Period = CERTIFICATE_FAIL_DEFAULT;
    }
}

table! {
    /// Checks, some of which must pass.
    pub(crate) struct AtLeast {
        /// The checks, by name or as tables.
        of: List<CheckUse>, required;
        /// The number of them that must pass, from 1 to all.
        count: Int<1, 4096>, required;
    }
}

table! {
    /// The limits of the requests that an endpoint makes in its replies.
    pub(crate) struct Agent {
        /// http, https: the response header that holds the request. Default: one of the first 16
        /// lines of the body holds it.
        header: String;
        /// The least part of its weight that it can ask for, in percent. Default: 0.
        weight_min: Int<0, 100>;
        /// The largest part of its weight that it can ask for, in percent. Default: 100.
        weight_max: Int<0, 100>;
    }
}

/// Permission for endpoints to ask for less weight.
#[derive(Clone, Debug)]
pub(crate) enum AgentUse {
    /// `true`, which is the same as an empty table, or `false`: no permission.
    Plain(bool),
    /// Permission within the limits of the table.
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

/// The treatment of endpoints that turn too often.
#[derive(Clone, Debug)]
pub(crate) enum FlapUse {
    /// No limit of turns.
    Off,
    /// A limit of turns and a time of holding down.
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
    /// The action of one probe.
    pub(crate) enum Kind {
        /// An HTTP request.
        Http = "http",
        /// An HTTP request over TLS.
        Https = "https",
        /// A TCP connection.
        Tcp = "tcp",
        /// A TCP connection with a TLS handshake.
        Tls = "tls",
        /// A datagram that is answered by a datagram.
        Udp = "udp",
        /// A query over UDP, repeated over TCP if the response is truncated.
        Dns = "dns",
        /// A page of a FastCGI server, such as php-fpm's ping page.
        Fastcgi = "fastcgi",
        /// A `PING` to Redis.
        Redis = "redis",
        /// The handshake of MySQL or MariaDB.
        Mysql = "mysql",
        /// The beginning of a PostgreSQL session.
        Postgres = "postgres",
        /// A call of the health service of gRPC.
        Grpc = "grpc",
        /// A call of the health service of gRPC over TLS.
        Grpcs = "grpcs",
        /// An ICMP echo request.
        Icmp = "icmp",
        /// A program of this machine.
        Exec = "exec",
    }
}

words! {
    /// The PROXY header that announces a connection.
    pub(crate) enum Proxy {
        /// The header as a line of text.
        V1 = "v1",
        /// The header as octets.
        V2 = "v2",
    }
}

/// The check that a service or an endpoint uses.
#[derive(Clone, Debug)]
pub(crate) enum CheckUse {
    /// The check of this name in `checks`.
    Named(String),
    /// A check of its own.
    Inline(Box<Spanned<Check>>),
    /// No check.
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
