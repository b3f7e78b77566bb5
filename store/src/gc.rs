//! Garbage collection: mark in memory from the roots, rows first, blobs to the trash, unlink last.
//!
//! What lives: the records that were current in the last runs or committed by them, that are
//! pinned, leased or claimed, or that a live handle committed; and every blob those name. Beside a
//! live handle every blob younger than that handle lives too, since its record may be to come: a
//! put makes a blob that is there already young again. The lock that puts and commits share is held
//! exclusively while blobs are marked and moved, not while they are unlinked.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;
use std::time::SystemTime;

use rusqlite::OptionalExtension;
use rusqlite::params;

use crate::checksum::Algorithm;
use crate::database::Durability;
use crate::digest::Digest;
use crate::error::StoreError;
use crate::fs::Remover;
use crate::kept::Lying;
use crate::lock::Lock;
use crate::store::Store;

/// How much older than a live handle a blob may look and still be its own: the clock of the file
/// system may be set back while the handle lives.
const CLOCK_SLACK: Duration = Duration::from_hours(1);

/// What a collection is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GcOptions {
    /// How many of the newest runs keep what was current in them; at least 1.
    pub keep_runs: u32,
    /// Whether only to say what would go.
    pub dry_run: bool,
}

/// What a collection did, or would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GcReport {
    /// Records that went.
    pub records: u64,
    /// Blobs that went.
    pub blobs: u64,
    /// Their size in bytes.
    pub bytes: u64,
    /// Unpacked trees that went.
    pub unpacked: u64,
    /// Kept trees that went.
    pub objects: u64,
    /// Scratch directories of dead owners that went.
    pub scratch: u64,
    /// Records that stayed.
    pub kept_records: u64,
    /// Blobs that stayed, the young ones among them.
    pub kept_blobs: u64,
    /// Blobs nothing names that stayed because a live handle may have put them.
    pub kept_young: u64,
    /// Trash and scratch directories that could not be removed, and why; a later collection tries again.
    pub stuck: Vec<(PathBuf, String)>,
}

impl GcReport {
    /// Whether something was removed; what could not be is stuck.
    fn tell(&mut self, removed: Result<(), StoreError>) -> Result<bool, StoreError> {
        match removed {
            Err(StoreError::Io { source, path, .. }) => {
                self.stuck.push((path, source.to_string()));
                Ok(false)
            }
            other => other.map(|()| true),
        }
    }
}

#[derive(Default)]
struct Marked {
    /// Live blobs, and the keys of live records: what may be unpacked is named by either.
    live: HashSet<Digest>,
    dead_records: Vec<Digest>,
    dead_trees: Vec<Digest>,
    cutoff: i64,
}

struct Row {
    key: Digest,
    blobs: Vec<Digest>,
    run: i64,
    session: String,
}

impl Store {
    /// Collects garbage. `remover` removes unpacked trees and scratch directories, which may belong
    /// to mapped sub-uids.
    ///
    /// A handle that wrote something is a live one, this one too: its young blobs stay.
    pub fn gc(&self, options: GcOptions, remover: Remover<'_>) -> Result<GcReport, StoreError> {
        let mut report = GcReport::default();
        let removing = Lock::exclusive(&self.fs, &self.layout.gc_lock())?;
        let sessions = self.live_sessions()?;
        let marked = self.mark(options, &sessions, &mut report)?;
        let dead = self.dead_blobs(&marked, &sessions, &mut report)?;
        let unpacked = self.dead_unpacked(&marked, &mut report)?;
        let dead_kept = self.dead_kept(&marked);
        if options.dry_run {
            report.objects = dead_kept.len() as u64;
            report.scratch = self.stale_work_dirs()?.len() as u64;
            return Ok(report);
        }
        self.bury_all(&marked)?;
        for key in &marked.dead_records {
            self.fs.remove_file(&self.layout.record(key))?;
        }
        let trash = self.layout.dir("trash");
        for digest in &dead {
            self.fs
                .rename(&self.layout.blob(digest), &trash.join(digest.to_string()))?;
        }
        for (digest, _lock) in &unpacked {
            let name = format!(
                "{digest}-unpacked-{}-{}",
                std::process::id(),
                self.next_number()
            );
            self.fs
                .rename(&self.layout.unpacked(digest), &trash.join(name))?;
        }
        drop(unpacked);
        self.trim_sidecars()?;
        self.trim_caches()?;
        drop(removing);
        for tree in dead_kept {
            report.objects += u64::from(self.discard(&tree, remover)?);
        }
        self.empty_trash(remover, &mut report)?;
        self.each_stale(|outer| {
            let gone = report.tell(self.fs.remove_tree(outer, remover))?;
            report.scratch += u64::from(gone);
            Ok(())
        })?;
        Ok(report)
    }

