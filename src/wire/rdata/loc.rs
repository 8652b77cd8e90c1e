//! LOC: a place on Earth (RFC 1876).

use std::fmt;

use super::RdataError;
use super::words::Words;

/// The length of a LOC record of version 0 in octets.
const LEN: usize = 16;
/// The equator or the prime meridian on the wire, in thousandths of an arc second.
const ORIGIN: u32 = 1 << 31;
/// One degree, in thousandths of an arc second.
const DEGREE: u32 = 3_600_000;
/// Sea level on the wire: centimetres above the base of altitudes, which is 100 km below the sea.
const SEA_LEVEL: i64 = 10_000_000;
/// The largest size and precision, in centimetres.
const SIZE_MAX: i64 = 9_000_000_000;
/// The names and defaults of the size and the two precisions, in centimetres (RFC 1876 §3).
const SIZES: [(&str, i64); 3] =
    [("the size", 100), ("the horizontal precision", 1_000_000), ("the vertical precision", 1_000)];

/// Reads latitude, longitude, altitude and up to three sizes.
pub(super) fn parse(words: &mut Words<'_, '_>, out: &mut Vec<u8>) -> Result<(), RdataError> {
    let latitude = angle(words, "the latitude", 90, ["N", "S"])?;
    let longitude = angle(words, "the longitude", 180, ["E", "W"])?;
    let expected = "metres from -100000.00 to 42849672.95";
    let word = words.take("the altitude", expected)?;
    let above_sea = match word.text.strip_prefix('-') {
        Some(below) => metres(below).map(|cm| -cm),
        None => metres(word.text),
    };
    let altitude = above_sea
        .and_then(|cm| u32::try_from(SEA_LEVEL + cm).ok())
        .ok_or_else(|| words.unexpected(word, "the altitude", expected))?;
    out.push(0);
    for (what, default) in SIZES {
        let size = match words.next() {
            None => default,
            Some(word) => metres(word.text)
                .filter(|&cm| cm <= SIZE_MAX)
                .ok_or_else(|| words.unexpected(word, what, "metres from 0 to 90000000.00"))?,
        };
        out.push(encode_size(size));
    }
    for number in [latitude, longitude, altitude] {
        out.extend_from_slice(&number.to_be_bytes());
    }
    Ok(())
}

/// Reads degrees, up to two more numbers for minutes and seconds, and one of two directions.
fn angle(
    words: &mut Words<'_, '_>,
    what: &str,
    max: u32,
    [plus, minus]: [&str; 2],
) -> Result<u32, RdataError> {
    let units = [(0, u64::from(max) + 1, DEGREE), (0, 60, 60_000), (3, 60_000, 1)];
    let expected = format!("degrees, minutes, seconds and `{plus}` or `{minus}`, up to {max}°");
    let mut sum = 0;
    for read in 0..=units.len() {
        let word = words.take(what, &expected)?;
        let positive = word.text.eq_ignore_ascii_case(plus);
        if read > 0 && (positive || word.text.eq_ignore_ascii_case(minus)) {
            return match sum {
                _ if sum > max * DEGREE => Err(words.unexpected(word, what, &expected)),
                _ if positive => Ok(ORIGIN + sum),
                _ => Ok(ORIGIN - sum),
            };
        }
        let number = units.get(read).and_then(|&(decimals, end, unit)| {
            let number = decimal(word.text, decimals).filter(|&number| number < end)?;
            Some(number as u32 * unit)
        });
        sum += number.ok_or_else(|| words.unexpected(word, what, &expected))?;
    }
    Err(words.missing(what, &expected))
}

/// Reads metres with at most two decimals and an optional `m`, as centimetres.
fn metres(text: &str) -> Option<i64> {
    let number = text.strip_suffix(['m', 'M']).unwrap_or(text);
    i64::try_from(decimal(number, 2)?).ok()
}

/// Reads a number with at most `places` decimals, as a multiple of its last possible decimal.
fn decimal(text: &str, places: usize) -> Option<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty()
        || whole.len() > 10
        || part.len() > places
        || !digits(whole)
        || !digits(part)
    {
        return None;
    }
    format!("{whole}{part:0<places$}").parse().ok()
}

/// Encodes centimetres as one digit and a power of ten; drops further digits (RFC 1876 §2).
fn encode_size(cm: i64) -> u8 {
    let (mut mantissa, mut exponent) = (cm, 0);
    while mantissa > 9 {
        mantissa /= 10;
        exponent += 1;
    }
    (mantissa << 4 | exponent) as u8
}

/// Returns whether `wire` is a LOC of version 0 with every field in range.
pub(super) fn is_sound(wire: &[u8]) -> bool {
    let (Some(latitude), Some(longitude)) = (number(wire, 4), number(wire, 8)) else {
        return false;
    };
    wire.len() == LEN
        && wire[0] == 0
        // Zero has one spelling; printing any other would lose the exponent.
        && wire[1..4]
            .iter()
            .all(|&size| size == 0 || matches!((size >> 4, size & 15), (1..=9, 0..=9)))
        && latitude.abs_diff(ORIGIN) <= 90 * DEGREE
        && longitude.abs_diff(ORIGIN) <= 180 * DEGREE
}

/// Writes a sound LOC.
pub(super) fn write_text(wire: &[u8], out: &mut impl fmt::Write) -> fmt::Result {
    for (at, [plus, minus]) in [(4, ["N", "S"]), (8, ["E", "W"])] {
        let angle = number(wire, at).ok_or(fmt::Error)?;
        let sum = angle.abs_diff(ORIGIN);
        let (degrees, minutes) = (sum / DEGREE, sum / 60_000 % 60);
        let (seconds, thousandths) = (sum / 1000 % 60, sum % 1000);
        let direction = if angle >= ORIGIN { plus } else { minus };
        write!(out, "{degrees} {minutes} {seconds}.{thousandths:03} {direction} ")?;
    }
    let above_sea = i64::from(number(wire, 12).ok_or(fmt::Error)?) - SEA_LEVEL;
    let (sign, cm) = (if above_sea < 0 { "-" } else { "" }, above_sea.abs());
    write!(out, "{sign}{}.{:02}m", cm / 100, cm % 100)?;
    for size in wire.get(1..4).ok_or(fmt::Error)? {
        let cm = u64::from(size >> 4) * 10u64.pow(u32::from(size & 15));
        match cm % 100 {
            0 => write!(out, " {}m", cm / 100)?,
            part => write!(out, " {}.{part:02}m", cm / 100)?,
        }
    }
    Ok(())
}

/// Reads the four octets at `at` as a number.
fn number(wire: &[u8], at: usize) -> Option<u32> {
    wire.get(at..)?.first_chunk().map(|octets| u32::from_be_bytes(*octets))
}
