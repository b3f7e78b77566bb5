//! Why a symbol is not what was asked for, and what would have to be set first.

use std::collections::BTreeMap;

use super::Config;
use super::Value;
use super::expression::Expression;
use super::expression::Tristate;
use super::tree::Definition;
use super::tree::Tree;
use crate::text::did_you_mean;

/// How many of several symbols are named.
const NAMED: usize = 4;
/// How far dependencies of dependencies are followed.
const DEEPEST: usize = 32;

impl Tree {
    /// Whether the arch of the tree defines a symbol.
    pub fn defines(&self, symbol: &str) -> bool {
        self.definitions.contains_key(symbol)
    }

    /// The symbol that a name which is none was probably meant to be.
    pub fn similar(&self, symbol: &str) -> Option<&str> {
        did_you_mean(symbol, self.definitions.keys().map(String::as_str))
    }

    /// What keeps a symbol from a value, where its Kconfig files say it.
    pub fn blame(&self, symbol: &str, wanted: &Value, config: &Config) -> Option<String> {
        if *wanted == Value::No {
            return self.selecters(symbol, config);
        }
        let definitions = self.definitions.get(symbol)?;
        let mut told: Vec<String> = Vec::new();
        for definition in definitions {
            let least = least(definition, wanted);
            let place = &definition.place;
            let unmet = unmet(&definition.depends, least, config);
            if !unmet.is_empty() {
                told.push(dependencies("depends on", &unmet, config, place));
            } else if let Some(chosen) = self.chosen_instead(definition, symbol, config) {
                told.push(format!(
                    "the choice it is one of takes `{chosen}` ({place})"
                ));
            } else if let Some(conditions) = &definition.prompt {
                let conditions = unmet_of(conditions, least, config);
                if conditions.is_empty() {
                    // Kconfig must have had a reason that is not in the files.
                    return None;
                }
                told.push(dependencies(
                    "can be set only if",
                    &conditions,
                    config,
                    place,
                ));
            } else {
                let by = self.selected_by(symbol);
                told.push(format!("it cannot be set, only selected{by} ({place})"));
            }
        }
        // With several definitions any would do, so the one that lacks least is told.
        told.into_iter().min_by_key(String::len)
    }

    /// What must be set so that a symbol can be, where its dependencies are plain symbols, those of theirs included. Empty where they are
    /// not, or nothing is missing.
    pub fn missing(
        &self,
        symbol: &str,
        wanted: &Value,
        config: &Config,
    ) -> BTreeMap<String, Value> {
        let mut found = BTreeMap::new();
        if !self.follow(symbol, wanted, config, &mut found, 0) {
            found.clear();
        }
        found.remove(symbol);
        found
    }

    fn follow(
        &self,
        symbol: &str,
        wanted: &Value,
        config: &Config,
        found: &mut BTreeMap<String, Value>,
        depth: usize,
    ) -> bool {
        let Some(definitions) = self.definitions.get(symbol).filter(|_| depth < DEEPEST) else {
            return false;
        };
        definitions.iter().any(|definition| {
            let Some(conditions) = &definition.prompt else {
                return false;
            };
            let least = least(definition, wanted);
            let before = found.clone();
            let parts = definition.depends.iter().chain(conditions).cloned();
            let parts: Vec<Expression> = parts.flat_map(Expression::conjunction).collect();
            let plain = unmet_of(&parts, least, config).iter().all(|part| {
                let (symbol, value) = match part {
                    Expression::Symbol(symbol) => (symbol, Value::Yes),
                    Expression::Not(inner) => match &**inner {
                        Expression::Symbol(symbol) => (symbol, Value::No),
                        _ => return false,
                    },
                    _ => return false,
                };
                if let Some(set) = found.get(symbol) {
                    return *set == value;
                }
                found.insert(symbol.clone(), value.clone());
                value == Value::No || self.follow(symbol, &value, config, found, depth + 1)
            });
            if !plain {
                *found = before;
            }
            plain
        })
    }

    /// The symbols that keep another on.
    fn selecters(&self, symbol: &str, config: &Config) -> Option<String> {
        let selects = self.selects.get(symbol)?.iter();
        let on = |expression: &Expression| expression.value(config) != Some(Tristate::No);
        let mut names: Vec<&str> = selects
            .filter(|select| {
                on(&Expression::Symbol(select.by.clone())) && select.when.as_ref().is_none_or(on)
            })
            .map(|select| select.by.as_str())
            .collect();
        names.dedup();
        (!names.is_empty()).then(|| format!("selected by {}", listed(&names)))
    }

