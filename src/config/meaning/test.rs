//! Tests: the services, endpoints and pools that they name must exist in the zone.

use super::Builder;
use crate::config::decode::{List, OneOrMany, Spanned, one_of};
use crate::config::spec::test::{ExpectedRcode, Test as TestSpec, TestExpect, WITHIN_DEFAULT};
use crate::config::words::near_type;
use crate::wire::kind::Type;
use crate::zone::{Down, Expect, Service, Test};

/// The address that asks unless a test names one.
const CLIENT_DEFAULT: std::net::IpAddr = std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

impl Builder<'_> {
    /// Builds the tests of the zone, whose services are `services`.
    pub(super) fn tests(
        &mut self,
        tests: Option<&Spanned<List<TestSpec>>>,
        services: &[Service],
    ) -> Vec<Test> {
        let tests = tests.map_or(&[][..], |tests| &tests.value.0);
        tests.iter().filter_map(|test| self.test(&test.value, services)).collect()
    }

    fn test(&mut self, test: &TestSpec, services: &[Service]) -> Option<Test> {
        let query = test.query.as_ref().and_then(|query| self.question(query));
        let down = test.down.as_ref().map_or(&[][..], |down| &down.value.0);
        let down: Vec<Down> = down.iter().filter_map(|down| self.down(down, services)).collect();
        let expect = test.expect.as_ref().map(|expect| self.expect(expect, services));
        let ((name, qtype), expect) = query.zip(expect)?;
        let written = test.query.as_ref().map_or(0..0, |query| query.span.clone());
        let client = test.client.as_ref();
        Some(Test {
            written,
            name,
            qtype,
            client: client.map_or(CLIENT_DEFAULT, |client| client.value.0.addr()),
            subnet: test.subnet.as_ref().map(|subnet| subnet.value.0),
            down,
            expect,
        })
    }

    /// Reads a name and a type.
    pub(super) fn question(
        &mut self,
        query: &Spanned<String>,
    ) -> Option<(crate::wire::name::Name, Type)> {
        let mut words = query.value.split_whitespace();
        let (Some(name), qtype, None) = (words.next(), words.next(), words.next()) else {
            let message = format!("expected a name and a type, found \"{}\"", query.value);
            self.decoder.error(&query.span, message).help = Some("such as \"web A\"".to_owned());
            return None;
        };
        let origin = self.origin.clone();
        let name = match name {
            "@" => Some(origin),
            name => {
                let name = Spanned::new(name.to_owned(), query.span.clone());
                self.any_name(&name, &origin)
            }
        };
        let qtype = match qtype.map_or(Ok(Type::A), str::parse) {
            Ok(qtype) => Some(qtype),
            Err(_) => {
                let written = qtype.unwrap_or_default();
                let message = format!("{written} is no record type");
                let help = near_type(written);
                self.decoder.error(&query.span, message).help = help;
                None
            }
        };
        name.zip(qtype)
    }

    fn down(&mut self, down: &Spanned<String>, services: &[Service]) -> Option<Down> {
        let named = |label: &str| services.iter().find(|service| service.label == label);
        // The last slash separates the endpoint, whose name has no slash, from the service.
        let (label, endpoint) = match down.value.rsplit_once('/') {
            Some((label, endpoint)) => (label, Some(endpoint)),
            None => (down.value.as_str(), None),
        };
        let Some(service) = named(label) else {
            let labels = services.iter().map(|service| service.label.as_str());
            let help = one_of(label, "services", labels);
            self.decoder.error(&down.span, format!("no service is called {label}")).help = help;
            return None;
        };
        let mut names = service.endpoints().map(|(_, endpoint)| endpoint.name.as_str());
        if let Some(endpoint) = endpoint
            && !names.any(|name| name == endpoint)
        {
            let names = || service.endpoints().map(|(_, endpoint)| endpoint.name.as_str());
            let names: Vec<&str> = names().collect();
            let message = format!("{label} has no endpoint {endpoint}");
            let help = one_of(endpoint, "endpoints", names.iter().copied());
            self.decoder.error(&down.span, message).help = help;
            return None;
        }
        Some(Down { service: label.to_owned(), endpoint: endpoint.map(str::to_owned) })
    }

    fn expect(&mut self, expect: &Spanned<TestExpect>, services: &[Service]) -> Expect {
        let Spanned { value: spec, span } = expect;
        let pools = services.iter().flat_map(|service| &service.pools);
        let pools: Vec<&str> = pools.flat_map(|pool| and_those_around(&pool.name)).collect();
        for pool in spec.pool.iter().flat_map(|pools| &pools.value.0) {
            self.must_be_known(pool, "pool", &pools);
        }
        let endpoints = services.iter().flat_map(Service::endpoints);
        let mut sharers: Vec<&str> = endpoints.map(|(_, e)| e.name.as_str()).collect();
        sharers.extend(&pools);
        for (name, _) in spec.shares.iter().flat_map(|shares| &shares.value.0) {
            self.must_be_known(name, "endpoint or pool", &sharers);
        }
        let texts = |texts: &Option<Spanned<OneOrMany<String>>>| -> Vec<String> {
            let texts = texts.iter().flat_map(|texts| &texts.value.0);
            texts.map(|text| text.value.clone()).collect()
        };
        let shares = spec.shares.iter().flat_map(|shares| &shares.value.0);
        let built = Expect {
            rcode: spec.rcode.as_ref().map(|rcode| rcode_text(rcode.value).to_owned()),
            pools: texts(&spec.pool),
            exactly: texts(&spec.exactly),
            among: texts(&spec.among),
            never: texts(&spec.never),
            shares: shares.map(|(name, s)| (name.value.clone(), s.value.0.as_fraction())).collect(),
            within: spec.within.as_ref().map_or(WITHIN_DEFAULT, |w| w.value.0.as_fraction()),
        };
        if !spec.broken && built == (Expect { within: built.within, ..Expect::default() }) {
            self.decoder.error(span, "this test expects nothing").help = Some(
                "write an expectation, such as { pool = \"eu\" }, { exactly = [\"192.0.2.1\"] } or \
                 { rcode = \"NODATA\" }"
                    .to_owned(),
            );
        }
        built
    }

    fn must_be_known(&mut self, name: &Spanned<String>, what: &str, known: &[&str]) {
        if !known.contains(&name.value.as_str()) {
            let message = format!("no {what} is called {}", name.value);
            let help = one_of(&name.value, "known names", known.iter().copied());
            self.decoder.error(&name.span, message).help = help;
        }
    }
}

/// Returns the name of a pool after those of the pools that it is nested in: `main`, `main/stable`,
/// `main/stable/eu`.
fn and_those_around(name: &str) -> impl Iterator<Item = &str> {
    let around = name.match_indices('/').filter_map(|(at, _)| name.get(..at));
    around.chain([name])
}

pub(super) fn rcode_text(rcode: ExpectedRcode) -> &'static str {
    match rcode {
        ExpectedRcode::NoError => "NOERROR",
        ExpectedRcode::NoData => "NODATA",
        ExpectedRcode::NxDomain => "NXDOMAIN",
        ExpectedRcode::Refused => "REFUSED",
        ExpectedRcode::YxDomain => "YXDOMAIN",
    }
}
