//! How a suite wants its boots judged.

use serde::Deserialize;
use serde::Serialize;

/// How bad a complaint of the kernel is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Told only: a program that died of a fault.
    Notice,
    /// A plain `WARN()`: something is not as it should be.
    Warning,
    /// The kernel is wrong, and goes on.
    Error,
    /// The machine, or what it ran, is lost.
    Fatal,
}

impl Severity {
    /// All, the mildest first.
    pub const ALL: [Self; 4] = [Self::Notice, Self::Warning, Self::Error, Self::Fatal];

    /// The severity that is written so.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.word() == word)
    }

    /// As people write it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Notice => "notice",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Fatal => "fatal",
        }
    }
}

/// What of the kernel's complaints and of the tests fails a boot.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Judging {
    /// Complaints at least this bad do.
    pub fails_on: Severity,
    /// Titles of complaints that must come and do not fail the boot; `*` stands for anything.
    pub expects: Vec<String>,
    /// A suite that reported no test fails.
    pub reports_tests: bool,
}

impl Default for Judging {
    /// Everything but plain warnings fails; nothing is expected.
    fn default() -> Self {
        Self {
            fails_on: Severity::Error,
            expects: Vec::new(),
            reports_tests: false,
        }
    }
}
