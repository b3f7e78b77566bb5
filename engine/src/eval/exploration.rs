//! Scripts that explore: they ask for configurations, builds and boots, and see what came of them as values.
//!
//! A script sees neither clock nor disk, and what is random comes from seeds it names; so the same script asks for the same things
//! again, and finds what was learnt. What it asks for is made by an [`Explorer`], which this module does not know.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use rhai::Dynamic;
use rhai::EvalAltResult;
use rhai::Scope;
use serde::Serialize;
use serde::Serializer;

use super::explain;
use super::files::Files;
use super::limits;
use super::limits::Ended;
use super::loader::LoadError;
use super::loader::Loader;
use super::loader::parse;
use super::mistake::Site;
use super::state::Shared;
use super::vocabulary;
use super::vocabulary::Language;
use crate::kconfig::Config;
use crate::kconfig::Predicate;
use crate::kconfig::Value;
use crate::model::Mutation;
use crate::text::Diagnostic;

/// Something asked for, by the explorer's number of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Thing {
    /// A configuration.
    Config(usize),
    /// A build of one.
    Build(usize),
    /// A boot of a build.
    Boot(usize),
}

impl Thing {
    /// What it is, in one word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Config(_) => "config",
            Self::Build(_) => "build",
            Self::Boot(_) => "boot",
        }
    }
}

/// What a configuration is to fit.
#[derive(Clone, Debug)]
pub enum Fits {
    /// A board, by its name.
    Board(String),
    /// A predicate.
    Needs(Predicate),
}

/// A random configuration that is asked for.
#[derive(Clone, Debug)]
pub struct Random {
    /// Name of the arch.
    pub arch: String,
    /// Name of the source; the only one of the arch, if none is given.
    pub source: Option<String>,
    /// Name of the toolchain; the arch's first, if none is given.
    pub toolchain: Option<String>,
    /// `KCONFIG_SEED`.
    pub seed: u32,
    /// `KCONFIG_PROBABILITY`, or empty.
    pub probability: String,
    /// What it is to fit.
    pub boots: Option<Fits>,
    /// Symbols set on top.
    pub base: BTreeMap<String, Value>,
}

/// What became of something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// `succeeded`, `failed`, `flaky`, `broken` or `skipped`.
    pub verdict: &'static str,
    /// What kind of failure it is; empty where it did not fail.
    pub signature: String,
    /// What failed, in one line.
    pub reason: String,
}

/// Symbols that make a failure, none of which can be left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Culprit {
    /// The symbols.
    #[serde(serialize_with = "as_texts")]
    pub symbols: BTreeMap<String, Value>,
    /// The address of the baseline with them.
    pub address: String,
    /// Whether a clean build of that address failed the same way.
    pub verified: bool,
    /// How many configurations were tried, those of earlier runs included.
    pub probes: usize,
    /// How many of them had a result already.
    pub cached: usize,
}

fn as_texts<S: Serializer>(symbols: &BTreeMap<String, Value>, to: S) -> Result<S::Ok, S::Error> {
    to.collect_map(
        symbols
            .iter()
            .map(|(symbol, value)| (symbol, value.to_string())),
    )
}

/// How much of an arch was ever on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Coverage {
    /// Symbols that were `y` or `m` in a kernel that was built.
    pub built: usize,
    /// In one that booted.
    pub booted: usize,
    /// Object files that were compiled.
    pub objects: usize,
}

/// Why an explorer does not do what it is asked.
#[derive(Clone, Debug)]
pub enum Refusal {
    /// Nothing more is done: the budget is used up, or the run was ended.
    Over,
    /// The script asked for what there is not.
    Mistake {
        /// What is wrong.
        message: String,
        /// The next step.
        help: Option<String>,
    },
}

