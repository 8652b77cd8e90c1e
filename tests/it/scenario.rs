//! The language of `tests/scenarios/*.md`: prose for people, `toml`, `zone` and `csv` blocks that
//! are files, and `dns` blocks of steps for the runner. `tests/scenarios/README.md` describes it.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use ipnet::IpNet;
use waypost::health::{Part, Subject};
use waypost::zone::Override;

use crate::dns::{Question, Response};
use crate::presentation::{canonical_name, text, type_number, type_text, wire};

/// One `##` section of a scenario file, with its own zones and its own server.
#[derive(Debug)]
pub(crate) struct Section {
    /// The title, as `file.md: heading`.
    pub(crate) title: String,
    pub(crate) blocks: Vec<Block>,
}

/// A fenced block.
#[derive(Debug)]
pub(crate) enum Block {
    /// A file to write, mostly a zone file.
    File { name: String, text: String },
    /// A step, and its place in the scenario file.
    Step { place: String, step: Step },
}

/// One line of a `dns` block.
#[derive(Debug)]
pub(crate) enum Step {
    Query { ask: Ask, expect: Expect },
    Share { count: usize, ask: Ask, shares: Vec<(String, usize)>, within: usize },
    Verdict { at: Target, pass: bool, times: usize, says: Option<String> },
    Override { subject: Subject, wanted: Option<Override> },
    Advance(Duration),
    Reload,
    Restart,
}

/// The target of a verdict: all that is probed at an address, or at one port of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    pub(crate) address: IpAddr,
    pub(crate) port: Option<u16>,
}

impl Target {
    fn parse(text: &str) -> Result<Self, String> {
        if let Ok(address) = text.parse() {
            return Ok(Self { address, port: None });
        }
        let at: SocketAddr = text.parse().map_err(|_| "not an address")?;
        Ok(Self { address: at.ip(), port: Some(at.port()) })
    }
}

/// A question, and the way it is asked.
#[derive(Debug)]
pub(crate) struct Ask {
    pub(crate) question: Question,
    pub(crate) from: Option<IpAddr>,
    /// The EDNS client subnet that it carries.
    pub(crate) subnet: Option<IpNet>,
    pub(crate) tcp: bool,
}

impl Ask {
    /// Writes the message.
    pub(crate) fn encode(&self, id: u16) -> Vec<u8> {
        let mut message = self.question.encode(id);
        let Some(subnet) = self.subnet else { return message };
        let (family, octets) = match subnet.network() {
            IpAddr::V4(address) => (1, address.octets().to_vec()),
            IpAddr::V6(address) => (2, address.octets().to_vec()),
        };
        let octets = &octets[..usize::from(subnet.prefix_len()).div_ceil(8)];
        let data = [&[0, family, subnet.prefix_len(), 0], octets].concat();
        // The OPT record comes last, and has no option yet.
        let rdlength = message.len() - 2;
        message[rdlength..].copy_from_slice(&(data.len() as u16 + 4).to_be_bytes());
        message.extend([0, 8, 0, data.len() as u8]);
        message.extend(data);
        message
    }
}

/// The demands on a response.
#[derive(Debug, Default)]
pub(crate) struct Expect {
    rcode: String,
    flags: Vec<String>,
    clauses: Vec<(String, String)>,
}

