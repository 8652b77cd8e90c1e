//! A reader of the few parts of an X.509 certificate that Waypost needs: its validity, its names
//! and its key (RFC 5280 §4.1). Private keys are wiped once they are parsed.

use std::time::Duration;

use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error as TlsError, InconsistentKeys};
use time::{Date, Month};
use zeroize::Zeroizing;

use crate::wire::excerpt::counted;

/// The tags of the elements that are read (X.690 §8).
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const OID: u8 = 0x06;
const BIT_STRING: u8 = 0x03;
const OCTETS: u8 = 0x04;
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;
/// A DNS name among the alternative names of a certificate (RFC 5280 §4.2.1.6).
const DNS_NAME: u8 = 0x82;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
/// The object identifiers of a common name, 2.5.4.3, and of the alternative names, 2.5.29.17.
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
const ALTERNATIVE_NAMES: &[u8] = &[0x55, 0x1d, 0x11];

/// The object identifier of the alternative names, 2.5.29.17, as a whole element (RFC 5280
/// §4.2.1.6).
const SUBJECT_ALT_NAME: [u8; 5] = [0x06, 0x03, 0x55, 0x1d, 0x11];

/// The number of seconds in a day.
pub const DAY: i64 = 86_400;

/// The time before the end of a long-lived certificate at which its renewal is due, in seconds.
const NOTICE: i64 = 14 * DAY;

/// Returns the certificate chain and the signing key that handshakes use. The octets of `key` are
/// wiped.
///
/// # Errors
/// If the key is of an unknown kind, or does not belong to the first of `chain`.
pub fn certified(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<CertifiedKey, TlsError> {
    let key = Zeroizing::new(key);
    let certified = CertifiedKey::new(chain, any_supported_type(&key)?);
    match certified.keys_match() {
        Ok(()) | Err(TlsError::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(certified),
        Err(error) => Err(error),
    }
}

/// The validity of a certificate, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// The first second at which it is valid.
    pub from: i64,
    /// The last second at which it is valid.
    pub until: i64,
}

impl Validity {
    /// Reads the validity of a certificate; `None` if the certificate cannot be read.
    pub fn read(der: &[u8]) -> Option<Self> {
        let (SEQUENCE, validity, _) = element(from_validity(der)?)? else { return None };
        let (kind, from, rest) = element(validity)?;
        let from = seconds(kind, from)?;
        let (kind, until, _) = element(rest)?;
        Some(Self { from, until: seconds(kind, until)? })
    }

    /// Whether less than `notice` is left at `now`. With `None`, the notice is two weeks, or a
    /// fifth of the whole validity if that is shorter.
    pub fn is_near(self, now: i64, notice: Option<Duration>) -> bool {
        let usual = NOTICE.min((self.until - self.from) / 5);
        let notice = notice.map_or(usual, |notice| notice.as_secs() as i64);
        self.until - now < notice
    }

    /// Returns the time left at `now`, in words.
    pub fn left(self, now: i64) -> String {
        let hours = (self.until - now).max(0) / 3600;
        format!(
            "{} and {}",
            counted(hours as usize / 24, "day"),
            counted(hours as usize % 24, "hour")
        )
    }

    /// Returns a complaint for the operator if clients refuse the certificate at `now`, or soon
    /// will.
    pub fn complaint(self, now: i64) -> Option<String> {
        let Self { from, until } = self;
        if now > until {
            let days = counted(((now - until) / DAY) as usize, "day");
            return Some(format!("expired {days} ago: clients refuse it; renew it"));
        }
        if now < from {
            let days = counted(((from - now) / DAY) as usize, "day");
            return Some(format!("becomes valid in {days}: until then, clients refuse it"));
        }
        self.is_near(now, None).then(|| format!("expires in {}: renew it", self.left(now)))
    }
}

/// Returns the DNS names that a certificate is for; empty if it cannot be read.
pub fn dns_names(der: &[u8]) -> Vec<String> {
    names_element(der).map_or(Vec::new(), |mut rest| {
        let mut names = Vec::new();
        while let Some((tag, name, behind)) = element(rest) {
            if tag == DNS_NAME {
                names.push(String::from_utf8_lossy(name).into_owned());
            }
            rest = behind;
        }
        names
    })
}

/// Returns the content of the extension that holds the alternative names.
fn names_element(der: &[u8]) -> Option<&[u8]> {
    let mut rest = from_validity(der)?;
    let extensions = loop {
        let (tag, content, behind) = element(rest)?;
        if tag == EXTENSIONS {
            break element(content)?.1;
        }
        rest = behind;
    };
    let mut rest = extensions;
    loop {
        let (_, extension, behind) = element(rest)?;
        if let Some(value) = extension.strip_prefix(&SUBJECT_ALT_NAME[..]) {
            // A flag that says whether the extension is critical may stand before the value.
            let (tag, content, behind) = element(value)?;
            let content = if tag == OCTETS { content } else { element(behind)?.1 };
            return Some(element(content)?.1);
        }
        rest = behind;
    }
}

/// The subject of a certificate: its names and its public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder<'a> {
    /// The last common name in the subject.
    pub common_name: Option<&'a [u8]>,
    /// Whether the certificate has alternative names; if so, the common name does not count (RFC
    /// 6125 §6.4.4).
    pub has_alternative_names: bool,
    /// The algorithm of the public key: the content of an AlgorithmIdentifier.
    pub key_algorithm: &'a [u8],
    /// The public key.
    pub key: &'a [u8],
}

