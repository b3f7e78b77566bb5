//! Which other engines of this user run on this machine.
//!
//! Each engine that runs something holds a lock on a file of its own, named by its process id, which says how many CPUs it may take. A
//! file without a lock is left of a dead one.

use std::fs;
use std::fs::File;
use std::fs::TryLockError;
use std::io;
use std::io::Write as _;
use std::path::Path;
use std::path::PathBuf;

/// This engine's entry; taken away on drop, or by death.
#[derive(Debug)]
pub struct Load {
    path: PathBuf,
    _locked: File,
}

/// Another engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Other {
    /// Its process id.
    pub pid: u32,
    /// How many CPUs it may take.
    pub jobs: usize,
}

impl Load {
    /// Says in `dir` that this process takes up to `jobs` CPUs; gives the others that are there.
    pub fn enter(dir: &Path, jobs: usize) -> io::Result<(Self, Vec<Other>)> {
        fs::create_dir_all(dir)?;
        let others = others(dir)?;
        let path = dir.join(std::process::id().to_string());
        let mut file = File::options()
            .create(true)
            .truncate(true)
            .write(true)
            .open(&path)?;
        file.lock()?;
        writeln!(file, "{jobs}")?;
        let load = Self {
            path,
            _locked: file,
        };
        Ok((load, others))
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        // What stays is without a lock, and the next engine removes it.
        let _ = fs::remove_file(&self.path);
    }
}

fn others(dir: &Path) -> io::Result<Vec<Other>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let pid = path
            .file_name()
            .and_then(|name| name.to_str()?.parse().ok());
        let (Some(pid), Ok(file)) = (pid, File::open(&path)) else {
            continue;
        };
        if pid == std::process::id() {
            continue;
        }
        match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => {
                let text = fs::read_to_string(&path).unwrap_or_default();
                let jobs = text.trim().parse().unwrap_or(1);
                found.push(Other { pid, jobs });
            }
            Ok(()) => {
                let _ = fs::remove_file(&path);
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    found.sort_by_key(|other| other.pid);
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_living_count() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().join("engines");
        let (mine, others) = Load::enter(&dir, 4).unwrap();
        assert_eq!(others, []);
        fs::write(dir.join("1"), "2\n").unwrap();
        let living = File::create(dir.join("2")).unwrap();
        living.lock().unwrap();
        (&living).write_all(b"3\n").unwrap();
        assert_eq!(super::others(&dir).unwrap(), [Other { pid: 2, jobs: 3 }]);
        assert!(!dir.join("1").exists());
        drop(mine);
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 1);
    }
}
