//! The fields of the RDATA of each type. The reader, the printer and the check of wire format all
//! follow these lists; a type is added here and nowhere else.

use crate::wire::kind::Type;

/// One field of RDATA: its name in errors, and its form.
pub(super) struct Part(pub(super) &'static str, pub(super) Form);

/// The words that stand for numbers.
pub(super) type Mnemonics = &'static [(&'static str, u16)];

/// The form of a field, in text and on the wire.
#[derive(Clone, Copy)]
pub(super) enum Form {
    /// One octet.
    U8,
    /// Two octets.
    U16,
    /// Four octets.
    U32,
    /// One octet that a mnemonic may stand for; printed as a number.
    U8Of(Mnemonics),
    /// Two octets that a mnemonic may stand for; printed as a number.
    U16Of(Mnemonics),
    /// Seconds in four octets; text may use units, `1h30m`.
    Period,
    /// A point in time in four octets; text is `YYYYMMDDHHmmSS` (RFC 4034 §3.2).
    Time,
    /// A record type.
    Type,
    /// A domain name.
    Name,
    /// An IPv4 address.
    Ip4,
    /// An IPv6 address.
    Ip6,
    /// A fixed number of octets, in hex with dashes between them (RFC 7043).
    Eui(usize),
    /// A character-string (RFC 1035 §3.3).
    Text,
    /// One or more character-strings, to the end of the RDATA.
    Texts,
    /// Octets to the end, written as one string of any length (RFC 8659, RFC 7553).
    LongText,
    /// A character-string of letters and digits, written without quotes (RFC 8659 §4.1).
    Tag,
    /// Octets to the end in hex; at least one.
    Hex,
    /// Octets after a length octet, in hex; `-` if there are none (RFC 5155 §3.3).
    Salt,
    /// Octets after a length octet, in base32hex; at least one (RFC 5155 §3.3).
    Hash,
    /// Octets to the end in base64; at least one.
    Base64,
    /// The set of types at a name, to the end (RFC 4034 §4.1.2).
    Bitmap,
    /// Service parameters, to the end (RFC 9460 §2.1).
    SvcParams,
    /// A place on Earth: the whole RDATA of LOC (RFC 1876).
    Loc,
    /// Eight octets, written as a number.
    U64,
    /// Eight octets, written as four groups of hex digits with colons between them (RFC 6742
    /// §2.1.2).
    Locator,
    /// A character-string at the end, which may be left out (RFC 1183 §3.2).
    OptionalText,
    /// Octets to the end in base64, which may be left out.
    OptionalBase64,
    /// Octets to the end in base64; `-` if there are none.
    DashedBase64,
    /// Octets to the end, written as `0x` and hex digits, which dots may separate (RFC 1706).
    Nsap,
    /// The discovery bit and the relay type, in one octet (RFC 8777 §4.2).
    Discovery,
    /// A gateway: none, an address or a name. Its type is the second octet of the RDATA, under this
    /// mask (RFC 4025 §2.5, RFC 8777 §4.2.4).
    Gateway(u8),
    /// A protocol and its ports: the rest of the RDATA of WKS (RFC 1035 §3.4.2).
    Services,
    /// The set of types of NXT, to the end (RFC 2535 §5.2).
    NxtBitmap,
    /// A list of address prefixes: the whole RDATA of APL (RFC 3123).
    Prefixes,
    /// The whole RDATA of A6 (RFC 2874 §3.1).
    A6,
    /// The whole RDATA of ATMA (ATM Forum, af-dans-0152).
    Atma,
    /// The whole RDATA of HIP (RFC 8005 §5).
    Hip,
}

/// The algorithms of DNSSEC (RFC 8624 §3.1).
const ALGORITHMS: Mnemonics = &[
    ("RSAMD5", 1),
    ("DH", 2),
    ("DSA", 3),
    ("ECC", 4),
    ("RSASHA1", 5),
    ("DSA-NSEC3-SHA1", 6),
    ("NSEC3DSA", 6),
    ("RSASHA1-NSEC3-SHA1", 7),
    ("NSEC3RSASHA1", 7),
    ("RSASHA256", 8),
    ("RSASHA512", 10),
    ("ECC-GOST", 12),
    ("ECCGOST", 12),
    ("ECDSAP256SHA256", 13),
    ("ECDSAP384SHA384", 14),
    ("ED25519", 15),
    ("ED448", 16),
    ("INDIRECT", 252),
    ("PRIVATEDNS", 253),
    ("PRIVATEOID", 254),
];

/// The digest types of DNSSEC (RFC 8624 §3.3).
const DIGESTS: Mnemonics = &[
    ("SHA-1", 1),
    ("SHA1", 1),
    ("SHA-256", 2),
    ("SHA256", 2),
    ("GOST", 3),
    ("SHA-384", 4),
    ("SHA384", 4),
];

