//! Why a key changed: two key manifests compared.

use std::fmt;

use serde_json::Value;

use crate::text::counted;

/// One difference between two key manifests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Made before by an older revision of the engine's recipe.
    Revision {
        /// Revision before.
        old: u64,
        /// Revision now.
        new: u64,
    },
    /// The definition says something else.
    Parameter {
        /// Path in the parameters, such as `fixups.0.symbols.PCI`.
        path: String,
        /// Value before, JSON; `nothing` where it was absent.
        old: String,
        /// Value now.
        new: String,
    },
    /// The content of an input changed: the cause lies further up.
    Input {
        /// The slot's word.
        slot: String,
        /// Digest before.
        old: String,
        /// Digest now.
        new: String,
    },
}

/// Stands for what is absent.
const NOTHING: &str = "nothing";

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Revision { old, new } => {
                write!(f, "the engine's recipe is revision {new}, was {old}")
            }
            Self::Parameter { path, old, new } => match (old.as_str(), new.as_str()) {
                (NOTHING, new) => write!(f, "`{path}` gains {}", told(new)),
                (old, NOTHING) => write!(f, "`{path}` loses {}", told(old)),
                (old, new) if old.contains('\n') || new.contains('\n') => {
                    let (line, old, new) = where_lines_differ(old, new);
                    let (old, new) = where_they_differ(old, new);
                    write!(
                        f,
                        "`{path}` is other from line {line} on: `{new}`, was `{old}`"
                    )
                }
                (old, new) => {
                    let (old, new) = where_they_differ(old, new);
                    write!(f, "`{path}` is `{new}`, was `{old}`")
                }
            },
            Self::Input { slot, old, new } => {
                let short = |digest: &str| digest.get(..12).unwrap_or(digest).to_owned();
                write!(f, "its {slot} is `{}`, was `{}`", short(new), short(old))
            }
        }
    }
}

/// A value, or of a text that has lines how many.
fn told(value: &str) -> String {
    if value.contains('\n') {
        return counted(value.lines().count(), "line", "lines");
    }
    format!("`{value}`")
}

/// The first line in which two texts differ: its number, and what it is in each; empty where a text has ended.
fn where_lines_differ<'a>(old: &'a str, new: &'a str) -> (usize, &'a str, &'a str) {
    let alike = old.lines().zip(new.lines()).take_while(|(a, b)| a == b);
    let line = alike.count();
    let of = |text: &'a str| text.lines().nth(line).unwrap_or_default();
    (line + 1, of(old), of(new))
}

/// Two long values without most of what they begin and end with alike: predicates of boards run to
/// many lines.
fn where_they_differ(old: &str, new: &str) -> (String, String) {
    const LONG: usize = 120;
    const CONTEXT: usize = 24;
    if old.len().max(new.len()) <= LONG {
        return (old.to_owned(), new.to_owned());
    }
    let (old, new): (Vec<char>, Vec<char>) = (old.chars().collect(), new.chars().collect());
    let alike =
        |pairs: &mut dyn Iterator<Item = (&char, &char)>| pairs.take_while(|(a, b)| a == b).count();
    let begin = alike(&mut old.iter().zip(&new));
    let rest = old.len().min(new.len()) - begin;
    let end = alike(&mut old.iter().rev().zip(new.iter().rev())).min(rest);
    let (begin, end) = (begin.saturating_sub(CONTEXT), end.saturating_sub(CONTEXT));
    let cut = |text: &[char]| {
        let middle: String = text[begin..text.len() - end].iter().collect();
        let dots = |cut: usize| if cut > 0 { "…" } else { "" };
        format!("{}{middle}{}", dots(begin), dots(end))
    };
    (cut(&old), cut(&new))
}

/// The differences of two manifests, parameters first.
pub fn causes(old: &Value, new: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    if let (Some(old), Some(new)) = (old["revision"].as_u64(), new["revision"].as_u64())
        && old != new
    {
        causes.push(Cause::Revision { old, new });
    }
    compare("", &old["spec"], &new["spec"], &mut |path, old, new| {
        causes.push(Cause::Parameter { path, old, new });
    });
    compare("", &old["inputs"], &new["inputs"], &mut |slot, old, new| {
        causes.push(Cause::Input { slot, old, new });
    });
    causes
}

