//! The states of endpoints: verdicts in, states out.
//!
//! ```text
//! checker ─ Verdict ─▶ Table::apply ─ rise/fall ─▶ State ─▶ Board bits ─▶ (answer reads them)
//! ```
//!
//! The control plane owns one [`Table`], which alone changes states. Each compiled zone has one
//! [`Board`], with a word of bits per 64 endpoints and family. The data plane reads a word with one
//! atomic load. The `checker` decides when and how to probe; `steering` decides what a bit means
//! for an answer.

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
