//! An endpoint's words about itself in its reply to a probe, in the language of HAProxy's agents.

use crate::zone::Agent;

/// The part of a line that is read, in octets.
const LINE_MAX: usize = 256;
/// The most lines of a text that are read.
const LINES_MAX: usize = 16;
/// The longest part of a word without effect that is kept, in characters.
const WORD_MAX: usize = 32;
/// The longest reason that is kept, in characters.
const REASON_MAX: usize = 64;

/// An endpoint's words about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spoken {
    /// The readiness of the endpoint to serve.
    pub readiness: Readiness,
    /// The part of its weight that it wants to count, in percent; 100 at the most.
    pub percent: u8,
}

/// The readiness of an endpoint to serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// It wants to serve.
    Ready,
    /// It wants to serve only where nothing else does.
    Drain,
    /// It does not want to serve: work is being done on it.
    Maintenance,
    /// It does not want to serve.
    Down,
}

impl Default for Spoken {
    fn default() -> Self {
        Self { readiness: Readiness::Ready, percent: 100 }
    }
}

impl Spoken {
    /// The octets of a text that are enough to read: a prober may stop after them.
    pub const TEXT_MAX: usize = LINE_MAX * LINES_MAX;
}

/// A reply of an endpoint that may speak for itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AgentReply {
    /// The endpoint's words about itself, and its reason; `None` if they change nothing.
    pub spoken: Option<(Spoken, Option<String>)>,
    /// The first word without effect.
    pub idle: Option<IdleWord>,
}

impl AgentReply {
    /// Reads `text` and limits its weight as `agent` says. It takes the first of the first 16 lines
    /// that consists only of the words of agents, and of the reason after `#`.
    ///
    /// - `weight=50%`, `50%`, `ready`, `up`, `drain`, `maint`, `down`, `stopped`, `fail` and
    ///   `failed` have an effect. `maxconn:30` has none; a line of it alone changes nothing.
    /// - A text with only other words changes nothing.
    /// - A text without words, such as an absent header, means ready, with all of the weight that
    ///   `agent` allows. Markup and prose with punctuation count as no words.
    ///
    /// The reason is at most 64 characters of visible ASCII and spaces, so that it is safe to log.
    pub fn read(text: &[u8], agent: &Agent) -> Self {
        let lines = || text.split(|octet| matches!(octet, b'\n' | b'\r')).take(LINES_MAX);
        let mut reply = lines().find_map(read_line).unwrap_or_else(|| {
            let idle = lines().find_map(unknown_word);
            let spoken = idle.is_none().then(Default::default);
            Self { spoken, idle }
        });
        if let Some((spoken, _)) = &mut reply.spoken {
            spoken.percent = spoken.percent.clamp(agent.weight_min, agent.weight_max);
        }
        reply
    }
}

/// A word without effect; only its visible ASCII is kept, so that it is safe to log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdleWord {
    /// The word, or its beginning.
    pub text: String,
    /// Whether it is a word of agents, such as `maxconn:30`.
    pub is_known: bool,
}

impl IdleWord {
    fn new(word: &str, is_known: bool) -> Self {
        Self { text: word.chars().take(WORD_MAX).collect(), is_known }
    }
}

/// The effect of one word of an agent.
enum Effect {
    Readiness(Readiness),
    Percent(u8),
    None,
}

/// Returns the effect of `word`; `None` if it is no word of an agent.
fn effect(word: &str) -> Option<Effect> {
    let word = word.to_ascii_lowercase();
    Some(match word.as_str() {
        "ready" | "up" => Effect::Readiness(Readiness::Ready),
        "drain" => Effect::Readiness(Readiness::Drain),
        "maint" => Effect::Readiness(Readiness::Maintenance),
        "down" | "stopped" | "fail" | "failed" => Effect::Readiness(Readiness::Down),
        word if word.starts_with("maxconn:") => {
            word.strip_prefix("maxconn:")?.parse::<u32>().ok()?;
            Effect::None
        }
        weight => {
            let percent = weight.strip_prefix("weight=").unwrap_or(weight).strip_suffix('%')?;
            let percent: u32 = percent.parse().ok()?;
            Effect::Percent(percent.min(100) as u8)
        }
    })
}

/// Returns the words of `line`, and the reason that follows them after `#`.
fn parts(line: &[u8]) -> Option<(impl Iterator<Item = &str>, Option<&[u8]>)> {
    let line = line.get(..LINE_MAX).unwrap_or(line);
    let mut parts = line.splitn(2, |octet| *octet == b'#');
    let words = std::str::from_utf8(parts.next()?).ok()?;
    let words = words.split([' ', '\t', ',']).filter(|word| !word.is_empty());
    Some((words, parts.next()))
}

