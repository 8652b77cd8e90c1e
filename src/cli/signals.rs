//! The signals that control the server, and those that must not end it.

use std::io;

use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot::Receiver;

use crate::server::Server;

/// Signals that have no meaning for Waypost, but would end it. Scripts for other servers send them,
/// and so do limits, timers and dying terminals.
const HARMLESS: [libc::c_int; 9] = [
    libc::SIGUSR2,
    libc::SIGALRM,
    libc::SIGVTALRM,
    libc::SIGPROF,
    libc::SIGIO,
    libc::SIGPWR,
    libc::SIGSTKFLT,
    libc::SIGXCPU,
    libc::SIGXFSZ,
];

/// The signals, which are caught from before the start of the server.
pub(super) struct Signals {
    runtime: Runtime,
    hangup: Signal,
    user1: Signal,
    terminate: Signal,
    interrupt: Signal,
    quit: Signal,
}

impl Signals {
    /// Begins to catch the signals, until the process ends.
    pub(super) fn listen() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_io().build()?;
        let inside = runtime.enter();
        let hangup = signal(SignalKind::hangup())?;
        let user1 = signal(SignalKind::user_defined1())?;
        let terminate = signal(SignalKind::terminate())?;
        let interrupt = signal(SignalKind::interrupt())?;
        let quit = signal(SignalKind::quit())?;
        for number in HARMLESS.into_iter().chain(libc::SIGRTMIN()..=libc::SIGRTMAX()) {
            // A signal that was caught once stays caught, even without a listener.
            drop(signal(SignalKind::from_raw(number))?);
        }
        drop(inside);
        Ok(Self { runtime, hangup, user1, terminate, interrupt, quit })
    }

    /// Waits for the result of `starting`; `None` if a signal to end came first.
    pub(super) fn unless_ended<T>(
        &mut self,
        starting: &mut Receiver<T>,
        broke_off: impl FnOnce() -> T,
    ) -> Option<T> {
        let Self { runtime, terminate, interrupt, quit, .. } = self;
        runtime.block_on(async {
            tokio::select! {
                started = starting => Some(started.unwrap_or_else(|_| broke_off())),
                _ = terminate.recv() => None,
                _ = interrupt.recv() => None,
                _ = quit.recv() => None,
            }
        })
    }

    /// Reloads at each SIGHUP and logs all states at each SIGUSR1; returns at SIGTERM, SIGINT or
    /// SIGQUIT.
    pub(super) fn wait(self, server: &Server) {
        let Self { runtime, mut hangup, mut user1, mut terminate, mut interrupt, mut quit } = self;
        runtime.block_on(async {
            loop {
                tokio::select! {
                    // What comes of it is in the log.
                    _ = hangup.recv() => drop(server.reload()),
                    _ = user1.recv() => server.log_states(),
                    _ = terminate.recv() => break,
                    _ = interrupt.recv() => break,
                    _ = quit.recv() => break,
                }
            }
        });
    }
}
