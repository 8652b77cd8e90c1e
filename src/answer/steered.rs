//! Steered data: the records of services.

use super::options::Why;
use super::resolve::{Here, Resolve, Step};
use super::trace::Trace;
use crate::snapshot::{Endpoint, NodeId, Service};
use crate::steering::{Choice, Draws, Family, Picks, Plan, Select, Share, Stream};
use crate::wire::edns::Subnet;
use crate::wire::kind::Type;
use crate::wire::writer::{Full, Writer, pointer_to};

/// The octets of an SRV record before its target (RFC 2782), with a pointer as its owner: owner,
/// type to length, priority, weight and port.
const SRV_TARGET: usize = 2 + 10 + 6;

impl<'r> Resolve<'r, '_> {
    /// Answers a query for the name of a service.
    pub(super) fn give_service(
        &mut self,
        here: Here<'r>,
        node: NodeId,
        service: &'r Service,
        qtype: Type,
    ) -> Step {
        if qtype == Type::HTTPS
            && let Some(head) = here.zone.https_head(service)
        {
            return self.give_https(here, service, head);
        }
        let (family, stream) = match qtype {
            Type::A => (Family::V4, Stream::A),
            Type::AAAA => (Family::V6, Stream::Aaaa),
            Type::ANY if !service.plan.has_targets() => {
                self.give_hinfo(here);
                return Step::Done;
            }
            // The other types can only be answered by a CNAME. They are drawn apart from A and
            // AAAA, and so leave their shares alone.
            _ if service.plan.has_targets() => (Family::Any, Stream::Srv),
            _ => {
                self.deny(here);
                return Step::Done;
            }
        };
        let Some(is_target) = self.draw(&here, service, family, stream) else {
            // A service that is down keeps its text.
            match here.zone.set(node, qtype) {
                Some(set) => self.give_set(here, &set),
                None => self.deny_service(here, service, family),
            }
            return Step::Done;
        };
        if is_target {
            let step = self.give_target(here, service);
            return if matches!(qtype, Type::CNAME | Type::ANY) { Step::Done } else { step };
        }
        match family {
            Family::V4 | Family::V6 => self.give_addresses(here, service, qtype),
            Family::Any if qtype == Type::ANY => self.give_hinfo(here),
            Family::Any => match here.zone.set(node, qtype) {
                Some(set) => self.give_set(here, &set),
                None => self.deny(here),
            },
        }
        Step::Done
    }

    /// Answers with the CNAME to the target that was drawn.
    pub(super) fn give_target(&mut self, here: Here<'r>, service: &'r Service) -> Step {
        let endpoint = |&pick: &u16| here.zone.endpoints(service).get(usize::from(pick));
        let Some(drawn) = self.picks.as_slice().first().and_then(endpoint) else {
            return Step::Done;
        };
        self.note_named(self.picks);
        self.give_cname(here, service.ttl, here.zone.endpoint_owner(drawn))
    }

    /// Draws endpoints into `picks`. Returns whether they are targets; `None` if there are none.
    ///
    /// If a service has targets, the pool is chosen without regard to families. Otherwise AAAA
    /// could get a CNAME because its pool has no IPv6; resolvers would cache the CNAME for A as
    /// well, and lead clients away from a healthy pool. If the pool chosen lacks the family,
    /// another pool of addresses may have it.
    fn draw(
        &mut self,
        here: &Here<'r>,
        service: &Service,
        family: Family,
        stream: Stream,
    ) -> Option<bool> {
        let mut own = self.select(here, service, family);
        own.addresses_only = service.plan.has_targets();
        let (draws, picks) = (self.draws.get_mut(here.zone_at)?, &mut *self.picks);
        if !service.plan.has_targets() {
            let choice = own.choose(draws, stream)?;
            own.draw(choice, draws, stream, picks);
            return Some(false);
        }
        let any = Select { family: Family::Any, addresses_only: false, ..own };
        let choice = any.choose(draws, stream)?;
        if any.is_target(choice) {
            any.draw(choice, draws, stream, picks);
            return Some(true);
        }
        if family == Family::Any {
            picks.clear();
            return Some(false);
        }
        draw_family(&own, choice, draws, (stream, Stream::Srv), picks).map(|_| false)
    }

    /// Prepares the selection of endpoints for the client, by its route. Narrows the scope of the
    /// response to the clients of that route.
    #[inline(always)]
    pub(super) fn select(
        &mut self,
        here: &Here<'r>,
        service: &Service,
        family: Family,
    ) -> Select<'r> {
        let (plan, board) = (here.zone.plan(service), here.zone.board());
        let source = self.client.source.ip();
        let subnet = self.subnet.and_then(Subnet::address);
        let subnet = subnet.filter(|_| here.zone.subnets().admits(source));
        let routed = plan.route(subnet.unwrap_or(source));
        if subnet.is_some() {
            self.head.scope = self.head.scope.max(routed.scope);
        }
        if let Some(trace) = self.trace {
            let client = (subnet.unwrap_or(source), subnet.is_some());
            trace.route(here, service, client, routed);
        }
        let trace = self.trace.map(Trace::steps);
        Select { plan, board, routed, family, addresses_only: false, trace }
    }

    /// Notes the endpoints that the answer names.
    #[inline]
    pub(super) fn note_named(&self, picks: &Picks) {
        if let Some(trace) = self.trace {
            trace.name(picks.as_slice().iter().copied());
        }
    }

    /// Writes a negative answer; gives the reason if the service has endpoints of the family.
    pub(super) fn deny_service(&mut self, here: Here<'r>, service: &Service, family: Family) {
        let could_serve = |endpoint: &Endpoint| match family {
            Family::V4 => endpoint.v4.is_some(),
            Family::V6 => endpoint.v6.is_some(),
            Family::Any => true,
        };
        if here.zone.endpoints(service).iter().any(could_serve) {
            self.head.why = Some(Why::NothingUp);
        }
        self.deny(here);
    }

    fn give_addresses(&mut self, here: Here<'r>, service: &Service, rtype: Type) {
        let endpoints = here.zone.endpoints(service);
        self.note_named(self.picks);
        let picks = &*self.picks;
        let ttl = here.zone.ttl_of(service, picks.as_slice().iter().copied());
        let mark = self.writer.mark();
        let mut count = 0;
        for &pick in picks.as_slice() {
            let Some(endpoint) = endpoints.get(usize::from(pick)) else { continue };
            let written = put_address(self.writer, here.owner, (rtype, ttl), endpoint);
            let Some(written) = written else { continue };
            if written.is_err() {
                self.writer.undo(mark);
                self.head.truncated = true;
                return;
            }
            count += 1;
        }
        self.head.answers += count;
    }

    /// Answers SRV (RFC 2782) with every endpoint that may serve, its weight and its port. Failover
    /// tiers are priorities. The endpoints' own addresses are in the additional section.
    pub(super) fn give_srv(&mut self, here: Here<'r>, node: NodeId, service: &'r Service) {
        let select = self.select(&here, service, Family::Any);
        let Some(draws) = self.draws.get_mut(here.zone_at) else { return };
        let mut shares = std::mem::take(self.shares);
        let (port, endpoints) = (here.zone.srv_port(node), here.zone.endpoints(service));
        let port_of = |share: &Share| match port {
            Some(port) => Some(port),
            None => endpoints.get(usize::from(share.member)).map(|endpoint| endpoint.port),
        };
        let name_of = |share: &Share| select.plan.name_twin(share.member);
        select.tiers(draws, (&mut shares, &mut *self.picks), |one, other| {
            name_of(one) == name_of(other) && port_of(one) == port_of(other)
        });
        if let Some(trace) = self.trace {
            trace.name(shares.iter().map(|share| share.member));
        }
        if shares.is_empty() {
            self.deny_service(here, service, Family::Any);
        } else {
            self.write_srv(here, service, port, &shares);
        }
        *self.shares = shares;
    }

    fn write_srv(
        &mut self,
        here: Here<'r>,
        service: &Service,
        port: Option<u16>,
        shares: &[Share],
    ) {
        let endpoints = here.zone.endpoints(service);
        let ttl = here.zone.ttl_of(service, shares.iter().map(|share| share.member));
        let (start, first) = (self.writer.mark(), self.writer.len());
        let mut written = 0;
        for share in shares {
            let Some(endpoint) = endpoints.get(usize::from(share.member)) else {
                continue;
            };
            let mark = self.writer.mark();
            if self.write_share(here, ttl, share, (endpoint, port)).is_ok() {
                written += 1;
                continue;
            }
            // A stream has no larger transport to fall back to: it carries what fits. The first
            // endpoint is drawn anew each time, so that each of them appears.
            if self.client.over.is_stream() {
                self.writer.undo(mark);
                break;
            }
            self.writer.undo(start);
            self.head.truncated = true;
            return;
        }
        self.head.answers += written;
        // The names of the targets are in the records, one after another.
        let (mut at, has_twins) = (first, service.plan.has_twins());
        for (place, share) in shares.iter().enumerate().take(usize::from(written)) {
            let Some(endpoint) = endpoints.get(usize::from(share.member)) else { continue };
            if let Some(owner) = pointer_to(at + SRV_TARGET)
                && !(has_twins && is_named_before(here.zone.plan(service), shares, place))
            {
                self.add_own_addresses(here, owner, ttl, endpoint);
            }
            at += SRV_TARGET + here.zone.endpoint_owner(endpoint).len();
        }
    }

    fn write_share(
        &mut self,
        here: Here<'r>,
        ttl: u32,
        share: &Share,
        (endpoint, port): (&Endpoint, Option<u16>),
    ) -> Result<(), Full> {
        let numbers = [share.priority, share.weight, port.unwrap_or(endpoint.port)];
        let [priority, weight, port] = numbers.map(u16::to_be_bytes);
        let front = [priority[0], priority[1], weight[0], weight[1], port[0], port[1]];
        let target = here.zone.endpoint_owner(endpoint);
        self.writer.put_record_with(here.owner, Type::SRV, ttl, front, target)
    }

    /// Adds the addresses of one SRV target that may serve. Addresses that do not fit are left out.
    fn add_own_addresses(&mut self, here: Here<'r>, owner: u16, ttl: u32, endpoint: &Endpoint) {
        let board = here.zone.board();
        let [v4, v6] = endpoint.bits();
        let v4_serves = endpoint.v4.is_some() && board.is_set(v4);
        let v6_serves = endpoint.v6.is_some() && board.is_set(v6);
        for (rtype, serves) in [(Type::A, v4_serves), (Type::AAAA, v6_serves)] {
            // If everything is down but answered all the same, all addresses are added.
            if !serves && (v4_serves || v6_serves) {
                continue;
            }
            let written = put_address(self.writer, owner, (rtype, ttl), endpoint);
            self.head.additionals += u16::from(written == Some(Ok(())));
        }
    }
}

