//! `waypost.toml`.

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

/// Where the server listens unless told otherwise.
pub(crate) const LISTEN_DEFAULT: SocketAddr =
    SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 5300));
/// The directory of zone files.
pub(crate) const ZONES_DEFAULT: &str = "zones";
/// How long the server waits for first verdicts before it answers.
pub(crate) const START_WAIT_DEFAULT: Period = Period::secs(3);
/// How old kept states may be.
pub(crate) const STATE_MAX_AGE_DEFAULT: Period = Period::secs(600);
/// How long failures that begin all at once change nothing.
pub(crate) const FREEZE_MAX_DEFAULT: Period = Period(GuardPolicy::FREEZE_MAX);
/// The path of DNS over HTTPS: the one that every client's examples have.
pub(crate) const HTTPS_PATH_DEFAULT: &str = "/dns-query";
/// Probes that run at one time.
pub(crate) const CONCURRENCY_DEFAULT: u32 = 1024;
/// Probes of one IP address that run at one time.
pub(crate) const CONCURRENCY_PER_ADDRESS_DEFAULT: u32 = 64;
/// No zone file runs commands.
pub(crate) const EXEC_DEFAULT: bool = false;
/// No symlink leads out of the zone directory.
pub(crate) const OUTSIDE_SYMLINKS_DEFAULT: bool = false;
/// TCP connections in all.
pub(crate) const TCP_CONNECTIONS_DEFAULT: u32 = 1024;
/// TCP connections from one source address.
pub(crate) const TCP_PER_SOURCE_DEFAULT: u32 = 32;
/// How long a TCP connection may stay idle.
pub(crate) const TCP_IDLE_DEFAULT: Period = Period::secs(10);
/// How long a new TCP connection may take to send its first query.
pub(crate) const TCP_FIRST_QUERY_DEFAULT: Period = Period::secs(2);

/// Responses a second over UDP to one source address.
pub(crate) const PER_SOURCE_DEFAULT: u32 = 1000;
/// Responses a second over UDP to one network.
pub(crate) const PER_NETWORK_DEFAULT: u32 = 32_000;
/// Every how manieth response above the rate is sent cut.
pub(crate) const SLIP_DEFAULT: u32 = 1;

