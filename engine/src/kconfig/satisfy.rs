//! From a predicate to symbols that meet it, by range of kernel versions.
//!
//! Between two versions that the predicate asks about, every `since` is decided, so each such range is
//! solved alone: what must hold first, then each choice that is still open by its first alternative that
//! contradicts nothing, going back where a later one cannot be met.

use std::collections::BTreeMap;

use thiserror::Error;

use super::Predicate;
use super::Value;
use super::Version;
use super::Versions;

/// Symbols to set for sources in a range of kernel versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignments {
    /// The range.
    pub versions: Versions,
    /// Symbol without `CONFIG_` to its value.
    pub symbols: BTreeMap<String, Value>,
}

/// Why no symbols meet a predicate.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Unmet {
    /// No value to set follows from this part.
    #[error("no value of a symbol follows from `{0}`")]
    Open(String),
    /// Two parts ask for different values.
    #[error("`{0}` and `{1}` contradict each other")]
    Contradiction(String, String),
    /// A choice without alternatives.
    #[error("nothing can meet an empty choice")]
    Empty,
    /// Every kernel version is ruled out.
    #[error("no kernel version meets it")]
    Versions,
    /// Too many combinations of alternatives.
    #[error("it has too many combinations of alternatives")]
    TooMany,
}

/// Most alternatives tried for one predicate.
const MOST_TRIES: usize = 5_000;

/// The symbols that make a .config meet a predicate, as few ranges as there can be; a range that the
/// predicate rules out has none.
pub fn satisfy(predicate: &Predicate) -> Result<Vec<Assignments>, Unmet> {
    let mut starts = vec![Version::default()];
    collect_versions(predicate, &mut starts);
    starts.sort();
    starts.dedup();
    let mut tries = MOST_TRIES;
    let mut solved = Vec::with_capacity(starts.len());
    for start in &starts {
        let mut search = Search {
            version: start,
            tries: &mut tries,
        };
        match search.meet(vec![(predicate, false)], Vec::new(), BTreeMap::new()) {
            Ok(chosen) => solved.push(Some(chosen)),
            Err(Unmet::Versions) => solved.push(None),
            Err(unmet) => return Err(unmet),
        }
    }
    if solved.iter().all(Option::is_none) {
        return Err(Unmet::Versions);
    }
    Ok(joined(&starts, &solved))
}

/// Gives each assignment the longest ranges in which it is needed, and joins those of equal range.
fn joined(starts: &[Version], solved: &[Option<Chosen<'_>>]) -> Vec<Assignments> {
    let mut ranges: BTreeMap<(usize, usize), BTreeMap<String, Value>> = BTreeMap::new();
    let mut open: BTreeMap<(&str, &Value), usize> = BTreeMap::new();
    for end in 0..=solved.len() {
        let now = solved.get(end).and_then(Option::as_ref);
        let wants = |symbol: &str, value: &Value| {
            let choice = now.and_then(|chosen| chosen.get(symbol));
            choice.is_some_and(|choice| choice.values.first() == Some(value))
        };
        open.retain(|(symbol, value), start| {
            let stays = wants(symbol, value);
            if !stays {
                let symbols = ranges.entry((*start, end)).or_default();
                symbols.insert((*symbol).to_owned(), (*value).clone());
            }
            stays
        });
        for (symbol, choice) in now.into_iter().flatten() {
            if let Some(value) = choice.values.first() {
                open.entry((symbol, value)).or_insert(end);
            }
        }
    }
    let assignments = |((start, end), symbols): ((usize, usize), _)| Assignments {
        versions: Versions {
            since: starts.get(start).filter(|_| start > 0).cloned(),
            before: starts.get(end).cloned(),
        },
        symbols,
    };
    ranges.into_iter().map(assignments).collect()
}

fn collect_versions(predicate: &Predicate, versions: &mut Vec<Version>) {
    match predicate {
        Predicate::Since(version) => versions.push(version.clone()),
        Predicate::Not(inner) => collect_versions(inner, versions),
        Predicate::All(parts) | Predicate::Any(parts) => {
            for part in parts {
                collect_versions(part, versions);
            }
        }
        Predicate::BuiltIn(_)
        | Predicate::Module(_)
        | Predicate::Enabled(_)
        | Predicate::Is(..) => {}
    }
}

/// A part and whether it is negated.
type Goal<'p> = (&'p Predicate, bool);

/// What was chosen so far, by symbol.
type Chosen<'p> = BTreeMap<&'p str, Choice<'p>>;

/// The values a symbol may still have, the best one first, and a part that asked for them.
#[derive(Clone)]
struct Choice<'p> {
    values: Vec<Value>,
    by: Goal<'p>,
}

