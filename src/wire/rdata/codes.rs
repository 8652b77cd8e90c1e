//! The notations for simple values in RDATA: hex, base64, base32hex, periods, points in time.

use std::fmt;

use time::{Date, Month, OffsetDateTime};

/// The most characters of hex or base64 between two spaces, as in the output of dig.
const WORD_LEN: usize = 56;

/// The digits of base64 (RFC 4648 §4).
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/// The digits of base32hex (RFC 4648 §7).
const BASE32HEX: &[u8; 32] = b"0123456789ABCDEFGHIJKLMNOPQRSTUV";

/// Reads a period in seconds, such as `3600`, or with units in any case (w, d, h, m, s), such as
/// `1h30m`.
///
/// `None` if the text is anything else, or above 2³²−1 seconds.
pub fn parse_period(text: &str) -> Option<u32> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok();
    }
    let (mut sum, mut digits) = (0u32, None);
    for byte in text.bytes() {
        if byte.is_ascii_digit() {
            let so_far: u32 = digits.unwrap_or(0);
            digits = Some(so_far.checked_mul(10)?.checked_add(u32::from(byte - b'0'))?);
            continue;
        }
        let unit = match byte.to_ascii_lowercase() {
            b'w' => 604_800,
            b'd' => 86_400,
            b'h' => 3_600,
            b'm' => 60,
            b's' => 1,
            _ => return None,
        };
        sum = sum.checked_add(digits.take()?.checked_mul(unit)?)?;
    }
    digits.is_none().then_some(sum)
}

/// Reads hex digits and appends the octets.
pub(super) fn parse_hex(digits: impl Iterator<Item = u8>, out: &mut Vec<u8>) -> Option<()> {
    let mut high = None;
    for digit in digits {
        let value = char::from(digit).to_digit(16)? as u8;
        match high.take() {
            None => high = Some(value << 4),
            Some(high) => out.push(high | value),
        }
    }
    high.is_none().then_some(())
}

