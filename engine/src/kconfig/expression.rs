//! Expressions of Kconfig files, such as `PCI && (X86 || COMPILE_TEST)`, and what they come to under a .config.
//!
//! Source: kernel, Documentation/kbuild/kconfig-language.rst ("Menu dependencies").

use std::fmt;

use super::Config;
use super::Value;

/// How deeply parentheses and negations may nest; what is deeper counts as not known.
const DEEPEST: usize = 64;

/// An expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expression {
    /// The value of a symbol; also `y`, `m` and `n`.
    Symbol(String),
    /// A constant in quotes.
    Text(String),
    /// What only kconfig itself can tell, such as `$(cc-option,-m32)`.
    Opaque(String),
    /// `!A`
    Not(Box<Self>),
    /// `A && B`
    And(Vec<Self>),
    /// `A || B`
    Or(Vec<Self>),
    /// `A = B`, by the operator as it is written
    Compare(Box<Self>, String, Box<Self>),
}

/// The values of an expression, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tristate {
    /// `n`
    No,
    /// `m`
    Module,
    /// `y`
    Yes,
}

impl Expression {
    /// Parses as much of a line as is an expression; `None` where it begins with none.
    pub fn parse(text: &str) -> Option<Self> {
        let words = words(text);
        let mut words = Words {
            left: &words,
            depth: 0,
        };
        words.any()
    }

    /// What it comes to; `None` where that turns on what only kconfig itself can tell.
    pub fn value(&self, config: &Config) -> Option<Tristate> {
        match self {
            Self::Symbol(symbol) => Some(match tristate(symbol) {
                Some(constant) => constant,
                None => match config.get(symbol) {
                    Some(Value::Yes) => Tristate::Yes,
                    Some(Value::Module) => Tristate::Module,
                    _ => Tristate::No,
                },
            }),
            Self::Text(text) => Some(tristate(text).unwrap_or(Tristate::No)),
            Self::Opaque(_) => None,
            Self::Not(inner) => inner.value(config).map(flipped),
            Self::And(parts) => least(parts.iter().map(|part| part.value(config))),
            Self::Or(parts) => {
                let negated = parts.iter().map(|part| part.value(config).map(flipped));
                least(negated).map(flipped)
            }
            Self::Compare(left, operator, right) => {
                let (left, right) = (left.text(config)?, right.text(config)?);
                let order = match (number(&left), number(&right)) {
                    (Some(left), Some(right)) => left.cmp(&right),
                    _ => left.cmp(&right),
                };
                let holds = match operator.as_str() {
                    "=" => order.is_eq(),
                    "!=" => order.is_ne(),
                    "<" => order.is_lt(),
                    "<=" => order.is_le(),
                    ">" => order.is_gt(),
                    _ => order.is_ge(),
                };
                Some(if holds { Tristate::Yes } else { Tristate::No })
            }
        }
    }

    /// The parts that must all hold.
    pub fn conjunction(self) -> Vec<Self> {
        match self {
            Self::And(parts) => parts.into_iter().flat_map(Self::conjunction).collect(),
            other => vec![other],
        }
    }

    /// The text that comparisons look at.
    fn text(&self, config: &Config) -> Option<String> {
        match self {
            Self::Text(text) => Some(text.clone()),
            Self::Symbol(symbol) if tristate(symbol).is_some() || number(symbol).is_some() => {
                Some(symbol.clone())
            }
            Self::Symbol(symbol) => Some(match config.get(symbol) {
                Some(Value::Text(text) | Value::Number(text)) => text.clone(),
                Some(value) => value.to_string(),
                None => "n".to_owned(),
            }),
            _ => None,
        }
    }
}

fn tristate(text: &str) -> Option<Tristate> {
    match text {
        "y" => Some(Tristate::Yes),
        "m" => Some(Tristate::Module),
        "n" => Some(Tristate::No),
        _ => None,
    }
}

fn flipped(value: Tristate) -> Tristate {
    match value {
        Tristate::No => Tristate::Yes,
        Tristate::Module => Tristate::Module,
        Tristate::Yes => Tristate::No,
    }
}

