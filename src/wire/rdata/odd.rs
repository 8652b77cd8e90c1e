//! The forms of field that only one or two types have: gateways, address prefixes, ports of a
//! protocol.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::read::digits;
use super::table::{Form, Part};
use super::token::Token;
use super::words::Words;
use super::{RdataError, codes};
use crate::wire::kind::Type;
use crate::wire::name::{self, Name, wire_len};

/// The address families of APL (RFC 3123 §4).
const IPV4: u16 = 1;
const IPV6: u16 = 2;

/// The protocols and services that WKS may call by name (RFC 1035 §3.4.2; names as in the IANA
/// registries).
const PROTOCOLS: [(&str, u8); 2] = [("tcp", 6), ("udp", 17)];
const SERVICES: [(&str, u16); 14] = [
    ("echo", 7),
    ("discard", 9),
    ("daytime", 13),
    ("ftp-data", 20),
    ("ftp", 21),
    ("ssh", 22),
    ("telnet", 23),
    ("smtp", 25),
    ("time", 37),
    ("domain", 53),
    ("http", 80),
    ("pop3", 110),
    ("nntp", 119),
    ("ntp", 123),
];

/// Reads a field that takes several words.
pub(super) fn parse(
    &Part(what, form): &Part,
    words: &mut Words<'_, '_>,
    origin: &Name,
    out: &mut Vec<u8>,
) -> Result<(), RdataError> {
    let expected = form.description();
    match form {
        Form::Services => services(words, what, expected, out),
        Form::NxtBitmap => nxt(words, out),
        Form::A6 => a6(words, origin, out),
        Form::Hip => hip(words, origin, out),
        _ => {
            while let Some(word) = words.next() {
                prefix(word.text, out).ok_or_else(|| words.unexpected(word, what, expected))?;
            }
            Ok(())
        }
    }
}

fn read_name(word: &Token<'_>, what: &str, origin: &Name) -> Result<Name, RdataError> {
    Name::parse(word.text, Some(origin)).map_err(|error| RdataError {
        at: word.span.clone(),
        message: format!("expected {what}, found {error}"),
    })
}

/// Takes one word and reads it with `read`.
fn one<T>(
    words: &mut Words<'_, '_>,
    (what, expected): (&str, &str),
    read: impl FnOnce(&str) -> Option<T>,
) -> Result<T, RdataError> {
    let word = words.take(what, expected)?;
    read(word.text).ok_or_else(|| words.unexpected(word, what, expected))
}

/// Reads four groups of hex digits with colons between them.
pub(super) fn parse_locator(text: &str, out: &mut Vec<u8>) -> Option<()> {
    let groups: Vec<&str> = text.split(':').collect();
    if groups.len() != 4 {
        return None;
    }
    for group in groups {
        let is_hex = group.len() <= 4 && group.bytes().all(|digit| digit.is_ascii_hexdigit());
        let number = u16::from_str_radix(group, 16).ok().filter(|_| is_hex)?;
        out.extend_from_slice(&number.to_be_bytes());
    }
    Some(())
}

/// Writes four groups of hex digits.
pub(super) fn write_locator(field: &[u8], out: &mut impl fmt::Write) -> fmt::Result {
    field.chunks_exact(2).enumerate().try_for_each(|(at, pair)| {
        let colon = if at > 0 { ":" } else { "" };
        write!(out, "{colon}{:x}", u16::from_be_bytes([pair[0], pair[1]]))
    })
}

/// Reads `0x` and hex digits, which dots may separate.
pub(super) fn parse_nsap(text: &str, out: &mut Vec<u8>) -> Option<()> {
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"))?;
    let start = out.len();
    codes::parse_hex(digits.bytes().filter(|&byte| byte != b'.'), out)?;
    (out.len() > start).then_some(())
}

/// Reads an ATM address: `+` and digits of E.164, or hex digits, which dots may separate.
pub(super) fn parse_atma(text: &str, out: &mut Vec<u8>) -> Option<()> {
    match text.strip_prefix('+') {
        Some(number) => {
            out.push(1);
            out.extend(number.bytes().filter(|&byte| byte != b'.'));
        }
        None => {
            out.push(0);
            codes::parse_hex(text.bytes().filter(|&byte| byte != b'.'), out)?;
        }
    }
    atma_is_sound(out).then_some(())
}

pub(super) fn atma_is_sound(wire: &[u8]) -> bool {
    match wire.split_first() {
        Some((0, address)) => !address.is_empty(),
        Some((1, number)) => !number.is_empty() && number.iter().all(u8::is_ascii_digit),
        _ => false,
    }
}

