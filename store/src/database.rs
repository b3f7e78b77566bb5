//! The SQLite file: its schema, how it is opened, and its transactions.
//!
//! WAL with `synchronous = NORMAL`: a power cut may lose the last rows, never the order of rows,
//! and a lost row costs a rerun. Where a lost row would cost more (a collection removes blobs right
//! after it removed rows), [`Durability::Synced`] is asked for.

use std::time::Duration;

use rusqlite::Connection;
use rusqlite::OpenFlags;
use rusqlite::Transaction;
use rusqlite::TransactionBehavior;

use crate::error::StoreError;
use crate::fs::Fs;
use crate::layout::Layout;
use crate::lock::Lock;
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

/// Opens the database, and makes its tables where there are none.
pub(crate) fn open(layout: &Layout, fs: &Fs) -> Result<Connection, StoreError> {
    let connection = connect(layout)?;
    if schema_version(&connection)? == SCHEMA_VERSION {
        return Ok(connection);
    }
    let _making = Lock::exclusive(fs, &layout.dir("locks").join("database"))?;
    let mut connection = connection;
    make_tables(&mut connection, layout, fs)?;
    Ok(connection)
}

/// Connects without looking inside.
pub(crate) fn connect(layout: &Layout) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(layout.database(), flags)?;
    connection.busy_timeout(Duration::from_secs(60))?;
    connection.set_prepared_statement_cache_capacity(32);
    Ok(connection)
}

/// Reads the version of the schema; 0 for an empty file.
pub(crate) fn schema_version(connection: &Connection) -> Result<i64, StoreError> {
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    Ok(connection.pragma_query_value(None, "user_version", |row| row.get(0))?)
}

/// Makes the tables of a new database.
pub(crate) fn make_tables(
    connection: &mut Connection,
    layout: &Layout,
    fs: &Fs,
) -> Result<(), StoreError> {
    connection.pragma_update(None, "journal_mode", "WAL")?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if schema_version_in(&transaction)? == 0 {
        transaction.execute_batch(SCHEMA)?;
        transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
        fs.before_commit(&layout.database())?;
        transaction.commit()?;
    }
    Ok(())
}

fn schema_version_in(transaction: &Transaction<'_>) -> Result<i64, StoreError> {
    Ok(transaction.pragma_query_value(None, "user_version", |row| row.get(0))?)
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
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
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
}
