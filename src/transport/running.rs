//! The threads: started together, read together, stopped together.

use std::convert::Infallible;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::watch;

use super::certificate::server_config;
use super::counters::{Counters, Totals};
use super::encrypted::Encrypted;
use super::limits::StreamLimits;
use super::sockets::{EncryptedSocket, Sockets};
use super::stream::Streams;
use super::supervised::{Factory, Supervised};
use super::udp::Worker;
use super::{Over, Respond};

/// The longest wait of [`Running::stop`]. Every thread should end well before.
const PATIENCE: Duration = Duration::from_secs(3);

impl Sockets {
    /// Starts answering: one thread for each UDP socket, one for all of TCP, and, if they are asked
    /// for, one for TLS and one for the other encrypted transports.
    ///
    /// `responder` makes the responder of the worker with the given number, counted from 0 in this
    /// order, and makes it again after a panic.
    ///
    /// # Errors
    /// If the system has no thread or event queue left.
    pub fn start<R: Respond>(
        self,
        limits: StreamLimits,
        responder: impl Fn(usize) -> R + Send + Sync + 'static,
    ) -> io::Result<Running> {
        let make: Factory<R> = Arc::new(responder);
        let mut threads = Threads::new();
        let mut listeners = Vec::with_capacity(self.addresses.len());
        let stop = Arc::clone(&threads.stop);
        for listening in self.addresses {
            listeners.push(listening.streams);
            for socket in listening.datagrams {
                let (number, counters) = threads.counters_for(Over::Udp);
                let guarded = Supervised::new(number, Arc::clone(&make), Arc::clone(&counters));
                let worker = Worker::new(socket, guarded, counters, Arc::clone(&stop));
                threads.spawn(format!("udp-{number}"), move || worker.run())?;
            }
        }
        threads.streams(Over::Tcp, listeners, None, limits, &make)?;
        let Some(tls) = self.tls else { return Ok(Running { threads }) };
        let (mut listeners, mut others) = (Vec::new(), Vec::new());
        for encrypted in self.encrypted {
            match (encrypted.over, encrypted.socket) {
                (Over::Tls, EncryptedSocket::Streams(listener)) => listeners.push(listener),
                (over, socket) => others.push((over, encrypted.address, socket)),
            }
        }
        if !listeners.is_empty() {
            let config = server_config(Arc::clone(&tls.certificate), &[b"dot"]);
            let config = config.map_err(io::Error::other)?;
            threads.streams(Over::Tls, listeners, Some(config), limits, &make)?;
        }
        if !others.is_empty() {
            let (number, counters) = threads.counters_for(Over::Https);
            let guarded = Supervised::new(number, make, Arc::clone(&counters));
            let encrypted = Encrypted::new(others, &tls, limits, guarded, counters)?;
            let stopped = threads.stop_streams.subscribe();
            threads.spawn("encrypted".into(), move || encrypted.run(stopped))?;
        }
        Ok(Running { threads })
    }
}

/// Transports that answer until they are stopped or dropped.
#[must_use = "dropping it stops the transports"]
#[derive(Debug)]
pub struct Running {
    threads: Threads,
}

impl Running {
    /// Returns the counts of all threads so far.
    pub fn counters(&self) -> Totals {
        let mut totals = Totals::default();
        for (over, counters) in &self.threads.counters {
            let total = match over {
                Over::Udp => &mut totals.udp,
                Over::Tcp => &mut totals.stream,
                Over::Tls => &mut totals.tls,
                Over::Https | Over::Quic | Over::H3 => &mut totals.encrypted,
            };
            *total += counters.read();
        }
        totals
    }

    /// Answers what has arrived, closes every socket and returns the last counts.
    ///
    /// Blocks until every thread has ended, for three seconds at most.
    pub fn stop(mut self) -> Totals {
        self.threads.stop();
        self.counters()
    }
}

#[derive(Debug)]
struct Threads {
    stop: Arc<AtomicBool>,
    stop_streams: watch::Sender<bool>,
    counters: Vec<(Over, Arc<Counters>)>,
    handles: Vec<JoinHandle<()>>,
    /// The sender that every thread clones. The channel closes with the last of them.
    alive: mpsc::Sender<Infallible>,
    all_ended: mpsc::Receiver<Infallible>,
}

impl Threads {
    fn new() -> Self {
        let (alive, all_ended) = mpsc::channel();
        Self {
            stop: Arc::default(),
            stop_streams: watch::Sender::new(false),
            counters: Vec::new(),
            handles: Vec::new(),
            alive,
            all_ended,
        }
    }

    /// Returns the number and the counters of the next worker.
    fn counters_for(&mut self, over: Over) -> (usize, Arc<Counters>) {
        let counters = Arc::<Counters>::default();
        self.counters.push((over, Arc::clone(&counters)));
        (self.counters.len() - 1, counters)
    }

    /// Starts the thread of TCP or of TLS.
    fn streams<R: Respond>(
        &mut self,
        over: Over,
        listeners: Vec<TcpListener>,
        tls: Option<Arc<rustls::ServerConfig>>,
        limits: StreamLimits,
        make: &Factory<R>,
    ) -> io::Result<()> {
        let (number, counters) = self.counters_for(over);
        let guarded = Supervised::new(number, Arc::clone(make), Arc::clone(&counters));
        let streams = Streams::new(listeners, tls, limits, guarded, counters)?;
        let stopped = self.stop_streams.subscribe();
        let name = if over == Over::Tls { "tls" } else { "streams" };
        self.spawn(name.into(), move || streams.run(stopped))
    }

    fn spawn(&mut self, name: String, run: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let alive = self.alive.clone();
        self.handles.push(thread::Builder::new().name(name).spawn(move || {
            run();
            drop(alive);
        })?);
        Ok(())
    }

    fn signal(&self) {
        self.stop.store(true, Ordering::Relaxed);
        self.stop_streams.send_replace(true);
    }

    fn stop(&mut self) {
        self.signal();
        // This sender must go, or the channel never closes.
        self.alive = mpsc::channel().0;
        if self.all_ended.recv_timeout(PATIENCE) == Err(mpsc::RecvTimeoutError::Timeout) {
            tracing::warn!("a transport thread does not end; waypost stops without waiting for it");
            return;
        }
        for handle in self.handles.drain(..) {
            if handle.join().is_err() {
                tracing::error!("a transport thread ended in a panic");
            }
        }
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.signal();
    }
}
