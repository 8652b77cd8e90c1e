//! Waypost against NSD, Knot DNS and BIND, on the same master files. Where the three agree, it must
//! agree with them; where they differ, with the model and one of them. The exceptions are the
//! rules in `kept`. `README.md` says how and why.
//!
//! A failure prints the seed, the zones, the query and every answer.
//! For more pairs: `WAYPOST_PEER_PAIRS=20000 cargo test --test it differential`.
//! For one set of zones: `WAYPOST_PEER_SEED=2000003`; with both, that many pairs from it on.

mod compare;
mod kept;
mod lowest;
mod peers;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use compare::{Asked, FIELDS, Field, Heard, Link, links, without_courtesy};
use fastrand::Rng;
use lowest::Lowest;
use peers::Files;

use crate::dns::{Answer, Response};
use crate::generate::{file_name, master_file, zones};
use crate::model::{self, ModelZone};
use crate::server::TestServer;

/// The number of queries to one set of zones.
const QUERIES: usize = 250;

/// The first seed; other tests count from other seeds.
const SEED: u64 = 2_000_000;

/// The number of pairs from which on every rule must have been needed.
const LONG: usize = 20_000;

/// The number of disagreements that a failure shows.
const SHOWN: usize = 5;

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is a number, not {text:?}")))
}

/// The findings of a run.
#[derive(Default)]
struct Tally {
    pairs: usize,
    /// Pairs in which the peers agree in every field.
    unanimous: usize,
    /// The number of pairs in which the peers agree, by field.
    agreed: BTreeMap<Field, usize>,
    /// The number of our responses, by kind.
    said: BTreeMap<String, usize>,
    /// The number of pairs in which the peers differ, by field and by the peers that agree with us.
    sides: BTreeMap<(Field, Vec<&'static str>), usize>,
    /// The number of pairs with a difference that a rule explains, by rule.
    kept: BTreeMap<&'static str, usize>,
    disagreements: usize,
    shown: String,
}

impl Tally {
    /// Counts a pair; `expected` is the answer of the model.
    fn count(&mut self, seed: u64, heard: &Heard<'_>, expected: &Answer) {
        self.pairs += 1;
        for kind in kinds(&heard.ours) {
            *self.said.entry(kind).or_default() += 1;
        }
        let agreed: Vec<Field> = FIELDS.into_iter().filter(|f| heard.is_agreed(*f)).collect();
        self.unanimous += usize::from(agreed.len() == FIELDS.len());
        agreed.into_iter().for_each(|field| *self.agreed.entry(field).or_default() += 1);
        for field in FIELDS {
            let Some(side) = heard.side(field) else { continue };
            *self.sides.entry((field, side)).or_default() += 1;
        }
        let (mut used, mut unexplained) = (Vec::new(), Vec::new());
        for field in heard.disagreements() {
            match kept::RULES.iter().find(|rule| (rule.explains)(heard, field)) {
                Some(rule) => used.push(rule.name),
                None => unexplained.push(field),
            }
        }
        unexplained.extend(heard.differences_from(expected));
        used.dedup();
        used.into_iter().for_each(|name| *self.kept.entry(name).or_default() += 1);
        if unexplained.is_empty() {
            return;
        }
        self.disagreements += 1;
        if self.disagreements <= SHOWN {
            let shown = format!("\nseed {seed}, {unexplained:?}: {heard}model: {expected}");
            self.shown.push_str(&shown);
        }
    }

    fn report(&self) -> String {
        let share = |count: usize| 100.0 * count as f64 / self.pairs.max(1) as f64;
        let mut text = format!(
            "{} pairs; the peers agree in everything in {} ({:.1} %)\n",
            self.pairs,
            self.unanimous,
            share(self.unanimous)
        );
        for (field, &count) in &self.agreed {
            writeln!(text, "  {field:?}: {count} ({:.1} %)", share(count)).expect("it grows");
        }
        for (kind, count) in &self.said {
            writeln!(text, "  Waypost said {kind}: {count}").expect("it grows");
        }
        for ((field, side), count) in &self.sides {
            writeln!(text, "  {field:?} where the peers differ, as {side:?}: {count}")
                .expect("it grows");
        }
        for (name, count) in &self.kept {
            writeln!(text, "  kept, {name}: {count}").expect("it grows");
        }
        text
    }
}

/// Returns the kinds of a response.
fn kinds(response: &Response) -> Vec<String> {
    let (data, mut kinds) = (&response.data, vec![response.data.rcode.clone()]);
    let has_soa = data.authority.iter().any(|line| line.contains(" IN SOA "));
    let is_referral = !data.aa && data.rcode == "NOERROR" && !data.authority.is_empty();
    let named = [
        ("nodata", data.rcode == "NOERROR" && has_soa),
        ("referral", is_referral),
        ("truncated", response.tc),
        ("addresses beside an answer", data.aa && !data.additional.is_empty()),
    ];
    kinds.extend(named.iter().filter(|(_, is_it)| *is_it).map(|(kind, _)| (*kind).to_owned()));
    kinds
}

/// Returns the same records, the SOA first and the others in a random order, with their owners in
/// upper and lower case (RFC 4343) and dots in labels as `\.`.
fn respelled(text: &str, rng: &mut Rng) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    rng.shuffle(&mut lines[1..]);
    let mut respelled = String::new();
    for line in lines {
        let (owner, rest) = line.split_once(' ').expect("an owner stands first");
        let owner = owner.replace("\\046", "\\.");
        respelled
            .extend(owner.chars().map(|c| if rng.bool() { c.to_ascii_uppercase() } else { c }));
        writeln!(respelled, " {rest}").expect("it grows");
    }
    respelled
}

