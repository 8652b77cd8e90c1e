//! A number for what is probed that stays the same.

use super::binding::Probed;
use crate::zone::{CheckKind, DnsCheck, HttpCheck, Pattern, TcpCheck};

/// A hash of what is probed that does not change from run to run or from release to release of
/// the standard library: FNV-1a over the parts, then mixed, for FNV's high bits are weak.
pub(super) fn of(Probed { address, check }: &Probed) -> u64 {
    let mut hash = Fnv::default();
    hash.part(address.to_string().as_bytes());
    hash.part(check.kind.word().as_bytes());
    match &check.kind {
        CheckKind::Http(http) => hash.request(http),
        CheckKind::Tcp(tcp) => hash.exchange(tcp),
        CheckKind::Tls(tls, tcp) => {
            hash.text(tls.server_name.as_deref());
            hash.exchange(tcp);
        }
        CheckKind::Dns(DnsCheck { name, qtype, .. }) => {
            hash.part(name.as_wire());
            hash.part(&qtype.0.to_be_bytes());
        }
        CheckKind::Grpc(grpc) => {
            hash.part(grpc.service.as_bytes());
            hash.text(grpc.host.as_deref());
            hash.text(grpc.tls.as_ref().and_then(|tls| tls.server_name.as_deref()));
        }
        CheckKind::Exec(exec) => {
            hash.part(exec.program.as_bytes());
            exec.arguments.iter().for_each(|argument| hash.part(argument.as_bytes()));
            hash.part(&exec.exit);
        }
        CheckKind::Redis | CheckKind::Icmp => {}
        CheckKind::Mysql(user) | CheckKind::Postgres(user) => hash.part(user.as_bytes()),
    }
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

    /// What is asked, and what must come back: checks that differ in that find different states.
    fn request(&mut self, check: &HttpCheck) {
        let HttpCheck { method, path, host, tls, headers, body, expect, .. } = check;
        self.part(method.as_bytes());
        self.part(path.as_bytes());
        self.text(host.as_deref());
        self.text(tls.as_ref().and_then(|tls| tls.server_name.as_deref()));
        self.fields(headers);
        self.text(body.as_deref());
        expect.status.iter().for_each(|range| {
            self.part(&range.first.to_be_bytes());
            self.part(&range.last.to_be_bytes());
        });
        self.fields(&expect.headers);
        self.text(expect.body.as_deref());
        self.text(expect.body_regex.as_ref().map(Pattern::as_str));
        for (pointer, value) in &expect.json {
            self.part(pointer.as_str().as_bytes());
            self.part(value.to_string().as_bytes());
        }
    }

    fn exchange(&mut self, TcpCheck { send, expect }: &TcpCheck) {
        self.part(send.as_deref().unwrap_or_default());
        self.part(expect.as_deref().unwrap_or_default());
    }

    /// Folds the product's high half in, as a remainder by an even interval needs.
    fn mixed(self) -> u64 {
        let product = u128::from(self.0) * 0x9e37_79b9_7f4a_7c15;
        (product >> 64) as u64 ^ product as u64
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::zone::{Check, ExecCheck, GrpcCheck, HttpExpect, Pointer, Scalar, StatusRange};

    #[test]
    fn checks_that_ask_or_expect_something_else_are_told_apart() {
        let expect = HttpExpect::of_status(vec![StatusRange { first: 200, last: 299 }]);
        let http = HttpCheck {
            tls: None,
            method: "GET".into(),
            path: "/".into(),
            host: None,
            headers: Vec::new(),
            body: None,
            reuse: false,
            expect: expect.clone(),
        };
        let field = || vec![("a".to_owned(), "b".to_owned())];
        let json = |value| vec![(Pointer::new("/db").unwrap(), Scalar::Truth(value))];
        let expecting = |expect| HttpCheck { expect, ..http.clone() };
        let grpc = |host: Option<&str>| {
            let host = host.map(str::to_owned);
            CheckKind::Grpc(GrpcCheck { tls: None, host, service: String::new() })
        };
        let exec = |exit| {
            let program = "/bin/true".to_owned();
            CheckKind::Exec(ExecCheck { program, arguments: Vec::new(), exit })
        };
        let kinds = [
            CheckKind::Http(http.clone()),
            CheckKind::Http(HttpCheck { body: Some("a".into()), ..http.clone() }),
            CheckKind::Http(HttpCheck { headers: field(), ..http.clone() }),
            CheckKind::Http(expecting(HttpExpect { headers: field(), ..expect.clone() })),
            CheckKind::Http(expecting(HttpExpect { json: json(true), ..expect.clone() })),
            CheckKind::Http(expecting(HttpExpect { json: json(false), ..expect.clone() })),
            CheckKind::Http(expecting(HttpExpect { body: Some("b".into()), ..expect })),
            grpc(None),
            grpc(Some("a.example")),
            grpc(Some("b.example")),
            exec(vec![0]),
            exec(vec![0, 1]),
        ];
        let address = ([192, 0, 2, 1], 80).into();
        let of = |kind| of(&Probed { address, check: Arc::new(Check::new(kind)) });
        let mut found: Vec<u64> = kinds.into_iter().map(of).collect();
        found.sort_unstable();
        found.dedup();
        assert_eq!(found.len(), 12);
    }
}
