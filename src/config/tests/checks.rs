//! Checks, kind by kind: their keys, and the diagnostics for wrong ones.

use super::mistakes::{check, check_service};
use super::*;
use crate::zone::{CheckKind, Expiry, HttpCheck, Scalar};

/// Returns the check of a service with the check `written`; its endpoint has no port.
fn check_of_service(written: &str) -> Arc<Check> {
    let text = format!("{HEAD}[services.web]\nendpoints = [\"192.0.2.1\"]\ncheck = {written}\n");
    let loaded = load(&text);
    assert!(loaded.diagnostics.is_empty(), "{:?}", mistakes(&text));
    let zone = loaded.zone.expect("a sound zone");
    check_of(&zone.services()[0].pools[0].endpoints[0])
}

#[test]
fn a_check_has_only_what_its_kind_understands() {
    let kinds = "(did you mean \"https\"?)";
    check_service(&[
        (
            "check = {}",
            &["5:9 `{}`: missing key `kind` \
               (write it, or one of `all`, `any`, `at_least`, `not` and `service`)"],
        ),
        (
            "check = { kind = \"htps\" }",
            &[&format!("5:18 `\"htps\"`: unknown value \"htps\" {kinds}")],
        ),
        ("check = { kind = \"icmp\" }", &[]),
        (
            "check = { kind = \"ping\" }",
            &[
                "5:18 `\"ping\"`: unknown value \"ping\" (possible values: http, https, tcp, tls, udp, \
               dns, fastcgi, redis, mysql, postgres, grpc, grpcs, icmp, exec)",
            ],
        ),
        (
            "check = { kind = \"tcp\", port = 1, path = \"/\", expect = { body = \"x\" }, verify = true }",
            &[
                "5:42 `\"/\"`: `path` means nothing in a check of kind tcp",
                "5:65 `\"x\"`: `expect.body` means nothing in a check of kind tcp",
                "5:81 `true`: `verify` means nothing in a check of kind tcp",
            ],
        ),
        (
            "check = { kind = \"dns\" }",
            &["5:18 `\"dns\"`: a dns check needs a question \
               (write `query = \"web A\"`, relative to the zone)"],
        ),
        (
            "check = { kind = \"dns\", query = \"web AA\", user = \"x\" }",
            &[
                "5:33 `\"web AA\"`: AA is no record type (did you mean \"A\" or \"AAAA\"?)",
                "5:50 `\"x\"`: `user` means nothing in a check of kind dns",
            ],
        ),
        (
            "check = { kind = \"mysql\", user = \"\" }",
            &["5:34 `\"\"`: expected 1 to 32 visible ASCII characters, found \"\""],
        ),
        ("check = { kind = \"redis\" }", &[]),
        (
            "check = { kind = \"http\", port = 1, expect = { body_regex = \"a(b\" } }",
            &["5:60 `\"a(b\"`: not a regular expression: unclosed group \
               (the syntax is that of https://docs.rs/regex/1/regex/#syntax)"],
        ),
        (
            "check = { kind = \"http\", port = 1, expect = { body_regex = \"(\\\\w{500}){500}\" } }",
            &["5:60 `\"(\\\\w{500}){500}\"`: this regular expression takes more than 1 MiB once \
               compiled (repeat less in it: `{1000}` copies what it repeats)"],
        ),
        (
            "check = { kind = \"tcp\", port = 1, expect = { body_regex = \"x\" } }",
            &["5:59 `\"x\"`: `expect.body_regex` means nothing in a check of kind tcp"],
        ),
        (
            "check = { kind = \"http\", send = \"x\", ca = \"ca.pem\" }",
            &[
                "5:33 `\"x\"`: `send` means nothing in a check of kind http",
                "5:43 `\"ca.pem\"`: `ca` means nothing in a check of kind http",
            ],
        ),
        (
            "check = { kind = \"https\", ca = \"ca.pem\" }",
            &["5:32 `\"ca.pem\"`: cannot read zones/ca.pem: no such file"],
        ),
        (
            "check = { kind = \"http\", interval = \"2s\", timeout = \"3s\", rise = 0, fall = 11 }",
            &[
                "5:53 `\"3s\"`: the timeout is longer than the interval, 2s",
                "5:66 `0`: expected a whole number from 1 to 10, found the number 0",
                "5:76 `11`: expected a whole number from 1 to 10, found the number 11",
            ],
        ),
        (
            "check = { kind = \"http\", interval = \"2s\", fast_interval = \"3s\", flap = true }",
            &[
                "5:59 `\"3s\"`: this is longer than the interval, 2s",
                "5:72 `true`: expected a table, or false, found true",
            ],
        ),
        (
            "check = { kind = \"http\", flap = { turns = 1, hold = \"2d\" } }",
            &[
                "5:43 `1`: expected a whole number from 2 to 100, found the number 1",
                "5:53 `\"2d\"`: expected a period from 1s to 1d, found 2d",
            ],
        ),
        (
            "check = { kind = \"http\", interval = \"50ms\" }",
            &["5:37 `\"50ms\"`: expected a period from 100ms to 1d, found 50ms"],
        ),
        (
            "check = { kind = \"http\", path = \"a\", host = \"a b\", method = \"G T\" }",
            &[
                "5:33 `\"a\"`: expected a path that starts with `/`, in visible ASCII without `#`, \
             found \"a\"",
                "5:45 `\"a b\"`: expected a host name or an address, found \"a b\"",
                "5:61 `\"G T\"`: expected a method such as \"GET\", found \"G T\"",
            ],
        ),
        (
            "check = { kind = \"http\", headers = { Host = \"x\", \"a b\" = \"y\", c = \"d\\r\\ne\" } }",
            &[
                "5:38 `Host`: the Host header is written as `host = …`",
                "5:50 `\"a b\"`: expected the name of a header, found \"a b\"",
                "5:67 `\"d\\r\\ne\"`: expected a value in ASCII, without line breaks, found \"d\\r\\ne\"",
            ],
        ),
        (
            "check = { kind = \"http\", expect = { status = [99, \"300-200\", \"2xx\"] } }",
            &[
                "5:47 `99`: expected a status from 100 to 599, or a range such as \"200-299\", found \
             the number 99",
                "5:51 `\"300-200\"`: expected a status from 100 to 599, or a range such as \"200-299\", \
             found a string",
                "5:62 `\"2xx\"`: expected a status from 100 to 599, or a range such as \"200-299\", \
             found a string",
            ],
        ),
        (
            "check = 5",
            &["5:9 `5`: expected the name of a check, a table, or false, found the number 5"],
        ),
        (
            "check = \"site\"",
            &["5:9 `\"site\"`: unknown check `site` (define it as [checks.site])"],
        ),
    ]);
    check(&[
        (
            "[checks.site]\nkind = \"tcp\"",
            &["warning: 3:9 `site`: no service uses the check `site`"],
        ),
        (
            "[checks.none]\nkind = \"tcp\"",
            &["3:9 `none`: a check cannot be called \"none\": that word turns checks off"],
        ),
    ]);
}

