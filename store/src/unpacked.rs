//! Unpacked forms of blobs: made once, shared by many readers, removed only when unused.
//!
//! The tree is `unpacked/HEX/tree`; the outer directory always belongs to this user and can be
//! moved away as a whole. `locks/unpacked/HEX` is held exclusively by who makes or removes it,
//! shared by who uses it.

use std::path::Path;
use std::path::PathBuf;

use crate::digest::Digest;
use crate::error::StoreError;
use crate::lock::Lock;
use crate::store::Store;

/// An unpacked tree in use: as long as this lives, no collection takes it.
#[derive(Debug)]
pub struct Unpacked {
    path: PathBuf,
    _lease: Lock,
}

impl Unpacked {
    /// The directory. It is shared: nothing in it may be changed.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Store {
    /// Gives the unpacked form of `digest`, made by `unpack` (which fills an empty directory) where
    /// it is not there. Others who want the same wait. `label` names the scratch directory.
    pub fn unpacked<E: From<StoreError>>(
        &self,
        digest: &Digest,
        label: &str,
        unpack: impl FnOnce(&Path) -> Result<(), E>,
    ) -> Result<Unpacked, E> {
        if let Some(unpacked) = self.in_use(digest)? {
            return Ok(unpacked);
        }
        let making = Lock::exclusive(&self.fs, &self.layout.unpacked_lock(digest))?;
        let outer = self.layout.unpacked(digest);
        if !outer.is_dir() {
            let work = self.work_dir(label)?;
            unpack(work.path())?;
            // A power cut must not leave a tree of empty files under its final name.
            self.fs.sync_fs(&self.layout.root)?;
            self.fs.rename(work.outer(), &outer)?;
        }
        // No collection can run until the lock that was exclusive is held shared.
        let _adding = self.adding()?;
        drop(making);
        let gone = || StoreError::MissingBlob(*digest);
        Ok(self.in_use(digest)?.ok_or_else(gone)?)
    }

    fn in_use(&self, digest: &Digest) -> Result<Option<Unpacked>, StoreError> {
        let lease = Lock::shared(&self.fs, &self.layout.unpacked_lock(digest))?;
        let outer = self.layout.unpacked(digest);
        let unpacked = Unpacked {
            path: outer.join("tree"),
            _lease: lease,
        };
        if !outer.is_dir() {
            return Ok(None);
        }
        // Its time is when it was last used; of a store that may only be read nothing is removed.
        let _ = self.fs.touch(&outer);
        Ok(Some(unpacked))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn it_is_unpacked_once_and_a_failure_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let digest = Digest::of(b"tarball");
        let failed = store.unpacked(&digest, "base", |path| {
            fs::write(path.join("half"), "x").unwrap();
            Err(StoreError::MissingBlob(digest))
        });
        assert!(failed.is_err());
        assert_eq!(store.stale_work_dirs().unwrap(), Vec::<PathBuf>::new());
        let make = |path: &Path| {
            assert_eq!(fs::read_dir(path).unwrap().count(), 0);
            fs::write(path.join("init"), "x").map_err(StoreError::io("write", path))
        };
        let unpacked = store.unpacked(&digest, "base", make).unwrap();
        let again = store.unpacked(&digest, "base", |_| -> Result<(), StoreError> {
            panic!("made twice")
        });
        assert_eq!(again.unwrap().path(), unpacked.path());
        assert_eq!(fs::read(unpacked.path().join("init")).unwrap(), b"x");
    }
}
