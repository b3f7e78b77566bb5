//! Messages on names nobody declared: variables, functions, methods, members of modules.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::explain::Scripts;
use super::explain::Words;
use super::explain::near;
use super::handle::describe_type;
use super::schema::Shape;
use super::spans::FileIndex;
use super::spans::ScriptFunction;
use super::vocabulary::Function;
use super::vocabulary::Language;

/// A name that strict parsing does not know.
pub(super) fn undefined_name(script: Option<&Arc<FileIndex>>, name: &str) -> Words {
    let declared = script
        .map(|script| declared_names(&script.text.text))
        .unwrap_or_default();
    let help = if language(script)
        .functions()
        .any(|function| function.name == name)
    {
        Some(format!("`{name}` is a function: call it, `{name}(…)`"))
    } else if declared.contains(name) {
        Some(
            "functions do not see the variables of their file; hand it in, \
             or make it a `const` and write `global::NAME`"
                .to_owned(),
        )
    } else {
        near(name, declared)
    };
    Words {
        message: format!("there is no variable or module `{name}`"),
        help,
    }
}

/// Which functions a script has.
fn language(script: Option<&Arc<FileIndex>>) -> Language {
    script.map_or(Language::Definitions, |script| script.language)
}

/// A script that takes more operations than its language allows.
pub(super) fn too_many_operations(script: Option<&Arc<FileIndex>>) -> Words {
    let most = language(script).most_operations() / 1_000_000;
    Words {
        message: format!("evaluation takes more than {most} million operations"),
        help: Some("is there a loop that does not end?".to_owned()),
    }
}

/// A variable that was not found when it was wanted, mostly `module::NAME`.
pub(super) fn unknown_variable(
    scripts: &Scripts,
    script: Option<&Arc<FileIndex>>,
    name: &str,
) -> Words {
    if let Some((alias, member)) = name.rsplit_once("::")
        && let Some((file, module)) = module_of(scripts, script, alias)
    {
        let names = declared_names(&module.text.text);
        let help = if names.contains(member) {
            Some(format!("write `export const {member} = …` in `{file}`"))
        } else {
            near(member, names)
        };
        return Words {
            message: format!("`{file}` exports no `{member}`"),
            help,
        };
    }
    undefined_name(script, name)
}

/// A function that was not found: misspelt, or called with what it does not take.
pub(super) fn unknown_function(
    scripts: &Scripts,
    script: Option<&Arc<FileIndex>>,
    signature: &str,
) -> Words {
    let (name, arguments) = signature.split_once(" (").unwrap_or((signature, ""));
    let arguments = split_types(arguments.trim_end_matches(')'));
    if let Some((alias, member)) = name.rsplit_once("::")
        && let Some((file, module)) = module_of(scripts, script, alias)
    {
        return unknown_member(file, module, member, arguments.len());
    }
    if !name.starts_with(|c: char| c.is_alphabetic() || c == '_') {
        return unknown_operator(name, &arguments);
    }
    if let Some(function) = language(script)
        .functions()
        .find(|function| function.name == name)
    {
        return Words {
            message: format!("`{name}` does not take {}", count(arguments.len())),
            help: Some(format!("write `{}`", signature_of(function))),
        };
    }
    let own = script
        .map(|script| script.functions.as_slice())
        .unwrap_or_default();
    let known = language(script).functions().map(|function| function.name);
    let known = known
        .chain(own.iter().map(|own| own.name.as_str()))
        .chain(BUILT_IN.iter().copied());
    if let Some(function) = own.iter().find(|function| function.name == name) {
        return wrong_count(name, function, arguments.len());
    }
    let given: Vec<&str> = arguments.iter().map(|name| describe_type(name)).collect();
    let message = if BUILT_IN.contains(&name) && !given.is_empty() {
        format!("`{name}` cannot be called on {}", given.join(", "))
    } else {
        format!("there is no function `{name}`")
    };
    Words {
        message,
        help: near(name, known),
    }
}

