//! From the server's settings to the policy that every responder follows.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

use crate::answer::{Cookies, Policy, RateLimit, Rates, Secret, Text};
use crate::config::{self, ServerConfig};
use crate::snapshot::Access;

/// Returns the policy that `config` asks for, of a server that listens on `own`.
///
/// # Errors
/// If the system has no random numbers to give; so for the other functions.
pub(super) fn policy(config: &ServerConfig, own: Vec<SocketAddr>) -> io::Result<Policy> {
    let idle = config.limits.tcp_idle.as_millis() / 100;
    Ok(Policy {
        name: text(config.identity.name.as_deref()),
        version: text(config.identity.version.as_deref()),
        cookies: cookies(config)?,
        rates: rates(&config.rate_limit)?,
        max_nocookie_response: config.max_nocookie_response,
        own,
        stream_idle: u16::try_from(idle).unwrap_or(u16::MAX),
    })
}

/// Returns a text that the server says of itself.
pub(super) fn text(text: Option<&str>) -> Option<Text> {
    text.and_then(Text::new)
}

/// Returns the cookies that `config` asks for, with a secret drawn for them if it names none.
pub(super) fn cookies(config: &ServerConfig) -> io::Result<Option<Cookies>> {
    let Some(secrets) = &config.cookies else { return Ok(None) };
    Ok(Some(match secrets.0.as_slice() {
        [] => Cookies::new(std::slice::from_ref(&*random()?)),
        secrets => Cookies::new(secrets),
    }))
}

/// Returns the rate limits that `config` asks for, if any, with a key drawn for their buckets.
pub(super) fn rates(config: &config::RateLimit) -> io::Result<Option<Arc<Rates>>> {
    let config::RateLimit { per_source, per_network, slip, ref exempt } = *config;
    if per_source == 0 && per_network == 0 {
        return Ok(None);
    }
    let exempt = Access::only(exempt);
    let limit = RateLimit { per_source, per_network, slip, exempt };
    Ok(Some(Arc::new(Rates::new(limit, *random()?))))
}

/// Returns a number that nobody can guess.
fn random() -> io::Result<Zeroizing<Secret>> {
    let mut secret = Zeroizing::new(Secret::default());
    let filled = SystemRandom::new().fill(&mut *secret);
    filled.map_err(|_| io::Error::other("the system has no random numbers to give"))?;
    Ok(secret)
}
