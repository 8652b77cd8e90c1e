//! Rules over nouns: which endpoints an answer names.
//!
//! ```text
//! zone::Service ─ Plans::add ─▶ Plan                        (once per load)
//! Plan + health::Board ─ Select::pool ─▶ a usable pool     (per query: route, `to`, states)
//! pool ─ Select::draw ─▶ Picks                             (per query: weights, exactly)
//! ```
//!
//! A [`Plan`] is immutable and shared; what a worker remembers between draws is its own
//! [`Draws`]. No I/O, no clock, no allocation per query; the random source is an argument.

mod draw;
mod lines;
mod plan;
mod routes;
mod select;

pub use draw::{Draws, Picks, Point, PointCounts, Stream};
pub use lines::Lines;
pub use plan::{Member, Plan, PlanPlace, PlanPool, Plans, Tier};
pub use select::{Choice, Family, Select, Share};
