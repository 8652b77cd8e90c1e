//! The sets of types in NSEC, NSEC3 and CSYNC (RFC 4034 §4.1.2).

use std::fmt;

use crate::wire::kind::Type;

/// Appends the windows of the set of types, which it sorts.
pub(super) fn write_wire(types: &mut [u16], out: &mut Vec<u8>) {
    types.sort_unstable();
    for window in types.chunk_by(|a, b| a >> 8 == b >> 8) {
        let mut bits = [0u8; 32];
        let mut len = 0;
        for &number in window {
            let [_, low] = number.to_be_bytes();
            bits[usize::from(low / 8)] |= 0x80 >> (low % 8);
            len = usize::from(low / 8) + 1;
        }
        out.extend_from_slice(&[(window[0] >> 8) as u8, len as u8]);
        out.extend_from_slice(&bits[..len]);
    }
}

/// Returns whether `wire` consists of windows in rising order, each with 1 to 32 octets and no
/// trailing zero octets.
pub(super) fn is_sound(wire: &[u8]) -> bool {
    let (mut rest, mut last) = (wire, None);
    while let Some((&window, tail)) = rest.split_first() {
        let Some((bits, tail)) =
            tail.split_first().and_then(|(&len, tail)| tail.split_at_checked(usize::from(len)))
        else {
            return false;
        };
        let trimmed = bits.len() <= 32 && bits.last().is_some_and(|&octet| octet != 0);
        if !trimmed || last.is_some_and(|last| last >= window) {
            return false;
        }
        (rest, last) = (tail, Some(window));
    }
    true
}

/// Writes the types of a sound set, each after a space.
pub(super) fn write_text(wire: &[u8], out: &mut impl fmt::Write) -> fmt::Result {
    let mut rest = wire;
    while let [window, len, tail @ ..] = rest {
        let (bits, tail) = tail.split_at_checked(usize::from(*len)).ok_or(fmt::Error)?;
        for (at, octet) in bits.iter().enumerate() {
            for bit in (0..8).filter(|bit| octet & (0x80 >> bit) != 0) {
                let low = (at * 8 + bit) as u8;
                write!(out, " {}", Type(u16::from_be_bytes([*window, low])))?;
            }
        }
        rest = tail;
    }
    Ok(())
}
