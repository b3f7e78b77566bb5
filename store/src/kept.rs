//! Trees that are kept from one build for the next to start from: bounded, and the longest unused go first.
//!
//! A tree is `objects/CLASS/KEY/tree`, and may lie above others: it holds what differs from them. `objects/CLASS/KEY/below` has its bytes in
//! the first line, and then the keys of those, the topmost first; its time is when the tree was last used. Whoever uses a tree uses those
//! below it too, which then count as used later, so that they outlive it. `locks/objects/KEY` is held shared by who uses a tree,
//! exclusively by who removes it.

use std::cmp::Reverse;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::time::SystemTime;

use crate::digest::Digest;
use crate::error::StoreError;
use crate::fs::Remover;
use crate::fs::remove_own_tree;
use crate::gc::list;
use crate::lock::Lock;
use crate::store::Store;
use crate::usage::usage;
use crate::work::WorkDir;

/// A kept tree with those below it, in use: as long as this lives, nothing removes them.
#[derive(Debug)]
pub struct Kept {
    /// Its key and the keys of the trees below it, the topmost first.
    pub keys: Vec<Digest>,
    /// Their directories. They are shared: nothing in them may be changed.
    pub paths: Vec<PathBuf>,
    _leases: Vec<Lock>,
}

/// A kept tree as it lies there.
pub(crate) struct Lying {
    pub(crate) key: Digest,
    pub(crate) dir: PathBuf,
    bytes: u64,
    pub(crate) below: Vec<Digest>,
    pub(crate) used: SystemTime,
}

impl Store {
    /// The trees of a class that could be used, with their directories: what is seen there may go at any time.
    pub fn kept(&self, class: &Digest) -> Vec<(Digest, PathBuf)> {
        let dir = self.kept_dir(class);
        let trees = lying(&dir).into_iter();
        trees
            .map(|tree| (tree.key, tree.dir.join("tree")))
            .collect()
    }

    /// Takes a tree, and those below it, into use; `None` where one of them is gone.
    pub fn use_kept(&self, class: &Digest, key: &Digest) -> Result<Option<Kept>, StoreError> {
        let dir = self.kept_dir(class);
        let Some(tree) = read(&dir.join(key.to_string())) else {
            return Ok(None);
        };
        let keys: Vec<Digest> = [*key].into_iter().chain(tree.below).collect();
        let mut leases = Vec::new();
        for key in &keys {
            leases.push(Lock::shared(&self.fs, &self.layout.kept_lock(key))?);
        }
        let paths: Vec<PathBuf> = keys.iter().map(|key| dir.join(key.to_string())).collect();
        if !paths.iter().all(|path| path.is_dir()) {
            return Ok(None);
        }
        self.used(&paths)?;
        Ok(Some(Kept {
            paths: paths.iter().map(|path| path.join("tree")).collect(),
            keys,
            _leases: leases,
        }))
    }

    /// Keeps the tree of a scratch directory, which lies above what it was made from, and removes those unused for longest until all take at
    /// most `within` bytes. One of its key that is there stays.
    pub fn keep(
        &self,
        class: &Digest,
        key: &Digest,
        work: &WorkDir,
        above: Option<&Kept>,
        within: u64,
    ) -> Result<(), StoreError> {
        self.fs.create_dir_all(&self.layout.dir("locks/objects"))?;
        let dir = self.kept_dir(class);
        self.fs.create_dir_all(&dir)?;
        let place = dir.join(key.to_string());
        let lease = Lock::exclusive(&self.fs, &self.layout.kept_lock(key))?;
        if !place.is_dir() {
            let below = above.map_or(&[][..], |kept| &kept.keys);
            let lines = below.iter().map(|key| format!("{key}\n"));
            let text = format!(
                "{}\n{}",
                usage(work.path()).bytes,
                lines.collect::<String>()
            );
            let path = work.outer().join("below");
            let file = self.fs.create_new(&path)?;
            self.fs.write(&file, &path, text.as_bytes())?;
            // A power cut must not leave a tree of empty files under its final name.
            self.fs.sync_fs(&self.layout.root)?;
            self.fs.rename(work.outer(), &place)?;
        }
        drop(lease);
        let below = above.map_or(&[][..], |kept| &kept.keys);
        let below = below.iter().map(|key| dir.join(key.to_string()));
        self.used(&[place].into_iter().chain(below).collect::<Vec<_>>())?;
        self.trim_kept(within)
    }

    /// Counts trees as used now, those below others last.
    fn used(&self, places: &[PathBuf]) -> Result<(), StoreError> {
        let mut places = places.iter().map(|place| place.join("below"));
        places.try_for_each(|path| self.fs.touch(&path))
    }

