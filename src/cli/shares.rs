//! `waypost query --count` and `--clients`: how many answers name what.

use std::collections::{BTreeMap, HashMap};

use serde::{Serialize, Serializer};

use super::query::Format;
use crate::snapshot::{Snapshot, Zone};
use crate::wire::kind::Type;
use crate::wire::message::{Message, Record};
use crate::wire::name::Name;

/// The longest bar, in characters.
const BAR_LEN_MAX: usize = 40;

/// Answers by what they name.
pub(super) struct Tally<'s> {
    snapshot: &'s Snapshot,
    /// What the answers weigh together: their number, where each counts as one.
    total: f64,
    /// By response code, where nothing was named.
    others: BTreeMap<String, f64>,
    /// By the record's type and data.
    named: BTreeMap<String, f64>,
    /// By pool, of services that have several.
    pools: BTreeMap<String, f64>,
    /// What the records stand for that were met so far.
    known: HashMap<String, Option<Place>>,
}

/// An endpoint, as an operator writes it.
#[derive(Clone)]
struct Place {
    endpoint: String,
    /// Its pool, if the service has several.
    pool: Option<String>,
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
    /// Nothing counted yet; `snapshot` tells whose records they are.
    pub(super) fn new(snapshot: &'s Snapshot) -> Self {
        let (others, named, pools) = Default::default();
        Self { snapshot, total: 0.0, others, named, pools, known: HashMap::new() }
    }

    /// Counts what `message` names in its answer section, as often as `weight` says.
    pub(super) fn add(&mut self, message: &Message, weight: f64) {
        self.total += weight;
        if message.answer.is_empty() {
            let what = match message.rcode {
                0 => "NODATA".to_owned(),
                _ => message.rcode_text(),
            };
            *self.others.entry(what).or_default() += weight;
        }
        let mut pools = Vec::new();
        for record in &message.answer {
            let text = record.to_string();
            let data = text.splitn(4, ' ').last().unwrap_or_default();
            let snapshot = self.snapshot;
            let known =
                self.known.entry(data.to_owned()).or_insert_with(|| place(snapshot, record));
            let pool = known.as_ref().and_then(|place| place.pool.clone());
            pools.extend(pool.filter(|pool| !pools.contains(pool)));
            *self.named.entry(data.to_owned()).or_default() += weight;
        }
        for pool in pools {
            *self.pools.entry(pool).or_default() += weight;
        }
    }

    /// Prints a table with bars, or one JSON object. `unit` is what was counted.
    pub(super) fn print(&self, name: &Name, qtype: Type, unit: &str, format: Format) {
        let share = |count: f64| Share {
            pool: None,
            record: None,
            endpoint: None,
            count: Count(count),
            share: if self.total > 0.0 { count / self.total } else { 0.0 },
        };
        let endpoint = |data| Some(self.known.get(data)?.as_ref()?.endpoint.as_str());
        let named = self.named.iter().map(|(data, &count)| Share {
            record: Some(data),
            endpoint: endpoint(data),
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

/// A number, whole where it is.
struct Count(f64);

impl Count {
    /// Sums of parts are off by what binary fractions cannot hold.
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

/// Which endpoint an address or alias belongs to.
fn place(snapshot: &Snapshot, record: &Record) -> Option<Place> {
    snapshot.zones().iter().find_map(|zone| place_in(zone, record))
}

fn place_in(zone: &Zone, record: &Record) -> Option<Place> {
    for service in zone.services() {
        let is_it = |endpoint: &crate::snapshot::Endpoint| {
            let owner = zone.endpoint_owner(endpoint);
            match record.rtype {
                Type::A => endpoint.v4.is_some_and(|v4| v4 == *record.rdata),
                Type::AAAA => endpoint.v6.is_some_and(|v6| v6 == *record.rdata),
                Type::CNAME => owner == &*record.rdata,
                Type::SRV => record.rdata.get(6..) == Some(owner),
                _ => false,
            }
        };
        let Some(member) = zone.endpoints(service).iter().position(is_it) else { continue };
        let label = zone.label(service);
        let named = zone.endpoints(service).get(member).map(|e| zone.endpoint_name(e));
        let holds = |members: std::ops::Range<u16>| members.contains(&(member as u16));
        let plan = zone.plan(service);
        let mut pools = zone.pool_names(service).zip(plan.pools());
        let pool = pools.find(|(_, pool)| holds(pool.members())).map(|(name, _)| name);
        return Some(Place {
            endpoint: format!("{label}/{}", named.unwrap_or_default()),
            pool: pool.filter(|_| plan.pools().len() > 1).map(|pool| format!("{label}/{pool}")),
        });
    }
    None
}
