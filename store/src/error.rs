//! What can go wrong in the store, and whose fault it is.

use std::io;
use std::path::Path;
use std::path::PathBuf;

use rusqlite::ErrorCode;

use crate::digest::Digest;
use crate::path::NameError;

/// An error of the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file system refused: a fault of the environment.
    #[error("cannot {op} `{}`", path.display())]
    Io {
        /// The path that was worked on.
        path: PathBuf,
        /// What was done to it, as a verb.
        op: &'static str,
        /// The answer of the operating system.
        #[source]
        source: io::Error,
    },
    /// `SQLite` refused: the environment, or corruption; see [`StoreError::is_corruption`].
    #[error("the database of the store failed")]
    Database(#[from] rusqlite::Error),
    /// A stored file does not say what it must.
    #[error("`{}` is damaged: {what}", path.display())]
    Corrupt {
        /// The damaged file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// The store was written by a newer program.
    #[error("the store `{}` has format {found}, but this program knows formats up to {known}", root.display())]
    NewerFormat {
        /// The directory of the store.
        root: PathBuf,
        /// The format found.
        found: u32,
        /// The newest format this program reads.
        known: u32,
    },
    /// A blob that was asked for is not there.
    #[error("blob `{0}` is not in the store")]
    MissingBlob(Digest),
    /// A file that a tree or blob cannot hold: a device, a socket, a pipe.
    #[error("`{}` is {what}, which the store cannot hold", path.display())]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// A name that would not stay inside its directory.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A record that has no JSON form: a fault of this program.
    #[error("the record cannot be encoded")]
    Encoding(#[source] serde_json::Error),
    /// The facts of a record are larger than [`crate::MAX_FACTS`].
    #[error("the facts of `{name}` are {size} bytes, more than the limit")]
    FactsTooLarge {
        /// Name of the record.
        name: String,
        /// Size of the facts in bytes.
        size: usize,
    },
}

impl StoreError {
    /// A fault of the system: what was tried (a verb), and on which path.
    pub fn io(op: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io {
            path: path.to_owned(),
            op,
            source,
        }
    }

    /// Whether a disk or quota is full.
    pub fn is_disk_full(&self) -> bool {
        match self {
            Self::Io { source, .. } => {
                matches!(
                    source.kind(),
                    io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
                )
            }
            Self::Database(error) => error.sqlite_error_code() == Some(ErrorCode::DiskFull),
            _ => false,
        }
    }

    /// Whether stored data are damaged; `verify` with repair is the remedy.
    pub fn is_corruption(&self) -> bool {
        match self {
            Self::Corrupt { .. } | Self::MissingBlob(_) => true,
            Self::Database(error) => is_damage(error),
            _ => false,
        }
    }

    /// Whether the machine, not the store or its user, is at fault.
    pub fn is_environment(&self) -> bool {
        match self {
            Self::Io { .. } => true,
            Self::Database(error) => !is_damage(error),
            _ => false,
        }
    }
}

/// Whether an error of `SQLite` says that the file is no sound database of ours.
pub(crate) fn is_damage(error: &rusqlite::Error) -> bool {
    match error {
        // Sound pages with the wrong columns or types are damage too: nobody else writes here.
        rusqlite::Error::InvalidColumnType(..)
        | rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::IntegralValueOutOfRange(..)
        | rusqlite::Error::Utf8Error(..) => true,
        _ => matches!(
            error.sqlite_error_code(),
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
        ),
    }
}
