//! Named text and byte ranges in it.

use std::ops::Range;
use std::sync::Arc;

/// A byte range of a [`SourceText`].
pub type Span = Range<usize>;

/// A named text, cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceText {
    /// How people know it, such as `boards/arm.rhai`.
    pub name: Arc<str>,
    /// The whole content.
    pub text: Arc<str>,
}

impl SourceText {
    /// Names a text.
    pub fn new(name: &str, text: &str) -> Self {
        Self {
            name: name.into(),
            text: text.into(),
        }
    }

    /// Line and column, both from 1 and the column in characters, of a byte offset.
    pub fn line_column(&self, offset: usize) -> (usize, usize) {
        let before = self.before(offset);
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        (
            before.matches('\n').count() + 1,
            before[start..].chars().count() + 1,
        )
    }

    /// The line a byte offset is in, without its line end, and the offset it starts at.
    pub fn line_at(&self, offset: usize) -> (usize, &str) {
        let start = self
            .before(offset)
            .rfind('\n')
            .map_or(0, |newline| newline + 1);
        let line = self.text[start..].split('\n').next().unwrap_or_default();
        (start, line.trim_end_matches('\r'))
    }

    /// The byte offset of a line and column, both from 1 and the column in characters.
    pub fn offset(&self, line: usize, column: usize) -> usize {
        let mut start = 0;
        for text in self.text.split_inclusive('\n').take(line.saturating_sub(1)) {
            start += text.len();
        }
        let rest = &self.text[start..];
        start
            + rest
                .char_indices()
                .nth(column.saturating_sub(1))
                .map_or(rest.len(), |(index, _)| index)
    }

    fn before(&self, offset: usize) -> &str {
        let mut end = offset.min(self.text.len());
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        &self.text[..end]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offset_and_line_column_are_inverse() {
        let text = SourceText::new("t", "añb\r\n\nlast");
        for (offset, _) in text.text.char_indices() {
            let (line, column) = text.line_column(offset);
            assert_eq!(text.offset(line, column), offset);
        }
        assert_eq!(text.line_at(2), (0, "añb"));
        assert_eq!(text.line_column(999), (3, 5));
    }
}