pub(super) fn write_atma(field: &[u8], out: &mut impl fmt::Write) -> fmt::Result {
    match field {
        [0, address @ ..] => address.iter().try_for_each(|octet| write!(out, "{octet:02x}")),
        _ => {
            out.write_char('+')?;
            field.iter().skip(1).try_for_each(|&digit| out.write_char(char::from(digit)))
        }
    }
}

/// Reads the discovery bit and the relay type: two words that make one octet.
pub(super) fn parse_discovery(
    words: &mut Words<'_, '_>,
    out: &mut Vec<u8>,
) -> Result<(), RdataError> {
    let bit = one(words, ("the discovery bit", "0 or 1"), |text| {
        digits::<u8>(text).filter(|&bit| bit <= 1)
    })?;
    let kind = one(words, ("the relay type", "a number from 0 to 3"), |text| {
        digits::<u8>(text).filter(|&kind| kind <= 3)
    })?;
    out.push(bit << 7 | kind);
    Ok(())
}

/// Reads a gateway. Its type is the second octet of `out`, under `mask`.
pub(super) fn parse_gateway(text: &str, mask: u8, origin: &Name, out: &mut Vec<u8>) -> Option<()> {
    match *out.get(1)? & mask {
        0 => (text == ".").then_some(()),
        1 => text.parse().ok().map(|ip: Ipv4Addr| out.extend_from_slice(&ip.octets())),
        2 => text.parse().ok().map(|ip: Ipv6Addr| out.extend_from_slice(&ip.octets())),
        3 => Name::parse(text, Some(origin)).ok().map(|name| out.extend_from_slice(name.as_wire())),
        _ => None,
    }
}

/// Returns the length of a gateway of type `kind` at the start of `wire`.
pub(super) fn gateway_len(kind: u8, wire: &[u8]) -> Option<usize> {
    match kind {
        0 => Some(0),
        1 => (wire.len() >= 4).then_some(4),
        2 => (wire.len() >= 16).then_some(16),
        3 => wire_len(wire),
        _ => None,
    }
}

/// Writes a gateway of type `kind`.
pub(super) fn write_gateway(kind: u8, field: &[u8], out: &mut impl fmt::Write) -> fmt::Result {
    match (kind, field.len()) {
        (0, _) => out.write_char('.'),
        (1, 4) => write!(out, "{}", Ipv4Addr::from(<[u8; 4]>::try_from(field).unwrap_or_default())),
        (2, 16) => {
            write!(out, "{}", Ipv6Addr::from(<[u8; 16]>::try_from(field).unwrap_or_default()))
        }
        _ => name::write_text(field, out),
    }
}

/// Reads a protocol and its ports.
fn services(
    words: &mut Words<'_, '_>,
    what: &str,
    expected: &str,
    out: &mut Vec<u8>,
) -> Result<(), RdataError> {
    let named = |text: &str| PROTOCOLS.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
    let protocol = one(words, (what, expected), |text| {
        named(text).map(|&(_, number)| number).or_else(|| digits(text))
    })?;
    out.push(protocol);
    let mut bits: Vec<u8> = Vec::new();
    let named = |text: &str| SERVICES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
    while !words.is_empty() {
        let port = one(words, ("a port", "a number from 0 to 65535"), |text| {
            named(text).map(|&(_, port)| port).or_else(|| digits(text))
        })?;
        let at = usize::from(port / 8);
        if bits.len() <= at {
            bits.resize(at + 1, 0);
        }
        bits[at] |= 0x80 >> (port % 8);
    }
    out.extend_from_slice(&bits);
    Ok(())
}

/// Returns whether there is a protocol, and at most 65,536 port bits without trailing zero octets.
pub(super) fn services_are_sound(wire: &[u8]) -> bool {
    let most = 1 + 65_536 / 8;
    let ends_well = wire.len() == 1 || wire.last().is_some_and(|&octet| octet != 0);
    !wire.is_empty() && wire.len() <= most && ends_well
}

pub(super) fn write_services(field: &[u8], out: &mut impl fmt::Write) -> fmt::Result {
    let (protocol, bits) = field.split_first().ok_or(fmt::Error)?;
    write!(out, "{protocol}")?;
    set_bits(bits).try_for_each(|port| write!(out, " {port}"))
}

/// Returns the numbers of the bits that are set; the highest bit of the first octet is 0.
fn set_bits(octets: &[u8]) -> impl Iterator<Item = usize> {
    let each = |(at, &octet): (usize, &u8)| {
        (0..8).filter(move |bit| octet & (0x80 >> bit) != 0).map(move |bit| at * 8 + bit)
    };
    octets.iter().enumerate().flat_map(each)
}

