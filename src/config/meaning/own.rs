//! The records that a service has at its own name besides addresses: HTTPS and TXT.

use std::collections::HashSet;

use super::Builder;
use super::claims::By;
use crate::config::decode::{OneOrMany, Spanned};
use crate::config::spec::service::{Https as HttpsSpec, HttpsUse, Service as ServiceSpec};
use crate::wire::kind::Type;
use crate::wire::name::Name;
use crate::zone::limits::ALPN_NAMES_MAX;
use crate::zone::{Https, Place, Pool};

/// The default protocol of endpoints, as an ALPN name (RFC 9113 §3.1).
const ALPN_DEFAULT: &str = "h2";
/// The port of an HTTPS record that states none (RFC 9460 §9).
const HTTPS_PORT: u16 = 443;

impl Builder<'_> {
    /// Reads `https` and `txt` of the service `owner`, and warns if no answer can hold them.
    pub(super) fn own_records(
        &mut self,
        spec: &ServiceSpec,
        owner: &Name,
        pools: &[Pool],
    ) -> (Option<Box<Https>>, Vec<Box<[u8]>>) {
        let https = spec.https.as_ref().and_then(|https| self.https(&https.value));
        let txt = spec.txt.as_ref().map_or(Vec::new(), |txt| self.txt(txt, owner));
        let is_target = |pool: &Pool| {
            pool.endpoints.first().is_some_and(|first| matches!(first.place, Place::Target(_)))
        };
        if !pools.is_empty() && pools.iter().all(is_target) {
            let written = [
                spec.https.as_ref().filter(|_| https.is_some()).map(|https| ("https", &https.span)),
                spec.txt.as_ref().map(|txt| ("txt", &txt.span)),
            ];
            for (key, span) in written.into_iter().flatten() {
                let message = format!("`{key}` is never answered: every pool has targets");
                self.decoder.warning(span, message).help =
                    Some("clients get the records of the targets instead".to_owned());
            }
        }
        (https, txt)
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
                    let found = names.len();
                    let message =
                        format!("{found} ALPN names; a service has {ALPN_NAMES_MAX} at the most");
                    self.decoder.error(&alpn.span, message);
                }
                names.iter().map(|name| name.value.0.clone()).collect()
            }
            None => vec![ALPN_DEFAULT.to_owned()],
        };
        Some(Box::new(Https { alpn: names, port: port.filter(|&port| port != HTTPS_PORT) }))
    }

    /// Reads texts like those of static TXT records. A text that is written twice becomes one
    /// record.
    fn txt(&mut self, texts: &Spanned<OneOrMany<String>>, owner: &Name) -> Vec<Box<[u8]>> {
        self.claims.add(owner, By::Record(Type::TXT), &texts.span);
        let mut known = HashSet::new();
        let read = texts.value.0.iter().filter_map(|text| self.rdata(Type::TXT, text));
        read.filter(|wire| known.insert(wire.clone())).map(Into::into).collect()
    }
}
