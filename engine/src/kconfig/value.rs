//! The value of a Kconfig symbol.

use std::fmt;

use serde::Deserialize;
use serde::Serialize;

/// A symbol's value, as a .config line gives it (kernel: Documentation/kbuild/kconfig-language.rst).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Value {
    /// `=y`
    Yes,
    /// `=m`
    Module,
    /// `# CONFIG_X is not set`
    No,
    /// An int or hex, as written: `64`, `0x1000`
    Number(String),
    /// A string without its quotes and escapes
    Text(String),
}

impl Value {
    /// Whether it is `y` or `m`.
    pub fn is_enabled(&self) -> bool {
        matches!(self, Self::Yes | Self::Module)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(number.to_string())
    }
}

/// Writes the right side of a .config line: `y`, `0x1000`, `"a \"b\""`.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Yes => f.write_str("y"),
            Self::Module => f.write_str("m"),
            Self::No => f.write_str("n"),
            Self::Number(number) => f.write_str(number),
            Self::Text(text) => write_quoted(f, text),
        }
    }
}

/// Quotes as kconfig does (scripts/kconfig/symbol.c `sym_escape_string_value`), and as Rhai reads.
pub(super) fn write_quoted(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    use fmt::Write as _;
    f.write_char('"')?;
    for character in text.chars() {
        if matches!(character, '"' | '\\') {
            f.write_char('\\')?;
        }
        f.write_char(character)?;
    }
    f.write_char('"')
}
