//! What holds for any input at all: the bodies of the fuzz targets, which the tests replay every
//! file of `fuzz/corpus` through.

#![allow(dead_code, reason = "each fuzz target uses one of them")]

pub(crate) mod database;
pub(crate) mod edns;
pub(crate) mod latencies;
pub(crate) mod master;
pub(crate) mod query;
pub(crate) mod respond;
pub(crate) mod text;
pub(crate) mod zone_toml;
