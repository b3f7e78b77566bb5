//! The value of a Kconfig symbol.

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
