//! Domain names in wire format (RFC 1035 §3.1), compared without case (RFC 4343).

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

/// The greatest length of a name in octets, with the root label (RFC 1035 §2.3.4).
pub const NAME_LEN_MAX: usize = 255;
/// The greatest length of a label in octets (RFC 1035 §2.3.4).
pub const LABEL_LEN_MAX: usize = 63;

/// A domain name: uncompressed wire format, with letters in the case that they were written in.
///
/// Names that differ only in the case of ASCII letters are equal. The order is the canonical order
/// of RFC 4034 §6.1: a name sorts right before all names below it.
#[derive(Clone)]
pub struct Name(Box<[u8]>);

/// The reason why a text is not a domain name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParseNameError {
    /// An empty text.
    Empty,
    /// Two dots in a row, or a dot at the start.
    EmptyLabel,
    /// A label of more than 63 octets.
    LabelTooLong,
    /// A name of more than 255 octets.
    NameTooLong,
    /// A backslash that starts neither `\DDD` (0 to 255) nor `\X`.
    BadEscape,
    /// A relative name where an absolute one is needed.
    Relative,
}

impl fmt::Display for ParseNameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "a name is expected here, but nothing is written",
            Self::EmptyLabel => "an empty label: two dots in a row, or a dot at the start",
            Self::LabelTooLong => "a label of more than 63 octets",
            Self::NameTooLong => "a name of more than 255 octets",
            Self::BadEscape => {
                "a backslash must be followed by three digits (0 to 255) or a character"
            }
            Self::Relative => "a relative name; end it with a dot",
        })
    }
}

impl std::error::Error for ParseNameError {}

impl Name {
    /// Returns the root, `.`.
    pub fn root() -> Self {
        Self(Box::new([0]))
    }

    /// Makes a name of `wire` if it is exactly one name in uncompressed wire format.
    pub fn from_wire(wire: &[u8]) -> Option<Self> {
        (wire_len(wire)? == wire.len()).then(|| Self(wire.into()))
    }

    /// Reads presentation format (RFC 1035 §5.1), with the escapes `\DDD` and `\X`. `@` stands for
    /// `origin`, and a name without a final dot is relative to `origin`.
    ///
    /// # Errors
    /// [`ParseNameError`] says what is wrong with the text.
    pub fn parse(text: &str, origin: Option<&Name>) -> Result<Self, ParseNameError> {
        let mut wire = Vec::new();
        Self::parse_into(text, origin, &mut wire)?;
        Ok(Self(wire.into()))
    }

    /// Reads presentation format as [`Name::parse`] does, and writes the name in wire format into
    /// `wire`, which it empties first.
    ///
    /// # Errors
    /// Those of [`Name::parse`]; in that case `wire` holds no name.
    pub fn parse_into(
        text: &str,
        origin: Option<&Name>,
        wire: &mut Vec<u8>,
    ) -> Result<(), ParseNameError> {
        wire.clear();
        if text == "@" {
            wire.extend_from_slice(&origin.ok_or(ParseNameError::Relative)?.0);
            return Ok(());
        }
        if text == "." {
            wire.push(0);
            return Ok(());
        }
        let absolute = parse_labels(text, wire)?;
        match (absolute, origin) {
            (true, _) => wire.push(0),
            (false, Some(origin)) => wire.extend_from_slice(&origin.0),
            (false, None) => return Err(ParseNameError::Relative),
        }
        if wire.len() > NAME_LEN_MAX {
            return Err(ParseNameError::NameTooLong);
        }
        Ok(())
    }

    /// Returns the name in wire format, with the root label.
    pub fn as_wire(&self) -> &[u8] {
        &self.0
    }

    /// Returns the labels from left to right, without the root label.
    pub fn labels(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = &self.0[..];
        std::iter::from_fn(move || {
            let (&len, tail) = rest.split_first()?;
            if len == 0 {
                return None;
            }
            let (label, tail) = tail.split_at_checked(usize::from(len))?;
            rest = tail;
            Some(label)
        })
    }

    /// Returns the number of labels, without the root label.
    pub fn label_count(&self) -> usize {
        self.labels().count()
    }

    /// Returns whether this is the root.
    pub fn is_root(&self) -> bool {
        self.0.len() == 1
    }

    /// Returns whether the leftmost label is `*` (RFC 4592 §2.1.1).
    pub fn is_wildcard(&self) -> bool {
        self.0.starts_with(&[1, b'*'])
    }

    /// Returns the name without its leftmost label; `None` for the root.
    pub fn parent(&self) -> Option<Name> {
        let len = usize::from(*self.0.first()?);
        if len == 0 {
            return None;
        }
        Some(Self(self.0.get(len + 1..)?.into()))
    }

