//! Cuts presentation format into words (RFC 1035 §5.1): spaces, quotes, escapes, comments and
//! parentheses. Works on one logical line at a time and does not copy the text.

use std::ops::Range;

use super::RdataError;
use crate::wire::name;

/// A word of presentation format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token<'a> {
    /// The word as written: with its escapes, without the quotes around it.
    pub text: &'a str,
    /// Whether quotes stand around it.
    pub quoted: bool,
    /// The place of the word in the text that it came from, quotes included.
    pub span: Range<usize>,
}

/// Cuts one line of presentation format into words. Parentheses may continue it over several lines.
///
/// # Errors
/// [`RdataError`] for an unclosed quote or parenthesis, and for a second line.
pub fn tokens(text: &str) -> Result<Vec<Token<'_>>, RdataError> {
    let mut tokens = Vec::new();
    let mut next = logical_line(text, 0, &mut tokens).map_err(|(error, _)| error)?;
    let first = tokens.len();
    while next < text.len() {
        next = logical_line(text, next, &mut tokens).map_err(|(error, _)| error)?;
    }
    match tokens.get(first) {
        Some(more) if first > 0 => Err(RdataError {
            at: more.span.clone(),
            message: "expected one line, found a second; put parentheses around both".to_owned(),
        }),
        _ => Ok(tokens),
    }
}

/// Appends the words of the logical line that starts at `at`. Returns the place where the next line
/// starts.
///
/// # Errors
/// The mistake, and the place to go on at: probably the start of the next logical line.
pub fn logical_line<'a>(
    text: &'a str,
    at: usize,
    tokens: &mut Vec<Token<'a>>,
) -> Result<usize, (RdataError, usize)> {
    let bytes = text.as_bytes();
    let mut scan = Scan { text, at, open: Vec::new(), mistake: None };
    while let Some(&byte) = bytes.get(scan.at) {
        match byte {
            b'\n' => {
                scan.at += 1;
                if scan.open.is_empty() {
                    break;
                }
            }
            b' ' | b'\t' | b'\r' => scan.at += 1,
            b';' => scan.at = line_end(bytes, scan.at),
            b'(' => {
                scan.open.push(scan.at);
                scan.at += 1;
            }
            b')' => {
                if scan.open.pop().is_none() {
                    scan.blame(scan.at..scan.at + 1, "a closing parenthesis without an open one");
                }
                scan.at += 1;
            }
            b'"' => scan.quoted(tokens),
            _ => scan.bare(tokens),
        }
    }
    if let Some(&open) = scan.open.first() {
        let error = RdataError {
            at: open..open + 1,
            message: "this parenthesis is never closed".to_owned(),
        };
        return Err((scan.mistake.unwrap_or(error), line_after_open(bytes, open)));
    }
    match scan.mistake {
        Some(error) => Err((error, scan.at)),
        None => Ok(scan.at),
    }
}

/// The state of reading one logical line.
struct Scan<'a> {
    text: &'a str,
    at: usize,
    /// The places of the open parentheses.
    open: Vec<usize>,
    /// The first mistake; reading goes on to find the end of the line.
    mistake: Option<RdataError>,
}

impl<'a> Scan<'a> {
    fn blame(&mut self, at: Range<usize>, message: &str) {
        self.mistake.get_or_insert(RdataError { at, message: message.to_owned() });
    }

    /// Reads a word that starts with a quote.
    fn quoted(&mut self, tokens: &mut Vec<Token<'a>>) {
        let start = self.at;
        self.at += 1;
        if self.close_quote(start) {
            let text = &self.text[start + 1..self.at - 1];
            tokens.push(Token { text, quoted: true, span: start..self.at });
            self.expect_gap(true);
        }
    }

    /// Reads a word that does not start with a quote, such as `10` or `alpn="h2,h3"` (RFC 9460
    /// §2.1).
    fn bare(&mut self, tokens: &mut Vec<Token<'a>>) {
        let bytes = self.text.as_bytes();
        let start = self.at;
        while let Some(&byte) = bytes.get(self.at) {
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' | b';' | b'(' | b')' => break,
                b'\\' => self.at = after_escape(bytes, self.at),
                b'"' if bytes[self.at - 1] == b'=' => {
                    let quote = self.at;
                    self.at += 1;
                    if !self.close_quote(quote) {
                        return;
                    }
                    self.expect_gap(false);
                    break;
                }
                b'"' => {
                    self.blame(
                        self.at..self.at + 1,
                        "a quote inside a word; put quotes around the whole word, or write `\\\"`",
                    );
                    self.at += 1;
                }
                _ => self.at += 1,
            }
        }
        let span = start..self.at;
        tokens.push(Token { text: &self.text[span.clone()], quoted: false, span });
    }

    /// Moves past the quote that closes the one at `open`; returns false if the line ends first.
    fn close_quote(&mut self, open: usize) -> bool {
        let bytes = self.text.as_bytes();
        while let Some(&byte) = bytes.get(self.at) {
            match byte {
                b'"' => {
                    self.at += 1;
                    return true;
                }
                b'\n' => break,
                b'\\' => self.at = after_escape(bytes, self.at),
                _ => self.at += 1,
            }
        }
        self.blame(open..open + 1, "this quote is not closed on its line");
        false
    }

    /// Notes a mistake if anything touches the closing quote.
    fn expect_gap(&mut self, another_string_may_follow: bool) {
        match self.text[self.at..].chars().next() {
            None | Some(' ' | '\t' | '\r' | '\n' | ';' | '(' | ')') => {}
            Some('"') if another_string_may_follow => {}
            Some(found) => {
                let at = self.at..self.at + found.len_utf8();
                self.blame(at, "a space is expected after the closing quote");
            }
        }
    }
}

/// Returns the place after a backslash and the byte that it escapes, but never after the end of a
/// line.
fn after_escape(bytes: &[u8], at: usize) -> usize {
    match bytes.get(at + 1) {
        None | Some(b'\n' | b'\r') => at + 1,
        // The other bytes of a longer character are ordinary bytes of the word.
        Some(_) => at + 2,
    }
}

/// Returns the place of the line break that ends the physical line at `at`, or the end of the text.
fn line_end(bytes: &[u8], at: usize) -> usize {
    bytes[at..].iter().position(|&byte| byte == b'\n').map_or(bytes.len(), |len| at + len)
}

/// Returns the place to go on at after a parenthesis that is never closed: the next line that
/// starts with a word.
fn line_after_open(bytes: &[u8], open: usize) -> usize {
    let mut at = open;
    loop {
        at = line_end(bytes, at) + 1;
        match bytes.get(at) {
            None => return bytes.len(),
            Some(b' ' | b'\t' | b'\r' | b'\n' | b';' | b')' | b'"') => {}
            Some(_) => return at,
        }
    }
}

/// Appends the octets of `text` with its escapes decoded; returns the place of a bad escape.
pub(super) fn unescape(text: &str, out: &mut Vec<u8>) -> Result<(), Range<usize>> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        if byte == b'\\' {
            let (octet, used) = name::unescape(&bytes[at..]).ok_or(at..at + 1)?;
            out.push(octet);
            at += used;
        } else {
            out.push(byte);
            at += 1;
        }
    }
    Ok(())
}

impl Token<'_> {
    /// Returns the place of the bytes `range` of `text` in the text that the token came from.
    pub(super) fn within(&self, range: Range<usize>) -> Range<usize> {
        let start = self.span.start + usize::from(self.quoted);
        start + range.start..start + range.end
    }
}
