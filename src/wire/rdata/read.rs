//! Text → wire: reads RDATA from presentation format, by the table of its type.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Range;
use std::str::FromStr;

use super::table::{Form, Mnemonics, Part, parts};
use super::token::{self, Token, tokens};
use super::words::Words;
use super::{RdataError, bitmap, codes, loc, odd, svcb, wire};
use crate::wire::kind::Type;
use crate::wire::name::Name;

/// The greatest length of a character-string in octets (RFC 1035 §3.3).
const TEXT_LEN_MAX: usize = 255;

/// Reads RDATA in presentation format. Relative names are relative to `origin`.
///
/// RDATA of any type may be written as `\# LENGTH HEX` (RFC 3597 §5).
///
/// # Errors
/// [`RdataError`], with a place in `text`.
pub fn parse(rtype: Type, text: &str, origin: &Name) -> Result<Vec<u8>, RdataError> {
    let mut out = Vec::new();
    parse_tokens(rtype, &tokens(text)?, text.len(), origin, &mut out)?;
    Ok(out)
}

/// Reads a value of a zone file: as [`parse`] does, but TXT and SPF need no quotes.
///
/// Their text is one string, read as if it stood in quotes, and cut every 255 octets. A backslash
/// escapes what follows it (RFC 1035 §5.1), and a quote is an ordinary character. A text that
/// starts with a quote or with `\#` is presentation format.
///
/// # Errors
/// [`RdataError`], with a place in `text`.
pub fn parse_value(rtype: Type, text: &str, origin: &Name) -> Result<Vec<u8>, RdataError> {
    let is_presentation = text.starts_with('"') || text.starts_with("\\#");
    match rtype {
        Type::TXT | Type::SPF if !is_presentation => {
            let mut octets = Vec::with_capacity(text.len());
            token::unescape(text, &mut octets).map_err(bad_escape)?;
            Ok(strings(&octets))
        }
        _ => parse(rtype, text, origin),
    }
}

/// Returns TXT RDATA that holds `octets`, cut into strings of 255 octets.
fn strings(octets: &[u8]) -> Vec<u8> {
    let mut wire = Vec::with_capacity(octets.len() + octets.len() / TEXT_LEN_MAX + 1);
    for chunk in octets.chunks(TEXT_LEN_MAX) {
        wire.push(chunk.len() as u8);
        wire.extend_from_slice(chunk);
    }
    if wire.is_empty() {
        wire.push(0);
    }
    wire
}

