//! Each zone stands by itself: a mistake in one file does not hold up the others, whatever happens
//! to the process.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::dns::{Question, Response, Udp};
use crate::server::TestServer;

const PATIENCE: Duration = Duration::from_secs(30);

/// Writes the zone of `letter`, such as `a.example`, with `www` at `address`; its records are in
/// a file of their own.
fn write_zone(zones: &Path, letter: char, address: &str) {
    let records = format!("www A {address}\n");
    replace(&zones.join(format!("{letter}.records")), &records);
    let zone = format!(
        "zone = \"{letter}.example\"\nnameservers = [\"ns.example.net.\"]\n\
         records_file = \"{letter}.records\"\n"
    );
    replace(&zones.join(format!("{letter}.toml")), &zone);
}

fn replace(path: &Path, text: &str) {
    let beside = path.with_extension("new");
    fs::write(&beside, text).expect("the directory is ours");
    fs::rename(beside, path).expect("the directory is ours");
}

fn ask(server: &TestServer, name: &str) -> Response {
    Udp::connect(server.address()).ask(&Question::new(name, "A"))
}

/// Returns whether `www` of the zone is answered with `address`.
fn answers(server: &TestServer, letter: char, address: &str) -> bool {
    let response = ask(server, &format!("www.{letter}.example."));
    response.data.answer.iter().any(|record| record.ends_with(address))
}

fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Serves `zones`, and keeps states and zones beside it.
fn serve(zones: &Path) -> TestServer {
    let config = zones.with_file_name("waypost.toml");
    let states = zones.with_file_name("states");
    fs::write(&config, format!("[checks]\nstate_file = {:?}\n", states.display().to_string()))
        .expect("the directory is ours");
    TestServer::start_with(zones, &["--workers", "1", "--config", &config.display().to_string()])
}

#[test]
fn the_other_zones_reload_and_start_and_the_broken_one_is_served_as_it_was() {
    let directory = tempfile::tempdir().expect("a directory");
    let zones = directory.path().join("zones");
    fs::create_dir(&zones).expect("the directory is ours");
    "abc".chars().for_each(|letter| write_zone(&zones, letter, "192.0.2.1"));
    let server = serve(&zones);
    "abc".chars().for_each(|letter| assert!(answers(&server, letter, "192.0.2.1"), "{letter}"));
    let kept = directory.path().join("states.zones");
    wait_for("three zones are kept", || {
        fs::read_dir(&kept).is_ok_and(|entries| {
            entries.flatten().filter(|entry| entry.file_name().len() == 64).count() == 3
        })
    });

    // Neither the name nor the records of this zone can be read any more.
    replace(&zones.join("c.toml"), "zone = \n[records");
    replace(&zones.join("c.records"), "www A 192.0.2\n");
    server.wait_for_line("is refused: the zone is served as it was", PATIENCE);
    write_zone(&zones, 'a', "192.0.2.2");
    write_zone(&zones, 'b', "192.0.2.2");
    let others =
        |server: &TestServer| "ab".chars().all(|letter| answers(server, letter, "192.0.2.2"));
    wait_for("the others reload", || others(&server));
    assert!(answers(&server, 'c', "192.0.2.1"));
    let line = server.wait_for_line("changed: a.example.", PATIENCE);
    assert!(!line.contains("c.example"), "{line}");

    server.signal("KILL");
    drop(server);
    let server = serve(&zones);
    assert!(others(&server), "the others start");
    assert!(answers(&server, 'c', "192.0.2.1"), "it is served as it was");
    server.wait_for_line("is refused: the zone is served in its last good form", PATIENCE);

    write_zone(&zones, 'c', "192.0.2.3");
    wait_for("it is mended", || answers(&server, 'c', "192.0.2.3"));
    fs::remove_file(zones.join("c.toml")).expect("it is there");
    wait_for("it is removed", || ask(&server, "www.c.example.").data.rcode == "REFUSED");
    assert!(others(&server));
}

