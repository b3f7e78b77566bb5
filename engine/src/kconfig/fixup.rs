//! Fixups: written for kconfig, and checked afterwards against what kconfig made of them.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::Serialize;

use super::Config;
use super::Tree;
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
    /// Whether a Kconfig file of the arch defines the symbol.
    pub known: bool,
    /// What keeps it from its value, or the symbol that was probably meant.
    pub why: Option<String>,
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

/// Compares what was asked for with the final .config, in the order given. The Kconfig files of the source, where they are at
/// hand, tell why a value is another; without them every symbol counts as known.
pub fn check<'a>(
    wanted: impl IntoIterator<Item = (&'a str, &'a Value)>,
    config: &Config,
    tree: Option<&Tree>,
) -> Vec<FixupOutcome> {
    let outcome = |(symbol, wanted): (&str, &Value)| {
        let found = config.get(symbol).cloned();
        let kept = found.as_ref().unwrap_or(&Value::No) == wanted;
        // What kconfig wrote it knows, whatever the reading of the files missed.
        let known = found.is_some() || tree.is_none_or(|tree| tree.defines(symbol));
        let why = tree.and_then(|tree| match (known, kept) {
            (false, _) => {
                (tree.similar(symbol)).map(|similar| format!("did you mean `{similar}`?"))
            }
            (true, false) => tree.blame(symbol, wanted, config),
            (true, true) => None,
        });
        FixupOutcome {
            symbol: symbol.to_owned(),
            wanted: wanted.clone(),
            kept,
            known,
            found,
            why,
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
            (_, false, ..) => {
                f.write_str(": no Kconfig file of this arch has it")?;
                match &self.why {
                    Some(why) => write!(f, "; {why}"),
                    None => Ok(()),
                }
            }
            (true, ..) => Ok(()),
            (false, ..) if self.why.is_some() => {
                write!(f, ": {}", self.why.as_deref().unwrap_or_default())
            }
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
        let text = "config TTY\nconfig EXT4_FS\nconfig NET\n\tbool \"Networking\"\n\tdepends on INET\nconfig SERIAL_8250_DW\n\
                    config PRINTK\nconfig MODULES\nconfig NO_SACH\n";
        let tree = Tree::read("x86", &|path| (path == "Kconfig").then(|| text.to_owned()));
        let outcomes = check(wanted, &config, Some(&tree));
        let lines: Vec<String> = outcomes.iter().map(ToString::to_string).collect();
        insta::assert_snapshot!(lines.join("\n"), @r"
        `TTY`: asked `y`, got `y`
        `EXT4_FS`: asked `y`, got `m`: it cannot be set, only selected (Kconfig:2)
        `NET`: asked `y`, got `n`: depends on `INET`, which is not set (Kconfig:3)
        `SERIAL_8250_DW`: asked `y`, got nothing: it cannot be set, only selected (Kconfig:6)
        `SERIAL_8250_GSC`: asked `y`, got nothing: no Kconfig file of this arch has it; did you mean `SERIAL_8250_DW`?
        `PRINTK`: asked `n`, got `y`: another symbol selects it, or it cannot be switched off
        `MODULES`: asked `n`, got nothing
        `NO_SUCH`: asked `n`, got nothing: no Kconfig file of this arch has it; did you mean `NO_SACH`?
        ");
        let kept: Vec<&str> = outcomes
            .iter()
            .filter(|outcome| outcome.kept)
            .map(|o| o.symbol.as_str())
            .collect();
        assert_eq!(kept, ["TTY", "MODULES", "NO_SUCH"]);
    }
}