/// Reads RDATA from `tokens` into `out`, which it empties first. An error about a missing word
/// points at `end`.
///
/// # Errors
/// [`RdataError`], with a place in the text that the tokens came from. In that case `out` holds no
/// RDATA.
pub fn parse_tokens(
    rtype: Type,
    tokens: &[Token<'_>],
    end: usize,
    origin: &Name,
    out: &mut Vec<u8>,
) -> Result<(), RdataError> {
    let mut words = Words::new(rtype, tokens, end);
    let whole = words.span();
    out.clear();
    match (tokens.first(), parts(rtype)) {
        (Some(first), parts) if first.text == "\\#" && !first.quoted => {
            words.next();
            unknown(&mut words, out)?;
            if parts.is_some_and(|parts| !wire::fits(parts, out)) {
                let message = format!("these octets are not {rtype} data");
                return Err(RdataError { at: whole, message });
            }
        }
        (_, Some(parts)) => {
            for part in parts {
                field(part, &mut words, origin, out)?;
            }
            words.finish()?;
        }
        (_, None) => {
            let message = format!(
                "{rtype} data has no text form here; write `\\# LENGTH HEX`, as in `\\# 2 0a01`"
            );
            return Err(RdataError { at: whole, message });
        }
    }
    if out.len() > usize::from(u16::MAX) {
        let message = format!("{} octets of data; a record holds 65535 at the most", out.len());
        return Err(RdataError { at: whole, message });
    }
    Ok(())
}

/// Reads the length and the hex digits of RFC 3597 §5.
fn unknown(words: &mut Words<'_, '_>, out: &mut Vec<u8>) -> Result<(), RdataError> {
    let (what, expected) = ("the length of the data", "a number from 0 to 65535");
    let word = words.take(what, expected)?;
    let len: u16 = number(word, &[]).ok_or_else(|| words.unexpected(word, what, expected))?;
    let (hex, hex_at) = words.take_rest();
    let digits = hex.iter().flat_map(|word| word.text.bytes());
    if codes::parse_hex(digits, out).is_none() {
        let message = "expected the data, pairs of hex digits".to_owned();
        return Err(RdataError { at: hex_at, message });
    }
    if out.len() != usize::from(len) {
        let message = format!("the length says {len} octets, but {} follow", out.len());
        return Err(RdataError { at: word.span.clone(), message });
    }
    Ok(())
}

/// Reads one field.
fn field(
    part: &Part,
    words: &mut Words<'_, '_>,
    origin: &Name,
    out: &mut Vec<u8>,
) -> Result<(), RdataError> {
    let &Part(what, form) = part;
    let expected = form.description();
    match form {
        Form::Texts => {
            let first = words.take(what, expected)?;
            text(first, out)?;
            while let Some(more) = words.next() {
                text(more, out)?;
            }
            return Ok(());
        }
        Form::OptionalText | Form::OptionalBase64 if words.is_empty() => return Ok(()),
        Form::Hex | Form::Base64 | Form::OptionalBase64 | Form::DashedBase64 => {
            return octets(part, words, out);
        }
        Form::Services | Form::NxtBitmap | Form::Prefixes | Form::A6 | Form::Hip => {
            return odd::parse(part, words, origin, out);
        }
        Form::Discovery => return odd::parse_discovery(words, out),
        Form::Bitmap => return types(words, out),
        Form::SvcParams => return svcb::parse(words, out),
        Form::Loc => return loc::parse(words, out),
        _ => {}
    }
    let word = words.take(what, expected)?;
    let mut push = |octets: &[u8]| {
        out.extend_from_slice(octets);
        Some(())
    };
    let read = match form {
        Form::U8 => number::<u8>(word, &[]).and_then(|n| push(&[n])),
        Form::U8Of(words) => number::<u8>(word, words).and_then(|n| push(&[n])),
        Form::U16 => number::<u16>(word, &[]).and_then(|n| push(&n.to_be_bytes())),
        Form::U16Of(words) => number::<u16>(word, words).and_then(|n| push(&n.to_be_bytes())),
        Form::U32 => number::<u32>(word, &[]).and_then(|n| push(&n.to_be_bytes())),
        Form::Period => codes::parse_period(word.text).and_then(|n| push(&n.to_be_bytes())),
        Form::Time => codes::parse_time(word.text).and_then(|n| push(&n.to_be_bytes())),
        Form::Type => word.text.parse().ok().and_then(|Type(n)| push(&n.to_be_bytes())),
        Form::Ip4 => word.text.parse().ok().and_then(|ip: Ipv4Addr| push(&ip.octets())),
        Form::Ip6 => word.text.parse().ok().and_then(|ip: Ipv6Addr| push(&ip.octets())),
        Form::Eui(len) => eui(word.text, len, out),
        Form::U64 => digits(word.text).and_then(|n: u64| push(&n.to_be_bytes())),
        Form::Locator => odd::parse_locator(word.text, out),
        Form::Nsap => odd::parse_nsap(word.text, out),
        Form::Atma => odd::parse_atma(word.text, out),
        Form::Gateway(mask) => odd::parse_gateway(word.text, mask, origin, out),
        Form::Salt => salt(word.text, out),
        Form::Hash => counted(out, |out| codes::parse_base32(word.text.bytes(), out)),
        Form::Tag if word.text.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
            counted(out, |out| token::unescape(word.text, out).ok())
        }
        Form::Tag => None,
        Form::Name => match Name::parse(word.text, Some(origin)) {
            Ok(name) => push(name.as_wire()),
            Err(error) => {
                let message = format!("expected {what}, found {error}");
                return Err(RdataError { at: word.span.clone(), message });
            }
        },
        Form::LongText => return unescape(word, out),
        _ => return text(word, out),
    };
    read.ok_or_else(|| words.unexpected(word, what, expected))
}

