//! The log lines of the checker: one for each endpoint that turns, one (at debug) for each probe.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::{Reason, Report};
use crate::clock::{Moment, and_more};
use crate::health::{
    Concerned, EndpointName, Finding, Guarded, IdleWord, Probed, Readiness, Spoken, State, Turn,
    Turned,
};
use crate::zone::{Flap, Override};

/// Writes one line for each endpoint that `turn`, caused by `report`, concerns.
pub(super) fn turned(report: &Report, turn: &Turn) {
    match (turn.turned.is_held, turn.probed.check.flap) {
        (true, Some(Flap { turns, window, hold })) => {
            let (window, hold) = (Rounded(window), Rounded(hold));
            let held = format_args!(
                "{}; its state changed more than {turns} times in {window}: held down for {hold}",
                report.reason
            );
            say(turn, &held.to_string());
        }
        _ => match &report.spoken {
            Some((spoken, why)) if turn.turned.is_spoken => {
                say(turn, &own_reason(*spoken, why.as_deref()));
            }
            _ => say(turn, &report.reason.to_string()),
        },
    }
}

/// Returns the reason of a turn that an endpoint's own words caused.
fn own_reason(spoken: Spoken, why: Option<&str>) -> String {
    let words = match spoken.readiness {
        Readiness::Ready => "it says that it serves again",
        Readiness::Drain => "it asks to be drained",
        Readiness::Maintenance => "it asks for maintenance",
        Readiness::Down => "it says that it is down",
    };
    let because = why.map(|why| format!(" ({why})")).unwrap_or_default();
    format!("{words}{because}")
}

/// Writes one line for each endpoint whose state the guard puts back by `turn`.
pub(super) fn put_back(turn: &Turn, guarded: Option<&Guarded>) {
    let reason = match guarded {
        Some(Guarded::Frozen { failing, targets, .. }) => {
            format!("{failing} of {targets} probed addresses began to fail at once")
        }
        _ => "most probed addresses began to fail at once".to_owned(),
    };
    let (address, check) = (Place(turn.probed.address), turn.probed.check.kind.word());
    for Concerned { endpoint, from, to } in &turn.endpoints {
        tracing::warn!(
            target: "waypost::health",
            %endpoint, %address, check, %from, %to, reason, is_held = true,
            "{endpoint} is set back to {to} although its {check} check of {address} fails: \
             {reason}, so this machine is likely at fault"
        );
    }
}

fn say(turn: &Turn, reason: &str) {
    let Turned { from, to, lasted, .. } = turn.turned;
    let (address, check) = (Place(turn.probed.address), turn.probed.check.kind.word());
    let held = match from {
        // Nothing was known before.
        State::Unknown => String::new(),
        _ => format!(" (was {from} for {})", Rounded(lasted)),
    };
    let held_ms = millis(lasted);
    for Concerned { endpoint, from: was, to: is } in &turn.endpoints {
        // If several checks guard the endpoint, one may turn without it.
        let text = match was == is && from != to {
            false => format!("{endpoint} is {is}: {reason}{held}"),
            true => {
                format!("{endpoint} stays {is}: its {check} check of {address} is {to}: {reason}")
            }
        };
        macro_rules! line {
            ($level:ident) => {
                tracing::$level!(
                    target: "waypost::health",
                    %endpoint, %address, check, from = %was, to = %is, reason, held_ms, "{text}"
                )
            };
        }
        if to == State::Down { line!(warn) } else { line!(info) }
    }
}

/// Writes one line for each endpoint's address and check, as of `now`.
pub(super) fn states(findings: &[Finding], now: Moment) {
    tracing::info!(
        target: "waypost::health",
        states = findings.len(),
        "listing {} states, one per line; endpoints without a check are up",
        findings.len()
    );
    for Finding { endpoint, wanted, probed, state, since, reason } in findings {
        let (address, check) = (Place(probed.address), probed.check.kind.word());
        let held = Rounded(now.since(*since));
        let reason = reason.as_deref().unwrap_or(match state {
            State::Unknown => "no verdict yet",
            State::Up | State::Down => "taken over from before a restart or a change of the check",
        });
        let wanted = match wanted {
            Override::Auto => "",
            Override::Up => "; its `state` is \"up\" in the zone file, whatever its checks say",
            Override::Down => "; its `state` is \"down\" in the zone file, whatever its checks say",
            Override::Drain => {
                "; its `state` is \"drain\" in the zone file, whatever its checks say"
            }
        };
        tracing::info!(
            target: "waypost::health",
            %endpoint, %address, check, %state, %held, reason,
            "{endpoint} has been {state} for {held} by its {check} check of {address}: \
             {reason}{wanted}"
        );
    }
}