    /// Marks from the roots, and names the records that are not reached.
    fn mark(
        &self,
        options: GcOptions,
        sessions: &[PathBuf],
        report: &mut GcReport,
    ) -> Result<Marked, StoreError> {
        let mut roots: HashSet<Digest> = self.held_keys()?.into_iter().collect();
        roots.extend(self.pins()?.into_iter().map(|(_, key)| key));
        let live_session: HashSet<String> = sessions
            .iter()
            .filter_map(|path| Some(path.file_stem()?.to_string_lossy().into_owned()))
            .collect();
        let cutoff = self.cutoff(options.keep_runs)?;
        roots.extend(self.outcome_keys(cutoff)?);
        let trees = self.digests("SELECT digest FROM trees")?;

        let mut marked = Marked {
            cutoff,
            ..Marked::default()
        };
        let mut queue: Vec<Digest> = roots.iter().copied().collect();
        for row in self.mark_rows()? {
            let by_run = row.run > 0 && row.run >= cutoff;
            if roots.contains(&row.key) || by_run || live_session.contains(&row.session) {
                report.kept_records += 1;
                marked.live.insert(row.key);
                queue.extend(row.blobs);
            } else {
                report.records += 1;
                marked.dead_records.push(row.key);
            }
        }
        let trees: HashSet<Digest> = trees.into_iter().collect();
        let mut seen = HashSet::new();
        for digest in queue {
            marked.live.insert(digest);
            // A manifest that is missing or damaged has no members; `verify` tells of it.
            if trees.contains(&digest)
                && seen.insert(digest)
                && let Ok(tree) = self.tree(&digest)
            {
                marked.live.extend(tree.blobs());
            }
        }
        marked
            .dead_trees
            .extend(trees.iter().filter(|tree| !marked.live.contains(*tree)));
        Ok(marked)
    }

    /// The oldest run that is kept.
    fn cutoff(&self, keep_runs: u32) -> Result<i64, StoreError> {
        let connection = self.database();
        let mut statement =
            connection.prepare_cached("SELECT id FROM runs ORDER BY id DESC LIMIT 1 OFFSET ?1")?;
        let cutoff = statement
            .query_row([keep_runs.max(1) - 1], |row| row.get(0))
            .optional()?;
        Ok(cutoff.unwrap_or(0))
    }

