//! Service parameters of SVCB and HTTPS (RFC 9460 §2.1, §2.2, §7, appendix A).

use std::collections::HashSet;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use super::print::write_string;
use super::read::digits;
use super::token::{Token, unescape};
use super::words::Words;
use super::{RdataError, codes};
use crate::wire::excerpt::excerpt;

/// The registered keys, each at its number, with the forms of their values.
const KEYS: [(&str, Value); 12] = [
    ("mandatory", Value::Keys),
    ("alpn", Value::Protocols),
    ("no-default-alpn", Value::Empty),
    ("port", Value::Port),
    ("ipv4hint", Value::Ip4s),
    ("ech", Value::Base64),
    ("ipv6hint", Value::Ip6s),
    ("dohpath", Value::Text),
    ("ohttp", Value::Empty),
    ("tls-supported-groups", Value::Groups),
    ("docpath", Value::Segments),
    ("pvd", Value::Empty),
];
const MANDATORY: u16 = 0;
const NO_DEFAULT_ALPN: u16 = 2;

/// The numbers of keys that other layers write (RFC 9460 §14.3.2).
pub mod svc_key {
    /// ALPN protocol names, each after a length octet.
    pub const ALPN: u16 = 1;
    /// A port in two octets.
    pub const PORT: u16 = 3;
    /// IPv4 addresses.
    pub const IPV4HINT: u16 = 4;
    /// IPv6 addresses.
    pub const IPV6HINT: u16 = 6;
}
use svc_key::{ALPN, PORT};

/// Makes the start of ServiceMode RDATA with priority 1 whose target is its owner (RFC 9460
/// §2.4.3), up to the place where address hints follow.
///
/// `alpn` must have at least one name, each of 1 to 255 octets, and fewer than 65,536 octets in
/// all, with one length octet for each name. Without a `port`, the port is the default of the
/// scheme.
pub fn service_head(alpn: &[String], port: Option<u16>) -> Vec<u8> {
    let octets: usize = alpn.iter().map(|protocol| 1 + protocol.len()).sum();
    let mut head = vec![0, 1, 0];
    head.extend(ALPN.to_be_bytes());
    head.extend((octets as u16).to_be_bytes());
    for protocol in alpn {
        head.push(protocol.len() as u8);
        head.extend_from_slice(protocol.as_bytes());
    }
    if let Some(port) = port {
        head.extend([PORT, 2, port].map(u16::to_be_bytes).concat());
    }
    head
}

/// The form of a value.
#[derive(Clone, Copy)]
enum Value {
    /// A list of other keys (RFC 9460 §8).
    Keys,
    /// A list of ALPN protocol names (RFC 9460 §7.1).
    Protocols,
    /// No value: the key says it all.
    Empty,
    /// A port (RFC 9460 §7.2).
    Port,
    /// A list of IPv4 addresses (RFC 9460 §7.3).
    Ip4s,
    /// A list of IPv6 addresses (RFC 9460 §7.3).
    Ip6s,
    /// Octets in base64 (RFC 9848 §4).
    Base64,
    /// Text that is not empty (RFC 9461 §5).
    Text,
    /// A list of numbers of TLS groups (draft-ietf-tls-key-share-prediction §3.1).
    Groups,
    /// A list of the segments of a path, which may be empty (draft-ietf-core-dns-over-coap §3.2).
    Segments,
    /// Any octets: the value of a key that is not registered here.
    Opaque,
}

/// Returns the form of the values of `key`.
fn form(key: u16) -> Value {
    KEYS.get(usize::from(key)).map_or(Value::Opaque, |&(_, form)| form)
}

/// Reads `alpn` or `key1`; accepts one spelling of the number only.
fn parse_key(text: &str) -> Option<u16> {
    if let Some(at) = KEYS.iter().position(|(name, _)| *name == text) {
        return Some(at as u16);
    }
    let digits = text.strip_prefix("key")?;
    let plain = digits == "0" || digits.starts_with(|first: char| ('1'..='9').contains(&first));
    if plain { digits.parse().ok() } else { None }
}

