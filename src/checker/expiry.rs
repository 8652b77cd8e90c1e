//! Certificates that end soon: a check may fail for it, and the operator is told once a day.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::Reason;
use crate::health::Probed;
use crate::x509::{DAY, Validity};
use crate::zone::Expiry;

/// The certificates that the operator was told of, each with the day since 1970.
#[derive(Debug, Default)]
pub(super) struct DailyNotices(Mutex<HashMap<Probed, i64>>);

/// Returns the reason if the certificate ends too soon, at `now` in seconds since 1970.
pub(super) fn fails(expiry: Expiry, validity: Validity, now: i64) -> Option<Reason> {
    // The handshake verifies whether it has ended already, if the check wants that.
    let is_asked = !expiry.fail.is_zero();
    let is_near = is_asked && validity.is_near(now, Some(expiry.fail));
    is_near.then(|| Reason::ExpiresIn(validity.left(now)))
}

impl DailyNotices {
    /// Returns in words how long the certificate of `probed` is still valid, if its end is near and
    /// the operator was not told today.
    pub(super) fn news(
        &self,
        probed: &Probed,
        expiry: Expiry,
        validity: Validity,
        now: i64,
    ) -> Option<String> {
        let is_near = expiry.warn != Some(Duration::ZERO) && validity.is_near(now, expiry.warn);
        let (mut told, today) = (self.0.lock().unwrap_or_else(PoisonError::into_inner), now / DAY);
        if !is_near {
            told.remove(probed);
            return None;
        }
        if told.get(probed) == Some(&today) {
            return None;
        }
        // An entry older than yesterday is of a certificate that is probed no more: it goes.
        told.retain(|_, day| today - *day <= 1);
        told.insert(probed.clone(), today);
        Some(validity.left(now))
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::sync::Arc;

    use super::*;
    use crate::zone::{Check, CheckKind};

    const VALIDITY: Validity = Validity { from: 0, until: 90 * DAY };

    fn days(days: u64) -> Duration {
        Duration::from_secs(days * DAY as u64)
    }

    #[test]
    fn a_check_fails_from_the_day_that_it_names_on() {
        let fails = |fail, day| {
            let expiry = Expiry { warn: None, fail: days(fail) };
            fails(expiry, VALIDITY, day * DAY + 1).map(|reason| reason.to_string())
        };
        assert_eq!(fails(3, 86), None);
        let text = "TLS: certificate expires in 2 days and 23 hours";
        assert_eq!(fails(3, 87).as_deref(), Some(text));
        assert_eq!(fails(0, 91), None, "nobody asked");
    }

    #[test]
    fn the_operator_is_told_once_a_day_as_long_as_it_is_near() {
        let told = DailyNotices::default();
        let check = Arc::new(Check::new(CheckKind::Redis));
        let probed = Probed { address: SocketAddr::from(([192, 0, 2, 1], 443)), check };
        let news = |warn, day: i64, hour: i64| {
            let expiry = Expiry { warn, fail: Duration::ZERO };
            told.news(&probed, expiry, VALIDITY, day * DAY + hour * 3600).is_some()
        };
        assert!(!news(None, 70, 0));
        assert!(news(None, 77, 0) && !news(None, 77, 23) && news(None, 78, 0));
        assert!(!news(Some(Duration::ZERO), 89, 0), "never means never");
        assert!(news(Some(days(30)), 61, 0));
    }
}
