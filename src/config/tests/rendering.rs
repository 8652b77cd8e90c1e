//! The form of diagnostics for people.

use super::fixtures::EIGHT_MISTAKES;
use super::*;

#[test]
fn a_diagnostic_shows_the_place_the_text_and_what_to_do() {
    let text = render(&load(EIGHT_MISTAKES).diagnostics, false);
    let expected = "\
error: unknown key `adress`
  --> zones/example.com.toml:17:5
   |
17 |   { adress = \"192.0.2.11\", weight = 70000 },
   |     ^^^^^^
   |
   = help: did you mean \"address\"?

error: expected a whole number from 0 to 65535, found the number 70000
  --> zones/example.com.toml:17:37
   |
17 |   { adress = \"192.0.2.11\", weight = 70000 },
   |                                     ^^^^^

";
    assert!(text.contains(expected), "{text}");
    assert!(text.ends_with("\n\n8 errors\n"), "{text}");
}

#[test]
fn labels_warnings_and_places_elsewhere_are_shown() {
    let text = "[services.web]\nttl = \"1s\"\n";
    let mut diagnostics = load(&format!("{HEAD}{text}")).diagnostics;
    diagnostics.push(Diagnostic::unplaced("cannot read zones: no such directory"));
    assert_eq!(
        render(&diagnostics, false),
        "\
error: this service has no endpoints
 --> zones/example.com.toml:3:11
  |
3 | [services.web]
  |           ^^^ needs `endpoints = [\"192.0.2.1\"]` or pools

warning: some resolvers keep every answer for at least 5s
 --> zones/example.com.toml:4:7
  |
4 | ttl = \"1s\"
  |       ^^^^

error: cannot read zones: no such directory

2 errors, 1 warning
"
    );
    assert_eq!(render(&[], false), "");
}

#[test]
fn columns_count_characters_and_control_characters_are_not_printed() {
    let loaded = load(&format!("{HEAD}\"é\" = 1 # x\n\"\\u001b[31m\" = 1\n"));
    assert_eq!(loaded.diagnostics[0].line_column(), Some((3, 1)));
    let text = render(&loaded.diagnostics, false);
    assert!(!text.contains('\u{1b}'), "{text:?}");
    let loaded = load("zone = \"\u{9b}31m\u{80}\" x");
    let text = render(&loaded.diagnostics, false);
    assert!(!text.contains(|c: char| c.is_control() && c != '\n'), "{text:?}");
    assert!(text.contains("¿31m¿"), "{text}");
    let loaded = load("zone = \"é\"; x");
    assert_eq!(loaded.diagnostics[0].line_column(), Some((1, 11)));
    assert!(render(&loaded.diagnostics, false).contains("example.com.toml:1:11"));
}

#[test]
fn color_is_there_when_asked_for() {
    assert!(render(&load("").diagnostics, true).contains('\u{1b}'));
    assert!(!render(&load("").diagnostics, false).contains('\u{1b}'));
}
