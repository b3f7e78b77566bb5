//! Modules: the project's and the standard library's, by plain paths, each once, never in a circle.

use std::sync::Arc;

use rhai::AST;
use rhai::Engine;
use rhai::EvalAltResult;
use rhai::GlobalRuntimeState;
use rhai::Module;
use rhai::ModuleResolver;
use rhai::Position;
use rhai::Scope;
use rhai::module_resolvers::DummyModuleResolver;

use super::limits::MAX_IMPORT_LEVELS;
use super::limits::MAX_LINES;
use super::limits::MAX_MODULES;
use super::limits::MAX_VARIABLES;
use super::mistake::Mistake;
use super::mistake::Site;
use super::spans::FileIndex;
use super::state::Shared;

/// Resolves `import` from the files of one evaluation.
pub(super) struct Loader(pub Shared);

impl Loader {
    fn load(
        &self,
        engine: &Engine,
        global: &mut GlobalRuntimeState,
        path: &str,
    ) -> Result<Arc<Module>, LoadError> {
        let file = module_file(path)?;
        {
            let mut state = self.0.lock();
            if let Some(module) = state.modules.get(&file) {
                return Ok(Arc::clone(module));
            }
            if let Some(start) = state.loading.iter().position(|loading| *loading == file) {
                let mut circle: Vec<String> = state.loading[start..]
                    .iter()
                    .map(|file| format!("`{file}`"))
                    .collect();
                circle.push(format!("`{file}`"));
                return Err(Mistake::at(
                    &[],
                    format!("imports in a circle: {}", circle.join(" -> ")),
                )
                .help("move what both files need into a third one")
                .into());
            }
            // Loading recurses natively, and the interpreter counts modules by scope only.
            if state.loading.len() > MAX_IMPORT_LEVELS || state.modules.len() >= MAX_MODULES {
                let message = format!(
                    "a project has at most {MAX_MODULES} modules, imported {MAX_IMPORT_LEVELS} levels deep"
                );
                return Err(Mistake::at(&[], message).into());
            }
            state.loading.push(file.clone());
        }
        let result = parse(engine, &self.0, &file).and_then(|ast| {
            Module::eval_ast_as_new_raw(engine, &mut Scope::new(), global, &ast)
                .map_err(|error| LoadError::Inside(file.clone(), error))
        });
        let mut state = self.0.lock();
        state.loading.pop();
        let module = Arc::new(result?);
        state.modules.insert(file, Arc::clone(&module));
        Ok(module)
    }
}

impl ModuleResolver for Loader {
    fn resolve(
        &self,
        engine: &Engine,
        _: Option<&str>,
        path: &str,
        position: Position,
    ) -> Result<Arc<Module>, Box<EvalAltResult>> {
        // The interpreter calls `resolve_raw` only.
        DummyModuleResolver::new().resolve(engine, None, path, position)
    }

    fn resolve_raw(
        &self,
        engine: &Engine,
        global: &mut GlobalRuntimeState,
        _: &mut Scope,
        path: &str,
        position: Position,
    ) -> Result<Arc<Module>, Box<EvalAltResult>> {
        let source = global.source().unwrap_or_default().to_owned();
        self.load(engine, global, path)
            .map_err(|error| match error {
                LoadError::Import(mistake) => mistake.thrown(Site { source, position }),
                LoadError::Inside(file, error) => {
                    Box::new(EvalAltResult::ErrorInModule(file, error, position))
                }
            })
    }
}

/// Why a module cannot be had.
pub(super) enum LoadError {
    /// The import itself is wrong.
    Import(Box<Mistake>),
    /// The module, in this file, is.
    Inside(String, Box<EvalAltResult>),
}

impl From<Mistake> for LoadError {
    fn from(mistake: Mistake) -> Self {
        Self::Import(Box::new(mistake))
    }
}

/// Reads and parses a script, and indexes its places.
pub(super) fn parse(engine: &Engine, shared: &Shared, file: &str) -> Result<AST, LoadError> {
    let text = shared
        .lock()
        .script(file)
        .map_err(|error| Mistake::of_file(&[], &error))?;
    if let Some(reason) = too_big(&text.text) {
        let start = Site {
            source: file.to_owned(),
            position: Position::new(1, 1),
        };
        let mistake = Mistake::at(&[], format!("`{file}` {reason}"))
            .help("split the file, or declare families of things in loops");
        return Err(LoadError::Inside(file.to_owned(), mistake.thrown(start)));
    }
    if let Some(comment) = open_comment(engine, &text.text) {
        let (line, column) = text.line_column(comment);
        let place = |number: usize| u16::try_from(number).unwrap_or(u16::MAX);
        let position = Position::new(place(line), place(column));
        let start = Site {
            source: file.to_owned(),
            position,
        };
        let mistake = Mistake::at(&[], "a comment is not closed").help("it ends with `*/`");
        return Err(LoadError::Inside(file.to_owned(), mistake.thrown(start)));
    }
    let mut ast = engine
        .compile(&*text.text)
        .map_err(|error| LoadError::Inside(file.to_owned(), Box::new(error.into())))?;
    ast.set_source(file);
    let mut state = shared.lock();
    let index = Arc::new(FileIndex::new(text, &ast, state.language));
    state.scripts.insert(file.to_owned(), index);
    drop(state);
    Ok(ast)
}

/// Where a block comment begins that swallows the rest of a text; the interpreter does not mind.
fn open_comment(engine: &Engine, text: &str) -> Option<usize> {
    let last = text.rfind("/*")?;
    engine.compile(format!("{text}\n)")).is_ok().then_some(last)
}

/// Parsing has no budget of its own, and is quadratic in the variables of a file.
fn too_big(text: &str) -> Option<String> {
    if text.lines().count() > MAX_LINES {
        return Some(format!("has more than {MAX_LINES} lines"));
    }
    let words = text.split(|c: char| !(c.is_alphanumeric() || c == '_'));
    let variables = words
        .filter(|word| matches!(*word, "let" | "const" | "import" | "for"))
        .count();
    (variables > MAX_VARIABLES).then(|| format!("has more than {MAX_VARIABLES} variables"))
}

/// The file of a module path: lower-case segments only.
fn module_file(path: &str) -> Result<String, Mistake> {
    let plain = path.split('/').all(|segment| {
        !segment.is_empty()
            && segment
                .bytes()
                .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-'))
    });
    if plain {
        return Ok(format!("{path}.rhai"));
    }
    let help = match path.strip_suffix(".rhai") {
        Some(rest) => format!("leave the ending out: `import \"{rest}\" as …`"),
        None => "a module is named by its path below the project root, in lower-case letters, \
                 digits, `_` and `-`: `import \"boards/arm\" as …`"
            .to_owned(),
    };
    Err(Mistake::at(&[], format!("`{path}` is not a module path")).help(help))
}
