//! A number for what is probed that stays the same.

use super::binding::Probed;
use crate::zone::{CheckKind, DnsCheck, HttpCheck, TcpCheck};

/// A hash of what is probed that does not change from run to run or from release to release of
/// the standard library: FNV-1a over the parts, then mixed, for FNV's high bits are weak.
pub(super) fn of(Probed { address, check }: &Probed) -> u64 {
    let mut hash = Fnv::default();
    hash.part(address.to_string().as_bytes());
    hash.part(check.kind.word().as_bytes());
    match &check.kind {
        CheckKind::Http(HttpCheck { method, path, host, .. }) => {
            hash.part(method.as_bytes());
            hash.part(path.as_bytes());
            hash.part(host.as_deref().unwrap_or_default().as_bytes());
        }
        CheckKind::Tcp(tcp) => hash.exchange(tcp),
        CheckKind::Tls(tls, tcp) => {
            hash.part(tls.server_name.as_deref().unwrap_or_default().as_bytes());
            hash.exchange(tcp);
        }
        CheckKind::Dns(DnsCheck { name, qtype, .. }) => {
            hash.part(name.as_wire());
            hash.part(&qtype.0.to_be_bytes());
        }
        CheckKind::Grpc(grpc) => hash.part(grpc.service.as_bytes()),
        CheckKind::Exec(exec) => {
            hash.part(exec.program.as_bytes());
            exec.arguments.iter().for_each(|argument| hash.part(argument.as_bytes()));
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