impl<'a> Holder<'a> {
    /// Reads the subject of a certificate; `None` if the certificate cannot be read.
    pub fn read(der: &'a [u8]) -> Option<Self> {
        let (_, _, rest) = element(from_validity(der)?)?;
        let (SEQUENCE, subject, rest) = element(rest)? else { return None };
        let (SEQUENCE, key, mut rest) = element(rest)? else { return None };
        let (SEQUENCE, key_algorithm, key) = element(key)? else { return None };
        let (BIT_STRING, key, _) = element(key)? else { return None };
        // The first octet counts the unused bits at the end; it must be 0.
        let (0, key) = key.split_first().map(|(unused, key)| (*unused, key))? else { return None };
        let mut has_alternative_names = false;
        while !rest.is_empty() {
            let (tag, content, behind) = element(rest)?;
            if tag == EXTENSIONS {
                has_alternative_names = has_extension(content, ALTERNATIVE_NAMES)?;
            }
            rest = behind;
        }
        let common_name = name_of(subject)?;
        Some(Self { common_name, has_alternative_names, key_algorithm, key })
    }
}

/// Returns the rest of a certificate, from its validity on.
fn from_validity(der: &[u8]) -> Option<&[u8]> {
    let (SEQUENCE, certificate, _) = element(der)? else { return None };
    let (SEQUENCE, mut rest, _) = element(certificate)? else { return None };
    if let (VERSION, _, behind) = element(rest)? {
        rest = behind;
    }
    // Serial number, signature algorithm, issuer.
    for _ in 0..3 {
        rest = element(rest)?.2;
    }
    Some(rest)
}

/// Returns the last common name of a subject: `Some(None)` if there is none, `None` if it cannot be
/// read.
fn name_of(mut subject: &[u8]) -> Option<Option<&[u8]>> {
    let mut found = None;
    while !subject.is_empty() {
        let (SET, mut set, behind) = element(subject)? else { return None };
        subject = behind;
        while !set.is_empty() {
            let (SEQUENCE, attribute, behind) = element(set)? else { return None };
            set = behind;
            let (OID, kind, value) = element(attribute)? else { return None };
            if kind == COMMON_NAME {
                found = Some(element(value)?.1);
            }
        }
    }
    Some(found)
}

/// Whether `extensions` has one of this kind; `None` if they cannot be read.
fn has_extension(extensions: &[u8], kind: &[u8]) -> Option<bool> {
    let (SEQUENCE, mut list, _) = element(extensions)? else { return None };
    let mut has = false;
    while !list.is_empty() {
        let (SEQUENCE, extension, behind) = element(list)? else { return None };
        list = behind;
        let (OID, found, _) = element(extension)? else { return None };
        has |= found == kind;
    }
    Some(has)
}