/// Reads the types of NXT, all below 128.
fn nxt(words: &mut Words<'_, '_>, out: &mut Vec<u8>) -> Result<(), RdataError> {
    let mut bits: Vec<u8> = Vec::new();
    while !words.is_empty() {
        let number = one(words, ("the types", "record types below 128"), |text| {
            let Type(number) = text.parse().ok()?;
            (1..128).contains(&number).then_some(usize::from(number))
        })?;
        if bits.len() <= number / 8 {
            bits.resize(number / 8 + 1, 0);
        }
        bits[number / 8] |= 0x80 >> (number % 8);
    }
    out.extend_from_slice(&bits);
    Ok(())
}

pub(super) fn nxt_is_sound(wire: &[u8]) -> bool {
    let is_plain = wire.first().is_none_or(|octet| octet & 0x80 == 0);
    is_plain && wire.len() <= 16 && wire.last().is_none_or(|&octet| octet != 0)
}

pub(super) fn write_nxt(field: &[u8], out: &mut impl fmt::Write) -> fmt::Result {
    set_bits(field).try_for_each(|number| write!(out, " {}", Type(number as u16)))
}

/// Reads `[!]family:address/prefix`.
fn prefix(text: &str, out: &mut Vec<u8>) -> Option<()> {
    let (negation, rest) = match text.strip_prefix('!') {
        Some(rest) => (0x80, rest),
        None => (0, text),
    };
    let (family, rest) = rest.split_once(':')?;
    let (address, len) = rest.split_once('/')?;
    let (family, len): (u16, u8) = (digits(family)?, digits(len)?);
    let octets: Vec<u8> = match (family, address.parse().ok()?) {
        (IPV4, IpAddr::V4(ip)) if len <= 32 => ip.octets().into(),
        (IPV6, IpAddr::V6(ip)) if len <= 128 => ip.octets().into(),
        _ => return None,
    };
    let used = octets.iter().rposition(|&octet| octet != 0).map_or(0, |last| last + 1);
    out.extend_from_slice(&family.to_be_bytes());
    out.extend([len, negation | used as u8]);
    out.extend_from_slice(&octets[..used]);
    Some(())
}

/// An address prefix of APL.
pub(super) struct Prefix {
    negated: bool,
    family: u16,
    address: IpAddr,
    len: u8,
}

/// Reads the prefixes in the RDATA of APL; `None` if one is malformed or of an unknown family.
pub(super) fn prefixes_of(wire: &[u8]) -> Option<Vec<Prefix>> {
    let (mut prefixes, mut rest) = (Vec::new(), wire);
    while let Some((head, tail)) = rest.split_first_chunk::<4>() {
        let family = u16::from_be_bytes([head[0], head[1]]);
        let (octets, tail) = tail.split_at_checked(usize::from(head[3] & 0x7f))?;
        let most = if family == IPV4 { 4 } else { 16 };
        let is_short = octets.len() <= most && octets.last().is_none_or(|&octet| octet != 0);
        if !is_short || usize::from(head[2]) > most * 8 {
            return None;
        }
        let mut whole = [0; 16];
        whole[..octets.len()].copy_from_slice(octets);
        let address = match family {
            IPV4 => IpAddr::from([whole[0], whole[1], whole[2], whole[3]]),
            IPV6 => IpAddr::from(whole),
            _ => return None,
        };
        prefixes.push(Prefix { negated: head[3] & 0x80 != 0, family, address, len: head[2] });
        rest = tail;
    }
    rest.is_empty().then_some(prefixes)
}

pub(super) fn write_prefixes(field: &[u8], out: &mut impl fmt::Write) -> fmt::Result {
    let prefixes = prefixes_of(field).ok_or(fmt::Error)?;
    prefixes.iter().enumerate().try_for_each(|(at, prefix)| {
        let Prefix { negated, family, address, len } = prefix;
        let (gap, mark) = (if at > 0 { " " } else { "" }, if *negated { "!" } else { "" });
        write!(out, "{gap}{mark}{family}:{address}/{len}")
    })
}