/// The protocols of keys (RFC 2535 §3.1.3).
const PROTOCOLS: Mnemonics =
    &[("NONE", 0), ("TLS", 1), ("EMAIL", 2), ("DNSSEC", 3), ("IPSEC", 4), ("ALL", 255)];

/// The usages, selectors and matching types of TLSA (RFC 7218 §2).
const TLSA_USAGES: Mnemonics =
    &[("PKIX-TA", 0), ("PKIX-EE", 1), ("DANE-TA", 2), ("DANE-EE", 3), ("PrivCert", 255)];
const TLSA_SELECTORS: Mnemonics = &[("Cert", 0), ("SPKI", 1), ("PrivSel", 255)];
const TLSA_MATCHES: Mnemonics =
    &[("Full", 0), ("SHA2-256", 1), ("SHA2-512", 2), ("PrivMatch", 255)];

/// The schemes of DSYNC (RFC 9859 §2.2).
const SCHEMES: Mnemonics = &[("NOTIFY", 1)];

/// The types of certificates (RFC 4398 §2.1).
const CERTIFICATES: Mnemonics = &[
    ("PKIX", 1),
    ("SPKI", 2),
    ("PGP", 3),
    ("IPKIX", 4),
    ("ISPKI", 5),
    ("IPGP", 6),
    ("ACPKIX", 7),
    ("IACPKIX", 8),
    ("URI", 253),
    ("OID", 254),
];

use Form::{
    Base64, Bitmap, Discovery, Eui, Gateway, Hash, Hex, Ip4, Ip6, Loc, Locator, LongText, Name,
    OptionalBase64, OptionalText, Period, Salt, SvcParams, Tag, Text, Texts, Time, U8, U8Of, U16,
    U16Of, U32,
};

const A: &[Part] = &[Part("the address", Ip4)];
const AAAA: &[Part] = &[Part("the address", Ip6)];
const ONE_NAME: &[Part] = &[Part("the target", Name)];
const SOA: &[Part] = &[
    Part("the primary name server", Name),
    Part("the contact's mailbox", Name),
    Part("the serial", U32),
    Part("the refresh time", Period),
    Part("the retry time", Period),
    Part("the expire time", Period),
    Part("the negative TTL", Period),
];
const PREFERENCE_NAME: &[Part] = &[Part("the preference", U16), Part("the target", Name)];
const TWO_MAILBOXES: &[Part] = &[Part("the mailbox", Name), Part("the second name", Name)];
const TEXTS: &[Part] = &[Part("the text", Texts)];
const HINFO: &[Part] = &[Part("the CPU", Text), Part("the operating system", Text)];
const X25: &[Part] = &[Part("the address", Text)];
const PX: &[Part] = &[
    Part("the preference", U16),
    Part("the RFC 822 domain", Name),
    Part("the X.400 domain", Name),
];
const LOC: &[Part] = &[Part("the place", Loc)];
const SRV: &[Part] = &[
    Part("the priority", U16),
    Part("the weight", U16),
    Part("the port", U16),
    Part("the target", Name),
];
const NAPTR: &[Part] = &[
    Part("the order", U16),
    Part("the preference", U16),
    Part("the flags", Text),
    Part("the services", Text),
    Part("the regular expression", Text),
    Part("the replacement", Name),
];
const CERT: &[Part] = &[
    Part("the certificate type", U16Of(CERTIFICATES)),
    Part("the key tag", U16),
    Part("the algorithm", U8Of(ALGORITHMS)),
    Part("the certificate", Base64),
];
const DS: &[Part] = &[
    Part("the key tag", U16),
    Part("the algorithm", U8Of(ALGORITHMS)),
    Part("the digest type", U8Of(DIGESTS)),
    Part("the digest", Hex),
];
const SSHFP: &[Part] =
    &[Part("the algorithm", U8), Part("the digest type", U8), Part("the fingerprint", Hex)];
