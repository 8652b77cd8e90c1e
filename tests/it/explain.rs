//! `waypost explain`: every answer has a reason, and is the answer that a query gets.

use std::process::{Command, Stdio};

use serde_json::{Value, json};

const ZONE: &str = r#"zone = "example.com"
nameservers = ["ns1"]
[records]
ns1 = { A = "192.0.2.53" }
blog = { CNAME = "web" }
"*.dev" = { A = "192.0.2.80" }
lab = { NS = ["ns.example.net."] }
[services.web]
srv = "_http._tcp"
port = 80
[services.web.pools.eu]
location = { lat = 50.1, lon = 8.7 }
min_up = 0.5
endpoints = [
  { name = "fra1", address = "192.0.2.11", weight = 3 },
  { name = "ams1", address = ["198.51.100.7", "2001:db8:7::1"] },
]
[services.web.pools.us]
location = { lat = 39.0, lon = -77.5 }
endpoints = [{ name = "iad1", address = "203.0.113.9" }]
[[services.web.routes]]
from = { country = ["DE", "FR"] }
to = ["eu", "us"]
[[services.web.routes]]
from = { net = "10.0.0.0/8" }
to = { split = { eu = 95, us = 5 } }
[[services.web.routes]]
to = { nearest = ["eu", "us"] }
[services.sticky]
sticky = true
endpoints = [{ name = "a", address = "192.0.2.1" }, { name = "b", address = "192.0.2.2" }]
"#;

const PLACES: &str = r#"[[geo.networks]]
net = "198.51.100.0/24"
country = "DE"
location = { lat = 52.5, lon = 13.4 }
asn = 64500
"#;

/// Runs a command on the zone above, and returns its output.
fn waypost(arguments: &[&str]) -> String {
    let directory = tempfile::tempdir().expect("a directory");
    let zones = directory.path().join("zones");
    std::fs::create_dir(&zones).expect("the directory is ours");
    std::fs::write(zones.join("example.com.toml"), ZONE).expect("the directory is ours");
    std::fs::write(directory.path().join("waypost.toml"), PLACES).expect("the directory is ours");
    let output = Command::new(env!("CARGO_BIN_EXE_waypost"))
        .args(arguments)
        .current_dir(directory.path())
        .stdin(Stdio::null())
        .output()
        .expect("the binary runs");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("text")
}

fn explained(arguments: &[&str]) -> Value {
    let text = waypost(&[&["explain", "--format", "json"], arguments].concat());
    serde_json::from_str(&text).expect("one JSON object")
}

