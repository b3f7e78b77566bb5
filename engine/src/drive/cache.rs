//! The evaluated graph, kept until a file it was read from changes.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use serde::Deserialize;
use serde::Serialize;
use store::Digest;
use store::KeyHasher;
use store::Store;

use crate::graph::Graph;
use crate::model::Catalog;

/// What one evaluation gave, and from what.
#[derive(Serialize, Deserialize)]
pub(super) struct Entry {
    /// Every file that was read, below the project, with the digest of its content.
    pub files: Vec<(String, Digest)>,
    /// Digest of the lock file's text.
    pub lock: Digest,
    pub catalog: Catalog,
    pub graph: Graph,
}

const KIND: &str = "graph";

/// The key of a project's entry: an engine of another build never reads it, as its vocabulary,
/// standard library and graph may be others.
fn key(project: &Path, worker_uid: u32) -> Digest {
    let build = fs::metadata("/proc/self/exe")
        .map(|exe| (exe.len(), exe.mtime(), exe.mtime_nsec()))
        .unwrap_or_default();
    KeyHasher::new("engine 2026-11 graph cache v1")
        .str(&format!("{build:?}"))
        .str(&project.display().to_string())
        .bytes(&worker_uid.to_le_bytes())
        .finish()
}

/// The entry of a project if nothing it was made from has changed.
pub(super) fn load(store: &Store, project: &Path, lock: &Digest, worker_uid: u32) -> Option<Entry> {
    let bytes = store.cache_get(KIND, &key(project, worker_uid))?;
    let entry: Entry = postcard::from_bytes(&bytes).ok()?;
    let fresh = entry.lock == *lock
        && entry.files.iter().all(|(path, digest)| {
            fs::read(project.join(path)).is_ok_and(|text| Digest::of(&text) == *digest)
        });
    fresh.then_some(entry)
}

/// Keeps an entry. A cache that cannot be written costs time only.
pub(super) fn save(store: &Store, project: &Path, worker_uid: u32, entry: &Entry) {
    if let Ok(bytes) = postcard::to_stdvec(entry) {
        let _ = store.cache_put(KIND, &key(project, worker_uid), &bytes);
    }
}
