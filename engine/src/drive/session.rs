//! One project on one store.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use store::Digest;
use store::KeyHasher;
use store::Records;
use store::Store;

use super::DriveError;
use super::cache;
use super::error::file;
use super::worker::worker;
use crate::eval;
use crate::graph::Boots;
use crate::graph::Declared;
use crate::graph::Derive;
use crate::graph::Graph;
use crate::graph::Node;
use crate::graph::NodeId;
use crate::graph::Place;
use crate::graph::Worker;
use crate::graph::World;
use crate::lock::LOCK_FILE;
use crate::lock::Lock;
use crate::lock::LockError;
use crate::lock::MOST_BYTES;
use crate::model::Catalog;
use crate::model::Derived;
use crate::origins::requests;
use crate::plan::Matching;
use crate::plan::Progress;
use crate::plan::Selection;
use crate::spec::Kind;

/// A loaded project.
pub struct Session {
    /// The directory with `main.rhai`, absolute.
    pub project: PathBuf,
    /// Where results are.
    pub store: Arc<Store>,
    /// The declarations.
    pub catalog: Arc<Catalog>,
    /// The one lab that boots boards, if it was named.
    pub(super) lab: Option<String>,
    /// Where boots run.
    pub(super) place: Place,
    lock: Arc<Lock>,
    worker: Arc<Worker>,
    declared: Declared,
    records: Records,
    digest: Digest,
}

/// What `engine check` found.
#[derive(Debug)]
pub struct Checked {
    /// The declarations.
    pub catalog: Catalog,
    /// Names without a usable pin.
    pub unpinned: Vec<String>,
    /// Build addresses.
    pub builds: usize,
    /// What the scripts printed.
    pub log: Vec<String>,
}

/// Evaluates a project without looking at any store.
pub fn check(project: &Path) -> Result<Checked, DriveError> {
    let project = find(project)?;
    let evaluated = eval::evaluate(&project).map_err(DriveError::Definitions)?;
    let lock = read_lock(&project)?.0;
    let catalog = evaluated.catalog;
    let unpinned = requests(&catalog)
        .into_iter()
        .filter(|(name, request)| lock.pin(name, request).is_err())
        .map(|(name, _)| name)
        .collect();
    let builds = catalog.builds().len();
    Ok(Checked {
        catalog,
        unpinned,
        builds,
        log: evaluated.log,
    })
}

impl Session {
    /// Loads a project, and the builds that `names` (addresses, or `KIND:ADDRESS`) derive from what is declared.
    pub fn open_for(
        project: &Path,
        store: Arc<Store>,
        names: &[String],
    ) -> Result<Self, DriveError> {
        let mut session = Self::open(project, store)?;
        session.derive(names)?;
        Ok(session)
    }

    /// Loads a project, from the cache where nothing changed.
    pub fn open(project: &Path, store: Arc<Store>) -> Result<Self, DriveError> {
        let project = find(project)?;
        let (lock, lock_text) = read_lock(&project)?;
        let lock_digest = Digest::of(&lock_text);
        let entry = if let Some(mut entry) = cache::load(&store, &project, &lock_digest) {
            let worker = worker(&entry.catalog, &store);
            if worker != entry.worker {
                entry.declared = declared(&entry.catalog, &lock, &worker)?;
                entry.worker = worker;
                cache::save(&store, &project, &entry);
            }
            entry
        } else {
            let evaluated = eval::evaluate(&project).map_err(DriveError::Definitions)?;
            let worker = worker(&evaluated.catalog, &store);
            let declared = declared(&evaluated.catalog, &lock, &worker)?;
            let files = evaluated.files.into_iter();
            let files = files.map(|(path, content)| (path, Digest::of(&content)));
            let entry = cache::Entry {
                // What is embedded changes only with the engine, which is part of the cache's key.
                files: files
                    .filter(|(path, _)| !path.starts_with("std/"))
                    .collect(),
                lock: lock_digest,
                catalog: evaluated.catalog,
                worker,
                declared,
            };
            cache::save(&store, &project, &entry);
            entry
        };
        let mut hasher = KeyHasher::new("engine 2026-11 session v1").digest(&lock_digest);
        for (path, content) in &entry.files {
            hasher = hasher.str(path).digest(content);
        }
        let records = store.load_records()?;
        Ok(Self {
            digest: hasher.finish(),
            project,
            store,
            catalog: Arc::new(entry.catalog),
            lab: None,
            place: Place::Usual,
            lock: Arc::new(lock),
            worker: Arc::new(entry.worker),
            declared: entry.declared,
            records,
        })
    }

    /// Adds the derived builds that are named.
    fn derive(&mut self, names: &[String]) -> Result<(), DriveError> {
        let mut addresses = names.iter().filter_map(|name| derived(name)).peekable();
        if addresses.peek().is_none() {
            return Ok(());
        }
        let mut derive = self.deriving();
        for address in addresses {
            derive.build(&address)?;
        }
        self.declared.graph = std::mem::take(derive.graph());
        Ok(())
    }

    /// The graph, to add builds to.
    pub(super) fn deriving(&self) -> Derive {
        let (catalog, lock, worker) = (&self.catalog, &self.lock, &self.worker);
        Derive::new(
            Arc::clone(catalog),
            Arc::clone(lock),
            Arc::clone(worker),
            self.declared.graph.clone(),
        )
    }