/// Reads base64 with padding and appends the octets.
pub(super) fn parse_base64(digits: impl Iterator<Item = u8>, out: &mut Vec<u8>) -> Option<()> {
    let (mut bits, mut count, mut padding) = (0u32, 0, 0);
    for digit in digits {
        let value = match digit {
            b'=' => {
                padding += 1;
                0
            }
            _ if padding > 0 => return None,
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        count += 1;
        if count == 4 {
            // Bits that the padding cuts off must be zero, so that each value has one spelling.
            if padding > 2 || bits & ((1 << (8 * padding)) - 1) != 0 {
                return None;
            }
            out.extend_from_slice(&bits.to_be_bytes()[1..4 - padding]);
            (bits, count) = (0, 0);
            if padding > 0 {
                // A digit after the padding fails above; more padding is more than two characters
                // of it.
                padding = 3;
            }
        }
    }
    (count == 0).then_some(())
}

/// Reads base32hex without padding, in any case, and appends the octets.
pub(super) fn parse_base32(digits: impl Iterator<Item = u8>, out: &mut Vec<u8>) -> Option<()> {
    let (mut bits, mut count) = (0u32, 0);
    for digit in digits {
        let value = char::from(digit).to_digit(32)?;
        bits = bits << 5 | value;
        count += 5;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    (bits == 0 && count < 5).then_some(())
}

/// Writes octets in hex, in words of 56 characters.
pub(super) fn write_hex(octets: &[u8], out: &mut impl fmt::Write) -> fmt::Result {
    for (at, octet) in octets.iter().enumerate() {
        if at > 0 && at % (WORD_LEN / 2) == 0 {
            out.write_char(' ')?;
        }
        write!(out, "{octet:02X}")?;
    }
    Ok(())
}

/// Writes octets in base64, in words of 56 characters, or in one word if `whole`.
pub(super) fn write_base64(octets: &[u8], whole: bool, out: &mut impl fmt::Write) -> fmt::Result {
    for (at, group) in octets.chunks(3).enumerate() {
        if at > 0 && at % (WORD_LEN / 4) == 0 && !whole {
            out.write_char(' ')?;
        }
        let octet = |at: usize| u32::from(group.get(at).copied().unwrap_or(0));
        let bits = octet(0) << 16 | octet(1) << 8 | octet(2);
        for digit in 0..4 {
            let value = (bits >> (18 - 6 * digit) & 63) as usize;
            out.write_char(if digit > group.len() { '=' } else { char::from(BASE64[value]) })?;
        }
    }
    Ok(())
}

/// Writes octets in base32hex without padding.
pub(super) fn write_base32(octets: &[u8], out: &mut impl fmt::Write) -> fmt::Result {
    let (mut bits, mut count) = (0u32, 0);
    for &octet in octets {
        bits = (bits << 8 | u32::from(octet)) & 0xffff;
        count += 8;
        while count >= 5 {
            count -= 5;
            out.write_char(char::from(BASE32HEX[(bits >> count & 31) as usize]))?;
        }
    }
    if count > 0 {
        out.write_char(char::from(BASE32HEX[(bits << (5 - count) & 31) as usize]))?;
    }
    Ok(())
}

/// Reads a time written as `YYYYMMDDHHmmSS` or in seconds since 1970 (RFC 4034 §3.2).
pub(super) fn parse_time(text: &str) -> Option<u32> {
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    if text.len() != 14 {
        return text.parse().ok();
    }
    let number = |at: usize, len: usize| text[at..at + len].parse::<u16>().ok();
    let two = |at: usize| number(at, 2).and_then(|number| u8::try_from(number).ok());
    let month = Month::try_from(two(4)?).ok()?;
    let date = Date::from_calendar_date(number(0, 4)?.into(), month, two(6)?).ok()?;
    let time = date.with_hms(two(8)?, two(10)?, two(12)?).ok()?;
    u32::try_from(time.assume_utc().unix_timestamp()).ok()
}

/// Writes seconds since 1970 as `YYYYMMDDHHmmSS`.
pub(super) fn write_time(secs: u32, out: &mut impl fmt::Write) -> fmt::Result {
    let time = OffsetDateTime::from_unix_timestamp(secs.into()).map_err(|_| fmt::Error)?;
    let (year, month, day) = (time.year(), u8::from(time.month()), time.day());
    let (hour, minute, second) = time.to_hms();
    write!(out, "{year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_are_seconds_or_numbers_with_units() {
        for (text, secs) in [
            ("0", Some(0)),
            ("3600", Some(3600)),
            ("1h30m", Some(5400)),
            ("1W2D", Some(777_600)),
            ("90s", Some(90)),
            ("4294967295", Some(u32::MAX)),
            ("4294967296", None),
            ("4294967295s1s", None),
            ("", None),
            ("h", None),
            ("1h30", None),
            ("-1", None),
            ("1.5h", None),
            ("+1", None),
        ] {
            assert_eq!(parse_period(text), secs, "{text}");
        }
    }

    #[test]
    fn base64_reads_the_vectors_of_rfc_4648_and_only_its_one_spelling() {
        for (octets, text) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")]
        {
            let mut read = Vec::new();
            assert_eq!(parse_base64(text.bytes(), &mut read), Some(()), "{text}");
            assert_eq!(read, octets.as_bytes());
            let mut written = String::new();
            write_base64(octets.as_bytes(), true, &mut written).unwrap();
            assert_eq!(written, text);
        }
        for bad in ["Z", "Zg", "Zg=", "Zh==", "Zg==Zg==", "====", "Zg======", "Z===", "Zm9v-_8="] {
            assert_eq!(parse_base64(bad.bytes(), &mut Vec::new()), None, "{bad}");
        }
    }

    #[test]
    fn base32hex_reads_the_vectors_of_rfc_4648() {
        for (octets, text) in
            [("f", "CO"), ("fo", "CPNG"), ("foob", "CPNMUOG"), ("fooba", "CPNMUOJ1")]
        {
            let mut read = Vec::new();
            assert_eq!(parse_base32(text.bytes(), &mut read), Some(()), "{text}");
            assert_eq!(read, octets.as_bytes());
            let mut written = String::new();
            write_base32(octets.as_bytes(), &mut written).unwrap();
            assert_eq!(written, text);
        }
    }

    #[test]
    fn times_are_read_and_written_over_the_whole_range() {
        for (secs, text) in [
            (0, "19700101000000"),
            (951_782_400, "20000229000000"),
            (1_735_689_599, "20241231235959"),
            (u32::MAX, "21060207062815"),
        ] {
            assert_eq!(parse_time(text), Some(secs), "{text}");
            let mut written = String::new();
            write_time(secs, &mut written).unwrap();
            assert_eq!(written, text);
        }
        for bad in ["20230229000000", "20231301000000", "21060207062816", "2023010100000", ""] {
            assert!(parse_time(bad).is_none_or(|_| bad.len() == 13), "{bad}");
        }
        assert_eq!(parse_time("2023010100000"), None, "more seconds than four octets hold");
    }
}
