//! Properties that hold for any input at all: the bodies of the fuzz targets. The tests replay
//! every file of `fuzz/corpus` through them.

#![allow(dead_code, reason = "each fuzz target uses one of them")]

pub(crate) mod database;
pub(crate) mod edns;
pub(crate) mod latencies;
pub(crate) mod master;
pub(crate) mod query;
pub(crate) mod respond;
pub(crate) mod text;
pub(crate) mod zone_toml;