/// The least of the values; what is not known matters unless one is `n`.
fn least(values: impl Iterator<Item = Option<Tristate>>) -> Option<Tristate> {
    let mut least = Some(Tristate::Yes);
    for value in values {
        if value == Some(Tristate::No) {
            return value;
        }
        least = least.and_then(|least| Some(least.min(value?)));
    }
    least
}

fn number(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

/// One word of an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Word {
    Sign(&'static str),
    Name(String),
    Text(String),
    Opaque(String),
}

const SIGNS: [&str; 11] = ["&&", "||", "!=", "<=", ">=", "!", "=", "<", ">", "(", ")"];

/// The words up to a comment or what is none.
fn words(text: &str) -> Vec<Word> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            words.push(Word::Sign(sign));
            rest = &rest[sign.len()..];
        } else if matches!(first, '"' | '\'') {
            let (quoted, after) = rest[1..].split_once(first).unwrap_or((&rest[1..], ""));
            words.push(Word::Text(quoted.to_owned()));
            rest = after;
        } else if first == '$' {
            let end = macro_end(rest);
            words.push(Word::Opaque(rest[..end].to_owned()));
            rest = &rest[end..];
        } else {
            let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '/' | '-');
            let end = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
            if end == 0 {
                break;
            }
            words.push(Word::Name(rest[..end].to_owned()));
            rest = &rest[end..];
        }
        rest = rest.trim_start();
    }
    words
}

/// Where a macro's call ends, its arguments included.
fn macro_end(text: &str) -> usize {
    let mut depth = 0;
    for (index, character) in text.char_indices() {
        match character {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ if depth == 0 && index > 0 && !character.is_alphanumeric() && character != '_' => {
                return index;
            }
            _ => continue,
        }
        if depth == 0 {
            return index + 1;
        }
    }
    text.len()
}

/// What of an expression is not read yet.
struct Words<'w> {
    left: &'w [Word],
    depth: usize,
}

impl Words<'_> {
    fn take(&mut self, sign: &str) -> bool {
        match self.left {
            [Word::Sign(next), rest @ ..] if *next == sign => {
                self.left = rest;
                true
            }
            _ => false,
        }
    }

    fn any(&mut self) -> Option<Expression> {
        self.joined("||", Self::all, Expression::Or)
    }

    fn all(&mut self) -> Option<Expression> {
        self.joined("&&", Self::one, Expression::And)
    }

    fn joined(
        &mut self,
        sign: &str,
        part: fn(&mut Self) -> Option<Expression>,
        join: fn(Vec<Expression>) -> Expression,
    ) -> Option<Expression> {
        let mut parts = vec![part(self)?];
        while self.take(sign) {
            parts.push(part(self)?);
        }
        if parts.len() == 1 {
            parts.pop()
        } else {
            Some(join(parts))
        }
    }

    fn one(&mut self) -> Option<Expression> {
        self.depth += 1;
        let one = if self.depth > DEEPEST {
            None
        } else if self.take("!") {
            Some(Expression::Not(Box::new(self.one()?)))
        } else if self.take("(") {
            let inner = self.any()?;
            self.take(")").then_some(inner)
        } else {
            self.compared()
        };
        self.depth -= 1;
        one
    }

    fn compared(&mut self) -> Option<Expression> {
        let left = self.atom()?;
        let Some((Word::Sign(operator), rest)) = self.left.split_first() else {
            return Some(left);
        };
        if !matches!(*operator, "=" | "!=" | "<" | "<=" | ">" | ">=") {
            return Some(left);
        }
        self.left = rest;
        let right = self.atom()?;
        let operator = (*operator).to_owned();
        Some(Expression::Compare(
            Box::new(left),
            operator,
            Box::new(right),
        ))
    }

    fn atom(&mut self) -> Option<Expression> {
        let (word, rest) = self.left.split_first()?;
        let atom = match word {
            Word::Name(name) => Expression::Symbol(name.clone()),
            Word::Text(text) => Expression::Text(text.clone()),
            Word::Opaque(text) => Expression::Opaque(text.clone()),
            Word::Sign(_) => return None,
        };
        self.left = rest;
        Some(atom)
    }
}

