//! The language of the files: each TOML table is exactly one struct here.
//!
//! `config::load` and `config::server` decode these structs; `config::meaning` and `config::server`
//! take them apart. Editors and the JSON Schema show the doc comment of a zone file's field, so
//! `docs/zone.schema.json` changes with it. The type of the field carries its range, and a constant
//! beside it its default. What a type decodes and what its schema describes must agree. Not here:
//! what the values mean together (`meaning`, `server`).

pub(crate) mod check;
pub(crate) mod endpoint;
pub(crate) mod network;
pub(crate) mod place;
pub(crate) mod records;
pub(crate) mod reply;
pub(crate) mod route;
pub(crate) mod server;
pub(crate) mod service;
pub(crate) mod test;
pub(crate) mod zone;