/// Writes one line for each endpoint that says something new of itself.
pub(super) fn spoken(spoken: Spoken, why: Option<&str>, endpoints: &[Arc<EndpointName>]) {
    let Spoken { readiness, percent } = spoken;
    let words = match readiness {
        Readiness::Ready => "it serves",
        Readiness::Drain => "it drains: it serves only where no other endpoint can",
        Readiness::Maintenance => "it is under maintenance",
        Readiness::Down => "it is down",
    };
    let because = why.map(|why| format!(": {why}")).unwrap_or_default();
    for endpoint in endpoints {
        tracing::info!(
            target: "waypost::health",
            %endpoint, percent, why,
            "{endpoint} says that {words}, with {percent} % of its weight{because}"
        );
    }
}

/// Writes one line for each endpoint that says a word without effect.
pub(super) fn idle_word(idle: &IdleWord, endpoints: &[Arc<EndpointName>]) {
    let word = &idle.text;
    let because = match idle.is_known {
        true => "an agent's word that Waypost ignores",
        false => "which is not one of the words of agents: Waypost ignores it",
    };
    for endpoint in endpoints {
        tracing::warn!(
            target: "waypost::health",
            %endpoint, word,
            "{endpoint} says \"{word}\", {because}"
        );
    }
}

/// Writes one line for each endpoint whose certificate ends soon.
pub(super) fn expires(probed: &Probed, left: &str, endpoints: &[Arc<EndpointName>]) {
    let address = Place(probed.address);
    for endpoint in endpoints {
        tracing::warn!(
            target: "waypost::health",
            %endpoint, %address, left,
            "the certificate of {endpoint} at {address} expires in {left}: renew it"
        );
    }
}

/// Writes a line on the beginning or the end of the guard's hold.
pub(super) fn guarded(guarded: &Guarded) {
    match *guarded {
        Guarded::Frozen { failing, targets, within, at_most } => {
            let (within_ms, at_most_ms) = (millis(within), millis(at_most));
            let (within, at_most) = (Rounded(within), Rounded(at_most));
            tracing::error!(
                target: "waypost::health",
                failing, targets, within_ms, at_most_ms,
                "states are frozen: {failing} of {targets} probed addresses began to fail within \
                 {within}, so this machine or its network is likely at fault; failures change no \
                 state for {at_most} at the most"
            );
        }
        Guarded::Recovered { held } => {
            let (held_ms, held) = (millis(held), Rounded(held));
            tracing::warn!(
                target: "waypost::health", held_ms,
                "states follow the probes again: enough of them pass (frozen for {held})"
            );
        }
        Guarded::Believed { held, failing, targets } => {
            let (held_ms, held) = (millis(held), Rounded(held));
            tracing::error!(
                target: "waypost::health",
                failing, targets, held_ms,
                "states follow the probes again: {failing} of {targets} probed addresses have \
                 failed for {held}, and Waypost believes these failures now"
            );
        }
    }
}

/// Writes a line on a probe that could not be carried out, with the number left unsaid before it.
pub(super) fn unable(probed: &Probed, reason: &Reason, unsaid: u64) {
    let (address, more) = (Place(probed.address), and_more(unsaid));
    tracing::warn!(
        target: "waypost::checker",
        %address, %reason, unsaid,
        "cannot probe {address}, the state stays as it is: {reason}{more}"
    );
}

/// Writes a line that says that the checks begin anew after a panic.
pub(super) fn begun_anew() {
    tracing::error!(
        target: "waypost::checker",
        "the checks failed inside waypost, please report this; every endpoint is probed anew"
    );
}

/// Writes a line with the findings of one probe.
pub(super) fn probed(report: &Report) {
    tracing::debug!(
        target: "waypost::checker",
        address = %Place(report.probed.address),
        check = report.probed.check.kind.word(),
        verdict = ?report.verdict,
        reason = %report.reason,
        took_ms = millis(report.took),
        "probed"
    );
}

/// The address of a probe, displayed without a port if it has none.
struct Place(SocketAddr);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.port() {
            0 => self.0.ip().fmt(f),
            _ => self.0.fmt(f),
        }
    }
}

/// Returns a duration in milliseconds, as JSON has it.
fn millis(duration: Duration) -> u64 {
    duration.as_millis() as u64
}

/// A duration in its two largest units, or in seconds or milliseconds if short: `3h12m`, `850ms`.
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
