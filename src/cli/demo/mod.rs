//! `waypost demo`: three web servers, one name, and keys that kill and revive them.
//!
//! ```text
//! keys, lines, signals ┐
//! the server's log     ├─ Event ─▶ Demo::take ─▶ backends, Screen
//! answers of queries   ┘
//! ```

mod asker;
mod backend;
mod input;
mod lines;
mod screen;
mod setting;
mod status;
mod terminal;

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::{Duration, Instant};

use tracing::Level;

use super::{Failed, called_as};
use crate::health::Showing;
use crate::wire::name::Name;
use asker::Asker;
use backend::Mode;
use input::Wish;
use screen::{Colour, Piece, Screen};
use setting::{BACKENDS, NAME, Setting};
use status::Status;
use terminal::Terminal;

/// The time between two status lines where the line cannot be repainted, and the time from a change
/// of state to the next one: by then the shares are those after the change.
const STATUS_INTERVAL: Duration = Duration::from_secs(4);

/// Something that happens while the demo runs.
enum Event {
    /// A key of the terminal.
    Key(u8),
    /// A line of standard input.
    Line(String),
    /// A line of the server's log.
    Log(Level, String),
    /// The address in the answer to a query; `None` without one.
    Answered(Option<IpAddr>),
    /// The process goes on after it was stopped from the terminal.
    Resumed,
    /// The demo is to end.
    End,
}

/// Runs until Ctrl-C, SIGTERM or the end of the input.
pub(super) fn run() -> Result<(), Failed> {
    let failed = |what: &str, error: &dyn fmt::Display| {
        eprintln!("error: {what}{error}");
        Failed
    };
    let (events, inbox) = mpsc::channel();
    let listening = input::send_signals(events.clone());
    listening.map_err(|error| failed("cannot listen for signals: ", &error))?;
    lines::send_log(events.clone());
    let mut setting = Setting::start().map_err(|trouble| failed("", &trouble))?;
    let played = play(&mut setting, events, &inbox);
    setting.stop();
    match played {
        // Nothing reads the output any more.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(failed("the demo cannot go on: ", &error)),
        Ok(()) => Ok(()),
    }
}

/// Shows the events until the end. Restores the terminal before it returns.
fn play(setting: &mut Setting, events: Sender<Event>, inbox: &Receiver<Event>) -> io::Result<()> {
    let screen = Screen::new(Terminal::take()?);
    introduce(setting, &screen)?;
    match screen.is_live() {
        true => input::send_keys(events.clone())?,
        false => input::send_lines(events.clone())?,
    }
    let name = Name::parse(NAME, Some(&Name::root())).map_err(io::Error::other)?;
    let asker = Asker::start(setting.address(), name, events)?;
    let status = Status::default();
    let due = Instant::now() + STATUS_INTERVAL;
    let mut demo = Demo { setting, screen, asker, status, showings: Vec::new(), chosen: 0, due };
    while let Ok(event) = inbox.recv() {
        if !demo.take(event)? {
            break;
        }
    }
    Ok(())
}

/// The running demo.
struct Demo<'s> {
    setting: &'s mut Setting,
    screen: Screen,
    asker: Asker,
    status: Status,
    /// The states that answers followed at the last look.
    showings: Vec<Option<Showing>>,
    /// The index of the backend that keys act on.
    chosen: usize,
    /// The time of the next status line, where it cannot be repainted.
    due: Instant,
}

