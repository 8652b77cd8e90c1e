//! Mistakes in `[[tests]]`.

use super::*;

const ZONE: &str = "zone = \"example.com\"\nnameservers = [\"ns.example.net.\"]\n\
                    [services.web.pools]\n\
                    eu = { endpoints = [{ name = \"fra1\", address = \"192.0.2.1\" }] }\n\
                    us = { endpoints = [\"192.0.2.2\"] }\n[[tests]]\n";

#[test]
fn a_test_names_what_there_is() {
    for (text, expected) in [
        ("expect = { pool = \"eu\" }", "6:1 `[[tests]]`: missing key `query`"),
        ("query = \"web\"", "6:1 `[[tests]]`: missing key `expect`"),
        (
            "query = \"web\"\nexpect = { pool = \"eux\" }",
            "8:19 `\"eux\"`: no pool is called eux (did you mean \"eu\"?)",
        ),
        (
            "query = \"web\"\nexpect = { shares = { fra2 = 0.5 } }",
            "8:23 `fra2`: no endpoint or pool is called fra2 (did you mean \"fra1\"?)",
        ),
        (
            "query = \"web\"\ndown = \"wep/fra1\"\nexpect = { pool = \"eu\" }",
            "8:8 `\"wep/fra1\"`: no service is called wep (did you mean \"web\"?)",
        ),
        (
            "query = \"web\"\ndown = [\"web/fra\"]\nexpect = { pool = \"eu\" }",
            "8:9 `\"web/fra\"`: web has no endpoint fra (did you mean \"fra1\"?)",
        ),
        (
            "query = \"web AAA\"\nexpect = { pool = \"eu\" }",
            "7:9 `\"web AAA\"`: AAA is no record type (did you mean \"AAAA\"?)",
        ),
        (
            "query = \"web A IN\"\nexpect = { pool = \"eu\" }",
            "7:9 `\"web A IN\"`: expected a name and a type, found \"web A IN\" \
             (such as \"web A\")",
        ),
        (
            "query = \"web\"\nexpect = { rcode = \"NXDOMIAN\" }",
            "8:20 `\"NXDOMIAN\"`: unknown value \"NXDOMIAN\" (did you mean \"NXDOMAIN\"?)",
        ),
        (
            "query = \"web\"\nexpect = { within = 0.1 }",
            "8:10 `{ within = 0.1 }`: this test expects nothing (write an expectation, \
             such as { pool = \"eu\" }, { exactly = [\"192.0.2.1\"] } or { rcode = \"NODATA\" })",
        ),
    ] {
        assert_eq!(mistakes(&format!("{ZONE}{text}\n")), [expected], "{text}");
    }
}
