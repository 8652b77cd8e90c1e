//! Files → zones, with every diagnostic.

pub mod diagnostic;
pub mod files;
pub mod master;
