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

mod binding;
mod board;
mod entry;
mod fingerprint;
mod guard;
mod overrides;
#[cfg(test)]
mod simulation;
mod spoken;
mod table;
#[cfg(test)]
mod tests;
mod tracker;

pub use binding::{Binding, EndpointName, Probed};
pub use board::{Adjusted, Bit, Board, Showing};
pub use guard::{GuardPolicy, Guarded};
pub use overrides::{Part, Subject};
pub use spoken::{AgentReply, IdleWord, Readiness, Spoken};
pub use table::{Applied, Concerned, Finding, Kept, Table, Turn};
pub use tracker::{State, Tracker, Turned, Verdict};
