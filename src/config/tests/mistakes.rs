//! Each rule of a zone file: a text that breaks it, and the place that the diagnostic names.

use super::*;

/// Checks that each text, appended to [`HEAD`], gives exactly these diagnostics.
pub(super) fn check(cases: &[(&str, &[&str])]) {
    for (text, expected) in cases {
        assert_eq!(&mistakes_in(text), expected, "{text}");
    }
}

/// Checks that each text, put into a service with one endpoint, gives exactly these diagnostics.
/// The first line of the text is line 5 of the file.
pub(super) fn check_service(cases: &[(&str, &[&str])]) {
    for (text, expected) in cases {
        let text = format!("[services.web]\nendpoints = [\"192.0.2.1\"]\n{text}");
        assert_eq!(&mistakes_in(&text), expected, "{text}");
    }
}

/// Checks texts in the place of the list of endpoints; they start at line 4, column 13.
fn check_endpoints(cases: &[(&str, &[&str])]) {
    for (text, expected) in cases {
        assert_eq!(
            &mistakes_in(&format!("[services.web]\nendpoints = {text}\n")),
            expected,
            "{text}"
        );
    }
}

#[test]
fn a_zone_needs_its_name_and_name_servers() {
    assert_eq!(mistakes(""), ["1:1 ``: missing key `zone`"]);
    assert_eq!(
        mistakes("zone = \"example.com\""),
        ["1:8 `\"example.com\"`: the zone has no NS records \
          (write `nameservers = [\"ns1\", \"ns2\"]` and their addresses)"]
    );
    assert_eq!(
        mistakes("zone = \"a..b\"\nttl = 1"),
        [
            "1:8 `\"a..b\"`: an empty label: two dots in a row, or a dot at the start",
            "2:7 `1`: expected a period with a unit, such as \"10s\", found the number 1 \
             (write \"1s\" for 1 seconds)",
        ]
    );
    assert_eq!(
        mistakes("zone = \"example.com\"\nnameservers = [\"ns1\", \"ns.example.net.\"]"),
        [
            "2:16 `\"ns1\"`: ns1.example.com.: this name server lies in the zone but has no A or AAAA \
          record (add its A or AAAA record, or end the name with a dot if it lies elsewhere)"
        ]
    );
    assert_eq!(
        mistakes("zone = \"example.com\"\nnameserver = [\"ns1\"]"),
        ["2:1 `nameserver`: unknown key `nameserver` (did you mean \"nameservers\"?)"]
    );
}

#[test]
fn syntax_errors_come_all_at_once_and_beside_others() {
    assert_eq!(
        mistakes_in(
            "ttl =\nrecord = {}\nservices = \"web\"\nsoa = { contact = \"x }\nzone = \"a\"\n"
        ),
        [
            "3:6 ``: expected a value; a string stands in quotes, such as \"10s\"",
            "4:1 `record`: unknown key `record` (did you mean \"records\"?)",
            "5:12 `\"web\"`: expected a table, found a string",
            "6:23 ``: invalid basic string; expected `\"`",
        ]
    );
}

#[test]
fn one_slip_in_the_syntax_is_one_error() {
    let rest = "port = 0\n[services.b]\nendpoints = []\n";
    let missing_comma = "5:1 ``: expected a comma or the end of the list before this";
    let quote = "4:25 ``: invalid basic string; expected `\"`";
    let empty = "7:13 `[]`: this list is empty";
    let float = "4:19 `.2.1`: invalid number; an address stands in quotes, such as \"192.0.2.53\"";
    let port = "5:8 `0`: expected a whole number from 1 to 65535, found the number 0";
    for (slip, expected) in [
        ("[services.web]\nendpoints = [\"192.0.2.1\"", &[missing_comma][..]),
        ("[services.web]\nendpoints = [\"192.0.2.1]", &[quote]),
        (
            "[services.web\nendpoints = [\"192.0.2.1\"]",
            &["3:14 ``: unclosed table; expected `]`", empty],
        ),
        (
            "[services.web]\nendpoints",
            &["4:10 ``: expected `=` and a value after this key", port, empty],
        ),
        ("[services.web]\nendpoints = [192.0.2.1]", &[float, port, empty]),
    ] {
        assert_eq!(mistakes_in(&format!("{slip}\n{rest}")), expected, "{slip}");
    }
}

