//! The SQLite file: its schema, how it is opened, and its transactions.
//!
//! WAL with `synchronous = NORMAL`: a power cut may lose the last rows, never the order of rows,
//! and a lost row costs a rerun. Where a lost row would cost more (a collection removes blobs right
//! after it removed rows), [`Durability::Synced`] is asked for.

use std::error::Error;
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::OpenFlags;
use rusqlite::Transaction;
use rusqlite::TransactionBehavior;

use crate::error::StoreError;
use crate::fs::Fs;
use crate::layout::Layout;
use crate::lock::Lock;
use crate::rebuild::RebuildReport;
use crate::rebuild::rebuild;
use crate::store::Store;

/// The version of the schema, in `user_version`; 0 is a database that was just made.
const SCHEMA_VERSION: i64 = 1;

/// `records` is what a no-op run reads, at once and in the order of keys; `details` is the rest.
const SCHEMA: &str = "
CREATE TABLE records (
    key BLOB PRIMARY KEY, verdict INTEGER NOT NULL, duration_ms INTEGER NOT NULL,
    outputs BLOB NOT NULL, facts TEXT NOT NULL, message TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE details (
    key BLOB PRIMARY KEY, version INTEGER NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL,
    manifest BLOB NOT NULL, log BLOB, started_ms INTEGER NOT NULL,
    run INTEGER NOT NULL, session TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE trees (digest BLOB PRIMARY KEY) STRICT, WITHOUT ROWID;
CREATE TABLE tombstones (
    key BLOB PRIMARY KEY, reason TEXT NOT NULL, run INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE runs (
    id INTEGER PRIMARY KEY AUTOINCREMENT, command TEXT NOT NULL,
    began_ms INTEGER NOT NULL, finished_ms INTEGER
) STRICT;
CREATE TABLE history (
    name TEXT NOT NULL, since_run INTEGER NOT NULL, until_run INTEGER, kind TEXT NOT NULL,
    key BLOB, verdict INTEGER NOT NULL, reason TEXT NOT NULL, cached INTEGER NOT NULL,
    PRIMARY KEY (name, since_run)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX current ON history (name) WHERE until_run IS NULL;
CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
";

/// What a committed transaction must survive.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    /// The death of the process.
    Process,
    /// A power cut, too.
    Synced,
}

/// Opens the database. One that is lost or damaged is rebuilt from the record files, if there are
/// any; a damaged one goes to `quarantine/` first.
pub(crate) fn open(
    layout: &Layout,
    fs: &Fs,
) -> Result<(Connection, Option<RebuildReport>), StoreError> {
    if let Ok(Some(connection)) = connect(layout) {
        return Ok((connection, None));
    }
    let _making = Lock::exclusive(fs, &layout.dir("locks").join("database"))?;
    let because = match connect(layout) {
        Ok(Some(connection)) => return Ok((connection, None)),
        Ok(None) => "it was missing".to_owned(),
        Err(error) if error.is_corruption() => {
            put_aside(layout, fs)?;
            error
                .source()
                .map_or_else(|| error.to_string(), ToString::to_string)
        }
        Err(error) => return Err(error),
    };
    let mut connection = open_file(layout)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    let report = rebuild(&mut connection, layout, fs, &because)?;
    let found = report.records > 0 || !report.skipped.is_empty();
    Ok((connection, found.then_some(report)))
}

/// Connects to a database with our tables; nothing if there are none yet.
fn connect(layout: &Layout) -> Result<Option<Connection>, StoreError> {
    let connection = open_file(layout)?;
    let version = schema_version(&connection)?;
    if version > SCHEMA_VERSION {
        let (root, found) = (
            layout.root.clone(),
            u32::try_from(version).unwrap_or(u32::MAX),
        );
        return Err(StoreError::NewerFormat {
            root,
            found,
            known: 1,
        });
    }
    if version == 0 {
        return Ok(None);
    }
    // The first pages of every table are read here, not by whoever needs them first.
    connection.prepare("SELECT 1 FROM records, details, trees, history, runs, meta")?;
    connection.query_row("SELECT COUNT(*) FROM meta", [], |_| Ok(()))?;
    Ok(Some(connection))
}

fn open_file(layout: &Layout) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(layout.database(), flags)?;
    connection.busy_timeout(Duration::from_mins(1))?;
    connection.set_prepared_statement_cache_capacity(32);
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    Ok(connection)
}

fn schema_version(connection: &Connection) -> Result<i64, StoreError> {
    Ok(connection.pragma_query_value(None, "user_version", |row| row.get(0))?)
}

/// Makes the tables where there are none.
pub(crate) fn make_tables(transaction: &Transaction<'_>) -> Result<(), StoreError> {
    if schema_version(transaction)? == 0 {
        transaction.execute_batch(SCHEMA)?;
        transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    }
    Ok(())
}

/// Moves a damaged database to `quarantine/`, for people to look at.
fn put_aside(layout: &Layout, fs: &Fs) -> Result<(), StoreError> {
    // The log and its index first: a database without them is still damaged, so a death between
    // the renames ends here again.
    for suffix in ["-wal", "-shm", ""] {
        let name = format!("db.sqlite{suffix}");
        let from = layout.dir(&name);
        if from.exists() {
            fs.rename(&from, &layout.dir("quarantine").join(name))?;
        }
    }
    Ok(())
}

impl Store {
    /// Runs `change` in one transaction, which is undone if it fails.
    pub(crate) fn change<T>(
        &self,
        durability: Durability,
        change: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut connection = self.database();
        let synced = durability == Durability::Synced;
        if synced {
            connection.pragma_update(None, "synchronous", "FULL")?;
        }
        let result = (|| {
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let value = change(&transaction)?;
            self.fs.before_commit(&self.layout.database())?;
            transaction.commit()?;
            Ok(value)
        })();
        if synced {
            connection.pragma_update(None, "synchronous", "NORMAL")?;
        }
        result
    }

    /// Puts the damaged database aside and makes it again. The caller holds the lock of removal.
    pub(crate) fn replace_database(&self, because: &str) -> Result<(), StoreError> {
        let _making = Lock::exclusive(&self.fs, &self.layout.dir("locks").join("database"))?;
        let mut connection = self.database();
        // Closed before its files are moved: closing writes the log back.
        *connection = Connection::open_in_memory()?;
        put_aside(&self.layout, &self.fs)?;
        *connection = open_file(&self.layout)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        rebuild(&mut connection, &self.layout, &self.fs, because)?;
        Ok(())
    }
}
