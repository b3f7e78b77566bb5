//! Records: what the action with a key gave. One row each, and one file to rebuild the row from.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use rusqlite::OptionalExtension;
use rusqlite::Row;
use rusqlite::Transaction;
use rusqlite::params;
use serde::Deserialize;
use serde::Serialize;

use crate::database::Durability;
use crate::digest::Digest;
use crate::error::StoreError;
use crate::lock::Lock;
use crate::store::Store;

/// The largest size of the facts of a record, in bytes: they live in the row.
pub const MAX_FACTS: usize = 64 * 1024;

/// Whether an action did what it was to do. Both are results, and kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It did.
    Succeeded,
    /// It did not, and would not if it ran again.
    Failed,
}

impl Verdict {
    pub(crate) fn number(self) -> i64 {
        match self {
            Self::Succeeded => 0,
            Self::Failed => 1,
        }
    }

    pub(crate) fn from_number(number: i64) -> Option<Self> {
        match number {
            0 => Some(Self::Succeeded),
            1 => Some(Self::Failed),
            _ => None,
        }
    }
}

/// What the action with a key gave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The version of this form: [`Record::VERSION`].
    pub version: u32,
    /// The key of the action.
    pub key: Digest,
    /// The kind of the action, in the words of the caller.
    pub kind: String,
    /// A name for people; several keys may share one, as definitions change.
    pub name: String,
    /// Whether it succeeded.
    pub verdict: Verdict,
    /// The blobs and trees it gave, by name.
    pub outputs: BTreeMap<String, Digest>,
    /// What else it gave, as JSON of at most [`MAX_FACTS`] bytes.
    pub facts: String,
    /// The blob that holds the preimage of the key, as JSON.
    pub manifest: Digest,
    /// The blob that holds its log.
    pub log: Option<Digest>,
    /// One line for people: why it failed.
    pub message: String,
    /// When it began, in milliseconds since the epoch.
    pub started_ms: u64,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
}

/// What is left of a record that is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tombstone {
    /// Why it is gone.
    pub reason: String,
    /// The newest run at that time.
    pub run: i64,
}

impl Record {
    /// The version of the form this program writes.
    pub const VERSION: u32 = 1;

    /// Every blob the record needs: outputs, manifest, log.
    pub(crate) fn blobs(&self) -> impl Iterator<Item = Digest> {
        self.outputs
            .values()
            .copied()
            .chain([self.manifest])
            .chain(self.log)
    }

    /// The text of the record file: a line with the digest of the rest, and JSON.
    pub(crate) fn to_file(&self) -> Result<String, StoreError> {
        let json = serde_json::to_string(self).map_err(StoreError::Encoding)?;
        Ok(format!(
            "record {} {}\n{json}\n",
            Self::VERSION,
            Digest::of(json.as_bytes())
        ))
    }

    /// Reads a record file; an error says what is wrong with it.
    pub(crate) fn from_file(text: &str) -> Result<Self, String> {
        let (head, json) = text.split_once('\n').ok_or("it is cut short")?;
        let json = json.strip_suffix('\n').ok_or("it is cut short")?;
        let (version, digest) = head
            .strip_prefix("record ")
            .and_then(|rest| rest.split_once(' '))
            .ok_or("it does not begin as a record")?;
        if version != Self::VERSION.to_string() {
            return Err(format!("it has version {version}"));
        }
        if digest != Digest::of(json.as_bytes()).to_string() {
            return Err("it does not hash to the digest it carries".to_owned());
        }
        serde_json::from_str(json).map_err(|error| error.to_string())
    }
}

/// Packs outputs for a row; [`crate::records::outputs`] reads them.
pub(crate) fn pack_outputs(outputs: &BTreeMap<String, Digest>) -> Vec<u8> {
    let mut packed = Vec::new();
    for output in outputs {
        // Writing to memory cannot fail.
        if let Ok(bytes) = postcard::to_allocvec(&output) {
            packed.extend(bytes);
        }
    }
    packed
}

pub(crate) const COLUMNS: &str = "r.key, r.verdict, r.duration_ms, r.outputs, r.facts, r.message, \
     d.version, d.kind, d.name, d.manifest, d.log, d.started_ms";

/// Reads [`COLUMNS`].
pub(crate) fn from_row(row: &Row<'_>) -> rusqlite::Result<Record> {
    let digest = |column: usize| row.get(column).map(Digest);
    let verdict = Verdict::from_number(row.get(1)?)
        .ok_or(rusqlite::Error::IntegralValueOutOfRange(1, row.get(1)?))?;
    let packed: Vec<u8> = row.get(3)?;
    Ok(Record {
        key: digest(0)?,
        verdict,
        duration_ms: row.get::<_, i64>(2)?.cast_unsigned(),
        outputs: crate::records::outputs(&packed)
            .map(|(name, digest)| (name.to_owned(), digest))
            .collect(),
        facts: row.get(4)?,
        message: row.get(5)?,
        version: row.get(6)?,
        kind: row.get(7)?,
        name: row.get(8)?,
        manifest: digest(9)?,
        log: row.get::<_, Option<[u8; 32]>>(10)?.map(Digest),
        started_ms: row.get::<_, i64>(11)?.cast_unsigned(),
    })
}