table! {
    /// The server's own file, `waypost.toml`. Every key may be left out; flags override it.
    pub(crate) struct ServerFile {
        /// The directory of zone files; a relative path starts at the server's working directory.
        zones: String = ZONES_DEFAULT;
        /// Whether files in the zone directory may be symlinks to files elsewhere. Symlinks within
        /// the directory are always followed.
        outside_symlinks: bool = OUTSIDE_SYMLINKS_DEFAULT;
        /// Where the server listens.
        listen: Listen;
        /// How probes run.
        checks: Checks;
        /// The certificate of encrypted listeners.
        tls: Tls;
        /// Where clients are.
        geo: Geo;
        /// What clients may use up.
        limits: Limits;
        /// What the server says of itself when asked.
        identity: Identity;
        /// Cookies: how clients show that they are where they say (RFC 7873).
        cookies: Cookies;
        /// How much one source is sent over UDP, where sources can be forged.
        rate_limit: RateLimit;
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
    /// How probes run.
    pub(crate) struct Checks {
        /// How long the server waits for first verdicts before it answers, up to 1m.
        start_wait: Period = START_WAIT_DEFAULT;
        /// Probes that run at one time.
        concurrency: Int<1, 65_535> = CONCURRENCY_DEFAULT;
        /// Probes of one IP address, whatever the port, that run at one time.
        concurrency_per_address: Int<1, 65_535> = CONCURRENCY_PER_ADDRESS_DEFAULT;
        /// Whether checks of kind exec may run the commands that zone files name.
        exec: bool = EXEC_DEFAULT;
        /// Networks that probes may go to although they lead to this machine or its surroundings.
        /// Without it no probe goes to link-local addresses and to those at which clouds tell
        /// machines their secrets, and none to the loopback unless the server listens on nothing
        /// else.
        allow: OneOrMany<Network>;
        /// The share of all that is probed, 0 to 1: when more than this begins to fail within one
        /// interval, this machine is thought to be at fault, and failures change nothing. 1: never.
        /// Default: 0.7.
        freeze_share: Share;
        /// How long they change nothing at the most, up to 1d.
        freeze_max: Period = FREEZE_MAX_DEFAULT;
        /// A file in which states are kept, so that a restart begins with them. Its directory is
        /// there and can be written. Default: the file `states` in the directory that systemd names
        /// in `$STATE_DIRECTORY`, otherwise none.
        state_file: String;
        /// How old what it says may be, up to 1d; older states are not believed.
        state_max_age: Period = STATE_MAX_AGE_DEFAULT;
    }
}

table! {
    /// The certificate of encrypted listeners; read again when a file changes.
    pub(crate) struct Tls {
        /// The file with the certificate in PEM form, those that it is signed with behind it.
        certificate: String, required;
        /// The file with its private key in PEM form, without a passphrase.
        key: String, required;
    }
}

table! {
    /// Where clients are, for routes that ask.
    pub(crate) struct Geo {
        /// Databases in MaxMind's format (GeoLite2, GeoIP2, DB-IP); read again when a file changes.
        /// Of several that know where an address is the first counts; the same for its autonomous
        /// system.
        databases: OneOrMany<String>;
        /// What is known better than the databases know.
        networks: List<GeoNetwork>;
    }
}

table! {
    /// What is known of some networks. Of several that hold an address the longest counts. What
    /// is said of a place takes the place of all that databases say of it.
    pub(crate) struct GeoNetwork {
        /// The networks.
        net: OneOrMany<Network>, required;
        /// The continent; default: that of the country.
        continent: Continent;
        /// The country, by ISO 3166-1: "DE"; default: that of the subdivision.
        country: Country;
        /// The part of the country, by ISO 3166-2: "US-CA".
        subdivision: Subdivision;
        /// The point.
        location: Location;
        /// The number of the autonomous system.
        asn: Asn;
    }
}

table! {
    /// What clients may use up.
    pub(crate) struct Limits {
        /// Connections in all, of each of TCP, TLS, HTTPS, QUIC and HTTP/3.
        tcp_connections: Int<1, 1_000_000> = TCP_CONNECTIONS_DEFAULT;
        /// Connections from one source, an IPv4 address or an IPv6 /64, of each of them.
        tcp_connections_per_source: Int<1, 1_000_000> = TCP_PER_SOURCE_DEFAULT;
        /// Time from a query of a connection to the end of the next, 100ms to 1h (RFC 7766 §6.2.3).
        tcp_idle: Period = TCP_IDLE_DEFAULT;
        /// Time of a new connection to its first query, and for a handshake before it, 100ms to 1h.
        tcp_first_query: Period = TCP_FIRST_QUERY_DEFAULT;
    }
}

table! {
    /// What the server says of itself when asked. Without a key it says nothing.
    pub(crate) struct Identity {
        /// The name of this server, up to 255 octets: NSID (RFC 5001) and `id.server` and
        /// `hostname.bind` in class CH (RFC 4892).
        name: String;
        /// What `version.bind` and `version.server` in class CH say, up to 255 octets.
        version: String;
    }
}

table! {
    /// Cookies (RFC 7873, RFC 9018). Servers of one address, as with anycast, must have the same
    /// secrets, or clients discard responses.
    pub(crate) struct Cookies {
        /// Whether clients that send a cookie get one. All servers of a zone should agree.
        enabled: bool = true;
        /// One or two secrets, each 32 hexadecimal digits. Cookies are made with the first and
        /// recognized with both. Default: one at random, anew at each start.
        secrets: OneOrMany<Secret>;
        /// The longest response over UDP to a client without a cookie of ours, in octets; what is
        /// longer is cut, so that a real client comes back over TCP. 0: as to anybody else.
        max_nocookie_response: Int<0, 1232> = 0;
    }
}

table! {
    /// How much one source is sent over UDP, where sources can be forged. Clients that show a
    /// cookie of ours, and streams, are not limited.
    pub(crate) struct RateLimit {
        /// Responses a second to one IPv4 address or IPv6 /64; 0: no limit.
        per_source: Int<0, 10_000_000> = PER_SOURCE_DEFAULT;
        /// Responses a second to one IPv4 /24 or IPv6 /56; 0: no limit.
        per_network: Int<0, 10_000_000> = PER_NETWORK_DEFAULT;
        /// Every how manieth response above the limit is sent cut, so that a real client comes
        /// back over TCP; 1: all of them, 0: none.
        slip: Int<0, 100> = SLIP_DEFAULT;
        /// Networks that are not limited. Default: 127.0.0.0/8 and ::1.
        exempt: OneOrMany<Network>;
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

/// 32 hexadecimal digits.
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

/// An address and a port: `127.0.0.1:53`, `[::1]:53`; or a port of all addresses: `:53`.
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
