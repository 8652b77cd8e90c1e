//! The threads: started together, read together, stopped together.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::watch;

use super::bind::Bound;
use super::counters::{Counters, Totals};
use super::guarded::{Factory, Guarded};
use super::stream::{StreamLimits, Streams};
use super::udp::Worker;
use super::{Over, Respond};

/// How long [`Running::stop`] waits at most; every thread is to end well before.
const PATIENCE: Duration = Duration::from_secs(3);

impl Bound {
    /// Starts answering: one thread for each UDP socket, and one for all streams.
    ///
    /// `responder` makes the responder of the worker with the given number, counted from 0, the
    /// streams' last; again after a panic. Fails if the system has no thread or event queue left.
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
                let number = threads.counters.len();
                let counters = threads.counters_for(Over::Udp);
                let guarded = Guarded::new(number, Arc::clone(&make), Arc::clone(&counters));
                let worker = Worker::new(socket, guarded, counters, Arc::clone(&stop));
                threads.spawn(format!("udp-{number}"), move || worker.run())?;
            }
        }
        let number = threads.counters.len();
        let counters = threads.counters_for(Over::Tcp);
        let guarded = Guarded::new(number, make, Arc::clone(&counters));
        let streams = Streams::new(listeners, limits, guarded, counters)?;
        let stopped = threads.stop_streams.subscribe();
        threads.spawn("streams".into(), move || streams.run(stopped))?;
        Ok(Running { threads })
    }
}

/// Transports that answer, until stopped or dropped.
#[must_use = "dropping it stops the transports"]
#[derive(Debug)]
pub struct Running {
    threads: Threads,
}

impl Running {
    /// What all threads counted so far.
    pub fn counters(&self) -> Totals {
        let mut totals = Totals::default();
        for (over, counters) in &self.threads.counters {
            let total = if over.is_stream() { &mut totals.stream } else { &mut totals.udp };
            *total += counters.read();
        }
        totals
    }

    /// Answers what has arrived, closes every socket and returns the last counts.
    ///
    /// Blocks until every thread has ended, three seconds at most.
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
    /// Every thread holds a sender; the channel closes with the last of them.
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

    fn counters_for(&mut self, over: Over) -> Arc<Counters> {
        let counters = Arc::<Counters>::default();
        self.counters.push((over, Arc::clone(&counters)));
        counters
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
        // Our own sender must go, or the channel never closes.
        self.alive = mpsc::channel().0;
        if self.all_ended.recv_timeout(PATIENCE) == Err(mpsc::RecvTimeoutError::Timeout) {
            tracing::warn!("a transport thread does not end; leaving it behind");
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
