//! The rules that choose the endpoints of an answer.
//!
//! ```text
//! zone::Service ─ Plans::add ─▶ Plan                        (once per load)
//! Plan + client ─ Plan::route ─▶ Routed                    (per query: one look-up)
//! Routed + health::Board ─ Select::choose ─▶ Choice        (per query: `to`, states)
//! Choice ─ Select::draw ─▶ Picks                           (per query: weights, exactly)
//! ```
//!
//! A [`Plan`] is immutable and shared. Each worker keeps its own [`Draws`] from one query to the
//! next. No I/O, no clock, no allocation per query; the random source is an argument.

mod carry;
mod compile;
mod draw;
mod lines;
mod pick;
mod plan;
mod routes;
mod select;
mod standing;
mod sticky;
mod tiers;
mod trace;
mod twins;

pub use carry::Extent;
pub use draw::{Draws, Picks, Point, PointCounts, Stream};
pub use lines::Lines;
pub use plan::{Followed, Member, Plan, PlanPlace, PlanPool, Plans, Routed, Tier};
pub use routes::RouteTables;
pub use select::{Choice, Family, Mode, Select, Share};
pub use standing::{Standing, Way};
pub use trace::{Fate, PoolSeen, Step, Trace};
