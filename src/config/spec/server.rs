//! The tables of `waypost.toml`.
//!
//! `config::server` makes a `ServerConfig` of them and checks what they mean together. A new key
//! needs a field there, and a decision whether it holds after a reload or only after a restart
//! (`ServerConfig::needs_restart`). Secrets are wiped when they are dropped, and never shown. No
//! schema is published for this file: `docs/zone-file.md` describes its keys.

use std::borrow::Cow;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use zeroize::{Zeroize, Zeroizing};

use super::network::Network;
use super::place::{Asn, Continent, Country, Location, Subdivision};
use super::service::Share;
use crate::config::decode::{Decode, Decoder, Int, List, Node, OneOrMany, Period, table, words};
use crate::config::listen::parse_listen;
use crate::health::GuardPolicy;

/// The default address for plain DNS.
pub(crate) const LISTEN_DEFAULT: SocketAddr =
    SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 5300));
/// The default directory of zone files.
pub(crate) const ZONES_DEFAULT: &str = "zones";
/// The default of the longest wait for the first verdicts.
pub(crate) const START_WAIT_DEFAULT: Period = Period::secs(3);
/// The default of the greatest age of kept states.
pub(crate) const STATE_MAX_AGE_DEFAULT: Period = Period::secs(600);
/// The default of the longest time for which failures that begin all at once change nothing.
pub(crate) const FREEZE_MAX_DEFAULT: Period = Period(GuardPolicy::FREEZE_MAX);
/// The default path of DNS over HTTPS: the one in every client's examples.
pub(crate) const HTTPS_PATH_DEFAULT: &str = "/dns-query";
/// The default number of probes that may run at one time.
pub(crate) const CONCURRENCY_DEFAULT: u32 = 1024;
/// The default number of probes of one IP address that may run at one time.
pub(crate) const CONCURRENCY_PER_ADDRESS_DEFAULT: u32 = 64;
/// The default permission to run commands of zone files: none.
pub(crate) const EXEC_DEFAULT: bool = false;
/// The default permission for symlinks that lead out of the zone directory: none.
pub(crate) const OUTSIDE_SYMLINKS_DEFAULT: bool = false;
/// The default number of connections in all, for each transport.
pub(crate) const TCP_CONNECTIONS_DEFAULT: u32 = 1024;
/// The default number of connections from one source, for each transport.
pub(crate) const TCP_PER_SOURCE_DEFAULT: u32 = 32;
/// The default of the longest time from one query of a connection to the end of the next.
pub(crate) const TCP_IDLE_DEFAULT: Period = Period::secs(10);
/// The default of the longest time from the opening of a connection to its first query.
pub(crate) const TCP_FIRST_QUERY_DEFAULT: Period = Period::secs(2);

/// The default number of responses a second over UDP to one source address.
pub(crate) const PER_SOURCE_DEFAULT: u32 = 1000;
/// The default number of responses a second over UDP to one network.
pub(crate) const PER_NETWORK_DEFAULT: u32 = 32_000;
/// The default of `slip`: every response above the rate is sent truncated.
pub(crate) const SLIP_DEFAULT: u32 = 1;

table! {
    /// The server's own file, `waypost.toml`. Every key is optional; flags override it.
    pub(crate) struct ServerFile {
        /// The directory of zone files; a relative path starts at the server's working directory.
        zones: String = ZONES_DEFAULT;
        /// Whether files in the zone directory may be symlinks to files elsewhere. Symlinks within
        /// the directory are always followed.
        outside_symlinks: bool = OUTSIDE_SYMLINKS_DEFAULT;
        /// The addresses of the server.
        listen: Listen;
        /// The settings of probes.
        checks: Checks;
        /// The certificate of encrypted listeners.
        tls: Tls;
        /// The sources of clients' places.
        geo: Geo;
        /// The limits on connections.
        limits: Limits;
        /// The server's answers to questions about itself.
        identity: Identity;
        /// Cookies, by which clients show that they are where they claim to be (RFC 7873).
        cookies: Cookies;
        /// The limits on responses to one source over UDP, where sources can be forged.
        rate_limit: RateLimit;
        /// The content and the form of the log.
        log: Log;
    }
}

