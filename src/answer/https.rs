//! HTTPS answers of services: all that a web client needs to connect, in one record (RFC 9460).

use super::resolve::{Here, Resolve, Step};
use super::steered::draw_family;
use crate::snapshot::{Endpoint, Service};
use crate::steering::{Family, Picks, Select, Stream};
use crate::wire::kind::Type;
use crate::wire::rdata::svc_key;
use crate::wire::writer::Full;

/// The addresses of one family in a record.
struct Hint<'p> {
    key: u16,
    family: Type,
    picks: &'p Picks,
}

impl<'r> Resolve<'r, '_> {
    /// Answers HTTPS with one record in ServiceMode about the name itself: `head`, and as hints the
    /// addresses that A and AAAA would have.
    ///
    /// The pool is chosen without regard to families, so that both hints come from one pool if it
    /// has both families. The draws are separate from those of A and AAAA, and so leave their
    /// shares alone.
    pub(super) fn give_https(
        &mut self,
        here: Here<'r>,
        service: &'r Service,
        head: &'r [u8],
    ) -> Step {
        let any = self.select(&here, service, Family::Any);
        let Some(draws) = self.draws.get_mut(here.zone_at) else { return Step::Done };
        let Some(choice) = any.choose(draws, Stream::Https) else {
            self.deny_service(here, service, Family::Any);
            return Step::Done;
        };
        if any.is_target(choice) {
            any.draw(choice, draws, Stream::Https, self.picks);
            return self.give_target(here, service);
        }
        let mut hint = |family, stream, picks: &mut Picks| {
            let own = Select { family, addresses_only: true, ..any };
            let drawn = draw_family(&own, choice, draws, (stream, stream), picks);
            // No hint is better than a hint to addresses that are down, if the pool has others that
            // are up.
            if drawn.is_none_or(|drawn| drawn.is_open() && !choice.is_open()) {
                picks.clear();
            }
        };
        hint(Family::V4, Stream::Ipv4Hint, self.picks);
        hint(Family::V6, Stream::Ipv6Hint, self.picks_v6);
        self.note_named(self.picks);
        self.note_named(self.picks_v6);
        let mark = self.writer.mark();
        match self.write_https(here, service, head) {
            Ok(()) => self.head.answers += 1,
            Err(Full) => {
                self.writer.undo(mark);
                self.head.truncated = true;
            }
        }
        Step::Done
    }

    fn write_https(&mut self, here: Here<'r>, service: &Service, head: &[u8]) -> Result<(), Full> {
        let hints = [
            Hint { key: svc_key::IPV4HINT, family: Type::A, picks: &*self.picks },
            Hint { key: svc_key::IPV6HINT, family: Type::AAAA, picks: &*self.picks_v6 },
        ];
        self.writer.put_u16(here.owner)?;
        let named = hints.iter().flat_map(|hint| hint.picks.as_slice());
        let ttl = here.zone.ttl_of(service, named.copied());
        let start = self.writer.begin_rdata(Type::HTTPS, ttl)?;
        self.writer.put(head)?;
        for Hint { key, family, picks } in &hints {
            let endpoints = here.zone.endpoints(service);
            let picked = picks.as_slice().iter();
            let picked = picked.filter_map(|&pick| endpoints.get(usize::from(pick)));
            let addresses = picked.filter_map(|endpoint| address_of(endpoint, *family));
            let len: usize = addresses.clone().map(<[u8]>::len).sum();
            // A family without addresses has no parameter: an empty one would be malformed.
            if len > 0 {
                self.writer.put_u16(*key)?;
                self.writer.put_u16(len as u16)?;
                addresses.clone().try_for_each(|address| self.writer.put(address))?;
            }
        }
        self.writer.end_rdata(start);
        Ok(())
    }
}

fn address_of(endpoint: &Endpoint, rtype: Type) -> Option<&[u8]> {
    match rtype {
        Type::A => endpoint.v4.as_ref().map(<[u8; 4]>::as_slice),
        Type::AAAA => endpoint.v6.as_ref().map(<[u8; 16]>::as_slice),
        _ => None,
    }
}
