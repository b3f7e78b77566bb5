//! The evaluated graph, kept until a file it was read from changes.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use serde::Deserialize;
use serde::Serialize;
use store::Digest;
use store::KeyHasher;
use store::Store;

use crate::eval::Files;
use crate::graph::Declared;
use crate::graph::Worker;
use crate::model::Catalog;

/// What one evaluation gave, and from what.
#[derive(Serialize, Deserialize)]
pub(super) struct Entry {
    /// Every file that was read, below the project, with the digest of its content.
    pub files: Vec<(String, Digest)>,
    /// Digest of the lock file's text.
    pub lock: Digest,
    pub catalog: Catalog,
    /// The machine that the graph is of.
    pub worker: Worker,
    pub declared: Declared,
}

const KIND: &str = "graph";

/// The key of a project's entry: an engine of another build never reads it, as its vocabulary,
/// standard library and graph may be others.
fn key(project: &Path) -> Digest {
    let build = fs::metadata("/proc/self/exe")
        .map(|exe| (exe.len(), exe.mtime(), exe.mtime_nsec()))
        .unwrap_or_default();
    KeyHasher::new("engine 2026-11 graph cache v2")
        .str(&format!("{build:?}"))
        .str(&project.display().to_string())
        .finish()
}

/// The entry of a project if nothing it was made from has changed.
pub(super) fn load(store: &Store, project: &Path, lock: &Digest) -> Option<Entry> {
    let bytes = store.cache_get(KIND, &key(project))?;
    let entry: Entry = postcard::from_bytes(&bytes).ok()?;
    let files = Files::Directory(project.to_owned());
    let fresh = entry.lock == *lock
        && entry.files.iter().all(|(path, digest)| {
            let content = match path.strip_suffix('/') {
                Some(dir) => files.listing(dir),
                None => fs::read(project.join(path)).ok(),
            };
            content.is_some_and(|content| Digest::of(&content) == *digest)
        });
    fresh.then_some(entry)
}

/// Keeps an entry. A cache that cannot be written costs time only.
pub(super) fn save(store: &Store, project: &Path, entry: &Entry) {
    if let Ok(bytes) = postcard::to_stdvec(entry) {
        let _ = store.cache_put(KIND, &key(project), &bytes);
    }
}
