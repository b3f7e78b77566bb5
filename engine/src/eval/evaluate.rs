//! One evaluation, from the files to the catalog.

use std::path::Path;

use rhai::Dynamic;
use rhai::EvalAltResult;
use rhai::Scope;

use crate::model::Catalog;
use crate::text::Diagnostic;

use super::explain;
use super::files::Files;
use super::limits;
use super::loader::LoadError;
use super::loader::Loader;
use super::loader::parse;
use super::mistake::Site;
use super::places::Places;
use super::state::Shared;
use super::vocabulary;

/// The script an evaluation begins with.
const MAIN: &str = "main.rhai";

/// What an evaluation gives.
#[derive(Clone, Debug)]
pub struct Evaluated {
    /// Everything that was declared.
    pub catalog: Catalog,
    /// Every file that was read as (path, content), sorted by path: scripts, and what `file(…)`
    /// took in, also of `std/…`. The catalog is a function of these.
    pub files: Vec<(String, Vec<u8>)>,
    /// What `print` was given, in order.
    pub log: Vec<String>,
    /// Where things were declared.
    pub places: Places,
}

/// Evaluates the project in a directory, beginning with its `main.rhai`.
pub fn evaluate(project: &Path) -> Result<Evaluated, Vec<Diagnostic>> {
    evaluate_files(&Files::Directory(project.to_owned()))
}

/// Evaluates the project that `files` is.
pub fn evaluate_files(files: &Files) -> Result<Evaluated, Vec<Diagnostic>> {
    let files = files.clone();
    limits::on_large_stack(|| run(files))
}

fn run(files: Files) -> Result<Evaluated, Vec<Diagnostic>> {
    let shared = Shared::new(files);
    let mut engine = limits::bounded_engine();
    engine.set_module_resolver(Loader(shared.clone()));
    vocabulary::register(&mut engine, &shared);
    shared.lock().loading.push(MAIN.to_owned());
    let result = parse(&engine, &shared, MAIN)
        .map_err(|error| match error {
            LoadError::Import(mistake) => mistake
                .help(format!("evaluation begins with `{MAIN}`"))
                .thrown(Site::none()),
            LoadError::Inside(_, error) => error,
        })
        .and_then(|ast| {
            engine
                .eval_ast_with_scope::<Dynamic>(&mut Scope::new(), &ast)
                .map(|_: Dynamic| ())
        })
        .and_then(|()| {
            let checked = vocabulary::check_versions(&shared.lock());
            checked.map_err(|mistake| {
                let site = mistake.site.clone();
                mistake.thrown(site)
            })
        });
    finish(&shared, result)
}

fn finish(
    shared: &Shared,
    result: Result<(), Box<EvalAltResult>>,
) -> Result<Evaluated, Vec<Diagnostic>> {
    let mut state = shared.lock();
    if let Err(error) = result {
        return Err(vec![explain::diagnostic(&state.scripts, MAIN, &error)]);
    }
    Ok(Evaluated {
        catalog: std::mem::take(&mut state.catalog),
        files: std::mem::take(&mut state.seen).into_iter().collect(),
        log: std::mem::take(&mut state.log),
        places: Places::new(
            std::mem::take(&mut state.declared),
            std::mem::take(&mut state.scripts),
        ),
    })
}