    fn trim_kept(&self, within: u64) -> Result<(), StoreError> {
        let mut trees = self.lying();
        // Those used in one tick of the clock go from the top down.
        trees.sort_by_key(|tree| (tree.used, Reverse(tree.below.len())));
        let mut bytes: u64 = trees.iter().map(|tree| tree.bytes).sum();
        for tree in trees {
            if bytes <= within {
                break;
            }
            if self.discard(&tree, &remove_own_tree)? {
                bytes -= tree.bytes;
            }
        }
        Ok(())
    }

    /// Removes a tree, unless it is in use.
    pub(crate) fn discard(&self, tree: &Lying, remover: Remover<'_>) -> Result<bool, StoreError> {
        let lock = self.layout.kept_lock(&tree.key);
        let label = format!("{}-objects", tree.key);
        self.remove_unused(&lock, &tree.dir, &label, remover)
    }

    /// Every kept tree.
    pub(crate) fn lying(&self) -> Vec<Lying> {
        let classes = list(&self.layout.dir("objects")).unwrap_or_default();
        classes.iter().flat_map(|(_, dir)| lying(dir)).collect()
    }

    fn kept_dir(&self, class: &Digest) -> PathBuf {
        self.layout.dir("objects").join(class.to_string())
    }
}

fn lying(class: &Path) -> Vec<Lying> {
    let places = list(class).unwrap_or_default();
    places.iter().filter_map(|(_, place)| read(place)).collect()
}

fn read(place: &Path) -> Option<Lying> {
    let file = place.join("below");
    let text = fs::read_to_string(&file).ok()?;
    let mut lines = text.lines();
    let bytes = lines.next()?.parse().ok()?;
    let below = lines.map(str::parse).collect::<Result<_, _>>().ok()?;
    Some(Lying {
        key: place.file_name()?.to_str()?.parse().ok()?,
        dir: place.to_owned(),
        bytes,
        below,
        used: file.metadata().ok()?.modified().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gc::GcOptions;

    const LOTS: u64 = 1 << 30;

    fn class() -> Digest {
        Digest::of(b"class")
    }

    fn keep(store: &Store, name: &str, above: Option<&Kept>, within: u64) -> Digest {
        let work = store.work_dir("kernel").unwrap();
        fs::write(work.path().join(name), vec![1; 100_000]).unwrap();
        let key = Digest::of(name.as_bytes());
        store.keep(&class(), &key, &work, above, within).unwrap();
        // The clock of a file system ticks slowly.
        std::thread::sleep(std::time::Duration::from_millis(20));
        key
    }

    #[test]
    fn a_tree_is_used_with_those_below_it_and_goes_before_them() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let names = |store: &Store| -> Vec<Digest> {
            let mut names: Vec<_> = store
                .kept(&class())
                .into_iter()
                .map(|(key, _)| key)
                .collect();
            names.sort_unstable();
            names
        };
        let sorted = |mut keys: Vec<Digest>| {
            keys.sort_unstable();
            keys
        };
        let one = keep(&store, "one", None, LOTS);
        let first = store.use_kept(&class(), &one).unwrap().unwrap();
        let two = keep(&store, "two", Some(&first), LOTS);
        let three = keep(&store, "three", None, LOTS);
        let both = store.use_kept(&class(), &two).unwrap().unwrap();
        assert_eq!(both.keys, [two, one]);
        assert!(both.paths[0].join("two").is_file() && both.paths[1].join("one").is_file());
        // What is in use stays, however little room there is.
        let four = keep(&store, "four", None, 1);
        assert_eq!(names(&store), sorted(vec![one, two]));
        assert!(store.use_kept(&class(), &three).unwrap().is_none());
        assert!(store.use_kept(&class(), &four).unwrap().is_none());
        drop((first, both));
        let five = keep(&store, "five", None, 250_000);
        assert_eq!(names(&store), sorted(vec![one, five]));
        assert_eq!(fs::read_dir(dir.path().join("trash")).unwrap().count(), 0);
    }

    #[test]
    fn a_collection_takes_trees_without_a_record() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let one = keep(&store, "one", None, LOTS);
        let kept = store.use_kept(&class(), &one).unwrap().unwrap();
        keep(&store, "two", Some(&kept), LOTS);
        let options = |dry_run| GcOptions {
            keep_runs: 1,
            dry_run,
        };
        let report = store.gc(options(false), &remove_own_tree).unwrap();
        assert_eq!(report.objects, 1);
        drop(kept);
        assert_eq!(
            store.gc(options(true), &remove_own_tree).unwrap().objects,
            1
        );
        assert_eq!(store.kept(&class()).len(), 1);
        let report = store.gc(options(false), &remove_own_tree).unwrap();
        assert_eq!((report.objects, store.kept(&class()).len()), (1, 0));
    }
}
