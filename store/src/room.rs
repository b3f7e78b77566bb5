//! Room on the disk: what can be made again from blobs goes when the disk gets full, the longest unused first.

use std::path::Path;
use std::path::PathBuf;
use std::time::SystemTime;

use crate::digest::Digest;
use crate::error::StoreError;
use crate::fs::Remover;
use crate::gc::list;
use crate::kept::Lying;
use crate::lock::Lock;
use crate::store::Store;

/// A tree that could go.
enum Spare {
    Unpacked(Digest, PathBuf),
    Kept(Lying),
}

impl Store {
    /// Removes unpacked and kept trees that nobody uses until the store's disk has `free` bytes free, or none is left; gives how many went.
    pub fn make_room(&self, free: u64, remover: Remover<'_>) -> Result<u64, StoreError> {
        if self.free()? >= free {
            return Ok(0);
        }
        let mut spare: Vec<(SystemTime, Spare)> = self
            .lying()
            .into_iter()
            .map(|tree| (tree.used, Spare::Kept(tree)))
            .collect();
        for (name, outer) in list(&self.layout.dir("unpacked"))? {
            if let (Ok(digest), Ok(facts)) = (name.parse(), outer.metadata()) {
                let used = facts.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                spare.push((used, Spare::Unpacked(digest, outer)));
            }
        }
        spare.sort_by_key(|(used, _)| *used);
        let mut gone = 0;
        for (_, tree) in spare {
            gone += u64::from(match tree {
                Spare::Kept(tree) => self.discard(&tree, remover)?,
                Spare::Unpacked(digest, outer) => {
                    let lock = self.layout.unpacked_lock(&digest);
                    let label = format!("{digest}-unpacked");
                    self.remove_unused(&lock, &outer, &label, remover)?
                }
            });
            if self.free()? >= free {
                break;
            }
        }
        Ok(gone)
    }

    /// Removes a directory that whoever uses it holds a lock for, unless somebody does. `label` is the beginning of its name in the trash.
    pub(crate) fn remove_unused(
        &self,
        lock: &Path,
        dir: &Path,
        label: &str,
        remover: Remover<'_>,
    ) -> Result<bool, StoreError> {
        let Some(lock) = Lock::try_exclusive(&self.fs, lock)? else {
            return Ok(false);
        };
        let name = format!("{label}-{}-{}", std::process::id(), self.next_number());
        let gone = self.layout.dir("trash").join(name);
        self.fs.rename(dir, &gone)?;
        drop(lock.removed_after());
        self.fs.remove_tree(&gone, remover)?;
        Ok(true)
    }

    /// What the store's disk has free for this process, in bytes.
    fn free(&self) -> Result<u64, StoreError> {
        let root = &self.layout.root;
        let disk = rustix::fs::statvfs(root)
            .map_err(|error| StoreError::io("look at the disk of", root)(error.into()))?;
        Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::fs::remove_own_tree;

    #[test]
    fn what_nobody_uses_goes_when_the_disk_gets_full_and_is_made_again() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let unpack = |name: &str| {
            store
                .unpacked(&Digest::of(name.as_bytes()), "unpack", |dest| {
                    fs::write(dest.join(name), name).unwrap();
                    Ok::<(), StoreError>(())
                })
                .unwrap()
        };
        let used = unpack("used");
        drop(unpack("unused"));
        let work = store.work_dir("kernel").unwrap();
        let (class, key) = (Digest::of(b"class"), Digest::of(b"key"));
        store.keep(&class, &key, &work, None, 1 << 30).unwrap();
        assert_eq!(store.make_room(0, &remove_own_tree).unwrap(), 0);
        assert_eq!(store.make_room(u64::MAX, &remove_own_tree).unwrap(), 2);
        assert!(used.path().join("used").is_file());
        assert!(store.use_kept(&class, &key).unwrap().is_none());
        assert_eq!(fs::read_dir(dir.path().join("trash")).unwrap().count(), 0);
        assert!(unpack("unused").path().join("unused").is_file());
    }
}