/// Writes it as a Kconfig file has it, with no more parentheses than it needs.
impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let joined = |f: &mut fmt::Formatter<'_>, parts: &[Self], sign: &str| {
            for (index, part) in parts.iter().enumerate() {
                if index > 0 {
                    write!(f, " {sign} ")?;
                }
                match part {
                    Self::And(_) | Self::Or(_) => write!(f, "({part})")?,
                    _ => write!(f, "{part}")?,
                }
            }
            Ok(())
        };
        match self {
            Self::Symbol(text) | Self::Opaque(text) => f.write_str(text),
            Self::Text(text) => write!(f, "\"{text}\""),
            Self::Not(inner) => match **inner {
                Self::And(_) | Self::Or(_) | Self::Compare(..) => write!(f, "!({inner})"),
                _ => write!(f, "!{inner}"),
            },
            Self::And(parts) => joined(f, parts, "&&"),
            Self::Or(parts) => joined(f, parts, "||"),
            Self::Compare(left, operator, right) => write!(f, "{left} {operator} {right}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(text: &str) -> String {
        let config =
            Config::parse("CONFIG_A=y\nCONFIG_M=m\nCONFIG_N=12\nCONFIG_S=\"x\"\n").unwrap();
        match Expression::parse(text) {
            None => format!("{text}: none"),
            Some(found) => format!("{found}: {:?}", found.value(&config)),
        }
    }

    #[test]
    fn values_follow_kconfigs_rules() {
        let lines = [
            "A",
            "B",
            "!B",
            "M",
            "!M",
            "A && M",
            "A&&!B # why",
            "B || M",
            "y",
            "n",
            "(A || B) && !(A && B)",
            "A = y",
            "B = n",
            "A != B",
            "N >= 0x0a",
            "N < 12",
            "S = \"x\"",
            "$(cc-option,-m32) && A",
            "$(success,x (y)) && B",
            "A || $(x)",
            "((A))",
            "",
            "&& A",
            "(A",
        ];
        insta::assert_snapshot!(lines.map(shown).join("\n"), @r#"
        A: Some(Yes)
        B: Some(No)
        !B: Some(Yes)
        M: Some(Module)
        !M: Some(Module)
        A && M: Some(Module)
        A && !B: Some(Yes)
        B || M: Some(Module)
        y: Some(Yes)
        n: Some(No)
        (A || B) && !(A && B): Some(Yes)
        A = y: Some(Yes)
        B = n: Some(Yes)
        A != B: Some(Yes)
        N >= 0x0a: Some(Yes)
        N < 12: Some(No)
        S = "x": Some(Yes)
        $(cc-option,-m32) && A: None
        $(success,x (y)) && B: Some(No)
        A || $(x): Some(Yes)
        A: Some(Yes)
        : none
        && A: none
        (A: none
        "#);
    }

    #[test]
    fn what_nests_too_deeply_is_no_expression() {
        assert_eq!(Expression::parse(&"!".repeat(100_000)), None);
        assert_eq!(Expression::parse(&"(".repeat(100_000)), None);
    }

    fn expressions() -> impl Strategy<Value = Expression> {
        let leaf = prop_oneof![
            "[A-Z][A-Z0-9_]{0,3}".prop_map(Expression::Symbol),
            ("[A-Z]{1,3}", "[a-z]{1,3}").prop_map(|(left, right)| {
                let (left, right) = (Expression::Symbol(left), Expression::Text(right));
                Expression::Compare(Box::new(left), "!=".to_owned(), Box::new(right))
            }),
        ];
        leaf.prop_recursive(4, 24, 3, |inner| {
            prop_oneof![
                inner
                    .clone()
                    .prop_map(|inner| Expression::Not(Box::new(inner))),
                prop::collection::vec(inner.clone(), 2..4).prop_map(Expression::And),
                prop::collection::vec(inner, 2..4).prop_map(Expression::Or),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(expression in expressions()) {
            prop_assert_eq!(Expression::parse(&expression.to_string()), Some(expression));
        }

        #[test]
        fn no_text_panics(text in ".{0,60}") {
            let _ = Expression::parse(&text);
        }
    }
}
