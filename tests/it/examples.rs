//! The zones of `examples/steering` are right, and their own tests hold.

use std::path::{Path, PathBuf};
use std::process::Command;

fn examples() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/steering");
    let entries = std::fs::read_dir(folder).expect("the examples");
    let mut found: Vec<PathBuf> = entries.map(|entry| entry.expect("a folder").path()).collect();
    found.sort();
    found
}

#[test]
fn every_example_passes_its_own_tests() {
    let examples = examples();
    assert!(examples.len() >= 6, "{examples:?}");
    for example in examples {
        let output = Command::new(env!("CARGO_BIN_EXE_waypost"))
            .arg("check")
            .current_dir(&example)
            .output()
            .expect("the binary runs");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        // The first line names the waypost.toml that was read, if there is one.
        let said_first = errors.lines().take_while(|line| line.starts_with("settings: ")).count();
        let warned = errors.lines().skip(said_first).collect::<Vec<_>>().join("\n");
        assert!(output.status.success() && warned.is_empty(), "{example:?}: {warned}");
        assert!(said.ends_with(" tests hold\n"), "{example:?}: {said}");
    }
}

#[test]
fn every_example_has_its_page() {
    for example in examples() {
        let name = example.file_name().expect("a name").to_string_lossy().into_owned();
        let page = format!("docs/steering/{name}.md");
        let zone = std::fs::read_to_string(example.join("zones/example.com.toml")).expect("a zone");
        assert!(zone.contains(&page), "{name} does not name {page}");
        let overview = std::fs::read_to_string(
            Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/steering/README.md"),
        );
        assert!(overview.expect("a page").contains(&format!("({name}.md)")), "{name}");
    }
}
