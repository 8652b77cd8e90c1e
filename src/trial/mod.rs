//! The tests of a zone: asked through the engine before the zone is served.
//!
//! ```text
//! zone::Test + snapshot::Zone ─ failures ─▶ Failure: what was expected, what came, and why
//! ```
//!
//! A zone is tried alone, on its own board, before anyone else sees it. When a test ends, the
//! endpoints that it held down are released.

mod held;
mod seen;

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::answer::{Client, Over, Responder};
use crate::explain::Explanation;
use crate::geo::Geo;
use crate::health::Bit;
use crate::snapshot::{Snapshot, Zone};
use crate::wire::message::{Message, write_query};
use crate::zone::{Down, Test};
use held::hold_in_test;
pub use held::{Hold, hold_down, places_of};
use seen::{Answer, Shares};

/// The number of answers that a test asks for. With so many, the share of each endpoint is off by
/// two thousandths at the most.
const ANSWERS: u32 = 1000;

/// The source port of the queries, and the seed of the draws.
const PORT: u16 = 53;
const SEED: u64 = 0;

/// A test that fails.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The expectation and the answer, in one line.
    pub message: String,
    /// The reasons for the answer.
    pub why: Explanation,
}

/// Runs the tests of `zone` and returns those that fail, with the reasons. Nobody may serve the
/// zone yet; `geo` is the data with which its routes were compiled.
///
/// # Cost
/// Up to 1,000 answers a test, a few microseconds each.
pub fn failures<'t>(zone: &Arc<Zone>, geo: &Geo, tests: &'t [Test]) -> Vec<(&'t Test, Failure)> {
    if tests.is_empty() {
        return Vec::new();
    }
    let snapshot = Arc::new(Snapshot::new(0, vec![Arc::clone(zone)]));
    let failures = tests.iter().filter_map(|test| {
        let places = |down: &Down| places_of(zone, &down.service, down.endpoint.as_deref());
        let places: HashSet<Bit> = test.down.iter().flat_map(places).collect();
        let held = hold_in_test(zone, places);
        let result = ask(&snapshot, geo, test);
        held.release();
        result.err().map(|failure| (test, failure))
    });
    failures.collect()
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
        // Without a draw, a thousand answers are all the same.
        if why.hops.iter().all(|hop| hop.service.is_none()) {
            break;
        }
    }
    shares.check(answers).map_err(|message| Failure { message, why })
}
