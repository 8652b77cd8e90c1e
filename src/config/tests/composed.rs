//! Checks that are made of other checks.

use super::*;

/// Returns the diagnostics for `checks`, of which a service with one endpoint uses `c`.
fn wrong(checks: &str) -> Vec<String> {
    mistakes_in(&format!(
        "[services.web]\nendpoints = [\"192.0.2.1\"]\ncheck = \"c\"\n[checks]\n\
         tcp = {{ kind = \"tcp\", port = 1 }}\n{checks}"
    ))
}

#[test]
fn each_mistake_in_a_check_made_of_others_is_told() {
    for (checks, expected) in [
        ("c = { all = [\"tcp\", { kind = \"http\" }] }", &[][..]),
        (
            "c = { service = \"db\" }\n[services.db]\nendpoints = [\"192.0.2.2\"]\ncheck = \"tcp\"",
            &[],
        ),
        (
            "c = { all = [\"tcp\"], kind = \"http\" }",
            &["8:29 `\"http\"`: a check has `all` or `kind`, not both"],
        ),
        (
            "c = { all = [\"tcp\"], interval = \"3s\" }",
            &["8:33 `\"3s\"`: `interval` means nothing beside `all` \
               (write it in the checks that this one is made of)"],
        ),
        (
            "c = { any = [\"tpc\"] }",
            &["8:14 `\"tpc\"`: unknown check `tpc` (did you mean \"tcp\"?)"],
        ),
        (
            "c = { at_least = { of = [\"tcp\"], count = 2 } }",
            &["8:18 `{ of = [\"tcp\"], count = 2 }`: at least 2 of 1 checks can never pass"],
        ),
        (
            "c = { not = \"d\" }\nd = { all = [\"c\", \"tcp\"] }",
            &["9:14 `\"c\"`: a check cannot be made of itself: c → d → c"],
        ),
        (
            "c = { service = \"web\" }",
            &["8:17 `\"web\"`: a service cannot guard itself: web → web"],
        ),
        (
            "c = { service = \"wbe\" }",
            &["8:17 `\"wbe\"`: no service of this zone is called `wbe` (did you mean \"web\"?)"],
        ),
        ("c = { not = false }", &["8:13 `false`: expected a check, and this turns checks off"]),
        (
            "c = { kind = \"redis\", agent = true }",
            &["8:31 `true`: `agent` means nothing in a check of kind redis"],
        ),
        (
            "c = { kind = \"http\", agent = { weight_min = 9, weight_max = 8 } }",
            &["8:30 `{ weight_min = 9, weight_max = 8 }`: `weight_min` is above `weight_max`, 8"],
        ),
    ] {
        assert_eq!(wrong(checks), expected, "{checks}");
        let _ = expected;
    }
}
