//! The user's terminal in raw mode, and its size. Everything is restored when the guard goes.

use anyhow::{Context, Result};
use rustix::termios::{self, OptionalActions, Termios};
use std::io::{IsTerminal, Stdin, stdin};

/// The terminal passes every key on, Ctrl-C too, for as long as this lives.
pub(crate) struct RawMode {
    before: Termios,
    input: Stdin,
}

impl RawMode {
    pub(crate) fn enter() -> Result<Self> {
        let input = stdin();
        let before = termios::tcgetattr(&input).context("cannot read the terminal's settings")?;
        let mut raw = before.clone();
        raw.make_raw();
        termios::tcsetattr(&input, OptionalActions::Drain, &raw).context("cannot change the terminal's settings")?;
        Ok(Self { before, input })
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        // Nothing better than the attempt is possible when the terminal is gone.
        termios::tcsetattr(&self.input, OptionalActions::Drain, &self.before).unwrap_or_default();
    }
}

pub(crate) fn is_terminal() -> bool {
    stdin().is_terminal()
}

/// Columns and rows.
pub(crate) fn size() -> Option<(u16, u16)> {
    let size = termios::tcgetwinsize(stdin()).ok()?;
    Some((size.ws_col, size.ws_row)).filter(|(columns, rows)| *columns > 0 && *rows > 0)
}
