//! The tests of a zone: asked through the engine, before the zone is served.
//!
//! ```text
//! zone::Test + snapshot::Zone ─ failures ─▶ Failure: what was expected, what came, and why
//! ```
//!
//! A zone is tried by itself, on its own board, before anybody else sees it: what a test holds to
//! be down is up again when it ends.

mod seen;

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::answer::{Client, Over, Responder};
use crate::explain::Explanation;
use crate::geo::Geo;
use crate::health::{Bit, Showing};
use crate::snapshot::{Endpoint, Snapshot, Zone};
use crate::wire::message::{Message, write_query};
use crate::zone::{Down, Test};
use seen::{Answer, Shares};

/// How many answers a test looks at: each endpoint's share is then off by two thousandths at the
/// most.
const ANSWERS: u32 = 1000;

/// The source port of the queries, and where their draws start.
const PORT: u16 = 53;
const SEED: u64 = 0;

/// A test that does not hold.
#[derive(Clone, Debug)]
pub struct Failure {
    /// What was expected and what came, in one line.
    pub message: String,
    /// Why it came.
    pub why: Explanation,
}

/// Runs the tests of `zone`, which nobody may serve yet; `geo` is what its routes were compiled
/// with. Those that fail, with why.
///
/// # Cost
/// Up to 1,000 answers a test, a few microseconds each.
pub fn failures<'t>(zone: &Arc<Zone>, geo: &Geo, tests: &'t [Test]) -> Vec<(&'t Test, Failure)> {
    if tests.is_empty() {
        return Vec::new();
    }
    let snapshot = Arc::new(Snapshot::new(0, vec![Arc::clone(zone)]));
    let failures = tests.iter().filter_map(|test| {
        let hold = |down: &Down| hold_down(zone, &down.service, down.endpoint.as_deref());
        let held: Vec<Held> = test.down.iter().map(hold).collect();
        let result = ask(&snapshot, geo, test);
        // The last first: two of them may hold the same endpoint.
        held.iter().rev().for_each(|held| held.let_go(zone));
        result.err().map(|failure| (test, failure))
    });
    failures.collect()
}

/// Endpoints that are held down, and what was shown of them.
#[derive(Debug, Default)]
pub struct Held {
    /// How many endpoints.
    pub count: usize,
    before: Vec<(Bit, Showing)>,
}

impl Held {
    fn down(&mut self, zone: &Zone, endpoint: &Endpoint) {
        for bit in endpoint.bits().iter() {
            self.before.push((*bit, zone.board().showing(*bit)));
            zone.board().show(*bit, Showing::DOWN);
        }
    }

    /// Shows again what was shown before; a written state too.
    fn let_go(&self, zone: &Zone) {
        self.before.iter().rev().for_each(|(bit, showing)| zone.board().show(*bit, *showing));
    }
}

/// Shows an endpoint of a service, or all of them, as down, wherever the service is nested too.
///
/// # Cost
/// A pass over the endpoints of the zone.
pub fn hold_down(zone: &Zone, service: &str, endpoint: Option<&str>) -> Held {
    let mut held = Held::default();
    let Some(service) = zone.service_named(service) else { return held };
    let key = |of: &Endpoint| (zone.endpoint_name(of).to_owned(), zone.endpoint_owner(of).to_vec());
    let is_meant =
        |known: &&Endpoint| endpoint.is_none_or(|name| zone.endpoint_name(known) == name);
    let meant: Vec<&Endpoint> = zone.endpoints(service).iter().filter(is_meant).collect();
    held.count = meant.len();
    meant.iter().for_each(|endpoint| held.down(zone, endpoint));
    let meant: HashSet<_> = meant.into_iter().map(key).collect();
    for other in zone.services() {
        let (plan, endpoints) = (zone.plan(other), zone.endpoints(other));
        // Targets have no name that is theirs alone.
        for pool in plan.pools().iter().filter(|pool| pool.is_nested() || !pool.is_target()) {
            let members = pool.members().filter_map(|at| endpoints.get(usize::from(at)));
            for endpoint in members.filter(|endpoint| meant.contains(&key(endpoint))) {
                held.down(zone, endpoint);
            }
        }
    }
    held
}

fn ask(snapshot: &Arc<Snapshot>, geo: &Geo, test: &Test) -> Result<(), Failure> {
    let mut responder = Responder::new(Arc::clone(snapshot), SEED);
    let client = Client { source: SocketAddr::new(test.client, PORT), over: Over::Tcp };
    let query = write_query(0, &test.name, test.qtype, 1232, test.subnet);
    let mut out = vec![0; usize::from(u16::MAX)];
    let mut shares = Shares::of(&test.expect);
    let mut why = Explanation { hops: Vec::new() };
    let mut answers = 0;
    while answers < ANSWERS {
        let (outcome, hops) = responder.explain(&query, client, &mut out);
        let response = out.get(..outcome.len().unwrap_or(0)).unwrap_or(&[]);
        why = Explanation::new(snapshot, geo, &hops);
        let Ok(message) = Message::read(response) else {
            return Err(Failure { message: "there was no response".to_owned(), why });
        };
        let answer = Answer::new(test, &message, &why);
        if let Err(message) = answer.check(&test.expect) {
            return Err(Failure { message, why });
        }
        shares.count(&answer);
        answers += 1;
        // What nothing draws is the same a thousand times.
        if why.hops.iter().all(|hop| hop.service.is_none()) {
            break;
        }
    }
    shares.check(answers).map_err(|message| Failure { message, why })
}