fn compare(path: &str, old: &Value, new: &Value, found: &mut impl FnMut(String, String, String)) {
    if old == new {
        return;
    }
    let below = |key: &str| {
        if path.is_empty() {
            key.to_owned()
        } else {
            format!("{path}.{key}")
        }
    };
    match (old, new) {
        (Value::Object(a), Value::Object(b)) => {
            for key in a.keys().chain(b.keys().filter(|key| !a.contains_key(*key))) {
                compare(&below(key), &old[key], &new[key], found);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (index, (old, new)) in a.iter().zip(b).enumerate() {
                compare(&below(&index.to_string()), old, new, found);
            }
        }
        (Value::Array(a), Value::Array(b)) => {
            for gone in a.iter().filter(|item| !b.contains(item)) {
                found(path.to_owned(), plain(gone), NOTHING.to_owned());
            }
            for new in b.iter().filter(|item| !a.contains(item)) {
                found(path.to_owned(), NOTHING.to_owned(), plain(new));
            }
        }
        _ => found(path.to_owned(), plain(old), plain(new)),
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => NOTHING.to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lists_differ_by_what_is_in_them() {
        let old = json!({"spec": {"packages": ["bc", "perl"], "boards": {}}, "inputs": {}});
        let new = json!({"spec": {"packages": ["bc", "perl", "rsync"],
            "boards": {"pc": "cfg(\"PCI\")"}}, "inputs": {}});
        let lines: Vec<String> = causes(&old, &new).iter().map(ToString::to_string).collect();
        insta::assert_snapshot!(lines.join("\n"), @r#"
        `boards.pc` gains `cfg("PCI")`
        `packages` gains `rsync`
        "#);
    }

    #[test]
    fn of_texts_the_first_line_that_differs_is_told() {
        let of = |text: Option<&str>| json!({"spec": {"suite": text}});
        let (old, new) = (
            "int main(void)\n{\n\treturn 0;\n}\n",
            "int main(void)\n{\n\treturn 1;\n}\n",
        );
        let lines: Vec<String> = [
            (Some(old), Some(new)),
            (Some(old), Some("int main(void)\n")),
            (None, Some(new)),
            (Some(old), None),
        ]
        .iter()
        .flat_map(|(old, new)| causes(&of(*old), &of(*new)))
        .map(|cause| cause.to_string())
        .collect();
        insta::assert_snapshot!(lines.join("\n"), @"
        `suite` is other from line 3 on: `	return 1;`, was `	return 0;`
        `suite` is other from line 2 on: ``, was `{`
        `suite` gains 4 lines
        `suite` loses 4 lines
        ");
    }

    #[test]
    fn of_long_values_only_the_difference_is_told() {
        let of = |middle: &str| {
            let rest = r#" & cfg("SERIAL_8250_CONSOLE")"#.repeat(5);
            json!({"spec": {"boards": {"pc": format!("cfg(\"PCI\"){rest}{middle}{rest}")}}})
        };
        let told = causes(&of(r#" & !cfg("SLOB")"#), &of(r#" & cfg("SLUB")"#));
        insta::assert_snapshot!(told[0], @r#"`boards.pc` is `…SERIAL_8250_CONSOLE") & cfg("SLUB") & cfg("SERIAL_8250_C…`, was `…SERIAL_8250_CONSOLE") & !cfg("SLOB") & cfg("SERIAL_8250_C…`"#);
        let longer = causes(&of(""), &of(r#" & cfg("SLUB")"#));
        insta::assert_snapshot!(longer[0], @r#"`boards.pc` is `…_8250_CONSOLE") & cfg("SLUB") & cfg("SERIAL_8250_CONSOLE") & c…`, was `…_8250_CONSOLE") & cfg("SERIAL_8250_CONSOLE") & c…`"#);
    }

    #[test]
    fn names_the_parameter_and_the_input() {
        let old = json!({"revision": 1, "spec": {"fixups": [{"PCI": "y"}], "arch": "x86"},
            "inputs": {"source": "aa", "image": "bb"}});
        let new = json!({"revision": 1, "spec": {"fixups": [{"PCI": "n"}], "arch": "x86"},
            "inputs": {"source": "aa", "image": "cc"}});
        insta::assert_debug_snapshot!(causes(&old, &new), @r#"
        [
            Parameter {
                path: "fixups.0.PCI",
                old: "y",
                new: "n",
            },
            Input {
                slot: "image",
                old: "bb",
                new: "cc",
            },
        ]
        "#);
        let lines: Vec<String> = causes(&old, &new).iter().map(Cause::to_string).collect();
        insta::assert_snapshot!(lines.join("\n"), @"
        `fixups.0.PCI` is `n`, was `y`
        its image is `cc`, was `bb`
        ");
        assert!(causes(&new, &new).is_empty());
    }
}
