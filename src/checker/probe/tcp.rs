//! The `tcp` and `tls` probes: a connection, and optionally a few bytes each way.

use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::attempt::Attempt;
use super::connect::{First, connect, end_by_reset};
use super::tls::Handshake;
use super::{Outlets, Passed, Reason, Search};
use crate::zone::{Agent, TcpCheck, TlsOptions};

/// How much is read at once, in octets.
const PIECE: usize = 2048;

/// Connects, sends, and looks for what is expected.
#[derive(Debug)]
pub(super) struct Tcp {
    check: TcpCheck,
    tls: Option<Handshake>,
    /// Whether an agent may speak.
    listens: bool,
}

impl Tcp {
    pub(super) fn new(check: TcpCheck) -> Self {
        Self { check, tls: None, listens: false }
    }

    /// The same behind a TLS handshake.
    ///
    /// # Errors
    /// What about the check makes it unusable.
    pub(super) fn over_tls(
        options: &TlsOptions,
        check: TcpCheck,
        outlets: &Outlets,
    ) -> Result<Self, Reason> {
        let tls = Some(Handshake::new(options, None, outlets)?);
        Ok(Self { tls, ..Self::new(check) })
    }

    /// The same, with what `agent` may say.
    pub(super) fn heard_by(self, agent: Option<&Agent>) -> Self {
        Self { listens: agent.is_some(), ..self }
    }

    pub(super) async fn probe(
        &self,
        address: SocketAddr,
        attempt: &Attempt,
    ) -> Result<Passed, Reason> {
        let connected = async {
            let stream = connect(address, self.first()).await?;
            if self.is_over_with_its_reply() {
                end_by_reset(&stream)?;
            }
            Ok(stream)
        };
        let Some(tls) = &self.tls else {
            return self.talk(attempt.connected(connected).await?, attempt).await;
        };
        // Boxed: what TLS needs is not to be in every probe that goes without.
        Box::pin(async {
            let shaken = async { tls.shake(address, connected.await?, attempt).await };
            let (stream, validity) = attempt.connected(shaken).await?;
            Ok(Passed { validity, ..self.talk(stream, attempt).await? })
        })
        .await
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
        attempt: &Attempt,
    ) -> Result<Passed, Reason> {
        if let Some(bytes) = &self.check.send {
            stream.write_all(bytes).await?;
        }
        let passed = self.check.expect.as_ref().map_or(Reason::Connected, |_| Reason::Received);
        let mut is_found = self.check.expect.is_none();
        let mut search = Search::new(self.check.expect.as_deref().unwrap_or_default());
        let mut piece = Vec::new();
        // An agent says one line, and most close the connection behind it.
        while !(is_found && (!self.listens || search.has_words() || search.seen.contains(&b'\n'))) {
            if search.is_over() {
                return Err(Reason::LacksBytes);
            }
            piece.clear();
            piece.reserve(PIECE);
            let read = stream.read_buf(&mut piece).await?;
            if read == 0 && !is_found {
                return Err(Reason::Closed);
            }
            if read == 0 {
                break;
            }
            attempt.hears();
            is_found |= search.found_with(&piece);
        }
        Ok(Passed { text: search.seen, ..Passed::silent(passed) })
    }
}
