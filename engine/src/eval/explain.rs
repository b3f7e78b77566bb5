//! From the interpreter's errors to diagnostics: places of keys, chains of calls, words for people.

use std::collections::BTreeMap;
use std::sync::Arc;

use rhai::EvalAltResult;
use rhai::ParseErrorType;
use rhai::Position;

use crate::text::Diagnostic;
use crate::text::Label;
use crate::text::did_you_mean;

use super::handle::describe;
use super::handle::describe_type;
use super::limits::Ended;
use super::limits::MAX_CALL_LEVELS;
use super::limits::MAX_TIME;
use super::limits::MAX_VARIABLES;
use super::mistake::Mistake;
use super::mistake::Site;
use super::mistake::ValuePath;
use super::names;
use super::spans::FileIndex;

/// Most "called from here" lines: a deep recursion has many.
const MAX_TRACE: usize = 6;

/// The scripts of an evaluation, by path.
pub(super) type Scripts = BTreeMap<String, Arc<FileIndex>>;

/// A message with a help line.
pub(super) struct Words {
    /// What is wrong.
    pub message: String,
    /// The next step.
    pub help: Option<String>,
}

/// A place on the way to an error.
#[derive(Clone, Debug)]
struct Step {
    /// The call or import.
    site: Site,
    /// What of it is to be shown, if not its beginning.
    place: Option<Position>,
    /// What it did.
    how: &'static str,
}

/// The diagnostic of an error that ended the evaluation of `main`.
pub(super) fn diagnostic(scripts: &Scripts, main: &str, error: &EvalAltResult) -> Diagnostic {
    let (error, mut chain) = unwind(main, error);
    if let EvalAltResult::ErrorRuntime(value, _) = error
        && let Some(mistake) = value.clone().try_cast::<Mistake>()
    {
        // An operator does not know its place; the interpreter has added it.
        if !mistake.site.position.is_none() {
            chain[0].site = mistake.site.clone();
        }
        return of_mistake(scripts, &mistake, chain);
    }
    let words = words(scripts, &chain[0].site.source, error);
    finish(scripts, words, chain, None)
}

/// The innermost error, and the places on the way to it, innermost first.
fn unwind<'a>(main: &str, error: &'a EvalAltResult) -> (&'a EvalAltResult, Vec<Step>) {
    let (mut error, mut source) = (error, main.to_owned());
    let mut chain = Vec::new();
    loop {
        let (inside, inner, position, how) = match error {
            EvalAltResult::ErrorInFunctionCall(_, inside, inner, position) => {
                (inside, inner, *position, "called from here")
            }
            EvalAltResult::ErrorInModule(inside, inner, position) => {
                (inside, inner, *position, "imported from here")
            }
            _ => break,
        };
        chain.push(Step {
            site: Site {
                source: source.clone(),
                position,
            },
            place: None,
            how,
        });
        if !inside.is_empty() {
            source.clone_from(inside);
        }
        error = inner;
    }
    let site = Site {
        source,
        position: error.position(),
    };
    chain.push(Step {
        site,
        place: None,
        how: "called from here",
    });
    chain.reverse();
    (error, chain)
}

/// The diagnostic of a host function's mistake: at the key, wherever on the chain it is written.
fn of_mistake(scripts: &Scripts, mistake: &Mistake, mut chain: Vec<Step>) -> Diagnostic {
    let words = Words {
        message: mistake.message.clone(),
        help: mistake.help.clone(),
    };
    match find_key(scripts, mistake, &chain) {
        Some((0, place)) => chain[0].place = Some(place),
        Some((index, place)) => {
            let step = Step {
                place: Some(place),
                ..chain[index].clone()
            };
            chain.insert(0, step);
        }
        None => match only_key(scripts, &mistake.path) {
            Some(site) => chain.insert(
                0,
                Step {
                    site,
                    place: None,
                    how: "",
                },
            ),
            None => chain[0].place = nearest_parent(scripts, mistake, &chain[0].site),
        },
    }
    let earlier = mistake.earlier.as_deref().and_then(|(site, path, text)| {
        let index = scripts.get(&site.source)?;
        let place = index
            .value_in_call(site.position, path)
            .unwrap_or(site.position);
        Some(label(index, place, text))
    });
    finish(scripts, words, chain, earlier)
}

