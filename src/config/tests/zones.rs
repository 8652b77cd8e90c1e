//! Plain master files as zones, checks in detail, and duplicates in a directory of zones.

use super::*;
use crate::wire::name::Name;
use crate::zone::{CheckKind, TcpCheck, Zone};

const SOA: &str = "SOA ns1 hostmaster 1 2 3 4 5\n";

fn master(path: &'static str, text: &str) -> (Option<Zone>, Vec<String>) {
    let loaded = load_beside(&[(path, text)]);
    (loaded.zone, loaded.diagnostics.iter().map(shown).collect())
}

#[test]
fn the_origin_of_a_master_file_is_where_its_soa_stands() {
    let records = format!("@ 60 {SOA}@ 60 NS ns1\nns1 60 A 192.0.2.1\n");
    let origin = |path, text: &str| {
        let (zone, mistakes) = master(path, text);
        assert_eq!(mistakes, [""; 0]);
        zone.unwrap().origin().to_string()
    };
    assert_eq!(origin("zones/example.com.zone", &records), "example.com.");
    assert_eq!(
        origin("zones/example.org.zone", &format!("$ORIGIN example.org.\n{records}")),
        "example.org."
    );
    let absolute = format!("example.net. 60 {SOA}$ORIGIN example.net.\n{records}")
        .replace("SOA ns1 hostmaster", "SOA ns1.example.net. h.example.net.")
        .replacen("@ 60 SOA ns1.example.net. h.example.net. 1 2 3 4 5\n", "", 1);
    assert_eq!(origin("zones/example.net.zone", &absolute), "example.net.");
}

#[test]
fn mistakes_of_a_master_file_point_at_its_lines() {
    let text = format!("$TTL 60\n@ {SOA}a CNAME b\na A 192.0.2.1\nns.example.net. A 192.0.2.1\n");
    let (zone, mistakes) = master("zones/example.com.zone", &text);
    assert!(zone.is_none());
    assert_eq!(
        mistakes,
        [
            "zones/example.com.zone:1:1 ``: the zone has no NS records \
             (write `@ NS ns1` and the address of each name server)",
            "zones/example.com.zone:3:1 `a CNAME`: a.example.com.: a CNAME cannot stand beside \
             other data",
            "warning: zones/example.com.zone:3:1 `a CNAME`: a.example.com.: the CNAME record leads to \
             b.example.com., which does not exist (add it, or end the name with a dot if it lies \
             elsewhere)",
            "zones/example.com.zone:5:1 `ns.example.net. A`: ns.example.net.: this name lies \
             outside the zone",
        ]
    );
}

#[test]
fn a_file_that_cannot_be_read_is_an_error_without_a_place() {
    let loaded =
        load_zone(Path::new("zones/none.toml"), &Directory(BTreeMap::new()), &Allowed::default());
    assert!(loaded.zone.is_none() && loaded.read.is_empty());
    assert_eq!(shown(&loaded.diagnostics[0]), "cannot read zones/none.toml: no such file");
}

#[test]
fn two_files_with_one_zone_are_reported() {
    let zone = load(&format!("{HEAD}ttl = \"2h\"")).zone.unwrap();
    let paths = ["zones/a.toml", "zones/b.toml"].map(std::path::PathBuf::from);
    let [a, b] = paths;
    assert_eq!(duplicate_zones(&[(&a, zone.origin())]), []);
    let found = duplicate_zones(&[(&a, zone.origin()), (&b, zone.origin())]);
    let message =
        "zones/a.toml and zones/b.toml hold the same zone, example.com.: remove one of them";
    assert_eq!(found[0].message, message);
}

#[test]
fn ports_and_authorities_of_checks_are_found() {
    let text = format!(
        "{HEAD}[services.web]\nendpoints = [\"192.0.2.1\", {{ address = \"192.0.2.2\", port = 1 }}]\n\
         check = {{ kind = \"https\", host = \"www.example.com\", ca = \"ca.pem\" }}\n\
         [services.redis]\nport = 6379\nendpoints = [\"192.0.2.1\", \"192.0.2.2\"]\n\
         check = {{ kind = \"tcp\", send = \"PING\\r\\n\", expect = {{ text = \"+PONG\" }} }}\n"
    );
    let pem = "-----BEGIN CERTIFICATE-----\n";
    let loaded = load_beside(&[("zones/example.com.toml", &text), ("zones/ca.pem", pem)]);
    assert_eq!(loaded.diagnostics, []);
    assert_eq!(loaded.read.len(), 2);
    let zone = loaded.zone.unwrap();
    let checks = |at: usize| -> Vec<_> {
        zone.services()[at].endpoints().map(|(_, e)| check_of(e)).collect()
    };
    let web = checks(0);
    assert_eq!([web[0].port, web[1].port], [Some(443), None], "the endpoint's own port is used");
    let CheckKind::Http(http) = &web[0].kind else { panic!("an https check") };
    assert_eq!(http.tls.as_ref().unwrap().ca_pem.as_deref(), Some(pem));
    let redis = checks(1);
    assert!(Arc::ptr_eq(&redis[0], &redis[1]), "equal checks are one value");
    let expected = TcpCheck { send: Some(b"PING\r\n".to_vec()), expect: Some(b"+PONG".to_vec()) };
    assert_eq!(redis[0].kind, CheckKind::Tcp(expected));
}

#[test]
fn the_contact_may_be_a_mail_address() {
    for (contact, rname) in [
        ("ops", "ops.example.com."),
        ("first.last@example.net", "first\\.last.example.net."),
        ("ops.example.net.", "ops.example.net."),
    ] {
        let loaded = load(&format!("{HEAD}soa = {{ contact = \"{contact}\" }}"));
        let zone = loaded.zone.unwrap();
        let is_soa = |rrset: &crate::zone::Rrset<'_>| rrset.rtype == crate::wire::kind::Type::SOA;
        let wire = zone.rrsets().into_iter().find(is_soa).unwrap().rdatas[0];
        let names = &wire[..wire.len() - 20];
        let mname = crate::wire::name::wire_len(names).unwrap();
        assert_eq!(Name::from_wire(&names[mname..]).unwrap().to_string(), rname);
    }
}
