//! The server's own settings, read again at a reload.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::dns::{Question, Udp};
use crate::server::TestServer;

const PATIENCE: Duration = Duration::from_secs(20);

/// Writes `waypost.toml` for a server with this name.
fn name_it(settings: &Path, name: &str, more: &str) {
    let text = format!("[identity]\nversion = \"{name}\"\n{more}");
    let whole = settings.with_extension("new");
    fs::write(&whole, text).expect("the directory is ours");
    fs::rename(whole, settings).expect("the directory is ours");
}

/// Returns whether the server says that this is its version.
fn is_version(server: &TestServer, name: &str) -> bool {
    let question = Question { payload: None, ..Question::new("version.bind.", "TXT") };
    let mut query = question.encode(7);
    // Without EDNS the class comes last: CH.
    *query.last_mut().expect("a query is not empty") = 3;
    let reply = Udp::connect(server.address()).exchange(&query, PATIENCE).expect("a reply");
    reply.ends_with(&[&[name.len() as u8], name.as_bytes()].concat())
}

#[test]
fn who_it_is_changes_at_a_reload_and_mistakes_change_nothing() {
    let directory = tempfile::tempdir().expect("a directory");
    let (zones, settings) = (directory.path().join("zones"), directory.path().join("waypost.toml"));
    fs::create_dir(&zones).expect("the directory is ours");
    let zone = "$TTL 60\n@ SOA ns1 host 1 60 60 60 60\n@ NS ns1\nns1 A 192.0.2.1\n";
    fs::write(zones.join("example.com.zone"), zone).expect("the directory is ours");
    name_it(&settings, "one", "");
    let path = settings.to_str().expect("a path of letters");
    let server = TestServer::start_with(&zones, &["--workers", "2", "--config", path]);
    let says = |name: &str| {
        let until = Instant::now() + PATIENCE;
        while !is_version(&server, name) {
            assert!(Instant::now() < until, "it is not {name}");
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    says("one");

    name_it(&settings, "two", "[checks]\nconcurrency = 7\n");
    server.signal("HUP");
    server.wait_for_line("these have changed and are in force: [identity]", PATIENCE);
    server.wait_for_line("restart waypost to apply these changed settings: [checks]", PATIENCE);
    says("two");

    name_it(&settings, "three", "[checks]\nconcurrensy = 7\n");
    server.signal("HUP");
    server.wait_for_line("settings refused: the previous settings stay in force", PATIENCE);
    server.wait_for_line("concurrensy", PATIENCE);
    says("two");
}