/// A function that a module does not export, or not with that many parameters.
fn unknown_member(file: &str, module: &FileIndex, member: &str, given: usize) -> Words {
    match module
        .functions
        .iter()
        .find(|function| function.name == member)
    {
        Some(function) if function.private => Words {
            message: format!("`{member}` is private to `{file}`"),
            help: None,
        },
        Some(function) => wrong_count(member, function, given),
        None => {
            let known = module.functions.iter().filter(|function| !function.private);
            Words {
                message: format!("`{file}` has no function `{member}`"),
                help: near(member, known.map(|function| function.name.as_str())),
            }
        }
    }
}

fn wrong_count(name: &str, function: &ScriptFunction, given: usize) -> Words {
    Words {
        message: format!("`{name}` does not take {}", count(given)),
        help: Some(format!("write `{name}({})`", function.params.join(", "))),
    }
}

/// A property of a value that has none of that name.
pub(super) fn unknown_property(text: &str) -> Words {
    // The interpreter's text is "Unknown property 'x' - a getter is not registered for type 'T'".
    let mut quoted = text.split('\'').skip(1).step_by(2);
    match (quoted.next(), quoted.next()) {
        (Some(name), Some(owner)) => Words {
            message: format!("{} has no field `{name}`", describe_type(owner)),
            help: near(name, ["name", "path", "len"]),
        },
        _ => Words {
            message: text.to_owned(),
            help: None,
        },
    }
}

/// How a function is called.
pub(super) fn signature_of(function: &Function) -> String {
    let params: Vec<String> = function
        .params
        .iter()
        .map(|param| match param.shape {
            Shape::Record(_) | Shape::Symbols => "#{ … }".to_owned(),
            Shape::List(_) => format!("[{}]", param.name),
            _ => param.name.to_owned(),
        })
        .collect();
    match params.split_first() {
        Some((receiver, rest)) if function.method => {
            format!("{receiver}.{}({})", function.name, rest.join(", "))
        }
        _ => format!("{}({})", function.name, params.join(", ")),
    }
}

fn unknown_operator(sign: &str, arguments: &[&str]) -> Words {
    let given: Vec<&str> = arguments.iter().map(|name| describe_type(name)).collect();
    let help = match sign {
        "&" | "|" | "!" if given.contains(&"a predicate") => {
            Some("both sides must be predicates: `cfg(\"A\") & cfg(\"B\")`".to_owned())
        }
        _ => None,
    };
    Words {
        message: format!("`{sign}` cannot be applied to {}", given.join(" and ")),
        help,
    }
}

fn count(arguments: usize) -> String {
    match arguments {
        0 => "no arguments".to_owned(),
        1 => "one argument".to_owned(),
        more => format!("{more} arguments"),
    }
}

/// Types in a signature; one of them has `|` in its name but none a comma.
fn split_types(arguments: &str) -> Vec<&str> {
    arguments
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .collect()
}

fn module_of<'a>(
    scripts: &'a Scripts,
    script: Option<&Arc<FileIndex>>,
    alias: &str,
) -> Option<(&'a String, &'a Arc<FileIndex>)> {
    let file = script?.imports.get(alias)?;
    scripts.get_key_value(file)
}

/// The words after `const`, `let`, `as` and `for` in a text: what it may have meant.
fn declared_names(text: &str) -> BTreeSet<&str> {
    let mut names = BTreeSet::new();
    let words = text.split(|c: char| !(c.is_alphanumeric() || c == '_'));
    let mut words = words.filter(|word| !word.is_empty());
    while let Some(word) = words.next() {
        if matches!(word, "const" | "let" | "as" | "for") {
            names.extend(words.next());
        }
    }
    names
}

/// Functions of the language that definitions use most, for "did you mean".
const BUILT_IN: &[&str] = &[
    "contains",
    "filter",
    "keys",
    "len",
    "map",
    "print",
    "push",
    "range",
    "replace",
    "sort",
    "split",
    "starts_with",
    "ends_with",
    "sub_string",
    "to_string",
    "to_upper",
    "to_lower",
    "trim",
    "type_of",
    "values",
];