#[test]
fn phases_lie_within_the_whole() {
    check_service(&[
        (
            "check = { kind = \"http\", timeout = \"1s\", connect_timeout = \"2s\" }",
            &["5:60 `\"2s\"`: this is longer than the timeout, 1s"],
        ),
        (
            "check = { kind = \"dns\", query = \"web\", connect_timeout = \"1s\" }",
            &["5:58 `\"1s\"`: `connect_timeout` means nothing in a check of kind dns"],
        ),
    ]);
    let check = check_of_service("{ kind = \"redis\", connect_timeout = \"200ms\" }");
    assert_eq!(check.connect_timeout, Some(std::time::Duration::from_millis(200)));
}

#[test]
fn octets_are_text_or_hexadecimal_digits() {
    check_service(&[
        (
            "check = { kind = \"tcp\", port = 1, send = \"x\", send_hex = \"00\" }",
            &["5:58 `\"00\"`: `send` is written as well: leave out one of the two"],
        ),
        (
            "check = { kind = \"tcp\", port = 1, send_hex = \"0\", expect = { hex = \"+1 zz\" } }",
            &[
                "5:46 `\"0\"`: expected hexadecimal digits in pairs, such as \"05 01 00\", found a \
                 string",
                "5:68 `\"+1 zz\"`: expected hexadecimal digits in pairs, such as \"05 01 00\", found \
                 a string",
            ],
        ),
    ]);
    let written =
        "{ kind = \"tcp\", port = 1, send_hex = \"05 01 0a\", expect = { hex = \"05FF\" } }";
    let CheckKind::Tcp(tcp) = &check_of_service(written).kind else { panic!("a tcp check") };
    assert_eq!(tcp.send.as_deref(), Some(&[5, 1, 10][..]));
    assert_eq!(tcp.expect.as_deref(), Some(&[5, 255][..]));
}

