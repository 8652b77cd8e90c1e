//! Waypost: an authoritative DNS server that steers.

pub mod clock;
pub mod config;
pub mod health;
pub mod wire;
pub mod zone;
