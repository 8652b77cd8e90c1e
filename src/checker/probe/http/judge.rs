//! Whether a response is as the check wants it, and what an agent says in it.

use crate::checker::probe::{Passed, Reason, Search};
use crate::zone::{Agent, HttpCheck, Pattern, StatusRange};

/// What a check wants of a response.
#[derive(Debug)]
pub(super) struct Judge {
    status: Vec<StatusRange>,
    body: Option<String>,
    pattern: Option<Pattern>,
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
    pub(super) fn new(check: &HttpCheck) -> Self {
        Self {
            status: check.status.clone(),
            body: check.body.clone(),
            pattern: check.body_regex.clone(),
            words: Words::Nowhere,
        }
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
    /// The status is not wanted.
    pub(super) fn hear<'h>(
        &self,
        status: u16,
        header: impl Fn(&str) -> Option<&'h [u8]>,
    ) -> Result<Hearing<'_>, Reason> {
        if !self.status.iter().any(|range| (range.first..=range.last).contains(&status)) {
            return Err(Reason::UnwantedStatus { found: status, wanted: self.status.clone() });
        }
        let said = match &self.words {
            Words::Header(name) => header(name).map(<[u8]>::to_vec),
            Words::Nowhere | Words::Body => None,
        };
        Ok(Hearing {
            status,
            said,
            listens: matches!(self.words, Words::Body),
            is_found: self.body.is_none(),
            pattern: self.pattern.as_ref(),
            search: Search::new(self.body.as_deref().unwrap_or_default().as_bytes()),
        })
    }
}

/// One response whose head is as wanted.
pub(super) struct Hearing<'j> {
    status: u16,
    /// What its header says for the agent.
    said: Option<Vec<u8>>,
    /// Whether its body speaks for the agent.
    listens: bool,
    is_found: bool,
    /// Judged at the end: an anchor such as `$` means the end of the body.
    pattern: Option<&'j Pattern>,
    search: Search<'j>,
}

impl Hearing<'_> {
    /// Whether nothing more of the body matters.
    pub(super) fn is_over(&self) -> bool {
        let is_judged = self.is_found && self.pattern.is_none();
        is_judged && (!self.listens || self.search.has_words()) || self.search.is_over()
    }

    /// The next piece of the body.
    pub(super) fn take(&mut self, piece: &[u8]) {
        self.is_found |= self.search.found_with(piece);
    }

    /// The body is over, or nothing more of it matters.
    pub(super) fn end(self) -> Result<Passed, Reason> {
        if !self.is_found {
            return Err(Reason::BodyLacksText);
        }
        if self.pattern.is_some_and(|pattern| !pattern.is_in(&self.search.seen)) {
            return Err(Reason::BodyLacksMatch);
        }
        let body = if self.listens { self.search.seen } else { Vec::new() };
        Ok(Passed { reason: Reason::Status(self.status), text: self.said.unwrap_or(body) })
    }
}