/// Writes a key as [`parse_key`] reads it.
fn write_key(key: u16, out: &mut impl fmt::Write) -> fmt::Result {
    match KEYS.get(usize::from(key)) {
        Some((name, _)) => out.write_str(name),
        None => write!(out, "key{key}"),
    }
}

/// Reads the parameters that are left, in any order; writes them in order of their keys.
pub(super) fn parse(words: &mut Words<'_, '_>, out: &mut Vec<u8>) -> Result<(), RdataError> {
    let mut params: Vec<(u16, Vec<u8>, Range<usize>)> = Vec::new();
    let mut known = HashSet::new();
    while let Some(word) = words.next() {
        let fail = |message: String| RdataError { at: word.span.clone(), message };
        let (name, value) = split(word);
        let Some(key) = parse_key(name).filter(|_| !word.quoted) else {
            let names: Vec<&str> = KEYS.iter().map(|&(name, _)| name).collect();
            let names = names.join(", ");
            return Err(fail(format!(
                "expected one of {names} or keyNNNNN, found `{}`",
                excerpt(name)
            )));
        };
        if !known.insert(key) {
            return Err(fail(format!("the parameter `{name}` is given twice")));
        }
        let mut octets = Vec::new();
        if let Some((text, at)) = value {
            unescape(text, &mut octets).map_err(|bad| RdataError {
                at: word.within(at + bad.start..at + bad.end),
                message: "a backslash must be followed by three digits or a character".to_owned(),
            })?;
        }
        let generic = name.starts_with("key");
        let wire = if generic { Some(octets) } else { encode(form(key), &octets) };
        let wire = wire
            .filter(|wire| is_sound(form(key), wire))
            .ok_or_else(|| fail(format!("`{name}` takes {}", description(form(key)))))?;
        if wire.len() > usize::from(u16::MAX) {
            return Err(fail(format!("the value of `{name}` is longer than 65535 octets")));
        }
        params.push((key, wire, word.span.clone()));
    }
    params.sort_by_key(|&(key, ..)| key);
    let sorted: Vec<(u16, &[u8])> =
        params.iter().map(|(key, value, _)| (*key, &value[..])).collect();
    if let Err((key, message)) = agree(&sorted) {
        let at = params.iter().find(|&&(found, ..)| found == key).map(|(.., span)| span.clone());
        return Err(RdataError { at: at.unwrap_or_default(), message });
    }
    for (key, value, _) in params {
        out.extend_from_slice(&key.to_be_bytes());
        out.extend_from_slice(&(value.len() as u16).to_be_bytes());
        out.extend_from_slice(&value);
    }
    Ok(())
}

/// Splits a parameter into its key and its value without quotes, with the place of the value in the
/// word.
fn split<'a>(word: &Token<'a>) -> (&'a str, Option<(&'a str, usize)>) {
    let Some((name, value)) = word.text.split_once('=') else { return (word.text, None) };
    let at = name.len() + 1;
    match value.strip_prefix('"').and_then(|value| value.strip_suffix('"')) {
        Some(inner) => (name, Some((inner, at + 1))),
        None => (name, Some((value, at))),
    }
}

/// Converts a value without escapes to wire format; `None` if it does not have the form.
fn encode(form: Value, text: &[u8]) -> Option<Vec<u8>> {
    let mut wire = Vec::new();
    let each = || text.split(|&byte| byte == b',').map(std::str::from_utf8);
    match form {
        Value::Keys => {
            let keys: Option<Vec<u16>> = each().map(|item| parse_key(item.ok()?)).collect();
            let mut keys = keys?;
            keys.sort_unstable();
            wire.extend(keys.iter().flat_map(|key| key.to_be_bytes()));
        }
        Value::Segments if text.is_empty() => {}
        Value::Groups => {
            for item in each() {
                wire.extend_from_slice(&digits::<u16>(item.ok()?)?.to_be_bytes());
            }
        }
        Value::Protocols | Value::Segments => {
            for protocol in list_items(text)? {
                wire.push(u8::try_from(protocol.len()).ok()?);
                wire.extend_from_slice(&protocol);
            }
        }
        Value::Port => {
            let digits = text.iter().all(u8::is_ascii_digit).then_some(text)?;
            let port: u16 = std::str::from_utf8(digits).ok()?.parse().ok()?;
            wire.extend_from_slice(&port.to_be_bytes());
        }
        Value::Ip4s => {
            for item in each() {
                wire.extend_from_slice(&item.ok()?.parse::<Ipv4Addr>().ok()?.octets());
            }
        }
        Value::Ip6s => {
            for item in each() {
                wire.extend_from_slice(&item.ok()?.parse::<Ipv6Addr>().ok()?.octets());
            }
        }
        Value::Base64 => codes::parse_base64(text.iter().copied(), &mut wire)?,
        Value::Empty | Value::Text | Value::Opaque => wire.extend_from_slice(text),
    }
    Some(wire)
}

