//! Verification: every blob hashed again, rows compared with blobs and record files; and repair.

use std::collections::HashMap;
use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use crate::database::Durability;
use crate::digest::Digest;
use crate::digest::hash_file;
use crate::error::StoreError;
use crate::gc::list;
use crate::lock::Lock;
use crate::record;
use crate::record::Record;
use crate::store::Store;

/// What a verification is to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VerifyOptions {
    /// Whether to put bad blobs aside and forget the records that need them.
    pub repair: bool,
}

/// A record that needs a blob which is missing or bad.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokenRecord {
    /// Its key.
    pub key: Digest,
    /// Its name.
    pub name: String,
    /// The first such blob.
    pub blob: Digest,
}

/// What a verification found; with repair, what it mended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// Blobs hashed.
    pub blobs: u64,
    /// Their size in bytes.
    pub bytes: u64,
    /// Records looked at.
    pub records: u64,
    /// Blobs that do not hash to their digest, or cannot be read, and what was found.
    pub bad: Vec<(Digest, String)>,
    /// Records that need a blob which is missing or bad.
    pub broken: Vec<BrokenRecord>,
    /// Keys of rows whose record file is missing, damaged or different.
    pub unwritten: Vec<Digest>,
    /// Record files without a row: a writer died between the two. No fault, but no record either.
    pub strays: Vec<PathBuf>,
    /// What SQLite says is wrong with the database.
    pub database: Vec<String>,
    /// Whether all of this was mended.
    pub repaired: bool,
}

impl VerifyReport {
    /// Whether nothing was wrong.
    pub fn is_clean(&self) -> bool {
        self.bad.is_empty()
            && self.broken.is_empty()
            && self.unwritten.is_empty()
            && self.database.is_empty()
    }
}

impl Store {
    /// Verifies the whole store, on all processors.
    ///
    /// With [`VerifyOptions::repair`], bad blobs go to `quarantine/`, records that need them or a
    /// missing blob are forgotten with a tombstone, so that their actions run again, record files
    /// are written again from their rows, and a damaged database is rebuilt.
    pub fn verify(&self, options: VerifyOptions) -> Result<VerifyReport, StoreError> {
        // Without the lock only a repair that saw a writer at work could go wrong.
        let _removing = if options.repair {
            Some(Lock::exclusive(&self.fs, &self.layout.gc_lock())?)
        } else {
            None
        };
        let mut report = VerifyReport {
            database: self.check_database()?,
            ..Default::default()
        };
        if !report.database.is_empty() {
            if !options.repair {
                return Ok(report);
            }
            self.replace_database(&report.database.join("; "))?;
        }
        let present = self.hash_blobs(&mut report)?;
        let records = self.all_rows()?;
        report.records = records.len() as u64;
        self.find_broken(&records, &present, &mut report);
        self.compare_files(&records, &mut report)?;
        if options.repair {
            self.repair(&records, &report)?;
            report.repaired = true;
        }
        Ok(report)
    }

    fn check_database(&self) -> Result<Vec<String>, StoreError> {
        let connection = self.database();
        let check = || -> rusqlite::Result<Vec<String>> {
            let mut statement = connection.prepare("PRAGMA integrity_check")?;
            statement.query_map([], |row| row.get(0))?.collect()
        };
        match check() {
            Ok(lines) if lines == ["ok"] => Ok(Vec::new()),
            Ok(lines) => Ok(lines),
            Err(error) if crate::error::is_damage(&error) => Ok(vec![error.to_string()]),
            Err(error) => Err(error.into()),
        }
    }

