//! Waypost: an authoritative DNS server that steers.

pub mod checker;
pub mod clock;
pub mod health;
pub mod wire;
pub mod zone;