/// Returns the items of a comma-separated list, with `\,` and `\\` decoded (RFC 9460 appendix A.1).
fn list_items(text: &[u8]) -> Option<Vec<Vec<u8>>> {
    let (mut items, mut octets) = (vec![Vec::new()], text.iter());
    while let Some(&octet) = octets.next() {
        match octet {
            b',' => items.push(Vec::new()),
            b'\\' => {
                let escaped = *octets.next().filter(|&&octet| matches!(octet, b',' | b'\\'))?;
                items.last_mut()?.push(escaped);
            }
            _ => items.last_mut()?.push(octet),
        }
    }
    Some(items)
}

/// Describes a value of this form, for errors.
fn description(form: Value) -> &'static str {
    match form {
        Value::Keys => "other keys, each once, with commas between",
        Value::Protocols => "protocol names with commas between, such as `h2,h3`",
        Value::Empty => "no value",
        Value::Port => "a number from 0 to 65535",
        Value::Ip4s => "IPv4 addresses with commas between",
        Value::Ip6s => "IPv6 addresses with commas between",
        Value::Base64 => "base64",
        Value::Text => "a text",
        Value::Groups => "numbers of groups, each once, with commas between",
        Value::Segments => "segments of a path with commas between",
        Value::Opaque => "any octets",
    }
}

/// Returns whether a value in wire format has its form.
fn is_sound(form: Value, wire: &[u8]) -> bool {
    match form {
        Value::Keys => {
            let keys: Vec<u16> = keys_of(wire).collect();
            let rising = keys.windows(2).all(|pair| pair[0] < pair[1]);
            wire.len().is_multiple_of(2)
                && rising
                && keys.first().is_some_and(|&key| key != MANDATORY)
        }
        Value::Protocols | Value::Segments => {
            let mut rest = wire;
            while let Some((&len, tail)) = rest.split_first() {
                match tail.get(usize::from(len)..) {
                    Some(tail) if len > 0 => rest = tail,
                    _ => return false,
                }
            }
            !wire.is_empty() || matches!(form, Value::Segments)
        }
        Value::Groups => {
            let mut groups: Vec<u16> = keys_of(wire).collect();
            groups.sort_unstable();
            let each_once = groups.windows(2).all(|pair| pair[0] != pair[1]);
            wire.len().is_multiple_of(2) && !groups.is_empty() && each_once
        }
        Value::Empty => wire.is_empty(),
        Value::Port => wire.len() == 2,
        Value::Ip4s => !wire.is_empty() && wire.len().is_multiple_of(4),
        Value::Ip6s => !wire.is_empty() && wire.len().is_multiple_of(16),
        Value::Base64 | Value::Text => !wire.is_empty(),
        Value::Opaque => true,
    }
}

/// Reads numbers of two octets: the keys of `mandatory`, TLS groups, or a port.
fn keys_of(wire: &[u8]) -> impl Iterator<Item = u16> {
    wire.chunks_exact(2).map(|pair| u16::from(pair[0]) << 8 | u16::from(pair[1]))
}