    /// Makes the name with `label` before this name.
    ///
    /// # Errors
    /// [`ParseNameError`] if the label is empty or too long, or the new name is too long.
    pub fn prepend(&self, label: &[u8]) -> Result<Name, ParseNameError> {
        if label.is_empty() {
            return Err(ParseNameError::EmptyLabel);
        }
        if label.len() > LABEL_LEN_MAX {
            return Err(ParseNameError::LabelTooLong);
        }
        let mut wire = Vec::with_capacity(self.0.len() + label.len() + 1);
        wire.push(label.len() as u8);
        wire.extend_from_slice(label);
        wire.extend_from_slice(&self.0);
        if wire.len() > NAME_LEN_MAX {
            return Err(ParseNameError::NameTooLong);
        }
        Ok(Self(wire.into()))
    }

    /// Returns whether this name is `other` or below it.
    pub fn is_at_or_below(&self, other: &Name) -> bool {
        self.strip_suffix(other).is_some()
    }

    /// Returns the labels before `suffix` in wire format, without a root label; `None` if this name
    /// is not at or below `suffix`.
    pub fn strip_suffix(&self, suffix: &Name) -> Option<&[u8]> {
        let cut = self.0.len().checked_sub(suffix.0.len())?;
        let (head, tail) = self.0.split_at(cut);
        if !tail.eq_ignore_ascii_case(&suffix.0) {
            return None;
        }
        // The cut must fall between two labels, not inside one.
        let mut at = 0;
        while at < cut {
            at += usize::from(head[at]) + 1;
        }
        (at == cut).then_some(head)
    }

    /// Writes presentation format relative to `origin`: `@` for `origin` itself, a relative name
    /// below it. The name stays absolute if it is elsewhere, or if `origin` is the root.
    pub fn relative_to(&self, origin: &Name) -> String {
        match self.strip_suffix(origin) {
            Some([]) => "@".to_owned(),
            Some(_) if !origin.is_root() => {
                let text = self.to_string();
                text[..text.len() - origin.to_string().len() - 1].to_owned()
            }
            _ => self.to_string(),
        }
    }
}

/// Returns the length of the uncompressed name at the start of `wire`, with the root label.
///
/// `None` if there is a compression pointer or a reserved label type, or if the name is cut short
/// or longer than 255 octets.
pub fn wire_len(wire: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let len = usize::from(*wire.get(at)?);
        if len > LABEL_LEN_MAX {
            return None;
        }
        at += len + 1;
        if at > NAME_LEN_MAX || at > wire.len() {
            return None;
        }
        if len == 0 {
            return Some(at);
        }
    }
}

/// Appends the labels of `text` to `wire`, which must be empty. Returns whether the text ends with
/// a dot.
fn parse_labels(text: &str, wire: &mut Vec<u8>) -> Result<bool, ParseNameError> {
    let bytes = text.as_bytes();
    if bytes.is_empty() {
        return Err(ParseNameError::Empty);
    }
    wire.push(0);
    let (mut label_at, mut at, mut absolute) = (0, 0, false);
    while at < bytes.len() {
        let octet = match bytes[at] {
            b'.' => {
                close_label(wire, label_at)?;
                at += 1;
                absolute = at == bytes.len();
                if !absolute {
                    label_at = wire.len();
                    wire.push(0);
                }
                continue;
            }
            b'\\' => {
                let (octet, used) = unescape(&bytes[at..]).ok_or(ParseNameError::BadEscape)?;
                at += used;
                octet
            }
            octet => {
                at += 1;
                octet
            }
        };
        wire.push(octet);
    }
    if !absolute {
        close_label(wire, label_at)?;
    }
    Ok(absolute)
}

/// Writes the length octet of the label that starts at `label_at`.
fn close_label(wire: &mut [u8], label_at: usize) -> Result<(), ParseNameError> {
    match wire.len() - label_at - 1 {
        0 => Err(ParseNameError::EmptyLabel),
        len if len > LABEL_LEN_MAX => Err(ParseNameError::LabelTooLong),
        len => {
            wire[label_at] = len as u8;
            Ok(())
        }
    }
}

/// Reads `\DDD` or `\X` at the start of `bytes`: returns the octet and the number of bytes read
/// (RFC 1035 §5.1).
pub fn unescape(bytes: &[u8]) -> Option<(u8, usize)> {
    match *bytes.get(1)? {
        digit if digit.is_ascii_digit() => {
            let digits = bytes.get(1..4)?;
            if !digits.iter().all(u8::is_ascii_digit) {
                return None;
            }
            let value = digits.iter().fold(0u32, |sum, d| sum * 10 + u32::from(d - b'0'));
            Some((u8::try_from(value).ok()?, 4))
        }
        other => Some((other, 2)),
    }
}

