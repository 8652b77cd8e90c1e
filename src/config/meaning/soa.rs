//! The SOA record, made from `soa` and `nameservers` (RFC 1035 §3.3.13, RFC 2308 §4).

use super::{Builder, TTL_MAX, absolute};
use crate::config::decode::{Period, Spanned};
use crate::config::spec::zone::{
    CONTACT_DEFAULT, EXPIRE_DEFAULT, MINIMUM_DEFAULT, NEGATIVE_TTL_DEFAULT, REFRESH_DEFAULT,
    RETRY_DEFAULT, Soa,
};
use crate::wire::kind::Type;
use crate::wire::name::Name;
use crate::zone::Ttl;

impl Builder<'_> {
    /// Adds the SOA record, unless the records hold one.
    pub(super) fn soa(&mut self, soa: Option<&Spanned<Soa>>) {
        if self.has_apex(Type::SOA) {
            if let Some(soa) = soa {
                let message = "the records have a SOA record already";
                self.decoder.error(&soa.span, message).help =
                    Some("keep that, or `soa`".to_owned());
            }
            return;
        }
        let soa = soa.map(|soa| &soa.value);
        let default = Spanned::new(CONTACT_DEFAULT.to_owned(), 0..0);
        let contact = self.contact(soa.map_or(&default, |soa| &soa.contact));
        let mname = match soa.and_then(|soa| soa.mname.as_ref()) {
            Some(mname) => self.any_name(mname, &self.origin.clone()),
            None => self.first_nameserver(),
        };
        let mut seconds = |field: fn(&Soa) -> &Spanned<Period>, default: Period| match soa {
            Some(soa) => self.whole_seconds(field(soa), TTL_MAX).as_secs(),
            None => default.0.as_secs() as u32,
        };
        let ttl = seconds(|soa| &soa.negative_ttl, NEGATIVE_TTL_DEFAULT);
        let timers = [
            seconds(|soa| &soa.refresh, REFRESH_DEFAULT),
            seconds(|soa| &soa.retry, RETRY_DEFAULT),
            seconds(|soa| &soa.expire, EXPIRE_DEFAULT),
            seconds(|soa| &soa.minimum, MINIMUM_DEFAULT),
        ];
        let serial = soa.and_then(|soa| soa.serial.as_ref()).map(|serial| serial.value.as_u32());
        // If a name is missing, there is an error already, or one will follow (no NS).
        let origin = self.origin.clone();
        let mut wire = mname.as_ref().unwrap_or(&origin).as_wire().to_vec();
        wire.extend_from_slice(contact.as_ref().unwrap_or(&origin).as_wire());
        for field in [serial.unwrap_or_else(|| self.files.newest())].into_iter().chain(timers) {
            wire.extend_from_slice(&field.to_be_bytes());
        }
        let ttl = Ttl::from_secs(ttl).unwrap_or(Ttl::MAX);
        self.push(&origin, Type::SOA, ttl, &wire, &(0..0));
    }

    /// Reads the mailbox as a name: `ops@example.net` is `ops.example.net.` (RFC 1035 §8).
    fn contact(&mut self, text: &Spanned<String>) -> Option<Name> {
        let Some((local, domain)) = text.value.split_once('@').filter(|_| text.value != "@") else {
            return self.any_name(text, &self.origin.clone());
        };
        let domain = Spanned::new(domain.to_owned(), text.span.clone());
        let domain = absolute(&domain, &mut self.decoder)?;
        let name = domain.prepend(local.as_bytes());
        name.map_err(|error| self.decoder.error(&text.span, error.to_string())).ok()
    }

    fn first_nameserver(&mut self) -> Option<Name> {
        Name::from_wire(self.records.first(&self.origin, Type::NS)?)
    }
}
