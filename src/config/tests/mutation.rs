//! Random texts, and random edits of zones: each is read to its end, and is never refused without
//! an error.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::fixtures::{LARGE, SMALL};
use super::*;

/// Loads the text, and checks the properties that hold for every text.
fn load_any(text: &str) {
    let loaded = load_beside(&[
        ("zones/example.com.toml", text),
        ("zones/example.com.zone", "ns2 A 192.0.2.54\n"),
    ]);
    let placed =
        |found: &&Diagnostic| found.severity == Severity::Error && found.line_column().is_some();
    let errors = loaded.diagnostics.iter().filter(placed).count();
    assert_eq!(loaded.zone.is_none(), errors > 0, "{text}");
    assert!(render(&loaded.diagnostics, false).len() >= loaded.diagnostics.len());
}

/// Deletes, replaces or inserts some characters of `text`.
fn mutate(text: &str, edits: &[(prop::sample::Index, u8, String)]) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for (at, kind, piece) in edits {
        let at = at.index(chars.len() + 1);
        let end = (at + usize::from(*kind % 8)).min(chars.len());
        chars.splice(at..end, piece.chars());
    }
    chars.into_iter().collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn a_damaged_zone_file_loads_or_says_where_it_does_not(
        large in any::<bool>(),
        edits in prop::collection::vec(
            (any::<prop::sample::Index>(), any::<u8>(), prop_oneof![
                Just(String::new()),
                "[-\"'\\[\\]{}=,.#\n a-z0-9\\\\]{1,3}",
                "\\PC{1,2}",
            ]), 1..6),
    ) {
        load_any(&mutate(if large { LARGE } else { SMALL }, &edits));
    }

    #[test]
    fn any_text_loads_or_says_where_it_does_not(text in "(\\PC|[\n\t\r\\x00]){0,60}") {
        load_any(&text);
    }
}

#[test]
fn deep_nesting_is_refused_and_does_not_exhaust_the_stack() {
    let deep = 100_000;
    for text in [
        "[".repeat(deep),
        format!("zone = {}", "[".repeat(deep)),
        format!("zone = {}", "{a=".repeat(deep)),
        format!("{} = 1", vec!["a"; deep].join(".")),
        format!("[{}]", vec!["a"; deep].join(".")),
        format!("[services.web]\nroutes = [{{ to = {}", "{ split = [{ to = ".repeat(deep)),
    ] {
        let start = Instant::now();
        load_any(&text);
        assert!(start.elapsed() < Duration::from_secs(20), "{}", &text[..20]);
    }
}

#[test]
fn a_large_file_that_is_no_toml_at_all_is_known_by_its_beginning() {
    let (text, start) = ("; xxx\n".repeat(FILE_LEN_MAX / 6), Instant::now());
    let loaded = load_beside(&[("zones/example.com.toml", &text)]);
    // Two more say how many errors are not shown, and that reading ended early.
    assert_eq!(loaded.diagnostics.len(), DIAGNOSTICS_MAX + 2);
    assert!(loaded.zone.is_none());
    // To parse the whole text takes a minute in a build without optimizations.
    assert!(start.elapsed() < Duration::from_secs(20));
}

#[test]
fn a_file_that_is_too_large_is_refused() {
    let text = "#".repeat(FILE_LEN_MAX + 1);
    for path in ["zones/example.com.toml", "zones/example.com.zone"] {
        let loaded = load_beside(&[(path, &text)]);
        assert_eq!(loaded.diagnostics[0].message, "this file is larger than 64 MiB");
        assert!(loaded.zone.is_none());
    }
}
