//! The output that a person sees: acts, tables with bars, and what held. Colour on a terminal only.

use std::io::IsTerminal;
use std::net::IpAddr;

/// The longest bar, in characters.
const BAR_LEN_MAX: u32 = 36;

const BOLD: &str = "1";
const DIM: &str = "2";
const RED: &str = "31";
const GREEN: &str = "32";
const CYAN: &str = "36";

/// The output of the play, act by act.
pub(crate) struct Stage {
    colour: bool,
    acts: u32,
}

/// One backend's share of the answers.
pub(crate) struct Tally<'a> {
    pub(crate) name: &'a str,
    pub(crate) address: IpAddr,
    pub(crate) alive: bool,
    /// Answers that named it.
    pub(crate) count: u32,
    /// Answers that its weight gives it, exactly.
    pub(crate) exact: u32,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Self { colour, acts: 0 }
    }

    pub(crate) fn title(&self, title: &str, what: &str) {
        println!("\n  {} · {what}\n", self.paint(BOLD, title));
    }

    pub(crate) fn fact(&self, what: &str, fact: &str) {
        println!("  {} {fact}", self.paint(CYAN, &format!("{what:<10}")));
    }

    /// Prints a command that the reader can type.
    pub(crate) fn hint(&self, command: &str) {
        println!("  {:<10} {}\n", "", self.paint(DIM, &format!("$ {command}")));
    }

    /// Opens the next act.
    pub(crate) fn act(&mut self, name: &str, what: &str) {
        self.acts += 1;
        let heading = format!("{} {name}", self.acts);
        println!("\n  {} · {what}\n", self.paint(BOLD, &heading));
    }

    pub(crate) fn line(&self, line: &str) {
        println!("    {line}");
    }

    /// Prints log lines of the server as they were written.
    pub(crate) fn log(&self, lines: &[String]) {
        for line in lines {
            println!("    {}", self.paint(DIM, &format!("log: {line}")));
        }
    }

    /// Prints a share for each backend, with bars.
    pub(crate) fn table(&self, tallies: &[Tally<'_>], queries: u32) {
        let heading =
            format!("{:<6} {:<10}  {:>7}  {:>5}  {:>7}", "", "", "answers", "exact", "share");
        println!("    {}", self.paint(DIM, &heading));
        for Tally { name, address, alive, count, exact } in tallies {
            let bar = "█".repeat((count * BAR_LEN_MAX / queries) as usize);
            let bar = self.paint(if *alive { GREEN } else { RED }, &bar);
            let percent = f64::from(*count) * 100.0 / f64::from(queries);
            let note = if *alive { String::new() } else { self.paint(RED, "down") };
            let name = format!("{name:<6} {address}");
            println!("    {name}  {count:>7}  {exact:>5}  {percent:>5.1} %  {bar}{note}");
        }
        println!();
    }

    /// Prints an expectation that held.
    pub(crate) fn holds(&self, what: &str) {
        println!("    {} {what}", self.paint(GREEN, "✓"));
    }

    pub(crate) fn failed(&self, why: &str) {
        eprintln!("\n  {} {why}\n", self.paint(RED, "✗ quickstart failed:"));
    }

    pub(crate) fn finale(&self, queries: u32) {
        let held = self.paint(GREEN, "All of it held.");
        println!("\n  {held} {queries} queries, every one answered.");
        println!("\n  Now serve the zones in ./zones, and ask:\n");
        for command in [
            "cargo run --release -- serve",
            "dig @127.0.0.1 -p 5300 web.example.com",
            "cargo run --release -- query web.example.com --count 600",
        ] {
            println!("    {}", self.paint(CYAN, command));
        }
        println!();
    }

    fn paint(&self, colour: &str, text: &str) -> String {
        match self.colour && !text.is_empty() {
            true => format!("\x1b[{colour}m{text}\x1b[0m"),
            false => text.to_owned(),
        }
    }
}