struct Search<'a> {
    version: &'a Version,
    tries: &'a mut usize,
}

impl Search<'_> {
    /// Meets all goals, then the choices that came up on the way.
    fn meet<'p>(
        &mut self,
        mut goals: Vec<Goal<'p>>,
        mut choices: Vec<Goal<'p>>,
        mut chosen: Chosen<'p>,
    ) -> Result<Chosen<'p>, Unmet> {
        while let Some(goal) = goals.pop() {
            match goal {
                (Predicate::Not(inner), negated) => goals.push((inner, !negated)),
                (Predicate::Since(version), negated) => {
                    if (self.version >= version) == negated {
                        return Err(Unmet::Versions);
                    }
                }
                (Predicate::All(parts), false) | (Predicate::Any(parts), true) => {
                    // The last goal is taken first.
                    goals.extend(parts.iter().rev().map(|part| (part, goal.1)));
                }
                (Predicate::All(_), true) | (Predicate::Any(_), false) => choices.push(goal),
                literal => restrict(&mut chosen, literal)?,
            }
        }
        if choices.is_empty() {
            return Ok(chosen);
        }
        let (choice, negated) = choices.remove(0);
        let (Predicate::All(parts) | Predicate::Any(parts)) = choice else {
            return Ok(chosen);
        };
        if parts
            .iter()
            .any(|part| self.is_met((part, negated), &chosen))
        {
            return self.meet(Vec::new(), choices, chosen);
        }
        let mut unmet: Option<Unmet> = None;
        for part in parts {
            *self.tries = self.tries.checked_sub(1).ok_or(Unmet::TooMany)?;
            match self.meet(vec![(part, negated)], choices.clone(), chosen.clone()) {
                Err(Unmet::TooMany) => return Err(Unmet::TooMany),
                // A kernel version says less about why than symbols do.
                Err(why) => match &unmet {
                    None | Some(Unmet::Versions) => unmet = Some(why),
                    Some(_) => {}
                },
                met => return met,
            }
        }
        Err(unmet.unwrap_or(Unmet::Empty))
    }
}

impl Search<'_> {
    /// Whether a goal holds with every value that is left.
    fn is_met(&self, goal: Goal<'_>, chosen: &Chosen<'_>) -> bool {
        match goal {
            (Predicate::Not(inner), negated) => self.is_met((inner, !negated), chosen),
            (Predicate::Since(version), negated) => (self.version >= version) != negated,
            (Predicate::All(parts), false) | (Predicate::Any(parts), true) => {
                parts.iter().all(|part| self.is_met((part, goal.1), chosen))
            }
            (Predicate::All(parts), true) | (Predicate::Any(parts), false) => {
                parts.iter().any(|part| self.is_met((part, goal.1), chosen))
            }
            literal => allowed(literal).is_some_and(|(symbol, values)| {
                let choice = chosen.get(symbol);
                choice.is_some_and(|choice| choice.values.iter().all(|v| values.contains(v)))
            }),
        }
    }
}

/// The symbol of a literal and the values with which it holds, the best one first; `None` where these
/// cannot be listed.
fn allowed((literal, negated): Goal<'_>) -> Option<(&str, Vec<Value>)> {
    use Value::Module as M;
    use Value::No as N;
    use Value::Yes as Y;
    let (symbol, values) = match (literal, negated) {
        (Predicate::BuiltIn(symbol), false) => (symbol, vec![Y]),
        (Predicate::BuiltIn(symbol) | Predicate::Is(symbol, Y), true) => (symbol, vec![N, M]),
        (Predicate::Module(symbol), false) => (symbol, vec![M]),
        (Predicate::Module(symbol) | Predicate::Is(symbol, M), true) => (symbol, vec![N, Y]),
        (Predicate::Enabled(symbol), false) | (Predicate::Is(symbol, N), true) => {
            (symbol, vec![Y, M])
        }
        (Predicate::Enabled(symbol), true) => (symbol, vec![N]),
        (Predicate::Is(symbol, value), false) => (symbol, vec![value.clone()]),
        _ => return None,
    };
    Some((symbol, values))
}

/// Leaves a symbol the values with which a literal holds.
fn restrict<'p>(chosen: &mut Chosen<'p>, goal: Goal<'p>) -> Result<(), Unmet> {
    let (symbol, values) = allowed(goal).ok_or_else(|| Unmet::Open(shown(goal)))?;
    let Some(choice) = chosen.get_mut(symbol) else {
        chosen.insert(symbol, Choice { values, by: goal });
        return Ok(());
    };
    choice.values.retain(|value| values.contains(value));
    if choice.values.is_empty() {
        return Err(Unmet::Contradiction(shown(choice.by), shown(goal)));
    }
    Ok(())
}