#[test]
fn the_text_tells_the_whole_way() {
    let text = waypost(&["explain", "blog.example.com", "--client", "198.51.100.9"]);
    let expected = r#"from       the zone files: every endpoint counts as up, except by `state` and --down
name       blog.example.com.: an alias (CNAME)
zone       example.com.

name       web.example.com.: a service
zone       example.com.
client     198.51.100.9, the source
           Germany (DE), Europe (EU), at 52.50, 13.40; according to waypost.toml
           AS64500; according to waypost.toml
routes     1. country DE or FR → ["eu", "us"]
              taken: its country is Germany (DE)
           2. net 10.0.0.0/8 → { split = { eu = 95, us = 5 } }
              not reached
           3. everyone → { nearest = ["eu", "us"] }
              not reached
pools      eu: 2 of 2 endpoints up for A, weight 4 of 4, min_up 50 %: usable
endpoints  eu, counted 424 km away
             fra1  192.0.2.11 up                      weight 3  75.0 % of draws   ◀ answered
             ams1  198.51.100.7 up, 2001:db8:7::1 up  weight 1  25.0 % of draws
           us, counted 6732 km away
             iad1  203.0.113.9 up                     weight 1
answer     fra1; TTL 10 s, the same for all of the client's /24

"#;
    let text = text.split(";; ->>HEADER<<-").next().expect("some text");
    // The draws decide which endpoint comes first. Distances depend on the shape of the globe, and
    // are left out.
    let settled = |text: &str| {
        let words = text.replace("◀ answered", "").replace("ams1;", "fra1;");
        let lines = words.lines().filter(|line| !line.contains("km away"));
        lines.map(|line| line.trim_end().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(settled(text), settled(expected), "{text}");
    assert_eq!(text.matches("◀ answered").count(), 1);
}

#[test]
fn the_answer_is_the_one_that_a_query_gets() {
    for question in [
        &["web.example.com", "A"][..],
        &["web.example.com", "AAAA", "--subnet", "198.51.100.0/24"],
        &["web.example.com", "A", "--client", "10.1.2.3", "--seed", "7"],
        &["web.example.com", "A", "--down", "web/fra1", "--client", "198.51.100.9"],
        &["_http._tcp.web.example.com", "SRV", "--client", "10.1.2.3"],
        &["sticky.example.com", "A"],
        &["blog.example.com", "A"],
        &["x.dev.example.com", "A"],
        &["lab.example.com", "A"],
        &["missing.example.com", "A"],
        &["elsewhere.example", "A"],
    ] {
        let query = waypost(&[&["query", "--format", "json"], question].concat());
        let query: Value = serde_json::from_str(&query).expect("one JSON object");
        assert_eq!(explained(question)["response"], query, "{question:?}");
    }
}

#[test]
fn a_pool_that_is_passed_over_says_why() {
    let json = explained(&["web.example.com", "--client", "198.51.100.9", "--down", "web/fra1"]);
    let service = &json["hops"][0]["service"];
    let steps = &service["walks"][0]["steps"];
    let pool = |name: &str, up: u32, total: u32, min_up: f64, why: &str| {
        json!({ "pool": {
            "pool": name, "family": "A", "up": up, "total": total, "min_up": min_up,
            "endpoints_up": 1, "endpoints": if name == "eu" { 2 } else { 1 },
            "usable": why.is_empty(), "why": why,
        } })
    };
    assert_eq!(steps[0], pool("eu", 1, 4, 0.5, "the share that is up is below its min_up"));
    assert_eq!(steps[1], pool("us", 1, 1, 0.0, ""));
    let fra1 = &service["pools"][0]["endpoints"][0];
    assert_eq!((&fra1["name"], &fra1["addresses"][0]["state"]), (&json!("fra1"), &json!("down")));
    assert_eq!(service["pools"][1]["endpoints"][0]["named"], json!(true));
    assert_eq!(service["scope"], json!(24));

    let everything = ["web/fra1", "web/ams1", "web/iad1"].map(|down| ["--down", down]).concat();
    let json = explained(&[&["web.example.com"], &everything[..]].concat());
    let walks = &json["hops"][0]["service"]["walks"];
    let needs: Vec<&Value> =
        walks.as_array().expect("walks").iter().map(|walk| &walk["needs"]).collect();
    assert_eq!(needs, ["min_up", "any_up", "nothing"]);
}

#[test]
fn a_route_says_why_it_passes_a_client_by() {
    let json = explained(&["web.example.com", "--client", "10.1.2.3"]);
    let service = &json["hops"][0]["service"];
    let fates: Vec<(&Value, &Value)> = service["routes"]
        .as_array()
        .expect("routes")
        .iter()
        .map(|route| (&route["taken"], &route["why"]))
        .collect();
    let expected = [
        (json!(false), json!("its country is not known")),
        (json!(true), json!("it is in 10.0.0.0/8")),
        (json!(false), json!("")),
    ];
    assert_eq!(fates, expected.iter().map(|(taken, why)| (taken, why)).collect::<Vec<_>>());
    let steps = service["walks"][0]["steps"].as_array().expect("steps");
    let split = steps.iter().find_map(|step| step.get("split")).expect("a split was drawn");
    assert_eq!(split["of"], json!(100));
}

#[test]
fn what_is_no_service_says_what_it_is() {
    for (name, found) in [
        ("blog.example.com", "an alias (CNAME)"),
        ("ns1.example.com", "records"),
        ("x.dev.example.com", "records of a wildcard"),
        ("dev.example.com", "nothing but names below it"),
        ("x.lab.example.com", "a delegation: others answer for it"),
        ("missing.example.com", "nothing: no such name"),
        ("elsewhere.example", "in no zone of this directory"),
    ] {
        assert_eq!(explained(&[name])["hops"][0]["found"], json!(found), "{name}");
    }
}
