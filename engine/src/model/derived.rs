//! Configurations that no definition declares: the third component of their address says all they are.
//!
//! ```text
//! randconfig,seed=7,probability=20-30,boots=qemu-pc,SMP=y     the random config of a seed, made to fit a board
//! tinyconfig,PCI=y,NR_CPUS=8                                  a declared one with a fragment on top
//! tinyconfig~seed=3,share=2000,keep=qemu-pc                   a mutant of it: 20 % of its symbols are changed
//! ```
//!
//! Words before a `=` are in lower case where they are the engine's own; all others are symbols. What a symbol's value has beside
//! letters, digits and `_ . -` is written as `%` and two hex digits. No declared name has a `,` or a `~`.

use std::collections::BTreeMap;
use std::fmt;
use std::fmt::Write as _;
use std::str::FromStr;

use thiserror::Error;

use crate::kconfig::Config;
use crate::kconfig::Value;
use crate::kconfig::WHOLE_SHARE;

/// Longest component, so that it can name a directory of results.
pub const MOST_BYTES: usize = 240;
/// The word that a random configuration begins with.
const RANDOM: &str = "randconfig";

/// A configuration by what it is made from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Derived {
    /// What it begins with.
    pub start: Start,
    /// The board whose requirements are put in.
    pub boots: Option<String>,
    /// Symbols set on top, without `CONFIG_`; kconfig may drop them.
    pub symbols: BTreeMap<String, Value>,
    /// Changes to the resolved .config, one after the other.
    pub mutations: Vec<Mutation>,
}

/// What a derived configuration begins with.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Start {
    /// A declared defconfig of the arch, by its name.
    Declared(String),
    /// The kernel's `randconfig`.
    Random {
        /// `KCONFIG_SEED`.
        seed: u32,
        /// `KCONFIG_PROBABILITY`; empty for the kernel's default.
        probability: String,
    },
}

/// A random change of a resolved .config.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mutation {
    /// Which of all changes.
    pub seed: u32,
    /// How many of [`WHOLE_SHARE`] symbols are changed, about.
    pub share: u32,
    /// The board whose requirements stay.
    pub keep: Option<String>,
    /// Symbols stay on which so many percent of the objects depend, of the kernel of what the first mutation began with; 0: all may change.
    pub spare: u32,
}

/// Why a component is no derived configuration.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DerivedError {
    /// The name of one that is too long to be written.
    #[error("`{0}` is known only to the exploration that made it")]
    Private(String),
    /// A word without `=`.
    #[error("`{0}` sets nothing: write `KEY=VALUE`")]
    NoValue(String),
    /// A word in lower case that nothing is called.
    #[error("there is no key `{key}` here")]
    NoKey {
        /// The word.
        key: String,
        /// Those there are.
        known: &'static [&'static str],
    },
    /// A symbol where none can be set.
    #[error("a mutation sets no symbols: `{0}` stands in front of the `~`")]
    NoSymbol(String),
    /// A key that must be there.
    #[error("`{0}=` is missing")]
    Missing(&'static str),
    /// A key given twice.
    #[error("`{0}` is given twice")]
    Twice(String),
    /// A value that the key cannot have.
    #[error("`{key}={value}`: it must be {what}")]
    Bad {
        /// The key.
        key: String,
        /// What it was given.
        value: String,
        /// What it must be.
        what: &'static str,
    },
    /// Too long to be a name of a file.
    #[error("it is longer than {MOST_BYTES} bytes")]
    Long,
}

impl Derived {
    /// A declared defconfig as it is.
    pub fn declared(defconfig: &str) -> Self {
        Self {
            start: Start::Declared(defconfig.to_owned()),
            boots: None,
            symbols: BTreeMap::new(),
            mutations: Vec::new(),
        }
    }

    /// Whether a component of an address is meant as a derived configuration.
    pub fn is_meant(component: &str) -> bool {
        component.contains([',', '~'])
    }

    /// What it is a mutant of; `None` if it is none.
    pub fn parent(&self) -> Option<Self> {
        let (_, before) = self.mutations.split_last()?;
        Some(Self {
            mutations: before.to_vec(),
            ..self.clone()
        })
    }

    /// What says which symbols a mutant leaves alone: what it began with, before any mutation, so that it is measured once.
    pub fn measured(&self) -> Option<Self> {
        self.mutations
            .last()
            .filter(|mutation| mutation.spare > 0)?;
        Some(Self {
            mutations: Vec::new(),
            ..self.clone()
        })
    }

    /// Its name where it is too long to be written out: by what it begins with, and a digest of all of it.
    pub fn private_name(&self, digest: &str) -> String {
        let start = match &self.start {
            Start::Declared(name) => name,
            Start::Random { .. } => RANDOM,
        };
        format!("{start},@{digest}")
    }
}

