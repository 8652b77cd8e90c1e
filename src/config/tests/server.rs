//! `waypost.toml`, and the schema of zone files.

use std::path::PathBuf;
use std::time::Duration;

use super::*;
use crate::geo::{Code, Coordinates, OwnNetwork, Place};
use crate::health::GuardPolicy;

fn server(text: &str) -> (Option<ServerConfig>, Vec<String>) {
    let path = PathBuf::from("waypost.toml");
    let source = Arc::new(Source::new(path, text, 0));
    let (config, diagnostics) = load_server(&source);
    (config, diagnostics.iter().map(shown).collect())
}

#[test]
fn an_empty_file_says_the_defaults() {
    assert_eq!(server(""), (Some(ServerConfig::default()), vec![]));
    let config = ServerConfig::default();
    assert_eq!(config.listen, ["127.0.0.1:5300".parse().unwrap()]);
    assert_eq!(config.zones, PathBuf::from("zones"));
    assert_eq!(
        server("[listen]\n[checks]\n[geo]\n[limits]\n[identity]\n[cookies]\n[rate_limit]\n[log]").0,
        Some(config)
    );
}

#[test]
fn every_key_is_read() {
    let (config, mistakes) = server(
        "zones = \"/etc/waypost/zones\"\n\
         [listen]\naddresses = [\"0.0.0.0:53\", \"[::]:53\"]\nworkers = 4\n\
         tls = [\"0.0.0.0:853\", \"[::]:853\"]\nhttps = \"[::]:443\"\nquic = \"[::]:853\"\n\
         h3 = \"[::]:443\"\nhttps_path = \"/dns\"\n\
         [tls]\ncertificate = \"/etc/waypost/fullchain.pem\"\nkey = \"/etc/waypost/privkey.pem\"\n\
         [checks]\nstart_wait = \"500ms\"\nconcurrency = 64\n\
         concurrency_per_address = 5\nexec = true\n\
         [limits]\ntcp_connections = 10\ntcp_connections_per_source = 2\ntcp_idle = \"1m\"\n\
         tcp_first_query = \"1s\"\n\
         [identity]\nname = \"ns1-fra\"\nversion = \"none of your business\"\n\
         [cookies]\nmax_nocookie_response = 200\n\
         secrets = [\"000102030405060708090a0b0c0d0e0f\", \"FF000000000000000000000000000000\"]\n\
         [rate_limit]\nper_source = 20\nper_network = 0\nslip = 2\nexempt = [\"10.0.0.0/8\"]\n\
         [log]\nformat = \"json\"\nlevel = \"debug\"\n",
    );
    assert_eq!(mistakes, [""; 0]);
    let expected = ServerConfig {
        listen: vec!["0.0.0.0:53".parse().unwrap(), "[::]:53".parse().unwrap()],
        workers: 4,
        encrypted: Some(EncryptedConfig {
            certificate: PathBuf::from("/etc/waypost/fullchain.pem"),
            key: PathBuf::from("/etc/waypost/privkey.pem"),
            tls: vec!["0.0.0.0:853".parse().unwrap(), "[::]:853".parse().unwrap()],
            https: vec!["[::]:443".parse().unwrap()],
            quic: vec!["[::]:853".parse().unwrap()],
            h3: vec!["[::]:443".parse().unwrap()],
            https_path: "/dns".to_owned(),
        }),
        zones: PathBuf::from("/etc/waypost/zones"),
        start_wait: Duration::from_millis(500),
        check_concurrency: 64,
        check_concurrency_per_address: 5,
        allowed: Allowed { exec: true, ..Allowed::default() },
        guard: GuardPolicy { concurrency: 64, per_address: 5, ..GuardPolicy::default() },
        states: None,
        state_max_age: Duration::from_secs(600),
        file: None,
        geo: GeoConfig::default(),
        limits: Limits {
            tcp_connections: 10,
            tcp_connections_per_source: 2,
            tcp_idle: Duration::from_secs(60),
            tcp_first_query: Duration::from_secs(1),
        },
        identity: Identity {
            name: Some("ns1-fra".to_owned()),
            version: Some("none of your business".to_owned()),
        },
        cookies: Some(CookieSecrets(vec![
            std::array::from_fn(|at| at as u8),
            std::array::from_fn(|at| if at == 0 { 255 } else { 0 }),
        ])),
        max_nocookie_response: Some(200),
        rate_limit: RateLimit {
            per_source: 20,
            per_network: 0,
            slip: 2,
            exempt: vec!["10.0.0.0/8".parse().unwrap()],
        },
        log: LogConfig { format: LogFormat::Json, level: tracing::Level::DEBUG },
    };
    assert_eq!(config, Some(expected));
}

