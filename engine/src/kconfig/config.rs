//! A resolved .config: read as kconfig reads it, but junk is an error instead of a warning.

use std::collections::BTreeSet;
use std::collections::HashMap;
use std::fmt::Write as _;

use thiserror::Error;

use super::Value;
use super::Version;
use super::symbols::is_symbol;

/// The content of a .config. Symbols are named without `CONFIG_`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    // Hashed because matching asks for tens of thousands of symbols; `iter` sorts.
    values: HashMap<String, Value>,
    /// `Linux/x86 6.1.192 Kernel Configuration`
    header: Option<String>,
}

/// Why a text is no .config.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("line {line}: {kind}")]
pub struct ConfigError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub kind: ConfigErrorKind,
}

/// What is wrong with a line of a .config.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ConfigErrorKind {
    /// Neither an assignment, a comment nor blank.
    #[error("expected `CONFIG_X=value` or a comment, found `{0}`")]
    NotAnAssignment(String),
    /// The name has characters no symbol has.
    #[error("`{0}` is not a symbol name")]
    BadSymbol(String),
    /// The value is of no kind.
    #[error("`{symbol}` has the value `{value}`, which is neither y, m, n, a number nor a string")]
    BadValue {
        /// The symbol.
        symbol: String,
        /// What stands after `=`.
        value: String,
    },
    /// A string without its closing quote, or with more behind it.
    #[error("`{symbol}` has a string that does not end with the line: `{value}`")]
    BadString {
        /// The symbol.
        symbol: String,
        /// What stands after `=`.
        value: String,
    },
}

impl Config {
    /// Reads a .config. Of two assignments to a symbol the later wins, as in `conf_read_simple` of
    /// scripts/kconfig/confdata.c; `CONFIG_X=n` is the same as `# CONFIG_X is not set`.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let mut config = Self::default();
        for (index, line) in text.lines().enumerate() {
            config.read_line(line).map_err(|kind| ConfigError {
                line: index + 1,
                kind,
            })?;
        }
        Ok(config)
    }

    fn read_line(&mut self, line: &str) -> Result<(), ConfigErrorKind> {
        let line = line.trim_end();
        if line.is_empty() {
            return Ok(());
        }
        if let Some(comment) = line.strip_prefix('#') {
            let comment = comment.trim_start();
            let unset = comment
                .strip_prefix("CONFIG_")
                .and_then(|rest| rest.strip_suffix(" is not set"))
                .filter(|symbol| is_symbol(symbol));
            if let Some(symbol) = unset {
                self.values.insert(symbol.to_owned(), Value::No);
            } else if self.header.is_none() && header_version(comment).is_some() {
                self.header = Some(comment.to_owned());
            }
            return Ok(());
        }
        let (symbol, value) = line
            .strip_prefix("CONFIG_")
            .and_then(|rest| rest.split_once('='))
            .ok_or_else(|| ConfigErrorKind::NotAnAssignment(line.to_owned()))?;
        if !is_symbol(symbol) {
            return Err(ConfigErrorKind::BadSymbol(symbol.to_owned()));
        }
        self.values
            .insert(symbol.to_owned(), read_value(symbol, value)?);
        Ok(())
    }

    /// The value of a symbol; `None` where the .config does not speak of it. For predicates that
    /// is the same as [`Value::No`].
    pub fn get(&self, symbol: &str) -> Option<&Value> {
        self.values.get(symbol)
    }

    /// Whether the symbol is `y` or `m`.
    pub fn is_enabled(&self, symbol: &str) -> bool {
        self.get(symbol).is_some_and(Value::is_enabled)
    }

    /// All symbols spoken of with their values, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        let mut sorted: Vec<_> = self
            .values
            .iter()
            .map(|(key, value)| (&**key, value))
            .collect();
        sorted.sort_unstable_by_key(|(symbol, _)| *symbol);
        sorted.into_iter()
    }

    /// The symbols whose values differ from those of another, sorted, with both; a symbol of which nothing is said is as one that is `n`.
    pub fn differing<'c>(
        &'c self,
        other: &'c Self,
    ) -> impl Iterator<Item = (&'c str, Option<&'c Value>, Option<&'c Value>)> {
        let symbols: BTreeSet<&str> = self
            .values
            .keys()
            .chain(other.values.keys())
            .map(|symbol| &**symbol)
            .collect();
        let both = |symbol: &'c str| (symbol, self.get(symbol), other.get(symbol));
        let set = |value: Option<&'c Value>| value.filter(|value| **value != Value::No);
        symbols
            .into_iter()
            .map(both)
            .filter(move |(_, left, right)| set(*left) != set(*right))
    }

    /// How many symbols it speaks of, those not set included.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether it speaks of no symbol.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The kernel's version from the header comment, such as `6.1.192`; `None` without one.
    pub fn kernel_version(&self) -> Option<&str> {
        self.header.as_deref().and_then(header_version)
    }

    /// The numbers of the kernel's version, so `6.12` for `6.12.0-rc1`; `None` without a header.
    pub fn version(&self) -> Option<Version> {
        self.kernel_version().and_then(Version::leading)
    }

    /// The first line of `$CC --version`, which kconfig writes since Linux 4.18.
    pub fn cc_version_text(&self) -> Option<&str> {
        match self.get("CC_VERSION_TEXT")? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Writes it as a .config: the header line, then one line per symbol, sorted.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        if let Some(header) = &self.header {
            let _ = writeln!(text, "#\n# {header}\n#");
        }
        for (symbol, value) in self.iter() {
            write_line(&mut text, symbol, value);
        }
        text
    }
}

