//! Measures the cost of loading large zones: `cargo bench --bench load`.
//!
//! Writes zones into a temporary directory, serves them with the release binary on one core, and
//! prints the time until it listens, its resident memory then (now, and the peak so far), and the
//! cost of a reload after one file changed. Linux only; needs `taskset` (util-linux).

#![allow(clippy::print_stdout, reason = "figures are its purpose")]

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Lines, Write};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::{Duration, Instant};

/// The pause after a load before memory is read: what is not needed any more is freed by then.
const REST: Duration = Duration::from_secs(4);

type Outcome<T> = Result<T, Box<dyn Error>>;

/// A directory of zones, and the file in it that changes.
struct Case {
    about: &'static str,
    /// The number of parts in the zones, and the name of a part: memory is printed for each.
    parts: (u64, &'static str),
    changes: &'static str,
    write: fn(&Path) -> Outcome<()>,
}

const CASES: [Case; 5] = [
    Case {
        about: "1,000,000 names in a master file",
        parts: (1_000_000, "name"),
        changes: "example.com.zone",
        write: |zones| names(zones, 1_000_000),
    },
    Case {
        about: "100,000 services of 5 addresses in a zone file",
        parts: (500_000, "endpoint"),
        changes: "example.com.toml",
        write: |zones| services(zones, 100_000, |address| format!("\"{address}\"")),
    },
    Case {
        about: "100,000 services of 5 endpoints with weights in a zone file",
        parts: (500_000, "endpoint"),
        changes: "example.com.toml",
        write: |zones| {
            services(zones, 100_000, |address| format!("{{ address = \"{address}\", weight = 3 }}"))
        },
    },
    Case {
        about: "1,000 zone files of one service each",
        parts: (1000, "zone"),
        changes: "z7.example.toml",
        write: |zones| small_zones(zones, 1000),
    },
    Case {
        about: "a database of 5,000,000 networks, two services that ask",
        parts: (5_000_000, "network"),
        changes: "example.com.toml",
        write: |zones| located(zones, 3_000_000, 2_000_000),
    },
];

fn main() -> Outcome<()> {
    println!("{:64} {:>8} {:>9} {:>9} {:>8}", "", "seconds", "VmRSS MiB", "VmHWM MiB", "B");
    for case in &CASES {
        let directory = tempfile::tempdir()?;
        let zones = directory.path().join("zones");
        fs::create_dir(&zones)?;
        (case.write)(&zones)?;
        let mut server = Server::start(&zones)?;
        report(case, case.about, server.took, &server)?;
        for what in ["  one file changed", "  and once more"] {
            let took = server.reload(&zones.join(case.changes))?;
            report(case, what, took, &server)?;
        }
    }
    Ok(())
}

fn report(case: &Case, what: &str, took: Duration, server: &Server) -> Outcome<()> {
    std::thread::sleep(REST);
    let (now, most) = (server.memory_kib("VmRSS:")?, server.memory_kib("VmHWM:")?);
    let (parts, part) = case.parts;
    println!(
        "{what:64} {:8.2} {:9} {:9} {:8} /{part}",
        took.as_secs_f64(),
        now >> 10,
        most >> 10,
        now * 1024 / parts
    );
    Ok(())
}

/// Returns the `n`th address of 10.0.0.0/8.
fn address(n: u32) -> String {
    format!("10.{}.{}.{}", n >> 16 & 255, n >> 8 & 255, n & 255)
}

fn names(zones: &Path, count: u32) -> Outcome<()> {
    let mut text = "$TTL 300\n@ SOA ns1 hostmaster 1 3600 600 86400 300\n@ NS ns1\n".to_owned();
    text.push_str("ns1 A 192.0.2.1\n");
    for n in 0..count {
        writeln!(text, "h{n:07} IN A {}", address(n))?;
    }
    Ok(fs::write(zones.join("example.com.zone"), text)?)
}

fn services(zones: &Path, count: u32, endpoint: impl Fn(&str) -> String) -> Outcome<()> {
    let mut text = "zone = \"example.com\"\nnameservers = [\"ns.example.net.\"]\n".to_owned();
    for n in 0..count {
        write!(text, "[services.s{n:06}]\nendpoints = [")?;
        for at in 0..5 {
            write!(text, "{}, ", endpoint(&address(n * 5 + at)))?;
        }
        text.push_str("]\n");
    }
    Ok(fs::write(zones.join("example.com.toml"), text)?)
}

fn small_zones(zones: &Path, count: u32) -> Outcome<()> {
    for n in 0..count {
        let text = format!(
            "zone = \"z{n}.example\"\nnameservers = [\"ns.example.net.\"]\n\
             [services.www]\nendpoints = [\"192.0.2.1\", \"192.0.2.2\"]\n"
        );
        fs::write(zones.join(format!("z{n}.example.toml")), text)?;
    }
    Ok(())
}

/// Writes services that ask where clients are, and, beside `zones`, a database of `v4` IPv4 and
/// `v6` IPv6 networks in 20,000 places. No two neighbours are in one place.
fn located(zones: &Path, v4: u32, v6: u32) -> Outcome<()> {
    const PLACES: u32 = 20_000;
    const COUNTRIES: [(&str, &str); 5] =
        [("EU", "DE"), ("EU", "FR"), ("NA", "US"), ("AS", "JP"), ("SA", "BR")];
    let mut database = maxminddb_writer::Database::default();
    database.metadata.ip_version = maxminddb_writer::metadata::IpVersion::V6;
    database.metadata.database_type = "Generated-City".to_owned();
    database.metadata.binary_format_major_version = 2;
    let mut places = Vec::new();
    for n in 0..PLACES {
        let (continent, country) = COUNTRIES[n as usize % COUNTRIES.len()];
        let latitude = f64::from(n % 170) - 85.0 + f64::from(n) / f64::from(PLACES);
        places.push(database.insert_value(serde_json::json!({
            "continent": { "code": continent },
            "country": { "iso_code": country },
            "location": { "latitude": latitude, "longitude": f64::from(n % 359) - 179.0 },
        }))?);
    }
    // An IPv6 database has the IPv4 addresses in ::/96.
    let v4 = (0..v4).map(|n| (u128::from((1 << 24) + (n << 8)), 120));
    let v6 = (0..u128::from(v6)).map(|n| ((0x2001 << 112) + (n << 80), 48));
    for (n, (start, len)) in v4.chain(v6).enumerate() {
        let place = places[(n as u32).wrapping_mul(2_654_435_761) as usize % PLACES as usize];
        database.insert_node((0..len).map(|at| start >> (127 - at) & 1 == 1), place);
    }
    let directory = zones.parent().ok_or("no directory")?;
    database.write_to(std::io::BufWriter::new(fs::File::create(directory.join("city.mmdb"))?))?;
    fs::write(directory.join("waypost.toml"), "[geo]\ndatabases = \"city.mmdb\"\n")?;
    let text = "zone = \"example.com\"\nnameservers = [\"ns.example.net.\"]\n\
                [services.www.pools]\neu = { endpoints = [\"192.0.2.1\"] }\n\
                us = { endpoints = [\"192.0.2.2\"] }\n\
                [[services.www.routes]]\nfrom = { continent = \"EU\" }\nto = \"eu\"\n\
                [[services.www.routes]]\nto = \"us\"\n[services.near.pools]\n";
    let pools = [(50.1, 8.7), (39.0, -77.5), (1.3, 103.8), (-23.5, -46.6), (35.7, 139.7)];
    let mut text = text.to_owned();
    for (n, (lat, lon)) in pools.iter().enumerate() {
        writeln!(
            text,
            "p{n} = {{ location = {{ lat = {lat}, lon = {lon} }}, endpoints = [\"192.0.2.{n}\"] }}"
        )?;
    }
    text.push_str(
        "[[services.near.routes]]\nto = { nearest = [\"p0\", \"p1\", \"p2\", \"p3\", \"p4\"] }\n",
    );
    Ok(fs::write(zones.join("example.com.toml"), text)?)
}

/// The release binary, running on one core.
struct Server {
    child: Child,
    log: Lines<BufReader<ChildStderr>>,
    took: Duration,
}

impl Server {
    fn start(zones: &Path) -> Outcome<Self> {
        let started = Instant::now();
        let mut child = Command::new("taskset")
            .args(["-c", "1", env!("CARGO_BIN_EXE_waypost"), "serve"])
            .args(["--listen", "127.0.0.1:0", "--workers", "1", "--zones"])
            .arg(zones)
            .current_dir(zones.parent().ok_or("no directory")?)
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()?;
        let stderr = child.stderr.take().ok_or("no stderr")?;
        let mut server = Self { child, log: BufReader::new(stderr).lines(), took: Duration::ZERO };
        server.wait_for("listening")?;
        server.took = started.elapsed();
        Ok(server)
    }

    /// Appends an empty line to `file` and sends SIGHUP; returns the time until the reload is done.
    fn reload(&mut self, file: &Path) -> Outcome<Duration> {
        let started = Instant::now();
        fs::OpenOptions::new().append(true).open(file)?.write_all(b"\n")?;
        let hangup = Command::new("kill").args(["-HUP", &self.child.id().to_string()]).status()?;
        if !hangup.success() {
            return Err("kill -HUP of our own child".into());
        }
        self.wait_for("reloaded")?;
        Ok(started.elapsed())
    }

    fn wait_for(&mut self, word: &str) -> Outcome<()> {
        for line in self.log.by_ref() {
            if line?.contains(word) {
                return Ok(());
            }
        }
        Err(format!("the server ended before it was {word}").into())
    }

    fn memory_kib(&self, key: &str) -> Outcome<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find(|line| line.starts_with(key)).ok_or("no such line")?;
        Ok(line.split_whitespace().nth(1).ok_or("no number")?.parse()?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // This fails only if it has ended already.
        let _ = self.child.kill().and_then(|()| self.child.wait());
    }
}