/// Returns whether a share before the one at `place` has the same target: the addresses of a name
/// in two tiers are added once.
#[cold]
fn is_named_before(plan: Plan<'_>, shares: &[Share], place: usize) -> bool {
    let name = |share: &Share| plan.name_twin(share.member);
    let own = shares.get(place).map(name);
    shares.iter().take(place).any(|before| Some(name(before)) == own)
}

/// Draws the endpoints that `own` asks for into `picks`, from the pool chosen for any family. If
/// that pool lacks the family, it draws from another pool, which it chooses in the second of the
/// `streams`. Splits are drawn apart for that, so that the two walks do not disturb each other's
/// shares. Returns the choice that it drew from.
pub(super) fn draw_family(
    own: &Select<'_>,
    choice: Choice,
    draws: &mut Draws,
    streams: (Stream, Stream),
    picks: &mut Picks,
) -> Option<Choice> {
    let serves = Some(choice).filter(|&choice| own.can_serve(choice));
    let choice = serves.or_else(|| own.choose(draws, streams.1))?;
    own.draw(choice, draws, streams.0, picks);
    Some(choice)
}

/// Writes the address of `endpoint` for `rtype`; returns `None` if there is none.
// Always inlined: an address has few octets to copy, and their number is known here.
#[inline(always)]
fn put_address(
    writer: &mut Writer<'_>,
    owner: u16,
    (rtype, ttl): (Type, u32),
    endpoint: &Endpoint,
) -> Option<Result<(), Full>> {
    Some(match rtype {
        Type::A => writer.put_record_with(owner, rtype, ttl, endpoint.v4?, &[]),
        Type::AAAA => writer.put_record_with(owner, rtype, ttl, endpoint.v6?, &[]),
        _ => return None,
    })
}
