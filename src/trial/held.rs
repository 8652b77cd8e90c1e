//! A trial with some endpoints down, and with all whose checks ask for them.
//!
//! The states come from a [`Table`], as in the server: an endpoint that is held down is bound as
//! wanted down, and whatever its own checks probe has failed.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;

use crate::clock::Moment;
use crate::health::{Binding, Bit, Board, EndpointName, Probed, Showing, Table};
use crate::snapshot::{Endpoint, Zone};
use crate::zone::{Condition, Override};

/// Endpoints that are held down, and the states shown before for every endpoint of their zones.
#[derive(Debug, Default)]
pub struct Hold {
    before: Vec<(Arc<Board>, Bit, Showing)>,
}

impl Hold {
    /// Shows the states from before again, including written ones.
    pub(super) fn release(self) {
        self.before.iter().for_each(|(board, bit, showing)| board.show(*bit, *showing));
    }
}

/// Returns the bits on the board of `zone` for one endpoint of a service, or for all of them,
/// including their copies wherever the service is nested.
///
/// # Cost
/// A pass over the endpoints of the zone.
pub fn places_of(zone: &Zone, service: &str, endpoint: Option<&str>) -> HashSet<Bit> {
    let Some(service) = zone.service_named(service) else { return HashSet::new() };
    let key = |of: &Endpoint| (zone.endpoint_name(of).to_owned(), zone.endpoint_owner(of).to_vec());
    let is_meant =
        |known: &&Endpoint| endpoint.is_none_or(|name| zone.endpoint_name(known) == name);
    let meant: Vec<&Endpoint> = zone.endpoints(service).iter().filter(is_meant).collect();
    let mut places: HashSet<Bit> = meant.iter().flat_map(|endpoint| endpoint.bits()).collect();
    let meant: HashSet<_> = meant.into_iter().map(key).collect();
    for other in zone.services() {
        let (plan, endpoints) = (zone.plan(other), zone.endpoints(other));
        // The owner of a target is the target itself, which other services may name too.
        for pool in plan.pools().iter().filter(|pool| pool.is_nested() || !pool.is_target()) {
            let members = pool.members().filter_map(|at| endpoints.get(usize::from(at)));
            let members = members.filter(|endpoint| meant.contains(&key(endpoint)));
            places.extend(members.flat_map(Endpoint::bits));
        }
    }
    places
}

/// Holds the endpoints with these bits down in each zone, and shows what follows. An endpoint that
/// shares something with them is down too: an address that the same check probes, or a check that
/// asks for their service.
///
/// # Cost
/// A pass over everything that is checked in these zones.
pub fn hold_down(zones: &[(&Zone, HashSet<Bit>)]) -> Hold {
    hold(zones, |wanted| wanted)
}

/// Holds the endpoints at `places` down as [`hold_down`] does, and treats every other as if its
/// `state` were `auto`. A test asks whether the zone is right, and an endpoint that its operator
/// took out in an emergency does not make it wrong.
pub(super) fn hold_in_test(zone: &Zone, places: HashSet<Bit>) -> Hold {
    let is_written = |binding: &Binding| binding.wanted != Override::Auto;
    match places.is_empty() && !zone.bindings().iter().any(is_written) {
        true => Hold::default(),
        false => hold(&[(zone, places)], |_| Override::Auto),
    }
}

fn hold(zones: &[(&Zone, HashSet<Bit>)], wanted: impl Fn(Override) -> Override) -> Hold {
    let mut table = Table::default();
    let (mut held, mut failed) = (Hold::default(), Vec::new());
    let nobody = Arc::new(EndpointName { service: "".into(), pool: "".into(), name: "".into() });
    for (zone, places) in zones {
        let endpoints = || zone.services().iter().flat_map(|service| zone.endpoints(service));
        let bits = endpoints().flat_map(Endpoint::bits);
        let board = zone.board();
        held.before.extend(bits.map(|bit| (Arc::clone(board), bit, board.showing(bit))));
        failed.extend(own_probes(zone, places));
        let others = zone.bindings().iter().filter(|binding| !places.contains(&binding.bit));
        let down = places.iter().map(|&bit| Binding {
            endpoint: Arc::clone(&nobody),
            bit,
            condition: Condition::always(),
            wanted: Override::Down,
        });
        let others = others.cloned().map(|other| Binding { wanted: wanted(other.wanted), ..other });
        let bindings: Arc<[Binding]> = others.chain(down).collect();
        table.bind(board, &bindings, &[], Moment::default());
    }
    failed.iter().for_each(|probed| table.fail(probed, Moment::default()));
    held
}

/// Returns the probes of these endpoints themselves, without those of the services that their
/// checks ask for.
fn own_probes(zone: &Zone, places: &HashSet<Bit>) -> Vec<Probed> {
    let endpoints = zone.services().iter().flat_map(|service| zone.endpoints(service));
    let addresses = |endpoint: &Endpoint| {
        let [v4, v6] = endpoint.bits();
        let v4 = endpoint.v4.map(|address| (v4, IpAddr::from(address)));
        [v4, endpoint.v6.map(|address| (v6, IpAddr::from(address)))]
    };
    let addresses: Vec<(Bit, IpAddr)> = endpoints.flat_map(addresses).flatten().collect();
    let all: HashSet<IpAddr> = addresses.iter().map(|&(_, address)| address).collect();
    let own: HashSet<(Bit, IpAddr)> = addresses.into_iter().collect();
    let held = zone.bindings().iter().filter(|binding| places.contains(&binding.bit));
    let probes = held.flat_map(|binding| {
        let leaves = binding.condition.leaves();
        let is_own = |leaf: &&Probed| own.contains(&(binding.bit, leaf.address.ip()));
        let own: Vec<Probed> = leaves.iter().copied().filter(is_own).cloned().collect();
        if !own.is_empty() {
            return own;
        }
        // Probed at another address than its own, but not at the address of another endpoint.
        let is_foreign = |leaf: &&Probed| all.contains(&leaf.address.ip());
        leaves.into_iter().filter(|leaf| !is_foreign(leaf)).cloned().collect()
    });
    probes.collect()
}
