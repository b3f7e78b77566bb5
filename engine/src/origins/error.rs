//! Why a family or a source gave nothing.

use std::io;
use std::path::Path;

use store::StoreError;
use thiserror::Error;

use crate::sandbox::SandboxError;

/// Why bytes could not be had.
#[derive(Debug, Error)]
pub enum OriginError {
    /// A program is not there.
    #[error("`{program}` is not installed; install the package `{package}`")]
    Missing {
        /// The program.
        program: &'static str,
        /// Debian's package of it.
        package: &'static str,
    },
    /// A pinned file is gone from the mirror.
    #[error("the mirror no longer carries `{file}`; `engine update` pins what it carries now")]
    Gone {
        /// The file's name.
        file: String,
    },
    /// It would have to be downloaded.
    #[error(
        "`{file}` is not in the store, and the run is offline; a run without `--offline` downloads it"
    )]
    Offline {
        /// The file's name.
        file: String,
    },
    /// A place gave no good file.
    #[error("cannot fetch `{url}`: {why}")]
    Fetch {
        /// The place that was tried last.
        url: String,
        /// Why not.
        why: String,
    },
    /// The distribution has no such package.
    #[error("there is no package `{package}` in {of}")]
    NoPackage {
        /// Its name, as it was asked for.
        package: String,
        /// The distribution and its suite.
        of: String,
        /// The package that has the most similar name.
        similar: Option<String>,
    },
    /// A repository has no such branch or tag.
    #[error("there is no {what} `{name}` in {url}")]
    NoReference {
        /// `branch` or `tag`.
        what: &'static str,
        /// As it was asked for.
        name: String,
        /// The repository.
        url: String,
        /// The one that has the most similar name.
        similar: Option<String>,
    },
    /// A commit's tree is not whole without other repositories.
    #[error("commit {commit} of {url} has a submodule, `{path}`")]
    Submodule {
        /// The beginning of its id.
        commit: String,
        /// The repository.
        url: String,
        /// Where the submodule is.
        path: String,
    },
    /// A program said no.
    #[error("`{command}` failed: {message}")]
    Failed {
        /// The command's name.
        command: &'static str,
        /// Its error lines.
        message: String,
    },
    /// An answer lacks something it must have.
    #[error("{command} gave no {what} for `{package}`")]
    Incomplete {
        /// Who answered.
        command: &'static str,
        /// The package.
        package: String,
        /// What was missing.
        what: &'static str,
    },
    /// A file could not be written or read.
    #[error("cannot {action} `{path}`: {source}")]
    File {
        /// What was tried, a verb.
        action: &'static str,
        /// The path.
        path: String,
        /// Why not.
        source: io::Error,
    },
    /// What was downloaded is not what it is said to be.
    #[error("{0}")]
    Content(String),
    /// The store refused what was downloaded.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The sandbox could not be set up.
    #[error(transparent)]
    Sandbox(SandboxError),
    /// The user ended it.
    #[error("interrupted")]
    Cancelled,
}

impl From<SandboxError> for OriginError {
    fn from(error: SandboxError) -> Self {
        match error {
            SandboxError::Cancelled => Self::Cancelled,
            error => Self::Sandbox(error),
        }
    }
}

/// A file error with what was tried on which path.
pub(super) fn file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> OriginError {
    let path = path.display().to_string();
    move |source| OriginError::File {
        action,
        path,
        source,
    }
}