table! {
    /// The addresses of the server.
    pub(crate) struct Listen {
        /// Addresses with ports, UDP and TCP alike. Default: "127.0.0.1:5300".
        addresses: OneOrMany<Socket>;
        /// The number of UDP workers for each address, each a thread of its own. 0: one for each
        /// CPU core.
        workers: Int<0, 1024> = 0;
        /// Addresses of DNS over TLS (RFC 7858); port 853 by custom. Default: none.
        tls: OneOrMany<Socket>;
        /// Addresses of DNS over HTTPS (RFC 8484); port 443 by custom. Default: none.
        https: OneOrMany<Socket>;
        /// Addresses of DNS over QUIC (RFC 9250); port 853 by custom. Default: none.
        quic: OneOrMany<Socket>;
        /// Addresses of DNS over HTTPS in HTTP/3; port 443 by custom. Default: none.
        h3: OneOrMany<Socket>;
        /// The path of DNS over HTTPS.
        https_path: String = HTTPS_PATH_DEFAULT;
    }
}

table! {
    /// The settings of probes.
    pub(crate) struct Checks {
        /// The longest wait for the first verdicts before the server answers, up to 1m.
        start_wait: Period = START_WAIT_DEFAULT;
        /// The most probes that run at one time.
        concurrency: Int<1, 65_535> = CONCURRENCY_DEFAULT;
        /// The most probes of one IP address, whatever the port, that run at one time.
        concurrency_per_address: Int<1, 65_535> = CONCURRENCY_PER_ADDRESS_DEFAULT;
        /// Whether checks of kind exec may run the commands that zone files name.
        exec: bool = EXEC_DEFAULT;
        /// Networks that probes may go to although they lead to this machine or its surroundings.
        /// Otherwise no probe goes to link-local addresses or to those at which clouds tell
        /// machines their secrets. The loopback is open only if the server listens on nothing else.
        allow: OneOrMany<Network>;
        /// A share of all probed targets, 0 to 1. If more than this share begins to fail within one
        /// interval, this machine is thought to be at fault, and failures change nothing. 1: never.
        /// Default: 0.7.
        freeze_share: Share;
        /// The longest time for which failures change nothing, up to 1d.
        freeze_max: Period = FREEZE_MAX_DEFAULT;
        /// A file that keeps states across a restart. Its directory must exist and be writable.
        /// Default: the file `states` in the directory that systemd names in `$STATE_DIRECTORY`,
        /// otherwise no file.
        state_file: String;
        /// The greatest age of kept states, 1s to 1d; older states are not believed.
        state_max_age: Period = STATE_MAX_AGE_DEFAULT;
    }
}

table! {
    /// The certificate of encrypted listeners. It is read again when a file changes.
    pub(crate) struct Tls {
        /// The file with the certificate in PEM form, followed by those that signed it.
        certificate: String, required;
        /// The file with its private key in PEM form, without a passphrase.
        key: String, required;
    }
}

table! {
    /// The sources of clients' places, which routes ask for.
    pub(crate) struct Geo {
        /// Databases in MaxMind's format (GeoLite2, GeoIP2, DB-IP). They are read again when a file
        /// changes. The first that knows the place of an address counts, and likewise the first
        /// that knows its autonomous system.
        databases: OneOrMany<String>;
        /// Networks whose place or autonomous system you state. They override the databases.
        networks: List<GeoNetwork>;
    }
}

table! {
    /// The place or autonomous system of some networks. Of several networks that hold an address
    /// the longest prefix counts. A place stated here replaces everything that databases say of the
    /// place.
    pub(crate) struct GeoNetwork {
        /// The networks.
        net: OneOrMany<Network>, required;
        /// The continent; default: that of the country.
        continent: Continent;
        /// The country, by ISO 3166-1: "DE"; default: that of the subdivision.
        country: Country;
        /// The part of the country, by ISO 3166-2: "US-CA".
        subdivision: Subdivision;
        /// The coordinates of the networks.
        location: Location;
        /// The number of the autonomous system.
        asn: Asn;
    }
}

table! {
    /// The limits on connections.
    pub(crate) struct Limits {
        /// The most connections in all, for each of TCP, TLS, HTTPS, QUIC and HTTP/3.
        tcp_connections: Int<1, 1_000_000> = TCP_CONNECTIONS_DEFAULT;
        /// The most connections from one source, an IPv4 address or an IPv6 /64, for each of them.
        tcp_connections_per_source: Int<1, 1_000_000> = TCP_PER_SOURCE_DEFAULT;
        /// The longest time from one query of a connection to the end of the next, 100ms to 1h (RFC
        /// 7766 §6.2.3).
        tcp_idle: Period = TCP_IDLE_DEFAULT;
        /// The longest time from the opening of a connection to its first query, and for a
        /// handshake before it, 100ms to 1h.
        tcp_first_query: Period = TCP_FIRST_QUERY_DEFAULT;
    }
}

