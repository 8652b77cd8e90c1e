//! The integration tests: one binary, one module per subject.
//!
//! `dns`, `encrypted`, `presentation`, `server`, `backend` and `load` are the tools: DNS clients
//! that share no code with the server, the server as a process, the backends of its services, and
//! traffic. The other modules are the tests. They run the specification in `tests/scenarios/*.md`;
//! `tests/conformance` checks what the standards demand.

mod acceptance;
mod agreement;
mod backend;
mod command;
#[path = "../conformance/mod.rs"]
mod conformance;
mod demo;
mod differential;
mod dns;
mod encrypted;
mod encrypted_limits;
mod endurance;
mod examples;
mod executors;
mod explain;
mod faults;
mod fuzz;
mod generate;
mod held_down;
mod hostile;
mod init;
mod layers;
mod load;
mod located;
mod log;
mod model;
mod one_broken;
mod presentation;
mod scale;
mod scenario;
mod server;
mod settings;
mod shapes;
mod simulation;
mod sweep;
mod tidy;
mod transports;
mod trial;
mod words;
