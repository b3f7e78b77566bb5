//! Requirements on a resolved .config, as data: printable, hashable, evaluated without an interpreter.

use serde::Deserialize;
use serde::Serialize;

use super::Value;

/// A requirement on a .config. Symbols are written without `CONFIG_`.
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
    /// `!p`
    Not(Box<Predicate>),
    /// `p & q`: all hold; empty holds always
    All(Vec<Predicate>),
    /// `p | q`: one holds; empty never holds
    Any(Vec<Predicate>),
}
