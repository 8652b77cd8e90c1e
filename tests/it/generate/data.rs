//! The records at one owner.

use fastrand::Rng;

use super::names::join;
use super::plan::Plan;
use super::{Targets, record};
use crate::model::Record;

/// The types that a name with plain data may have, with some RDATA each; `%` stands for a name
/// such as aliases lead to.
const DATA: &[(&str, &[&str])] = &[
    ("A", &["192.0.2.1", "192.0.2.2", "198.51.100.3"]),
    ("AAAA", &["2001:db8::1", "2001:db8::2"]),
    ("MX", &["10 %", "20 %", "30 mail.example.net."]),
    ("TXT", &["\"v=spf1 -all\"", "\"two\" \"strings\"", "\"\\000\\255\""]),
    ("SRV", &["0 5 8080 %", "1 0 80 %", "0 0 1 ns1.example.org."]),
    ("PTR", &["%"]),
    ("CAA", &["0 issue \"ca.example.net\"", "128 iodef \"mailto:a@example.net\""]),
    ("HTTPS", &["1 . port=8443", "2 % alpn=\"h2,h3\""]),
    ("SVCB", &["1 % ipv4hint=192.0.2.9"]),
    ("NAPTR", &["100 10 \"u\" \"E2U+sip\" \"!^.*$!sip:a@example.com!\" ."]),
    ("SSHFP", &["4 2 123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0"]),
    ("TLSA", &["3 1 1 123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0"]),
    ("LOC", &["51 28 38.000 N 0 0 0.000 W 47.00m 1m 10000m 10m"]),
    ("HINFO", &["\"cpu\" \"os\""]),
    ("RP", &["% a.example.com."]),
    ("AFSDB", &["1 %"]),
    ("KX", &["10 %"]),
    ("URI", &["10 1 \"https://www.example.com/\""]),
    ("TYPE65280", &["\\# 4 0a000001", "\\# 1 ff"]),
];

/// The records of one zone so far.
pub(super) struct Writing<'a> {
    pub(super) records: Vec<Record>,
    pub(super) targets: &'a Targets,
}

impl Writing<'_> {
    pub(super) fn add(&mut self, owner: &str, ttl: u32, rtype: &str, rdata: &str) {
        self.records.push(record(owner, ttl, rtype, rdata));
    }

    /// Adds the SOA, a name server that can be reached, and more at the apex.
    pub(super) fn apex(&mut self, plan: &Plan, rng: &mut Rng) {
        let origin = plan.origin;
        let (soa_ttl, minimum) = (rng.u32(1..7200), rng.u32(1..7200));
        let [ns, mailbox] = ["ns1", "hostmaster"].map(|label| join(label, origin));
        self.add(origin, soa_ttl, "SOA", &format!("{ns} {mailbox} 1 3600 600 86400 {minimum}"));
        // BIND does not load a name server below a DNAME.
        if plan.is_renamed(&ns) {
            self.add(origin, 300, "NS", origin);
            self.add(origin, 300, "A", "192.0.2.53");
        } else {
            self.add(origin, 300, "NS", &ns);
            self.add(&ns, 300, "A", "192.0.2.53");
        }
        for _ in 0..rng.usize(0..6) {
            let (rtype, rdatas) = DATA[rng.usize(..DATA.len())];
            let rdata = rdatas[0].replace('%', &self.targets.any(rng));
            self.add(origin, 60, rtype, &rdata);
        }
    }

    pub(super) fn data(&mut self, owner: &str, ttl: u32, rng: &mut Rng) {
        for _ in 0..rng.usize(1..4) {
            let (rtype, rdatas) = DATA[rng.usize(..DATA.len())];
            for rdata in &rdatas[..rng.usize(1..=rdatas.len())] {
                let rdata = rdata.replace('%', &self.targets.any(rng));
                self.add(owner, ttl, rtype, &rdata);
                // A record that is written twice counts once.
                if rng.u8(..16) == 0 {
                    self.add(owner, rng.u32(..86_400), rtype, &rdata);
                }
            }
        }
    }

    /// Adds an RRset of about the size at which UDP truncates.
    pub(super) fn large(&mut self, owner: &str, ttl: u32, rng: &mut Rng) {
        if rng.bool() {
            for number in 0..rng.usize(20..=100) {
                self.add(owner, ttl, "A", &format!("203.0.113.{number}"));
            }
        } else {
            for number in 0..rng.usize(1..10) {
                let text = "t".repeat(rng.usize(100..250));
                self.add(owner, ttl, "TXT", &format!("\"{number} {text}\""));
            }
        }
    }

    /// Adds a DNAME, and data beside it.
    pub(super) fn rename(&mut self, owner: &str, ttl: u32, rng: &mut Rng) {
        let long = rng.u8(..3) == 0;
        let target = if long { self.targets.long(rng) } else { self.targets.any(rng) };
        self.add(owner, ttl, "DNAME", &target);
        if rng.bool() {
            self.add(owner, ttl, "A", "192.0.2.77");
        }
    }

    /// Adds a delegation to name servers of every kind: below it, with and without glue, at it,
    /// below another one, beside it, in other zones, elsewhere.
    pub(super) fn cut(&mut self, owner: &str, ttl: u32, cuts: &[&String], rng: &mut Rng) {
        for _ in 0..rng.usize(1..4) {
            match rng.u8(..8) {
                0..=2 => {
                    let ns = join("ns", owner);
                    self.add(owner, ttl, "NS", &ns);
                    self.add(&ns, ttl, "A", "192.0.2.99");
                    if rng.bool() {
                        self.add(&ns, ttl, "AAAA", "2001:db8::53");
                    }
                }
                3 => self.add(owner, ttl, "NS", &join("bare", owner)),
                4 => {
                    self.add(owner, ttl, "NS", owner);
                    self.add(owner, ttl, "AAAA", "2001:db8::99");
                }
                5 => {
                    let ns = join("ns", cuts[rng.usize(..cuts.len())]);
                    self.add(owner, ttl, "NS", &ns);
                }
                6 => {
                    let target = self.targets.any(rng);
                    self.add(owner, ttl, "NS", &target);
                }
                _ => self.add(owner, ttl, "NS", "ns.example.net."),
            }
        }
        if rng.bool() {
            let digest = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
            self.add(owner, ttl, "DS", &format!("12345 13 2 {digest}"));
        }
        // The child answers for any other data at a delegated name.
        if rng.u8(..3) == 0 {
            self.data(owner, ttl, rng);
        }
    }
}
