//! Comments in plain words, as far as a machine can tell: headlines that begin as they should.

use std::path::Path;

use crate::layers::rust_files;

/// Words with which no headline begins: they open a clause that has no subject.
const OPENINGS: [&str; 10] =
    ["What", "Who", "Whose", "Whom", "Where", "How", "Why", "When", "Which", "The same"];

/// Words that end as verbs do and are none.
const NO_VERBS: [&str; 14] = [
    "This", "Its", "As", "Is", "Has", "Those", "Less", "Yes", "Was", "Does", "Ways", "Us", "Names",
    "Needs",
];

/// The types of a value that is true or false.
const TRUTHS: [&str; 2] = ["bool", "AtomicBool"];

/// A doc comment's first line, with what it documents.
struct Headline<'a> {
    text: &'a str,
    /// Whether it is of the file itself (`//!`).
    is_of_module: bool,
    /// The lines of code that follow, from the item on.
    code: &'a [&'a str],
}

impl Headline<'_> {
    /// Returns the first word.
    fn first(&self) -> &str {
        let end = self.text.find(|c: char| !c.is_alphanumeric() && !"`_'-".contains(c));
        &self.text[..end.unwrap_or(self.text.len())]
    }

    /// Returns whether it is of a function.
    fn is_of_function(&self) -> bool {
        let Some(mut rest) = self.code.first().map(|line| line.trim_start()) else { return false };
        for word in ["pub", "(crate)", "(super)", "(in crate::checker)", " ", "default "] {
            rest = rest.strip_prefix(word).unwrap_or(rest);
        }
        for word in ["const ", "async ", "unsafe ", "extern \"C\" "] {
            rest = rest.strip_prefix(word).unwrap_or(rest);
        }
        !self.is_of_module && rest.starts_with("fn ")
    }

    /// Returns whether what it documents is true or false, or returns that.
    fn is_of_truth(&self) -> bool {
        let lines = if self.is_of_function() { 10 } else { 1 };
        let item: String = self.code.iter().take(lines).copied().collect::<Vec<_>>().join(" ");
        let item = if self.is_of_function() { item.split('{').next().unwrap_or("") } else { &item };
        let words = item.split(|c: char| !c.is_alphanumeric());
        words.into_iter().any(|word| TRUTHS.contains(&word))
    }

    /// Returns the rule that it breaks.
    fn fault(&self) -> Option<&'static str> {
        let begins = |opening: &&str| {
            let rest = self.text.strip_prefix(*opening);
            rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
        };
        let first = self.first();
        let is_verb = first.ends_with('s') && !NO_VERBS.contains(&first);
        match () {
            () if OPENINGS.iter().any(begins) => Some("opens without a subject"),
            () if first == "Whether" && !self.is_of_truth() => Some("`Whether`, but of no bool"),
            () if first != "Whether" && self.is_of_function() && !is_verb => {
                Some("a function's headline begins with a verb")
            }
            () => None,
        }
    }
}

/// Returns the headlines of a file, with their line numbers.
fn headlines<'a>(lines: &'a [&'a str]) -> Vec<(usize, Headline<'a>)> {
    let comment = |line: &'a str| {
        let line = line.trim_start();
        let text = line.strip_prefix("///").or_else(|| line.strip_prefix("//!"))?;
        Some((text.strip_prefix(' ').unwrap_or(text), line.starts_with("//!")))
    };
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let is_first = at == 0 || comment(lines[at - 1]).is_none();
        let Some((text, is_of_module)) = comment(line).filter(|_| is_first) else { continue };
        found.push((at + 1, Headline { text, is_of_module, code: item(&lines[at..]) }));
    }
    found
}

/// Returns the lines from the item on that a doc comment at the start of `lines` is of.
fn item<'a>(lines: &'a [&'a str]) -> &'a [&'a str] {
    let mut at = 0;
    while let Some(line) = lines.get(at).map(|line| line.trim_start()) {
        let is_attribute = line.starts_with("#[") || line.starts_with("#!");
        if !line.starts_with("//") && !is_attribute {
            break;
        }
        // An attribute may go on over lines.
        while is_attribute && lines.get(at).is_some_and(|line| !line.trim_end().ends_with(']')) {
            at += 1;
        }
        at += 1;
    }
    lines.get(at..).unwrap_or(&[])
}

#[test]
fn headlines_begin_with_a_verb_or_a_noun() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = ["src", "tests", "examples", "benches", "fuzz/bodies", "fuzz/targets"];
    let mut found = Vec::new();
    for path in folders.iter().flat_map(|folder| rust_files(folder)) {
        let text = std::fs::read_to_string(&path).expect("UTF-8");
        let name = path.strip_prefix(root).expect("inside").display().to_string();
        let lines: Vec<&str> = text.lines().collect();
        for (at, headline) in headlines(&lines) {
            if let Some(fault) = headline.fault() {
                found.push(format!("{name}:{at}: {fault}: {}", headline.text));
            }
        }
    }
    assert!(found.is_empty(), "{} headlines\n{}", found.len(), found.join("\n"));
}

#[test]
fn the_rules_find_what_they_are_for() {
    let fault = |text: &str| {
        let lines: Vec<&str> = text.lines().collect();
        headlines(&lines)[0].1.fault()
    };
    assert_eq!(fault("/// What is read.\nstruct A;"), Some("opens without a subject"));
    assert_eq!(fault("/// Whatever is read.\nstruct A;"), None);
    assert_eq!(fault("/// The words.\n#[inline]\nfn a() {}"), fault("/// This.\npub fn a() {}"));
    assert!(fault("/// The words.\n#[inline]\nfn a() {}").is_some());
    assert_eq!(fault("/// Returns the words.\npub(crate) const fn a() {}"), None);
    assert!(fault("/// Whether it is.\nfn a() -> usize {").is_some());
    assert_eq!(fault("/// Whether it is.\nis: bool,"), None);
}
