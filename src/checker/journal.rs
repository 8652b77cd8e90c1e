//! The log lines of the checker: one for each endpoint that turns, one (at debug) for each probe.

use std::fmt;
use std::time::Duration;

use super::{Reason, Report};
use crate::health::{Probed, State, Turn};

/// Writes one line for each endpoint that `turn` concerns.
pub(super) fn turned(report: &Report, turn: &Turn) {
    let Turn { from, to, held, .. } = *turn;
    let (address, check) = (report.probed.address, report.probed.check.kind.word());
    let (reason, held) = (&report.reason, Rounded(held));
    for endpoint in &turn.endpoints {
        macro_rules! line {
            ($level:ident) => {
                tracing::$level!(
                    target: "waypost::health",
                    endpoint = endpoint.as_str(), %address, check, %from, %to, %reason, %held,
                    "{endpoint} is {to}: {reason} (was {from} for {held})"
                )
            };
        }
        if to == State::Down { line!(warn) } else { line!(info) }
    }
}

/// Writes down that a probe could not be carried out, and how many before it were not said.
pub(super) fn unable(probed: &Probed, reason: &Reason, unsaid: u64) {
    let address = probed.address;
    tracing::warn!(
        target: "waypost::checker",
        %address, %reason, unsaid,
        "cannot probe, the state stays as it is: {reason}"
    );
}

/// Writes down what one probe found.
pub(super) fn probed(report: &Report) {
    tracing::debug!(
        target: "waypost::checker",
        address = %report.probed.address,
        check = report.probed.check.kind.word(),
        verdict = ?report.verdict,
        reason = %report.reason,
        took = %Rounded(report.took),
        "probed"
    );
}

/// A duration in its two largest units: `3h12m`, `850ms`.
struct Rounded(Duration);

impl fmt::Display for Rounded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let (days, hours) = (seconds / 86_400, seconds / 3600 % 24);
        let (minutes, rest) = (seconds / 60 % 60, seconds % 60);
        match (days, hours, minutes, rest) {
            (0, 0, 0, 0) => write!(f, "{}ms", self.0.as_millis()),
            (0, 0, 0, _) => write!(f, "{rest}s"),
            (0, 0, ..) => write!(f, "{minutes}m{rest}s"),
            (0, ..) => write!(f, "{hours}h{minutes}m"),
            _ => write!(f, "{days}d{hours}h"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_rounded_for_people() {
        let text = |millis| Rounded(Duration::from_millis(millis)).to_string();
        assert_eq!(text(850), "850ms");
        assert_eq!(text(12_345), "12s");
        assert_eq!(text(61_000), "1m1s");
        assert_eq!(text(11_520_000), "3h12m");
        assert_eq!(text(180_000_000), "2d2h");
    }
}
