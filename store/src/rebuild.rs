//! The database made again from the record files: after it was lost, damaged or doubted.

use std::fs;
use std::path::PathBuf;

use rusqlite::Connection;
use rusqlite::TransactionBehavior;

use crate::digest::Digest;
use crate::error::StoreError;
use crate::fs::Fs;
use crate::gc::list;
use crate::layout::Layout;
use crate::lock::Lock;
use crate::record;
use crate::record::Record;
use crate::store::Store;

/// What a rebuild of the database found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RebuildReport {
    /// Why it was done.
    pub because: String,
    /// Records that have a row again.
    pub records: u64,
    /// Record files that gave no row, and why.
    pub skipped: Vec<(PathBuf, String)>,
}

impl Store {
    /// Makes the rows of records again from the record files whose blobs are there. Runs and
    /// outcomes stay as they are; they are not kept elsewhere.
    pub fn rebuild_database(&self) -> Result<RebuildReport, StoreError> {
        let _removing = Lock::exclusive(&self.fs, &self.layout.gc_lock())?;
        let mut connection = self.database();
        rebuild(&mut connection, &self.layout, &self.fs, "it was asked for")
    }

    /// What [`Store::open`] had to rebuild, for the caller to tell.
    pub fn recovered(&self) -> Option<&RebuildReport> {
        self.recovered.as_ref()
    }
}

/// Fills the rows of records in one transaction; makes the tables first if there are none.
pub(crate) fn rebuild(
    connection: &mut Connection,
    layout: &Layout,
    fs: &Fs,
    because: &str,
) -> Result<RebuildReport, StoreError> {
    let mut report = RebuildReport {
        because: because.to_owned(),
        records: 0,
        skipped: Vec::new(),
    };
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    crate::database::make_tables(&transaction)?;
    transaction.execute_batch("DELETE FROM records; DELETE FROM details; DELETE FROM trees;")?;
    crate::runs::unsettle(&transaction)?;
    let mut run: Option<i64> = None;
    for (_, fan) in list(&layout.dir("records"))? {
        for (_, path) in list(&fan)? {
            let record = match read(layout, &path) {
                Ok(record) => record,
                Err(why) => {
                    report.skipped.push((path, why));
                    continue;
                }
            };
            // Counted to a run, or the next collection would take all that has no outcome now.
            let run = match run {
                Some(run) => run,
                None => *run.insert(newest_run(&transaction)?),
            };
            record::insert(&transaction, &record, run, "")?;
            for output in record.outputs.values() {
                if Store::looks_like_tree(&layout.blob(output)) {
                    transaction
                        .prepare_cached("INSERT OR IGNORE INTO trees VALUES (?1)")?
                        .execute([output.0])?;
                }
            }
            report.records += 1;
        }
    }
    fs.before_commit(&layout.database())?;
    transaction.commit()?;
    Ok(report)
}

fn newest_run(connection: &Connection) -> Result<i64, StoreError> {
    let newest: Option<i64> =
        connection.query_row("SELECT MAX(id) FROM runs", [], |row| row.get(0))?;
    if let Some(newest) = newest {
        return Ok(newest);
    }
    connection.execute(
        "INSERT INTO runs VALUES (NULL, '(the database was rebuilt)', 0, 0)",
        [],
    )?;
    Ok(connection.last_insert_rowid())
}

/// Reads a record file and looks whether its blobs are there; an error says what is wrong.
fn read(layout: &Layout, path: &std::path::Path) -> Result<Record, String> {
    let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
    let record = Record::from_file(&text)?;
    if layout.record(&record.key) != path {
        return Err(format!("it holds the record `{}`", record.key));
    }
    let absent = |digest: &Digest| !layout.blob(digest).is_file();
    let missing = record.blobs().find(absent);
    match missing {
        Some(digest) => Err(format!("its blob `{digest}` is missing")),
        None => Ok(record),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::gc::GcOptions;
    use crate::record::tests::put_record;

    fn remove_database(root: &Path) {
        for name in ["db.sqlite", "db.sqlite-wal", "db.sqlite-shm"] {
            let _ = fs::remove_file(root.join(name));
        }
    }

    fn filled(root: &Path) -> Vec<Record> {
        let store = Store::open(root).unwrap();
        assert_eq!(store.recovered(), None);
        let mut records = Vec::new();
        for name in ["a", "b", "c"] {
            let mut record = put_record(&store, name);
            let dir = store.work_dir("tree").unwrap();
            fs::write(dir.path().join("member"), name).unwrap();
            record
                .outputs
                .insert("tree".to_owned(), store.put_tree(dir.path()).unwrap());
            store.commit(&record).unwrap();
            records.push(record);
        }
        records
    }

    #[test]
    fn a_lost_database_comes_back_with_its_trees() {
        let dir = tempfile::tempdir().unwrap();
        let records = filled(dir.path());
        remove_database(dir.path());
        fs::write(dir.path().join("records/aa"), "").ok();
        let store = Store::open(dir.path()).unwrap();
        assert_eq!(store.recovered().unwrap().records, 3);
        let report = store
            .gc(
                GcOptions {
                    keep_runs: 1,
                    dry_run: false,
                },
                &crate::remove_own_tree,
            )
            .unwrap();
        assert_eq!(
            (report.records, report.blobs),
            (0, 0),
            "a rebuilt store is not garbage"
        );
        for record in records {
            assert_eq!(store.record(&record.key).unwrap(), Some(record));
        }
        drop(store);
        assert_eq!(Store::open(dir.path()).unwrap().recovered(), None);
    }

    #[test]
    fn a_damaged_database_is_put_aside_and_made_again() {
        let dir = tempfile::tempdir().unwrap();
        let records = filled(dir.path());
        for damage in [
            &b"not a database, but as long as the head of one is: 100 bytes or more, \
                          which is checked before anything else is."[..],
            &[0; 8192],
            b"x",
        ] {
            remove_database(dir.path());
            fs::write(dir.path().join("db.sqlite"), damage).unwrap();
            let store = Store::open(dir.path()).unwrap();
            assert_eq!(store.recovered().unwrap().records, 3, "{}", damage.len());
            assert_eq!(
                store.record(&records[0].key).unwrap().as_ref(),
                Some(&records[0])
            );
        }
    }

    #[test]
    fn damaged_record_files_are_skipped_and_named() {
        let dir = tempfile::tempdir().unwrap();
        let records = filled(dir.path());
        let store = Store::open(dir.path()).unwrap();
        let path = store.layout.record(&records[0].key);
        fs::write(&path, "record 1 ").unwrap();
        fs::remove_file(store.blob_path(&records[1].manifest)).unwrap();
        let report = store.rebuild_database().unwrap();
        assert_eq!((report.records, report.skipped.len()), (1, 2));
        assert!(
            report
                .skipped
                .contains(&(path, "it is cut short".to_owned()))
        );
        assert_eq!(store.load_records().unwrap().len(), 1);
    }
}
