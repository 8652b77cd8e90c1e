//! The definition of a health check.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use super::ask::{DnsCheck, ExecCheck, FastcgiCheck, GrpcCheck, HttpCheck, TcpCheck, TlsOptions};

/// The definition of a health check. Equal checks of equal addresses are probed once.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Check {
    /// The action of one probe.
    pub kind: CheckKind,
    /// The port to probe. `None` stands for the endpoint's own or, without one, for
    /// [`CheckKind::default_port`].
    pub port: Option<u16>,
    /// The time from the start of one probe to the start of the next; at least 100 ms.
    pub interval: Duration,
    /// The longest random delay of a probe; at most half of `interval`.
    pub jitter: Duration,
    /// The longest time for one probe; at most `interval`.
    pub timeout: Duration,
    /// The part of `timeout` for connecting, TLS included; `None` for all of it.
    pub connect_timeout: Option<Duration>,
    /// The passes in a row that turn a down endpoint up; at least 1.
    pub rise: u8,
    /// The fails in a row that turn an up endpoint down; at least 1.
    pub fall: u8,
    /// The interval while verdicts contradict the state; `None` for `interval`.
    pub fast_interval: Option<Duration>,
    /// The limit on turns beyond which an endpoint is held down; `None` for no limit.
    pub flap: Option<Flap>,
    /// The time in which the weight of an endpoint climbs after it was down; zero for at once.
    pub slow_start: Duration,
    /// The limits within which the endpoint may speak for itself; `None` if it may not.
    pub agent: Option<Agent>,
    /// The addresses that probes come from.
    pub source: Source,
    /// The PROXY header that announces each connection; `None` for no header.
    pub proxy: Option<ProxyVersion>,
}

/// The addresses of this machine that probes come from, by family; `None` if the system chooses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Source {
    /// The address of probes to IPv4 addresses.
    pub v4: Option<Ipv4Addr>,
    /// The address of probes to IPv6 addresses.
    pub v6: Option<Ipv6Addr>,
}

impl Source {
    /// Returns the address that probes of `peer` come from; `None` if the system chooses.
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
    /// A binary header.
    V2,
}

/// The limits within which an endpoint may speak for itself in its reply to a check.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Agent {
    /// The HTTP header that holds its words; `None` for the first lines of what it sends.
    pub header: Option<String>,
    /// The smallest part of its weight that it can ask for, in percent.
    pub weight_min: u8,
    /// The largest part that it can ask for, in percent; at most 100.
    pub weight_max: u8,
}

impl Check {
    /// Creates a check of this kind with the default intervals, timeouts and counts. It never holds
    /// an endpoint down for turning too often.
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

    /// Returns the longest time until an endpoint that failed `failed` times in a row is down.
    pub fn until_down(&self, failed: u8) -> Duration {
        let left = u32::from(self.fall.saturating_sub(failed));
        self.fast_interval.unwrap_or(self.interval) * left + self.jitter + self.timeout
    }
}

/// A limit on the turns of an endpoint, and the time for which it is then held down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Flap {
    /// The most turns within `window`; at least 2.
    pub turns: u8,
    /// The time in which turns are counted.
    pub window: Duration,
    /// The time for which one more turn holds the endpoint down.
    pub hold: Duration,
}

/// The action of one probe.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum CheckKind {
    /// An HTTP or HTTPS request.
    Http(HttpCheck),
    /// A TCP connection.
    Tcp(TcpCheck),
    /// A TLS handshake, followed by the octets of a TCP check.
    Tls(TlsOptions, TcpCheck),
    /// A datagram, and one that comes back.
    Udp(TcpCheck),
    /// A query over UDP.
    Dns(DnsCheck),
    /// A page of a FastCGI server, such as the ping page of php-fpm.
    Fastcgi(FastcgiCheck),
    /// A call of the gRPC health service.
    Grpc(GrpcCheck),
    /// A `PING` to Redis, or to another server that speaks its protocol.
    Redis,
    /// A handshake with MySQL or MariaDB under this user name.
    Mysql(String),
    /// The start of a PostgreSQL session under this user name.
    Postgres(String),
    /// An ICMP echo request.
    Icmp,
    /// A program of this machine.
    Exec(ExecCheck),
}

impl CheckKind {
    /// Returns its word in zone files and logs.
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

    /// Returns the TLS options of the probe; `None` if it does not use TLS.
    pub fn tls(&self) -> Option<&TlsOptions> {
        match self {
            Self::Http(http) => http.tls.as_ref(),
            Self::Grpc(grpc) => grpc.tls.as_ref(),
            Self::Tls(options, _) => Some(options),
            _ => None,
        }
    }

    /// Returns the port to probe if neither the check nor the endpoint has one: 0 if the probe
    /// needs no port, `None` if there is no default.
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
