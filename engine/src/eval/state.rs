//! What one evaluation gathers: the catalog so far, where its entries were declared, and every file read.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use rhai::Module;

use crate::model::Catalog;
use crate::model::ProjectFile;
use crate::text::SourceText;

use super::exploration::Exploration;
use super::files::FileError;
use super::files::Files;
use super::files::listing;
use super::handle::Kind;
use super::mistake::Site;
use super::mistake::ValuePath;
use super::spans::FileIndex;
use super::vocabulary::Language;

/// Most lines `print` may give.
const MAX_LOG_LINES: usize = 1000;
/// Longest line of them, in characters.
const MAX_LOG_WIDTH: usize = 400;

/// The state of one evaluation, shared by the engine's host functions.
#[derive(Clone)]
pub(super) struct Shared(Arc<Mutex<State>>);

/// See [`Shared`].
pub(super) struct State {
    /// The files the evaluation may see.
    pub files: Files,
    /// Texts that were read, by path.
    pub read: BTreeMap<String, Arc<str>>,
    /// All that was read, by path; of a directory, which ends in `/`, its names.
    pub seen: BTreeMap<String, Vec<u8>>,
    /// What was declared.
    pub catalog: Catalog,
    /// Where: by kind and name.
    pub declared: BTreeMap<(Kind, String), (Site, ValuePath)>,
    /// What `print` was given.
    pub log: Vec<String>,
    /// The modules being loaded, outermost first.
    pub loading: Vec<String>,
    /// The modules that were loaded.
    pub modules: BTreeMap<String, Arc<Module>>,
    /// What is known about the scripts, by path.
    pub scripts: BTreeMap<String, Arc<FileIndex>>,
    /// Which functions the scripts have.
    pub language: Language,
    /// Answers scripts that explore.
    pub exploration: Option<Exploration>,
}

impl Shared {
    /// A state of definitions that has seen nothing yet.
    pub fn new(files: Files) -> Self {
        Self::of(files, Language::Definitions, None)
    }

    /// A state that has seen nothing yet.
    pub fn of(files: Files, language: Language, exploration: Option<Exploration>) -> Self {
        Self(Arc::new(Mutex::new(State {
            files,
            read: BTreeMap::new(),
            seen: BTreeMap::new(),
            catalog: Catalog::default(),
            declared: BTreeMap::new(),
            log: Vec::new(),
            loading: Vec::new(),
            modules: BTreeMap::new(),
            scripts: BTreeMap::new(),
            language,
            exploration,
        })))
    }

    /// The state; host functions hold it for one call only.
    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Reads a file once.
    pub fn read(&mut self, path: &str) -> Result<Arc<str>, FileError> {
        if let Some(text) = self.read.get(path) {
            return Ok(Arc::clone(text));
        }
        let text: Arc<str> = self.files.read(path)?.into();
        self.seen.insert(path.to_owned(), text.as_bytes().to_vec());
        self.read.insert(path.to_owned(), Arc::clone(&text));
        Ok(text)
    }

    /// Reads a file that need not be text.
    pub fn bytes(&mut self, path: &str) -> Result<Vec<u8>, FileError> {
        let bytes = self.files.read_bytes(path)?;
        self.seen.insert(path.to_owned(), bytes.clone());
        Ok(bytes)
    }

    /// Reads a file for the catalog.
    pub fn project_file(&mut self, path: &str) -> Result<ProjectFile, FileError> {
        Ok(ProjectFile::of(path, self.bytes(path)?))
    }

    /// The names of a directory's files; `None` of what is no directory.
    pub fn names(&mut self, path: &str) -> Result<Option<Vec<String>>, FileError> {
        let names = self.files.list(path)?;
        if let Some(names) = &names {
            self.seen.insert(format!("{path}/"), listing(names));
        }
        Ok(names)
    }

    /// Reads a script and remembers it for messages.
    pub fn script(&mut self, path: &str) -> Result<SourceText, FileError> {
        let text = self.read(path)?;
        let text = SourceText {
            name: path.into(),
            text,
        };
        self.scripts.insert(
            path.to_owned(),
            Arc::new(FileIndex::unparsed(text.clone(), self.language)),
        );
        Ok(text)
    }

    /// Takes in a line of `print`.
    pub fn print(&mut self, line: &str) {
        if self.log.len() < MAX_LOG_LINES {
            self.log.push(line.chars().take(MAX_LOG_WIDTH).collect());
        }
    }
}
