//! A number for an address and its check that stays the same.

use std::net::IpAddr;

use super::binding::Probed;
use crate::zone::{
    Agent, Check, CheckKind, ClientCertificate, DnsCheck, ExecCheck, Expiry, FastcgiCheck,
    GrpcCheck, HttpCheck, HttpExpect, Pattern, ProxyVersion, Source, StatusRange, TcpCheck,
    TlsOptions,
};

/// Returns a hash of what is probed. It does not change from run to run, or from release to release
/// of the standard library: FNV-1a over the parts, then mixed, because FNV's high bits are weak.
///
/// Every field is named, so that the compiler asks of a new field whether it belongs here. The
/// fields left out change when and how fast a verdict counts, not what it says.
pub(super) fn of(Probed { address, check }: &Probed) -> u64 {
    let Check {
        kind,
        source,
        proxy,
        agent,
        // The address has it.
        port: _,
        interval: _,
        jitter: _,
        timeout: _,
        connect_timeout: _,
        rise: _,
        fall: _,
        fast_interval: _,
        flap: _,
        slow_start: _,
    } = &**check;
    let mut hash = Fnv::default();
    hash.part(address.to_string().as_bytes());
    hash.part(kind.word().as_bytes());
    hash.kind(kind);
    hash.line(*source, *proxy);
    hash.agent(agent.as_ref());
    hash.mixed()
}

