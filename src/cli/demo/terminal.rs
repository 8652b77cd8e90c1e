//! The terminal that keys come from.

use std::io::{self, IsTerminal};

use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetwinsize, tcsetattr,
};

/// The width of a line, in columns, if the terminal does not state one.
const WIDTH: usize = 80;

/// A terminal that hands over each key at once and does not print it. Ctrl-C and the other signals
/// work as usual. Dropping it restores the earlier state of the terminal.
pub(super) struct Terminal {
    before: Termios,
}

impl Terminal {
    /// Takes the terminal, if standard input and standard output are one.
    pub(super) fn take() -> io::Result<Option<Self>> {
        if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
            return Ok(None);
        }
        let terminal = Self { before: tcgetattr(io::stdin())? };
        terminal.set_keys()?;
        Ok(Some(terminal))
    }

    /// Switches to single keys, again if a shell has changed the terminal.
    pub(super) fn set_keys(&self) -> io::Result<()> {
        let mut keys = self.before.clone();
        keys.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
        keys.special_codes[SpecialCodeIndex::VMIN] = 1;
        keys.special_codes[SpecialCodeIndex::VTIME] = 0;
        Ok(tcsetattr(io::stdin(), OptionalActions::Now, &keys)?)
    }

    /// Returns the number of columns.
    pub(super) fn width(&self) -> usize {
        let size = tcgetwinsize(io::stdout()).map_or(0, |size| usize::from(size.ws_col));
        if size == 0 { WIDTH } else { size }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // A terminal that no longer exists needs no restoring.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.before);
    }
}