impl fmt::Display for Derived {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.start {
            Start::Declared(name) => f.write_str(name)?,
            Start::Random { seed, probability } => {
                write!(f, "{RANDOM},seed={seed}")?;
                if !probability.is_empty() {
                    write!(f, ",probability={}", probability.replace(':', "-"))?;
                }
            }
        }
        if let Some(board) = &self.boots {
            write!(f, ",boots={board}")?;
        }
        for (symbol, value) in &self.symbols {
            write!(f, ",{symbol}={}", encoded(&value.to_string()))?;
        }
        for mutation in &self.mutations {
            let Mutation {
                seed,
                share,
                keep,
                spare,
            } = mutation;
            write!(f, "~seed={seed},share={share}")?;
            if *spare > 0 {
                write!(f, ",spare={spare}")?;
            }
            if let Some(board) = keep {
                write!(f, ",keep={board}")?;
            }
        }
        Ok(())
    }
}

/// The words of one part, by key.
struct Words<'t>(BTreeMap<&'t str, &'t str>);

impl<'t> Words<'t> {
    fn read(words: impl Iterator<Item = &'t str>) -> Result<Self, DerivedError> {
        let mut read = BTreeMap::new();
        for word in words {
            if word.starts_with('@') {
                return Err(DerivedError::Private(word.to_owned()));
            }
            let split = word.split_once('=').filter(|(key, _)| !key.is_empty());
            let (key, value) = split.ok_or_else(|| DerivedError::NoValue(word.to_owned()))?;
            if read.insert(key, value).is_some() {
                return Err(DerivedError::Twice(key.to_owned()));
            }
        }
        Ok(Self(read))
    }

    fn name(&mut self, key: &str) -> Option<String> {
        self.0.remove(key).map(str::to_owned)
    }

    fn number(&mut self, key: &'static str, most: u32) -> Result<u32, DerivedError> {
        let value = self.0.remove(key).ok_or(DerivedError::Missing(key))?;
        let plain = value.parse::<u32>().ok().filter(|number| *number <= most);
        plain
            // One number has one spelling.
            .filter(|number| number.to_string() == value)
            .ok_or_else(|| bad(key, value, "a whole number, and not too large"))
    }

    fn number_or_none(&mut self, key: &'static str, most: u32) -> Result<u32, DerivedError> {
        if !self.0.contains_key(key) {
            return Ok(0);
        }
        let number = self.number(key, most)?;
        if number == 0 {
            return Err(bad(key, "0", "left out where it is nothing"));
        }
        Ok(number)
    }

    /// Refuses keys of the engine's own that it does not have, and what is no symbol either.
    fn only(self, known: &'static [&'static str]) -> Result<Self, DerivedError> {
        let letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let symbol = |key: &str| {
            key.bytes().all(letter) && !key.bytes().all(|byte| byte.is_ascii_lowercase())
        };
        let mut keys = self.0.keys();
        match keys.find(|key| !known.contains(key) && !symbol(key)) {
            None => Ok(self),
            Some(key) => Err(DerivedError::NoKey {
                key: (*key).to_owned(),
                known,
            }),
        }
    }

    /// What is left is symbols.
    fn symbols(self) -> Result<BTreeMap<String, Value>, DerivedError> {
        let mut symbols = BTreeMap::new();
        for (key, value) in self.0 {
            let read = decoded(value).and_then(|text| read_value(&text));
            let read = read.ok_or_else(|| bad(key, value, "a value of a symbol"))?;
            symbols.insert(key.to_owned(), read);
        }
        Ok(symbols)
    }
}

impl FromStr for Derived {
    type Err = DerivedError;

    fn from_str(text: &str) -> Result<Self, DerivedError> {
        if text.len() > MOST_BYTES {
            return Err(DerivedError::Long);
        }
        let mut parts = text.split('~');
        let mut first = parts.next().unwrap_or_default().split(',');
        let name = first.next().unwrap_or_default();
        let read = Words::read(first)?;
        let mut words;
        let start = if name == RANDOM {
            words = read.only(&["seed", "probability", "boots"])?;
            let seed = words.number("seed", u32::MAX)?;
            let probability = words.name("probability").unwrap_or_default();
            if !probability.is_empty() && !is_probability(&probability) {
                return Err(bad("probability", &probability, PROBABILITY));
            }
            let probability = probability.replace('-', ":");
            Start::Random { seed, probability }
        } else {
            words = read.only(&["boots"])?;
            Start::Declared(name.to_owned())
        };
        let boots = words.name("boots");
        let symbols = words.symbols()?;
        let mutation = |part: &str| {
            let mut words =
                Words::read(part.split(','))?.only(&["seed", "share", "spare", "keep"])?;
            let mutation = Mutation {
                seed: words.number("seed", u32::MAX)?,
                share: words.number("share", WHOLE_SHARE)?,
                spare: words.number_or_none("spare", 100)?,
                keep: words.name("keep"),
            };
            let symbol = words.0.keys().next();
            match symbol {
                None => Ok(mutation),
                Some(symbol) => Err(DerivedError::NoSymbol((*symbol).to_owned())),
            }
        };
        Ok(Self {
            start,
            boots,
            symbols,
            mutations: parts.map(mutation).collect::<Result<_, _>>()?,
        })
    }
}