const RRSIG: &[Part] = &[
    Part("the type covered", Form::Type),
    Part("the algorithm", U8Of(ALGORITHMS)),
    Part("the label count", U8),
    Part("the original TTL", Period),
    Part("the expiration", Time),
    Part("the inception", Time),
    Part("the key tag", U16),
    Part("the signer", Name),
    Part("the signature", Base64),
];
const NSEC: &[Part] = &[Part("the next name", Name), Part("the types", Bitmap)];
const DNSKEY: &[Part] = &[
    Part("the flags", U16),
    Part("the protocol", U8Of(PROTOCOLS)),
    Part("the algorithm", U8Of(ALGORITHMS)),
    Part("the key", Base64),
];
const KEY: &[Part] = &[
    Part("the flags", U16),
    Part("the protocol", U8Of(PROTOCOLS)),
    Part("the algorithm", U8Of(ALGORITHMS)),
    Part("the key", OptionalBase64),
];
const NSEC3: &[Part] = &[
    Part("the hash algorithm", U8),
    Part("the flags", U8),
    Part("the iterations", U16),
    Part("the salt", Salt),
    Part("the next hash", Hash),
    Part("the types", Bitmap),
];
const NSEC3PARAM: &[Part] = &[
    Part("the hash algorithm", U8),
    Part("the flags", U8),
    Part("the iterations", U16),
    Part("the salt", Salt),
];
const TLSA: &[Part] = &[
    Part("the certificate usage", U8Of(TLSA_USAGES)),
    Part("the selector", U8Of(TLSA_SELECTORS)),
    Part("the matching type", U8Of(TLSA_MATCHES)),
    Part("the certificate data", Hex),
];
const OPENPGPKEY: &[Part] = &[Part("the key", Base64)];
const DHCID: &[Part] = &[Part("the digest", Base64)];
const CSYNC: &[Part] =
    &[Part("the serial", U32), Part("the flags", U16), Part("the types", Bitmap)];
const ZONEMD: &[Part] = &[
    Part("the serial", U32),
    Part("the scheme", U8),
    Part("the hash algorithm", U8),
    Part("the digest", Hex),
];
const SVCB: &[Part] = &[
    Part("the priority", U16),
    Part("the target", Name),
    Part("the service parameters", SvcParams),
];
const L32: &[Part] = &[Part("the preference", U16), Part("the locator", Ip4)];
const LOCATOR: &[Part] = &[Part("the preference", U16), Part("the locator", Locator)];
const ISDN: &[Part] = &[Part("the address", Text), Part("the subaddress", OptionalText)];
const NSAP: &[Part] = &[Part("the address", Form::Nsap)];
const GPOS: &[Part] =
    &[Part("the longitude", Text), Part("the latitude", Text), Part("the altitude", Text)];
const NXT: &[Part] = &[Part("the next name", Name), Part("the types", Form::NxtBitmap)];
const HEX: &[Part] = &[Part("the data", Hex)];
const BASE64: &[Part] = &[Part("the data", Base64)];
const ATMA: &[Part] = &[Part("the address", Form::Atma)];
const A6: &[Part] = &[Part("the prefix length", Form::A6)];
const SINK: &[Part] = &[
    Part("the meaning", U8),
    Part("the coding", U8),
    Part("the subcoding", U8),
    Part("the data", OptionalBase64),
];
const APL: &[Part] = &[Part("the prefixes", Form::Prefixes)];
const WKS: &[Part] = &[Part("the address", Ip4), Part("the protocol", Form::Services)];
const IPSECKEY: &[Part] = &[
    Part("the precedence", U8),
    Part("the gateway type", U8),
    Part("the algorithm", U8),
    Part("the gateway", Gateway(0xff)),
    Part("the key", OptionalBase64),
];
const AMTRELAY: &[Part] = &[
    Part("the precedence", U8),
    Part("the discovery bit", Discovery),
    Part("the relay", Gateway(0x7f)),
];
const HIP: &[Part] = &[Part("the algorithm", Form::Hip)];
const TALINK: &[Part] = &[Part("the previous name", Name), Part("the next name", Name)];
const DSYNC: &[Part] = &[
    Part("the type", Form::Type),
    Part("the scheme", U8Of(SCHEMES)),
    Part("the port", U16),
    Part("the target", Name),
];
const DOA: &[Part] = &[
    Part("the enterprise", U32),
    Part("the type", U32),
    Part("the location", U8),
    Part("the media type", Text),
    Part("the data", Form::DashedBase64),
];
const IPN: &[Part] = &[Part("the number", Form::U64)];
const EUI48: &[Part] = &[Part("the address", Eui(6))];
const EUI64: &[Part] = &[Part("the address", Eui(8))];
const URI: &[Part] =
    &[Part("the priority", U16), Part("the weight", U16), Part("the target", LongText)];
const CAA: &[Part] = &[Part("the flags", U8), Part("the tag", Tag), Part("the value", LongText)];

