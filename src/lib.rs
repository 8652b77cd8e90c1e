//! Waypost: an authoritative DNS server that steers.
//!
//! Point a domain's NS at it, and it answers service names with A, AAAA, HTTPS, SRV and CNAME
//! records, chosen by the client's place, weight and live health. This page is the map of the
//! crate.
//!
//! ```text
//! ── L0  needs nothing else in the crate
//!    wire       bytes ⇄ DNS messages: name, header, question, EDNS, RDATA, writer
//!    clock      the only file below L5 that reads the time
//!    x509       the validity, the names and the key of a certificate
//! ── L1  the nouns: pure values
//!    zone       Zone, Rrset, Service, Pool, Endpoint, Route, Check: valid by construction
//!    geo        prefix → place and autonomous system, and the prefix for which both hold
//!    health     rise/fall state machine, the table of states, the board of bits
//! ── L2  rules over nouns
//!    steering   the `to` algebra, routes, draws
//!    config     TOML and master files → zone::*, with every diagnostic
//! ── L3  snapshot   compile → immutable, numbered, indexed
//! ── L4  answer     query bytes → response bytes
//!        explain    the notes of the engine → the reasons for an answer
//!        trial      the tests of a zone, asked before it is served
//! ── L5  the outside world: I/O, threads, async
//!    transport  udp (a blocking thread per worker, batched), stream (TCP, TLS), encrypted
//!    checker    the probes and their schedule
//!    observe    the log
//! ── L6  server     composition: start, reload, stop
//!        cli        one file per command
//! ```
//!
//! Imports point downward only (`tests/it/layers.rs` fails on an upward one). L0–L4 do no I/O
//! and spawn nothing. Apart from `clock` itself they read no clock: they take `now` and the random
//! source as arguments. There are three planes. One hands data to another only by publishing a
//! whole value:
//!
//! ```text
//!  zones/*.toml ─ config ─ zone::Zone ─ snapshot::compile ─▶ Arc<Snapshot>, generation n  control
//!  checker probe ─ verdict ─▶ health::Table ─ turn ─▶ health::Board, one word a pool      health
//!  socket ▶ transport ▶ answer::Responder::respond(query, client, out) ▶ socket           data
//! ```

pub mod answer;
pub mod checker;
pub mod cli;
pub mod clock;
pub mod config;
pub mod explain;
pub mod geo;
pub mod health;
pub mod observe;
pub mod server;
pub mod snapshot;
pub mod steering;
pub mod transport;
pub mod trial;
pub mod wire;
pub mod x509;
pub mod zone;
