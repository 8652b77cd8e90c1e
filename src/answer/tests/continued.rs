//! Tests of shares over reloads: a service that a reload leaves as it is goes on where it was.

use super::*;

/// Makes a service called `label` with one pool of these weights.
fn weighted(label: &str, weights: &[u16]) -> Service {
    let addresses: Vec<String> =
        (0..weights.len()).map(|at| format!("192.0.2.{}", at + 1)).collect();
    let endpoints: Vec<(&str, u16)> =
        addresses.iter().map(String::as_str).zip(weights.iter().copied()).collect();
    let mut pool = pool("a", &endpoints);
    for (at, endpoint) in pool.endpoints.iter_mut().enumerate() {
        endpoint.owner = name(&format!("{label}{at}"));
    }
    let mut service = service(vec![pool], vec![]);
    (service.label, service.owner) = (label.into(), name(label));
    service.srv = srv_at(&format!("_http._tcp.{label}"));
    service
}

impl Engine {
    /// Publishes these services as the next form of the zone.
    fn reload(&mut self, services: Vec<Service>) {
        let zone = crate::zone::Zone::new(name("@"), records(STATIC), services).unwrap();
        let zone = Arc::new(Zone::compile(zone, &mut RouteTables::new(Arc::default())));
        // Most workers come from the snapshot before; one that was idle, from further back.
        let next = match fastrand::bool() {
            true => Snapshot::following(self.0.snapshot(), vec![zone]),
            false => Snapshot::new(self.0.snapshot().generation() + 2, vec![zone]),
        };
        self.0.adopt(Arc::new(next));
    }

    /// Returns the number of the endpoint that an A answer of `label` names.
    fn drawn(&mut self, label: &str) -> usize {
        let response = self.ask(&format!("{label}.example.com."), Type::A);
        let text = response.answer[0].to_string();
        text.rsplit('.').next().unwrap().parse::<usize>().unwrap() - 1
    }
}

/// Returns the greatest distance of any member's count from its exact share, over any run.
#[derive(Default)]
struct Runs {
    drawn: f64,
    counts: Vec<f64>,
    low: Vec<f64>,
    high: Vec<f64>,
}

impl Runs {
    fn add(&mut self, drawn: usize, weights: &[u16]) {
        let total: f64 = weights.iter().map(|&weight| f64::from(weight)).sum();
        for list in [&mut self.counts, &mut self.low, &mut self.high] {
            list.resize(weights.len(), 0.0);
        }
        self.drawn += 1.0;
        self.counts[drawn] += 1.0;
        for (at, &weight) in weights.iter().enumerate() {
            let off = self.counts[at] - self.drawn * f64::from(weight) / total;
            self.low[at] = self.low[at].min(off);
            self.high[at] = self.high[at].max(off);
        }
    }

    fn worst(&self) -> f64 {
        self.low.iter().zip(&self.high).map(|(low, high)| high - low).fold(0.0, f64::max)
    }
}

#[test]
fn shares_hold_over_reloads_that_change_other_services() {
    let mut rng = fastrand::Rng::with_seed(11);
    for _ in 0..12 {
        let weights: Vec<u16> = (0..rng.usize(1..=70)).map(|_| rng.u16(1..100)).collect();
        let kept = || weighted("kept", &weights);
        let mut engine = Engine::new(vec![kept()]);
        let mut runs = Runs::default();
        for _ in 0..50 {
            for _ in 0..rng.usize(0..40) {
                runs.add(engine.drawn("kept"), &weights);
            }
            // Others come, change and go, before and after it.
            let mut services: Vec<Service> = (0..rng.usize(0..4))
                .map(|at| {
                    let weights: Vec<u16> = (0..rng.usize(1..=66)).map(|_| rng.u16(1..9)).collect();
                    weighted(&format!("s{at}"), &weights)
                })
                .collect();
            services.insert(rng.usize(0..=services.len()), kept());
            engine.reload(services);
        }
        // A pool of several blocks draws a block and then a member: the errors of both add up.
        let most = if weights.len() > 64 { 4.0 } else { 2.0 };
        assert!(runs.worst() < most, "{} with {weights:?}", runs.worst());
    }
}

#[test]
fn new_weights_hold_from_the_reload_on() {
    let mut engine = Engine::new(vec![weighted("web", &[1, 1])]);
    (0..101).for_each(|_| assert!(engine.drawn("web") < 2));
    engine.reload(vec![weighted("web", &[9, 1])]);
    let mut runs = Runs::default();
    (0..1000).for_each(|_| runs.add(engine.drawn("web"), &[9, 1]));
    assert!(runs.worst() < 2.0, "{}", runs.worst());
}

#[test]
fn splits_go_on_too_and_start_anew_where_their_weights_change() {
    let split = |eu: u16| {
        let pools = vec![pool("eu", &[("192.0.2.1", 1)]), pool("us", &[("192.0.2.2", 1)])];
        let shares = [(0, eu), (1, 1)].map(|(at, weight)| (Target::Pool(PoolIndex(at)), weight));
        let to = Target::Split(shares.to_vec());
        service(pools, vec![Route { from: RouteFrom::default(), to }])
    };
    let mut engine = Engine::new(vec![split(3)]);
    let mut runs = Runs::default();
    for round in 0..400 {
        runs.add(engine.drawn("web"), &[3, 1]);
        if round % 3 == 0 {
            engine.reload(vec![split(3), weighted("other", &[1, (round + 1) as u16])]);
        }
    }
    assert!(runs.worst() < 2.0, "{}", runs.worst());
    engine.reload(vec![split(7)]);
    let mut runs = Runs::default();
    (0..800).for_each(|_| runs.add(engine.drawn("web"), &[7, 1]));
    assert!(runs.worst() < 2.0, "{}", runs.worst());
}
