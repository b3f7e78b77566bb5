//! Fixups: written for kconfig, and checked afterwards against what kconfig made of them.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::Serialize;

use super::Config;
use super::Value;
use super::config::write_line;

/// What became of one symbol that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FixupOutcome {
    /// Name without `CONFIG_`.
    pub symbol: String,
    /// What was asked for.
    pub wanted: Value,
    /// What the final .config says, where it speaks of the symbol.
    pub found: Option<Value>,
    /// Whether they are the same; an absent symbol is the same as `n`.
    pub kept: bool,
    /// Whether any Kconfig file of the source defines the symbol.
    pub known: bool,
}

/// Gives the .config lines that ask for these values, for `KCONFIG_ALLCONFIG` or to append before
/// `olddefconfig`: sorted by symbol, each once, of two values for a symbol the later.
pub fn fragment<'a>(symbols: impl IntoIterator<Item = (&'a str, &'a Value)>) -> String {
    let last: BTreeMap<&str, &Value> = symbols.into_iter().collect();
    let mut text = String::new();
    for (symbol, value) in last {
        write_line(&mut text, symbol, value);
    }
    text
}

/// Compares what was asked for with the final .config, in the order given. `known` says whether
/// the source defines a symbol (see [`super::symbols_defined`]).
pub fn check<'a>(
    wanted: impl IntoIterator<Item = (&'a str, &'a Value)>,
    config: &Config,
    known: &dyn Fn(&str) -> bool,
) -> Vec<FixupOutcome> {
    let outcome = |(symbol, wanted): (&str, &Value)| {
        let found = config.get(symbol).cloned();
        FixupOutcome {
            symbol: symbol.to_owned(),
            wanted: wanted.clone(),
            kept: found.as_ref().unwrap_or(&Value::No) == wanted,
            // What kconfig wrote it knows, whatever the scan of the source missed.
            known: found.is_some() || known(symbol),
            found,
        }
    };
    wanted.into_iter().map(outcome).collect()
}

/// Says for people what was asked, what came, and where that usually comes from.
impl fmt::Display for FixupOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: asked `{}`, ", self.symbol, self.wanted)?;
        match &self.found {
            Some(found) => write!(f, "got `{found}`")?,
            None => f.write_str("got nothing")?,
        }
        match (self.kept, self.known, &self.wanted, &self.found) {
            (_, false, ..) => f.write_str(": this source has no such symbol"),
            (true, ..) => Ok(()),
            (false, true, _, None | Some(Value::No)) => {
                f.write_str(": dropped, a dependency is not met or a choice is made otherwise")
            }
            (false, true, Value::No, Some(_)) => {
                f.write_str(": another symbol selects it, or it cannot be switched off")
            }
            (false, true, ..) => {
                f.write_str(": overridden by what it depends on or is selected by")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fragment_has_each_symbol_once_and_sorted() {
        let text = Value::Text("console=ttyS0 \"x\"".into());
        let symbols = [
            ("TTY", &Value::Yes),
            ("CMDLINE", &text),
            ("MODULES", &Value::Yes),
            ("MODULES", &Value::No),
        ];
        insta::assert_snapshot!(fragment(symbols), @r#"
        CONFIG_CMDLINE="console=ttyS0 \"x\""
        # CONFIG_MODULES is not set
        CONFIG_TTY=y
        "#);
    }

    #[test]
    fn outcomes_tell_unknown_from_dropped_from_overridden() {
        let config = Config::parse(
            "CONFIG_TTY=y\nCONFIG_EXT4_FS=m\n# CONFIG_NET is not set\nCONFIG_PRINTK=y\n",
        )
        .unwrap();
        let wanted = [
            ("TTY", &Value::Yes),
            ("EXT4_FS", &Value::Yes),
            ("NET", &Value::Yes),
            ("SERIAL_8250_DW", &Value::Yes),
            ("SERIAL_8250_GSC", &Value::Yes),
            ("PRINTK", &Value::No),
            ("MODULES", &Value::No),
            ("NO_SUCH", &Value::No),
        ];
        let known = |symbol: &str| !matches!(symbol, "SERIAL_8250_GSC" | "NO_SUCH");
        let outcomes = check(wanted, &config, &known);
        let lines: Vec<String> = outcomes.iter().map(ToString::to_string).collect();
        insta::assert_snapshot!(lines.join("\n"), @"
        `TTY`: asked `y`, got `y`
        `EXT4_FS`: asked `y`, got `m`: overridden by what it depends on or is selected by
        `NET`: asked `y`, got `n`: dropped, a dependency is not met or a choice is made otherwise
        `SERIAL_8250_DW`: asked `y`, got nothing: dropped, a dependency is not met or a choice is made otherwise
        `SERIAL_8250_GSC`: asked `y`, got nothing: this source has no such symbol
        `PRINTK`: asked `n`, got `y`: another symbol selects it, or it cannot be switched off
        `MODULES`: asked `n`, got nothing
        `NO_SUCH`: asked `n`, got nothing: this source has no such symbol
        ");
        let kept: Vec<&str> = outcomes
            .iter()
            .filter(|outcome| outcome.kept)
            .map(|o| o.symbol.as_str())
            .collect();
        assert_eq!(kept, ["TTY", "MODULES", "NO_SUCH"]);
    }
}
