//! Files of hostile shapes: the cost of reading one stays in bounds, whatever it holds.

use std::process::{Command, Stdio};

/// The most processor time that one file may take, in seconds. The slowest takes a tenth of it in
/// a build for tests; a cost that grows by the square of a file takes far more.
const CPU_MAX: u64 = 30;

/// The most memory that one file may take, in octets, beside sixteen times its size.
const MEMORY_MAX: u64 = 1 << 30;

/// The longest text that may be printed about one file, in octets.
const PRINTED_LEN_MAX: usize = 128 << 10;

const HEAD: &str = "zone = \"example.com\"\nnameservers = [\"ns.example.net.\"]\n";

/// Returns names of files, with their contents.
fn shapes() -> Vec<(&'static str, String)> {
    let many =
        |count: usize, line: fn(usize) -> String| -> String { (0..count).map(line).collect() };
    vec![
        ("word.zone", format!("# {}", "x".repeat(16 << 20))),
        ("word.toml", "x".repeat(16 << 20)),
        ("key.toml", format!("{HEAD}{} = 1\n", "x".repeat(4 << 20))),
        ("line.zone", "x ".repeat(8 << 20)),
        ("line.toml", format!("{HEAD}[records]\na = {{ A = [{}] }}\n", "\"x\", ".repeat(1 << 20))),
        (
            "mistakes.toml",
            format!("{HEAD}[records]\na = {{ A = [{}] }}\n", "\"1.2.3\",".repeat(20_000)),
        ),
        ("keys.toml", format!("{HEAD}{}", many(20_000, |n| format!("key{n} = 1\n")))),
        ("twice.toml", format!("{HEAD}{}", many(100_000, |_| "ttl = \"1h\"\n".to_owned()))),
        ("lone.toml", many(100_000, |n| format!("key{n}\n"))),
        ("notes.toml", "; xxx\n".repeat(1 << 20)),
        ("brackets.toml", "[".repeat(100_000)),
        ("list.toml", format!("a = {}", "[".repeat(100_000))),
        ("brackets.zone", "[".repeat(100_000)),
        ("parentheses.zone", "(".repeat(100_000)),
        ("closing.toml", "]".repeat(1 << 20)),
        ("quotes.toml", "\"".repeat(1 << 20)),
        ("quotes.zone", "\"".repeat(1 << 20)),
        ("newlines.toml", "\n".repeat(16 << 20)),
        ("newlines.zone", "\n".repeat(16 << 20)),
        ("mistakes.zone", "a A x\n".repeat(1 << 20)),
        (
            "services.toml",
            format!(
                "{HEAD}{}",
                many(5_000, |n| format!(
                    "[services.s{n}]\ncheck = \"none{n}\"\nendpoints = [\"192.0.2.1\"]\n"
                ))
            ),
        ),
        (
            "checks.toml",
            format!(
                "{HEAD}{}",
                many(5_000, |n| format!(
                    "[checks.c{n}]\nkind = \"tcp\"\nport = 1\n[services.s{n}]\n\
                     check = \"d{n}\"\nendpoints = [\"192.0.2.1\"]\n"
                ))
            ),
        ),
    ]
}

#[test]
fn no_shape_of_a_file_takes_time_or_memory_beyond_its_size() {
    for (name, text) in shapes() {
        let directory = tempfile::tempdir().expect("a directory");
        std::fs::write(directory.path().join(name), &text).expect("the directory is ours");
        let memory = MEMORY_MAX + 16 * text.len() as u64;
        let mut check = Command::new("prlimit");
        check.arg(format!("--cpu={CPU_MAX}")).arg(format!("--as={memory}"));
        check.arg(env!("CARGO_BIN_EXE_waypost")).arg("check").arg(directory.path());
        let output = check.stdin(Stdio::null()).output().expect("util-linux is here");
        assert_eq!(output.status.code(), Some(1), "{name}: {:?}", output.status);
        let printed = String::from_utf8_lossy(&output.stderr);
        assert!(printed.contains("error: "), "{name}: {printed}");
        assert!(printed.len() < PRINTED_LEN_MAX, "{name}: {} octets", printed.len());
    }
}