#[test]
fn networks_are_where_the_operator_says() {
    let (config, mistakes) = server(
        "[geo]\ndatabases = [\"city.mmdb\", \"/var/lib/asn.mmdb\"]\n\
         [[geo.networks]]\nnet = [\"10.1.0.0/16\", \"2001:db8:1::/48\"]\nsubdivision = \"de-be\"\n\
         location = { lat = 52.5, lon = 13.4 }\nasn = 64500\n",
    );
    assert_eq!(mistakes, [""; 0]);
    let network = OwnNetwork {
        nets: vec!["10.1.0.0/16".parse().unwrap(), "2001:db8:1::/48".parse().unwrap()],
        place: Some(Place {
            continent: Code::new("EU"),
            country: Code::new("DE"),
            subdivisions: ["DE-BE".parse().ok(), None],
            coordinates: Coordinates::new(52.5, 13.4),
        }),
        asn: Some(64_500),
    };
    let databases = vec!["city.mmdb".into(), "/var/lib/asn.mmdb".into()];
    assert_eq!(config.unwrap().geo, GeoConfig { databases, networks: vec![network] });
    let (_, mut mistakes) = server(
        "[[geo.networks]]\nnet = \"10.0.0.0/8\"\n[[geo.networks]]\nnet = \"10.0.0.0/8\"\n\
         country = \"FR\"\nsubdivision = \"US-CA\"\nlocation = { lat = 91 }\n",
    );
    mistakes.sort();
    assert_eq!(
        mistakes,
        [
            "waypost.toml:1:1 `[[geo.networks]]`: this entry says nothing about its network \
             (add a country, a subdivision, a continent, a location or an asn)",
            "waypost.toml:3:1 `[[geo.networks]]`: US-CA is no part of FR",
            "waypost.toml:4:7 `\"10.0.0.0/8\"`: 10.0.0.0/8 is written twice \
             (write all that is known of it into one [[geo.networks]])",
            "waypost.toml:7:12 `{ lat = 91 }`: missing key `lon`",
            "waypost.toml:7:20 `91`: expected degrees from -90 to 90, found the number 91",
        ]
    );
}

#[test]
fn its_mistakes_come_all_at_once() {
    let (config, mistakes) = server(
        "[listen]\naddresses = \"127.0.0.1\"\nworkers = -1\n[limits]\ntcp_idle = \"2h\"\n\
         [log]\nlevel = \"warning\"\n[admin]\n",
    );
    assert_eq!(config, None);
    assert_eq!(mistakes.len(), 5);
    for mistake in [
        "waypost.toml:2:13 `\"127.0.0.1\"`: expected an address and a port, found \"127.0.0.1\" \
         (the port is missing: write 127.0.0.1:53)",
        "waypost.toml:3:11 `-1`: expected a whole number from 0 to 1024, found the number -1",
        "waypost.toml:5:12 `\"2h\"`: expected a period from 100ms to 1h, found 2h",
        "waypost.toml:7:9 `\"warning\"`: unknown value \"warning\" (did you mean \"warn\"?)",
        "waypost.toml:8:2 `admin`: unknown key `admin` (known keys: zones, outside_symlinks, \
         listen, checks, tls, geo, limits, identity, cookies, rate_limit, log)",
    ] {
        assert!(mistakes.contains(&mistake.to_owned()), "{mistake}\n{mistakes:#?}");
    }
}

