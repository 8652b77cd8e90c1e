//! Runs every input of `fuzz/corpus` through the body of its fuzz target. The inputs are those that
//! once broke something, and one of each kind.

use std::path::Path;

#[path = "../../fuzz/bodies/mod.rs"]
mod bodies;

#[allow(clippy::print_stdout, reason = "the last line says which input it was")]
/// Runs each file of a corpus; if one fails, the last line of the output names it.
fn replay(target: &str, run: fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let entries = std::fs::read_dir(&corpus).expect("a corpus").map(|entry| entry.expect("entry"));
    let mut count = 0;
    for entry in entries {
        let data = std::fs::read(entry.path()).expect("an input");
        println!("{}", entry.path().display());
        run(&data);
        count += 1;
    }
    assert!(count >= 5, "{target} has {count} inputs");
}

#[test]
fn the_reader_of_queries_holds() {
    replay("query", bodies::query::run);
}

#[test]
fn the_waist_holds() {
    replay("respond", bodies::respond::run);
}

#[test]
fn edns_holds() {
    replay("edns", bodies::edns::run);
}

#[test]
fn zone_files_hold() {
    replay("zone_toml", bodies::zone_toml::run);
}

#[test]
fn latencies_hold() {
    replay("latencies", bodies::latencies::run);
}

#[test]
fn databases_hold() {
    replay("database", bodies::database::run);
}

#[test]
fn master_files_hold() {
    replay("master", bodies::master::run);
}