#[test]
fn names_stay_in_the_zone() {
    let help = "(a name with a final dot is absolute; without it, it is relative to the zone)";
    assert_eq!(
        mistakes_in("[services.\"web.example.net.\"]\nendpoints = [\"192.0.2.1\"]"),
        [format!(
            "3:11 `\"web.example.net.\"`: the name web.example.net. lies outside the zone \
             example.com. {help}"
        )]
    );
    let text = "zone = \"example.com\"\n[records]\n\"@\" = { NS = \"ns.example.net.\" }\n\
                \"www.example.org.\" = { A = \"192.0.2.1\" }\n\"a..b\" = { A = \"x\" }";
    assert_eq!(
        mistakes(text),
        [
            format!(
                "4:1 `\"www.example.org.\"`: the name www.example.org. lies outside the zone \
                 example.com. {help}"
            ),
            "5:1 `\"a..b\"`: an empty label: two dots in a row, or a dot at the start".to_owned(),
        ]
    );
}

#[test]
fn records_are_checked_one_by_one() {
    let text = "zone = \"example.com\"\nnameservers = [\"ns.example.net.\"]\n[records]\n\
                a = { A = [\"192.0.2.1\", \"192.0.2\"], AAA = \"2001:db8::1\" }\n\
                b = { MX = \"mail\", ttl = \"1500ms\" }\n\
                c = {}\n\
                d = { A = 1, ANY = \"x\", XYZZY = \"x\" }\n\
                e = \"192.0.2.1\"\n\
                f = { TXT = \"\\u00e9 \\u0041\", A = \"\\u0041\" }\n";
    assert_eq!(
        mistakes(text),
        [
            "4:26 `192.0.2`: expected the address, an IPv4 address; found `192.0.2`",
            "4:37 `AAA`: unknown record type `AAA` (did you mean \"AAAA\"?)",
            "5:13 `mail`: expected the preference, a number from 0 to 65535; found `mail`",
            "5:26 `\"1500ms\"`: expected whole seconds, found 1s500ms",
            "6:5 `{}`: this name has no records (write a type and its data: A = \"192.0.2.1\")",
            "7:11 `1`: expected a string, found the number 1",
            "7:14 `ANY`: ANY is a type of queries; a zone cannot hold it",
            "7:25 `XYZZY`: unknown record type `XYZZY` (a type without a name is written as its \
             number: TYPE65280)",
            "8:5 `\"192.0.2.1\"`: expected a table, found a string (write its type: \
             { A = \"192.0.2.1\" })",
            "9:34 `\"\\u0041\"`: expected the address, an IPv4 address; found `A`",
        ]
    );
}

#[test]
fn soa_and_ns_are_written_once() {
    let text = "zone = \"example.com\"\nnameservers = [\"ns.example.net.\"]\nsoa = { refresh = \"1d\" }\n\
                records_file = \"more.zone\"\n";
    let more = "@ NS ns.example.org.\n@ SOA ns.example.org. ops 1 2 3 4 5\nwww A 192.0.2\n";
    let loaded = load_beside(&[("zones/example.com.toml", text), ("zones/more.zone", more)]);
    let shown: Vec<String> = loaded.diagnostics.iter().map(shown).collect();
    assert_eq!(
        shown,
        [
            "2:15 `[\"ns.example.net.\"]`: the records have NS records of the apex already \
             (keep those, or `nameservers`)",
            "3:7 `{ refresh = \"1d\" }`: the records have a SOA record already (keep that, or `soa`)",
            "zones/more.zone:3:7 `192.0.2`: expected the address, an IPv4 address; found `192.0.2`",
        ]
    );
    check(&[
        (
            "records_file = \"no.zone\"",
            &["3:16 `\"no.zone\"`: cannot read zones/no.zone: no such file"],
        ),
        (
            "records_file = \"../x.zone\"",
            &[
                "3:16 `\"../x.zone\"`: this path leaves the zone directory, zones: move the file there",
            ],
        ),
        (
            "soa = { contact = \"a..b\", serial = -1, mname = \"\" }",
            &[
                "3:19 `\"a..b\"`: an empty label: two dots in a row, or a dot at the start",
                "3:36 `-1`: expected a whole number from 0 to 4294967295, found the number -1",
                "3:48 `\"\"`: a name is expected here, but nothing is written",
            ],
        ),
    ]);
}

