//! Plain data as people read it: one line a value, what is inside further to the right.

use std::fmt::Write as _;

use serde_json::Map;
use serde_json::Value;

use crate::text::counted;
use crate::text::size;

/// Of a longer text only its size is told.
const LINES: usize = 8;
/// Lists of short values stand on one line up to this width.
const WIDTH: usize = 100;

/// Lines for a value, each with its line break and two spaces more than `indent` for what is inside.
pub fn readable(value: &Value, indent: usize) -> String {
    let mut text = String::new();
    match value {
        Value::Object(map) => object(map, indent, &mut text),
        other => write_value(other, indent, &mut text),
    }
    text
}

fn object(map: &Map<String, Value>, indent: usize, text: &mut String) {
    let width = map.keys().map(|key| key.chars().count()).max().unwrap_or(0);
    for (key, value) in map {
        let _ = write!(text, "{:indent$}{key:width$}  ", "");
        match value {
            Value::Object(inner) if !inner.is_empty() => {
                trim(text);
                object(inner, indent + 2, text);
            }
            other => write_value(other, indent + 2, text),
        }
    }
}

/// Writes a value where a line has been begun.
fn write_value(value: &Value, indent: usize, text: &mut String) {
    match value {
        Value::Null => text.push_str("none\n"),
        Value::String(string) => write_text(string, indent, text),
        Value::Array(items) => list(items, indent, text),
        Value::Object(map) if map.is_empty() => text.push_str("none\n"),
        Value::Object(map) => {
            trim(text);
            object(map, indent, text);
        }
        other => {
            let _ = writeln!(text, "{other}");
        }
    }
}

fn write_text(string: &str, indent: usize, text: &mut String) {
    let count = string.lines().count();
    if string.is_empty() {
        text.push_str("empty\n");
    } else if count > LINES {
        let lines = counted(count, "line", "lines");
        let _ = writeln!(text, "({lines}, {})", size(string.len() as u64));
    } else if count > 1 {
        trim(text);
        for line in string.lines() {
            let _ = writeln!(text, "{:indent$}{line}", "");
        }
    } else {
        let _ = writeln!(text, "{string}");
    }
}

fn list(items: &[Value], indent: usize, text: &mut String) {
    let short = |item: &Value| match item {
        Value::String(string) if !string.is_empty() && !string.contains(['\n', ' ']) => {
            Some(string.clone())
        }
        Value::Number(_) | Value::Bool(_) => Some(item.to_string()),
        _ => None,
    };
    let words: Option<Vec<String>> = items.iter().map(short).collect();
    match words.map(|words| words.join(" ")) {
        Some(words) if words.is_empty() => text.push_str("none\n"),
        Some(words) if words.len() <= WIDTH => {
            let _ = writeln!(text, "{words}");
        }
        _ => {
            trim(text);
            for item in items {
                let _ = write!(text, "{:indent$}- ", "");
                match item {
                    Value::Object(map) => {
                        let inner = readable(&Value::Object(map.clone()), indent + 2);
                        text.push_str(inner.trim_start());
                    }
                    other => write_value(other, indent + 2, text),
                }
            }
        }
    }
}

/// Ends a line whose value stands below it.
fn trim(text: &mut String) {
    text.truncate(text.trim_end_matches(' ').len());
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_inside_stands_further_right() {
        let value = json!({
            "kernel_arch": "x86_64", "make": {}, "targets": ["bzImage", "modules"], "accelerate": null,
            "recipe": {"Defconfig": {"target": "tinyconfig"}}, "init": "int main;\n".repeat(20),
            "fixups": {"SMP": ["must", "y"], "LOCALVERSION": ["want", "\"-a b\""]},
            "files": [{"name": "a.deb", "size": 12}, {"name": "b.deb", "size": null}],
            "append": ["console=ttyS0 panic=-1"], "few": "a\nb\n", "nothing": "",
        });
        insta::assert_snapshot!(readable(&value, 2), @r#"
        accelerate   none
        append
          - console=ttyS0 panic=-1
        few
          a
          b
        files
          - name  a.deb
            size  12
          - name  b.deb
            size  none
        fixups
          LOCALVERSION
            - want
            - "-a b"
          SMP           must y
        init         (20 lines, 200 B)
        kernel_arch  x86_64
        make         none
        nothing      empty
        recipe
          Defconfig
            target  tinyconfig
        targets      bzImage modules
        "#);
    }
}
