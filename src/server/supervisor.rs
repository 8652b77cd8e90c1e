//! Notices to the service manager: systemd, or whoever set `NOTIFY_SOCKET`.

use sd_notify::NotifyState;
use tracing::warn;

/// Says that the server answers, or that it has read its files again.
pub(super) fn ready() {
    tell(&[NotifyState::Ready]);
}

/// Says that the server reads its files again, until [`ready`].
pub(super) fn reloading() {
    // Newer versions of systemd want to know since when.
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => warn!("cannot read the clock for the service manager: {error}"),
    }
}

/// Says that the server comes to its end.
pub(super) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// Does nothing where there is no service manager.
fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        warn!("cannot tell the service manager at NOTIFY_SOCKET: {error}");
    }
}