    /// Hashes every blob again, and returns those that are sound.
    fn hash_blobs(&self, report: &mut VerifyReport) -> Result<HashSet<Digest>, StoreError> {
        let blobs = self.list_fanned("blobs")?;
        let next = AtomicUsize::new(0);
        let found = Mutex::new((0, Vec::new()));
        let work = || {
            while let Some((digest, path)) = blobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                let wrong = match hash_file(path, &[]) {
                    Ok(hashes) => {
                        found.lock().unwrap_or_else(PoisonError::into_inner).0 += hashes.size;
                        (hashes.digest != *digest)
                            .then(|| format!("its content hashes to `{}`", hashes.digest))
                    }
                    // A collection beside this took it.
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
                    Err(error) => Some(format!("it cannot be read: {error}")),
                };
                if let Some(what) = wrong {
                    let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
                    found.1.push((*digest, what));
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
                scope.spawn(work);
            }
        });
        let (bytes, mut bad) = found.into_inner().unwrap_or_else(PoisonError::into_inner);
        bad.sort();
        let mut sound: HashSet<Digest> = blobs.iter().map(|(digest, _)| *digest).collect();
        for (digest, _) in &bad {
            sound.remove(digest);
        }
        (report.blobs, report.bytes, report.bad) = (blobs.len() as u64, bytes, bad);
        Ok(sound)
    }

    fn all_rows(&self) -> Result<Vec<Record>, StoreError> {
        let connection = self.database();
        let mut statement = connection.prepare_cached(&format!(
            "SELECT {} FROM records r JOIN details d USING (key) ORDER BY r.key",
            record::COLUMNS
        ))?;
        Ok(statement
            .query_map([], record::from_row)?
            .collect::<Result<_, _>>()?)
    }

    fn find_broken(&self, records: &[Record], sound: &HashSet<Digest>, report: &mut VerifyReport) {
        // The first member of a tree that is not sound; many records may share a tree.
        let mut trees: HashMap<Digest, Option<Digest>> = HashMap::new();
        let mut lacks = |digest: Digest| {
            // A blob that came since the listing is there, and was hashed when it came.
            let there = |digest: &Digest| sound.contains(digest) || self.came(digest, &report.bad);
            if !there(&digest) {
                return Some(digest);
            }
            *trees.entry(digest).or_insert_with(|| {
                if !Self::looks_like_tree(&self.layout.blob(&digest)) {
                    return None;
                }
                let tree = self.tree(&digest).ok()?;
                tree.blobs().find(|member| !there(member))
            })
        };
        let mut broken = Vec::new();
        for record in records {
            if let Some(blob) = record.blobs().find_map(&mut lacks) {
                let (key, name) = (record.key, record.name.clone());
                broken.push(BrokenRecord { key, name, blob });
            }
        }
        report.broken = broken;
    }

    fn came(&self, digest: &Digest, bad: &[(Digest, String)]) -> bool {
        self.has(digest) && !bad.iter().any(|(bad, _)| bad == digest)
    }

    fn compare_files(
        &self,
        records: &[Record],
        report: &mut VerifyReport,
    ) -> Result<(), StoreError> {
        let mut files: HashSet<PathBuf> = HashSet::new();
        for (_, fan) in list(&self.layout.dir("records"))? {
            files.extend(list(&fan)?.into_iter().map(|(_, path)| path));
        }
        for record in records {
            let path = self.layout.record(&record.key);
            files.remove(&path);
            let text = fs::read_to_string(&path).unwrap_or_default();
            if Record::from_file(&text).as_ref() != Ok(record) {
                report.unwritten.push(record.key);
            }
        }
        report.strays = files.into_iter().collect();
        report.strays.sort();
        Ok(())
    }

    fn repair(&self, records: &[Record], report: &VerifyReport) -> Result<(), StoreError> {
        // Rows first: a reader must not find a row whose blob was put aside.
        let broken: HashSet<Digest> = report.broken.iter().map(|broken| broken.key).collect();
        self.change(Durability::Synced, |transaction| {
            for key in &broken {
                record::bury(transaction, key, "a blob of it was missing or damaged")?;
            }
            if !broken.is_empty() {
                crate::runs::unsettle(transaction)?;
            }
            Ok(())
        })?;
        for key in &broken {
            self.fs.remove_file(&self.layout.record(key))?;
        }
        for (digest, _) in &report.bad {
            let aside = self.layout.dir("quarantine").join(digest.to_string());
            self.fs.rename(&self.layout.blob(digest), &aside)?;
        }
        let unwritten: HashSet<Digest> = report.unwritten.iter().copied().collect();
        for record in records {
            if unwritten.contains(&record.key) && !broken.contains(&record.key) {
                let path = self.layout.record(&record.key);
                self.place_small(&path, record.to_file()?.as_bytes())?;
            }
        }
        for path in &report.strays {
            self.fs.remove_file(path)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::tests::put_record;

    const REPAIR: VerifyOptions = VerifyOptions { repair: true };
    const LOOK: VerifyOptions = VerifyOptions { repair: false };

    fn overwrite(store: &Store, digest: &Digest) {
        fs::remove_file(store.blob_path(digest)).unwrap();
        fs::write(store.blob_path(digest), b"rotten").unwrap();
    }

    #[test]
    fn a_rotten_blob_is_put_aside_and_its_producer_runs_again() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let [a, b, c] = ["a", "b", "c"].map(|name| {
            let mut record = put_record(&store, name);
            let work = store.work_dir("t").unwrap();
            fs::write(work.path().join("member"), name).unwrap();
            record
                .outputs
                .insert("tree".to_owned(), store.put_tree(work.path()).unwrap());
            store.commit(&record).unwrap();
            record
        });
        assert!(store.verify(LOOK).unwrap().is_clean());
        overwrite(&store, &a.outputs["out"]);
        fs::remove_file(store.blob_path(&Digest::of(b"b"))).unwrap(); // a member of the tree of b
        fs::write(store.layout.record(&c.key), "").unwrap();

        let report = store.verify(LOOK).unwrap();
        assert_eq!(report.bad.len(), 1);
        let broken: Vec<_> = report.broken.iter().map(|broken| broken.key).collect();
        let mut wanted = [a.key, b.key];
        wanted.sort();
        assert_eq!(broken, wanted);
        assert_eq!(report.unwritten, [c.key]);
        assert!(
            store.record(&a.key).unwrap().is_some(),
            "looking changes nothing"
        );

        assert!(store.verify(REPAIR).unwrap().repaired);
        assert!(store.verify(LOOK).unwrap().is_clean());
        assert_eq!(store.record(&a.key).unwrap(), None);
        assert_eq!(store.record(&b.key).unwrap(), None);
        assert!(store.tombstone(&a.key).unwrap().is_some());
        assert!(
            dir.path()
                .join("quarantine")
                .join(a.outputs["out"].to_string())
                .is_file()
        );
        assert_eq!(store.rebuild_database().unwrap().records, 1);
        assert_eq!(store.record(&c.key).unwrap(), Some(c));
    }

    #[test]
    fn a_database_damaged_inside_is_rebuilt() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let records: Vec<_> = (0..40)
            .map(|n| put_record(&store, &n.to_string()))
            .collect();
        for record in &records {
            store.commit(record).unwrap();
        }
        drop(store); // writes the WAL back
        let path = dir.path().join("db.sqlite");
        let mut bytes = fs::read(&path).unwrap();
        let pages = bytes.len() / 4096;
        bytes[4096 * 3..4096 * (pages - 1)].fill(0xa5);
        fs::write(&path, bytes).unwrap();
        let store = Store::open(dir.path()).unwrap();
        if store.recovered().is_none() {
            assert!(!store.verify(LOOK).unwrap().is_clean());
            store.verify(REPAIR).unwrap();
        }
        assert!(store.verify(LOOK).unwrap().is_clean());
        assert_eq!(store.load_records().unwrap().len(), 40);
        assert_eq!(
            store.record(&records[7].key).unwrap().as_ref(),
            Some(&records[7])
        );
    }
}
