//! Server cookies: proof that a client receives what is sent to its address (RFC 7873, RFC 9018).

use std::hash::Hasher;
use std::net::IpAddr;

use siphasher::sip::SipHasher24;

use crate::wire::edns::Cookie;

/// The version of the construction of RFC 9018.
const VERSION: u8 = 1;

/// The greatest age of a cookie that is recognized, in seconds (RFC 9018 §4.3).
const AGE_MAX: i32 = 3600;

/// The most seconds that a cookie may be ahead of the clock, if another server made it.
const LEAD_MAX: i32 = 300;

/// The age in seconds from which a client gets a new cookie.
const RENEW_AGE: i32 = 1800;

/// A key for server cookies.
///
/// Servers that a client takes for one server, such as those of one anycast address, must share
/// their secrets.
pub type Secret = [u8; 16];

/// The maker and judge of server cookies.
#[derive(Clone)]
pub struct Cookies {
    /// The secrets. New cookies are made with the first; cookies made with any of them are
    /// recognized. So a secret can be replaced without a moment in which cookies fail (RFC 9018
    /// §5).
    secrets: Box<[SipHasher24]>,
}

impl Cookies {
    /// Takes the `secrets`: the first one makes cookies, each of them recognizes cookies.
    pub fn new(secrets: &[Secret]) -> Self {
        Self { secrets: secrets.iter().map(SipHasher24::new_with_key).collect() }
    }

    /// Returns whether `cookie` was made for `source` with one of the secrets, and is still good at
    /// `now` (seconds since 1970).
    pub fn recognize(&self, cookie: &Cookie, source: IpAddr, now: u32) -> bool {
        let Some(given) = Given::read(cookie) else { return false };
        // All secrets are tried and each compared as one number: timing tells nothing about a
        // guess.
        let equals = |key| u8::from(given.is_made_with(key, &cookie.client, source));
        (-LEAD_MAX..=AGE_MAX).contains(&given.age(now))
            && self.secrets.iter().map(equals).sum::<u8>() > 0
    }

    /// Returns the server cookie for a client: its present one if that is young and made with the
    /// first secret, otherwise a new one.
    pub fn give(&self, cookie: &Cookie, source: IpAddr, now: u32) -> [u8; 16] {
        let Some(key) = self.secrets.first() else { return [0; 16] };
        if let (Some(server), Some(given)) = (cookie.server, Given::read(cookie))
            && (-LEAD_MAX..RENEW_AGE).contains(&given.age(now))
            && given.is_made_with(key, &cookie.client, source)
        {
            return server;
        }
        let mac = mac(key, &cookie.client, [0; 3], now, source).to_le_bytes();
        let [t0, t1, t2, t3] = now.to_be_bytes();
        let [m0, m1, m2, m3, m4, m5, m6, m7] = mac;
        [VERSION, 0, 0, 0, t0, t1, t2, t3, m0, m1, m2, m3, m4, m5, m6, m7]
    }
}

/// The parts of a server cookie that a client sent (RFC 9018 §4).
struct Given {
    reserved: [u8; 3],
    made: u32,
    mac: u64,
}

impl Given {
    fn read(cookie: &Cookie) -> Option<Self> {
        let [VERSION, r0, r1, r2, t0, t1, t2, t3, mac @ ..] = cookie.server? else { return None };
        let made = u32::from_be_bytes([t0, t1, t2, t3]);
        Some(Self { reserved: [r0, r1, r2], made, mac: u64::from_le_bytes(mac) })
    }

    fn is_made_with(&self, key: &SipHasher24, client: &[u8; 8], source: IpAddr) -> bool {
        mac(key, client, self.reserved, self.made, source) == self.mac
    }

    /// Returns the age in seconds, by serial number arithmetic (RFC 9018 §4.3).
    fn age(&self, now: u32) -> i32 {
        now.wrapping_sub(self.made) as i32
    }
}

