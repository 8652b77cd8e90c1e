//! Rules that a reader may rely on: sizes, names, and documents that name what exists.

use std::path::Path;

use crate::layers::rust_files;

const FILE_LINES_MAX: usize = 700;
const FUNCTION_LINES_MAX: usize = 70;
const COLUMNS_MAX: usize = 100;

/// Functions that may be longer, each with the reason; the list should shrink.
const LONG_FUNCTIONS: &[(&str, &str)] = &[
    ("a_mistake_is_named_at_its_place", "one table of mistakes in RDATA, a line each"),
    ("a_check_has_only_what_its_kind_understands", "one table of mistakes in checks"),
];

fn lines(path: &Path) -> Vec<String> {
    std::fs::read_to_string(path).expect("UTF-8").lines().map(str::to_owned).collect()
}

fn shown(path: &Path) -> String {
    path.strip_prefix(env!("CARGO_MANIFEST_DIR")).expect("inside").display().to_string()
}

fn all_files() -> Vec<std::path::PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = ["src", "tests", "examples", "benches", "fuzz/bodies", "fuzz/targets"];
    let present = folders.iter().filter(|folder| root.join(folder).is_dir());
    present.flat_map(|folder| rust_files(folder)).collect()
}

fn fail_if_any(found: Vec<String>) {
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn files_and_lines_are_short() {
    let mut found = Vec::new();
    for path in all_files() {
        let lines = lines(&path);
        if lines.len() > FILE_LINES_MAX {
            found.push(format!("{}: {} lines", shown(&path), lines.len()));
        }
        for (at, line) in lines.iter().enumerate() {
            if line.chars().count() > COLUMNS_MAX && !line.contains('"') {
                found.push(format!("{}:{}: longer than {COLUMNS_MAX}", shown(&path), at + 1));
            }
        }
    }
    fail_if_any(found);
}

/// Returns the name of the function that starts on this line, as rustfmt writes it.
fn function_name(line: &str) -> Option<&str> {
    let mut rest = line.trim_start();
    for word in ["pub ", "pub(crate) ", "pub(super) ", "const ", "async ", "unsafe "] {
        rest = rest.strip_prefix(word).unwrap_or(rest);
    }
    let name = rest.strip_prefix("fn ")?;
    name.split(['(', '<']).next()
}

#[test]
fn functions_fit_on_a_screen() {
    let mut found = Vec::new();
    for path in all_files() {
        let lines = lines(&path);
        for (start, line) in lines.iter().enumerate() {
            let Some(name) = function_name(line) else { continue };
            let indent = line.len() - line.trim_start().len();
            let close = format!("{}}}", " ".repeat(indent));
            let end = lines[start..].iter().position(|line| {
                *line == close || (line.starts_with(&close) && line.ends_with(';'))
            });
            let length = end.map_or(0, |end| end + 1);
            let excused = LONG_FUNCTIONS.iter().any(|(long, _)| *long == name);
            if length > FUNCTION_LINES_MAX && !line.ends_with(';') && !excused {
                found.push(format!("{}:{}: `{name}` has {length} lines", shown(&path), start + 1));
            }
        }
    }
    fail_if_any(found);
}

#[test]
fn nothing_is_left_for_later() {
    // The words are put together here, so that this file does not find itself.
    let later = [["TO", "DO"], ["FIX", "ME"], ["XX", "X"], ["todo", "!("], ["unimpl", "emented!("]]
        .map(|parts| parts.concat());
    let ignored = ["#[ign", "ore"].concat();
    let mut found = Vec::new();
    for path in all_files() {
        for (at, line) in lines(&path).iter().enumerate() {
            let words = later.iter().chain([&ignored]);
            for word in words.filter(|word| line.contains(word.as_str())) {
                found.push(format!("{}:{}: {word}", shown(&path), at + 1));
            }
        }
    }
    fail_if_any(found);
}

#[test]
fn names_say_what_a_thing_is() {
    let empty = ["manager", "handler", "util", "utils", "common", "misc", "helper", "helpers"];
    let mut found = Vec::new();
    for path in all_files() {
        let stem = path.file_stem().expect("a file").to_string_lossy().into_owned();
        if empty.contains(&stem.as_str()) {
            found.push(format!("{}: a file name that says nothing", shown(&path)));
        }
        for (at, line) in lines(&path).iter().enumerate() {
            let code = line.trim_start();
            let declared = ["struct ", "enum ", "trait ", "fn ", "mod "].iter().find_map(|word| {
                let (before, rest) = code.split_once(word)?;
                let is_item = before.is_empty() || before.starts_with("pub") || before == "async ";
                is_item.then(|| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next())?
            });
            let Some(name) = declared else { continue };
            let spelled = name.to_lowercase();
            let vague = empty.iter().any(|word| {
                spelled == *word
                    || spelled.ends_with(word)
                    || spelled.starts_with(&format!("{word}_"))
            });
            if vague || name.starts_with("get_") {
                found.push(format!("{}:{}: `{name}`", shown(&path), at + 1));
            }
        }
    }
    fail_if_any(found);
}

#[test]
fn every_path_in_the_documents_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for document in ["ARCHITECTURE.md", "CONTRIBUTING.md", "README.md"] {
        let text = std::fs::read_to_string(root.join(document))
            .unwrap_or_else(|error| panic!("{document}: {error}"));
        for word in text.split('`').skip(1).step_by(2) {
            let top = ["src/", "tests/", "docs/", "examples/", "zones/", ".ci/", "contrib/"];
            let is_path = top.iter().any(|top| word.starts_with(top));
            let plain = !word.contains(['*', '<', ' ', ',', '…', '{', ':']);
            if is_path && plain && !root.join(word).exists() {
                found.push(format!("{document}: `{word}` does not exist"));
            }
        }
    }
    fail_if_any(found);
}