table! {
    /// The server's answers to questions about itself. It does not answer those whose key is
    /// absent.
    pub(crate) struct Identity {
        /// The name of this server, up to 255 octets: the answer to NSID (RFC 5001), and to
        /// `id.server` and `hostname.bind` in class CH (RFC 4892).
        name: String;
        /// The answer to `version.bind` and `version.server` in class CH, up to 255 octets.
        version: String;
    }
}

table! {
    /// Cookies (RFC 7873, RFC 9018). Servers that share an address, as with anycast, must have the
    /// same secrets; otherwise clients discard responses.
    pub(crate) struct Cookies {
        /// Whether clients that send a cookie get one. All servers of a zone should agree.
        enabled: bool = true;
        /// One or two secrets, each 32 hexadecimal digits. The first makes cookies, both recognize
        /// them. Default: a random one at each start.
        secrets: OneOrMany<Secret>;
        /// The longest response over UDP to a client without a cookie of ours, in octets. A longer
        /// one is truncated, so that a real client comes back over TCP. 0: no limit of its own.
        max_nocookie_response: Int<0, 1232> = 0;
    }
}

table! {
    /// The limits on responses to one source over UDP, where sources can be forged. They do not
    /// hold for clients that show a cookie of ours, nor for streams.
    pub(crate) struct RateLimit {
        /// Responses a second to one IPv4 address or IPv6 /64; 0: no limit.
        per_source: Int<0, 10_000_000> = PER_SOURCE_DEFAULT;
        /// Responses a second to one IPv4 /24 or IPv6 /56; 0: no limit.
        per_network: Int<0, 10_000_000> = PER_NETWORK_DEFAULT;
        /// Of the responses above a limit, every `slip`-th is sent truncated, so that a real client
        /// comes back over TCP, and the others are dropped. 1: all are truncated; 0: all are
        /// dropped.
        slip: Int<0, 100> = SLIP_DEFAULT;
        /// Networks without these limits. Default: 127.0.0.0/8 and ::1.
        exempt: OneOrMany<Network>;
    }
}

table! {
    /// The content and the form of the log.
    pub(crate) struct Log {
        /// The form of log lines: text for people, or a JSON object a line. Default: "text".
        format: Format;
        /// The level of the least important lines that are still logged. Default: "info".
        level: Level;
    }
}

words! {
    /// The form of log lines.
    pub(crate) enum Format {
        /// Lines for people to read.
        Text = "text",
        /// One JSON object on each line.
        Json = "json",
    }
}

words! {
    /// The importance of a log line.
    pub(crate) enum Level {
        /// Something failed.
        Error = "error",
        /// Something is likely not as meant.
        Warn = "warn",
        /// Something changed: a state, or what is loaded.
        Info = "info",
        /// Each single action of the server.
        Debug = "debug",
        /// Everything.
        Trace = "trace",
    }
}

/// A cookie secret, written as 32 hexadecimal digits.
#[derive(Clone)]
pub(crate) struct Secret(pub(crate) [u8; 16]);

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

impl Decode for Secret {
    fn decode(node: &Node<'_>, decoder: &mut Decoder) -> Option<Self> {
        let text = Zeroizing::new(String::decode(node, decoder)?);
        let number = Some(&text).filter(|text| text.len() == 32 && !text.starts_with('+'));
        let number = number.and_then(|text| u128::from_str_radix(text, 16).ok());
        if number.is_none() {
            let message = format!("expected 32 hexadecimal digits, found {} octets", text.len());
            decoder.error(&node.span(), message).help =
                Some("`openssl rand -hex 16` makes one".to_owned());
        }
        number.map(|number| Self(number.to_be_bytes()))
    }
}

impl JsonSchema for Secret {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Secret".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[0-9a-fA-F]{32}$" })
    }
}

/// An address and a port: `127.0.0.1:53`, `[::1]:53`; or a port on all addresses: `:53`.
#[derive(Clone, Debug)]
pub(crate) struct Socket(pub(crate) Vec<SocketAddr>);

impl Decode for Socket {
    fn decode(node: &Node<'_>, decoder: &mut Decoder) -> Option<Self> {
        let text = String::decode(node, decoder)?;
        let sockets = parse_listen(&text);
        if let Err(advice) = &sockets {
            let message = format!("expected an address and a port, found \"{text}\"");
            decoder.error(&node.span(), message).help = Some(advice.clone());
        }
        sockets.ok().map(Self)
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
        json_schema!({ "type": "string", "examples": ["0.0.0.0:53", "[::]:53", ":53"] })
    }
}
