//! The language of the files: each TOML table is exactly one struct here.
//!
//! Editors and the JSON Schema show the doc comment of a field. The type of the field carries its
//! range, and a constant beside it its default. Not here: what the values mean together (`build`,
//! `server`).

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