/// Appends the .config line of one symbol.
pub(super) fn write_line(text: &mut String, symbol: &str, value: &Value) {
    let _ = match value {
        Value::No => writeln!(text, "# CONFIG_{symbol} is not set"),
        _ => writeln!(text, "CONFIG_{symbol}={value}"),
    };
}

/// The version in `Linux/x86 6.1.192 Kernel Configuration`, the kernel's `mainmenu` line.
fn header_version(comment: &str) -> Option<&str> {
    let rest = comment
        .strip_prefix("Linux/")?
        .strip_suffix(" Kernel Configuration")?;
    rest.split_once(' ').map(|(_, version)| version)
}

fn read_value(symbol: &str, value: &str) -> Result<Value, ConfigErrorKind> {
    if let Some(inside) = value.strip_prefix('"') {
        return read_string(inside)
            .map(Value::Text)
            .ok_or_else(|| ConfigErrorKind::BadString {
                symbol: symbol.to_owned(),
                value: value.to_owned(),
            });
    }
    match value {
        "y" => Ok(Value::Yes),
        "m" => Ok(Value::Module),
        "n" => Ok(Value::No),
        _ if is_number(value) => Ok(Value::Number(value.to_owned())),
        _ => Err(ConfigErrorKind::BadValue {
            symbol: symbol.to_owned(),
            value: value.to_owned(),
        }),
    }
}

/// Unescapes what follows an opening quote: a backslash makes the next character plain.
fn read_string(inside: &str) -> Option<String> {
    let mut text = String::with_capacity(inside.len());
    let mut characters = inside.chars();
    loop {
        match characters.next()? {
            '"' => return characters.as_str().is_empty().then_some(text),
            '\\' => text.push(characters.next()?),
            character => text.push(character),
        }
    }
}

