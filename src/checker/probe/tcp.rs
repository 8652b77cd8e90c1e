//! The `tcp` probe: a connection, and optionally a few bytes each way.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{Reason, Search};
use crate::zone::TcpCheck;

/// Connects, sends, and looks for what is expected.
#[derive(Debug)]
pub(super) struct Tcp {
    address: SocketAddr,
    check: TcpCheck,
    timeout: Duration,
}

impl Tcp {
    pub(super) fn new(address: SocketAddr, check: TcpCheck, timeout: Duration) -> Self {
        Self { address, check, timeout }
    }

    pub(super) async fn probe(&self) -> Result<Reason, Reason> {
        match timeout(self.timeout, self.exchange()).await {
            Ok(Ok(reason)) => reason,
            Ok(Err(error)) => Err(Reason::of_io(&error)),
            Err(_) => Err(Reason::NoResponse(self.timeout)),
        }
    }

    async fn exchange(&self) -> std::io::Result<Result<Reason, Reason>> {
        let mut stream = TcpStream::connect(self.address).await?;
        if let Some(bytes) = &self.check.send {
            stream.write_all(bytes).await?;
        }
        let Some(expected) = &self.check.expect else {
            return Ok(Ok(Reason::Connected));
        };
        let mut search = Search::new(expected);
        let mut piece = [0; 2048];
        loop {
            let read = stream.read(&mut piece).await?;
            if read == 0 {
                return Ok(Err(Reason::Closed));
            }
            if search.found_with(&piece[..read]) {
                return Ok(Ok(Reason::Received));
            }
            if search.is_over() {
                return Ok(Err(Reason::LacksBytes));
            }
        }
    }
}
