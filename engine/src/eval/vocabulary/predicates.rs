//! `cfg` and what predicates are joined with.

use rhai::Dynamic;
use rhai::Engine;
use rhai::EvalAltResult;

use crate::kconfig::Predicate;

use super::super::mistake::Mistake;
use super::super::mistake::Site;
use super::super::schema::Shape;
use super::function::Arguments;
use super::function::Function;
use super::function::Param;

/// The functions of this family.
pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "cfg",
        method: false,
        params: &[Param {
            name: "symbol",
            shape: Shape::Symbol,
        }],
        gives: "a predicate",
        doc: "The symbol is `y`. Join predicates with `&`, `|` and `!`: `cfg(\"A\") & (cfg(\"B\") | !cfg(\"C\"))`.",
        run: |_, mut arguments| Ok(Dynamic::from(Predicate::BuiltIn(arguments.next()))),
    },
    Function {
        name: "is",
        method: true,
        params: &[
            Param {
                name: "predicate",
                shape: Shape::Predicate,
            },
            Param {
                name: "value",
                shape: Shape::Value,
            },
        ],
        gives: "a predicate",
        doc: "The symbol has exactly this value: `cfg(\"NR_CPUS\").is(64)`, `cfg(\"A\").is(\"n\")`.",
        run: |_, mut arguments| {
            let symbol = symbol(&mut arguments)?;
            Ok(Dynamic::from(Predicate::Is(symbol, arguments.required()?)))
        },
    },
    Function {
        name: "module",
        method: true,
        params: &[Param {
            name: "predicate",
            shape: Shape::Predicate,
        }],
        gives: "a predicate",
        doc: "The symbol is `m`: `cfg(\"A\").module()`.",
        run: |_, mut arguments| Ok(Dynamic::from(Predicate::Module(symbol(&mut arguments)?))),
    },
    Function {
        name: "enabled",
        method: true,
        params: &[Param {
            name: "predicate",
            shape: Shape::Predicate,
        }],
        gives: "a predicate",
        doc: "The symbol is `y` or `m`: `cfg(\"A\").enabled()`.",
        run: |_, mut arguments| Ok(Dynamic::from(Predicate::Enabled(symbol(&mut arguments)?))),
    },
    Function {
        name: "all_of",
        method: false,
        params: &[Param {
            name: "predicates",
            shape: Shape::List(&Shape::Predicate),
        }],
        gives: "a predicate",
        doc: "All hold; of an empty list, always.",
        run: |_, mut arguments| bounded(Predicate::All(arguments.next())).map(Dynamic::from),
    },
    Function {
        name: "any_of",
        method: false,
        params: &[Param {
            name: "predicates",
            shape: Shape::List(&Shape::Predicate),
        }],
        gives: "a predicate",
        doc: "One holds; of an empty list, never.",
        run: |_, mut arguments| bounded(Predicate::Any(arguments.next())).map(Dynamic::from),
    },
];

/// The symbol of a plain `cfg("A")`; only that can be asked for another value.
fn symbol(arguments: &mut Arguments) -> Result<String, Mistake> {
    match arguments.required()? {
        Predicate::BuiltIn(symbol) => Ok(symbol),
        _ => Err(Mistake::at(
            &[],
            "only a plain `cfg(\"SYMBOL\")` can be asked for a value",
        )
        .help("ask each symbol before joining: `cfg(\"A\").enabled() & cfg(\"B\").module()`")),
    }
}

/// Most terms of a predicate, and deepest nesting: beyond any board, and safe to walk.
const MAX_TERMS: usize = 2_000;
const MAX_DEPTH: usize = 64;

/// `&`, `|` and `!` on predicates. A chain of the same operator gives one flat list.
pub(super) fn register_operators(engine: &mut Engine) {
    engine.register_fn("&", |left: Predicate, right: Predicate| {
        operator(Predicate::All(match left {
            Predicate::All(mut all) => {
                all.push(right);
                all
            }
            left => vec![left, right],
        }))
    });
    engine.register_fn("|", |left: Predicate, right: Predicate| {
        operator(Predicate::Any(match left {
            Predicate::Any(mut any) => {
                any.push(right);
                any
            }
            left => vec![left, right],
        }))
    });
    engine.register_fn("!", |predicate: Predicate| {
        operator(Predicate::Not(Box::new(predicate)))
    });
    // Left to itself the interpreter calls values of different types unequal, without a word.
    for sign in ["==", "!="] {
        engine.register_fn(sign, move |_: Predicate, _: Dynamic| compared(sign));
    }
}

fn compared(sign: &str) -> Result<bool, Box<EvalAltResult>> {
    let mistake = Mistake::at(&[], format!("`{sign}` cannot be applied to a predicate"))
        .help("predicates are data, decided when a .config is known: write `cfg(\"A\").is(value)`");
    Err(mistake.thrown(Site::none()))
}

/// An operator's result; the interpreter adds the place to its error.
fn operator(predicate: Predicate) -> Result<Predicate, Box<EvalAltResult>> {
    bounded(predicate).map_err(|mistake| mistake.thrown(Site::none()))
}

fn bounded(predicate: Predicate) -> Result<Predicate, Mistake> {
    let (terms, depth) = size(&predicate);
    if terms > MAX_TERMS || depth > MAX_DEPTH {
        let message = format!("a predicate has at most {MAX_TERMS} terms and {MAX_DEPTH} levels");
        return Err(Mistake::at(&[], message));
    }
    Ok(predicate)
}

/// Terms and levels.
fn size(predicate: &Predicate) -> (usize, usize) {
    let below = match predicate {
        Predicate::BuiltIn(_)
        | Predicate::Module(_)
        | Predicate::Enabled(_)
        | Predicate::Is(..)
        | Predicate::Since(_) => {
            return (1, 1);
        }
        Predicate::Not(inner) => std::slice::from_ref(&**inner),
        Predicate::All(inner) | Predicate::Any(inner) => inner,
    };
    below
        .iter()
        .map(size)
        .fold((1, 1), |(terms, depth), (more, deeper)| {
            (terms + more, depth.max(deeper + 1))
        })
}