/// Reads every section that has blocks from the `.md` files in `directory`, in order of file name.
pub(crate) fn read(directory: &Path) -> Vec<Section> {
    let mut paths: Vec<_> = std::fs::read_dir(directory)
        .unwrap_or_else(|error| panic!("{}: {error}", directory.display()))
        .map(|entry| entry.expect("a readable folder").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .filter(|path| path.file_name().is_some_and(|name| name != "README.md"))
        .collect();
    paths.sort();
    let sections = paths.iter().flat_map(|path| {
        let text = std::fs::read_to_string(path).expect("UTF-8");
        let file = path.file_name().expect("a file").to_string_lossy().into_owned();
        sections(&file, &text)
    });
    sections.filter(|section| !section.blocks.is_empty()).collect()
}

fn sections(file: &str, markdown: &str) -> Vec<Section> {
    let mut sections = vec![Section { title: file.to_owned(), blocks: Vec::new() }];
    let mut lines = markdown.lines().enumerate();
    while let Some((_, line)) = lines.next() {
        if let Some(heading) = line.strip_prefix("## ") {
            sections.push(Section { title: format!("{file}: {heading}"), blocks: Vec::new() });
        }
        let Some(info) = line.strip_prefix("```") else { continue };
        let block: Vec<_> = lines.by_ref().take_while(|(_, line)| *line != "```").collect();
        let blocks = &mut sections.last_mut().expect("one at least").blocks;
        if ["toml", "zone", "csv"].iter().any(|kind| info.starts_with(kind)) {
            let named = info.split_once("file=").map(|(_, name)| name.trim().to_owned());
            let name = named.unwrap_or_else(|| "example.com.toml".to_owned());
            let lines = block.iter().map(|(_, line)| format!("{line}\n"));
            blocks.push(Block::File { name, text: lines.collect() });
        } else if info == "dns" {
            for (at, line) in block {
                let line = line.split(" # ").next().unwrap_or(line).trim();
                if !line.is_empty() && !line.starts_with('#') {
                    let place = format!("{file}:{}: {line}", at + 1);
                    let step = parse(line).unwrap_or_else(|what| panic!("{place}: {what}"));
                    blocks.push(Block::Step { place, step });
                }
            }
        }
    }
    sections
}

fn parse(line: &str) -> Result<Step, String> {
    let (head, tail) = line.split_once("->").unwrap_or((line, ""));
    let mut words = head.split_whitespace();
    let mut word = || words.next().ok_or_else(|| "a word is missing".to_owned());
    match word()? {
        "query" => Ok(Step::Query { ask: ask(words)?, expect: expect(tail)? }),
        "share" => {
            let count = number(word()?)?;
            let (tail, within) = tail.split_once(" within ").unwrap_or((tail, "2"));
            Ok(Step::Share {
                count,
                ask: ask(words)?,
                shares: items(tail).iter().map(|item| share(item)).collect::<Result<_, _>>()?,
                within: number(within)?,
            })
        }
        "verdict" => {
            let at = Target::parse(word()?)?;
            let pass = match word()? {
                "pass" => true,
                "fail" => false,
                other => return Err(format!("`{other}` is neither pass nor fail")),
            };
            let rest: Vec<&str> = words.collect();
            let (times, says) = match rest[..] {
                ["says", ref words @ ..] => (1, Some(words.join(" "))),
                [times] => (number(times.trim_start_matches(['×', 'x']))?, None),
                _ => (1, None),
            };
            Ok(Step::Verdict { at, pass, times, says })
        }
        "override" => {
            let service = word()?.to_owned();
            let mut part = None;
            let wanted = loop {
                match word()? {
                    "pool" => part = Some(Part::Pool(word()?.to_owned())),
                    "endpoint" => part = Some(Part::Endpoint(word()?.to_owned())),
                    "auto" => break Some(Override::Auto),
                    "up" => break Some(Override::Up),
                    "down" => break Some(Override::Down),
                    "drain" => break Some(Override::Drain),
                    "none" => break None,
                    other => return Err(format!("`{other}` is no override")),
                }
            };
            Ok(Step::Override { subject: Subject { service, part }, wanted })
        }
        "advance" => {
            let seconds = word()?.strip_suffix('s').ok_or("a time like 3s")?.to_owned();
            Ok(Step::Advance(Duration::from_secs(number(&seconds)? as u64)))
        }
        "reload" => Ok(Step::Reload),
        "restart" => Ok(Step::Restart),
        other => Err(format!("`{other}` is no step")),
    }
}

fn number(text: &str) -> Result<usize, String> {
    text.trim().parse().map_err(|_| format!("`{text}` is not a number"))
}

/// Parses `VALUE COUNT`.
fn share(item: &str) -> Result<(String, usize), String> {
    let (value, count) = item.rsplit_once(' ').ok_or("VALUE COUNT")?;
    Ok((value.to_owned(), number(count)?))
}

fn ask<'a>(mut words: impl Iterator<Item = &'a str>) -> Result<Ask, String> {
    let (name, rtype) = words.next().zip(words.next()).ok_or("NAME TYPE")?;
    let question = Question::new(name, rtype);
    let mut ask = Ask { question, from: None, subnet: None, tcp: false };
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("`{word}` needs a value"));
        match word {
            "from" => ask.from = Some(value()?.parse().map_err(|_| "not an address")?),
            "subnet" => ask.subnet = Some(value()?.parse().map_err(|_| "not a network")?),
            "tcp" => ask.tcp = true,
            "noedns" => ask.question.payload = None,
            "bufsize" => ask.question.payload = Some(number(value()?)? as u16),
            other => return Err(format!("`{other}` is no option of a query")),
        }
    }
    Ok(ask)
}

