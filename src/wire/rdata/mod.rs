//! RDATA between presentation format and wire format, for every type by one table.
//!
//! ```text
//! text ─ token::tokens ─▶ words ─ read (table) ─▶ wire ─ print (table) ─▶ text
//!                              message ─ wire::expand (table) ─▶ wire
//! ```
//!
//! `table` says what fields a type has; `read`, `print` and `wire` know what to do with a
//! field, and nothing about types. RDATA here always has uncompressed names. Not here: owners,
//! TTLs and directives (`config::master`), compression on the way out (`wire::writer`).

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

/// Why a text is not RDATA.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RdataError {
    /// The bytes of the text that are wrong; empty where something is missing.
    pub at: Range<usize>,
    /// What was expected and what was found, lower case, no full stop.
    pub message: String,
}

#[cfg(test)]
mod tests;