#[test]
fn a_zone_that_never_was_good_answers_servfail_and_says_why() {
    let directory = tempfile::tempdir().expect("a directory");
    let zones = directory.path().join("zones");
    fs::create_dir(&zones).expect("the directory is ours");
    write_zone(&zones, 'a', "192.0.2.1");
    write_zone(&zones, 'c', "192.0.2");
    fs::write(zones.join("other.example.zone"), "nonsense\n").expect("the directory is ours");
    let server = TestServer::start(&zones, 1);
    assert!(answers(&server, 'a', "192.0.2.1"));
    for name in ["c.example.", "deep.down.www.c.example.", "other.example.", "x.other.example."] {
        let response = ask(&server, name);
        assert_eq!(response.data.rcode, "SERVFAIL", "{name}");
        // RFC 8914 §4.25: Invalid Data.
        let error = [0, 15, 0, 27, 0, 24];
        assert!(response.wire.windows(6).any(|octets| octets == error), "{name}: no reason");
    }
    assert_eq!(ask(&server, "d.example.").data.rcode, "REFUSED");
    // If two files have the same zone, neither counts, and the zone is served as it was.
    fs::copy(zones.join("a.toml"), zones.join("again.toml")).expect("the directory is ours");
    server.wait_for_line("hold the same zone", PATIENCE);
    assert!(answers(&server, 'a', "192.0.2.1"));
    fs::remove_file(zones.join("a.toml")).expect("it is there");
    write_zone(&zones, 'a', "192.0.2.4");
    fs::remove_file(zones.join("again.toml")).expect("it is there");
    wait_for("one file is left", || answers(&server, 'a', "192.0.2.4"));
    write_zone(&zones, 'c', "192.0.2.1");
    wait_for("it is mended", || answers(&server, 'c', "192.0.2.1"));
}

#[test]
fn a_file_is_read_once_its_writer_has_closed_it() {
    let directory = tempfile::tempdir().expect("a directory");
    let zones = directory.path().join("zones");
    fs::create_dir(&zones).expect("the directory is ours");
    write_zone(&zones, 'a', "192.0.2.1");
    write_zone(&zones, 'b', "192.0.2.1");
    let server = TestServer::start(&zones, 1);
    let path = zones.join("a.records");
    let mut file = fs::File::create(&path).expect("the directory is ours");
    file.write_all(b"; the first half\n").expect("the file is ours");
    // Another zone changes meanwhile, and is served.
    write_zone(&zones, 'b', "192.0.2.2");
    wait_for("the other zone reloads", || answers(&server, 'b', "192.0.2.2"));
    let until = Instant::now() + Duration::from_secs(5);
    while Instant::now() < until {
        assert!(answers(&server, 'a', "192.0.2.1"), "half a file was read");
        std::thread::sleep(Duration::from_millis(50));
    }
    file.write_all(b"www A 192.0.2.3\n").expect("the file is ours");
    drop(file);
    wait_for("the whole file is read", || answers(&server, 'a', "192.0.2.3"));
}

#[test]
fn a_directory_that_is_swapped_is_followed() {
    let directory = tempfile::tempdir().expect("a directory");
    let zones = directory.path().join("zones");
    fs::create_dir(&zones).expect("the directory is ours");
    write_zone(&zones, 'a', "192.0.2.1");
    let server = TestServer::start(&zones, 1);
    let next = directory.path().join("zones.new");
    fs::create_dir(&next).expect("the directory is ours");
    write_zone(&next, 'a', "192.0.2.2");
    fs::rename(&zones, directory.path().join("zones.old")).expect("the directory is ours");
    fs::rename(&next, &zones).expect("the directory is ours");
    wait_for("the new directory is read", || answers(&server, 'a', "192.0.2.2"));
    write_zone(&zones, 'a', "192.0.2.3");
    wait_for("changes in it are read", || answers(&server, 'a', "192.0.2.3"));
}