/// Reads a prefix length, the rest of the address, and the name that holds the prefix.
fn a6(words: &mut Words<'_, '_>, origin: &Name, out: &mut Vec<u8>) -> Result<(), RdataError> {
    let len = one(words, ("the prefix length", Form::A6.description()), |text| {
        digits::<u8>(text).filter(|&len| len <= 128)
    })?;
    out.push(len);
    if len < 128 {
        let address: Ipv6Addr =
            one(words, ("the address", "an IPv6 address"), |text| text.parse().ok())?;
        // The bits of the prefix are zero (RFC 2874 §3.1.1).
        let bits = u128::from(address) & (u128::MAX >> len);
        out.extend_from_slice(&bits.to_be_bytes()[usize::from(len / 8)..]);
    }
    if len > 0 {
        let word = words.take("the prefix name", "a domain name")?;
        out.extend_from_slice(read_name(word, "the prefix name", origin)?.as_wire());
    }
    words.finish()
}

/// Reads the prefix length, the rest of the address, and the name in wire format, which may be
/// empty.
pub(super) fn a6_of(wire: &[u8]) -> Option<(u8, Ipv6Addr, &[u8])> {
    let (&len, rest) = wire.split_first().filter(|(len, _)| **len <= 128)?;
    let (suffix, prefix) = rest.split_at_checked(16 - usize::from(len / 8))?;
    let mut octets = [0; 16];
    octets[16 - suffix.len()..].copy_from_slice(suffix);
    let bits = u128::from_be_bytes(octets);
    let is_clean = len == 128 || bits & !(u128::MAX >> len) == 0;
    let has_name =
        if len == 0 { prefix.is_empty() } else { wire_len(prefix) == Some(prefix.len()) };
    (is_clean && has_name).then_some((len, Ipv6Addr::from(bits), prefix))
}

pub(super) fn write_a6(field: &[u8], out: &mut impl fmt::Write) -> fmt::Result {
    let (len, address, prefix) = a6_of(field).ok_or(fmt::Error)?;
    write!(out, "{len}")?;
    if len < 128 {
        write!(out, " {address}")?;
    }
    if len > 0 {
        out.write_char(' ')?;
        name::write_text(prefix, out)?;
    }
    Ok(())
}

/// Reads an algorithm, a tag in hex, a key in base64, and the names of rendezvous servers.
fn hip(words: &mut Words<'_, '_>, origin: &Name, out: &mut Vec<u8>) -> Result<(), RdataError> {
    let algorithm: u8 = one(words, ("the algorithm", Form::Hip.description()), digits)?;
    let (mut tag, mut key) = (Vec::new(), Vec::new());
    let tag_len: u8 = one(words, ("the host identity tag", "hex digits"), |text| {
        codes::parse_hex(text.bytes(), &mut tag)?;
        u8::try_from(tag.len()).ok().filter(|&len| len > 0)
    })?;
    let key_len: u16 = one(words, ("the key", "base64"), |text| {
        codes::parse_base64(text.bytes(), &mut key)?;
        u16::try_from(key.len()).ok().filter(|&len| len > 0)
    })?;
    out.extend([tag_len, algorithm]);
    out.extend_from_slice(&key_len.to_be_bytes());
    out.extend_from_slice(&tag);
    out.extend_from_slice(&key);
    while let Some(word) = words.next() {
        out.extend_from_slice(read_name(word, "the rendezvous server", origin)?.as_wire());
    }
    Ok(())
}

/// The parts of HIP RDATA.
pub(super) struct Hip<'a> {
    algorithm: u8,
    tag: &'a [u8],
    key: &'a [u8],
    servers: Vec<&'a [u8]>,
}

pub(super) fn hip_of(wire: &[u8]) -> Option<Hip<'_>> {
    let (head, rest) = wire.split_first_chunk::<4>()?;
    let (tag, rest) = rest.split_at_checked(usize::from(head[0]))?;
    let key_len = usize::from(u16::from_be_bytes([head[2], head[3]]));
    let (key, mut rest) = rest.split_at_checked(key_len)?;
    let mut servers = Vec::new();
    while !rest.is_empty() {
        let (server, tail) = rest.split_at(wire_len(rest)?);
        servers.push(server);
        rest = tail;
    }
    let is_whole = !tag.is_empty() && !key.is_empty();
    is_whole.then_some(Hip { algorithm: head[1], tag, key, servers })
}

pub(super) fn write_hip(field: &[u8], out: &mut impl fmt::Write) -> fmt::Result {
    let Hip { algorithm, tag, key, servers } = hip_of(field).ok_or(fmt::Error)?;
    write!(out, "{algorithm} ")?;
    // Each is one word: after a space, the next field would begin.
    tag.iter().try_for_each(|octet| write!(out, "{octet:02X}"))?;
    out.write_char(' ')?;
    codes::write_base64(key, true, out)?;
    servers.iter().try_for_each(|server| {
        out.write_char(' ')?;
        name::write_text(server, out)
    })
}
