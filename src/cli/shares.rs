//! `waypost query --count` and `--clients`: the number of answers for each record, endpoint and
//! pool.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Serialize, Serializer};

use super::query::Format;
use crate::answer::{Hop, Met};
use crate::snapshot::Snapshot;
use crate::wire::kind::Type;
use crate::wire::message::{Message, Record};
use crate::wire::name::Name;

/// The longest bar, in characters.
const BAR_LEN_MAX: usize = 40;

/// The weights of answers, by the data that they hold.
pub(super) struct Tally<'s> {
    snapshot: &'s Snapshot,
    /// The sum of the weights of all answers; without weights, their number.
    total: f64,
    /// The weights of answers without records, by response code.
    others: BTreeMap<String, f64>,
    /// The weights of answers, by the record's data and by the endpoint that was drawn for it.
    named: BTreeMap<(String, Option<String>), f64>,
    /// The weights of answers, by pool, for services that have several.
    pools: BTreeMap<String, f64>,
}

/// An endpoint that was drawn.
struct Place {
    /// The service and the endpoint, as an operator writes them.
    endpoint: String,
    /// Its pool, if the service has several.
    pool: Option<String>,
    v4: Option<[u8; 4]>,
    v6: Option<[u8; 16]>,
    /// Its own name or its target, in wire format.
    owner: Box<[u8]>,
}

/// One line of the tally.
#[derive(Serialize)]
struct Share<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pool: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    record: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    endpoint: Option<&'a str>,
    count: Count,
    share: f64,
}

impl<'s> Tally<'s> {
    /// Creates an empty tally; `snapshot` resolves the endpoints that answers hold.
    pub(super) fn new(snapshot: &'s Snapshot) -> Self {
        let (others, named, pools) = Default::default();
        Self { snapshot, total: 0.0, others, named, pools }
    }

    /// Counts the records in the answer section of `message`, with this weight. `hops` are the way
    /// to the answer, with the endpoints that were drawn.
    pub(super) fn add(&mut self, (message, hops): &(Message, Vec<Hop>), weight: f64) {
        self.total += weight;
        if message.answer.is_empty() {
            let what = match message.rcode {
                0 => "NODATA".to_owned(),
                _ => message.rcode_text(),
            };
            *self.others.entry(what).or_default() += weight;
        }
        let places = places(self.snapshot, hops);
        for record in &message.answer {
            let text = record.to_string();
            let data = text.splitn(4, ' ').last().unwrap_or_default();
            let place = places.iter().find(|place| place.has(record));
            let named = (data.to_owned(), place.map(|place| place.endpoint.clone()));
            *self.named.entry(named).or_default() += weight;
        }
        let pools: BTreeSet<String> = places.into_iter().filter_map(|place| place.pool).collect();
        for pool in pools {
            *self.pools.entry(pool).or_default() += weight;
        }
    }

    /// Prints a table with bars, or one JSON object. `unit` names the things that were counted.
    pub(super) fn print(&self, name: &Name, qtype: Type, unit: &str, format: Format) {
        let share = |count: f64| Share {
            pool: None,
            record: None,
            endpoint: None,
            count: Count(count),
            share: if self.total > 0.0 { count / self.total } else { 0.0 },
        };
        let named = self.named.iter().map(|((data, endpoint), &count)| Share {
            record: Some(data),
            endpoint: endpoint.as_deref(),
            ..share(count)
        });
        let others = self.others.iter();
        let others = others.map(|(what, &count)| Share { record: Some(what), ..share(count) });
        let pools = self.pools.iter();
        let pools = pools.map(|(pool, &count)| Share { pool: Some(pool), ..share(count) });
        let (shares, pools): (Vec<_>, Vec<_>) = (named.chain(others).collect(), pools.collect());
        if format == Format::Json {
            let json = serde_json::json!({
                "name": name.to_string(),
                "type": qtype.to_string(),
                unit: Count(self.total),
                "shares": shares,
                "pools": pools,
            });
            say!("{json}");
            return;
        }
        say!("{name} {qtype}: {} {unit}", Count(self.total));
        let all = || shares.iter().chain(&pools);
        let (name_len, record_len) = (
            all().filter_map(|s| s.endpoint.or(s.pool)).map(str::len).max().unwrap_or(0),
            all().filter_map(|s| s.record).map(str::len).max().unwrap_or(0),
        );
        for share in all() {
            let bar = "█".repeat((share.share * BAR_LEN_MAX as f64).round() as usize);
            let name = share.endpoint.or(share.pool).unwrap_or("");
            let (record, percent) = (share.record.unwrap_or("(pool)"), share.share * 100.0);
            let count = share.count.to_string();
            say!("  {name:name_len$}  {record:record_len$}  {count:>8}  {percent:>6.2} %  {bar}");
        }
    }
}

/// A number that is written as a whole one if it is whole.
struct Count(f64);

impl Count {
    /// Returns the whole number, if it is one but for the errors of binary fractions.
    fn as_whole(&self) -> Option<u64> {
        let whole = self.0.round();
        ((self.0 - whole).abs() < 1e-6).then_some(whole as u64)
    }
}

impl Serialize for Count {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.as_whole() {
            Some(whole) => serializer.serialize_u64(whole),
            None => serializer.serialize_f64(self.0),
        }
    }
}

impl std::fmt::Display for Count {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.as_whole() {
            Some(whole) => write!(f, "{whole}"),
            None => write!(f, "{:.2}", self.0),
        }
    }
}

/// Returns the endpoints that were drawn on the way to an answer.
fn places(snapshot: &Snapshot, hops: &[Hop]) -> Vec<Place> {
    let mut places = Vec::new();
    for hop in hops {
        let (Some(steered), Met::Found(zone, _)) = (&hop.steered, hop.met) else { continue };
        let Some(zone) = snapshot.zones().get(zone) else { continue };
        let Some(service) = zone.services().get(steered.service) else { continue };
        let (label, plan) = (zone.label(service), zone.plan(service));
        for &member in &steered.named {
            let Some(endpoint) = zone.endpoints(service).get(usize::from(member)) else { continue };
            let mut pools = zone.pool_names(service).zip(plan.pools());
            let pool = pools.find(|(_, pool)| pool.members().contains(&member));
            let pool = pool.filter(|_| plan.pools().len() > 1);
            places.push(Place {
                endpoint: format!("{label}/{}", zone.endpoint_name(endpoint)),
                pool: pool.map(|(name, _)| format!("{label}/{name}")),
                v4: endpoint.v4,
                v6: endpoint.v6,
                owner: zone.endpoint_owner(endpoint).into(),
            });
        }
    }
    places
}

impl Place {
    /// Returns whether `record` in an answer is one of this endpoint.
    fn has(&self, record: &Record) -> bool {
        match record.rtype {
            Type::A => self.v4.is_some_and(|v4| v4 == *record.rdata),
            Type::AAAA => self.v6.is_some_and(|v6| v6 == *record.rdata),
            Type::CNAME => *self.owner == *record.rdata,
            Type::SRV => record.rdata.get(6..) == Some(&*self.owner),
            _ => false,
        }
    }
}
