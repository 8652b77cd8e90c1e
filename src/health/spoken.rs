//! What an endpoint says of itself in its reply to a probe, in the words of HAProxy's agents.

use std::fmt;

use crate::zone::Agent;

/// The longest line that is looked at, in octets.
const LINE_MAX: usize = 256;
/// Lines that are looked at.
const LINES_MAX: usize = 16;
/// The longest part of an unknown word that is kept, in characters.
const WORD_MAX: usize = 32;
/// The longest reason that is kept, in characters.
const REASON_MAX: usize = 64;

/// What an endpoint says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spoken {
    /// Whether it wants to serve.
    pub readiness: Readiness,
    /// Which part of its weight is to count, in percent; 100 at the most.
    pub percent: u8,
}

/// Whether an endpoint wants to serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// It does.
    Ready,
    /// Only where nothing else does.
    Drain,
    /// It does not: work is being done on it.
    Maintenance,
    /// It does not.
    Down,
}

impl Default for Spoken {
    fn default() -> Self {
        Self { readiness: Readiness::Ready, percent: 100 }
    }
}

impl Spoken {
    /// More than this of a text is not looked at, in octets.
    pub const TEXT_MAX: usize = LINE_MAX * LINES_MAX;

    /// Returns what `text` says, within the bounds of `agent`, and why: the first of its first 16
    /// lines that is made of nothing but known words, `weight=50%`, `ready`, `up`, `drain`,
    /// `maint`, `down`, `stopped`, `fail` and `failed`, and after `#` the reason. A text without
    /// words, as an absent header is, means ready, with all of the weight that `agent` allows.
    ///
    /// The reason is 64 characters of visible ASCII and spaces at the most, so that it is safe to
    /// log.
    ///
    /// # Errors
    /// A line of words, but none that is made of known ones.
    pub fn read(text: &[u8], agent: &Agent) -> Result<(Self, Option<String>), UnknownWord> {
        let lines = || text.split(|octet| matches!(octet, b'\n' | b'\r')).take(LINES_MAX);
        let (spoken, reason) = match lines().find_map(read_line) {
            Some(said) => said,
            None => match lines().find_map(unknown_word) {
                Some(word) => return Err(word),
                None => Default::default(),
            },
        };
        let percent = spoken.percent.clamp(agent.weight_min, agent.weight_max);
        Ok((Self { percent, ..spoken }, reason))
    }
}

/// The first word of a line of words that is no agent's; of visible ASCII, so that it is safe to
/// log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownWord(String);

impl fmt::Display for UnknownWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The first unknown word of `line`, if it is one of words: markup and prose with punctuation are
/// not meant for us.
fn unknown_word(line: &[u8]) -> Option<UnknownWord> {
    let line = line.get(..LINE_MAX.min(line.len())).unwrap_or(line);
    let words = line.split(|octet| *octet == b'#').next()?;
    let is_word = |octet: &u8| octet.is_ascii_alphanumeric() || b" \t,=%-_".contains(octet);
    let words = std::str::from_utf8(words).ok().filter(|text| text.bytes().all(|b| is_word(&b)))?;
    let mut words = words.split([' ', '\t', ',']).filter(|word| !word.is_empty());
    let word = words.find(|word| read_line(word.as_bytes()).is_none())?;
    Some(UnknownWord(word.chars().take(WORD_MAX).collect()))
}

fn read_line(line: &[u8]) -> Option<(Spoken, Option<String>)> {
    let line = line.get(..LINE_MAX.min(line.len())).unwrap_or(line);
    let (words, reason) = match line.iter().position(|octet| *octet == b'#') {
        Some(at) => (line.get(..at)?, line.get(at + 1..)),
        None => (line, None),
    };
    let words = std::str::from_utf8(words).ok()?;
    let mut spoken = Spoken::default();
    let mut is_empty = true;
    for word in words.split([' ', '\t', ',']).filter(|word| !word.is_empty()) {
        is_empty = false;
        let word = word.to_ascii_lowercase();
        match word.as_str() {
            "ready" | "up" => spoken.readiness = Readiness::Ready,
            "drain" => spoken.readiness = Readiness::Drain,
            "maint" => spoken.readiness = Readiness::Maintenance,
            "down" | "stopped" | "fail" | "failed" => spoken.readiness = Readiness::Down,
            weight => {
                let percent = weight.strip_prefix("weight=").unwrap_or(weight).strip_suffix('%')?;
                let percent: u32 = percent.parse().ok()?;
                spoken.percent = percent.min(100) as u8;
            }
        }
    }
    (!is_empty).then(|| (spoken, reason.and_then(readable)))
}

/// What of `reason` is safe to log.
fn readable(reason: &[u8]) -> Option<String> {
    let safe = reason.iter().filter(|octet| octet.is_ascii_graphic() || **octet == b' ');
    let text: String = safe.take(REASON_MAX).map(|octet| char::from(*octet)).collect();
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANY: Agent = Agent { header: None, weight_min: 0, weight_max: 100 };

    fn read(text: &str) -> (Readiness, u8, Option<String>) {
        let (Spoken { readiness, percent }, reason) =
            Spoken::read(text.as_bytes(), &ANY).unwrap_or_else(|word| panic!("{text}: {word}"));
        (readiness, percent, reason)
    }

    #[test]
    fn the_words_of_agents_are_understood() {
        use Readiness::*;
        let why = |text: &str| Some(text.to_owned());
        for (text, expected) in [
            ("weight=50%", (Ready, 50, None)),
            ("75%\n", (Ready, 75, None)),
            ("up 300%", (Ready, 100, None)),
            ("drain", (Drain, 100, None)),
            ("Ready,weight=20%", (Ready, 20, None)),
            ("maint # new disks", (Maintenance, 100, why("new disks"))),
            ("down #\u{1b}[31mdatabase\u{7} away", (Down, 100, why("[31mdatabase away"))),
            ("stopped", (Down, 100, None)),
            ("fail", (Down, 100, None)),
            ("<html>\n<p>all is well</p>\r\ndrain\n", (Drain, 100, None)),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_agents_line_says_nothing() {
        for text in ["", "\n\n", "all is well!", "<p>drain</p>", "# down", "\u{fffd}down"] {
            assert_eq!(read(text), (Readiness::Ready, 100, None), "{text}");
        }
        let late = format!("{}down", "<br>\n".repeat(LINES_MAX));
        assert_eq!(read(&late).0, Readiness::Ready);
        assert_eq!(read(&format!("down #{}", "x".repeat(999))).2.unwrap().len(), REASON_MAX);
    }

    #[test]
    fn a_word_that_nobody_knows_is_told() {
        for (text, word) in [
            ("drian", "drian"),
            ("drian # typo", "drian"),
            ("drain now", "now"),
            ("weight=-3%", "weight=-3%"),
            ("50", "50"),
            ("\r\nok\n", "ok"),
        ] {
            let found = Spoken::read(text.as_bytes(), &ANY).unwrap_err();
            assert_eq!(found.to_string(), word, "{text}");
        }
        assert_eq!(read("ok\ndrain").0, Readiness::Drain, "one line is enough");
    }

    #[test]
    fn nobody_leaves_the_bounds_of_the_zone_file() {
        let agent = Agent { weight_min: 20, weight_max: 80, ..ANY };
        let percent = |text: &str| Spoken::read(text.as_bytes(), &agent).unwrap().0.percent;
        assert_eq!(["5%", "50%", "100%", ""].map(percent), [20, 50, 80, 80]);
    }
}