#[test]
fn a_service_has_places_and_settings_in_range() {
    check(&[
        ("[services.web]", &["3:11 `web`: this service has no endpoints"]),
        (
            "[services.web]\nendpoint = []",
            &["4:1 `endpoint`: unknown key `endpoint` (did you mean \"endpoints\"?)"],
        ),
        ("[services.web]\nendpoints = []", &["4:13 `[]`: this list is empty"]),
        ("[services.web.pools.eu]", &["3:1 `[services.web.pools.eu]`: missing key `endpoints`"]),
        (
            "[services.web]\nendpoints = [\"192.0.2.1\"]\n[services.web.pools.eu]\nendpoints = [\"192.0.2.2\"]",
            &["4:13 `[\"192.0.2.1\"]`: a service has `endpoints` or `pools`, not both \
             (move these endpoints into a pool)"],
        ),
        (
            "[services.web.pools.all]\nendpoints = [\"192.0.2.2\"]",
            &[
                "3:21 `all`: a pool cannot be called \"all\" (the word has a meaning in `on_all_down`)",
            ],
        ),
    ]);
    check_service(&[
        (
            "ttl = \"4s\"",
            &["warning: 5:7 `\"4s\"`: some resolvers keep every answer for at least 5s"],
        ),
        ("ttl = \"2d\"", &["5:7 `\"2d\"`: expected a period from 0s to 1d, found 2d"]),
        ("port = 0", &["5:8 `0`: expected a whole number from 1 to 65535, found the number 0"]),
        ("port = true", &["5:8 `true`: expected a whole number from 1 to 65535, found true"]),
        (
            "answers = 65",
            &["5:11 `65`: expected a whole number from 1 to 64, or \"all\", found the number 65"],
        ),
        ("min_up = 1.5", &["5:10 `1.5`: expected a number from 0 to 1, found the number 1.5"]),
        ("on_all_down = \"us\"", &["5:15 `\"us\"`: unknown pool `us` (this service has no pools)"]),
        (
            "srv = \"_http._tcp\"",
            &["5:7 `\"_http._tcp\"`: SRV needs a port, but endpoint `192-0-2-1` has none \
             (write `port = …` in the service)"],
        ),
        (
            "sticky = 1\nlocation = {}",
            &[
                "5:10 `1`: expected true or false, found the number 1",
                "6:1 `location`: unknown key `location` (known keys: ttl, port, srv, srv_weights, \
             srv_tiers, https, txt, check, state, answers, min_up, on_all_down, sticky, latencies, \
             endpoints, pools, routes)",
            ],
        ),
    ]);
}

#[test]
fn https_and_txt_of_a_service_are_checked_one_by_one() {
    let long = "x".repeat(256);
    let many = format!("https = {{ alpn = [{}] }}", "\"h2\", ".repeat(65));
    check_service(&[
        ("https = 443", &["5:9 `443`: expected true, false or a table, found the number 443"]),
        ("https = { }\ntxt = \"one\"", &[]),
        ("https = false\ntxt = ['\"a\" \"b\"', '']", &[]),
        (
            "https = { alpn = [\"h2\", \"\"], prt = 1 }",
            &[
                "5:25 `\"\"`: expected an ALPN name of 1 to 255 octets, found one of 0 \
                 (such as \"h2\" or \"h3\")",
                "5:30 `prt`: unknown key `prt` (did you mean \"port\"?)",
            ],
        ),
        (
            &format!("https = {{ alpn = \"{long}\", port = 0 }}"),
            &[
                &format!(
                    "5:18 `\"{long}\"`: expected an ALPN name of 1 to 255 octets, found one of 256 \
                     (such as \"h2\" or \"h3\")"
                ),
                "5:285 `0`: expected a whole number from 1 to 65535, found the number 0",
            ],
        ),
        (
            &many,
            &[&format!(
                "5:18 `[{}]`: 65 ALPN names; a service has 64 at the most",
                "\"h2\", ".repeat(65)
            )],
        ),
        (
            "txt = [1, '\"one', '\"\\300\"']",
            &[
                "5:8 `1`: expected a string, found the number 1",
                "5:12 `\"`: this quote is not closed on its line",
                "5:21 `\\`: a backslash must be followed by three digits (0 to 255) or a character",
            ],
        ),
    ]);
}

