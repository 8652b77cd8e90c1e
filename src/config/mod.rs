//! TOML and master files → [`Zone`](crate::zone::Zone), `waypost.toml` → [`ServerConfig`], with
//! every diagnostic at once.
//!
//! ```text
//! *.toml ─ decode ─▶ spec structs with spans ─ meaning ─┐
//!            │                                          ├─▶ zone::Zone
//! *.zone ─ master ─▶ records with places ───────────────┘
//!            └──────────▶ Diagnostic ◀── zone::Conflict, placed at the text that wrote the owner
//! ```
//!
//! A mistake costs only the part that it stands in: reading goes on, so that one run reports every
//! mistake. Not here: reading files and listing directories (through [`Files`]), compiling
//! (`snapshot`).

mod decode;
pub mod diagnostic;
pub mod files;
mod listen;
mod load;
pub mod master;
mod meaning;
mod render;
mod schema;
mod server;
mod spec;
mod words;

pub use decode::FILE_LEN_MAX;
pub use diagnostic::{DIAGNOSTICS_MAX, Diagnostic, Diagnostics, Severity, Source};
pub use files::Files;
pub use listen::parse_listen;
pub use load::{Allowed, Loaded, duplicate_zones, load_zone};
pub use render::render;
pub use schema::schema;
pub use server::{
    CookieSecrets, EncryptedConfig, GeoConfig, Identity, Limits, LogConfig, LogFormat, RateLimit,
    ServerConfig, StateFile, load_server,
};

#[cfg(test)]
mod tests;
