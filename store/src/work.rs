//! Scratch directories that are known to be alive, and the sweep of those whose owner died.
//!
//! `work/NAME.lock` is locked before `work/NAME/` is made, and removed after it: so a directory
//! without a held lock has no owner. What the owner uses is `work/NAME/tree`, so that the outer
//! directory always belongs to this user, even when a sandbox gives the inner one away.

use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use crate::error::StoreError;
use crate::fs::Fs;
use crate::fs::Remover;
use crate::fs::remove_own_tree;
use crate::lock::Lock;
use crate::store::Store;

/// A scratch directory of this process; removed on drop.
///
/// Its lock is let go on drop even if a forked child still holds the file.
#[derive(Debug)]
pub struct WorkDir {
    tree: PathBuf,
    outer: PathBuf,
    fs: Fs,
    _lock: Lock,
}

impl WorkDir {
    /// Makes `work/LABEL-…`; characters of the label other than letters, digits, `.` and `-`
    /// become `-`.
    pub(crate) fn create(fs: &Fs, work: &Path, label: &str) -> Result<Self, StoreError> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let keep = |c: char| {
            if c.is_ascii_alphanumeric() || c == '.' {
                c
            } else {
                '-'
            }
        };
        let label: String = label.chars().take(80).map(keep).collect();
        loop {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let name = format!("{label}-{}-{number}", std::process::id());
            // A name can be taken: by a dead owner of the same pid, or one in another namespace.
            let Some(lock) = Lock::try_exclusive(fs, &work.join(format!("{name}.lock")))? else {
                continue;
            };
            let outer = work.join(name);
            if outer.symlink_metadata().is_ok() {
                continue;
            }
            let tree = outer.join("tree");
            let dir = Self {
                tree,
                outer,
                fs: fs.clone(),
                _lock: lock.removed_after(),
            };
            fs.create_dir(&dir.outer)?;
            fs.create_dir(&dir.tree)?;
            return Ok(dir);
        }
    }

    /// The directory: empty at first, and the caller's alone.
    pub fn path(&self) -> &Path {
        &self.tree
    }

    /// The directory around [`WorkDir::path`], which always belongs to this user.
    pub(crate) fn outer(&self) -> &Path {
        &self.outer
    }
}

impl Drop for WorkDir {
    fn drop(&mut self) {
        // What cannot be removed here (trees of mapped sub-uids) is found by the sweep.
        let _ = self.fs.remove_tree(&self.outer, &remove_own_tree);
    }
}

/// The name of the work directories that stand for a writing handle of a store.
pub(crate) const SESSION: &str = "session";

impl Store {
    /// Makes a scratch directory in the file system of the store.
    pub fn work_dir(&self, label: &str) -> Result<WorkDir, StoreError> {
        WorkDir::create(&self.fs, &self.layout.dir("work"), label)
    }

    /// Lists the work directories whose owner is dead.
    pub fn stale_work_dirs(&self) -> Result<Vec<PathBuf>, StoreError> {
        let mut stale = Vec::new();
        self.each_stale(|outer| {
            stale.push(outer.to_owned());
            Ok(())
        })?;
        Ok(stale)
    }

    /// Removes the work directories whose owner is dead by `remover`, and returns how many went. One
    /// that stays is no reason to leave the others; the first such error is returned in the end.
    pub fn sweep_work(&self, remover: Remover<'_>) -> Result<usize, StoreError> {
        let (mut count, mut stuck) = (0, None);
        self.each_stale(|outer| {
            match self.fs.remove_tree(outer, remover) {
                Ok(()) => count += 1,
                Err(error) => drop(stuck.get_or_insert(error)),
            }
            Ok(())
        })?;
        stuck.map_or(Ok(count), Err)
    }

    /// Visits dead work directories, each while its lock is held.
    pub(crate) fn each_stale(
        &self,
        mut visit: impl FnMut(&Path) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let work = self.layout.dir("work");
        let listed = fs::read_dir(&work).and_then(Iterator::collect::<io::Result<Vec<_>>>);
        for entry in listed.map_err(StoreError::io("list", &work))? {
            let path = entry.path();
            let is_lock = path
                .extension()
                .is_some_and(|extension| extension == "lock");
            let outer = if is_lock {
                path.with_extension("")
            } else {
                path
            };
            let mut lock_path = outer.clone().into_os_string();
            lock_path.push(".lock");
            if !is_lock && Path::new(&lock_path).exists() {
                continue; // met again as its lock
            }
            let Some(lock) = Lock::try_exclusive(&self.fs, Path::new(&lock_path))? else {
                continue;
            };
            if outer.symlink_metadata().is_ok() {
                visit(&outer)?;
            }
            // A directory that was only listed keeps its lock file, so that it is listed again.
            if outer.symlink_metadata().is_err() {
                drop(lock.removed_after());
            }
        }
        Ok(())
    }

    /// Live sessions: the lock files of work directories that stand for a writing handle.
    pub(crate) fn live_sessions(&self) -> Result<Vec<PathBuf>, StoreError> {
        let work = self.layout.dir("work");
        let listed = fs::read_dir(&work).and_then(Iterator::collect::<io::Result<Vec<_>>>);
        let mut live = Vec::new();
        for entry in listed.map_err(StoreError::io("list", &work))? {
            let path = entry.path();
            let name = entry.file_name();
            let session = name.to_string_lossy().starts_with(SESSION);
            if !session || path.extension().is_none_or(|extension| extension != "lock") {
                continue;
            }
            match Lock::try_exclusive(&self.fs, &path)? {
                None => live.push(path),
                // Opening made the file anew if its owner just left: leave nothing behind.
                Some(lock) if !path.with_extension("").exists() => drop(lock.removed_after()),
                Some(_) => {}
            }
        }
        Ok(live)
    }
}
