//! Imports point downward only, and the lower layers touch nothing of the outside world.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The layers of lib.rs, lowest first.
const LAYERS: &[&[&str]] = &[
    &["wire", "clock", "x509"],
    &["zone", "geo", "health"],
    &["steering", "config"],
    &["snapshot"],
    &["answer"],
    &["explain"],
    &["trial"],
    &["transport", "checker", "observe"],
    &["server", "cli"],
];

/// The imports inside one layer that are intended.
const SIDEWAYS: &[(&str, &str)] =
    &[("x509", "wire"), ("health", "zone"), ("zone", "geo"), ("cli", "server")];

/// Names of I/O, threads and logs. No module below L5 may use them, but for `clock` and `config`.
const OUTSIDE: &[&str] = &[
    "std::fs",
    "std::io",
    "std::thread",
    "std::process",
    "std::env",
    "UdpSocket",
    "TcpStream",
    "TcpListener",
    "tokio::",
    "tracing::",
];

/// The files that may have `unsafe` code.
const UNSAFE: &[&str] = &["src/transport/udp/batch.rs", "src/server/memory.rs"];

/// Returns every Rust file below `directory`, sorted.
pub(crate) fn rust_files(directory: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(directory)];
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(&directory).expect("a readable folder") {
            let path = entry.expect("a readable folder").path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Returns the file's path as people write it, and its module directly below `src/`.
fn place(path: &Path) -> (String, String) {
    let inside = path.strip_prefix(env!("CARGO_MANIFEST_DIR")).expect("inside the package");
    let module = inside.iter().nth(1).expect("a file below src").to_string_lossy();
    (inside.display().to_string(), module.trim_end_matches(".rs").to_owned())
}

/// Returns the lines of a file that are neither comments nor inline tests, with their numbers.
fn code(path: &Path) -> Vec<(usize, String)> {
    let text = std::fs::read_to_string(path).expect("UTF-8");
    let lines = text.lines().enumerate().map(|(at, line)| (at + 1, line.to_owned()));
    let code = lines.take_while(|(_, line)| line != "mod tests {");
    code.filter(|(_, line)| !line.trim_start().starts_with("//")).collect()
}

fn is_test_file(path: &Path) -> bool {
    path.iter().any(|part| part == "tests" || part == "tests.rs")
}

fn layer_of(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

/// Returns the modules that a line names after `crate::`, inside braces, too.
fn imports(line: &str) -> BTreeSet<String> {
    let word = |text: &str| -> String {
        text.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect()
    };
    let mut found = BTreeSet::new();
    for (at, matched) in line.match_indices("crate::") {
        let rest = &line[at + matched.len()..];
        match rest.strip_prefix('{') {
            Some(list) => found.extend(list.split([',', '}']).map(|item| word(item.trim()))),
            None => drop(found.insert(word(rest))),
        }
    }
    found.retain(|name| !name.is_empty() && name.starts_with(|c: char| c.is_ascii_lowercase()));
    found
}

#[test]
fn imports_point_downward_only() {
    let mut upward = Vec::new();
    for path in rust_files("src").into_iter().filter(|path| !is_test_file(path)) {
        let (file, module) = place(&path);
        if matches!(module.as_str(), "lib" | "main") {
            continue;
        }
        let Some(layer) = layer_of(&module) else {
            upward.push(format!("{file}: `{module}` stands in no layer"));
            continue;
        };
        for (number, line) in code(&path) {
            for import in imports(&line).into_iter().filter(|import| *import != module) {
                let sideways = SIDEWAYS.contains(&(module.as_str(), import.as_str()));
                match layer_of(&import) {
                    Some(below) if below < layer || sideways => {}
                    _ => upward.push(format!("{file}:{number}: `{module}` uses `{import}`")),
                }
            }
        }
    }
    assert!(upward.is_empty(), "not downward:\n{}", upward.join("\n"));
}

#[test]
fn the_lower_layers_do_no_io() {
    let pure = [
        "wire", "x509", "zone", "geo", "health", "steering", "snapshot", "answer", "explain",
        "trial",
    ];
    let mut found = Vec::new();
    for path in rust_files("src").into_iter().filter(|path| !is_test_file(path)) {
        let (file, module) = place(&path);
        for (number, line) in code(&path) {
            let outside = OUTSIDE.iter().filter(|_| pure.contains(&module.as_str()));
            for word in outside.filter(|word| line.contains(**word)) {
                found.push(format!("{file}:{number}: `{module}` names `{word}`"));
            }
        }
    }
    assert!(found.is_empty(), "the outside world below L5:\n{}", found.join("\n"));
}

#[test]
fn no_lower_layer_reads_the_clock_and_two_files_are_unsafe() {
    let mut found = Vec::new();
    for path in rust_files("src").into_iter().filter(|path| !is_test_file(path)) {
        let (file, module) = place(&path);
        // These modules set their timers by the runtime's clock.
        let has_timers = matches!(module.as_str(), "transport" | "checker" | "server" | "cli");
        for (number, line) in code(&path) {
            let clock = line.contains("Instant::now(") || line.contains("SystemTime::now(");
            if clock && file != "src/clock.rs" && !has_timers {
                found.push(format!("{file}:{number}: reads the time"));
            }
            let is_unsafe = line.contains("unsafe {") || line.contains("unsafe fn");
            if is_unsafe && !UNSAFE.contains(&file.as_str()) {
                found.push(format!("{file}:{number}: unsafe"));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn every_form_of_import_is_seen() {
    let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(imports("use crate::wire::{name, kind};"), set(&["wire"]));
    assert_eq!(imports("use crate::{wire::name::Name, zone};"), set(&["wire", "zone"]));
    assert_eq!(
        imports("    let x = crate::answer::respond(crate::zone::Y);"),
        set(&["answer", "zone"])
    );
}