    fn outcome_keys(&self, cutoff: i64) -> Result<Vec<Digest>, StoreError> {
        let connection = self.database();
        let mut statement = connection.prepare_cached(
            "SELECT DISTINCT key FROM history
             WHERE key IS NOT NULL AND (until_run IS NULL OR until_run > ?1)",
        )?;
        let rows = statement.query_map([cutoff], |row| row.get(0).map(Digest))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn digests(&self, query: &str) -> Result<Vec<Digest>, StoreError> {
        let connection = self.database();
        let mut statement = connection.prepare_cached(query)?;
        let rows = statement.query_map([], |row| row.get(0).map(Digest))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn mark_rows(&self) -> Result<Vec<Row>, StoreError> {
        let connection = self.database();
        let mut statement = connection.prepare_cached(
            "SELECT d.key, r.outputs, d.manifest, d.log, d.run, d.session
             FROM details d JOIN records r USING (key)",
        )?;
        let rows = statement.query_map([], |row| {
            let packed = row.get_ref(1)?.as_blob()?;
            let outputs = crate::records::outputs(packed).map(|(_, digest)| digest);
            let log: Option<[u8; 32]> = row.get(3)?;
            let blobs = outputs
                .chain([Digest(row.get(2)?)])
                .chain(log.map(Digest))
                .collect();
            Ok(Row {
                key: Digest(row.get(0)?),
                blobs,
                run: row.get(4)?,
                session: row.get(5)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn dead_blobs(
        &self,
        marked: &Marked,
        sessions: &[PathBuf],
        report: &mut GcReport,
    ) -> Result<Vec<Digest>, StoreError> {
        let began = |path: &PathBuf| {
            path.metadata()
                .and_then(|metadata| metadata.modified())
                .ok()
        };
        // A session that ended just now may have made its last record; its blobs are not young.
        let young = sessions
            .iter()
            .filter_map(began)
            .min()
            .map(|time| time - CLOCK_SLACK);
        let mut dead = Vec::new();
        for (digest, path) in self.list_fanned("blobs")? {
            if marked.live.contains(&digest) {
                report.kept_blobs += 1;
                continue;
            }
            let metadata = path.metadata().map_err(StoreError::io("read", &path))?;
            let modified = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            if young.is_some_and(|young| modified >= young) {
                report.kept_blobs += 1;
                report.kept_young += 1;
                continue;
            }
            report.blobs += 1;
            report.bytes += metadata.len();
            dead.push(digest);
        }
        Ok(dead)
    }

    /// Dead unpacked trees that nobody uses, each with its lock.
    fn dead_unpacked(
        &self,
        marked: &Marked,
        report: &mut GcReport,
    ) -> Result<Vec<(Digest, Lock)>, StoreError> {
        let dir = self.layout.dir("unpacked");
        let mut dead = Vec::new();
        for (name, _) in list(&dir)? {
            let Ok(digest) = name.parse::<Digest>() else {
                continue;
            };
            if marked.live.contains(&digest) {
                continue;
            }
            let lock = Lock::try_exclusive(&self.fs, &self.layout.unpacked_lock(&digest))?;
            if let Some(lock) = lock {
                report.unpacked += 1;
                dead.push((digest, lock.removed_after()));
            }
        }
        Ok(dead)
    }

    /// Kept trees whose record is dead, or that of one below them.
    fn dead_kept(&self, marked: &Marked) -> Vec<Lying> {
        let mut trees = self.lying();
        let live = |tree: &Lying| {
            let mut keys = [tree.key].into_iter().chain(tree.below.iter().copied());
            keys.all(|key| marked.live.contains(&key))
        };
        trees.retain(|tree| !live(tree));
        trees
    }

    /// Removes the rows of the dead. It must outlast a power cut, or rows would outlive blobs.
    fn bury_all(&self, marked: &Marked) -> Result<(), StoreError> {
        self.change(Durability::Synced, |transaction| {
            transaction
                .prepare_cached("DELETE FROM tombstones WHERE run < ?1")?
                .execute([marked.cutoff])?;
            for key in &marked.dead_records {
                crate::record::bury(transaction, key, "it was collected")?;
            }
            for tree in &marked.dead_trees {
                transaction
                    .prepare_cached("DELETE FROM trees WHERE digest = ?1")?
                    .execute(params![tree.0])?;
            }
            if marked.dead_records.is_empty() {
                return Ok(());
            }
            crate::runs::unsettle(transaction)
        })
    }

    /// Removes the other names of blobs that are gone.
    fn trim_sidecars(&self) -> Result<(), StoreError> {
        for algorithm in Algorithm::ALL {
            for (_, fan) in list(&self.layout.dir(algorithm.word()))? {
                for (_, path) in list(&fan)? {
                    let digest = fs::read_to_string(&path)
                        .ok()
                        .and_then(|text| text.parse().ok());
                    if !digest.is_some_and(|digest| self.has(&digest)) {
                        self.fs.remove_file(&path)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn empty_trash(&self, remover: Remover<'_>, report: &mut GcReport) -> Result<(), StoreError> {
        for (_, path) in list(&self.layout.dir("trash"))? {
            let done = match path.symlink_metadata() {
                Ok(metadata) if metadata.is_dir() => self.fs.remove_tree(&path, remover),
                Ok(_) => self.fs.remove_file(&path),
                Err(_) => continue, // another collection was faster
            };
            report.tell(done)?;
        }
        Ok(())
    }

    /// Lists `dir/ab/HEX`: every file that is named by a digest.
    pub(crate) fn list_fanned(&self, dir: &str) -> Result<Vec<(Digest, PathBuf)>, StoreError> {
        let mut files = Vec::new();
        for (_, fan) in list(&self.layout.dir(dir))? {
            let named = list(&fan)?.into_iter();
            files.extend(named.filter_map(|(name, path)| Some((name.parse().ok()?, path))));
        }
        Ok(files)
    }
}

/// Lists a directory: names (lossy) and paths. What is no directory holds nothing.
pub(crate) fn list(dir: &Path) -> Result<Vec<(String, PathBuf)>, StoreError> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => return Ok(Vec::new()),
        entries => entries.and_then(Iterator::collect::<io::Result<Vec<_>>>),
    };
    let entries = entries.map_err(StoreError::io("list", dir))?.into_iter();
    let named = |entry: fs::DirEntry| {
        (
            entry.file_name().to_string_lossy().into_owned(),
            entry.path(),
        )
    };
    Ok(entries.map(named).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::remove_own_tree;
    use crate::record::Record;
    use crate::record::tests::put_record;
    use crate::runs::Outcome;
    use crate::runs::OutcomeVerdict;

    const ONE: GcOptions = GcOptions {
        keep_runs: 1,
        dry_run: false,
    };

    fn outcome(record: &Record) -> Outcome {
        Outcome {
            name: "node".to_owned(),
            kind: record.kind.clone(),
            key: Some(record.key),
            verdict: OutcomeVerdict::Succeeded,
            reason: String::new(),
            cached: false,
        }
    }

    /// Runs `node` with a record of this name, by a handle of its own.
    fn run(root: &Path, name: &str) -> Record {
        let store = Store::open(root).unwrap();
        let id = store.begin_run("realise", 1).unwrap();
        let mut record = put_record(&store, name);
        let dir = store.work_dir("tree").unwrap();
        fs::write(dir.path().join("member"), name).unwrap();
        record
            .outputs
            .insert("tree".to_owned(), store.put_tree(dir.path()).unwrap());
        store.commit(&record).unwrap();
        store.finish_run(id, 2, &[outcome(&record)]).unwrap();
        record
    }

    #[test]
    fn what_was_current_in_the_last_runs_stays_with_its_trees() {
        let dir = tempfile::tempdir().unwrap();
        let (old, new) = (run(dir.path(), "old"), run(dir.path(), "new"));
        let store = Store::open(dir.path()).unwrap();
        let two = store
            .gc(
                GcOptions {
                    keep_runs: 2,
                    dry_run: false,
                },
                &remove_own_tree,
            )
            .unwrap();
        assert_eq!(
            (two.records, two.blobs, two.kept_records, two.kept_blobs),
            (0, 0, 2, 8)
        );
        let dry = store
            .gc(
                GcOptions {
                    dry_run: true,
                    ..ONE
                },
                &remove_own_tree,
            )
            .unwrap();
        assert!(store.has(&old.outputs["out"]));
        let report = store.gc(ONE, &remove_own_tree).unwrap();
        assert_eq!(report, dry);
        assert_eq!((report.records, report.blobs, report.kept_blobs), (1, 4, 4));
        assert_eq!(store.record(&old.key).unwrap(), None);
        assert_eq!(
            store.tombstone(&old.key).unwrap().unwrap().reason,
            "it was collected"
        );
        assert!(!store.has(&Digest::of(b"old")) && store.has(&Digest::of(b"new")));
        assert_eq!(store.record(&new.key).unwrap(), Some(new));
        assert_eq!(fs::read_dir(dir.path().join("trash")).unwrap().count(), 0);
        assert!(
            store
                .verify(crate::VerifyOptions::default())
                .unwrap()
                .is_clean()
        );
    }

    #[test]
    fn pins_leases_and_claims_keep() {
        let dir = tempfile::tempdir().unwrap();
        let old: Vec<_> = ["a", "b", "c", "d"]
            .map(|name| run(dir.path(), name))
            .into();
        let store = Store::open(dir.path()).unwrap();
        store.pin("good", &old[0].key).unwrap();
        drop(store);
        let other = Store::open(dir.path()).unwrap();
        let _claim = other.claim(&old[1].key).unwrap();
        let store = Store::open(dir.path()).unwrap();
        let report = store.gc(ONE, &remove_own_tree).unwrap();
        assert_eq!((report.records, report.kept_records), (1, 3));
        assert!(store.record(&old[0].key).unwrap().is_some());
        assert!(store.record(&old[1].key).unwrap().is_some());
        assert!(store.record(&old[2].key).unwrap().is_none());
    }

    #[test]
    fn what_a_live_handle_put_stays_until_it_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let early = Store::open(dir.path())
            .unwrap()
            .put_bytes(b"early")
            .unwrap();
        let old = std::time::SystemTime::UNIX_EPOCH;
        let store = Store::open(dir.path()).unwrap();
        let file = fs::File::open(store.blob_path(&early)).unwrap();
        file.set_modified(old).unwrap();

        let live = Store::open(dir.path()).unwrap();
        live.put_bytes(b"late").unwrap();
        live.put_bytes(b"early").unwrap(); // there already: made young
        let record = put_record(&live, "committed, in no run");
        live.commit(&record).unwrap();
        let report = store.gc(ONE, &remove_own_tree).unwrap();
        assert_eq!((report.records, report.blobs, report.kept_young), (0, 0, 2));
        drop(live);
        let report = store.gc(ONE, &remove_own_tree).unwrap();
        assert_eq!((report.records, report.blobs, report.kept_young), (1, 4, 0));
    }

    #[test]
    fn a_scratch_directory_that_stays_does_not_keep_the_others() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        for name in ["dead-1", "dead-2", "dead-3"] {
            fs::create_dir(dir.path().join("work").join(name)).unwrap();
        }
        let refuses = |path: &Path| {
            if path.ends_with("dead-2") {
                return Err(io::ErrorKind::PermissionDenied.into());
            }
            fs::remove_dir(path)
        };
        let error = store.sweep_work(&refuses).unwrap_err().to_string();
        assert!(error.contains("dead-2"), "{error}");
        let left = || store.stale_work_dirs().unwrap();
        let stuck = left();
        assert_eq!(stuck.len(), 1);

        let options = |dry_run| GcOptions {
            keep_runs: 1,
            dry_run,
        };
        assert_eq!(store.gc(options(true), &refuses).unwrap().scratch, 1);
        let report = store.gc(options(false), &refuses).unwrap();
        let why = "permission denied".to_owned();
        assert_eq!(
            (report.scratch, report.stuck),
            (0, vec![(stuck[0].clone(), why)])
        );
        let removes = |path: &Path| fs::remove_dir(path);
        assert_eq!(store.gc(options(false), &removes).unwrap().scratch, 1);
        assert_eq!(left(), Vec::<PathBuf>::new());
    }

    #[test]
    fn an_unpacked_tree_in_use_stays() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let digest = Digest::of(b"tarball");
        let unpacked = store
            .unpacked(&digest, "t", |_| Ok::<_, StoreError>(()))
            .unwrap();
        let report = Store::open(dir.path())
            .unwrap()
            .gc(ONE, &remove_own_tree)
            .unwrap();
        assert_eq!(report.unpacked, 0);
        assert!(unpacked.path().is_dir());
        let path = unpacked.path().to_owned();
        drop(unpacked);
        let report = store.gc(ONE, &remove_own_tree).unwrap();
        assert_eq!((report.unpacked, path.exists()), (1, false));
    }
}