    /// The symbol that is on in the same choice.
    fn chosen_instead(
        &self,
        definition: &Definition,
        symbol: &str,
        config: &Config,
    ) -> Option<&str> {
        let members = self.choices.get(definition.choice?)?.iter();
        let mut others = members.filter(|member| *member != symbol);
        others
            .find(|member| config.is_enabled(member))
            .map(String::as_str)
    }

    /// ` by A, B`, or nothing.
    fn selected_by(&self, symbol: &str) -> String {
        let selects = self.selects.get(symbol).into_iter().flatten();
        let mut names: Vec<&str> = selects.map(|select| select.by.as_str()).collect();
        names.dedup();
        if names.is_empty() {
            return String::new();
        }
        format!(" by {}", listed(&names))
    }
}

/// What dependencies must come to at least: one on a module makes a symbol a module at most, unless that is one of two values.
fn least(definition: &Definition, wanted: &Value) -> Tristate {
    if *wanted == Value::Yes && definition.tristate {
        Tristate::Yes
    } else {
        Tristate::Module
    }
}

/// The parts that do not come to as much.
fn unmet(depends: &[Expression], least: Tristate, config: &Config) -> Vec<Expression> {
    let parts = depends.iter().cloned().flat_map(Expression::conjunction);
    unmet_of(&parts.collect::<Vec<_>>(), least, config)
}

fn unmet_of(parts: &[Expression], least: Tristate, config: &Config) -> Vec<Expression> {
    let mut unmet: Vec<Expression> = Vec::new();
    for part in parts {
        let lacks = part.value(config).is_some_and(|value| value < least);
        if lacks && !unmet.contains(part) {
            unmet.push(part.clone());
        }
    }
    unmet
}

/// ``depends on `A` and `B`, which are not set (drivers/x/Kconfig:3)``.
fn dependencies(how: &str, unmet: &[Expression], config: &Config, place: &str) -> String {
    let (mut off, mut others) = (Vec::new(), Vec::new());
    for part in unmet {
        match part {
            Expression::Symbol(symbol) => match config.get(symbol) {
                None | Some(Value::No) => off.push(format!("`{symbol}`")),
                Some(value) => others.push(format!("`{symbol}`, which is `{value}`")),
            },
            part => others.push(format!("`{part}`")),
        }
    }
    let last = off.pop();
    let told = last.map(|last| match &off[..] {
        [] => format!("{last}, which is not set"),
        first => format!("{} and {last}, which are not set", first.join(", ")),
    });
    let told: Vec<String> = told.into_iter().chain(others).collect();
    format!("{how} {} ({place})", told.join("; "))
}

fn listed(names: &[&str]) -> String {
    let mut told: Vec<String> = names
        .iter()
        .take(NAMED)
        .map(|name| format!("`{name}`"))
        .collect();
    if names.len() > NAMED {
        told.push(format!("{} more", names.len() - NAMED));
    }
    told.join(", ")
}

#[cfg(test)]
mod tests {
    use super::super::tree::tests::tree;
    use super::*;

    #[test]
    fn reasons_name_what_is_missing() {
        let config = Config::parse(
            "CONFIG_HAS_IOMEM=y\nCONFIG_X86=y\nCONFIG_HZ_250=y\nCONFIG_EXPERT=y\nCONFIG_DEBUG_KERNEL=y\nCONFIG_PCI=m\n",
        )
        .unwrap();
        let tree = tree();
        let told = [
            ("ATA_PIIX", Value::Yes),
            ("ATA", Value::Module),
            ("DEBUG_KERNEL", Value::No),
            ("HZ_100", Value::Yes),
            ("HIDDEN", Value::Yes),
            ("X86", Value::Module),
            ("NOPE", Value::Yes),
        ]
        .map(|(symbol, wanted)| {
            let why = tree.blame(symbol, &wanted, &config).unwrap_or_default();
            let missing = tree.missing(symbol, &wanted, &config);
            format!("{symbol}={wanted}: {why} {missing:?}")
        });
        insta::assert_snapshot!(told.join("\n"), @r#"
        ATA_PIIX=y: depends on `BLOCK` and `ATA`, which are not set (Kconfig:22) {"ATA": Yes, "BLOCK": Yes, "PCI": Yes}
        ATA=m: depends on `BLOCK`, which is not set (Kconfig:17) {"BLOCK": Yes}
        DEBUG_KERNEL=n: selected by `EXPERT` {}
        HZ_100=y: the choice it is one of takes `HZ_250` (Kconfig:31) {}
        HIDDEN=y: can be set only if `!EXPERT` (Kconfig:41) {"EXPERT": No}
        X86=m: it cannot be set, only selected (arch/x86/Kconfig:1) {}
        NOPE=y:  {}
        "#);
        assert_eq!(tree.similar("ATA_PIX"), Some("ATA_PIIX"));
    }
}
