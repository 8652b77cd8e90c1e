//! Wire → text: writes RDATA in presentation format, by the table of its type.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::table::{Form, parts};
use super::wire::{cut, fits};
use super::{bitmap, codes, loc, odd, svcb};
use crate::wire::kind::Type;
use crate::wire::name;

/// Writes RDATA as dig prints it: absolute names, quoted strings, and hex in capitals, in words.
///
/// RDATA of an unknown type, or not of its type's form, is written as `\# LENGTH HEX` (RFC 3597
/// §5). Names in `rdata` must be uncompressed.
///
/// # Errors
/// Only those of `out`.
pub fn write_text(rtype: Type, rdata: &[u8], out: &mut impl fmt::Write) -> fmt::Result {
    let Some(parts) = parts(rtype).filter(|parts| fits(parts, rdata)) else {
        write!(out, "\\# {}", rdata.len())?;
        if !rdata.is_empty() {
            out.write_char(' ')?;
        }
        return codes::write_hex(rdata, out);
    };
    let mut start = 0;
    for (at, part) in parts.iter().enumerate() {
        let len = cut(part.1, rdata, start).ok_or(fmt::Error)?;
        let field = &rdata[start..start + len];
        // These forms may be empty, and write their own spaces.
        let has_spaces = matches!(part.1, Form::Bitmap | Form::NxtBitmap | Form::SvcParams);
        let is_left_out = matches!(part.1, Form::OptionalText | Form::OptionalBase64) && len == 0;
        if at > 0 && !has_spaces && !is_left_out {
            out.write_char(' ')?;
        }
        match part.1 {
            _ if is_left_out => {}
            Form::Gateway(mask) => odd::write_gateway(rdata[1] & mask, field, out)?,
            form => write_field(form, field, out)?,
        }
        start += len;
    }
    Ok(())
}

/// Writes one field that has been cut out.
fn write_field(form: Form, field: &[u8], out: &mut impl fmt::Write) -> fmt::Result {
    match form {
        Form::U8 | Form::U8Of(_) | Form::U16 | Form::U16Of(_) | Form::U32 | Form::Period => {
            write!(out, "{}", number(field))
        }
        Form::Time => codes::write_time(number(field), out),
        Form::Type => write!(out, "{}", Type(number(field) as u16)),
        Form::Name => name::write_text(field, out),
        Form::Ip4 => write!(out, "{}", Ipv4Addr::from(number(field))),
        Form::Ip6 => {
            let octets: [u8; 16] = field.try_into().map_err(|_| fmt::Error)?;
            write!(out, "{}", Ipv6Addr::from(octets))
        }
        Form::Eui(_) => field.iter().enumerate().try_for_each(|(at, octet)| {
            let dash = if at > 0 { "-" } else { "" };
            write!(out, "{dash}{octet:02x}")
        }),
        Form::Text | Form::OptionalText => write_string(counted(field), out),
        Form::U64 => {
            write!(out, "{}", field.iter().fold(0u64, |n, &octet| n << 8 | u64::from(octet)))
        }
        Form::Locator => odd::write_locator(field, out),
        Form::DashedBase64 if field.is_empty() => out.write_char('-'),
        Form::OptionalBase64 | Form::DashedBase64 => codes::write_base64(field, false, out),
        Form::Nsap => {
            out.write_str("0x")?;
            field.iter().try_for_each(|octet| write!(out, "{octet:02x}"))
        }
        Form::Discovery => {
            let octet = number(field);
            write!(out, "{} {}", octet >> 7, octet & 0x7f)
        }
        Form::Gateway(_) => Err(fmt::Error),
        Form::Services => odd::write_services(field, out),
        Form::NxtBitmap => odd::write_nxt(field, out),
        Form::Prefixes => odd::write_prefixes(field, out),
        Form::A6 => odd::write_a6(field, out),
        Form::Atma => odd::write_atma(field, out),
        Form::Hip => odd::write_hip(field, out),
        Form::Texts => {
            let (mut rest, mut gap) = (field, "");
            while let Some((&len, tail)) = rest.split_first() {
                let (text, tail) = tail.split_at_checked(usize::from(len)).ok_or(fmt::Error)?;
                out.write_str(gap)?;
                write_string(text, out)?;
                (rest, gap) = (tail, " ");
            }
            Ok(())
        }
        Form::LongText => write_string(field, out),
        Form::Tag => counted(field).iter().try_for_each(|&octet| out.write_char(char::from(octet))),
        Form::Hex => codes::write_hex(field, out),
        Form::Salt if field.len() == 1 => out.write_char('-'),
        Form::Salt => counted(field).iter().try_for_each(|octet| write!(out, "{octet:02X}")),
        Form::Hash => codes::write_base32(counted(field), out),
        Form::Base64 => codes::write_base64(field, false, out),
        Form::Bitmap => bitmap::write_text(field, out),
        Form::SvcParams => svcb::write_text(field, out),
        Form::Loc => loc::write_text(field, out),
    }
}

/// Reads a number of up to four octets.
fn number(field: &[u8]) -> u32 {
    field.iter().fold(0, |number, &octet| number << 8 | u32::from(octet))
}

/// Returns a field without its length octet.
fn counted(field: &[u8]) -> &[u8] {
    field.get(1..).unwrap_or_default()
}

/// Writes a string in quotes.
pub(super) fn write_string(octets: &[u8], out: &mut impl fmt::Write) -> fmt::Result {
    out.write_char('"')?;
    for &octet in octets {
        match octet {
            b'"' | b'\\' => write!(out, "\\{}", char::from(octet))?,
            b' '..=b'~' => out.write_char(char::from(octet))?,
            _ => write!(out, "\\{octet:03}")?,
        }
    }
    out.write_char('"')
}
