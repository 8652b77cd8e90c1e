//! What a service answers at its own name beside addresses: HTTPS.

use super::Builder;
use crate::config::decode::OneOrMany;
use crate::config::spec::service::{Https as HttpsSpec, HttpsUse, Service as ServiceSpec};
use crate::zone::limits::ALPN_NAMES_MAX;
use crate::zone::{Https, Place, Pool};

/// What the endpoints of a service speak that does not say it (RFC 9113 §3.1).
const ALPN_DEFAULT: &str = "h2";
/// Where clients connect that are told no port (RFC 9460 §9).
const HTTPS_PORT: u16 = 443;

impl Builder<'_> {
    /// Reads `https`, and warns where no answer can hold it.
    pub(super) fn own_records(&mut self, spec: &ServiceSpec, pools: &[Pool]) -> Option<Box<Https>> {
        let https = spec.https.as_ref()?;
        let read = self.https(&https.value);
        let is_target = |pool: &Pool| {
            pool.endpoints.first().is_some_and(|first| matches!(first.place, Place::Target(_)))
        };
        if read.is_some() && !pools.is_empty() && pools.iter().all(is_target) {
            let message = "`https` is never answered: every pool is of targets";
            self.decoder.warning(&https.span, message).help =
                Some("what stands at the targets is answered instead".to_owned());
        }
        read
    }

    fn https(&mut self, https: &HttpsUse) -> Option<Box<Https>> {
        let (alpn, port) = match https {
            HttpsUse::Plain(false) => return None,
            HttpsUse::Plain(true) => (None, None),
            HttpsUse::Table(table) => {
                let HttpsSpec { alpn, port, .. } = &**table;
                (alpn.as_ref(), port.as_ref().map(|port| port.value.as_u16()))
            }
        };
        let names = match alpn {
            Some(alpn) => {
                let OneOrMany(names) = &alpn.value;
                if names.len() > ALPN_NAMES_MAX {
                    let message =
                        format!("{} ALPN names; {ALPN_NAMES_MAX} at the most", names.len());
                    self.decoder.error(&alpn.span, message);
                }
                names.iter().map(|name| name.value.0.clone()).collect()
            }
            None => vec![ALPN_DEFAULT.to_owned()],
        };
        Some(Box::new(Https { alpn: names, port: port.filter(|&port| port != HTTPS_PORT) }))
    }
}