#[test]
fn one_type_at_the_name_of_a_service_is_written_in_one_place() {
    let text = "zone = \"example.com\"\nnameservers = [\"ns.example.net.\"]\n\
                records = { web = { HTTPS = \"1 .\", TXT = \"a\" } }\n\
                [services.web]\nendpoints = [\"192.0.2.1\"]\n";
    assert_eq!(mistakes(text), [""; 0], "records alone");
    let why = "the `https` or `txt` of the service makes records of this type here, too";
    let help = "(keep these, or the `https` or `txt`)";
    assert_eq!(
        mistakes(&format!("{text}https = true\ntxt = \"b\"\n")),
        [
            format!("3:21 `HTTPS`: web.example.com.: {why} {help}"),
            format!("3:36 `TXT`: web.example.com.: {why} {help}"),
        ]
    );
    let texts: Vec<String> = (0..300).map(|at| format!("\"{at}{}\"", "x".repeat(250))).collect();
    let texts = format!("[{}]", texts.join(", "));
    assert_eq!(
        mistakes_in(&format!("[services.web]\nendpoints = [\"192.0.2.1\"]\ntxt = {texts}\n")),
        [format!(
            "5:7 `{texts}`: web.example.com.: these records are too many for one message of 65,535 \
             octets"
        )]
    );
}

#[test]
fn what_a_service_of_targets_alone_never_answers_is_a_warning() {
    let help = "every pool has targets (clients get the records of the targets instead)";
    let own = "https = true\ntxt = \"a\"\n";
    let only = "[services.web]\nendpoints = [{ target = \"a.example.net\" }]\n";
    assert_eq!(
        mistakes_in(&format!("{only}{own}")),
        [
            format!("warning: 5:9 `true`: `https` is never answered: {help}"),
            format!("warning: 6:7 `\"a\"`: `txt` is never answered: {help}"),
        ]
    );
    let mixed = "[services.web.pools]\nown = { endpoints = [\"192.0.2.1\"] }\n\
                 cdn = { endpoints = [{ target = \"a.example.net\" }] }\n";
    assert_eq!(mistakes_in(&format!("[services.web]\n{own}{mixed}")), [""; 0]);
    assert_eq!(mistakes_in(&format!("{only}https = false\n")), [""; 0]);
}