/// Returns the fields of a type; `None` if the type can only be written as `\# LENGTH HEX`.
pub(super) fn parts(rtype: Type) -> Option<&'static [Part]> {
    Some(match rtype {
        Type::A => A,
        Type::AAAA => AAAA,
        Type::NS | Type::CNAME | Type::PTR | Type::DNAME | Type::NSAP_PTR => ONE_NAME,
        Type::MD | Type::MF | Type::MB | Type::MG | Type::MR => ONE_NAME,
        Type::SOA => SOA,
        Type::MX | Type::AFSDB | Type::RT | Type::KX | Type::LP => PREFERENCE_NAME,
        Type::MINFO | Type::RP => TWO_MAILBOXES,
        Type::TXT | Type::SPF | Type::NINFO | Type::AVC => TEXTS,
        Type::RESINFO | Type::WALLET | Type::CLA => TEXTS,
        Type::HINFO => HINFO,
        Type::X25 => X25,
        Type::ISDN => ISDN,
        Type::NSAP => NSAP,
        Type::GPOS => GPOS,
        Type::NXT => NXT,
        Type::EID | Type::NIMLOC => HEX,
        Type::ATMA => ATMA,
        Type::A6 => A6,
        Type::SINK => SINK,
        Type::APL => APL,
        Type::WKS => WKS,
        Type::IPSECKEY => IPSECKEY,
        Type::AMTRELAY => AMTRELAY,
        Type::HIP => HIP,
        Type::TALINK => TALINK,
        Type::HHIT | Type::BRID => BASE64,
        Type::DSYNC => DSYNC,
        Type::DOA => DOA,
        Type::IPN => IPN,
        Type::PX => PX,
        Type::LOC => LOC,
        Type::SRV => SRV,
        Type::NAPTR => NAPTR,
        Type::CERT => CERT,
        Type::DS | Type::CDS | Type::TA | Type::DLV => DS,
        Type::SSHFP => SSHFP,
        Type::RRSIG | Type::SIG => RRSIG,
        Type::NSEC => NSEC,
        Type::DNSKEY | Type::CDNSKEY => DNSKEY,
        Type::KEY | Type::RKEY => KEY,
        Type::NSEC3 => NSEC3,
        Type::NSEC3PARAM => NSEC3PARAM,
        Type::TLSA | Type::SMIMEA => TLSA,
        Type::OPENPGPKEY => OPENPGPKEY,
        Type::DHCID => DHCID,
        Type::CSYNC => CSYNC,
        Type::ZONEMD => ZONEMD,
        Type::SVCB | Type::HTTPS => SVCB,
        Type::L32 => L32,
        Type::NID | Type::L64 => LOCATOR,
        Type::EUI48 => EUI48,
        Type::EUI64 => EUI64,
        Type::URI => URI,
        Type::CAA => CAA,
        _ => return None,
    })
}

impl Form {
    /// Describes text of this form, for errors.
    pub(super) fn description(self) -> &'static str {
        match self {
            Self::U8 => "a number from 0 to 255",
            Self::U16 => "a number from 0 to 65535",
            Self::U32 => "a number from 0 to 4294967295",
            Self::U8Of(_) => "a number from 0 to 255 or a mnemonic",
            Self::U16Of(_) => "a number from 0 to 65535 or a mnemonic",
            Self::Period => "seconds or a period such as `1h30m`",
            Self::Time => "a time such as `20300131120000`",
            Self::Type => "a record type",
            Self::Name => "a domain name",
            Self::Ip4 => "an IPv4 address",
            Self::Ip6 => "an IPv6 address",
            Self::Eui(6) => "six octets such as `00-00-5e-00-53-2a`",
            Self::Eui(_) => "eight octets such as `00-00-5e-ef-10-00-00-2a`",
            Self::Text | Self::Texts | Self::LongText => "a string",
            Self::Tag => "letters and digits",
            Self::Hex => "hex digits",
            Self::Salt => "hex digits, or `-` for none",
            Self::Hash => "base32hex",
            Self::Base64 => "base64",
            Self::Bitmap => "record types",
            Self::SvcParams => "parameters such as `alpn=h2`",
            Self::Loc => "a latitude, a longitude and an altitude",
            Self::U64 => "a number from 0 to 18446744073709551615",
            Self::Locator => "four groups of hex digits such as `14:4fff:ff20:ee64`",
            Self::OptionalText => "a string",
            Self::OptionalBase64 => "base64",
            Self::DashedBase64 => "base64, or `-` for none",
            Self::Nsap => "`0x` and hex digits, dots between",
            Self::Discovery => "0 or 1",
            Self::Gateway(_) => "an address or a name as its type says, `.` for none",
            Self::Services => "`tcp`, `udp` or a number, and ports",
            Self::NxtBitmap => "record types below 128",
            Self::Prefixes => "prefixes such as `1:192.0.2.0/24` or `!2:2001:db8::/32`",
            Self::A6 => "a number from 0 to 128",
            Self::Atma => "hex digits, or `+` and digits",
            Self::Hip => "a number from 0 to 255",
        }
    }
}
