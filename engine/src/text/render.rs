//! Diagnostics as text for people.

use std::fmt::Write;

use super::Diagnostic;
use super::Label;

const RED: &str = "\x1b[1;31m";
const BLUE: &str = "\x1b[1;34m";
const BOLD: &str = "\x1b[1m";
const RESET: &str = "\x1b[0m";

/// Longest part of a line that is shown, in characters.
const WIDTH: usize = 120;

impl Diagnostic {
    /// The diagnostic as text without colours; every line ends with a line end.
    pub fn to_plain(&self) -> String {
        self.to_text(false)
    }

    /// The diagnostic as text, with ANSI colours if asked for.
    pub fn to_text(&self, colour: bool) -> String {
        let paint = |code: &'static str| if colour { code } else { "" };
        let (red, blue, bold, reset) = (paint(RED), paint(BLUE), paint(BOLD), paint(RESET));
        let mut out = String::new();
        let _ = writeln!(out, "{red}error{reset}{bold}: {}{reset}", self.message);
        let margin = self
            .labels
            .iter()
            .map(|label| line_number(label).len())
            .max()
            .unwrap_or(1);
        for (index, label) in self.labels.iter().enumerate() {
            let arrow = if index == 0 { "-->" } else { ":::" };
            let _ = writeln!(out, "{:margin$}{blue}{arrow}{reset} {}", "", place(label));
            snippet(
                &mut out,
                label,
                margin,
                [if index == 0 { red } else { blue }, blue, reset],
            );
        }
        for label in &self.trace {
            let _ = writeln!(
                out,
                "{:margin$} {blue}={reset} {}: {}",
                "",
                label.text,
                place(label)
            );
        }
        if let Some(help) = &self.help {
            let mut lines = help.lines();
            let _ = writeln!(
                out,
                "{:margin$} {blue}={reset} {bold}help{reset}: {}",
                "",
                lines.next().unwrap_or_default()
            );
            for line in lines {
                let _ = writeln!(out, "{:margin$}         {line}", "");
            }
        }
        out
    }
}

fn line_number(label: &Label) -> String {
    label.source.line_column(label.span.start).0.to_string()
}

fn place(label: &Label) -> String {
    let (line, column) = label.source.line_column(label.span.start);
    format!("{}:{line}:{column}", label.source.name)
}

/// The line a label is in with carets below the place, cut on both sides when it is very long.
fn snippet(out: &mut String, label: &Label, margin: usize, [red, blue, reset]: [&str; 3]) {
    let (start, line) = label.source.line_at(label.span.start);
    let column = label.source.line_column(label.span.start).1 - 1;
    let marked = line
        .get(label.span.start.saturating_sub(start)..)
        .map_or(0, |rest| rest.len().min(label.span.len()));
    let marked = label
        .source
        .text
        .get(label.span.start..label.span.start + marked)
        .map_or(1, |text| text.chars().count().max(1));
    let skipped = column.saturating_sub(WIDTH / 2);
    let shown: String = line
        .chars()
        .skip(skipped)
        .take(WIDTH)
        .map(|c| if c == '\t' || c.is_control() { ' ' } else { c })
        .collect();
    let shown = shown.trim_end();
    let _ = writeln!(out, "{:margin$} {blue}|{reset}", "");
    let _ = writeln!(
        out,
        "{blue}{:>margin$} |{reset} {shown}",
        line_number(label)
    );
    let _ = writeln!(
        out,
        "{:margin$} {blue}|{reset} {:2$}{red}{3}{4}{5}{reset}",
        "",
        "",
        column - skipped,
        "^".repeat(marked.min(WIDTH)),
        if label.text.is_empty() { "" } else { " " },
        label.text
    );
}

#[cfg(test)]
mod tests {
    use super::super::SourceText;
    use super::*;

    fn diagnostic() -> Diagnostic {
        let source = SourceText::new(
            "main.rhai",
            "board(\"x\", #{\n    requries: cfg(\"SMP\"),\n});\n",
        );
        let other = SourceText::new("boards.rhai", "x();");
        Diagnostic {
            message: "a board has no field `requries`".to_owned(),
            labels: vec![Label {
                source,
                span: 18..26,
                text: String::new(),
            }],
            help: Some("did you mean `requires`?".to_owned()),
            trace: vec![Label {
                source: other,
                span: 0..1,
                text: "called from here".to_owned(),
            }],
        }
    }

    #[test]
    fn shows_place_snippet_trace_and_help() {
        insta::assert_snapshot!(diagnostic().to_plain(), @r#"
        error: a board has no field `requries`
         --> main.rhai:2:5
          |
        2 |     requries: cfg("SMP"),
          |     ^^^^^^^^
          = called from here: boards.rhai:1:1
          = help: did you mean `requires`?
        "#);
    }

    #[test]
    fn a_span_outside_the_text_is_shown_at_its_end() {
        let mut wild = diagnostic();
        wild.labels[0].span = 4000..5000;
        assert!(wild.to_text(true).contains("main.rhai"));
    }
}
