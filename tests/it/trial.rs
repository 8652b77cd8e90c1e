//! `[[tests]]` of a zone file: `check` and a reload run them, and tell failures from mistakes.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::dns::{Question, Udp};
use crate::server::TestServer;

const PATIENCE: Duration = Duration::from_secs(20);

const ZONE: &str = r#"zone = "example.com"
nameservers = ["ns1"]
clients = { deny = "203.0.113.66" }
client_subnet = "203.0.113.53"
[records]
ns1 = { A = "192.0.2.53" }
blog = { CNAME = "web" }
mail = { MX = ["10 mx", "20 mx.example.net."] }
mx = { A = "192.0.2.25" }
[services.web]
[services.web.pools.eu]
endpoints = [
  { name = "fra1", address = "192.0.2.11", weight = 3 },
  { name = "ams1", address = ["198.51.100.7", "2001:db8:7::1"] },
]
[services.web.pools.us]
endpoints = [{ name = "iad1", address = "203.0.113.9" }, { name = "iad2", address = "203.0.113.10" }]
[[services.web.routes]]
from = { net = "198.51.100.0/24" }
to = { split = { eu = 9, us = 1 } }
[[services.web.routes]]
to = ["eu", "us"]
"#;

/// Returns whether `check` finds the zone right with these tests, and its output.
fn check(tests: &str) -> (bool, String) {
    check_zone(&format!("{ZONE}{tests}"))
}

/// Returns whether `check` finds `zone` right, and its output.
fn check_zone(zone: &str) -> (bool, String) {
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::write(directory.path().join("example.com.toml"), zone).expect("the directory is ours");
    let output = Command::new(env!("CARGO_BIN_EXE_waypost"))
        .args(["check", "."])
        .current_dir(directory.path())
        .stdin(Stdio::null())
        .output()
        .expect("the binary runs");
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(text).expect("text"))
}

fn test(query: &str, more: &str) -> String {
    format!("[[tests]]\nquery = \"{query}\"\n{more}\n")
}

