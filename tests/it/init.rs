//! `waypost init`: the zone that it writes works at once, and no file that exists is lost.

use std::path::Path;
use std::process::{Command, Output};

fn waypost(directory: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_waypost"))
        .args(arguments)
        .current_dir(directory)
        .output()
        .expect("the binary runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_new_zone_is_right_and_has_tests_that_hold() {
    let endpoints = ["--endpoint", "192.0.2.1", "--endpoint", "2001:db8::1", "--endpoint"];
    let mixed = [&endpoints[..], &["192.0.2.2", "--port", "80"]].concat();
    let cases: [(&[&str], &str); 4] = [
        (&[], "2 endpoints, 2 tests hold"),
        (&mixed, "3 endpoints, 2 tests hold"),
        (&["--endpoint", "2001:db8::1"], "1 endpoint, 1 test holds"),
        (&["--zones", "else/where"], "2 endpoints, 2 tests hold"),
    ];
    for (arguments, holds) in cases {
        let directory = tempfile::tempdir().expect("a directory");
        let output = waypost(directory.path(), &[&["init", "Shop.test."], arguments].concat());
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        let said = text(&output.stdout);
        assert!(said.contains("shop.test.toml is written"), "{said}");
        let next: Vec<&str> = said.lines().filter(|line| line.starts_with("  ")).collect();
        assert_eq!(next.len(), 3, "{said}");
        for line in &next[..2] {
            let words: Vec<&str> = line.split_whitespace().skip(1).collect();
            let output = waypost(directory.path(), &words);
            let (said, warned) = (text(&output.stdout), text(&output.stderr));
            assert!(output.status.success() && warned.is_empty(), "{words:?}: {said}{warned}");
            if words[0] == "check" {
                assert!(said.contains(holds), "{said}");
            }
        }
    }
}

#[test]
fn a_file_that_is_there_is_not_overwritten() {
    let directory = tempfile::tempdir().expect("a directory");
    let zones = directory.path().join("zones");
    std::fs::create_dir(&zones).expect("the directory is ours");
    for (file, reason) in [
        ("a.test.toml", "a.test.toml is there already, and init overwrites nothing"),
        ("b.test.zone", "b.test.zone holds the zone b.test already"),
    ] {
        std::fs::write(zones.join(file), "mine").expect("the directory is ours");
        let output = waypost(directory.path(), &["init", &file[..6]]);
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output.stderr).contains(reason), "{output:?}");
        assert_eq!(std::fs::read_to_string(zones.join(file)).expect("it is there"), "mine");
    }
    assert_eq!(std::fs::read_dir(&zones).expect("it is there").count(), 2);
}

#[test]
fn a_name_that_is_none_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    for name in ["a/b", "..", ".", "b ad", "bücher.example"] {
        let output = waypost(directory.path(), &["init", name]);
        assert_eq!(output.status.code(), Some(2), "{name}: {output:?}");
    }
    let twice = ["init", "a.test", "--endpoint", "192.0.2.1", "--endpoint", "192.0.2.1"];
    let output = waypost(directory.path(), &twice);
    assert!(text(&output.stderr).contains("192.0.2.1 is given twice"), "{output:?}");
    assert!(std::fs::read_dir(directory.path()).expect("it is ours").next().is_none());
}
