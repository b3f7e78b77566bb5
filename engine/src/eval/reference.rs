//! The reference of the definition language, from the same tables that check the arguments.

use std::fmt::Write;

use rhai::FnAccess;

use super::files::embedded;
use super::limits::bounded_engine;
use super::names::signature_of;
use super::schema::Need;
use super::schema::Record;
use super::schema::Shape;
use super::vocabulary::CHAPTERS;
use super::vocabulary::Chapter;
use super::vocabulary::EXPLORING;
use super::vocabulary::Function;

const INTRODUCTION: &str = "\
# The definition language

Definitions are [Rhai](https://rhai.rs/book/) scripts. Evaluation begins with `main.rhai`; `import \"boards/arm\" as arm;`
takes in `boards/arm.rhai`, `import \"std/…\"` a module of the standard library. Evaluation is pure: scripts see
the files of their project and nothing else, and are bounded in time and memory.
";

const EXPLORATION: &str = "\
# Scripts that explore

`engine explore` runs a [Rhai](https://rhai.rs/book/) script that asks for configurations, builds and boots, and sees what came of
them. Asking queues, and what something came to is waited for, so a plain loop keeps all CPUs busy. A script sees neither the clock nor the disk, and
what is random comes from seeds it names: the same script asks for the same again, and finds it in the store. Names are those of the project's definitions.
";

/// The reference of scripts that explore, as Markdown.
pub fn exploration_reference() -> String {
    let mut out = EXPLORATION.to_owned();
    chapters(&mut out, EXPLORING);
    out.push_str("\n## Handles\n\nWhat asking gives has an `.address`.\n");
    out
}

fn chapters(out: &mut String, chapters: &[Chapter]) {
    for chapter in chapters {
        let _ = writeln!(out, "\n## {}", chapter.title);
        for function in chapter.functions {
            host_function(out, function);
        }
    }
}

/// The reference as Markdown: host functions by chapter, then the standard library's modules.
pub fn reference() -> String {
    let mut out = INTRODUCTION.to_owned();
    chapters(&mut out, CHAPTERS);
    out.push_str("\n## Handles\n\nWhat a declaration gives has a `.name`; what `file(…)` gives has a `.path`.\n");
    out.push_str("\n## Standard library\n");
    for (path, text) in embedded() {
        if let Some(module) = path.strip_suffix(".rhai") {
            standard_module(&mut out, module, text);
        }
    }
    out
}

fn host_function(out: &mut String, function: &Function) {
    let _ = writeln!(out, "\n### `{}`\n", signature_of(function));
    let _ = writeln!(out, "{} Gives {}.", function.doc, function.gives);
    let params = &function.params[usize::from(function.method)..];
    for param in params {
        match param.shape {
            Shape::Record(record) => fields(out, record, ""),
            shape => {
                let _ = write!(out, "\n- `{}`: {shape}", param.name);
            }
        }
    }
    if !params.is_empty() {
        out.push('\n');
    }
}

/// One line per field, the fields of a field below it as `outer.inner`.
fn fields(out: &mut String, record: &Record, prefix: &str) {
    for field in record.fields {
        let shape = match field.shape {
            Shape::Record(_) => "a map".to_owned(),
            shape => shape.to_string(),
        };
        let need = match field.need {
            Need::Required => "required".to_owned(),
            Need::Otherwise(otherwise) => format!("otherwise {otherwise}"),
        };
        let _ = write!(
            out,
            "\n- `{prefix}{}`: {shape}; {need}. {}",
            field.name,
            sentence(field.doc)
        );
        if let Shape::Record(inner) = field.shape {
            fields(out, inner, &format!("{prefix}{}.", field.name));
        }
    }
}

fn sentence(doc: &str) -> String {
    let mut chars = doc.chars();
    let first: String = chars
        .next()
        .into_iter()
        .flat_map(char::to_uppercase)
        .collect();
    format!("{first}{}.", chars.as_str())
}

fn standard_module(out: &mut String, module: &str, text: &str) {
    let _ = writeln!(out, "\n### `import \"{module}\" as …`\n");
    let Ok(ast) = bounded_engine().compile(text) else {
        return;
    };
    for line in text.lines().take_while(|line| line.starts_with("//!")) {
        let _ = writeln!(out, "{}", line.trim_start_matches("//!").trim());
    }
    let mut functions: Vec<_> = ast
        .iter_functions()
        .filter(|function| function.access == FnAccess::Public && !function.name.contains('$'))
        .collect();
    functions.sort_by(|a, b| a.name.cmp(b.name));
    for function in functions {
        let _ = writeln!(
            out,
            "\n#### `{}({})`\n",
            function.name,
            function.params.join(", ")
        );
        for line in function.comments.iter().flat_map(|comment| comment.lines()) {
            let _ = writeln!(out, "{}", line.trim_start_matches("///").trim());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_and_field_is_described() {
        let text = reference();
        for expected in [
            "### `board(name, #{ … })`",
            "- `qemu.memory_mb`: a whole number",
            "#### `enable(symbols)`",
            "#### `linux(version, suite)`",
            "#### `pc()`",
        ] {
            assert!(text.contains(expected), "{expected} is missing in\n{text}");
        }
    }
}