#[test]
fn what_a_response_must_hold_is_written_by_place() {
    check_service(&[
        (
            "check = { kind = \"http\", expect = { json = { status = \"ok\", \"/a~2\" = 1, \"/b\" = 1.5 } } }",
            &[
                "5:46 `status`: expected a JSON Pointer, found \"status\" (such as \
                 \"/checks/0/state\"; `~1` is a slash in a name, `~0` a tilde)",
                "5:61 `\"/a~2\"`: expected a JSON Pointer, found \"/a~2\" (such as \
                 \"/checks/0/state\"; `~1` is a slash in a name, `~0` a tilde)",
                "5:80 `1.5`: expected a string, a whole number, true or false, found the number 1.5",
            ],
        ),
        (
            "check = { kind = \"grpcs\", port = 1, host = \"a:b\", server_name = \"a.example:1\" }",
            &[
                "5:44 `\"a:b\"`: expected a host name or an address, found \"a:b\"",
                "5:65 `\"a.example:1\"`: expected a name without a port, found \"a.example:1\"",
            ],
        ),
        (
            "check = { kind = \"http\", expect = { headers = {}, json = {} } }",
            &[
                "5:47 `{}`: `expect.headers` is empty: it would pass anything",
                "5:58 `{}`: `expect.json` is empty: it would pass anything",
            ],
        ),
        (
            "check = { kind = \"http\", expect = { headers = { \"a b\" = \"c\" } } }",
            &["5:49 `\"a b\"`: expected the name of a header, found \"a b\""],
        ),
    ]);
    let written = "{ kind = \"http\", body = \"{}\", method = \"POST\", \
                   expect = { json = { \"/status\" = \"ok\", \"\" = true }, headers = { x-a = \"b\" } } }";
    let check = check_of_service(written);
    let CheckKind::Http(HttpCheck { body, expect, .. }) = &check.kind else { panic!("http") };
    assert_eq!(body.as_deref(), Some("{}"));
    assert_eq!(expect.json[0].0.as_str(), "/status");
    assert_eq!(expect.json[1].1, Scalar::Truth(true));
    assert_eq!(expect.headers, [("x-a".to_owned(), "b".to_owned())]);
}

#[test]
fn the_end_of_a_certificate_is_near_when_the_check_says_so() {
    check_service(&[
        (
            "check = { kind = \"http\", certificate = { fail = \"3d\" } }",
            &["5:40 `{ fail = \"3d\" }`: `certificate` means nothing in a check of kind http"],
        ),
        (
            "check = { kind = \"https\", certificate = { warn = \"11y\", fail = \"4000d\" } }",
            &[
                "5:50 `\"11y\"`: expected a period with a unit, such as \"10s\", found \"11y\" \
                 (units are w, d, h, m, s and ms: \"1h30m\")",
                "5:64 `\"4000d\"`: expected a period from 0s to 521w3d, found 571w3d",
            ],
        ),
    ]);
    let expiry = |written: &str| check_of_service(written).kind.tls().unwrap().expiry;
    let days = |days: u64| std::time::Duration::from_secs(days * 86_400);
    assert_eq!(expiry("{ kind = \"https\" }"), Expiry { warn: None, fail: days(0) });
    let unverified = expiry("{ kind = \"https\", verify = false }");
    assert_eq!(unverified, Expiry { warn: Some(days(0)), fail: days(0) });
    let written = "{ kind = \"grpcs\", port = 1, certificate = { warn = \"30d\", fail = \"2d\" } }";
    assert_eq!(expiry(written), Expiry { warn: Some(days(30)), fail: days(2) });
}

