//! Databases in the layouts of their makers, combined, and damaged in every way.

use std::net::Ipv6Addr;

use ipnet::IpNet;
use maxminddb_writer::Database as Writing;
use maxminddb_writer::metadata::IpVersion;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// Writes a database of `kind` with these records and returns its octets.
fn written(kind: &str, ip_version: IpVersion, records: &[(&str, Value)]) -> Vec<u8> {
    let mut writing = Writing::default();
    writing.metadata.ip_version = ip_version;
    writing.metadata.database_type = kind.to_owned();
    writing.metadata.binary_format_major_version = 2;
    writing.metadata.build_epoch = 1_700_000_000;
    for (net, record) in records {
        let data = writing.insert_value(record.clone()).unwrap();
        // An IPv6 database holds IPv4 within ::/96.
        let net: IpNet = net.parse().unwrap();
        let net = match (net, ip_version) {
            (IpNet::V4(net), IpVersion::V6) => {
                let inside = Ipv6Addr::from_bits(u128::from(net.addr().to_bits()));
                IpNet::new_assert(inside.into(), 96 + net.prefix_len())
            }
            (net, _) => net,
        };
        writing.insert_node(path(net), data);
    }
    writing.write_to(Vec::new()).unwrap()
}

/// Returns the bits of a prefix.
fn path(net: IpNet) -> impl Iterator<Item = bool> {
    let bits = match net.addr() {
        IpAddr::V4(addr) => u128::from(addr.to_bits()) << 96,
        IpAddr::V6(addr) => addr.to_bits(),
    };
    (0..u32::from(net.prefix_len())).map(move |at| bits >> (127 - at) & 1 == 1)
}

fn city() -> Vec<u8> {
    written(
        "GeoLite2-City",
        IpVersion::V6,
        &[
            (
                "198.51.100.0/24",
                json!({
                    "city": { "names": { "en": "London" } },
                    "continent": { "code": "EU" },
                    "country": { "iso_code": "GB" },
                    "subdivisions": [{ "iso_code": "ENG" }, { "iso_code": "LND" }],
                    "location": { "latitude": 51.5, "longitude": -0.13, "accuracy_radius": 20 },
                }),
            ),
            ("203.0.113.0/25", json!({ "registered_country": { "iso_code": "US" } })),
            ("2001:db8::/32", json!({ "country": { "iso_code": "DE" } })),
        ],
    )
}

fn asn() -> Vec<u8> {
    let record = json!({
        "autonomous_system_number": 64500,
        "autonomous_system_organization": "Example",
    });
    written("GeoLite2-ASN", IpVersion::V6, &[("198.51.0.0/16", record)])
}

fn read(name: &str, octets: &[u8]) -> Arc<Database> {
    Arc::new(Database::read(name, octets).unwrap())
}

/// Returns in words what is known of an address.
fn place(geo: &Geo, address: &str) -> String {
    let Location { place, asn } = geo.locate(address.parse().unwrap());
    let text = |code: Option<String>| code.unwrap_or_else(|| "-".to_owned());
    let place = place.map_or("nowhere".to_owned(), |(place, source)| {
        let parts = place.subdivisions.iter().flatten().map(|part| format!(" {part}"));
        let country = text(place.country.map(|code| code.to_string()));
        let continent = text(place.continent.map(|code| code.to_string()));
        let point = place.coordinates.map_or(String::new(), |point| format!(" ({point})"));
        format!("{continent} {country}{}{point} by {source}", parts.collect::<String>())
    });
    asn.map_or(place.clone(), |(asn, source)| format!("{place}, AS{asn} by {source}"))
}

#[test]
fn each_layout_says_what_it_has() {
    let geo = Geo::of(&[], "", &[read("city.mmdb", &city()), read("asn.mmdb", &asn())]);
    let london = "EU GB GB-ENG GB-LND (51.5000, -0.1300) by city.mmdb, AS64500 by asn.mmdb";
    assert_eq!(place(&geo, "198.51.100.7"), london);
    assert_eq!(place(&geo, "::ffff:198.51.100.7"), london);
    assert_eq!(place(&geo, "198.51.101.7"), "nowhere, AS64500 by asn.mmdb");
    assert_eq!(place(&geo, "203.0.113.1"), "NA US by city.mmdb");
    assert_eq!(place(&geo, "203.0.113.200"), "nowhere");
    assert_eq!(place(&geo, "2001:db8:1::1"), "EU DE by city.mmdb");
    let database = read("city.mmdb", &city());
    assert_eq!(
        (&*database.kind, database.built, database.networks),
        ("GeoLite2-City", 1_700_000_000, 3)
    );
}