/// Returns the tag and the content of the first element, and the octets after it.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[tag, len], rest) = der.split_first_chunk()?;
    let (len, rest) = match len {
        0..=0x7f => (usize::from(len), rest),
        0x81..=0x83 => {
            let (digits, rest) = rest.split_at_checked(usize::from(len & 0x7f))?;
            (digits.iter().fold(0, |len, &digit| len << 8 | usize::from(digit)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(len)?;
    Some((tag, content, rest))
}

/// Converts `YYMMDDHHMMSSZ` or `YYYYMMDDHHMMSSZ` to seconds since 1970 (RFC 5280 §4.1.2.5).
fn seconds(kind: u8, text: &[u8]) -> Option<i64> {
    let digits = text.strip_suffix(b"Z").filter(|text| text.iter().all(u8::is_ascii_digit))?;
    let number = |digits: &[u8]| digits.iter().fold(0, |n, digit| n * 10 + i64::from(digit - b'0'));
    let (year, rest) = match kind {
        UTC_TIME => {
            let (year, rest) = digits.split_at_checked(2)?;
            let year = number(year);
            (if year < 50 { 2000 + year } else { 1900 + year }, rest)
        }
        GENERALIZED_TIME => {
            let (year, rest) = digits.split_at_checked(4)?;
            (number(year), rest)
        }
        _ => return None,
    };
    let [month, day, hour, minute, second]: [i64; 5] =
        rest.chunks(2).map(number).collect::<Vec<_>>().try_into().ok()?;
    let days = days_before(year, month)? + day - 1;
    Some(((days * 24 + hour) * 60 + minute) * 60 + second)
}

/// Returns the number of days from 1970 to the first of a month.
fn days_before(year: i64, month: i64) -> Option<i64> {
    let (year, month) = (i32::try_from(year).ok()?, u8::try_from(month).ok()?);
    let first = Date::from_calendar_date(year, Month::try_from(month).ok()?, 1).ok()?;
    Some((first.midnight().assume_utc().unix_timestamp()) / DAY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_time_are_read() {
        for (kind, text, expected) in [
            (UTC_TIME, "700101000000Z", 0),
            (UTC_TIME, "000229235959Z", 951_868_799),
            (UTC_TIME, "491231235959Z", 2_524_607_999),
            (UTC_TIME, "500101000000Z", -631_152_000),
            (GENERALIZED_TIME, "20500101000000Z", 2_524_608_000),
            (GENERALIZED_TIME, "99991231235959Z", 253_402_300_799),
        ] {
            assert_eq!(seconds(kind, text.as_bytes()), Some(expected), "{text}");
        }
        for (kind, text) in [(UTC_TIME, "7001010000Z"), (UTC_TIME, "70010100000+"), (2, "")] {
            assert_eq!(seconds(kind, text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn it_is_said_when_clients_refuse_it_and_when_they_soon_will() {
        let months = Validity { from: 0, until: 90 * DAY };
        let complaint = |validity: Validity, now| validity.complaint(now).unwrap_or_default();
        assert_eq!(
            complaint(months, -DAY),
            "becomes valid in 1 day: until then, clients refuse it"
        );
        assert_eq!(complaint(months, 76 * DAY), "");
        assert_eq!(complaint(months, 76 * DAY + 1), "expires in 13 days and 23 hours: renew it");
        assert_eq!(complaint(months, 90 * DAY), "expires in 0 days and 0 hours: renew it");
        let expired = "expired 2 days ago: clients refuse it; renew it";
        assert_eq!(complaint(months, 92 * DAY), expired);
        let week = Validity { from: 0, until: 5 * DAY };
        assert_eq!(complaint(week, 4 * DAY), "");
        assert_eq!(complaint(week, 4 * DAY + 1), "expires in 0 days and 23 hours: renew it");
    }

    #[test]
    fn a_certificate_cut_short_anywhere_is_not_read_and_does_no_harm() {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut parameters = rcgen::CertificateParams::new(["ns1.example.com".into()]).unwrap();
        parameters.not_before = rcgen::date_time_ymd(2024, 2, 29);
        parameters.not_after = rcgen::date_time_ymd(2051, 1, 1);
        let der = parameters.self_signed(&key).unwrap().der().to_vec();
        let expected = Validity { from: 1_709_164_800, until: 2_556_144_000 };
        assert_eq!(Validity::read(&der), Some(expected));
        for len in 0..der.len() {
            assert_eq!(Validity::read(&der[..len]), None, "{len}");
            assert_eq!(Holder::read(&der[..len]), None, "{len}");
        }
    }

    #[test]
    fn names_of_dns_are_read_and_other_names_are_not() {
        let key = rcgen::KeyPair::generate().unwrap();
        let names = ["ns1.example.com", "192.0.2.1", "*.example.net"].map(String::from);
        let parameters = rcgen::CertificateParams::new(names).unwrap();
        let certificate = parameters.self_signed(&key).unwrap();
        assert_eq!(dns_names(certificate.der()), ["ns1.example.com", "*.example.net"]);
        for end in 0..certificate.der().len() {
            dns_names(&certificate.der()[..end]);
        }
        let nameless = rcgen::CertificateParams::new([]).unwrap().self_signed(&key).unwrap();
        assert_eq!(dns_names(nameless.der()), [""; 0]);
    }

    #[test]
    fn a_holder_has_a_key_and_names() {
        let key = rcgen::KeyPair::generate().unwrap();
        let holder = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            let mut parameters = rcgen::CertificateParams::new(names).unwrap();
            parameters.distinguished_name.push(rcgen::DnType::OrganizationName, "Example");
            parameters.distinguished_name.push(rcgen::DnType::CommonName, "ns1.example.com");
            parameters.self_signed(&key).unwrap().der().to_vec()
        };
        let (with, without) = (holder(&["ns2.example.com"]), holder(&[]));
        let (with, without) = (Holder::read(&with).unwrap(), Holder::read(&without).unwrap());
        assert!(with.has_alternative_names && !without.has_alternative_names);
        assert_eq!(without.common_name, Some(&b"ns1.example.com"[..]));
        assert_eq!(with.key, key.public_key_raw());
    }
}
