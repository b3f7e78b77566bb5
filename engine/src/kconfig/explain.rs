//! Why a predicate does not hold: the exact symbols, what was wanted and what was found.

use std::fmt;

use serde::Deserialize;
use serde::Serialize;

use super::Config;
use super::Predicate;
use super::Value;
use super::Version;

/// One cause why a predicate does not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reason {
    /// A symbol has the wrong value.
    Symbol {
        /// Name without `CONFIG_`.
        symbol: String,
        /// What it should be.
        wanted: Wanted,
        /// What the .config says.
        found: Option<Value>,
    },
    /// The kernel is too old or too new.
    Kernel {
        /// The version it turns on.
        version: Version,
        /// Whether an older kernel is wanted, not this one or a later one.
        older: bool,
        /// The kernel's version as the .config says it.
        found: Option<String>,
    },
    /// Each alternative fails, each for all of its causes. Without alternatives nothing can hold.
    NoneOf(Vec<Vec<Reason>>),
}

/// What a predicate asks of one symbol.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Wanted {
    /// Exactly this value.
    Is(Value),
    /// Any other value.
    IsNot(Value),
    /// `y` or `m`.
    Enabled,
    /// Neither `y` nor `m`.
    Disabled,
}

impl Wanted {
    /// Whether a value meets it.
    fn is_met_by(&self, value: &Value) -> bool {
        match self {
            Self::Is(wanted) => value == wanted,
            Self::IsNot(unwanted) => value != unwanted,
            Self::Enabled => value.is_enabled(),
            Self::Disabled => !value.is_enabled(),
        }
    }
}

impl Predicate {
    /// Says whether it holds, and if not, all the causes: at least one.
    pub fn explain(&self, config: &Config) -> Result<(), Vec<Reason>> {
        let reasons = self.failures(config, false);
        if reasons.is_empty() {
            Ok(())
        } else {
            Err(reasons)
        }
    }

    /// The causes why it does not hold, or, when `negated`, why its negation does not; negations
    /// are pushed down to the symbols on the way (De Morgan).
    fn failures(&self, config: &Config, negated: bool) -> Vec<Reason> {
        let exactly = |value: Value| {
            if negated {
                Wanted::IsNot(value)
            } else {
                Wanted::Is(value)
            }
        };
        match self {
            Self::BuiltIn(symbol) => failure(config, symbol, exactly(Value::Yes)),
            Self::Module(symbol) => failure(config, symbol, exactly(Value::Module)),
            Self::Is(symbol, value) => failure(config, symbol, exactly(value.clone())),
            Self::Enabled(symbol) => failure(
                config,
                symbol,
                if negated {
                    Wanted::Disabled
                } else {
                    Wanted::Enabled
                },
            ),
            Self::Since(_) if self.holds(config) != negated => Vec::new(),
            Self::Since(version) => vec![Reason::Kernel {
                version: version.clone(),
                older: negated,
                found: config.kernel_version().map(str::to_owned),
            }],
            Self::Not(inner) => inner.failures(config, !negated),
            Self::All(parts) if !negated => every(config, parts, negated),
            Self::Any(parts) if negated => every(config, parts, negated),
            Self::All(parts) | Self::Any(parts) => some(config, parts, negated),
        }
    }
}

fn every(config: &Config, parts: &[Predicate], negated: bool) -> Vec<Reason> {
    parts
        .iter()
        .flat_map(|part| part.failures(config, negated))
        .collect()
}

fn some(config: &Config, parts: &[Predicate], negated: bool) -> Vec<Reason> {
    let mut alternatives = Vec::with_capacity(parts.len());
    for part in parts {
        let reasons = part.failures(config, negated);
        if reasons.is_empty() {
            return reasons;
        }
        alternatives.push(reasons);
    }
    // One alternative is no choice.
    if alternatives.len() == 1 {
        alternatives.remove(0)
    } else {
        vec![Reason::NoneOf(alternatives)]
    }
}

fn failure(config: &Config, symbol: &str, wanted: Wanted) -> Vec<Reason> {
    let found = config.get(symbol);
    if wanted.is_met_by(found.unwrap_or(&Value::No)) {
        return Vec::new();
    }
    vec![Reason::Symbol {
        symbol: symbol.to_owned(),
        wanted,
        found: found.cloned(),
    }]
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Symbol {
                symbol,
                wanted,
                found,
            } => {
                match found {
                    None | Some(Value::No) => write!(f, "`{symbol}` is not set")?,
                    Some(found) => write!(f, "`{symbol}` is `{found}`")?,
                }
                match wanted {
                    Wanted::Is(Value::No) => f.write_str(", must not be set"),
                    Wanted::Is(value) => write!(f, ", wanted `{value}`"),
                    Wanted::IsNot(Value::No) => f.write_str(", must be set"),
                    Wanted::IsNot(_) => f.write_str(", must not be"),
                    Wanted::Enabled => f.write_str(", wanted `y` or `m`"),
                    Wanted::Disabled => f.write_str(", wanted neither `y` nor `m`"),
                }
            }
            Self::Kernel {
                version,
                older,
                found,
            } => {
                match found {
                    Some(found) => write!(f, "the kernel is {found}")?,
                    None => f.write_str("the .config does not say of which kernel it is")?,
                }
                if *older {
                    write!(f, ", wanted before {version}")
                } else {
                    write!(f, ", wanted {version} or later")
                }
            }
            Self::NoneOf(alternatives) if alternatives.is_empty() => {
                f.write_str("nothing can meet an empty choice")
            }
            Self::NoneOf(alternatives) => {
                f.write_str("none of: ")?;
                for (index, reasons) in alternatives.iter().enumerate() {
                    f.write_str(if index == 0 { "" } else { "; " })?;
                    write_alternative(f, reasons)?;
                }
                Ok(())
            }
        }
    }
}

