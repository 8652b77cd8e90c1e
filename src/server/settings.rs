//! The server's own settings that are in force, read again at a reload.
//!
//! The start makes [`LiveSettings`]. `control` refreshes them at a reload that the operator asks
//! for, not at one for a changed zone, and publishes the policy. A table that has not changed keeps
//! its value: a new secret would void every cookie, and new rates would forget what each source was
//! sent. A key is taken over here or named by [`ServerConfig::needs_restart`], never both.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tracing::{error, info, warn};

use super::control::log_diagnostics;
use super::policy;
use crate::answer::Policy;
use crate::config::{Diagnostic, ServerConfig};

/// Reads the server's own settings once more, with what the command line puts in their place.
///
/// # Errors
/// All that is wrong with the file.
pub type ReadSettings = Box<dyn FnMut() -> Result<ServerConfig, Vec<Diagnostic>> + Send>;

/// The settings that are in force, and the policy that is made of them.
pub(super) struct LiveSettings {
    config: ServerConfig,
    read: Option<ReadSettings>,
    policy: Arc<Policy>,
}

impl LiveSettings {
    /// Makes the policy of a server that listens on `own`. Without `read` it never changes.
    ///
    /// # Errors
    /// If the system has no random numbers to give.
    pub(super) fn new(
        config: ServerConfig,
        read: Option<ReadSettings>,
        own: Vec<SocketAddr>,
    ) -> io::Result<Self> {
        let policy = Arc::new(policy::policy(&config, own)?);
        Ok(Self { config, read, policy })
    }

    /// Returns the policy in force.
    pub(super) fn policy(&self) -> &Arc<Policy> {
        &self.policy
    }

    /// Reads the settings again, and takes over those that need no restart. Returns the tables and
    /// keys of the file that changed and hold from now on. The log is told of them, of those that
    /// hold after a restart, and of a file that is refused, which changes nothing.
    pub(super) fn refresh(&mut self) -> Vec<&'static str> {
        let Some(read) = &mut self.read else { return Vec::new() };
        let next = match read() {
            Ok(next) => next,
            Err(diagnostics) => {
                error!("settings refused: the previous settings stay in force");
                log_diagnostics(&diagnostics);
                return Vec::new();
            }
        };
        let later = self.config.needs_restart(&next);
        if !later.is_empty() {
            let keys = later.join(", ");
            warn!(keys, "restart waypost to apply these changed settings: {keys}");
        }
        match self.take_over(next) {
            Ok(changed) => {
                if !changed.is_empty() {
                    let keys = changed.join(", ");
                    info!(keys, "settings read again; these have changed and are in force: {keys}");
                }
                changed
            }
            Err(error) => {
                error!("settings refused: {error}; the previous settings stay in force");
                Vec::new()
            }
        }
    }

    /// Makes the policy of `next` where it differs. What has not changed stays the same value: the
    /// secret that was drawn for cookies, and what each source was sent lately.
    fn take_over(&mut self, next: ServerConfig) -> io::Result<Vec<&'static str>> {
        let (mut following, mut changed) = (Policy::clone(&self.policy), Vec::new());
        if next.identity != self.config.identity {
            following.name = policy::text(next.identity.name.as_deref());
            following.version = policy::text(next.identity.version.as_deref());
            changed.push("[identity]");
        }
        let most = next.max_nocookie_response;
        if (&next.cookies, most) != (&self.config.cookies, self.config.max_nocookie_response) {
            if next.cookies != self.config.cookies {
                following.cookies = policy::cookies(&next)?;
            }
            following.max_nocookie_response = most;
            changed.push("[cookies]");
        }
        if next.rate_limit != self.config.rate_limit {
            following.rates = policy::rates(&next.rate_limit)?;
            changed.push("[rate_limit]");
        }
        if !changed.is_empty() {
            self.policy = Arc::new(following);
            let ServerConfig { identity, cookies, max_nocookie_response, rate_limit, .. } = next;
            self.config.identity = identity;
            self.config.cookies = cookies;
            self.config.max_nocookie_response = max_nocookie_response;
            self.config.rate_limit = rate_limit;
        }
        Ok(changed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{CookieSecrets, Identity};

    fn settings(again: ServerConfig) -> LiveSettings {
        let read: ReadSettings = Box::new(move || Ok(again.clone()));
        LiveSettings::new(ServerConfig::default(), Some(read), Vec::new()).unwrap()
    }

    #[test]
    fn what_has_not_changed_stays_the_same_value() {
        let mut same = settings(ServerConfig::default());
        let before = Arc::clone(same.policy());
        assert!(same.refresh().is_empty());
        assert!(Arc::ptr_eq(same.policy(), &before));

        let name = Some("ns2".to_owned());
        let identity = Identity { name, ..Identity::default() };
        let mut other = settings(ServerConfig { identity, ..ServerConfig::default() });
        let before = other.policy().rates.clone().unwrap();
        assert_eq!(other.refresh(), ["[identity]"]);
        assert_eq!(other.policy().name.as_ref().unwrap().as_bytes(), b"ns2");
        assert!(Arc::ptr_eq(other.policy().rates.as_ref().unwrap(), &before));
        assert!(other.refresh().is_empty(), "it is in force already");
    }

    #[test]
    fn a_new_secret_and_no_rate_limit_hold_at_once() {
        let mut next = ServerConfig {
            cookies: Some(CookieSecrets(vec![[7; 16]])),
            workers: 3,
            ..ServerConfig::default()
        };
        (next.rate_limit.per_source, next.rate_limit.per_network) = (0, 0);
        assert_eq!(ServerConfig::default().needs_restart(&next), ["[listen]"]);
        let mut settings = settings(next);
        assert_eq!(settings.refresh(), ["[cookies]", "[rate_limit]"]);
        assert!(settings.policy().rates.is_none());
    }

    #[test]
    fn a_file_that_is_refused_changes_nothing() {
        let read: ReadSettings = Box::new(|| Err(vec![Diagnostic::unplaced("no".to_owned())]));
        let mut settings =
            LiveSettings::new(ServerConfig::default(), Some(read), Vec::new()).unwrap();
        let before = Arc::clone(settings.policy());
        assert!(settings.refresh().is_empty());
        assert!(Arc::ptr_eq(settings.policy(), &before));
    }
}
