//! The table of all host functions, and its way into an engine.

use std::any::TypeId;

use rhai::Dynamic;
use rhai::Engine;
use rhai::EvalAltResult;
use rhai::ImmutableString;
use rhai::NativeCallContext;

use super::arches;
use super::boards;
use super::explore;
use super::function::Arguments;
use super::function::Call;
use super::function::Chapter;
use super::function::Function;
use super::function::Param;
use super::general;
use super::labs;
use super::predicates;
use super::results;
use super::sources;
use super::suites;
use super::toolchains;
use super::versions;
use crate::eval::handle::Asked;
use crate::eval::handle::Cases;
use crate::eval::handle::Handle;
use crate::eval::limits::MAX_EXPLORING_OPERATIONS;
use crate::eval::limits::MAX_OPERATIONS;
use crate::eval::mistake::Site;
use crate::eval::schema::Shape;
use crate::eval::state::Shared;
use crate::kconfig;
use crate::model::ConfigRecipe;
use crate::model::Fixup;
use crate::model::Patch;
use crate::model::ProjectFile;

/// Every host function, in the order of the reference.
pub(in crate::eval) const CHAPTERS: &[Chapter] = &[
    Chapter {
        title: "Sources, bases and images",
        functions: sources::FUNCTIONS,
    },
    Chapter {
        title: "Toolchains",
        functions: toolchains::FUNCTIONS,
    },
    Chapter {
        title: "Arches and configurations",
        functions: arches::FUNCTIONS,
    },
    Chapter {
        title: "Predicates",
        functions: predicates::FUNCTIONS,
    },
    Chapter {
        title: "Kernel versions",
        functions: versions::FUNCTIONS,
    },
    Chapter {
        title: "Root filesystems and suites",
        functions: suites::FUNCTIONS,
    },
    Chapter {
        title: "Boards",
        functions: boards::FUNCTIONS,
    },
    Chapter {
        title: "Labs",
        functions: labs::FUNCTIONS,
    },
    Chapter {
        title: "General",
        functions: general::FUNCTIONS,
    },
];

/// What a script that explores has, in the order of the reference.
pub(in crate::eval) const EXPLORING: &[Chapter] = &[
    Chapter {
        title: "Configurations",
        functions: explore::FUNCTIONS,
    },
    Chapter {
        title: "Builds and boots",
        functions: results::FUNCTIONS,
    },
    Chapter {
        title: "Predicates",
        functions: predicates::FUNCTIONS,
    },
    Chapter {
        title: "General",
        functions: general::FUNCTIONS,
    },
];

/// Which host functions a script has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::eval) enum Language {
    /// Those that declare.
    Definitions,
    /// Those that ask for results.
    Exploration,
}

impl Language {
    /// Operations that one run may take.
    pub fn most_operations(self) -> u64 {
        match self {
            Self::Definitions => MAX_OPERATIONS,
            Self::Exploration => MAX_EXPLORING_OPERATIONS,
        }
    }

    /// Every host function.
    pub fn functions(self) -> impl Iterator<Item = &'static Function> + Clone {
        let chapters = match self {
            Self::Definitions => CHAPTERS,
            Self::Exploration => EXPLORING,
        };
        chapters.iter().flat_map(|chapter| chapter.functions)
    }
}

/// Gives an engine the host functions and the types they exchange.
pub(in crate::eval) fn register(engine: &mut Engine, shared: &Shared) {
    engine
        .register_type_with_name::<Handle>("handle")
        .register_type_with_name::<kconfig::Predicate>("predicate")
        .register_type_with_name::<kconfig::Value>("kconfig value")
        .register_type_with_name::<Fixup>("fixup")
        .register_type_with_name::<Cases>("value by version")
        .register_type_with_name::<ConfigRecipe>("recipe")
        .register_type_with_name::<ProjectFile>("project file")
        .register_type_with_name::<Patch>("patch")
        .register_get("path", |patch: &mut Patch| {
            ImmutableString::from(patch.file.path.as_str())
        })
        .register_get("name", |handle: &mut Handle| handle.name.clone())
        .register_get("path", |file: &mut ProjectFile| {
            ImmutableString::from(file.path.as_str())
        })
        .register_type_with_name::<Asked>("asked thing")
        .register_get("address", |asked: &mut Asked| asked.address.clone())
        .register_fn("to_string", |asked: &mut Asked| asked.address.clone())
        .register_fn("to_string", |handle: &mut Handle| handle.name.clone())
        .register_fn("==", |left: Handle, right: Handle| left == right)
        .register_fn("!=", |left: Handle, right: Handle| left != right);
    let language = shared.lock().language;
    for function in language.functions() {
        let most = function.params.len();
        let least = match function.params.last() {
            Some(Param {
                shape: Shape::Record(record),
                ..
            }) if record.is_optional() => most - 1,
            _ => most,
        };
        for count in least..=most {
            let shared = shared.clone();
            let types = vec![TypeId::of::<Dynamic>(); count];
            engine.register_raw_fn(function.name, types, move |context, arguments| {
                call(function, &shared, &context, arguments)
            });
        }
    }
    predicates::register_operators(engine);
    let log = shared.clone();
    engine.on_print(move |line| log.lock().print(line));
}

fn call(
    function: &Function,
    shared: &Shared,
    context: &NativeCallContext<'_>,
    arguments: &mut [&mut Dynamic],
) -> Result<Dynamic, Box<EvalAltResult>> {
    let site = Site {
        source: context.call_source().unwrap_or_default().to_owned(),
        position: context.call_position(),
    };
    let mut checked = Vec::with_capacity(arguments.len());
    // In `value.name(…)` the written arguments begin after the value.
    let before = usize::from(function.method);
    for (index, (param, value)) in function.params.iter().zip(arguments.iter()).enumerate() {
        let mut path = match index.checked_sub(before) {
            Some(index) => vec![index.to_string()],
            None => Vec::new(),
        };
        let value = param.shape.check(value, &mut path);
        checked.push(value.map_err(|mistake| mistake.thrown(site.clone()))?);
    }
    let mut state = shared.lock();
    let mut call = Call {
        state: &mut state,
        site: site.clone(),
    };
    (function.run)(&mut call, Arguments(checked.into_iter()))
        .map_err(|mistake| mistake.thrown(site))
}
