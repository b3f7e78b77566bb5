//! Standard output and standard error.

use std::borrow::Cow;
use std::io;
use std::io::IsTerminal as _;
use std::io::Write as _;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use ::console::Style;
use store::OutcomeVerdict;
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

/// What the environment says of whoever looks on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Viewer {
    /// Whether nobody does, as in continuous integration; a terminal may be there all the same.
    pub ci: bool,
    /// Whether the locale shows more than ASCII.
    pub utf8: bool,
}

/// Where the engine prints.
#[derive(Clone, Copy, Debug)]
pub struct Terminal {
    colour: bool,
    /// The same for standard output.
    colour_data: bool,
    level: Level,
    live: bool,
}

/// Whether what is said must be ASCII.
static ASCII: AtomicBool = AtomicBool::new(false);

impl Terminal {
    /// Looks at what standard error is.
    pub fn new(colour: Colour, level: Level, viewer: Viewer) -> Self {
        ASCII.store(!viewer.utf8, Ordering::Relaxed);
        let terminal = io::stderr().is_terminal();
        let coloured = |terminal| match colour {
            Colour::Auto => terminal,
            Colour::Always => true,
            Colour::Never => false,
        };
        Self {
            colour: coloured(terminal),
            colour_data: coloured(io::stdout().is_terminal()),
            level,
            live: terminal && !viewer.ci,
        }
    }

    /// A word about a verdict in its colour, for standard output.
    pub fn painted(&self, verdict: OutcomeVerdict, word: &str) -> String {
        painted(verdict, word, self.colour_data)
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

    /// Writes a log to standard output: without what could command a terminal, or as it is.
    pub fn log(&self, bytes: &[u8], raw: bool) -> Result<(), OutputError> {
        if raw {
            return self.data(bytes);
        }
        self.data(printable(bytes))
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
                Box::new(Bars::new(self.level, self.colour))
            }
            Format::Text => Box::new(Lines::new(self.level, self.colour)),
        }
    }
}

/// Writes to standard error. Nobody could be told that it does not work.
pub(super) fn talk(text: &str) {
    let text = if is_ascii() {
        ascii(text)
    } else {
        Cow::Borrowed(text)
    };
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// Whether the locale shows ASCII only.
pub(super) fn is_ascii() -> bool {
    ASCII.load(Ordering::Relaxed)
}

/// A text for a locale that shows nothing else.
fn ascii(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let plain = |character: char| match character {
        '…' => "...".to_owned(),
        '–' | '—' => "-".to_owned(),
        '“' | '”' => "\"".to_owned(),
        '‘' | '’' => "'".to_owned(),
        character if character.is_ascii() => character.to_string(),
        _ => "?".to_owned(),
    };
    text.chars().map(plain).collect()
}

/// A word about a verdict in its colour.
pub(super) fn painted(verdict: OutcomeVerdict, word: &str, colour: bool) -> String {
    let style = Style::new().force_styling(true);
    let style = match verdict {
        _ if !colour => return word.to_owned(),
        OutcomeVerdict::Succeeded => style.green(),
        OutcomeVerdict::Failed => style.red(),
        OutcomeVerdict::Broken => style.magenta(),
        OutcomeVerdict::Skipped => style.yellow(),
    };
    style.apply_to(word).to_string()
}

/// Says the last thing before the engine ends by its own fault, from whatever state it is in.
pub fn last_words(text: &str) {
    talk(&format!("{text}\n"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_locale_without_utf8_gets_ascii() {
        assert_eq!(ascii("plain"), "plain");
        assert_eq!(ascii("a… “b” – ß"), "a... \"b\" - ?");
    }

    #[test]
    fn verdicts_have_colours_where_they_are_wanted() {
        let all = [
            OutcomeVerdict::Succeeded,
            OutcomeVerdict::Failed,
            OutcomeVerdict::Broken,
            OutcomeVerdict::Skipped,
        ];
        let shown = all.map(|verdict| painted(verdict, "x", true));
        insta::assert_debug_snapshot!(shown, @r#"
        [
            "\u{1b}[32mx\u{1b}[0m",
            "\u{1b}[31mx\u{1b}[0m",
            "\u{1b}[35mx\u{1b}[0m",
            "\u{1b}[33mx\u{1b}[0m",
        ]
        "#);
        assert_eq!(painted(OutcomeVerdict::Failed, "x", false), "x");
    }
}
