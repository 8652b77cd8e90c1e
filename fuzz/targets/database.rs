#![no_main]
//! Feeds the fuzzer's octets to what `cargo test` replays the corpus through.

#[path = "../bodies/mod.rs"]
mod bodies;

libfuzzer_sys::fuzz_target!(|data: &[u8]| bodies::database::run(data));
