//! Answers, compared with what a test expects.

use std::net::IpAddr;

use crate::explain::Explanation;
use crate::wire::message::{Message, Record};
use crate::zone::{Expect, Test};

/// One answer.
pub(super) struct Answer {
    /// The origin of the zone, with its final dot.
    origin: String,
    rcode: String,
    /// The data of the records of the type asked for; of all records if there is none.
    data: Vec<String>,
    /// The pools and the endpoints that the answer names.
    pools: Vec<String>,
    endpoints: Vec<String>,
}

impl Answer {
    pub(super) fn new(test: &Test, message: &Message, why: &Explanation) -> Self {
        let asked: Vec<&Record> =
            message.answer.iter().filter(|record| record.rtype == test.qtype).collect();
        let data = match asked.is_empty() {
            true => message.answer.iter().map(data).collect(),
            false => asked.into_iter().map(data).collect(),
        };
        let rcode = match message.rcode {
            0 if message.answer.is_empty() => "NODATA".to_owned(),
            _ => message.rcode_text(),
        };
        let services = || why.hops.iter().filter_map(|hop| hop.service.as_ref());
        let endpoints = services().flat_map(|s| &s.pools).flat_map(|pool| &pool.endpoints);
        let named = endpoints.filter(|endpoint| endpoint.named);
        Self {
            origin: why.hops.first().and_then(|hop| hop.zone.clone()).unwrap_or_default(),
            rcode,
            data,
            pools: why.pools().map(str::to_owned).collect(),
            endpoints: named.map(|endpoint| endpoint.name.clone()).collect(),
        }
    }

    /// Checks everything that must hold of each answer.
    ///
    /// # Errors
    /// A sentence on the first expectation that does not hold.
    pub(super) fn check(&self, expect: &Expect) -> Result<(), String> {
        let came = self.text();
        if let Some(rcode) = expect.rcode.as_ref().filter(|rcode| **rcode != self.rcode) {
            return Err(format!("expected {rcode}, but {came} came"));
        }
        if let Some(other) = self.pools.iter().find(|pool| !is_one_of(pool, &expect.pools))
            && !expect.pools.is_empty()
        {
            let expected = expect.pools.join(" or ");
            return Err(format!("expected pool {expected}, but {came} came, from {other}"));
        }
        if self.pools.is_empty() && !expect.pools.is_empty() {
            let expected = expect.pools.join(" or ");
            return Err(format!("expected pool {expected}, but {came} came, from no pool"));
        }
        let is_expected =
            |known: &[String], data: &String| known.iter().any(|known| self.is_same(known, data));
        let missing = expect.exactly.iter().any(|e| !self.data.iter().any(|d| self.is_same(e, d)));
        let more = self.data.iter().any(|data| !is_expected(&expect.exactly, data));
        if !expect.exactly.is_empty() && (missing || more) {
            return Err(format!("expected exactly {}, but {came} came", expect.exactly.join(", ")));
        }
        let others = self.data.iter().any(|data| !is_expected(&expect.among, data));
        if !expect.among.is_empty() && (others || self.data.is_empty()) {
            return Err(format!("expected some of {}, but {came} came", expect.among.join(", ")));
        }
        match self.data.iter().find(|data| is_expected(&expect.never, data)) {
            Some(data) => Err(format!("expected never to see {data}, but {came} came")),
            None => Ok(()),
        }
    }

    /// Whether `data` is what was written. An address may have any form; a name may be relative to
    /// the zone.
    fn is_same(&self, written: &str, data: &str) -> bool {
        if let (Ok(written), Ok(data)) = (written.parse::<IpAddr>(), data.parse::<IpAddr>()) {
            return written == data;
        }
        let (written, data) = (written.to_lowercase(), data.to_lowercase());
        written == data
            || data.strip_suffix('.').is_some_and(|data| data == written)
            || data.strip_prefix(&written).is_some_and(|rest| {
                rest.strip_prefix('.').is_some_and(|rest| rest == self.origin.to_lowercase())
            })
    }

    fn text(&self) -> String {
        match self.rcode.as_str() {
            "NOERROR" => self.data.join(", "),
            rcode => rcode.to_owned(),
        }
    }
}

/// Whether a pool is one of `pools`, or a part of one of them whose members are services.
fn is_one_of(pool: &str, pools: &[String]) -> bool {
    pools.iter().any(|known| is_in(pool, known))
}

fn is_in(pool: &str, known: &str) -> bool {
    pool.strip_prefix(known).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Returns the data of a record, as dig shows it.
fn data(record: &Record) -> String {
    let text = record.to_string();
    text.splitn(5, ' ').last().unwrap_or_default().to_owned()
}

/// The number of answers that name each pool or endpoint whose share is expected.
pub(super) struct Shares<'t> {
    expect: &'t Expect,
    counts: Vec<u32>,
}

impl<'t> Shares<'t> {
    pub(super) fn of(expect: &'t Expect) -> Self {
        Self { expect, counts: vec![0; expect.shares.len()] }
    }

    pub(super) fn count(&mut self, answer: &Answer) {
        for ((name, _), count) in self.expect.shares.iter().zip(&mut self.counts) {
            let in_pool = answer.pools.iter().any(|pool| is_in(pool, name));
            let named = answer.endpoints.contains(name) || in_pool;
            *count += u32::from(named);
        }
    }

    /// Checks the shares over `answers` answers.
    ///
    /// # Errors
    /// A sentence on the first share that is wrong.
    pub(super) fn check(&self, answers: u32) -> Result<(), String> {
        for ((name, expected), count) in self.expect.shares.iter().zip(&self.counts) {
            let share = f64::from(*count) / f64::from(answers.max(1));
            // A share may lie exactly on the bound.
            if (share - expected).abs() > self.expect.within + 1e-9 {
                let within = self.expect.within;
                return Err(format!(
                    "expected {name} in {expected} of all answers, within {within}, but it was \
                     in {share}"
                ));
            }
        }
        Ok(())
    }
}