/// Computes the hash of a server cookie (RFC 9018 §4.4).
fn mac(key: &SipHasher24, client: &[u8; 8], reserved: [u8; 3], made: u32, source: IpAddr) -> u64 {
    let mut hasher = *key;
    hasher.write(client);
    hasher.write(&[VERSION]);
    hasher.write(&reserved);
    hasher.write(&made.to_be_bytes());
    match source {
        IpAddr::V4(source) => hasher.write(&source.octets()),
        IpAddr::V6(source) => hasher.write(&source.octets()),
    }
    hasher.finish()
}

impl std::fmt::Debug for Cookies {
    /// Keeps the secrets out of the text.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cookies").field("secrets", &self.secrets.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex<const N: usize>(text: &str) -> [u8; N] {
        let octet = |at: usize| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap();
        std::array::from_fn(octet)
    }

    fn cookie(client: &str, server: Option<&str>) -> Cookie {
        Cookie { client: hex(client), server: server.map(hex) }
    }

    /// Checks RFC 9018 appendix A.1 to A.4.
    #[test]
    fn the_vectors_of_rfc_9018_come_out() {
        let first = Cookies::new(&[hex("e5e973e5a6b2a43f48e7dc849e37bfcf")]);
        let source = "198.51.100.100".parse().unwrap();
        let learning = cookie("2464c4abcf10c957", None);
        let given = first.give(&learning, source, 1_559_731_985);
        assert_eq!(given, hex("010000005cf79f111f8130c3eee29480"));

        let renewing = cookie("2464c4abcf10c957", Some("010000005cf79f111f8130c3eee29480"));
        assert!(first.recognize(&renewing, source, 1_559_734_385));
        let given = first.give(&renewing, source, 1_559_734_385);
        assert_eq!(given, hex("010000005cf7a871d4a564a1442aca77"));

        let source = "203.0.113.203".parse().unwrap();
        let foreign = cookie("fc93fc62807ddb86", Some("010000005cf78f71a314227b6679ebf5"));
        let reserved = cookie("fc93fc62807ddb86", Some("01abcdef5cf78f71a314227b6679ebf5"));
        assert!(!first.recognize(&foreign, source, 1_559_728_000));
        assert!(first.recognize(&reserved, source, 1_559_728_000));
        let given = first.give(&reserved, source, 1_559_734_700);
        assert_eq!(given, hex("010000005cf7a9acf73a7810aca2381e"));

        let [new, old] = ["445536bcd2513298075a5d379663c962", "dd3bdf9344b678b185a6f5cb60fca715"];
        let both = Cookies::new(&[hex(new), hex(old)]);
        let source = "2001:db8:220:1:59de:d0f4:8769:82b8".parse().unwrap();
        let known = cookie("22681ab97d52c298", Some("010000005cf7c57926556bd0934c72f8"));
        assert!(both.recognize(&known, source, 1_559_741_961));
        let given = both.give(&known, source, 1_559_741_961);
        assert_eq!(given, hex("010000005cf7c609a6bb79d16625507a"));
    }

    #[test]
    fn a_cookie_is_good_for_its_client_its_time_and_its_secrets() {
        let cookies = Cookies::new(&[[1; 16]]);
        let (source, other) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        let now = 1_000_000;
        let server = cookies.give(&cookie("0102030405060708", None), source, now);
        let good = Cookie { client: hex("0102030405060708"), server: Some(server) };
        assert!(cookies.recognize(&good, source, now));
        assert_eq!(cookies.give(&good, source, now + 60), server, "a young one is kept");
        assert_ne!(cookies.give(&good, source, now + 1800), server, "an old one is not");
        assert!(!cookies.recognize(&good, other, now));
        assert!(!cookies.recognize(&Cookie { client: [0; 8], ..good }, source, now));
        assert!(!cookies.recognize(&good, source, now + 3601));
        assert!(!cookies.recognize(&good, source, now - 301));
        assert!(!Cookies::new(&[[2; 16]]).recognize(&good, source, now));
        assert!(Cookies::new(&[[2; 16], [1; 16]]).recognize(&good, source, now));
        assert!(!cookies.recognize(&Cookie { server: None, ..good }, source, now));
    }
}
