//! One mistake in a text, as plain data.

use super::SourceText;
use super::Span;

/// A place in a text with a word on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The text.
    pub source: SourceText,
    /// The place in it.
    pub span: Span,
    /// What is to be said about the place; may be empty.
    pub text: String,
}

/// What is wrong, where, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Lower-case fragment, names in backticks.
    pub message: String,
    /// The places that show it, the most telling first.
    pub labels: Vec<Label>,
    /// The next step.
    pub help: Option<String>,
    /// How evaluation came to the first place, innermost call first.
    pub trace: Vec<Label>,
}