const PROBABILITY: &str = "one to three numbers up to 100 with `-` between them";

/// One to three numbers of percent, as `KCONFIG_PROBABILITY` has them with `:` (kernel: Documentation/kbuild/kconfig.rst).
fn is_probability(text: &str) -> bool {
    let numbers: Vec<&str> = text.split('-').collect();
    let percent = |number: &&str| {
        let short = number.len() <= 3 && number.bytes().all(|byte| byte.is_ascii_digit());
        short && number.parse().is_ok_and(|number: u8| number <= 100)
    };
    numbers.len() <= 3 && numbers.iter().all(percent)
}

fn bad(key: &str, value: &str, what: &'static str) -> DerivedError {
    DerivedError::Bad {
        key: key.to_owned(),
        value: value.to_owned(),
        what,
    }
}

fn read_value(text: &str) -> Option<Value> {
    let config = Config::parse(&format!("CONFIG_A={text}")).ok()?;
    // What make would expand, or what would begin another line, is no value of a fixup either.
    let odd = |c: char| c.is_control() || matches!(c, '$' | '`');
    let plain = |value: &&Value| !matches!(value, Value::Text(text) if text.contains(odd));
    config.get("A").filter(plain).cloned()
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_.-".contains(&byte)
}

fn encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if is_plain(byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// Of what [`encoded`] gives, what it was given.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first == b'%' {
            let (digits, after) = rest.split_at_checked(2)?;
            let digits = std::str::from_utf8(digits).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = after;
        } else {
            bytes.push(*first);
        }
    }
    let plain = String::from_utf8(bytes).ok()?;
    (encoded(&plain) == text).then_some(plain)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn value() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(Value::Yes),
            Just(Value::Module),
            Just(Value::No),
            any::<i64>().prop_map(Value::from),
            "0x[0-9a-f]{1,8}".prop_map(Value::Number),
            "[^\\p{Cc}$`]{0,12}".prop_map(Value::Text),
        ]
    }

    fn start() -> impl Strategy<Value = Start> {
        prop_oneof![
            "[a-z][a-z0-9_.+-]{0,9}".prop_map(|name| Start::Declared(name + "_defconfig")),
            (
                any::<u32>(),
                prop_oneof![Just(""), Just("20:30"), Just("5:6:7")]
            )
                .prop_map(|(seed, probability)| Start::Random {
                    seed,
                    probability: probability.to_owned()
                }),
        ]
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            start in start(),
            boots in proptest::option::of("[a-z][a-z0-9-]{0,8}"),
            symbols in proptest::collection::btree_map("[A-Z][A-Z0-9_]{0,8}", value(), 0..4),
            mutations in proptest::collection::vec(
                (any::<u32>(), 0..=WHOLE_SHARE, 0..=100u32, proptest::option::of("[a-z]{1,5}"))
                    .prop_map(|(seed, share, spare, keep)| Mutation { seed, share, keep, spare }),
                0..3,
            ),
        ) {
            let derived = Derived { start, boots, symbols, mutations };
            let text = derived.to_string();
            prop_assert!(!text.contains(['/', ' ', '*', '$', '"', '\'']));
            match text.parse::<Derived>() {
                Ok(read) => prop_assert_eq!(read, derived),
                Err(error) => prop_assert!(error == DerivedError::Long && text.len() > MOST_BYTES),
            }
        }

        #[test]
        fn one_configuration_has_one_spelling(text in "(randconfig|a)(,(seed|share|boots|A|B)=[0-9y%2A-]{0,4}){0,3}(~seed=[0-9]{1,2},share=[0-9]{1,2}){0,2}") {
            if let Ok(derived) = text.parse::<Derived>() {
                let read: Derived = derived.to_string().parse().unwrap();
                prop_assert_eq!(read, derived);
            }
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        let error = |text: &str| text.parse::<Derived>().unwrap_err().to_string();
        let errors = [
            "randconfig,probability=5",
            "randconfig,seed=5,seed=6",
            "randconfig,seed=-1",
            "randconfig,seed=01",
            "randconfig,seed=1,probability=20-200",
            "tinyconfig,sede=1",
            "tinyconfig,PCI",
            "tinyconfig,PCI=yes",
            "tinyconfig~share=3",
            "tinyconfig~seed=1,share=20000",
            "tinyconfig~seed=1,share=2,PCI=y",
        ]
        .map(error);
        insta::assert_snapshot!(errors.join("\n"), @"
        `seed=` is missing
        `seed` is given twice
        `seed=-1`: it must be a whole number, and not too large
        `seed=01`: it must be a whole number, and not too large
        `probability=20-200`: it must be one to three numbers up to 100 with `-` between them
        there is no key `sede` here
        `PCI` sets nothing: write `KEY=VALUE`
        `PCI=yes`: it must be a value of a symbol
        `seed=` is missing
        `share=20000`: it must be a whole number, and not too large
        a mutation sets no symbols: `PCI` stands in front of the `~`
        ");
    }
}
