//! Advisory locks on files, across processes and threads; they end with their owner's death.
//!
//! A lock file may be removed by whoever holds its lock. So a taker who waited must look whether
//! the file it locked is still the one at the path, and try again if not.

use std::fs::File;
use std::fs::TryLockError;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::path::PathBuf;

use crate::error::StoreError;
use crate::fs::Fs;

/// A held lock; let go on drop.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
    path: PathBuf,
    fs: Fs,
    /// Whether the file is removed when the lock is let go.
    remove: bool,
}

impl Lock {
    /// Waits for the lock for this owner alone.
    pub(crate) fn exclusive(fs: &Fs, path: &Path) -> Result<Self, StoreError> {
        loop {
            let file = fs.open_lock(path)?;
            file.lock().map_err(StoreError::io("lock", path))?;
            if let Some(lock) = Self::current(fs, path, file) {
                return Ok(lock);
            }
        }
    }

    /// Waits for the lock together with other sharers.
    pub(crate) fn shared(fs: &Fs, path: &Path) -> Result<Self, StoreError> {
        loop {
            let file = fs.open_lock(path)?;
            file.lock_shared().map_err(StoreError::io("lock", path))?;
            if let Some(lock) = Self::current(fs, path, file) {
                return Ok(lock);
            }
        }
    }

    /// Takes the lock for this owner alone, unless someone holds it.
    pub(crate) fn try_exclusive(fs: &Fs, path: &Path) -> Result<Option<Self>, StoreError> {
        loop {
            let file = fs.open_lock(path)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(source)) => {
                    return Err(StoreError::io("lock", path)(source));
                }
            }
            if let Some(lock) = Self::current(fs, path, file) {
                return Ok(Some(lock));
            }
        }
    }

    /// Removes the file when the lock is let go, before it is let go.
    pub(crate) fn removed_after(mut self) -> Self {
        self.remove = true;
        self
    }

    /// Writes into the file, for whoever finds it held.
    pub(crate) fn write(&self, bytes: &[u8]) -> Result<(), StoreError> {
        self.fs.write(&self.file, &self.path, bytes)
    }

    fn current(fs: &Fs, path: &Path, file: File) -> Option<Self> {
        let (ours, there) = (file.metadata().ok()?, path.metadata().ok()?);
        let same = (ours.ino(), ours.dev()) == (there.ino(), there.dev());
        same.then(|| Self {
            file,
            path: path.to_owned(),
            fs: fs.clone(),
            remove: false,
        })
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if self.remove {
            // A file left behind is found, and locked, by the next owner.
            let _ = self.fs.remove_file(&self.path);
        }
        // Closing is not enough: a child forked by this process may hold the same description.
        let _ = self.file.unlock();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;
    use std::sync::atomic::Ordering;

    use super::*;

    #[test]
    fn one_owner_at_a_time_though_each_removes_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let (path, fs) = (dir.path().join("lock"), Fs::default());
        let (inside, turns) = (AtomicU32::new(0), AtomicU32::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        let lock = Lock::exclusive(&fs, &path).unwrap().removed_after();
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "two owners");
                        std::thread::yield_now();
                        turns.fetch_add(1, Ordering::SeqCst);
                        inside.fetch_sub(1, Ordering::SeqCst);
                        drop(lock);
                    }
                });
            }
        });
        assert_eq!(turns.into_inner(), 800);
        assert!(!path.exists());
    }
}
