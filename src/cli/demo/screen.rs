//! The output of the demo: lines, and on a terminal a last line that is repainted.

use std::io::{self, IsTerminal, Write};

use super::terminal::Terminal;

/// The colour of a piece of text, as the terminal's code for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Colour {
    Plain,
    Bold,
    Dim,
    Red,
    Green,
    Yellow,
    Cyan,
}

impl Colour {
    fn code(self) -> &'static str {
        match self {
            Self::Plain => "0",
            Self::Bold => "1",
            Self::Dim => "2",
            Self::Red => "31",
            Self::Green => "32",
            Self::Yellow => "33",
            Self::Cyan => "36",
        }
    }
}

/// A piece of a line.
pub(super) type Piece = (Colour, String);

/// Standard output, and the terminal if there is one.
pub(super) struct Screen {
    terminal: Option<Terminal>,
    has_colour: bool,
    /// The text of the last line, on a terminal.
    live: String,
}

impl Screen {
    pub(super) fn new(terminal: Option<Terminal>) -> Self {
        let has_colour = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Self { terminal, has_colour, live: String::new() }
    }

    /// Returns whether the last line is repainted.
    pub(super) fn is_live(&self) -> bool {
        self.terminal.is_some()
    }

    /// Prints a line; the live line stays below it.
    pub(super) fn say(&self, pieces: &[Piece]) -> io::Result<()> {
        let text = self.paint(pieces, usize::MAX);
        let mut out = io::stdout().lock();
        match self.is_live() {
            true => write!(out, "\r\x1b[K{text}\n{}", self.live)?,
            false => writeln!(out, "{text}")?,
        }
        out.flush()
    }

    /// Shows `pieces` as the live line, cut to the width of the terminal.
    pub(super) fn show(&mut self, pieces: &[Piece]) -> io::Result<()> {
        let Some(terminal) = &self.terminal else { return self.say(pieces) };
        let text = self.paint(pieces, terminal.width().saturating_sub(1));
        if text != self.live {
            self.live = text;
            self.repaint()?;
        }
        Ok(())
    }

    /// Takes the terminal again after another program had it.
    pub(super) fn resume(&self) -> io::Result<()> {
        if let Some(terminal) = &self.terminal {
            terminal.set_keys()?;
            self.repaint()?;
        }
        Ok(())
    }

    fn repaint(&self) -> io::Result<()> {
        let mut out = io::stdout().lock();
        write!(out, "\r\x1b[K{}", self.live)?;
        out.flush()
    }

    /// Returns the first `width` characters of `pieces`, in colour where colour is wanted.
    fn paint(&self, pieces: &[Piece], width: usize) -> String {
        let (mut painted, mut left) = (String::new(), width);
        for (colour, text) in pieces {
            let text: String = text.chars().take(left).collect();
            left = left.saturating_sub(text.chars().count());
            match self.has_colour && *colour != Colour::Plain && !text.is_empty() {
                true => painted.push_str(&format!("\x1b[{}m{text}\x1b[0m", colour.code())),
                false => painted.push_str(&text),
            }
        }
        painted
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        if self.is_live() {
            // The shell's prompt gets a line of its own, if the terminal still exists.
            let _ = writeln!(io::stdout().lock());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_cut_at_the_width_and_colours_take_no_room() {
        let mut screen = Screen { terminal: None, has_colour: true, live: String::new() };
        let pieces = [(Colour::Green, "up".to_owned()), (Colour::Plain, " 50 %".to_owned())];
        assert_eq!(screen.paint(&pieces, 4), "\x1b[32mup\x1b[0m 5");
        assert_eq!(screen.paint(&pieces, 1), "\x1b[32mu\x1b[0m");
        screen.has_colour = false;
        assert_eq!(screen.paint(&pieces, 80), "up 50 %");
    }
}