/// Writes the causes of one alternative, bracketed where it would run into its neighbours.
fn write_alternative(f: &mut fmt::Formatter<'_>, reasons: &[Reason]) -> fmt::Result {
    if let [reason @ (Reason::Symbol { .. } | Reason::Kernel { .. })] = reasons {
        return write!(f, "{reason}");
    }
    f.write_str("(")?;
    for (index, reason) in reasons.iter().enumerate() {
        write!(f, "{}{reason}", if index == 0 { "" } else { " and " })?;
    }
    f.write_str(")")
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
    fn a_config_without_a_version_says_so() {
        let config = Config::parse("CONFIG_SMP=y\n").unwrap();
        let reasons = since("6.5").explain(&config).unwrap_err();
        insta::assert_snapshot!(reasons[0], @"the .config does not say of which kernel it is, wanted 6.5 or later");
        assert_eq!((!since("6.5")).explain(&config), Ok(()));
    }

    #[test]
    fn reasons_name_symbol_wish_and_fact() {
        let config = Config::parse(
            "# Linux/x86 6.1.192 Kernel Configuration\nCONFIG_EXT4_FS=m\nCONFIG_SMP=y\nCONFIG_NR_CPUS=64\nCONFIG_CMDLINE=\"quiet\"\n",
        )
        .unwrap();
        let is = |symbol: &str, value: Value| Predicate::Is(symbol.to_owned(), value);
        let predicates = [
            cfg("ATA_PIIX"),
            cfg("EXT4_FS"),
            Predicate::Module("SMP".to_owned()),
            Predicate::Enabled("NET".to_owned()),
            is("NR_CPUS", Value::from(2)),
            is("CMDLINE", Value::Text("debug".into())),
            is("SMP", Value::No),
            !cfg("SMP"),
            !is("NET", Value::No),
            !Predicate::Enabled("EXT4_FS".to_owned()),
            cfg("A") | cfg("EXT4_FS"),
            cfg("A") | (cfg("B") & !cfg("SMP")) | (cfg("C") & cfg("SMP")),
            cfg("A") & cfg("SMP") & (cfg("B") | cfg("C")),
            !(cfg("SMP") | cfg("A")),
            !(cfg("SMP") & Predicate::Module("EXT4_FS".to_owned())),
            Predicate::Any(vec![]),
            !Predicate::All(vec![]),
            since("6.5"),
            !since("6.1"),
            cfg("A") | since("6.5"),
        ];
        let mut text = String::new();
        for predicate in &predicates {
            let _ = writeln!(text, "{predicate}");
            for reason in predicate.explain(&config).unwrap_err() {
                let _ = writeln!(text, "    {reason}");
            }
        }
        insta::assert_snapshot!(text, @r#"
        cfg("ATA_PIIX")
            `ATA_PIIX` is not set, wanted `y`
        cfg("EXT4_FS")
            `EXT4_FS` is `m`, wanted `y`
        cfg("SMP").module()
            `SMP` is `y`, wanted `m`
        cfg("NET").enabled()
            `NET` is not set, wanted `y` or `m`
        cfg("NR_CPUS").is(2)
            `NR_CPUS` is `64`, wanted `2`
        cfg("CMDLINE").is("debug")
            `CMDLINE` is `"quiet"`, wanted `"debug"`
        cfg("SMP").is("n")
            `SMP` is `y`, must not be set
        !cfg("SMP")
            `SMP` is `y`, must not be
        !cfg("NET").is("n")
            `NET` is not set, must be set
        !cfg("EXT4_FS").enabled()
            `EXT4_FS` is `m`, wanted neither `y` nor `m`
        cfg("A") | cfg("EXT4_FS")
            none of: `A` is not set, wanted `y`; `EXT4_FS` is `m`, wanted `y`
        cfg("A") | cfg("B") & !cfg("SMP") | cfg("C") & cfg("SMP")
            none of: `A` is not set, wanted `y`; (`B` is not set, wanted `y` and `SMP` is `y`, must not be); `C` is not set, wanted `y`
        cfg("A") & cfg("SMP") & (cfg("B") | cfg("C"))
            `A` is not set, wanted `y`
            none of: `B` is not set, wanted `y`; `C` is not set, wanted `y`
        !(cfg("SMP") | cfg("A"))
            `SMP` is `y`, must not be
        !(cfg("SMP") & cfg("EXT4_FS").module())
            none of: `SMP` is `y`, must not be; `EXT4_FS` is `m`, must not be
        any_of([])
            nothing can meet an empty choice
        !all_of([])
            nothing can meet an empty choice
        since("6.5")
            the kernel is 6.1.192, wanted 6.5 or later
        !since("6.1")
            the kernel is 6.1.192, wanted before 6.1
        cfg("A") | since("6.5")
            none of: `A` is not set, wanted `y`; the kernel is 6.1.192, wanted 6.5 or later
        "#);
    }
}
