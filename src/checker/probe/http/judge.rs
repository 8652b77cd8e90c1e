//! The judgement of a response by its check, and the words of an agent in it.

use serde_json::Value;

use crate::checker::probe::{Passed, Reason, Search};
use crate::zone::{Agent, HttpExpect, Pointer, Scalar};

/// A judge, which knows what a check wants of a response.
#[derive(Debug)]
pub(in crate::checker::probe) struct Judge {
    expect: HttpExpect,
    words: Words,
}

/// The place where an agent speaks.
#[derive(Debug)]
enum Words {
    /// Nowhere: it may not speak.
    Nowhere,
    Header(String),
    Body,
}

impl Judge {
    pub(in crate::checker::probe) fn new(expect: &HttpExpect) -> Self {
        Self { expect: expect.clone(), words: Words::Nowhere }
    }

    /// Lets it listen to `agent`, if there is one.
    pub(super) fn heard_by(self, agent: Option<&Agent>) -> Self {
        let words = match agent.map(|agent| &agent.header) {
            None => Words::Nowhere,
            Some(None) => Words::Body,
            Some(Some(name)) => Words::Header(name.clone()),
        };
        Self { words, ..self }
    }

    /// Begins with the head of a response; `header` returns the first field of a name, in any case
    /// of letters.
    ///
    /// # Errors
    /// [`Reason::UnwantedStatus`], or [`Reason::LacksHeader`] if a header is missing or has another
    /// value.
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

/// A response whose head is as wanted.
pub(in crate::checker::probe) struct Hearing<'j> {
    status: u16,
    /// The words of the agent in its header.
    said: Option<Vec<u8>>,
    /// Whether its body speaks for the agent.
    listens: bool,
    is_found: bool,
    expect: &'j HttpExpect,
    search: Search<'j>,
}

impl Hearing<'_> {
    /// Returns whether nothing more of the body matters.
    pub(in crate::checker::probe) fn is_over(&self) -> bool {
        // An anchor such as `$` means the end of the body, and JSON is nothing without its end.
        let needs_all = self.expect.body_regex.is_some() || !self.expect.json.is_empty();
        let is_judged = self.is_found && !needs_all;
        is_judged && (!self.listens || self.search.has_words()) || self.search.is_over()
    }

    /// Takes in the next piece of the body.
    pub(in crate::checker::probe) fn take(&mut self, piece: &[u8]) {
        self.is_found |= self.search.found_with(piece);
    }

    /// Judges the response, once its body is over or nothing more of it matters.
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

/// Judges whether every wanted place of `body` has the value that is wanted there.
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
        // 3 and 3.0 are one number; integers beyond 2^53 are compared as integers.
        (Value::Number(found), Scalar::Integer(number)) => {
            found.as_i64().map_or(found.as_f64() == Some(*number as f64), |found| found == *number)
        }
        _ => false,
    }
}
