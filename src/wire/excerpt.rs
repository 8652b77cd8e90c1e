//! What a message repeats of a file.

use std::borrow::Cow;

/// How many octets of a text a message repeats.
const EXCERPT_LEN_MAX: usize = 64;

/// Returns the start of a text, short enough for a message of one line.
pub(crate) fn excerpt(text: &str) -> Cow<'_, str> {
    if text.len() <= EXCERPT_LEN_MAX {
        return Cow::Borrowed(text);
    }
    let mut end = EXCERPT_LEN_MAX;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    Cow::Owned(format!("{}…", &text[..end]))
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