fn expect(text: &str) -> Result<Expect, String> {
    const CLAUSES: [&str; 10] = [
        "answer:",
        "one of:",
        "only:",
        "count:",
        "authority:",
        "additional:",
        "owner:",
        "scope:",
        "ttl <=",
        "ttl:",
    ];
    let mut expect = Expect::default();
    for (at, part) in text.split(';').map(str::trim).enumerate() {
        if at == 0 {
            let mut words = part.split_whitespace();
            expect.rcode = words.next().ok_or("an RCODE is missing")?.to_owned();
            expect.flags = words.map(str::to_owned).collect();
            continue;
        }
        let clause = CLAUSES.iter().find(|clause| part.starts_with(**clause));
        let clause = clause.ok_or_else(|| format!("`{part}` says nothing"))?;
        expect.clauses.push(((*clause).to_owned(), part[clause.len()..].trim().to_owned()));
    }
    Ok(expect)
}

/// Splits at commas outside quotes.
fn items(text: &str) -> Vec<String> {
    let mut quoted = false;
    let parts = text.split(|c: char| {
        quoted ^= c == '"';
        c == ',' && !quoted
    });
    parts.map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
}

/// Returns an item in canonical form, as `TYPE RDATA`. It is written so, or as `RDATA` alone if it
/// has the type asked for.
fn canonical_item(item: &str, asked: u16) -> String {
    let known = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_uppercase());
    let (rtype, rdata) = match item.split_once(' ') {
        Some((word, rest)) if known(word) || word.starts_with("TYPE") => (type_number(word), rest),
        _ => (asked, item),
    };
    format!("{} {}", type_text(rtype), text(rtype, &wire(rtype, rdata)))
}

/// Splits a line into owner, TTL, and `TYPE RDATA`.
fn parts(line: &str) -> (&str, u32, &str) {
    let mut words = line.splitn(4, ' ');
    let (owner, ttl) = words.next().zip(words.next()).expect("a record");
    (owner, ttl.parse().expect("a TTL"), words.nth(1).expect("type and RDATA"))
}

/// Returns the value of a response for `share`: the RDATA of the first record of the type asked
/// for, or `none`.
pub(crate) fn share_key(ask: &Ask, response: &Response) -> String {
    let wanted = format!("{} ", type_text(ask.question.rtype));
    let values = response.data.answer.iter().map(|line| parts(line).2);
    values.filter_map(|value| value.strip_prefix(&wanted)).next().unwrap_or("none").to_owned()
}