fn shown((predicate, negated): Goal<'_>) -> String {
    if negated {
        (!predicate.clone()).to_string()
    } else {
        predicate.to_string()
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    fn cfg(symbol: &str) -> Predicate {
        Predicate::built_in(symbol)
    }

    fn since(version: &str) -> Predicate {
        Predicate::Since(version.parse().unwrap())
    }

    #[test]
    fn parts_become_symbols_and_ranges() {
        let is = |symbol: &str, value: Value| Predicate::Is(symbol.to_owned(), value);
        let enabled = |symbol: &str| Predicate::Enabled(symbol.to_owned());
        let predicates = [
            cfg("A")
                & Predicate::Module("B".into())
                & enabled("C")
                & is("D", Value::from(64))
                & !cfg("E"),
            (cfg("A") | cfg("B")) & !cfg("A"),
            (cfg("A") | cfg("B") | cfg("C")) & cfg("B"),
            (cfg("A") & cfg("B") | cfg("C")) & (!cfg("B") | cfg("D")),
            enabled("A") & !cfg("A"),
            (since("6.5") & cfg("NEW")) | (!since("6.5") & cfg("OLD")),
            cfg("A") & (!since("6.5") | cfg("NEW")),
            cfg("A") & since("6.5"),
            (since("6.1") & !since("6.5") & cfg("A")) | (since("6.8") & cfg("A")),
            Predicate::All(vec![]),
            cfg("A") & !cfg("A"),
            cfg("A") & !is("N", Value::from(64)),
            cfg("A") & Predicate::Any(vec![]),
            since("6.5") & !since("6.1"),
            (since("6.5") & cfg("A")) | (cfg("B") & !cfg("B")),
        ];
        let mut text = String::new();
        for predicate in &predicates {
            let _ = writeln!(text, "{predicate}");
            match satisfy(predicate) {
                Err(unmet) => {
                    let _ = writeln!(text, "    error: {unmet}");
                }
                Ok(parts) => {
                    for part in parts {
                        let Versions { since, before } = part.versions;
                        let range = format!("{since:?}..{before:?}");
                        let _ = writeln!(text, "    {range} {:?}", part.symbols);
                    }
                }
            }
        }
        insta::assert_snapshot!(text, @r#"
        cfg("A") & cfg("B").module() & cfg("C").enabled() & cfg("D").is(64) & !cfg("E")
            None..None {"A": Yes, "B": Module, "C": Yes, "D": Number("64"), "E": No}
        (cfg("A") | cfg("B")) & !cfg("A")
            None..None {"A": No, "B": Yes}
        (cfg("A") | cfg("B") | cfg("C")) & cfg("B")
            None..None {"B": Yes}
        (cfg("A") & cfg("B") | cfg("C")) & (!cfg("B") | cfg("D"))
            None..None {"A": Yes, "B": Yes, "D": Yes}
        cfg("A").enabled() & !cfg("A")
            None..None {"A": Module}
        since("6.5") & cfg("NEW") | !since("6.5") & cfg("OLD")
            None..Some(6.5) {"OLD": Yes}
            Some(6.5)..None {"NEW": Yes}
        cfg("A") & (!since("6.5") | cfg("NEW"))
            None..None {"A": Yes}
            Some(6.5)..None {"NEW": Yes}
        cfg("A") & since("6.5")
            Some(6.5)..None {"A": Yes}
        since("6.1") & !since("6.5") & cfg("A") | since("6.8") & cfg("A")
            Some(6.1)..Some(6.5) {"A": Yes}
            Some(6.8)..None {"A": Yes}
        all_of([])
        cfg("A") & !cfg("A")
            error: `cfg("A")` and `!cfg("A")` contradict each other
        cfg("A") & !cfg("N").is(64)
            error: no value of a symbol follows from `!cfg("N").is(64)`
        cfg("A") & any_of([])
            error: nothing can meet an empty choice
        since("6.5") & !since("6.1")
            error: no kernel version meets it
        since("6.5") & cfg("A") | cfg("B") & !cfg("B")
            error: `cfg("B")` and `!cfg("B")` contradict each other
        "#);
    }

    #[test]
    fn many_alternatives_end() {
        let clash = |index: usize| {
            let symbol = format!("X{index}");
            cfg(&symbol) | Predicate::Module(symbol)
        };
        let many = (0..40).map(clash).collect::<Vec<_>>();
        let never = (cfg("A") & cfg("B")) | (cfg("A") & cfg("C"));
        let not = !cfg("A") | (!cfg("B") & !cfg("C"));
        let predicate =
            Predicate::All(many) & never & not & (cfg("D") | cfg("E")) & !(cfg("D") | cfg("E"));
        assert!(satisfy(&predicate).is_err());
    }
}
