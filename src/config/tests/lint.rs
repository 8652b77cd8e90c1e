//! Zones that load but likely not as meant: each warning at its place, with a hint in the language
//! of its file.

use super::*;

/// The start of a master file; the text that tests append starts at line 4.
const MASTER: &str = "$TTL 3600\n@ SOA ns.example.net. h.example.net. 1 7200 900 1209600 300\n\
                      @ NS ns.example.net.\n";

/// Returns the findings in a master file called example.com.zone.
fn in_master(text: &str) -> Vec<String> {
    let loaded = load_beside(&[("zones/example.com.zone", text)]);
    let shown: Vec<String> = loaded.diagnostics.iter().map(shown).collect();
    shown.into_iter().map(|line| line.replace("zones/example.com.zone:", "")).collect()
}

fn below_head(text: &str) -> Vec<String> {
    in_master(&format!("{MASTER}{text}"))
}

#[test]
fn names_in_a_master_file_that_lead_nowhere_are_warnings() {
    let dot = "(a final dot is missing: write";
    assert_eq!(
        below_head(
            "@ MX 0 mail.example.com.\n@ MX 10 mx.example.com\nmail CNAME example.com.\n\
             shop CNAME shops.example.com\n_x._tcp SRV 0 0 1 mail\nsub NS ns.sub\nlab NS mail\n\
             x MX 5 empty\nempty TXT a\na CNAME b\nb CNAME a\n"
        ),
        [
            "warning: 4:1 `@ MX`: example.com.: the MX record leads to mail.example.com., which is \
             an alias (write the name to which the alias leads (RFC 2181 §10.3))"
                .to_owned(),
            format!(
                "warning: 5:1 `@ MX`: example.com.: the MX record leads to \
                 mx.example.com.example.com., which does not exist {dot} `mx.example.com.`)"
            ),
            format!(
                "warning: 7:1 `shop CNAME`: shop.example.com.: the CNAME record leads to \
                 shops.example.com.example.com., which does not exist {dot} `shops.example.com.`)"
            ),
            "warning: 8:1 `_x._tcp SRV`: _x._tcp.example.com.: the SRV record leads to \
             mail.example.com., which is an alias (write the name to which the alias leads \
             (RFC 2181 §10.3))"
                .to_owned(),
            "warning: 9:1 `sub NS`: sub.example.com.: the NS record leads to ns.sub.example.com., \
             which lies below this delegation and has no A or AAAA record here: nobody can \
             reach it \
             (add its A or AAAA record as glue)"
                .to_owned(),
            "warning: 10:1 `lab NS`: lab.example.com.: the NS record leads to mail.example.com., \
             which is an alias (write the name to which the alias leads (RFC 2181 §10.3))"
                .to_owned(),
            "warning: 11:1 `x MX`: x.example.com.: the MX record leads to empty.example.com., which \
             has no A or AAAA record (add its A or AAAA record)"
                .to_owned(),
            "warning: 13:1 `a CNAME`: a.example.com.: this alias leads back to itself".to_owned(),
            "warning: 14:1 `b CNAME`: b.example.com.: this alias leads back to itself".to_owned(),
        ]
    );
}

#[test]
fn what_leads_somewhere_or_out_of_the_zone_is_no_warning() {
    assert_eq!(
        below_head(
            "@ MX 0 mail\nmail A 192.0.2.1\n*.w A 192.0.2.2\n@ MX 1 a.w\n@ MX 2 mx.example.net.\n\
             x MX 0 .\nsub NS ns.sub\nns.sub A 192.0.2.3\nsub DS 1 13 2 00\n@ MX 3 a.sub\n\
             old DNAME example.net.\nalias HTTPS 0 svc\nsvc HTTPS 1 .\nself SVCB 1 .\n"
        ),
        [""; 0]
    );
}