    /// What a selection wants and where each node stands.
    pub fn progress(
        &self,
        selection: Selection,
        retry_failed: bool,
    ) -> Result<Progress<'_>, DriveError> {
        self.progress_on(&self.records, selection, retry_failed)
    }

    /// The same on records read later than the session was opened.
    pub(super) fn progress_on<'a>(
        &'a self,
        records: &'a Records,
        selection: Selection,
        retry_failed: bool,
    ) -> Result<Progress<'a>, DriveError> {
        let nodes: Vec<&Node> = if selection.is_all() {
            Vec::new()
        } else {
            self.graph().ids().map(|id| self.graph().node(id)).collect()
        };
        if let Some(pattern) = selection.unmatched(&nodes).into_iter().next() {
            let similar = self.similar(&pattern);
            return Err(DriveError::NothingNamed { pattern, similar });
        }
        self.check_below(&selection)?;
        let selection = self.knowing(selection);
        let wanted = selection.clone();
        let grow = Matching {
            boots: &self.declared.boots,
            selection,
            catalog: &self.catalog,
            place: self.place,
        };
        Ok(Progress::new(
            self.declared.graph.clone(),
            &|node| wanted.wants(node, &self.catalog),
            Box::new(grow),
            records,
            retry_failed,
        )?)
    }

    /// The graph known before any .config is resolved.
    pub fn graph(&self) -> &Graph {
        &self.declared.graph
    }

    /// What patterns select of this project.
    pub(super) fn selection(
        &self,
        patterns: &[String],
        until: Option<Kind>,
    ) -> Result<Selection, DriveError> {
        Ok(self.knowing(Selection::of(patterns, until)?))
    }

    fn knowing(&self, selection: Selection) -> Selection {
        selection.knowing(self.boots().endings().collect())
    }

    /// What is known of boots before any .config is resolved.
    pub(super) fn boots(&self) -> &Boots {
        &self.declared.boots
    }

    /// The name of a node in the store's history: projects that share a store do not mix.
    pub(super) fn history_name(&self, node: &str) -> String {
        history_name(&self.project, node)
    }

    /// Digest of everything the session was made from.
    pub(super) fn digest(&self) -> Digest {
        self.digest
    }
}

/// A node by `KIND:NAME`, or by an address alone: the boot or the kernel of that address.
pub(super) fn find_node(progress: &Progress<'_>, name: &str) -> Option<NodeId> {
    let graph = progress.graph();
    let by_kind =
        |kinds: &[Kind], name: &str| kinds.iter().find_map(|kind| graph.find(*kind, name));
    if let Some((word, rest)) = name.split_once(':')
        && let Some(kind) = Kind::of_word(word)
    {
        return graph.find(kind, rest);
    }
    by_kind(&[Kind::Boot, Kind::Kernel], name)
}

/// `PROJECT NODE`; a node's name has no blank, a project's path may.
fn history_name(project: &Path, node: &str) -> String {
    format!("{} {node}", project.display())
}

/// The project of a name in the history.
pub(super) fn history_project(name: &str) -> &Path {
    Path::new(name.rsplit_once(' ').map_or("", |(project, _)| project))
}

/// The address of a build whose configuration is derived, if a name is that or lies below it.
fn derived(name: &str) -> Option<String> {
    let address = match name.split_once(':') {
        Some((word, rest)) if Kind::of_word(word).is_some() => rest,
        _ => name,
    };
    let parts: Vec<&str> = address.splitn(5, '/').take(4).collect();
    let meant = parts.len() == 4 && Derived::is_meant(parts[2]);
    (meant && !parts.iter().any(|part| part.contains('*'))).then(|| parts.join("/"))
}

/// The project directory: the given one, absolute.
fn find(project: &Path) -> Result<PathBuf, DriveError> {
    match fs::canonicalize(project) {
        Ok(dir) if dir.join("main.rhai").is_file() => Ok(dir),
        Err(error) if error.kind() != ErrorKind::NotFound => Err(file("find", project)(error)),
        _ => Err(DriveError::NoProject(project.display().to_string())),
    }
}

/// The lock file and its bytes; a project without one has no pins.
pub(super) fn read_lock(project: &Path) -> Result<(Lock, Vec<u8>), DriveError> {
    let path = project.join(LOCK_FILE);
    let bytes = match fs::metadata(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Default::default()),
        Err(error) => return Err(file("read", &path)(error)),
        // Opening a FIFO would wait for ever.
        Ok(facts) if !facts.is_file() => return Err(LockError::NoFile.into()),
        Ok(facts) if facts.len() > MOST_BYTES => return Err(LockError::TooLarge.into()),
        Ok(_) => fs::read(&path).map_err(file("read", &path))?,
    };
    let lock = if bytes.is_empty() {
        Lock::default()
    } else {
        Lock::parse(&bytes)?
    };
    Ok((lock, bytes))
}

fn declared(catalog: &Catalog, lock: &Lock, worker: &Worker) -> Result<Declared, DriveError> {
    let world = World {
        catalog,
        lock,
        worker,
    };
    Ok(Declared::new(&world)?)
}
