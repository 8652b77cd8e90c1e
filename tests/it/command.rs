//! The output and the exit codes of the commands, as a person or a script meets them.

use std::process::{Command, Output, Stdio};

const ZONE: &str = "zone = \"example.com\"
nameservers = [\"ns1\"]
[records]
ns1 = { A = \"192.0.2.53\" }
[services.web]
endpoints = [
  { name = \"a\", address = \"192.0.2.1\", weight = 3 },
  { name = \"b\", address = \"192.0.2.2\", weight = 1 },
]
";

/// Runs the binary in a directory with one zone.
fn waypost(arguments: &[&str]) -> (Output, String) {
    waypost_with(&[("example.com.toml", ZONE)], arguments)
}

/// Runs the binary in a directory with these zone files.
fn waypost_with(files: &[(&str, &str)], arguments: &[&str]) -> (Output, String) {
    let directory = tempfile::tempdir().expect("a directory");
    let zones = directory.path().join("zones");
    std::fs::create_dir(&zones).expect("the directory is ours");
    for (name, text) in files {
        std::fs::write(zones.join(name), text).expect("the directory is ours");
    }
    let output = Command::new(env!("CARGO_BIN_EXE_waypost"))
        .args(arguments)
        .current_dir(directory.path())
        .stdin(Stdio::null())
        .output()
        .expect("the binary runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    (output, text)
}

#[test]
fn count_prints_the_shares() {
    let (output, text) = waypost(&["query", "web.example.com", "A", "--count", "400"]);
    assert!(output.status.success());
    for (address, share) in [("192.0.2.1", "300"), ("192.0.2.2", "100")] {
        let line = text.lines().find(|line| line.contains(address));
        let line = line.unwrap_or_else(|| panic!("no {address}: {text}"));
        assert!(line.split_whitespace().any(|word| word == share), "{line}");
    }
}

#[test]
fn what_was_drawn_is_counted_where_endpoints_share_an_address() {
    let zone = "zone = \"example.com\"\nnameservers = [\"ns.example.net.\"]\n\
                [services.mail]\nendpoints = [{ name = \"m\", address = \"192.0.2.1\" }]\n\
                [services.web.pools]\n\
                here = { endpoints = [{ name = \"a\", address = \"192.0.2.1\" }] }\n\
                every = { endpoints = [{ name = \"b\", address = \"192.0.2.1\", port = 81 }, \
                { name = \"c\", address = \"192.0.2.1\", port = 82 }, \
                { name = \"d\", address = \"192.0.2.2\" }] }\n\
                [[services.web.routes]]\nfrom = { net = \"198.51.100.0/24\" }\nto = \"here\"\n\
                [[services.web.routes]]\nto = \"every\"\n\
                [[tests]]\nquery = \"web A\"\nexpect = { pool = \"every\", \
                shares = { b = 0.5, c = 0.5, d = 1, every = 1 } }\n\
                [[tests]]\nquery = \"web A\"\nclient = \"198.51.100.9\"\n\
                expect = { pool = \"here\", exactly = \"192.0.2.1\" }\n";
    let files = [("example.com.toml", zone)];
    let (output, text) = waypost_with(&files, &["check", "zones"]);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let arguments = ["query", "web.example.com", "A", "--count", "40", "--format", "json"];
    let (_, text) = waypost_with(&files, &arguments);
    let json: serde_json::Value = serde_json::from_str(&text).expect("one JSON object");
    let lines = |key: &str, name: &str| -> Vec<String> {
        let lines = json[key].as_array().expect("a list").iter();
        lines.map(|line| format!("{} {}", line[name], line["count"])).collect()
    };
    assert_eq!(lines("shares", "endpoint"), ["\"web/b\" 20", "\"web/c\" 20", "\"web/d\" 40"]);
    assert_eq!(lines("pools", "pool"), ["\"web/every\" 40"]);
}

#[test]
fn clients_of_a_file_are_spread_by_what_each_part_of_a_network_gets() {
    let zone = "zone = \"example.com\"\nnameservers = [\"ns.example.net.\"]\n\
                [services.web.pools]\n\
                eu = { endpoints = [{ name = \"a\", address = \"192.0.2.1\", weight = 3 }, \
                { name = \"b\", address = \"192.0.2.2\" }] }\n\
                us = { endpoints = [\"192.0.2.3\"] }\n\
                [[services.web.routes]]\nfrom = { net = \"10.64.0.0/10\" }\nto = \"us\"\n\
                [[services.web.routes]]\nto = \"eu\"\n";
    let directory = tempfile::tempdir().expect("a directory");
    let population = directory.path().join("population");
    // A quarter of the first network goes to `us`.
    let lines = "10.0.0.0/8 8\n\n# nobody\n10.64.1.2   # weighs one\n2001:db8::1 1\n";
    std::fs::write(&population, lines).expect("the directory is ours");
    let path = population.to_str().expect("a path of letters");
    let arguments = ["query", "web.example.com", "--clients", path, "--format", "json"];
    let (output, text) = waypost_with(&[("example.com.toml", zone)], &arguments);
    assert!(output.status.success(), "{output:?}");
    let json: serde_json::Value = serde_json::from_str(&text).expect("one JSON object");
    assert_eq!(json["clients"], 10);
    let expected = serde_json::json!([
        { "pool": "web/eu", "count": 7, "share": 0.7 },
        { "pool": "web/us", "count": 3, "share": 0.3 },
    ]);
    let rounded = |mut json: serde_json::Value| {
        for line in json.as_array_mut().expect("a list") {
            let share = line["share"].as_f64().expect("a number");
            line["share"] = ((share * 1e6).round() / 1e6).into();
        }
        json
    };
    assert_eq!(rounded(json["pools"].clone()), expected);
    let shares = rounded(json["shares"].clone());
    let share = |endpoint: &str| {
        let lines = shares.as_array().expect("a list").iter();
        lines.clone().find(|line| line["endpoint"] == endpoint).expect(endpoint)["share"].as_f64()
    };
    // The command asks a hundred times for each part of a network.
    for (endpoint, expected) in [("web/a", 0.525), ("web/b", 0.175)] {
        let share = share(endpoint).expect("a number");
        assert!((share - expected).abs() < 0.01, "{endpoint} {share}");
    }

    std::fs::write(&population, "10.0.0.0/8 x\nhere\n").expect("the directory is ours");
    let (output, _) = waypost_with(&[("example.com.toml", zone)], &arguments);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert!(errors.contains("population:1: x is no weight: write a number from 0 up"), "{errors}");
    assert!(errors.contains("population:2: here is neither an address nor a network"), "{errors}");
}

#[test]
fn down_takes_an_endpoint_out() {
    let arguments = ["query", "web.example.com", "A", "--format", "json", "--down", "web/a"];
    let (output, text) = waypost(&arguments);
    assert!(output.status.success());
    let json: serde_json::Value = serde_json::from_str(&text).expect("one JSON object");
    assert_eq!(json["answer"], serde_json::json!(["web.example.com. 10 IN A 192.0.2.2"]));
    assert_eq!(json["flags"], serde_json::json!(["qr", "aa"]));
    assert_eq!((&json["scope"], &json["type"]), (&0.into(), &"A".into()));
}

#[test]
fn the_same_seed_draws_the_same_answers() {
    let draw = |seed: &str| {
        let name = "web.example.com";
        waypost(&["query", name, "A", "--format", "json", "--seed", seed]).1
    };
    assert_eq!(draw("7"), draw("7"));
}

#[test]
fn a_zone_that_the_one_above_it_does_not_delegate_is_warned_of() {
    let child = "zone = \"lab.example.com\"\nnameservers = [\"ns1.example.com.\"]\n";
    let delegated = ZONE.replace("[services", "lab = { NS = \"ns1\" }\n[services");
    for (parent, warned) in [(ZONE, true), (&delegated, false)] {
        let files = [("example.com.toml", parent), ("lab.example.com.toml", child)];
        let (output, text) = waypost_with(&files, &["check", "zones"]);
        let text = text + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{text}");
        let warning = "warning: example.com. does not delegate lab.example.com.";
        assert_eq!(text.contains(warning), warned, "{text}");
    }
}

#[test]
fn exit_codes_are_zero_one_and_two() {
    for (arguments, code) in [
        (&["check", "zones"][..], 0),
        (&["query", "nope.example.com"], 0),
        (&["check", "nowhere"], 1),
        (&["query", "web.example.com", "--down", "web/nobody"], 1),
        (&["query", "web.example.com", "NOTYPE"], 2),
        (&["no-such-command"], 2),
    ] {
        let (output, _) = waypost(arguments);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {stderr}");
        assert_eq!(stderr.is_empty(), code == 0, "{arguments:?}: {stderr}");
    }
}

#[test]
fn check_finds_what_serve_would_refuse_for_people_and_programs() {
    let directory = tempfile::tempdir().expect("a directory");
    let config = directory.path().join("waypost.toml");
    let settings = "[checks]\nstate_file = \"/proc/no/states\"\n[listen]\ntls = \"127.0.0.1:853\"\n\
                    [tls]\ncertificate = \"no.pem\"\nkey = \"no.key\"\n";
    std::fs::write(&config, settings).expect("the directory is ours");
    let config = config.display().to_string();
    let (output, text) = waypost(&["check", "--config", &config, "--format", "json"]);
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(stderr, format!("settings: {config}\n"));
    let json: serde_json::Value = serde_json::from_str(&text).expect("one JSON object");
    let messages: Vec<&str> = json["diagnostics"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|d| d["message"].as_str())
        .collect();
    assert!(messages[0].starts_with("cannot read no.pem, which [tls] names"), "{messages:?}");
    assert!(messages[1].starts_with("cannot keep states in /proc/no/states"), "{messages:?}");
    assert_eq!((&json["right"], &json["zones"]), (&false.into(), &1.into()));
}

#[test]
fn strict_fails_for_a_warning() {
    let child = "zone = \"lab.example.com\"\nnameservers = [\"ns1.example.com.\"]\n";
    let files = [("example.com.toml", ZONE), ("lab.example.com.toml", child)];
    for (more, code) in [(&[][..], 0), (&["--strict"], 1)] {
        let arguments = [&["check", "--zones", "zones"], more].concat();
        assert_eq!(waypost_with(&files, &arguments).0.status.code(), Some(code), "{arguments:?}");
    }
}

#[test]
fn what_people_type_is_answered_with_what_to_type() {
    for (arguments, code, advice) in [
        (&["query", "web"][..], 1, "no zone holds web; did you mean web.example.com?"),
        (&["explain", "web"], 1, "no zone holds web; did you mean web.example.com?"),
        (
            &["query", "www.example.net"],
            0,
            "no zone holds www.example.net; the zones are example.com.",
        ),
        (&["serve", "--listen", "localhost:53"], 2, "localhost is a name: write its address"),
        (&["serve", "--listen", "::1:53"], 2, "stands in brackets before its port: [::1]:53"),
    ] {
        let (output, _) = waypost(arguments);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {stderr}");
        assert!(stderr.contains(advice), "{arguments:?}: {stderr}");
    }
}
