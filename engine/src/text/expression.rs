//! Regular expressions that stand in the code.

use regex::Regex;

/// The expression of a pattern that is a constant; what input says is never one.
///
/// # Panics
/// Where it is none: the first test that uses it tells.
pub fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a constant expression")
}
