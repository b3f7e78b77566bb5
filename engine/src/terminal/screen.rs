//! Standard output and standard error.

use std::io;
use std::io::IsTerminal as _;
use std::io::Write as _;

use thiserror::Error;

use super::bars::Bars;
use super::events::Events;
use super::lines::Lines;
use crate::console::printable;
use crate::realise::Observer;
use crate::text::Diagnostic;

/// When to use colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// Where standard error is a terminal.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// How much to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Only what went wrong.
    Quiet,
    /// What happens.
    Normal,
    /// Also what did not need to happen.
    Verbose,
}

/// For whom a run is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// People, on standard error.
    Text,
    /// Programs: JSON lines on standard output.
    Json,
}

/// Standard output took no more.
#[derive(Debug, Error)]
#[error("cannot write to standard output")]
pub struct OutputError(#[from] io::Error);

impl OutputError {
    /// Whether the reader went away, as `head` does.
    pub fn is_closed(&self) -> bool {
        self.0.kind() == io::ErrorKind::BrokenPipe
    }
}

/// Where the engine prints.
#[derive(Clone, Copy, Debug)]
pub struct Terminal {
    colour: bool,
    level: Level,
    live: bool,
}

impl Terminal {
    /// Looks at what standard error is.
    pub fn new(colour: Colour, level: Level) -> Self {
        let live = io::stderr().is_terminal();
        let colour = match colour {
            Colour::Auto => live,
            Colour::Always => true,
            Colour::Never => false,
        };
        Self {
            colour,
            level,
            live,
        }
    }

    /// How much is said.
    pub fn level(&self) -> Level {
        self.level
    }

    /// Whether text on standard error is coloured.
    pub fn colour(&self) -> bool {
        self.colour
    }

    /// Writes data to standard output.
    pub fn data(&self, bytes: impl AsRef<[u8]>) -> Result<(), OutputError> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(bytes.as_ref())?;
        Ok(stdout.flush()?)
    }

    /// Writes a log to standard output: as it is, or without commands where they would reach a terminal.
    pub fn log(&self, bytes: &[u8]) -> Result<(), OutputError> {
        if io::stdout().is_terminal() {
            return self.data(printable(bytes));
        }
        self.data(bytes)
    }

    /// Writes lines of data to standard output.
    pub fn lines(&self, lines: &[String]) -> Result<(), OutputError> {
        self.data(
            lines
                .iter()
                .flat_map(|line| [line, "\n"])
                .collect::<String>(),
        )
    }

    /// Says a line on standard error, unless silence is wanted.
    pub fn say(&self, line: &str) {
        if self.level > Level::Quiet {
            talk(&format!("{line}\n"));
        }
    }

    /// Shows what is wrong on standard error.
    pub fn complain(&self, diagnostics: &[Diagnostic]) {
        for diagnostic in diagnostics {
            talk(&diagnostic.to_text(self.colour));
        }
    }

    /// Watches a run.
    pub fn observer(&self, format: Format) -> Box<dyn Observer> {
        match format {
            Format::Json => Box::new(Events),
            Format::Text if self.live && self.level > Level::Quiet => {
                Box::new(Bars::new(self.level))
            }
            Format::Text => Box::new(Lines::new(self.level)),
        }
    }
}

/// Writes to standard error. Nobody could be told that it does not work.
pub(super) fn talk(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// Says the last thing before the engine ends by its own fault, from whatever state it is in.
pub fn last_words(text: &str) {
    talk(&format!("{text}\n"));
}