/// FNV-1a, 64 bits.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    fn part(&mut self, bytes: &[u8]) {
        for byte in bytes.iter().chain(&[0]) {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    fn text(&mut self, text: Option<&str>) {
        self.part(text.unwrap_or_default().as_bytes());
    }

    fn fields(&mut self, fields: &[(String, String)]) {
        for (name, value) in fields {
            self.part(name.as_bytes());
            self.part(value.as_bytes());
        }
    }

    fn kind(&mut self, kind: &CheckKind) {
        match kind {
            CheckKind::Http(http) => self.request(http),
            CheckKind::Tcp(exchange) | CheckKind::Udp(exchange) => self.exchange(exchange),
            CheckKind::Tls(tls, exchange) => {
                self.tls(Some(tls));
                self.exchange(exchange);
            }
            CheckKind::Dns(DnsCheck { name, qtype, rcode, data }) => {
                self.part(name.as_wire());
                self.part(&qtype.0.to_be_bytes());
                self.part(rcode.as_bytes());
                self.text(data.as_deref());
            }
            CheckKind::Fastcgi(FastcgiCheck { path, socket, expect }) => {
                self.part(path.as_bytes());
                self.text(socket.as_deref());
                self.response(expect);
            }
            CheckKind::Grpc(GrpcCheck { tls, host, service }) => {
                self.part(service.as_bytes());
                self.text(host.as_deref());
                self.tls(tls.as_ref());
            }
            CheckKind::Exec(ExecCheck { program, arguments, exit }) => {
                self.part(program.as_bytes());
                arguments.iter().for_each(|argument| self.part(argument.as_bytes()));
                self.part(exit);
            }
            CheckKind::Redis | CheckKind::Icmp => {}
            CheckKind::Mysql(user) | CheckKind::Postgres(user) => self.part(user.as_bytes()),
        }
    }

    /// Adds what the probe asks and what must come back: checks that differ in these find different
    /// states.
    fn request(&mut self, check: &HttpCheck) {
        // A connection that is kept changes nothing of the question.
        let HttpCheck { method, path, host, tls, headers, body, reuse: _, expect } = check;
        self.part(method.as_bytes());
        self.part(path.as_bytes());
        self.text(host.as_deref());
        self.tls(tls.as_ref());
        self.fields(headers);
        self.text(body.as_deref());
        self.response(expect);
    }

    fn response(&mut self, expect: &HttpExpect) {
        let HttpExpect { status, headers, body, body_regex, json } = expect;
        for StatusRange { first, last } in status {
            self.part(&first.to_be_bytes());
            self.part(&last.to_be_bytes());
        }
        self.fields(headers);
        self.text(body.as_deref());
        self.text(body_regex.as_ref().map(Pattern::as_str));
        for (pointer, value) in json {
            self.part(pointer.as_str().as_bytes());
            self.part(value.to_string().as_bytes());
        }
    }

    /// Adds the rules by which a probe trusts a server, and the certificate that it shows.
    fn tls(&mut self, options: Option<&TlsOptions>) {
        let Some(TlsOptions { verify, server_name, ca_pem, expiry, own }) = options else {
            return;
        };
        let Expiry { warn: _, fail } = expiry;
        self.part(&[u8::from(*verify)]);
        self.text(server_name.as_deref());
        self.text(ca_pem.as_deref());
        self.part(&fail.as_secs().to_be_bytes());
        if let Some(ClientCertificate { certificate_pem, key_pem: _ }) = own {
            self.part(certificate_pem.as_bytes());
        }
    }

    /// Adds the addresses that a probe comes from and the header that announces it. It adds nothing
    /// if there is neither, so that states outlive a release that knew neither.
    fn line(&mut self, Source { v4, v6 }: Source, proxy: Option<ProxyVersion>) {
        for own in v4.map(IpAddr::V4).into_iter().chain(v6.map(IpAddr::V6)) {
            self.part(own.to_string().as_bytes());
        }
        match proxy {
            None => {}
            Some(ProxyVersion::V1) => self.part(b"PROXY v1"),
            Some(ProxyVersion::V2) => self.part(b"PROXY v2"),
        }
    }

    /// Adds the settings of an agent, through which an endpoint speaks for itself; nothing without
    /// one.
    fn agent(&mut self, agent: Option<&Agent>) {
        let Some(Agent { header, weight_min, weight_max }) = agent else { return };
        self.part(b"agent");
        self.text(header.as_deref());
        self.part(&[*weight_min, *weight_max]);
    }

    fn exchange(&mut self, TcpCheck { send, expect }: &TcpCheck) {
        self.part(send.as_deref().unwrap_or_default());
        self.part(expect.as_deref().unwrap_or_default());
    }

    /// Folds the product's high half into the low one: a remainder by an even interval needs it.
    fn mixed(self) -> u64 {
        let product = u128::from(self.0) * 0x9e37_79b9_7f4a_7c15;
        (product >> 64) as u64 ^ product as u64
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::wire::kind::Type;
    use crate::wire::name::Name;
    use crate::zone::{Pointer, Scalar};

    fn http() -> HttpCheck {
        HttpCheck {
            tls: None,
            method: "GET".into(),
            path: "/".into(),
            host: None,
            headers: Vec::new(),
            body: None,
            reuse: false,
            expect: HttpExpect::of_status(vec![StatusRange { first: 200, last: 299 }]),
        }
    }

    fn of_check(check: Check) -> u64 {
        of(&Probed { address: ([192, 0, 2, 1], 80).into(), check: Arc::new(check) })
    }

    fn all_differ(checks: Vec<Check>) {
        let len = checks.len();
        let mut found: Vec<u64> = checks.into_iter().map(of_check).collect();
        found.sort_unstable();
        found.dedup();
        assert_eq!(found.len(), len);
    }

    #[test]
    fn requests_that_ask_or_expect_something_else_are_told_apart() {
        let field = || vec![("a".to_owned(), "b".to_owned())];
        let json = |value| vec![(Pointer::new("/db").unwrap(), Scalar::Truth(value))];
        let expecting = |expect| HttpCheck { expect, ..http() };
        let expect = || http().expect;
        let fastcgi = |path: &str, socket: Option<&str>| {
            let (path, socket) = (path.to_owned(), socket.map(str::to_owned));
            CheckKind::Fastcgi(FastcgiCheck { path, socket, expect: expect() })
        };
        let requests = [
            http(),
            HttpCheck { body: Some("a".into()), ..http() },
            HttpCheck { headers: field(), ..http() },
            expecting(HttpExpect { headers: field(), ..expect() }),
            expecting(HttpExpect { json: json(true), ..expect() }),
            expecting(HttpExpect { json: json(false), ..expect() }),
            expecting(HttpExpect { body: Some("b".into()), ..expect() }),
        ];
        let others = [fastcgi("/ping", None), fastcgi("/p", None), fastcgi("/ping", Some("/s"))];
        let kinds = requests.map(CheckKind::Http).into_iter().chain(others);
        let mut checks: Vec<Check> = kinds.map(Check::new).collect();
        let proxied = |proxy| Check { proxy: Some(proxy), ..checks[0].clone() };
        let lines = [proxied(ProxyVersion::V1), proxied(ProxyVersion::V2)];
        let source = Source { v4: Some([192, 0, 2, 9].into()), v6: None };
        let from = Check { source, ..checks[0].clone() };
        let agent = |header: Option<&str>| {
            let header = header.map(str::to_owned);
            Some(Agent { header, weight_min: 0, weight_max: 100 })
        };
        let heard = |header| Check { agent: agent(header), ..checks[0].clone() };
        let heard = [heard(None), heard(Some("x-load"))];
        checks.extend(lines);
        checks.push(from);
        checks.extend(heard);
        all_differ(checks);
    }

    #[test]
    fn kinds_that_ask_or_expect_something_else_are_told_apart() {
        let grpc = |host: Option<&str>| {
            let host = host.map(str::to_owned);
            CheckKind::Grpc(GrpcCheck { tls: None, host, service: String::new() })
        };
        let exec = |exit| {
            let program = "/bin/true".to_owned();
            CheckKind::Exec(ExecCheck { program, arguments: Vec::new(), exit })
        };
        let dns = |rcode: &str, data: Option<&str>| {
            let (name, qtype) = (Name::root(), Type::A);
            let (rcode, data) = (rcode.to_owned(), data.map(str::to_owned));
            CheckKind::Dns(DnsCheck { name, qtype, rcode, data })
        };
        let tls = TlsOptions {
            verify: true,
            server_name: None,
            ca_pem: None,
            expiry: Expiry::default(),
            own: None,
        };
        let own = |certificate: &str| {
            let certificate_pem = certificate.to_owned();
            Some(ClientCertificate { certificate_pem, key_pem: String::new() })
        };
        let fail = Expiry { fail: Duration::from_secs(60), ..Expiry::default() };
        let over = |options| CheckKind::Tls(options, TcpCheck { send: None, expect: None });
        let kinds = [
            grpc(None),
            grpc(Some("a.example")),
            grpc(Some("b.example")),
            exec(vec![0]),
            exec(vec![0, 1]),
            dns("NOERROR", None),
            dns("NODATA", None),
            dns("NOERROR", Some("192.0.2.1")),
            over(tls.clone()),
            over(TlsOptions { verify: false, ..tls.clone() }),
            over(TlsOptions { ca_pem: Some("a".into()), ..tls.clone() }),
            over(TlsOptions { ca_pem: Some("b".into()), ..tls.clone() }),
            over(TlsOptions { expiry: fail, ..tls.clone() }),
            over(TlsOptions { own: own("a"), ..tls.clone() }),
            over(TlsOptions { own: own("b"), ..tls }),
            CheckKind::Udp(TcpCheck { send: None, expect: None }),
        ];
        all_differ(kinds.into_iter().map(Check::new).collect());
    }

    #[test]
    fn the_pace_of_a_check_changes_nothing() {
        let check = Check::new(CheckKind::Http(http()));
        let slower = Check { interval: Duration::from_secs(60), fall: 9, ..check.clone() };
        assert_eq!(of_check(slower), of_check(check));
    }

    #[test]
    fn every_field_is_looked_at() {
        let own = include_str!("fingerprint.rs");
        let code = own.split("#[cfg(test)]").next().unwrap_or_default();
        assert!(!code.contains(", .. }") && !code.contains("..\n"), "a pattern leaves fields out");
    }
}