#[test]
fn encrypted_listeners_and_their_certificate_need_each_other() {
    let (config, mistakes) = server("[listen]\nquic = \"127.0.0.1:853\"\n");
    assert_eq!(config, None);
    assert_eq!(
        mistakes,
        ["waypost.toml:2:8 `\"127.0.0.1:853\"`: an encrypted listener needs a certificate, and \
          there is no [tls] (add [tls] with certificate = \"FILE\" and key = \"FILE\", both PEM)"]
    );
    let (config, mistakes) = server("[tls]\ncertificate = \"a.pem\"\nkey = \"b.pem\"\n");
    assert_eq!(config, Some(ServerConfig::default()));
    assert_eq!(mistakes.len(), 1);
    assert!(mistakes[0].contains("no listener uses this certificate"), "{mistakes:?}");

    let half = "[listen]\ntls = \"[::1]:853\"\nhttps_path = \"dns\"\n[tls]\nkey = \"b.pem\"\n";
    let (config, mistakes) = server(half);
    assert_eq!((config, mistakes.len()), (None, 2));
    assert!(mistakes.iter().any(|m| m.contains("expected a path, found \"dns\"")), "{mistakes:?}");
    assert!(mistakes.iter().any(|m| m.contains("certificate")), "{mistakes:?}");
    // A broken key is not reported as missing.
    let broken = server("[listen]\ntls = \"[::1]:853\"\n[tls]\ncertificate = 1\nkey = \"b\"\n").1;
    assert_eq!(broken.len(), 1, "{broken:?}");
}

/// Compares the schema with the committed file; `WAYPOST_BLESS=1` writes that file.
#[test]
fn the_schema_in_the_repository_is_the_one_of_the_structs() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/zone.schema.json");
    if std::env::var_os("WAYPOST_BLESS").is_some() {
        std::fs::write(&path, schema()).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap();
    assert!(kept == schema(), "run the tests with WAYPOST_BLESS=1 to write {}", path.display());
}

/// Checks that no two tables share a name: in the schema they would be one.
#[test]
fn every_table_of_the_schema_has_a_name_of_its_own() {
    let schema: serde_json::Value = serde_json::from_str(&schema()).unwrap();
    let of_tests = &schema["$defs"]["Test"]["properties"]["expect"]["$ref"];
    let of_checks = &schema["$defs"]["Check"]["properties"]["expect"]["$ref"];
    assert_ne!(of_tests, of_checks);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/config/spec");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut names: Vec<String> = files
        .filter(|path| !path.ends_with("server.rs"))
        .flat_map(|path| {
            let text = std::fs::read_to_string(path).unwrap();
            let tables =
                text.lines().filter_map(|line| line.strip_prefix("    pub(crate) struct "));
            tables.map(str::to_owned).collect::<Vec<_>>()
        })
        .collect();
    let count = names.len();
    names.sort();
    names.dedup();
    assert!(count > 10 && names.len() == count, "{names:?}");
}

#[test]
fn the_schema_describes_every_key() {
    let schema: serde_json::Value = serde_json::from_str(&schema()).unwrap();
    let tables = schema["$defs"].as_object().unwrap().values().chain([&schema]);
    let mut keys = 0;
    for table in tables {
        let properties = table["properties"].as_object();
        for (key, property) in properties.into_iter().flatten() {
            assert!(property["description"].as_str().is_some_and(|text| text.len() > 10), "{key}");
            keys += 1;
        }
    }
    assert!(keys > 60, "{keys}");
    assert_eq!(schema["properties"]["ttl"]["default"], "1h");
    assert_eq!(schema["required"], serde_json::json!(["zone"]));
}

#[test]
fn cookies_can_be_off_and_secrets_are_never_shown() {
    assert_eq!(server("[cookies]\nenabled = false").0.unwrap().cookies, None);
    let secret = "0123456789abcdef0123456789abcdef";
    let shown = format!("{:?}", server(&format!("[cookies]\nsecrets = \"{secret}\"")));
    assert!(shown.contains("CookieSecrets(1)") && !shown.contains(secret), "{shown}");
    let three = format!("[cookies]\nsecrets = [\"{secret}\", \"{secret}\", \"{secret}\"]");
    assert!(server(&three).1[0].contains("at most 2 secrets"));
    for bad in ["short", "+123456789abcdef0123456789abcdef", "0123456789abcdef0123456789abcdeg"] {
        let (config, mistakes) = server(&format!("[cookies]\nsecrets = \"{bad}\""));
        assert_eq!(config, None);
        assert!(mistakes[0].contains("expected 32 hexadecimal digits"), "{mistakes:?}");
    }
}

#[test]
fn a_name_of_the_server_fits_a_character_string() {
    assert!(server(&format!("[identity]\nname = \"{}\"", "n".repeat(255))).0.is_some());
    let (_, mistakes) = server(&format!("[identity]\nversion = \"{}\"", "v".repeat(256)));
    assert!(mistakes[0].contains("expected at most 255 octets, found 256"), "{mistakes:?}");
}
