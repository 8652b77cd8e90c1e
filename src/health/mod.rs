//! What is up: verdicts in, states out.
//!
//! ```text
//! checker ─ Verdict ─▶ Table::apply ─ rise/fall ─▶ State ─▶ Board bits ─▶ (answer reads them)
//! ```
//!
//! The control plane owns one [`Table`]; it alone changes states. Each compiled zone has one
//! [`Board`], a word of bits per 64 endpoints and family, which the data plane reads with one
//! atomic load. Not here: when to probe and how (`checker`), what a bit means for an answer
//! (`steering`).

mod board;
mod fingerprint;
mod guard;
#[cfg(test)]
mod simulation;
mod table;
mod tracker;

pub use board::{Bit, Board};
pub use guard::{GuardPolicy, Guarded};
pub use table::{Applied, Binding, Kept, Probed, Table, Turn};
pub use tracker::{State, Tracker, Turned, Verdict};
