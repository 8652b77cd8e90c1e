//! The words of one record's RDATA, taken one by one, and the errors about them.

use std::ops::Range;

use super::RdataError;
use super::token::Token;
use crate::wire::excerpt::excerpt;
use crate::wire::kind::Type;

/// The words of one record's RDATA that have not been read yet.
pub(super) struct Words<'t, 'a> {
    rest: &'t [Token<'a>],
    end: usize,
    rtype: Type,
}

impl<'t, 'a> Words<'t, 'a> {
    /// Wraps `tokens`. An error about a missing word points at `end`.
    pub(super) fn new(rtype: Type, tokens: &'t [Token<'a>], end: usize) -> Self {
        Self { rest: tokens, end, rtype }
    }

    /// Takes the next word; `None` if there is none.
    pub(super) fn next(&mut self) -> Option<&'t Token<'a>> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(first)
    }

    /// Returns whether no word is left.
    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Takes the next word.
    ///
    /// # Errors
    /// [`Words::missing`] if there is none.
    pub(super) fn take(&mut self, what: &str, expected: &str) -> Result<&'t Token<'a>, RdataError> {
        self.next().ok_or_else(|| self.missing(what, expected))
    }

    /// Makes the error that `what` is missing at the end.
    pub(super) fn missing(&self, what: &str, expected: &str) -> RdataError {
        RdataError {
            at: self.end..self.end,
            message: format!("the {} data ends before {what}; expected {expected}", self.rtype),
        }
    }

    /// Makes the error that `word` is not `what`.
    pub(super) fn unexpected(&self, word: &Token<'_>, what: &str, expected: &str) -> RdataError {
        RdataError {
            at: word.span.clone(),
            message: format!("expected {what}, {expected}; found `{}`", excerpt(word.text)),
        }
    }

    /// Takes all words that are left, and their place.
    pub(super) fn take_rest(&mut self) -> (&'t [Token<'a>], Range<usize>) {
        let span = self.span();
        (std::mem::take(&mut self.rest), span)
    }

    /// Returns the place of the words that are left.
    pub(super) fn span(&self) -> Range<usize> {
        match self.rest {
            [first, .., last] => first.span.start..last.span.end,
            [only] => only.span.clone(),
            [] => self.end..self.end,
        }
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// [`RdataError`] if words are left.
    pub(super) fn finish(&self) -> Result<(), RdataError> {
        let Some(extra) = self.rest.first() else { return Ok(()) };
        let message =
            format!("expected the end of the {} data, found `{}`", self.rtype, excerpt(extra.text));
        Err(RdataError { at: self.span(), message })
    }
}
