//! The value of a Kconfig symbol.

use std::fmt;

use serde::Deserialize;
use serde::Serialize;
use thiserror::Error;

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

/// Why a string cannot be a symbol's value.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ValueError {
    /// A .config is read by lines, so no value can hold a line break.
    #[error("the value {0:?} has a line break or another control character")]
    ControlCharacter(String),
}

impl Value {
    /// Reads a string of a definition: `y`, `m` and `n` are tristates, `0x…` is a number, all else
    /// is text. (Definitions write decimal numbers as numbers, so `"64"` is text.)
    pub fn from_definition(text: &str) -> Result<Self, ValueError> {
        if text.contains(char::is_control) {
            return Err(ValueError::ControlCharacter(text.to_owned()));
        }
        let is_hex = |digits: &str| {
            !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
        };
        Ok(match text {
            "y" => Self::Yes,
            "m" => Self::Module,
            "n" => Self::No,
            _ if text.strip_prefix("0x").is_some_and(is_hex) => Self::Number(text.to_owned()),
            _ => Self::Text(text.to_owned()),
        })
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definition_strings_are_read_by_their_shape() {
        let read = |text| Value::from_definition(text).unwrap();
        assert_eq!(read("y"), Value::Yes);
        assert_eq!(read("n"), Value::No);
        assert_eq!(read("0x1F"), Value::Number("0x1F".into()));
        assert_eq!(read("0x"), Value::Text("0x".into()));
        assert_eq!(read("64"), Value::Text("64".into()));
        assert_eq!(read(""), Value::Text(String::new()));
    }

    #[test]
    fn a_value_cannot_smuggle_in_a_second_line() {
        assert_eq!(
            Value::from_definition("a\nCONFIG_B=y")
                .unwrap_err()
                .to_string(),
            r#"the value "a\nCONFIG_B=y" has a line break or another control character"#
        );
    }
}