/// Whether kconfig could have written it for an int or hex symbol. Hex may lack its `0x`, and a
/// symbol without any default is written with an empty value (`sym_string_valid`, symbol.c).
fn is_number(value: &str) -> bool {
    let hex = value
        .strip_prefix("0x")
        .or_else(|| value.strip_prefix("0X"))
        .unwrap_or(value);
    let decimal = value.strip_prefix('-').unwrap_or(value);
    value.is_empty()
        || (!hex.is_empty() && hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
        || (!decimal.is_empty() && decimal.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SMALL: &str = "\
#
# Automatically generated file; DO NOT EDIT.
# Linux/x86 6.1.192 Kernel Configuration
#
CONFIG_CC_VERSION_TEXT=\"gcc (Debian 12.2.0-14) 12.2.0\"
CONFIG_64BIT=y

#
# General setup
#
# CONFIG_COMPILE_TEST is not set
CONFIG_LOG_BUF_SHIFT=17
CONFIG_PHYSICAL_START=0x1000000
CONFIG_EMPTY_INT=
CONFIG_EXT4_FS=m
CONFIG_CMDLINE=\"root=\\\"a\\\\b\\\"\"
# end of General setup
";

    #[test]
    fn each_kind_of_line_is_read() {
        let config = Config::parse(SMALL).unwrap();
        assert_eq!(config.kernel_version(), Some("6.1.192"));
        assert_eq!(
            config.cc_version_text(),
            Some("gcc (Debian 12.2.0-14) 12.2.0")
        );
        assert_eq!(config.get("64BIT"), Some(&Value::Yes));
        assert_eq!(config.get("COMPILE_TEST"), Some(&Value::No));
        assert_eq!(
            config.get("PHYSICAL_START"),
            Some(&Value::Number("0x1000000".into()))
        );
        assert_eq!(config.get("EMPTY_INT"), Some(&Value::Number(String::new())));
        assert_eq!(
            config.get("CMDLINE"),
            Some(&Value::Text(r#"root="a\b""#.into()))
        );
        assert_eq!(config.get("NOWHERE"), None);
        assert!(config.is_enabled("EXT4_FS") && !config.is_enabled("COMPILE_TEST"));
        assert_eq!(config.len(), 8);
        insta::assert_snapshot!(config.to_text(), @r#"
        #
        # Linux/x86 6.1.192 Kernel Configuration
        #
        CONFIG_64BIT=y
        CONFIG_CC_VERSION_TEXT="gcc (Debian 12.2.0-14) 12.2.0"
        CONFIG_CMDLINE="root=\"a\\b\""
        # CONFIG_COMPILE_TEST is not set
        CONFIG_EMPTY_INT=
        CONFIG_EXT4_FS=m
        CONFIG_LOG_BUF_SHIFT=17
        CONFIG_PHYSICAL_START=0x1000000
        "#);
    }

    #[test]
    fn carriage_returns_make_no_difference() {
        assert_eq!(
            Config::parse(&SMALL.replace('\n', "\r\n")),
            Config::parse(SMALL)
        );
    }

    #[test]
    fn the_later_assignment_wins() {
        let config = Config::parse("CONFIG_A=y\n# CONFIG_A is not set\nCONFIG_B=n\nCONFIG_B=m\n");
        let config = config.unwrap();
        assert_eq!(config.get("A"), Some(&Value::No));
        assert_eq!(config.get("B"), Some(&Value::Module));
    }

    #[test]
    fn junk_is_named_with_its_line() {
        let errors: Vec<String> = [
            "CONFIG_A=y\n\n<<<<<<< HEAD",
            "FOO=y",
            "CONFIG_A-B=y",
            "CONFIG_A=yes",
            "CONFIG_A=\"open",
            "CONFIG_A=\"shut\" then",
            "CONFIG_A=\"open\\\"",
            "CONFIG_A=0x",
            " CONFIG_A=y",
        ]
        .iter()
        .map(|text| Config::parse(text).unwrap_err().to_string())
        .collect();
        insta::assert_snapshot!(errors.join("\n"), @r#"
        line 3: expected `CONFIG_X=value` or a comment, found `<<<<<<< HEAD`
        line 1: expected `CONFIG_X=value` or a comment, found `FOO=y`
        line 1: `A-B` is not a symbol name
        line 1: `A` has the value `yes`, which is neither y, m, n, a number nor a string
        line 1: `A` has a string that does not end with the line: `"open`
        line 1: `A` has a string that does not end with the line: `"shut" then`
        line 1: `A` has a string that does not end with the line: `"open\"`
        line 1: `A` has the value `0x`, which is neither y, m, n, a number nor a string
        line 1: expected `CONFIG_X=value` or a comment, found ` CONFIG_A=y`
        "#);
    }

    fn value() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(Value::Yes),
            Just(Value::Module),
            Just(Value::No),
            any::<i64>().prop_map(Value::from),
            "0x[0-9a-fA-F]{1,16}".prop_map(Value::Number),
            "[^\\p{Cc}]{0,20}".prop_map(Value::Text),
        ]
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            values in proptest::collection::hash_map("[A-Z0-9_]{1,12}", value(), 0..20),
            versioned in any::<bool>(),
        ) {
            let header = versioned.then(|| "Linux/arm 6.1.1 Kernel Configuration".to_owned());
            let config = Config { values, header };
            prop_assert_eq!(Config::parse(&config.to_text()).unwrap(), config);
        }

        #[test]
        fn line_ends_make_no_difference_and_junk_is_named_by_its_line(
            values in proptest::collection::hash_map("[A-Z0-9_]{1,12}", value(), 0..20),
            junk in "(CONFIG_A|=|[a-z<>]{1,5})( [a-z\"\\\\]{0,5})?",
            at in any::<proptest::sample::Index>(),
        ) {
            let config = Config { values, header: None };
            let text = config.to_text();
            prop_assert_eq!(Config::parse(&text.replace('\n', "\r\n")).unwrap(), config);
            let mut lines: Vec<&str> = text.lines().collect();
            let index = at.index(lines.len() + 1);
            lines.insert(index, &junk);
            let error = Config::parse(&lines.join("\n")).unwrap_err();
            prop_assert_eq!(error.line, index + 1);
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,200}", line in "CONFIG_A=.{0,40}") {
            let _ = Config::parse(&text);
            let _ = Config::parse(&line);
        }
    }
}