#[test]
fn commands_are_run_only_where_the_machine_allows_it() {
    check_service(&[
        (
            "check = { kind = \"exec\" }",
            &["5:18 `\"exec\"`: an exec check needs a command \
               (write `command = [\"/absolute/path\", \"argument\"]`)"],
        ),
        (
            "check = { kind = \"exec\", command = [\"check\", \"a\\u0000b\"] }",
            &[
                "5:37 `\"check\"`: expected an absolute path, found \"check\" \
                 (write the full path of the program: neither a shell nor PATH finds it)",
                "5:46 `\"a\\u0000b\"`: no word of a command can have a NUL",
            ],
        ),
        ("check = { kind = \"exec\", command = [\"/bin/true\"], expect = { exit = [0, 1] } }", &[]),
    ]);
    let text = format!(
        "{HEAD}[services.web]\nendpoints = [\"192.0.2.1\"]\n\
         check = {{ kind = \"exec\", command = [\"/bin/true\"] }}\n"
    );
    let files = Directory([("zones/example.com.toml", text)].into());
    let loaded = load_zone(Path::new("zones/example.com.toml"), &files, &Allowed::default());
    let said: Vec<_> = loaded.diagnostics.iter().map(shown).collect();
    let expected = "5:18 `\"exec\"`: this server runs no commands for checks \
                    (`[checks] exec = true` in waypost.toml lets zone files name commands)";
    assert_eq!(said, [expected]);
}

#[test]
fn who_needs_no_port_has_none() {
    check_service(&[(
        "check = { kind = \"icmp\", port = 7 }",
        &["5:33 `7`: `port` means nothing in a check of kind icmp"],
    )]);
    let text = format!(
        "{HEAD}[services.web]\nport = 8080\nendpoints = [\"192.0.2.1\"]\n\
         check = {{ kind = \"icmp\" }}\n"
    );
    let zone = load(&text).zone.expect("a sound zone");
    let check = check_of(&zone.services()[0].pools[0].endpoints[0]);
    assert_eq!(check.port, Some(0), "whatever port the service has");
}

#[test]
fn no_key_is_passed_over_beside_a_rule() {
    check_service(&[(
        "check = { any = [{ kind = \"http\" }], path = \"/\", expect = { body = \"x\" } }",
        &[
            "5:45 `\"/\"`: `path` means nothing beside `any` \
             (write it in the checks that this one is made of)",
            "5:68 `\"x\"`: `expect.body` means nothing beside `any` \
             (write it in the checks that this one is made of)",
        ],
    )]);
}

