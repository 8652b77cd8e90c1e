//! The language of the files: each TOML table is one struct here, and nowhere else.
//!
//! The doc comment of a field is what an editor shows and what the JSON Schema says; its type
//! carries its range, and a constant beside it its default. Not here: what the values mean
//! together (`build`, `server`).

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
