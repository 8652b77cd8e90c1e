//! Tests of cutting presentation format into words.

use super::*;

#[test]
fn words_keep_their_escapes_and_know_their_place() {
    let line = "a\\ b \"c \\\" d\";comment\n";
    let found = tokens(line).unwrap();
    assert_eq!(found.len(), 2);
    assert_eq!((found[0].text, found[0].quoted, found[0].span.clone()), ("a\\ b", false, 0..4));
    assert_eq!((found[1].text, found[1].quoted), ("c \\\" d", true));
    assert_eq!(&line[found[1].span.clone()], "\"c \\\" d\"");
}

#[test]
fn parentheses_carry_a_line_over_and_comments_end_it() {
    let found = tokens("a ( b ; ) not this\n\"c;\" ( d\n) ) e").unwrap();
    let texts: Vec<&str> = found.iter().map(|word| word.text).collect();
    assert_eq!(texts, ["a", "b", "c;", "d", "e"]);
}

#[test]
fn a_quote_in_a_word_is_refused_but_behind_an_equals_sign() {
    let found = tokens("alpn=\"h2, h3\" x").unwrap();
    assert_eq!(found[0].text, "alpn=\"h2, h3\"");
    for bad in ["a\"b", "\"a\"b", "a=\"b\"c", "\"a", "a=\"b"] {
        assert!(tokens(bad).is_err(), "{bad}");
    }
}