/// Returns the identifiers that stand in backticks in a text, outside of blocks of code.
fn identifiers(text: &str) -> Vec<&str> {
    let prose = text.split("```").step_by(2);
    let quoted = prose.flat_map(|part| part.split('`').skip(1).step_by(2));
    let is_part = |part: &str| {
        let is_word = part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        is_word && part.starts_with(|c: char| c.is_ascii_alphabetic())
    };
    // A word alone is code if it is written as types or functions are.
    let is_code = |name: &&str| {
        let is_type = name.starts_with(|c: char| c.is_ascii_uppercase())
            && name.contains(|c: char| c.is_ascii_lowercase());
        name.split("::").all(is_part) && (name.contains("::") || name.contains('_') || is_type)
    };
    quoted.filter(is_code).collect()
}

/// Names in the documents on the code that are not of the code: the system's and others'.
const NAMES_OF_OTHERS: [&str; 6] =
    ["Accept", "IP_FREEBIND", "IPV6_FREEBIND", "SO_ERROR", "HealthCheckRequest", "dns_get_record"];

#[test]
fn every_identifier_in_the_documents_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut words = std::collections::HashSet::new();
    for path in all_files() {
        let text = std::fs::read_to_string(&path).expect("UTF-8");
        for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
            let found = line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            words.extend(found.map(str::to_owned));
        }
        words.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
        words.extend(path.iter().map(|part| part.to_string_lossy().into_owned()));
    }
    for name in ["Cargo.toml", "contrib/systemd/waypost.service"] {
        let text = std::fs::read_to_string(root.join(name)).expect("UTF-8").replace('-', "_");
        let found = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        words.extend(found.map(str::to_owned));
    }
    let decisions = std::fs::read_dir(root.join("docs/decisions")).expect("a folder");
    let decisions = decisions.map(|entry| entry.expect("an entry").path());
    let guides = ["ARCHITECTURE.md", "CONTRIBUTING.md"].map(|name| root.join(name));
    let mut found = Vec::new();
    for path in guides.into_iter().chain(decisions) {
        let text = std::fs::read_to_string(&path).expect("UTF-8");
        for name in identifiers(&text) {
            let is_known = |part| words.contains(part) || NAMES_OF_OTHERS.contains(&part);
            if !name.split("::").all(is_known) {
                found.push(format!("{}: `{name}` is not in the code", shown(&path)));
            }
        }
    }
    fail_if_any(found);
}