#[test]
fn a_nested_service_is_expected_by_name_and_is_down_wherever_it_is() {
    let zone = "
[services.outer.pools]
main = { endpoints = [{ service = \"web\", weight = 3 }, { service = \"spare\", weight = 1 }] }
[services.spare]
endpoints = [{ name = \"spare1\", address = \"192.0.2.99\" }]
";
    let tests = [
        (
            "outer A",
            r#"expect = { pool = "main", shares = { "main/spare" = 0.25, "main/web" = 0.75 } }"#,
        ),
        ("outer A", "down = \"spare\"\nexpect = { pool = \"main/web/eu\" }"),
        ("outer A", "down = \"spare/spare1\"\nexpect = { never = \"192.0.2.99\" }"),
        ("spare A", "down = [\"outer/spare1\"]\nexpect = { exactly = \"192.0.2.99\" }"),
        ("outer A", "down = [\"web\", \"spare\"]\nexpect = { pool = \"main\" }"),
    ];
    let tests: String = tests.iter().map(|(query, more)| test(query, more)).collect();
    let (is_right, text) = check(&format!("{zone}{tests}"));
    assert!(is_right, "{text}");
    assert!(text.contains("3 services, 5 endpoints, 5 tests hold"), "{text}");
}

#[test]
fn what_is_as_expected_passes() {
    let tests = [
        ("web A", r#"expect = { pool = "eu", among = ["192.0.2.11", "198.51.100.7"] }"#),
        ("web", r#"expect = { shares = { fra1 = 0.75, ams1 = 0.25, eu = 1 } }"#),
        ("web AAAA", r#"expect = { exactly = "2001:DB8:7::0:1", rcode = "NOERROR" }"#),
        ("web A", "down = \"web/fra1\"\nexpect = { exactly = \"198.51.100.7\" }"),
        (
            "web A",
            "down = [\"web/fra1\", \"web/ams1\"]\n\
             expect = { pool = \"us\", shares = { iad1 = 0.5 } }",
        ),
        ("web A", "down = \"web\"\nexpect = { pool = \"eu\" }"),
        (
            "web A",
            "client = \"198.51.100.9\"\nexpect = { pool = [\"eu\", \"us\"], \
             shares = { us = 0.1, eu = 0.9, fra1 = 0.675 } }",
        ),
        // The resolver at 203.0.113.53 is believed in its client subnet; others are not.
        (
            "web A",
            "client = \"203.0.113.53\"\nsubnet = \"198.51.100.0/24\"\n\
             expect = { shares = { us = 0.1 } }",
        ),
        (
            "web A",
            "client = \"203.0.113.54\"\nsubnet = \"198.51.100.0/24\"\n\
             expect = { never = [\"203.0.113.9\", \"203.0.113.10\"] }",
        ),
        ("web A", "client = \"203.0.113.66\"\nexpect = { rcode = \"REFUSED\" }"),
        ("blog", "expect = { pool = \"eu\" }"),
        ("blog CNAME", "expect = { exactly = \"web\" }"),
        ("mail MX", r#"expect = { exactly = ["10 mx", "20 mx.example.net."] }"#),
        ("nowhere", "expect = { rcode = \"NXDOMAIN\" }"),
        ("web TXT", "expect = { rcode = \"NODATA\" }"),
        ("@ NS", "expect = { exactly = [\"ns1.example.com\"] }"),
    ];
    let text: String = tests.iter().map(|(query, more)| test(query, more)).collect();
    let (passes, output) = check(&text);
    assert!(passes, "{output}");
    let expected = format!(".: 1 zone, 1 service, 4 endpoints, {} tests hold\n", tests.len());
    assert_eq!(output, expected);
}

#[test]
fn what_is_not_as_expected_says_what_came_and_why() {
    for (query, more, what, why) in [
        ("web A", "expect = { pool = \"us\" }", "expected pool us, but 192.0.2.11", "everyone"),
        (
            "web A",
            "expect = { shares = { fra1 = 0.7 } }",
            "expected fra1 in 0.7 of all answers, within 0.01, but it was in 0.75",
            "75.0 % of draws",
        ),
        (
            "web A",
            "expect = { among = \"192.0.2.11\" }",
            "expected some of 192.0.2.11, but 198.51.100.7 came",
            "◀ answered",
        ),
        (
            "web A",
            "expect = { never = \"198.51.100.7\" }",
            "expected never to see 198.51.100.7, but 198.51.100.7 came",
            "ams1",
        ),
        (
            "web A",
            "down = \"web/ams1\"\nexpect = { exactly = [\"192.0.2.11\", \"198.51.100.7\"] }",
            "expected exactly 192.0.2.11, 198.51.100.7, but 192.0.2.11 came",
            "198.51.100.7 down",
        ),
        ("web MX", "expect = { rcode = \"NOERROR\" }", "expected NOERROR, but NODATA", "a service"),
        ("no A", "expect = { exactly = \"192.0.2.1\" }", "but NXDOMAIN came", "no such name"),
    ] {
        let (passes, output) = check(&test(query, more));
        assert!(!passes, "{more}: {output}");
        for part in [what, why, "this test fails", "example.com.toml:24:9", "1 error\n"] {
            let is_there = output.contains(part);
            assert!(is_there, "{more}: no {part:?} in\n{output}");
        }
    }
    // An endpoint that one test holds to be down is up in the next one.
    let down = test("web A", "down = \"web\"\nexpect = { pool = \"eu\" }");
    let up = test("web A", "expect = { pool = \"us\" }");
    let (_, output) = check(&format!("{down}{up}"));
    assert!(output.contains("192.0.2.11 up"), "{output}");
}

#[test]
fn a_reload_whose_tests_fail_changes_nothing() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("example.com.toml");
    let write = |text: &str| replace(&file, text);
    let holds = test("web AAAA", "expect = { exactly = \"2001:db8:7::1\" }");
    write(&format!("{ZONE}{holds}"));
    let server = TestServer::start(directory.path(), 1);
    let udp = Udp::connect(server.address());
    let answer = || udp.ask(&Question::new("web.example.com.", "AAAA")).data.answer;
    let before = answer();
    assert!(before[0].ends_with("2001:db8:7::1"), "{before:?}");
    write(&format!("{}{holds}", ZONE.replace("2001:db8:7::1", "2001:db8:7::2")));
    server.wait_for_line("is refused: the zone is served as it was", PATIENCE);
    server.wait_for_line("expected exactly 2001:db8:7::1, but 2001:db8:7::2 came", PATIENCE);
    assert_eq!(answer(), before);
    let now_holds = test("web AAAA", "expect = { exactly = \"2001:db8:7::2\" }");
    write(&format!("{}{now_holds}", ZONE.replace("2001:db8:7::1", "2001:db8:7::2")));
    let until = Instant::now() + PATIENCE;
    while answer() == before {
        assert!(Instant::now() < until, "the mended zone is not served");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_server_starts_although_tests_fail() {
    let directory = tempfile::tempdir().expect("a directory");
    let fails = test("web A", "expect = { pool = \"us\" }");
    replace(&directory.path().join("example.com.toml"), &format!("{ZONE}{fails}"));
    let server = TestServer::start(directory.path(), 1);
    server.wait_for_line("the zone is served although tests of it fail", PATIENCE);
    let response = Udp::connect(server.address()).ask(&Question::new("web.example.com.", "A"));
    assert_eq!(response.data.answer.len(), 1);
}

#[test]
fn a_written_state_makes_no_test_fail() {
    let test = test("web AAAA", "expect = { exactly = \"2001:db8:7::1\" }");
    for state in ["down", "drain", "up"] {
        let ams1 = "name = \"ams1\",";
        let zone = ZONE.replace(ams1, &format!("{ams1} state = {state:?},"));
        assert_ne!(zone, ZONE);
        let (passes, output) = check_zone(&format!("{zone}{test}"));
        assert!(passes, "{state}: {output}");
    }
}

fn replace(path: &Path, text: &str) {
    let beside = path.with_extension("new");
    std::fs::write(&beside, text).expect("the directory is ours");
    std::fs::rename(beside, path).expect("the directory is ours");
}