/// Writes an absolute name from wire format to presentation format.
pub fn write_text(wire: &[u8], out: &mut impl fmt::Write) -> fmt::Result {
    if wire.first().is_none_or(|&len| len == 0) {
        return out.write_char('.');
    }
    let mut rest = wire;
    while let Some((&len, tail)) = rest.split_first() {
        if len == 0 {
            break;
        }
        let (label, tail) = tail.split_at_checked(usize::from(len)).ok_or(fmt::Error)?;
        for &octet in label {
            match octet {
                b'.' | b'\\' | b'"' | b';' | b'(' | b')' | b'@' | b'$' => {
                    out.write_char('\\')?;
                    out.write_char(char::from(octet))?;
                }
                0x21..=0x7e => out.write_char(char::from(octet))?,
                _ => write!(out, "\\{octet:03}")?,
            }
        }
        out.write_char('.')?;
        rest = tail;
    }
    Ok(())
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_text(&self.0, f)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for Name {}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for octet in &self.0 {
            state.write_u8(octet.to_ascii_lowercase());
        }
    }
}

impl Ord for Name {
    fn cmp(&self, other: &Self) -> Ordering {
        let (ours, our_count) = label_starts(&self.0);
        let (theirs, their_count) = label_starts(&other.0);
        let lower = |octet: &u8| octet.to_ascii_lowercase();
        let ours = ours[..our_count].iter().rev().map(|&at| usize::from(at));
        let theirs = theirs[..their_count].iter().rev().map(|&at| usize::from(at));
        for (a, b) in ours.zip(theirs) {
            let a = self.0[a + 1..].iter().take(usize::from(self.0[a])).map(lower);
            let b = other.0[b + 1..].iter().take(usize::from(other.0[b])).map(lower);
            match a.cmp(b) {
                Ordering::Equal => {}
                unequal => return unequal,
            }
        }
        our_count.cmp(&their_count)
    }
}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Finds the start of each label of a valid wire-format name, without the root label, and their
/// number.
fn label_starts(wire: &[u8]) -> ([u8; NAME_LEN_MAX / 2], usize) {
    let mut starts = [0; NAME_LEN_MAX / 2];
    let (mut at, mut count) = (0, 0);
    while wire[at] != 0 {
        starts[count] = at as u8;
        count += 1;
        at += usize::from(wire[at]) + 1;
    }
    (starts, count)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::parse(text, Some(&Name::parse("example.com.", None).unwrap())).unwrap()
    }

    #[test]
    fn presentation_format_round_trips() {
        for text in [".", "a.", "www.example.com.", "a\\.b.example.", "\\000\\255.x.", "*.x."] {
            assert_eq!(name(text).to_string(), text);
        }
        assert_eq!(name("www").to_string(), "www.example.com.");
        assert_eq!(name("@").to_string(), "example.com.");
        assert_eq!(name("\\065").to_string(), "A.example.com.");
    }

    #[test]
    fn bad_names_are_refused_with_their_reason() {
        let long = "a".repeat(64);
        let deep = "a.".repeat(128);
        for (text, error) in [
            ("", ParseNameError::Empty),
            ("a..b", ParseNameError::EmptyLabel),
            (".a", ParseNameError::EmptyLabel),
            (&long, ParseNameError::LabelTooLong),
            (&deep, ParseNameError::NameTooLong),
            ("\\25", ParseNameError::BadEscape),
            ("\\256", ParseNameError::BadEscape),
            ("a\\", ParseNameError::BadEscape),
        ] {
            assert_eq!(Name::parse(text, Some(&Name::root())), Err(error), "{text}");
        }
        assert_eq!(Name::parse("a", None), Err(ParseNameError::Relative));
    }

    #[test]
    fn case_does_not_count_and_suffixes_end_at_labels() {
        assert_eq!(name("WWW"), name("www"));
        assert!(name("www").is_at_or_below(&name("@")));
        assert!(!name("x.notexample.com.").is_at_or_below(&name("@")));
        // A label whose content looks like the wire format of the suffix is not the suffix.
        let inner = name("x\\007example\\003com.");
        assert!(!inner.is_at_or_below(&name("@")));
        assert_eq!(name("a.b").relative_to(&name("@")), "a.b");
        assert_eq!(name("other.net.").relative_to(&name("@")), "other.net.");
    }

    #[test]
    fn names_sort_in_the_canonical_order_of_rfc_4034() {
        let sorted = [
            "example.",
            "a.example.",
            "yljkjljk.a.example.",
            "Z.a.example.",
            "zABC.a.EXAMPLE.",
            "z.example.",
            "\\001.z.example.",
            "*.z.example.",
            "\\200.z.example.",
        ];
        let mut names: Vec<Name> = sorted.iter().rev().map(|text| name(text)).collect();
        names.sort();
        let texts: Vec<String> = names.iter().map(Name::to_string).collect();
        assert_eq!(texts, sorted);
    }
}
