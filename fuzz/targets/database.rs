#![no_main]
//! Runs the body with the octets of the fuzzer; `cargo test` runs it with the corpus.

#[path = "../bodies/mod.rs"]
mod bodies;

libfuzzer_sys::fuzz_target!(|data: &[u8]| bodies::database::run(data));
