//! Databases of places under a running server: read, replaced, damaged.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::time::{Duration, Instant};

use maxminddb_writer::Database;
use serde_json::json;

use crate::dns::{Question, Udp};
use crate::server::TestServer;

const PATIENCE: Duration = Duration::from_secs(20);

const ZONE: &str = r#"
zone = "example.com"
nameservers = ["ns1"]
[records]
ns1 = { A = "192.0.2.53" }
[services.web.pools]
de = { endpoints = ["192.0.2.1"] }
rest = { endpoints = ["192.0.2.2"] }
[[services.web.routes]]
from = { country = "DE" }
to = "de"
[[services.web.routes]]
to = "rest"
"#;

/// Makes a database that has 127.0.0.0/8 in `country`.
fn database(country: &str) -> Vec<u8> {
    let mut writing = Database::default();
    writing.metadata.database_type = "Test-Country".to_owned();
    writing.metadata.binary_format_major_version = 2;
    let record = writing.insert_value(json!({ "country": { "iso_code": country } }));
    let loopback = Ipv4Addr::LOCALHOST.to_bits();
    let path = (0..8).map(|at| loopback >> (31 - at) & 1 == 1);
    writing.insert_node(path, record.expect("a record"));
    writing.write_to(Vec::new()).expect("a database")
}

/// Replaces a file by a rename, as tools that update databases do.
fn replace(path: &Path, octets: &[u8]) {
    let beside = path.with_extension("new");
    std::fs::write(&beside, octets).expect("the directory is ours");
    std::fs::rename(beside, path).expect("the directory is ours");
}

fn serve(directory: &Path) -> TestServer {
    let zones = directory.join("zones");
    std::fs::create_dir(&zones).expect("the directory is ours");
    std::fs::write(zones.join("example.com.toml"), ZONE).expect("the directory is ours");
    let config = directory.join("waypost.toml");
    let text = format!("[geo]\ndatabases = {:?}\n", directory.join("places.mmdb"));
    std::fs::write(&config, text).expect("the directory is ours");
    TestServer::start_with(&zones, &["--workers", "1", "--config", &config.display().to_string()])
}

fn answer(udp: &mut Udp) -> IpAddr {
    let response = udp.ask(&Question::new("web.example.com.", "A"));
    let data = response.ordered[0].rsplit(' ').next().expect("an address").parse();
    data.expect("an address")
}

#[test]
fn a_replaced_database_moves_clients_and_a_damaged_one_does_not() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("places.mmdb");
    std::fs::write(&path, database("DE")).expect("the directory is ours");
    let server = serve(directory.path());
    let mut udp = Udp::connect(server.address());
    assert_eq!(answer(&mut udp), IpAddr::from([192, 0, 2, 1]));
    replace(&path, &database("FR"));
    let deadline = Instant::now() + PATIENCE;
    while answer(&mut udp) != IpAddr::from([192, 0, 2, 2]) {
        assert!(Instant::now() < deadline, "the new database is not read");
        std::thread::yield_now();
    }
    for (times, damaged) in [&b""[..], &database("DE")[..40], &[7; 4096]].into_iter().enumerate() {
        replace(&path, damaged);
        let line = server.wait_for_lines("database refused", times + 1, PATIENCE).remove(times);
        assert!(line.contains("the database that was read before stays in use"), "{line}");
        assert!(line.contains("places.mmdb"), "{line}");
        assert_eq!(answer(&mut udp), IpAddr::from([192, 0, 2, 2]));
    }
    server.signal("HUP");
    server.wait_for_lines("database refused", 4, PATIENCE);
    assert_eq!(answer(&mut udp), IpAddr::from([192, 0, 2, 2]));
}

#[test]
fn without_its_database_the_server_answers_all_the_same() {
    let directory = tempfile::tempdir().expect("a directory");
    let server = serve(directory.path());
    let mut udp = Udp::connect(server.address());
    assert_eq!(answer(&mut udp), IpAddr::from([192, 0, 2, 2]));
    let line = server.wait_for_line("clients are located without it", PATIENCE);
    assert!(line.contains("No such file"), "{line}");
    std::fs::write(directory.path().join("places.mmdb"), database("DE")).expect("ours");
    let deadline = Instant::now() + PATIENCE;
    while answer(&mut udp) != IpAddr::from([192, 0, 2, 1]) {
        assert!(Instant::now() < deadline, "the database that came is not read");
        std::thread::yield_now();
    }
}

const FASTEST: &str = r#"
zone = "example.com"
nameservers = ["ns1"]
[records]
ns1 = { A = "192.0.2.53" }
[services.web]
latencies = "web.csv"
[services.web.pools]
de = { endpoints = ["192.0.2.1"] }
rest = { endpoints = ["192.0.2.2"] }
[[services.web.routes]]
to = { fastest = ["rest", "de"] }
"#;

#[test]
fn replaced_latencies_move_clients_and_broken_ones_do_not() {
    let directory = tempfile::tempdir().expect("a directory");
    let table = directory.path().join("web.csv");
    replace(&table, b"127.0.0.0/8,de,10\n127.0.0.0/8,rest,20\n");
    replace(&directory.path().join("example.com.toml"), FASTEST.as_bytes());
    let server = TestServer::start(directory.path(), 1);
    let mut udp = Udp::connect(server.address());
    assert_eq!(answer(&mut udp), IpAddr::from([192, 0, 2, 1]));
    replace(&table, b"127.0.0.0/8,de,30\n127.0.0.0/8,rest,20\n");
    let deadline = Instant::now() + PATIENCE;
    while answer(&mut udp) != IpAddr::from([192, 0, 2, 2]) {
        assert!(Instant::now() < deadline, "the new latencies are not read");
        std::thread::yield_now();
    }
    replace(&table, b"127.0.0.0/8,de,1\n127.0.0.0/8,rost,20\n");
    server.wait_for_line("is refused: the zone is served as it was", PATIENCE);
    server.wait_for_line("web.csv:2:13", PATIENCE);
    assert_eq!(answer(&mut udp), IpAddr::from([192, 0, 2, 2]));
}
