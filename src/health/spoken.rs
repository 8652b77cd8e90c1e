//! What an endpoint says of itself in its reply to a probe, in the words of HAProxy's agents.

use crate::zone::Agent;

/// The longest line that is looked at, in octets.
const LINE_MAX: usize = 256;
/// Lines that are looked at.
const LINES_MAX: usize = 16;
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

    /// What `text` says, within the bounds of `agent`, and why: the first of its first 16 lines
    /// that is made of nothing but known words, `weight=50%`, `ready`, `up`, `drain`, `maint`,
    /// `down`, `stopped` and `failed`, and behind `#` the reason. Where there is none an endpoint
    /// says nothing special, and has all of its weight, as far as `agent` allows.
    ///
    /// The reason is 64 characters of visible ASCII and spaces at the most, so that it is safe to
    /// log.
    pub fn read(text: &[u8], agent: &Agent) -> (Self, Option<String>) {
        let lines = text.split(|octet| matches!(octet, b'\n' | b'\r'));
        let mut said = lines.take(LINES_MAX).filter_map(read_line);
        let (spoken, reason) = said.next().unwrap_or_default();
        let percent = spoken.percent.clamp(agent.weight_min, agent.weight_max);
        (Self { percent, ..spoken }, reason)
    }
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
            "down" | "stopped" | "failed" => spoken.readiness = Readiness::Down,
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
        let (Spoken { readiness, percent }, reason) = Spoken::read(text.as_bytes(), &ANY);
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
            ("<html>\n<p>all is well</p>\r\ndrain\n", (Drain, 100, None)),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_agents_line_says_nothing() {
        for text in ["", "ok", "drain now", "weight=-3%", "50", "# down", "\u{fffd}down", "50 %"] {
            assert_eq!(read(text), (Readiness::Ready, 100, None), "{text}");
        }
        let late = format!("{}down", "line\n".repeat(LINES_MAX));
        assert_eq!(read(&late).0, Readiness::Ready);
        assert_eq!(read(&format!("down #{}", "x".repeat(999))).2.unwrap().len(), REASON_MAX);
    }

    #[test]
    fn nobody_leaves_the_bounds_of_the_zone_file() {
        let agent = Agent { weight_min: 20, weight_max: 80, ..ANY };
        let percent = |text: &str| Spoken::read(text.as_bytes(), &agent).0.percent;
        assert_eq!(["5%", "50%", "100%", "nothing"].map(percent), [20, 50, 80, 80]);
    }
}