/// Writes the rows of a record, over those it had.
pub(crate) fn insert(
    transaction: &Transaction<'_>,
    record: &Record,
    run: i64,
    session: &str,
) -> Result<(), StoreError> {
    let mut slim = transaction
        .prepare_cached("INSERT OR REPLACE INTO records VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
    slim.execute(params![
        record.key.0,
        record.verdict.number(),
        record.duration_ms.cast_signed(),
        pack_outputs(&record.outputs),
        record.facts,
        record.message,
    ])?;
    let mut rest = transaction.prepare_cached(
        "INSERT OR REPLACE INTO details VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?;
    rest.execute(params![
        record.key.0,
        record.version,
        record.kind,
        record.name,
        record.manifest.0,
        record.log.map(|log| log.0),
        record.started_ms.cast_signed(),
        run,
        session,
    ])?;
    Ok(())
}

/// Removes the rows of a record and leaves a tombstone; whether there was one.
pub(crate) fn bury(
    transaction: &Transaction<'_>,
    key: &Digest,
    reason: &str,
) -> Result<bool, StoreError> {
    let gone = transaction
        .prepare_cached("DELETE FROM records WHERE key = ?1")?
        .execute([key.0])?;
    transaction
        .prepare_cached("DELETE FROM details WHERE key = ?1")?
        .execute([key.0])?;
    if gone > 0 {
        transaction
            .prepare_cached(
                "INSERT OR REPLACE INTO tombstones
                 SELECT ?1, ?2, COALESCE(MAX(id), 0) FROM runs",
            )?
            .execute(params![key.0, reason])?;
    }
    Ok(gone > 0)
}

impl Store {
    /// Commits a record, over the one its key had: every blob it names is on the disk before.
    ///
    /// # Errors
    /// [`StoreError::MissingBlob`] if it names a blob that was not put.
    pub fn commit(&self, record: &Record) -> Result<(), StoreError> {
        if record.facts.len() > MAX_FACTS {
            let (name, size) = (record.name.clone(), record.facts.len());
            return Err(StoreError::FactsTooLarge { name, size });
        }
        let session = self.session()?;
        let _adding = self.adding()?;
        if let Some(missing) = record.blobs().find(|digest| !self.has(digest)) {
            return Err(StoreError::MissingBlob(missing));
        }
        let path = self.layout.record(&record.key);
        let text = record.to_file()?;
        let mut aside = self.aside()?;
        self.fs.write(&aside.file, &aside.path, text.as_bytes())?;
        self.fs.sync_fs(&self.layout.root)?;
        self.place(&mut aside, &path)?;
        let run = self.run.load(Ordering::Relaxed);
        let name = session
            .outer()
            .file_name()
            .unwrap_or_default()
            .to_string_lossy();
        self.change(Durability::Process, |transaction| {
            insert(transaction, record, run, &name)?;
            transaction
                .prepare_cached("DELETE FROM tombstones WHERE key = ?1")?
                .execute([record.key.0])?;
            crate::runs::unsettle(transaction)
        })
    }

    /// Finds the record of a key. One whose outputs are gone is a miss, and forgotten, so that
    /// its action runs again.
    pub fn record(&self, key: &Digest) -> Result<Option<Record>, StoreError> {
        let Some(record) = self.row(key)? else {
            return Ok(None);
        };
        if record.outputs.values().all(|digest| self.has(digest)) {
            return Ok(Some(record));
        }
        self.bury_if(key, "an output was missing", |there| {
            there.outputs == record.outputs
        })?;
        Ok(None)
    }

    /// The record in the rows of a key, whatever became of its blobs.
    pub(crate) fn row(&self, key: &Digest) -> Result<Option<Record>, StoreError> {
        let connection = self.database();
        select(&connection, key)
    }

    /// Forgets the record of a key; whether there was one. Its blobs stay until a collection.
    pub fn forget(&self, key: &Digest) -> Result<bool, StoreError> {
        self.bury_if(key, "it was forgotten", |_| true)
    }

    /// Forgets a record, with a reason, if `condition` holds for what is in its rows.
    fn bury_if(
        &self,
        key: &Digest,
        reason: &str,
        condition: impl FnOnce(&Record) -> bool,
    ) -> Result<bool, StoreError> {
        // Rows first, as a row without its file would be a fault; and no commit between the two.
        let _removing = Lock::exclusive(&self.fs, &self.layout.gc_lock())?;
        let buried = self.change(Durability::Process, |transaction| {
            if !select(transaction, key)?.is_some_and(|record| condition(&record)) {
                return Ok(false);
            }
            crate::runs::unsettle(transaction)?;
            bury(transaction, key, reason)
        })?;
        if buried {
            self.fs.remove_file(&self.layout.record(key))?;
        }
        Ok(buried)
    }

    /// What is left of a record that was collected, forgotten or found broken.
    pub fn tombstone(&self, key: &Digest) -> Result<Option<Tombstone>, StoreError> {
        let connection = self.database();
        let mut statement =
            connection.prepare_cached("SELECT reason, run FROM tombstones WHERE key = ?1")?;
        let read = |row: &Row<'_>| {
            Ok(Tombstone {
                reason: row.get(0)?,
                run: row.get(1)?,
            })
        };
        Ok(statement.query_row([key.0], read).optional()?)
    }
}

fn select(connection: &rusqlite::Connection, key: &Digest) -> Result<Option<Record>, StoreError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM records r JOIN details d USING (key) WHERE r.key = ?1"
    ))?;
    Ok(statement.query_row([key.0], from_row).optional()?)
}

