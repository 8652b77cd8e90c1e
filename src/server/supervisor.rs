//! Notices to the service manager: systemd, or another that sets `NOTIFY_SOCKET`.

use sd_notify::NotifyState;
use tracing::warn;

/// Tells that the server answers, or that it has read its files again.
pub(super) fn ready() {
    tell(&[NotifyState::Ready]);
}

/// Tells that the server is reading its files again, until [`ready`].
pub(super) fn reloading() {
    // Newer versions of systemd ask for the time of the notice.
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => warn!("cannot read the clock for the service manager: {error}"),
    }
}

/// Tells that the server is stopping.
pub(super) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// Sends a notice; does nothing if there is no service manager.
fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        warn!("cannot notify the service manager at NOTIFY_SOCKET: {error}");
    }
}
