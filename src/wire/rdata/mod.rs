//! Conversion of RDATA between presentation format and wire format; one table describes all types.
//!
//! ```text
//! text ─ token::tokens ─▶ words ─ read (table) ─▶ wire ─ print (table) ─▶ text
//!                              message ─ wire::expand (table) ─▶ wire
//! ```
//!
//! `table` lists the fields of each type. `read`, `print` and `wire` know the forms of fields, and
//! nothing about types. Names in RDATA here are never compressed. Not here: owner names, TTLs and
//! directives (`config::master`), compression of responses (`wire::writer`).

mod bitmap;
mod codes;
mod loc;
mod odd;
mod print;
mod read;
mod svcb;
mod table;
mod token;
mod wire;
mod words;

use std::ops::Range;

pub use codes::parse_period;
pub use print::write_text;
pub use read::{parse, parse_tokens, parse_value};
pub use svcb::{service_head, svc_key};
pub use token::{Token, logical_line, tokens};
pub(in crate::wire) use wire::expand_name;
pub use wire::{Compression, compression, expand, target_name, target_offset};

/// The reason why a text is not RDATA.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RdataError {
    /// The bytes of the text that are wrong; empty where something is missing.
    pub at: Range<usize>,
    /// The message: what was expected and what was found, in lower case, without a full stop.
    pub message: String,
}

#[cfg(test)]
mod tests;