#[test]
fn the_way_of_a_probe_is_checked_as_its_question_is() {
    check_service(&[
        ("check = { kind = \"tcp\", port = 1, address = \"10.0.0.1\", proxy = \"v2\" }", &[]),
        (
            "check = { kind = \"tcp\", port = 1, address = \"0.0.0.0\", proxy = \"v3\" }",
            &[
                "5:45 `\"0.0.0.0\"`: no probe can go to the unspecified address",
                "5:64 `\"v3\"`: unknown value \"v3\" (did you mean \"v1\"?)",
            ],
        ),
        (
            "check = { kind = \"grpc\", port = 1, proxy = \"v1\", socket = \"/run/a\" }",
            &[
                "5:44 `\"v1\"`: `proxy` means nothing in a check of kind grpc",
                "5:59 `\"/run/a\"`: `socket` means nothing in a check of kind grpc",
            ],
        ),
        (
            "check = { kind = \"icmp\", source = [\"192.0.2.9\", \"192.0.2.8\"] }",
            &["5:49 `\"192.0.2.8\"`: a check has one IPv4 source at the most"],
        ),
        ("check = { kind = \"udp\", port = 1, send_hex = \"00\", expect = { hex = \"00\" } }", &[]),
        (
            "check = { kind = \"udp\", port = 1 }",
            &["5:18 `\"udp\"`: a udp check needs something to send \
               (write `send = \"…\"` or `send_hex = \"…\"`)"],
        ),
        ("check = { kind = \"fastcgi\", expect = { body = \"pong\" } }", &[]),
        ("check = { kind = \"fastcgi\", socket = \"/run/php.sock\", path = \"/p\" }", &[]),
        (
            "check = { kind = \"fastcgi\", socket = \"php.sock\", address = \"192.0.2.9\", port = 1 }",
            &[
                "5:38 `\"php.sock\"`: expected the absolute path of a Unix socket, found \"php.sock\"",
                "5:60 `\"192.0.2.9\"`: the check goes to php.sock, which has no address",
                "5:80 `1`: a Unix socket has no port",
            ],
        ),
        (
            "check = { kind = \"https\", client_key = \"key.pem\" }",
            &["5:40 `\"key.pem\"`: a key without its certificate: `client_certificate` is missing"],
        ),
        (
            "check = { any = [{ kind = \"http\" }], address = \"192.0.2.9\" }",
            &["5:48 `\"192.0.2.9\"`: `address` means nothing beside `any` \
               (write it in the checks that this one is made of)"],
        ),
    ]);
}

#[test]
fn a_probe_goes_nowhere_that_waypost_toml_does_not_allow() {
    let said = |services: &str| {
        let text = format!("{HEAD}{services}");
        let files = Directory([("zones/example.com.toml", text)].into());
        let allowed = Allowed::default();
        let loaded = load_zone(Path::new("zones/example.com.toml"), &files, &allowed);
        loaded.diagnostics.iter().map(shown).collect::<Vec<_>>()
    };
    let own = "[services.web]\nendpoints = [\"127.0.0.1\", \"169.254.169.254\", \"192.0.2.1\"]\n";
    assert_eq!(said(own), [""; 0], "nothing probes them");
    let expected = [
        "4:14 `\"127.0.0.1\"`: probes may not go to a loopback address \
         (`[checks] allow = \"127.0.0.1\"` in waypost.toml lets probes go there)",
        "4:27 `\"169.254.169.254\"`: probes may not go to an address at which clouds tell machines \
         their secrets (`[checks] allow = \"169.254.169.254\"` in waypost.toml lets probes go \
         there)",
    ];
    assert_eq!(said(&format!("{own}check = {{ kind = \"http\" }}\n")), expected);
    let any = format!("{own}check = {{ any = [{{ kind = \"http\" }}, {{ kind = \"icmp\" }}] }}\n");
    assert_eq!(said(&any), expected);
    let address = "[services.web]\nendpoints = [\"192.0.2.1\"]\n\
                   check = { kind = \"http\", address = \"fe80::1\" }\n";
    assert_eq!(
        said(address),
        ["5:36 `\"fe80::1\"`: probes may not go to a link-local address \
          (`[checks] allow = \"fe80::1\"` in waypost.toml lets probes go there)"]
    );
    let socket = "[services.web]\nendpoints = [\"192.0.2.1\"]\n\
                  check = { kind = \"fastcgi\", socket = \"/run/php.sock\" }\n";
    assert_eq!(
        said(socket),
        ["5:38 `\"/run/php.sock\"`: probes may not go to a socket of this machine \
          (`[checks] allow = \"127.0.0.1\"` in waypost.toml lets probes go there)"]
    );
}
