//! The `tcp` and `tls` probes: a connection, and optionally a few bytes each way.

use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::attempt::Attempt;
use super::connect::{Dialer, First};
use super::parting::Parting;
use super::tls::Handshake;
use super::{Outlets, Passed, Reason, Search};
use crate::zone::{Agent, TcpCheck, TlsOptions};

/// The octets read at once.
const PIECE: usize = 2048;

/// A prober that connects, sends, and looks for what is expected.
#[derive(Debug)]
pub(super) struct Tcp {
    check: TcpCheck,
    dialer: Dialer,
    tls: Option<Handshake>,
    /// Whether an agent may speak.
    listens: bool,
}

impl Tcp {
    pub(super) fn new(check: TcpCheck, dialer: Dialer) -> Self {
        Self { check, dialer, tls: None, listens: false }
    }

    /// Lets it do the same after a TLS handshake.
    ///
    /// # Errors
    /// [`Reason::Unusable`], which says what about the check to change.
    pub(super) fn over_tls(self, options: &TlsOptions, outlets: &Outlets) -> Result<Self, Reason> {
        Ok(Self { tls: Some(Handshake::new(options, None, outlets)?), ..self })
    }

    /// Lets it listen to `agent`, if there is one.
    pub(super) fn heard_by(self, agent: Option<&Agent>) -> Self {
        Self { listens: agent.is_some(), ..self }
    }

    pub(super) async fn probe(
        &self,
        address: SocketAddr,
        attempt: &Attempt,
    ) -> Result<Passed, Reason> {
        let connected = self.dialer.dial(address, self.first());
        let Some(tls) = &self.tls else {
            let mut stream = attempt.connected(connected).await?;
            let outcome = self.talk(&mut stream, attempt).await;
            let stream = stream.into_stream();
            attempt.leave(match self.is_silent() {
                true => Parting::unseen(stream),
                false => Parting::first(stream),
            });
            return outcome;
        };
        // Boxed: probes without TLS need not have the room that TLS takes.
        Box::pin(async {
            let shaken = async { tls.shake(address, connected.await?, attempt).await };
            let (mut stream, validity) = attempt.connected(shaken).await?;
            let outcome = self.talk(&mut stream, attempt).await;
            attempt.leave(Parting::first(stream));
            Ok(Passed { validity, ..outcome? })
        })
        .await
    }

    /// Returns whether the probe neither sends nor awaits anything on the connection.
    fn is_silent(&self) -> bool {
        !(self.dialer.is_announced() || self.check.send.is_some() || self.is_attentive())
    }

    /// Returns whether the probe waits for anything that the endpoint says.
    fn is_attentive(&self) -> bool {
        self.check.expect.is_some() || self.listens
    }

    fn first(&self) -> First {
        match self.tls.is_none() && self.check.send.is_none() && self.is_attentive() {
            true => First::Endpoint,
            false => First::Probe,
        }
    }

    async fn talk(
        &self,
        stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
        attempt: &Attempt,
    ) -> Result<Passed, Reason> {
        if let Some(bytes) = &self.check.send {
            stream.write_all(bytes).await?;
        }
        let passed = self.check.expect.as_ref().map_or(Reason::Connected, |_| Reason::Received);
        let mut is_found = self.check.expect.is_none();
        let mut search = Search::new(self.check.expect.as_deref().unwrap_or_default());
        let mut piece = Vec::new();
        // An agent says one line, and most agents close the connection after it.
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
