//! The `tcp` and `tls` probes: a connection, and optionally a few bytes each way.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::connect::{First, connect, end_by_reset};
use super::{Outlets, Passed, Reason, Search};
use crate::zone::{Agent, TcpCheck, TlsOptions};

const UNUSABLE_NAME: Reason = Reason::Unusable("the check's server_name is not a host name");

/// Connects, sends, and looks for what is expected.
#[derive(Debug)]
pub(super) struct Tcp {
    check: TcpCheck,
    tls: Option<Tls>,
    /// Whether an agent may speak.
    listens: bool,
    timeout: Duration,
}

/// The TLS below the bytes.
#[derive(Debug)]
struct Tls {
    config: Arc<ClientConfig>,
    /// Whom the certificate must be for; `None`: the address.
    name: Option<ServerName<'static>>,
}

impl Tcp {
    pub(super) fn new(check: TcpCheck, timeout: Duration) -> Self {
        Self { check, tls: None, listens: false, timeout }
    }

    /// The same behind a TLS handshake.
    ///
    /// # Errors
    /// What about the check makes it unusable.
    pub(super) fn over_tls(
        (options, check): (&TlsOptions, &TcpCheck),
        timeout: Duration,
        outlets: &Outlets,
    ) -> Result<Self, Reason> {
        let config = outlets.tls.config_for(options)?;
        let name = options.server_name.clone().map(ServerName::try_from);
        let name = name.transpose().map_err(|_| UNUSABLE_NAME)?;
        let tls = Some(Tls { config, name });
        Ok(Self { tls, ..Self::new(check.clone(), timeout) })
    }

    /// The same, with what `agent` may say.
    pub(super) fn heard_by(self, agent: Option<&Agent>) -> Self {
        Self { listens: agent.is_some(), ..self }
    }

    pub(super) async fn probe(&self, address: SocketAddr) -> Result<Passed, Reason> {
        match timeout(self.timeout, self.exchange(address)).await {
            Ok(Ok(reason)) => reason,
            Ok(Err(error)) => Err(Reason::of_io(&error)),
            Err(_) => Err(Reason::NoResponse(self.timeout)),
        }
    }

    async fn exchange(&self, address: SocketAddr) -> io::Result<Result<Passed, Reason>> {
        let stream = connect(address, self.first()).await?;
        if self.is_over_with_its_reply() {
            end_by_reset(&stream)?;
        }
        let Some(Tls { config, name }) = &self.tls else { return self.talk(stream).await };
        let name = name.clone().unwrap_or_else(|| ServerName::from(address.ip()));
        match TlsConnector::from(Arc::clone(config)).connect(name, stream).await {
            Ok(stream) => self.talk(stream).await,
            Err(error) => Ok(Err(Reason::of_tls(&error))),
        }
    }

    fn first(&self) -> First {
        let listens = self.check.expect.is_some() || self.listens;
        match self.tls.is_none() && self.check.send.is_none() && listens {
            true => First::Endpoint,
            false => First::Probe,
        }
    }

    /// Whether nothing that was sent may still be under way when a probe has passed: a reset would
    /// overtake it.
    fn is_over_with_its_reply(&self) -> bool {
        self.tls.is_none() && (self.check.send.is_none() || self.check.expect.is_some())
    }

    async fn talk(
        &self,
        mut stream: impl AsyncRead + AsyncWrite + Unpin,
    ) -> io::Result<Result<Passed, Reason>> {
        if let Some(bytes) = &self.check.send {
            stream.write_all(bytes).await?;
        }
        let passed = self.check.expect.as_ref().map_or(Reason::Connected, |_| Reason::Received);
        let mut is_found = self.check.expect.is_none();
        let mut search = Search::new(self.check.expect.as_deref().unwrap_or_default());
        let mut piece = [0; 2048];
        // An agent says one line, and most close the connection behind it.
        while !(is_found && (!self.listens || search.has_words() || search.seen.contains(&b'\n'))) {
            if search.is_over() {
                return Ok(Err(Reason::LacksBytes));
            }
            let read = stream.read(&mut piece).await?;
            if read == 0 && !is_found {
                return Ok(Err(Reason::Closed));
            }
            if read == 0 {
                break;
            }
            is_found |= search.found_with(&piece[..read]);
        }
        Ok(Ok(Passed { reason: passed, text: search.seen }))
    }
}
