//! From the server's settings to the policy that every responder follows.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use crate::answer::{Cookies, Policy, RateLimit, Rates, Secret, Text};
use crate::config::{self, ServerConfig};
use crate::snapshot::Access;

/// The policy that `config` asks for.
pub(super) fn policy(config: &ServerConfig) -> Policy {
    let text = |text: &Option<String>| text.as_deref().and_then(Text::new);
    let idle = config.limits.tcp_idle.as_millis() / 100;
    Policy {
        name: text(&config.identity.name),
        version: text(&config.identity.version),
        cookies: config.cookies.as_ref().map(|secrets| match secrets.0.as_slice() {
            [] => Cookies::new(&[random()]),
            secrets => Cookies::new(secrets),
        }),
        rates: rates(&config.rate_limit).map(Arc::new),
        stream_idle: u16::try_from(idle).unwrap_or(u16::MAX),
    }
}

fn rates(config: &config::RateLimit) -> Option<Rates> {
    let config::RateLimit { per_source, per_network, slip, ref exempt } = *config;
    if per_source == 0 && per_network == 0 {
        return None;
    }
    let exempt = Access::only(exempt);
    Some(Rates::new(RateLimit { per_source, per_network, slip, exempt }, random()))
}

/// A number that nobody can guess: the standard library seeds its hashers from the system.
fn random() -> Secret {
    let half = |_| RandomState::new().hash_one(0).to_le_bytes();
    let mut secret = [0; 16];
    for (place, octets) in secret.chunks_exact_mut(8).zip((0..2).map(half)) {
        place.copy_from_slice(&octets);
    }
    secret
}