#[test]
fn an_endpoint_has_one_place_and_a_name_of_its_own() {
    check_endpoints(&[
        ("[{ weight = 1 }]", &["4:14 `{ weight = 1 }`: this endpoint has no place"]),
        ("[7]", &["4:14 `7`: expected an address or a table, found the number 7"]),
        (
            "[\"192.0.2.1:80\"]",
            &["4:14 `\"192.0.2.1:80\"`: expected an IPv4 or IPv6 address, found \"192.0.2.1:80\" \
             (write the port as `port = …`)"],
        ),
        (
            "[{ address = [\"192.0.2.1\", \"192.0.2.2\"] }]",
            &["4:40 `\"192.0.2.2\"`: an endpoint has one IPv4 address at the most \
             (write two endpoints)"],
        ),
        (
            "[{ address = \"192.0.2.1\", target = \"a.example.net\" }]",
            &["4:48 `\"a.example.net\"`: an endpoint has an `address` or a `target`, not both"],
        ),
        (
            "[\"0.0.0.0\", \"ff02::1\", \"255.255.255.255\", \"::ffff:192.0.2.1\"]",
            &[
                "4:14 `\"0.0.0.0\"`: no client can connect to the unspecified address",
                "4:25 `\"ff02::1\"`: no client can connect to a multicast address",
                "4:36 `\"255.255.255.255\"`: no client can connect to the broadcast address",
                "4:55 `\"::ffff:192.0.2.1\"`: no client can connect to an IPv4 address that is \
                 written as an IPv6 one",
            ],
        ),
        (
            "[\"192.0.2.1\", { target = \"a.example.net\" }]",
            &[
                "4:27 `{ target = \"a.example.net\" }`: a pool has endpoints with addresses or with \
             targets, not both (move it into a pool of its own)",
            ],
        ),
        (
            "[{ target = \"a.example.net\", check = { kind = \"http\" } }]",
            &[
                "4:50 `{ kind = \"http\" }`: an endpoint with a `target` has no address that could be \
                 probed (write `address = …` in the check, or make it of services)",
            ],
        ),
        (
            "[\"192.0.2.1\", { address = \"192.0.2.2\", name = \"192-0-2-1\" }]",
            &["4:59 `\"192-0-2-1\"`: another endpoint of this service is called `192-0-2-1` \
             (give it a `name` of its own)"],
        ),
        (
            "[{ address = \"192.0.2.1\", name = \"a.b\" }]",
            &["4:46 `\"a.b\"`: `a.b` cannot be the name of an endpoint (write 1 to 63 letters, \
             digits and hyphens, no hyphen at either end)"],
        ),
        (
            "[{ target = \"_x.example.net\" }]",
            &[
                "4:14 `{ target = \"_x.example.net\" }`: no name for this endpoint can be made from \
             `_x` (give it a `name`)",
            ],
        ),
        (
            "[{ address = \"192.0.2.1\", check = { kind = \"tcp\" } }]",
            &[
                "4:14 `{ address = \"192.0.2.1\", check = { kind = \"tcp\" } }`: this endpoint has no \
             port, and neither has its tcp check (write `port = …` in the check or in the service)",
            ],
        ),
    ]);
}

#[test]
fn a_name_in_the_place_of_an_address_is_told_its_key() {
    check_endpoints(&[(
        "[\"lb.example.org\", { address = \"lb-7.example.org.\" }]",
        &[
            "4:14 `\"lb.example.org\"`: expected an IPv4 or IPv6 address, found \"lb.example.org\" \
             (a name is written as `target = \"…\"`)",
            "4:44 `\"lb-7.example.org.\"`: expected an IPv4 or IPv6 address, found \
             \"lb-7.example.org.\" (a name is written as `target = \"…\"`)",
        ],
    )]);
}

#[test]
fn conflicts_point_at_the_text_that_wrote_the_owner() {
    let service = "[services.\"@\"]\nendpoints = [{ target = \"a.example.net\" }]\n";
    check(&[
        (
            service,
            &["3:11 `\"@\"`: example.com.: a service with `target` endpoints answers CNAME, \
                    which cannot stand beside other data \
                    (move the service to a name of its own, below the apex)"],
        ),
        (
            "[services.web]\nendpoints = [{ name = \"a\", address = \"192.0.2.1\" }]\n\
          [services.\"a.web\"]\nendpoints = [\"192.0.2.2\"]",
            &[
                "5:11 `\"a.web\"`: a.web.example.com.: a service cannot share its name with addresses, \
             a CNAME or another service",
            ],
        ),
    ]);
    let text = "zone = \"example.com\"\nnameservers = [\"ns.example.net.\"]\n[records]\n\
                web = { A = \"192.0.2.1\" }\nsub = { NS = \"ns.sub\" }\n\
                [services.web]\nendpoints = [\"192.0.2.2\"]\n\
                [services.\"x.sub\"]\nendpoints = [\"192.0.2.2\"]\n";
    assert_eq!(
        mistakes(text),
        [
            "warning: 5:14 `\"ns.sub\"`: sub.example.com.: the NS record leads to \
             ns.sub.example.com., which lies below this delegation and has no A or AAAA record \
             here: nobody can reach it (add its A or AAAA record as glue)",
            "6:11 `web`: web.example.com.: a service cannot share its name with addresses, a CNAME \
             or another service",
            "8:11 `\"x.sub\"`: x.sub.example.com.: this service lies under a delegation or DNAME",
        ]
    );
}
