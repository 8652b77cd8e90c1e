//! The policy that every responder follows, made from the server's settings.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

use crate::answer::{Cookies, Policy, RateLimit, Rates, Secret, Text};
use crate::config::{self, ServerConfig};
use crate::snapshot::Access;

/// Makes the policy that `config` asks for, for a server that listens on `own`.
///
/// # Errors
/// If the system has no random numbers to give.
pub(super) fn policy(config: &ServerConfig, own: Vec<SocketAddr>) -> io::Result<Policy> {
    let text = |text: &Option<String>| text.as_deref().and_then(Text::new);
    let idle = config.limits.tcp_idle.as_millis() / 100;
    let random = random()?;
    Ok(Policy {
        name: text(&config.identity.name),
        version: text(&config.identity.version),
        cookies: config.cookies.as_ref().map(|secrets| match secrets.0.as_slice() {
            [] => Cookies::new(std::slice::from_ref(&*random)),
            secrets => Cookies::new(secrets),
        }),
        rates: rates(&config.rate_limit)?.map(Arc::new),
        max_nocookie_response: config.max_nocookie_response,
        own,
        stream_idle: u16::try_from(idle).unwrap_or(u16::MAX),
    })
}

fn rates(config: &config::RateLimit) -> io::Result<Option<Rates>> {
    let config::RateLimit { per_source, per_network, slip, ref exempt } = *config;
    if per_source == 0 && per_network == 0 {
        return Ok(None);
    }
    let exempt = Access::only(exempt);
    Ok(Some(Rates::new(RateLimit { per_source, per_network, slip, exempt }, *random()?)))
}

/// Returns a number that nobody can guess.
fn random() -> io::Result<Zeroizing<Secret>> {
    let mut secret = Zeroizing::new(Secret::default());
    let filled = SystemRandom::new().fill(&mut *secret);
    filled.map_err(|_| io::Error::other("the system has no random numbers to give"))?;
    Ok(secret)
}
