//! "Did you mean": the known word that is nearest to a mistyped one.

use std::cmp::Reverse;

/// The longest word that is compared with others, in octets: a comparison takes time in proportion
/// to the product of the two lengths.
const WORD_LEN_MAX: usize = 64;

/// The most words that a word is compared with.
const COMPARED_MAX: usize = 256;

/// The most words that a hint lists.
const LISTED_MAX: usize = 20;

/// Returns the word of `known` that is nearest to `written`, if it is near enough to be the one
/// meant.
pub(crate) fn nearest<'a>(
    written: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let lower = written.to_lowercase();
    // A third of the word may be wrong: one edit in `eu`, two in `weight`, three in `endpoints`.
    let allowed = (written.chars().count() / 3).clamp(1, 3);
    if written.len() > WORD_LEN_MAX {
        return None;
    }
    let edits = |word: &str| {
        let word = word.to_lowercase();
        let begins = lower.starts_with(&word) || word.starts_with(&lower);
        // A word that is cut short or continued counts as one edit: `warning` for `warn`.
        if begins && lower.len().min(word.len()) > 2 && lower != word {
            1
        } else {
            strsim::osa_distance(&lower, &word)
        }
    };
    // Most slips are late in a word, so a long common beginning decides among equals.
    let shared = |word: &str| {
        let word = word.to_lowercase();
        lower.chars().zip(word.chars()).take_while(|(a, b)| a == b).count()
    };
    known
        .into_iter()
        .filter(|word| word.len() <= WORD_LEN_MAX)
        .take(COMPARED_MAX)
        .map(|word| (edits(word), word))
        .filter(|&(edits, word)| edits <= allowed && edits < word.chars().count())
        .min_by_key(|&(edits, word)| (edits, Reverse(shared(word)), word.len()))
        .map(|(_, word)| word)
}

/// Returns `did you mean "endpoints"?`, or `None` if no word is near.
pub(crate) fn did_you_mean<'a>(
    written: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<String> {
    nearest(written, known).map(|word| format!("did you mean \"{word}\"?"))
}

/// Returns `did you mean …?`, or otherwise `what` (such as `known keys`) with a list of the known
/// words. `None` if there are no known words.
pub(crate) fn one_of<'a>(
    written: &str,
    what: &str,
    known: impl IntoIterator<Item = &'a str> + Clone,
) -> Option<String> {
    did_you_mean(written, known.clone()).or_else(|| {
        let mut known = known.into_iter();
        let listed: Vec<&str> = known.by_ref().take(LISTED_MAX).collect();
        let more = if known.next().is_some() { ", …" } else { "" };
        (!listed.is_empty()).then(|| format!("{what}: {}{more}", listed.join(", ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognized_and_another_word_is_not() {
        let known = ["endpoints", "ttl", "weight", "eu"];
        assert_eq!(nearest("endpoint", known), Some("endpoints"));
        assert_eq!(nearest("wieght", known), Some("weight"));
        assert_eq!(nearest("TTL", known), Some("ttl"));
        assert_eq!(nearest("endpoints_list", known), Some("endpoints"));
        assert_eq!(nearest("ue", known), Some("eu"));
        assert_eq!(nearest("sticky", known), None);
        assert_eq!(nearest("", known), None);
        assert_eq!(nearest(&"e".repeat(1 << 24), known), None);
    }
}