/// Makes what a script asks for. Asking for a configuration, a build or a boot queues it; what it came to is waited for.
pub trait Explorer: Send + Sync {
    /// Asks for a random configuration; gives its address too.
    fn randconfig(&self, random: Random) -> Result<(Thing, String), Refusal>;
    /// Asks for the configuration of a build's address.
    fn config(&self, address: &str) -> Result<(Thing, String), Refusal>;
    /// Asks for a configuration with symbols set on top.
    fn with(
        &self,
        config: Thing,
        symbols: BTreeMap<String, Value>,
    ) -> Result<(Thing, String), Refusal>;
    /// Asks for a mutant of a configuration.
    fn mutate(&self, config: Thing, mutation: Mutation) -> Result<(Thing, String), Refusal>;
    /// The resolved .config; `None` where it could not be resolved.
    fn resolved(&self, config: Thing) -> Result<Option<Arc<Config>>, Refusal>;
    /// The boards that fit a configuration.
    fn matching(&self, config: Thing) -> Result<Vec<String>, Refusal>;
    /// Asks for the kernel of a configuration.
    fn build(&self, config: Thing) -> Result<(Thing, String), Refusal>;
    /// Asks for a boot on a board that fits (the first, if none is given) with a suite (the board's first).
    fn boot(
        &self,
        build: Thing,
        board: Option<&str>,
        suite: Option<&str>,
    ) -> Result<(Thing, String), Refusal>;
    /// What became of it.
    fn outcome(&self, thing: Thing) -> Result<Outcome, Refusal>;
    /// The smallest fragments over a baseline that fail the same way.
    fn minimize(&self, failed: Thing, baseline: Thing) -> Result<Vec<Culprit>, Refusal>;
    /// How many symbols are on in a configuration that were in no kernel that was built.
    fn gain(&self, config: Thing) -> Result<usize, Refusal>;
    /// How much of an arch was covered.
    fn coverage(&self, arch: &str) -> Result<Coverage, Refusal>;
    /// Tells a line.
    fn say(&self, line: &str);
}

/// What host functions of a script that explores work with.
#[derive(Clone)]
pub(super) struct Exploration {
    /// Makes what is asked for.
    pub explorer: Arc<dyn Explorer>,
    /// What `--set` gave.
    pub settings: BTreeMap<String, String>,
    /// Settings that the script asked for.
    pub asked: Vec<String>,
}

/// A script that has come to its end.
#[derive(Clone, Debug)]
pub struct Explored {
    /// It was ended by its explorer.
    pub over: bool,
    /// Settings that were given, and that the script did not ask for.
    pub unused: Vec<String>,
}

/// Runs a script of a project, by its path below the project's directory.
pub fn explore(
    project: &Path,
    script: &str,
    settings: BTreeMap<String, String>,
    explorer: Arc<dyn Explorer>,
) -> Result<Explored, Vec<Diagnostic>> {
    let files = Files::Directory(project.to_owned());
    let script = script.to_owned();
    let exploration = Exploration {
        explorer,
        settings,
        asked: Vec::new(),
    };
    limits::on_large_stack(move || run(files, &script, exploration))
}

fn run(files: Files, script: &str, exploration: Exploration) -> Result<Explored, Vec<Diagnostic>> {
    let explorer = Arc::clone(&exploration.explorer);
    let shared = Shared::of(files, Language::Exploration, Some(exploration));
    let mut engine = limits::exploring_engine();
    engine.set_module_resolver(Loader(shared.clone()));
    vocabulary::register(&mut engine, &shared);
    engine.on_print(move |line| explorer.say(line));
    shared.lock().loading.push(script.to_owned());
    let result = parse(&engine, &shared, script).map_err(|error| match error {
        LoadError::Import(mistake) => mistake.thrown(Site::none()),
        LoadError::Inside(_, error) => error,
    });
    let result = result.and_then(|ast| {
        engine
            .eval_ast_with_scope::<Dynamic>(&mut Scope::new(), &ast)
            .map(|_: Dynamic| ())
    });
    let over = match result {
        Ok(()) => false,
        Err(error) if is_over(&error) => true,
        Err(error) => {
            return Err(vec![explain::diagnostic(
                &shared.lock().scripts,
                script,
                &error,
            )]);
        }
    };
    let state = shared.lock();
    let unused = state.exploration.as_ref().map(|exploration| {
        let given = exploration.settings.keys();
        given
            .filter(|name| !exploration.asked.contains(name))
            .cloned()
            .collect()
    });
    Ok(Explored {
        over,
        unused: unused.unwrap_or_default(),
    })
}

/// Whether the innermost error is that the exploration is over.
fn is_over(error: &EvalAltResult) -> bool {
    match error {
        EvalAltResult::ErrorInFunctionCall(_, _, inner, _)
        | EvalAltResult::ErrorInModule(_, inner, _) => is_over(inner),
        EvalAltResult::ErrorTerminated(reason, _) => {
            reason.clone().try_cast::<Ended>() == Some(Ended::Over)
        }
        _ => false,
    }
}
