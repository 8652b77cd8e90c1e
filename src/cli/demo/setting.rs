//! The running parts of the demo: three backends, a zone that names them, and the server.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use tempfile::TempDir;

use super::backend::{AGENT_HEADER, Backend};
use crate::config::ServerConfig;
use crate::health::Showing;
use crate::server::{Server, StartError};

/// The name and the weight of each backend.
pub(super) const BACKENDS: [(&str, u32); 3] = [("alpha", 3), ("beta", 2), ("gamma", 1)];
/// The name that the demo asks for.
pub(super) const NAME: &str = "web.example.com";
/// The zone of that name.
const ZONE: &str = "example.com";
/// The port of the backends, if it is free.
const HTTP_PORT: u16 = 8080;
/// The port that Waypost answers on, if it is free.
const DNS_PORT: u16 = 5300;
/// The number of ports to try, from the first one up, before any other port will do.
const PORTS_MAX: u16 = 20;

/// The running parts of the demo.
pub(super) struct Setting {
    pub(super) server: Server,
    pub(super) backends: Vec<Backend>,
    directory: TempDir,
}

/// A reason for the demo not to start.
pub(super) enum Trouble {
    /// No zone file can be written.
    Zone(io::Error),
    /// No backend can listen.
    Backends(io::Error),
    /// The server does not start.
    Server(StartError),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Zone(error) => {
                let place = std::env::temp_dir();
                let place = place.display();
                write!(
                    f,
                    "cannot write a zone file below {place}, which TMPDIR can change: {error}"
                )
            }
            Self::Backends(error) => {
                write!(f, "cannot listen on 127.0.0.11 to 127.0.0.13 for web servers: {error}")
            }
            Self::Server(error) => error.fmt(f),
        }
    }
}

impl Setting {
    /// Starts all parts.
    pub(super) fn start() -> Result<Self, Trouble> {
        let names = BACKENDS.map(|(name, _)| name);
        let backends = first_of(HTTP_PORT, |port| Backend::start_all(&names, port));
        let backends = backends.map_err(Trouble::Backends)?;
        let directory = tempfile::Builder::new().prefix("waypost-demo-").tempdir();
        let directory = directory.map_err(Trouble::Zone)?;
        let port = backends.first().map_or(HTTP_PORT, |backend| backend.address().port());
        let file = directory.path().join(format!("{ZONE}.toml"));
        std::fs::write(file, zone(port)).map_err(Trouble::Zone)?;
        let server = first_of(DNS_PORT, |port| {
            Server::start(
                ServerConfig {
                    listen: vec![SocketAddr::from((Ipv4Addr::LOCALHOST, port))],
                    workers: 1,
                    zones: directory.path().to_owned(),
                    ..ServerConfig::default()
                },
                None,
            )
        });
        Ok(Self { server: server.map_err(Trouble::Server)?, backends, directory })
    }

    /// Returns the zone directory.
    pub(super) fn zones(&self) -> PathBuf {
        self.directory.path().to_owned()
    }

    /// Returns the address that Waypost answers on.
    pub(super) fn address(&self) -> SocketAddr {
        let default = SocketAddr::from((Ipv4Addr::LOCALHOST, DNS_PORT));
        self.server.addresses().first().copied().unwrap_or(default)
    }

    /// Returns a sentence for each default port that was taken.
    pub(super) fn taken_ports(&self) -> Vec<String> {
        let http = self.backends.first().map_or(HTTP_PORT, |backend| backend.address().port());
        let ports = [
            ("the web servers listen", HTTP_PORT, http),
            ("Waypost answers", DNS_PORT, self.address().port()),
        ];
        let moved = ports.into_iter().filter(|(_, wanted, port)| wanted != port);
        let sentence = |(who, wanted, port)| format!("Port {wanted} is taken: {who} on {port}.");
        moved.map(sentence).collect()
    }

    /// Returns the state of each backend that answers follow; `None` for one that the zone, which
    /// may have changed, does not check.
    pub(super) fn showings(&self) -> Vec<Option<Showing>> {
        let snapshot = self.server.snapshot();
        let bindings = || {
            snapshot.zones().iter().flat_map(|zone| zone.bindings().iter().map(move |b| (zone, b)))
        };
        let showing = |name: &str| {
            let (zone, binding) = bindings().find(|(_, b)| *b.endpoint.name == *name)?;
            Some(zone.board().showing(binding.bit))
        };
        self.backends.iter().map(|backend| showing(backend.name())).collect()
    }

    /// Stops the server, and then the backends.
    pub(super) fn stop(self) {
        self.server.stop();
    }
}

/// Calls `start` with ports from `first` up until it succeeds, and at last with port 0.
fn first_of<T, E>(first: u16, start: impl Fn(u16) -> Result<T, E>) -> Result<T, E> {
    let started = (first..first + PORTS_MAX).find_map(|port| start(port).ok());
    // Port 0 takes any port. If even that fails, ports are not the reason.
    started.map_or_else(|| start(0), Ok)
}

/// Returns the zone file, which is for people to read and change.
fn zone(port: u16) -> String {
    let endpoints = BACKENDS.iter().zip(11..).map(|((name, weight), host)| {
        format!("  {{ name = \"{name}\", address = \"127.0.0.{host}\", weight = {weight} }},\n")
    });
    format!(
        "# The zone of the demo. Change it while the demo runs: a moment later it is served.\n\
         zone = \"{ZONE}\"\n\
         nameservers = [\"ns1\"]\n\n\
         [records]\n\
         ns1 = {{ A = \"127.0.0.1\" }}\n\n\
         [services.web]                # {NAME}\n\
         ttl = \"5s\"\n\
         port = {port}\n\
         srv = \"_http._tcp\"\n\
         endpoints = [\n{}]\n\n\
         [services.web.check]\n\
         kind = \"http\"\n\
         path = \"/\"\n\
         interval = \"1s\"\n\
         timeout = \"500ms\"\n\
         rise = 2                      # passes in a row until it is up\n\
         fall = 2                      # failures in a row until it is down\n\
         agent = {{ header = \"{AGENT_HEADER}\" }}\n",
        endpoints.collect::<String>(),
    )
}
