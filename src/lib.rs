//! Waypost: an authoritative DNS server that steers.

pub mod clock;
pub mod health;
pub mod transport;
pub mod wire;
pub mod zone;