/// Reads a line that consists only of the words of agents; `None` for any other line.
fn read_line(line: &[u8]) -> Option<AgentReply> {
    let (words, reason) = parts(line)?;
    let (mut spoken, mut idle) = (None, None);
    for word in words {
        match effect(word)? {
            Effect::Readiness(readiness) => {
                spoken.get_or_insert_with(Spoken::default).readiness = readiness;
            }
            Effect::Percent(percent) => {
                spoken.get_or_insert_with(Spoken::default).percent = percent;
            }
            Effect::None => {
                idle.get_or_insert_with(|| IdleWord::new(word, true));
            }
        }
    }
    let has_words = spoken.is_some() || idle.is_some();
    let spoken = spoken.map(|spoken| (spoken, reason.and_then(readable)));
    has_words.then_some(AgentReply { spoken, idle })
}

/// Returns the first word of `line` that agents do not know, if it is a line of words. Markup and
/// prose with punctuation are not meant for us.
fn unknown_word(line: &[u8]) -> Option<IdleWord> {
    let is_octet = |octet: u8| octet.is_ascii_alphanumeric() || b"=%-_:".contains(&octet);
    let is_word = |word: &str| word.bytes().all(is_octet) && !word.ends_with(':');
    let (words, _) = parts(line)?;
    let mut unknown = None;
    for word in words {
        if !is_word(word) {
            return None;
        }
        if unknown.is_none() && effect(word).is_none() {
            unknown = Some(IdleWord::new(word, false));
        }
    }
    unknown
}

/// Returns the part of `reason` that is safe to log.
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
        let reply = AgentReply::read(text.as_bytes(), &ANY);
        let (Spoken { readiness, percent }, reason) =
            reply.spoken.clone().unwrap_or_else(|| panic!("{text}: {reply:?}"));
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
            ("up#all is well", (Ready, 100, why("all is well"))),
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
        for text in
            ["", "\n\n", "all is well!", "status: fine", "<p>drain</p>", "# down", "\u{fffd}down"]
        {
            assert_eq!(read(text), (Readiness::Ready, 100, None), "{text}");
        }
        let late = format!("{}down", "<br>\n".repeat(LINES_MAX));
        assert_eq!(read(&late).0, Readiness::Ready);
        assert_eq!(read(&format!("down #{}", "x".repeat(999))).2.unwrap().len(), REASON_MAX);
    }

    #[test]
    fn a_word_that_nobody_knows_changes_nothing_and_is_told() {
        for (text, word) in [
            ("drian", "drian"),
            ("drian # typo", "drian"),
            ("drain now", "now"),
            ("weight=-3%", "weight=-3%"),
            ("50", "50"),
            ("\r\nok\n", "ok"),
            ("maxconn:many", "maxconn:many"),
            ("state:drain", "state:drain"),
        ] {
            let idle = Some(IdleWord { text: word.to_owned(), is_known: false });
            let expected = AgentReply { spoken: None, idle };
            assert_eq!(AgentReply::read(text.as_bytes(), &ANY), expected, "{text}");
        }
        assert_eq!(read("ok\ndrain").0, Readiness::Drain, "one line is enough");
    }

    #[test]
    fn a_word_of_agents_without_effect_leaves_the_others_theirs() {
        let half = Spoken { readiness: Readiness::Drain, percent: 50 };
        for (text, spoken) in [
            ("maxconn:30", None),
            ("MAXCONN:0 # busy", None),
            ("maxconn:30\ndrain", None),
            ("drain maxconn:30", Some((Spoken { percent: 100, ..half }, None))),
            ("maxconn:30,50% drain # busy", Some((half, Some("busy".to_owned())))),
        ] {
            let AgentReply { spoken: found, idle } = AgentReply::read(text.as_bytes(), &ANY);
            assert_eq!(found, spoken, "{text}");
            assert!(idle.is_some_and(|word| word.is_known), "{text}");
        }
    }

    #[test]
    fn nobody_leaves_the_bounds_of_the_zone_file() {
        let agent = Agent { weight_min: 20, weight_max: 80, ..ANY };
        let reply = |text: &str| AgentReply::read(text.as_bytes(), &agent);
        let percent = |text: &str| reply(text).spoken.unwrap().0.percent;
        assert_eq!(["5%", "50%", "100%", ""].map(percent), [20, 50, 80, 80]);
    }
}
