//! The names met on the way to an answer, and the steps there, for explanations.
//!
//! The code that answers queries notes them as it runs. Queries have no [`Trace`].

use std::cell::RefCell;
use std::net::IpAddr;

use super::resolve::Here;
use crate::snapshot::{Found, Service};
use crate::steering::{self, Member, Routed, Step};
use crate::wire::name::Name;
use crate::wire::qname::Qname;

/// The names met so far, and the steps of walks.
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
    /// The zone or data that the name met.
    pub met: Met,
    /// The steering of the name, if it is a service.
    pub steered: Option<Steered>,
}

/// The result of the look-up of a name. Zones are given by their place in the snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Met {
    /// No zone of ours.
    NoZone,
    /// A zone that does not admit the client.
    Prohibited(usize),
    /// A zone without data.
    Absent(usize),
    /// A zone, and the data in it.
    Found(usize, Found),
}

/// The steering of one service.
#[derive(Clone, Debug)]
pub struct Steered {
    /// The number of the service among those of the zone.
    pub service: usize,
    /// The address that it was steered for.
    pub client: IpAddr,
    /// Whether that address is of the client subnet (RFC 7871), not the source of the query.
    pub is_subnet: bool,
    /// The result of routing the client.
    pub routed: Routed,
    /// The steps of the walks.
    pub steps: Vec<Step>,
    /// The endpoints that the answer names, in its order.
    pub named: Vec<Member>,
}

impl Trace {
    /// Returns all names met, in order.
    pub(super) fn into_hops(self) -> Vec<Hop> {
        self.end_service();
        self.hops.into_inner()
    }

    /// Returns the trace of the walks.
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

    /// Moves the steps of the walks to the last service.
    fn end_service(&self) {
        let steps = self.steps.take();
        if let Some(steered) = self.hops.borrow_mut().last_mut().and_then(|h| h.steered.as_mut()) {
            steered.steps.extend(steps);
        }
    }
}
