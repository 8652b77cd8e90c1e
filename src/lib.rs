//! Waypost: an authoritative DNS server that steers.

pub mod answer;
pub mod clock;
pub mod config;
pub mod health;
pub mod snapshot;
pub mod steering;
pub mod wire;
pub mod zone;
