//! `waypost init`: the file of a new zone.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use clap::Args;

use super::{Failed, ZONES, called_as};
use crate::wire::name::Name;

/// The default addresses of endpoints. Every Linux machine has them, for itself alone.
const LOOPBACK: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::new(127, 0, 0, 11)), IpAddr::V4(Ipv4Addr::new(127, 0, 0, 12))];

/// Arguments of `waypost init`.
#[derive(Args)]
pub(super) struct Init {
    /// The name of the zone, such as example.com
    #[arg(value_name = "NAME", value_parser = parse_zone_name)]
    name: ZoneName,
    /// The zone directory; it is made if it is not there
    #[arg(long, value_name = "DIR", default_value = ZONES)]
    zones: PathBuf,
    /// The address of an endpoint of the service `web`; may be given several times
    /// [default: 127.0.0.11 and 127.0.0.12]
    #[arg(long, value_name = "IP")]
    endpoint: Vec<IpAddr>,
    /// The port that the endpoints listen on
    #[arg(long, value_name = "PORT", default_value_t = 8080,
          value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
}

/// The name of a zone that can be the name of a file: lower case, without the final dot.
#[derive(Clone, Debug)]
struct ZoneName(String);

impl Init {
    /// Writes the file, and prints the next steps. Never overwrites a file.
    pub(super) fn run(self) -> Result<(), Failed> {
        let Self { name: ZoneName(name), zones, mut endpoint, port } = self;
        let mut known = HashSet::new();
        if let Some(twice) = endpoint.iter().find(|address| !known.insert(**address)) {
            return fail(&format!(
                "--endpoint {twice} is given twice; each endpoint needs its own"
            ));
        }
        if endpoint.is_empty() {
            endpoint.extend(LOOPBACK);
        }
        let master = zones.join(format!("{name}.zone"));
        if master.exists() {
            return fail(&format!("{} holds the zone {name} already", master.display()));
        }
        let path = zones.join(format!("{name}.toml"));
        let made = fs::create_dir_all(&zones);
        let written = made.and_then(|()| write_new(&path, &zone(&name, &endpoint, port)));
        match written {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let path = path.display();
                return fail(&format!("{path} is there already, and init overwrites nothing"));
            }
            Err(error) => return fail(&format!("cannot write {}: {error}", path.display())),
        }
        let addresses: Vec<String> = endpoint.iter().map(IpAddr::to_string).collect();
        say!("{} is written: web.{name}, on {}.", path.display(), addresses.join(" and "));
        say!("Next:");
        next(&name, &zones);
        Ok(())
    }
}

/// Prints the next three commands.
fn next(name: &str, zones: &Path) {
    let program = called_as();
    let (directory, option) = match zones == Path::new(ZONES) {
        true => (String::new(), String::new()),
        false => (format!(" {}", zones.display()), format!(" --zones {}", zones.display())),
    };
    say!("  {program} check{directory}");
    say!("  {program} query web.{name} --count 400{option}");
    say!("  {program} serve{option}");
}

fn fail(problem: &str) -> Result<(), Failed> {
    eprintln!("error: {problem}");
    Err(Failed)
}

/// Writes a new file; an existing one is an error.
fn write_new(path: &Path, text: &str) -> io::Result<()> {
    OpenOptions::new().write(true).create_new(true).open(path)?.write_all(text.as_bytes())
}

/// Reads the name of a zone.
fn parse_zone_name(text: &str) -> Result<ZoneName, String> {
    let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
    if name.is_empty() {
        return Err(
            "a name such as example.com is expected; the root zone is written by hand".into()
        );
    }
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if let Some(bad) = name.chars().find(|c| !is_plain(*c)) {
        let hint = if bad.is_ascii() { "" } else { "; write its ASCII form, xn--…" };
        return Err(format!("{bad:?} cannot stand in the name of a zone{hint}"));
    }
    // The longest name in the new zone must fit, too.
    let longest = format!("_http._tcp.web.{name}.");
    Name::parse(&longest, None).map(|_| ZoneName(name)).map_err(|error| error.to_string())
}

/// Returns the text of the zone file. The first endpoint has weight 3, the others have 1.
fn zone(name: &str, addresses: &[IpAddr], port: u16) -> String {
    let mut endpoints = String::new();
    for (at, address) in addresses.iter().enumerate() {
        let (number, weight) = (at + 1, if at == 0 { 3 } else { 1 });
        let line =
            format!("{{ name = \"s{number}\", address = \"{address}\", weight = {weight} }}");
        let _ = writeln!(endpoints, "  {line},");
    }
    format!(
        r#"# The zone {name}, written by `waypost init`. It works as it is. Make it yours, line by line, and
# ask `waypost check` whether it is right.

zone = "{name}"
nameservers = ["ns1"]           # its name servers: on the Internet, two or more

[records]                       # records that never change by themselves; ns1 is ns1.{name}
ns1 = {{ A = "127.0.0.1" }}       # the address at which Waypost is asked
# mail = {{ A = "192.0.2.25" }}
# "@" = {{ MX = ["10 mail"], TXT = ["v=spf1 mx -all"] }}     # "@" is the zone's own name

[services.web]                  # web.{name}: its answers follow weights and health
ttl = "10s"                     # how long a resolver keeps an answer
port = {port:<5}                    # where the endpoints listen
srv = "_http._tcp"              # _http._tcp.web.{name} answers SRV: name, port, weight
answers = 1                     # addresses in one answer; with 2, clients have a spare one to try
endpoints = [                   # weight 3 gets three answers where weight 1 gets one
{endpoints}]

[services.web.check]            # a GET of http://ADDRESS:{port}/ for each endpoint
kind = "http"
path = "/"
interval = "1s"
timeout = "500ms"
fall = 2                        # two failures in a row: it is down, and no answer names it
rise = 2                        # two passes in a row: it is up again

# Tests of this zone. `waypost check` runs them, and so does each reload: a change that breaks one
# is refused, and Waypost keeps serving the zone as it was.
{tests}"#,
        tests = expectations(addresses),
    )
}

/// Returns the tests of the zone: every endpoint is answered, and without the first one the others
/// are.
fn expectations(addresses: &[IpAddr]) -> String {
    let Some(first) = addresses.first() else { return String::new() };
    let kind = if first.is_ipv4() { "A" } else { "AAAA" };
    let same = addresses.iter().filter(|address| address.is_ipv4() == first.is_ipv4());
    let among: Vec<String> = same.map(|address| format!("\"{address}\"")).collect();
    let test = |down: &str, among: &[String]| {
        let among = among.join(", ");
        format!("[[tests]]\nquery = \"web {kind}\"\n{down}expect = {{ among = [{among}] }}\n")
    };
    let all = test("", &among);
    match among.get(1..) {
        Some(others) if !others.is_empty() => {
            format!("{all}\n{}", test("down = [\"web/s1\"]\n", others))
        }
        _ => all,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_name_can_be_a_file_name() {
        for (text, name) in [("example.com", "example.com"), ("Shop.Test.", "shop.test")] {
            assert_eq!(parse_zone_name(text).expect("a name").0, name);
        }
        let long = "a".repeat(64);
        let longer = format!("{}.example", "a.".repeat(120));
        for text in
            ["", ".", "a/b", "../x", "a..b", ".a", "bücher.example", "*.example", "a b", "@"]
        {
            assert!(parse_zone_name(text).is_err(), "{text}");
        }
        assert!(parse_zone_name(&long).is_err() && parse_zone_name(&longer).is_err());
    }
}