/// Checks that the parameters, in order of their keys, agree with each other.
///
/// # Errors
/// The key that is wrong, and the reason.
fn agree(params: &[(u16, &[u8])]) -> Result<(), (u16, String)> {
    let value = |key: u16| params.binary_search_by_key(&key, |&(found, _)| found);
    let has = |key: u16| value(key).is_ok();
    if has(NO_DEFAULT_ALPN) && !has(ALPN) {
        return Err((NO_DEFAULT_ALPN, "`no-default-alpn` needs `alpn` beside it".to_owned()));
    }
    let mandatory = value(MANDATORY).map_or(&[][..], |at| params[at].1);
    let missing = keys_of(mandatory).find(|&key| !has(key));
    let Some(missing) = missing else { return Ok(()) };
    let mut message = "`mandatory` names a parameter that is not there: ".to_owned();
    // Writing to a string cannot fail.
    let _ = write_key(missing, &mut message);
    Err((MANDATORY, message))
}

/// The error that parameters in wire format do not have their form.
pub(super) struct Malformed;

/// Reads parameters in wire format. Their keys must rise, each value must have its form, and they
/// must agree.
pub(super) fn params_of(wire: &[u8]) -> Result<Vec<(u16, &[u8])>, Malformed> {
    let (mut params, mut rest): (Vec<(u16, &[u8])>, _) = (Vec::new(), wire);
    while let Some((head, tail)) = rest.split_first_chunk::<4>() {
        let (key, len) = (u16::from_be_bytes([head[0], head[1]]), [head[2], head[3]]);
        let len = usize::from(u16::from_be_bytes(len));
        let (value, tail) = tail.split_at_checked(len).ok_or(Malformed)?;
        let rises = params.last().is_none_or(|&(last, _)| last < key);
        if !rises || !is_sound(form(key), value) {
            return Err(Malformed);
        }
        params.push((key, value));
        rest = tail;
    }
    let agreed = agree(&params).is_ok();
    if rest.is_empty() && agreed { Ok(params) } else { Err(Malformed) }
}

/// Writes sound parameters, each after a space.
pub(super) fn write_text(wire: &[u8], out: &mut impl fmt::Write) -> fmt::Result {
    for (key, value) in params_of(wire).map_err(|Malformed| fmt::Error)? {
        out.write_char(' ')?;
        write_key(key, out)?;
        if !value.is_empty() {
            out.write_char('=')?;
            write_value(form(key), value, out)?;
        }
    }
    Ok(())
}

/// Writes a sound value that is not empty.
fn write_value(form: Value, wire: &[u8], out: &mut impl fmt::Write) -> fmt::Result {
    let comma = |at: usize| if at > 0 { "," } else { "" };
    match form {
        Value::Keys => keys_of(wire).enumerate().try_for_each(|(at, key)| {
            out.write_str(comma(at))?;
            write_key(key, out)
        }),
        Value::Groups => keys_of(wire)
            .enumerate()
            .try_for_each(|(at, group)| write!(out, "{}{group}", comma(at))),
        Value::Protocols | Value::Segments => {
            let (mut text, mut rest) = (Vec::new(), wire);
            while let Some((&len, tail)) = rest.split_first() {
                let (protocol, tail) = tail.split_at_checked(usize::from(len)).ok_or(fmt::Error)?;
                if !text.is_empty() {
                    text.push(b',');
                }
                for &octet in protocol {
                    if matches!(octet, b',' | b'\\') {
                        text.push(b'\\');
                    }
                    text.push(octet);
                }
                rest = tail;
            }
            write_string(&text, out)
        }
        Value::Port => write!(out, "{}", keys_of(wire).next().ok_or(fmt::Error)?),
        Value::Ip4s => wire.as_chunks().0.iter().enumerate().try_for_each(|(at, &octets)| {
            let _: [u8; 4] = octets;
            write!(out, "{}{}", comma(at), Ipv4Addr::from(octets))
        }),
        Value::Ip6s => wire.as_chunks().0.iter().enumerate().try_for_each(|(at, &octets)| {
            let _: [u8; 16] = octets;
            write!(out, "{}{}", comma(at), Ipv6Addr::from(octets))
        }),
        Value::Base64 => codes::write_base64(wire, true, out),
        Value::Empty | Value::Text | Value::Opaque => write_string(wire, out),
    }
}
