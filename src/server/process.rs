//! The settings of the process of a server: enough descriptors, no dumps, and quiet panics.
//!
//! `Server::start` raises the limit and quiets the workers; `cli::serve` forbids dumps before the
//! key of the certificate is read. The names in [`quiet_worker_panics`] must be those that
//! `transport::running` gives its threads. The log must be started first, because all other threads
//! keep its panic hook.

use std::panic;
use std::sync::Once;

use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use tracing::warn;

/// The number of descriptors beside those of connections and probes, for sockets and files.
const DESCRIPTORS_BESIDE: u64 = 1024;

/// Raises the soft limit of open descriptors to the number that `connections` connections and
/// `probes` probes need, as far as the hard limit allows. Logs a warning if that is not enough.
pub(super) fn raise_descriptor_limit(connections: usize, probes: usize) {
    let needed = connections as u64 + probes as u64 + DESCRIPTORS_BESIDE;
    match rlimit::increase_nofile_limit(needed) {
        Ok(limit) if limit >= needed => {}
        Ok(limit) => warn!(
            limit,
            needed,
            "this process may open only {limit} files, but may need {needed}: raise `ulimit -n`, \
             or LimitNOFILE= in systemd"
        ),
        Err(error) => warn!("cannot read the limit of open files: {error}"),
    }
}

/// Keeps secrets, such as the key of the certificate, out of core dumps and away from other
/// processes of the same user. A debug build stays open to debuggers.
pub fn forbid_dumps() {
    if cfg!(debug_assertions) {
        return;
    }
    if let Err(error) = set_dumpable_behavior(DumpableBehavior::NotDumpable) {
        warn!("cannot forbid core dumps: {error}");
    }
}

/// Silences the default panic hook on worker threads. A worker survives a panic and logs it, at
/// most once a second; the default hook would print each one.
pub(super) fn quiet_worker_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let default = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            let thread = std::thread::current();
            let is_worker = |name: &str| {
                name.starts_with("udp-") || matches!(name, "streams" | "tls" | "encrypted")
            };
            if !thread.name().is_some_and(is_worker) {
                default(panic);
            }
        }));
    });
}