#[cfg(test)]
pub(crate) mod tests {
    use std::fs;

    use super::*;

    /// A record with one output, which is put too.
    pub(crate) fn put_record(store: &Store, name: &str) -> Record {
        let output = store
            .put_bytes(format!("output of {name}").as_bytes())
            .unwrap();
        let manifest = store
            .put_bytes(format!("{{\"name\":\"{name}\"}}").as_bytes())
            .unwrap();
        Record {
            version: Record::VERSION,
            key: Digest::derive("test", [name.as_bytes()]),
            kind: "test".to_owned(),
            name: name.to_owned(),
            verdict: Verdict::Succeeded,
            outputs: BTreeMap::from([("out".to_owned(), output)]),
            facts: "{}".to_owned(),
            manifest,
            log: None,
            message: String::new(),
            started_ms: 1,
            duration_ms: 2,
        }
    }

    fn store() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        (dir, store)
    }

    #[test]
    fn a_record_is_what_was_committed_last() {
        let (dir, store) = store();
        let mut record = put_record(&store, "a");
        assert_eq!(store.record(&record.key).unwrap(), None);
        store.commit(&record).unwrap();
        record.verdict = Verdict::Failed;
        record.message = "error: no such file".to_owned();
        record.log = Some(store.put_bytes(b"log").unwrap());
        record.started_ms = u64::MAX;
        store.commit(&record).unwrap();
        let again = Store::open(dir.path()).unwrap();
        assert_eq!(again.record(&record.key).unwrap(), Some(record.clone()));
        let file = fs::read_to_string(store.layout.record(&record.key)).unwrap();
        assert_eq!(Record::from_file(&file), Ok(record));
    }

    #[test]
    fn a_record_of_absent_blobs_or_huge_facts_is_refused() {
        let (_dir, store) = store();
        let mut record = put_record(&store, "a");
        record.outputs.insert("b".to_owned(), Digest::of(b"absent"));
        assert!(matches!(
            store.commit(&record),
            Err(StoreError::MissingBlob(_))
        ));
        record.outputs.remove("b");
        record.facts = "x".repeat(MAX_FACTS + 1);
        assert!(matches!(
            store.commit(&record),
            Err(StoreError::FactsTooLarge { .. })
        ));
    }

    #[test]
    fn a_hit_whose_output_is_gone_is_a_miss_with_a_tombstone() {
        let (_dir, store) = store();
        let record = put_record(&store, "a");
        store.commit(&record).unwrap();
        fs::remove_file(store.blob_path(&record.outputs["out"])).unwrap();
        assert_eq!(store.record(&record.key).unwrap(), None);
        let tombstone = store.tombstone(&record.key).unwrap().unwrap();
        assert_eq!(tombstone.reason, "an output was missing");
        assert!(store.load_records().unwrap().get(&record.key).is_none());
        let record = put_record(&store, "a");
        store.commit(&record).unwrap();
        assert_eq!(store.tombstone(&record.key).unwrap(), None);
        assert!(store.forget(&record.key).unwrap());
        assert!(!store.forget(&record.key).unwrap());
    }

    #[test]
    fn a_damaged_record_file_is_known() {
        let (_dir, store) = store();
        let text = put_record(&store, "a").to_file().unwrap();
        assert!(Record::from_file(&text).is_ok());
        for end in 0..text.len() {
            assert!(Record::from_file(&text[..end]).is_err());
        }
        assert_eq!(
            Record::from_file(&text.replace("\"a\"", "\"b\"")),
            Err("it does not hash to the digest it carries".to_owned())
        );
        let newer = text.replace("record 1", "record 2");
        assert_eq!(
            Record::from_file(&newer),
            Err("it has version 2".to_owned())
        );
    }
}