/// Where on the chain the key of a mistake is written: the call itself, or one that hands it in.
fn find_key(scripts: &Scripts, mistake: &Mistake, chain: &[Step]) -> Option<(usize, Position)> {
    if mistake.path.is_empty() {
        return None;
    }
    let in_file = |step: &Step| scripts.get(&step.site.source);
    let exact = in_file(&chain[0])?.value_in_call(chain[0].site.position, &mistake.path);
    if let Some(place) = exact {
        return Some((0, place));
    }
    if mistake.path.len() < 2 {
        return None;
    }
    chain.iter().enumerate().skip(1).find_map(|(index, step)| {
        let place = in_file(step)?.key_in_call(step.site.position, &mistake.path)?;
        Some((index, place))
    })
}

/// The key as it is written outside of any call on the chain, if there is only one of its name.
fn only_key(scripts: &Scripts, path: &ValuePath) -> Option<Site> {
    let key = path
        .get(1..)?
        .iter()
        .rev()
        .find(|step| !step.bytes().all(|b| b.is_ascii_digit()))?;
    let mut places = scripts.iter().flat_map(|(source, index)| {
        index
            .keys_named(key)
            .map(move |position| (source, position))
    });
    let (source, position) = places.next()?;
    places.next().is_none().then(|| Site {
        source: source.clone(),
        position,
    })
}

/// The nearest value around the one that is wrong which the call has in writing.
fn nearest_parent(scripts: &Scripts, mistake: &Mistake, site: &Site) -> Option<Position> {
    let index = scripts.get(&site.source)?;
    (1..mistake.path.len())
        .rev()
        .find_map(|length| index.value_in_call(site.position, &mistake.path[..length]))
}

/// Lays out the places: the first outside the standard library is to blame, the rest led there.
fn finish(scripts: &Scripts, words: Words, chain: Vec<Step>, earlier: Option<Label>) -> Diagnostic {
    let mut labels: Vec<Label> = Vec::new();
    for Step { site, place, how } in chain {
        let position = place.unwrap_or(site.position);
        let known = scripts.get(&site.source).filter(|_| !position.is_none());
        let Some(index) = known.filter(|_| !site.source.starts_with("std/")) else {
            continue;
        };
        let text = if labels.is_empty() { "" } else { how };
        let label = label(index, position, text);
        let seen =
            |other: &Label| other.span == label.span && other.source.name == label.source.name;
        if !labels.iter().any(seen) {
            labels.push(label);
        }
    }
    let mut trace = labels.split_off(labels.len().min(1));
    if trace.len() > MAX_TRACE {
        trace.drain(MAX_TRACE / 2..trace.len() - MAX_TRACE / 2);
    }
    labels.extend(earlier);
    Diagnostic {
        message: words.message,
        labels,
        help: words.help,
        trace,
    }
}

fn label(index: &FileIndex, position: Position, text: &str) -> Label {
    Label {
        source: index.text.clone(),
        span: index.span(position),
        text: text.to_owned(),
    }
}

/// What an error of the interpreter means.
fn words(scripts: &Scripts, source: &str, error: &EvalAltResult) -> Words {
    use EvalAltResult as E;
    let script = scripts.get(source);
    let (message, help) = match error {
        E::ErrorParsing(kind, position) => return parse_words(script, kind, *position),
        E::ErrorVariableNotFound(name, _) => return names::unknown_variable(scripts, script, name),
        E::ErrorFunctionNotFound(signature, _) => {
            return names::unknown_function(scripts, script, signature);
        }
        E::ErrorMismatchDataType(wanted, given, _)
        | E::ErrorMismatchOutputType(wanted, given, _) => {
            return mismatch(wanted, given);
        }
        E::ErrorPropertyNotFound(name, _) => (
            format!("there is no field `{name}`"),
            Some("`value?.field ?? default` allows for its absence".to_owned()),
        ),
        E::ErrorDotExpr(text, _) => return names::unknown_property(text),
        E::ErrorRuntime(value, _) if value.is_string() => (value.to_string(), None),
        E::ErrorRuntime(value, _) if value.is_unit() => {
            ("`throw` without a message".to_owned(), None)
        }
        E::ErrorRuntime(value, _) => (format!("{} was thrown", describe(value)), None),
        E::ErrorTooManyOperations(_) => return names::too_many_operations(script),
        E::ErrorStackOverflow(_) => (
            format!("functions call each other more than {MAX_CALL_LEVELS} levels deep"),
            Some("is there a recursion that does not end?".to_owned()),
        ),
        E::ErrorTooManyVariables(_) => (
            format!("more than {MAX_VARIABLES} variables are in scope"),
            Some("declare families of things in loops".to_owned()),
        ),
        E::ErrorTooManyModules(_) => ("too many modules are imported".to_owned(), None),
        E::ErrorDataTooLarge(what, _) => (
            format!("{} grows too large", data_words(what)),
            Some("definitions are for declarations; keep large data in files".to_owned()),
        ),
        E::ErrorTerminated(reason, _) => match reason.clone().try_cast::<Ended>() {
            Some(Ended::Over) => ("the exploration is over".to_owned(), None),
            Some(Ended::Memory) => (
                "evaluation takes more than 1 GiB of memory".to_owned(),
                Some("definitions are for declarations; keep large data in files".to_owned()),
            ),
            _ => (
                format!("evaluation takes more than {} seconds", MAX_TIME.as_secs()),
                Some("is there a loop that does not end?".to_owned()),
            ),
        },
        E::ErrorArrayBounds(count, index, _) => (
            format!("a list of {count} elements has no element {index}"),
            None,
        ),
        E::ErrorIndexNotFound(index, _) => {
            (format!("there is no element {}", describe(index)), None)
        }
        E::ErrorFor(_) => (
            "`for` needs a list, a map's `.keys()` or a range".to_owned(),
            None,
        ),
        E::ErrorAssignmentToConstant(name, _) => (
            format!("`{name}` is a constant"),
            Some("`.extend(#{ … })` gives a changed copy".to_owned()),
        ),
        E::ErrorNonPureMethodCallOnConstant(name, _) => (
            format!("`{name}` would change a constant"),
            Some("copy it into a `let` first".to_owned()),
        ),
        other => {
            let text = other.to_string();
            (
                lower_first(text.split(" (line ").next().unwrap_or_default()),
                None,
            )
        }
    };
    Words { message, help }
}

