//! Services as members of pools.

use super::*;

const ZONE: &str = "zone = \"example.com\"\nnameservers = [\"ns.example.net.\"]\n\
                    [services.eu]\nendpoints = [{ name = \"fra1\", address = \"192.0.2.1\" }]\n\
                    [services.web]\n";

#[test]
fn a_member_that_is_a_service_is_one_of_the_zone_and_nothing_else() {
    for (web, expected) in [
        ("endpoints = [{ service = \"eu\" }]", &[][..]),
        (
            "endpoints = [{ service = \"ue\" }]",
            &["6:26 `\"ue\"`: no service of this zone is called `ue` (did you mean \"eu\"?)"],
        ),
        (
            "endpoints = [{ service = \"web\" }]",
            &["6:26 `\"web\"`: a service cannot be nested in itself: web → web"],
        ),
        (
            "endpoints = [{ service = \"a\" }]\n[services.a]\nendpoints = [{ service = \"b\" }]\n\
             [services.b]\nendpoints = [{ service = \"web\" }, { service = \"a\" }]",
            &[
                "10:26 `\"web\"`: a service cannot be nested in itself: web → a → b → web",
                "10:47 `\"a\"`: a service cannot be nested in itself: a → b → a",
            ],
        ),
        (
            "endpoints = [{ service = \"eu\" }, \"192.0.2.2\"]",
            &["6:34 `\"192.0.2.2\"`: a pool has services or endpoints, not both \
               (move the endpoints into a service, or into a pool of their own)"],
        ),
        (
            "endpoints = [{ service = \"eu\" }, { service = \"eu\" }]",
            &["6:46 `\"eu\"`: `eu` is a member of this pool already"],
        ),
        (
            "endpoints = [{ service = \"eu\", weight = 0 }]",
            &["6:14 `{ service = \"eu\", weight = 0 }`: the weights of these services are all 0"],
        ),
        (
            "endpoints = [{ service = \"eu\", port = 80 }]",
            &["6:39 `80`: a member that is a service has no `port` \
               (write `port` in endpoints of that service; only `weight` can stand here)"],
        ),
        (
            "srv = \"_http._tcp\"\nendpoints = [{ service = \"eu\" }]",
            &["7:26 `\"eu\"`: SRV needs a port, but endpoint `fra1` of `eu` has none \
               (write `port = …` in the service `eu`)"],
        ),
        (
            "min_up = 0.5\nendpoints = [{ service = \"eu\" }]",
            &["6:10 `0.5`: a pool of services has no `min_up` \
               (write it in those services: each serves as long as one of its pools can)"],
        ),
        (
            "on_all_down = \"a\"\npools.a = { endpoints = [{ service = \"eu\" }] }",
            &["6:15 `\"a\"`: the members of the pool `a` are services \
               (`on_all_down` needs a pool with endpoints of its own)"],
        ),
        (
            "pools.a = { endpoints = [{ service = \"cdn\" }] }\n\
             pools.b = { endpoints = [\"192.0.2.9\"] }\n\
             routes = [{ to = { all = [\"a\", \"b\"] } }]\n\
             [services.cdn]\nendpoints = [{ target = \"www.example.net\" }]",
            &["6:38 `\"cdn\"`: the endpoints of `a/cdn` are targets (a route takes `a` by `all`, \
               which is for addresses: an answer has one CNAME)"],
        ),
    ] {
        assert_eq!(mistakes(&format!("{ZONE}{web}\n")), expected, "{web}");
    }
}

#[test]
fn all_counts_only_the_endpoints_that_it_takes() {
    let pool = |number: usize| {
        let address = |at: usize| format!("\"10.{number}.0.{}\"", at + 1);
        let endpoints: Vec<String> = (0..65).map(address).collect();
        format!("pools.p{number} = {{ endpoints = [{}] }}\n", endpoints.join(", "))
    };
    let text = |taken: usize| {
        let pools: String = (0..40).map(pool).collect();
        let (of_all, others): (Vec<_>, Vec<_>) = (0..40).partition(|number| *number < taken);
        let list = |numbers: Vec<usize>| -> String {
            numbers.iter().map(|number| format!(", \"p{number}\"")).collect()
        };
        let to = format!("{{ all = [\"a\"{}] }}{}", list(of_all), list(others));
        let nested = "pools.a = { endpoints = [{ service = \"eu\" }] }";
        format!("{ZONE}{nested}\n{pools}routes = [{{ to = [{to}] }}]\n")
    };
    assert_eq!(mistakes(&text(1)), [""; 0], "two blocks of eighty are taken beside the service");
    let found = mistakes(&text(40));
    assert!(found.iter().any(|line| line.contains("too many endpoints")), "{found:?}");
}

#[test]
fn services_that_double_at_each_level_are_refused_before_they_fill_memory() {
    let mut text = ZONE.to_owned();
    text.push_str("endpoints = [\"192.0.2.1\"]\n");
    for level in 0..8 {
        let inner = if level == 0 { "web".to_owned() } else { format!("s{}", level - 1) };
        text.push_str(&format!(
            "[services.s{level}.pools]\na = {{ endpoints = [{{ service = \"{inner}\" }}] }}\n\
             b = {{ endpoints = [{{ service = \"{inner}\" }}] }}\n"
        ));
    }
    let found = mistakes(&text);
    assert!(found.iter().any(|line| line.contains("pools; 64 are the most")), "{found:#?}");
}
