//! What a health check is.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use super::ask::{DnsCheck, ExecCheck, FastcgiCheck, GrpcCheck, HttpCheck, TcpCheck, TlsOptions};

/// One health-check definition. Equal checks of equal addresses are probed once.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Check {
    /// What one probe does.
    pub kind: CheckKind,
    /// The port to probe; `None`: the endpoint's own, else [`CheckKind::default_port`].
    pub port: Option<u16>,
    /// From the start of one probe to the start of the next; at least 100 ms.
    pub interval: Duration,
    /// How much later a probe may begin, at random; at most half of `interval`.
    pub jitter: Duration,
    /// How long one probe may take in all; not longer than `interval`.
    pub timeout: Duration,
    /// How long of that it may take to connect, TLS included; `None`: all of it.
    pub connect_timeout: Option<Duration>,
    /// Passes in a row that turn a down endpoint up; at least 1.
    pub rise: u8,
    /// Fails in a row that turn an up endpoint down; at least 1.
    pub fall: u8,
    /// From the start of one probe to the start of the next while verdicts contradict the state;
    /// `None`: as always.
    pub fast_interval: Option<Duration>,
    /// When an endpoint turns too often; `None`: never.
    pub flap: Option<Flap>,
    /// For how long the weight of an endpoint climbs that was down; zero: it counts at once.
    pub slow_start: Duration,
    /// How the endpoint may speak for itself; `None`: it may not.
    pub agent: Option<Agent>,
    /// The addresses that probes come from.
    pub source: Source,
    /// The PROXY header that announces each connection; `None`: there is none.
    pub proxy: Option<ProxyVersion>,
}

/// The addresses of this machine that probes come from, by family; `None`: the system chooses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Source {
    /// Towards IPv4 addresses.
    pub v4: Option<Ipv4Addr>,
    /// Towards IPv6 addresses.
    pub v6: Option<Ipv6Addr>,
}

impl Source {
    /// The address that probes of `peer` come from; `None`: the system chooses.
    pub fn towards(self, peer: IpAddr) -> Option<IpAddr> {
        match peer {
            IpAddr::V4(_) => self.v4.map(IpAddr::V4),
            IpAddr::V6(_) => self.v6.map(IpAddr::V6),
        }
    }
}

/// The two forms of the PROXY header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProxyVersion {
    /// A line of text.
    V1,
    /// Octets.
    V2,
}

/// How an endpoint may speak for itself in what it replies to a check.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Agent {
    /// The header of HTTP that has its words; `None`: the first lines of what it sends.
    pub header: Option<String>,
    /// The least part of its weight that it can ask for, in percent.
    pub weight_min: u8,
    /// The largest, 100 at the most.
    pub weight_max: u8,
}

impl Check {
    /// A check of this kind at the pace that one has which writes nothing of it, and which holds
    /// down nothing that turns often.
    pub fn new(kind: CheckKind) -> Self {
        Self {
            kind,
            port: None,
            interval: Duration::from_secs(5),
            jitter: Duration::ZERO,
            timeout: Duration::from_millis(2500),
            connect_timeout: None,
            rise: 2,
            fall: 3,
            fast_interval: None,
            flap: None,
            slow_start: Duration::ZERO,
            agent: None,
            source: Source::default(),
            proxy: None,
        }
    }

    /// How long it takes at the most until what has failed `failed` times in a row is down.
    pub fn until_down(&self, failed: u8) -> Duration {
        let left = u32::from(self.fall.saturating_sub(failed));
        self.fast_interval.unwrap_or(self.interval) * left + self.jitter + self.timeout
    }
}

/// When an endpoint turns too often, and what then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Flap {
    /// The most turns within `window`; at least 2.
    pub turns: u8,
    /// The time in which they are counted.
    pub window: Duration,
    /// How long it is held down after one more.
    pub hold: Duration,
}

/// What one probe does.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum CheckKind {
    /// An HTTP or HTTPS request.
    Http(HttpCheck),
    /// A TCP connection.
    Tcp(TcpCheck),
    /// A TLS handshake, and then what a TCP connection is asked.
    Tls(TlsOptions, TcpCheck),
    /// A datagram, and one that comes back.
    Udp(TcpCheck),
    /// A query over UDP.
    Dns(DnsCheck),
    /// A page of a FastCGI server, such as the ping page of php-fpm.
    Fastcgi(FastcgiCheck),
    /// A call of gRPC's own health service.
    Grpc(GrpcCheck),
    /// A `PING` to Redis, or what speaks its protocol.
    Redis,
    /// The handshake of MySQL or MariaDB, under this user's name.
    Mysql(String),
    /// The beginning of a session of PostgreSQL, under this user's name.
    Postgres(String),
    /// An echo request of ICMP.
    Icmp,
    /// A program of this machine.
    Exec(ExecCheck),
}

impl CheckKind {
    /// The word for it in zone files and logs.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Http(http) if http.tls.is_some() => "https",
            Self::Http(_) => "http",
            Self::Tcp(_) => "tcp",
            Self::Tls(..) => "tls",
            Self::Udp(_) => "udp",
            Self::Dns(_) => "dns",
            Self::Fastcgi(_) => "fastcgi",
            Self::Grpc(grpc) if grpc.tls.is_some() => "grpcs",
            Self::Grpc(_) => "grpc",
            Self::Redis => "redis",
            Self::Mysql(_) => "mysql",
            Self::Postgres(_) => "postgres",
            Self::Icmp => "icmp",
            Self::Exec(_) => "exec",
        }
    }

    /// How it checks a peer over TLS; `None`: it does not.
    pub fn tls(&self) -> Option<&TlsOptions> {
        match self {
            Self::Http(http) => http.tls.as_ref(),
            Self::Grpc(grpc) => grpc.tls.as_ref(),
            Self::Tls(options, _) => Some(options),
            _ => None,
        }
    }

    /// The port to probe where neither the check nor the endpoint has one; 0: it needs none.
    pub fn default_port(&self) -> Option<u16> {
        match self {
            Self::Http(http) => Some(if http.tls.is_some() { 443 } else { 80 }),
            Self::Tcp(_) | Self::Tls(..) | Self::Udp(_) | Self::Grpc(_) => None,
            Self::Fastcgi(fastcgi) => Some(if fastcgi.socket.is_some() { 0 } else { 9000 }),
            Self::Dns(_) => Some(53),
            Self::Redis => Some(6379),
            Self::Mysql(_) => Some(3306),
            Self::Postgres(_) => Some(5432),
            Self::Icmp | Self::Exec(_) => Some(0),
        }
    }
}