#[test]
fn subdivisions_without_codes_and_enterprise_records_are_read() {
    let record = json!({
        "continent": { "code": "NA" },
        "country": { "iso_code": "CA" },
        "subdivisions": [{ "names": { "en": "Ontario" } }],
        "traits": { "autonomous_system_number": 64501 },
    });
    let octets = written("DBIP-City-Lite", IpVersion::V4, &[("192.0.2.0/24", record)]);
    let geo = Geo::of(&[], "", &[read("dbip.mmdb", &octets)]);
    assert_eq!(place(&geo, "192.0.2.1"), "NA CA by dbip.mmdb, AS64501 by dbip.mmdb");
}

#[test]
fn flat_layouts_are_read_and_a_country_has_a_continent() {
    let networks = [
        (
            "192.0.2.0/26",
            json!({ "country": "Germany", "country_code": "DE", "continent": "Europe",
                    "continent_code": "EU", "asn": "AS64500", "as_name": "x" }),
        ),
        ("192.0.2.64/26", json!({ "country": "JP", "country_name": "Japan", "asn": 64501 })),
        (
            "192.0.2.128/26",
            json!({ "country_code": "US", "region_code": "CA", "lat": "1.5",
                                   "lng": "2.5", "asn": "" }),
        ),
        ("192.0.2.192/26", json!({ "country": {}, "continent": {} })),
    ];
    let flat = written("ipinfo generic_bundle_location_lite.mmdb", IpVersion::V6, &networks);
    let geo = Geo::of(&[], "", &[read("a", &flat)]);
    assert_eq!(place(&geo, "192.0.2.1"), "EU DE by a, AS64500 by a");
    assert_eq!(place(&geo, "192.0.2.65"), "AS JP by a, AS64501 by a");
    assert!(
        place(&geo, "192.0.2.129").starts_with("NA US US-CA"),
        "{}",
        place(&geo, "192.0.2.129")
    );
    let odd = written("Odd", IpVersion::V4, &[("192.0.2.0/24", json!({ "country": 7 }))]);
    let error = Database::read("x", &odd).unwrap_err();
    assert!(error.starts_with("Waypost cannot read records in its layout"), "{error}");
}

#[test]
fn what_the_operator_says_counts_first_and_then_the_first_database() {
    let other = written(
        "Other",
        IpVersion::V4,
        &[("198.51.0.0/16", json!({ "country": { "iso_code": "FR" } }))],
    );
    let own = |nets: &[&str], country: Option<&str>, asn| OwnNetwork {
        nets: nets.iter().map(|net| net.parse().unwrap()).collect(),
        place: country.map(|code| Place { country: Code::new(code), ..Place::default() }),
        asn,
    };
    let own = [
        own(&["198.51.100.0/28"], Some("JP"), None),
        own(&["198.51.100.8/29"], Some("KR"), None),
        own(&["198.51.100.16/28"], None, Some(64_999)),
    ];
    let geo =
        Geo::of(&own, "waypost.toml", &[read("a", &city()), read("b", &other), read("c", &asn())]);
    assert_eq!(place(&geo, "198.51.100.1"), "- JP by waypost.toml, AS64500 by c");
    assert_eq!(place(&geo, "198.51.100.9"), "- KR by waypost.toml, AS64500 by c");
    assert!(place(&geo, "198.51.100.17").ends_with(" by a, AS64999 by waypost.toml"));
    assert_eq!(place(&geo, "198.51.7.1"), "EU FR by b, AS64500 by c");
}

#[test]
fn what_is_no_database_is_said_to_be_none() {
    let fails = |octets: &[u8]| Database::read("x", octets).unwrap_err();
    assert_eq!(fails(b""), "it is empty");
    assert!(
        fails(&[7; 5000]).starts_with("it is no database in MaxMind's format"),
        "{}",
        fails(&[7; 5000])
    );
    assert!(fails(b"<html>Sign in").starts_with("it is no database in MaxMind's format"));
    let whole = city();
    assert!(fails(&whole[..whole.len() / 2]).starts_with("it is no database in MaxMind's format"));
    let domains =
        written("GeoIP2-Domain", IpVersion::V4, &[("192.0.2.0/24", json!({ "domain": "x" }))]);
    assert_eq!(
        fails(&domains),
        "it knows neither places nor autonomous systems; it calls itself \"GeoIP2-Domain\""
    );
}

proptest! {
    #[test]
    fn a_damaged_database_is_refused_or_read_but_never_more(
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut octets = city();
        for (at, octet) in flips {
            let at = at.index(octets.len());
            octets[at] = octet;
        }
        let _ = Database::read("x", &octets);
        let _ = Database::read("x", &octets[..cut.index(octets.len())]);
    }
}
