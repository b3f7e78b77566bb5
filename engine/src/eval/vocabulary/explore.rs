//! Configurations that scripts ask for, and what they see of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use rhai::Dynamic;
use rhai::Map;

use super::super::exploration::Exploration;
use super::super::exploration::Explorer;
use super::super::exploration::Random;
use super::super::exploration::Refusal;
use super::super::exploration::Thing;
use super::super::handle::Asked;
use super::super::mistake::Mistake;
use super::super::schema::Field;
use super::super::schema::Fields;
use super::super::schema::Need;
use super::super::schema::Record;
use super::super::schema::Shape;
use super::function::Arguments;
use super::function::Call;
use super::function::Function;
use super::function::Param;
use crate::kconfig::Config;
use crate::kconfig::Value;
use crate::kconfig::WHOLE_SHARE;
use crate::model::Mutation;

pub(super) const CONFIG: Param = Param {
    name: "config",
    shape: Shape::Config,
};
const SYMBOL: Param = Param {
    name: "symbol",
    shape: Shape::Symbol,
};
pub(super) const ARCH: Param = Param {
    name: "arch",
    shape: Shape::Name,
};
const RANDOM: Record = Record {
    noun: "a random config",
    fields: &[
        Field {
            name: "seed",
            shape: Shape::Whole(0, u32::MAX as i64),
            need: Need::Required,
            doc: "`KCONFIG_SEED`",
        },
        Field {
            name: "source",
            shape: Shape::Name,
            need: Need::Otherwise("the only one of the arch"),
            doc: "name of the source",
        },
        Field {
            name: "toolchain",
            shape: Shape::Name,
            need: Need::Otherwise("the arch's first"),
            doc: "name of the toolchain",
        },
        Field {
            name: "probability",
            shape: Shape::Word,
            need: Need::Otherwise("the kernel's own"),
            doc: "`KCONFIG_PROBABILITY`, such as `\"20:30\"`",
        },
        Field {
            name: "boots",
            shape: Shape::Fits,
            need: Need::Otherwise("nothing"),
            doc: "what it is made to fit: its requirements are set, and all else is random",
        },
        Field {
            name: "base",
            shape: Shape::Symbols,
            need: Need::Otherwise("nothing"),
            doc: "symbols that are set; all else is random",
        },
    ],
    one_of: &[],
    any_of: &[],
    refused: &[],
};

const MUTATION: Record = Record {
    noun: "a mutation",
    fields: &[
        Field {
            name: "seed",
            shape: Shape::Whole(0, u32::MAX as i64),
            need: Need::Required,
            doc: "which of all mutations",
        },
        Field {
            name: "share",
            shape: Shape::Whole(1, WHOLE_SHARE as i64),
            need: Need::Otherwise("500"),
            doc: "how many of 10,000 symbols are changed, about",
        },
        Field {
            name: "keep",
            shape: Shape::Name,
            need: Need::Otherwise("none"),
            doc: "name of a board that the mutant is to fit",
        },
        Field {
            name: "spare",
            shape: Shape::Whole(0, 100),
            need: Need::Otherwise("0, none"),
            doc: "leaves symbols alone on which so many percent of the objects depend, of the kernel of what the first mutation began with, and those that these follow from; that kernel is built first, if it has not been",
        },
    ],
    one_of: &[],
    any_of: &[],
    refused: &[],
};

