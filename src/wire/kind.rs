//! The numbers of the DNS: record types, classes, opcodes and response codes.

use std::fmt;
use std::str::FromStr;

/// A record type, known here or not (RFC 1035 §3.2.2, RFC 3597).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Type(pub u16);

macro_rules! types {
    ($($name:ident $text:literal = $number:literal),* $(,)?) => {
        #[allow(missing_docs)]
        impl Type {
            $(pub const $name: Type = Type($number);)*
        }
        /// The mnemonics with their numbers, sorted by number.
        const MNEMONICS: &[(u16, &str)] = &[$(($number, $text)),*];
    };
}

types! {
    A "A" = 1, NS "NS" = 2, MD "MD" = 3, MF "MF" = 4, CNAME "CNAME" = 5, SOA "SOA" = 6,
    MB "MB" = 7, MG "MG" = 8, MR "MR" = 9, NULL "NULL" = 10, WKS "WKS" = 11, PTR "PTR" = 12,
    HINFO "HINFO" = 13, MINFO "MINFO" = 14, MX "MX" = 15, TXT "TXT" = 16, RP "RP" = 17,
    AFSDB "AFSDB" = 18, X25 "X25" = 19, ISDN "ISDN" = 20, RT "RT" = 21, NSAP "NSAP" = 22,
    NSAP_PTR "NSAP-PTR" = 23, SIG "SIG" = 24, KEY "KEY" = 25, PX "PX" = 26, GPOS "GPOS" = 27,
    AAAA "AAAA" = 28, LOC "LOC" = 29, NXT "NXT" = 30, EID "EID" = 31, NIMLOC "NIMLOC" = 32,
    SRV "SRV" = 33, ATMA "ATMA" = 34, NAPTR "NAPTR" = 35, KX "KX" = 36, CERT "CERT" = 37,
    A6 "A6" = 38, DNAME "DNAME" = 39, SINK "SINK" = 40, OPT "OPT" = 41, APL "APL" = 42, DS "DS" = 43, SSHFP "SSHFP" = 44, IPSECKEY "IPSECKEY" = 45,
    RRSIG "RRSIG" = 46, NSEC "NSEC" = 47, DNSKEY "DNSKEY" = 48, DHCID "DHCID" = 49,
    NSEC3 "NSEC3" = 50, NSEC3PARAM "NSEC3PARAM" = 51, TLSA "TLSA" = 52, SMIMEA "SMIMEA" = 53,
    HIP "HIP" = 55, NINFO "NINFO" = 56, RKEY "RKEY" = 57, TALINK "TALINK" = 58, CDS "CDS" = 59, CDNSKEY "CDNSKEY" = 60, OPENPGPKEY "OPENPGPKEY" = 61,
    CSYNC "CSYNC" = 62, ZONEMD "ZONEMD" = 63, SVCB "SVCB" = 64, HTTPS "HTTPS" = 65,
    DSYNC "DSYNC" = 66, HHIT "HHIT" = 67, BRID "BRID" = 68,
    SPF "SPF" = 99, UINFO "UINFO" = 100, UID "UID" = 101, GID "GID" = 102, UNSPEC "UNSPEC" = 103,
    NID "NID" = 104, L32 "L32" = 105, L64 "L64" = 106, LP "LP" = 107,
    EUI48 "EUI48" = 108, EUI64 "EUI64" = 109, NXNAME "NXNAME" = 128, TKEY "TKEY" = 249, TSIG "TSIG" = 250,
    IXFR "IXFR" = 251, AXFR "AXFR" = 252, MAILB "MAILB" = 253, MAILA "MAILA" = 254,
    ANY "ANY" = 255, URI "URI" = 256, CAA "CAA" = 257, AVC "AVC" = 258, DOA "DOA" = 259,
    AMTRELAY "AMTRELAY" = 260, RESINFO "RESINFO" = 261, WALLET "WALLET" = 262, CLA "CLA" = 263,
    IPN "IPN" = 264, TA "TA" = 32768, DLV "DLV" = 32769,
}

impl Type {
    /// Returns whether the type is for queries or for single messages only, so that no zone can
    /// hold a record of it (RFC 6895 §3.1, "QTYPEs" and "Meta-TYPEs").
    pub fn is_meta(self) -> bool {
        self == Self::OPT || (128..=255).contains(&self.0)
    }

