//! What holds for any input at all: the bodies of the fuzz targets, which the tests replay every
//! file of `fuzz/corpus` through.

#![allow(dead_code, reason = "each fuzz target uses one of them")]

pub mod edns;
pub mod master;
pub mod query;
pub mod respond;
pub mod text;
pub mod zone_toml;
