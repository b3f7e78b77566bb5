//! Requirements on a resolved .config, as data: printable, hashable, evaluated without an interpreter.

use std::collections::BTreeSet;
use std::fmt;
use std::ops;

use serde::Deserialize;
use serde::Serialize;

use super::Config;
use super::Value;
use super::Version;
use super::value::write_quoted;

/// A requirement on a .config. Symbols are written without `CONFIG_`; one that is absent counts as
/// not set.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Predicate {
    /// `cfg("A")`: the symbol is `y`, not `m`
    BuiltIn(String),
    /// `cfg("A").module()`: the symbol is `m`
    Module(String),
    /// `cfg("A").enabled()`: the symbol is `y` or `m`
    Enabled(String),
    /// `cfg("A").is(value)`: the symbol has exactly this value
    Is(String, Value),
    /// `since("6.5")`: the .config is of this kernel version or a later one
    Since(Version),
    /// `!p`
    Not(Box<Predicate>),
    /// `p & q`: all hold; empty holds always
    All(Vec<Predicate>),
    /// `p | q`: one holds; empty never holds
    Any(Vec<Predicate>),
}

impl Predicate {
    /// The symbol is `y`, not `m`.
    pub fn built_in(symbol: impl Into<String>) -> Self {
        Self::BuiltIn(symbol.into())
    }

    /// Whether the .config meets it.
    pub fn holds(&self, config: &Config) -> bool {
        match self {
            Self::BuiltIn(symbol) => config.get(symbol) == Some(&Value::Yes),
            Self::Module(symbol) => config.get(symbol) == Some(&Value::Module),
            Self::Enabled(symbol) => config.is_enabled(symbol),
            Self::Is(symbol, value) => config.get(symbol).unwrap_or(&Value::No) == value,
            Self::Since(version) => config.version().is_some_and(|found| found >= *version),
            Self::Not(inner) => !inner.holds(config),
            Self::All(parts) => parts.iter().all(|part| part.holds(config)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(config)),
        }
    }

    /// The symbols it asks about.
    pub fn symbols(&self) -> BTreeSet<&str> {
        let mut symbols = BTreeSet::new();
        self.collect_symbols(&mut symbols);
        symbols
    }

    fn collect_symbols<'a>(&'a self, symbols: &mut BTreeSet<&'a str>) {
        match self {
            Self::BuiltIn(symbol)
            | Self::Module(symbol)
            | Self::Enabled(symbol)
            | Self::Is(symbol, _) => {
                symbols.insert(symbol);
            }
            Self::Since(_) => {}
            Self::Not(inner) => inner.collect_symbols(symbols),
            Self::All(parts) | Self::Any(parts) => {
                for part in parts {
                    part.collect_symbols(symbols);
                }
            }
        }
    }

    /// How many nodes it has. `p & p` in a loop doubles it, so whoever builds predicates from
    /// untrusted text must bound it; everything here recurses no deeper than this.
    pub fn size(&self) -> usize {
        match self {
            Self::BuiltIn(_)
            | Self::Module(_)
            | Self::Enabled(_)
            | Self::Is(..)
            | Self::Since(_) => 1,
            Self::Not(inner) => 1 + inner.size(),
            Self::All(parts) | Self::Any(parts) => 1 + parts.iter().map(Self::size).sum::<usize>(),
        }
    }

    /// Writes it where an operator of this strength stands around it.
    fn write(&self, f: &mut fmt::Formatter<'_>, outer: Strength) -> fmt::Result {
        match self {
            Self::BuiltIn(symbol) => write_cfg(f, symbol),
            Self::Module(symbol) => write_cfg(f, symbol).and_then(|()| f.write_str(".module()")),
            Self::Enabled(symbol) => write_cfg(f, symbol).and_then(|()| f.write_str(".enabled()")),
            Self::Is(symbol, value) => {
                write_cfg(f, symbol)?;
                f.write_str(".is(")?;
                write_argument(f, value)?;
                f.write_str(")")
            }
            Self::Since(version) => write!(f, "since(\"{version}\")"),
            Self::Not(inner) => {
                f.write_str("!")?;
                inner.write(f, Strength::Not)
            }
            Self::All(parts) => write_parts(f, parts, Strength::And, outer),
            Self::Any(parts) => write_parts(f, parts, Strength::Or, outer),
        }
    }
}

/// How tightly the definition language's operators bind, weakest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Strength {
    Or,
    And,
    Not,
}

fn write_cfg(f: &mut fmt::Formatter<'_>, symbol: &str) -> fmt::Result {
    f.write_str("cfg(")?;
    write_quoted(f, symbol)?;
    f.write_str(")")
}

/// Writes a value as a definition does: `"y"`, `64`, `hex("0x1000")`, and `text("64")` where a bare
/// string could be taken for something else.
fn write_argument(f: &mut fmt::Formatter<'_>, value: &Value) -> fmt::Result {
    let is_decimal = |text: &str| text.parse::<i64>().is_ok();
    match value {
        Value::Yes | Value::Module | Value::No => write!(f, "\"{value}\""),
        Value::Number(number) if is_decimal(number) => f.write_str(number),
        Value::Number(number) => write!(f, "hex(\"{number}\")"),
        Value::Text(text) => {
            let switch = matches!(&**text, "y" | "m" | "n" | "Y" | "M" | "N" | "yes" | "no");
            if switch || is_decimal(text) || text.starts_with("0x") {
                f.write_str("text(")?;
                write_quoted(f, text)?;
                return f.write_str(")");
            }
            write_quoted(f, text)
        }
    }
}

fn write_parts(
    f: &mut fmt::Formatter<'_>,
    parts: &[Predicate],
    own: Strength,
    outer: Strength,
) -> fmt::Result {
    let (name, operator) = if own == Strength::And {
        ("all_of", " & ")
    } else {
        ("any_of", " | ")
    };
    match parts {
        [] => write!(f, "{name}([])"),
        [part] => part.write(f, outer),
        parts => {
            let brackets = own < outer;
            f.write_str(if brackets { "(" } else { "" })?;
            for (index, part) in parts.iter().enumerate() {
                f.write_str(if index == 0 { "" } else { operator })?;
                part.write(f, own)?;
            }
            f.write_str(if brackets { ")" } else { "" })
        }
    }
}

/// Writes it in the definition language, with no more brackets than needed.
impl fmt::Display for Predicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, Strength::Or)
    }
}

impl ops::BitAnd for Predicate {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        match (self, other) {
            (Self::All(mut left), Self::All(right)) => {
                left.extend(right);
                Self::All(left)
            }
            (Self::All(mut left), right) => {
                left.push(right);
                Self::All(left)
            }
            (left, Self::All(mut right)) => {
                right.insert(0, left);
                Self::All(right)
            }
            (left, right) => Self::All(vec![left, right]),
        }
    }
}

impl ops::BitOr for Predicate {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        match (self, other) {
            (Self::Any(mut left), Self::Any(right)) => {
                left.extend(right);
                Self::Any(left)
            }
            (Self::Any(mut left), right) => {
                left.push(right);
                Self::Any(left)
            }
            (left, Self::Any(mut right)) => {
                right.insert(0, left);
                Self::Any(right)
            }
            (left, right) => Self::Any(vec![left, right]),
        }
    }
}

impl ops::Not for Predicate {
    type Output = Self;

    fn not(self) -> Self {
        match self {
            Self::Not(inner) => *inner,
            other => Self::Not(Box::new(other)),
        }
    }
}

#[cfg(test)]
#[path = "predicate_tests.rs"]
mod tests;
