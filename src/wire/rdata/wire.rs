//! RDATA in wire format: the check of its form, and the places of its names.

use std::ops::Range;

use super::table::{Form, Part, parts};
use super::{bitmap, loc, odd, svcb};
use crate::wire::kind::Type;
use crate::wire::name::{NAME_LEN_MAX, wire_len};

/// Returns the length of the field of this form at `at` in the RDATA; `None` if the octets do not
/// have the form.
pub(super) fn cut(form: Form, rdata: &[u8], at: usize) -> Option<usize> {
    let wire = rdata.get(at..)?;
    let fixed = |len: usize| (wire.len() >= len).then_some(len);
    let rest = |sound: bool| sound.then_some(wire.len());
    let counted = || fixed(1 + usize::from(*wire.first()?));
    match form {
        Form::U8 | Form::U8Of(_) | Form::Discovery => fixed(1),
        Form::U16 | Form::U16Of(_) | Form::Type => fixed(2),
        Form::U64 | Form::Locator => fixed(8),
        Form::U32 | Form::Period | Form::Time | Form::Ip4 => fixed(4),
        Form::Ip6 => fixed(16),
        Form::Eui(len) => fixed(len),
        Form::Name => wire_len(wire),
        Form::Text | Form::Salt => counted(),
        Form::Hash => counted().filter(|&len| len > 1),
        Form::Tag => {
            counted().filter(|&len| len > 1 && wire[1..len].iter().all(u8::is_ascii_alphanumeric))
        }
        Form::Texts => {
            let mut tail = wire;
            while let Some((&len, more)) = tail.split_first() {
                tail = more.get(usize::from(len)..)?;
            }
            rest(!wire.is_empty())
        }
        Form::LongText | Form::OptionalBase64 | Form::DashedBase64 => rest(true),
        Form::OptionalText if wire.is_empty() => Some(0),
        Form::OptionalText => counted(),
        Form::Gateway(mask) => odd::gateway_len(rdata.get(1)? & mask, wire),
        Form::Services => rest(odd::services_are_sound(wire)),
        Form::NxtBitmap => rest(odd::nxt_is_sound(wire)),
        Form::Prefixes => rest(odd::prefixes_of(wire).is_some()),
        Form::A6 => rest(odd::a6_of(wire).is_some()),
        Form::Atma => rest(odd::atma_is_sound(wire)),
        Form::Hip => rest(odd::hip_of(wire).is_some()),
        Form::Hex | Form::Base64 | Form::Nsap => rest(!wire.is_empty()),
        Form::Bitmap => rest(bitmap::is_sound(wire)),
        Form::SvcParams => rest(svcb::params_of(wire).is_ok()),
        Form::Loc => rest(loc::is_sound(wire)),
    }
}

/// Returns whether `rdata` consists of exactly the fields `parts`.
pub(super) fn fits(parts: &[Part], rdata: &[u8]) -> bool {
    let end = parts.iter().try_fold(0, |at, part| Some(at + cut(part.1, rdata, at)?));
    end == Some(rdata.len())
}

/// Copies the RDATA at `rdata` out of a message, with the names in it decompressed.
///
/// Only names of the types that RFC 3597 §4 lists may be compressed; the RDATA of other types is
/// copied as it is. `None` if the range is outside the message, or if RDATA of a listed type is cut
/// short or has a malformed name.
pub fn expand(rtype: Type, message: &[u8], rdata: Range<usize>) -> Option<Vec<u8>> {
    let mut rest = message.get(rdata.clone())?;
    let Some(parts) = parts(rtype).filter(|_| may_arrive_compressed(rtype)) else {
        return Some(rest.to_vec());
    };
    let mut out = Vec::with_capacity(rest.len());
    for part in parts {
        let used = if let Form::Name = part.1 {
            expand_name(message, rdata.end - rest.len(), rdata.end, &mut out)?
        } else {
            let len = cut(part.1, rest, 0)?;
            out.extend_from_slice(&rest[..len]);
            len
        };
        rest = rest.get(used..)?;
    }
    rest.is_empty().then_some(out)
}

/// Appends the name at `at`, decompressed. Returns the number of octets that it takes at `at`,
/// where it must not go past `end`. Pointers only lead backwards, so the walk ends (RFC 1035
/// §4.1.4).
pub(in crate::wire) fn expand_name(
    message: &[u8],
    at: usize,
    end: usize,
    out: &mut Vec<u8>,
) -> Option<usize> {
    let name_at = out.len();
    let (mut here, mut lowest, mut limit, mut used) = (at, at, end, None);
    loop {
        let len = usize::from(*message.get(..limit)?.get(here)?);
        match len {
            0..=63 => {
                let next = here + 1 + len;
                out.extend_from_slice(message.get(..limit)?.get(here..next)?);
                if out.len() - name_at > NAME_LEN_MAX {
                    return None;
                }
                here = next;
                if len == 0 {
                    return Some(used.unwrap_or_else(|| here - at));
                }
            }
            192..=255 => {
                let low = usize::from(*message.get(..limit)?.get(here + 1)?);
                let target = (len & 63) << 8 | low;
                if target >= lowest {
                    return None;
                }
                used.get_or_insert_with(|| here + 2 - at);
                (here, lowest, limit) = (target, target, message.len());
            }
            _ => return None,
        }
    }
}

/// Returns whether a sender may have compressed names in RDATA of this type (RFC 3597 §4).
fn may_arrive_compressed(rtype: Type) -> bool {
    compression(rtype).names > 0
        || matches!(rtype, Type::RP | Type::AFSDB | Type::RT | Type::PX | Type::NAPTR | Type::SRV)
        || matches!(rtype, Type::SIG | Type::NXT)
}

/// The names in the RDATA of a type that a response may compress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compression {
    /// The number of octets before the first of these names.
    pub prefix: usize,
    /// The number of names, which follow one another; 0 if none may be compressed.
    pub names: usize,
}

/// Finds the names that may be compressed: only those of types from RFC 1035 (RFC 3597 §4).
pub fn compression(rtype: Type) -> Compression {
    let (prefix, names) = match rtype {
        Type::NS | Type::CNAME | Type::PTR => (0, 1),
        Type::MB | Type::MD | Type::MF | Type::MG | Type::MR => (0, 1),
        Type::SOA | Type::MINFO => (0, 2),
        Type::MX => (2, 1),
        _ => (0, 0),
    };
    Compression { prefix, names }
}

/// Returns the place in RDATA of the name whose addresses belong in the additional section; `None`
/// for a type without one.
pub fn target_offset(rtype: Type) -> Option<usize> {
    match rtype {
        Type::NS | Type::MB | Type::MD | Type::MF => Some(0),
        Type::MX | Type::KX | Type::AFSDB | Type::RT | Type::LP => Some(2),
        Type::SVCB | Type::HTTPS => Some(2),
        Type::SRV => Some(6),
        _ => None,
    }
}

/// Returns, in wire format, the name whose addresses belong in the additional section.
///
/// `None` for a type without one, for the root (a SVCB target that means the owner, a null MX), and
/// for RDATA without a whole name at that place.
pub fn target_name(rtype: Type, rdata: &[u8]) -> Option<&[u8]> {
    let wire = rdata.get(target_offset(rtype)?..)?;
    let name = &wire[..wire_len(wire)?];
    (name.len() > 1).then_some(name)
}
