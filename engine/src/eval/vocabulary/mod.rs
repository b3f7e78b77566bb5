//! The functions definitions are written with: one table, one file per family of nouns.
//!
//! An entry of the table says a function's parameters by [`Shape`]; that one statement checks the
//! arguments and prints the reference.

mod arches;
mod boards;
mod general;
mod predicates;
mod sources;
mod suites;
mod toolchains;

use std::any::TypeId;

use rhai::Dynamic;
use rhai::Engine;
use rhai::EvalAltResult;
use rhai::ImmutableString;
use rhai::NativeCallContext;

use crate::kconfig;
use crate::model::ConfigRecipe;
use crate::model::Fixup;
use crate::model::ProjectFile;

use super::handle::Handle;
use super::handle::Kind;
use super::mistake::Mistake;
use super::mistake::Site;
use super::mistake::ValuePath;
use super::schema::Checked;
use super::schema::FromChecked;
use super::schema::Shape;
use super::state::Shared;
use super::state::State;

/// A host function.
pub(super) struct Function {
    /// Its name.
    pub name: &'static str,
    /// Whether it is written `value.name(…)`; the value is the first parameter.
    pub method: bool,
    /// Its parameters. A last one that is a record without needed fields may be left out.
    pub params: &'static [Param],
    /// What it gives, for the reference.
    pub gives: &'static str,
    /// What it is for, for the reference.
    pub doc: &'static str,
    /// What it does.
    pub run: fn(&mut Call<'_>, Arguments) -> Result<Dynamic, Mistake>,
}

/// A parameter of a host function.
pub(super) struct Param {
    /// Its name, for the reference and messages.
    pub name: &'static str,
    /// What it must be.
    pub shape: Shape,
}

/// A chapter of the reference.
pub(super) struct Chapter {
    /// Its heading.
    pub title: &'static str,
    /// Its functions.
    pub functions: &'static [Function],
}

/// Every host function, in the order of the reference.
pub(super) const CHAPTERS: &[Chapter] = &[
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
        title: "Root filesystems and suites",
        functions: suites::FUNCTIONS,
    },
    Chapter {
        title: "Boards and labs",
        functions: boards::FUNCTIONS,
    },
    Chapter {
        title: "General",
        functions: general::FUNCTIONS,
    },
];

/// Every host function.
pub(super) fn functions() -> impl Iterator<Item = &'static Function> + Clone {
    CHAPTERS.iter().flat_map(|chapter| chapter.functions)
}

/// One call of a host function.
pub(super) struct Call<'a> {
    /// What the evaluation has gathered.
    pub state: &'a mut State,
    /// Where the call is.
    pub site: Site,
}

/// The checked arguments of a call.
pub(super) struct Arguments(std::vec::IntoIter<Checked>);

impl Arguments {
    /// The next argument. The table has checked that it is there and of its shape, except for the
    /// record that may be left out, whose empty value is right.
    pub fn next<T: FromChecked + Default>(&mut self) -> T {
        self.0.next().and_then(T::from_checked).unwrap_or_default()
    }

    /// The next argument, of a type without an empty value.
    pub fn required<T: FromChecked>(&mut self) -> Result<T, Mistake> {
        let missing = || Mistake::at(&[], "an argument is missing");
        self.0.next().and_then(T::from_checked).ok_or_else(missing)
    }
}

impl Call<'_> {
    /// Claims a name for the argument or element at `path`.
    pub fn declare(&mut self, kind: Kind, name: &str, path: &[&str]) -> Result<Dynamic, Mistake> {
        let path: ValuePath = path.iter().map(|step| (*step).to_owned()).collect();
        let key = (kind, name.to_owned());
        if let Some((earlier, earlier_path)) = self.state.declared.get(&key) {
            let mut mistake = Mistake::at(
                &path,
                format!("the {} `{name}` is declared twice", kind.word()),
            );
            if *earlier == self.site {
                mistake = mistake.help("a loop or a function declares it more than once: make the name depend on what changes");
            } else {
                mistake.earlier = Some((
                    earlier.clone(),
                    earlier_path.clone(),
                    "declared here first".to_owned(),
                ));
            }
            return Err(mistake);
        }
        self.state.declared.insert(key, (self.site.clone(), path));
        Ok(Dynamic::from(Handle {
            kind,
            name: name.into(),
        }))
    }
}

/// Gives an engine the host functions and the types they exchange.
pub(super) fn register(engine: &mut Engine, shared: &Shared) {
    engine
        .register_type_with_name::<Handle>("handle")
        .register_type_with_name::<kconfig::Predicate>("predicate")
        .register_type_with_name::<kconfig::Value>("kconfig value")
        .register_type_with_name::<Fixup>("fixup")
        .register_type_with_name::<ConfigRecipe>("recipe")
        .register_type_with_name::<ProjectFile>("project file")
        .register_get("name", |handle: &mut Handle| handle.name.clone())
        .register_get("path", |file: &mut ProjectFile| {
            ImmutableString::from(file.path.as_str())
        })
        .register_fn("to_string", |handle: &mut Handle| handle.name.clone())
        .register_fn("==", |left: Handle, right: Handle| left == right)
        .register_fn("!=", |left: Handle, right: Handle| left != right);
    for function in functions() {
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