    /// Returns all mnemonics that text may use.
    pub fn mnemonics() -> impl Iterator<Item = &'static str> {
        MNEMONICS.iter().map(|&(_, text)| text)
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match MNEMONICS.binary_search_by_key(&self.0, |&(number, _)| number) {
            Ok(at) => f.write_str(MNEMONICS[at].1),
            Err(_) => write!(f, "TYPE{}", self.0),
        }
    }
}

impl fmt::Debug for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The error that a text names no record type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownType;

impl FromStr for Type {
    type Err = UnknownType;

    /// Reads a mnemonic in any case, or a number such as `TYPE12345` (RFC 3597 §5).
    fn from_str(text: &str) -> Result<Self, UnknownType> {
        if let Some(&(number, _)) = MNEMONICS.iter().find(|(_, m)| m.eq_ignore_ascii_case(text)) {
            return Ok(Self(number));
        }
        let head = text.get(..4).filter(|head| head.eq_ignore_ascii_case("TYPE"));
        let digits = head.and_then(|_| text.get(4..)).ok_or(UnknownType)?;
        if !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(UnknownType);
        }
        digits.parse().map(Self).map_err(|_| UnknownType)
    }
}

/// The Internet class (RFC 1035 §3.2.4), the only one that zones are served in.
pub const CLASS_IN: u16 = 1;

/// The Chaos class, in which servers are asked about themselves (RFC 4892).
pub const CLASS_CH: u16 = 3;

/// Opcode QUERY (RFC 1035 §4.1.1), the only one that Waypost implements.
pub const OPCODE_QUERY: u8 = 0;

/// A response code (RFC 1035 §4.1.1, RFC 6895 §2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u16)]
pub enum Rcode {
    /// No error.
    NoError = 0,
    /// A query that could not be read.
    FormErr = 1,
    /// A failure of the server.
    ServFail = 2,
    /// A name that does not exist.
    NxDomain = 3,
    /// A kind of query that the server does not implement.
    NotImp = 4,
    /// A refusal for reasons of policy.
    Refused = 5,
    /// A name that a DNAME made longer than 255 octets (RFC 6672 §2.2).
    YxDomain = 6,
    /// An EDNS version above 0 (RFC 6891 §6.1.3).
    BadVers = 16,
}

impl Rcode {
    /// Returns the mnemonic, as dig prints it.
    pub fn mnemonic(self) -> &'static str {
        match self {
            Self::NoError => "NOERROR",
            Self::FormErr => "FORMERR",
            Self::ServFail => "SERVFAIL",
            Self::NxDomain => "NXDOMAIN",
            Self::NotImp => "NOTIMP",
            Self::Refused => "REFUSED",
            Self::YxDomain => "YXDOMAIN",
            Self::BadVers => "BADVERS",
        }
    }
}

impl TryFrom<u16> for Rcode {
    type Error = u16;

    fn try_from(number: u16) -> Result<Self, u16> {
        [
            Self::NoError,
            Self::FormErr,
            Self::ServFail,
            Self::NxDomain,
            Self::NotImp,
            Self::Refused,
            Self::YxDomain,
            Self::BadVers,
        ]
        .into_iter()
        .find(|rcode| *rcode as u16 == number)
        .ok_or(number)
    }
}

impl fmt::Display for Rcode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.mnemonic())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_round_trip_through_text() {
        for text in Type::mnemonics() {
            assert_eq!(text.parse::<Type>().unwrap().to_string(), text);
        }
        assert_eq!("type65280".parse(), Ok(Type(65280)));
        assert_eq!(Type(65280).to_string(), "TYPE65280");
        assert_eq!("TYPE1".parse(), Ok(Type::A));
        for bad in ["", "TYPE", "TYPE+1", "TYPE65536", "AA", "tÿpe1"] {
            assert_eq!(bad.parse::<Type>(), Err(UnknownType), "{bad}");
        }
    }

    #[test]
    fn the_mnemonic_table_is_sorted_for_the_search() {
        assert!(MNEMONICS.is_sorted_by(|a, b| a.0 < b.0));
    }
}