fn data_words(what: &str) -> &'static str {
    let what = what.to_lowercase();
    if what.contains("string") {
        "a string"
    } else if what.contains("array") {
        "a list"
    } else {
        "a map"
    }
}

fn mismatch(wanted: &str, given: &str) -> Words {
    let (wanted, given) = (describe_type(wanted), describe_type(given));
    let help = (wanted == "`true` or `false`" && given == "a predicate").then(|| {
        "predicates are data, decided when a .config is known: join them with `&`, `|` and `!`"
            .to_owned()
    });
    Words {
        message: format!("expected {wanted}, found {given}"),
        help,
    }
}

fn parse_words(
    script: Option<&Arc<FileIndex>>,
    kind: &ParseErrorType,
    position: Position,
) -> Words {
    use ParseErrorType as P;
    let help = match kind {
        P::VariableUndefined(name) | P::ModuleUndefined(name) => {
            return names::undefined_name(script, name);
        }
        P::Reserved(word) => Some(format!(
            "`{word}` is a word of the language: choose another name"
        )),
        P::ExprTooDeep => Some("give parts of it names with `const`".to_owned()),
        P::PropertyExpected => script
            .filter(|script| {
                script.text.text[script.span(position)].starts_with(|c: char| c.is_ascii_digit())
            })
            .map(|_| "numbers are whole: there is no `1.5`".to_owned()),
        P::AssignmentToConstant(_) => {
            Some("`.extend(#{ … })` gives a changed copy of a map".to_owned())
        }
        P::MissingToken(token, _) if token == ";" => Some("statements end with `;`".to_owned()),
        P::FnMissingParams(_) | P::WrongFnDefinition => {
            Some("functions are declared at the top of a file: `fn name(a, b) { … }`".to_owned())
        }
        _ => None,
    };
    let message = match kind {
        P::Reserved(word) => format!("`{word}` cannot be used as a name"),
        P::ExprTooDeep => "the expression is nested too deeply".to_owned(),
        P::DuplicatedProperty(name) => format!("the key `{name}` is there twice"),
        P::VariableExists(name) => format!("`{name}` is declared twice"),
        P::AssignmentToConstant(name) => format!("`{name}` is a constant"),
        P::UnexpectedEOF => "the file ends too early".to_owned(),
        other => lower_first(&other.to_string()),
    };
    Words { message, help }
}

/// The interpreter's own words in our style.
fn lower_first(text: &str) -> String {
    let text = text.trim_end_matches('.').replace('\'', "`");
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_lowercase().chain(chars).collect(),
        None => text,
    }
}

/// The nearest of some names, as a help line.
pub(super) fn near<'a>(written: &str, names: impl IntoIterator<Item = &'a str>) -> Option<String> {
    did_you_mean(written, names).map(|name| format!("did you mean `{name}`?"))
}
