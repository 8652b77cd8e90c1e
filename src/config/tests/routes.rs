//! Routes: their clients, their targets, and those that come too late.

use super::*;

/// Two pools, and the key of the routes, whose value starts at line 7, column 11.
const POOLS: &str = "[services.web.pools]\neu = { endpoints = [\"192.0.2.1\"] }\n\
                     us = { endpoints = [\"192.0.2.2\"] }\n[services.web]\nroutes = ";

/// Checks that each list of routes gives exactly these diagnostics.
fn check(cases: &[(&str, &[&str])]) {
    for (routes, expected) in cases {
        assert_eq!(&mistakes_in(&format!("{POOLS}{routes}")), expected, "{routes}");
    }
}

#[test]
fn a_route_names_clients() {
    check(&[
        (
            "[{ to = \"eu\" }, { to = \"us\" }]",
            &["warning: 7:26 `{ to = \"us\" }`: no client can reach this route \
             (a route before it has no `from`: it takes everyone)"],
        ),
        ("[{ to = \"eu\" }]", &["warning: 5:1 `us`: no route goes to the pool `us`"]),
        ("[{ from = { net = \"10.0.0.0/8\" }, to = \"eu\" }]", &[]),
        ("[{}]", &["7:11 `{}`: missing key `to`"]),
        (
            "[{ from = {}, to = \"eu\" }]",
            &["7:20 `{}`: this `from` names no clients \
             (leave `from` out if the route is for everyone)"],
        ),
        (
            "[{ from = { planet = \"EU\" }, to = \"eu\" }]",
            &[
                "7:20 `{ planet = \"EU\" }`: this `from` names no clients \
                 (leave `from` out if the route is for everyone)",
                "7:22 `planet`: unknown key `planet` \
                 (known keys: net, continent, country, subdivision, asn)",
            ],
        ),
        (
            "[{ from = { net = \"10/8\" }, to = [\"eu\", \"es\"] }]",
            &[
                "7:28 `\"10/8\"`: expected a network, found \"10/8\" (such as \"10.0.0.0/8\")",
                "7:50 `\"es\"`: unknown pool `es` (did you mean \"eu\"?)",
            ],
        ),
        (
            "[{ from = { country = [\"DE\", \"France\", \"UK\", \"ZZ\"], continent = \"europe\", \
             subdivision = [\"CA\", \"XX-1\"], asn = 0 }, to = \"eu\" }]",
            &[
                "7:39 `\"France\"`: unknown country \"France\" (did you mean \"FR\"?)",
                "7:49 `\"UK\"`: unknown country \"UK\" (did you mean \"GB\"?)",
                "7:55 `\"ZZ\"`: unknown country \"ZZ\" \
                 (write its ISO 3166-1 code of two letters, such as \"DE\")",
                "7:74 `\"europe\"`: unknown continent \"europe\" (did you mean \"EU\"?)",
                "7:99 `\"CA\"`: \"CA\" is no part of a country \
                 (write its ISO 3166-2 code, such as \"US-CA\")",
                "7:105 `\"XX-1\"`: unknown country \"XX\" \
                 (write its ISO 3166-1 code of two letters, such as \"DE\")",
                "7:120 `0`: expected a whole number from 1 to 4294967295, found the number 0",
            ],
        ),
    ]);
}

