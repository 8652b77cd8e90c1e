//! The thread on which the checks run.
//!
//! `Server::start` makes it and hands its runtime to `server::control`, which spawns the checks on
//! it and waits for their end when it stops. So it is dropped after the control thread has ended.
//! Not here: what runs on it (`checker`).

use std::convert::Infallible;
use std::io;
use std::sync::mpsc;
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// The longest time for the thread to end once it is told to.
const STOP_MAX: Duration = Duration::from_secs(1);

/// A runtime with one thread, which ends when this is dropped. One thread does ten thousand probes
/// a second. A second thread would cost a third of a probe in wake-ups; a runtime that could have
/// more threads costs a twentieth even with one.
pub(super) struct CheckThread {
    handle: Handle,
    /// The sender whose drop tells the thread to end.
    stop: Option<oneshot::Sender<Infallible>>,
    /// The receiver that is disconnected once the thread has ended.
    ended: mpsc::Receiver<Infallible>,
}

impl CheckThread {
    pub(super) fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<Infallible>();
        let (alive, ended) = mpsc::channel();
        std::thread::Builder::new().name("checks".into()).spawn(move || {
            // Commands of checks inherit from this thread: they get none of the rights that this
            // process has to listen or to send echo requests. A kernel without such rights has none
            // to take away.
            let _ = rustix::thread::clear_ambient_capability_set();
            let _alive: mpsc::Sender<Infallible> = alive;
            // The only message is that the other end is gone.
            let _ = runtime.block_on(stopped);
            runtime.shutdown_timeout(STOP_MAX);
        })?;
        Ok(Self { handle, stop: Some(stop), ended })
    }

    /// Returns the handle for spawning tasks on the thread.
    pub(super) fn handle(&self) -> &Handle {
        &self.handle
    }
}

impl Drop for CheckThread {
    fn drop(&mut self) {
        drop(self.stop.take());
        // A task that never reaches an await is left behind.
        let _ = self.ended.recv_timeout(STOP_MAX);
    }
}
