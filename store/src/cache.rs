//! Small caches of derived data: plain files, in which any damage is a miss.

use std::fs;
use std::path::PathBuf;
use std::time::SystemTime;

use crate::digest::Digest;
use crate::error::StoreError;
use crate::path::NameError;
use crate::path::check_name;
use crate::store::Store;

/// How many entries of a kind outlive a collection, newest first.
const KEPT: usize = 16;

impl Store {
    /// Reads a cache entry; one that is damaged is not there.
    pub fn cache_get(&self, kind: &str, key: &Digest) -> Option<Vec<u8>> {
        let mut bytes = fs::read(self.cache_path(kind, key).ok()?).ok()?;
        let (digest, content) = bytes.split_first_chunk::<32>()?;
        if Digest::of(content).0 != *digest {
            return None;
        }
        bytes.drain(..32);
        Some(bytes)
    }

    /// Writes a cache entry, over the one there was. `kind` is one file name.
    pub fn cache_put(&self, kind: &str, key: &Digest, content: &[u8]) -> Result<(), StoreError> {
        let path = self.cache_path(kind, key)?;
        let mut bytes = Vec::with_capacity(content.len() + 32);
        bytes.extend_from_slice(&Digest::of(content).0);
        bytes.extend_from_slice(content);
        self.place_small(&path, &bytes)
    }

    /// Removes all but the newest entries of each kind.
    pub(crate) fn trim_caches(&self) -> Result<(), StoreError> {
        let cache = self.layout.dir("cache");
        for kind in fs::read_dir(&cache).map_err(StoreError::io("list", &cache))? {
            let kind = kind.map_err(StoreError::io("list", &cache))?.path();
            let mut entries: Vec<(SystemTime, PathBuf)> = Vec::new();
            for entry in fs::read_dir(&kind).map_err(StoreError::io("list", &kind))? {
                let entry = entry.map_err(StoreError::io("list", &kind))?;
                if let Ok(time) = entry.metadata().and_then(|metadata| metadata.modified()) {
                    entries.push((time, entry.path()));
                }
            }
            entries.sort();
            let old = entries.len().saturating_sub(KEPT);
            for (_, path) in entries.drain(..old) {
                self.fs.remove_file(&path)?;
            }
        }
        Ok(())
    }

    fn cache_path(&self, kind: &str, key: &Digest) -> Result<PathBuf, StoreError> {
        check_name(kind.as_bytes()).map_err(|why| NameError {
            path: kind.into(),
            why,
        })?;
        Ok(self.layout.dir("cache").join(kind).join(key.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_entry_is_a_miss() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let key = Digest::of(b"scripts");
        assert_eq!(store.cache_get("graph", &key), None);
        store.cache_put("graph", &key, b"old").unwrap();
        store.cache_put("graph", &key, b"nodes").unwrap();
        assert_eq!(
            store.cache_get("graph", &key).as_deref(),
            Some(&b"nodes"[..])
        );
        let path = store.cache_path("graph", &key).unwrap();
        let sound = fs::read(&path).unwrap();
        for (at, _) in sound.iter().enumerate() {
            let mut bad = sound.clone();
            bad[at] ^= 1;
            fs::write(&path, &bad).unwrap();
            assert_eq!(store.cache_get("graph", &key), None);
            fs::write(&path, &sound[..at]).unwrap();
            assert_eq!(store.cache_get("graph", &key), None);
        }
        assert!(store.cache_put("../x", &key, b"").is_err());
    }

    #[test]
    fn trimming_keeps_the_newest() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let keys: Vec<_> = (0..KEPT + 4)
            .map(|n| Digest::of(&n.to_le_bytes()))
            .collect();
        for key in &keys {
            store.cache_put("graph", key, b"x").unwrap();
        }
        store.trim_caches().unwrap();
        let kept = keys
            .iter()
            .filter(|key| store.cache_get("graph", key).is_some())
            .count();
        assert_eq!(kept, KEPT);
    }
}