/// The functions of this family.
pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "setting",
        method: false,
        params: &[
            Param {
                name: "name",
                shape: Shape::Name,
            },
            Param {
                name: "otherwise",
                shape: Shape::Any,
            },
        ],
        gives: "a string, a whole number, or `true` or `false`",
        doc: "What `--set NAME=VALUE` of the command line says, of the type of `otherwise`; that, if it says nothing.",
        run: setting,
    },
    Function {
        name: "randconfig",
        method: false,
        params: &[
            ARCH,
            Param {
                name: "options",
                shape: Shape::Record(&RANDOM),
            },
        ],
        gives: "a config",
        doc: "Asks for the kernel's `randconfig` of a seed. Its address says all it is made from, so that `engine realize` makes it again.",
        run: randconfig,
    },
    Function {
        name: "config",
        method: false,
        params: &[Param {
            name: "address",
            shape: Shape::Word,
        }],
        gives: "a config",
        doc: "Asks for the configuration of a build's address, declared or derived.",
        run: |call, mut arguments| {
            let address: String = arguments.next();
            made(explorer(call)?.config(&address))
        },
    },
    Function {
        name: "with",
        method: true,
        params: &[
            CONFIG,
            Param {
                name: "symbols",
                shape: Shape::Symbols,
            },
        ],
        gives: "a config",
        doc: "Asks for a configuration with symbols set on top; kconfig may drop some.",
        run: |call, mut arguments| {
            let config = thing(&mut arguments)?;
            made(explorer(call)?.with(config, arguments.next()))
        },
    },
    Function {
        name: "mutate",
        method: false,
        params: &[
            CONFIG,
            Param {
                name: "mutation",
                shape: Shape::Record(&MUTATION),
            },
        ],
        gives: "a config",
        doc: "Asks for a mutant: the resolved .config with a share of its symbols changed at random, and resolved again.",
        run: mutate,
    },
    Function {
        name: "random",
        method: false,
        params: &[
            Param {
                name: "seed",
                shape: Shape::Whole(0, i64::MAX),
            },
            Param {
                name: "below",
                shape: Shape::Whole(1, i64::MAX),
            },
        ],
        gives: "a whole number from 0 to `below - 1`",
        doc: "The same for the same seed, on every machine.",
        run: |_, mut arguments| {
            let (seed, below): (i64, i64) = (arguments.next(), arguments.next());
            Ok(Dynamic::from(
                mixed(seed.unsigned_abs())
                    .checked_rem(below.unsigned_abs())
                    .and_then(|rest| i64::try_from(rest).ok())
                    .unwrap_or_default(),
            ))
        },
    },
    Function {
        name: "enabled",
        method: true,
        params: &[CONFIG, SYMBOL],
        gives: "`true` or `false`",
        doc: "Whether a symbol is `y` or `m` in the resolved .config. Nothing is in one that cannot be resolved.",
        run: |call, mut arguments| {
            let config = resolved(call, &mut arguments)?;
            let symbol: String = arguments.next();
            Ok(Dynamic::from(config.is_enabled(&symbol)))
        },
    },
    Function {
        name: "value",
        method: true,
        params: &[CONFIG, SYMBOL],
        gives: "a string",
        doc: "The value of a symbol in the resolved .config: `n` where it is not set, and texts without their quotes.",
        run: |call, mut arguments| {
            let config = resolved(call, &mut arguments)?;
            let symbol: String = arguments.next();
            Ok(Dynamic::from(written(config.get(&symbol))))
        },
    },
    Function {
        name: "diff",
        method: true,
        params: &[
            CONFIG,
            Param {
                name: "other",
                shape: Shape::Config,
            },
        ],
        gives: "a map from each symbol that differs to a list of its two values",
        doc: "How two resolved .configs differ.",
        run: |call, mut arguments| {
            let left = resolved(call, &mut arguments)?;
            let right = resolved(call, &mut arguments)?;
            let pair = |(symbol, left, right): (&str, Option<&Value>, Option<&Value>)| {
                let values = vec![Dynamic::from(written(left)), Dynamic::from(written(right))];
                (symbol.into(), Dynamic::from_array(values))
            };
            let differing: Map = left.differing(&right).map(pair).collect();
            Ok(Dynamic::from_map(differing))
        },
    },
    Function {
        name: "matching",
        method: false,
        params: &[CONFIG],
        gives: "a list of names",
        doc: "The boards that fit the resolved .config.",
        run: |call, mut arguments| {
            let config = thing(&mut arguments)?;
            let boards = explorer(call)?.matching(config).map_err(refused)?;
            Ok(Dynamic::from_array(
                boards.into_iter().map(Dynamic::from).collect(),
            ))
        },
    },
    Function {
        name: "gain",
        method: true,
        params: &[CONFIG],
        gives: "a whole number",
        doc: "How many symbols are on in it that were on in no kernel of its source and arch that was built.",
        run: |call, mut arguments| {
            let config = thing(&mut arguments)?;
            let gain = explorer(call)?.gain(config).map_err(refused)?;
            Ok(number(gain))
        },
    },
];