impl Expect {
    /// Checks a response; the error says what is not as it should be.
    pub(crate) fn check(&self, ask: &Ask, response: &Response) -> Result<(), String> {
        let data = &response.data;
        if data.rcode != self.rcode {
            return Err(format!("the RCODE is {}", data.rcode));
        }
        for (flag, is_set) in [("aa", data.aa), ("tc", response.tc)] {
            if self.flags.iter().any(|wanted| wanted == flag) != is_set {
                return Err(format!("{flag} is {}", if is_set { "set" } else { "clear" }));
            }
        }
        self.clauses.iter().try_for_each(|(clause, value)| holds(clause, value, ask, response))
    }
}

fn holds(clause: &str, value: &str, ask: &Ask, response: &Response) -> Result<(), String> {
    let (data, asked) = (&response.data, ask.question.rtype);
    let values = |lines: &[String]| -> Vec<String> {
        lines.iter().map(|line| parts(line).2.to_owned()).collect()
    };
    let wanted = || -> Vec<String> {
        let items = items(value).into_iter().filter(|item| item != "none");
        let mut wanted: Vec<String> = items.map(|item| canonical_item(&item, asked)).collect();
        wanted.sort();
        wanted
    };
    let sorted = |mut values: Vec<String>| {
        values.sort();
        values
    };
    let of_type: Vec<String> = {
        let prefix = format!("{} ", type_text(asked));
        values(&data.answer).into_iter().filter(|value| value.starts_with(&prefix)).collect()
    };
    let all = || data.answer.iter().chain(&data.authority).map(|line| parts(line));
    let held = match clause {
        "answer:" => sorted(values(&data.answer)) == wanted(),
        "additional:" => sorted(values(&data.additional)) == wanted(),
        "one of:" => of_type.len() == 1 && wanted().contains(&of_type[0]),
        "only:" => !of_type.is_empty() && of_type.iter().all(|value| wanted().contains(value)),
        "count:" => of_type.len() == number(value)?,
        "authority:" => {
            let authority = values(&data.authority);
            let kind = |value: &str| value.split(' ').next().unwrap_or("").to_owned();
            let mut kinds: Vec<String> = authority.iter().map(|value| kind(value)).collect();
            kinds.dedup();
            kinds == items(value).into_iter().filter(|item| item != "none").collect::<Vec<_>>()
        }
        "owner:" => data.answer.iter().all(|line| parts(line).0 == canonical_name(value)),
        "scope:" => match value {
            "none" => response.scope.is_none(),
            scope => response.scope == Some(number(scope)? as u8),
        },
        "ttl <=" => all().all(|(_, ttl, _)| ttl as usize <= number(value).unwrap_or(0)),
        "ttl:" => all().all(|(_, ttl, _)| ttl as usize == number(value).unwrap_or(0)),
        other => unreachable!("{other}"),
    };
    if held { Ok(()) } else { Err(format!("`{clause} {value}` does not hold")) }
}

#[test]
fn a_scenario_reads_as_written() {
    let text = "# T\n## S\n```toml\nzone = 1\n```\n```dns\nquery a. A from 192.0.2.1 -> NOERROR aa; \
                answer: 192.0.2.1, CNAME b.; ttl <= 3\nverdict 192.0.2.1 fail ×3\nadvance 2s\n\
                share 6 a. A -> 192.0.2.1 3, 192.0.2.2 3 within 1\n```\n";
    let sections = sections("t.md", text);
    let blocks = &sections[1].blocks;
    assert_eq!((sections.len(), blocks.len()), (2, 5));
    assert!(matches!(&blocks[0], Block::File { name, .. } if name == "example.com.toml"));
    assert!(matches!(
        &blocks[2],
        Block::Step { step: Step::Verdict { pass: false, times: 3, .. }, .. }
    ));
    assert!(matches!(
        &blocks[4],
        Block::Step { step: Step::Share { within: 1, shares, .. }, .. } if shares.len() == 2
    ));
    assert!(parse("query a. A -> NOERROR; answers: x").is_err());
}
