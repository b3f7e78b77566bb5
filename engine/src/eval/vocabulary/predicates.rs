//! `cfg` and what predicates are joined with.

use rhai::Dynamic;
use rhai::Engine;

use crate::kconfig::Predicate;

use super::super::mistake::Mistake;
use super::super::schema::Shape;
use super::Arguments;
use super::Function;
use super::Param;

/// The functions of this family.
pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "cfg",
        method: false,
        params: &[Param { name: "symbol", shape: Shape::Symbol }],
        gives: "a predicate",
        doc: "The symbol is `y`. Join predicates with `&`, `|` and `!`: `cfg(\"A\") & (cfg(\"B\") | !cfg(\"C\"))`.",
        run: |_, mut arguments| Ok(Dynamic::from(Predicate::BuiltIn(arguments.next()))),
    },
    Function {
        name: "is",
        method: true,
        params: &[
            Param { name: "predicate", shape: Shape::Predicate },
            Param { name: "value", shape: Shape::Value },
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
        params: &[Param { name: "predicate", shape: Shape::Predicate }],
        gives: "a predicate",
        doc: "The symbol is `m`: `cfg(\"A\").module()`.",
        run: |_, mut arguments| Ok(Dynamic::from(Predicate::Module(symbol(&mut arguments)?))),
    },
    Function {
        name: "enabled",
        method: true,
        params: &[Param { name: "predicate", shape: Shape::Predicate }],
        gives: "a predicate",
        doc: "The symbol is `y` or `m`: `cfg(\"A\").enabled()`.",
        run: |_, mut arguments| Ok(Dynamic::from(Predicate::Enabled(symbol(&mut arguments)?))),
    },
    Function {
        name: "all_of",
        method: false,
        params: &[Param { name: "predicates", shape: Shape::List(&Shape::Predicate) }],
        gives: "a predicate",
        doc: "All hold; of an empty list, always.",
        run: |_, mut arguments| Ok(Dynamic::from(Predicate::All(arguments.next()))),
    },
    Function {
        name: "any_of",
        method: false,
        params: &[Param { name: "predicates", shape: Shape::List(&Shape::Predicate) }],
        gives: "a predicate",
        doc: "One holds; of an empty list, never.",
        run: |_, mut arguments| Ok(Dynamic::from(Predicate::Any(arguments.next()))),
    },
];

/// The symbol of a plain `cfg("A")`; only that can be asked for another value.
fn symbol(arguments: &mut Arguments) -> Result<String, Mistake> {
    match arguments.required()? {
        Predicate::BuiltIn(symbol) => Ok(symbol),
        _ => Err(Mistake::at(&[], "only a plain `cfg(\"SYMBOL\")` can be asked for a value")
            .help("ask each symbol before joining: `cfg(\"A\").enabled() & cfg(\"B\").module()`")),
    }
}

/// `&`, `|` and `!` on predicates. A chain of the same operator gives one flat list.
pub(super) fn register_operators(engine: &mut Engine) {
    engine.register_fn("&", |left: Predicate, right: Predicate| {
        Predicate::All(match left {
            Predicate::All(mut all) => {
                all.push(right);
                all
            }
            left => vec![left, right],
        })
    });
    engine.register_fn("|", |left: Predicate, right: Predicate| {
        Predicate::Any(match left {
            Predicate::Any(mut any) => {
                any.push(right);
                any
            }
            left => vec![left, right],
        })
    });
    engine.register_fn("!", |predicate: Predicate| Predicate::Not(Box::new(predicate)));
}