fn exploration<'c>(call: &'c mut Call<'_>) -> Result<&'c mut Exploration, Mistake> {
    let missing = || Mistake::at(&[], "only a script that explores has this");
    call.state.exploration.as_mut().ok_or_else(missing)
}

pub(super) fn explorer(call: &mut Call<'_>) -> Result<Arc<dyn Explorer>, Mistake> {
    Ok(Arc::clone(&exploration(call)?.explorer))
}

pub(super) fn refused(refusal: Refusal) -> Mistake {
    match refusal {
        Refusal::Over => Mistake {
            over: true,
            ..Mistake::at(&[], "the exploration is over")
        },
        Refusal::Mistake { message, help } => Mistake {
            help,
            ..Mistake::at(&[], message)
        },
    }
}

pub(super) fn made(made: Result<(Thing, String), Refusal>) -> Result<Dynamic, Mistake> {
    let (thing, address) = made.map_err(refused)?;
    Ok(Dynamic::from(Asked {
        thing,
        address: address.into(),
    }))
}

pub(super) fn thing(arguments: &mut Arguments) -> Result<Thing, Mistake> {
    let asked: Asked = arguments.required()?;
    Ok(asked.thing)
}

fn resolved(call: &mut Call<'_>, arguments: &mut Arguments) -> Result<Arc<Config>, Mistake> {
    let config = thing(arguments)?;
    let resolved = explorer(call)?.resolved(config).map_err(refused)?;
    Ok(resolved.unwrap_or_default())
}

pub(super) fn number(count: usize) -> Dynamic {
    Dynamic::from(i64::try_from(count).unwrap_or(i64::MAX))
}

/// A value as scripts compare it.
pub(super) fn written(value: Option<&Value>) -> String {
    match value {
        None => "n".to_owned(),
        Some(Value::Text(text)) => text.clone(),
        Some(value) => value.to_string(),
    }
}

/// The finaliser of `SplitMix64` (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
fn mixed(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn setting(call: &mut Call<'_>, mut arguments: Arguments) -> Result<Dynamic, Mistake> {
    let name: String = arguments.next();
    let otherwise: Dynamic = arguments.required()?;
    let exploration = exploration(call)?;
    exploration.asked.push(name.clone());
    let Some(given) = exploration.settings.get(&name) else {
        return Ok(otherwise);
    };
    let read = if otherwise.is_string() {
        Some(Dynamic::from(given.clone()))
    } else if otherwise.is_int() {
        given.parse::<i64>().ok().map(Dynamic::from)
    } else if otherwise.is_bool() {
        given.parse::<bool>().ok().map(Dynamic::from)
    } else {
        let path = ["1".to_owned()];
        let message = "a setting is a string, a whole number, or `true` or `false`";
        return Err(Mistake::at(&path, message));
    };
    let kind = if otherwise.is_int() {
        "a whole number"
    } else {
        "`true` or `false`"
    };
    read.ok_or_else(|| Mistake::at(&[], format!("`--set {name}={given}`: it must be {kind}")))
}

fn randconfig(call: &mut Call<'_>, mut arguments: Arguments) -> Result<Dynamic, Mistake> {
    let arch: String = arguments.next();
    let mut options: Fields = arguments.next();
    let random = Random {
        arch,
        source: options.take("source"),
        toolchain: options.take("toolchain"),
        seed: options.take_number("seed", 0),
        probability: options.take_or_empty("probability"),
        boots: options.take("boots"),
        base: options
            .take::<BTreeMap<String, Value>>("base")
            .unwrap_or_default(),
    };
    made(explorer(call)?.randconfig(random))
}

fn mutate(call: &mut Call<'_>, mut arguments: Arguments) -> Result<Dynamic, Mistake> {
    let config = thing(&mut arguments)?;
    let mut options: Fields = arguments.next();
    let mutation = Mutation {
        seed: options.take_number("seed", 0),
        share: options.take_number("share", 500),
        keep: options.take("keep"),
        spare: options.take_number("spare", 0),
    };
    made(explorer(call)?.mutate(config, mutation))
}
