//! `waypost query --count`: how many answers name what.

use std::collections::BTreeMap;

use serde::Serialize;

use super::query::Format;
use crate::snapshot::Snapshot;
use crate::wire::kind::Type;
use crate::wire::message::{Message, Record};
use crate::wire::name::Name;

/// The longest bar, in characters.
const BAR_LEN_MAX: usize = 40;

/// Answers by what they name.
pub(super) struct Tally {
    answers: u32,
    /// By response code, where it is not NOERROR or nothing was named.
    others: BTreeMap<String, u32>,
    /// By the record's type and data.
    named: BTreeMap<String, (u32, Record)>,
}

/// One line of the tally, as JSON.
#[derive(Serialize)]
struct Share<'a> {
    record: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    endpoint: Option<String>,
    count: u32,
    share: f64,
}

impl Tally {
    /// Counts what `messages` name in their answer sections.
    pub(super) fn of(messages: impl Iterator<Item = Message>) -> Self {
        let mut tally = Self { answers: 0, others: BTreeMap::new(), named: BTreeMap::new() };
        for message in messages {
            tally.answers += 1;
            if message.answer.is_empty() {
                let what = match message.rcode {
                    0 => "NODATA".to_owned(),
                    _ => message.rcode_text(),
                };
                *tally.others.entry(what).or_default() += 1;
            }
            for record in message.answer {
                let text = record.to_string();
                let data = text.splitn(4, ' ').last().unwrap_or_default().to_owned();
                tally.named.entry(data).or_insert((0, record)).0 += 1;
            }
        }
        tally
    }

    /// Prints a table with bars, or one JSON object.
    pub(super) fn print(&self, name: &Name, qtype: Type, snapshot: &Snapshot, format: Format) {
        let shares: Vec<Share<'_>> = self
            .named
            .iter()
            .map(|(data, (count, record))| Share {
                record: data,
                endpoint: endpoint_of(snapshot, record),
                count: *count,
                share: f64::from(*count) / f64::from(self.answers.max(1)),
            })
            .chain(self.others.iter().map(|(what, count)| Share {
                record: what,
                endpoint: None,
                count: *count,
                share: f64::from(*count) / f64::from(self.answers.max(1)),
            }))
            .collect();
        if format == Format::Json {
            let json = serde_json::json!({
                "name": name.to_string(),
                "type": qtype.to_string(),
                "answers": self.answers,
                "shares": shares,
            });
            say!("{json}");
            return;
        }
        say!("{name} {qtype}: {} answers", self.answers);
        let width = shares.iter().map(|share| share.record.len()).max().unwrap_or(0);
        let names = shares.iter().filter_map(|share| share.endpoint.as_ref());
        let name_width = names.map(String::len).max().unwrap_or(0);
        for share in &shares {
            let bar = "█".repeat((share.share * BAR_LEN_MAX as f64).round() as usize);
            let endpoint = share.endpoint.as_deref().unwrap_or("");
            let (record, count, percent) = (share.record, share.count, share.share * 100.0);
            say!("  {endpoint:name_width$}  {record:width$}  {count:>8}  {percent:>6.2} %  {bar}");
        }
    }
}

/// Which endpoint an address or alias belongs to, as `service/endpoint`.
fn endpoint_of(snapshot: &Snapshot, record: &Record) -> Option<String> {
    let zones = snapshot.zones().iter();
    for (zone, service) in zones.flat_map(|zone| zone.services().iter().map(move |s| (zone, s))) {
        for endpoint in zone.endpoints(service) {
            let owner = zone.endpoint_owner(endpoint);
            let is_it = match record.rtype {
                Type::A => endpoint.v4.is_some_and(|v4| v4 == *record.rdata),
                Type::AAAA => endpoint.v6.is_some_and(|v6| v6 == *record.rdata),
                Type::CNAME => owner == &*record.rdata,
                Type::SRV => record.rdata.get(6..) == Some(owner),
                _ => false,
            };
            if is_it {
                return Some(format!("{}/{}", zone.label(service), zone.endpoint_name(endpoint)));
            }
        }
    }
    None
}