/// Appends a salt after its length octet; a hyphen is the empty salt (RFC 5155 §3.3).
fn salt(text: &str, out: &mut Vec<u8>) -> Option<()> {
    if text == "-" {
        out.push(0);
        return Some(());
    }
    counted(out, |out| codes::parse_hex(text.bytes(), out))
}

/// Reads a number without a sign, or the mnemonic of one.
fn number<N: TryFrom<u32>>(word: &Token<'_>, mnemonics: Mnemonics) -> Option<N> {
    let named = mnemonics.iter().find(|(text, _)| text.eq_ignore_ascii_case(word.text));
    let number = match named {
        Some(&(_, number)) => u32::from(number),
        None => digits(word.text)?,
    };
    N::try_from(number).ok()
}

/// Reads digits without a sign.
pub(super) fn digits<N: FromStr>(text: &str) -> Option<N> {
    if text.starts_with(['+', '-']) { None } else { text.parse().ok() }
}

/// Reads `len` octets in hex with dashes between them.
fn eui(text: &str, len: usize, out: &mut Vec<u8>) -> Option<()> {
    let start = out.len();
    for pair in text.split('-') {
        if pair.len() != 2 {
            return None;
        }
        codes::parse_hex(pair.bytes(), out)?;
    }
    (out.len() - start == len).then_some(())
}

/// Appends the octets of `write` after their length octet; `None` if there are none or too many.
fn counted(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>) -> Option<()>) -> Option<()> {
    let len_at = out.len();
    out.push(0);
    write(out)?;
    let len = out.len() - len_at - 1;
    out[len_at] = u8::try_from(len).ok().filter(|&len| len > 0)?;
    Some(())
}

/// Appends one character-string.
fn text(word: &Token<'_>, out: &mut Vec<u8>) -> Result<(), RdataError> {
    let len_at = out.len();
    out.push(0);
    unescape(word, out)?;
    let len = out.len() - len_at - 1;
    out[len_at] = u8::try_from(len).map_err(|_| RdataError {
        at: word.span.clone(),
        message: format!("a string of {len} octets; cut it into strings of 255 at the most"),
    })?;
    Ok(())
}

/// Appends the octets of a word, with its escapes decoded.
fn unescape(word: &Token<'_>, out: &mut Vec<u8>) -> Result<(), RdataError> {
    token::unescape(word.text, out).map_err(|at| bad_escape(word.within(at)))
}

fn bad_escape(at: Range<usize>) -> RdataError {
    let message = "a backslash must be followed by three digits (0 to 255) or a character";
    RdataError { at, message: message.to_owned() }
}

/// Reads hex or base64 from all words that are left.
fn octets(
    &Part(what, form): &Part,
    words: &mut Words<'_, '_>,
    out: &mut Vec<u8>,
) -> Result<(), RdataError> {
    let (all, at) = words.take_rest();
    let first = all.first().ok_or_else(|| words.missing(what, form.description()))?;
    let digits = all.iter().flat_map(|word| word.text.bytes());
    let start = out.len();
    let read = match form {
        Form::DashedBase64 if all.len() == 1 && first.text == "-" => return Ok(()),
        Form::Hex => codes::parse_hex(digits, out),
        _ => codes::parse_base64(digits, out),
    };
    match read.filter(|()| out.len() > start) {
        Some(()) => Ok(()),
        None if all.len() == 1 => Err(words.unexpected(first, what, form.description())),
        None => Err(RdataError { at, message: format!("expected {what}, {}", form.description()) }),
    }
}

/// Reads record types from all words that are left.
fn types(words: &mut Words<'_, '_>, out: &mut Vec<u8>) -> Result<(), RdataError> {
    let mut types = Vec::new();
    while let Some(word) = words.next() {
        let Ok(Type(number)) = word.text.parse() else {
            return Err(words.unexpected(word, "the types", "a record type"));
        };
        types.push(number);
    }
    bitmap::write_wire(&mut types, out);
    Ok(())
}