#[test]
fn a_zone_file_warns_at_the_value() {
    let text = "zone = \"example.com\"\nnameservers = [\"ns1.example.net.\"]\n[records]\n\
                \"@\" = { MX = [\"10 mx.example.com\", \"20 mail\"] }\n\
                mail = { CNAME = \"web.example.net.\" }\n\
                \"www.sub\" = { TXT = \"never answered\" }\nsub = { NS = [\"ns1.example.net.\"] }\n\
                [services.\"web.example.com\"]\nendpoints = [\"192.0.2.1\", \"192.0.2.1\"]\n";
    assert_eq!(
        mistakes(text).iter().map(|line| line.split(" (").next().unwrap()).collect::<Vec<_>>()[..4],
        [
            "warning: 4:15 `\"10 mx.example.com\"`: example.com.: the MX record leads to \
             mx.example.com.example.com., which does not exist",
            "warning: 4:36 `\"20 mail\"`: example.com.: the MX record leads to mail.example.com., \
             which is an alias",
            "warning: 6:1 `\"www.sub\"`: www.sub.example.com.: never answered: it lies below a \
             delegation",
            "warning: 8:11 `\"web.example.com\"`: web.example.com.example.com.: the name of the zone \
             stands in it twice",
        ]
    );
}

#[test]
fn records_that_peers_load_are_served_with_a_warning() {
    let found = below_head("www 300 A 192.0.2.1\nwww 600 A 192.0.2.2\n");
    assert_eq!(
        found,
        [
            "warning: 5:1 `www 600 A`: www.example.com.: the records of one RRset have different TTLs; \
          the lowest counts for all of them (give all records of one name and type the same TTL)"
        ]
    );
    let found = below_head("sub NS ns.example.net.\nsub TXT x\na.sub TXT y\nb.sub TXT z\n");
    assert_eq!(
        found,
        [
            "warning: 5:1 `sub TXT`: sub.example.com.: never answered: this name is delegated (move \
             it to the servers that this name is delegated to)",
            "warning: 6:1 `a.sub TXT`: a.sub.example.com. and 1 more names here: never answered: it \
             lies below a delegation (move it to the servers that this name is delegated to)",
        ]
    );
}

#[test]
fn a_signed_zone_is_one_error() {
    let found = below_head(
        "@ RRSIG SOA 8 2 43200 20280227064000 20260128064000 16839 @ AQID\n\
         @ 60 RRSIG NS 8 2 3600 20280227064000 20260128064000 16839 @ AQID\n\
         @ NSEC www A RRSIG\n@ MX 0 nowhere\n",
    );
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("this zone is signed"), "{found:?}");
}

#[test]
fn a_forgotten_dot_of_the_soa_is_one_error_at_its_line() {
    let soa = "example.com 60 SOA ns.example.net dns.example.net 1 2 3 4 5\n";
    let found =
        in_master(&format!("{soa}example.com. 60 NS ns.example.net.\nwww 60 A 192.0.2.1\n"));
    assert_eq!(
        found,
        [
            "1:1 `example.com 60 SOA`: the owner of this SOA record is example.com.example.com. (a final \
          dot is missing: write `example.com.`)"
        ]
    );
    // With no final dot anywhere, the file would be sound as example.com.example.com.
    let rest = "example.com 60 NS ns.example.net\nexample.com 60 MX 10 mx.example.com\n\
                mx.example.com 60 A 192.0.2.5\n";
    assert_eq!(in_master(&format!("{soa}{rest}")), found);
    let found = in_master(&MASTER.replace('@', "example.org."));
    assert_eq!(
        found,
        [
            "warning: 2:1 `example.org. SOA`: this file holds the zone example.org., and not example.com \
          (rename the file to example.org.zone, or write $ORIGIN)"
        ]
    );
}

#[test]
fn more_srv_records_than_a_datagram_holds_are_a_warning() {
    let found = |count: usize| {
        let endpoints: Vec<String> = (1..=count).map(|at| format!("\"198.51.100.{at}\"")).collect();
        mistakes_in(&format!(
            "[services.db]\nport = 5432\nsrv = \"_pg._tcp\"\nendpoints = [{}]\n",
            endpoints.join(", ")
        ))
    };
    let at = "warning: 5:7 `\"_pg._tcp\"`: _pg._tcp.db.example.com.:";
    assert_eq!(found(9), [""; 0]);
    assert_eq!(
        found(14),
        [format!(
            "{at} 14 SRV records, too many for 512 octets: clients without EDNS, such as HAProxy's by \
             default, have to ask again over TCP"
        )]
    );
    assert_eq!(
        found(40),
        [format!(
            "{at} 40 SRV records, too many for a UDP response of 1232 octets: every client has to ask \
             again over TCP"
        )]
    );
}
