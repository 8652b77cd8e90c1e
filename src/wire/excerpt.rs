//! The part of a text that a message repeats.

use std::borrow::Cow;

/// The most octets of a text that a message repeats.
pub(crate) const EXCERPT_LEN_MAX: usize = 64;

/// Returns the start of a text, short enough for a message of one line.
pub(crate) fn excerpt(text: &str) -> Cow<'_, str> {
    match text.len() <= EXCERPT_LEN_MAX {
        true => Cow::Borrowed(text),
        false => Cow::Owned(format!("{}…", &text[..floor(text, EXCERPT_LEN_MAX)])),
    }
}

/// Returns the last place at or before `at` where a character of `text` begins.
pub(crate) fn floor(text: &str, at: usize) -> usize {
    let at = at.min(text.len());
    (0..=at).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
}

/// Returns a number of things in words: `1 zone`, `2 zones`.
pub(crate) fn counted(count: usize, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_between_two_characters() {
        assert_eq!(excerpt(&"x".repeat(64)), "x".repeat(64));
        assert_eq!(excerpt(&"x".repeat(65)), format!("{}…", "x".repeat(64)));
        assert_eq!(excerpt(&format!("{}é{}", "x".repeat(63), "y")), format!("{}…", "x".repeat(63)));
    }
}
