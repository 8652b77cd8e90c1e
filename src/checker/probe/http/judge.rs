//! Whether a response is as the check wants it, and what an agent says in it.

use serde_json::Value;

use crate::checker::probe::{Passed, Reason, Search};
use crate::zone::{Agent, HttpExpect, Pointer, Scalar};

/// What a check wants of a response.
#[derive(Debug)]
pub(in crate::checker::probe) struct Judge {
    expect: HttpExpect,
    words: Words,
}

/// Where an agent speaks.
#[derive(Debug)]
enum Words {
    /// It may not.
    Nowhere,
    Header(String),
    Body,
}

impl Judge {
    pub(in crate::checker::probe) fn new(expect: &HttpExpect) -> Self {
        Self { expect: expect.clone(), words: Words::Nowhere }
    }

    /// The same, with what `agent` may say.
    pub(super) fn heard_by(self, agent: Option<&Agent>) -> Self {
        let words = match agent.map(|agent| &agent.header) {
            None => Words::Nowhere,
            Some(None) => Words::Body,
            Some(Some(name)) => Words::Header(name.clone()),
        };
        Self { words, ..self }
    }

    /// Begins with the head of a response, of which `header` gives the first field of a name,
    /// whatever its case.
    ///
    /// # Errors
    /// The status is not wanted, or a header is missing.
    pub(in crate::checker::probe) fn hear<'h>(
        &self,
        status: u16,
        header: impl Fn(&str) -> Option<&'h [u8]>,
    ) -> Result<Hearing<'_>, Reason> {
        let HttpExpect { status: wanted, headers, body, .. } = &self.expect;
        if !wanted.iter().any(|range| (range.first..=range.last).contains(&status)) {
            return Err(Reason::UnwantedStatus { found: status, wanted: wanted.clone() });
        }
        for (name, value) in headers {
            if header(name).map(<[u8]>::trim_ascii) != Some(value.as_bytes().trim_ascii()) {
                return Err(Reason::LacksHeader(name.clone()));
            }
        }
        let said = match &self.words {
            Words::Header(name) => header(name).map(<[u8]>::to_vec),
            Words::Nowhere | Words::Body => None,
        };
        Ok(Hearing {
            status,
            said,
            listens: matches!(self.words, Words::Body),
            is_found: body.is_none(),
            expect: &self.expect,
            search: Search::new(body.as_deref().unwrap_or_default().as_bytes()),
        })
    }
}

/// One response whose head is as wanted.
pub(in crate::checker::probe) struct Hearing<'j> {
    status: u16,
    /// What its header says for the agent.
    said: Option<Vec<u8>>,
    /// Whether its body speaks for the agent.
    listens: bool,
    is_found: bool,
    expect: &'j HttpExpect,
    search: Search<'j>,
}

impl Hearing<'_> {
    /// Whether nothing more of the body matters.
    pub(in crate::checker::probe) fn is_over(&self) -> bool {
        // An anchor such as `$` means the end of the body, and JSON is nothing without it.
        let needs_all = self.expect.body_regex.is_some() || !self.expect.json.is_empty();
        let is_judged = self.is_found && !needs_all;
        is_judged && (!self.listens || self.search.has_words()) || self.search.is_over()
    }

    /// The next piece of the body.
    pub(in crate::checker::probe) fn take(&mut self, piece: &[u8]) {
        self.is_found |= self.search.found_with(piece);
    }

    /// The body is over, or nothing more of it matters.
    pub(in crate::checker::probe) fn end(self) -> Result<Passed, Reason> {
        let seen = &self.search.seen;
        if !self.is_found {
            return Err(Reason::BodyLacksText);
        }
        if self.expect.body_regex.as_ref().is_some_and(|pattern| !pattern.is_in(seen)) {
            return Err(Reason::BodyLacksMatch);
        }
        if !self.expect.json.is_empty() {
            judge_json(seen, &self.expect.json)?;
        }
        let body = if self.listens { self.search.seen } else { Vec::new() };
        let text = self.said.unwrap_or(body);
        Ok(Passed { text, ..Passed::silent(Reason::Status(self.status)) })
    }
}

/// Whether every place of `body` has the value that is wanted there.
fn judge_json(body: &[u8], wanted: &[(Pointer, Scalar)]) -> Result<(), Reason> {
    let document: Value = serde_json::from_slice(body).map_err(|_| Reason::BodyNotJson)?;
    let lacks = |(pointer, scalar): &&(Pointer, Scalar)| {
        !document.pointer(pointer.as_str()).is_some_and(|value| is(value, scalar))
    };
    let lacking = wanted.iter().find(lacks);
    lacking.map_or(Ok(()), |(pointer, _)| Err(Reason::BodyHasOther(pointer.clone())))
}

fn is(value: &Value, scalar: &Scalar) -> bool {
    match (value, scalar) {
        (Value::String(found), Scalar::Text(text)) => found == text,
        (Value::Bool(found), Scalar::Truth(truth)) => found == truth,
        // 3 and 3.0 are one number; integers beyond 2^53 are compared as such.
        (Value::Number(found), Scalar::Integer(number)) => {
            found.as_i64().map_or(found.as_f64() == Some(*number as f64), |found| found == *number)
        }
        _ => false,
    }
}
