//! Conversion between bytes and DNS messages.
//!
//! ```text
//! query bytes ─ Query::read ─▶ Query ─ (answer) ─▶ writer::Writer ─▶ response bytes
//! response bytes ─ Message::read ─▶ sections as text          (for people and tests)
//! presentation text ─ rdata::parse ─▶ RDATA ─ rdata::write_text ─▶ presentation text
//! ```
//!
//! Not here: what to answer (`answer`), where bytes come from (`transport`).

pub mod edns;
pub(crate) mod excerpt;
pub mod header;
pub mod kind;
pub mod message;
pub mod name;
pub mod qname;
pub mod query;
pub mod rdata;
pub mod writer;
