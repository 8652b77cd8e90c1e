//! The thread that the checks run on.

use std::convert::Infallible;
use std::io;
use std::sync::mpsc;
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// How long the thread may take to end once it was told to.
const STOP_MAX: Duration = Duration::from_secs(1);

/// A runtime and its one thread: a second one costs a third of a probe in wake-ups, one that could
/// have more a twentieth, and one does ten thousand probes a second. Dropping it ends it.
pub(super) struct CheckThread {
    handle: Handle,
    /// Dropped to tell the thread to end.
    stop: Option<oneshot::Sender<Infallible>>,
    /// Disconnected once it has.
    ended: mpsc::Receiver<Infallible>,
}

impl CheckThread {
    pub(super) fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<Infallible>();
        let (alive, ended) = mpsc::channel();
        std::thread::Builder::new().name("checks".into()).spawn(move || {
            // What commands of checks inherit: none of the rights that this process was given to
            // listen or to ask for echoes. A kernel without such rights has none to take away.
            let _ = rustix::thread::clear_ambient_capability_set();
            let _alive: mpsc::Sender<Infallible> = alive;
            // It never tells anything but that the other end is gone.
            let _ = runtime.block_on(stopped);
            runtime.shutdown_timeout(STOP_MAX);
        })?;
        Ok(Self { handle, stop: Some(stop), ended })
    }

    /// What tasks are spawned by that are to run on it.
    pub(super) fn handle(&self) -> &Handle {
        &self.handle
    }
}

impl Drop for CheckThread {
    fn drop(&mut self) {
        drop(self.stop.take());
        // A task that does not come to an await is left behind.
        let _ = self.ended.recv_timeout(STOP_MAX);
    }
}