#[test]
fn a_route_leads_to_pools() {
    let deep =
        |depth: usize| format!("[{{ to = {}\"eu\"{} }}]", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(mistakes_in(&format!("{POOLS}{}", deep(7))).len(), 1, "us is not reached");
    check(&[(&deep(8), &["7:26 `\"eu\"`: `to` nests deeper than 8 levels"])]);
    check(&[
        (
            "[{ to = { split = { eu = 0, us = 0 } } }]",
            &["7:18 `{ split = { eu = 0, us = 0 } }`: the weights of this split are all 0"],
        ),
        (
            "[{ to = { split = { eu = 1, us = 70000 } } }]",
            &["7:43 `70000`: expected a whole number from 0 to 65535, found the number 70000"],
        ),
        (
            "[{ from = { net = \"::/0\" }, to = { split = {} } }, { to = [] }]",
            &["7:53 `{}`: this split is empty", "7:68 `[]`: this list is empty"],
        ),
        (
            "[{ to = { split = [{ to = \"eu\" }] } }]",
            &["7:29 `{ to = \"eu\" }`: missing key `weight`"],
        ),
        (
            "[{ to = { nearest = [\"eu\"] } }]",
            &["7:31 `\"eu\"`: the pool `eu` does not say where it is \
               (give it `location = { lat = 50.1, lon = 8.7 }`)"],
        ),
        (
            "[{ to = { near = [\"eu\"] } }]",
            &["7:20 `near`: unknown key `near` (did you mean \"nearest\"?)"],
        ),
        (
            "[{ to = 1 }]",
            &["7:18 `1`: expected a pool, a list, { split = … }, { nearest = … }, \
               { fastest = … } or { all = … }, \
               found the number 1"],
        ),
        (
            "[{ to = { all = [\"eu\"], split = { eu = 1 } } }]",
            &["7:18 `{ all = [\"eu\"], split = { eu = 1 } }`: \
               expected one of `split`, `nearest`, `fastest` and `all` (write one inside \
               another to have both: to = [{ nearest = [\"eu\", \"us\"] }, { split = { a = 1, b = 1 } }])"],
        ),
    ]);
    let targets = "[services.web.pools]\neu = { endpoints = [\"192.0.2.1\"] }\n\
                   cdn = { endpoints = [{ target = \"cdn.example.net\" }] }\n[services.web]\n\
                   routes = [{ to = { all = [\"eu\", \"cdn\"] } }]";
    assert_eq!(
        mistakes_in(targets),
        ["7:18 `{ all = [\"eu\", \"cdn\"] }`: the endpoints of the pool `cdn` are targets \
          (`all` can only take addresses together: an answer has one CNAME)"]
    );
}

#[test]
fn what_an_earlier_route_takes_is_said_to_be_out_of_reach() {
    let routes = |froms: &[&str]| {
        let routes: Vec<String> =
            froms.iter().map(|from| format!("{{ from = {{ {from} }}, to = \"eu\" }}")).collect();
        mistakes_in(&format!("{POOLS}[\n{}\n]", routes.join(",\n")))
    };
    let whole = "no client can reach this route (";
    let part = "this value brings no client to the route (";
    let help = "of this service takes these clients before: the first match decides)";
    for (froms, place, says) in [
        (["net = \"10.0.0.0/8\"", "net = [\"10.1.0.0/16\", \"10.2.0.0/16\"]"], "9:1", whole),
        (["net = \"10.0.0.0/8\"", "net = [\"10.1.0.0/16\", \"11.0.0.0/16\"]"], "9:19", part),
        (["continent = \"EU\"", "country = [\"DE\", \"US\"]"], "9:23", part),
        (["country = \"US\"", "subdivision = \"US-CA\""], "9:1", whole),
        (["country = \"US\"", "country = \"US\", asn = 64500"], "9:1", whole),
        (["asn = [64500, 64501]", "asn = 64501, net = \"10.0.0.0/8\""], "9:1", whole),
    ] {
        let found = routes(&froms);
        assert_eq!(found.len(), 1, "{froms:?}: {found:?}");
        assert!(found[0].starts_with(&format!("warning: {place} `")), "{}", found[0]);
        assert!(found[0].contains(&format!("{says}route 1 {help}")), "{}", found[0]);
    }
    for froms in [
        ["net = \"10.1.0.0/16\"", "net = \"10.0.0.0/8\""],
        ["country = \"DE\"", "continent = \"EU\""],
        ["country = \"US\", asn = 64500", "country = \"US\""],
        ["country = \"US\", net = \"10.0.0.0/8\"", "net = \"10.0.0.0/8\""],
    ] {
        assert_eq!(routes(&froms), [""; 0], "{froms:?}");
    }
}

const FAST: &str = "zone = \"example.com\"\nnameservers = [\"ns.example.net.\"]\n\
                    [services.web]\nlatencies = \"web.csv\"\n[services.web.pools]\n\
                    eu = { endpoints = [\"192.0.2.1\"] }\nus = { endpoints = [\"192.0.2.2\"] }\n\
                    [[services.web.routes]]\n";

#[test]
fn latencies_are_read_line_by_line() {
    let found = |route: &str, table: &str| -> Vec<String> {
        let zone = format!("{FAST}{route}\n");
        let files = [("zones/example.com.toml", &*zone), ("zones/web.csv", table)];
        load_beside(&files).diagnostics.iter().map(shown).collect()
    };
    let fastest = "to = { fastest = [\"eu\", \"us\"] }";
    let sound = "\u{feff}# of last week\n\nprefix,pool,ms\n198.51.100.0/24 , eu , 12.5\r\n\
                 198.51.100.0/24,us,90 # far\n2001:db8::1,us,0\n";
    assert_eq!(found(fastest, sound), [""; 0]);
    assert_eq!(found(fastest, ""), [""; 0]);
    for (line, expected) in [
        (
            "10.0.0.0/8,eu",
            "1:1 `10.0.0.0/8,eu`: expected three fields, found 2 \
                           (write PREFIX,POOL,MILLISECONDS, such as 198.51.100.0/24,eu,12.5)",
        ),
        ("here,eu,1", "1:1 `here`: expected a network, found \"here\" (such as 198.51.100.0/24)"),
        (
            "10.0.0.1/8,eu,1",
            "1:1 `10.0.0.1/8`: the network 10.0.0.1/8 has bits set after its \
                             prefix (did you mean 10.0.0.0/8?)",
        ),
        ("10.0.0.0/8, eux,1", "1:13 `eux`: unknown pool `eux` (did you mean \"eu\"?)"),
        ("10.0.0.0/8,eu,-1", "1:15 `-1`: expected milliseconds from 0 to 60000, found \"-1\""),
        ("10.0.0.0/8,eu,nan", "1:15 `nan`: expected milliseconds from 0 to 60000, found \"nan\""),
        (
            "10.0.0.0/8,eu,1\n10.0.0.0/8,eu,2",
            "2:12 `eu`: the latency from 10.0.0.0/8 to `eu` is \
                                              given twice (leave one of the two)",
        ),
    ] {
        assert_eq!(found(fastest, line), [format!("zones/web.csv:{expected}")], "{line}");
    }
    assert_eq!(
        found(fastest, &"x\n".repeat(1000)).len(),
        DIAGNOSTICS_MAX + 1,
        "no more than can be read"
    );
    assert_eq!(
        found("to = [\"eu\", \"us\"]", ""),
        ["warning: 4:13 `\"web.csv\"`: no route uses these latencies \
          (write a route such as `to = { fastest = [\"eu\", \"us\"] }`)"]
    );
    assert_eq!(
        mistakes(&(FAST.replace("latencies = \"web.csv\"\n", "").to_owned() + fastest + "\n")),
        [
            "8:6 `{ fastest = [\"eu\", \"us\"] }`: `fastest` needs latencies, which this service lacks \
          (write `latencies = \"web.csv\"` in the service: a file with lines \
          PREFIX,POOL,MILLISECONDS)"
        ]
    );
}