/// Starts every server on one set of zones, and compares their responses.
fn compare(seed: u64, tally: &mut Tally) {
    let mut rng = Rng::with_seed(seed);
    let zones = zones(&mut rng);
    let scratch = tempfile::tempdir().expect("a directory");
    let [whole, without_renamed] = ["whole", "other"].map(|name| scratch.path().join(name));
    let files = Files { whole, without_renamed };
    let mut shown = String::new();
    for directory in [&files.whole, &files.without_renamed] {
        std::fs::create_dir(directory).expect("the directory is ours");
    }
    for zone in &zones {
        let mut write = |directory: &Path, zone: &ModelZone| {
            let text = respelled(&master_file(zone), &mut rng);
            std::fs::write(directory.join(file_name(zone)), &text).expect("ours");
            text
        };
        let text = write(&files.whole, zone);
        write(&files.without_renamed, &zone.without_renamed());
        writeln!(shown, "\n; {}\n{text}", zone.origin).expect("it grows");
    }
    let lowest = Lowest::new(&zones);
    let peers = peers::start_all(scratch.path(), &files, &zones);
    let server = TestServer::start(&files.whole, 1);
    let mut ours = Link::new(server.address());
    let mut theirs = links(&peers);
    let before = tally.disagreements;
    let end = tally.pairs + QUERIES;
    while tally.pairs < end {
        let mut asked = Asked::random(&zones, &mut rng);
        loop {
            let heard = hear(&lowest, &asked, &mut ours, &mut theirs, rng.u16(..));
            let expected = model::answer(&zones, &asked.question.name, asked.question.rtype);
            tally.count(seed, &heard, &expected);
            // A resolver would ask again over TCP.
            let truncated = heard.ours.tc || heard.peers.iter().any(|peer| peer.tc);
            if !truncated || asked.stream {
                break;
            }
            asked.stream = true;
        }
    }
    if before < SHOWN && tally.disagreements > before {
        tally.shown.push_str(&shown);
    }
}

fn hear<'a>(
    lowest: &Lowest<'_>,
    asked: &'a Asked,
    ours: &mut Link,
    theirs: &mut [Link],
    id: u16,
) -> Heard<'a> {
    let ours = ours.ask(asked, id);
    let mut peers: Vec<_> = theirs.iter_mut().map(|link| link.ask(asked, id)).collect();
    // NSD is the first peer.
    let nsd = peers.remove(0);
    peers.insert(0, without_courtesy(nsd, lowest.zones));
    peers.iter_mut().for_each(|peer| lowest.settle(peer));
    Heard { asked, ours, peers }
}

#[test]
fn waypost_says_what_its_peers_agree_on() {
    let first = number("WAYPOST_PEER_SEED");
    let default = if first.is_some() { QUERIES } else { 2_000 };
    let pairs = number("WAYPOST_PEER_PAIRS").map_or(default, |pairs| pairs as usize);
    let mut tally = Tally::default();
    let mut seed = first.unwrap_or(SEED);
    while tally.pairs < pairs {
        compare(seed, &mut tally);
        seed += 1;
    }
    let report = tally.report();
    assert!(
        tally.disagreements == 0,
        "{} differences that no rule explains, the first of them:\n{}\n{report}",
        tally.disagreements,
        tally.shown
    );
    if pairs >= LONG {
        let unused = |rule: &&kept::Rule| !tally.kept.contains_key(rule.name);
        let unused: Vec<_> = kept::RULES.iter().filter(unused).map(|rule| rule.name).collect();
        assert!(unused.is_empty(), "rules that nothing needs: {unused:?}\n{report}");
        std::io::stderr().write_all(report.as_bytes()).expect("stderr takes it");
    }
}
