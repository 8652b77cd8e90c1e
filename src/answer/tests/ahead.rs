//! Tests that looking ahead changes no answer.

use super::*;
use crate::answer::AHEAD_MAX;

/// Makes a zone large enough to look ahead in: 8,000 services, each with two pools and a text at
/// its name, and the records of the other tests.
fn large() -> Arc<Snapshot> {
    let mut records = records(STATIC);
    let services = (0..8000).map(|at| {
        let owner = name(&format!("s{at}"));
        let text = records.owner(&owner).unwrap();
        records.push(text, Type::TXT, ttl(300), b"\x04text").unwrap();
        let endpoints = |pool: u8| {
            let endpoint = |host: u8| {
                let label = format!("{pool}-{host}");
                let v4 = Ipv4Addr::new(10, pool, at as u8, host);
                Endpoint {
                    owner: name(&format!("{label}.s{at}")),
                    name: label,
                    place: Place::Addresses { v4: Some(v4), v6: None },
                    port: Some(80),
                    weight: 1 + u16::from(host),
                    guard: None,
                    wanted: Override::Auto,
                }
            };
            (0..3).map(endpoint).collect()
        };
        let pool = |number: u8| Pool {
            name: number.to_string(),
            min_up: MinUp::default(),
            location: None,
            endpoints: endpoints(number),
            services: None,
            nested_from: None,
        };
        let srv = srv_at(&format!("_http._tcp.s{at}"));
        let label = format!("s{at}");
        let https = (at % 2 == 0).then(https::plain);
        Service { owner, label, srv, https, ..service(vec![pool(1), pool(2)], vec![]) }
    });
    let services = services.collect();
    let zone = crate::zone::Zone::new(name("@"), records, services).unwrap();
    Arc::new(Snapshot::new(1, vec![Arc::new(Zone::compile(zone, &mut RouteTables::default()))]))
}

/// Makes queries for names that exist and for names that do not, and octets that are no query.
fn queries(rng: &mut fastrand::Rng) -> Vec<Vec<u8>> {
    let names = ["s7", "nothing", "x.wild", "lab", "www.lab", "old", "x.old", "@", "alias", "pool"];
    let types = [Type::A, Type::AAAA, Type::HTTPS, Type::SRV, Type::TXT, Type::DS, Type::ANY];
    let query = |rng: &mut fastrand::Rng| {
        let qname = match rng.u8(0..4) {
            0 => names[rng.usize(0..names.len())].to_owned(),
            1 => format!("_http._tcp.s{}", rng.u32(0..8000)),
            2 => format!("2-1.s{}", rng.u32(0..8000)),
            _ => format!("s{}", rng.u32(0..8010)),
        };
        let mut query = write_query(7, &name(&qname), types[rng.usize(0..types.len())], 1232, None);
        match rng.u8(0..8) {
            0 => query.truncate(rng.usize(0..=query.len())),
            1 => query.iter_mut().for_each(|octet| *octet = rng.u8(..)),
            _ => {}
        }
        query
    };
    (0..rng.usize(0..=AHEAD_MAX + 1)).map(|_| query(rng)).collect()
}

#[test]
fn what_is_fetched_ahead_changes_no_answer() {
    let snapshot = large();
    assert!(snapshot.has_large_zones());
    let mut plain = Responder::new(Arc::clone(&snapshot), 1);
    let mut ahead = Responder::new(snapshot, 1);
    let mut rng = fastrand::Rng::with_seed(3);
    let client = Client { source: ([127, 0, 0, 1], 4000).into(), over: Over::Udp };
    let (mut expected, mut given) = (vec![0; 1232], vec![0; 1232]);
    for _ in 0..2000 {
        let queries = queries(&mut rng);
        ahead.fetch(&queries.iter().map(Vec::as_slice).collect::<Vec<_>>());
        for query in queries {
            let outcome = plain.respond(&query, client, &mut expected);
            assert_eq!(ahead.respond(&query, client, &mut given), outcome, "{query:x?}");
            let len = outcome.len().unwrap_or(0);
            assert_eq!(given[..len], expected[..len], "{query:x?}");
        }
    }
}
