//! What was met on the way to an answer, for whoever asks why it is what it is.
//!
//! It is noted by the code that answers queries, while it does. Queries have no [`Trace`].

use std::cell::RefCell;
use std::net::IpAddr;

use super::resolve::Here;
use crate::snapshot::{Found, Service};
use crate::steering::{self, Member, Routed, Step};
use crate::wire::name::Name;
use crate::wire::qname::Qname;

/// Collects what is met.
#[derive(Debug, Default)]
pub(super) struct Trace {
    hops: RefCell<Vec<Hop>>,
    steps: steering::Trace,
}

/// One name on the way from the question to the records.
#[derive(Clone, Debug)]
pub struct Hop {
    /// The name, in lower case.
    pub name: Name,
    /// What it met.
    pub met: Met,
    /// What was steered, if it is a service.
    pub steered: Option<Steered>,
}

/// What a name met. Zones are told by their place in the snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Met {
    /// It lies in no zone of ours.
    NoZone,
    /// It lies in a zone that the client is not let into.
    Prohibited(usize),
    /// It lies in a zone of which there is no data.
    Absent(usize),
    /// What the zone has for it.
    Found(usize, Found),
}

/// How a service came to its answer.
#[derive(Clone, Debug)]
pub struct Steered {
    /// The service, by its place among those of the zone.
    pub service: usize,
    /// Whom it was steered for.
    pub client: IpAddr,
    /// Whether that is the client subnet (RFC 7871), not the source of the query.
    pub is_subnet: bool,
    /// Where the client goes.
    pub routed: Routed,
    /// What the walk there saw.
    pub steps: Vec<Step>,
    /// The endpoints that the answer names, in its order.
    pub named: Vec<Member>,
}

impl Trace {
    /// All of it, in order.
    pub(super) fn into_hops(self) -> Vec<Hop> {
        self.end_service();
        self.hops.into_inner()
    }

    /// The trace of the walks below.
    pub(super) fn steps(&self) -> &steering::Trace {
        &self.steps
    }

    #[cold]
    pub(super) fn meet(&self, name: &Qname, met: Met) {
        self.end_service();
        let name = Name::from_wire(name.as_wire()).unwrap_or_else(Name::root);
        self.hops.borrow_mut().push(Hop { name, met, steered: None });
    }

    #[cold]
    pub(super) fn route(
        &self,
        here: &Here<'_>,
        service: &Service,
        (client, is_subnet): (IpAddr, bool),
        routed: Routed,
    ) {
        let mut services = here.zone.services().iter();
        let Some(service) = services.position(|other| std::ptr::eq(other, service)) else { return };
        let (steps, named) = (Vec::new(), Vec::new());
        if let Some(hop) = self.hops.borrow_mut().last_mut() {
            hop.steered = Some(Steered { service, client, is_subnet, routed, steps, named });
        }
    }

    #[cold]
    pub(super) fn name(&self, members: impl Iterator<Item = Member>) {
        if let Some(steered) = self.hops.borrow_mut().last_mut().and_then(|h| h.steered.as_mut()) {
            for member in members {
                if !steered.named.contains(&member) {
                    steered.named.push(member);
                }
            }
        }
    }

    /// Gives the last service the steps of its walks.
    fn end_service(&self) {
        let steps = self.steps.take();
        if let Some(steered) = self.hops.borrow_mut().last_mut().and_then(|h| h.steered.as_mut()) {
            steered.steps.extend(steps);
        }
    }
}