impl Demo<'_> {
    /// Handles an event; returns `false` at the end.
    fn take(&mut self, event: Event) -> io::Result<bool> {
        match event {
            Event::End => return Ok(false),
            Event::Resumed => self.screen.resume()?,
            Event::Log(level, line) => self.screen.say(&log_line(level, line))?,
            Event::Answered(address) => {
                self.status.count(address);
                self.show_status()?;
            }
            Event::Key(key) => {
                if let Some(wish) = input::wish_of_key(key) {
                    return self.fulfil(wish);
                }
            }
            Event::Line(line) => return self.obey(&line),
        }
        Ok(true)
    }

    /// Obeys a line such as `kill alpha`; returns `false` at the end.
    fn obey(&mut self, line: &str) -> io::Result<bool> {
        let mut words = line.split_whitespace();
        let (word, name, more) = (words.next(), words.next(), words.next());
        let Some(word) = word else { return Ok(true) };
        let chosen = name.and_then(|name| BACKENDS.iter().position(|(known, _)| *known == name));
        match (input::wish_of_word(word), chosen, more) {
            (Some(Wish::End), ..) => Ok(false),
            (Some(wish), Some(chosen), None) => {
                self.chosen = chosen;
                self.fulfil(wish)
            }
            _ => {
                self.screen.say(&[(Colour::Red, format!("Not understood: {line}"))])?;
                self.screen.say(&plain(WORDS))?;
                Ok(true)
            }
        }
    }

    /// Fulfils a wish of the user; returns `false` at the end.
    fn fulfil(&mut self, wish: Wish) -> io::Result<bool> {
        match wish {
            Wish::End => return Ok(false),
            Wish::Choose(chosen) if chosen < self.setting.backends.len() => {
                self.chosen = chosen;
                self.show_status()?;
            }
            Wish::Choose(_) => {}
            Wish::Behave(mode) => {
                let Some(backend) = self.setting.backends.get_mut(self.chosen) else {
                    return Ok(true);
                };
                let what = match backend.behave(mode) {
                    Ok(()) => narrate(mode).to_owned(),
                    Err(error) => format!("cannot listen again: {error}"),
                };
                let line = format!("{} {what}", backend.name());
                self.screen.say(&[(Colour::Cyan, line)])?;
            }
        }
        Ok(true)
    }

    /// Shows the status line: at every answer on a terminal, otherwise at intervals.
    fn show_status(&mut self) -> io::Result<()> {
        let showings = self.setting.showings();
        let (now, has_changed) = (Instant::now(), showings != self.showings);
        self.showings = showings;
        let is_early = has_changed || now < self.due;
        if has_changed || now >= self.due {
            self.due = now + STATUS_INTERVAL;
        }
        if !self.screen.is_live() && is_early {
            return Ok(());
        }
        let answered: u64 = self.setting.server.outcomes().iter().map(|(_, count)| count).sum();
        let others = answered.saturating_sub(self.asker.sent());
        let chosen = self.screen.is_live().then_some(self.chosen);
        let line = self.status.line(&self.setting.backends, &self.showings, chosen, others);
        self.screen.show(&line)
    }
}

const KEYS: &str = "Keys: 1 2 3 choose a server, k kills it, r revives it, h hangs it, d drains it; \
                    q ends.";
const WORDS: &str = "Type kill, revive, hang or drain, and a server: kill alpha. The end of the \
                     input ends the demo.";

/// Prints the parts of the demo, and the commands to try.
fn introduce(setting: &Setting, screen: &Screen) -> io::Result<()> {
    let address = setting.address();
    let (ip, port) = (address.ip(), address.port());
    let zones = setting.zones();
    let program = called_as();
    let title = "Three web servers, one name, and a DNS server that knows who is up.".to_owned();
    screen.say(&[(Colour::Bold, title)])?;
    screen.say(&plain(""))?;
    for (backend, (_, weight)) in setting.backends.iter().zip(BACKENDS) {
        let (name, address) = (backend.name(), backend.address());
        screen.say(&plain(&format!("  {name:<6} http://{address}/  weight {weight}")))?;
    }
    screen.say(&plain(&format!("  name   {NAME}, answered on {address}")))?;
    screen.say(&plain(&format!("  zone   {}/example.com.toml", zones.display())))?;
    for sentence in setting.taken_ports() {
        screen.say(&[(Colour::Yellow, sentence)])?;
    }
    screen.say(&plain("\nTry, in another terminal:\n"))?;
    let zones = zones.display();
    for command in [
        format!("dig @{ip} -p {port} +short {NAME}"),
        format!("dig @{ip} -p {port} +short _http._tcp.{NAME} SRV"),
        format!("{program} query {NAME} --zones {zones} --count 600"),
    ] {
        screen.say(&[(Colour::Cyan, format!("  {command}"))])?;
    }
    let help = if screen.is_live() { KEYS } else { WORDS };
    screen.say(&plain(&format!("\n{help}\n")))
}

/// Returns the words for the new behaviour of a backend.
fn narrate(mode: Mode) -> &'static str {
    match mode {
        Mode::Serving => "serves again",
        Mode::Draining => "drains: it answers, and asks for no new clients",
        Mode::Hung => "hangs: it accepts connections and says nothing",
        Mode::Killed => "is killed: its port is closed",
    }
}

fn log_line(level: Level, line: String) -> Vec<Piece> {
    let colour = match level {
        Level::ERROR => Colour::Red,
        Level::WARN => Colour::Yellow,
        _ => Colour::Dim,
    };
    vec![(colour, format!("log: {line}"))]
}

fn plain(text: &str) -> Vec<Piece> {
    vec![(Colour::Plain, text.to_owned())]
}
