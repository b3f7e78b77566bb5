//! One open store: its layout, its database, and the scratch directory of this handle.

use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicI64;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use rusqlite::Connection;

use crate::error::StoreError;
use crate::fs::Fs;
use crate::fs::remove_own_tree;
use crate::layout::DIRS;
use crate::layout::Layout;
use crate::rebuild::RebuildReport;
use crate::work::SESSION;
use crate::work::WorkDir;

/// The newest format this program reads, and the one it writes.
const FORMAT: u32 = 1;

/// A handle of a store; cheap to share by `Arc`, between threads too.
///
/// Several handles, in one process or in many, may use one store at the same time.
#[derive(Debug)]
pub struct Store {
    pub(crate) layout: Layout,
    pub(crate) fs: Fs,
    database: Mutex<Connection>,
    /// Made by the first write; while it lives, no collection takes what this handle wrote.
    session: Mutex<Option<Arc<WorkDir>>>,
    numbers: AtomicU64,
    pub(crate) recovered: Option<RebuildReport>,
    /// The run begun last on this handle, or 0: what its records are counted to.
    pub(crate) run: AtomicI64,
}

impl Store {
    /// Opens the store below `root`, making it where there is none.
    ///
    /// Removes what dead owners left in `work/`, as far as this process may. A database that is
    /// lost or damaged is rebuilt; see [`Store::recovered`].
    pub fn open(root: &Path) -> Result<Self, StoreError> {
        Self::open_with(root, Fs::default())
    }

    /// Opens the store on a given file system, which tests make fail.
    pub fn open_with(root: &Path, fs: Fs) -> Result<Self, StoreError> {
        let found = read_format(root)?;
        if found.is_none() {
            create_layout(root, &fs)?;
        }
        let root = root.canonicalize().map_err(StoreError::io("open", root))?;
        let layout = Layout { root };
        let (connection, recovered) = crate::database::open(&layout, &fs)?;
        let store = Self {
            layout,
            fs,
            database: Mutex::new(connection),
            recovered,
            session: Mutex::new(None),
            numbers: AtomicU64::new(0),
            run: AtomicI64::new(0),
        };
        // Trees of mapped sub-uids stay for the caller's remover, and a store that may only be
        // read stays as it is.
        let _ = store.sweep_work(&remove_own_tree);
        Ok(store)
    }

    /// The directory of the store, absolute.
    pub fn root(&self) -> &Path {
        &self.layout.root
    }

    /// The scratch directory that stands for this handle.
    pub(crate) fn session(&self) -> Result<Arc<WorkDir>, StoreError> {
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(session) = &*session {
            return Ok(Arc::clone(session));
        }
        let made = Arc::new(self.work_dir(SESSION)?);
        *session = Some(Arc::clone(&made));
        Ok(made)
    }

    pub(crate) fn next_number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn database(&self) -> MutexGuard<'_, Connection> {
        self.database.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read_format(root: &Path) -> Result<Option<u32>, StoreError> {
    let path = root.join("format");
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(StoreError::io("read", &path)(error)),
    };
    let found = text.trim_end().parse().map_err(|_| {
        let what = "it does not hold the number of a format".to_owned();
        StoreError::Corrupt { path, what }
    })?;
    if found > FORMAT {
        return Err(StoreError::NewerFormat {
            root: root.to_owned(),
            found,
            known: FORMAT,
        });
    }
    Ok(Some(found))
}

/// Makes the directories, and the `format` file last: a store without it is made again.
fn create_layout(root: &Path, fs: &Fs) -> Result<(), StoreError> {
    for dir in DIRS {
        fs.create_dir_all(&root.join(dir))?;
    }
    let aside = WorkDir::create(fs, &root.join("work"), "format")?;
    let path: PathBuf = aside.path().join("format");
    let file = fs.create_new(&path)?;
    fs.write(&file, &path, format!("{FORMAT}\n").as_bytes())?;
    fs.sync_data(&file, &path)?;
    fs.rename(&path, &root.join("format"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_store_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        drop(Store::open(dir.path()).unwrap());
        fs::write(dir.path().join("format"), "2\n").unwrap();
        let error = Store::open(dir.path()).unwrap_err();
        let root = dir.path().display();
        assert_eq!(
            error.to_string(),
            format!("the store `{root}` has format 2, but this program knows formats up to 1")
        );
        fs::write(dir.path().join("format"), "x").unwrap();
        assert!(Store::open(dir.path()).unwrap_err().is_corruption());
    }

    #[test]
    fn what_a_dead_owner_left_is_swept_and_what_lives_stays() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let live = store.work_dir("a/b c").unwrap();
        assert!(live.path().starts_with(store.root().join("work")));
        fs::create_dir_all(dir.path().join("work/dead-1-2/tree/x")).unwrap();
        fs::write(dir.path().join("work/old-1-2.lock"), "").unwrap();
        assert_eq!(
            store.stale_work_dirs().unwrap(),
            [store.root().join("work/dead-1-2")]
        );
        let again = Store::open(dir.path()).unwrap();
        assert_eq!(again.stale_work_dirs().unwrap(), Vec::<PathBuf>::new());
        assert!(live.path().is_dir());
        drop(live);
        assert_eq!(fs::read_dir(dir.path().join("work")).unwrap().count(), 0);
    }

    #[test]
    fn reading_makes_no_session() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        store.load_records().unwrap();
        assert_eq!(store.live_sessions().unwrap(), Vec::<PathBuf>::new());
        store.put_bytes(b"x").unwrap();
        assert_eq!(store.live_sessions().unwrap().len(), 1);
        drop(store);
        assert_eq!(fs::read_dir(dir.path().join("work")).unwrap().count(), 0);
    }
}
